"""Totals of rain by month and by year, from records by day, by month or by year, and of a mean year."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Tile
from rusle_engine.core.variables import ANNUAL_RAINFALL, MONTHLY_RAINFALL, RAINFALL, Variable
from rusle_engine.factors.rain_records import Rain, daily_record, days_apart, in_date_order, over_dates
from rusle_engine.factors.rain_units import days_of_months, days_of_years, rain_depth
from rusle_engine.factors.validation import require_within
from rusle_kernels import erosivity
from rusle_kernels import rain_totals as kernels

Step = Literal["day", "month", "year", "mean year", "mean annual rain"]


@dataclass(frozen=True)
class Totals:
    """A record along ``time`` and the part of the year that each of its values belongs to."""

    array: xr.DataArray
    step: Step
    variable: Variable
    first_year: int | None
    """None for a mean year."""
    slot: np.ndarray[Any, np.dtype[np.int64]]
    """Of each value: parts of a year counted from the first one."""
    length: np.ndarray[Any, np.dtype[np.int64]]
    """How many values each part of each year should have."""
    parts: int
    """Parts of a year: 12, or 1."""

    def by_year(self, rain: Tile, max_missing_pct: float) -> tuple[Tile, Tile]:
        """Totals (cells, years, parts) of one tile, and which years are complete (cells, years)."""
        held = self.start(len(rain))
        self.take(held, rain, 0, 0)
        return self.complete(held, max_missing_pct)

    def start(self, cells: int) -> tuple[Tile, Tile]:
        """Sums and numbers of values, both 0: (cells, parts of all years)."""
        return np.zeros((cells, len(self.length))), np.zeros((cells, len(self.length)), np.int64)

    def take(self, held: tuple[Tile, Tile], rain: Tile, first: int, _turn: int) -> None:
        """Add a stretch of the record (cells, times) that begins at value number ``first``."""
        require_within(rain, self.variable)
        slot = np.ascontiguousarray(self.slot[first : first + rain.shape[1]])
        kernels.totals(rain, slot, held[0])
        erosivity.recorded_days(rain, slot, held[1])

    def complete(self, held: tuple[Tile, Tile], max_missing_pct: float) -> tuple[Tile, Tile]:
        """As ``by_year``."""
        sums, recorded = held
        enough: Tile = np.asarray(100 * (self.length - recorded) <= max_missing_pct * self.length)
        shape = (len(sums), -1, self.parts)
        return sums.reshape(shape), np.asarray(enough.reshape(shape).all(axis=2))


def rain_totals(rain: Rain, units: str | None, *, by_month: bool, years_needed: bool, who: str) -> Totals:
    """The record as totals by month, or by year.

    Parameters
    ----------
    rain
        By day, month or year over dates; or a mean year: an array with a dimension ``month`` of twelve, a Series indexed by 1 to 12, or an
        array without either, the mean annual rain of each cell.
    units
        Unit of ``rain`` when it does not declare one: mm, mm d-1, mm month-1 or mm yr-1 as fits the record, 0.1 mm or in.
    by_month
        Whether months are needed; else years will do.
    years_needed
        Whether the years themselves are needed and a mean year will not do.
    who
        The method, for messages.

    Raises
    ------
    InputError
        When the record is too coarse or uneven, repeats a month, or is in a unit that is not a depth of rain.
    """
    mean = _mean_year(rain, units)
    if mean is not None:
        if years_needed:
            raise InputError(f"{who} needs the rain of each year; a mean year hides how they differ. Give a record over dates.")
        if by_month and mean.parts == 1:
            raise InputError(f"{who} needs rain by month; the array has neither a dimension 'time' nor one of twelve named 'month'")
        return mean
    array = over_dates(rain)
    apart = days_apart(array)
    if apart < 5:
        return _daily(daily_record(array, units), by_month)
    if 27 <= apart <= 32:
        return _coarse(array, units, MONTHLY_RAINFALL, "month", 12)
    if 350 <= apart <= 380 or np.isnan(apart):
        if by_month:
            raise InputError(f"{who} needs rain by month or by day; this record has one value a year")
        return _coarse(array, units, ANNUAL_RAINFALL, "year", 1)
    raise InputError(f"the rain record has a value every {apart:g} days; {who} takes rain by day, by month{'' if by_month else ' or by year'}")


def _mean_year(rain: Rain, units: str | None) -> Totals | None:
    if isinstance(rain, pd.Series) and not isinstance(rain.index, pd.DatetimeIndex) and sorted(rain.index) == list(range(1, 13)):
        rain = xr.DataArray(
            rain.sort_index().to_numpy(np.float64, na_value=np.nan), dims="month", coords={"month": np.arange(1, 13)}, attrs=dict(rain.attrs)
        )
    if not isinstance(rain, xr.DataArray) or "time" in rain.dims:
        return None
    if "month" in rain.dims:
        if rain.sizes["month"] != 12 or ("month" in rain.coords and rain["month"].values.tolist() != list(range(1, 13))):
            raise InputError("the dimension 'month' of rain is not 1 to 12, in order")
        array = MONTHLY_RAINFALL.require(rain, units).drop_vars("month", errors="ignore").rename(month="time")
        return Totals(array, "mean year", MONTHLY_RAINFALL, None, np.arange(12), np.ones(12, np.int64), 12)
    array = ANNUAL_RAINFALL.require(rain, units).expand_dims(time=1)
    return Totals(array, "mean annual rain", ANNUAL_RAINFALL, None, np.zeros(1, np.int64), np.ones(1, np.int64), 1)


def _daily(daily: xr.DataArray, by_month: bool) -> Totals:
    dates = pd.DatetimeIndex(daily["time"].values)
    parts = 12 if by_month else 1
    first = int(dates[0].year)
    every_day = pd.date_range(f"{first}-01-01", f"{dates[-1].year}-12-31", freq="D")
    return Totals(daily, "day", RAINFALL, first, _slot(dates, first, parts), np.bincount(_slot(every_day, first, parts)), parts)


def _coarse(array: xr.DataArray, units: str | None, variable: Variable, step: Step, parts: int) -> Totals:
    dates = pd.DatetimeIndex(array["time"].values)
    array = in_date_order(rain_depth(array, variable, days_of_months(dates) if step == "month" else days_of_years(dates), units))
    dates = pd.DatetimeIndex(array["time"].values)
    first = int(dates[0].year)
    slot = _slot(dates, first, parts)
    if len(np.unique(slot)) < len(slot):
        again = dates[1:][np.diff(slot) == 0][0]
        raise InputError(f"the rain record has two values in the {step} of {again:%Y-%m-%d}; keep one a {step}")
    return Totals(array, step, variable, first, slot, np.ones((int(dates[-1].year) - first + 1) * parts, np.int64), parts)


def _slot(dates: pd.DatetimeIndex, first_year: int, parts: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    year = dates.year.to_numpy(np.int64) - first_year
    return 12 * year + dates.month.to_numpy(np.int64) - 1 if parts == 12 else year
