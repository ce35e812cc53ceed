"""Rain in the units that gridded data come in: depths, and rates of a day, an hour or a second, which become depths by the length of a step."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.variables import ANNUAL_RAINFALL, MONTHLY_RAINFALL, RAINFALL, Variable, canonical_units, conversion_factor

_MM_OF_A_DEPTH = {"m": 1000.0, "cm": 10.0, "kg m-2": 1.0}
"""A kilogram of water on a square metre is a millimetre of it."""
_MM_OF_A_DAY = {"mm d-1": 1.0, "m d-1": 1000.0, "mm h-1": 24.0, "mm s-1": 86400.0, "m s-1": 86_400_000.0, "kg m-2 s-1": 86400.0}


def rain_depth(array: xr.DataArray, variable: Variable, days: Any, units: str | None) -> xr.DataArray:
    """A record of rain by day, month or year in the unit of ``variable``.

    Parameters
    ----------
    array
        Along ``time``; depths (mm, 0.1 mm, in, cm, m, kg m-2) or mean rates over each step (mm d-1, mm h-1, mm s-1, kg m-2 s-1, m s-1).
    variable
        Rain of a day, a month or a year.
    days
        Length of each step [d].
    units
        Of an array that declares none.

    Raises
    ------
    InputError
        When the unit is not one of rain.
    """
    declared = array.attrs.get("units", units)
    seen = "" if declared is None else canonical_units(str(declared))
    if seen in _MM_OF_A_DEPTH or (seen in _MM_OF_A_DAY and conversion_factor(seen, variable.units) is None):
        if units is not None and canonical_units(units) != seen:
            raise InputError(f"{variable.symbol} declares units {declared!r} but {units!r} was stated. Keep the one that is right.")
        factor = _MM_OF_A_DEPTH[seen] if seen in _MM_OF_A_DEPTH else _by_step(array, _MM_OF_A_DAY[seen] * np.asarray(days, np.float64))
        return (array * factor).assign_attrs({**array.attrs, "units": variable.units})
    return variable.require(array, units)


def _by_step(array: xr.DataArray, factor: Any) -> xr.DataArray | float:
    return float(factor) if factor.ndim == 0 else xr.DataArray(factor, dims="time", coords={"time": array["time"]})


def days_of_months(dates: pd.DatetimeIndex) -> Any:
    return np.asarray(dates.days_in_month, np.float64)


def days_of_years(dates: pd.DatetimeIndex) -> Any:
    return np.where(dates.is_leap_year, 366.0, 365.0)


def is_rain_unit(units: str) -> bool:
    """Whether a unit is one of rain that ``rain_depth`` takes."""
    of_totals = any(conversion_factor(units, variable.units) is not None for variable in (RAINFALL, MONTHLY_RAINFALL, ANNUAL_RAINFALL))
    return of_totals or canonical_units(units) in {**_MM_OF_A_DEPTH, **_MM_OF_A_DAY}
