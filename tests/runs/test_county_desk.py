"""What lies on a county's desk: Chinese and blanks in paths, Shapefiles in GBK, FileGDB, CGCS2000 in degrees and in 3° zones, ESRI's wording."""

import csv
import json

import geopandas as gpd
import numpy as np
import openpyxl
import pandas as pd
import pyproj
import pytest
import rasterio
import shapely

import rusle_engine as rusle
from tests.region import build_region, read_raster, write_csv, write_raster

NAMES = {"140602": "河口县", "01": "上湾镇", "02": "下湾镇"}


def names_of(result):
    table = result.tables["zones"]
    return dict(zip(table["zone_id"], table["zone_name"]))


@pytest.fixture(scope="module")
def plain(whole_region, tmp_path_factory):
    """The tables of the same region in plain surroundings."""
    return whole_region.copied(tmp_path_factory.mktemp("plain") / "region", report=False).run()


def same_tables(result, other, rel=0):
    found, expected = result.tables["zones"].set_index("zone_id"), other.tables["zones"].set_index("zone_id")
    assert found.index.tolist() == expected.index.tolist()
    for column in expected.columns.drop(["zone_name", "incomplete"]):
        assert found[column].tolist() == pytest.approx(expected[column].tolist(), rel=rel or 1e-300, abs=0), column


# ------------------------------------------------------------------------------------------------------------------------------ paths


def test_chinese_and_blanks_everywhere(whole_region, plain, tmp_path):
    """In the folder, in every file's name, in the configuration's own name and in the folder of the results; with the report."""
    region = whole_region.copied(tmp_path / "王庄县 2024 水土流失" / "输入 数据（终稿）")
    renamed = {
        "dem.tif": "高程 30m.tif",
        "landcover.tif": "土地利用.tif",
        "rain.csv": "降雨 日值.csv",
        "p.csv": "措施 P.csv",
        "zones.gpkg": "分区 图.gpkg",
    }
    for old, new in renamed.items():
        (region.folder / old).rename(region.folder / new)
    region.config["dem"]["raster"] = "高程 30m.tif"
    region.config["landcover"]["raster"] = "土地利用.tif"
    region.config["R"]["rain"] = "降雨 日值.csv"
    region.config["P"]["table"] = "措施 P.csv"
    region.config["zones"]["file"] = "分区 图.gpkg"
    region.config["output"]["folder"] = "../成果 一"
    path = region.write_config("配置 文件.yml")
    assert rusle.check(path) == []
    result = rusle.run(path)
    assert result.path == tmp_path / "王庄县 2024 水土流失" / "成果 一"
    assert (result.path / "report.html").is_file()
    same_tables(result, plain)
    manifest = json.loads((result.path / "run.json").read_text("utf-8"))
    assert manifest["config"]["dem"]["raster"] == ["高程 30m.tif"]
    assert "高程 30m.tif" in (result.path / "run.json").read_text("utf-8")  # readable, not escaped


# -------------------------------------------------------------------------------------------------------------------------- Shapefiles


def put_shapefile(region, encoding, *, cpg, language=0):
    """``cpg`` None: no such file, and the table's byte for its language is ``language`` (0: it does not say; 0x4D: GBK)."""
    path = region.put_zones(region.zone_polygons(), "分区.shp", ids="代码", names="名称", encoding=encoding)
    if cpg is None:
        path.with_suffix(".cpg").unlink()
        table = bytearray(path.with_suffix(".dbf").read_bytes())
        table[29] = language
        path.with_suffix(".dbf").write_bytes(table)
    else:
        path.with_suffix(".cpg").write_text(cpg, encoding="ascii")
    region.config["zones"] = {"file": "分区.shp", "id_field": "代码", "name_field": "名称"}


@pytest.mark.parametrize(
    ("encoding", "cpg", "language", "stated"),
    [
        ("gbk", "GBK", 0, None),
        ("gbk", "936", 0, None),
        ("gbk", None, 0x4D, None),
        ("gbk", None, 0, "gbk"),
        ("gbk", None, 0, None),
        ("utf-8", "UTF-8", 0, None),
        ("utf-8", None, 0, None),
    ],
)
def test_attributes_of_a_shapefile(region, plain, encoding, cpg, language, stated):
    """By its .cpg file, by its table, by the configuration, or by what its bytes can only be."""
    put_shapefile(region, encoding, cpg=cpg, language=language)
    if stated:
        region.config["zones"]["encoding"] = stated
    result = region.run()
    assert names_of(result) == NAMES
    same_tables(result, plain, rel=1e-12)


