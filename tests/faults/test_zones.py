"""Zones that cannot be counted, each refused with a way out; nested and overlapping ones are normal."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from affine import Affine

import rusle_engine as rusle
from tests.region import write_csv, write_raster


def box(region, left, top, right, bottom):
    """In cells from the region's upper left corner."""
    return shapely.Polygon([region.transform @ corner for corner in ((left, top), (right, top), (right, bottom), (left, bottom))])


def test_empty_layer(region, refused):
    table = gpd.GeoDataFrame({"zone_id": pd.Series([], dtype=str)}, geometry=[], crs=region.crs)
    table.to_file(region.folder / "zones.gpkg", layer="none", geometry_type="Polygon")
    region.config["zones"]["layer"] = "none"
    refused(region, "zones", 65, "zones.gpkg holds no zones")


def test_a_zone_wholly_outside(region, refused):
    region.put_zones({("a", "A"): box(region, 3, 3, 20, 20), ("far", "B"): box(region, 300, 3, 320, 20)})
    refused(region, "zones", 65, "zones.gpkg", "zones wholly outside the raster: far", "Look at their CRS")


def test_no_crs(region, refused):
    with pytest.warns(UserWarning, match="crs"):
        gpd.GeoDataFrame({"zone_id": ["a"]}, geometry=[box(region, 3, 3, 20, 20)]).to_file(region.folder / "bare.shp")
    region.config["zones"]["file"] = "bare.shp"
    refused(region, "zones", 65, "bare.shp has no CRS", ".prj", "crs='EPSG:4490'")
    region.config["zones"]["crs"] = region.crs
    assert region.check() == []


def test_stated_crs_against_the_file_s(region, refused):
    region.config["zones"]["crs"] = "EPSG:4490"
    refused(region, "zones", 65, "zones.gpkg declares the CRS", "Keep the one that is right")


def test_id_twice(region, refused):
    half = box(region, 3, 3, 20, 20), box(region, 20, 3, 30, 20)
    gpd.GeoDataFrame({"zone_id": ["a", "a"]}, geometry=list(half), crs=region.crs).to_file(region.folder / "zones.gpkg")
    refused(region, "zones", 65, "zones.gpkg", "'zone_id' is not unique: a", "Dissolve")


def test_zone_without_an_id(region, refused):
    half = box(region, 3, 3, 20, 20), box(region, 20, 3, 30, 20)
    gpd.GeoDataFrame({"zone_id": ["a", None]}, geometry=list(half), crs=region.crs).to_file(region.folder / "zones.gpkg")
    refused(region, "zones", 65, "zones.gpkg", "rows 2 have no 'zone_id'")


@pytest.mark.parametrize(("key", "seen", "meant"), [("id_field", "zoneid", "zone_id"), ("name_field", "zone_nam", "zone_name")])
def test_field_that_is_not_there(region, refused, key, seen, meant):
    region.config["zones"][key] = seen
    refused(region, "zones", 65, f"zones.gpkg has no field '{seen}'", "'zone_id', 'zone_name'", f"did you mean '{meant}'?")


def test_layer_that_is_not_there(region, refused):
    region.config["zones"]["layer"] = "towns"
    refused(region, "zones", 65, "zones.gpkg has no layer 'towns'; it has 'zones'")


def test_unknown_headline_zone(region, refused):
    region.config["zones"]["headline_zone"] = "140603"
    refused(region, "zones", 65, "zones.gpkg", "headline_zone '140603' is not a zone", "140602, 01, 02", "did you mean '140602'?")


def test_points(region, refused):
    gpd.GeoDataFrame({"zone_id": ["a"]}, geometry=[box(region, 3, 3, 20, 20).centroid], crs=region.crs).to_file(
        region.folder / "zones.gpkg", layer="p"
    )
    region.config["zones"]["layer"] = "p"
    refused(region, "zones", 65, "zones.gpkg", "rows 1 are Point", "zones are polygons")


def test_text_posing_as_a_geopackage(region, refused):
    (region.folder / "zones.gpkg").write_text("zones of the county", encoding="utf-8")
    refused(region, "zones", 65, "zones.gpkg is not a GeoPackage", "Export it again")


def test_shapefile_without_its_table(region, refused):
    region.put_zones(region.zone_polygons(), "zones.shp", encoding="utf-8")
    (region.folder / "zones.dbf").unlink()
    region.config["zones"]["file"] = "zones.shp"
    refused(region, "zones", 66, "zones.shp lacks its .dbf", "several files")


