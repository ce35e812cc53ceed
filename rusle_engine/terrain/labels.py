"""Every cell labelled by the first mark on its way down, tile by tile, whatever the tiles, solved block by block.

One tile follows each of its cells to a mark, to an end without one, or to the border cell by which the way leaves the tile, a *crossing*. In a
*block*, a rectangle of tiles, what leaves one tile enters the next, until it ends at a mark or leaves the block. Tiles, blocks and the raster
number their marks alike, from 1 in row-major order, and tell how many there are in each row: so a block turns its tiles' numbers into its own,
and its record has the form of a tile's. Blocks of blocks are merged in the same way, as many levels as there are; the numbers of the last block,
the whole raster, are the labels. They go back as the label of the first mark in each row, and those that crossings lead to.

``merge(records, layout, place) -> (record, state)`` takes the records of a block's tiles (or smaller blocks), how the block is cut into them,
and where it lies in the raster; ``spread(state, answer) -> answers`` gives each of them its labels. ``solve(records, layout)`` is both for the
whole raster as one block.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Layout, Place, TwoPasses
from rusle_engine.terrain.accumulation import Array, checked_codes, steps_of_codes
from rusle_engine.terrain.border_graph import index_type, perimeter_starts, starts_of
from rusle_kernels import stream_graph, watersheds
from rusle_kernels.borders import perimeter_size
from rusle_kernels.neighbours import NODATA_CODE

TILE_SIZE = 512
BORDER_BYTES = 24.0
"""Bytes of each border cell of a tile in the graph: where its way ends, half a crossing, a quarter of a row (measured: 20)."""
MOST_LABELS = 2**31 - 1
"""What labels of 32 bits tell apart."""


@dataclass(frozen=True)
class Ways:
    """What the graph needs of a tile or a block.

    How many marks each row has, the border cells that lead into other tiles (place, slot), and where the way from each border cell ends: the
    number of a mark, 0 without one, −3 − k where it leaves by the k-th crossing.
    """

    counts: Array
    leaving: Array
    slots: Array
    onward: Array


@dataclass(frozen=True)
class TileWays:
    """A tile between the passes: where each cell's way ends (padded), as in ``Ways``, and how many marks each row has."""

    found: Array
    counts: Array


@dataclass(frozen=True)
class BlockWays:
    """A block between merging and spreading.

    Its layout; how many marks each row has in each column of tiles; where each tile's crossings begin, and where the way of each ends.
    """

    layout: Layout
    counts: Array
    leaving_starts: Array
    ends: Array


@dataclass(frozen=True)
class Labels:
    """What the graph says to a tile or a block: the label of the first mark of each row, and the label that each crossing leads to."""

    firsts: Array
    beyond: Array


Marking = Callable[..., Array]
"""``(codes, place, *other rasters) -> marks``: all with the same rings of cells around the tile, marks 1 where a label begins."""


def summarise(padded: Array, *others: Any, marking: Marking, ring: int) -> tuple[Ways, TileWays]:
    """The ways through a tile, and where each cell's leads."""
    *rasters, place = others
    codes = checked_codes(padded, place)
    marks = marking(codes, place, *rasters)
    inner = slice(ring - 1, codes.shape[0] - ring + 1), slice(ring - 1, codes.shape[1] - ring + 1)
    codes, marks = np.ascontiguousarray(codes[inner]), np.ascontiguousarray(marks[inner])
    size = perimeter_size(place.height, place.width)
    found, counts, onward = np.empty(codes.shape, np.int32), np.empty(place.height, np.int32), np.empty(size, np.int32)
    leaving, slots = np.empty(size, np.int32), np.empty(size, np.uint8)
    crossings, stuck = watersheds.ways_down(codes, steps_of_codes(place.width + 2), marks, found, counts, leaving, slots, onward)
    if stuck:
        raise InputError(f"d8 (flow direction) leads round in circles: {stuck:,} cells drain into each other. Compute it by flow_direction.")
    return Ways(counts, leaving[:crossings].copy(), slots[:crossings].copy(), onward), TileWays(found, counts)


def merge(records: Sequence[Ways], layout: Layout, place: Place) -> tuple[Ways, BlockWays]:
    """The ways through the block at ``place``, and those inside it.

    Raises
    ------
    InputError
        When directions lead round in a circle through several of the tiles.
    """
    cuts = layout.row_starts, layout.column_starts
    leaving_starts, border_starts = starts_of([record.leaving.size for record in records]), perimeter_starts(layout)
    leaving, slots = (np.concatenate([getattr(record, part) for record in records]) for part in ("leaving", "slots"))
    counts = _counts_of_columns(records, layout)
    onward = _onward_in_block(records, counts, layout, leaving_starts, border_starts)
    index = onward.dtype
    entering, ends = np.empty(leaving.size, index), np.empty(leaving.size, index)
    stream_graph.entering_places(leaving_starts, *cuts, border_starts, leaving, slots, entering)
    stuck = watersheds.follow_crossings(entering, onward, ends)
    if stuck:
        raise InputError(f"d8 (flow direction) leads round in circles: {stuck:,} steps from tile to tile never end. Compute it by flow_direction.")

    outwards = np.flatnonzero(entering < 0)
    outer = np.empty(outwards.size, index)
    stream_graph.outer_places(leaving_starts, *cuts, leaving, entering, outer)
    places = np.empty(perimeter_size(place.height, place.width), index)
    stream_graph.perimeter_places(*cuts, border_starts, places)
    through = np.empty(places.size, index)
    watersheds.ends_through(onward, ends, places, through)
    return Ways(counts.sum(axis=0, dtype=np.int32), outer, slots[outwards], through), BlockWays(layout, counts, leaving_starts, ends)


