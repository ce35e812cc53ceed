"""Gridded rain opened from NetCDF, Zarr and stacks of rasters: axes, units, dates and CRS as files have them."""

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr

from rusle_engine.core.errors import InputError, MissingInputError
from rusle_engine.factors.r import r_factor
from rusle_engine.files.rain_grids import crop_to, open_rain_grid

DAYS = pd.date_range("2021-01-01", "2021-12-31")
LATITUDE, LONGITUDE = np.array([38.0, 38.25, 38.5, 38.75]), np.array([110.0, 110.25, 110.5])


def july_storms():
    """A storm on 20 July that differs from cell to cell: 10, 11, … 21 mm, from the south-west; nothing else."""
    rain = np.zeros((len(DAYS), 4, 3), np.float32)
    rain[DAYS.get_loc("2021-07-20")] = 10.0 + np.arange(12).reshape(4, 3)
    return rain


def expected_r():
    """R-8, warm season, north up."""
    return 0.3937 * (10.0 + np.arange(12).reshape(4, 3))[::-1] ** 1.7265


def dataset(factor=1.0, units="mm/day", **attrs):
    axes = {"time": DAYS, "lat": ("lat", LATITUDE, {"units": "degrees_north"}), "lon": ("lon", LONGITUDE, {"units": "degrees_east"})}
    array = xr.DataArray(july_storms() * np.float32(factor), dims=("time", "lat", "lon"), coords=axes, attrs={"units": units, **attrs})
    return array.to_dataset(name="pr")


@pytest.mark.parametrize(
    ("factor", "units"), [(1.0, "mm/day"), (1.0, "mm"), (1 / 86400, "kg m-2 s-1"), (1 / 86400, "kg m**-2 s**-1"), (0.001, "m"), (1 / 25.4, "in")]
)
def test_r_from_netcdf_in_the_units_of_its_kind(tmp_path, factor, units):
    dataset(factor, units).to_netcdf(tmp_path / "pr.nc", engine="h5netcdf")
    rain = open_rain_grid(tmp_path / "pr.nc")
    assert rain.chunks is not None
    assert rain.rio.crs.to_epsg() == 4326
    np.testing.assert_allclose(r_factor(rain)["R"].values, expected_r(), rtol=2e-6)


def test_a_unit_that_is_none_of_rain_is_refused(tmp_path):
    dataset(1.0, "K").to_netcdf(tmp_path / "pr.nc", engine="h5netcdf")
    with pytest.raises(InputError, match="units 'K'"):
        r_factor(open_rain_grid(tmp_path / "pr.nc"))


@pytest.mark.parametrize("how", ["netcdf3", "zarr", "two files", "0 to 360", "north first", "other names"])
def test_r_from_rain_as_it_comes(tmp_path, how):
    data = dataset()
    place = tmp_path / "pr.nc"
    if how == "netcdf3":
        data.to_netcdf(place, engine="scipy")
    elif how == "zarr":
        place = tmp_path / "pr.zarr"
        data.chunk({"time": 100}).to_zarr(place, consolidated=False)
    elif how == "two files":
        place = [tmp_path / "b.nc", tmp_path / "a.nc"]
        for path, part in zip(place, (data.isel(time=slice(180, None)), data.isel(time=slice(0, 180)))):
            part.to_netcdf(path, engine="h5netcdf")
    elif how == "0 to 360":
        shifted = data.assign_coords(lon=("lon", LONGITUDE + 90, {"units": "degrees_east"}))  # 200 to 200.5 east is 160 to 159.5 west
        shifted.to_netcdf(place, engine="h5netcdf")
    elif how == "north first":
        data.isel(lat=slice(None, None, -1)).to_netcdf(place, engine="h5netcdf")
    else:
        renamed = data.rename(lat="south_north", lon="west_east").transpose("west_east", "time", "south_north")
        renamed.to_netcdf(place, engine="h5netcdf")
    rain = open_rain_grid(place)
    np.testing.assert_allclose(r_factor(rain)["R"].values, expected_r(), rtol=2e-6)
    np.testing.assert_allclose(rain["y"].values, LATITUDE[::-1])
    np.testing.assert_allclose(rain["x"].values, LONGITUDE + (90 - 360 if how == "0 to 360" else 0))


def months_of_rates():
    """Two years of months, 31 mm in each of 31 days at one cell and so on: a rate of 1 mm/day throughout."""
    months = pd.date_range("2020-01-01", periods=24, freq="MS")
    values = np.ones((24, 4, 3), np.float32)
    axes = {"time": months, "lat": ("lat", LATITUDE, {"units": "degrees_north"}), "lon": ("lon", LONGITUDE, {"units": "degrees_east"})}
    return xr.DataArray(values / np.float32(86400), dims=("time", "lat", "lon"), coords=axes, attrs={"units": "kg m-2 s-1"}).to_dataset(name="pr")


