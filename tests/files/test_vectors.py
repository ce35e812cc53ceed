"""Zones from what county offices have: encodings, CGCS2000, FileGDB, Chinese and blanks in paths; and what is refused."""

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely
from pyproj import CRS

from rusle_engine.core.errors import InputError, MissingInputError, NotAllowedError, OutputError
from rusle_engine.files.vectors import read_zones, write_zones, zones_on

from .test_open import ESRI_3_DEGREE

NAMES = ["河曲县", "偏关县", "=神池"]


def squares(**fields):
    shapes = [shapely.box(500_000 + 1000 * i, 4_000_000, 501_000 + 1000 * i, 4_001_000) for i in range(3)]
    return gpd.GeoDataFrame({"代码": [140930, 140932, 140927], "名称": NAMES, **fields}, geometry=shapes, crs="EPSG:4546")


def saved(zones, path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pyogrio.write_dataframe(zones, path, **options)
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("乡镇 界.gpkg", {"driver": "GPKG"}),
        ("乡镇 界.shp", {"encoding": "GBK"}),
        ("乡镇 界.shp", {"encoding": "UTF-8"}),
        ("乡镇 界.gdb", {"driver": "OpenFileGDB", "layer": "乡镇"}),
        ("乡镇 界.geojson", {"driver": "GeoJSON", "CRS": "EPSG:4546"}),
    ],
)
def test_every_format_gives_the_same_zones(tmp_path, name, options):
    source = squares()
    if name.endswith("geojson"):
        options = {"driver": "GeoJSON"}
        source = source.to_crs("EPSG:4490")
    zones = read_zones(saved(source, tmp_path / "数据 一" / name, **options), id_field="代码", name_field="名称")
    assert list(zones.columns) == ["zone_id", "zone_name", "geometry"]
    assert zones.zone_id.tolist() == ["140930", "140932", "140927"]
    assert zones.zone_name.tolist() == NAMES
    assert zones_on(zones, "EPSG:4546").area.to_numpy() == pytest.approx([1e6] * 3, rel=1e-6)
    if not name.endswith("geojson"):
        assert zones.crs == CRS.from_epsg(4546)


def without_encoding(path):
    """The same Shapefile with nothing that says what its texts are encoded in."""
    path.with_suffix(".cpg").unlink()
    with path.with_suffix(".dbf").open("r+b") as table:
        table.seek(29)
        table.write(b"\0")
    return path


@pytest.mark.parametrize("encoding", ["GBK", "UTF-8"])
def test_a_shapefile_that_does_not_say_its_encoding(tmp_path, encoding):
    path = without_encoding(saved(squares(), tmp_path / "z.shp", encoding=encoding))
    assert read_zones(path, name_field="名称").zone_name.tolist() == NAMES
    assert read_zones(path, name_field="名称", encoding=encoding).zone_name.tolist() == NAMES


def test_an_encoding_that_is_wrong_is_said(tmp_path):
    path = without_encoding(saved(squares(), tmp_path / "z.shp", encoding="GBK"))
    with pytest.raises(InputError, match="encoding"):
        read_zones(path, encoding="UTF-8")


def test_a_crs_in_esri_s_words(tmp_path):
    path = saved(squares(), tmp_path / "z.shp", encoding="GBK")
    path.with_suffix(".prj").write_text(ESRI_3_DEGREE)
    zones = read_zones(path)
    assert zones.crs == CRS.from_epsg(4546)
    assert zones_on(zones, "EPSG:4546") is zones
    degrees = zones_on(zones, "EPSG:4490")
    assert degrees.total_bounds == pytest.approx([111.0, 36.13, 111.0333, 36.139], abs=5e-3)  # 4 000 km north, at the central meridian


def test_no_crs_is_refused_unless_stated(tmp_path):
    path = saved(squares(), tmp_path / "z.shp", encoding="GBK")
    path.with_suffix(".prj").unlink()
    with pytest.raises(InputError, match=r"z\.shp has no CRS\. A Shapefile keeps it in its \.prj"):
        read_zones(path)
    assert read_zones(path, crs="EPSG:4546").crs.to_epsg() == 4546


def test_rows_are_numbered_and_named_by_id_where_no_field_is_stated(tmp_path):
    path = saved(squares(), tmp_path / "z.gpkg")
    assert read_zones(path).zone_id.tolist() == ["1", "2", "3"]
    assert read_zones(path, id_field="代码").zone_name.tolist() == ["140930", "140932", "140927"]


def test_ids_stored_as_real_numbers_or_with_blanks(tmp_path):
    path = saved(squares(number=[1.0, 2.0, 3.0], text=[" a", "b ", "c"]), tmp_path / "z.gpkg")
    assert read_zones(path, id_field="number").zone_id.tolist() == ["1", "2", "3"]
    assert read_zones(path, id_field="text").zone_id.tolist() == ["a", "b", "c"]


def test_twice_the_same_id_and_no_id(tmp_path):
    path = saved(squares(twice=["a", "b", "a"], none=["a", None, "c"]), tmp_path / "z.gpkg")
    with pytest.raises(InputError, match=r"'twice' is not unique: a stand more than once"):
        read_zones(path, id_field="twice")
    with pytest.raises(InputError, match=r"rows 2 have no 'none'"):
        read_zones(path, id_field="none")
    assert read_zones(path, name_field="none").zone_name.tolist() == ["a", "2", "c"]


