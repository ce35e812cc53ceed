"""Rasters that cannot be what the configuration takes them for: refused before anything is written, each with a way out."""

import numpy as np
import pytest
import rasterio
from affine import Affine

from tests.region import MIDDLE, write_raster


@pytest.fixture
def raster(region):
    return region.folder / "ndvi.tif"


def test_unreadable(region, raster, refused):
    raster.write_bytes(np.random.default_rng(1).bytes(5000))
    refused(region, "C", 65, "ndvi.tif", "cannot be read as GTiff", "copy it again")


def test_empty_file(region, raster, refused):
    raster.write_bytes(b"")
    refused(region, "C", 65, "ndvi.tif is empty", "Copy or download it again")


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_cut_off(region, raster, refused, share):
    whole = raster.read_bytes()
    raster.write_bytes(whole[: int(len(whole) * share)])
    refused(region, "C", 65, "ndvi.tif", "opy")


def test_damaged_in_the_middle(region, raster, refused):
    region.put("ndvi", region.values("ndvi").astype(np.float32), compress="deflate", tiled=True, blockxsize=16, blockysize=16)
    with rasterio.open(raster) as file:
        place = int(file.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1))
    damaged = bytearray(raster.read_bytes())
    damaged[place : place + 2] = b"\0\0"  # what marks a deflate stream
    raster.write_bytes(damaged)
    refused(region, "C", 65, "ndvi.tif cannot be read in rows", "copy it again")


def test_text_posing_as_a_raster(region, refused):
    (region.folder / "dem.tif").write_text("elevation of the county, see the attached disk\n" * 20, encoding="utf-8")
    refused(region, "dem.raster", 65, "dem.tif", "cannot be read as GTiff")


def virtual(region):
    return f"""<VRTDataset rasterXSize="{region.shape[1]}" rasterYSize="{region.shape[0]}"><VRTRasterBand dataType="Float32" band="1">
        <SimpleSource><SourceFilename>{region.folder / "dem.tif"}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"""


def test_virtual_raster_posing_as_a_raster(region, raster, refused):
    raster.write_text(virtual(region), encoding="utf-8")
    refused(region, "C", 77, "ndvi.tif is a virtual raster posing as GTiff", "refused")


def test_virtual_raster(region, refused):
    (region.folder / "ndvi.vrt").write_text(virtual(region), encoding="utf-8")
    region.config["C"]["ndvi"]["raster"] = "ndvi.vrt"
    refused(region, "C", 77, "ndvi.vrt is a virtual raster", "Name the tiles themselves")


@pytest.mark.parametrize(
    "path", ["http://example.org/dem.tif", "https://example.org/dem.tif", "s3://bucket/dem.tif", "/vsicurl/http://example.org/dem.tif"]
)
@pytest.mark.parametrize("key", ["dem", "zones"])
def test_the_network(region, refused, key, path):
    region.config[key] = {"raster": path} if key == "dem" else {"file": path}
    refused(region, f"{key}.{'raster' if key == 'dem' else 'file'}", 77, path, "not a plain local file", "Download")


def test_virtual_file_system(region, refused):
    region.config["K"]["table"] = "/vsizip/soil.zip/soil.csv"
    refused(region, "K.table.file", 77, "/vsizip/soil.zip/soil.csv", "not a plain local file")


def test_missing_file_and_a_near_one(region, refused):
    region.config["dem"]["raster"] = "DEM.TIF"
    refused(region, "dem.raster", 66, "DEM.TIF does not exist", "in that folder there is dem.tif")


def test_pattern_without_a_match(region, refused):
    region.config["dem"]["raster"] = "tiles/*.tif"
    refused(region, "dem.raster", 66, "*.tif matches no file")


def test_another_format(region, refused):
    (region.folder / "dem.nc").write_bytes(b"CDF\x01" + bytes(100))
    region.config["dem"]["raster"] = "dem.nc"
    refused(region, "dem.raster", 65, "dem.nc", "expected .tif", "gdal_translate")


def test_band_that_is_not_there(region, refused):
    region.config["dem"]["band"] = 3
    refused(region, "dem.raster", 65, "dem.tif has 1 band(s); band 3")


def test_no_crs(region, refused):
    write_raster(region.folder / "ndvi.tif", np.full(region.shape, 0.4, np.float32), region.transform, None)
    refused(region, "C", 65, "ndvi.tif has no CRS", "gdal_edit -a_srs")


def test_dem_without_crs_says_that_it_can_be_stated(region, refused):
    heights = region.values("dem").astype(np.float32)
    write_raster(region.folder / "dem.tif", heights, region.transform, None, nodata=np.nan)
    refused(region, "dem.raster", 65, "dem.tif has no CRS", "crs")
    region.config["dem"]["crs"] = region.crs
    assert region.check() == []


