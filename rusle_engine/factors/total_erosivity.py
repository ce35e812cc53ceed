"""R from totals of rain by month or by year: regressions for where nothing finer was recorded. They differ by factors of 2 to 50."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Tile, is_lazy, over_time
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.time_folds import cut_along_time, fold_over_time
from rusle_engine.core.variables import EROSIVITY, EROSIVITY_SHARE, Units, conversion_factor, units_of
from rusle_engine.factors.half_months import require_share, warn_of_short_record
from rusle_engine.factors.rain_records import Rain
from rusle_engine.factors.rain_totals import Totals, rain_totals
from rusle_kernels import rain_totals as kernels

_MONTHS, _YEARS = ("rain by month, or by day",), ("rain by year, by month, or by day",)


def _regression(equation: str, source: str, inputs: tuple[str, ...], formula_id: str, status: Any = "verified", valid_for: str = "") -> MethodInfo:
    return MethodInfo(equation, source, inputs, EROSIVITY.units, status, formula_id, valid_for)


METHODS = {
    "zhang_fu2003": _regression(
        "R = 0.1833 F^1.9957, F the mean of the yearly indices sum p_i^2/P", "Zhang and Fu 2003", _MONTHS, "R-13a", valid_for="China"
    ),
    "zhang_fu2003_monthly": _regression(
        "R = 0.3589 F^1.9462, F of the mean months", "Zhang and Fu 2003, from memory", _MONTHS, "R-13b", "unchecked", "China"
    ),
    "zhang_fu2003_annual": _regression(
        "R = 0.0668 P^1.6266, P the mean annual rain", "Zhang and Fu 2003, from memory", _YEARS, "R-13c", "unchecked", "China"
    ),
    "zhang_fu2003_yearly": _regression(
        "R = mean of 0.0534 P^1.6548, P the rain of each year", "Zhang and Fu 2003, from memory", _YEARS, "R-13d", "unchecked", "China"
    ),
    "renard_freimund1994": _regression(
        "R = 0.0483 P^1.610 where the mean annual rain P < 850 mm, else 587.8 - 1.219 P + 0.004105 P^2", "Renard and Freimund 1994", _YEARS, "R-14a"
    ),
    "renard_freimund1994_fournier": _regression(
        "R = 0.7397 F^1.847 where F < 55 mm, else 95.77 - 6.081 F + 0.4770 F^2; F of the mean months", "Renard and Freimund 1994", _MONTHS, "R-14b"
    ),
    "wischmeier_monthly": _regression(
        "R = mean of sum 1.735 10^(1.5 log10(p_i^2/P) - 0.8188) over the years, in the unit that coefficient_units states",
        "ascribed to Wischmeier; coefficients as Chinese papers print them, the unit from memory",
        _MONTHS,
        "R-15",
        "unchecked",
    ),
}
PARTS = {
    "arnoldus1980": MethodInfo(
        "F = sum p_i^2 / P, the modified Fournier index; an index, not R: coefficients that turn it into R differ between citations",
        "Arnoldus 1980",
        _MONTHS,
        "mm",
        "verified",
        "R-12",
    )
}

_Predictor = Literal["fournier_index", "annual_rain"]
_INDEX: _Predictor = "fournier_index"
_RAIN: _Predictor = "annual_rain"


@dataclass(frozen=True)
class _Model:
    """A regression: on what of which years, or on what of the mean year."""

    predictor: _Predictor
    every_year: bool
    """Whether years come first and their mean after; of an index, R is then taken of the mean index (``zhang_fu2003``)."""
    equation: Callable[[Tile, Tile], None]
    of_months: bool = False
    """The equation takes the twelve months, not the predictor."""


_MODELS = {
    "zhang_fu2003": _Model(_INDEX, True, lambda x, out: kernels.power(x, 0.1833, 1.9957, out)),
    "zhang_fu2003_monthly": _Model(_INDEX, False, lambda x, out: kernels.power(x, 0.3589, 1.9462, out)),
    "zhang_fu2003_annual": _Model(_RAIN, False, lambda x, out: kernels.power(x, 0.0668, 1.6266, out)),
    "zhang_fu2003_yearly": _Model(_RAIN, True, lambda x, out: kernels.power(x, 0.0534, 1.6548, out)),
    "renard_freimund1994": _Model(_RAIN, False, kernels.annual_rain_renard_freimund1994),
    "renard_freimund1994_fournier": _Model(_INDEX, False, kernels.fournier_renard_freimund1994),
    "wischmeier_monthly": _Model(_RAIN, True, kernels.monthly_wischmeier, of_months=True),
}


def total_erosivity(rain: Rain, method: str, *, coefficient_units: str | None, max_missing_pct: float, units: str | None) -> xr.Dataset:
    """R by a regression on totals: what ``r_factor`` returns, with wr NaN (totals do not tell it) and the predictor beside R.

    Raises
    ------
    InputError
        When the record has no months where they are needed, no complete year, or when the unit of ``wischmeier_monthly`` is not stated.
    """
    model = _MODELS[method]
    totals = rain_totals(rain, units, by_month=model.predictor == _INDEX or model.of_months, years_needed=model.every_year, who=method)
    factor = _unit_factor(method, coefficient_units)
    attrs: dict[str, Any] = {"method": method, "rain_by": totals.step, "max_missing_pct": max_missing_pct, **METHODS[method].provenance()}
    if coefficient_units is not None:
        attrs["coefficient_units"] = coefficient_units
    if totals.array.ndim == 1 and not is_lazy(totals.array):
        attrs |= _require_years(totals, max_missing_pct)
    columns = _over_time(totals, model, factor, max_missing_pct)
    r = columns.isel(value=0)
    shares = (r * np.nan).expand_dims(half_month=np.arange(1, 25))
    variables = {
        "R": EROSIVITY.describe(r, **attrs),
        "wr": EROSIVITY_SHARE.describe(shares, **attrs),
        "years_used": columns.isel(value=2).astype(np.int32).rename("years_used").assign_attrs(units="1", long_name="years that count"),
        "years_left_out": (
            columns.isel(value=3).astype(np.int32).rename("years_left_out").assign_attrs(units="1", long_name="years left out for missing rain")
        ),
        model.predictor: _predictor(columns.isel(value=1), model.predictor),
    }
    return xr.Dataset(variables, attrs=attrs)


def _predictor(array: xr.DataArray, name: str) -> xr.DataArray:
    index = name == _INDEX
    return array.rename(name).assign_attrs(units="mm" if index else "mm yr-1", long_name="modified Fournier index" if index else "mean annual rain")


def _unit_factor(method: str, coefficient_units: str | None) -> float:
    if method != "wischmeier_monthly":
        return 1.0
    factor = None if coefficient_units is None else conversion_factor(coefficient_units, EROSIVITY.units)
    if factor is None:
        raise InputError(
            f"coefficient_units is {coefficient_units!r}; state in which unit wischmeier_monthly gives R, for papers differ: "
            f"'100 ft tonf in acre-1 h-1 yr-1' ('US R', converted by 17.0195) or {EROSIVITY.units!r}"
        )
    return factor


def _require_years(totals: Totals, max_missing_pct: float) -> dict[str, Any]:
    _, kept = totals.by_year(np.ascontiguousarray(totals.array.values, np.float64)[None, :], max_missing_pct)
    if not kept.any():
        raise InputError("no year of the rain record is complete: each needs all its months (days up to max_missing_pct). Give whole years.")
    if totals.first_year is None:
        return {}
    warn_of_short_record(int(kept.sum()))
    return {"left_out_years": (totals.first_year + np.flatnonzero(~kept[0])).tolist()}


def _over_time(totals: Totals, model: _Model, factor: float, max_missing_pct: float) -> xr.DataArray:
    fold = _TotalsFold(totals, model, factor, max_missing_pct)
    return fold_over_time(fold, totals.array, size=4) if cut_along_time(totals.array) else over_time(fold.columns, totals.array, size=4)


@dataclass(frozen=True)
class _TotalsFold:
    """A regression on totals of values that come at once, or in stretches."""

    totals: Totals
    model: _Model
    factor: float
    max_missing_pct: float

    @property
    def turns(self) -> int:
        return 1

    def columns(self, rain: Tile) -> Tile:
        return _columns(*self.totals.by_year(rain, self.max_missing_pct), self.model, self.factor)

    def start(self, cells: int) -> tuple[Tile, Tile]:
        return self.totals.start(cells)

    def take(self, state: tuple[Tile, Tile], tile: Tile, first: int, turn: int) -> None:
        self.totals.take(state, tile, first, turn)

    def turn_over(self, state: tuple[Tile, Tile], turn: int) -> None:
        """Nothing: one turn is all."""

    def finish(self, state: tuple[Tile, Tile]) -> Tile:
        return _columns(*self.totals.complete(state, self.max_missing_pct), self.model, self.factor)


def _columns(parts: Tile, kept: Tile, model: _Model, factor: float) -> Tile:
    """R, the predictor, years used and years left out: (cells, 4); NaN where no year is complete."""
    parts = np.where(kept[:, :, None], parts, np.nan)
    if not model.every_year:
        parts = _mean_of_years(parts, kept)[:, None, :]
    cells, years, months = parts.shape
    predictor = np.empty(cells * years)
    if model.predictor == _INDEX:
        kernels.fournier_index_arnoldus1980(np.ascontiguousarray(parts.reshape(-1, months)), predictor)
    else:
        predictor[:] = parts.sum(axis=2).ravel()
    counted = kept if model.every_year else np.asarray(kept.any(axis=1, keepdims=True))
    mean = _mean_of_years(predictor.reshape(cells, years, 1), counted)[:, 0]
    if model.every_year and model.predictor == _RAIN:
        yearly = np.empty(cells * years)
        model.equation(np.ascontiguousarray(parts.reshape(-1, months)) if model.of_months else predictor, yearly)
        r = _mean_of_years(yearly.reshape(cells, years, 1), counted)[:, 0]
    else:
        r = np.empty(cells)
        model.equation(mean, r)
    used = kept.sum(axis=1)
    return np.column_stack([r * factor, mean, used, kept.shape[1] - used])


def _mean_of_years(values: Tile, kept: Tile) -> Tile:
    """Mean over the kept years: (cells, parts) from (cells, years, parts), NaN where none is kept."""
    total = np.zeros((values.shape[0], values.shape[2]))
    for year in range(values.shape[1]):  # in a fixed order, so that no tiling shows
        total += np.where(kept[:, year, None], values[:, year], 0.0)
    years = kept.sum(axis=1)[:, None]
    return np.divide(total, years, out=np.full(total.shape, np.nan), where=years > 0)


def fournier_index(
    rain: Rain,
    mean: Literal["of_years", "of_months"] = "of_years",
    *,
    max_missing_pct: float = 5.0,
    units: Units = None,
) -> xr.DataArray:
    r"""The modified Fournier index of Arnoldus (1980).

    .. math:: F = \sum_{i=1}^{12} \frac{p_i^2}{P}, \qquad P = \sum_i p_i

    Parameters
    ----------
    rain
        Rain by month or by day, as for ``r_factor``; a mean year of twelve months as well, with ``mean="of_months"``.
    mean
        ``"of_years"``: F of each year, then their mean; ``"of_months"``: F of the mean months. The two are not equal.
    max_missing_pct
        Share of missing days above which a month, and with it its year, is left out [%] (daily rain).
    units
        Unit of ``rain`` when it does not declare one.

    Returns
    -------
    DataArray
        F [mm]. It is not R; 0 to 60 is very low, 60 to 90 low, 90 to 120 moderate, 120 to 160 high, more very high.

    Raises
    ------
    InputError
        When the record is not by month or by day.

    Examples
    --------
    >>> import pandas as pd
    >>> months = pd.Series([3.0, 5, 10, 22, 35, 55, 115, 120, 60, 28, 10, 3], index=pd.date_range("2021-01-01", periods=12, freq="MS"))
    >>> round(fournier_index(months).item(), 4)
    79.3691
    """
    require_share(max_missing_pct)
    totals = rain_totals(rain, units_of(units, "rain"), by_month=True, years_needed=mean == "of_years", who="fournier_index")
    model = _Model(_INDEX, mean == "of_years", lambda x, out: np.copyto(out, x))
    index = _over_time(totals, model, 1.0, max_missing_pct).isel(value=1)
    return _predictor(index, _INDEX).assign_attrs(method="arnoldus1980", mean=mean, **PARTS["arnoldus1980"].provenance())
