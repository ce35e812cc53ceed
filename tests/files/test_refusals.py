"""What must not be opened, each with one message that names the file and the way out, and with its exit code."""

import subprocess
import sys

import numpy as np
import pytest
import rasterio
from affine import Affine

from rusle_engine.core.errors import InputError, MissingInputError, NotAllowedError
from rusle_engine.files.paths import input_files, local_path
from rusle_engine.files.rasters import describe_raster, open_raster

from .conftest import GRID


def refused(error, exit_code, says, path, **options):
    with pytest.raises(error, match=says) as caught:
        open_raster(path, **options).compute()
    assert caught.value.exit_code == exit_code
    return str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        "https://example.org/dem.tif",
        "s3://bucket/dem.tif",
        "/vsicurl/https://example.org/dem.tif",
        "/vsizip/a.zip/dem.tif",
        "\\vsizip\\a.zip\\dem.tif",
        "/tmp/../vsizip/a.zip/dem.tif",
        "zip+file://a.zip!dem.tif",
        "dem\0.tif",
    ],
)
def test_network_and_virtual_paths(path):
    refused(NotAllowedError, 77, "plain", path)


def test_what_a_person_types_is_allowed(save, tmp_path, monkeypatch):
    save("vsi 地形.tif", np.ones((2, 2), np.uint8), folder=tmp_path / "数据 一")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.tif").symlink_to(tmp_path / "数据 一" / "vsi 地形.tif")
    for path in ("数据 一/vsi 地形.tif", "./数据 一/../数据 一/vsi 地形.tif", "link.tif"):
        assert open_raster(path).sum() == 4
    assert local_path("~/dem.tif").is_absolute()


def test_a_file_that_is_not_there(tmp_path, save):
    refused(MissingInputError, 66, r"dem\.tif does not exist", tmp_path / "dem.tif")
    refused(MissingInputError, 66, "matches no file", tmp_path / "*.tif")
    refused(MissingInputError, 66, "an empty list", [])
    save("Dem.TIF", np.ones((2, 2), np.uint8))
    refused(MissingInputError, 66, r"in that folder there is Dem\.TIF", tmp_path / "dem.tiff")


def test_a_folder_and_a_foreign_suffix(tmp_path):
    refused(InputError, 65, "is a folder", tmp_path)
    (tmp_path / "dem.nc").write_bytes(b"CDF\1")
    assert "gdal_translate" in refused(InputError, 65, r"\.nc is not read", tmp_path / "dem.nc")


def test_a_virtual_raster_by_name_and_in_disguise(save):
    path = save("dem.tif", np.ones((2, 2), np.uint8))
    layer = f"<SimpleSource><SourceFilename>{path}</SourceFilename></SimpleSource>"
    text = f'<VRTDataset rasterXSize="2" rasterYSize="2"><VRTRasterBand dataType="Byte" band="1">{layer}</VRTRasterBand></VRTDataset>'
    for name in ("a.vrt", "evil.tif", "evil.img", "evil.asc"):
        path.with_name(name).write_text(text)
        refused(NotAllowedError, 77, "virtual raster", path.with_name(name))


def test_a_mask_laid_beside_a_file_must_be_a_tiff(save):
    path = save("dem.tif", np.ones((2, 2), np.uint8))
    path.with_name("dem.tif.msk").write_text("<VRTDataset/>")
    refused(NotAllowedError, 77, r"dem\.tif\.msk lies beside", path)


@pytest.mark.parametrize("content", [b"", b"col1,col2\n1,2\n", b"\x89PNG\r\n\x1a\n", b"II*\0" + b"\xff" * 60])
def test_a_file_of_another_kind_with_a_raster_s_name(tmp_path, content):
    (tmp_path / "dem.tif").write_bytes(content)
    refused(InputError, 65, r"dem\.tif (is empty|cannot be read)", tmp_path / "dem.tif")


def test_a_cut_copy_is_found_when_it_is_opened(save):
    path = save(
        "dem.tif", np.random.default_rng(0).normal(size=(400, 400)).astype(np.float32), tiled=True, blockxsize=64, blockysize=64, compress="deflate"
    )
    path.write_bytes(path.read_bytes()[:-5000])
    assert "copy" in refused(InputError, 65, r"dem\.tif is cut off", path).lower()


