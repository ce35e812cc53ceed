"""Which zones are taken, which are refused and with what words, and what lies beyond the grid."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
import xarray as xr
from affine import Affine
from pyproj import CRS

from rusle_engine.assessment.tally import UNITS_PER_KM2
from rusle_engine.assessment.zones import overlaps, with_region, zone_cover
from rusle_engine.core.errors import GridMismatchError, InputError
from rusle_engine.core.grid import Grid

CELL_KM2 = 0.0009


def area_km2(cover, n=0):
    return cover.zone_areas()[n] / UNITS_PER_KM2


def test_a_zone_beyond_the_grid_keeps_its_whole_area(grid, box, table):
    assert area_km2(zone_cover(table(z=box(45.5, -3, 60, 8)), grid)) == pytest.approx(14.5 * 11 * CELL_KM2, rel=1e-12)


def test_on_a_geographic_grid_areas_are_the_ellipsoid_s_also_beyond_the_grid():
    second = 1 / 3600
    one_cell = Grid(1, 1, Affine(second, 0, 112, 0, -second, 38.5 + second), CRS.from_epsg(4326))
    cell = gpd.GeoDataFrame({"zone_id": ["cell"]}, geometry=[shapely.box(112, 38.5, 112 + second, 38.5 + second)], crs=4326)
    assert area_km2(zone_cover(cell, one_cell)) * 1e6 == pytest.approx(747.1712, abs=5e-5)  # formula G-3
    north = gpd.GeoDataFrame({"zone_id": ["degree"]}, geometry=[shapely.box(112, 38.5, 113, 39.5)], crs=4326)
    e2 = 0.00669437999014  # the same formula for a whole degree, WGS84

    def q(degrees):
        e, s = e2**0.5, np.sin(np.radians(degrees))
        return s / (1 - e2 * s * s) + np.log((1 + e * s) / (1 - e * s)) / (2 * e)

    degree = np.radians(1) * 6378137**2 * (1 - e2) / 2 * (q(39.5) - q(38.5)) / 1e6
    assert area_km2(zone_cover(north, one_cell)) == pytest.approx(degree, rel=1e-9)


def test_zones_in_another_crs_are_brought_to_the_grid(grid, box, table):
    long_edges = table(z=box(2.5, 3.5, 40, 30))
    dense = long_edges.set_geometry(long_edges.geometry.segmentize(1.0)).to_crs(4326)
    assert area_km2(zone_cover(dense, grid)) == pytest.approx(37.5 * 26.5 * CELL_KM2, rel=1e-7)


def test_long_straight_edges_bend_with_the_projection():
    wide = Grid(10, 10, Affine(5000, 0, 500000, 0, -5000, 4300000), CRS.from_epsg(32649))
    square = gpd.GeoDataFrame({"zone_id": ["square"]}, geometry=[shapely.box(111.0, 38.4, 111.5, 38.8)], crs=4326)
    dense = square.set_geometry(square.geometry.segmentize(1e-4))
    ends_only = shapely.area(square.to_crs(wide.crs).geometry)[0] / 1e6
    exact = shapely.area(dense.to_crs(wide.crs).geometry)[0] / 1e6
    assert abs(ends_only / exact - 1) > 1e-6
    assert area_km2(zone_cover(square, wide)) == pytest.approx(exact, rel=1e-7)


def test_a_class_raster_has_a_zone_for_each_class_and_none_for_nodata(grid):
    labels = grid.label(np.full(grid.shape, 7, np.int32))
    labels[:5] = 3
    labels[5:9] = -99
    cover = zone_cover(labels.rio.write_nodata(-99), grid, zone_names={7: "seven"})
    assert (cover.zone_ids, cover.zone_names) == (("3", "7"), ("3", "seven"))
    floats = labels.astype(float).where(labels != -99)
    assert zone_cover(floats, grid).zone_ids == ("3", "7")


def test_a_class_raster_on_another_grid_or_of_fractions_is_refused(grid):
    with pytest.raises(GridMismatchError, match="the zones"):
        zone_cover(xr.DataArray(np.ones((3, 3)), dims=("y", "x")), grid)
    with pytest.raises(InputError, match="not whole"):
        zone_cover(np.full(grid.shape, 1.5), grid)
    with pytest.raises(InputError, match="no cell with a class"):
        zone_cover(np.full(grid.shape, np.nan), grid)


def test_all_zones_wholly_outside_are_named(grid, box, table):
    with pytest.raises(InputError, match="wholly outside the raster: far, further"):
        zone_cover(table(near=box(1, 1, 2, 2), far=box(900, 0, 901, 1), further=box(-9, 0, -8, 1)), grid)


def test_a_zone_that_only_goes_round_the_grid_is_outside(grid, box, table):
    with pytest.raises(InputError, match="wholly outside the raster: frame"):
        zone_cover(table(frame=box(-9, -9, 90, 90) - box(-1, -1, 60, 60)), grid)


@pytest.mark.parametrize("nothing", [None, shapely.Polygon(), shapely.LineString([(500000, 4000000), (500030, 3999900)])])
def test_zones_without_an_area_are_named(grid, nothing, box, table):
    with pytest.raises(InputError, match="without an area: empty"):
        zone_cover(table(near=box(1, 1, 2, 2), empty=nothing), grid)


def test_what_zones_must_have(grid, box, table):
    good = table(a=box(1, 1, 2, 2), b=box(1, 1, 3, 3))
    with pytest.raises(InputError, match="there are no zones"):
        zone_cover(good.iloc[:0], grid)
    with pytest.raises(InputError, match="no column 'zone_id'"):
        zone_cover(good.drop(columns="zone_id"), grid)
    with pytest.raises(InputError, match="stand twice: a"):
        zone_cover(good.assign(zone_id="a"), grid)
    with pytest.raises(InputError, match="zones have no CRS"):
        zone_cover(good.set_crs(None, allow_override=True), grid)


def test_a_polygon_that_crosses_itself_is_mended(grid, caplog, table):
    bow_tie = shapely.Polygon([(500000, 4000000), (500300, 3999700), (500300, 4000000), (500000, 3999700)])
    assert area_km2(zone_cover(table(bow=bow_tie), grid)) == pytest.approx(2 * 0.15 * 0.15, rel=1e-9)
    assert "mended: bow" in caplog.text


def test_the_region_comes_first_and_is_all_zones_once(grid, box, table):
    regional = with_region(table(a=box(0, 0, 10, 10), b=box(5, 0, 20, 10)), "the whole")
    assert regional["zone_id"].tolist() == ["region", "a", "b"]
    cover = zone_cover(regional, grid)
    assert area_km2(cover) == pytest.approx(200 * CELL_KM2, rel=1e-12)
    assert cover.union_area() == cover.zone_areas()[0]


def test_one_zone_is_its_own_region(box, table):
    assert with_region(table(only=box(0, 0, 1, 1)), "x")["zone_id"].tolist() == ["only"]


def test_the_name_of_the_region_may_not_be_taken(box, table):
    with pytest.raises(InputError, match="already called 'region'"):
        with_region(table(region=box(0, 0, 1, 1), a=box(1, 0, 2, 1)), "x")


def test_overlaps_are_reported_and_shared_borders_are_not(box, table):
    found = overlaps(table(a=box(0, 0, 10, 10), nested=box(2, 2, 4, 4), beside=box(10, 0, 20, 10), half=box(15, 0, 25, 10)))
    assert found.values.tolist() == [["a", "nested", 100.0], ["beside", "half", 50.0]]
