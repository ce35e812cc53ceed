"""The command line: results on stdout, talk on stderr, exit codes, JSON, and no traceback for what a user can mend."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pydantic_core
import pytest
import rasterio
from affine import Affine

from rusle_engine.cli.app import app
from rusle_engine.cli.talk import Talk

TERRAIN = 100 + 0.1 * np.add.outer(np.arange(40, dtype="f4")[::-1] * 30, np.zeros(50, "f4"))  # a plane that falls 10 % southwards


@pytest.fixture
def rusle(capsys):
    """Runs a command in this process: exit code, stdout, stderr."""

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            app([str(a) for a in arguments], prog_name="rusle")
        code = ended.value.code
        out, err = capsys.readouterr()
        return 0 if code is None else code, out, err

    return call


def write_raster(path, values, crs="EPSG:32649"):
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "GTiff", "height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": values.dtype, "crs": crs}
    with rasterio.open(path, "w", transform=Affine(30, 0, 500_000, 0, -30, 4_000_000), **profile) as file:
        file.write(values, 1)
    return path


@pytest.fixture
def region(tmp_path):
    """A plane of 10 % with constant R, K, C and P, and its configuration."""
    folder = tmp_path / "区域 one"
    write_raster(folder / "dem.tif", TERRAIN)
    text = (
        "schema_version: 1\nproject: {name: Plane}\ndem: {raster: dem.tif}\nR: 1500\nK: 0.04\n"
        "LS: {method: desmet_govers1996, max_slope_length_m: 100, channel_area_m2: null}\n"
        "C: 0.1\nP: 1\nintensity: {tolerance_t_km2: 1000}\noutput: {folder: result}\n"
    )
    (folder / "run.yml").write_text(text, encoding="utf-8")
    return folder / "run.yml"


def test_help_lists_the_commands_and_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['rusle', '--help']\nfrom rusle_engine.cli.app import main\ntry: main()\nexcept SystemExit: pass\n"
        "print(sorted({'numba', 'xarray', 'pandas', 'rasterio', 'dask', 'pydantic', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    *text, imported = done.stdout.splitlines()
    assert imported == "[]"
    for name in ("run", "check", "init", "schema", "demo", "sample", "factor", "methods", "warmup", "version"):
        assert any(line.split()[:1] == [name] for line in text)


def test_check_says_when_there_is_no_problem(rusle, region):
    code, out, err = rusle("check", region)
    assert (code, out) == (0, f"{region}: no problem\n")
    assert all(line.startswith("rusle: warning: ") for line in err.splitlines())


def test_check_warns_of_what_a_run_would_warn_of(rusle, region):
    code, out, err = rusle("check", region, "--set", "intensity.tolerance_t_km2=10")
    assert (code, out) == (0, f"{region}: no problem\n")
    assert "rusle: warning: The tolerable soil loss of 10 t km-2 yr-1 is far below" in err
    warnings = json.loads(rusle("check", region, "--json", "--set", "intensity.tolerance_t_km2=10")[1])["warnings"]
    assert "low_tolerance" in {warning["code"] for warning in warnings}


def test_check_lists_every_problem_and_fails(rusle, region):
    code, out, err = rusle("check", region, "--set", "dem.raster=gone.tif", "--set", "C=2", "--set", "P={constnat: 1}")
    assert code == 78
    assert [line.split(":")[0] for line in out.splitlines()] == ["dem.raster", "C.constant", "P"]
    assert err == "rusle: 3 problems\n"


def test_check_in_json(rusle, region):
    code, out, _ = rusle("check", region, "--json", "--set", "dem.raster=gone.tif")
    answer = json.loads(out)
    assert code == 66
    assert answer["schema_version"] == 1
    assert answer["ok"] is False
    (problem,) = answer["problems"]
    assert problem["where"] == "dem.raster"
    assert problem["exit_code"] == 66


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("run", "nothing.yml"), 66, "nothing.yml: there is no such configuration file"),
        (("check", "nothing.yml"), 66, "nothing.yml: there is no such configuration file"),
        (("run",), 2, "Missing argument 'CONFIG'"),
        (("run", "a.yml", "--treads", "2"), 2, "No such option"),
        (("run", "a.yml", "--threads", "0"), 2, "--threads"),
        (("sample", "out", "--shape", "big"), 2, "'big' is not a size; expected rows and columns such as 4000x4000"),
        (("factor", "x"), 2, "No such command"),
    ],
)
def test_what_is_typed_wrong(rusle, tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    ended, out, err = rusle(*arguments)
    assert ended == code
    assert out == ""
    assert message in " ".join(err.split())
    assert "Traceback" not in err


def test_a_configuration_that_is_not_yaml(rusle, tmp_path):
    (tmp_path / "bad.yml").write_text("a: [1")
    code, out, err = rusle("run", tmp_path / "bad.yml")
    assert (code, out) == (78, "")
    assert err.startswith("rusle: error: ")
    assert "bad.yml, line 1" in err
    assert "Traceback" not in err


def test_debug_shows_the_traceback(rusle, region):
    _, _, err = rusle("run", region, "--debug", "--set", "dem.raster=gone.tif")
    assert "Traceback" in err
    assert "rusle: error: " in err


def test_an_error_in_json_is_one_object(rusle, region):
    code, out, err = rusle("run", region, "--json", "--set", "C=2")
    answer = json.loads(out)
    assert code == answer["exit_code"] == 78
    assert answer["problems"][0]["where"] == "C.constant"
    assert "rusle: error: " in err


def test_init_writes_a_starter_and_does_not_replace_it(rusle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = rusle("init")
    assert (code, out.strip()) == (0, "rusle.yml")
    assert "rusle check rusle.yml" in err
    assert "max_slope_length_m" in (tmp_path / "rusle.yml").read_text(encoding="utf-8")
    (tmp_path / "rusle.yml").write_text("mine")
    code, out, err = rusle("init")
    assert (code, out) == (73, "")
    assert "is there already" in err
    assert (tmp_path / "rusle.yml").read_text() == "mine"


def test_schema_is_json_on_stdout(rusle):
    code, out, err = rusle("schema")
    assert (code, err) == (0, "")
    assert json.loads(out)["properties"]["LS"]


def test_methods(rusle):
    code, out, _ = rusle("methods")
    assert code == 0
    header, *lines = out.splitlines()
    assert header.split() == ["KEY", "METHOD", "STATUS", "UNITS", "INPUTS", "SOURCE"]
    assert any(line.split()[:4] == ["LS.steepness", "liu1994", "verified", "1"] for line in lines)
    assert any(line[header.index("UNITS") :].startswith("t ha h ha-1 MJ-1 mm-1 ") for line in lines if line.startswith("K.method"))
    code, out, _ = rusle("methods", "--json")
    rows = json.loads(out)["methods"]
    assert {(r["factor"], r["method"]) for r in rows} >= {("R", "xie2016"), ("K", "williams1990"), ("C", "cai2000"), ("P", "wischmeier_smith1978")}
    keys = {r["method"]: r["key"] for r in rows}
    assert (keys["xie2016"], keys["brown_foster1987"], keys["mccool1989"]) == ("R.method", "R.energy", "LS.exponent")
    assert keys["qin2007"] == "LS.routing"
    assert (keys["few_stones"], keys["isss"], keys["poesen1994"], keys["dimidiate_pixel"]) == (
        "K.curve",
        "K.particle_limits",
        "K.rock_cover",
        "C.ndvi_soil",
    )
    assert all(r["status"] in ("verified", "unchecked") and r["source"] and r["units"] for r in rows)


def test_version(rusle):
    import rusle_engine

    assert rusle("version")[1] == f"rusle-engine {rusle_engine.__version__}\n"
    assert "numba" in json.loads(rusle("version", "--json")[1])["versions"]


def test_run_gives_the_result_on_stdout_and_talks_on_stderr(rusle, region):
    code, out, err = rusle("run", region, "--threads", "1")
    assert code == 0, err
    assert "水土保持率" in out.splitlines()[0]
    assert f"results: {region.parent / 'result'}" in out
    assert "rasters: done" in err
    assert (region.parent / "result" / "run.json").is_file()


def test_run_quietly_in_json(rusle, region):
    code, out, err = rusle("run", region, "--json", "--quiet")
    assert (code, err) == (0, "")
    answer = json.loads(out)
    assert set(answer) == {"schema_version", "folder", "report", "headline", "target", "warnings", "seconds"}
    # A = 1500 · 0.04 · 0.1 · LS. On 10 % S = 1.172 and m = 0.518; L = (30/22.13)^m = 1.171 in the first row and (2^(m+1) − 1) times that in
    # the second: A = 8.2 and 15.3 t/ha. Only the first of 40 rows stays below 10.
    assert answer["headline"]["conservation_rate_pct"] == 2.5


def test_sigterm_ends_a_command_with_143_whatever_it_becomes_on_its_way(capsys):
    class Wrapped:
        """Asks for the end while pydantic writes it."""

        def __str__(self):
            signal.raise_signal(signal.SIGTERM)
            return "path"

    writer = pydantic_core.SchemaSerializer(
        pydantic_core.core_schema.any_schema(serialization=pydantic_core.core_schema.plain_serializer_function_ser_schema(str))
    )
    with pytest.raises(SystemExit) as end, Talk():
        writer.to_json(Wrapped())
    assert end.value.code == 143
    assert capsys.readouterr().err == "rusle: error: terminated\n"


def test_sigterm_ends_a_run_with_143_and_leaves_no_record(region):
    write_raster(region.parent / "dem.tif", np.tile(TERRAIN, (50, 40)))
    process = subprocess.Popen(
        [sys.executable, "-m", "rusle_engine", "run", str(region)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    for line in process.stderr:  # the talk of the first stage: the run is at work
        if "check: done" in line:
            break
    process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert time.monotonic() - begun < 60
    assert "rusle: error: terminated" in err
    assert not (region.parent / "result" / "run.json").exists()


@pytest.mark.parametrize("command", [("factor", "ls"), ("ls-compare", "--scheme", "grass"), ("terrain", "direction")])
def test_every_command_on_a_dem_takes_the_engine_s_options(rusle, tmp_path, command):
    dem = write_raster(tmp_path / "dem.tif", TERRAIN)
    arguments = (*command, "--dem", dem, "--out", tmp_path / ("out" if command[0] == "ls-compare" else "out.tif"), "--quiet")
    code, _, err = rusle(*arguments, "--memory-budget", "20 kB")
    assert (code, "the memory budget is 0.00 GiB" in err) == (69, True), err
    code, _, err = rusle(*arguments, "--threads", 1, "--memory-budget", "1 GB", "--scratch", tmp_path / "scratch")
    assert code == 0, err
