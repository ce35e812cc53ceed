"""The stream network as lines: links between heads, confluences and outlets, with Strahler's order."""

import geopandas as gpd
import numpy as np
import shapely
from dask.base import compute

from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import Tile, tiled
from rusle_engine.core.memory import require_memory
from rusle_engine.core.variables import Raster
from rusle_engine.terrain.accumulation import Array, steps_of_codes
from rusle_engine.terrain.flow import flow_accumulation, require_directions
from rusle_engine.terrain.watersheds import require_stream
from rusle_kernels import watersheds
from rusle_kernels.neighbours import NODATA_CODE

_BYTES_OF_A_STREAM_CELL = 160.0
"""Of the table of stream cells, its order, and the vertices of the lines."""


def streams(d8: Raster, *, min_cells: int) -> gpd.GeoDataFrame:
    """Streams as lines, from where at least ``min_cells`` cells drain through a cell down to where they leave the grid.

    A link begins at a head or a confluence and ends at the next confluence, or where the water leaves. Lines run through the middles of
    cells, from a link's first cell to the first cell of the next link, so that they join; the link of a single cell that leaves the grid has
    no length and is left out.

    Parameters
    ----------
    d8
        D8 directions (y, x) as ``flow_direction`` gives them, with coordinates.
    min_cells
        How many cells make a stream, at least 1.

    Returns
    -------
    GeoDataFrame
        In the CRS of ``d8``, in the row-major order of the links' lowest cells: ``link_id`` (from 1), ``strahler`` (order: 1 at heads, one
        more where two of the highest order meet), ``downstream_id`` (0 where the water leaves), ``cells`` (draining through the link's
        lowest cell), ``length_m`` (on geographic grids along the ellipsoid), ``geometry``. Computed at once, tile by tile; only stream cells
        are kept in memory.

    Raises
    ------
    InputError
        When ``min_cells`` is below 1, a code is none of the nine, directions lead round in a circle, or there are no coordinates.
    MemoryBudgetError
        When the stream cells exceed the memory budget.

    Notes
    -----
    Source of the order: Strahler 1957, Transactions of the American Geophysical Union 38:913.
    """
    require_stream(min_cells)
    codes = require_directions(d8)
    grid = Grid.of(codes)
    _, records = tiled(_Picking(grid.width, min_cells), codes, flow_accumulation(codes), dtypes=())
    parts = compute(*records)
    cells, ways, total = (np.concatenate([part[k] for part in parts]) for k in range(3))
    require_memory(cells.size, _BYTES_OF_A_STREAM_CELL, f"streams of {min_cells} cells", "Raise min_cells, or the memory budget.")
    order = np.argsort(cells)
    return _links(grid, cells[order], ways[order], total[order])


class _Picking:
    """The stream cells of a tile: where they lie in the raster, their codes, and how many cells drain through them."""

    def __init__(self, width: int, min_cells: int):
        self.width, self.min_cells = width, min_cells

    def __call__(self, codes: Tile, total: Tile, row: int, column: int) -> tuple[tuple[Array, Array, Array]]:
        i, j = np.nonzero((codes != NODATA_CODE) & (total >= self.min_cells))
        return (((i + np.int64(row)) * self.width + j + column, codes[i, j].astype(np.uint8), total[i, j].astype(np.int64)),)


def _links(grid: Grid, cells: Array, ways: Array, total: Array) -> gpd.GeoDataFrame:
    """The lines of a network whose cells are given in row-major order."""
    following = _following(grid, cells, ways)
    inflows = np.bincount(following[following >= 0], minlength=cells.size)
    strahler = _strahler(following, total)
    begins = inflows != 1
    ends = (following < 0) | begins[following]
    link_of = _numbered_upwards(following, ends, total)
    columns = {
        "link_id": np.arange(1, ends.sum() + 1),
        "strahler": strahler[ends],
        "downstream_id": np.where(following[ends] >= 0, link_of[following[ends]], 0),
        "cells": total[ends],
    }
    vertices, link = _vertices(following, link_of, total)
    row, column = np.divmod(cells[vertices], grid.width)
    x = grid.transform.c + (column + 0.5) * grid.transform.a
    y = grid.transform.f + (row + 0.5) * grid.transform.e
    lengths = _lengths(grid, cells[vertices], link, columns["link_id"].size)
    kept = np.bincount(link - 1, minlength=columns["link_id"].size) > 1
    lines = np.full(kept.size, None, object)
    on_kept = kept[link - 1]
    lines[kept] = shapely.linestrings(np.column_stack([x, y])[on_kept], indices=np.cumsum(kept)[link[on_kept] - 1] - 1)
    table = {name: np.asarray(values)[kept] for name, values in (columns | {"length_m": lengths}).items()}
    return gpd.GeoDataFrame(table, geometry=lines[kept], crs=grid.crs)


def _following(grid: Grid, cells: Array, ways: Array) -> Array:
    """Of each stream cell the number of the next one, −1 where the water leaves."""
    step = steps_of_codes(grid.width)[ways]
    row, column = np.divmod(cells, grid.width)
    across = np.array([_columns_of(code) for code in range(256)])[ways]
    down = (step - across) // grid.width
    inside = (step != 0) & (row + down >= 0) & (row + down < grid.height) & (column + across >= 0) & (column + across < grid.width)
    place = np.searchsorted(cells, cells + step)
    found = inside & (place < cells.size) & (cells[np.minimum(place, cells.size - 1)] == cells + step)
    return np.where(found, place, -1)


def _columns_of(code: int) -> int:
    return 1 if code in (1, 2, 128) else -1 if code in (8, 16, 32) else 0


def _strahler(following: Array, total: Array) -> Array:
    """Strahler's order of each cell: more drains through a cell than through any above it, so that counts give the order to go by."""
    downwards = np.argsort(total, kind="stable")
    rank = np.empty_like(downwards)
    rank[downwards] = np.arange(downwards.size)
    ranked = np.where(following[downwards] >= 0, rank[following[downwards]], -1)
    order = np.empty(downwards.size, np.int32)
    watersheds.strahler_orders(ranked, order, np.zeros(downwards.size, np.int32), np.zeros(downwards.size, np.int32))
    return order[rank]


def _numbered_upwards(following: Array, ends: Array, total: Array) -> Array:
    """The link of each cell: its own number where a link ends, else that of the next cell."""
    link = np.zeros(following.size, np.int64)
    link[ends] = np.arange(1, ends.sum() + 1)
    watersheds.number_links(following, np.argsort(-total, kind="stable"), link)
    return link


def _vertices(following: Array, link_of: Array, total: Array) -> tuple[Array, Array]:
    """Cells of all lines, link by link from above downwards, the next link's first cell at the end; and the link of each."""
    last = np.flatnonzero((following >= 0) & (link_of != link_of[following]))
    cells = np.concatenate([np.arange(following.size), following[last]])
    link = np.concatenate([link_of, link_of[last]])
    order = np.lexsort((total[cells], link))
    return cells[order], link[order]


def _lengths(grid: Grid, cells: Array, link: Array, count: int) -> Array:
    """The length of each line [m]: steps of each row's cell size, sideways, lengthways or diagonal."""
    row, column = np.divmod(cells, grid.width)
    inner = link[1:] == link[:-1]
    sideways, lengthways = column[1:] != column[:-1], row[1:] != row[:-1]
    dx, dy = grid.dx_m[row[:-1]] * sideways, grid.dy_m[row[:-1]] * lengthways
    return np.bincount(link[1:][inner] - 1, weights=np.hypot(dx, dy)[inner], minlength=count)
