"""From kernels on tiles to functions on labelled, lazy arrays. The only room that builds dask graphs.

``pointwise`` for kernels that look at one cell, ``over_time`` for a cell's own series, ``stencil`` for a cell and its neighbours,
``two_passes`` for what needs the whole raster and can be cut into tiles (``core/two_passes.py``), ``whole`` for what cannot,
``tiled`` for one pass that yields several rasters and a record per tile. Lazy in, lazy out; eager in, eager out; the same bits either way.
"""

from collections.abc import Callable, Sequence
from operator import getitem
from typing import Any
from uuid import uuid4

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import is_dask_collection, tokenize
from dask.delayed import Delayed, delayed
from dask.highlevelgraph import HighLevelGraph

from rusle_engine.core.engine import require_for_tiles
from rusle_engine.core.errors import InputError
from rusle_engine.core.frames import Frames, Stash, frame, layered, opened, waits_on_disk, without_frames
from rusle_engine.core.memory import require_memory
from rusle_engine.core.tiles import raster_like
from rusle_engine.core.two_passes import Layout, Place, Tile, TwoPasses, two_passes

__all__ = [
    "Layout",
    "Place",
    "Tile",
    "TwoPasses",
    "is_lazy",
    "over_time",
    "pointwise",
    "stencil",
    "tiled",
    "two_passes",
    "whole",
]

_NEAR_MEMORY_BYTES = 8 * 2**20


def is_lazy(*arrays: xr.DataArray) -> bool:
    return any(is_dask_collection(array) for array in arrays)


def pointwise(
    kernel: Callable[..., Any],
    *arrays: xr.DataArray,
    parameters: tuple[Any, ...] = (),
    dtype: Any = np.float64,
    input_dtypes: Sequence[Any] | None = None,
) -> xr.DataArray:
    """Apply ``kernel(*tiles, *parameters, out)``, which looks at one cell at a time.

    Tiles reach the kernel two-dimensional, contiguous and as float64 (or ``input_dtypes``, one each); numbers and lower-dimensional
    arrays are broadcast. The arrays must share one grid exactly; the result has their coordinates and no attributes.
    """
    kinds = [np.dtype(kind) for kind in (input_dtypes or [np.float64] * len(arrays))]
    require_for_tiles(kernel, arrays, kinds, [dtype])

    def on_tile(*tiles: Tile) -> Tile:
        shape = np.broadcast_shapes(*(tile.shape for tile in tiles))
        rows = shape if len(shape) == 2 else (1, int(np.prod(shape)))
        out = np.empty(rows, dtype)
        kernel(*(np.ascontiguousarray(np.broadcast_to(t, shape), k).reshape(rows) for t, k in zip(tiles, kinds)), *parameters, out)
        return out.reshape(shape)

    result: xr.DataArray = xr.apply_ufunc(on_tile, *arrays, join="exact", dask="parallelized", output_dtypes=[dtype], keep_attrs="override")
    result.attrs = {}  # not those of coordinates: they hold the CRS
    return result


