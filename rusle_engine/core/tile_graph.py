"""Two passes over the chunks of lazy rasters, as a graph of a few tasks for each.

States stay in memory where all fit, else they go to the disk. Where the passes know how, chunks are cut into tiles that suit the processor's
cache, and records are merged block by block, so that no task ever holds those of all tiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from operator import getitem
from typing import Any

import dask.array as da
import numpy as np
from dask.base import is_dask_collection, tokenize

from rusle_engine.core.frames import Frames, frame, layered, planned, shared_scratch
from rusle_engine.core.memory import memory_budget
from rusle_engine.core.scratch import Scratch, Spilled
from rusle_engine.core.tiles import Layout, Place, Tile, TwoPasses

BLOCK = 8
"""Tiles along a side of a block, and blocks along a side of a block of the next level."""
_Index = tuple[int, int]


def borders_in_hand(passes: TwoPasses, layout: Layout, threads: int) -> int:
    """How many border cells' graphs are in memory at a time: of all tiles, or of a block for each thread and of all blocks."""
    if passes.merge is None or len(layout.heights) * len(layout.widths) <= BLOCK * BLOCK:
        return layout.border_cells
    of_a_block = 2 * BLOCK * BLOCK * (max(layout.heights) + max(layout.widths))
    above = Layout(_sums(layout.heights), _sums(layout.widths))
    return min(layout.border_cells, threads * of_a_block + borders_in_hand(passes, above, threads))


def on_chunks(passes: TwoPasses, layout: Layout, blocks: list[Any]) -> list[Any]:
    """The outputs as dask arrays over one graph. ``blocks`` are lazy rasters in the chunks of ``layout``, and numbers (lazy or not)."""
    rasters = [block for block in blocks if np.ndim(block) == 2]
    numbers = [block for block in blocks if np.ndim(block) == 0]
    cells = sum(layout.heights) * sum(layout.widths)
    states = int(cells * passes.state_bytes)
    inputs = sum(raster.size * raster.dtype.itemsize for raster in rasters)
    before, spilled = planned(rasters)
    in_memory = before + states + inputs <= memory_budget() / 4
    name = f"{passes.step}-{tokenize(passes, layout, [getattr(block, 'name', block) for block in blocks], in_memory, BLOCK)}"
    frames = [Frames(raster, passes.ring, passes.step, on_disk=not in_memory) for raster in rasters]
    scratch = None if in_memory else shared_scratch(name, passes.step, states + inputs + spilled)
    graph = _Graph(name, passes, layout, scratch)
    graph.add_tasks(frames, [block.__dask_keys__()[0] if is_dask_collection(block) else block for block in numbers])
    sources = [*(each.source for each in frames), *(number for number in numbers if is_dask_collection(number))]
    kept = {"memory": states + inputs} if in_memory else {"disk": states}
    chunks = (layout.heights, layout.widths)
    steps = da.Array(layered(name, graph.tasks, sources, **kept), name, chunks, meta=np.empty((0, 0)))
    return [
        da.Array(layered(f"{name}-{k}", graph.results(k), [steps]), f"{name}-{k}", chunks, meta=np.empty((0, 0), dtype))
        for k, dtype in enumerate(passes.dtypes)
    ]


class _Graph:
    """The tasks of one step: summary, record, state, answer and finish of each tile, merging and spreading of each block, and one that solves."""

    def __init__(self, name: str, passes: TwoPasses, layout: Layout, scratch: Scratch | None):
        self._name, self._layout, self._passes = name, layout, passes
        self._scratch = None if scratch is None else "scratch-" + name
        self.tasks: dict[Any, Any] = {"passes-" + name: passes}  # by reference: it may hold a number for each row
        if scratch is not None:
            self.tasks["scratch-" + name] = scratch

    def _key(self, kind: str, level: int, index: _Index) -> tuple[Any, ...]:
        return (f"{kind}-{self._name}", level, *index)

    def add_tasks(self, frames: Sequence[Frames], numbers: list[Any]) -> None:
        """Everything but the results."""
        places = dict(zip(_indices(self._layout), self._layout.places))
        for index, place in places.items():
            of_tile = [each.of(*index) for each in frames]
            tiles, neighbours = [tile for tile, _ in of_tile], [around for _, around in of_tile]
            self._two_parts(0, index, (_summarised, "passes-" + self._name, self._scratch, place, tiles, neighbours, numbers))
        self._solve(0, self._layout)
        for index, place in places.items():
            state, answer = self._key("state", 0, index), self._key("answer", 0, index)
            self.tasks[self._name, *index] = (_finished, "passes-" + self._name, place, state, answer)

    def results(self, k: int) -> dict[Any, Any]:
        """The tiles of output ``k``."""
        return {(f"{self._name}-{k}", *index): (getitem, (self._name, *index), k) for index in _indices(self._layout)}

    def _two_parts(self, level: int, index: _Index, task: tuple[Any, ...]) -> None:
        """A task that gives a record and a state, and the two apart: one is needed soon, the other late."""
        both = self._key("summary", level, index)
        self.tasks[both] = task
        self.tasks[self._key("record", level, index)] = (getitem, both, 0)
        self.tasks[self._key("state", level, index)] = (getitem, both, 1)

    def _solve(self, level: int, layout: Layout) -> None:
        """Answers to the tiles of ``layout``, which are blocks where ``level`` is above 0."""
        indices = _indices(layout)
        records = [self._key("record", level, index) for index in indices]
        if self._passes.merge is None or len(indices) <= BLOCK * BLOCK:
            self.tasks["solve-" + self._name] = (self._passes.solve, records, layout)
            self._take_apart(level, indices, "solve-" + self._name)
            return
        above = Layout(_sums(layout.heights), _sums(layout.widths))
        members = _members(layout)
        for index, place in zip(_indices(above), above.places):
            inner = Layout(layout.heights[index[0] * BLOCK :][:BLOCK], layout.widths[index[1] * BLOCK :][:BLOCK])
            inside = [self._key("record", level, member) for member in members[index]]
            self._two_parts(level + 1, index, (_merged, "passes-" + self._name, self._scratch, inside, inner, place))
        self._solve(level + 1, above)
        for index in _indices(above):
            spread = self._key("spread", level, index)
            state, answer = self._key("state", level + 1, index), self._key("answer", level + 1, index)
            self.tasks[spread] = (_spread, "passes-" + self._name, state, answer)
            self._take_apart(level, members[index], spread)

    def _take_apart(self, level: int, indices: list[_Index], answers: Any) -> None:
        for number, index in enumerate(indices):
            self.tasks[self._key("answer", level, index)] = (getitem, answers, number)


