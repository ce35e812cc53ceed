"""Polygons with a code, such as a soil map, as a class raster: each cell has the code of the polygon that holds its middle."""

from typing import Any

import geopandas as gpd
import numpy as np
import xarray as xr
from rasterio import features
from shapely import STRtree, box

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.files.sources import lazy

_BLOCK = 512
"""Side of the squares, counted from the grid's corner, that are drawn at once; tiles are put together from them, so that no tile can show."""
_GREATEST = 2**24
"""Codes that float32 holds exactly."""


def polygon_codes(polygons: gpd.GeoDataFrame, field: str, grid: Grid, chunks: Any, name: str) -> xr.DataArray:
    """Class codes (y, x) on ``grid``, float32, lazy in ``chunks``; NaN where no polygon holds a cell's middle.

    Where polygons overlap, the later row of the table counts.

    Parameters
    ----------
    polygons
        Polygons with a column ``field`` of whole numbers, in any CRS that leads to the grid's.
    field
        The column of the codes.
    grid
        Where to.
    chunks
        Sizes of the tiles, as another array's ``.chunks``.
    name
        What messages call the file.

    Raises
    ------
    InputError
        When there is no such column, a code is not a whole number below 2²⁴, or no polygon lies on the grid.
    """
    codes = _codes(polygons, field, name)
    placed = polygons.geometry.to_crs(grid.crs)
    left, bottom, right, top = grid.bounds
    if not placed.intersects(box(left, bottom, right, top)).any():
        raise InputError(
            f"{name}: no polygon lies on the grid ({left:.6g}, {bottom:.6g}, {right:.6g}, {top:.6g}). Is it the right file, and its CRS?"
        )
    source = _Drawn(placed.to_numpy(), codes, grid)
    key = (placed.to_wkb().to_list(), codes.tolist(), grid.shape, tuple(grid.transform))
    return grid.label(lazy(source, "polygon-codes", chunks, *key))


def _codes(polygons: gpd.GeoDataFrame, field: str, name: str) -> np.ndarray[Any, Any]:
    if field not in polygons.columns:
        others = ", ".join(str(column) for column in polygons.columns if column != polygons.geometry.name)
        raise InputError(f"{name} has no field {field!r}; it has {others}")
    codes = np.array([_number(value) for value in polygons[field]])
    wrong = ~(np.isfinite(codes) & (codes == np.rint(codes)) & (np.abs(codes) < _GREATEST))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(f"{name}: field {field!r} is {str(polygons[field].iloc[row])!r} in row {row + 1}; expected a whole number below 2^24")
    return codes


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


class _Drawn:
    """The codes of polygons as an array that is drawn where it is read."""

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, polygons: np.ndarray[Any, Any], codes: np.ndarray[Any, Any], grid: Grid):
        self.polygons, self.codes, self.transform, self.shape = polygons, codes, grid.transform, grid.shape
        self._tree = STRtree(polygons)

    def read(self, top: int, bottom: int, left: int, right: int) -> np.ndarray[Any, Any]:
        """Codes of rows ``top`` to ``bottom`` and columns ``left`` to ``right``."""
        out = np.empty((bottom - top, right - left), np.float32)
        for row in range(top // _BLOCK * _BLOCK, bottom, _BLOCK):
            for column in range(left // _BLOCK * _BLOCK, right, _BLOCK):
                rows, columns = slice(max(row, top), min(row + _BLOCK, bottom)), slice(max(column, left), min(column + _BLOCK, right))
                block = self._block(row, column)
                out[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = block[
                    rows.start - row : rows.stop - row, columns.start - column : columns.stop - column
                ]
        return out

    def _block(self, row: int, column: int) -> np.ndarray[Any, Any]:
        transform = self.transform @ type(self.transform).translation(column, row)
        corners = [transform @ corner for corner in ((0, 0), (_BLOCK, _BLOCK))]
        (x0, y0), (x1, y1) = corners
        found = np.sort(self._tree.query(box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))))
        block = np.full((_BLOCK, _BLOCK), np.nan, np.float32)
        if found.size:
            features.rasterize(zip(self.polygons[found], self.codes[found]), out=block, transform=transform)
        return block
