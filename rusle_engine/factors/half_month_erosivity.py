"""The erosivity of every half-month of a record of daily rain, year after year."""

from typing import Literal

import numpy as np
import xarray as xr

from rusle_engine.core.lift import over_time
from rusle_engine.core.variables import HALF_MONTH_EROSIVITY, Units, units_of
from rusle_engine.factors.daily_erosivity import Model, stated_erosive_rain
from rusle_engine.factors.half_months import require_share
from rusle_engine.factors.rain_records import Rain, daily_record
from rusle_engine.factors.validation import refuse_unused, require_choice

DailyMethod = Literal["xie2016", "xie2016_sinusoid", "zhang2003"]


def half_month_erosivity(
    rain: Rain,
    method: DailyMethod = "xie2016",
    *,
    threshold_mm: float | None = None,
    max_missing_pct: float = 5.0,
    pd12_mm: float | None = None,
    py12_mm: float | None = None,
    units: Units = None,
) -> xr.DataArray:
    r"""Rainfall erosivity of every half-month of a daily record: the series behind ``r_factor``, for one wet year or a trend.

    .. math:: R_h = \sum_{d \in h} R_d

    with the R_d of the model (see ``r_factor``); R of ``r_factor`` is the sum over h of the means of R_h over the years that count.

    Parameters
    ----------
    rain
        Daily rain over time, a Series by date or a DataArray with a dimension ``time``; NaN or an absent date is missing.
    method
        Whose model.
    threshold_mm
        As for ``r_factor`` [mm].
    max_missing_pct
        Share of missing days above which a half-month has no value [%]; at 5 none lacks a day. For ``zhang2003`` also that above which a
        year is left out of P_d12 and P_y12.
    pd12_mm, py12_mm
        As for ``r_factor`` [mm] (``zhang2003``); from the years of the record that count when not stated.
    units
        Unit of ``rain`` when it does not declare one.

    Returns
    -------
    DataArray (time, ...)
        R_h [MJ mm ha-1 h-1], float64, by the first day of each half-month, with the coordinates ``year`` and ``half_month`` (1 to 24); the
        whole of the calendar years that the record touches. Lazy when ``rain`` is.

    Raises
    ------
    InputError
        When the record is not daily rain, holds a time twice or an impossible depth, and when only one of ``pd12_mm`` and ``py12_mm`` is given.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.date_range("2021-01-01", "2022-12-31")
    >>> storms = pd.Series(0.0, index=days)
    >>> storms["2021-07-20"] = storms["2022-07-10"] = 50.0
    >>> series = half_month_erosivity(storms)
    >>> series.sel(time=["2021-07-16", "2022-07-01", "2022-07-16"]).round(3).values.tolist()
    [337.627, 337.627, 0.0]
    """
    require_choice("method of half_month_erosivity", method, DailyMethod)
    require_share(max_missing_pct)
    if method != "zhang2003":
        refuse_unused("half_month_erosivity", method, pd12_mm=pd12_mm, py12_mm=py12_mm)
    erosive_rain = stated_erosive_rain(pd12_mm, py12_mm)
    daily = daily_record(rain, units_of(units, "rain"))
    model = Model.of(daily, method, threshold_mm, max_missing_pct, erosive_rain)
    begins = model.calendar.edges[:-1]
    found = over_time(model.half_months, daily, size=len(begins)).rename(value="time").transpose("time", ...)
    series = found.assign_coords(time=begins, year=("time", begins.year), half_month=("time", np.tile(np.arange(1, 25), model.calendar.years)))
    return HALF_MONTH_EROSIVITY.describe(series, **model.provenance())
