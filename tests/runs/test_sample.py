"""The sample regions: their rules hold, they depend on the seed alone, and nothing in them is taken for measured."""

import dask
import numpy as np
import pandas as pd
import pytest
import rasterio
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.runs import sample, sample_csle
from rusle_engine.runs.config import load_config
from rusle_engine.runs.sample_layers import COVERS, SOILS
from rusle_engine.runs.sample_rain import MONTHLY_NORMALS_MM, rain_record
from rusle_engine.runs.sample_terrain import demo_terrain, largest_level_area
from rusle_engine.runs.sample_zones import basin_zones, district_zones
from rusle_engine.terrain.conditioning import condition

COVER_YEARS = ("landcover_2023", "landcover_2024")
CROPLAND, WATER = (11, 12, 13), 61


@pytest.fixture(scope="module")
def demo():
    return sample.demo_layers()


@pytest.fixture(scope="module")
def demo_zones(demo):
    return basin_zones(demo["dem"])


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("示例 demo")
    sample.write_demo(folder)
    return folder


def shares(codes):
    values, counts = np.unique(codes, return_counts=True)
    return dict(zip(values.tolist(), (100 * counts / codes.size).tolist()))


def test_the_demo_s_first_row_is_north_and_its_lake_lies_in_the_south_east(demo):
    # the one large level surface of the sample, 656 cells at 305 m, is a drowned valley in the south-east
    lake = demo["dem"].where(largest_level_area(demo["dem"].values))
    cells = np.argwhere(lake.values > 0)
    assert np.nanmin(lake) == np.nanmax(lake) == 305
    assert len(cells) == 656
    assert demo["dem"].y[0] > demo["dem"].y[-1]
    assert Grid.of(demo["dem"]).bounds == pytest.approx((-84.41375, 36.44625, -84.07791667, 36.73291667), abs=1e-7)
    assert float(demo["dem"].y[cells[:, 0]].max()) < (36.44625 + 36.73292) / 2
    assert float(demo["dem"].x[cells[:, 1]].min()) > (-84.41375 - 84.07792) / 2


def test_water_is_the_lake_in_both_years(demo):
    lake = largest_level_area(demo["dem"].values)
    for year in COVER_YEARS:
        np.testing.assert_array_equal(demo[year].values == WATER, lake)


def test_every_class_is_there_and_has_its_row(demo):
    tables = sample.class_tables()
    for year in COVER_YEARS:
        assert set(shares(demo[year].values)) == {cover.code for cover in COVERS} == set(tables["landcover.csv"]["code"])
    assert set(shares(demo["soil"].values)) == {soil.code for soil in SOILS} == set(tables["soil.csv"]["code"])
    for name in ("c.csv", "p.csv"):
        assert set(tables[name]["code"]) == set(tables["landcover.csv"]["code"])
    assert {*CROPLAND, WATER} < set(tables["c_override.csv"]["code"])


def test_the_csle_demo_s_terraces_are_those_of_the_land_cover(demo):
    first, second = (demo[year].values == 12 for year in COVER_YEARS)
    register = sample_csle.terrace_register(demo["landcover_2023"], demo["landcover_2024"], 2024)
    assert set(register["type"]) == {"level terrace"}
    assert register["year_built"].between(1998, 2024).all()
    cell = abs(demo["dem"].x[1] - demo["dem"].x[0]).item() * abs(demo["dem"].y[1] - demo["dem"].y[0]).item()
    built = register["year_built"] == 2024
    assert register.area[built].sum() / cell == pytest.approx((second & ~first).sum(), rel=1e-9)
    assert register.area[~built].sum() / cell == pytest.approx((second & first).sum(), rel=1e-9)


def test_in_the_csle_demo_cropland_takes_t_and_other_land_b():
    tables = sample_csle.csle_tables()
    b, t = (tables[name].set_index("code")[name[0].upper()] for name in ("b.csv", "t.csv"))
    assert set(b.index) == set(t.index) == {cover.code for cover in COVERS}
    assert (b[list(CROPLAND)] == 1).all()
    assert (t[list(CROPLAND)] < 1).all()
    assert (t.drop(list(CROPLAND)) == 1).all()


