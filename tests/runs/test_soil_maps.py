"""K in a run: from polygons with a table, and what shaped it in the record."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from shapely import box

import rusle_engine as rusle
from rusle_engine.runs.sample import write_sample

LOAM, SAND = 0.055081, 0.032745  # the formula book's soils A and B by EPIC


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("region"), (70, 80))


def run(region, tmp_path, **sets):
    overrides = [f"{key}={value}" for key, value in sets.items()]
    return rusle.run(rusle.load_config(region, [f"output.folder={tmp_path / 'result'}", "output.report=false", *overrides]))


def bounds_of(region):
    with rasterio.open(region.parent / "dem.tif") as dem:
        return dem.bounds, dem.crs


def test_a_soil_map_of_polygons(region, tmp_path):
    (left, bottom, right, top), crs = bounds_of(region)
    middle = (left + right) / 2
    soils = gpd.GeoDataFrame({"土壤": [1, 2]}, geometry=[box(left, bottom, middle, top), box(middle, bottom, right, top)], crs=crs)
    soils.to_file(tmp_path / "土壤 map.gpkg")
    rows = {"code": [1, 2], "sand": [20, 65], "silt": [65, 25], "clay": [15, 10], "soc": [0.5, 0.6]}
    pd.DataFrame(rows).to_csv(tmp_path / "soil.csv", index=False)
    block = f"{{method: williams1990, soil: {{polygons: '{tmp_path / '土壤 map.gpkg'}', field: 土壤}}, table: '{tmp_path / 'soil.csv'}'}}"
    result = run(region, tmp_path, K=block)
    k = result.open("K").values
    np.testing.assert_allclose(k[:, :40], LOAM, atol=5e-7)
    np.testing.assert_allclose(k[:, 40:], SAND, atol=5e-7)
    (noted,) = [entry for entry in result.manifest["inputs"] if entry["role"] == "K.soil"]
    assert (noted["rows"], noted["field"], noted["valid_cells"]) == (2, "土壤", 70 * 80)


def test_a_polygon_without_a_row_is_named_before_the_run(region, tmp_path):
    (left, bottom, right, top), crs = bounds_of(region)
    gpd.GeoDataFrame({"unit": [9]}, geometry=[box(left, bottom, right, top)], crs=crs).to_file(tmp_path / "soil.gpkg")
    pd.DataFrame({"code": [1], "k": [0.03]}).to_csv(tmp_path / "soil.csv", index=False)
    block = f"{{method: williams1990, soil: {{polygons: '{tmp_path / 'soil.gpkg'}', field: unit}}, table: '{tmp_path / 'soil.csv'}'}}"
    with pytest.raises(rusle.ConfigError, match="no row for class 9"):
        run(region, tmp_path, K=block)
    assert not (tmp_path / "result").exists()


def test_cells_that_do_not_close_are_counted_in_the_record(region, tmp_path):
    with rasterio.open(region.parent / "dem.tif") as dem:
        profile = dem.profile | {"dtype": "float32", "nodata": None, "driver": "GTiff"}
    for name, share in (("sand", 20.0), ("silt", 65.0), ("clay", 15.0)):
        values = np.full((70, 80), share, np.float32)
        values[:3, :5] -= 10  # 15 cells add up to 70
        with rasterio.open(tmp_path / f"{name}.tif", "w", **profile) as raster:
            raster.write(values, 1)
    sources = ", ".join(f"{name}: {{raster: '{tmp_path / name}.tif', units: percent}}" for name in ("sand", "silt", "clay"))
    result = run(region, tmp_path, K=f"{{method: williams1990, {sources}, soc: 0.5}}")
    assert result.manifest["factors"]["K"]["cells"] == {"not_closed": 15, "beyond_nomograph": 0, "matter_held": 0, "floored": 0}
    assert result.manifest["factors"]["K"]["valid_cells"] == 70 * 80 - 15


def write_like(dem, path, values):
    with rasterio.open(dem) as source:
        profile = source.profile | {"dtype": "float32", "nodata": None, "driver": "GTiff"}
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(np.full((70, 80), values, np.float32), 1)


def test_a_soil_table_of_layers(region, tmp_path):
    write_like(region.parent / "dem.tif", tmp_path / "soil.tif", 1)
    rows = {"code": [1, 1], "top_cm": [0, 10], "bottom_cm": [10, 30], "sand": [14, 23], "silt": [71, 62], "clay": [15, 15], "soc": [0.8, 0.35]}
    pd.DataFrame(rows).to_csv(tmp_path / "soil.csv", index=False)
    block = f"{{method: williams1990, soil: {{raster: '{tmp_path}/soil.tif'}}, table: '{tmp_path}/soil.csv', depth_cm: 30}}"
    result = run(region, tmp_path, K=block)
    np.testing.assert_allclose(result.open("K").values, LOAM, atol=5e-7)
    assert result.manifest["factors"]["K"]["options"]["depth_cm"] == 30


def test_rasters_of_the_layers_of_the_soil(region, tmp_path):
    for name, contents in {"sand": (140, 230), "silt": (710, 620), "clay": (150, 150)}.items():
        for layer, value in enumerate(contents):
            write_like(region.parent / "dem.tif", tmp_path / f"{name}{layer}.tif", value)
    one = "{{layers: ['{0}/{1}0.tif', '{0}/{1}1.tif'], limits_cm: [0, 10, 40], bottom_cm: 30, units: g/kg}}"
    texture = ", ".join(f"{name}: {one.format(tmp_path, name)}" for name in ("sand", "silt", "clay"))
    result = run(region, tmp_path, K=f"{{method: williams1990, {texture}, soc: 0.5}}")
    np.testing.assert_allclose(result.open("K").values, LOAM, atol=5e-7)
    roles = [entry["role"] for entry in result.manifest["inputs"] if entry["role"].startswith("K.sand")]
    assert roles == ["K.sand.0-10 cm", "K.sand.10-40 cm"]
    with pytest.raises(rusle.ConfigError) as caught:
        run(region, tmp_path, K=f"{{method: williams1990, {texture}, soc: 0.5}}".replace("[0, 10, 40]", "[0, 10]"))
    assert {problem.where for problem in caught.value.problems} == {f"K.{name}.limits_cm" for name in ("sand", "silt", "clay")}
