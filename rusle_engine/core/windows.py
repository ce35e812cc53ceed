"""Problems that look some way around each tile, in several rasters at once: one pass over tiles with a wide ring of cells around them.

Lazy rasters keep their chunks as tiles (narrow ones are joined for the work); arrays in memory are cut into tiles and run on all threads.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import getitem
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import is_dask_collection, tokenize

from rusle_engine.core.engine import threads_in_force
from rusle_engine.core.frames import Frames, frame, layered, opened, waits_on_disk, without_frame
from rusle_engine.core.memory import require_memory
from rusle_engine.core.tiles import Layout, Place, Tile, framed_tile, joined, raster_like


@dataclass(frozen=True)
class Windows:
    """``function(*windows, place) -> (raster, …)`` sees each tile with ``ring`` cells around it, ``around`` (one for each array) beyond the raster.

    ``working_bytes`` are those of each cell of a window, results included, ``search_bytes`` those that each tile takes besides.
    """

    step: str
    function: Callable[..., tuple[Tile, ...]]
    ring: int
    around: tuple[Any, ...]
    dtypes: tuple[Any, ...]
    working_bytes: float
    search_bytes: float
    tile_size: int
    way_out: str


def windows(problem: Windows, *arrays: xr.DataArray) -> tuple[xr.DataArray, ...]:
    """Run ``problem`` over rasters (y, x) of one grid; lazy when one of them is, in its chunks.

    Raises
    ------
    MemoryBudgetError
        At once, before any work, when the windows in hand (in memory: the results too) exceed the memory budget.
    """
    first = arrays[0]
    lazy = [array for array in arrays if is_dask_collection(array)]
    if not lazy:
        layout = Layout.squares(first.shape, problem.tile_size)
        _require(problem, layout, first.size * sum(np.dtype(dtype).itemsize for dtype in problem.dtypes))
        results = _in_memory(problem, layout, [np.asarray(array.values) for array in arrays])
    else:
        chunks = lazy[0].data.chunks
        layout = Layout(*(joined(sizes, problem.ring) for sizes in chunks))
        _require(problem, layout, 0)
        blocks = [array.chunk(dict(zip(array.dims, (layout.heights, layout.widths)))).data for array in arrays]
        results = tuple(raster.rechunk(chunks) for raster in _lazily(problem, layout, blocks))
    return tuple(raster_like(first, raster) for raster in results)


def wanted_late(array: xr.DataArray) -> xr.DataArray:
    """``array`` for who uses it after a pass over it: from the disk when its tiles wait there, so that nobody keeps them in memory for him."""
    if not is_dask_collection(array):
        return array
    source, name = without_frame(array.data)
    if name == array.data.name:
        return array
    return array.copy(data=source.map_blocks(opened, dtype=array.dtype, meta=np.empty((0, 0), array.dtype)))


def _require(problem: Windows, layout: Layout, kept_bytes: int) -> None:
    window = (max(layout.heights) + 2 * problem.ring) * (max(layout.widths) + 2 * problem.ring)
    tiles = min(len(layout.heights) * len(layout.widths), threads_in_force())
    need = tiles * (window * problem.working_bytes + problem.search_bytes) + kept_bytes
    require_memory(tiles * window, need / (tiles * window), f"{problem.step}, with {problem.ring} cells around each tile,", problem.way_out)


def _in_memory(problem: Windows, layout: Layout, rasters: list[Tile]) -> tuple[Tile, ...]:
    results = tuple(np.empty(rasters[0].shape, dtype) for dtype in problem.dtypes)

    def on_tile(place: Place) -> None:
        framed = (framed_tile(raster, place, around, problem.ring) for raster, around in zip(rasters, problem.around))
        for result, tile in zip(results, problem.function(*framed, place)):
            result[place.rows, place.columns] = tile

    with ThreadPoolExecutor(threads_in_force()) as pool:
        list(pool.map(on_tile, layout.places))
    return results


def _lazily(problem: Windows, layout: Layout, blocks: list[Any]) -> list[Any]:
    """One task for each tile, after those that give it what lies around it."""
    frames = [Frames(block, problem.ring, problem.step, on_disk=waits_on_disk(block, problem.ring)) for block in blocks]
    sources = [each.source for each in frames]
    name = f"{problem.step}-{tokenize(problem, [source.name for source in sources])}"
    tasks: dict[Any, Any] = {"problem-" + name: problem}  # by reference: it may hold a number for each row
    indices = list(np.ndindex(len(layout.heights), len(layout.widths)))
    for index, place in zip(indices, layout.places):
        of_tile = [each.of(*index) for each in frames]
        tasks[name, *index] = (_on_tile, "problem-" + name, place, [tile for tile, _ in of_tile], [around for _, around in of_tile])
    chunks = (layout.heights, layout.widths)
    visited = da.Array(layered(name, tasks, sources), name, chunks, meta=np.empty((0, 0)))
    results = []
    for k, dtype in enumerate(problem.dtypes):
        own = {(f"{name}-{k}", *index): (getitem, (name, *index), k) for index in indices}
        results.append(da.Array(layered(f"{name}-{k}", own, [visited]), f"{name}-{k}", chunks, meta=np.empty((0, 0), dtype)))
    return results


def _on_tile(problem: Windows, place: Place, tiles: list[Any], neighbours: list[Any]) -> tuple[Tile, ...]:
    framed = (frame(tile, near, around, problem.ring) for tile, near, around in zip(tiles, neighbours, problem.around))
    return problem.function(*framed, place)
