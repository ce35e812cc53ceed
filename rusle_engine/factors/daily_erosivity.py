"""R from daily rain: the equations of Xie et al. 2016 and of Zhang, Xie and Liu 2002, 2003."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Tile, is_lazy, over_time
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.time_folds import cut_along_time, fold_over_time
from rusle_engine.core.variables import EROSIVITY, RAINFALL
from rusle_engine.factors.half_months import COUNTS, Calendar, erosivity_dataset
from rusle_engine.factors.rain_records import Rain, daily_record
from rusle_engine.factors.validation import require_within
from rusle_kernels import erosivity

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
    "xie2016_sinusoid": MethodInfo(
        equation="R_d = 0.2686 [1 + 0.5412 cos(pi j/6 - 7 pi/6)] P^1.7265 on days with P >= 9.7 mm, j the month",
        source="Xie et al. 2016, Journal of Hydrology 535:547-558",
        inputs=("daily rain",),
        units=EROSIVITY.units,
        status="verified",
        formula_id="R-9",
        valid_for="China, daily rain; where the season matters more than the half-year",
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

_THRESHOLD_MM = {"xie2016": 9.7, "xie2016_sinusoid": 9.7, "zhang2003": 12.0}
_WARM_ALPHA, _COLD_ALPHA = 0.3937, 0.3101
_EROSIVE_RAIN = (("pd12", "mm", "mean rain of the days with 12 mm or more"), ("py12", "mm", "mean annual total of those days"))


def daily_erosivity(
    rain: Rain,
    method: str,
    *,
    threshold_mm: float | None,
    max_missing_pct: float,
    erosive_rain: tuple[float, float] | None,
    units: str | None,
) -> xr.Dataset:
    """R by a daily model: what ``r_factor`` returns. ``erosive_rain`` is P_d12 and P_y12 [mm] where they are stated.

    Raises
    ------
    InputError
        When the record is not daily rain, and at a station when too little of it remains.
    """
    daily = daily_record(rain, units)
    model = Model.of(daily, method, threshold_mm, max_missing_pct, erosive_rain)
    attrs, calendar = model.provenance(), model.calendar
    if daily.ndim == 1 and not is_lazy(daily):
        missing = model.missing(np.ascontiguousarray(daily.values, np.float64)[None, :])
        attrs |= calendar.require_enough(missing[0], max_missing_pct)
    streamed = cut_along_time(daily)
    columns = fold_over_time(DailyFold(model), daily, size=model.size) if streamed else over_time(model.columns, daily, size=model.size)
    return erosivity_dataset(columns, attrs, extra=_EROSIVE_RAIN if method == "zhang2003" else ())


def _alpha(method: str, dates: pd.DatetimeIndex) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The coefficient of each day, of the models that have one by season."""
    if method == "xie2016_sinusoid":
        return np.asarray(0.2686 * (1 + 0.5412 * np.cos(np.pi * dates.month / 6 - 7 * np.pi / 6)), np.float64)
    return np.where(dates.month.isin(range(5, 10)), _WARM_ALPHA, _COLD_ALPHA)


