"""The fused pass: the bits of the separate functions, sums by an independent hand, and no trace of tiles."""

import dask
import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyproj import CRS

from rusle_engine.assessment.conservation import conservation_rate, zone_table
from rusle_engine.assessment.tally import add_up, assess, weighted_sum
from rusle_engine.assessment.zones import with_region, zone_cover
from rusle_engine.core.errors import GridMismatchError, InputError
from rusle_engine.core.grid import Grid
from rusle_engine.erosion.intensity import erosion_intensity
from rusle_engine.erosion.soil_loss import soil_loss

LOSS_COLUMNS = ["mean_modulus_t_km2_yr", "total_loss_t_yr"]


def tolerance_raster(grid):
    values = np.random.default_rng(8).choice([200.0, 500.0, 1000.0], grid.shape)
    values[3, 4] = np.nan
    return grid.label(values)


@pytest.mark.parametrize("by_raster", [False, True])
def test_fused_is_the_separate_functions(grid, factors, zones, by_raster):
    tolerance = tolerance_raster(grid) if by_raster else 500
    cover = zone_cover(zones, grid)
    fused = assess(factors, tolerance, cover)
    a = soil_loss(**factors)
    code = erosion_intensity(a, tolerance)
    assert fused.a.identical(a)
    assert fused.code.identical(code)
    table, separate = zone_table(fused.records, cover), conservation_rate(code, zones)
    assert table.drop(columns=LOSS_COLUMNS).equals(separate.drop(columns=LOSS_COLUMNS))


def test_sums_by_an_independent_hand(grid, factors, zones):
    """Every cell's share by shapely, sums by NumPy in float64."""
    cover = zone_cover(zones, grid)
    table = zone_table(assess(factors, 500, cover).records, cover)
    t = grid.transform
    left, top = (values.ravel() for values in np.meshgrid(t.c + np.arange(grid.width) * t.a, t.f + np.arange(grid.height) * t.e))
    cells = shapely.box(left, top + t.e, left + t.a, top)
    a = soil_loss(**factors).values.ravel().astype(float)
    for n, polygon in enumerate(zones.geometry):
        hectares = shapely.area(shapely.intersection(cells, polygon)) / 1e4
        known = ~np.isnan(a)
        row = table.iloc[n]
        assert row.area_km2 == pytest.approx(polygon.area / 1e6, rel=1e-8)
        assert row.assessed_km2 == pytest.approx(hectares[known].sum() / 100, rel=1e-7)
        assert row.slight_km2 == pytest.approx(hectares[known & (a < 5)].sum() / 100, rel=1e-7)
        assert row.very_strong_km2 == pytest.approx(hectares[known & (a >= 80) & (a < 150)].sum() / 100, rel=1e-7)
        assert row.total_loss_t_yr == pytest.approx((hectares * a)[known].sum(), rel=1e-7)
        assert row.mean_modulus_t_km2_yr == pytest.approx(100 * (hectares * a)[known].sum() / hectares[known].sum(), rel=1e-7)


def test_half_a_cell_of_loss(grid, box, table):
    cover = zone_cover(table(z=box(0, 0, 1.5, 1)), grid)
    row = zone_table(assess({"r": 1000.0, "k": 0.04, "ls": grid.label(np.ones(grid.shape))}, 1000, cover).records, cover).iloc[0]
    assert row.total_loss_t_yr == pytest.approx(40 * 0.09 * 1.5, rel=1e-14)  # 40 t/ha on cells of 0.09 ha
    assert row.mean_modulus_t_km2_yr == pytest.approx(4000, rel=1e-14)


def test_numbers_alone_cover_the_grid(grid, zones):
    fused = assess({"r": 1000.0, "k": 0.04, "ls": 2.0}, 1000, zone_cover(zones, grid))
    assert np.unique(fused.a).tolist() == [80.0]


def test_zones_add_up_to_the_region_exactly(grid, factors):
    points = np.random.default_rng(2).uniform((500000, 3998800), (501500, 4000000), (12, 2))
    parts = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(points)))
    zones = with_region(gpd.GeoDataFrame({"zone_id": [str(n) for n in range(len(parts))]}, geometry=parts, crs=32649), "region")
    cover = zone_cover(zones, grid)
    tally = add_up(assess(factors, 500, cover).records, cover)
    assert tally.classes[0].tolist() == tally.classes[1:].sum(axis=0).tolist()
    assert tally.losses[0] == tally.losses[1:].sum()
    assert tally.unassessed[0] == tally.unassessed[1:].sum()


def test_classes_and_unassessed_close_to_the_last_integer(grid, factors, zones):
    cover = zone_cover(zones, grid)
    tally = add_up(assess(factors, 500, cover).records, cover)
    assert (tally.classes.sum(axis=1) + tally.unassessed).tolist() == list(cover.zone_areas())


