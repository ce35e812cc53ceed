"""``rusle ls-compare``: every scheme's raster and table, on a plane worked by hand and on rough terrain."""

import json
import re
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import pytest
import rasterio
from affine import Affine
from pydantic import ValidationError, create_model

from rusle_engine.cli.app import app
from rusle_engine.core.errors import InputError, OutputError
from rusle_engine.factors.ls import ls_factor
from rusle_engine.factors.ls_presets import PRESETS
from rusle_engine.files.rasters import open_raster
from rusle_engine.runs.ls_compare import compare_schemes
from rusle_engine.runs.method_blocks import factor
from rusle_engine.runs.sources import Factor
from rusle_engine.runs.yaml_reading import parse_yaml

PLANE = 0.2 * 30.0 * np.arange(12)[::-1, np.newaxis] * np.ones((1, 9)) + 500
SINE = 0.2 / np.hypot(1, 0.2)
M = SINE / 0.0896 / (3 * SINE**0.8 + 0.56) / (1 + SINE / 0.0896 / (3 * SINE**0.8 + 0.56))


def write_dem(path, heights):
    profile = {"driver": "GTiff", "height": heights.shape[0], "width": heights.shape[1], "count": 1, "dtype": "float64", "crs": "EPSG:32649"}
    with rasterio.open(path, "w", transform=Affine(30, 0, 500_000, 0, -30, 4_000_000), **profile) as file:
        file.write(heights, 1)
    return path


def segment(start, end, m):
    return (end ** (m + 1) - start ** (m + 1)) / ((end - start) * 22.13**m)


def test_a_plane_by_hand_and_what_its_table_says(tmp_path):
    found = compare_schemes(write_dem(tmp_path / "dem.tif", PLANE), tmp_path / "out")
    ls = {name: open_raster(tmp_path / "out" / f"{name}.tif").values[2, 4] for name in PRESETS}  # the third row from the crest
    assert ls["rusle"] == pytest.approx(segment(60, 90, M) * (16.8 * SINE - 0.5), rel=1e-6)
    assert ls["watem_sedem"] == pytest.approx(segment(90, 120, M) * (17 / (1 + np.exp(2.3 - 6.1 * SINE)) - 1.5), rel=1e-6)
    assert ls["csle"] == pytest.approx(segment(45, 75, 0.5) * (21.91 * SINE - 0.96), rel=1e-6)
    assert ls["saga"] == pytest.approx(1.4 * (90 / 22.13) ** 0.4 * (SINE / 0.0896) ** 1.3, rel=1e-6)
    assert ls["saga_bohner_selige"] == pytest.approx((90 / 22.13) ** 0.5 * (65.41 * SINE**2 + 4.56 * SINE + 0.065), rel=1e-6)
    half = SINE / 0.0896 / (3 * SINE**0.8 + 0.56) / 2
    assert ls["grass"] == pytest.approx((75 / 22.13) ** (half / (1 + half)) * (16.8 * SINE - 0.5), rel=1e-6)
    assert ls["invest_sdr"] == pytest.approx(segment(60, 90, M) * (16.8 * SINE - 0.5), rel=1e-6)
    table = found.table.set_index("scheme")
    written = pd.read_csv(tmp_path / "out" / "ls_compare.csv", encoding="utf-8-sig").set_index("scheme")
    assert list(written.index) == list(PRESETS)
    to_the_cap = [(15 / 22.13) ** 0.5, segment(15, 45, 0.5), segment(45, 75, 0.5), segment(75, 100, 0.5)] + [1.5 * (100 / 22.13) ** 0.5] * 8
    along = np.array(to_the_cap) * (21.91 * SINE - 0.96)
    expected = {"mean": along.mean(), "median": along[-1], "p95": along[-1], "max": along[-1]}
    expected["top_5_pct_share_pct"] = 100 * 6 * along[-1] / (9 * along.sum())  # 6 of 108 cells
    for name, value in expected.items():
        assert table.loc["csle", name] == pytest.approx(value, rel=1e-6)
        assert written.loc["csle", name] == pytest.approx(value, rel=1e-6)
    assert table.loc["csle", "capped_pct"] == pytest.approx(100 * 9 / 12)  # rows end at 15, 45, 75, 105 … m
    assert table.loc["csle", "held_pct"] == 0  # 20 % is 11°


