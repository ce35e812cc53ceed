"""The graph over the borders of all tiles that the drainage tree needs: which edges between terminals belong to it, and how high water stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rusle_engine.core.lift import Layout
from rusle_kernels import basin_graph, basins
from rusle_kernels.borders import perimeter_size

Array = np.ndarray[Any, Any]


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
    """What the graph needs of a tile: how many terminals, which is at each cell of the perimeter, and the edges that may be in the tree."""

    terminals: int
    border: Array
    edges: TileEdges


@dataclass(frozen=True)
class TileAnswer:
    """What the graph says to a tile: water levels of its terminals and of the ring, links that are in the tree, and where terminals exit."""

    level: Array
    ring_level: Array
    links: Array
    exit_cells: Array
    exit_slots: Array


def order_of(keys: Array, index: Any) -> Array:
    """The stable order of ``keys``."""
    order = np.empty(keys.size, index)
    if keys.size:
        basins.sort_by_key(keys, order, np.empty(keys.size, index))
    return order


def solve(records: Sequence[TileRecord], layout: Layout) -> list[TileAnswer]:
    """The tree over the terminals of all tiles, rooted outside (node 0).

    Edges are ordered by (height, cell, lower end), as in the tree of all cells.
    """
    node_starts = _starts([record.terminals - 1 for record in records])  # terminal t of a tile is node start + t
    edge_starts = _starts([record.edges.keys.size for record in records])
    border_starts = _starts([record.border.size for record in records])
    rows, columns = layout.row_starts, layout.column_starts
    borders = np.concatenate([np.where(r.border > 0, r.border + first, 0) for r, first in zip(records, node_starts)])
    keys = np.concatenate([record.edges.keys for record in records])
    cells = np.concatenate([record.edges.cells for record in records])
    slots = np.concatenate([record.edges.slots for record in records])
    own, other = (np.concatenate([getattr(r.edges, end) for r in records]).astype(np.int64) for end in ("own", "other"))
    crossing = np.empty(keys.size, bool)
    basin_graph.join_ends(edge_starts, node_starts, rows, columns, border_starts, borders, cells, slots, own, other, crossing)

    order = order_of(cells, np.int64)
    order = order[order_of(keys[order], np.int64)]
    nodes = int(node_starts[-1]) + 1
    kept = np.empty(nodes - 1, np.int64)
    joined = basins.spanning_edges(order, own, other, np.empty(nodes, np.int64), kept)
    assert joined == nodes - 1  # every terminal has a way out
    accepted = np.zeros(keys.size, bool)
    accepted[kept] = True

    level = np.full(nodes, np.iinfo(keys.dtype).min, keys.dtype)
    exit_cells, exit_slots = np.full(nodes, -1, np.int64), np.zeros(nodes, np.uint8)
    spaces = np.empty(nodes + 1, np.int64), np.empty(2 * kept.size, np.int64), np.empty(nodes, np.int64)
    basin_graph.drain_nodes(columns[-1], kept, keys, cells, slots, own, other, crossing, *spaces, level, exit_cells, exit_slots)

    answers = []
    for tile, place in enumerate(layout.places):
        here = slice(node_starts[tile] + 1, node_starts[tile + 1] + 1)
        ring = np.empty(perimeter_size(place.height + 2, place.width + 2), keys.dtype)
        where = divmod(tile, len(layout.widths))
        basin_graph.ring_levels(*where, rows, columns, border_starts, borders, level, ring)
        asked = slice(edge_starts[tile], edge_starts[tile + 1])
        links = accepted[asked][~crossing[asked]]
        answers.append(TileAnswer(np.concatenate([level[:1], level[here]]), ring, links, exit_cells[here].copy(), exit_slots[here].copy()))
    return answers


def _starts(sizes: Sequence[int]) -> Array:
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
