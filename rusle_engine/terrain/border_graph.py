"""The drainage tree beyond one tile: one graph of the tiles' terminals, solved block by block.

A *block* is a rectangle of tiles. What a tile does with its basins, a block does with its nodes, the terminals of its tiles: it settles the
edges that no other block can change and hands on the nodes at its own perimeter, with the edges that may join them. Its record has the form
of a tile's, so blocks of blocks are merged in the same way, as many levels as there are; the last block is the whole raster, which touches no
other. From it answers go back the same way.

``merge(records, layout, place) -> (record, state)`` takes the records of a block's tiles (or smaller blocks), how the block is cut into them,
and where it lies in the raster; ``spread(state, answer) -> answers`` gives each of them its answer.
``solve(records, layout)`` is both for the whole raster as one block. Every choice is by (height, cell, lower end) as in one tree of all cells:
the levels cannot show.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from rusle_engine.core.lift import Layout, Place
from rusle_kernels import basin_graph, basins
from rusle_kernels.borders import perimeter_size

Array = np.ndarray[Any, Any]

_DROPPED, _KEPT, _LINK, _CROSSING = range(4)


@dataclass(frozen=True)
class TileEdges:
    """Edges between basins: their height, cell and slot, and the two basins or nodes."""

    keys: Array
    cells: Array
    slots: Array
    own: Array
    other: Array

    def chosen(self, which: Array | slice) -> "TileEdges":
        return TileEdges(self.keys[which], self.cells[which], self.slots[which], self.own[which], self.other[which])


@dataclass(frozen=True)
class TileRecord:
    """What a graph needs of a tile or a block: how many terminals (and 1), which is at each cell of the perimeter, and the edges that may be in
    the tree: between terminals, or (−1) to another tile."""

    terminals: int
    border: Array
    edges: TileEdges


@dataclass(frozen=True)
class TileAnswer:
    """What a graph says to a tile or a block: water levels of its terminals and of the ring, links that are in the tree, and where terminals
    exit."""

    level: Array
    ring_level: Array
    links: Array
    exit_cells: Array
    exit_slots: Array


@dataclass(frozen=True)
class BlockState:
    """A block between merging and spreading.

    How it is cut and where it lies; where the nodes of each tile begin; the nodes of the tiles' perimeters; the edges that are in the tree or
    are links of the block; the node of each terminal; and of each tile's links, which are in the tree or links of the block.
    """

    layout: Layout
    place: Place
    node_starts: Array
    borders: Array
    edges: TileEdges
    crossing: Array
    is_link: Array
    terminal_nodes: Array
    link_starts: Array
    link_roles: Array


def index_type(count: int) -> Any:
    """The integer that can count to ``count``: 32 bits where they do, for they are half the memory."""
    return np.int32 if count < 2**31 else np.int64


def order_of(keys: Array, index: Any) -> Array:
    """The stable order of ``keys``."""
    order = np.empty(keys.size, index)
    if keys.size:
        basins.sort_by_key(keys, order, np.empty(keys.size, index))
    return order


def starts_of(sizes: Sequence[int]) -> Array:
    """Where each of consecutive parts begins, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])


def perimeter_starts(layout: Layout) -> Array:
    """Where the perimeter of each tile begins among those of all."""
    return starts_of([perimeter_size(height, width) for height in layout.heights for width in layout.widths])


def merge(records: Sequence[TileRecord], layout: Layout, place: Place) -> tuple[TileRecord, BlockState]:
    """What the block at ``place`` knows of the drainage tree by itself."""
    node_starts = starts_of([record.terminals - 1 for record in records])  # terminal t of a tile is node start + t
    rows, columns = layout.row_starts + place.row, layout.column_starts + place.column
    border_starts = perimeter_starts(layout)
    nodes = int(node_starts[-1]) + 1
    index = index_type(nodes)
    borders = np.concatenate([np.where(r.border > 0, r.border + first, 0).astype(index) for r, first in zip(records, node_starts)])
    edges = _all_edges(records)
    crossing = np.empty(edges.keys.size, bool)
    edge_starts = starts_of([record.edges.keys.size for record in records])
    ends = borders, edges.cells, edges.slots, edges.own, edges.other, crossing
    basin_graph.join_ends(place.raster_width, edge_starts, node_starts, rows, columns, border_starts, *ends)

    terminal, border = np.empty(nodes, np.int64), np.empty(perimeter_size(place.height, place.width), np.int64)
    terminals = basin_graph.number_terminals(rows, columns, border_starts, borders, terminal, border)
    terminal_nodes = np.empty(terminals, np.int64)
    terminal_nodes[terminal[terminal >= 0]] = np.flatnonzero(terminal >= 0)
    role = _choose(edges, terminal)

    asked = np.flatnonzero(role >= _LINK)
    other = np.where(edges.other[asked] >= 0, terminal[np.maximum(edges.other[asked], 0)], -1)
    handed_on = TileEdges(edges.keys[asked], edges.cells[asked], edges.slots[asked], terminal[edges.own[asked]].astype(index), other.astype(index))
    kept = np.flatnonzero((role == _KEPT) | (role == _LINK))
    between = TileEdges(edges.keys[kept], edges.cells[kept], edges.slots[kept], edges.own[kept].astype(index), edges.other[kept].astype(index))
    links = np.flatnonzero(~crossing)
    link_starts = np.searchsorted(links, edge_starts)
    is_link = role[kept] == _LINK
    state = BlockState(layout, place, node_starts, borders, between, crossing[kept], is_link, terminal_nodes, link_starts, role[links])
    return TileRecord(terminals, border.astype(index), handed_on), state