@dataclass(frozen=True)
class Model:
    """A daily model on a calendar: from the daily series of cells to the columns of ``erosivity_dataset``."""

    calendar: Calendar
    slot: np.ndarray[Any, np.dtype[np.int64]]
    alpha: np.ndarray[Any, np.dtype[np.float64]]
    method: str
    threshold_mm: float
    max_missing_pct: float
    given_erosive_rain: tuple[float, float] | None

    @classmethod
    def of(
        cls, daily: xr.DataArray, method: str, threshold_mm: float | None, max_missing_pct: float, erosive_rain: tuple[float, float] | None
    ) -> "Model":
        """The model on the dates of ``daily``; its usual threshold where none is stated."""
        if threshold_mm is not None and not threshold_mm >= 0:
            raise InputError(f"threshold_mm is {threshold_mm:g}; expected 0 or more, the least rain of an erosive day [mm]")
        dates = pd.DatetimeIndex(daily["time"].values)
        calendar = Calendar.of(dates)
        threshold = _THRESHOLD_MM[method] if threshold_mm is None else threshold_mm
        return cls(calendar, calendar.slot(dates), _alpha(method, dates), method, threshold, max_missing_pct, erosive_rain)

    def provenance(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "threshold_mm": self.threshold_mm,
            "max_missing_pct": self.max_missing_pct,
            **METHODS[self.method].provenance(),
        }

    @property
    def size(self) -> int:
        return 25 + len(COUNTS) + (2 if self.method == "zhang2003" else 0)

    def columns(self, rain: Tile) -> Tile:
        """R, 24 shares, the counts and, for ``zhang2003``, P_d12 and P_y12: (cells, size)."""
        require_within(rain, RAINFALL)
        missing = self.missing(rain)
        kept, used = self.calendar.used(missing, self.max_missing_pct)
        half_months, erosive_rain = np.zeros(missing.shape), self.erosive_rain(rain, kept)
        self.add_half_months(rain, self.slot, self.alpha, erosive_rain, half_months)
        annual = np.empty((len(rain), 25))
        erosivity.annual_erosivity(half_months, used, annual)
        return np.column_stack([annual, self.calendar.counts(kept, used, missing), *([] if erosive_rain is None else [erosive_rain])])

    def half_months(self, rain: Tile) -> Tile:
        """Erosivity of every half-month: (cells, slots); NaN where too many of its days are missing."""
        require_within(rain, RAINFALL)
        missing = self.missing(rain)
        kept, _ = self.calendar.used(missing, self.max_missing_pct)
        found = np.zeros(missing.shape)
        self.add_half_months(rain, self.slot, self.alpha, self.erosive_rain(rain, kept), found)
        return np.where(100 * missing <= self.max_missing_pct * self.calendar.days, found, np.nan)

    def erosive_rain(self, rain: Tile, kept: Tile) -> Tile | None:
        """P_d12 and P_y12 of the years that are ``kept``, or as stated: (cells, 2); None for models without."""
        if self.method != "zhang2003":
            return None
        found = np.empty((len(rain), 2))
        if self.given_erosive_rain is not None:
            found[:] = self.given_erosive_rain
            return found
        total, days = np.zeros(kept.shape), np.zeros(kept.shape, np.int64)
        erosivity.erosive_days_zhang2003(rain, self.slot, total, days)
        erosivity.erosive_rain_zhang2003(total, days, kept, found)
        return found

    def add_half_months(self, rain: Tile, slot: Tile, alpha: Tile, erosive_rain: Tile | None, out: Tile) -> None:
        """Add the erosivity of days to that of their half-months."""
        threshold = min(self.threshold_mm, float(np.float32(self.threshold_mm)))  # 9.7 stored as float32 is 9.69999981 and still 9.7 mm
        if erosive_rain is not None:
            erosivity.half_months_zhang2003(rain, slot, erosive_rain, threshold, out)
        else:
            erosivity.half_months_xie2016(rain, slot, alpha, threshold, out)

    def missing(self, rain: Tile) -> Tile:
        """How many days each half-month lacks: (cells, slots)."""
        days = self.calendar.days
        recorded = np.zeros((len(rain), len(days)), np.int64)
        erosivity.recorded_days(rain, self.slot, recorded)
        return days - recorded


@dataclass
class _Held:
    """What a pass over the days holds of each cell: the year at hand, and what the years before it came to."""

    recorded: Tile
    half_months: Tile
    """Days with a value, and erosivity, of the half-months of the year at hand: (cells, 24), or nothing yet: (cells, 0)."""
    erosive_total: Tile
    erosive_days: Tile
    """Rain and number of the days with 12 mm or more in the year at hand: (cells, 1), or nothing yet."""
    sums: Tile
    used: Tile
    """Erosivity of each half-month over the years that count, and in how many of them it counts: (cells, 24)."""
    counts: Tile
    """As ``COUNTS``: (cells, 4)."""
    all_erosive: Tile
    """Rain, and number, of the days with 12 mm or more, and years, over the years that count: (cells, 3)."""
    erosive_rain: Tile | None
    year: int = 0


