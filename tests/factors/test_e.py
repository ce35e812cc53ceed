"""E by class and from a register of measures, against areas worked out by hand and by another library."""

import dask
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from affine import Affine
from pyproj import CRS

import rusle_engine as rusle
from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid

HEIGHT, WIDTH = 6, 8
CRS_32649 = CRS.from_epsg(32649)
GRID = Grid(HEIGHT, WIDTH, Affine(10, 0, 500_000, 0, -10, 4_000_000), CRS_32649)
RASTER = GRID.label(np.zeros(GRID.shape))
TYPES = {"terrace": 0.1, "bench": 0.2, "pit": 0.4}


def box(left, top, right, bottom):
    """In columns and rows of the grid."""
    return shapely.box(500_000 + 10 * left, 4_000_000 - 10 * bottom, 500_000 + 10 * right, 4_000_000 - 10 * top)


def register(*rows, crs=CRS_32649, **fields):
    """(type, year, polygon) …"""
    columns = {"type": [row[0] for row in rows], "year_built": [row[1] for row in rows], **fields}
    return gpd.GeoDataFrame(columns, geometry=[row[2] for row in rows], crs=crs)


def e_of(measures, year=2024, *, table=TYPES, grid=RASTER, **options):
    return rusle.e_factor(measures=measures, table=table, grid=grid, year=year, method="register", **options)


def test_by_class():
    e = rusle.e_factor(landcover=np.array([[0, 1, np.nan]]), table={0: 1.0, 1: 0.084})
    np.testing.assert_array_equal(e.values, [[1.0, 0.084, np.nan]])
    assert e.attrs["units"] == "1"


def test_a_cell_has_the_mean_of_its_parts():
    # one cell whole, one a half, one a quarter; all other cells have no measure
    e = e_of(register(("terrace", 2010, box(1, 1, 2.5, 2)), ("bench", 2010, box(4, 3.5, 4.5, 4))))
    expected = np.ones(GRID.shape)
    expected[1, 1] = 0.1
    expected[1, 2] = 1 - 0.5 * (1 - 0.1)
    expected[3, 4] = 1 - 0.25 * (1 - 0.2)
    np.testing.assert_allclose(e.values, expected, rtol=1e-15)


def test_this_year_s_terraces_count_from_this_year_on():
    measures = register(("terrace", 2023, box(0, 0, 1, 1)), ("terrace", 2024, box(1, 0, 2, 1)), ("terrace", 2025, box(2, 0, 3, 1)))
    assert e_of(measures, 2022).values[0, :3].tolist() == [1, 1, 1]
    assert e_of(measures, 2023).values[0, :3].tolist() == pytest.approx([0.1, 1, 1], rel=1e-15)
    found = e_of(measures, 2024)
    assert found.values[0, :3].tolist() == pytest.approx([0.1, 0.1, 1], rel=1e-15)
    assert (found.attrs["year"], found.attrs["measures"], found.attrs["measures_counted"], found.attrs["measures_later"]) == (2024, 3, 2, 1)


@pytest.mark.parametrize("rows", [["pit", "terrace", "bench"], ["terrace", "bench", "pit"], ["bench", "pit", "terrace"]])
def test_where_measures_share_land_the_smallest_e_counts_alone(rows):
    places = {"terrace": box(0, 0, 2, 1), "bench": box(1, 0, 3, 1), "pit": box(0, 0, 4, 1)}
    e = e_of(register(*((name, 2000, places[name]) for name in rows)))
    np.testing.assert_allclose(e.values[0, :5], [0.1, 0.1, 0.2, 0.4, 1], rtol=1e-12)


def test_half_cells_that_share_land():
    # terrace on the west half, pit on the whole: half 0.1, half 0.4
    e = e_of(register(("pit", 2000, box(0, 0, 1, 1)), ("terrace", 2000, box(0, 0, 0.5, 1))))
    np.testing.assert_allclose(e.values[0, 0], 0.5 * 0.1 + 0.5 * 0.4, rtol=1e-6)


def test_the_same_measure_twice_counts_once():
    e = e_of(register(("terrace", 2000, box(0, 0, 0.5, 1)), ("terrace", 2010, box(0, 0, 0.5, 1))))
    assert e.values[0, 0] == 1 - 0.5 * 0.9


def test_neighbours_that_share_a_border_make_up_the_cell():
    e = e_of(register(("terrace", 2000, box(0, 0, 0.3, 1)), ("terrace", 2000, box(0.3, 0, 1, 1))))
    np.testing.assert_allclose(e.values[0, 0], 0.1, rtol=1e-15)


