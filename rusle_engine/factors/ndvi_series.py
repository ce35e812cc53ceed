"""A year of NDVI as 24 half-months: values that flags reject left out, gaps closed in time, composites shared out by days."""

import logging
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.signal import savgol_filter

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import same_grid
from rusle_engine.core.layers import over_layers
from rusle_engine.core.lift import Tile
from rusle_engine.core.variables import NDVI, QUALITY, Units, units_of
from rusle_engine.factors.half_months import Calendar
from rusle_engine.factors.validation import require_within
from rusle_kernels import cover_series

log = logging.getLogger("rusle_engine")

_NO_FLAGS = np.zeros((0, 0), np.uint8)
_SLACK_DAYS = 16
"""A year may begin before the first date, and end after the last composite, by this much."""
_EVEN_STEPS = 1.5
"""A Savitzky-Golay filter takes its dates for evenly spaced; a step this many times the usual one is too uneven."""


def half_month_ndvi(
    ndvi: xr.DataArray,
    *,
    quality: xr.DataArray | None = None,
    good_quality: Sequence[int] = (0, 1),
    composite_days: int = 16,
    max_gap_days: float | None = None,
    smoothing_window: int | None = None,
    smoothing_order: int = 2,
    units: Units = None,
) -> xr.DataArray:
    r"""NDVI of the 24 half-months of each year, from NDVI of many dates.

    .. math:: NDVI_i = \frac{1}{n_i} \sum_{d \in i} \frac{1}{k_d} \sum_{t \ni d} NDVI_t

    over the :math:`n_i` days of half-month i and the :math:`k_d` composites that hold a day. Before that, dates without a good value get
    one on the straight line in time between the good dates around them, and the first and the last good value are held towards the ends of
    the series; after that, when asked for, the dates are smoothed by a Savitzky-Golay filter (Savitzky & Golay 1964). Days in no composite
    lie on the straight line between the composites around them.

    Parameters
    ----------
    ndvi
        NDVI [1] as (time, y, x), -1 to 1, NaN where there is none. ``time`` is the first day of each composite, or the day of each image.
    quality
        Flags of the same dates and cells, such as the pixel reliability of MOD13 (-1 fill, 0 good, 1 marginal, 2 snow or ice, 3 cloud).
    good_quality
        The flags whose NDVI counts; all others are gaps.
    composite_days
        Days that each date stands for, itself the first; 1 for single images.
    max_gap_days
        The longest gap that is closed [d], from good date to good date; a longer one leaves its half-months without a value. None: any.
    smoothing_window
        Dates under the Savitzky-Golay filter, an odd number; None: no smoothing.
    smoothing_order
        Degree of its polynomial.
    units
        Unit of ``ndvi`` when it declares none.

    Returns
    -------
    DataArray (half_month, y, x)
        In the dtype of ``ndvi``, -1 to 1, with the coordinates ``half_month`` (1 to 24) and ``year``; 24 layers for every calendar year that
        the series covers, give or take 16 days at its ends. NaN where no date has a good value. Lazy when ``ndvi`` is, by tiles in
        space: memory for a tile is that of its dates and half-months.

    Raises
    ------
    InputError
        When the series covers no calendar year, holds a date twice, does not fit ``quality``, or an option is out of its range.
    """
    series = _in_order(NDVI.require(ndvi, units_of(units, "ndvi")), "ndvi")
    dates = pd.DatetimeIndex(series["time"].values)
    _require_options(dates, composite_days, max_gap_days, smoothing_window, smoothing_order)
    years = covered_years(dates, composite_days)
    weights = half_month_weights(dates, composite_days, years)
    if smoothing_window is not None:
        weights = weights @ savgol_filter(np.eye(len(dates)), smoothing_window, smoothing_order, axis=0, mode="interp")
    middles = (dates - dates[0]).days.to_numpy(np.float64) + (composite_days - 1) / 2
    longest = np.inf if max_gap_days is None else float(max_gap_days)

    def on_tile(values: Tile, *rest: Tile) -> None:
        *flags, out = rest
        require_within(values, NDVI)
        good = _good(flags[0], good_quality) if flags else _NO_FLAGS
        cover_series.half_months(values, good, middles.astype(values.dtype), weights, longest, out)

    arrays = [series] if quality is None else _with_flags(series, quality)
    result = over_layers(on_tile, *arrays, layers=("half_month", len(weights)), dtype=series.dtype)
    coordinates = {"half_month": np.tile(np.arange(1, 25), len(years)), "year": ("half_month", np.repeat(years, 24))}
    smoothing = "none" if smoothing_window is None else f"Savitzky-Golay, window {smoothing_window}, order {smoothing_order}"
    return NDVI.describe(
        result.assign_coords(coordinates),
        dates=len(dates),
        composite_days=composite_days,
        gaps="closed by straight lines in time" + ("" if max_gap_days is None else f" over at most {max_gap_days:g} days"),
        good_quality="all" if quality is None else list(good_quality),
        smoothing=smoothing,
    )


def good_share(ndvi: xr.DataArray, *, quality: xr.DataArray | None = None, good_quality: Sequence[int] = (0, 1)) -> xr.DataArray:
    """Share of the dates with a good value in each cell, 0 to 1: where it is small, ``half_month_ndvi`` rests on few dates.

    Parameters
    ----------
    ndvi
        NDVI [1] as (time, y, x).
    quality
        Flags of the same dates and cells.
    good_quality
        The flags whose NDVI counts.

    Returns
    -------
    DataArray (y, x)
        float64, lazy when ``ndvi`` is.
    """
    series = _in_order(NDVI.require(ndvi), "ndvi")

    def on_tile(values: Tile, *rest: Tile) -> None:
        *flags, out = rest
        cover_series.count_good(values, _good(flags[0], good_quality) if flags else _NO_FLAGS, out)
        out /= len(values)

    arrays = [series] if quality is None else _with_flags(series, quality)
    share = over_layers(on_tile, *arrays).rename("good_share")
    return share.assign_attrs(units="1", long_name="share of the dates with a good value")


