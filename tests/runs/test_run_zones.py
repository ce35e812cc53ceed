"""The table of zones that a run leaves behind: areas, classes, rates, official areas, headline; by polygons, a class raster or the whole grid."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

import rusle_engine as rusle
from tests.region import WATER, stored, write_csv

CLASSES = ["slight", "light", "moderate", "strong", "very_strong", "severe"]
CONTRACT = ["zone_id", "zone_name", "area_km2", "assessed_km2", "unassessed_km2", *(f"{name}_km2" for name in CLASSES), "loss_km2"]
CONTRACT += ["conservation_rate_pct", "conservation_rate_min_pct", "conservation_rate_max_pct", "mean_modulus_t_km2_yr", "total_loss_t_yr"]
CELL_KM2 = 30 * 30 / 1e6


def zones_of(result):
    return pd.read_csv(result.path / "tables/zones.csv", encoding="utf-8-sig", dtype={"zone_id": str})


def test_the_columns_of_zones_csv(finished):
    _, result = finished
    raw = (result.path / "tables/zones.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\r\n") == raw.count(b"\n") == 4
    assert zones_of(result).columns[: len(CONTRACT)].tolist() == CONTRACT
    pd.testing.assert_frame_equal(zones_of(result), result.tables["zones"], check_exact=True, check_dtype=False)


def test_areas_by_class_from_the_geometry_of_every_cell(finished):
    """Every cell is cut with every zone's polygon by shapely, slowly."""
    region, result = finished
    code = stored(result, "intensity")
    a = stored(result, "A").astype(np.float64)
    rows, columns = np.indices(code.shape)
    left, top = region.transform @ (columns.ravel(), rows.ravel())
    cells = shapely.box(left, top - 30, left + 30, top)
    table = zones_of(result).set_index("zone_id")
    assert table.index.tolist() == ["140602", "01", "02"]  # the county is the region; none is added
    for (zone_id, name), polygon in region.zone_polygons().items():
        shapely.prepare(polygon)
        touched = np.flatnonzero(shapely.intersects(polygon, cells))
        inside = np.zeros(code.size)
        inside[touched] = shapely.area(shapely.intersection(cells[touched], polygon)) / 1e6
        row = table.loc[zone_id]
        assert row["zone_name"] == name
        assert row["area_km2"] == pytest.approx(polygon.area / 1e6, rel=1e-8)
        for number, key in enumerate(CLASSES, start=1):
            assert row[f"{key}_km2"] == pytest.approx(inside[code.ravel() == number].sum(), rel=1e-8, abs=1e-10), key
        assessed = ~np.isnan(a.ravel())
        assert row["total_loss_t_yr"] == pytest.approx((inside * a.ravel())[assessed].sum() * 100, rel=1e-7)
        assert row["mean_modulus_t_km2_yr"] == pytest.approx(row["total_loss_t_yr"] / row["assessed_km2"], rel=1e-12)


def test_closure(finished):
    _, result = finished
    for row in zones_of(result).to_dict("records"):
        classes = [row[f"{key}_km2"] for key in CLASSES]
        assert sum(classes) + row["unassessed_km2"] == pytest.approx(row["area_km2"], rel=1e-12)
        assert sum(classes) == pytest.approx(row["assessed_km2"], rel=1e-12)
        assert sum(classes[1:]) == pytest.approx(row["loss_km2"], rel=1e-12)
        assert row["conservation_rate_pct"] == pytest.approx(100 * classes[0] / row["assessed_km2"], rel=1e-12)
        assert row["conservation_rate_min_pct"] == pytest.approx(100 * classes[0] / row["area_km2"], rel=1e-12)
        assert row["conservation_rate_max_pct"] == pytest.approx(100 * (classes[0] + row["unassessed_km2"]) / row["area_km2"], rel=1e-12)


def test_headline_and_target(finished, region):
    _, result = finished
    assert result.manifest["headline"]["zone_name"] == "河口县"
    row = result.tables["zones"].iloc[0]
    assert result.manifest["headline"]["conservation_rate_pct"] == row["conservation_rate_pct"]
    assert result.manifest["target"] == {"conservation_rate_pct": 70, "year": 2025, "source": "made up"}
    region.config["zones"]["headline_zone"] = "02"
    region.config["target"] = None
    other = region.run().manifest
    assert (other["headline"]["zone_name"], other["target"]) == ("下湾镇", None)


def test_zones_that_make_no_whole_get_a_region_before_them(region):
    polygons = region.zone_polygons()
    del polygons["140602", "河口县"]
    region.put_zones(polygons)
    result = region.run()
    table = result.tables["zones"].set_index("zone_id")
    assert table.index.tolist() == ["region", "01", "02"]
    assert result.manifest["headline"]["zone_id"] == "region"
    assert table.loc["region", "area_km2"] == pytest.approx(table["area_km2"].iloc[1:].sum(), rel=1e-12)  # the towns share a border and no land


def test_no_zones_is_the_whole_grid_as_one(region):
    region.config["zones"] = None
    result = region.run()
    (row,) = result.tables["zones"].to_dict("records")
    land = ~np.isnan(region.values("dem"))
    assert row["area_km2"] == pytest.approx(land.sum() * CELL_KM2, rel=1e-12)
    assert row["slight_km2"] == pytest.approx((stored(result, "intensity") == 1).sum() * CELL_KM2, rel=1e-12)
    assert result.manifest["headline"]["zone_id"] == row["zone_id"]