def test_condition_and_coverage_scale_the_effect():
    measures = register(
        *(("bench", 2000, box(i, 0, i + 1, 1)) for i in range(4)),
        condition=["intact", "damaged", "destroyed", "damaged"],
        coverage=[1.0, np.nan, 1.0, 0.25],
    )
    e = e_of(measures, conditions={"intact": 1, "damaged": 0.5, "destroyed": 0})
    np.testing.assert_allclose(e.values[0, :4], [0.2, 1 - 0.5 * 0.8, 1, 1 - 0.5 * 0.25 * 0.8], rtol=1e-15)


def test_a_damaged_terrace_over_an_intact_bench_the_smaller_effective_e_counts():
    measures = register(("terrace", 2000, box(0, 0, 1, 1)), ("bench", 2000, box(0, 0, 1, 1)), condition=["damaged", "intact"])
    assert e_of(measures, conditions={"intact": 1, "damaged": 0.5}).values[0, 0] == pytest.approx(0.2, rel=1e-15)  # 0.55 of the terrace


def test_a_register_that_knows_conditions_and_a_run_that_does_not_warns(caplog):
    e_of(register(("terrace", 2000, box(0, 0, 1, 1)), condition=["destroyed"]))
    assert "every measure counts as intact" in caplog.text


def test_types_by_number_and_tables_as_data_frames():
    measures = register((1.0, 2000, box(0, 0, 1, 1)), (2.0, 2000, box(1, 0, 2, 1)))
    table = pd.DataFrame({"code": [1, 2], "E": [0.084, 0.414]})
    np.testing.assert_allclose(e_of(measures, table=table).values[0, :2], [0.084, 0.414], rtol=1e-15)


@pytest.mark.parametrize("built", [2019, "2019", "2019-05-01", 2019.0, pd.Timestamp("2019-05-01")])
def test_years_however_they_are_written(built):
    measures = register(("terrace", built, box(0, 0, 1, 1)))
    assert e_of(measures, 2018).values[0, 0] == 1
    assert e_of(measures, 2019).values[0, 0] == pytest.approx(0.1, rel=1e-15)


def test_measures_without_a_year_count_only_when_that_is_said():
    measures = register(("terrace", None, box(0, 0, 1, 1)), ("terrace", 2000, box(1, 0, 2, 1)))
    with pytest.raises(InputError, match=r"rows 1 \(empty\) have no year_built; give it, or say undated: standing"):
        e_of(measures)
    assert e_of(measures, 1990, undated="standing").values[0, :2] == pytest.approx([0.1, 1], rel=1e-15)


def test_another_crs_and_measures_beyond_the_raster():
    measures = register(("terrace", 2000, box(1, 1, 3, 2)), ("terrace", 2000, box(6, 4, 30, 40)), ("terrace", 2000, box(100, 100, 120, 120)))
    expected = np.ones(GRID.shape)
    expected[1, 1:3] = expected[4:, 6:] = 0.1
    np.testing.assert_allclose(e_of(measures).values, expected, rtol=1e-15)
    np.testing.assert_allclose(e_of(measures.to_crs(4490)).values, expected, atol=1e-5)


def test_no_measure_stands_yet():
    assert (e_of(register(("terrace", 2030, box(0, 0, 1, 1)))).values == 1).all()


def random_register(random, n=60):
    def shape():
        angle = np.sort(random.uniform(0, 2 * np.pi, 9))
        radius = random.uniform(0.2, 2.2) * random.uniform(0.4, 1, 9)
        column, row = random.uniform(-1, WIDTH + 1), random.uniform(-1, HEIGHT + 1)
        ring = np.c_[500_000 + 10 * (column + radius * np.cos(angle)), 4_000_000 - 10 * (row + radius * np.sin(angle))]
        return shapely.make_valid(shapely.Polygon(ring)).buffer(0)

    kinds = random.choice(list(TYPES), n)
    return register(*((kind, int(random.integers(2000, 2030)), shape()) for kind in kinds))


