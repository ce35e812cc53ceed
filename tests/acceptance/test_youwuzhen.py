"""A real Chinese catchment through the whole chain, against the same chain worked out slowly in ``independent.py``."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import rasterio

import rusle_engine as rusle
from tests.acceptance import independent

CELL_M = 30.0


def read(path):
    with rasterio.open(path) as source:
        values = source.read(1, masked=True)
    return np.ma.filled(values.astype(np.float64), np.nan)


@pytest.fixture(scope="module")
def finished(configured, acceptance_data, tmp_path_factory):
    work = tmp_path_factory.mktemp("游屋圳 run")
    with (acceptance_data / "youwuzhen/soil_properties.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["layer"] == "1"]
    with (work / "topsoil.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    path = configured("youwuzhen", work)
    assert rusle.check(path) == []
    return rusle.run(path)


@pytest.fixture(scope="module")
def data(acceptance_data):
    return acceptance_data / "youwuzhen"


@pytest.fixture(scope="module")
def worked_out(data):
    """Every factor and A, independently."""
    z, soil, land = read(data / "dem30m.tif"), read(data / "soil30m.tif"), read(data / "landuse30m.tif")
    with (data / "soil_properties.csv").open(encoding="utf-8") as file:
        topsoil = {int(r["soil_code"]): r for r in csv.DictReader(file) if r["layer"] == "1"}
    with (data / "landuse_classes.csv").open(encoding="utf-8") as file:
        classes = {int(r["code"]): r for r in csv.DictReader(file)}

    def by_class(raster, values):
        result = np.full(raster.shape, np.nan)
        for code, value in values.items():
            result[raster == code] = value
        return result

    k = {
        code: independent.erodibility_epic(
            float(r["sand_pct_fine"]), float(r["silt_pct_fine"]), float(r["clay_pct_fine"]), float(r["om_pct"]) / 1.724
        )
        for code, r in topsoil.items()
    }
    ls, _, _ = independent.topographic_factor(z, CELL_M, longest=304.8, channel_area=45000)
    factors = {
        "R": independent.erosivity_xie2016(data / "rain_daily_81502750_2010_2017.csv"),
        "K": by_class(soil, k),
        "LS": ls,
        "C": by_class(land, {code: float(r["seims_usle_c"]) for code, r in classes.items()}),
        "P": by_class(land, {code: float(r["seims_usle_p"]) for code, r in classes.items()}),
    }
    return factors, factors["R"] * factors["K"] * factors["LS"] * factors["C"] * factors["P"], soil


def test_erosivity(finished, worked_out):
    assert finished.manifest["factors"]["R"]["constant"] == pytest.approx(worked_out[0]["R"], rel=1e-12)


@pytest.mark.parametrize("name", ["K", "LS", "C", "P"])
def test_factor_rasters(finished, worked_out, name):
    expected = worked_out[0][name]
    found = read(finished.path / "rasters" / f"{name}.tif")
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_soil_loss(finished, worked_out):
    np.testing.assert_allclose(read(finished.path / "rasters/A.tif"), worked_out[1], rtol=1e-6, atol=1e-9)


def test_the_stored_factors_multiply_to_the_stored_soil_loss(finished):
    product = np.float64(finished.manifest["factors"]["R"]["constant"])
    for name in ("K", "LS", "C", "P"):
        with rasterio.open(finished.path / "rasters" / f"{name}.tif") as source:
            product = product * source.read(1).astype(np.float64)
    with rasterio.open(finished.path / "rasters/A.tif") as source:
        assert np.array_equal(product.astype(np.float32), source.read(1), equal_nan=True)


def test_intensity_is_a_function_of_the_stored_soil_loss(finished):
    with rasterio.open(finished.path / "rasters/A.tif") as a, rasterio.open(finished.path / "rasters/intensity.tif") as code:
        expected = independent.intensity(a.read(1), 500)
        expected[np.isnan(a.read(1))] = 255
        assert np.array_equal(code.read(1), expected)


def test_the_rate_of_every_zone(finished, worked_out):
    _, loss, soil = worked_out
    classes = independent.intensity(loss, 500)
    table = finished.tables["zones"].set_index("zone_id")
    cell_km2 = CELL_M**2 / 1e6
    for zone in (201, 202, 203, 204, 205):
        inside = soil == zone
        assessed = inside & ~np.isnan(loss)
        row = table.loc[str(zone)]
        assert row["area_km2"] == pytest.approx(inside.sum() * cell_km2, rel=1e-12)
        assert row["assessed_km2"] == pytest.approx(assessed.sum() * cell_km2, rel=1e-12)
        assert row["conservation_rate_pct"] == pytest.approx(100 * (assessed & (classes == 1)).sum() / assessed.sum(), rel=1e-12)
        assert row["total_loss_t_yr"] == pytest.approx(np.nansum(loss[inside]) * CELL_M**2 / 1e4, rel=1e-6)
        assert row["mean_modulus_t_km2_yr"] == pytest.approx(100 * np.nanmean(loss[inside]), rel=1e-6)


def test_the_record_tells_what_went_in(finished, data):
    manifest = json.loads((finished.path / "run.json").read_text("utf-8"))
    inputs = {entry["role"]: entry for entry in manifest["inputs"]}
    assert inputs["dem"]["valid_cells"] == 98 * 127
    assert inputs["landcover"]["valid_cells"] == 98 * 127 - 5136
    assert Path(inputs["dem"]["path"]) == data / "dem30m.tif"
    assert manifest["factors"]["R"]["record"]["years_used"] == 8
    assert manifest["factors"]["LS"]["options"]["max_slope_length_m"] == 304.8
    assert 0 < manifest["topography"]["capped_pct"] < 100
    assert 0 < manifest["topography"]["channel_pct"] < 100


def test_a_second_run_on_other_tiles_gives_the_same_results(finished, tmp_path):
    before = {entry["path"]: entry["sha256"] for entry in finished.manifest["outputs"]}
    config = rusle.load_config(finished.path.parent / "youwuzhen.yml", [f"output.folder={tmp_path.as_posix()}/again", "compute.tile_cells=64"])
    again = rusle.run(config)
    after = {entry["path"]: entry["sha256"] for entry in again.manifest["outputs"]}
    assert after["tables/zones.csv"] == before["tables/zones.csv"]
    for name in ("A", "intensity", "LS", "K"):
        with rasterio.open(finished.path / f"rasters/{name}.tif") as one, rasterio.open(again.path / f"rasters/{name}.tif") as two:
            assert one.read(1).tobytes() == two.read(1).tobytes()