def over_time(function: Callable[[Tile], Tile], array: xr.DataArray, *, size: int) -> xr.DataArray:
    """Apply ``function(series) -> (cells, size)`` to the series that each cell has along ``time``; ``series`` is (cells, time), float64.

    A tile comes in parts of some cells each, whose series stay in near memory however often the function goes through them.
    The result has the array's other dimensions and coordinates and a last dimension ``value``. Lazy arrays are cut in space only: a time
    axis in several chunks is joined first.
    """

    def on_tile(tile: Tile) -> Tile:
        series = np.ascontiguousarray(tile, np.float64).reshape(-1, tile.shape[-1])
        found = np.empty((len(series), size))
        at_once = max(1, _NEAR_MEMORY_BYTES // (8 * max(series.shape[1], 1)))
        for first in range(0, len(series), at_once):
            found[first : first + at_once] = function(series[first : first + at_once])
        return found.reshape(*tile.shape[:-1], size)

    result: xr.DataArray = xr.apply_ufunc(
        on_tile,
        array.chunk({"time": -1}) if is_lazy(array) else array,
        input_core_dims=[["time"]],
        output_core_dims=[["value"]],
        dask="parallelized",
        output_dtypes=[np.float64],
        dask_gufunc_kwargs={"output_sizes": {"value": size}},
        keep_attrs="override",
    )
    result.attrs = {}
    return result


def stencil(
    kernel: Callable[..., Any],
    array: xr.DataArray,
    *,
    rows: Sequence[np.ndarray[Any, Any]] = (),
    parameters: tuple[Any, ...] = (),
    depth: int = 1,
    dtype: Any = np.float64,
    nodata: Any = np.nan,
) -> xr.DataArray:
    """Apply ``kernel(padded, *row_values, *parameters, out)`` to every tile with a ring of ``depth`` cells around it.

    ``padded`` is (h + 2·depth, w + 2·depth), the ring beyond the raster's edge holding ``nodata``; each of ``rows`` (one value for each
    raster row, such as the cell size) reaches the kernel cut to the tile's h rows. ``padded`` keeps the array's dtype.
    """
    ring = ((depth, depth), (depth, depth))
    require_for_tiles(kernel, [array], [array.dtype], [dtype, array.dtype])

    def run(padded: Tile, start: int, height: int, width: int) -> Tile:
        out = np.empty((height, width), dtype)
        kernel(np.ascontiguousarray(padded), *(np.ascontiguousarray(r[start : start + height]) for r in rows), *parameters, out)
        return out

    if not is_lazy(array):
        values = np.asarray(array.values)
        return raster_like(array, run(np.pad(values, ring, constant_values=nodata), 0, *values.shape))

    lazy = array.data
    if min(min(sizes) for sizes in lazy.chunks) < depth:
        raise InputError(f"tiles of {lazy.chunks} are narrower than the {depth} cells around them that are needed; use larger chunks")

    def on_tile(tile: Any, neighbours: list[Any], place: Place) -> Tile:
        return run(frame(tile, neighbours, nodata, depth), place.row, place.height, place.width)

    frames = Frames(lazy, depth, "a stencil", on_disk=waits_on_disk(lazy, depth))
    name = f"stencil-{tokenize(lazy.name, kernel, rows, parameters, depth, np.dtype(dtype), nodata, frames.source.name)}"
    places = Layout(*lazy.chunks).places
    tasks: dict[Any, Any] = {"on-tile-" + name: on_tile}
    for index, place in zip(np.ndindex(lazy.numblocks), places):
        tasks[name, *index] = (_called, "on-tile-" + name, *frames.of(*index), place)
    blocks = da.Array(layered(name, tasks, [frames.source]), name, lazy.chunks, meta=np.empty((0, 0), dtype))
    return raster_like(array, blocks)


def _called(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def _on_opened(function: Callable[..., Any], tiles: list[Any], row: int, column: int) -> Any:
    return function(*(opened(tile) if np.ndim(tile) == 2 or isinstance(tile, Stash) else tile for tile in tiles), row, column)


def whole(
    function: Callable[..., Any],
    *arrays: xr.DataArray,
    dtypes: Sequence[Any],
    bytes_per_cell: float,
    step: str,
) -> tuple[xr.DataArray, ...]:
    """Apply ``function(*rasters) -> raster or tuple of rasters`` to whole rasters, as one task; results are cut into the input's chunks.

    Raises
    ------
    MemoryBudgetError
        At once, before any work, when ``bytes_per_cell`` for all cells exceeds the memory budget.
    """
    first = arrays[0]
    require_memory(first.size, bytes_per_cell, step)

    def as_tuple(*rasters: Tile) -> tuple[Tile, ...]:
        results = function(*(np.ascontiguousarray(raster) for raster in rasters))
        return results if isinstance(results, tuple) else (results,)

    if not is_lazy(*arrays):
        return tuple(raster_like(first, data) for data in as_tuple(*(np.asarray(a.values) for a in arrays)))
    task = delayed(as_tuple, pure=True, nout=len(dtypes))(*(a.data for a in arrays))
    chunks = next(a.data.chunks for a in arrays if is_lazy(a))
    return tuple(
        raster_like(first, da.from_delayed(task[i], first.shape, meta=np.empty((0, 0), dtype)).rechunk(chunks)) for i, dtype in enumerate(dtypes)
    )


def tiled(
    function: Callable[..., tuple[Any, ...]],
    *arrays: xr.DataArray,
    dtypes: Sequence[Any],
) -> tuple[tuple[xr.DataArray, ...], list[Any]]:
    """One pass over tiles: ``function(*tiles, row, column) -> (raster, …, record)``; the rasters, and the records in row-major tile order.

    ``row`` and ``column`` are where the tile begins; numbers and 0-d arrays reach the function as they are. Records are delayed objects
    when the input is lazy (compute them in the same ``dask.compute`` as the rasters, so that every tile is visited once), else values.
    """
    first = next(a for a in arrays if a.ndim == 2)
    if not is_lazy(*arrays):
        *rasters, record = function(*(np.asarray(a.values) for a in arrays), 0, 0)
        return tuple(raster_like(first, raster) for raster in rasters), [record]
    chunks = next(a.data.chunks for a in arrays if a.ndim == 2 and is_lazy(a))
    blocks = [a.chunk(dict(zip(a.dims, chunks))).data if a.ndim == 2 else a.data for a in arrays]
    placed = iter(without_frames([block for block in blocks if np.ndim(block) == 2]))
    sources = [next(placed) if np.ndim(block) == 2 else (block, getattr(block, "name", "")) for block in blocks]
    name = f"tiled-{uuid4().hex}"
    tasks: dict[Any, Any] = {"function-" + name: function}
    indices = list(np.ndindex(len(chunks[0]), len(chunks[1])))
    for index, place in zip(indices, Layout(*chunks).places):
        inputs = [(layer, *index[: source.ndim]) if is_dask_collection(source) else source for source, layer in sources]
        tasks[name, *index] = (_on_opened, "function-" + name, inputs, place.row, place.column)
    lazy = [source for source, _ in sources if is_dask_collection(source)]
    visits = da.Array(layered(name, tasks, lazy), name, chunks, meta=np.empty((0, 0)))

    def parts(k: int) -> tuple[str, HighLevelGraph]:
        own = f"{name}-{k}"
        return own, layered(own, {(own, *index): (getitem, (name, *index), k) for index in indices}, [visits])

    pieces = [da.Array(graph, own, chunks, meta=np.empty((0, 0), dtype)) for dtype, (own, graph) in zip(dtypes, map(parts, range(len(dtypes))))]
    own, graph = parts(len(dtypes))
    records = [Delayed((own, *index), graph, layer=own) for index in indices]
    return tuple(raster_like(first, piece) for piece in pieces), records
