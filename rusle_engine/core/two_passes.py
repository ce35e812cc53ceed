"""Problems that look further than a neighbourhood, tile by tile: summarise each tile, solve for all summaries at once, finish each tile.

``summarise(*tiles, place) -> (record, state)`` sees a tile with ``ring`` cells around it; the record is small (what others need to know of the
tile), the state is what finishing needs of it. ``solve(records, layout) -> answers``, one for each tile, is the only step that knows of all
tiles. ``finish(state, answer, place) -> (raster, …)``. Lazy rasters keep their chunks as tiles, with a graph of a few tasks for each; arrays
in memory are cut into tiles of a size that suits the processor's cache, and run on all threads. Which tiles cannot show in the result: that
is the promise of the three functions.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from operator import getitem
from typing import Any

import dask
import dask.array as da
import numpy as np
import xarray as xr
from dask.base import is_dask_collection, tokenize
from dask.delayed import delayed
from dask.graph_manipulation import clone
from dask.highlevelgraph import HighLevelGraph

from rusle_engine.core.memory import memory_budget, require_memory, usable_threads

Tile = np.ndarray[Any, Any]

_AROUND = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)]


@dataclass(frozen=True)
class Place:
    """Where a tile lies in the raster: its first row and column, its size, the raster's width."""

    row: int
    column: int
    height: int
    width: int
    raster_width: int

    @property
    def rows(self) -> slice:
        return slice(self.row, self.row + self.height)

    @property
    def columns(self) -> slice:
        return slice(self.column, self.column + self.width)


