"""Terrain from files, for the command line: surfaces, directions, sums, and land and streams as polygons and lines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import xarray as xr

from rusle_engine.assessment.edge import edge_table
from rusle_engine.core.errors import InputError
from rusle_engine.core.variables import ACCUMULATION, BARRIERS, EDGE_CONTAMINATION, ELEVATION, FLOW_DIRECTION, Variable
from rusle_engine.files.barriers import rasterize_barriers
from rusle_engine.files.paths import refuse_replacing
from rusle_engine.files.rasters import RasterOutput, open_raster, write_rasters
from rusle_engine.files.vectorize import polygonize
from rusle_engine.files.vectors import read_zones, write_zones
from rusle_engine.runs.progress import Progress
from rusle_engine.terrain.conditioning import condition
from rusle_engine.terrain.edges import edge_contamination
from rusle_engine.terrain.flow import RoutingScheme, flow_accumulation, flow_direction
from rusle_engine.terrain.streams import streams
from rusle_engine.terrain.watersheds import basins, catchments, sub_basins
from rusle_kernels.neighbours import NODATA_CODE


@dataclass(frozen=True)
class Written:
    """What a command wrote, for a person and for JSON."""

    path: Path
    values: dict[str, Any]


@dataclass(frozen=True)
class Obstacles:
    """What stops or diverts water: codes in a raster, or lines and polygons."""

    barriers: Path | None = None
    stops: Path | None = None
    diverts: Path | None = None

    def __post_init__(self) -> None:
        if self.barriers is not None and (self.stops or self.diverts):
            raise InputError("barriers are given as a raster and as lines; give a raster of codes, or stops and diverts")

    @property
    def paths(self) -> list[Path | None]:
        return [self.barriers, self.stops, self.diverts]

    def on(self, heights: xr.DataArray) -> xr.DataArray | None:
        """Their codes on the grid of ``heights``."""
        if self.barriers is not None:
            return open_raster(self.barriers, units=BARRIERS.units)
        return rasterize_barriers(heights, stops=self.stops, diverts=self.diverts) if self.stops or self.diverts else None


def write_conditioned(dem: Path, out: Path, *, progress: Progress, **options: Any) -> Written:
    """The DEM made to drain, by ``condition``."""
    return _raster(dem, out, lambda heights: condition(heights, **options), ELEVATION, progress)


def write_directions(dem: Path, out: Path, *, progress: Progress, obstacles: Obstacles, **options: Any) -> Written:
    """D8 directions as ESRI codes, by ``flow_direction``."""

    def made(heights: xr.DataArray) -> xr.DataArray:
        return flow_direction(heights, barriers=obstacles.on(heights), **options)

    return _raster(dem, out, made, FLOW_DIRECTION, progress, kind="classes", inputs=obstacles.paths)


def write_accumulation(
    dem: Path, out: Path, *, scheme: RoutingScheme, weights: Path | None, progress: Progress, obstacles: Obstacles, **options: Any
) -> Written:
    """How many cells drain through each, or what ``weights`` come to there, by ``flow_accumulation``."""
    given = None if weights is None else open_raster(weights)
    variable = ACCUMULATION if given is None else replace(ACCUMULATION, units=given.attrs.get("units", ACCUMULATION.units))

    def made(heights: xr.DataArray) -> xr.DataArray:
        routing = flow_direction(heights, scheme=scheme, barriers=obstacles.on(heights), **options)
        return flow_accumulation(routing, weights=None if weights is None else open_raster(weights, chunks=heights.data.chunks))

    return _raster(dem, out, made, variable, progress, inputs=[weights, *obstacles.paths])


def write_edges(
    dem: Path,
    out: Path,
    *,
    scheme: RoutingScheme,
    max_slope_length_m: float | None,
    zones: Path | None,
    obstacles: Obstacles,
    progress: Progress,
) -> Written:
    """Where contributing areas may be cut, by ``edge_contamination``; with zones, their shares too."""
    land = None if zones is None else read_zones(zones)

    def made(heights: xr.DataArray) -> xr.DataArray:
        return edge_contamination(flow_direction(heights, scheme=scheme, barriers=obstacles.on(heights)), max_slope_length_m=max_slope_length_m)

    written = _raster(dem, out, made, EDGE_CONTAMINATION, progress, kind="classes", inputs=obstacles.paths)
    if land is not None:
        mask = open_raster(out).fillna(NODATA_CODE).astype("uint8")
        table = edge_table(mask.rename(EDGE_CONTAMINATION.symbol).assign_attrs(written.values["attributes"]), land)
        written.values["zones"] = table.astype(object).where(table.notna(), None).to_dict("records")
    return written


def write_basins(dem: Path, out: Path, *, min_cells: int | None, obstacles: Obstacles) -> Written:
    """Basins, or with ``min_cells`` pieces between confluences, as polygons that serve as zones."""

    def made(d8: xr.DataArray) -> gpd.GeoDataFrame:
        return _zones(basins(d8) if min_cells is None else sub_basins(d8, min_cells=min_cells), "basin")

    return _layer(dem, out, made, "basins", obstacles)


def write_streams(dem: Path, out: Path, *, min_cells: int, obstacles: Obstacles) -> Written:
    """Streams as lines with Strahler's order."""
    return _layer(dem, out, lambda d8: streams(d8, min_cells=min_cells), "streams", obstacles)


def write_catchments(dem: Path, out: Path, points: Sequence[tuple[float, float]], *, snap_cells: int, obstacles: Obstacles) -> Written:
    """The land above each point as polygons that serve as zones."""
    return _layer(dem, out, lambda d8: _zones(catchments(d8, points, snap_cells=snap_cells), "catchment"), "catchments", obstacles)


def _raster(
    dem: Path,
    out: Path,
    made: Callable[[xr.DataArray], xr.DataArray],
    variable: Variable,
    progress: Progress,
    kind: Any = "quantity",
    inputs: Sequence[Path | None] = (),
) -> Written:
    _require_place(out, ".tif", dem, *inputs)
    result = made(open_raster(dem))
    told = 0

    def tiles(done: int, of: int) -> None:
        nonlocal told
        cells = result.size * done // of
        progress.advance(cells - told)
        told = cells

    progress.start(out.stem, result.size)
    write_rasters([RasterOutput(result, out, variable, kind)], progress=tiles)
    progress.finish()
    return Written(out, {"path": out, "units": variable.units, "attributes": {str(name): value for name, value in result.attrs.items()}})


def _layer(dem: Path, out: Path, made: Callable[[xr.DataArray], gpd.GeoDataFrame], layer: str, obstacles: Obstacles) -> Written:
    """What is made of the D8 directions."""
    _require_place(out, ".gpkg", dem, *obstacles.paths)
    heights = open_raster(dem)
    table = made(flow_direction(heights, barriers=obstacles.on(heights)))
    write_zones(table, out, layer=layer)
    return Written(out, {"path": out, "layer": layer, "rows": len(table)})


def _zones(labels: xr.DataArray, name: str) -> gpd.GeoDataFrame:
    polygons = polygonize(labels)
    numbers = polygons["label"].astype(str)
    return gpd.GeoDataFrame({"zone_id": numbers, "zone_name": name + " " + numbers}, geometry=polygons.geometry, crs=polygons.crs)


def _require_place(out: Path, suffix: str, *inputs: Path | None) -> None:
    """Refuse a file of another kind, and one in the place of an input."""
    if out.suffix.lower() != suffix:
        raise InputError(f"--out {out} ends in {out.suffix or 'nothing'}; expected {suffix}, the kind of file that is written")
    refuse_replacing(out, [path for path in inputs if path is not None])