def covered_years(dates: pd.DatetimeIndex, composite_days: int) -> list[int]:
    """The calendar years that the dates cover, give or take 16 days at the ends of the series.

    Raises
    ------
    InputError
        When there is none.
    """
    slack, length = pd.Timedelta(days=_SLACK_DAYS), pd.Timedelta(days=composite_days)
    first, last = dates[0] - slack, dates[-1] + length + slack
    begins = {year: pd.Timestamp(year, 1, 1) for year in range(dates[0].year - 1, dates[-1].year + 3)}
    years = [
        year
        for year in list(begins)[:-1]
        if first <= begins[year] and begins[year + 1] <= last and ((dates >= begins[year]) & (dates < begins[year + 1])).any()
    ]
    if not years:
        raise InputError(
            f"NDVI from {dates[0].date()} to {dates[-1].date()} ({len(dates)} dates of {composite_days} days) covers no calendar year. "
            "Give the dates of a whole year, or state the days that each date stands for (composite_days)."
        )
    if len(years) < dates[-1].year - dates[0].year + 1:
        log.info("NDVI covers the whole of %s; other years are left out", ", ".join(map(str, years)))
    return years


def half_month_weights(dates: pd.DatetimeIndex, composite_days: int, years: Sequence[int]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """What each date counts in each half-month of the years, (24 · years, dates); every row adds up to 1."""
    starts = (dates - pd.Timestamp(0)).days.to_numpy(np.int64)
    middles = starts + (composite_days - 1) / 2
    rows = []
    for year in years:
        edges = (Calendar(year, year).edges - pd.Timestamp(0)).days.to_numpy(np.int64)
        for begin, end in pairwise(edges):
            by_day = [_weights_of_day(day, starts, middles, composite_days) for day in range(begin, end)]
            rows.append(np.sum(by_day, axis=0) / (end - begin))
    return np.array(rows)


def _weights_of_day(day: int, starts: Tile, middles: Tile, composite_days: int) -> Tile:
    holding = (starts <= day) & (day < starts + composite_days)
    if holding.any():
        return holding / holding.sum()
    weights = np.zeros(len(starts))
    after = int(np.searchsorted(middles, day))
    if after in (0, len(starts)):
        weights[min(after, len(starts) - 1)] = 1.0
    else:
        share = (day - middles[after - 1]) / (middles[after] - middles[after - 1])
        weights[after - 1], weights[after] = 1 - share, share
    return weights


def _in_order(series: xr.DataArray, name: str) -> xr.DataArray:
    if "time" not in series.dims or not np.issubdtype(series["time"].dtype, np.datetime64):
        raise InputError(f"{name} has the dimensions {series.dims}; expected (time, y, x) with dates along time")
    days = pd.DatetimeIndex(series["time"].values).normalize()
    if days.has_duplicates:
        raise InputError(f"{name} holds the day {days[days.duplicated()][0].date()} twice; keep one, or give each satellite's series by itself")
    ordered = series.assign_coords(time=days)
    return (ordered if days.is_monotonic_increasing else ordered.sortby("time")).transpose("time", ...)


def _with_flags(series: xr.DataArray, quality: xr.DataArray) -> list[xr.DataArray]:
    flags = _in_order(QUALITY.require(quality), "quality")
    if not np.array_equal(flags["time"].values, series["time"].values):
        raise InputError(f"quality has {flags.sizes['time']} dates and ndvi {series.sizes['time']}, or other ones; give the flags of the same dates")
    return list(same_grid({"ndvi": series, "quality": flags}))


def _good(flags: Tile, good_quality: Sequence[int]) -> Tile:
    """1 where a flag is one of those that count, else 0."""
    if flags.dtype.kind == "f":
        wanted = np.array(good_quality, flags.dtype)
    else:
        flags = flags.view(np.uint8) if flags.dtype.kind == "b" else flags
        held = np.iinfo(flags.dtype)
        wanted = np.array([flag for flag in good_quality if held.min <= flag <= held.max], flags.dtype)
    good = np.empty(flags.shape, np.uint8)
    cover_series.mark_good(flags, wanted, good)
    return good


def _require_options(dates: pd.DatetimeIndex, composite_days: int, max_gap_days: float | None, window: int | None, order: int) -> None:
    if composite_days < 1:
        raise InputError(f"composite_days is {composite_days}; expected 1 (single images) or more")
    if max_gap_days is not None and max_gap_days <= 0:
        raise InputError(f"max_gap_days is {max_gap_days:g}; expected a number of days above 0")
    if window is None:
        return
    if window % 2 == 0 or not 0 <= order < window <= len(dates):
        raise InputError(
            f"smoothing_window is {window} and smoothing_order {order} for {len(dates)} dates; expected an odd window, no longer than the series "
            "and greater than the order"
        )
    steps = np.diff(dates.to_numpy()).astype("timedelta64[D]").astype(np.int64)
    if len(steps) and steps.max() > _EVEN_STEPS * np.median(steps):
        raise InputError(
            f"dates are {steps.min()} to {steps.max()} days apart, and a Savitzky-Golay filter takes them for evenly spaced. Smooth before, or leave "
            "smoothing_window out."
        )