@dataclass(frozen=True)
class Layout:
    """How a raster is cut into tiles: the heights of their rows and the widths of their columns."""

    heights: tuple[int, ...]
    widths: tuple[int, ...]

    @classmethod
    def squares(cls, shape: tuple[int, ...], size: int) -> "Layout":
        """Square tiles, the last ones smaller."""
        cuts = [tuple(min(size, length - start) for start in range(0, length, size)) for length in shape]
        return cls(cuts[0], cuts[1])

    @property
    def row_starts(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The first row of each row of tiles, and the raster's height."""
        return np.concatenate([[0], np.cumsum(self.heights, dtype=np.int64)])

    @property
    def column_starts(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The first column of each column of tiles, and the raster's width."""
        return np.concatenate([[0], np.cumsum(self.widths, dtype=np.int64)])

    @property
    def places(self) -> list[Place]:
        """All tiles in row-major order."""
        rows, columns = self.row_starts.tolist(), self.column_starts.tolist()
        return [
            Place(row, column, height, width, columns[-1]) for row, height in zip(rows, self.heights) for column, width in zip(columns, self.widths)
        ]

    @property
    def largest_tile(self) -> int:
        return max(self.heights) * max(self.widths)

    @property
    def border_cells(self) -> int:
        """Cells on the perimeters of all tiles, about."""
        return 2 * (sum(self.heights) * len(self.widths) + sum(self.widths) * len(self.heights))


@dataclass(frozen=True)
class TwoPasses:
    """The three functions, with what they need: the value around the raster for each array, and bytes.

    ``working_bytes`` for each cell of a tile in hand; ``state_bytes`` for each cell between the passes; ``border_bytes`` for each cell of a
    tile's border while solving; ``tile_size`` that suits arrays in memory.

    *Blocks.* With ``merge`` and ``spread`` (both or neither) lazy rasters are solved in levels: tiles are grouped into blocks of some by some
    tiles, and a block is to the level above what a tile is. Which blocks cannot show in the result either.

    ``merge(records, layout, place) -> (record, state)`` sees the records of a block's tiles, row-major; ``layout`` says how the block is cut
    into them (its starts count from the block's first row and column), ``place`` where the block lies in the raster. The record is the one
    ``summarise`` would make of one tile of the block's size, so that ``solve`` and further merges take it as it is: only what touches the
    block's border is left in it. The state is what ``spread`` needs, goes to the disk like a tile's, and must be left as it was.
    ``spread(state, answer, layout, place) -> answers`` takes the answer to the block's record apart into one for each of its tiles,
    row-major, the ones that ``solve`` would have given them. Blocks at the raster's lower and right edge hold fewer tiles, perhaps one.
    """

    step: str
    summarise: Callable[..., tuple[Any, Any]]
    solve: Callable[[list[Any], Layout], Sequence[Any]]
    finish: Callable[[Any, Any, Place], tuple[Tile, ...]]
    around: tuple[Any, ...]
    dtypes: tuple[Any, ...]
    working_bytes: float
    state_bytes: float
    border_bytes: float
    tile_size: int
    merge: Callable[[list[Any], Layout, Place], tuple[Any, Any]] | None = None
    spread: Callable[[Any, Any, Layout, Place], Sequence[Any]] | None = None
    ring: int = 1
    """How many cells around a tile ``summarise`` sees; tiles narrower than that are joined for the work."""


def two_passes(passes: TwoPasses, *arrays: xr.DataArray) -> tuple[xr.DataArray, ...]:
    """Run ``passes`` over rasters (y, x) of one grid; numbers and 0-d arrays reach ``summarise`` as they are, after the tiles.

    States stay in memory between the passes when all of them fit into half of the memory budget. If not, lazy rasters are read, and
    summarised, a second time: about the double time for a memory of a few tiles.

    Raises
    ------
    MemoryBudgetError
        At once, before any work, when the tiles in hand and the border graph (in memory: the states too) exceed the memory budget.
    """
    rasters = [array for array in arrays if array.ndim == 2]
    first = rasters[0]
    lazy = [array for array in rasters if is_dask_collection(array)]
    outputs = sum(np.dtype(dtype).itemsize for dtype in passes.dtypes)
    if not lazy or lazy[0].data.npartitions == 1:
        layout = Layout.squares(first.shape, passes.tile_size)
        _require(passes, layout, passes.state_bytes + outputs)
        values = [array.data for array in arrays]
        if not any(is_dask_collection(array) for array in arrays):
            return tuple(_labelled(first, raster) for raster in _in_memory(passes, layout, *values))
        task = delayed(_in_memory, pure=True, nout=len(passes.dtypes))(passes, layout, *values)
        kinds = enumerate(passes.dtypes)
        return tuple(_labelled(first, da.from_delayed(task[i], first.shape, meta=np.empty((0, 0), dtype))) for i, dtype in kinds)
    chunks = lazy[0].data.chunks
    layout = Layout(*(_joined(sizes, passes.ring) for sizes in chunks))
    _require(passes, layout, 0.0)
    blocks = [_block(array, (layout.heights, layout.widths)) for array in arrays]
    return tuple(_labelled(first, array.rechunk(chunks)) for array in _lazily(passes, layout, blocks))


def _joined(sizes: tuple[int, ...], least: int) -> tuple[int, ...]:
    """Pieces of a side, neighbours joined so that none is shorter than ``least``, or one piece is left."""
    joined = [0]
    for size in sizes:
        if joined[-1] >= least:
            joined.append(0)
        joined[-1] += size
    if len(joined) > 1 and joined[-1] < least:
        joined[-2:] = [joined[-2] + joined[-1]]
    return tuple(joined)


def _labelled(first: xr.DataArray, data: Any) -> xr.DataArray:
    return first.copy(data=data).drop_attrs(deep=False)


def _require(passes: TwoPasses, layout: Layout, bytes_of_each_cell: float) -> None:
    in_hand = min(layout.largest_tile * usable_threads(), sum(layout.heights) * sum(layout.widths))
    cells = sum(layout.heights) * sum(layout.widths)
    borders = layout.border_cells if len(layout.heights) * len(layout.widths) > 1 else 0
    need = in_hand * (passes.working_bytes + passes.state_bytes) + borders * passes.border_bytes + cells * bytes_of_each_cell
    require_memory(cells, need / max(cells, 1), passes.step)


def _framed(values: Tile, place: Place, around: Any, ring: int) -> Tile:
    """The tile with ``ring`` cells around it, ``around`` beyond the raster."""
    framed = np.full((place.height + 2 * ring, place.width + 2 * ring), around, values.dtype)
    top, left = max(place.row - ring, 0), max(place.column - ring, 0)
    part = values[top : place.row + place.height + ring, left : place.column + place.width + ring]
    i, j = top - place.row + ring, left - place.column + ring
    framed[i : i + part.shape[0], j : j + part.shape[1]] = part
    return framed


def _threads() -> int:
    """How many threads dask would use here."""
    if dask.config.get("scheduler", None) in ("synchronous", "single-threaded", "sync"):
        return 1
    return int(dask.config.get("num_workers", None) or usable_threads())


def _in_memory(passes: TwoPasses, layout: Layout, *values: Any) -> tuple[Tile, ...]:
    """Both passes over arrays in memory."""
    rasters = [np.asarray(value) for value in values if np.ndim(value) == 2]
    numbers = [value for value in values if np.ndim(value) == 0]
    places = layout.places
    shape = (sum(layout.heights), sum(layout.widths))
    results = tuple(np.empty(shape, dtype) for dtype in passes.dtypes)
    states: list[Any] = [None] * len(places)

    def begin(k: int) -> Any:
        tiles = [_framed(raster, places[k], around, passes.ring) for raster, around in zip(rasters, passes.around)]
        record, states[k] = passes.summarise(*tiles, *numbers, places[k])
        return record

    def end(k: int) -> None:
        tiles = passes.finish(states[k], answers[k], places[k])
        states[k] = None
        for result, tile in zip(results, tiles):
            result[places[k].rows, places[k].columns] = tile

    threads = min(_threads(), len(places))
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


def _borders(tile: Tile, ring: int) -> dict[tuple[int, int], Tile]:
    """What the tiles around see of this one, by their direction seen from them: copies, so that the tile itself can be let go."""
    edges = {-1: slice(-ring, None), 0: slice(None), 1: slice(0, ring)}
    return {(down, right): tile[edges[down], edges[right]].copy() for down, right in _AROUND}


def _frame(tile: Tile, neighbours: Iterable[dict[tuple[int, int], Tile] | None], around: Any, ring: int) -> Tile:
    """``tile`` in the frame that its neighbours (in the order of ``_AROUND``, None beyond the raster) give it."""
    framed = np.full((tile.shape[0] + 2 * ring, tile.shape[1] + 2 * ring), around, tile.dtype)
    framed[ring:-ring, ring:-ring] = tile
    sides = {-1: slice(0, ring), 0: slice(ring, -ring), 1: slice(-ring, None)}
    for (down, right), borders in zip(_AROUND, neighbours):
        if borders is not None:
            framed[sides[down], sides[right]] = borders[down, right]
    return framed


def _summary(passes: TwoPasses, place: Place, tiles: list[Any], frames: list[Any], numbers: list[Any]) -> tuple[Any, Any]:
    framed = [_frame(np.asarray(tile), frame, around, passes.ring) for tile, frame, around in zip(tiles, frames, passes.around)]
    return passes.summarise(*framed, *numbers, place)


def _record(*arguments: Any) -> Any:
    """A summary whose state is thrown away."""
    return _summary(*arguments)[0]


def _finish(passes: TwoPasses, place: Place, state: Any, answer: Any) -> tuple[Tile, ...]:
    return passes.finish(state, answer, place)


def _finish_anew(passes: TwoPasses, place: Place, tiles: list[Any], frames: list[Any], numbers: list[Any], answer: Any) -> tuple[Tile, ...]:
    return passes.finish(_summary(passes, place, tiles, frames, numbers)[1], answer, place)


def _only(results: tuple[Tile]) -> Tile:
    return results[0]


def _lazily(passes: TwoPasses, layout: Layout, blocks: list[Any]) -> list[Any]:
    """The outputs as dask arrays over one graph: borders, summary, answer and finish of each tile, and one task that solves."""
    cells = sum(layout.heights) * sum(layout.widths)
    keep = cells * passes.state_bytes <= memory_budget() / 2
    name = f"{passes.step}-{tokenize(passes, layout, [getattr(block, 'name', block) for block in blocks], keep)}"
    shape = (len(layout.heights), len(layout.widths))
    indices = list(product(range(shape[0]), range(shape[1])))
    places = dict(zip(indices, layout.places))
    graph: dict[Any, Any] = {"passes-" + name: passes}  # by reference: it may hold a number for each row

    def inputs(data: list[Any], reading: str) -> dict[tuple[int, int], tuple[list[Any], list[Any], list[Any]]]:
        """For each tile: the keys of its blocks, of the borders around them, and numbers."""
        rasters = [block for block in data if np.ndim(block) == 2]
        numbers = [block.__dask_keys__()[0] if is_dask_collection(block) else block for block in data if np.ndim(block) == 0]
        for k, raster in enumerate(rasters):
            graph.update({(f"{reading}-{name}", k, *index): (_borders, (raster.name, *index), passes.ring) for index in indices})
        around = {(i, j): [(i + down, j + right) if (i + down, j + right) in places else None for down, right in _AROUND] for i, j in indices}
        return {
            index: (
                [(raster.name, *index) for raster in rasters],
                [[(f"{reading}-{name}", k, *other) if other else None for other in around[index]] for k in range(len(rasters))],
                numbers,
            )
            for index in indices
        }

    again = blocks if keep else [clone(block) if is_dask_collection(block) else block for block in blocks]
    once = inputs(blocks, "borders")
    twice = once if keep else inputs(again, "borders-again")
    for number, index in enumerate(indices):
        graph["summary-" + name, *index] = (_summary if keep else _record, "passes-" + name, places[index], *once[index])
        if keep:
            graph["record-" + name, *index] = (getitem, ("summary-" + name, *index), 0)
            graph["state-" + name, *index] = (getitem, ("summary-" + name, *index), 1)
        graph["answer-" + name, *index] = (getitem, "solve-" + name, number)
        given = (("state-" + name, *index),) if keep else twice[index]
        finishing = (_finish if keep else _finish_anew, "passes-" + name, places[index], *given, ("answer-" + name, *index))
        if len(passes.dtypes) == 1:
            graph[f"{name}-0", *index] = (_only, finishing)
            continue
        graph["finish-" + name, *index] = finishing
        for k in range(len(passes.dtypes)):
            graph[f"{name}-{k}", *index] = (getitem, ("finish-" + name, *index), k)
    records = ("record-" if keep else "summary-") + name
    graph["solve-" + name] = (passes.solve, [(records, *index) for index in indices], layout)
    sources = [block for block in [*blocks, *again] if is_dask_collection(block)]
    chunks = (layout.heights, layout.widths)
    return [
        da.Array(HighLevelGraph.from_collections(f"{name}-{k}", graph, sources), f"{name}-{k}", chunks, meta=np.empty((0, 0), dtype))
        for k, dtype in enumerate(passes.dtypes)
    ]