def _onward_in_block(records: Sequence[Ways], counts: Array, layout: Layout, leaving_starts: Array, border_starts: Array) -> Array:
    """Where the way from each border cell of all tiles ends in its tile, in the block's numbers of marks and crossings."""
    firsts = _firsts(counts.sum(axis=0))
    greatest = max(int(firsts[-1]) - 1, 3 + int(border_starts[-1]))
    onward = np.empty(int(border_starts[-1]), index_type(greatest))
    of_tiles = zip(records, _firsts_of_tiles(counts, firsts, layout), leaving_starts, pairwise(border_starts))
    for record, new_firsts, crossings_before, (first, last) in of_tiles:
        watersheds.onward_in_block(record.onward, _firsts(record.counts), new_firsts, crossings_before, onward[first:last])
    return onward


def _counts_of_columns(records: Sequence[Ways], layout: Layout) -> Array:
    """How many marks each row of a block has in each column of tiles."""
    columns = len(layout.widths)
    return np.array([np.concatenate([record.counts for record in records[column::columns]]) for column in range(columns)], np.int32)


def _firsts(counts: Array) -> Array:
    """The number of the first mark in each row, where rows have so many marks; and one more, which comes after the last mark."""
    return np.concatenate([[1], 1 + np.cumsum(counts, dtype=np.int64)])


def _firsts_of_tiles(counts: Array, firsts: Array, layout: Layout) -> list[Array]:
    """For each tile of a block the number of its first mark in each of its rows, where ``firsts`` are those of the block."""
    before = np.cumsum(counts, axis=0, dtype=firsts.dtype) - counts
    of_columns = before + firsts[: counts.shape[1]]
    return [column[first:last].copy() for first, last in pairwise(layout.row_starts) for column in of_columns]


def spread(state: BlockWays, answer: Labels) -> list[Labels]:
    """The labels for each tile of the block, where ``answer`` tells those for the block."""
    labels = np.empty(state.ends.size, np.int32)
    watersheds.label_crossings(state.ends, _firsts(state.counts.sum(axis=0)), answer.firsts, answer.beyond, labels)
    of_tiles = zip(_firsts_of_tiles(state.counts, answer.firsts, state.layout), pairwise(state.leaving_starts))
    return [Labels(firsts, labels[first:last].copy()) for firsts, (first, last) in of_tiles]


def solve(records: Sequence[Ways], layout: Layout) -> list[Labels]:
    """The labels for each tile: the whole raster as one block, which no way leaves.

    Raises
    ------
    InputError
        When directions lead round in a circle through several tiles, or there are more marks than labels.
    """
    height, width = sum(layout.heights), sum(layout.widths)
    record, state = merge(records, layout, Place(0, 0, height, width, width))
    assert record.leaving.size == 0
    return spread(state, labels_of_the_raster(record.counts))


def labels_of_the_raster(counts: Array) -> Labels:
    """The labels for the whole raster, whose rows have so many marks.

    Raises
    ------
    InputError
        When there are more marks than labels.
    """
    firsts = _firsts(counts)
    marks = int(firsts[-1]) - 1
    if marks > MOST_LABELS:
        raise InputError(
            f"the raster falls into {marks:,} pieces (basins, sub_basins); at most {MOST_LABELS:,} can be labelled in 32 bits. "
            f"Raise min_cells of sub_basins, or label the raster part by part."
        )
    return Labels(firsts[:-1].astype(np.int32), np.empty(0, np.int32))


def finish(state: TileWays, answer: Labels, place: Place) -> tuple[Array]:
    """The label of every cell of a tile."""
    firsts = _firsts(state.counts)
    numbers = np.arange(1, firsts[-1], dtype=np.int32)
    numbers += np.repeat(answer.firsts - firsts[:-1].astype(np.int32), state.counts)
    out = np.empty((place.height, place.width), np.int32)
    watersheds.label_cells(state.found, numbers, answer.beyond, out)
    return (out,)


def labels_downstream(step: str, marking: Marking, *, around: tuple[Any, ...] = (NODATA_CODE,), ring: int = 1) -> TwoPasses:
    """Two passes that label every cell by the first mark of ``marking`` on its way down; 0 where there is none."""
    return TwoPasses(
        step=step,
        summarise=partial(summarise, marking=marking, ring=ring),
        solve=solve,
        finish=finish,
        around=around,
        dtypes=(np.dtype(np.int32),),
        working_bytes=12.0 + 8.0 * len(around),
        state_bytes=4.0,
        border_bytes=BORDER_BYTES,
        tile_size=TILE_SIZE,
        merge=merge,
        spread=spread,
        ring=ring,
    )
