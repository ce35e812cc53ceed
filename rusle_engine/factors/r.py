"""Rainfall erosivity R from rain by the minute, the day, the month or the year, of one station or of a grid, and its share in each half-month."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Literal, get_args

import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.variables import Units, units_of
from rusle_engine.factors import daily_erosivity as daily
from rusle_engine.factors import stations
from rusle_engine.factors import storm_erosivity as storms
from rusle_engine.factors import total_erosivity as totals
from rusle_engine.factors.half_months import half_month as half_month
from rusle_engine.factors.half_months import require_share
from rusle_engine.factors.rain_intervals import RecordKind, Stamp
from rusle_engine.factors.rain_records import Rain
from rusle_engine.factors.storms import Energy, StepCorrection, StormRules, snow_rule
from rusle_engine.factors.validation import refuse_unused

ErosivityMethod = Literal[
    "xie2016",
    "xie2016_sinusoid",
    "zhang2003",
    "ei30",
    "zhang_fu2003",
    "zhang_fu2003_monthly",
    "zhang_fu2003_annual",
    "zhang_fu2003_yearly",
    "renard_freimund1994",
    "renard_freimund1994_fournier",
    "wischmeier_monthly",
]

_DAILY = tuple(daily.METHODS)
METHODS = {**daily.METHODS, **storms.METHODS, **totals.METHODS, **totals.PARTS, **stations.METHODS}
NESTED_KEYS = dict.fromkeys(stations.METHODS, "R.rain.interpolation")


def r_factor(
    rain: Rain,
    method: ErosivityMethod = "xie2016",
    *,
    threshold_mm: float | None = None,
    max_missing_pct: float = 5.0,
    pd12_mm: float | None = None,
    py12_mm: float | None = None,
    energy: Energy = "mcgregor1995",
    gap_h: float = 6.0,
    gap_depth_mm: float = 1.27,
    min_depth_mm: float = 12.7,
    min_15min_mm: float | None = 6.35,
    min_depth_inclusive: bool = True,
    max_i30_mm_h: float | None = None,
    step_correction: StepCorrection | None = None,
    record: RecordKind = "depth",
    stamp: Stamp = "start",
    step_min: float | None = None,
    absent_is_dry: bool = False,
    temperature: pd.Series | None = None,
    snow_below_c: float | None = None,
    coefficient_units: str | None = None,
    units: Units = None,
) -> xr.Dataset:
    r"""Rainfall erosivity factor R, and the share of every half-month in it where the method tells it, from a record of many years.

    From rain by the day, ``xie2016`` (Xie et al. 2016, J. Hydrology 535:547), its seasonal form ``xie2016_sinusoid``, and ``zhang2003``
    (Zhang, Xie & Liu 2002, 2003):

    .. math:: R_d = \alpha P^{1.7265} \;(P \ge 9.7), \qquad \alpha = 0.3937 \text{ (May–September)}, \; 0.3101 \text{ (October–April)}

    .. math:: R_d = 0.2686 \, [1 + 0.5412 \cos(\pi j / 6 - 7 \pi / 6)] \, P^{1.7265} \;(P \ge 9.7), \qquad j \text{ the month}

    .. math:: R_h = \alpha \sum P^\beta \;(P \ge 12), \qquad \beta = 0.8363 + \frac{18.144}{P_{d12}} + \frac{24.455}{P_{y12}},
        \qquad \alpha = 21.586\,\beta^{-7.1891}

    From storms, ``ei30`` (Wischmeier & Smith 1978; Renard et al. 1997; see ``erosive_storms``):

    .. math:: R = \frac{1}{n} \sum_{years} \sum_{storms} E \, I_{30}

    Values are summed over each half-month; each of the 24 half-months is averaged over the years in which it counts; R is the sum of
    these 24 means, and wr what each of them is of it. From totals by month or year, the regressions of ``METHODS``: R only.

    Parameters
    ----------
    rain
        Rain over time, a Series by date or a DataArray with a dimension ``time``, at the method's step; NaN or an absent date is missing.
    method
        Whose model.
    threshold_mm
        Rain of the least day that erodes [mm], itself included; 9.7 for ``xie2016`` and ``xie2016_sinusoid``, 12 for ``zhang2003`` when
        not stated.
    max_missing_pct
        Share of missing days above which a half-month (or month), or a whole calendar year, is left out [%]; at 5 no half-month lacks a day.
    pd12_mm
        Mean rain of the days with 12 mm or more [mm] (``zhang2003``), with ``py12_mm``; from the record itself when not stated.
    py12_mm
        Mean annual total of those days [mm] (``zhang2003``).
    energy
        Whose energy of rain, for ``ei30``.
    gap_h
        A storm is over when less than ``gap_depth_mm`` falls within this time [h] (``ei30``).
    gap_depth_mm
        See ``gap_h`` [mm]; 0 asks for a dry gap (``ei30``).
    min_depth_mm
        Rain of the least storm that counts [mm] (``ei30``).
    min_15min_mm
        Smaller storms count as well when this much falls within 15 minutes [mm]; none: they do not (``ei30``).
    min_depth_inclusive
        Whether a storm of exactly ``min_depth_mm`` counts (``ei30``).
    max_i30_mm_h
        The 30-minute intensity is held at this [mm h-1] (``ei30``); none: it is not. 63.5 is AH537's from memory, unchecked.
    step_correction
        Whose factors for what a step of 5 or 60 minutes hides: yin2007 by storm, yue2020 by year (``ei30``); none: no correction.
    record
        What the values of ``rain`` are: the depth of each step, the cumulative depth, or the intensity from each time on (``ei30``).
    stamp
        Whether the time of a depth is where its step starts or ends (``ei30``).
    step_min
        The fixed step [min], 1 to 60 (``ei30``); the least distance between two times when not stated.
    absent_is_dry
        Whether steps that are not listed, also at the ends of the first and last year, were dry (``ei30``); else they are missing.
    temperature
        Air temperature of the station [degC] over time, at most a day apart (``ei30``), with ``snow_below_c``; none: snow counts as rain.
    snow_below_c
        Precipitation at this temperature or below is snow and left out [degC] (``ei30``).
    coefficient_units
        Unit in which ``wischmeier_monthly`` gives R, to be stated because papers differ: "US R" or MJ mm ha-1 h-1 yr-1.
    units
        Unit of ``rain`` when it does not declare one: mm (the default), 0.1 mm or in; mm d-1, mm month-1, mm yr-1 or mm h-1 as fits it.

    Returns
    -------
    Dataset
        R [MJ mm ha-1 h-1 yr-1] and wr(half_month) [1], NaN where R is 0 and where totals do not tell it; what counted and what was left
        out as ``years_used``, ``years_left_out``, ``half_months_left_out`` and ``days_missing``; with ``zhang2003`` also ``pd12`` and
        ``py12`` [mm], with regressions ``fournier_index`` [mm] or ``annual_rain`` [mm yr-1]. Numbers for a station, (y, x) for a grid.
        Lazy when ``rain`` is. A station's years and half-months left out are named in the attributes.

    Raises
    ------
    InputError
        When the record is not of the method's step, holds a time twice, a negative or an impossible depth, and when no year or, for one of
        the 24 half-months, no year remains (on a grid such a cell is NaN).

    Notes
    -----
    The power comes before every mean. Why years are left out whole: many stations fail to report dry days, and a year full of gaps is
    complete only in its wet half-months. Missing days of a half-month that counts, possible only when ``max_missing_pct`` is raised, add
    nothing.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2021-01-01", "2022-12-31")
    >>> storms = pd.Series(0.0, index=days)
    >>> storms["2021-07-20"] = storms["2022-07-10"] = 50.0
    >>> r_factor(storms)["R"].round(4).item()
    337.627
    """
    require_share(max_missing_pct)
    erosive_rain = daily.stated_erosive_rain(pd12_mm, py12_mm)
    if method not in _DAILY:
        refuse_unused("r_factor", method, threshold_mm=threshold_mm)
    if method != "zhang2003":
        refuse_unused("r_factor", method, pd12_mm=pd12_mm, py12_mm=py12_mm)
    if method != "wischmeier_monthly":
        refuse_unused("r_factor", method, coefficient_units=coefficient_units)
    rules = StormRules(energy, gap_h, gap_depth_mm, min_depth_mm, min_15min_mm, min_depth_inclusive, max_i30_mm_h, step_correction)
    of_rain = units_of(units, "rain")
    if method == "ei30":
        return storms.storm_erosivity(
            rain,
            rules,
            record=record,
            stamp=stamp,
            step_min=step_min,
            absent_is_dry=absent_is_dry,
            max_missing_pct=max_missing_pct,
            snow=snow_rule(temperature, snow_below_c, units_of(units, "temperature") if isinstance(units, Mapping) else None),
            units=of_rain,
        )
    changed = {f.name: getattr(rules, f.name) for f in fields(rules) if getattr(rules, f.name) != f.default}
    read_otherwise = {"record": record != "depth", "stamp": stamp != "start", "step_min": step_min is not None, "absent_is_dry": absent_is_dry}
    read_otherwise |= {"temperature": temperature is not None, "snow_below_c": snow_below_c is not None}
    refuse_unused("r_factor", method, **changed, **{name: True for name, given in read_otherwise.items() if given})
    if method in _DAILY:
        return daily.daily_erosivity(
            rain, method, threshold_mm=threshold_mm, max_missing_pct=max_missing_pct, erosive_rain=erosive_rain, units=of_rain
        )
    if method in totals.METHODS:
        return totals.total_erosivity(rain, method, coefficient_units=coefficient_units, max_missing_pct=max_missing_pct, units=of_rain)
    raise InputError(f"r_factor has no method {method!r}; expected one of {', '.join(get_args(ErosivityMethod))}")


def record_step(method: str) -> Literal["time", "day"] | None:
    """What one value of the record stands for that ``method`` takes; None where days, months and years will do."""
    return "time" if method == "ei30" else "day" if method in _DAILY else None
