"""Zones laid over a grid: polygons, nested, overlapping and partly outside as they may be, or a class raster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from dask.base import compute

from rusle_engine.core.coverage import Ints, LabelRuns, PolygonRuns, label_runs, polygon_area, polygonal, polygons_on
from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid, same_grid
from rusle_engine.core.lift import tiled

Zones: TypeAlias = gpd.GeoDataFrame | xr.DataArray | np.ndarray[Any, Any]


@dataclass(frozen=True)
class TileCover:
    """The zones of one tile (their numbers in the whole cover), and its cells as the kernel takes them."""

    zones: Ints
    runs: tuple[Ints, ...]


@dataclass(frozen=True, eq=False)
class Cover:
    """Zones laid over a grid. Make one with ``zone_cover``.

    ``labels`` is the class raster when zones are one: ``tile`` wants its tile. ``polygons`` are in the grid's CRS.
    """

    grid: Grid
    zone_ids: tuple[str, ...]
    zone_names: tuple[str, ...]
    runs: PolygonRuns | LabelRuns
    labels: xr.DataArray | None = None
    polygons: tuple[Any, ...] = ()

    def zone_areas(self) -> tuple[int, ...] | None:
        """Area of every zone, on the grid or not [2^-61 m²]; None for a class raster, where the tallies tell it."""
        return self.runs.areas if isinstance(self.runs, PolygonRuns) else None

    def union_area(self) -> int | None:
        """Area of all zones together, shared land once [2^-61 m²]; None for a class raster, where zones share none."""
        return polygon_area(shapely.union_all(self.polygons), self.grid) if self.polygons else None

    def tile(self, row: int, column: int, shape: tuple[int, int], labels: np.ndarray[Any, Any] | None = None) -> TileCover:
        """The cover of the tile that begins at ``row`` and ``column``."""
        if isinstance(self.runs, LabelRuns):
            assert labels is not None
            whole, cut = self.runs.of_tile(labels)
        else:
            whole, cut = self.runs.window(row, column, *shape)
        present = np.zeros(len(self.zone_ids), bool)
        present[whole.zone] = present[cut.zone] = True
        number = np.cumsum(present) - 1
        zones = np.flatnonzero(present)
        runs = (whole.starts, number[whole.zone], whole.left, whole.right, cut.starts, number[cut.zone], cut.left, cut.weight)
        return TileCover(zones, runs)


def zone_cover(zones: Zones, grid: Grid, *, zone_names: Mapping[int, str] | None = None) -> Cover:
    """Lay zones over a grid.

    Parameters
    ----------
    zones
        Polygons with ``zone_id`` and ``zone_name``, in any CRS, nested or overlapping as they may be; or a class raster on the same grid,
        whose classes are the zones (NaN and its declared nodata belong to none).
    grid
        The grid of the run.
    zone_names
        Names of the classes of a class raster; a class without one is called by its number.

    Raises
    ------
    InputError
        When there is no zone, an id is missing or stands twice, the CRS is missing, or zones are empty or wholly outside the grid (all are
        named).
    """
    if isinstance(zones, gpd.GeoDataFrame):
        return _polygon_cover(zones, grid)
    return _label_cover(zones, grid, zone_names or {})


def with_region(zones: gpd.GeoDataFrame, name: str, zone_id: str = "region") -> gpd.GeoDataFrame:
    """The zones with one more before them: all of them dissolved into one, the region whose rate is the headline.

    One zone alone is its own region, and comes back as it is.

    Raises
    ------
    InputError
        When a zone already has that id.
    """
    checked = _checked(zones)
    if len(checked) == 1:
        return checked
    if zone_id in set(checked["zone_id"]):
        raise InputError(f"a zone is already called {zone_id!r}, the id of the whole region; give it another id")
    union = shapely.union_all([polygonal(geometry) for geometry in checked.geometry])
    region = gpd.GeoDataFrame({"zone_id": [zone_id], "zone_name": [name]}, geometry=[union], crs=checked.crs)
    result: gpd.GeoDataFrame = pd.concat([region, checked], ignore_index=True)
    return result


def overlaps(zones: gpd.GeoDataFrame, *, least_share: float = 1e-6) -> pd.DataFrame:
    """Pairs of zones that share land: ``zone_id``, ``other_id``, and how many percent of the smaller one they share (100: nested).

    Shares below ``least_share`` of the smaller zone are taken for borders that were drawn twice.
    """
    checked = _checked(zones)
    polygons = np.array([polygonal(geometry) for geometry in checked.geometry], object)
    first, second = shapely.STRtree(polygons).query(polygons, predicate="intersects")
    once = first < second
    first, second = first[once], second[once]
    area = shapely.area(polygons)
    share = shapely.area(shapely.intersection(polygons[first], polygons[second])) / np.minimum(area[first], area[second])
    ids = checked["zone_id"].to_numpy()
    table = pd.DataFrame({"zone_id": ids[first], "other_id": ids[second], "share_of_smaller_pct": share * 100})
    return table[share > least_share].reset_index(drop=True)


def _checked(zones: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    if len(zones) == 0:
        raise InputError("there are no zones: the table is empty")
    if "zone_id" not in zones.columns:
        raise InputError(f"zones have no column 'zone_id'; columns are {list(map(str, zones.columns))}. Rename one, or read them with id_field=.")
    table = zones.assign(zone_id=zones["zone_id"].astype(str))
    table["zone_name"] = (zones["zone_name"] if "zone_name" in zones.columns else table["zone_id"]).astype(str)
    twice = sorted(set(table["zone_id"][table["zone_id"].duplicated()]))
    if twice:
        raise InputError(f"zone ids stand twice: {_listed(twice)}. Every zone needs its own id; dissolve the parts of one zone.")
    empty = [row.zone_id for row in table.itertuples() if row.geometry is None or row.geometry.is_empty or not polygonal(row.geometry).area]
    if empty:
        raise InputError(f"zones without an area: {_listed(empty)}. Remove them or give them polygons.")
    return gpd.GeoDataFrame(table[["zone_id", "zone_name"]], geometry=list(table.geometry), crs=table.crs)


def _polygon_cover(zones: gpd.GeoDataFrame, grid: Grid) -> Cover:
    table = _checked(zones)
    polygons = polygons_on(table, grid, table["zone_id"].tolist(), "zones")
    _refuse_outside(table["zone_id"].to_numpy()[~_meets(shapely.bounds(polygons), grid)].tolist())
    runs = PolygonRuns.of(polygons, grid)
    touched = np.union1d(runs.whole.zone, runs.cut.zone)
    _refuse_outside(np.delete(table["zone_id"].to_numpy(), touched).tolist())
    return Cover(grid, tuple(table["zone_id"]), tuple(table["zone_name"]), runs, polygons=tuple(polygons))


def _meets(boxes: Any, grid: Grid) -> Any:
    left, bottom, right, top = grid.bounds
    return (boxes[:, 0] < right) & (boxes[:, 2] > left) & (boxes[:, 1] < top) & (boxes[:, 3] > bottom)


def _refuse_outside(zone_ids: list[str]) -> None:
    if zone_ids:
        raise InputError(f"zones wholly outside the raster: {_listed(zone_ids)}. Look at their CRS, take another raster, or leave them out.")


def _label_cover(zones: xr.DataArray | np.ndarray[Any, Any], grid: Grid, zone_names: Mapping[int, str]) -> Cover:
    labels = zones if isinstance(zones, xr.DataArray) else xr.DataArray(zones, dims=("y", "x"))
    reference = grid.label(np.broadcast_to(np.int8(0), grid.shape))
    labels = same_grid({"the raster": reference, "the zones": labels})[1]
    nodata = labels.rio.nodata

    def distinct(tile: np.ndarray[Any, Any], *_: int) -> tuple[Ints]:
        return (np.unique(label_runs(tile, nodata)[3]),)

    values: Ints = np.unique(np.concatenate(compute(*tiled(distinct, labels, dtypes=())[1])))
    if values.size == 0:
        raise InputError("the class raster of zones has no cell with a class")
    names = tuple(zone_names.get(int(value), str(value)) for value in values)
    return Cover(grid, tuple(str(value) for value in values), names, LabelRuns(values, nodata), labels)


def _listed(names: Sequence[str], most: int = 10) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
