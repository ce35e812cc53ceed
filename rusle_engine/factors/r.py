"""Rainfall erosivity R from daily rain, of one station or of a grid, and its share in each half-month."""

import logging
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Tile, is_lazy, over_time
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.variables import EROSIVITY, EROSIVITY_SHARE, RAINFALL, Units, units_of
from rusle_engine.factors.validation import refuse_unused, require_within
from rusle_kernels import erosivity

log = logging.getLogger("rusle_engine")

Rain = pd.Series | xr.DataArray
"""Daily rain: a Series indexed by date, or a DataArray with a dimension ``time``."""
ErosivityMethod = Literal["xie2016", "zhang2003"]

METHODS = {
    "xie2016": MethodInfo(
        equation="R_d = alpha P^1.7265 on days with P >= 9.7 mm; alpha = 0.3937 in May to September, 0.3101 in October to April",
        source="Xie et al. 2016, Journal of Hydrology 535:547-558",
        inputs=("daily rain",),
        units=EROSIVITY.units,
        status="verified",
        formula_id="R-8",
        valid_for="China, daily rain; R of 782 to 8259 at the stations it was fitted to",
    ),
    "zhang2003": MethodInfo(
        equation=(
            "R_h = alpha sum P^beta over the days of a half-month with P >= 12 mm; "
            "beta = 0.8363 + 18.144/P_d12 + 24.455/P_y12; alpha = 21.586 beta^-7.1891"
        ),
        source="Zhang Wenbo, Xie Yun and Liu Baoyuan 2002, 2003",
        inputs=("daily rain",),
        units=EROSIVITY.units,
        status="verified",
        formula_id="R-7",
        valid_for="China, daily rain; mean relative error 17 % with alpha and beta estimated so",
    ),
}

_THRESHOLD_MM = {"xie2016": 9.7, "zhang2003": 12.0}
_WARM_ALPHA, _COLD_ALPHA = 0.3937, 0.3101
_LONG_RECORD_YEARS = 20
_COUNTS = {
    "years_used": "years that count",
    "years_left_out": "years of the record left out for their missing days",
    "half_months_left_out": "half-months left out for their missing days, in the years that count",
    "days_missing": "days without a value in the calendar years of the record",
}


@dataclass(frozen=True)
class _Calendar:
    """The days of a record sorted into half-months: ``slot`` is 24 · year + half-month, both from zero, for each day of the record."""

    first_year: int
    slot: np.ndarray[Any, np.dtype[np.int64]]
    alpha_xie2016: np.ndarray[Any, np.dtype[np.float64]]
    days: np.ndarray[Any, np.dtype[np.int64]]
    """Length of every half-month of the calendar years of the record [d]."""

    @classmethod
    def of(cls, dates: pd.DatetimeIndex) -> "_Calendar":
        first, last = dates[0].year, dates[-1].year
        every_day = pd.date_range(f"{first}-01-01", f"{last}-12-31", freq="D")
        return cls(
            first_year=first,
            slot=_slot(dates, first),
            alpha_xie2016=np.where(dates.month.isin(range(5, 10)), _WARM_ALPHA, _COLD_ALPHA),
            days=np.bincount(_slot(every_day, first)),
        )

    @property
    def years(self) -> int:
        return len(self.days) // 24


