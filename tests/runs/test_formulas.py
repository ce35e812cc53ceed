"""A formula of one's own: registered in a file, named in a configuration, on tiles, with its file in the record."""

import hashlib
import json

import dask
import numpy as np
import pytest
import xarray as xr

import rusle_engine as rusle
from rusle_engine.cli.app import app
from rusle_engine.core.errors import ConfigError, InputError
from rusle_engine.factors import registry
from rusle_engine.runs.config import load_config
from rusle_engine.runs.formulas import load_formulas
from rusle_engine.runs.signatures import method_rows
from tests.region import stored

FORMULAS = '''\
"""Formulas of our station."""
import numpy as np
from rusle_engine import register_method


@register_method("K", "station2024", source="our plots, 2024", equation="K = 0.02 + slope clay - 0.002 soc")
def of_plots(clay, soc, slope: float = 0.0005):
    return 0.02 + slope * clay - 0.002 * soc


@register_method("C", source="our plots, 2024")
def by_cover_and_slope(ndvi, theta, landcover, steeper: float = 0.5):
    """C of steep land is higher."""
    return np.where(landcover == 61, 0.0, np.clip(np.exp(-3 * ndvi) * (1 + steeper * np.tan(theta)), 0, 1))
'''


@pytest.fixture(autouse=True)
def forgotten():
    """What a test registers is forgotten afterwards."""
    yield
    registry.forget_methods()


@pytest.fixture
def formulas(tmp_path):
    file = tmp_path / "公式 our_formulas.py"
    file.write_text(FORMULAS, encoding="utf-8")
    return file


@pytest.fixture
def command(capsys, region, monkeypatch):
    monkeypatch.chdir(region.folder)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            app(list(map(str, arguments)), prog_name="rusle")
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return call


def by_formulas(region):
    """The configuration with both formulas in place of the engine's methods; clay from a raster, soc a number."""
    clay = np.random.default_rng(2).uniform(5, 40, region.shape)
    clay[4, 5] = -9999
    region.put("clay", clay.astype(np.float32), nodata=-9999)
    region.config["K"] = {"method": "station2024", "clay": {"raster": "clay.tif"}, "soc": 1.5, "slope": 0.0004}
    region.config["C"] = {"method": "by_cover_and_slope", "ndvi": {"raster": "ndvi.tif"}}
    return region.write_config()


def test_a_run_by_formulas_of_one_s_own(region, formulas):
    path = by_formulas(region)
    load_formulas([formulas])
    assert rusle.check(path) == []
    result = rusle.run(path)
    clay = region.values("clay")
    np.testing.assert_allclose(stored(result, "K"), (0.02 + 0.0004 * clay - 0.002 * 1.5).astype(np.float32), rtol=1e-6)
    theta = rusle.slope(rusle.open_raster(region.folder / "dem.tif")).values
    ndvi, landcover = region.values("ndvi"), region.values("landcover")
    expected = np.where(landcover == 61, 0, np.clip(np.exp(-3 * ndvi) * (1 + 0.5 * np.tan(theta)), 0, 1))
    expected[np.isnan(ndvi + theta + landcover) & (landcover != 61)] = np.nan
    expected[landcover == 61] = 0  # the land-use rule
    np.testing.assert_allclose(stored(result, "C"), expected.astype(np.float32), rtol=1e-5, atol=1e-7)


def test_the_record_names_formula_and_file(region, formulas):
    path = by_formulas(region)
    load_formulas([formulas])
    manifest = rusle.run(path).manifest
    digest = hashlib.sha256(formulas.read_bytes()).hexdigest()
    assert {entry["role"]: entry["sha256"] for entry in manifest["inputs"] if "formula" in entry["role"]} == {
        "K.formula": digest,
        "C.formula": digest,
    }
    assert [(f["factor"], f["method"], f["sha256"], f["path"]) for f in manifest["formulas"]] == [
        ("K", "station2024", digest, str(formulas)),
        ("C", "by_cover_and_slope", digest, str(formulas)),
    ]
    entry = manifest["factors"]["K"]
    assert (entry["method"], entry["method_status"], entry["sources"], entry["options"]["slope"]) == (
        "station2024",
        "own",
        ["our plots, 2024"],
        0.0004,
    )
    assert "own_formulas" in {warning["code"] for warning in manifest["warnings"]}


def test_tiles_do_not_show(region, formulas):
    path = by_formulas(region)
    load_formulas([formulas])
    first = rusle.run(path)
    rasters = {name: stored(first, name).tobytes() for name in ("K", "C", "A")}
    second = rusle.run(load_config(path, ["compute.tile_cells=64", "output.folder=again"]))
    assert {name: stored(second, name).tobytes() for name in rasters} == rasters


def test_worker_processes_get_the_formulas_without_their_file(region, formulas):
    pytest.importorskip("distributed")
    path = by_formulas(region)
    load_formulas([formulas])
    here = stored(rusle.run(path), "K").tobytes()
    formulas.unlink()
    registered = registry.own_method("K", "station2024")
    assert registered.file is None
    assert stored(rusle.run(load_config(path, ["compute.workers=1", "output.folder=again"])), "K").tobytes() == here


