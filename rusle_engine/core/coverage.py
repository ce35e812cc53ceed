"""From polygons to runs of cells: which cells of a row lie wholly in a polygon, and how much of those that its border cuts.

Coverage is exact integer arithmetic on the polygons' edges (``rusle_kernels.coverage``): it knows nothing of tiles, its memory grows with
the borders and not with the land, and the parts of a region add up to the region.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from affine import Affine

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_kernels import coverage

log = logging.getLogger("rusle_engine")

Ints = np.ndarray[Any, np.dtype[np.int64]]
Tile = np.ndarray[Any, Any]

AREA_BITS = 20
"""Cell areas are counted in units of 2^-20 m², zones' areas in units of 2^-61 m² (2^-41 of a cell times that)."""
_NONE = np.empty(0, np.int64)
_LONGEST_EDGE_M = 1000.0
"""Edges are cut to this length before polygons are brought to another CRS: a straight line there is not straight here."""


def polygons_on(table: Any, grid: Grid, names: Sequence[str], what: str) -> list[Any]:
    """The polygons of a GeoDataFrame in the grid's CRS, valid, as shapely has them; ``names`` tell its rows in messages, ``what`` they are.

    Raises
    ------
    InputError
        When the table or the grid has no CRS and the other has one.
    """
    if (table.crs is None) != (grid.crs is None):
        lacking = f"{what} have" if table.crs is None else "raster has"
        raise InputError(f"the {lacking} no CRS, so they cannot be laid over each other. State it: {what}.set_crs(…), array.rio.write_crs(…).")
    geometries = table.geometry
    if grid.crs is not None and not grid.crs.equals(table.crs, ignore_axis_order=True):
        longest = 0.01 if table.crs.is_geographic else _LONGEST_EDGE_M / table.crs.axis_info[0].unit_conversion_factor
        geometries = geometries.segmentize(longest).to_crs(grid.crs)
    invalid = [name for name, valid in zip(names, geometries.is_valid) if not valid]
    if invalid:
        more = f" and {len(invalid) - 10} more" if len(invalid) > 10 else ""
        log.warning("polygons that cross themselves were mended: %s%s", ", ".join(invalid[:10]), more)
    return [polygonal(geometry) for geometry in geometries]


def polygonal(geometry: Any) -> Any:
    """What of a geometry has an area, valid."""
    mended = geometry if geometry.is_valid else shapely.make_valid(geometry)
    if mended.geom_type in ("Polygon", "MultiPolygon"):
        return mended
    parts = shapely.get_parts(shapely.get_parts([mended]))
    return shapely.multipolygons(parts[shapely.get_type_id(parts) == 3])


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
        """The runs within a tile, in its own rows and columns."""
        starts, most = np.empty(height + 1, np.int64), self.starts[row + height] - self.starts[row]
        zone, left, right, weight = (np.empty(most, np.int64) for _ in range(4))
        n = coverage.window(self.starts, self.zone, self.left, self.right, self.weight, row, column, width, starts, zone, left, right, weight)
        return Runs(starts, zone[:n], left[:n], right[:n], weight[:n])


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

    def of_tile(self, labels: Tile) -> tuple[Runs, Runs]:
        """The runs of a tile, all whole, and no cut cells."""
        row, left, right, classes = label_runs(labels, self._nodata)
        zone = np.searchsorted(self._values, classes)
        starts = np.searchsorted(row, np.arange(labels.shape[0] + 1))
        return Runs(starts, zone, left, right, _NONE), Runs(np.zeros(labels.shape[0] + 1, np.int64), _NONE, _NONE, _NONE, _NONE)


def label_runs(labels: Tile, nodata: float | None) -> tuple[Ints, Ints, Ints, Ints]:
    """Row, left, right (exclusive) and class of the runs of equal class along the rows; cells of no class are left out.

    Raises
    ------
    InputError
        When a class is not a whole number.
    """
    width = labels.shape[1]
    begins = np.ones(labels.shape, bool)
    np.not_equal(labels[:, 1:], labels[:, :-1], out=begins[:, 1:])
    first = np.flatnonzero(begins)
    row, left = np.divmod(first, width)
    right = left + np.diff(first, append=labels.size)
    value = labels.reshape(-1)[first]
    known = np.ones(value.shape, bool) if nodata is None or np.isnan(nodata) else value != nodata
    if value.dtype.kind == "f":
        known &= ~np.isnan(value)
    classes = value[known].astype(np.int64)
    if (classes != value[known]).any():
        raise InputError("the class raster of zones holds numbers that are not whole; expected class codes")
    return row[known], left[known], right[known], classes


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
