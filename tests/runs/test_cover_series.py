"""Runs whose cover comes from NDVI over time: weights from the run's own R, bounds frozen in the record, B and C of half-months."""

import math

import numpy as np
import pandas as pd
import pytest

import rusle_engine as rusle
from rusle_engine.core.errors import ConfigError, InputError
from rusle_engine.runs.config import load_config
from rusle_engine.runs.single_factor import compute_factor
from tests.region import BUILT_UP, CROPLAND, FOREST, GRASS, ORCHARD, WATER, build_region, read_raster, stored, write_csv

DATES = [f"2021{1 + 16 * k:03d}" for k in range(23)]
LANDUSE = {CROPLAND: 1.0, ORCHARD: "shrub", FOREST: "forest", GRASS: "grass", BUILT_UP: 0.01, WATER: 0.0}


class Silent:
    def start(self, *_): ...
    def advance(self, *_): ...
    def finish(self): ...


def csle_region(folder, **options):
    """The region of the other tests with a year of NDVI as MOD13 stores it, flags, and the curve or the B of each land use."""
    region = build_region(folder, **options)
    rows, columns = region.shape
    green = np.add.outer(np.linspace(0.1, 0.3, rows), np.linspace(0.1, 0.15, columns))
    random = np.random.default_rng(3)
    for k, date in enumerate(DATES):
        ndvi = np.round(10000 * (green * (1 + 0.9 * math.sin(math.pi * k / 22)) + random.uniform(-0.05, 0.05, region.shape))).astype(np.int16)
        flags = np.where(random.uniform(size=region.shape) < 0.2, 3, 0).astype(np.int8)
        ndvi[flags == 3] = random.integers(-2000, 500)  # clouds
        ndvi[0, :3], flags[1, 5] = -3000, 2  # fill; never good
        region.put(f"ndvi_{date}", ndvi)
        region.put(f"flags_{date}", flags)
    table = [{"code": code, "slr": use if isinstance(use, str) else "", "B": "" if isinstance(use, str) else use} for code, use in LANDUSE.items()]
    write_csv(folder / "landuse.csv", table)
    del region.config["C"], region.config["P"]
    region.config |= {
        "B": {
            "method": "csle_landuse",
            "ndvi": {
                "series": "ndvi_*.tif", "dates": "%Y%j", "scale": 0.0001, "fill": -3000,
                "quality": {"series": "flags_*.tif"}, "smoothing_window": 5,
            },
            "ndvi_soil": {"percentile": 5},
            "ndvi_vegetation": {"percentile": 95},
            "understorey": 0.4,
            "landuse": "landuse.csv",
        },
        "E": 1,
        "T": 1,
    }  # fmt: skip
    region.config["zones"] = None
    return region


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    region = csle_region(tmp_path_factory.mktemp("series") / "region")
    region.config["output"]["report"] = False
    return region, region.run()


def half_months(region):
    """What the run should make of the files, by the functions themselves."""
    ndvi = rusle.open_series(region.folder / "ndvi_*.tif", dates="%Y%j", scale=0.0001, fill=-3000).compute()
    quality = rusle.open_series(region.folder / "flags_*.tif", dates="%Y%j").compute()
    return rusle.half_month_ndvi(ndvi, quality=quality, smoothing_window=5)


def shares(region):
    rain = pd.read_csv(region.folder / "rain.csv", index_col="date", parse_dates=True)["rain"]
    return rusle.r_factor(rain, units="mm")["wr"]


def test_b_of_a_run_is_that_of_the_functions_with_the_weights_of_its_r(finished):
    region, result = finished
    wr = shares(region)
    layers = half_months(region)
    soil, vegetation = rusle.ndvi_bounds(layers)
    b = rusle.b_factor(
        ndvi=layers, wr=wr, method="csle_landuse", ndvi_soil=soil, ndvi_vegetation=vegetation, understorey=0.4,
        landuse=LANDUSE, landcover=region.values("landcover"),
    )  # fmt: skip
    kept = np.isfinite(stored(result, "B"))
    assert kept.sum() > 0.9 * kept.size
    np.testing.assert_array_equal(stored(result, "B"), b.values.astype(np.float32))
    options = result.manifest["factors"]["B"]["options"]
    assert (options["ndvi_soil"], options["ndvi_vegetation"]) == (soil, vegetation)
    assert result.manifest["factors"]["B"]["method_status"] == "unchecked"


