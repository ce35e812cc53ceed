"""CSLE as a run: told by its factors, never mixed with RUSLE, recorded as what it is."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

import rusle_engine as rusle
from rusle_engine.core.errors import ConfigError
from rusle_engine.runs.config import load_config
from rusle_engine.runs.run import remarks_of
from tests.region import CROPLAND, build_region, stored, write_csv

NONE, TERRACE = 0, 1
E_OF = {NONE: 1.0, TERRACE: 0.084}
T_OF = {3: 0.37, 4: 0.281}


def csle_region(folder, **options):
    """The region of the other tests with B as a raster, E of a map of measures and T of crop-rotation zones."""
    region = build_region(folder, **options)
    landcover = region.values("landcover")
    random = np.random.default_rng(5)
    b = np.where(landcover == CROPLAND, 1.0, random.uniform(0.01, 0.4, landcover.shape))
    b[np.isnan(landcover)] = -9999
    region.put("b", b.astype(np.float32), nodata=-9999)
    region.put("measures", np.where(random.uniform(size=landcover.shape) < 0.3, TERRACE, NONE).astype(np.uint8), nodata=255)
    region.put("rotation", np.where(np.arange(landcover.shape[1]) % 40 < 20, 3, 4).astype(np.uint8) + np.zeros(landcover.shape, np.uint8), nodata=255)
    write_csv(folder / "e.csv", [{"code": code, "E": value} for code, value in E_OF.items()])
    write_csv(folder / "t.csv", [{"code": code, "T": value} for code, value in T_OF.items()])
    del region.config["C"], region.config["P"]
    region.config |= {
        "LS": {
            "method": "foster_wischmeier1974",
            "steepness": "liu1994",
            "exponent": "csle_1_3_5",
            "max_slope_length_m": 100,
            "max_steepness_degree": 30,
            "channel_area_m2": 90_000,
        },
        "B": {"raster": "b.tif"},
        "E": {"table": "e.csv", "classes": {"raster": "measures.tif"}},
        "T": {"method": "rotation_zones", "rotation": {"raster": "rotation.tif"}, "table": "t.csv", "cropland": [CROPLAND]},
    }
    return region


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return csle_region(tmp_path_factory.mktemp("csle") / "region", shape=(150, 170))


@pytest.fixture(scope="module")
def finished(whole, tmp_path_factory):
    region = whole.copied(tmp_path_factory.mktemp("run") / "region")
    return region, region.run()


def test_the_rasters_are_those_of_csle(finished):
    _, result = finished
    names = {path.stem for path in (result.path / "rasters").glob("*.tif")}
    assert names == {"K", "LS", "B", "E", "T", "A", "intensity"}


def test_e_and_t_are_the_tables_laid_on_their_maps(finished):
    region, result = finished
    landcover, measures, rotation = (region.values(name) for name in ("landcover", "measures", "rotation"))
    np.testing.assert_array_equal(stored(result, "E"), np.float32(np.where(measures == TERRACE, 0.084, 1.0)))
    zone_value = np.where(rotation == 3, 0.37, 0.281)
    expected = np.float32(np.where(landcover == CROPLAND, zone_value, 1.0))
    expected[np.isnan(landcover)] = np.nan
    np.testing.assert_array_equal(stored(result, "T"), expected)


def test_the_stored_factors_multiply_to_the_stored_soil_loss(finished):
    _, result = finished
    product = np.float64(result.manifest["factors"]["R"]["constant"])
    for name in ("K", "LS", "B", "E", "T"):
        product = product * stored(result, name).astype(np.float64)
    assert np.array_equal(product.astype(np.float32), stored(result, "A"), equal_nan=True)


def test_the_record_names_the_equation_and_its_factors(finished):
    _, result = finished
    assert result.manifest["equation"]["name"] == "CSLE"
    assert result.manifest["equation"]["formula"] == "A = R · K · LS · B · E · T"
    factors = result.manifest["factors"]
    assert list(factors) == ["R", "K", "LS", "B", "E", "T"]
    assert factors["T"]["method"] == "rotation_zones"
    assert factors["T"]["options"]["cropland"] == [CROPLAND]
    assert factors["E"]["source"] == "table"
    assert factors["E"]["min"] == np.float32(0.084)
    roles = {entry["role"] for entry in result.manifest["inputs"]}
    assert {"B", "E.table", "E.classes", "T.rotation", "T.table", "landcover"} <= roles
    assert result.open("T").attrs["units"] == "1"


def test_land_where_both_b_and_t_lower_the_loss_is_counted(finished, whole, tmp_path):
    _, result = finished
    assert result.manifest["cover_and_tillage"]["both_below_one_pct"] == 0
    assert "b_and_t" not in {warning["code"] for warning in result.manifest["warnings"]}
    other = whole.copied(tmp_path / "region", report=False)
    landcover = other.values("landcover")
    b = np.where(np.isnan(landcover), -9999, 0.5)  # on cropland too
    other.put("b", b.astype(np.float32), nodata=-9999)
    manifest = other.run().manifest
    cropland, land = (landcover == CROPLAND).sum(), (~np.isnan(landcover)).sum()
    assert manifest["cover_and_tillage"]["both_below_one_pct"] == pytest.approx(100 * cropland / land, rel=1e-12)
    assert "b_and_t" in {warning["code"] for warning in manifest["warnings"]}


def test_the_report_shows_the_factors_of_csle(finished):
    _, result = finished
    page = (result.path / "report.html").read_text("utf-8")
    for words in ("生物措施因子", "工程措施因子", "耕作措施因子", "A = R · K · LS · B · E · T"):
        assert words in page
    assert "水土保持措施因子" not in page


def test_tiles_do_not_show(finished, whole, tmp_path):
    _, result = finished
    other = whole.copied(tmp_path / "region", report=False)
    other.config["compute"] = {"tile_cells": 64, "threads": 2}
    again = other.run()
    for name in ("LS", "B", "E", "T", "A", "intensity"):
        assert stored(again, name).tobytes() == stored(result, name).tobytes()


def test_the_functions_alone_give_the_same(finished):
    region, result = finished
    landcover, rotation, measures = (rusle.open_raster(region.folder / f"{name}.tif", classes=True) for name in ("landcover", "rotation", "measures"))
    e = rusle.e_factor(landcover=measures, table=E_OF)
    t = rusle.t_factor(landcover=landcover, rotation=rotation, table=T_OF, cropland=[CROPLAND], method="rotation_zones")
    np.testing.assert_array_equal(e.values.astype(np.float32), stored(result, "E"))
    np.testing.assert_array_equal(t.values.astype(np.float32), stored(result, "T"))


# ---------------------------------------------------------------------------------------------------------- a register of measures


def put_register(region):
    """A terrace of 2020 over whole cells, one of 2021 and one of 2022; the fields as an office might call them."""
    corner = region.transform @ (0, 0)
    place = [shapely.box(corner[0] + 30 * left, corner[1] - 30 * 60, corner[0] + 30 * (left + 10), corner[1] - 30 * 50) for left in (20, 40, 60)]
    fields = {"类型": ["梯田"] * 3, "建成年份": [2020, 2021, 2022], "状况": ["完好", "损坏", "完好"]}
    gpd.GeoDataFrame(fields, geometry=place, crs=region.crs).to_file(region.folder / "measures.gpkg")
    write_csv(region.folder / "types.csv", [{"type": "梯田", "E": 0.2}])
    write_csv(region.folder / "conditions.csv", [{"code": "完好", "effect": 1}, {"code": "损坏", "effect": 0.5}])
    region.config["E"] = {
        "method": "register",
        "measures": {"file": "measures.gpkg", "columns": {"type": "类型", "year_built": "建成年份", "condition": "状况"}},
        "table": {"file": "types.csv", "code_column": "type"},
        "conditions": "conditions.csv",
    }
    region.config["output"]["report"] = False


def expected_e(shape, *values):
    e = np.ones(shape)
    for left, value in zip((20, 40, 60), values):
        e[50:60, left : left + 10] = value
    return e.astype(np.float32)


def test_measures_count_from_the_year_they_were_built(region):
    put_register(region)
    before = region.run()  # project.year is 2021
    np.testing.assert_allclose(stored(before, "E"), expected_e(region.shape, 0.2, 0.6, 1.0), rtol=1e-7)
    entry = before.manifest["factors"]["E"]
    assert (entry["method"], entry["options"]["year"], entry["method_status"]) == ("register", 2021, "unchecked")
    assert {"E.measures", "E.table", "E.conditions"} <= {one["role"] for one in before.manifest["inputs"]}
    region.config["E"]["year"] = 2022
    np.testing.assert_allclose(stored(region.run(), "E"), expected_e(region.shape, 0.2, 0.6, 0.2), rtol=1e-7)


@pytest.mark.parametrize(
    ("change", "where", "message"),
    [
        (lambda c: c["project"].pop("year"), "E.year", "missing, and so is project.year"),
        (lambda c: c["E"].pop("table"), "E.table", "missing"),
        (lambda c: c["E"].pop("measures"), "E.measures", "missing"),
        (lambda c: c["E"]["measures"].__setitem__("columns", {"type": "类型", "year_built": "年份"}), "E", "no field '年份'; its fields are"),
        (lambda c: c["E"]["measures"].__setitem__("columns", {"type": "类型"}), "E", "no field 'year_built' and 'condition'"),
        (lambda c: c["E"].__setitem__("conditions", "types.csv"), "E", "types.csv has no column 'code'"),
    ],
)
def test_what_is_wrong_with_a_register_is_told_by_check(region, change, where, message):
    put_register(region)
    change(region.config)
    (problem,) = region.check()
    assert problem.where == where
    assert message in problem.message


# ---------------------------------------------------------------------------------------------------------------- what is refused


@pytest.fixture
def region(whole, tmp_path):
    return whole.copied(tmp_path / "region", report=False)


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        (["C=0.1"], "C", "C and B and E and T mix two equations"),
        (["C=0.1", "P=1"], "C", "Remove C and P, or B and E and T"),
        (["B=null", "E=null", "P=1"], "P", "P and T mix two equations"),
        (["B=null"], "B", "missing; CSLE (told by E and T) needs B, E, T"),
        (["B=null", "E=null", "T=null"], "C", "RUSLE needs C and P, CSLE needs B, E and T"),
        (["B=null", "E=null", "T=null", "P=1"], "C", "missing; RUSLE (told by P) needs C, P"),
        (["L=2"], "LS", "given together with L; keep LS, or L and S"),
        (["LS=null"], "LS", "missing; slope length and steepness (or L and S apart)"),
        (["LS=null", "S=2"], "L", "missing; S without it is no LS"),
        (["dem.shows_terraces=true"], "E", "LS has their effect already and E would count it twice"),
        (["T={method: rotation_zones, rotation: {raster: rotation.tif}, table: t.csv}"], "T.cropland", "missing"),
        (["T={method: rotation_zones, table: t.csv, cropland: [11]}"], "T.rotation", "missing"),
        (["T={method: rotation_zones, rotation: {raster: rotation.tif}, cropland: [11]}"], "T.table", "missing"),
    ],
)
def test_combinations_that_make_no_sense_are_one_problem(region, changes, where, message):
    with pytest.raises(ConfigError) as caught:
        load_config(region.write_config(), changes)
    (problem,) = caught.value.problems
    assert problem.where == where
    assert problem.exit_code == 78
    assert message in problem.message


def test_what_a_run_would_warn_of_is_known_before(region):
    """A tolerance in t/ha, and LS without a limit; a run says the same."""
    config = load_config(region.write_config(), ["intensity.tolerance_t_km2=10", "LS.max_slope_length_m=null"])
    problems, found = remarks_of(config)
    assert problems == []
    codes = {remark["code"] for remark in found}
    assert {"low_tolerance", "no_longest_slope", "unchecked_methods"} <= codes
    assert codes <= {warning["code"] for warning in rusle.run(config).manifest["warnings"]}
    in_its_unit = load_config(region.write_config(), ["intensity={tolerance_t_km2: {constant: 10, units: t ha-1 yr-1}}"])
    assert "low_tolerance" not in {remark["code"] for remark in remarks_of(in_its_unit)[1]}


def test_a_dem_that_shows_terraces_goes_with_an_e_of_one(region):
    config = load_config(region.write_config(), ["dem.shows_terraces=true", "E=1"])
    assert rusle.check(config) == []


def test_length_and_steepness_can_be_given_apart(region):
    shape = region.shape
    random = np.random.default_rng(3)
    length, steepness = (random.uniform(0.5, 3, shape).astype(np.float32) for _ in range(2))
    region.put("l", length)
    region.put("s", steepness)
    region.config |= {"L": {"raster": "l.tif"}, "S": {"raster": "s.tif"}, "LS": None}
    result = region.run()
    np.testing.assert_array_equal(stored(result, "LS"), (length.astype(np.float64) * steepness).astype(np.float32))
    assert result.manifest["factors"]["LS"]["source"] == "L and S, multiplied"
    assert {"L", "S"} <= {entry["role"] for entry in result.manifest["inputs"]}


def test_a_zone_of_rotation_without_a_row_is_told_by_check(region):
    write_csv(region.folder / "t.csv", [{"code": 3, "T": 0.37}])
    (problem,) = region.check()
    assert problem.where == "T"
    assert "no row for class 4" in problem.message


def test_us_units_and_si_are_never_multiplied_together(region):
    """R in US units is brought to SI before it meets K; a K in US units that does not say so is refused."""
    region.config["R"] = {"constant": 100, "units": "US R"}
    region.config["K"] = {"constant": 0.03}
    result = region.run()
    np.testing.assert_allclose(result.manifest["factors"]["R"]["constant"], 1701.95, rtol=1e-12)
    region.config["K"] = {"constant": 0.3}
    with pytest.raises(ConfigError, match=r"K\.constant: 0\.3"):
        region.run()