def test_rates_of_months_become_depths_by_the_length_of_each_month(tmp_path):
    months_of_rates().to_netcdf(tmp_path / "pr.nc", engine="h5netcdf")
    result = r_factor(open_rain_grid(tmp_path / "pr.nc"), method="renard_freimund1994")
    np.testing.assert_allclose(result["annual_rain"].values, (366 + 365) / 2, rtol=1e-6)
    np.testing.assert_allclose(result["R"].values, 0.0483 * 365.5**1.610, rtol=1e-6)


def write_stack(path, bands, descriptions=None, nodata=None):
    transform = rasterio.transform.from_origin(110.0, 39.0, 0.25, 0.25)
    profile = {"driver": "GTiff", "height": 4, "width": 3, "count": len(bands), "dtype": "float32", "crs": "EPSG:4326", "transform": transform}
    with rasterio.open(path, "w", nodata=nodata, **profile) as out:
        out.write(np.asarray(bands, np.float32))
        for band, text in enumerate(descriptions or [], start=1):
            out.set_band_description(band, text)


MONTHS = np.array([3, 5, 10, 22, 35, 55, 115, 120, 60, 28, 10, 3], np.float32)


def test_stacks_of_rasters_by_every_way_to_tell_their_dates(tmp_path):
    months = MONTHS[:, None, None] * np.ones((4, 3), np.float32)
    months[:, 0, 0] = -9999
    names = [f"2021-{month:02d}" for month in range(1, 13)]
    write_stack(tmp_path / "named.tif", months, names, nodata=-9999)
    write_stack(tmp_path / "bare.tif", months, nodata=-9999)
    for month in range(12):
        write_stack(tmp_path / f"pr_2021{month + 1:02d}.tif", months[month : month + 1], nodata=-9999)
    opened = [
        open_rain_grid(tmp_path / "named.tif", units="mm"),
        open_rain_grid(tmp_path / "bare.tif", units="mm", start="2021-01-01", step="month"),
        open_rain_grid(tmp_path / "pr_*.tif", units="mm", name_format="pr_%Y%m.tif"),
    ]
    for rain in opened:
        found = r_factor(rain, method="zhang_fu2003")["R"].values
        assert np.isnan(found[0, 0])
        np.testing.assert_allclose(found.ravel()[1:], 1133.1747, rtol=1e-6)  # Appendix A, R-13a
    mean = open_rain_grid(tmp_path / "bare.tif", units="mm", mean_year=True)
    assert r_factor(mean, method="renard_freimund1994_fournier")["R"].values[3, 2] == pytest.approx(2617.966, rel=1e-6)
    write_stack(tmp_path / "annual.tif", [np.full((4, 3), 1200.0)])
    annual = open_rain_grid(tmp_path / "annual.tif", units="mm", mean_year=True)
    assert r_factor(annual, method="renard_freimund1994")["R"].values[0, 0] == pytest.approx(5036.2, rel=1e-5)  # Appendix A, R-14a


def test_what_cannot_be_told_is_refused(tmp_path):
    write_stack(tmp_path / "bare.tif", np.ones((12, 4, 3)))
    dataset().to_netcdf(tmp_path / "pr.nc", engine="h5netcdf")
    dataset().assign(other=dataset()["pr"]).to_netcdf(tmp_path / "two.nc", engine="h5netcdf")
    with pytest.raises(InputError, match="nothing tells the dates"):
        open_rain_grid(tmp_path / "bare.tif", units="mm")
    with pytest.raises(InputError, match="declares no unit"):
        open_rain_grid(tmp_path / "bare.tif", start="2021-01-01", step="month")
    with pytest.raises(InputError, match="own time axis; leave out start, step"):
        open_rain_grid(tmp_path / "pr.nc", start="2021-01-01", step="month")
    with pytest.raises(InputError, match="2 variables over time and space; state variable, one of pr, other"):
        open_rain_grid(tmp_path / "two.nc")
    with pytest.raises(MissingInputError, match=r"pr\.zarr does not exist"):
        open_rain_grid(tmp_path / "pr.zarr")
    (tmp_path / "text.nc").write_text("no", encoding="utf-8")
    with pytest.raises(InputError, match="not a NetCDF file"):
        open_rain_grid(tmp_path / "text.nc")


def test_the_part_around_a_grid(tmp_path):
    from affine import Affine
    from pyproj import CRS

    from rusle_engine.core.grid import Grid

    dataset().to_netcdf(tmp_path / "pr.nc", engine="h5netcdf")
    rain = open_rain_grid(tmp_path / "pr.nc")
    inside = Grid(10, 10, Affine(0.01, 0, 110.3, 0, -0.01, 38.9), CRS.from_epsg(4326))
    assert crop_to(rain, inside, margin=0)["y"].values.tolist() == [38.75]
    assert crop_to(rain, inside, margin=0)["x"].values.tolist() == [110.25, 110.5]
    with pytest.raises(InputError, match="does not reach"):
        crop_to(rain, Grid(10, 10, Affine(0.01, 0, 10.3, 0, -0.01, 38.9), CRS.from_epsg(4326)))
