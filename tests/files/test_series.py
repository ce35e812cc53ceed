"""Rasters of many dates as one stack: which file is which date, scale and fill, tiles, grids, NetCDF and Zarr."""

import datetime as dt

import dask
import numpy as np
import pyproj
import pytest
import xarray as xr
from affine import Affine

from rusle_engine.core.errors import InputError, MissingInputError
from rusle_engine.core.grid import Grid
from rusle_engine.files.rasters import open_raster
from rusle_engine.files.series import dated_files, open_series
from tests.files.conftest import CRS, GRID

STORED = np.arange(12).reshape(3, 4) * 100


def refuse_to_compute(*_args, **_kwargs):
    raise AssertionError("computed while the graph was built")


def days(array):
    return [str(day)[:10] for day in array["time"].values]


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("MOD13Q1.A2023017.h26v05.tif", "A%Y%j", dt.date(2023, 1, 17)),
        ("MOD13Q1_NDVI_2023017.tif", "%Y%j", dt.date(2023, 1, 17)),
        ("MOD13Q1.061_NDVI_doy2020366_aid0001.tif", "%Y%j", dt.date(2020, 12, 31)),
        ("ndvi-2023-06-30.tif", "%Y-%m-%d", dt.date(2023, 6, 30)),
        ("S2_20230630_L3A.tif", "%Y%m%d", dt.date(2023, 6, 30)),
    ],
)
def test_dates_are_found_in_names(tmp_path, name, pattern, expected):
    assert list(dated_files([tmp_path / name], pattern)) == [expected]


@pytest.mark.parametrize(
    ("name", "pattern", "message"),
    [
        ("ndvi.tif", "%Y%j", "ndvi.tif holds no date of the form '%Y%j'"),
        ("a_2023001_2023017.tif", "%Y%j", "several dates .2023001, 2023017."),
        ("a_20230017.tif", "%Y%j", "holds no date"),
        ("a_2023400.tif", "%Y%j", "'2023400' is not a date"),
        ("a_2023001.tif", "%Y%H", "expected %Y, %y, %m, %d, %j"),
        ("a_2023001.tif", "2023", "expected %Y, %y"),
        ("a_2023001.tif", None, "need dates"),
        ("a_2023001.tif", "half_months", "1 files are no whole years of 24 half-months"),
        ("a_2023001.tif", ["2023-01-01", "2023-01-17"], "2 dates are listed for 1 files"),
        ("a_2023001.tif", ["1.1.2023"], "'1.1.2023' is not a date"),
    ],
)
def test_names_that_do_not_tell_their_date_are_refused(tmp_path, name, pattern, message):
    with pytest.raises(InputError, match=message):
        dated_files([tmp_path / name], pattern)


def test_a_stack_is_scaled_in_the_order_of_dates_and_read_late(save):
    later = STORED + 1200
    later[0, 0] = -3000
    save("ndvi_2023017.tif", later.astype(np.int16), folder=None)
    path = save("ndvi_2023001.tif", STORED.astype(np.int16))
    with dask.config.set(scheduler=refuse_to_compute):
        stack = open_series(path.parent / "ndvi_*.tif", dates="%Y%j", scale=0.0001, fill=-3000, chunks=(2, 3))
    assert stack.dims == ("time", "y", "x")
    assert stack.chunks == ((2,), (2, 1), (3, 1))
    assert days(stack) == ["2023-01-01", "2023-01-17"]
    expected = np.stack([STORED, later]).astype(np.float64) * 0.0001
    expected[1, 0, 0] = np.nan
    assert stack.dtype == stack.compute().dtype == np.float32
    np.testing.assert_array_equal(stack.values, expected.astype(np.float32))
    assert Grid.of(stack).same_as(Grid.of(open_raster(path)))
    assert stack.rio.crs.to_epsg() == 4546


def test_files_that_declare_their_scale_need_none_and_may_not_be_contradicted(save):
    path = save("ndvi_2023001.tif", STORED.astype(np.int16), scale=0.0001, nodata=0)
    stack = open_series(path, dates="%Y%j")
    assert np.isnan(stack.values[0, 0, 0])
    assert stack.values[0, 2, 3] == np.float32(0.11)
    with pytest.raises(InputError, match=r"declares scale 0.0001 and offset 0 but 0.001 was stated"):
        open_series(path, dates="%Y%j", scale=0.001)
    with pytest.raises(InputError, match="declares nodata 0 but fill -3000 was stated"):
        open_series(path, dates="%Y%j", fill=-3000)


def test_files_of_one_date_are_tiles_of_one_mosaic(save):
    save("a_2023001_west.tif", STORED.astype(np.float32))
    save("a_2023001_east.tif", (STORED + 5).astype(np.float32), transform=GRID @ Affine.translation(4, 0))
    save("a_2023017_west.tif", (STORED + 1).astype(np.float32))
    folder = save("a_2023017_east.tif", (STORED + 6).astype(np.float32), transform=GRID @ Affine.translation(4, 0)).parent
    stack = open_series(folder / "a_*.tif", dates="%Y%j")
    np.testing.assert_array_equal(stack.values, [np.hstack([STORED, STORED + 5]), np.hstack([STORED + 1, STORED + 6])])


