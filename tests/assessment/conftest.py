"""A small region: a grid of 30 m cells, its factors, and zones that nest, overlap, cut cells and reach beyond it."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import CRS

from rusle_engine.core.grid import Grid

LEFT, TOP, CELL = 500000.0, 4000000.0, 30.0


@pytest.fixture(scope="session")
def grid():
    return Grid(40, 50, Affine(CELL, 0, LEFT, 0, -CELL, TOP), CRS.from_epsg(32649))


@pytest.fixture(scope="session")
def factors(grid):
    """R K LS C as rasters of both kinds of float with holes, P a number."""
    random = np.random.default_rng(5)
    ranges = {"r": (1000, 2000, "f4"), "k": (0.02, 0.06, "f8"), "ls": (0, 12, "f8"), "c": (0, 0.5, "f4")}
    arrays = {name: random.uniform(low, high, grid.shape).astype(kind) for name, (low, high, kind) in ranges.items()}
    arrays["c"][random.random(grid.shape) < 0.05] = np.nan
    return {**{name: grid.label(values) for name, values in arrays.items()}, "p": 0.7}


@pytest.fixture(scope="session")
def box():
    """A rectangle given in cells from the grid's upper left corner."""
    return lambda left, top, right, bottom: shapely.box(LEFT + left * CELL, TOP - bottom * CELL, LEFT + right * CELL, TOP - top * CELL)


@pytest.fixture(scope="session")
def table():
    """Zones by id."""

    def of(**polygons):
        columns = {"zone_id": list(polygons), "zone_name": [f"name of {zone_id}" for zone_id in polygons]}
        return gpd.GeoDataFrame(columns, geometry=list(polygons.values()), crs=32649)

    return of


@pytest.fixture(scope="session")
def zones(box, table):
    lake = shapely.Point(LEFT + 700, TOP - 500).buffer(310)
    return table(county=box(1.3, 2.7, 44.1, 37.9) - lake, town=box(10, 5.5, 20.25, 15), lake=lake, abroad=box(45.5, -3, 60, 8))