def test_folder_that_is_no_filegdb(region, refused):
    (region.folder / "zones.gdb").mkdir()
    region.config["zones"]["file"] = "zones.gdb"
    refused(region, "zones", 65, "zones.gdb is not a FileGDB", "Copy the whole folder")


def test_zone_raster_without_a_class(region, refused):
    region.put("zones", np.full(region.shape, 255, np.uint8), nodata=255)
    region.config["zones"] = {"raster": "zones.tif"}
    refused(region, "zones", 65, "zones.tif", "no cell with a class")


def test_zone_raster_elsewhere(region, refused):
    write_raster(region.folder / "zones.tif", np.ones(region.shape, np.uint8), region.transform @ Affine.translation(900, 0), region.crs)
    region.config["zones"] = {"raster": "zones.tif"}
    refused(region, "zones", 65, "zones.tif does not overlap the grid")


# ------------------------------------------------------------------------------------------------------------------ official land area


def with_land_area(region, rows):
    write_csv(region.folder / "land.csv", rows)
    region.config["zones"]["land_area"] = {"table": "land.csv", "source": "made up 2023"}


def test_land_area_of_an_unknown_zone(region, refused):
    with_land_area(region, [{"zone_id": "140602", "land_area_km2": 1.5}, {"zone_id": "03", "land_area_km2": 0.5}])
    refused(region, "zones", 65, "land.csv", "row 3: '03' is not a zone", "140602, 01, 02")


def test_land_area_that_is_no_number(region, refused):
    with_land_area(region, [{"zone_id": "01", "land_area_km2": "0,57"}, {"zone_id": "02", "land_area_km2": ""}])
    refused(region, "zones", 65, "land.csv", "row 2: zone '01' has '0,57' where an area in km² is expected", "row 3: zone '02'")


def test_land_area_twice(region, refused):
    with_land_area(region, [{"zone_id": "01", "land_area_km2": 0.57}, {"zone_id": "01", "land_area_km2": 0.58}])
    refused(region, "zones", 65, "land.csv", "row 3: zone '01' stands twice")


def test_land_area_in_hectares(region, refused):
    with_land_area(region, [{"zone_id": "01", "land_area_km2": 57.1}])
    refused(region, "zones", 65, "land.csv", "57.1 for zone 01", "half to twice", "1 km² = 100 hm² = 1500 亩")


def test_land_area_in_hectares_of_a_zone_raster(region, nothing_finished):
    """Whose areas are known only when its cells have been counted: the run breaks off after its rasters, and takes them away."""
    region.put("zones", np.where(np.indices(region.shape)[1] < 20, 1, 2).astype(np.uint8))
    region.config["zones"] = {"raster": "zones.tif"}
    with_land_area(region, [{"zone_id": "1", "land_area_km2": 72.0}])
    assert region.check() == []
    with pytest.raises(rusle.InputError, match="land_area_km2 is 72 for zone 1"):
        region.run()
    nothing_finished(region)


# ------------------------------------------------------------------------------------------------------------------------ what is normal


def test_nested_and_overlapping_zones_are_counted_each_on_its_own(region):
    """Two zones that share a strip: each has its own area, and the overlap is remarked on; the nested pair is not."""
    zones = {("a", "A"): box(region, 4, 5, 24, 35), ("b", "B"): box(region, 20, 5, 44, 35), ("in a", "C"): box(region, 6, 8, 10, 12)}
    region.put_zones(zones)
    region.config["zones"]["headline_zone"] = "a"
    assert region.check() == []
    result = region.run()
    areas = result.tables["zones"].set_index("zone_id")["area_km2"]
    assert areas.to_dict() == pytest.approx({"a": 20 * 30 * 9e-4, "b": 24 * 30 * 9e-4, "in a": 16 * 9e-4}, rel=1e-12)
    (remark,) = (remark for remark in result.manifest["warnings"] if remark["code"] == "zones_overlap")
    assert "1 pairs" in remark["en"]
    assert "a and b (20.0 %)" in remark["en"]


def test_a_zone_partly_outside_has_the_land_beyond_unassessed(region):
    region.put_zones({("a", "A"): box(region, 30, 10, 70, 20)})
    (row,) = region.run().tables["zones"].to_dict("records")
    assert row["area_km2"] == pytest.approx(40 * 10 * 9e-4, rel=1e-12)
    assert row["unassessed_km2"] == pytest.approx(20 * 10 * 9e-4, rel=1e-12)
    assert row["incomplete"]
    assert row["conservation_rate_min_pct"] < row["conservation_rate_pct"] < row["conservation_rate_max_pct"]
