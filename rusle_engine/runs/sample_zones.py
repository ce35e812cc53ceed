"""Zones of the sample regions: basins and sub-basins of the demo, wavy districts for made-up land; names are made up, levels nest."""

import math
from collections.abc import Iterator
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import xarray as xr
from shapely.geometry import Polygon, box

from rusle_engine.core.grid import Grid
from rusle_engine.files.vectorize import polygonize
from rusle_engine.runs.sample_terrain import Tile, stream_seed
from rusle_engine.terrain.flow import flow_direction
from rusle_engine.terrain.watersheds import sub_basins
from rusle_kernels import noise

BASIN_CELLS, SUB_BASIN_CELLS = 8000, 2000
"""Streams that part basins and sub-basins of the demo [cells]; the smaller number's borders include the greater one's."""
SMALLEST_SHARE = 0.2
"""Pieces below this share of those cells, slivers along the region's rim, are no zone of their own."""


def _zone(zone_id: str, name: str, level: int, geometry: Any) -> dict[str, Any]:
    return {"zone_id": zone_id, "zone_name": name, "level": level, "geometry": geometry}


def _letters(number: int) -> str:
    """A, B, …, Z, AA, AB, … for 0, 1, …"""
    text = ""
    while number >= 0:
        text = chr(ord("A") + number % 26) + text
        number = number // 26 - 1
    return text


def _framed(grid: Grid, zones: list[dict[str, Any]]) -> geopandas.GeoDataFrame:
    """The whole region first, then ``zones``, then a key zone that follows no border: an oval about the middle."""
    left, bottom, right, top = grid.bounds
    angles = [2 * math.pi * corner / 48 for corner in range(48)]
    across, up, lean = 0.17 * (right - left), 0.12 * (top - bottom), 0.35
    oval = Polygon(
        (
            left + 0.44 * (right - left) + across * (math.cos(a) + lean * math.sin(a)),
            bottom + 0.53 * (top - bottom) + up * (math.sin(a) - lean * math.cos(a)),
        )
        for a in angles
    )
    rows = [_zone("ALL", "全区 · Whole region", 0, box(left, bottom, right, top)), *zones, _zone("KEY", "重点治理区 · Key zone", 9, oval)]
    return geopandas.GeoDataFrame(pd.DataFrame(rows), geometry="geometry", crs=grid.crs)


def _pieces(labels: xr.DataArray, least: float) -> tuple[Tile, dict[int, int]]:
    """The labels as an array, and the number of cells of those with at least ``least``, largest first."""
    values = labels.values
    cells = np.bincount(values.ravel())
    cells[0] = 0
    order = np.argsort(-cells, kind="stable")
    return values, {int(label): int(cells[label]) for label in order if cells[label] >= least}


def basin_zones(dem: xr.DataArray) -> geopandas.GeoDataFrame:
    """The demo's zones: the whole region, basins (by size, A the largest), their sub-basins, and a key zone across them.

    Returns
    -------
    GeoDataFrame
        ``zone_id``, ``zone_name``, ``level`` (0 region, 1 basin, 2 sub-basin, 9 key zone) and ``geometry``, in the CRS of ``dem``.
    """
    directions = flow_direction(dem)
    coarse, basins = _pieces(sub_basins(directions, min_cells=BASIN_CELLS), SMALLEST_SHARE * BASIN_CELLS)
    fine, parts = _pieces(sub_basins(directions, min_cells=SUB_BASIN_CELLS), SMALLEST_SHARE * SUB_BASIN_CELLS)
    grid = Grid.of(dem)
    outline_of_basin = polygonize(grid.label(coarse)).set_index("label").geometry
    outline_of_part = polygonize(grid.label(fine)).set_index("label").geometry
    zones, sub_zones = [], []
    for order, basin in enumerate(basins):
        letter = _letters(order)
        zones.append(_zone(letter, f"流域 {letter} · Basin {letter}", 1, outline_of_basin[basin]))
        inside = [part for part in parts if part in set(np.unique(fine[coarse == basin]))]
        for number, part in enumerate(inside if len(inside) > 1 else (), start=1):
            name = f"小流域 {letter}-{number} · Sub-basin {letter}-{number}"
            sub_zones.append(_zone(f"{letter}-{number}", name, 2, outline_of_part[part]))
    return _framed(grid, zones + sub_zones)


_STEPS = 24  # vertices along one side of a ward


def _wavy_lattice(grid: Grid, seed: int, down: int, across: int) -> tuple[Tile, Tile]:
    """x and y of a lattice of ``down`` × ``across`` wards with ``_STEPS`` vertices a side, pushed about by noise; the rim stays straight.

    The push is weak enough that the lattice never folds over itself.
    """
    shape = (down * _STEPS + 1, across * _STEPS + 1)
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float64)
    rim = np.minimum(np.minimum(rows, shape[0] - 1 - rows), np.minimum(columns, shape[1] - 1 - columns))
    ease = np.minimum(1.0, rim / _STEPS)
    for stream, moved in ((500, rows), (502, columns)):
        push = np.zeros(shape)
        noise.gradient_noise(stream_seed(seed, stream), 0, 0, float(_STEPS), 0.25 * _STEPS, push)
        noise.gradient_noise(stream_seed(seed, stream + 1), 0, 0, _STEPS / 3.0, 0.05 * _STEPS, push)
        moved += ease * push
    left, bottom, right, top = grid.bounds
    return left + columns / (shape[1] - 1) * (right - left), top - rows / (shape[0] - 1) * (top - bottom)


def _outline(x: Tile, y: Tile, rows: slice, columns: slice) -> Polygon:
    """The lattice's vertices around a block of it; neighbours share theirs exactly."""
    north, south, west, east = rows.start, rows.stop, columns.start, columns.stop
    path = [(north, c) for c in range(west, east)] + [(r, east) for r in range(north, south)]
    path += [(south, c) for c in range(east, west, -1)] + [(r, west) for r in range(south, north, -1)]
    return Polygon([(x[vertex], y[vertex]) for vertex in path])


def _blocks(down: int, across: int, side: int) -> Iterator[tuple[slice, slice]]:
    for row in range(down):
        for column in range(across):
            yield slice(row * side, (row + 1) * side), slice(column * side, (column + 1) * side)


def district_zones(grid: Grid, seed: int, districts: tuple[int, int] = (3, 4), wards: int = 3) -> geopandas.GeoDataFrame:
    """Zones of a made-up region of any size: the whole, districts with wavy borders, ``wards`` × ``wards`` of each, and a key zone.

    Districts cover the region and wards their district without gap or overlap; columns as ``basin_zones`` gives them.
    """
    x, y = _wavy_lattice(grid, seed, districts[0] * wards, districts[1] * wards)
    side = wards * _STEPS
    zones, ward_zones = [], []
    for order, (rows, columns) in enumerate(_blocks(*districts, side)):
        letter = _letters(order)
        zones.append(_zone(letter, f"片区 {letter} · District {letter}", 1, _outline(x, y, rows, columns)))
        for number, (inner_rows, inner_columns) in enumerate(_blocks(wards, wards, _STEPS), start=1):
            part_rows = slice(rows.start + inner_rows.start, rows.start + inner_rows.stop)
            part_columns = slice(columns.start + inner_columns.start, columns.start + inner_columns.stop)
            name = f"小区 {letter}-{number} · Ward {letter}-{number}"
            ward_zones.append(_zone(f"{letter}-{number}", name, 2, _outline(x, y, part_rows, part_columns)))
    return _framed(grid, zones + ward_zones)
