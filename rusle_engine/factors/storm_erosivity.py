"""R from erosive storms: the mean annual sum of EI30, of a station, a table of storms or a grid of fine rain."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import is_lazy, over_time
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.time_folds import cut_along_time, fold_over_time
from rusle_engine.core.variables import EROSIVITY
from rusle_engine.factors.half_months import erosivity_dataset, require_share
from rusle_engine.factors.rain_intervals import RecordKind, Stamp, timeline
from rusle_engine.factors.rain_records import Rain
from rusle_engine.factors.storm_fold import StormFold, StormModel, columns_of
from rusle_engine.factors.storms import ENERGIES, SnowRule, StepCorrection, StormRules, by_half_month

METHODS = {
    "ei30": MethodInfo(
        equation="R = mean annual sum of E I30 over erosive storms; E = sum e v over the intervals of a storm",
        source="Wischmeier and Smith 1978; Renard et al. 1997",
        inputs=("rain in steps of 1 to 60 minutes, or breakpoints",),
        units=EROSIVITY.units,
        status="verified",
        formula_id="R-1",
        valid_for="records fine enough to show 30-minute peaks; 5 minutes or less needs no correction worth the name",
    ),
    **ENERGIES,
    "yin2007": MethodInfo(
        "E, I30 and EI30 of storms times 1.009, 1.007, 1.014 (5 minutes), 1.105, 1.668, 1.730 (60 minutes)",
        "Yin et al. 2007, abstract: breakpoint values over those of fixed steps",
        ("steps of 5 or 60 minutes",),
        "1",
        "verified",
        "R-11",
    ),
    "yue2020": MethodInfo(
        "annual R times 1.051 (5 minutes), 1.871 (60 minutes)",
        "Yue et al. 2020, abstract: 1-minute values over those of fixed steps, 62 stations in China",
        ("steps of 5 or 60 minutes",),
        "1",
        "verified",
        "R-11",
    ),
}

_YUE2020 = {5.0: 1.051, 60.0: 1.871}
"""Annual R from 1-minute data over annual R from a fixed step, by step [min]."""


def storm_erosivity(
    rain: Rain,
    rules: StormRules,
    *,
    record: RecordKind,
    stamp: Stamp,
    step_min: float | None,
    absent_is_dry: bool,
    max_missing_pct: float,
    snow: SnowRule | None,
    units: str | None,
) -> xr.Dataset:
    """R by ``ei30``: what ``r_factor`` returns. Each cell of a grid is cut into storms of its own.

    Raises
    ------
    InputError
        When the record is not in steps of 1 to 60 minutes (or breakpoints), and at a station when too little of it remains.
    """
    line, values = timeline(rain, record=record, stamp=stamp, step_min=step_min, absent_is_dry=absent_is_dry, units=units)
    rules.corrections(line.step_min)  # refuse at once what it cannot correct
    model = StormModel(line, line.calendar, rules, max_missing_pct, _annual_correction(rules.step_correction, line.step_min), snow)
    attrs = {
        "method": "ei30",
        **asdict(rules),
        "record": record,
        "step_min": line.step_min,
        "absent_is_dry": absent_is_dry,
        "max_missing_pct": max_missing_pct,
        "energy_formula": ENERGIES[rules.energy].formula_id,
        **METHODS["ei30"].provenance(),
    }
    if snow is not None and values.ndim > 1:
        raise InputError(f"rain has dimensions {values.dims}; temperature is that of one station")
    if values.ndim == 1 and not is_lazy(values):
        depth = line.depth(values.values[None, :])[0]
        missing = line.missing_days(line.gaps(depth))
        attrs |= {} if snow is None else snow.without(line, depth)[1]
        attrs |= model.calendar.require_enough(missing, max_missing_pct)
    streamed = snow is None and cut_along_time(values)
    columns = fold_over_time(StormFold(model), values, size=model.size) if streamed else over_time(model.columns, values, size=model.size)
    return erosivity_dataset(columns, _plain(attrs), days_missing=np.float64)


def erosivity_of_storms(storms: pd.DataFrame, *, max_missing_pct: float = 5.0) -> xr.Dataset:
    """R from a table of storms: for storms that were looked through first, or records of which the snow was left out.

    Parameters
    ----------
    storms
        What ``erosive_storms`` returned, or some of its rows.
    max_missing_pct
        Share of missing days above which a half-month, or a whole calendar year, is left out [%].

    Returns
    -------
    Dataset
        As of ``r_factor``.

    Raises
    ------
    InputError
        When the table does not say which years it covers, and when too little of them remains.
    """
    require_share(max_missing_pct)
    calendar, sums, missing = by_half_month(storms)
    left_out = calendar.require_enough(missing, max_missing_pct)
    columns = columns_of(sums["ei30"][None, :], missing[None, :], calendar, max_missing_pct)[0]
    by_name = ("first_year", "last_year", "days_missing_by_half_month", "gaps_in_storms_min", "days_missing", "storms_found")
    attrs: dict[str, Any] = {str(name): value for name, value in storms.attrs.items() if name not in by_name}
    attrs |= {"max_missing_pct": max_missing_pct, **METHODS["ei30"].provenance(), **left_out}
    return erosivity_dataset(xr.DataArray(columns, dims="value"), _plain(attrs), days_missing=np.float64)


def _annual_correction(correction: StepCorrection | None, step_min: float | None) -> float:
    if correction != "yue2020":
        return 1.0
    if step_min not in _YUE2020:
        steps = " and ".join(f"{step:g}" for step in _YUE2020)
        raise InputError(f"yue2020 has factors for steps of {steps} minutes; this record's step is {step_min} minutes: leave step_correction out")
    return _YUE2020[step_min]


def _plain(attrs: dict[str, Any]) -> dict[str, Any]:
    """Without what is None: files of arrays cannot hold it, and its absence says the same."""
    return {name: int(value) if isinstance(value, bool) else value for name, value in attrs.items() if value is not None}
