"""A record of rain as an array along ``time``, whatever it came as, and how far its values stand apart."""

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.variables import RAINFALL
from rusle_engine.factors.rain_units import rain_depth

Rain = pd.Series | xr.DataArray
"""Rain over time: a Series indexed by date or time, or a DataArray with a dimension ``time``."""


def over_dates(rain: Rain) -> xr.DataArray:
    """The record as an array with a dimension ``time`` of dates, in the order given; its declared unit is kept.

    Raises
    ------
    InputError
        When it is neither a Series indexed by dates nor an array with such a dimension, is empty, has rows without a date, or repeats one.
    """
    if isinstance(rain, pd.Series):
        rain = _array_of(rain)
    if not isinstance(rain, xr.DataArray):
        raise InputError(f"rain is a {type(rain).__name__}; expected a Series indexed by date or a DataArray with a dimension 'time'")
    if "time" not in rain.dims or not np.issubdtype(rain["time"].dtype, np.datetime64):
        raise InputError(f"rain has dimensions {rain.dims}; expected one named 'time' with dates (datetime64, the usual calendar)")
    dates = pd.DatetimeIndex(rain["time"].values)
    if len(dates) == 0:
        raise InputError("the rain record is empty")
    if dates.hasnans:
        raise InputError("the rain record has rows without a date")
    if dates.has_duplicates:
        first = dates[dates.duplicated()][0]
        shown = f"{first:%Y-%m-%d}" if first == first.normalize() else f"{first:%Y-%m-%d %H:%M}"
        raise InputError(f"the rain record holds {shown} more than once; keep one value a day, or one a time step")
    return rain


def _array_of(series: pd.Series) -> xr.DataArray:
    if not isinstance(series.index, pd.DatetimeIndex):
        raise InputError(f"rain is indexed by {series.index.dtype}; expected dates: series.index = pd.to_datetime(series.index)")
    try:
        values = series.to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(f"rain holds values that are not numbers ({error}); make codes and blanks NaN first") from error
    units = {"units": series.attrs["units"]} if "units" in series.attrs else {}
    return xr.DataArray(values, dims=("time",), coords={"time": series.index.tz_localize(None).to_numpy()}, attrs=units)


def in_date_order(rain: xr.DataArray) -> xr.DataArray:
    dates = pd.DatetimeIndex(rain["time"].values)
    return rain if dates.is_monotonic_increasing else rain.isel(time=np.argsort(dates))


def days_apart(rain: xr.DataArray) -> float:
    """The usual distance between two values of a record [d]; NaN when there is only one."""
    dates = np.sort(rain["time"].values)
    return float(np.median(np.diff(dates) / np.timedelta64(1, "D"))) if len(dates) > 1 else float("nan")


def daily_record(rain: Rain, units: str | None) -> xr.DataArray:
    """The record as an array along ``time`` in date order, in mm, one value a day.

    Raises
    ------
    InputError
        When the record is not daily, or in a unit that is not a depth of rain.
    """
    array = over_dates(rain)
    days = pd.DatetimeIndex(array["time"].values).normalize()
    repeated = days[days.duplicated()]
    if len(repeated):
        raise InputError(
            f"the rain record holds several values on {repeated[0]:%Y-%m-%d}; sum them to days first: rain.resample('D').sum(min_count=1)"
        )
    if (apart := days_apart(array)) >= 5:
        raise InputError(
            f"the rain record has a value every {apart:g} days; expected daily rain (if only wet days are listed, fill the dry ones with 0)"
        )
    return in_date_order(rain_depth(array, RAINFALL, 1.0, units).assign_coords(time=days))
