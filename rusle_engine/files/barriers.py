"""Barriers to water from lines and polygons: ditches, channels, walls, roads, banks of terraces, borders of fields."""

from typing import Any

import geopandas as gpd
import numpy as np
import rasterio.features
import shapely
import xarray as xr
from dask.base import is_dask_collection
from pyproj import CRS

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.memory import require_memory
from rusle_engine.core.variables import BARRIERS
from rusle_engine.files.paths import PathLike
from rusle_engine.files.vectors import read_features

_STOPS, _DIVERTS = 1, 2


def rasterize_barriers(
    like: xr.DataArray,
    *,
    stops: gpd.GeoDataFrame | PathLike | None = None,
    diverts: gpd.GeoDataFrame | PathLike | None = None,
    outlines: bool = False,
) -> xr.DataArray:
    """Barriers for ``flow_direction`` from vectors.

    Every cell that a line touches is a barrier, so that a line has no gaps; of a polygon the cells whose centre lies inside, or, with
    ``outlines``, those that its border touches. Where both kinds meet, water stops.

    Parameters
    ----------
    like
        A raster of the grid, such as the DEM, with a CRS.
    stops
        Lines or polygons in which water that enters ends: ditches, channels, ponds. A table, or a file as for zones.
    diverts
        Lines or polygons that water goes round: walls, roads, banks.
    outlines
        Take the borders of polygons (of fields, for example) in place of their surface.

    Returns
    -------
    DataArray (y, x)
        uint8: 0 none, 1 stops, 2 diverts; in the chunks of ``like``.

    Raises
    ------
    InputError
        When the grid or the features have no CRS, or nothing is given.
    MemoryBudgetError
        When a byte for each cell is more than the memory budget allows: it is drawn in one go, so that no tile's border can show.
    """
    grid = Grid.of(like)
    if grid.crs is None:
        raise InputError("the raster has no CRS, so nobody knows where features lie on it. Set one: array.rio.write_crs('EPSG:…')")
    if stops is None and diverts is None:
        raise InputError("no barriers are given; expected stops=, diverts= or both")
    require_memory(grid.height * grid.width, 2.0, "rasterize_barriers", "Give barriers as a raster, or raise memory_budget.")
    codes = np.zeros(grid.shape, np.uint8)
    for code, features in ((_DIVERTS, diverts), (_STOPS, stops)):
        if features is not None:
            _draw(_shapes(features, grid.crs), grid, code, codes, outlines=outlines)
    barriers = grid.label(codes)
    if is_dask_collection(like):
        barriers = barriers.chunk(dict(zip(like.dims, like.data.chunks)))
    return BARRIERS.describe(barriers)


def _shapes(features: gpd.GeoDataFrame | PathLike, crs: CRS) -> Any:
    table = features if isinstance(features, gpd.GeoDataFrame) else read_features(features)
    if table.crs is None:
        raise InputError("the barriers have no CRS. Set the one they are drawn in: table.set_crs('EPSG:…')")
    shapes = shapely.force_2d(table.to_crs(crs).geometry.to_numpy())
    return shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))]


def _draw(shapes: Any, grid: Grid, code: int, codes: np.ndarray[Any, Any], *, outlines: bool) -> None:
    surfaces = shapely.get_dimensions(shapes) == 2
    inside = np.zeros_like(surfaces) if outlines else surfaces
    lines = np.where(surfaces, shapely.boundary(shapes), shapes)
    for some, touched in ((lines[~inside], True), (shapes[inside], False)):
        if some.size:
            rasterio.features.rasterize(some, out=codes, transform=grid.transform, default_value=code, all_touched=touched)