def test_damage_inside_is_found_when_it_is_read(save):
    path = save(
        "dem.tif", np.random.default_rng(0).normal(size=(400, 400)).astype(np.float32), tiled=True, blockxsize=64, blockysize=64, compress="deflate"
    )
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 20_000] = bytes(20_000)
    path.write_bytes(bytes(whole))
    describe_raster(path)  # the header is right
    refused(InputError, 65, r"dem\.tif cannot be read in rows .* damaged", path)


def test_no_crs_and_no_georeference(save):
    values = np.ones((2, 2), np.float32)
    assert "crs='EPSG:4490'" in refused(InputError, 65, r"bare\.tif has no CRS", save("bare.tif", values, crs=None))
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        loose = save("loose.tif", values, transform=Affine.identity())
    refused(InputError, 65, r"loose\.tif has no georeference", loose)


@pytest.mark.parametrize(
    ("transform", "says"),
    [
        (Affine(10, 0, 500_000, 0, 10, 4_000_000), "not north-up"),
        (Affine(10, 1, 500_000, 1, -10, 4_000_000), "rotated"),
    ],
)
def test_south_up_and_rotated(save, transform, says):
    message = refused(InputError, 65, says, save("turned.tif", np.ones((2, 2), np.float32), transform=transform))
    assert "turned.tif" in message
    assert "gdalwarp" in message


@pytest.mark.parametrize(
    ("crs", "transform", "says"),
    [
        ("EPSG:4490", GRID, "is in degrees but"),
        ("EPSG:4546", Affine(0.001, 0, 111, 0, -0.001, 38), "look like degrees"),
        ("EPSG:4525", GRID, "nowhere on the Earth"),  # a zone number is missing in front of the eastings
        ("EPSG:2263", GRID, "measures in US survey foot"),
    ],
)
def test_a_wrong_crs_is_seen_by_where_the_raster_lies(save, crs, transform, says):
    assert "a.tif" in refused(InputError, 65, says, save("a.tif", np.ones((20, 20), np.float32), crs=crs, transform=transform))


def test_a_header_that_declares_a_monster(tmp_path):
    path = tmp_path / "bomb.tif"
    options = {"tiled": True, "blockxsize": 32768, "blockysize": 32768, "sparse_ok": True, "bigtiff": True}
    with rasterio.open(path, "w", driver="GTiff", height=400_000, width=400_000, count=1, dtype="uint8", crs="EPSG:4546", transform=GRID, **options):
        pass
    assert path.stat().st_size < 1_000_000
    refused(InputError, 65, "declares 400000 × 400000 cells", path)
    with rasterio.open(path, "w", driver="GTiff", height=40_000, width=40_000, count=1, dtype="uint8", crs="EPSG:4546", transform=GRID, **options):
        pass
    refused(InputError, 65, "stored in blocks of 32768 × 32768", path)


def test_a_band_that_is_not_there_and_complex_numbers(save):
    refused(InputError, 65, r"has 1 band\(s\); band 2", save("a.tif", np.ones((2, 2), np.uint8)), band=2)
    refused(InputError, 65, "complex64", save("b.tif", np.ones((2, 2), np.complex64)))


def test_a_gap_between_far_tiles_is_not_a_mosaic(save):
    near, far = (
        save("a.tif", np.ones((2, 2), np.uint8)),
        save("b.tif", np.ones((2, 2), np.uint8), transform=GRID @ Affine.translation(4_000_000, 400_000)),
    )
    refused(InputError, 65, "leave out far ones", [near, far])


def test_a_list_may_hold_globs(save):
    a, b = save("t1.tif", np.ones((1, 1), np.uint8)), save("x.tif", np.ones((1, 1), np.uint8))
    assert input_files([b, str(a.parent / "t*.tif")]) == (b, a)


def test_opening_the_room_is_not_what_makes_the_package_slow():
    code = "import rusle_engine, sys; assert not {'rasterio', 'xarray', 'dask', 'geopandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