def test_half_months_in_the_order_of_names_and_dates_from_a_list(save):
    for h in range(1, 25):
        path = save(f"fvc/b_{h:02d}.tif", np.full((3, 4), h, np.float32))
    stack = open_series(path.parent / "b_*.tif", dates="half_months")
    assert stack["half_month"].values.tolist() == list(range(1, 25))
    assert stack.values[:, 0, 0].tolist() == list(range(1, 25))
    listed = open_series([path.parent / "b_02.tif", path.parent / "b_01.tif"], dates=["2023-02-01", "2023-01-01"])
    assert days(listed) == ["2023-01-01", "2023-02-01"]
    assert listed.values[:, 0, 0].tolist() == [1, 2]


def test_dates_on_another_grid_are_refused_or_brought_onto_the_one_named(save):
    first = save("a_2023001.tif", STORED.astype(np.float32))
    save("a_2023017.tif", np.repeat(np.repeat(STORED, 2, 0), 2, 1).astype(np.float32), transform=GRID @ Affine.scale(0.5))
    with pytest.raises(InputError, match=r"a_2023017\.tif lies on another grid than the first date"):
        open_series(first.parent / "a_*.tif", dates="%Y%j")
    stack = open_series(first.parent / "a_*.tif", dates="%Y%j", grid=Grid.of(open_raster(first)), resampling="average")
    np.testing.assert_array_equal(stack.values, [STORED, STORED])


def test_any_tiling_reads_the_same(save):
    random = np.random.default_rng(3)
    for k in range(3):
        path = save(f"a_202300{k + 1}.tif", random.uniform(0, 1, (7, 9)).astype(np.float32))
    values = [open_series(path.parent / "a_*.tif", dates="%Y%j", chunks=chunks).values for chunks in (9, (1, 9), (3, 2))]
    assert values[0].tobytes() == values[1].tobytes() == values[2].tobytes()


def cube(path, engine, **encoding):
    """Three dates on a grid of degrees, rows from south to north, as climate files have them."""
    values = np.arange(24, dtype=np.float32).reshape(3, 2, 4) / 100
    time = np.array(["2023-01-17", "2023-01-01", "2023-02-02"], "datetime64[ns]")
    place = {"lat": [30.0, 30.5], "lon": [110.0, 110.5, 111.0, 111.5]}
    array = xr.DataArray(values, dims=("time", "lat", "lon"), coords={"time": time, **place}, name="ndvi")
    dataset = array.to_dataset()
    dataset["mean"] = 1.0
    if engine == "zarr":
        dataset.to_zarr(path, consolidated=False)
    else:
        dataset.to_netcdf(path, engine="h5netcdf", encoding={"ndvi": encoding} if encoding else {})
    return values


@pytest.mark.parametrize("engine", ["zarr", "nc"])
def test_stores_with_a_time_axis(tmp_path, engine):
    path = tmp_path / f"cube.{engine}"
    values = cube(path, engine)
    stack = open_series(path, crs="EPSG:4326", chunks=(1, 3))
    assert dask.is_dask_collection(stack)
    assert stack.dims == ("time", "y", "x")
    assert stack.chunks == ((3,), (1, 1), (3, 1))
    assert days(stack) == ["2023-01-01", "2023-01-17", "2023-02-02"]
    np.testing.assert_array_equal(stack.values, values[[1, 0, 2], ::-1])
    assert stack["y"].values.tolist() == [30.5, 30.0]
    with pytest.raises(InputError, match="states no CRS"):
        open_series(path)
    with pytest.raises(InputError, match="no variable 'evi'; state variable, one of ndvi"):
        open_series(path, crs="EPSG:4326", variable="evi")
    with pytest.raises(InputError, match="leave dates out"):
        open_series(path, crs="EPSG:4326", dates="%Y%j")
    with pytest.raises(InputError, match="does not lie on the run's grid"):
        open_series(path, crs="EPSG:4326", grid=Grid(2, 4, Affine(1, 0, 110, 0, -1, 31), pyproj.CRS.from_user_input(CRS)))


def test_a_store_packed_by_the_conventions_is_unpacked(tmp_path):
    path = tmp_path / "cube.nc"
    values = cube(path, "nc", dtype="int16", scale_factor=0.01, _FillValue=-3000)
    np.testing.assert_allclose(open_series(path, crs="EPSG:4326").values, values[[1, 0, 2], ::-1], rtol=1e-6)
    with pytest.raises(InputError, match=r"declares scale 0.01; leave scale out"):
        open_series(path, crs="EPSG:4326", scale=0.01)


def test_longitudes_count_from_greenwich_both_ways_and_degrees_say_the_crs(tmp_path):
    path = tmp_path / "cube.nc"
    values = np.arange(8, dtype=np.float32).reshape(1, 2, 4)
    place = {"lat": ("lat", [5.0, 6.0], {"units": "degrees_north"}), "lon": ("lon", [178.5, 179.5, 180.5, 181.5], {"units": "degrees_east"})}
    array = xr.DataArray(values, dims=("time", "lat", "lon"), coords={"time": np.array(["2023-01-01"], "datetime64[ns]"), **place}, name="ndvi")
    array.isel(lon=slice(2, None)).to_netcdf(path, engine="scipy")
    stack = open_series(path)
    assert stack["x"].values.tolist() == [-179.5, -178.5]
    np.testing.assert_array_equal(stack.values, values[:, ::-1, 2:])
    assert Grid.of(stack).crs == pyproj.CRS.from_epsg(4326)


def test_what_is_not_there_is_said(tmp_path):
    for name in ("none.nc", "none.zarr", "none_*.tif"):
        with pytest.raises(MissingInputError):
            open_series(tmp_path / name)
