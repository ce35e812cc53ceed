"""Every cell labelled by the first mark on its way down, tile by tile, whatever the tiles.

One tile follows each of its cells to a mark, to an end without one, or to the border cell by which the way leaves the tile. A graph of these
crossings tells which mark each leads to; the tile looks that up.
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
from rusle_engine.terrain.border_graph import perimeter_starts, starts_of
from rusle_kernels import stream_graph, watersheds
from rusle_kernels.borders import perimeter_size
from rusle_kernels.neighbours import NODATA_CODE

TILE_SIZE = 512


@dataclass(frozen=True)
class Ways:
    """What the graph needs of a tile: its marks as cells of the raster, its crossings (place, slot), and where ways from border cells lead."""

    marks: Array
    leaving: Array
    slots: Array
    onward: Array


@dataclass(frozen=True)
class Answer:
    """The labels of a tile's own marks, and those that its crossings lead to."""

    numbers: Array
    labels: Array


Marking = Callable[..., Array]
"""``(codes, place, *other rasters) -> marks``: all with the same rings of cells around the tile, marks 1 where a label begins."""


def summarise(padded: Array, *others: Any, marking: Marking, ring: int) -> tuple[Ways, Array]:
    """The ways through a tile, and where each cell's leads."""
    *rasters, place = others
    codes = checked_codes(padded, place)
    marks = marking(codes, place, *rasters)
    inner = slice(ring - 1, codes.shape[0] - ring + 1), slice(ring - 1, codes.shape[1] - ring + 1)
    codes, marks = np.ascontiguousarray(codes[inner]), np.ascontiguousarray(marks[inner])
    size = perimeter_size(place.height, place.width)
    found, onward = np.empty(codes.shape, np.int32), np.empty(size, np.int32)
    leaving, slots = np.empty(size, np.int32), np.empty(size, np.uint8)
    _, crossings, stuck = watersheds.ways_down(codes, steps_of_codes(place.width + 2), marks, found, leaving, slots, onward)
    if stuck:
        raise InputError(f"d8 (flow direction) leads round in circles: {stuck:,} cells drain into each other. Compute it by flow_direction.")
    rows, columns = np.nonzero(marks[1:-1, 1:-1])
    cells = (rows + np.int64(place.row)) * place.raster_width + columns + place.column
    return Ways(cells, leaving[:crossings].copy(), slots[:crossings].copy(), onward), found


def solve(records: Sequence[Ways], layout: Layout) -> list[Answer]:
    """Labels of all marks, from 1 in row-major order of the raster, and of all crossings.

    Raises
    ------
    InputError
        When directions lead round in a circle through several tiles.
    """
    mark_starts, leaving_starts = (starts_of([getattr(record, part).size for record in records]) for part in ("marks", "leaving"))
    border_starts = perimeter_starts(layout)
    marks, leaving, slots = (np.concatenate([getattr(record, part) for record in records]) for part in ("marks", "leaving", "slots"))
    numbers = np.empty(marks.size, np.int32)
    numbers[np.argsort(marks, kind="stable")] = np.arange(1, marks.size + 1)
    onward = np.concatenate([_onward(*parts) for parts in zip(records, (numbers[a:b] for a, b in pairwise(mark_starts)), leaving_starts)])
    entering = np.empty(leaving.size, np.int64)
    stream_graph.entering_places(leaving_starts, layout.row_starts, layout.column_starts, border_starts, leaving, slots, entering)
    labels = np.empty(leaving.size, np.int32)
    stuck = watersheds.follow_crossings(entering, onward, labels)
    if stuck:
        raise InputError(f"d8 (flow direction) leads round in circles: {stuck:,} steps from tile to tile never end. Compute it by flow_direction.")
    spans = zip(pairwise(mark_starts), pairwise(leaving_starts))
    return [Answer(numbers[a:b].copy(), labels[c:d].copy()) for (a, b), (c, d) in spans]


def _onward(record: Ways, numbers: Array, first_crossing: int) -> Array:
    """Where ways from a tile's border cells lead: the label of a mark, 0, or −3 − a crossing among all."""
    own = record.onward
    labels = np.concatenate([[0], numbers])[np.maximum(own, 0)].astype(np.int64)
    return np.where(own < 0, own - np.int64(first_crossing), labels)


def finish(found: Array, answer: Answer, place: Place) -> tuple[Array]:
    """The label of every cell of a tile."""
    out = np.empty((place.height, place.width), np.int32)
    watersheds.label_cells(found, answer.numbers, answer.labels, out)
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
        border_bytes=32.0,
        tile_size=TILE_SIZE,
        ring=ring,
    )
