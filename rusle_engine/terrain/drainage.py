"""The drainage tree tile by tile: the filled surface and D8 directions, whatever the tiles.

One tile sees its cells and a ring of its neighbours'. It settles what is surely in the tree, and hands on the *terminals* (its basins that
touch another tile) and the edges that may join them; one graph of all tiles then says how high water stands at each terminal and where
its part of the tree leaves the tile; the tile fills and turns its directions (``rusle_kernels.basins``, ``rusle_kernels.basin_graph``).
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from rusle_engine.core.lift import Place, TwoPasses
from rusle_engine.terrain.border_graph import TileAnswer, TileEdges, TileRecord, index_type, merge, order_of, solve, spread
from rusle_kernels import basins, fill, flow
from rusle_kernels.borders import perimeter_size

Array = np.ndarray[Any, Any]

TILE_SIZE = 512
"""Tiles of arrays in memory: their working space fits into a processor's second cache."""
_DROPPED, _KEPT, _LINK, _CROSSING = range(4)


class Order(Protocol):
    """How heights become the keys by which cells are ordered: integers of the heights' width, ``nodata`` below all."""

    ring: int
    """How many raw cells around a tile its keys, and those of the ring of one cell around it, depend on."""

    @property
    def nodata(self) -> Any: ...

    def keys(self, heights: Array, place: Place) -> Array: ...

    def heights(self, keys: Array, empty: float) -> Array: ...


@dataclass(frozen=True)
class Heights:
    """The order by height and index: what the order-preserving keys of a floating-point type need.

    That is the integer of the same width and a few of its bit patterns.
    """

    floating: np.dtype[Any]
    integer: np.dtype[Any]
    ring = 1

    @classmethod
    def of(cls, dtype: Any) -> "Heights":
        floating = np.dtype(dtype)
        return cls(floating, np.dtype(np.int32 if floating.itemsize == 4 else np.int64))

    @property
    def nodata(self) -> Any:
        """The key below every height."""
        return self.integer.type(np.iinfo(self.integer).min)

    def bits(self, value: float) -> Any:
        return np.asarray(value, self.floating).view(self.integer)[()]

    def keys(self, heights: Array, _place: Place | None = None) -> Array:
        """The keys of ``heights``; ±inf is nodata like NaN."""
        keys = np.empty(heights.shape, self.integer)
        fill.order_keys(heights.view(self.integer), self.integer.type(np.iinfo(self.integer).max), self.bits(np.inf), self.nodata, keys)
        return keys

    def heights(self, keys: Array, empty: float) -> Array:
        """The heights of ``keys``, in the same memory; nodata becomes ``empty``."""
        fill.key_bits(keys, self.nodata, self.nodata, self.bits(empty))
        return keys.view(self.floating)


@dataclass(frozen=True)
class TileState:
    """A tile between the passes: keys filled as far as the tile knows (padded), terminal of each cell, raw steps (padded), edges kept."""

    keys: Array
    nodes: Array
    step: Array
    edges: TileEdges
    is_link: Array
    basins: int
    terminal_basins: Array


def state_bytes(dtype: Any) -> float:
    """Bytes of each cell between the passes: key, terminal, step, and its share of the edges (noise: 0.05 of 13 to 17 bytes)."""
    return np.dtype(dtype).itemsize + 4.0


def working_bytes(dtype: Any) -> float:
    """Bytes of each cell of a tile in hand: heights and keys, labels, steps and lower neighbours, edges, and the results."""
    return 3.0 * np.dtype(dtype).itemsize + 16.0


BORDER_BYTES = 100.0
"""Bytes of each border cell of a tile in the graph: 0.6 edges and 0.5 nodes, with their order, tree and exits (measured: 54 to 81)."""


def summarise(heights: Array, *rest: Any, order: Order | None = None) -> tuple[TileRecord, TileState]:
    """What a tile knows of the drainage tree by itself: its ``heights`` and where water stops (1 there; may be left out), and its place.

    Both rasters are padded by the order's ring; ``order`` is by height and index when not given.
    """
    *stops, place = rest
    kind = order or Heights.of(heights.dtype)
    keys = kind.keys(heights, place)
    index = index_type(keys.size)
    step, lower = np.empty(keys.shape, np.uint8), np.empty(keys.shape, np.uint8)
    basins.lowest_neighbours(keys, kind.nodata, lower, step)
    for inner in (_trimmed(values, kind.ring - 1) for values in stops):
        basins.mark_stops(inner, step)
    basins.mark_other_tiles(keys, kind.nodata, step)
    labels = np.empty(keys.shape, index)
    count = basins.basin_labels(step, labels)
    edges = _saddles(keys, lower, step, labels)

    terminal, floor = np.empty(count, index), np.full(count, kind.nodata)
    terminals = basins.number_terminals(step, labels, terminal)
    terminal_basins = np.flatnonzero(terminal >= 0)
    terminal_basins = terminal_basins[np.argsort(terminal[terminal_basins])]
    role = _choose(edges, terminal, floor)
    nodes = np.empty((place.height, place.width), np.uint16 if terminals < 2**16 else index)
    basins.raise_to_floor(keys, labels, terminal, floor, kind.nodata, nodes)
    border = np.empty(perimeter_size(place.height, place.width), index)
    basins.border_nodes(nodes, border)

    asked = np.flatnonzero(role >= _LINK)
    record = TileRecord(terminals, border, _for_the_graph(edges.chosen(asked), terminal, place))
    kept = np.flatnonzero((role == _KEPT) | (role == _LINK))
    return record, TileState(keys, nodes, step, edges.chosen(kept), role[kept] == _LINK, count, terminal_basins)


