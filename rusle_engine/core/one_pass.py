"""One pass over tiles by a function that fills several rasters at once, looking beyond the tile in the first of its inputs where asked to.

Lazy rasters keep their chunks as tiles; arrays in memory are cut into strips of whole rows, on all threads, whose results are written where
they belong. Which tiles cannot show in the result.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import getitem
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import is_dask_collection, tokenize

from rusle_engine.core.engine import require_for_tiles, threads_in_force
from rusle_engine.core.frames import Frames, frame, layered, opened, waits_on_disk, without_frames
from rusle_engine.core.tiles import framed_tile, raster_like
from rusle_engine.core.two_passes import Layout, Place, Tile

_STRIP_CELLS = 2**19
"""Cells of a strip of an array in memory: enough to hide what a call costs, few enough to share out evenly."""

Filling = Callable[..., None]
"""``function(*tiles, place, *results)`` fills ``results``."""


def one_pass(function: Filling, *arrays: xr.DataArray, dtypes: Sequence[Any], ring: int = 0, around: Any = np.nan) -> tuple[xr.DataArray, ...]:
    """The rasters that ``function`` fills from ``arrays`` (y, x) of one grid.

    Parameters
    ----------
    function
        Is called as ``function(*tiles, place, *results)``: contiguous tiles, where they lie, and a raster to fill for each of ``dtypes``. It
        must leave the tiles as they are.
    ring
        How many cells the first tile has around it, ``around`` beyond the raster: 0 or 1.
    """
    require_for_tiles(function, arrays, [array.dtype for array in arrays], dtypes)
    if any(is_dask_collection(array) for array in arrays):
        return tuple(raster_like(arrays[0], data) for data in _lazily(function, arrays, dtypes, ring, around))
    results = tuple(np.empty(arrays[0].shape, dtype) for dtype in dtypes)
    _in_memory(function, [np.asarray(array.values) for array in arrays], results, ring, around)
    return tuple(raster_like(arrays[0], data) for data in results)


def _in_memory(function: Filling, rasters: list[Tile], results: tuple[Tile, ...], ring: int, around: Any) -> None:
    height, width = rasters[0].shape
    threads = threads_in_force()
    size = max(1, min(_STRIP_CELLS // max(width, 1), -(-height // threads)))
    strips = [Place(row, 0, min(size, height - row), width, width) for row in range(0, height, size)]

    def fill(place: Place) -> None:
        tiles = [np.ascontiguousarray(raster[place.rows]) for raster in rasters]
        if ring:
            tiles[0] = framed_tile(rasters[0], place, around, ring)
        function(*tiles, place, *(result[place.rows] for result in results))

    if threads == 1 or len(strips) == 1:
        for place in strips:
            fill(place)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, strips))


def _lazily(function: Filling, arrays: Sequence[xr.DataArray], dtypes: Sequence[Any], ring: int, around: Any) -> list[Any]:
    chunks = next(array.data.chunks for array in arrays if is_dask_collection(array))
    blocks = [array.chunk(dict(zip(array.dims, chunks))).data for array in arrays]
    frames = Frames(blocks[0], ring, "one pass", on_disk=waits_on_disk(blocks[0], ring)) if ring else None
    sources = without_frames(blocks)
    name = f"one-pass-{tokenize(function, ring, around, [block.name for block in blocks], [str(dtype) for dtype in dtypes])}"
    graph: dict[Any, Any] = {"function-" + name: function}  # by reference: it may hold a number for each row
    shape = (len(chunks[0]), len(chunks[1]))
    for number, place in enumerate(Layout(*chunks).places):
        index = divmod(number, shape[1])
        tiles = [(layer, *index) for _, layer in sources]
        neighbours = None
        if frames is not None:
            tiles[0], neighbours = frames.of(*index)
        graph["tile-" + name, *index] = (_filled, "function-" + name, tiles, neighbours, ring, around, place, list(dtypes))
    used = [source if frames is None or k else frames.source for k, (source, _) in enumerate(sources)]
    tiled = da.Array(layered("tile-" + name, graph, used), "tile-" + name, chunks, meta=np.empty((0, 0)))
    results = []
    for k, dtype in enumerate(dtypes):
        own = {(f"{name}-{k}", *index): (getitem, ("tile-" + name, *index), k) for index in np.ndindex(shape)}
        results.append(da.Array(layered(f"{name}-{k}", own, [tiled]), f"{name}-{k}", chunks, meta=np.empty((0, 0), dtype)))
    return results


def _filled(
    function: Filling, tiles: list[Any], neighbours: list[Any] | None, ring: int, around: Any, place: Place, dtypes: Sequence[Any]
) -> tuple[Tile, ...]:
    first = opened(tiles[0]) if neighbours is None else frame(tiles[0], neighbours, around, ring)
    results = tuple(np.empty((place.height, place.width), dtype) for dtype in dtypes)
    function(*(np.ascontiguousarray(tile) for tile in [first, *map(opened, tiles[1:])]), place, *results)
    return results
