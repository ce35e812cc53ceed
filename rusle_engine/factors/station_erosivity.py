"""R and its half-month shares between stations: each half-month's erosivity laid on the grid, then its share of their sum."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.lift import Tile, is_lazy, pointwise
from rusle_engine.core.variables import EROSIVITY, EROSIVITY_SHARE, Units, units_of
from rusle_engine.factors.stations import InterpolationMethod, Surfaces
from rusle_engine.factors.variograms import VariogramShape

log = logging.getLogger("rusle_engine")

_KEPT = ("method", "energy", "threshold_mm", "max_missing_pct", "formula", "source", "method_status", "step_correction", "energy_formula")


def interpolate_erosivity(
    erosivity: Mapping[str, xr.Dataset],
    stations: pd.DataFrame,
    grid: xr.DataArray,
    method: InterpolationMethod = "idw",
    *,
    power: float = 2.0,
    neighbours: int = 12,
    smoothing: float = 0.0,
    variogram: VariogramShape = "spherical",
    units: Units = None,
) -> tuple[xr.Dataset, pd.DataFrame]:
    r"""R of stations and its shares in the half-months, on every cell of a grid, and what leaving each station out says about R.

    .. math:: wr_h = \frac{\widehat{R \, wr_h}}{\sum_h \widehat{R \, wr_h}}

    The erosivity of each half-month is laid on the grid, with the weights that R gets, and not its share: a share is a ratio, and a dry
    station's counts for less. Raised to 0 where a spline or kriging undershoots, the 24 are divided by their sum, so that they add up to 1.

    Parameters
    ----------
    erosivity
        By station, what ``r_factor`` returned. A station whose R is NaN is left out.
    stations, grid, method, power, neighbours, smoothing, variogram, units
        As for ``interpolate_stations``. The variogram is that of R.

    Returns
    -------
    Dataset, DataFrame
        R [MJ mm ha-1 h-1 yr-1] over (y, x) and wr [1] over (half_month, y, x), float64, lazy when ``grid`` is; wr is 24 NaN
        where the method tells none; and the table of ``cross_validation``.

    Raises
    ------
    InputError
        As for ``interpolate_stations``.
    """
    r = pd.Series({name: float(dataset["R"]) for name, dataset in erosivity.items()}, name="R", dtype=np.float64)
    surfaces = Surfaces.between(
        r,
        stations,
        grid,
        method,
        power=power,
        neighbours=neighbours,
        smoothing=smoothing,
        variogram=variogram,
        least=0.0,
        units=units_of(units, "elevation"),
    )
    first = next(iter(erosivity.values()))
    own = {name: first["R"].attrs[name] for name in _KEPT if name in first["R"].attrs}
    attrs = own | {("interpolation" if name == "method" else name): value for name, value in surfaces.described().items()}
    result = xr.Dataset({"R": EROSIVITY.describe(surfaces.lay(surfaces.known.values), **attrs)})
    parts = [_of_half_month(erosivity, surfaces.known.names, half_month, surfaces.known.values) for half_month in range(24)]
    told = not any(np.isnan(part).any() for part in parts)
    result["wr"] = EROSIVITY_SHARE.describe(shares_of([surfaces.lay(part) for part in parts]) if told else no_shares(), **attrs)
    result.attrs = attrs
    return result, surfaces.report


def _of_half_month(erosivity: Mapping[str, xr.Dataset], names: list[Any], half_month: int, r: Tile) -> Tile:
    """R wr_h of each station; 0 where its R is 0."""
    shares = np.array([float(erosivity[name]["wr"][half_month]) for name in names])
    return np.where(r > 0, r * shares, 0.0)


def shares_of(parts: list[xr.DataArray]) -> xr.DataArray:
    """What each half-month is of the sum of the 24, along ``half_month``; NaN where that is 0."""
    total = pointwise(_sum, *parts)
    shares = [pointwise(_divide, part, total) for part in parts]
    joined = xr.concat(shares, dim=pd.Index(np.arange(1, 25), name="half_month"), join="exact")
    return joined.chunk({"half_month": -1}) if is_lazy(joined) else joined


def no_shares() -> xr.DataArray:
    """The shares where totals of rain do not tell them: 24 NaN."""
    return xr.DataArray(np.full(24, np.nan), dims="half_month", coords={"half_month": np.arange(1, 25)})


def _sum(*tiles: Tile) -> None:
    *parts, out = tiles
    out[...] = parts[0]
    for part in parts[1:]:
        out += part


def _divide(part: Tile, total: Tile, out: Tile) -> None:
    np.divide(part, total, out=out, where=total > 0)
    out[~(total > 0)] = np.nan
