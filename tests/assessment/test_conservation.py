"""水土保持率: published figures, areas by hand, the interval over land without data, official areas."""

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.assessment.conservation import COLUMNS, conservation_rate
from rusle_engine.core.errors import InputError

CLASS_AREAS = ["slight_km2", "light_km2", "moderate_km2", "strong_km2", "very_strong_km2", "severe_km2"]
CELL_KM2 = 0.0009


def one_zone(code, cell_size_m=1000.0, **options):
    code = np.atleast_2d(np.asarray(code, np.uint8))
    return conservation_rate(code, np.zeros(code.shape, int), cell_size_m=cell_size_m, **options).iloc[0]


@pytest.mark.parametrize(
    ("unit", "eroding_km2", "land_km2", "cell_size_m", "published"),
    [
        ("Heze 2024", 339.98, 12273.6, (200.0, 100.0), 97.23),
        ("Tianjin 2024", 172.84, 11920, (200.0, 200.0), 98.55),
        ("China 2024", 2601900, 9576400, (10000.0, 10000.0), 72.83),
    ],
)
def test_published_rates(unit, eroding_km2, land_km2, cell_size_m, published):
    cell_km2 = cell_size_m[0] * cell_size_m[1] / 1e6
    cells, eroding = round(land_km2 / cell_km2), round(eroding_km2 / cell_km2)
    code = np.ones(cells, np.uint8)
    code[:eroding] = np.arange(eroding) % 5 + 2
    row = one_zone(code, cell_size_m)
    assert round(row.conservation_rate_pct, 2) == published, unit
    assert row.loss_km2 == pytest.approx(eroding_km2, rel=1e-12)
    assert row.area_km2 == pytest.approx(land_km2, rel=1e-12)


def test_every_class_has_its_area_and_they_close():
    row = one_zone([[1, 1, 1, 1, 2, 2], [3, 4, 5, 6, 255, 0]])
    assert row[CLASS_AREAS].tolist() == [4, 2, 1, 1, 1, 1]
    assert (row.area_km2, row.assessed_km2, row.unassessed_km2, row.loss_km2) == (12, 10, 2, 6)
    assert row.conservation_rate_pct == 40
    assert (row.conservation_rate_min_pct, row.conservation_rate_max_pct) == (pytest.approx(100 * 4 / 12), 50)
    assert row.incomplete


def test_a_zone_without_data_has_no_rate_and_the_widest_interval():
    row = one_zone([[255, 255]])
    assert np.isnan(row.conservation_rate_pct)
    assert (row.conservation_rate_min_pct, row.conservation_rate_max_pct) == (0, 100)


def test_one_cell_in_a_thousand_is_not_yet_incomplete_and_two_are():
    code = np.ones((10, 100), np.uint8)
    code[0, 0] = 255
    assert not one_zone(code).incomplete
    code[0, 1] = 255
    assert one_zone(code).incomplete


def test_classes_do_not_tell_the_loss():
    row = one_zone([[1, 2]])
    assert np.isnan(row.mean_modulus_t_km2_yr)
    assert np.isnan(row.total_loss_t_yr)


def test_the_columns_are_those_of_zones_csv():
    areas = [f"{name}_km2" for name in ("area", "assessed", "unassessed", "slight", "light", "moderate", "strong", "very_strong", "severe", "loss")]
    rates = ["conservation_rate_pct", "conservation_rate_min_pct", "conservation_rate_max_pct"]
    expected = ["zone_id", "zone_name", *areas, *rates, "mean_modulus_t_km2_yr", "total_loss_t_yr"]
    assert list(COLUMNS)[: len(expected)] == expected


def test_cut_cells_count_by_their_share(grid, box, table):
    code = grid.label(np.ones(grid.shape, np.uint8))
    code[:, 3] = 4  # the zone's right border halves this column
    code[2] = 6  # and its lower border takes a quarter of this row
    row = conservation_rate(code, table(z=box(0, 0, 3.5, 2.25))).iloc[0]
    assert row.slight_km2 == pytest.approx(6 * CELL_KM2, rel=1e-14)
    assert row.strong_km2 == pytest.approx(2 * 0.5 * CELL_KM2, rel=1e-14)
    assert row.severe_km2 == pytest.approx((3 * 0.25 + 0.5 * 0.25) * CELL_KM2, rel=1e-14)
    assert row.area_km2 == pytest.approx(3.5 * 2.25 * CELL_KM2, rel=1e-14)


def test_land_beyond_the_raster_is_unassessed(grid, box, table):
    code = grid.label(np.ones(grid.shape, np.uint8))
    row = conservation_rate(code, table(z=box(-3, -1, 7, 9))).iloc[0]
    assert row.unassessed_km2 == pytest.approx((100 - 7 * 9) * CELL_KM2, rel=1e-12)
    assert row.conservation_rate_pct == 100
    assert row.conservation_rate_min_pct == pytest.approx(63, rel=1e-12)


