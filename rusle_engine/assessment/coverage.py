"""From zones to runs of cells: which cells of a row lie wholly in a zone, and how much of those that its border cuts.

Coverage is exact integer arithmetic on the polygons' edges (``rusle_kernels.coverage``): it knows nothing of tiles, its memory grows with
the borders and not with the land, and the parts of a region add up to the region.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from affine import Affine

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_kernels import coverage

Ints = np.ndarray[Any, np.dtype[np.int64]]
Tile = np.ndarray[Any, Any]

AREA_BITS = 20
"""Cell areas are counted in units of 2^-20 m², zones' areas in units of 2^-61 m² (2^-41 of a cell times that)."""
_LARGEST_TABLE = 1 << 22
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Runs:
    """Cells by row: those of row i are numbers ``starts[i]`` to ``starts[i + 1]``; each from column ``left`` to before ``right``."""

    starts: Ints
    zone: Ints
    left: Ints
    right: Ints
    weight: Ints

    @classmethod
    def sorted(cls, height: int, row: Ints, zone: Ints, left: Ints, right: Ints, weight: Ints) -> "Runs":
        order = np.lexsort((left, zone, row))
        starts = np.searchsorted(row[order], np.arange(height + 1))
        return cls(starts.astype(np.int64), zone[order], left[order], right[order], weight[order])

    def window(self, row: int, column: int, height: int, width: int) -> "Runs":
        first, last = self.starts[row], self.starts[row + height]
        left = np.clip(self.left[first:last] - column, 0, width)
        right = np.clip(self.right[first:last] - column, 0, width)
        kept = right > left
        before = np.concatenate([[0], np.cumsum(kept)])
        starts = before[self.starts[row : row + height + 1] - first].astype(np.int64)
        return Runs(starts, self.zone[first:last][kept], left[kept], right[kept], self.weight[first:last][kept])


@dataclass(frozen=True)
class PolygonRuns:
    """Runs of the cells that lie wholly in polygons, the cells that polygons cut, and the polygons' areas, on the grid or not."""

    whole: Runs
    cut: Runs
    areas: tuple[int, ...]

    @classmethod
    def of(cls, polygons: Sequence[Any], grid: Grid) -> "PolygonRuns":
        row_areas = areas_of_rows(grid)
        traced = [_trace(polygon, grid, row_areas) for polygon in polygons]
        zone = np.repeat(np.arange(len(traced)), [len(pieces) for pieces, _ in traced])
        row, left, right, weight = np.concatenate([pieces for pieces, _ in traced]).T
        whole = weight == coverage.FULL
        inner = Runs.sorted(grid.height, row[whole], zone[whole], left[whole], right[whole], weight[whole])
        row, zone, left, right, weight = (values[~whole] for values in (row, zone, left, right, weight))
        length = right - left  # a cut piece is longer than a cell along a level border
        column = np.repeat(left - np.cumsum(length) + length, length) + np.arange(length.sum())
        row, zone, weight = (np.repeat(values, length) for values in (row, zone, weight))
        border = Runs.sorted(grid.height, row, zone, column, column + 1, weight)
        return cls(inner, border, tuple(area for _, area in traced))

    def window(self, row: int, column: int, height: int, width: int) -> tuple[Runs, Runs]:
        return self.whole.window(row, column, height, width), self.cut.window(row, column, height, width)


class LabelRuns:
    """Runs of equal class in tiles of a class raster; the classes are ``values``, in rising order."""

    def __init__(self, values: Ints, nodata: float | None):
        self._values = values
        self._nodata = nodata
        self._table = None
        if values[-1] - values[0] < _LARGEST_TABLE:
            self._table = np.full(values[-1] - values[0] + 2, -1, np.int32)
            self._table[values - values[0]] = np.arange(values.size)

    def of_tile(self, labels: Tile) -> tuple[Runs, Runs]:
        numbers = self._numbers(labels)
        height = numbers.shape[0]
        most = height + int(np.count_nonzero(numbers[:, 1:] != numbers[:, :-1]))
        starts, zone, left, right = (np.empty(size, np.int64) for size in (height + 1, most, most, most))
        n = coverage.label_runs(numbers, starts, zone, left, right)
        nothing = Runs(np.zeros(height + 1, np.int64), _NONE, _NONE, _NONE, _NONE)
        return Runs(starts, zone[:n], left[:n], right[:n], _NONE), nothing

    def _numbers(self, labels: Tile) -> np.ndarray[Any, np.dtype[np.int32]]:
        """Which zone every cell belongs to; -1 for none."""
        classes, known = label_classes(labels, self._nodata)
        if self._table is None:
            return np.where(known, np.searchsorted(self._values, classes), -1).astype(np.int32)
        return self._table[np.where(known, classes - self._values[0], -1)]