def test_tables_hold_possible_values():
    tables = sample.class_tables()
    assert (tables["soil.csv"][["sand", "silt", "clay"]].sum(axis=1) == 100).all()
    assert tables["soil.csv"]["soc"].between(0.1, 5).all()
    assert tables["c.csv"]["C"].between(0, 1).all()
    assert tables["p.csv"]["P"].between(0, 1).all()
    assert all(table["note"].str.contains("illustrative").all() for table in tables.values())


def test_land_cover_lies_in_patches_and_follows_the_slope(demo):
    codes = demo["landcover_2024"].values
    alike = [codes[:-1] == codes[1:], codes[:, :-1] == codes[:, 1:]]
    assert np.mean([pairs.mean() for pairs in alike]) > 0.7  # classes strewn at random would agree in about 15 % of pairs
    rise, fall = np.gradient(demo["dem"].values.astype(float), 92.5, 74.5)
    slope = np.degrees(np.arctan(np.hypot(rise, fall)))
    median = {code: np.median(slope[codes == code]) for code in (51, 11, 12, 13, 31)}
    assert median[51] < median[12] < median[13] < median[31]
    assert median[11] < median[12]


def test_from_one_year_to_the_next_sloping_cropland_gives_way(demo):
    before, after = (shares(demo[year].values) for year in COVER_YEARS)
    assert after[13] < before[13]
    assert after[12] > before[12]
    assert after[51] > before[51]
    assert 0.5 < 100 * np.mean(demo[COVER_YEARS[0]].values != demo[COVER_YEARS[1]].values) < 6


def test_ndvi_has_the_order_of_the_covers_and_a_few_clouds(demo):
    index, codes = demo["ndvi"].values, demo["landcover_2024"].values
    assert 0 < np.isnan(index).mean() < 0.01
    assert np.nanmin(index) >= -1
    assert np.nanmax(index) <= 1
    mean = {code: np.nanmean(index[codes == code]) for code in shares(codes)}
    assert mean[WATER] < 0 < mean[71] < mean[51] < mean[42] < mean[41] < mean[32] < mean[31]


def test_the_seed_changes_every_layer_but_the_terrain(demo):
    again, other = sample.demo_layers(), sample.demo_layers(seed=1)
    for name, layer in demo.items():
        assert layer.identical(again[name])
        assert layer.equals(other[name]) == (name == "dem")


def test_monthly_means_are_the_stated_normals():
    rain = rain_record(7)
    assert rain.index.equals(pd.date_range("1991-01-01", "2020-12-31"))
    monthly = rain.groupby(rain.index.month).sum() / 30
    assert monthly.round(6).tolist() == list(MONTHLY_NORMALS_MM)
    assert (rain.to_numpy() >= 0).all()
    assert (rain * 10).round(9).mod(1).eq(0).all()
    yearly = rain.groupby(rain.index.year).sum()
    assert 0.12 < yearly.std() / yearly.mean() < 0.28  # a loess tableland's is 0.23


@pytest.mark.parametrize("seed", [sample.DEMO_SEED, 1, 2])
def test_erosivity_is_a_loess_plateau_s(seed):
    rain = rain_record(seed)
    alpha = np.where(rain.index.month.isin(range(5, 10)), 0.3937, 0.3101)
    r = np.sum(np.where(rain >= 9.7, alpha * rain**1.7265, 0)) / 30
    assert 1000 < r < 2000


def test_rain_comes_in_spells():
    wet = (rain_record(3) > 0).to_numpy()
    july = rain_record(3).index.month.to_numpy()[1:] == 7
    after_wet, after_dry = wet[1:][july & wet[:-1]].mean(), wet[1:][july & ~wet[:-1]].mean()
    assert after_wet - after_dry == pytest.approx(0.25, abs=0.07)


def test_basins_and_sub_basins_nest_and_the_key_zone_follows_no_border(demo_zones):
    zones = demo_zones.set_index("zone_id")
    assert zones.index.is_unique
    assert zones.geometry.is_valid.all()
    cell = (1 / 1200) ** 2
    basins = zones[zones["level"] == 1]
    assert len(basins) >= 8
    assert basins.area.sum() == pytest.approx(basins.union_all().area, rel=1e-9)
    assert (basins.area >= 1600 * cell * (1 - 1e-9)).all()
    for zone_id, outline in zones[zones["level"] == 2].geometry.items():
        assert outline.difference(zones.geometry[zone_id.split("-")[0]]).area < 1e-6 * cell
    assert sum(basins.intersects(zones.geometry["KEY"])) >= 2
    assert zones.geometry["ALL"].area == pytest.approx(344 * 403 * cell, rel=1e-9)


