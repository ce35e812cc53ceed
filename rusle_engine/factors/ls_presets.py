"""Practices of LS by name: the options of ``ls_factor`` that stand for each, and where it still departs from them.

A practice is what its documents say; what a program does besides is told in ``departs``. ``docs/concepts/ls_schemes.md`` has each as a block
of a configuration.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rusle_engine.core.errors import InputError


@dataclass(frozen=True)
class Preset:
    """One practice.

    ``own_cell_in_area``: the practice counts a cell's own area as draining into it; an ``upslope_area`` that holds it stands for that.
    """

    options: Mapping[str, Any]
    stands_for: str
    departs: str
    own_cell_in_area: bool = False


PRESETS: Mapping[str, Preset] = {
    "rusle": Preset(
        {
            "length": "desmet_govers1996",
            "steepness": "mccool1987",
            "exponent": "mccool1989",
            "routing": "freeman1991",
            "max_slope_length_m": 304.8,
        },
        "RUSLE on a grid: contributing area of multiple flow, S and m of McCool, slopes of at most 1000 ft",
        "multiple flow by Freeman where Desmet and Govers split the flow in a way of their own; the limit of 1000 ft was not read: unchecked",
    ),
    "csle": Preset(
        {
            "length": "foster_wischmeier1974",
            "steepness": "liu1994",
            "exponent": "csle_1_3_5",
            "max_slope_length_m": 100.0,
            "max_steepness_degree": 30.0,
        },
        "CSLE: D8 flow paths with slope-change cut-offs, S of Liu, m by classes of 1, 3 and 5°, slopes of at most 100 m, S held above 30°",
        "the limits of length and steepness of the monitoring rule were not read: unchecked; the slope is Horn's",
    ),
    "invest_sdr": Preset(
        {
            "length": "desmet_govers1996",
            "steepness": "mccool1987",
            "exponent": "oliveira2013",
            "routing": "freeman1991",
            "max_slope_length_m": 122.0,
        },
        "the guide of InVEST's sediment delivery ratio: contributing area, S of McCool, m by classes up to 9 %, slopes of at most 122 m",
        "multiple flow by Freeman, where that program has one of its own; from its version 3.14 that program puts the square root of the area where "
        "the equation has the area, the angle of the slope where it has that of the flow, and its 122 m limit L and not the length",
    ),
    "grass": Preset(
        {
            "length": "wischmeier_smith1978",
            "steepness": "mccool1987",
            "exponent": "mccool1989",
            "rill_ratio": "low",
            "cutoff_below_5_pct": 0.0,
            "cutoff_from_5_pct": 0.0,
        },
        "GRASS r.watershed: whole slopes along D8 flow paths, S of McCool, m of McCool with half its β, as that program has it by default",
        "the slope is Horn's of the cell, where that program takes the whole height over the whole length of the path; D8 on the minimal fill, "
        "where it takes the way of least cost",
    ),
    "saga": Preset(
        {"length": "moore_burch1986", "form": "point", "routing": "freeman1991"},
        "SAGA's LS factor by its first method, on catchment area and slope",
        "area by Freeman's multiple flow, where that program takes what it is given; the slope is Horn's",
    ),
    "saga_bohner_selige": Preset(
        {"length": "bohner_selige2006", "routing": "freeman1991"},
        "SAGA's LS factor by Böhner and Selige, on catchment area and slope",
        "area by Freeman's multiple flow, where that program takes what it is given; the slope is Horn's",
    ),
    "watem_sedem": Preset(
        {"length": "desmet_govers1996", "steepness": "nearing1997", "exponent": "mccool1989"},
        "WaTEM/SEDEM with m of McCool: S of Nearing, a cell's own area counted as draining into it",
        "area by D8, where that program routes by parcels; without its correction of LS",
        own_cell_in_area=True,
    ),
}


def ls_preset(name: str) -> Preset:
    """A practice of LS by its name: its ``options`` for ``ls_factor``, what it stands for, and where it departs from that.

    Parameters
    ----------
    name
        ``rusle``, ``csle``, ``invest_sdr``, ``grass``, ``saga``, ``saga_bohner_selige`` or ``watem_sedem``.

    Raises
    ------
    InputError
        When there is none of that name.

    Examples
    --------
    >>> ls_preset("saga").options["length"]
    'moore_burch1986'
    """
    if name not in PRESETS:
        raise InputError(f"LS scheme {name!r} is not known; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]