@given(tile=st.tuples(st.integers(4, 40), st.integers(5, 50)), by_label=st.booleans(), by_raster=st.booleans())
@example(tile=(1, 25), by_label=False, by_raster=False)
@example(tile=(20, 1), by_label=True, by_raster=True)
@settings(max_examples=15, deadline=None)
def test_the_answer_does_not_depend_on_tiles(grid, factors, zones, tile, by_label, by_raster):
    labels = grid.label(np.random.default_rng(4).integers(0, 5, grid.shape).astype(np.uint8))
    cover = zone_cover(labels if by_label else zones, grid)
    tolerance = tolerance_raster(grid) if by_raster else 500
    whole = assess(factors, tolerance, cover)
    lazy = {**factors, "r": factors["r"].chunk(y=tile[0], x=tile[1]), "k": factors["k"].chunk(y=9)}
    tiled = assess(lazy, tolerance, cover)
    assert (tiled.a.dtype, tiled.code.dtype) == (np.float32, np.uint8)
    a, code, records = dask.compute(tiled.a, tiled.code, tiled.records)
    assert a.identical(whole.a)
    assert code.identical(whole.code)
    assert zone_table(reversed(records), cover).equals(zone_table(whole.records, cover))


def test_rows_of_different_size_do_not_depend_on_tiles_either(factors):
    degrees = Grid(40, 50, Affine(0.01, 0, 112, 0, -0.01, 39), CRS.from_epsg(4326))
    arrays = {name: degrees.label(value.values, units=value.attrs.get("units", "1")) for name, value in factors.items() if name == "ls"}
    disc = gpd.GeoDataFrame({"zone_id": ["disc"]}, geometry=[shapely.Point(112.2, 38.8).buffer(0.25)], crs=4326)
    cover = zone_cover(disc, degrees)
    whole = zone_table(assess({"r": 1500.0, "k": 0.04, **arrays}, 1000, cover).records, cover)
    lazy = {name: array.chunk(y=7, x=11) for name, array in arrays.items()}
    assert zone_table(assess({"r": 1500.0, "k": 0.04, **lazy}, 1000, cover).records, cover).equals(whole)
    a = 1500 * 0.04 * arrays["ls"].values
    hectares = degrees.cell_area_m2[:, None] / 1e4
    inside = shapely.area(shapely.intersection(disc.geometry[0], _cells(degrees))).reshape(degrees.shape) / 0.0001
    assert whole.total_loss_t_yr[0] == pytest.approx(np.nansum(a * hectares * inside), rel=1e-6)


def _cells(grid):
    t = grid.transform
    left, top = (values.ravel() for values in np.meshgrid(t.c + np.arange(grid.width) * t.a, t.f + np.arange(grid.height) * t.e))
    return shapely.box(left, top + t.e, left + t.a, top)


def test_nothing_is_computed_before_it_is_asked_for(grid, factors, zones):
    def refuse(*_, **__):
        raise AssertionError("computed too early")

    cover = zone_cover(zones, grid)
    with dask.config.set(scheduler=refuse):
        assess({**factors, "r": factors["r"].chunk(y=9)}, 500, cover)


def test_every_tile_is_visited_once(grid, factors, zones):
    visits = []

    def visit(tile):
        visits.append(tile.shape)
        return tile

    counted = factors["r"].chunk(y=20, x=25)
    counted = counted.copy(data=counted.data.map_blocks(visit, dtype=counted.dtype, meta=np.empty((0, 0), counted.dtype)))
    fused = assess({**factors, "r": counted}, 500, zone_cover(zones, grid))
    dask.compute(fused.a, fused.code, fused.records)
    assert visits == [(20, 25)] * 4


def test_factors_must_lie_on_the_grid_of_the_zones(grid, factors, zones):
    other = Grid(grid.height, grid.width, grid.transform @ Affine.translation(1, 0), grid.crs)
    with pytest.raises(GridMismatchError, match="the grid of the zones and r"):
        assess(factors, 500, zone_cover(zones, other))


def test_a_loss_that_would_not_fit_the_counters_is_an_error(grid, zones):
    with pytest.raises(InputError, match="allowed is 0 to 262144"):
        assess({"r": 1.0, "k": 1.0, "ls": grid.label(np.full(grid.shape, 262145.0))}, 500, zone_cover(zones, grid))


def test_the_largest_loss_still_fits_the_counters():
    large = Grid(1100, 1000, Affine(30, 0, 500000, 0, -30, 4000000), CRS.from_epsg(32649))
    cover = zone_cover(np.ones(large.shape, np.uint8), large)
    loss = large.label(np.full(large.shape, 262144.0, np.float32))
    row = zone_table(assess({"r": 1.0, "k": 1.0, "ls": loss}, 500, cover).records, cover).iloc[0]
    assert row.total_loss_t_yr == 262144 * 1100 * 1000 * 0.09
    assert row.severe_km2 == pytest.approx(990, rel=1e-15)


@given(st.integers(0, 10**6), st.integers(1, 40))
@settings(max_examples=50, deadline=None)
def test_weighted_sum_is_exact(seed, groups):
    random = np.random.default_rng(seed)
    counts = random.integers(0, 2**63 - 1, (2, groups, 3))
    weights = random.integers(0, 2**54, groups)
    expected = [[sum(int(counts[z, g, c]) * int(weights[g]) for g in range(groups)) for c in range(3)] for z in range(2)]
    assert weighted_sum(counts, weights).tolist() == expected