@example(seed=8263)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_districts_and_wards_cover_the_region_once(seed):
    grid = sample.sample_grid((600, 900))
    zones = district_zones(grid, seed).set_index("zone_id")
    assert zones.index.is_unique
    assert zones.geometry.is_valid.all()
    region = 600 * 900 * 30.0**2
    for level in (1, 2):
        assert zones[zones["level"] == level].area.sum() == pytest.approx(region, rel=1e-9)
        assert zones[zones["level"] == level].union_all().area == pytest.approx(region, rel=1e-9)
    for zone_id, outline in zones[zones["level"] == 2].geometry.items():
        assert outline.difference(zones.geometry[zone_id.split("-")[0]]).area < 1e-3


@pytest.mark.parametrize("tile", [29, 64, 128, 143])
def test_sample_layers_do_not_show_their_tiles(tile):
    grid = sample.sample_grid((190, 143))
    with dask.config.set(scheduler="synchronous"):
        (whole,) = dask.compute(sample.sample_layers(grid, 11, tile=256))
        (cut,) = dask.compute(sample.sample_layers(grid, 11, tile=tile))
    for name, layer in whole.items():
        assert layer.values.tobytes() == cut[name].values.tobytes()


def test_sample_layers_are_lazy_and_have_the_declared_types():
    def refuse(*_args, **_kwargs):
        raise AssertionError("computed")

    with dask.config.set(scheduler=refuse):
        layers = sample.sample_layers(sample.sample_grid((5000, 7000)), 3)
    for name, layer in layers.items():
        assert layer.shape == (5000, 7000)
        assert layer.rio.crs.to_epsg() == 4546
        assert layer[:70, :70].compute().dtype == layer.dtype == np.dtype("float32" if name in ("dem", "ndvi") else "uint8")


def test_made_up_terrain_is_hilly_and_drains():
    layers = dask.compute(sample.sample_layers(sample.sample_grid((500, 500)), 5))[0]
    heights = layers["dem"].astype("float64")
    rise, fall = np.gradient(heights.values, 30.0)
    assert 10 < np.degrees(np.median(np.arctan(np.hypot(rise, fall)))) < 20
    assert heights.min() > 0
    assert heights.max() < 4000
    assert (condition(heights) > heights).mean() < 0.06
    assert np.isnan(layers["ndvi"]).mean() < 0.01
    assert set(shares(layers["landcover_2024"].values)) >= {11, 12, 13, 31, 32, 41, WATER}


def test_a_region_too_small_is_refused():
    with pytest.raises(InputError, match=r"40 × 500 cells is too small.*at least 64"):
        sample.sample_grid((40, 500))


def test_the_demo_folder_is_whole_and_says_that_it_is_illustrative(demo_folder):
    config = load_config(demo_folder / "demo.yml")
    assert config.project.illustrative
    assert "llustrative" in config.target.source
    for raster in demo_folder.glob("*.tif"):
        with rasterio.open(raster) as dataset:
            assert dataset.tags()["title"].startswith("Illustrative") == (raster.stem != "dem")
            assert dataset.crs.to_epsg() == 4326
    assert {path.name for path in demo_folder.glob("*.csv")} == {"rain_daily.csv", *sample.class_tables()}
    for table in demo_folder.glob("*.csv"):
        assert "illustrative" in table.read_text(encoding="utf-8-sig").splitlines()[1]


def test_the_written_dem_is_the_sample_s(demo_folder):
    elevation, _ = demo_terrain()
    with rasterio.open(demo_folder / "dem.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1), elevation)
        assert dataset.units == ("m",)


def test_a_small_sample_is_written_with_the_demo_s_files(tmp_path, demo_folder):
    written = sample.write_sample(tmp_path / "样区", (80, 100), seed=4)
    assert {path.name for path in written.parent.iterdir()} == {"sample.yml" if p.name == "demo.yml" else p.name for p in demo_folder.iterdir()}
    config = load_config(written)
    assert config.project.illustrative
    assert "Demo" not in config.project.name
    assert config.project.note.startswith("Terrain, rain, soil")
    with rasterio.open(written.parent / "dem.tif") as dataset:
        assert dataset.shape == (80, 100)
        assert dataset.tags()["title"].startswith("Illustrative")