def _all_edges(records: Sequence[TileRecord]) -> TileEdges:
    """The edges of all tiles, their ends in integers that can count all nodes."""
    keys, cells, slots = (np.concatenate([getattr(record.edges, part) for record in records]) for part in ("keys", "cells", "slots"))
    own, other = (np.concatenate([getattr(record.edges, end) for record in records]).astype(np.int64) for end in ("own", "other"))
    return TileEdges(keys, cells, slots, own, other)


def _choose(edges: TileEdges, terminal: Array) -> Array:
    """The role of each edge, by Kruskal's algorithm; names in ``terminal`` the terminal through which each node drains."""
    order = order_of(edges.cells, np.int64)
    order = order[order_of(edges.keys[order], np.int64)]
    role = np.empty(edges.keys.size, np.uint8)
    spaces = [np.empty(terminal.size, np.int64) for _ in range(3)]
    basins.spanning_forest(order, edges.keys, edges.own, edges.other, *spaces, terminal, np.empty(terminal.size, edges.keys.dtype), role)
    return role


def spread(state: BlockState, answer: TileAnswer) -> list[TileAnswer]:
    """The answers to the block's tiles."""
    layout, place, edges = state.layout, state.place, state.edges
    rows, columns = layout.row_starts + place.row, layout.column_starts + place.column
    border_starts = perimeter_starts(layout)
    in_tree = np.ones(edges.keys.size, bool)
    in_tree[state.is_link] = answer.links
    level, exit_cells, exit_slots = _drained(state, answer, np.flatnonzero(in_tree))
    accepted = state.link_roles == _KEPT
    accepted[state.link_roles == _LINK] = answer.links[~state.crossing[state.is_link]]

    answers = []
    for tile, (first, last) in enumerate(pairwise(state.node_starts)):
        here = slice(first + 1, last + 1)
        tile_row, tile_column = divmod(tile, len(layout.widths))
        ring = np.empty(perimeter_size(layout.heights[tile_row] + 2, layout.widths[tile_column] + 2), edges.keys.dtype)
        basin_graph.ring_levels(tile_row, tile_column, rows, columns, border_starts, state.borders, level, answer.ring_level, ring)
        links = accepted[state.link_starts[tile] : state.link_starts[tile + 1]].copy()
        answers.append(TileAnswer(np.concatenate([level[:1], level[here]]), ring, links, exit_cells[here].copy(), exit_slots[here].copy()))
    return answers


def _drained(state: BlockState, answer: TileAnswer, in_tree: Array) -> tuple[Array, Array, Array]:
    """Water level of each node of the block, and the cell and slot by which it leaves its tile."""
    edges, nodes = state.edges, int(state.node_starts[-1]) + 1
    level = np.full(nodes, answer.level[0], edges.keys.dtype)
    exit_cells, exit_slots = np.full(nodes, -1, np.int64), np.zeros(nodes, np.uint8)
    leaving = np.flatnonzero(answer.exit_cells >= 0)
    exits = state.terminal_nodes[leaving + 1]
    level[exits], exit_cells[exits], exit_slots[exits] = answer.level[leaving + 1], answer.exit_cells[leaving], answer.exit_slots[leaving]
    spaces = np.empty(nodes + 1, np.int64), np.empty(2 * in_tree.size, np.int64), np.empty(nodes, np.int64)
    ends = edges.keys, edges.cells, edges.slots, edges.own, edges.other, state.crossing
    reached = basin_graph.drain_nodes(state.place.raster_width, in_tree, *ends, exits, *spaces, level, exit_cells, exit_slots)
    assert reached == nodes  # every terminal has a way out
    return level, exit_cells, exit_slots


def solve(records: Sequence[TileRecord], layout: Layout) -> list[TileAnswer]:
    """The tree over the terminals of all tiles, rooted outside: the whole raster as one block, which touches no other."""
    height, width = sum(layout.heights), sum(layout.widths)
    place = Place(0, 0, height, width, width)
    record, state = merge(records, layout, place)
    return spread(state, beyond(record, place))


def beyond(record: TileRecord, place: Place) -> TileAnswer:
    """The answer to the whole raster: outside it no water stands, and nothing leads there but the outside itself."""
    assert record.terminals == 1
    assert record.edges.keys.size == 0
    kind = record.edges.keys.dtype
    outside = np.full(perimeter_size(place.height + 2, place.width + 2), np.iinfo(kind).min, kind)
    return TileAnswer(outside[:1], outside, np.empty(0, bool), np.empty(0, np.int64), np.empty(0, np.uint8))