def test_nested_and_overlapping_zones_are_each_counted_on_their_own(grid, zones):
    code = grid.label(np.random.default_rng(1).integers(1, 7, grid.shape).astype(np.uint8))
    together = conservation_rate(code, zones)
    for n in range(len(zones)):
        assert conservation_rate(code, zones.iloc[[n]]).iloc[0].equals(together.iloc[n].rename(0))


def test_zones_as_a_class_raster_are_zones_along_cell_lines(grid, box, table):
    code = grid.label(np.random.default_rng(1).integers(0, 7, grid.shape).astype(np.uint8))
    labels = np.zeros(grid.shape, np.uint8)
    labels[10:30, 5:20], labels[10:30, 20:45] = 1, 2
    outer = box(0, 0, 50, 40) - box(5, 10, 45, 30)
    polygons = table(**{"0": outer, "1": box(5, 10, 20, 30), "2": box(20, 10, 45, 30)})
    by_label = conservation_rate(code, labels, zone_names={n: f"name of {n}" for n in range(3)})
    assert by_label.equals(conservation_rate(code, polygons))


def test_an_official_area_scales_areas_and_not_rates():
    code = [[1, 1, 1, 2], [1, 1, 4, 255]]
    plain, scaled = one_zone(code), one_zone(code, land_area_km2=8.4)
    for column in ("area_km2", "assessed_km2", "unassessed_km2", "loss_km2", *CLASS_AREAS):
        assert scaled[column] == pytest.approx(plain[column] * 1.05, rel=1e-14)
    assert scaled.area_km2 == pytest.approx(8.4)
    assert scaled.area_scale == pytest.approx(1.05)
    assert scaled.conservation_rate_pct == plain.conservation_rate_pct


def test_an_official_area_of_the_region_spreads_over_overlapping_zones(grid, box, table):
    code = grid.label(np.ones(grid.shape, np.uint8))
    nested = table(county=box(0, 0, 20, 20), town=box(5, 5, 10, 10))
    result = conservation_rate(code, nested, 0.4)
    assert result.area_km2.tolist() == pytest.approx([0.4, 0.4 * 25 / 400])


def test_official_areas_by_zone(grid, box, table):
    code = grid.label(np.ones(grid.shape, np.uint8))
    pair = table(a=box(0, 0, 20, 20), b=box(20, 0, 40, 20))
    result = conservation_rate(code, pair, {"b": 0.39})
    assert result.area_km2.tolist() == pytest.approx([0.36, 0.39])
    with pytest.raises(InputError, match="names zones that do not exist: c"):
        conservation_rate(code, pair, {"c": 1.0})


def test_an_official_area_in_another_unit_is_refused():
    with pytest.raises(InputError, match="1 km² = 100 hm²"):
        one_zone([[1, 1]], land_area_km2=200)


@pytest.mark.parametrize("wrong", [7, 254, -1, 257, 1.5])
def test_codes_that_are_no_class_are_refused(wrong):
    code = xr.DataArray(np.array([[1, wrong]]), dims=("y", "x"))
    with pytest.raises(InputError, match=f"holds {wrong}"):
        conservation_rate(code, np.zeros((1, 2), int), cell_size_m=1000.0)


def test_float_classes_with_nan_are_taken():
    code = xr.DataArray(np.array([[1.0, 2.0, np.nan]]), dims=("y", "x"))
    row = conservation_rate(code, np.zeros((1, 3), int), cell_size_m=1000.0).iloc[0]
    assert (row.slight_km2, row.light_km2, row.unassessed_km2) == (1, 1, 1)


@given(tile=st.tuples(st.integers(3, 40), st.integers(4, 50)), by_label=st.booleans())
@settings(max_examples=15, deadline=None)
def test_the_table_is_the_same_on_any_tiling(grid, zones, tile, by_label):
    code = grid.label(np.random.default_rng(3).integers(0, 7, grid.shape).astype(np.uint8))
    labels = grid.label(np.random.default_rng(4).integers(0, 5, grid.shape))
    whole = conservation_rate(code, labels if by_label else zones)
    assert conservation_rate(code.chunk(y=tile[0], x=tile[1]), labels.chunk(y=7) if by_label else zones).equals(whole)


def test_the_caller_s_data_is_not_touched(grid, zones):
    code = grid.label(np.ones(grid.shape, np.uint8))
    before, zones_before = code.copy(deep=True), zones.copy(deep=True)
    conservation_rate(code, zones)
    assert code.identical(before)
    assert zones.equals(zones_before)
    assert not dask.is_dask_collection(code)