def test_the_record_lists_every_file_of_the_series(finished):
    _, result = finished
    entries = {entry["role"]: entry for entry in result.manifest["inputs"]}
    assert len(entries["B.ndvi"]["files"]) == len(entries["B.ndvi.quality"]["files"]) == 23
    assert entries["B.landuse"]["rows"] == len(LANDUSE)


def test_the_record_says_on_how_many_dates_the_cells_rest(finished):
    region, result = finished
    good = [(read_raster(region.folder / f"flags_{d}.tif") <= 1) & (read_raster(region.folder / f"ndvi_{d}.tif") != -3000) for d in DATES]
    share = np.mean(good, axis=0)
    (noted,) = [entry for entry in result.manifest["inputs"] if entry["role"] == "B.ndvi"]
    assert noted["good_share"] == {"min": share.min(), "mean": pytest.approx(share.mean(), rel=1e-8), "max": pytest.approx(share.max(), rel=1e-15)}
    assert 0 == share.min() < share.mean() < share.max() == 1
    assert "valid_cells" not in noted


def test_a_later_run_that_names_the_numbers_gives_the_same_b_on_any_tiling(finished, tmp_path):
    region, result = finished
    later = region.copied(tmp_path / "region", report=False)
    frozen = result.manifest["factors"]["B"]["options"]
    later.config["B"] |= {name: frozen[name] for name in ("ndvi_soil", "ndvi_vegetation")}
    later.config["compute"] = {"tile_cells": 64, "threads": 2}
    again = later.run()
    assert stored(again, "B").tobytes() == stored(result, "B").tobytes()
    assert stored(again, "A").tobytes() == stored(result, "A").tobytes()