@dataclass(frozen=True)
class DailyFold:
    """A daily model on days that come in stretches, year after year: the same bits as on the whole series."""

    model: Model

    @property
    def turns(self) -> int:
        """Two where the exponent comes from the record itself."""
        return 2 if self.model.method == "zhang2003" and self.model.given_erosive_rain is None else 1

    def start(self, cells: int) -> _Held:
        given = self.model.given_erosive_rain
        return _Held(
            recorded=np.zeros((cells, 0), np.int64),
            half_months=np.zeros((cells, 0)),
            erosive_total=np.zeros((cells, 0)),
            erosive_days=np.zeros((cells, 0), np.int64),
            sums=np.zeros((cells, 24)),
            used=np.zeros((cells, 24), np.int64),
            counts=np.zeros((cells, len(COUNTS))),
            all_erosive=np.zeros((cells, 3)),
            erosive_rain=None if given is None else np.tile(np.asarray(given, np.float64), (cells, 1)),
        )

    def take(self, state: _Held, tile: Tile, first: int, turn: int) -> None:
        if turn == 0:
            require_within(tile, RAINFALL)
        days = slice(first, first + tile.shape[1])
        slot = self.model.slot[days] - 24 * state.year
        years = int(slot[-1]) // 24 + 1
        state.recorded = _up_to(24 * years, state.recorded)
        erosivity.recorded_days(tile, slot, state.recorded)
        if turn < self.turns - 1:
            state.erosive_total, state.erosive_days = _up_to(years, state.erosive_total), _up_to(years, state.erosive_days)
            erosivity.erosive_days_zhang2003(tile, slot, state.erosive_total, state.erosive_days)
        else:
            state.half_months = _up_to(24 * years, state.half_months)
            self.model.add_half_months(tile, slot, self.model.alpha[days], state.erosive_rain, state.half_months)
        self._close(state, years - 1, turn)

    def turn_over(self, state: _Held, turn: int) -> None:
        self._close(state, self.model.calendar.years - state.year, turn)
        if turn < self.turns - 1:
            total, days, years = state.all_erosive.T
            state.erosive_rain = np.column_stack([_ratio(total, days, 0.0), _ratio(total, years, np.nan)])
            state.sums[:], state.used[:], state.counts[:], state.year = 0.0, 0, 0.0, 0

    def finish(self, state: _Held) -> Tile:
        annual = np.empty((len(state.sums), 25))
        erosivity.annual_erosivity(_ratio(state.sums, state.used, np.nan), state.used > 0, annual)
        return np.column_stack([annual, state.counts, *([] if state.erosive_rain is None else [state.erosive_rain])])

    def _close(self, state: _Held, years: int, turn: int) -> None:
        """The first ``years`` at hand are over: see which count, year after year, and keep the rest."""
        if years == 0:
            return
        begin = self.model.calendar.first_year + state.year
        calendar = Calendar(begin, begin + years - 1)
        missing = calendar.days - state.recorded[:, : 24 * years]
        kept, used = calendar.used(missing, self.model.max_missing_pct)
        state.counts += calendar.counts(kept, used, missing)
        for year in range(years):
            if turn < self.turns - 1:
                found = np.column_stack([state.erosive_total[:, year], state.erosive_days[:, year], kept[:, year]])
                state.all_erosive += np.where(kept[:, [year]], found, 0.0)
            else:
                half_months = slice(24 * year, 24 * year + 24)
                state.sums += np.where(used[:, half_months], state.half_months[:, half_months], 0.0)
                state.used += used[:, half_months]
        state.year += years
        state.recorded, state.half_months = state.recorded[:, 24 * years :], state.half_months[:, 24 * years :]
        state.erosive_total, state.erosive_days = state.erosive_total[:, years:], state.erosive_days[:, years:]


def stated_erosive_rain(pd12_mm: float | None, py12_mm: float | None) -> tuple[float, float] | None:
    """P_d12 and P_y12 as they are stated; None where they come from the record. One without the other is refused (InputError)."""
    if (pd12_mm is None) != (py12_mm is None):
        raise InputError("pd12_mm and py12_mm go together: state both, or neither to take them from the record")
    return None if pd12_mm is None or py12_mm is None else (pd12_mm, py12_mm)


def _up_to(columns: int, held: Tile) -> Tile:
    """What is held of the year at hand, and 0 for the years after it."""
    found = np.zeros((len(held), columns), held.dtype)
    found[:, : held.shape[1]] = held
    return found


def _ratio(total: Tile, number: Tile, without: float) -> Tile:
    return np.divide(total, number, out=np.full(total.shape, without), where=number > 0)
