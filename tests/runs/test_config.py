"""The configuration: paths, defaults, overrides, and every problem at once in words that help."""

import json
import logging

import pytest

from rusle_engine.core.errors import ConfigError
from rusle_engine.runs.config import load_config, read_config
from rusle_engine.runs.sources import ClassRaster, Constant, QuantityRaster


def problems(folder, *overrides):
    with pytest.raises(ConfigError) as caught:
        load_config(folder / "run.yml", overrides)
    return {problem.where: problem.message for problem in caught.value.problems}, caught.value.exit_code


def test_paths_are_relative_to_the_file_and_come_out_absolute(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    config = load_config("区域 one/run.yml")
    assert config.dem.raster == (folder / "dem.tif",)
    assert config.C.table == folder / "c.csv"
    assert config.R.inputs["rain"].file == folder / "rain.csv"
    assert config.output.folder == folder / "result"


def test_a_list_and_a_glob_are_one_mosaic_in_the_order_of_names(folder):
    expected = (folder / "tiles" / "a.tif", folder / "tiles" / "b.tif")
    assert load_config(folder / "run.yml", ["dem.raster=tiles/*.tif"]).dem.raster == expected
    assert load_config(folder / "run.yml", ["dem.raster=[tiles/b.tif, tiles/a.tif]"]).dem.raster == expected[::-1]


def test_a_name_with_brackets_is_not_taken_for_a_pattern(folder):
    (folder / "dem [1].tif").touch()
    assert load_config(folder / "run.yml", ["dem.raster='dem [1].tif'"]).dem.raster == (folder / "dem [1].tif",)


def test_each_way_to_give_a_factor(folder):
    config = load_config(folder / "run.yml", ["K={raster: soil.tif, units: US K, resampling: average}", "C={constant: 5, units: '%'}"])
    assert QuantityRaster(raster=(folder / "soil.tif",), units="US K", resampling="average") == config.K
    assert Constant(constant=5.0, units="%") == config.C
    assert Constant(constant=1.0) == config.P
    table = load_config(folder / "run.yml", ["C={table: c.csv, classes: {raster: soil.tif}}"]).C
    assert table.classes == ClassRaster(raster=(folder / "soil.tif",))
    assert table.value_column == "C"


def test_a_method_has_its_function_s_options_with_their_defaults(folder):
    config = load_config(folder / "run.yml")
    assert config.LS.options == {
        "length": "desmet_govers1996",
        "steepness": "mccool1987",
        "exponent": "mccool1989",
        "rill_ratio": "moderate",
        "routing": "d8",
        "routing_exponent": None,
        "max_slope_length_m": 304.8,
        "max_steepness_degree": None,
        "channel_area_m2": None,
        "water_depth_m": None,
        "slope_surface": "raw",
        "conditioning": "fill",
        "max_breach_length_m": None,
        "max_breach_depth_m": None,
        "flat_ties": "index",
        "quantum_m": None,
    }
    assert config.LS.from_run == ("dem",)
    assert set(config.R.inputs) == {"rain"}
    assert "pd12_mm" not in config.R.options  # of zhang2003 only
    assert "pd12_mm" in load_config(folder / "run.yml", ["R.method=zhang2003"]).R.options


def test_land_cover_reaches_a_method_only_together_with_what_uses_it(folder):
    block = "C={method: cai2000, ndvi: {raster: ndvi.tif}"
    assert load_config(folder / "run.yml", [block + "}"]).C.from_run == ()
    with_override = load_config(folder / "run.yml", [block + ", override: c.csv}"]).C
    assert with_override.from_run == ("landcover",)
    assert with_override.inputs["override"].columns == {"value": "C"}


def test_number_keys_are_numbers(folder):
    block = "P={method: wischmeier_smith1978, cropland: [11, 12], slope_classes: {0: 0.5, 7.5: 1}}"
    assert load_config(folder / "run.yml", [block]).P.options["slope_classes"] == {0.0: 0.5, 7.5: 1.0}


def test_what_is_resolved_is_plain_json_and_says_the_same(folder):
    overrides = ["P={method: wischmeier_smith1978, cropland: [1], slope_classes: {0: 0.5}}", "zones.headline_zone=140902"]
    config = load_config(folder / "run.yml", overrides)
    resolved = json.loads(json.dumps(config.resolved(), allow_nan=False))
    assert resolved["dem"]["raster"] == ["dem.tif"]  # from the configuration's folder, not from this machine's root
    assert resolved["LS"]["channel_area_m2"] is None
    assert resolved["zones"]["headline_zone"] == "140902"
    assert read_config(resolved, folder).resolved() == config.resolved()


def test_defaults_are_listed_and_logged(folder, caplog):
    with caplog.at_level(logging.INFO, "rusle_engine"):
        config = load_config(folder / "run.yml")
    assert config.defaults()["LS.rill_ratio"] == "moderate"
    assert config.defaults()["output.compression"] == "deflate"
    assert "LS.max_slope_length_m" not in config.defaults()
    assert not {"B", "E", "T", "L", "S"} & config.defaults().keys()
    assert "default: LS.rill_ratio = moderate" in caplog.messages


def test_every_problem_is_told_at_once(folder):
    found, code = problems(
        folder,
        "project.naem=X",
        "dem.raster=dme.tif",
        "R.method=xie2015",
        "LS.steepness=lui1994",
        "LS.max_slope_length_m=far",
        "C={constant: 1.5}",
        "P={raster: c.csv, constant: 1}",
        "compute.memory_budget=lots",
        "target={conservation_rate_pct: 120}",
        "zones.fiel=a.gpkg",
    )
    assert code == 78
    assert found["project.naem"].startswith("unknown key (value 'X'); did you mean 'name'?; allowed here: name, name_zh")
    assert "dme.tif does not exist" in found["dem.raster"]
    assert found["R.method"].startswith("'xie2015' is not a method here; allowed: xie2016, ")
    assert found["R.method"].endswith("; did you mean 'xie2016'?")
    allowed = "'mccool1987', 'liu1994', 'nearing1997', 'wischmeier_smith1978'"
    assert found["LS.steepness"] == f"'lui1994' seen; allowed: {allowed}; did you mean 'liu1994'?"
    assert found["LS.max_slope_length_m"] == "'far' seen; expected a number"
    assert found["C.constant"].startswith("1.5 seen; cover and management factor lies from 0 to 1. If these are percent, declare units")
    assert found["P"].startswith("raster and constant seen together; exactly one of raster, constant, table, method")
    assert "'lots' is not a size" in found["compute.memory_budget"]
    assert found["target.conservation_rate_pct"] == "120 seen; expected at most 100"
    assert "did you mean 'file'?" in found["zones.fiel"]
    assert len(found) == 10


@pytest.mark.parametrize(
    ("override", "where", "message"),
    [
        ("LS={method: desmet_govers1996, max_slope_length_m: 100}", "LS.channel_area_m2", "A run must name it; null: none."),
        ("K={method: williams1990, sand: 20, silt: 65}", "K.clay", "missing; williams1990 needs sand, silt, clay, soc or om"),
        ("K={method: williams1990, soil: {raster: soil.tif}}", "K.table", "soil and table belong together"),
        ("K={method: williams1990, sand: 20, silt: 65, clay: 15, soc: 1, om: 2}", "K.soc", "given together with om"),
        ("K={constant: -0.01}", "K.constant", "-0.01 t ha h ha-1 MJ-1 mm-1 seen; soil erodibility factor lies from 0 to 0.1"),
        ("C={constant: 0.5, units: feet}", "C.units", "'feet' is not a unit of cover and management factor"),
        ("R={constant: yes}", "R.constant", "'yes' seen; expected a number"),
        ("R={constant: true}", "R.constant", "True seen; expected a number"),
        ("R={constant: .nan}", "R.constant", "expected a number"),
        ("C=c.csv", "C", "'c.csv' seen; expected a block with one of the keys raster, constant, table, method"),
        ("C={rater: ndvi.tif}", "C", "did you mean 'raster'?"),
        ("C={table: c.csv, value_colum: x}", "C.value_colum", "did you mean 'value_column'?"),
        ("dem.raster=http://example.org/dem.tif", "dem.raster", "not a plain local file"),
        ("dem.raster=/vsicurl/x.tif", "dem.raster", "not a plain local file"),
        ("dem.raster=[]", "dem.raster", "empty list"),
        ("dem.raster=tiles", "dem.raster", "is a folder"),
        ("dem.units=ft", "dem.units", "'ft' is not a unit of elevation; expected 'm'"),
        ("R.rain.units=furlong", "R.rain.units", "'furlong' is not a unit of rain; expected 'mm'"),
        ("landcover.resampling=bilinear", "landcover.resampling", "allowed: 'mode', 'nearest'"),
        ("schema_version=2", "schema_version", "2 seen; allowed: 1"),
        ("project=null", "project", "expected a block of keys"),
        ("project.year=2024.5", "project.year", "expected a whole number"),
        ("output.folder=c.csv", "output.folder", "is a file; expected a folder"),
        ("compute.threads=0", "compute.threads", "expected at least 1"),
        ("intensity.tolerance_t_km2=-5", "intensity.tolerance_t_km2.constant", "tolerable soil loss lies from 0"),
        ("dem=null", "dem", "LS by the method that is named needs an elevation model"),
        ("landcover=null", "landcover", "missing; C by class needs it"),
        ("P={method: wenner1981}", "P.cropland", "missing"),
        ("LS.max_slope_length_m=-1", "LS.max_slope_length_m", "-1 seen; expected at least 0"),
        ("R.max_missing_pct=-5", "R.max_missing_pct", "-5 seen; expected at least 0"),
    ],
)
def test_one_problem(folder, override, where, message):
    found, _ = problems(folder, override)
    assert list(found) == [where]
    assert message in found[where]


def test_terraces_that_the_heights_show_are_not_counted_in_p_again(folder):
    terraces = "P={method: wischmeier_smith1978, practice: terrace, cropland: [11]}"
    found, code = problems(folder, "dem.shows_terraces=true", terraces)
    assert (list(found), code) == (["P.practice"], 78)
    assert "P would count it twice" in found["P.practice"]
    assert load_config(folder / "run.yml", ["dem.shows_terraces=false", terraces]).P.options["practice"] == "terrace"


def test_stone_walls_that_the_heights_show_are_not_counted_in_p_again(folder):
    walls = "P={method: panagos2015, stone_walls: 0.7}"
    found, _ = problems(folder, "dem.shows_terraces=true", walls)
    assert list(found) == ["P.stone_walls"]
    assert load_config(folder / "run.yml", ["dem.shows_terraces=true", "P={method: panagos2015, grass_margins: 0.7}"]).P.method == "panagos2015"


def test_without_an_elevation_model_a_factor_must_give_the_grid(folder):
    found, _ = problems(folder, "dem=null", "LS=2")
    assert "a factor must be a raster" in found["dem"]
    config = load_config(folder / "run.yml", ["dem=null", "LS=2", "K={raster: soil.tif}"])
    assert config.grid_source is config.K


@pytest.mark.parametrize(
    ("overrides", "code"),
    [
        (["dem.raster=gone.tif", "C.table=gone.csv"], 66),
        (["dem.raster=gone.tif", "C.tabel=c.csv"], 78),
        (["dem.raster=/vsizip/a.zip"], 77),
        (["output.folder=c.csv"], 73),
    ],
)
def test_the_exit_code_is_that_of_the_files_unless_the_configuration_itself_is_wrong(folder, overrides, code):
    assert problems(folder, *overrides)[1] == code


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("C.constant", "expected key=value"),
        ("=3", "expected key=value"),
        ("C.=3", "expected key=value"),
        ("C.constant=[", "not YAML"),
        ("P.constant.x=1", "P holds 1 and no keys; set it as a whole"),
        ("C.constant=!!float 3", "only plain values"),
    ],
)
def test_a_bad_override_joins_the_other_problems(folder, override, message):
    found, code = problems(folder, override, "projekt=1")
    assert code == 78
    assert any(where.startswith(f"--set {override}") and message in text for where, text in found.items())
    assert "did you mean 'project'?" in found["projekt"]


def test_an_override_does_not_reach_the_file(folder):
    before = (folder / "run.yml").read_text(encoding="utf-8")
    assert load_config(folder / "run.yml", ["target.conservation_rate_pct=63.56"]).target.conservation_rate_pct == 63.56
    assert (folder / "run.yml").read_text(encoding="utf-8") == before


def test_an_override_changes_one_place_of_what_an_alias_repeats(folder):
    text = (folder / "run.yml").read_text(encoding="utf-8").replace("landcover: {raster: landcover.tif}", "landcover: &map {raster: landcover.tif}")
    (folder / "run.yml").write_text(text.replace("soil: {raster: soil.tif}", "soil: *map"), encoding="utf-8")
    config = load_config(folder / "run.yml", ["landcover.raster=soil.tif"])
    assert config.landcover.raster == (folder / "soil.tif",)
    assert config.K.inputs["soil"].raster == (folder / "landcover.tif",)
