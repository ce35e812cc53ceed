"""What crosses the borders of tiles along flow directions: sums, or longest paths, over the graph of all crossings, solved block by block.

A tile says which of its border cells lead into other tiles with how much, and where what enters at a border cell leaves again. In a *block*, a
rectangle of tiles, what leaves one tile enters the next; the block as a whole again has crossings at its own perimeter. Its record has the form
of a tile's, so blocks of blocks are merged in the same way, as many levels as there are; the last block is the whole raster, which nothing
enters. From it inflows go back the same way.

``merge(records, layout, place) -> (record, state)`` takes the records of a block's tiles (or smaller blocks), how the block is cut into them,
and where it lies in the raster; ``spread(state, inflow) -> inflows`` gives each of them what enters along its perimeter. ``solve(records,
layout)`` is both for the whole raster as one block. Sums are in integers and lengths in multiples of one unit: the levels cannot show.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Layout, Place
from rusle_engine.terrain.border_graph import index_type, perimeter_starts, starts_of
from rusle_kernels import stream_graph
from rusle_kernels.borders import perimeter_size

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Crossings:
    """What a graph needs of a tile or a block.

    Border cells that lead into other tiles (place, slot, amount), and the one onward of each border cell, −1 where its way ends. ``through`` is
    how much what enters at a border cell grows on its way, and then the greatest of what meets counts; without it what meets adds up.
    """

    leaving: Array
    slots: Array
    amounts: Array
    onward: Array
    through: Array | None = None


@dataclass(frozen=True)
class BlockCrossings:
    """A block between merging and spreading.

    Its layout and place; of each crossing between its tiles where it arrives among all border cells (−1 outside the block) and what its own tile
    sends; of all border cells the crossing onward, and ``through`` (empty where amounts add up).
    """

    layout: Layout
    place: Place
    entering: Array
    amounts: Array
    onward: Array
    through: Array


def merge(records: Sequence[Crossings], layout: Layout, place: Place) -> tuple[Crossings, BlockCrossings]:
    """The crossings of the block at ``place``, and those inside it.

    Raises
    ------
    InputError
        When directions lead round in a circle through several of the tiles.
    """
    cuts = layout.row_starts, layout.column_starts
    leaving_starts, border_starts = starts_of([record.leaving.size for record in records]), perimeter_starts(layout)
    leaving, slots, amounts = (np.concatenate([getattr(record, part) for record in records]) for part in ("leaving", "slots", "amounts"))
    through = np.concatenate([np.empty(0) if record.through is None else record.through for record in records])
    index = index_type(int(border_starts[-1]))
    onward = np.concatenate([np.where(r.onward >= 0, r.onward + first, -1).astype(index) for r, first in zip(records, leaving_starts)])
    entering = np.empty(leaving.size, index)
    stream_graph.entering_places(leaving_starts, *cuts, border_starts, leaving, slots, entering)
    state = BlockCrossings(layout, place, entering, amounts, onward, through)

    total, _, ready = _crossed(state, amounts.copy(), np.zeros(int(border_starts[-1]), amounts.dtype))
    outwards = np.flatnonzero(entering < 0)
    outer = np.empty(outwards.size, index)
    stream_graph.outer_places(leaving_starts, *cuts, leaving, entering, outer)
    places = _perimeter_places(state)
    onward_out, through_out = np.empty(places.size, index), np.empty(places.size if through.size else 0)
    spaces = np.empty(entering.size, index), np.empty(entering.size if through.size else 0)
    stream_graph.ways_through(entering, onward, through, ready, *spaces, places, onward_out, through_out)
    return Crossings(outer, slots[outwards], total[outwards], onward_out, through_out if through.size else None), state


def _perimeter_places(state: BlockCrossings) -> Array:
    """Among the borders of all tiles, the places of the block's perimeter."""
    layout, border_starts = state.layout, perimeter_starts(state.layout)
    places = np.empty(perimeter_size(state.place.height, state.place.width), state.onward.dtype)
    stream_graph.perimeter_places(layout.row_starts, layout.column_starts, border_starts, places)
    return places


def _crossed(state: BlockCrossings, amounts: Array, inflow: Array) -> tuple[Array, Array, Array]:
    """All that crosses at each crossing and all that enters at each border cell, in place; and the crossings from above downwards."""
    waiting, ready = np.zeros(amounts.size, state.entering.dtype), np.empty(amounts.size, state.entering.dtype)
    if state.through.size:
        stuck = stream_graph.greatest_crossings(state.entering, state.onward, state.through, amounts, waiting, ready, inflow)
    else:
        stuck = stream_graph.sum_crossings(state.entering, state.onward, amounts, waiting, ready, inflow)
    if stuck:
        raise InputError(f"d8 (flow direction) leads round in circles: {stuck:,} steps from tile to tile never end. Compute it by flow_direction.")
    return amounts, inflow, ready


def spread(state: BlockCrossings, inflow: Array) -> list[Array]:
    """What enters each tile of the block along its perimeter, where ``inflow`` enters the block along its own; 0 where nothing does."""
    border_starts, amounts = perimeter_starts(state.layout), state.amounts.copy()
    entered = np.flatnonzero(inflow)
    places = _perimeter_places(state)[entered]
    enters = np.zeros(state.onward.size, amounts.dtype)
    enters[places] = inflow[entered]
    goes_on = places[state.onward[places] >= 0]
    if state.through.size:
        np.maximum.at(amounts, state.onward[goes_on], enters[goes_on] + state.through[goes_on])
    else:
        np.add.at(amounts, state.onward[goes_on], enters[goes_on])
    _crossed(state, amounts, enters)
    return [enters[first:last].copy() for first, last in pairwise(border_starts)]


def solve(records: Sequence[Crossings], layout: Layout) -> list[Array]:
    """What enters each tile along its perimeter: the whole raster as one block, which nothing enters.

    Raises
    ------
    InputError
        When directions lead round in a circle through several tiles.
    """
    height, width = sum(layout.heights), sum(layout.widths)
    record, state = merge(records, layout, Place(0, 0, height, width, width))
    return spread(state, np.zeros(record.onward.size, record.amounts.dtype))
