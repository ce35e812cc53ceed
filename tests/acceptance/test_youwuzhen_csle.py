"""The same catchment by CSLE: against the same chain worked out slowly, and beside RUSLE."""

import csv

import numpy as np
import pytest
import rasterio

import rusle_engine as rusle
from tests.acceptance import independent
from tests.acceptance.test_youwuzhen import CELL_M, read

ORCHARD, MIXED_FOREST, EVERGREEN, WATER, RICE, RESIDENTIAL, INDUSTRIAL = 4, 6, 8, 18, 33, 104, 106
PRACTICES = {  # B, E, T: assumed; B of trees by the unchecked curve at (cover, cover under the trees)
    ORCHARD: (0.198281, 1, 1),  # (0.5, 0.2)
    MIXED_FOREST: (0.059406, 1, 1),  # (0.6, 0.5)
    EVERGREEN: (0.053586, 1, 1),  # (0.8, 0.5)
    WATER: (0, 1, 1),
    RICE: (1, 0.084, 0.36),  # level terraces; mean of double cropping
    RESIDENTIAL: (0.025, 1, 1),
    INDUSTRIAL: (0.1, 1, 1),
}


def write_tables(data, work):
    with (data / "soil_properties.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["layer"] == "1"]
    with (work / "topsoil.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    with (work / "practices.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("code", "B", "E", "T"), *((code, *values) for code, values in PRACTICES.items())])


@pytest.fixture(scope="module")
def data(acceptance_data):
    return acceptance_data / "youwuzhen"


@pytest.fixture(scope="module")
def both(configured, data, tmp_path_factory):
    """The catchment by RUSLE and by CSLE."""
    results = {}
    for name in ("youwuzhen", "youwuzhen_csle"):
        work = tmp_path_factory.mktemp(name)
        write_tables(data, work)
        path = configured(name, work)
        assert rusle.check(path) == []
        results[name] = rusle.run(path)
    return results["youwuzhen"], results["youwuzhen_csle"]


@pytest.fixture(scope="module")
def worked_out(data):
    """LS, B, E, T and A by CSLE, independently."""
    z, soil, land = read(data / "dem30m.tif"), read(data / "soil30m.tif"), read(data / "landuse30m.tif")
    with (data / "soil_properties.csv").open(encoding="utf-8") as file:
        topsoil = {int(r["soil_code"]): r for r in csv.DictReader(file) if r["layer"] == "1"}
    k = np.full(soil.shape, np.nan)
    for code, r in topsoil.items():
        texture = (float(r[f"{name}_pct_fine"]) for name in ("sand", "silt", "clay"))
        k[soil == code] = independent.erodibility_epic(*texture, float(r["om_pct"]) / 1.724)
    factors = {"K": k, "LS": independent.topographic_factor_csle(z, CELL_M, longest=100, channel_area=45000, steepest_degree=30)}
    for place, name in enumerate("BET"):
        factors[name] = np.full(land.shape, np.nan)
        for code, values in PRACTICES.items():
            factors[name][land == code] = values[place]
    r = independent.erosivity_xie2016(data / "rain_daily_81502750_2010_2017.csv")
    return factors, r * np.prod(list(factors.values()), axis=0)


@pytest.mark.parametrize("name", ["K", "LS", "B", "E", "T"])
def test_factor_rasters(both, worked_out, name):
    expected, found = worked_out[0][name], read(both[1].path / f"rasters/{name}.tif")
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_soil_loss_and_its_classes(both, worked_out):
    a = read(both[1].path / "rasters/A.tif")
    np.testing.assert_allclose(a, worked_out[1], rtol=1e-6, atol=1e-9)
    with rasterio.open(both[1].path / "rasters/intensity.tif") as file:
        expected = independent.intensity(a, 500)
        expected[np.isnan(a)] = 255
        assert np.array_equal(file.read(1), expected)


def test_what_both_equations_share_is_the_same(both):
    by_rusle, by_csle = both
    assert by_rusle.manifest["factors"]["R"]["constant"] == by_csle.manifest["factors"]["R"]["constant"]
    np.testing.assert_array_equal(read(by_rusle.path / "rasters/K.tif"), read(by_csle.path / "rasters/K.tif"))
    assert (by_rusle.manifest["equation"]["name"], by_csle.manifest["equation"]["name"]) == ("RUSLE", "CSLE")


def test_rice_on_terraces_takes_t_and_other_land_b(both, data):
    land = read(data / "landuse30m.tif")
    b, e, t = (read(both[1].path / f"rasters/{name}.tif") for name in "BET")
    rice = land == RICE
    assert (b[rice] == 1).all()
    assert (e[rice] < 1).all()
    assert (t[~rice & ~np.isnan(land)] == 1).all()