def by_overlay(measures, year):
    """E of every cell from geometry alone: the cell cut by the union of each type's measures, the smallest E first."""
    standing = measures[measures["year_built"] <= year]
    unions = {kind: shapely.union_all(standing.geometry[standing["type"] == kind].to_numpy()) for kind in TYPES}
    e = np.ones(GRID.shape)
    for row in range(HEIGHT):
        for column in range(WIDTH):
            left = box(column, row, column + 1, row + 1)
            for kind in sorted(TYPES, key=TYPES.get):
                part = left.intersection(unions[kind])
                e[row, column] -= part.area / 100 * (1 - TYPES[kind])
                left = left.difference(unions[kind])
    return e


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_tangle_of_measures_against_plain_geometry(seed):
    measures = random_register(np.random.default_rng(seed))
    np.testing.assert_allclose(e_of(measures, 2015).values, by_overlay(measures, 2015), atol=2e-5)  # outlines stand on a lattice of 2^-20 cells


def refuse_to_compute(*_args, **_kwargs):
    raise AssertionError("computed while the graph was built")


@pytest.mark.parametrize("tile", [(1, 1), (2, 3), (6, 8), (4, 5)])
def test_lazy_equals_eager_on_any_tiling(tile):
    measures = random_register(np.random.default_rng(4))
    before = measures.copy(deep=True)
    eager = e_of(measures, 2015)
    with dask.config.set(scheduler=refuse_to_compute):
        lazy = e_of(measures, 2015, grid=RASTER.chunk(dict(zip(("y", "x"), tile))))
    assert dask.is_dask_collection(lazy)
    assert lazy.chunks == RASTER.chunk(dict(zip(("y", "x"), tile))).chunks
    assert lazy.dtype == eager.dtype == np.float64
    assert lazy.values.tobytes() == eager.values.tobytes()
    xr.testing.assert_equal(lazy.compute(), eager)
    assert measures.equals(before)


def test_in_degrees_a_cell_is_still_one_cell():
    grid = Grid(3, 4, Affine(0.01, 0, 111, 0, -0.01, 39), CRS.from_epsg(4490))
    measures = register(("terrace", 2000, shapely.box(111.01, 38.98, 111.025, 38.99)), crs=4490)
    expected = np.ones((3, 4))
    expected[1, 1], expected[1, 2] = 0.1, 0.55
    np.testing.assert_allclose(e_of(measures, grid=grid.label(np.zeros((3, 4)))).values, expected, rtol=1e-9)


ONE = register(("terrace", 2000, box(0, 0, 1, 1)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "needs landcover= .* and table="),
        ({"landcover": 1.0, "table": {1: 2.0}}, "E .* is 2 for class 1 of the table; expected 0 to 1"),
        ({"landcover": 2.0, "table": {1: 0.5}}, "the E table has no row for class 2"),
        ({"landcover": 1.0, "table": {1: 0.5}, "year": 2024}, "does not use year"),
        ({"method": "register", "table": TYPES, "measures": ONE}, "needs measures= .*, table= .* and grid="),
        ({"method": "register", "table": TYPES, "measures": ONE, "grid": RASTER}, "needs year="),
        ({"method": "register", "table": TYPES, "measures": ONE, "grid": RASTER, "year": 2024, "landcover": 1.0}, "does not use landcover"),
    ],
)
def test_inputs_that_do_not_belong_together_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        rusle.e_factor(**given)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda m: m.drop(columns="year_built"), {}, "no field 'year_built'; its fields are 'type'"),
        (lambda m: m, {"conditions": {"good": 1}}, "no field 'condition'"),
        (lambda m: m.assign(type="dam"), {}, "the type 'dam', for which the table has no row .it has 'terrace', 'bench', 'pit'"),
        (lambda m: m.assign(type=None), {}, r"the type '\(empty\)'"),
        (lambda m: m.assign(condition="odd"), {"conditions": {"good": 1}}, "the condition 'odd', for which the table has no row"),
        (lambda m: m.assign(year_built=19), {}, r"rows 1 \(19\) are no years from 1900 to 2200"),
        (lambda m: m.assign(year_built="unknown"), {}, r"rows 1 \(unknown\) are no years"),
        (lambda m: m.assign(coverage=60), {}, "coverage outside 0 to 1; is it in percent"),
        (lambda m: m, {"table": {"terrace": 1.2}}, "1.2 for 'terrace'; expected a number from 0 to 1"),
        (lambda m: m, {"table": pd.DataFrame({"code": ["a", "a"], "E": [0.1, 0.2]})}, "'a' twice"),
        (lambda m: m, {"table": pd.DataFrame({"name": ["a"]})}, "has columns .*; expected 'code' and 'E'"),
        (lambda m: m, {"table": {}}, "has no rows"),
        (lambda m: m.set_crs(None, allow_override=True), {}, "the measures have no CRS"),
        (lambda m: pd.DataFrame(m), {}, "the register of measures is DataFrame; expected a GeoDataFrame"),
    ],
)
def test_a_register_that_cannot_be_is_refused(change, options, message):
    with pytest.raises(InputError, match=message):
        e_of(change(ONE), **options)