def test_a_field_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"no field '名 称'; its fields are '代码', '名称'; did you mean '名称'"):
        read_zones(saved(squares(), tmp_path / "z.gpkg"), name_field="名 称")


def test_a_polygon_that_crosses_itself_is_mended(tmp_path, caplog):
    zones = squares()
    zones.loc[1, "geometry"] = shapely.Polygon([(500_000, 4_000_000), (500_100, 4_000_100), (500_100, 4_000_000), (500_000, 4_000_100)])
    mended = read_zones(saved(zones, tmp_path / "z.gpkg"))
    assert mended.geometry.is_valid.all()
    assert mended.area.tolist()[1] == pytest.approx(2 * 0.5 * 100 * 50)  # two triangles
    assert "rows 2" in caplog.text


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        (None, "rows 2 have no geometry"),
        (shapely.Polygon(), "rows 2 have no geometry"),
        (shapely.Point(1, 1), "rows 2 are Point; zones are polygons"),
        (shapely.Polygon([(0, 0), (1, 1), (0, 0)]), "rows 2 have no area"),
    ],
)
def test_what_is_no_zone(tmp_path, shape, says):
    zones = squares()
    zones.loc[1, "geometry"] = shape
    with pytest.raises(InputError, match=says):
        read_zones(saved(zones, tmp_path / "z.gpkg", geometry_type="Unknown"))


def test_heights_in_the_polygons_go(tmp_path):
    zones = squares()
    zones["geometry"] = shapely.force_3d(zones.geometry.to_numpy(), 7.0)
    assert not read_zones(saved(zones, tmp_path / "z.gpkg")).has_z.any()


def test_an_empty_file(tmp_path):
    with pytest.raises(InputError, match="holds no zones"):
        read_zones(saved(squares().iloc[:0], tmp_path / "z.gpkg"))


def test_several_layers(tmp_path):
    path = saved(squares(), tmp_path / "z.gpkg", layer="县")
    saved(squares(), path, layer="乡", append=False)
    with pytest.raises(InputError, match="State one: layer="):
        read_zones(path)
    assert len(read_zones(path, layer="乡")) == 3
    with pytest.raises(InputError, match="no layer '村'"):
        read_zones(path, layer="村")
    points = gpd.GeoDataFrame({"a": [1]}, geometry=[shapely.Point(0, 0)], crs="EPSG:4546")
    mixed = saved(squares(), tmp_path / "m.gpkg", layer="县")
    saved(points, mixed, layer="站")
    assert len(read_zones(mixed)) == 3  # only one layer has polygons


def test_files_that_are_refused(tmp_path):
    with pytest.raises(NotAllowedError):
        read_zones("https://example.org/zones.gpkg")
    with pytest.raises(MissingInputError):
        read_zones(tmp_path / "zones.gpkg")
    with pytest.raises(MissingInputError, match="is a folder"):
        read_zones(tmp_path / "zones.gdb")
    for name in ("z.gpkg", "z.shp", "z.geojson"):
        (tmp_path / name).write_text("<OGRVRTDataSource></OGRVRTDataSource>")
        with pytest.raises(InputError, match="whatever its name says"):
            read_zones(tmp_path / name)
    (tmp_path / "z.kml").write_text("<kml/>")
    with pytest.raises(InputError, match=r"\.kml is not read as zones"):
        read_zones(tmp_path / "z.kml")
    whole = saved(squares(), tmp_path / "whole.gpkg")
    (tmp_path / "cut.gpkg").write_bytes(whole.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"cut\.gpkg"):
        read_zones(tmp_path / "cut.gpkg")
    shapefile = saved(squares(), tmp_path / "part.shp", encoding="GBK")
    shapefile.with_suffix(".dbf").unlink()
    with pytest.raises(MissingInputError, match=r"part\.shp lacks its \.dbf"):
        read_zones(shapefile)


def test_zones_with_no_place_in_a_crs():
    zones = gpd.GeoDataFrame({"zone_id": ["a"], "zone_name": ["a"]}, geometry=[shapely.box(1e9, 1e9, 2e9, 2e9)], crs="EPSG:4546")
    with pytest.raises(InputError, match="zones a have no place"):
        zones_on(zones, "EPSG:4490")


def test_zones_are_written_whole_and_the_same_bytes_each_time(tmp_path):
    zones = read_zones(saved(squares(), tmp_path / "in.gpkg"), id_field="代码", name_field="名称")
    path = write_zones(zones, tmp_path / "出" / "zones.gpkg")
    first = path.read_bytes()
    assert write_zones(zones, path).read_bytes() == first
    assert [p.name for p in path.parent.iterdir()] == ["zones.gpkg"]
    back = read_zones(path, id_field="zone_id", name_field="zone_name")
    assert back.drop(columns="geometry").equals(zones.drop(columns="geometry"))
    np.testing.assert_array_equal(back.geometry.bounds, zones.geometry.bounds)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        write_zones(zones, tmp_path / "file" / "zones.gpkg")
