"""R and its half-month shares from the grid of the rain onto another, finer one."""

from typing import Any, Literal

import numpy as np
import xarray as xr
from pyproj import Transformer

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import Tile, is_lazy, pointwise
from rusle_engine.core.variables import EROSIVITY, EROSIVITY_SHARE
from rusle_engine.factors.station_erosivity import no_shares, shares_of
from rusle_kernels import interpolation as kernels

GridResampling = Literal["bilinear", "nearest"]


def erosivity_on_grid(erosivity: xr.Dataset, grid: xr.DataArray, resampling: GridResampling = "bilinear") -> xr.Dataset:
    """What ``r_factor`` made on the grid of the rain, on another grid.

    R is resampled, not the rain: the power of a mean is not the mean of powers. Of the shares, the erosivity R wr of each half-month is
    resampled and divided by the sum of the 24, so that they add up to 1 in every cell.

    Parameters
    ----------
    erosivity
        Computed (not lazy), over (y, x), with a CRS.
    grid
        Any array on the grid wanted.
    resampling
        ``"bilinear"`` between the centres of the coarse cells, or the ``"nearest"`` one. Beyond the outermost centres, half a cell far, the
        outermost ones hold; farther out there is no value.

    Returns
    -------
    Dataset
        R [MJ mm ha-1 h-1 yr-1] over (y, x) and wr [1] over (half_month, y, x), lazy when ``grid`` is; wr is 24 NaN where the method
        tells none.

    Raises
    ------
    InputError
        When the erosivity is still lazy, or only one of the two grids has a CRS.
    """
    r = erosivity["R"]
    if is_lazy(r):
        raise InputError("the erosivity on the grid of the rain is not computed yet; call .compute() on it first")
    lay = _Layer(r, grid, resampling)
    attrs = {**{str(name): value for name, value in erosivity.attrs.items()}, "resampling": resampling}
    result = xr.Dataset({"R": EROSIVITY.describe(lay(r.values), **attrs)}, attrs=attrs)
    shares = no_shares()
    if "wr" in erosivity and np.isfinite(erosivity["wr"].values).any():
        of_half_months = np.where(r.values > 0, r.values * erosivity["wr"].values, np.where(np.isnan(r.values), np.nan, 0.0))
        shares = shares_of([lay(part) for part in of_half_months])
    result["wr"] = EROSIVITY_SHARE.describe(shares, **attrs)
    return result


class _Layer:
    """From values on the coarse grid to an array on the fine one."""

    def __init__(self, coarse: xr.DataArray, grid: xr.DataArray, resampling: GridResampling):
        self.source, self.target, self.grid = Grid.of(coarse), Grid.of(grid), grid
        if (self.source.crs is None) != (self.target.crs is None):
            raise InputError("one of the two grids has no CRS, so that the erosivity cannot be brought from one to the other")
        self.kernel = {"bilinear": kernels.bilinear, "nearest": kernels.nearest}[resampling]
        same = self.source.crs is None or self.source.crs == self.target.crs
        self.transformer = None if same else Transformer.from_crs(self.target.crs, self.source.crs, always_xy=True)

    def __call__(self, values: Tile) -> xr.DataArray:
        values = np.ascontiguousarray(values, np.float64)
        back = ~self.source.transform
        transformer, kernel = self.transformer, self.kernel

        def on_tile(_cells: Tile, y: Tile, x: Tile, out: Tile) -> None:
            px, py = np.broadcast_to(x, out.shape), np.broadcast_to(y, out.shape)
            if transformer is not None:
                px, py = transformer.transform(np.ascontiguousarray(px), np.ascontiguousarray(py))
            row = np.ascontiguousarray(back.e * py + back.f - 0.5)
            column = np.ascontiguousarray(back.a * px + back.c - 0.5)
            kernel(values, row, column, out)

        coordinates: dict[str, Any] = self.target.coords()
        y, x = (xr.DataArray(coordinates[name], dims=name, coords={name: self.grid[name]}) for name in ("y", "x"))
        return pointwise(on_tile, xr.zeros_like(self.grid, np.float64), y, x)