def test_commands_take_the_file(region, formulas, command):
    path = by_formulas(region)
    code, out, _ = command("check", path)
    assert (code, "'station2024' is not a method here" in out) == (78, True)
    assert command("check", path, "--formulas", formulas)[0] == 0
    code, out, err = command("run", path, "--formulas", formulas, "--json")
    assert code == 0, err
    assert json.loads(out)["folder"]
    rows = json.loads(command("methods", "--formulas", formulas, "--json")[1])["methods"]
    assert [(r["key"], r["status"], r["equation"]) for r in rows if r["method"] == "by_cover_and_slope"] == [
        ("C.method", "own", "C of steep land is higher.")
    ]
    code, out, err = command("factor", "--formulas", formulas, "k", "--method", "station2024", "--clay", 20, "--soc", 1, "--slope", 0.001)
    assert (code, out.split()[0]) == (0, "0.038"), err


def test_a_configuration_cannot_name_code(region, formulas):
    path = by_formulas(region)
    with pytest.raises(ConfigError, match="a formula of your own: --formulas"):
        load_config(path)
    region.config["formulas"] = str(formulas)
    with pytest.raises(ConfigError, match="unknown key"):
        load_config(region.write_config())


@pytest.mark.parametrize(
    ("change", "where", "message"),
    [
        ("K={method: station2024, clay: 20}", "K.soc", "missing"),
        ("K={method: station2024, clay: 20, soc: 1, slpoe: 2}", "K.slpoe", "did you mean 'slope'"),
        ("K={method: station2024, clay: 20, soc: 1, slope: steep}", "K.slope", "expected a number"),
        ("K={method: station2024, clay: 120, soc: 1}", "K.clay.constant", "clay content lies from 0 to 100"),
        ("landcover=null", "landcover", "missing"),
    ],
)
def test_what_is_wrong_with_its_block_is_told_by_key(region, formulas, change, where, message):
    path = by_formulas(region)
    load_formulas([formulas])
    with pytest.raises(ConfigError) as caught:
        load_config(path, [change])
    assert [(problem.where, message in problem.message) for problem in caught.value.problems] == [(where, True)]


def test_results_out_of_range_are_told_by_check(region, formulas):
    path = by_formulas(region)
    load_formulas([formulas])
    (problem,) = rusle.check(load_config(path, ["K.slope=0.02"]))
    assert (problem.where, problem.exit_code) == ("K", 65)
    assert "expected 0 to 0.1" in problem.message


def test_from_python(formulas):
    load_formulas([formulas])
    method = registry.own_method("K", "station2024")
    clay = xr.DataArray(np.random.default_rng(1).uniform(0, 40, (7, 9)), dims=("y", "x"), attrs={"units": "%"})
    eager = method(clay=clay, soc=1.0)
    with dask.config.set(scheduler=lambda *_a, **_k: pytest.fail("computed while the graph was built")):
        lazy = method(clay=clay.chunk({"y": 3, "x": 2}), soc=1.0)
    assert lazy.dtype == eager.dtype == np.float64
    assert lazy.values.tobytes() == eager.values.tobytes()
    np.testing.assert_allclose(eager.values, 0.02 + 0.0005 * clay.values - 0.002, rtol=1e-15)
    assert eager.attrs["units"] == "t ha h ha-1 MJ-1 mm-1"
    with pytest.raises(InputError, match="needs soc="):
        method(clay=clay)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def f(:", "SyntaxError"),
        ("1 / 0", "line 3: ZeroDivisionError"),
        ("x = 1", "it registers no method"),
        ("@register_method('Q', source='s')\ndef f(clay): return clay", "'Q' is no factor; expected one of R, K, LS, C, P, B, E, T"),
        ("@register_method('K', source='s')\ndef f(depth): return depth", "the inputs depth, which are no quantities of the engine"),
        ("@register_method('K', source='s')\ndef f(slope=1.0): return slope", "has no input"),
        ("@register_method('K', source='s')\ndef f(*clay): return clay", "takes clay; expected parameters with names of their own"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, code, message):
    file = tmp_path / "bad.py"
    file.write_text(f"from rusle_engine import register_method\n\n{code}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be used") as caught:
        load_formulas([file])
    assert message in caught.value.problems[0].message


def test_a_name_of_the_engine_is_not_taken_over(tmp_path, region):
    file = tmp_path / "mine.py"
    file.write_text("from rusle_engine import register_method\n\n@register_method('K', 'williams1990', source='s')\ndef f(clay): return clay\n")
    load_formulas([file])
    with pytest.raises(ConfigError, match="K has a method 'williams1990' already"):
        load_config(region.write_config())


def test_quantities_of_one_s_own():
    @rusle.register_method("P", "walls", source="ours", quantities={"walls": ("m ha-1", 0, 500)})
    def by_walls(walls):
        return np.clip(1 - walls / 500, 0, 1)

    method = registry.own_method("P", "walls")
    assert method(walls=np.array([[0.0, 250.0, np.nan]]), units="m ha-1").values[0].tolist()[:2] == [1, 0.5]
    with pytest.raises(InputError, match=r"walls .* is 600; expected 0 to 500"):
        method(walls=600.0)
    assert ("P", "walls") in {(row["factor"], row["method"]) for row in method_rows()}