def test_zones_of_a_class_raster_with_names(region):
    """The headline is all zones together when none is named."""
    zones = np.where(np.indices(region.shape)[1] < 40, 7, 3).astype(np.uint8)
    region.put("zones", zones)
    write_csv(region.folder / "names.csv", [{"code": 3, "name": "东乡"}, {"code": 7, "name": "西乡"}])
    region.config["zones"] = {"raster": "zones.tif", "names": "names.csv"}
    result = region.run()
    table = result.tables["zones"].set_index("zone_id")
    assert table["zone_name"].to_dict() == {"3": "东乡", "7": "西乡"}
    assert table["area_km2"].to_dict() == pytest.approx({"3": 150 * 130 * CELL_KM2, "7": 150 * 40 * CELL_KM2}, rel=1e-12)
    headline, code = result.manifest["headline"], stored(result, "intensity")
    assert headline["zone_id"] == "region"
    assert headline["area_km2"] == pytest.approx(150 * 170 * CELL_KM2, rel=1e-12)
    assert headline["conservation_rate_pct"] == pytest.approx(100 * (code == 1).sum() / (code != 255).sum(), rel=1e-12)
    assert headline["conservation_rate_max_pct"] == pytest.approx(100 * ((code == 1) | (code == 255)).sum() / code.size, rel=1e-12)
    assert headline["total_loss_t_yr"] == pytest.approx(table["total_loss_t_yr"].sum(), rel=1e-12)


def test_official_land_area_scales_areas_and_not_rates(finished, region):
    _, plain = finished
    measured = plain.tables["zones"].set_index("zone_id")
    write_csv(region.folder / "land.csv", [{"zone_id": "01", "land_area_km2": 1.03 * measured.loc["01", "area_km2"]}])
    region.config["zones"]["land_area"] = {"table": "land.csv", "source": "国土变更调查 2023"}
    scaled = region.run()
    found = scaled.tables["zones"].set_index("zone_id")
    areas = [column for column in found.columns if column.endswith("_km2")] + ["total_loss_t_yr"]
    np.testing.assert_allclose(found.loc["01", areas].astype(float), 1.03 * measured.loc["01", areas].astype(float), rtol=1e-12)
    assert found["area_scale"].to_dict() == pytest.approx({"140602": 1, "01": 1.03, "02": 1}, rel=1e-12)
    for rate in ("conservation_rate_pct", "conservation_rate_min_pct", "mean_modulus_t_km2_yr"):
        assert found[rate].tolist() == measured[rate].tolist()
    assert found.loc["02", areas].tolist() == measured.loc["02", areas].tolist()
    (entry,) = (entry for entry in scaled.manifest["inputs"] if entry["role"] == "zones.land_area")
    assert entry["source"] == "国土变更调查 2023"


def test_official_areas_of_all_towns_make_that_of_their_region(finished, region):
    _, plain = finished
    measured = plain.tables["zones"].set_index("zone_id")["area_km2"]
    polygons = region.zone_polygons()
    del polygons["140602", "河口县"]
    region.put_zones(polygons)
    stated = {"01": 1.02 * measured["01"], "02": 0.99 * measured["02"]}
    write_csv(region.folder / "land.csv", [{"zone_id": key, "land_area_km2": area} for key, area in stated.items()])
    region.config["zones"]["land_area"] = {"table": "land.csv", "source": "made up"}
    areas = region.run().tables["zones"].set_index("zone_id")["area_km2"]
    assert areas.to_dict() == pytest.approx({"region": sum(stated.values()), **stated}, rel=1e-12)


def test_water_without_ndvi_is_assessed_as_slight_by_the_land_use_rule(finished, region):
    _, ruled = finished
    water = region.values("landcover") == WATER
    assert np.isnan(region.values("ndvi")[water]).all()
    assert (stored(ruled, "intensity")[water] == 1).all()
    assert (stored(ruled, "C")[water] == 0).all()
    region.config["landcover"]["assessed_as_slight"] = []
    bare = region.run()
    assert (stored(bare, "intensity")[water] == 255).all()
    assert np.array_equal(stored(bare, "intensity")[~water], stored(ruled, "intensity")[~water])
    before, after = ruled.tables["zones"].iloc[0], bare.tables["zones"].iloc[0]
    assert after["unassessed_km2"] - before["unassessed_km2"] == pytest.approx(water.sum() * CELL_KM2, rel=1e-9)
    assert after["conservation_rate_min_pct"] < before["conservation_rate_pct"] <= after["conservation_rate_max_pct"]


def test_the_rate_from_the_stored_classes_is_the_table_exactly(finished, region):
    _, result = finished
    zones = gpd.read_file(region.folder / "zones.gpkg")
    table = rusle.conservation_rate(result.open("intensity"), zones)
    columns = [column for column in CONTRACT if column not in ("mean_modulus_t_km2_yr", "total_loss_t_yr")]
    pd.testing.assert_frame_equal(table[columns], zones_of(result)[columns], check_exact=True, check_dtype=False)