def test_a_wrong_encoding_is_no_crash(region):
    put_shapefile(region, "gbk", cpg="UTF-8")
    problems = region.check()
    assert [(problem.where, problem.exit_code) for problem in problems] == [("zones", 65)]
    assert "分区.shp" in problems[0].message
    assert "encoding" in problems[0].message
    region.config["zones"]["encoding"] = "gbk"  # what is stated counts, whatever the .cpg file says
    assert names_of(region.run()) == NAMES


def test_every_part_of_a_shapefile_is_in_the_record(region):
    put_shapefile(region, "gbk", cpg="GBK")
    (entry,) = (entry for entry in region.run().manifest["inputs"] if entry["role"] == "zones")
    assert sorted(file["path"].rsplit(".", 1)[1] for file in entry["files"]) == ["cpg", "dbf", "prj", "shp", "shx"]
    assert all(len(file["sha256"]) == 64 for file in entry["files"])


def test_esri_wording_of_the_crs(region, plain):
    """The .prj and the GeoTIFF of an ArcGIS user: names of ESRI's own, no EPSG code anywhere."""
    esri = pyproj.CRS.from_epsg(4547).to_wkt("WKT1_ESRI")
    assert "CGCS2000_3_Degree_GK_CM_114E" in esri
    assert "EPSG" not in esri
    put_shapefile(region, "gbk", cpg="GBK")
    (region.folder / "分区.prj").write_text(esri, encoding="ascii")
    heights = region.values("dem").astype(np.float32)
    write_raster(region.folder / "dem.tif", heights, region.transform, rasterio.crs.CRS.from_wkt(esri), nodata=np.nan, GEOTIFF_KEYS_FLAVOR="ESRI_PE")
    result = region.run()
    by_role = {entry["role"]: entry for entry in result.manifest["inputs"]}
    assert result.manifest["grid"]["crs"] == "EPSG:4547"
    assert by_role["landcover"]["alignment"]["how"] == "as it is"  # the same CRS in other words is the same CRS
    same_tables(result, plain, rel=1e-9)


# ----------------------------------------------------------------------------------------------------------------------------- FileGDB


def test_filegdb(region, plain):
    region.put_zones(region.zone_polygons(), "县界.gdb", ids="XZQDM", names="XZQMC", driver="OpenFileGDB", layer="行政区")
    region.config["zones"] = {"file": "县界.gdb", "layer": "行政区", "id_field": "XZQDM", "name_field": "XZQMC"}
    result = region.run()
    assert names_of(result) == NAMES
    same_tables(result, plain, rel=1e-9)
    (entry,) = (entry for entry in result.manifest["inputs"] if entry["role"] == "zones")
    assert entry["path"].endswith("县界.gdb")
    assert len(entry["sha256"]) == 64
    assert entry["bytes"] == sum(part.stat().st_size for part in (region.folder / "县界.gdb").iterdir())


# ------------------------------------------------------------------------------------------------------------------ coordinate systems


def test_a_dem_in_degrees(tmp_path):
    """CGCS2000 in degrees: cells of every row have their own size, and areas are the ellipsoid's own (pyproj's geodesics)."""
    region = build_region(tmp_path / "region", crs="EPSG:4490", cell=0.0003)
    region.config["output"]["report"] = False
    result = region.run()
    assert (result.manifest["grid"]["crs"], result.manifest["grid"]["is_geographic"]) == ("EPSG:4490", True)
    geod = pyproj.CRS.from_epsg(4490).get_geod()
    table = result.tables["zones"].set_index("zone_id")
    for (zone_id, _), polygon in region.zone_polygons().items():
        fine = shapely.segmentize(polygon, 0.0001)  # straight in degrees, as the map is
        assert table.loc[zone_id, "area_km2"] == pytest.approx(abs(geod.geometry_area_perimeter(fine)[0]) / 1e6, rel=1e-6)
    dx, dy = result.manifest["grid"]["cell_m"]
    assert dx == pytest.approx(geod.inv(114, 37.5, 114.0003, 37.5)[2], rel=1e-4)
    assert dy == pytest.approx(geod.inv(114, 37.49985, 114, 37.50015)[2], rel=1e-4)


