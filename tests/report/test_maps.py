"""What the page's maps hold: thinning by hand, codes that turn back into values, pictures in the classes' colours."""

import io
import math

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rasterio.transform import from_origin

from rusle_engine.core.errors import InputError, MissingInputError
from rusle_engine.files.thin import read_thinned, thinning
from rusle_engine.report import figures, maps
from rusle_engine.report.numerals import rounded_to_sum

EXTENT = (0.0, 30.0, 0.0, 20.0)


def write(path, array, nodata):
    profile = {"driver": "GTiff", "height": array.shape[0], "width": array.shape[1], "count": 1, "dtype": array.dtype, "nodata": nodata}
    with rasterio.open(path, "w", **profile, crs="EPSG:32649", transform=from_origin(100.0, 200.0, 10.0, 10.0)) as target:
        target.write(array, 1)
    return path


def test_quantities_are_averaged_over_what_is_there(tmp_path):
    values = np.array([[1, 2, 10, 20], [3, 6, np.nan, 30], [np.nan, np.nan, 5, 5], [np.nan, np.nan, 5, 5]], np.float32)
    thinned, extent = read_thinned(write(tmp_path / "a.tif", values, np.nan), 4, resampling="average")
    np.testing.assert_allclose(thinned, [[3.0, 20.0], [np.nan, 5.0]])
    assert extent == (100.0, 140.0, 160.0, 200.0)


def test_classes_go_to_the_commonest(tmp_path):
    codes = np.array([[1, 1, 3, 3], [1, 6, 3, 2], [4, 4, 255, 255], [4, 2, 255, 255]], np.uint8)
    thinned, _ = read_thinned(write(tmp_path / "c.tif", codes, 255), 4, resampling="mode")
    assert thinned.tolist() == [[1, 3], [4, 255]]
    assert thinned.dtype == np.uint8


def test_a_small_raster_comes_as_it_is(tmp_path):
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    thinned, _ = read_thinned(write(tmp_path / "a.tif", values, np.nan), 6, resampling="average")
    np.testing.assert_array_equal(thinned, values)


@given(st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 100_000))
def test_thinning_is_the_smallest_that_fits(height, width, most):
    def cells(factor):
        return math.ceil(height / factor) * math.ceil(width / factor)

    factor = thinning(height, width, most)
    assert cells(factor) <= most
    assert factor == 1 or cells(factor - 1) > most


def test_a_raster_that_is_not_there_or_not_one(tmp_path):
    with pytest.raises(MissingInputError, match=r"no\.tif is not there"):
        read_thinned(tmp_path / "no.tif", 10, resampling="mode")
    (tmp_path / "text.tif").write_text("<VRTDataset/>")
    with pytest.raises(InputError, match=r"text\.tif cannot be read as a GeoTIFF"):
        read_thinned(tmp_path / "text.tif", 10, resampling="mode")


def decoded(layer):
    """The formula that the page's script uses."""
    steps = layer.step * (layer.codes.astype(float) - 1)
    values = layer.offset + (layer.shift * np.expm1(steps) if layer.shift else steps)
    return np.where(layer.codes == 0, np.nan, values)


@pytest.mark.parametrize("key", ["A", "LS", "C", "R", "P"])
def test_codes_turn_back_into_values(key):
    values = np.random.default_rng(3).gamma(0.6, 40.0, (60, 70))
    values[0, :5] = np.nan
    values[1, :5] = 0.0
    layer = maps.quantised(key, values, EXTENT)
    back = decoded(layer)
    assert np.isnan(back).tolist() == np.isnan(values).tolist()
    spread = np.nanmax(values) - np.nanmin(values)
    # half a step: of the value on a logarithmic scale (0.3 % covers log(10⁴)/4094/2 and the shift), of the range on an even one
    allowed = 0.003 * np.nan_to_num(values) + 2e-4 * spread
    assert (np.abs(np.nan_to_num(back) - np.nan_to_num(values)) <= allowed).all()
    assert np.nanmin(back) == pytest.approx(np.nanmin(values), abs=1e-9)
    assert np.nanmax(back) == pytest.approx(np.nanmax(values), rel=1e-9)


@pytest.mark.parametrize("values", [np.full((3, 4), 0.35), np.full((3, 4), np.nan)])
def test_a_constant_or_empty_layer_is_drawn(values):
    layer = maps.quantised("P", values, EXTENT)
    np.testing.assert_array_equal(decoded(layer), values)
    maps.figure_json([layer], (1.0, 1.0), False)


def test_ticks_lie_where_the_scale_has_them():
    layer = maps.quantised("A", np.array([[0.0, 1000.0]]), EXTENT)
    for label, at in layer.ticks:
        value = float(label.replace(",", ""))
        assert at == pytest.approx(math.log(1 + value / 0.1) / math.log(1 + 1000 / 0.1), abs=1e-12)
    even = maps.quantised("R", np.array([[1000.0, 2000.0]]), EXTENT)
    assert ("1,500", 0.5) in even.ticks


def test_the_figure_does_not_depend_on_what_was_drawn_before():
    layer = maps.quantised("R", np.arange(12.0).reshape(3, 4), EXTENT)
    assert maps.figure_json([layer], (1.0, 1.0), False) == maps.figure_json([layer], (1.0, 1.0), False)


def test_degrees_are_shorter_eastwards():
    manifest = {"grid": {"is_geographic": True}}
    metres = maps.metres_per_unit(manifest, (112.0, 113.0, 59.5, 60.5))
    assert metres[0] / metres[1] == pytest.approx(0.5)  # cos 60°
    assert maps.aspect((112.0, 113.0, 59.5, 60.5), metres) == pytest.approx(0.5)


def test_still_pictures_have_the_classes_colours():
    codes = np.array([[1, 2], [3, 255]], np.uint8)
    layer = maps.Layer("intensity", codes, EXTENT, 1, ("#102030", "#405060", "#708090"))
    picture = Image.open(io.BytesIO(figures.still_png(layer))).convert("RGB")
    ground = tuple(bytes.fromhex(maps.GROUND[1:]))
    assert [picture.getpixel((x, y)) for y in (0, 1) for x in (0, 1)] == [(16, 32, 48), (64, 80, 96), (112, 128, 144), ground]


def test_the_map_picture(tmp_path, make_run, caplog, monkeypatch):
    import json

    manifest = make_run(tmp_path, height=80, width=100)
    (tmp_path / "run.json").write_text(json.dumps(manifest), "utf-8")
    first = figures.map_png(tmp_path, tmp_path / "map.png", language="en").read_bytes()
    assert figures.map_png(tmp_path, tmp_path / "again.png", language="en").read_bytes() == first
    pixels = {pixel for _, pixel in Image.open(io.BytesIO(first)).convert("RGB").getcolors(1 << 24)}
    assert {tuple(bytes.fromhex(entry["colour"][1:])) for entry in manifest["classes"]} <= pixels

    monkeypatch.setattr(figures, "CJK_FONTS", ("a font that nobody has",))
    assert figures.map_png(tmp_path, tmp_path / "zh.png", language="zh").is_file()
    assert "no Chinese font is installed" in caplog.text


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=9), st.integers(0, 3))
def test_rounded_columns_add_up(values, decimals):
    total = math.fsum(values)
    rounded = rounded_to_sum(values, total, decimals)
    unit = 10.0**-decimals
    assert round(math.fsum(rounded) / unit) == round(total / unit)
    assert all(abs(shown - value) < unit * 1.001 for shown, value in zip(rounded, values))