def test_channels_are_the_same_cells_by_every_scheme_of_one_routing(tmp_path):
    rng = np.random.default_rng(4)
    rough = np.cumsum(rng.normal(0, 2, (40, 50)), axis=0) + 5.0 * np.arange(40)[:, np.newaxis]
    dem = write_dem(tmp_path / "dem.tif", rough)
    found = compare_schemes(dem, tmp_path / "out", channel_area_m2=20_000.0).table.set_index("scheme")
    channels = {name: open_raster(tmp_path / "out" / f"{name}.tif").values == 0 for name in PRESETS}
    for routed_alike in ({"rusle", "invest_sdr", "saga", "saga_bohner_selige"}, {"csle", "grass", "watem_sedem"}):
        first, *others = (channels.pop(name) for name in routed_alike)
        assert 20 < first.sum() < 1000
        assert all(np.array_equal(first, other) for other in others)
        assert found.loc[list(routed_alike), "channel_pct"].to_numpy() == pytest.approx(100 * first.mean())
    assert not channels
    for name in ("rusle", "csle", "saga"):
        alone = ls_factor(open_raster(dem), channel_area_m2=20_000.0, **PRESETS[name].options)
        assert np.array_equal(open_raster(tmp_path / "out" / f"{name}.tif"), alone.astype(np.float32))


def test_the_command_prints_the_table_and_names_each_raster_s_scheme(tmp_path, capsys):
    dem = write_dem(tmp_path / "dem.tif", PLANE)
    arguments = ["ls-compare", "--dem", str(dem), "--out", str(tmp_path / "out"), "--scheme", "saga", "--scheme", "csle"]
    with pytest.raises(SystemExit) as ended:
        app(arguments, prog_name="rusle")
    out, _ = capsys.readouterr()
    assert not ended.value.code
    assert [line.split()[0] for line in out.splitlines()] == ["SCHEME", "saga", "csle"]
    assert not (tmp_path / "out" / "rusle.tif").exists()
    with rasterio.open(tmp_path / "out" / "csle.tif") as file:
        assert {"scheme": "csle", "length": "foster_wischmeier1974", "routing": "d8"}.items() <= file.tags().items()
    with pytest.raises(SystemExit):
        app([*arguments, "--json"], prog_name="rusle")
    assert [row["scheme"] for row in json.loads(capsys.readouterr()[0])["schemes"]] == ["saga", "csle"]


def test_the_blocks_of_the_page_are_the_presets():
    page = (Path(__file__).parents[2] / "docs" / "concepts" / "ls_schemes.md").read_text(encoding="utf-8")
    blocks = parse_yaml(re.search(r"```yaml\n(.*?)```", page, flags=re.DOTALL)[1], "page")
    assert blocks.keys() == PRESETS.keys() - {"watem_sedem"}
    for name, block in blocks.items():
        assert block.pop("channel_area_m2") == 100_000
        stated = {"length": block.pop("method")} | {key: value for key, value in block.items() if value is not None}
        assert stated == PRESETS[name].options


@pytest.mark.parametrize("name", ["csle", "grass", "saga"])
def test_a_practice_is_a_method_of_the_command_and_options_beside_it_count(tmp_path, name):
    dem = write_dem(tmp_path / "dem.tif", PLANE)
    places = {"itself": [], "shorter": ["--max-slope-length-m", "40"]}
    for place, more in places.items():
        command = ["factor", "ls", "--dem", str(dem), "--out", str(tmp_path / f"{place}.tif"), "--length", name, "--quiet", *more]
        with pytest.raises(SystemExit) as ended:
            app(command, prog_name="rusle")
        assert not ended.value.code
    options = PRESETS[name].options
    np.testing.assert_array_equal(open_raster(tmp_path / "itself.tif"), ls_factor(open_raster(dem), **options).astype(np.float32))
    expected = ls_factor(open_raster(dem), **{**options, "max_slope_length_m": 40.0})
    np.testing.assert_array_equal(open_raster(tmp_path / "shorter.tif"), expected.astype(np.float32))
    with rasterio.open(tmp_path / "itself.tif") as itself, rasterio.open(tmp_path / "shorter.tif") as shorter:
        assert (itself.tags()["practice"], shorter.tags()["practice"]) == (name, "own options")


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "watem_sedem"])
def test_a_practice_in_a_configuration_states_all_of_its_options(name):
    block, folder = create_model("Part", LS=(Annotated[Factor, factor("LS")], ...)), {"folder": Path.cwd()}
    read = block.model_validate({"LS": {"method": name, "channel_area_m2": 5e4}}, context=folder).LS
    assert read.options | dict(PRESETS[name].options) | {"channel_area_m2": 5e4} == read.options
    written = {key: value for key, value in read.model_dump().items() if value is not None or key == "max_slope_length_m"}
    assert block.model_validate({"LS": written}, context=folder).LS.options == read.options
    with pytest.raises(ValidationError, match="channel_area_m2"):
        block.model_validate({"LS": {"method": name}}, context=folder)


def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path):
    dem = write_dem(tmp_path / "csle.tif", PLANE)
    with pytest.raises(InputError, match="LS scheme 'invest' is not known; choose one of rusle, csle, invest_sdr, grass, saga, "):
        compare_schemes(dem, tmp_path / "out", ["rusle", "invest"])
    with pytest.raises(OutputError, match="is the DEM, and a result would take its place"):
        compare_schemes(dem, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["csle.tif"]