def label_classes(labels: Tile, nodata: float | None) -> tuple[Ints, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Classes as integers, and where there is one: neither NaN nor the raster's nodata.

    Raises
    ------
    InputError
        When a class is not a whole number.
    """
    known = np.ones(labels.shape, bool) if nodata is None or np.isnan(nodata) else labels != nodata
    if labels.dtype.kind == "f":
        known &= ~np.isnan(labels)
        labels = np.where(known, labels, 0)
        if (labels != np.rint(labels)).any():
            raise InputError("the class raster of zones holds numbers that are not whole; expected class codes")
    return labels.astype(np.int64), known


def areas_of_rows(grid: Grid) -> Ints:
    """Area of one cell of each row [2^-20 m²]."""
    return np.rint(grid.cell_area_m2 * (1 << AREA_BITS)).astype(np.int64)


def polygon_area(polygon: Any, grid: Grid) -> int:
    """Area of a polygon by the measure of the tallies [2^-61 m²]."""
    return _trace(polygon, grid, areas_of_rows(grid))[1]


def _trace(polygon: Any, grid: Grid, row_areas: Ints) -> tuple[Ints, int]:
    """Pieces (row, left, right, weight) of one polygon within the grid, and its whole area [2^-61 m²]."""
    edges = _edges(polygon, grid.transform)
    nothing = np.empty(0, np.int64)
    count = coverage.trace_edges(*edges, False, nothing, nothing, nothing, nothing)
    entries = tuple(np.empty(count, np.int64) for _ in range(4))
    coverage.trace_edges(*edges, True, *entries)
    row, column = entries[:2]
    if count == 0:
        return np.empty((0, 4), np.int64), 0
    first, last = int(row.min()), int(row.max()) + 1
    areas, pieces = np.zeros(last - first, np.int64), np.empty((2 * count, 4), np.int64)
    pieces = pieces[: coverage.sweep(np.lexsort((column, row)), *entries, first, areas, pieces)]
    pieces[:, 1:3] = pieces[:, 1:3].clip(0, grid.width)
    inside = (pieces[:, 0] >= 0) & (pieces[:, 0] < grid.height) & (pieces[:, 2] > pieces[:, 1])
    cell_areas = _areas_of_some_rows(grid, row_areas, first, last)
    return pieces[inside], int(np.dot(areas.astype(object), cell_areas.astype(object)))


def _edges(polygon: Any, transform: Affine) -> tuple[Ints, Ints, Ints, Ints]:
    """Start and end of every edge on the lattice, the land to the left of it (outer rings run against the clock)."""
    rings = shapely.get_rings(shapely.orient_polygons(shapely.get_parts(polygon), exterior_cw=False))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    x = np.rint((points[:, 0] - transform.c) / transform.a * coverage.STEP).astype(np.int64)
    y = np.rint((points[:, 1] - transform.f) / transform.e * coverage.STEP).astype(np.int64)
    joined = ring[1:] == ring[:-1]
    return x[:-1][joined], y[:-1][joined], x[1:][joined], y[1:][joined]


def _areas_of_some_rows(grid: Grid, row_areas: Ints, first: int, last: int) -> Ints:
    """Cell areas of rows first to before last, which may lie outside the grid."""
    if not grid.is_geographic:
        return np.full(last - first, row_areas[0])
    north, south = min(first, 0), max(last, grid.height)
    wider = Grid(south - north, grid.width, grid.transform @ Affine.translation(0, north), grid.crs)
    areas = areas_of_rows(wider)
    areas[-north : -north + grid.height] = row_areas
    return areas[first - north : last - north]
