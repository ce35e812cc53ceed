"""R from daily rain: the equations of Xie et al. 2016 and of Zhang, Xie and Liu 2002, 2003."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.lift import Tile, is_lazy, over_time
from rusle_engine.core.methods import MethodInfo
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
    threshold = _THRESHOLD_MM[method] if threshold_mm is None else threshold_mm
    dates = pd.DatetimeIndex(daily["time"].values)
    calendar = Calendar.of(dates)
    model = _Model(calendar, calendar.slot(dates), _alpha(method, dates), method, threshold, max_missing_pct, erosive_rain)
    attrs = {"method": method, "threshold_mm": threshold, "max_missing_pct": max_missing_pct, **METHODS[method].provenance()}
    if daily.ndim == 1 and not is_lazy(daily):
        missing = model.missing(np.ascontiguousarray(daily.values, np.float64)[None, :])
        attrs |= calendar.require_enough(missing[0], max_missing_pct)
    return erosivity_dataset(over_time(model.columns, daily, size=model.size), attrs, extra=_EROSIVE_RAIN if method == "zhang2003" else ())


def _alpha(method: str, dates: pd.DatetimeIndex) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The coefficient of each day, of the models that have one by season."""
    if method == "xie2016_sinusoid":
        return np.asarray(0.2686 * (1 + 0.5412 * np.cos(np.pi * dates.month / 6 - 7 * np.pi / 6)), np.float64)
    return np.where(dates.month.isin(range(5, 10)), _WARM_ALPHA, _COLD_ALPHA)


@dataclass(frozen=True)
class _Model:
    """A daily model on a calendar: from the daily series of cells to the columns of ``erosivity_dataset``."""

    calendar: Calendar
    slot: np.ndarray[Any, np.dtype[np.int64]]
    alpha: np.ndarray[Any, np.dtype[np.float64]]
    method: str
    threshold_mm: float
    max_missing_pct: float
    given_erosive_rain: tuple[float, float] | None

    @property
    def size(self) -> int:
        return 25 + len(COUNTS) + (2 if self.method == "zhang2003" else 0)

    def columns(self, rain: Tile) -> Tile:
        """R, 24 shares, the counts and, for ``zhang2003``, P_d12 and P_y12: (cells, size)."""
        require_within(rain, RAINFALL)
        missing = self.missing(rain)
        kept, used = self.calendar.used(missing, self.max_missing_pct)
        half_months = np.empty(missing.shape)
        threshold = min(self.threshold_mm, float(np.float32(self.threshold_mm)))  # 9.7 stored as float32 is 9.69999981 and still 9.7 mm
        extra = []
        if self.method == "zhang2003":
            erosive_rain = np.empty((len(rain), 2))
            if self.given_erosive_rain is None:
                erosivity.erosive_rain_zhang2003(rain, self.slot, kept, erosive_rain)
            else:
                erosive_rain[:] = self.given_erosive_rain
            erosivity.half_months_zhang2003(rain, self.slot, erosive_rain, threshold, half_months)
            extra = [erosive_rain]
        else:
            erosivity.half_months_xie2016(rain, self.slot, self.alpha, threshold, half_months)
        annual = np.empty((len(rain), 25))
        erosivity.annual_erosivity(half_months, used, annual)
        return np.column_stack([annual, self.calendar.counts(kept, used, missing), *extra])

    def missing(self, rain: Tile) -> Tile:
        """How many days each half-month lacks: (cells, slots)."""
        days = self.calendar.days
        recorded = np.empty((len(rain), len(days)), np.int64)
        erosivity.recorded_days(rain, self.slot, recorded)
        return days - recorded