def _trimmed(values: Array, rings: int) -> Array:
    """``values`` without its outer ``rings``."""
    return np.ascontiguousarray(values[rings : values.shape[0] - rings, rings : values.shape[1] - rings])


def _saddles(keys: Array, lower: Array, step: Array, labels: Array) -> TileEdges:
    """All edges between the basins of a tile and into other tiles, by cell and lower end."""
    most = basins.count_saddles(lower, step)
    index = labels.dtype
    edges = TileEdges(np.empty(most, keys.dtype), np.empty(most, index), np.empty(most, np.uint8), np.empty(most, index), np.empty(most, index))
    found = basins.saddle_edges(keys, lower, step, labels, edges.keys, edges.cells, edges.slots, edges.own, edges.other)
    return edges.chosen(slice(0, found))


def _choose(edges: TileEdges, terminal: Array, floor: Array) -> Array:
    """The role of each edge, by Kruskal's algorithm; fills ``terminal`` and ``floor`` of every basin."""
    role = np.empty(edges.keys.size, np.uint8)
    order = order_of(edges.keys, terminal.dtype)
    spaces = [np.empty(terminal.size, terminal.dtype) for _ in range(3)]
    basins.spanning_forest(order, edges.keys, edges.own, edges.other, *spaces, terminal, floor, role)
    return role


def _for_the_graph(edges: TileEdges, terminal: Array, place: Place) -> TileEdges:
    """Edges between terminals (−1 in another tile), their cells row-major in the raster."""
    row, column = np.divmod(edges.cells.astype(np.int64), place.width + 2)
    cells = (row - 1 + place.row) * place.raster_width + column - 1 + place.column
    other = np.where(edges.other >= 0, terminal[np.maximum(edges.other, 0)], -1)
    return TileEdges(edges.keys, cells, edges.slots, terminal[edges.own], other)


def filled_keys(state: TileState, answer: TileAnswer) -> Array:
    """The keys of the filled surface (padded)."""
    keys = state.keys.copy()  # a scheduler may finish a tile twice
    basins.raise_to_level(keys, state.nodes, answer.level, answer.ring_level, keys.dtype.type(np.iinfo(keys.dtype).min))
    return keys


def drained_steps(state: TileState, answer: TileAnswer, place: Place) -> Array:
    """Every cell's step in the drainage tree (padded)."""
    step, edges = state.step.copy(), state.edges
    in_tree = np.ones(edges.keys.size, bool)
    in_tree[state.is_link] = answer.links
    kept = np.flatnonzero(in_tree)
    index = edges.cells.dtype
    leaving = np.flatnonzero(answer.exit_cells >= 0)
    row, column = np.divmod(answer.exit_cells[leaving], place.raster_width)
    cells = (row - place.row + 1) * (place.width + 2) + column - place.column + 1
    spaces = np.empty(state.basins + 1, index), np.empty(2 * kept.size, index), np.empty(state.basins, index), np.zeros(in_tree.size, bool)
    exits = state.terminal_basins[leaving + 1], cells, answer.exit_slots[leaving]
    reached = basins.drain_basins(step, kept, edges.cells, edges.slots, edges.own, edges.other, *exits, *spaces)
    assert reached == state.basins
    return step


def finish(
    state: TileState, answer: TileAnswer, place: Place, *, nearness: Array | None, with_fill: bool, order: Order | None = None
) -> tuple[Array, ...]:
    """Directions (where ``nearness`` of all rows is given) and the filled heights (where asked for) of a tile."""
    keys = filled_keys(state, answer)
    filled = (order or Heights.of(f"f{keys.dtype.itemsize}")).heights(keys, np.inf)
    results: list[Array] = []
    if nearness is not None:
        step = drained_steps(state, answer, place)
        codes = np.empty((place.height, place.width), np.uint8)
        flow.d8_steepest(filled, step, np.ascontiguousarray(nearness[:, place.rows]), codes)
        results.append(codes)
    if with_fill:
        results.append(unpadded(filled))
    return tuple(results)


def unpadded(filled: Array) -> Array:
    """A copy of a padded surface without its ring; NaN where there is no data."""
    surface = filled[1:-1, 1:-1].copy()
    surface[np.isinf(surface)] = np.nan
    return surface


def drainage(dtype: Any, *, step: str, nearness: Array | None, with_fill: bool, order: Order | None = None, with_stops: bool = False) -> TwoPasses:
    """Filling and directions as two passes over tiles of heights, and ``with_stops`` of where water stops."""
    kind = order or Heights.of(dtype)
    directions = () if nearness is None else (np.dtype(np.uint8),)
    return TwoPasses(
        step=step,
        summarise=partial(summarise, order=kind),
        solve=solve,
        finish=partial(finish, nearness=nearness, with_fill=with_fill, order=kind),
        around=(np.nan, 0) if with_stops else (np.nan,),
        dtypes=directions + ((np.dtype(dtype),) if with_fill else ()),
        working_bytes=working_bytes(dtype),
        state_bytes=state_bytes(dtype),
        border_bytes=BORDER_BYTES,
        tile_size=TILE_SIZE,
        merge=merge,
        spread=spread,
        ring=kind.ring,
    )
