"""The calendar of R: how a record of rain is sorted into half-months, which of them count, and the Dataset that R comes in."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Tile
from rusle_engine.core.variables import EROSIVITY, EROSIVITY_SHARE

log = logging.getLogger("rusle_engine")

COUNTS = {
    "years_used": "years that count",
    "years_left_out": "years of the record left out for their missing days",
    "half_months_left_out": "half-months left out for their missing days, in the years that count",
    "days_missing": "days without a value in the calendar years of the record",
}
_LONG_RECORD_YEARS = 20


def half_month(dates: pd.DatetimeIndex) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Number of the half-month, 1 to 24, of each date: days 1 to 15 are the first half of a month, all later days the second."""
    return np.asarray(2 * (dates.month - 1) + np.where(dates.day <= 15, 1, 2), np.int64)


@dataclass(frozen=True)
class Calendar:
    """The half-months of the calendar years that a record touches; a slot is 24 · year + half-month, both from zero."""

    first_year: int
    last_year: int

    @classmethod
    def of(cls, dates: pd.DatetimeIndex) -> "Calendar":
        return cls(int(dates[0].year), int(dates[-1].year))

    @property
    def years(self) -> int:
        return self.last_year - self.first_year + 1

    @cached_property
    def days(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Length of every half-month [d]."""
        return np.bincount(self.slot(pd.date_range(f"{self.first_year}-01-01", f"{self.last_year}-12-31", freq="D")))

    @property
    def edges(self) -> pd.DatetimeIndex:
        """Where each half-month begins, and where the last one ends."""
        return pd.Timestamp(self.first_year, 1, 1) + pd.to_timedelta(np.concatenate([[0], np.cumsum(self.days)]), unit="D")

    def slot(self, dates: pd.DatetimeIndex) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The slot of each date."""
        return (24 * (dates.year.to_numpy(np.int64) - self.first_year) + half_month(dates) - 1).astype(np.int64)

    def name(self, slot: int) -> str:
        """First day of a half-month, as text."""
        return f"{self.first_year + slot // 24}-{slot % 24 // 2 + 1:02d}-{1 if slot % 2 == 0 else 16:02d}"

    def used(self, missing: Tile, max_missing_pct: float) -> tuple[Tile, Tile]:
        """Which years are kept (cells, years) and which half-months used (cells, slots), from the days [d] that each half-month lacks."""
        in_year = missing.reshape(len(missing), self.years, 24).sum(axis=2)
        kept = 100 * in_year <= max_missing_pct * self.days.reshape(self.years, 24).sum(axis=1)
        used = (100 * missing <= max_missing_pct * self.days) & np.repeat(kept, 24, axis=1)
        return kept, used

    def counts(self, kept: Tile, used: Tile, missing: Tile) -> Tile:
        """What ``COUNTS`` names: (cells, 4)."""
        years_used = kept.sum(axis=1)
        return np.column_stack([years_used, self.years - years_used, 24 * years_used - used.sum(axis=1), missing.sum(axis=1)])

    def require_enough(self, missing: Tile, max_missing_pct: float) -> dict[str, Any]:
        """The years and half-months of one station that are left out, named.

        Raises
        ------
        InputError
            When no year counts, or one of the 24 half-months in no year.
        """
        kept, used = (part[0] for part in self.used(missing[None, :], max_missing_pct))
        years = self.first_year + np.arange(self.years)
        if not kept.any():
            lacking = missing.reshape(-1, 24).sum(axis=1)
            shown = ", ".join(f"{year}: {days:g} days missing" for year, days in zip(years[:5], lacking[:5]))
            raise InputError(
                f"no calendar year of the rain record lacks at most {max_missing_pct:g} % of its days ({shown}). "
                "Give whole years, raise max_missing_pct, or, where absent days were dry, fill them with 0."
            )
        without = [h + 1 for h in range(24) if not used[h::24].any()]
        if without:
            raise InputError(
                f"half-months {without} lack more than {max_missing_pct:g} % of their days in every year of the rain record that counts. "
                "Give a longer record or raise max_missing_pct."
            )
        warn_of_short_record(int(kept.sum()))
        left_out = np.flatnonzero(~used & np.repeat(kept, 24))
        return {"left_out_years": years[~kept].tolist(), "left_out_half_months": [self.name(slot) for slot in left_out.tolist()]}


def warn_of_short_record(years: int) -> None:
    if years < _LONG_RECORD_YEARS:
        log.warning("R rests on %d years of rain; 30 are the usual wish", years)


def require_share(max_missing_pct: float) -> None:
    if not 0.0 <= max_missing_pct < 100.0:
        raise InputError(f"max_missing_pct is {max_missing_pct:g}; expected 0 or more and less than 100")


def erosivity_dataset(
    columns: xr.DataArray,
    attrs: dict[str, Any],
    *,
    extra: Sequence[tuple[str, str, str]] = (),
    days_missing: Any = np.int32,
) -> xr.Dataset:
    """R, wr(half_month), the counts and ``extra`` (name, units, long name) from the columns along ``value``, in that order.

    ``days_missing`` is the type of that count: parts of a day count where the record is finer than a day.
    """
    shares = columns.isel(value=slice(1, 25)).rename(value="half_month").assign_coords(half_month=np.arange(1, 25))
    variables = {
        "R": EROSIVITY.describe(columns.isel(value=0), **attrs),
        "wr": EROSIVITY_SHARE.describe(shares.transpose("half_month", ...), **attrs),
    }
    for i, (name, long_name) in enumerate(COUNTS.items()):
        count = columns.isel(value=25 + i).astype(days_missing if name == "days_missing" else np.int32)
        variables[name] = count.rename(name).assign_attrs(units="d" if name == "days_missing" else "1", long_name=long_name)
    for i, (name, units, long_name) in enumerate(extra):
        variables[name] = columns.isel(value=25 + len(COUNTS) + i).rename(name).assign_attrs(units=units, long_name=long_name)
    return xr.Dataset(variables, attrs=attrs)
