"""Polygons as a class raster: the middle of the cell decides, and tiles cannot be seen."""

import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from pyproj import CRS
from shapely import Point, Polygon, box

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.files.rasterize import polygon_codes

GRID = Grid(600, 700, Affine(10, 0, 500000, 0, -10, 4006000), CRS.from_epsg(32650))
WHOLE = ((600,), (700,))


def table(shapes, codes, crs=GRID.crs):
    return gpd.GeoDataFrame({"unit": codes}, geometry=shapes, crs=crs)


def test_the_middle_of_a_cell_decides():
    triangle = Polygon([(500003, 4000000), (503007, 4005991), (506999, 4000003)])
    found = polygon_codes(table([triangle], [7]), "unit", GRID, WHOLE, "soil").values
    x, y = 500005 + 10 * np.arange(700), 4005995 - 10 * np.arange(600)
    for i, j in [(599, 0), (599, 1), (300, 150), (300, 149), (300, 151), (0, 300), (1, 300), (2, 301), (450, 600), (450, 601), (450, 602)]:
        assert (found[i, j] == 7) == triangle.contains(Point(x[j], y[i])), (i, j)
    assert np.nansum(found == 7) == pytest.approx(triangle.area / 100, rel=2e-3)
    assert found.dtype == np.float32


def test_the_later_row_counts_and_gaps_have_no_class():
    shapes = [box(500000, 4000000, 504000, 4006000), box(502000, 4003000, 505000, 4005000)]
    found = polygon_codes(table(shapes, [1, 2]), "unit", GRID, WHOLE, "soil").values
    assert (found[200, 100], found[200, 300], found[200, 450], found[200, 600]) == (1, 2, 2, pytest.approx(np.nan, nan_ok=True))


@pytest.mark.parametrize("chunks", [((513, 87), (512, 188)), ((100,) * 6, (70,) * 10), ((1, 599), (699, 1))])
def test_tiles_cannot_be_seen(chunks):
    rng = np.random.default_rng(8)
    shapes = [
        Point(500000 + x, 4000000 + y).buffer(r) for x, y, r in zip(rng.uniform(0, 7000, 40), rng.uniform(0, 6000, 40), rng.uniform(50, 900, 40))
    ]
    soils = table(shapes, rng.integers(1, 9, 40))
    whole = polygon_codes(soils, "unit", GRID, WHOLE, "soil")
    tiled = polygon_codes(soils, "unit", GRID, chunks, "soil")
    assert tiled.chunks == chunks
    np.testing.assert_array_equal(tiled.values, whole.values)


def test_polygons_of_another_crs_are_brought_onto_the_grid():
    square = table([box(501000, 4001000, 503000, 4002000)], [4])
    found = polygon_codes(square.to_crs(4326), "unit", GRID, WHOLE, "soil").values
    expected = polygon_codes(square, "unit", GRID, WHOLE, "soil").values
    assert np.sum(np.nan_to_num(found) != np.nan_to_num(expected)) == 0


@pytest.mark.parametrize(
    ("codes", "field", "message"),
    [([1.5], "unit", "soil: field 'unit' is '1.5' in row 1"), (["A1"], "unit", "is 'A1' in row 1"), ([1], "code", "no field 'code'; it has unit")],
)
def test_codes_that_are_none_are_refused(codes, field, message):
    with pytest.raises(InputError, match=message):
        polygon_codes(table([box(501000, 4001000, 503000, 4002000)], codes), field, GRID, WHOLE, "soil")


def test_polygons_elsewhere_are_refused():
    with pytest.raises(InputError, match="soil: no polygon lies on the grid"):
        polygon_codes(table([box(1000, 1000, 3000, 2000)], [1]), "unit", GRID, WHOLE, "soil")