@pytest.mark.parametrize("crs", ["EPSG:4534", "EPSG:4526"])
def test_other_zones_of_three_degrees(tmp_path, plain, whole_region, crs):
    """Another central meridian; and 114° E with the number of the zone before the easting."""
    shift = 38_000_000 if crs == "EPSG:4526" else 0
    region = whole_region.copied(tmp_path / "region", report=False)
    moved = rasterio.Affine.translation(shift, 0) @ region.transform
    for name in ("dem", "landcover", "soil", "ndvi"):
        with rasterio.open(region.folder / f"{name}.tif") as file:
            values, nodata = file.read(1), file.nodata
        write_raster(region.folder / f"{name}.tif", values, moved, crs, nodata=nodata)
    region.crs, region.transform = crs, moved
    region.put_zones(region.zone_polygons())
    result = region.run()
    assert result.manifest["grid"]["crs"] == crs
    same_tables(result, plain, rel=1e-9)


def test_zones_in_degrees_over_a_metric_dem(region, plain):
    """Borders are straight in the CRS they were drawn in; over a county the difference is small, and areas agree to 1e-5."""
    metric = gpd.GeoSeries(list(region.zone_polygons().values()), crs=region.crs)
    degrees = dict(zip(region.zone_polygons(), metric.segmentize(200).to_crs("EPSG:4490")))
    region.put_zones(degrees, crs="EPSG:4490")
    same_tables(region.run(), plain, rel=1e-5)


def test_a_factor_in_degrees_comes_to_the_metric_grid(region):
    """K grows eastwards by the degree; on the grid it is what it is at the place of every cell's centre."""
    lon = 113.9 + (np.arange(300) + 0.5) * 0.001
    k = np.tile(0.02 + 0.1 * (lon - 113.9), (400, 1)).astype(np.float32)
    write_raster(region.folder / "k.tif", k, rasterio.Affine(0.001, 0, 113.9, 0, -0.001, 37.7), "EPSG:4326")
    region.config["K"] = {"raster": "k.tif"}
    result = region.run()
    row, column = np.indices(region.shape)
    x, y = region.transform @ (column.ravel() + 0.5, row.ravel() + 0.5)
    longitude, _ = pyproj.Transformer.from_crs(4547, 4326, always_xy=True).transform(x, y)
    np.testing.assert_allclose(read_raster(result.path / "rasters/K.tif").ravel(), 0.02 + 0.1 * (longitude - 113.9), rtol=0, atol=2e-8)
    (entry,) = (entry for entry in result.manifest["inputs"] if entry["role"] == "K")
    assert (entry["crs"], entry["alignment"]["how"], entry["resampling"]) == ("EPSG:4326", "warped", "bilinear")
    assert entry["alignment"]["transformation"]


# ------------------------------------------------------------------------------------------------------------------------------ tables


def test_tables_in_gb18030_with_chinese_columns(region, plain):
    """As Excel in Chinese saves CSV: no UTF-8, columns in Chinese."""
    columns = {"sand": "砂粒", "silt": "粉粒", "clay": "黏粒", "soc": "有机碳"}
    soils = pd.read_csv(region.folder / "soil.csv").rename(columns={"code": "土壤代码", **columns})
    soils["土种"] = ["栗褐土", "黄绵土", "潮土"]
    soils.to_csv(region.folder / "土壤.csv", index=False, encoding="gb18030")
    region.config["K"]["table"] = {"file": "土壤.csv", "code_column": "土壤代码", "columns": columns}
    rain = pd.read_csv(region.folder / "rain.csv", parse_dates=["date"])
    rows = [{"日期": f"{day.year}/{day.month}/{day.day}", "降雨量": f"{depth * 10:.0f}"} for day, depth in zip(rain["date"], rain["rain"])]
    write_csv(region.folder / "降雨.csv", rows, encoding="gbk")
    region.config["R"]["rain"] = {"file": "降雨.csv", "date_column": "日期", "rain_column": "降雨量", "units": "0.1 mm"}
    same_tables(region.run(), plain, rel=1e-12)


