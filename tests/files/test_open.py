"""Opening: what a cell is worth, how files make a mosaic, and that nothing is read before it is asked for."""

import pickle
from dataclasses import replace

import dask
import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import CRS

from rusle_engine.core.errors import GridMismatchError, InputError
from rusle_engine.files.rasters import describe_raster, open_raster, require_values
from rusle_engine.files.sources import stored_nodata

from .conftest import GRID

ESRI_3_DEGREE = (
    'PROJCS["CGCS2000_3_Degree_GK_CM_111E",GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",DATUM["D_China_2000",'
    'SPHEROID["CGCS2000",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],PROJECTION["Gauss_Kruger"],'
    'PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],PARAMETER["Central_Meridian",111.0],PARAMETER["Scale_Factor",1.0],'
    'PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
)


@pytest.mark.parametrize(
    ("stored", "opened"),
    [
        ("uint8", "float32"),
        ("int8", "float32"),
        ("int16", "float32"),
        ("uint16", "float32"),
        ("float32", "float32"),
        ("int32", "float64"),
        ("uint32", "float64"),
        ("float64", "float64"),
    ],
)
def test_every_stored_number_is_held_exactly(save, stored, opened):
    kind = np.dtype(stored)
    largest = np.iinfo(kind).max if kind.kind in "iu" else np.nextafter(kind.type(1), kind.type(2))
    values = np.array([[largest, 3], [7, 5]], kind)
    array = open_raster(save("a.tif", values, nodata=3))
    assert array.dtype == opened
    assert array.dtype == array.compute().dtype
    assert array.values.tolist()[0][0] == largest
    assert np.isnan(array.values).tolist() == [[False, True], [False, False]]


def sparse(path, side):
    """A raster of which nothing is stored."""
    layout = {"count": 1, "dtype": "uint8", "tiled": True, "sparse_ok": True, "crs": "EPSG:4546", "transform": GRID}
    with rasterio.open(path, "w", driver="GTiff", height=side, width=side, **layout):
        pass
    return path


@pytest.mark.parametrize(("side", "budget", "tile"), [(7000, "4 GB", 1024), (7168, "4 GB", 2048), (7168, "400 MB", 1024)])
def test_tiles_are_larger_for_a_large_raster_and_a_budget_that_holds_them(tmp_path, side, budget, tile):
    with dask.config.set({"rusle_engine.memory_budget": budget, "num_workers": 2}):
        array = open_raster(sparse(tmp_path / "a.tif", side))
        assert array.chunks == open_raster(tmp_path / "a.tif", chunks=tile).chunks


@pytest.mark.parametrize("nodata", [-9999, 300, 1.5])
def test_nodata_that_the_type_cannot_hold_is_no_cell(save, nodata):
    path = save("a.tif", np.array([[0, 1], [254, 255]], np.uint8))
    assert stored_nodata(replace(describe_raster(path).pieces[0], nodata=nodata)) is None
    path.with_name("a.tif.aux.xml").write_text(
        f'<PAMDataset><PAMRasterBand band="1"><NoDataValue>{nodata}</NoDataValue></PAMRasterBand></PAMDataset>'
    )
    assert open_raster(path).values.tolist() == [[0, 1], [254, 255]]


def test_the_float32_nodata_of_esri(save):
    lowest = np.float32(-3.4028235e38)
    array = open_raster(save("a.tif", np.array([[lowest, 1.0]], np.float32), nodata=-3.4028234663852886e38))
    assert np.isnan(array.values).tolist() == [[True, False]]


def test_scale_offset_and_mask_are_applied(save):
    scaled = open_raster(save("ndvi.tif", np.array([[10000, 2500], [-1, 0]], np.int16), nodata=-1, scale=0.0001, offset=0.5))
    np.testing.assert_array_equal(scaled.values, np.array([[1.5, 0.75], [np.nan, 0.5]], np.float32))
    masked = open_raster(save("m.tif", np.array([[1, 2], [3, 4]], np.uint8), mask=np.array([[255, 0], [255, 255]], np.uint8)))
    np.testing.assert_array_equal(masked.values, [[1, np.nan], [3, 4]])


