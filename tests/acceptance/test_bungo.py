"""Real grids that do not match one another: alignment, a class without a row, eight zones; figures worked out with plain NumPy."""

import csv

import numpy as np
import pytest
import rasterio

import rusle_engine as rusle
from tests.acceptance import independent


def read(path):
    with rasterio.open(path) as source:
        values = source.read(1, masked=True)
        return np.ma.filled(values.astype(np.float64), np.nan), source.transform


def cell_centres(transform, shape):
    return transform.c + (np.arange(shape[1]) + 0.5) * transform.a, transform.f + (np.arange(shape[0]) + 0.5) * transform.e


@pytest.fixture(scope="module")
def data(acceptance_data):
    return acceptance_data / "bungo"


@pytest.fixture(scope="module")
def work(data, tmp_path_factory):
    """The published C table, in a copy that the test completes."""
    folder = tmp_path_factory.mktemp("bungo")
    with (data / "c_factor_usda1972.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [(row["ID"], row["C_factor"]) for row in csv.DictReader(file)]
    write_table(folder, rows)
    return folder, rows


def write_table(folder, rows):
    with (folder / "c.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("ID", "C_factor"), *rows])


@pytest.fixture(scope="module")
def finished(work, data, configured):
    folder, rows = work
    path = configured("bungo", folder)
    codes = {int(code) for code in np.unique(read(data / "landcover_2010.tif")[0]) if not np.isnan(code)}
    missing = codes - {int(code) for code, _ in rows}
    if missing:
        problems = rusle.check(path)
        assert [problem.where for problem in problems] == ["C"]
        assert all(str(code) in str(problems[0]) for code in missing)
        write_table(folder, [*rows, *((code, 0) for code in sorted(missing))])  # lakes and rivers
    assert rusle.check(path) == []
    return rusle.run(path)


def test_erodibility(finished, data):
    sand, silt, clay, carbon = (read(data / f"{name}.tif")[0] for name in ("sand_0_5cm_pct", "silt_0_5cm_pct", "clay_0_5cm_pct", "soc_0_5cm_g_kg"))
    expected = independent.erodibility_epic(sand, silt, clay, carbon / 10)
    found, _ = read(finished.path / "rasters/K.tif")
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_slope_part_of_ls_on_ridges(finished, data):
    """Cells that nothing drains into, with the cap far away: L and S by hand from Horn's slope."""
    z, transform = read(data / "dem_srtm_100m.tif")
    p, q = independent.gradient(z, transform.a)
    tangent = np.hypot(p, q)
    sine = tangent / np.sqrt(1 + tangent**2)
    m = (beta := (sine / 0.0896) / (3 * sine**0.8 + 0.56)) / (1 + beta)
    steepness = np.where(tangent < 0.09, 10.8 * sine + 0.03, 16.8 * sine - 0.5)
    x = np.where(tangent > 0, (np.abs(p) + np.abs(q)) / np.where(tangent > 0, tangent, 1), 1)
    ridge = steepness * (transform.a / x / 22.13) ** m  # LS-9 with nothing entering: (D / (22.13 x))^m
    found, _ = read(finished.path / "rasters/LS.tif")
    highest = z > np.fmax.reduce([np.roll(z, shift, (0, 1)) for shift in independent.NEIGHBOURS])
    inner = np.zeros(z.shape, bool)
    inner[1:-1, 1:-1] = True
    summits = highest & inner & ~np.isnan(found)
    assert summits.sum() > 1000
    np.testing.assert_allclose(found[summits], ridge[summits], rtol=1e-5)


def test_practice_from_another_grid(finished, data):
    source, transform = read(data / "p_factor.tif")
    found, to = read(finished.path / "rasters/P.tif")
    x, y = cell_centres(to, found.shape)
    column, row = (x - transform.c) / transform.a - 0.5, (y - transform.f) / transform.e - 0.5
    inner_x, inner_y = (column >= 0) & (column < source.shape[1] - 1), (row >= 0) & (row < source.shape[0] - 1)
    j, i = np.floor(column[inner_x]).astype(int), np.floor(row[inner_y]).astype(int)
    fx, fy = column[inner_x] - j, (row[inner_y] - i)[:, None]
    at = lambda di, dj: source[np.ix_(i + di, j + dj)]  # noqa: E731
    expected = (at(0, 0) * (1 - fx) + at(0, 1) * fx) * (1 - fy) + (at(1, 0) * (1 - fx) + at(1, 1) * fx) * fy
    compared = found[np.ix_(inner_y, inner_x)]
    known = ~np.isnan(expected)
    assert known.sum() > 400_000
    np.testing.assert_allclose(compared[known], expected[known], rtol=0, atol=2e-5)


def test_soil_loss_is_the_product_of_the_stored_factors(finished):
    product = np.float64(12000.0)
    for name in ("K", "LS", "C", "P"):
        with rasterio.open(finished.path / f"rasters/{name}.tif") as source:
            product = product * source.read(1).astype(np.float64)
    with rasterio.open(finished.path / "rasters/A.tif") as source:
        assert np.array_equal(product.astype(np.float32), source.read(1), equal_nan=True)


def test_the_rate_of_every_zone(finished, data):
    zones, transform = read(data / "zones.tif")
    with rasterio.open(finished.path / "rasters/intensity.tif") as source:
        code, to = source.read(1), source.transform
    x, y = cell_centres(to, code.shape)
    column, row = np.floor((x - transform.c) / transform.a).astype(int), np.floor((y - transform.f) / transform.e).astype(int)
    at_cells = np.full(code.shape, np.nan)
    inside = np.ix_((row >= 0) & (row < zones.shape[0]), (column >= 0) & (column < zones.shape[1]))
    at_cells[inside] = zones[np.ix_(row[(row >= 0) & (row < zones.shape[0])], column[(column >= 0) & (column < zones.shape[1])])]
    table = finished.tables["zones"].set_index("zone_id")
    cell_km2 = to.a * -to.e / 1e6
    assert sorted(table.index) == [str(zone) for zone in range(1, 9)]
    for zone in range(1, 9):
        here = at_cells == zone
        assessed = here & (code != 255)
        found = table.loc[str(zone)]
        assert found["area_km2"] == pytest.approx(here.sum() * cell_km2, rel=1e-9)
        assert found["assessed_km2"] == pytest.approx(assessed.sum() * cell_km2, rel=1e-9)
        assert found["conservation_rate_pct"] == pytest.approx(100 * (here & (code == 1)).sum() / assessed.sum(), rel=1e-12)
        assert found["severe_km2"] == pytest.approx((here & (code == 6)).sum() * cell_km2, rel=1e-9, abs=1e-12)


def test_alignment_is_told(finished):
    inputs = {entry["role"]: entry for entry in finished.manifest["inputs"]}
    assert inputs["P"]["alignment"]["how"] == "warped"
    assert inputs["P"]["resampling"] == "bilinear"
    assert inputs["K.sand"]["alignment"]["how"] == "as it is"
    assert inputs["zones"]["alignment"]["how"] == "warped"
