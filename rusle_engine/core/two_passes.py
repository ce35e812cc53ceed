"""Problems that look further than a neighbourhood, tile by tile: summarise each tile, solve for all summaries at once, finish each tile.

``summarise(*tiles, place) -> (record, state)`` sees a tile with ``ring`` cells around it; the record is small (what others need to know of the
tile), the state is what finishing needs of it. ``solve(records, layout) -> answers``, one for each tile, is the only step that knows of all
tiles. ``finish(state, answer, place) -> (raster, …)``. Lazy rasters keep their chunks as tiles, with a graph of a few tasks for each; arrays
in memory are cut into tiles of a size that suits the processor's cache, and run on all threads. Which tiles cannot show in the result: that
is the promise of the three functions.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import is_dask_collection
from dask.delayed import delayed

from rusle_engine.core.engine import threads_in_force
from rusle_engine.core.memory import IN_TILES, SMALLER_TILES, require_memory
from rusle_engine.core.tile_graph import borders_in_hand, on_chunks
from rusle_engine.core.tiles import Layout, Place, Tile, TwoPasses, framed_tile, joined, raster_like

__all__ = ["Layout", "Place", "Tile", "TwoPasses", "two_passes"]


def two_passes(passes: TwoPasses, *arrays: xr.DataArray) -> tuple[xr.DataArray, ...]:
    """Run ``passes`` over rasters (y, x) of one grid; numbers and 0-d arrays reach ``summarise`` as they are, after the tiles.

    Lazy rasters in several chunks are worked on chunk by chunk. States, and the chunks themselves, stay in memory between the passes when all
    of them fit into a quarter of the memory budget; if not, they go to the disk (``core/scratch.py``), and memory is that of a few tiles.

    Raises
    ------
    MemoryBudgetError
        At once, before any work, when the tiles in hand and the border graph (in memory: the states too) exceed the memory budget, or what
        goes to the disk exceeds what is free there.
    """
    rasters = [array for array in arrays if array.ndim == 2]
    first = rasters[0]
    lazy = [array for array in rasters if is_dask_collection(array)]
    outputs = sum(np.dtype(dtype).itemsize for dtype in passes.dtypes)
    if not lazy or lazy[0].data.npartitions == 1:
        layout = Layout.squares(first.shape, passes.tile_size)
        _require(passes, layout, passes.state_bytes + outputs, IN_TILES)
        values = [array.data for array in arrays]
        if not any(is_dask_collection(array) for array in arrays):
            return tuple(raster_like(first, raster) for raster in _in_memory(passes, layout, *values))
        task = delayed(_in_memory, pure=True, nout=len(passes.dtypes))(passes, layout, *values)
        kinds = enumerate(passes.dtypes)
        return tuple(raster_like(first, da.from_delayed(task[i], first.shape, meta=np.empty((0, 0), dtype))) for i, dtype in kinds)
    chunks = lazy[0].data.chunks
    layout = Layout(*(joined(sizes, passes.ring) for sizes in chunks))
    _require(passes, layout, 0.0, SMALLER_TILES)
    blocks = [_block(array, (layout.heights, layout.widths)) for array in arrays]
    return tuple(raster_like(first, array.rechunk(chunks)) for array in on_chunks(passes, layout, blocks))


def _require(passes: TwoPasses, layout: Layout, bytes_of_each_cell: float, way_out: str) -> None:
    in_hand = min(layout.largest_tile * threads_in_force(), sum(layout.heights) * sum(layout.widths))
    cells = sum(layout.heights) * sum(layout.widths)
    borders = borders_in_hand(passes, layout, threads_in_force()) if len(layout.heights) * len(layout.widths) > 1 else 0
    need = in_hand * (passes.working_bytes + passes.state_bytes) + borders * passes.border_bytes + cells * bytes_of_each_cell
    require_memory(cells, need / max(cells, 1), passes.step, way_out)


def _in_memory(passes: TwoPasses, layout: Layout, *values: Any) -> tuple[Tile, ...]:
    """Both passes over arrays in memory."""
    rasters = [np.asarray(value) for value in values if np.ndim(value) == 2]
    numbers = [value for value in values if np.ndim(value) == 0]
    places = layout.places
    shape = (sum(layout.heights), sum(layout.widths))
    results = tuple(np.empty(shape, dtype) for dtype in passes.dtypes)
    states: list[Any] = [None] * len(places)

    def begin(k: int) -> Any:
        tiles = [framed_tile(raster, places[k], around, passes.ring) for raster, around in zip(rasters, passes.around)]
        record, states[k] = passes.summarise(*tiles, *numbers, places[k])
        return record

    def end(k: int) -> None:
        tiles = passes.finish(states[k], answers[k], places[k])
        states[k] = None
        for result, tile in zip(results, tiles):
            result[places[k].rows, places[k].columns] = tile

    threads = min(threads_in_force(), len(places))
    if threads == 1:
        answers = passes.solve([begin(k) for k in range(len(places))], layout)
        for k in range(len(places)):
            end(k)
        return results
    with ThreadPoolExecutor(threads) as pool:
        answers = passes.solve(list(pool.map(begin, range(len(places)))), layout)
        list(pool.map(end, range(len(places))))
    return results


def _block(array: xr.DataArray, chunks: tuple[tuple[int, ...], ...]) -> Any:
    """The array's data in the given chunks; a number stays one."""
    return array.data if array.ndim == 0 else array.chunk(dict(zip(array.dims, chunks))).data