def test_nothing_is_read_before_it_is_asked_for(save):
    path = save("a.tif", np.ones((3000, 40), np.float32), tiled=True, blockxsize=256, blockysize=256)

    def refuse(*_args, **_kwargs):
        raise AssertionError("computed")

    with dask.config.set(scheduler=refuse):
        array = open_raster(path)
    assert array.chunks == ((1024, 1024, 952), (40,))
    assert array.rio.crs.to_epsg() == 4546
    assert array.rio.transform() == GRID
    assert float(array.y[0]) == 3_999_995
    assert array.attrs == {}


@pytest.mark.parametrize(
    ("shape", "layout", "chunks"),
    [
        ((2100, 2100), {"tiled": True, "blockxsize": 96, "blockysize": 160}, ((960, 960, 180), (1056, 1044))),  # 6 · 160 and 11 · 96
        ((2100, 2100), {"blockysize": 1}, ((1024, 1024, 52), (1024, 1024, 52))),  # strips are not the tiles
        ((2100, 2100), {"tiled": True, "blockxsize": 2048, "blockysize": 2048}, ((2048, 52), (2048, 52))),
    ],
)
def test_tiles_are_whole_blocks_and_strips_make_squares(save, shape, layout, chunks):
    assert open_raster(save("a.tif", np.zeros(shape, np.uint8), **layout)).chunks == chunks


def test_another_array_s_tiles_can_be_taken(save):
    path = save("a.tif", np.arange(12, dtype=np.int16).reshape(3, 4))
    assert open_raster(path, chunks=((1, 2), (3, 1))).chunks == ((1, 2), (3, 1))
    assert open_raster(path, chunks=2).chunks == ((2, 1), (2, 2))
    for wrong in ("big", (0, 1, 2), ((1, 1), (3, 1))):
        with pytest.raises(InputError, match="chunks="):
            open_raster(path, chunks=wrong)


@given(tile=st.tuples(st.integers(1, 60), st.integers(1, 60)), seed=st.integers(0, 9))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_tiling_gives_the_same_cells(save, tile, seed):
    random = np.random.default_rng(seed)
    values = random.normal(size=(47, 53)).astype(np.float32)
    values[random.random(values.shape) < 0.1] = -9999
    path = save(f"a{seed}.tif", values, nodata=-9999, tiled=True, blockxsize=16, blockysize=16, compress="deflate")
    expected = np.where(values == -9999, np.float32(np.nan), values)
    assert open_raster(path, chunks=tile).values.tobytes() == expected.tobytes()


def test_a_mosaic_has_gaps_and_its_first_tile_on_top(save, tmp_path):
    folder = tmp_path / "瓦片 [2020]"
    save("a.tif", np.array([[1, 2, -1]], np.int16), nodata=-1, folder=folder)
    save("b.tif", np.array([[7, 8, 9]], np.int16), nodata=0, transform=GRID @ Affine.translation(1, 0), folder=folder)
    save("c.tif", np.array([[5]], np.int16), transform=GRID @ Affine.translation(-2, 2), folder=folder)
    expected = [[np.nan, np.nan, 1, 2, 8, 9], [np.nan] * 6, [5, np.nan, np.nan, np.nan, np.nan, np.nan]]
    for paths in (folder / "*.tif", [folder / "a.tif", folder / "b.tif", folder / "c.tif"]):
        mosaic = open_raster(paths, chunks=2)
        np.testing.assert_array_equal(mosaic.values, expected)
        assert mosaic.rio.transform() == GRID @ Affine.translation(-2, 0)
    turned = open_raster([folder / "b.tif", folder / "a.tif", folder / "c.tif"])
    assert turned.values[0].tolist()[3:] == [7, 8, 9]  # now b lies on top
    assert len(describe_raster(folder / "*.tif").pieces) == 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"transform": GRID @ Affine.translation(2.25, 0)}, "0.2500, 0.0000 cells off"),
        ({"transform": Affine(10.01, 0, 500_020, 0, -10.01, 4_000_000)}, "cells of 10.01"),
        ({"crs": "EPSG:4547"}, "share one CRS"),
    ],
)
def test_tiles_that_do_not_fit_are_refused(save, change, says):
    first, second = save("a.tif", np.ones((2, 2), np.uint8)), save("b.tif", np.ones((2, 2), np.uint8), **change)
    with pytest.raises(GridMismatchError, match=says):
        open_raster([first, second])