def _slot(dates: pd.DatetimeIndex, first_year: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return (24 * (dates.year.to_numpy(np.int64) - first_year) + half_month(dates) - 1).astype(np.int64)


def half_month(dates: pd.DatetimeIndex) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Number of the half-month, 1 to 24, of each date: days 1 to 15 are the first half of a month, all later days the second."""
    return np.asarray(2 * (dates.month - 1) + np.where(dates.day <= 15, 1, 2), np.int64)


def r_factor(
    rain: Rain,
    method: ErosivityMethod = "xie2016",
    *,
    threshold_mm: float | None = None,
    max_missing_pct: float = 5.0,
    pd12_mm: float | None = None,
    py12_mm: float | None = None,
    units: Units = None,
) -> xr.Dataset:
    r"""Rainfall erosivity factor R and the share of every half-month in it, from a daily record of many years.

    .. math:: R_d = \alpha P^{1.7265} \;(P \ge 9.7), \qquad \alpha = 0.3937 \text{ (May–September)}, \; 0.3101 \text{ (October–April)}

    for ``xie2016`` (Xie et al. 2016, J. Hydrology 535:547), and for ``zhang2003`` (Zhang, Xie & Liu 2002, 2003)

    .. math:: R_h = \alpha \sum P^\beta \;(P \ge 12), \qquad \beta = 0.8363 + \frac{18.144}{P_{d12}} + \frac{24.455}{P_{y12}},
        \qquad \alpha = 21.586\,\beta^{-7.1891}

    Daily values are summed over each half-month; each of the 24 half-months is averaged over the years in which it counts; R is the sum of
    these 24 means, and wr what each of them is of it.

    Parameters
    ----------
    rain
        Daily rain [mm], a Series indexed by date or a DataArray with a dimension ``time``; NaN or an absent date is a missing day.
    method
        Whose daily model.
    threshold_mm
        Rain of the least day that erodes [mm], itself included; 9.7 for ``xie2016`` and 12 for ``zhang2003`` when not stated.
    max_missing_pct
        Share of missing days above which a half-month, or a whole calendar year, is left out [%]; at 5 no half-month lacks a day.
    pd12_mm
        Mean rain of the days with 12 mm or more [mm] (``zhang2003``), with ``py12_mm``; from the record itself when not stated.
    py12_mm
        Mean annual total of those days [mm] (``zhang2003``).
    units
        Unit of ``rain`` when it does not declare one: mm (the default), mm d-1 or 0.1 mm.

    Returns
    -------
    Dataset
        R [MJ mm ha-1 h-1 yr-1] and wr(half_month) [1], NaN where R is 0; what counted and what was left out as ``years_used``,
        ``years_left_out``, ``half_months_left_out`` and ``days_missing``; with ``zhang2003`` also ``pd12`` and ``py12`` [mm]. Numbers for
        a station, (y, x) for a grid. Lazy when ``rain`` is. A station's years and half-months left out are named in the attributes.

    Raises
    ------
    InputError
        When the record is not daily, holds a day twice, a negative or an impossible depth, and when no year or, for one of the 24
        half-months, no year remains (on a grid such a cell is NaN).

    Notes
    -----
    The power comes before every mean. Why years are left out whole: many stations fail to report dry days, and a year full of gaps is
    complete only in its wet half-months. Missing days of a half-month that counts, possible only when ``max_missing_pct`` is raised, add
    nothing.

    Examples
    --------
    >>> days = pd.date_range("2021-01-01", "2022-12-31")
    >>> storms = pd.Series(0.0, index=days)
    >>> storms["2021-07-20"] = storms["2022-07-10"] = 50.0
    >>> r_factor(storms)["R"].round(4).item()
    337.627
    """
    daily = _daily(rain, units_of(units, "rain"))
    if (pd12_mm is None) != (py12_mm is None):
        raise InputError("pd12_mm and py12_mm go together: state both, or neither to take them from the record")
    if not 0.0 <= max_missing_pct < 100.0:
        raise InputError(f"max_missing_pct is {max_missing_pct:g}; expected 0 or more and less than 100")
    if method == "xie2016":
        refuse_unused("r_factor", method, pd12_mm=pd12_mm, py12_mm=py12_mm)
    threshold = _THRESHOLD_MM[method] if threshold_mm is None else threshold_mm
    given = None if pd12_mm is None or py12_mm is None else (pd12_mm, py12_mm)
    model = _Model(_Calendar.of(pd.DatetimeIndex(daily["time"].values)), method, threshold, max_missing_pct, given)
    attrs = {"method": method, "threshold_mm": threshold, "max_missing_pct": max_missing_pct, **METHODS[method].provenance()}
    if daily.ndim == 1 and not is_lazy(daily):
        attrs |= model.require_enough(daily.values)
    return _described(over_time(model.columns, daily, size=model.size), model, attrs)


def _daily(rain: Rain, units: str | None) -> xr.DataArray:
    """The record as an array along ``time`` in date order, in mm, one value a day."""
    if isinstance(rain, pd.Series):
        rain = _array_of(rain)
    if not isinstance(rain, xr.DataArray):
        raise InputError(f"rain is a {type(rain).__name__}; expected a Series indexed by date or a DataArray with a dimension 'time'")
    if "time" not in rain.dims or not np.issubdtype(rain["time"].dtype, np.datetime64):
        raise InputError(f"rain has dimensions {rain.dims}; expected one named 'time' with dates (datetime64, the usual calendar)")
    dates = pd.DatetimeIndex(rain["time"].values)
    _require_daily(dates)
    daily = RAINFALL.require(rain, units).assign_coords(time=dates.normalize())
    return daily if dates.is_monotonic_increasing else daily.isel(time=np.argsort(dates))


def _array_of(series: pd.Series) -> xr.DataArray:
    if not isinstance(series.index, pd.DatetimeIndex):
        raise InputError(f"rain is indexed by {series.index.dtype}; expected dates: series.index = pd.to_datetime(series.index)")
    try:
        values = series.to_numpy(np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise InputError(f"rain holds values that are not numbers ({error}); make codes and blanks NaN first") from error
    units = {"units": series.attrs["units"]} if "units" in series.attrs else {}
    return xr.DataArray(values, dims=("time",), coords={"time": series.index.tz_localize(None).to_numpy()}, attrs=units)


def _require_daily(dates: pd.DatetimeIndex) -> None:
    if len(dates) == 0:
        raise InputError("the rain record is empty")
    if dates.hasnans:
        raise InputError("the rain record has rows without a date")
    days = dates.normalize()
    repeated = days[days.duplicated()]
    if dates.has_duplicates:
        raise InputError(f"the rain record holds {dates[dates.duplicated()][0]:%Y-%m-%d} more than once; keep one value a day")
    if len(repeated):
        raise InputError(
            f"the rain record holds several values on {repeated[0]:%Y-%m-%d}; sum them to days first: rain.resample('D').sum(min_count=1)"
        )
    apart = np.median(np.diff(np.sort(days.values)) / np.timedelta64(1, "D")) if len(days) > 1 else 1.0
    if apart >= 5:
        raise InputError(
            f"the rain record has a value every {apart:g} days; expected daily rain (if only wet days are listed, fill the dry ones with 0)"
        )


@dataclass(frozen=True)
class _Model:
    """A daily model on a calendar: from the daily series of cells to the columns that ``_described`` names."""

    calendar: _Calendar
    method: ErosivityMethod
    threshold_mm: float
    max_missing_pct: float
    given_erosive_rain: tuple[float, float] | None

    @property
    def size(self) -> int:
        return 25 + len(_COUNTS) + (2 if self.method == "zhang2003" else 0)

    def columns(self, rain: Tile) -> Tile:
        """R, 24 shares, the counts and, for ``zhang2003``, P_d12 and P_y12: (cells, size)."""
        require_within(rain, RAINFALL)
        kept, used, missing = self.coverage(rain)
        half_months = np.empty(missing.shape)
        threshold = min(self.threshold_mm, float(np.float32(self.threshold_mm)))  # 9.7 stored as float32 is 9.69999981 and still 9.7 mm
        slot = self.calendar.slot
        extra = []
        if self.method == "xie2016":
            erosivity.half_months_xie2016(rain, slot, self.calendar.alpha_xie2016, threshold, half_months)
        else:
            erosive_rain = np.empty((len(rain), 2))
            if self.given_erosive_rain is None:
                erosivity.erosive_rain_zhang2003(rain, slot, kept, erosive_rain)
            else:
                erosive_rain[:] = self.given_erosive_rain
            erosivity.half_months_zhang2003(rain, slot, erosive_rain, threshold, half_months)
            extra = [erosive_rain]
        annual = np.empty((len(rain), 25))
        erosivity.annual_erosivity(half_months, used, annual)
        years_used = kept.sum(axis=1)
        left_out = 24 * years_used - used.sum(axis=1)
        return np.column_stack([annual, years_used, kept.shape[1] - years_used, left_out, missing.sum(axis=1), *extra])

    def coverage(self, rain: Tile) -> tuple[Tile, Tile, Tile]:
        """Which years are kept (cells, years), which half-months are used and how many days each lacks (cells, slots)."""
        days, years = self.calendar.days, self.calendar.years
        recorded = np.empty((len(rain), len(days)), np.int64)
        erosivity.recorded_days(rain, self.calendar.slot, recorded)
        missing = days - recorded
        in_year = missing.reshape(len(rain), years, 24).sum(axis=2)
        kept = 100 * in_year <= self.max_missing_pct * days.reshape(years, 24).sum(axis=1)
        used = (100 * missing <= self.max_missing_pct * days) & np.repeat(kept, 24, axis=1)
        return kept, used, missing

    def require_enough(self, series: Tile) -> dict[str, Any]:
        """The years and half-months of one station that are left out, named; refused when too little remains."""
        kept, used, missing = (part[0] for part in self.coverage(np.ascontiguousarray(series, np.float64)[None, :]))
        years = self.calendar.first_year + np.arange(self.calendar.years)
        if not kept.any():
            lacking = missing.reshape(-1, 24).sum(axis=1)
            shown = ", ".join(f"{year}: {days} days missing" for year, days in zip(years[:5], lacking[:5]))
            raise InputError(
                f"no calendar year of the rain record lacks at most {self.max_missing_pct:g} % of its days ({shown}). "
                "Give whole years, raise max_missing_pct, or, where absent days were dry, fill them with 0."
            )
        without = [h + 1 for h in range(24) if not used[h::24].any()]
        if without:
            raise InputError(
                f"half-months {without} lack more than {self.max_missing_pct:g} % of their days in every year of the rain record that counts. "
                "Give a longer record or raise max_missing_pct."
            )
        if kept.sum() < _LONG_RECORD_YEARS:
            log.warning("R rests on %d years of rain; 30 are the usual wish", kept.sum())
        left_out = np.flatnonzero(~used & np.repeat(kept, 24))
        return {
            "left_out_years": years[~kept].tolist(),
            "left_out_half_months": [f"{years[s // 24]}-{s % 24 // 2 + 1:02d}-{1 if s % 2 == 0 else 16:02d}" for s in left_out.tolist()],
        }


def _described(columns: xr.DataArray, model: _Model, attrs: dict[str, Any]) -> xr.Dataset:
    shares = columns.isel(value=slice(1, 25)).rename(value="half_month").assign_coords(half_month=np.arange(1, 25))
    variables = {
        "R": EROSIVITY.describe(columns.isel(value=0), **attrs),
        "wr": EROSIVITY_SHARE.describe(shares.transpose("half_month", ...), **attrs),
    }
    for i, (name, long_name) in enumerate(_COUNTS.items()):
        count = columns.isel(value=25 + i).astype(np.int32)
        variables[name] = count.rename(name).assign_attrs(units="1", long_name=long_name)
    if model.method == "zhang2003":
        for i, name in enumerate(("pd12", "py12")):
            depth = columns.isel(value=25 + len(_COUNTS) + i)
            long_name = ("mean rain of the days with 12 mm or more", "mean annual total of those days")[i]
            variables[name] = depth.rename(name).assign_attrs(units="mm", long_name=long_name)
    return xr.Dataset(variables, attrs=attrs)