def test_c_of_half_months_is_weighted_by_the_runs_r(finished, tmp_path):
    region, _ = finished
    rusle_region = region.copied(tmp_path / "region", report=False)
    series = rusle_region.config["B"]["ndvi"]
    for key in "BET":
        del rusle_region.config[key]
    override = {"file": "c_override.csv"}
    rusle_region.config |= {"C": {"method": "durigon2014", "ndvi": series, "override": override}, "P": 1}
    result = rusle_region.run()
    landcover, layers = region.values("landcover"), half_months(region).values.astype(np.float64)
    c = np.tensordot(shares(region).values, (1 - layers) / 2, axes=1)
    c[landcover == CROPLAND], c[landcover == BUILT_UP], c[np.isnan(landcover)] = 0.23, 0.0, np.nan
    settled = np.where(np.isnan(c) & (landcover == WATER), 0, c)  # the land-use rule of the region
    np.testing.assert_allclose(stored(result, "C"), settled, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "where", "message"),
    [
        ({"landuse": None}, "B.landuse", "None seen"),
        ({"wr": [0.1] * 24}, "B", "add up to 2.4"),
        ({"ndvi_soil": {"percent": 5}}, "B", "expected an NDVI, or {percentile: 5}"),
        ({"ndvi": {"series": "ndvi_*.tif", "dates": "%Y%m%d"}}, "B", "holds no date"),
        ({"ndvi": {"series": "nothing_*.tif", "dates": "%Y%j"}}, "B.ndvi.series", "matches no file"),
        ({"ndvi": {"series": "ndvi_*.tif", "dates": "%Y%j", "scal": 1}}, "B.ndvi.scal", "unknown key"),
        ({"fvc": 0.5}, "B", "given together"),
        ({"understorey": None}, "B", "needs understorey= for class 31"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(finished, tmp_path, change, where, message):
    region = finished[0].copied(tmp_path / "region", report=False)
    region.config["B"] |= {"ndvi_soil": 0.05, "ndvi_vegetation": 0.86, **change}
    try:
        problems = rusle.check(load_config(region.write_config()))
    except ConfigError as error:
        problems = error.problems
    assert any(p.where.startswith(where) and message in p.message for p in problems), problems


def test_the_command_computes_b_from_files(finished, tmp_path, monkeypatch):
    region, result = finished
    monkeypatch.chdir(region.folder)
    frozen = result.manifest["factors"]["B"]["options"]
    weights = [0.0] * 12 + [0.25] * 4 + [0.0] * 8
    given = {
        "method": "csle_grass",
        "ndvi": "{series: 'ndvi_*.tif', dates: '%Y%j', scale: 0.0001, fill: -3000, quality: {series: 'flags_*.tif'}, smoothing_window: 5}",
        "ndvi_soil": str(frozen["ndvi_soil"]),
        "ndvi_vegetation": str(frozen["ndvi_vegetation"]),
        "wr": str(weights),
    }
    compute_factor("B", given, tmp_path / "B.tif", progress=Silent())
    expected = rusle.b_factor(
        ndvi=half_months(region), wr=weights, method="csle_grass", ndvi_soil=frozen["ndvi_soil"], ndvi_vegetation=frozen["ndvi_vegetation"]
    )
    np.testing.assert_array_equal(read_raster(tmp_path / "B.tif"), expected.values.astype(np.float32))
    with pytest.raises(InputError, match="needs wr="):
        compute_factor("B", {k: v for k, v in given.items() if k != "wr"}, tmp_path / "C.tif", progress=Silent())


def test_crop_calendars_and_ranges_of_classes_take_the_land_cover_and_the_weights_of_the_run(tmp_path):
    region = build_region(tmp_path / "region", zones=False)
    region.config["output"]["report"] = False
    slr = {code: (1 + k) * np.linspace(0.01, 0.1, 24) for k, code in enumerate(LANDUSE)}
    write_csv(region.folder / "crops.csv", [{"code": c, "half_month": h, "slr": v} for c, of in slr.items() for h, v in enumerate(of, 1)])
    region.config["C"] = {"method": "renard1997", "calendar": "crops.csv"}
    by_calendar = stored(region.run(), "C")
    wr, landcover = shares(region).values, region.values("landcover")
    expected = np.full(landcover.shape, np.nan)
    for code, of in slr.items():
        expected[landcover == code] = (wr * of).sum()
    np.testing.assert_allclose(by_calendar, expected, rtol=1e-6)

    write_csv(region.folder / "ranges.csv", [{"code": code, "C_min": 0.01 * k, "C_max": 0.1 * k} for k, code in enumerate(LANDUSE)])
    region.config["C"] = {"method": "panagos2015", "fvc": 0.25, "ranges": "ranges.csv"}
    by_range = stored(region.run(), "C")
    for k, code in enumerate(LANDUSE):
        np.testing.assert_allclose(by_range[landcover == code], 0.01 * k + 0.75 * 0.09 * k, rtol=1e-6, atol=1e-9)

    region.config["C"] = {"method": "panagos2015", "fvc": 0.25}
    with pytest.raises(ConfigError, match="ranges"):
        load_config(region.write_config())


@pytest.mark.parametrize(("said", "problem"), [(1, "they would shelter the soil twice"), (0, None), ("", None)])
def test_stones_shelter_the_soil_once(tmp_path, said, problem):
    region = build_region(tmp_path / "region", zones=False)
    region.config["output"]["report"] = False
    rows = [{"code": c, "half_month": h, "surface_cover_pct": 30, "surface_cover_has_stones": said} for c in LANDUSE for h in range(1, 25)]
    write_csv(region.folder / "crops.csv", rows)
    region.config["C"] = {"method": "renard1997", "calendar": "crops.csv"}
    region.config["K"] = {"method": "williams1990", "sand": 20, "silt": 65, "clay": 15, "soc": 0.5, "rock_cover": 20}
    if problem is not None:
        with pytest.raises(ConfigError, match=problem) as caught:
            region.run()
        assert [p.where for p in caught.value.problems] == ["K.rock_cover"]
        return
    manifest = region.run().manifest
    assert manifest["factors"]["K"]["constant"] == pytest.approx(0.055081 * 0.670320, abs=5e-7)
    warned = any("surface_cover_has_stones" in warning["en"] for warning in manifest["warnings"])
    assert warned == (said == "")
    del region.config["K"]["rock_cover"]
    assert not any("surface_cover_has_stones" in warning["en"] for warning in region.run().manifest["warnings"])