def test_units_come_from_the_file_or_are_stated_but_not_both_ways(save):
    feet, bare = save("feet.tif", np.ones((2, 2), np.float32), units="ft"), save("bare.tif", np.ones((2, 2), np.float32))
    assert open_raster(feet).attrs["units"] == "ft"
    assert open_raster(bare, units="metre").attrs["units"] == "m"
    assert open_raster(feet, units="foot").attrs["units"] == "ft"
    with pytest.raises(InputError, match=r"feet\.tif declares units 'ft' but 'm' was stated"):
        open_raster(feet, units="m")


def test_classes_are_whole_numbers_as_stored(save):
    codes = save("codes.tif", np.array([[11, 255], [12, 13]], np.float32), nodata=255)
    np.testing.assert_array_equal(open_raster(codes, classes=True).values, [[11, np.nan], [12, 13]])
    with pytest.raises(InputError, match=r"dem\.tif is taken as classes but holds 0\.5"):
        open_raster(save("dem.tif", np.array([[11, 0.5]], np.float32)), classes=True).compute()
    with pytest.raises(InputError, match="scale or offset"):
        open_raster(save("s.tif", np.ones((2, 2), np.uint8), scale=0.1), classes=True)


def test_a_crs_in_esri_s_words_is_the_epsg_one(save):
    grid = describe_raster(save("a.tif", np.ones((2, 2), np.uint8), crs=ESRI_3_DEGREE)).grid
    assert grid.crs == CRS.from_epsg(4546)
    assert describe_raster(save("b.tif", np.ones((2, 2), np.uint8))).grid.same_as(grid)


def test_a_crs_can_be_stated_where_there_is_none_and_not_contradicted(save):
    bare = save("a.tif", np.ones((2, 2), np.uint8), crs=None)
    assert open_raster(bare, crs="EPSG:4546").rio.crs.to_epsg() == 4546
    with pytest.raises(InputError, match="was stated"):
        open_raster(save("b.tif", np.ones((2, 2), np.uint8)), crs="EPSG:4490")
    with pytest.raises(InputError, match="is not a CRS"):
        open_raster(bare, crs="EPSG:nonsense")


def test_heights_in_a_crs_with_a_vertical_part(save):
    path = save("a.tif", np.ones((2, 2), np.float32), crs="EPSG:4326+5773", transform=Affine(0.001, 0, 111, 0, -0.001, 38))
    assert describe_raster(path).grid.crs == CRS.from_epsg(4326)


@pytest.mark.parametrize(("name", "driver"), [("a.img", "HFA"), ("a.asc", "AAIGrid")])
def test_other_formats_that_are_read(save, name, driver):
    values = np.array([[1.5, 2.5], [-9999, 4.5]], np.float32)
    plain = save("plain.tif", values, nodata=-9999)
    import rasterio.shutil

    rasterio.shutil.copy(plain, plain.with_name(name), driver=driver)
    np.testing.assert_array_equal(open_raster(plain.with_name(name)).values, [[1.5, 2.5], [np.nan, 4.5]])
    assert describe_raster(plain.with_name(name)).driver == driver


def test_an_opened_raster_travels_to_another_process(save):
    path = save("a.tif", np.arange(6, dtype=np.float32).reshape(2, 3))
    array = open_raster(path, chunks=2)
    array.compute()  # with handles open in this one
    assert pickle.loads(pickle.dumps(array)).values.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_more_tiles_than_files_may_be_open(save):
    for i in range(40):
        save(f"t{i:02}.tif", np.full((1, 1), i, np.uint8), transform=GRID @ Affine.translation(i, 0))
    mosaic = open_raster(save("t00.tif", np.zeros((1, 1), np.uint8)).parent / "t*.tif")
    assert mosaic.values.tolist() == [list(range(40))]
    assert mosaic.values.tolist() == [list(range(40))]


def test_a_raster_without_a_value_is_found(save):
    require_values(save("a.tif", np.array([[0, 0], [0, 1]], np.uint8), nodata=0))
    with pytest.raises(InputError, match=r"b\.tif holds no value at all"):
        require_values(save("b.tif", np.zeros((2, 2), np.uint8), nodata=0))