def test_no_georeference(region, refused):
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        write_raster(region.folder / "dem.tif", region.values("dem").astype(np.float32), None, region.crs)
    refused(region, "dem.raster", 65, "dem.tif has no georeference", "gdal_translate -a_ullr")


def test_degrees_under_a_metric_crs(region, refused):
    place = Affine(0.0003, 0, MIDDLE["lon"], 0, -0.0003, MIDDLE["lat"])
    write_raster(region.folder / "dem.tif", region.values("dem").astype(np.float32), place, region.crs)
    refused(region, "dem.raster", 65, "dem.tif", "in metres", "look like degrees")


def test_metres_under_a_crs_in_degrees(region, refused):
    write_raster(region.folder / "dem.tif", region.values("dem").astype(np.float32), region.transform, "EPSG:4490")
    refused(region, "dem.raster", 65, "dem.tif", "in degrees", "the CRS is wrong")


def test_rotated(region, refused):
    write_raster(region.folder / "dem.tif", region.values("dem").astype(np.float32), region.transform @ Affine.rotation(5), region.crs)
    refused(region, "dem.raster", 65, "dem.tif", "is rotated", "gdalwarp")


def test_rows_running_northwards(region, refused):
    left, bottom = region.transform @ (0, region.shape[0])
    write_raster(region.folder / "dem.tif", region.values("dem").astype(np.float32), Affine(30, 0, left, 0, 30, bottom), region.crs)
    refused(region, "dem.raster", 65, "dem.tif", "not north-up", "gdalwarp")


def test_crs_in_feet(region, refused):
    write_raster(region.folder / "dem.tif", region.values("dem").astype(np.float32), region.transform, "EPSG:2263")
    refused(region, "dem.raster", 65, "dem.tif", "measures in US survey foot", "expected metres or degrees", "Reproject")


def test_stated_crs_against_the_file_s(region, refused):
    region.config["dem"]["crs"] = "EPSG:4490"
    refused(region, "dem.raster", 65, "dem.tif", "CGCS2000", "'China Geodetic Coordinate System 2000' was stated", "Keep the one that is right")


def test_no_overlap(region, refused):
    aside = region.transform @ Affine.translation(500, 0)
    write_raster(region.folder / "ndvi.tif", np.full(region.shape, 0.4, np.float32), aside, region.crs)
    refused(region, "C", 65, "ndvi.tif does not overlap the grid", "Is it the right file")


def test_overlap_without_a_value(region, refused):
    """Frames that overlap are not enough: a factor must have a value somewhere."""
    region.put("k", np.full(region.shape, np.nan, np.float32), nodata=np.nan)
    region.config["K"] = {"raster": "k.tif"}
    refused(region, "K", 65, "k.tif", "no value anywhere on the grid")


def test_dem_all_nodata(region, refused):
    region.put("dem", np.full(region.shape, -9999, np.float32), nodata=-9999)
    refused(region, "dem", 65, "dem.tif holds no value at all", "-9999")


def test_classes_with_fractions(region, refused):
    region.put("soil", np.full(region.shape, 1.5, np.float32))
    refused(region, "K", 65, "soil.tif", "holds 1.5", "whole numbers")


def test_complex_numbers(region, refused):
    region.put("ndvi", np.full(region.shape, 0.4, np.complex64))
    refused(region, "C", 65, "ndvi.tif", "complex64", "expected whole or real numbers")


def test_tiles_that_do_not_fit(region, refused):
    half = region.values("dem").astype(np.float32)[:, :25]
    for name, shift in (("a", 0), ("b", 25.3)):
        write_raster(region.folder / f"tiles/{name}.tif", half, region.transform @ Affine.translation(shift, 0), region.crs)
    region.config["dem"]["raster"] = "tiles/*.tif"
    refused(region, "dem.raster", 65, "b.tif does not fit", "a.tif", "0.3000", "Resample")


def test_a_header_that_declares_too_much(region, refused):
    """A file of some hundred bytes may declare more cells than a country has; nothing is allocated for it."""
    with rasterio.open(
        region.folder / "dem.tif", "w", driver="GTiff", height=400_000, width=400_000, count=1, dtype="float32", crs=region.crs,
        transform=region.transform, tiled=True, sparse_ok=True, bigtiff="yes", blockxsize=8192, blockysize=8192,
    ):  # fmt: skip
        pass
    refused(region, "dem.raster", 65, "dem.tif declares 400000 × 400000 cells", "Cut out")