def test_land_area_by_ids_with_leading_zeros(region):
    write_csv(region.folder / "国土.csv", [{"代码": "01", "面积": "2.5"}], encoding="gbk")
    corners = {key: polygon.bounds[:2] for key, polygon in region.zone_polygons().items()}
    polygons = {key: shapely.box(x, y, x + 1500, y + 1500) for key, (x, y) in corners.items()}
    region.put_zones(polygons)
    region.config["zones"]["land_area"] = {"table": "国土.csv", "id_column": "代码", "area_column": "面积", "source": "三调"}
    region.config["zones"]["headline_zone"] = "01"
    table = region.run().tables["zones"].set_index("zone_id")
    assert table.loc["01", "area_km2"] == pytest.approx(2.5, rel=1e-12)


def test_excel_opens_the_csv_right(region):
    """A byte-order mark, CRLF, commas; Chinese names as they are; the same numbers when it is read back."""
    result = region.run()
    raw = (result.path / "tables/zones.csv").read_bytes()
    assert raw[:3] == b"\xef\xbb\xbf"
    rows = list(csv.DictReader(raw.decode("utf-8-sig").splitlines()))
    assert [row["zone_name"] for row in rows] == list(NAMES.values())
    assert [float(row["area_km2"]) for row in rows] == result.tables["zones"]["area_km2"].tolist()


FORMULAS = {"A": '=HYPERLINK("http://example.org","x")', "B": "+1+1", "C": "-2", "D": "@SUM(A1)", "E": "河口=县"}


@pytest.fixture
def with_formulas(region):
    width = region.shape[1] - 8
    strip = width / len(FORMULAS)
    corners = [((4 + i * strip, 5), (4 + (i + 1) * strip, 140)) for i in range(len(FORMULAS))]
    boxes = [shapely.box(*(region.transform @ upper), *(region.transform @ lower)) for upper, lower in corners]
    region.put_zones({(key, name): box for (key, name), box in zip(FORMULAS.items(), boxes)})
    region.config["output"]["report"] = True
    return region.run()


def test_names_that_look_like_formulas_are_text(with_formulas):
    """In the CSV an apostrophe stands before them; in the workbook they are text cells; in the page they are escaped."""
    with (with_formulas.path / "tables/zones.csv").open(encoding="utf-8-sig", newline="") as file:
        seen = {row["zone_id"]: row["zone_name"] for row in csv.DictReader(file)}
    assert {key: seen[key] for key in FORMULAS} == {key: name if key == "E" else f"'{name}" for key, name in FORMULAS.items()}
    book = openpyxl.load_workbook(with_formulas.path / "tables/zones.xlsx")
    cells = [cell for page in book for row in page.iter_rows() for cell in row if isinstance(cell.value, str)]
    assert set(FORMULAS.values()) <= {cell.value for cell in cells}
    assert {cell.data_type for cell in cells} == {"s"}


def test_names_that_look_like_html_are_text(region):
    evil = '<img src=x onerror="alert(1)">'
    region.put_zones({("A", evil): next(iter(region.zone_polygons().values()))})
    region.config["output"]["report"] = True
    result = region.run()
    assert names_of(result) == {"A": evil}
    assert "<img src=x" not in (result.path / "report.html").read_text("utf-8")


def test_the_workbook_has_hectares_and_mu(region):
    """hm² = 100 × km², 亩 = 1500 × km², beside the square kilometres, for every zone."""
    result = region.run()
    book = openpyxl.load_workbook(result.path / "tables/zones.xlsx", data_only=True)
    table = result.tables["zones"]
    found = {"hm²": 0, "亩": 0}
    for page in book:
        rows = [list(row) for row in page.iter_rows(values_only=True)]
        for unit, per_km2 in (("hm²", 100.0), ("亩", 1500.0)):
            heads = [(i, j) for i, row in enumerate(rows) for j, cell in enumerate(row) if isinstance(cell, str) and unit in cell]
            for i, j in heads:
                numbers = [row[j] for row in rows[i + 1 : i + 1 + len(table)]]
                if numbers and all(isinstance(number, int | float) for number in numbers) and len(numbers) == len(table):
                    column = np.array(numbers) / per_km2
                    matching = [name for name in table.columns if name.endswith("_km2") and np.allclose(column, table[name], rtol=1e-9, atol=1e-12)]
                    assert matching, rows[i][j]
                    found[unit] += 1
    assert found["hm²"] >= 9
    assert found["亩"] >= 9