def test_what_is_no_method_or_no_rule_is_refused():
    with pytest.raises(InputError, match="method of e_factor is 'points'; expected one of 'table', 'register'"):
        rusle.e_factor(landcover=np.array([[1]]), table={1: 1}, method="points")
    with pytest.raises(InputError, match="undated is 'skip'; expected one of 'refuse', 'standing'"):
        e_of(register(("terrace", None, box(0, 0, 1, 1))), undated="skip")


def test_measures_without_an_outline_are_refused_not_passed_over():
    measures = register(("terrace", 2000, box(0, 0, 1, 1)), ("bench", 2000, box(1, 0, 2, 1).boundary), ("pit", 2000, box(2, 0, 3, 1).centroid))
    with pytest.raises(InputError, match=r"rows 2 \(LineString\), 3 \(Point\) have no outline; expected polygons"):
        e_of(measures)
    later = register(("terrace", 2000, box(0, 0, 1, 1)), ("bench", 2030, box(1, 0, 2, 1).boundary))
    assert e_of(later).values[0, 0] == pytest.approx(0.1)  # what does not stand yet is not looked at


ZONED = pd.DataFrame([(1, 0, 1.0), (1, 5, 0.1), (7, 0, 1.0), (7, 5, 0.3)], columns=["zone", "code", "E"])


def test_a_type_has_another_value_in_another_zone():
    types, zones = np.array([[0, 5, 5, 0, 5, np.nan]]), np.array([[1, 1, 7, 7, np.nan, 7]])
    e = rusle.e_factor(types=types, zones=zones, table=ZONED, method="zone_table")
    np.testing.assert_array_equal(e.values, [[1.0, 0.1, 0.3, 1.0, np.nan, np.nan]])
    assert (e.name, e.attrs["method"], e.attrs["units"]) == ("E", "zone_table", "1")


def test_zones_on_tiles_give_the_bits_of_the_whole():
    random = np.random.default_rng(6)
    types, zones = (xr.DataArray(random.choice([*codes, np.nan], (30, 41)), dims=("y", "x")) for codes in ([0.0, 5.0], [1.0, 7.0]))
    whole = rusle.e_factor(types=types, zones=zones, table=ZONED, method="zone_table")
    lazy = rusle.e_factor(types=types.chunk(y=7, x=9), zones=zones, table=ZONED, method="zone_table")
    assert dask.is_dask_collection(lazy)
    assert lazy.values.tobytes() == whole.values.tobytes()
    expected = ZONED.set_index(["zone", "code"])["E"].to_dict()
    for i, j in np.ndindex(types.shape):
        found = expected.get((zones.values[i, j], types.values[i, j]), np.nan)
        np.testing.assert_equal(whole.values[i, j], found)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (ZONED.drop(columns="zone"), "expected 'zone', 'code' and 'E'"),
        ({5: 0.1}, "expected 'zone', 'code' and 'E'"),
        (ZONED.assign(zone="north"), "has the zone 'north'; expected whole numbers"),
        (pd.concat([ZONED, ZONED[:1]]), "zone 1: the table of E has class 0 twice"),
        (ZONED.assign(E=2.0), "zone 1: E .* is 2 for class 0 of the table; expected 0 to 1"),
        (ZONED[:0], "no rows"),
        (ZONED[:3], r"no row for class 5 in zone 7\. Add rows"),
    ],
)
def test_tables_by_zone_that_do_not_fit(table, reason):
    with pytest.raises(InputError, match=reason):
        rusle.e_factor(types=np.array([[0.0, 5, 5]]), zones=np.array([[1.0, 1, 7]]), table=table, method="zone_table")


def test_a_register_in_zones():
    measures = register(("terrace", 2000, box(0, 0, 1, 1)), ("terrace", 2000, box(1, 0, 2, 1)), zone=["north", "south"])
    table = pd.DataFrame({"zone": ["north", "south"], "code": "terrace", "E": [0.1, 0.4]})
    np.testing.assert_allclose(e_of(measures, table=table).values[0, :3], [0.1, 0.4, 1.0], rtol=1e-12)
    with pytest.raises(InputError, match="has the type 'east · terrace', for which the table has no row"):
        e_of(measures.assign(zone=["north", "east"]), table=table)
    with pytest.raises(InputError, match="no field 'zone'"):
        e_of(measures.drop(columns="zone"), table=table)