def _indices(layout: Layout) -> list[_Index]:
    """Of all tiles, row-major."""
    return list(product(range(len(layout.heights)), range(len(layout.widths))))


def _sums(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The sizes of blocks of tiles of these sizes."""
    return tuple(sum(sizes[first : first + BLOCK]) for first in range(0, len(sizes), BLOCK))


def _members(layout: Layout) -> dict[_Index, list[_Index]]:
    """The tiles of each block, row-major."""
    members: dict[_Index, list[_Index]] = {}
    for i, j in _indices(layout):
        members.setdefault((i // BLOCK, j // BLOCK), []).append((i, j))
    return members


def _put(scratch: Scratch | None, state: Any) -> Any:
    return state if scratch is None else scratch.put(state)


def _got(state: Any) -> Any:
    return state.get() if isinstance(state, Spilled) else state


def _summarised(
    passes: TwoPasses, scratch: Scratch | None, place: Place, tiles: list[Any], neighbours: list[Any], numbers: list[Any]
) -> tuple[Any, Any]:
    framed = [frame(tile, others, around, passes.ring) for tile, others, around in zip(tiles, neighbours, passes.around)]
    pieces = Layout.squares((place.height, place.width), passes.tile_size)
    if passes.merge is None or len(pieces.places) == 1:
        record, state = passes.summarise(*framed, *numbers, place)
    else:
        record, state = _in_pieces(passes, pieces, framed, numbers, place)
    return record, _put(scratch, state)


@dataclass(frozen=True)
class _Pieces:
    """A chunk between the passes, taken as a block of tiles that suit the processor's cache."""

    layout: Layout
    states: list[Any]
    block: Any


def _in_pieces(passes: TwoPasses, layout: Layout, framed: list[Tile], numbers: list[Any], place: Place) -> tuple[Any, _Pieces]:
    assert passes.merge is not None
    both = []
    for piece in layout.places:
        rows = slice(piece.row, piece.row + piece.height + 2 * passes.ring)
        columns = slice(piece.column, piece.column + piece.width + 2 * passes.ring)
        windows = (np.ascontiguousarray(tile[rows, columns]) for tile in framed)
        both.append(passes.summarise(*windows, *numbers, _in_raster(piece, place)))
    record, block = passes.merge([record for record, _ in both], layout, place)
    return record, _Pieces(layout, [state for _, state in both], block)


def _in_raster(piece: Place, place: Place) -> Place:
    """Where a piece of the tile at ``place`` lies."""
    return Place(place.row + piece.row, place.column + piece.column, piece.height, piece.width, place.raster_width)


def _merged(passes: TwoPasses, scratch: Scratch | None, records: list[Any], layout: Layout, place: Place) -> tuple[Any, Any]:
    assert passes.merge is not None
    record, state = passes.merge(records, layout, place)
    return record, _put(scratch, state)


def _spread(passes: TwoPasses, state: Any, answer: Any) -> Sequence[Any]:
    assert passes.spread is not None
    return passes.spread(_got(state), answer)


def _finished(passes: TwoPasses, place: Place, state: Any, answer: Any) -> tuple[Tile, ...]:
    found = _got(state)
    if not isinstance(found, _Pieces):
        return passes.finish(found, answer, place)
    assert passes.spread is not None
    results = tuple(np.empty((place.height, place.width), dtype) for dtype in passes.dtypes)
    for piece, part, said in zip(found.layout.places, found.states, passes.spread(found.block, answer)):
        for result, tile in zip(results, passes.finish(part, said, _in_raster(piece, place))):
            result[piece.rows, piece.columns] = tile
    return results
