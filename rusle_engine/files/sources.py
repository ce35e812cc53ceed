"""Rasters on the disk as something a lazy array can be cut from: one window a call, from any thread.

A dataset handle belongs to one thread and is kept, because a file stored in strips is read by tiles three times faster when GDAL may
remember the strip it just decoded (measured); at most ``_OPEN_FILES`` a thread, so that a mosaic of thousands does not run out of them.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import rasterio
from dask.array.core import normalize_chunks
from dask.base import tokenize
from rasterio.errors import RasterioError

from rusle_engine.core.engine import threads_in_force
from rusle_engine.core.errors import InputError
from rusle_engine.core.memory import memory_budget
from rusle_engine.files.describe import Piece, RasterInfo

Chunks = str | int | tuple[int, int] | tuple[tuple[int, ...], tuple[int, ...]]
"""``auto``, a number of rows and columns, one of each, or the sizes of every tile (as another array's ``.chunks``)."""

_TILE, _LARGE_TILE = 1024, 2048
_LARGE_RASTER = 50_000_000
"""Cells from which on tiles are large: what a plan remembers of the borders of tiles is then half as much."""
_BYTES_PER_CELL_AT_WORK = 200
"""Of a large tile, whatever is made of it: twice what ``rusle check`` asks for."""
_OPEN_FILES = 16


class Handles(threading.local):
    """Open datasets of one thread, the least used closed first."""

    def __init__(self) -> None:
        self._open: OrderedDict[Any, Any] = OrderedDict()

    def get(self, key: Any, opened: Callable[[], Any]) -> Any:
        if key not in self._open:
            while len(self._open) >= _OPEN_FILES:
                self._open.popitem(last=False)
            self._open[key] = opened()
        self._open.move_to_end(key)
        return self._open[key]


class RasterSource:
    """A file, or a mosaic of files on one grid, as an array of values: NaN where there is no data, scale and offset applied."""

    ndim = 2

    def __init__(self, info: RasterInfo, row: int, column: int, shape: tuple[int, int], *, whole_numbers: bool):
        self.pieces, self.band, self.dtype = info.pieces, info.band, info.value_dtype
        self.row, self.column, self.shape = row, column, shape
        self.whole_numbers = whole_numbers
        self._handles = Handles()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_handles"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._handles = Handles()

    def read(self, top: int, bottom: int, left: int, right: int) -> np.ndarray[Any, Any]:
        """Values of rows ``top`` to ``bottom`` and columns ``left`` to ``right``; where files overlap, the first valid one counts."""
        top, bottom = top + self.row, bottom + self.row
        left, right = left + self.column, right + self.column
        first = self.pieces[0]
        rows, columns = (top - first.row, bottom - first.row), (left - first.column, right - first.column)
        if len(self.pieces) == 1 and min(rows[0], columns[0]) >= 0 and rows[1] <= first.height and columns[1] <= first.width:
            return self._values(first, (rows, columns))
        out = np.full((bottom - top, right - left), np.nan, self.dtype)
        for piece in self.pieces:
            rows = max(top, piece.row), min(bottom, piece.row + piece.height)
            columns = max(left, piece.column), min(right, piece.column + piece.width)
            if rows[0] >= rows[1] or columns[0] >= columns[1]:
                continue
            window = ((rows[0] - piece.row, rows[1] - piece.row), (columns[0] - piece.column, columns[1] - piece.column))
            part = out[rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left]
            np.copyto(part, self._values(piece, window), where=np.isnan(part))
        return out

    def _values(self, piece: Piece, window: tuple[tuple[int, int], tuple[int, int]]) -> np.ndarray[Any, Any]:
        try:
            dataset = self._handles.get(piece.path, lambda: rasterio.open(piece.path, driver=piece.driver))
            raw = dataset.read(self.band, window=window)
            mask = dataset.read_masks(self.band, window=window) if piece.masked else None
        except RasterioError as error:
            (top, bottom), (left, right) = window
            raise InputError(
                f"{piece.path} cannot be read in rows {top} to {bottom}, columns {left} to {right}: {error}. It is cut off or damaged; copy it again."
            ) from error
        values = as_values(raw, piece, self.dtype)
        if mask is not None:
            values[mask == 0] = np.nan
        if self.whole_numbers:
            require_whole_numbers(values, str(piece.path))
        return values


def as_values(raw: np.ndarray[Any, Any], piece: Piece, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Stored numbers as values: nodata NaN, then ``value = stored · scale + offset`` (in float64) where the file says so."""
    scaled = (piece.scale, piece.offset) != (1.0, 0.0)
    nodata = stored_nodata(piece)
    missing = None if nodata is None else raw == nodata
    values = (raw.astype(np.float64) * piece.scale + piece.offset if scaled else raw).astype(dtype, copy=False)
    if missing is not None:
        values[missing] = np.nan
    return values


def stored_nodata(piece: Piece) -> np.generic | None:
    """The nodata value in the type it is stored in; None where there is none, or that type cannot hold it (then no cell has it)."""
    nodata, kind = piece.nodata, piece.dtype
    if nodata is None or np.isnan(nodata):
        return None
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        return kind.type(int(nodata)) if float(nodata).is_integer() and limits.min <= nodata <= limits.max else None
    with np.errstate(over="ignore"):
        return kind.type(nodata)


def require_whole_numbers(values: np.ndarray[Any, Any], name: str) -> None:
    odd = values[(values != np.rint(values)) & ~np.isnan(values)]
    if odd.size:
        raise InputError(f"{name} is taken as classes but holds {odd.flat[0]}; expected whole numbers. Is it the right file?")


def lazy(source: Any, name: str, chunks: tuple[tuple[int, ...], tuple[int, ...]], *key: Any) -> Any:
    """A dask array cut from ``source``, named by what it depends on."""
    return da.from_array(
        source,
        chunks=chunks,
        name=f"{name}-{tokenize(*key, chunks)}",
        getitem=_window,
        asarray=True,
        lock=False,
        inline_array=True,
        meta=np.empty((0, 0), source.dtype),
    )


def _window(source: Any, key: tuple[slice, slice]) -> np.ndarray[Any, Any]:
    rows, columns = key
    result: np.ndarray[Any, Any] = source.read(rows.start, rows.stop, columns.start, columns.stop)
    return result


def _tile_side(shape: tuple[int, int]) -> int:
    """1024, or 2048 for a large raster where the memory budget holds such a tile for every thread."""
    room = memory_budget() >= threads_in_force() * _LARGE_TILE**2 * _BYTES_PER_CELL_AT_WORK
    return _LARGE_TILE if shape[0] * shape[1] >= _LARGE_RASTER and room else _TILE


def chunk_grid(chunks: Chunks, shape: tuple[int, int], block: tuple[int, int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The sizes of all tiles. ``auto``: about ``_tile_side``, whole blocks of the file where its blocks are no larger than that."""
    wanted: Any = chunks
    if chunks == "auto":
        tile = _tile_side(shape)
        wanted = tuple(tile if side > tile or side >= whole else side * round(tile / side) for side, whole in zip(block, shape))
        wanted = tuple(max(size, side if side <= 2 * _TILE and side < whole else 0) for size, side, whole in zip(wanted, block, shape))
    elif isinstance(chunks, str):
        raise InputError(f"chunks={chunks!r}; expected 'auto', a number of cells, or (rows, columns)")
    try:
        sizes: tuple[tuple[int, ...], tuple[int, ...]] = normalize_chunks(wanted, shape=shape, dtype=np.dtype(np.float32))
    except (ValueError, TypeError) as error:
        raise InputError(f"chunks={chunks!r} do not cut {shape[0]} × {shape[1]} cells: {error}") from error
    return sizes
