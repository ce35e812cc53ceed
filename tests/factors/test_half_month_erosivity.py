"""The series of half-months against the formula book's worked half-month, plain sums over days, and R made of it."""

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import rusle_engine as rusle
from rusle_engine.core.errors import InputError
from rusle_engine.factors.half_month_erosivity import half_month_erosivity

METHODS = ("xie2016", "xie2016_sinusoid", "zhang2003")
DAYS = (15.2, 8.0, 33.4, 12.0, 11.9)  # of the book's worked half-month [mm]


def rain_of(years=(2019, 2022), seed=0):
    dates = pd.date_range(f"{years[0]}-01-01", f"{years[1]}-12-31")
    random = np.random.default_rng(seed)
    return pd.Series(np.where(random.random(len(dates)) < 0.3, random.gamma(0.7, 15, len(dates)), 0.0), index=dates)


def worked(month):
    rain = pd.Series(0.0, index=pd.date_range("2021-01-01", "2021-12-31"))
    rain[pd.date_range(f"2021-{month}-02", periods=5)] = DAYS
    return rain


def test_the_worked_half_month_of_the_book():
    july = half_month_erosivity(worked("07")).sel(time="2021-07-01").item()
    january = half_month_erosivity(worked("01")).sel(time="2021-01-01").item()
    zhang = half_month_erosivity(worked("07"), "zhang2003", pd12_mm=24.80, py12_mm=305.08).sel(time="2021-07-01").item()
    assert (july, january, zhang) == pytest.approx((268.50002, 211.48554, 281.44675), rel=1e-6)


def test_every_half_month_is_the_sum_over_its_own_days():
    rain = rain_of()
    series = half_month_erosivity(rain, threshold_mm=10.0)
    assert (series.dims, series.name, series.attrs["units"], series.sizes["time"]) == (("time",), "R_h", "MJ mm ha-1 h-1", 96)
    alpha = np.where(rain.index.month.isin([5, 6, 7, 8, 9]), 0.3937, 0.3101)
    daily = np.where(rain >= 10.0, alpha * rain**1.7265, 0.0)
    key = [(d.year, 2 * d.month - (d.day <= 15)) for d in rain.index]
    expected = pd.Series(daily).groupby(pd.MultiIndex.from_tuples(key)).sum()
    np.testing.assert_allclose(series.values, expected.values, rtol=1e-9)
    assert list(zip(series["year"].values.tolist(), series["half_month"].values.tolist())) == expected.index.tolist()
    assert series["time"].values[[0, 1, 3]].astype("M8[D]").astype(str).tolist() == ["2019-01-01", "2019-01-16", "2019-02-16"]


@pytest.mark.parametrize("method", METHODS)
def test_r_is_the_sum_of_the_means_of_the_half_months(method):
    rain = rain_of(seed=3)
    rain["2020-08-20":"2020-08-21"] = np.nan  # a half-month of a year that counts
    series, r = half_month_erosivity(rain, method), rusle.r_factor(rain, method)
    assert np.isnan(series.sel(time="2020-08-16"))
    means = series.groupby("half_month").mean()
    np.testing.assert_allclose(means.sum(), r["R"], rtol=1e-12)
    np.testing.assert_allclose(means / means.sum(), r["wr"], rtol=1e-12)


def test_a_missing_day_leaves_its_half_month_without_a_value_unless_that_is_allowed():
    rain = worked("07").drop(pd.Timestamp("2021-07-09"))
    assert np.isnan(half_month_erosivity(rain).sel(time="2021-07-01"))
    assert half_month_erosivity(rain, max_missing_pct=7).sel(time="2021-07-01").item() == pytest.approx(268.50002, rel=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_lazy_grid_gives_the_bits_of_its_stations(method):
    cells = [[rain_of((2020, 2021), seed=10 * i + j) for j in range(3)] for i in range(2)]
    values = np.array([[cell.values for cell in row] for row in cells]).transpose(2, 0, 1)
    grid = xr.DataArray(values, dims=("time", "y", "x"), coords={"time": cells[0][0].index}, attrs={"units": "mm"})
    with dask.config.set(scheduler=lambda *_, **__: pytest.fail("computed too early")):
        lazy = half_month_erosivity(grid.chunk(time=100, y=1, x=2), method)
    assert (lazy.dims, lazy.dtype) == (("time", "y", "x"), np.float64)
    found = lazy.values
    for i, j in np.ndindex(2, 3):
        assert found[:, i, j].tobytes() == half_month_erosivity(cells[i][j], method).values.tobytes()


def test_what_is_refused():
    with pytest.raises(InputError, match="method of half_month_erosivity is 'ei30'; expected one of 'xie2016'"):
        half_month_erosivity(rain_of(), "ei30")
    with pytest.raises(InputError, match="by xie2016 does not use pd12_mm"):
        half_month_erosivity(rain_of(), pd12_mm=20.0)
    with pytest.raises(InputError, match="go together"):
        half_month_erosivity(rain_of(), "zhang2003", pd12_mm=20.0)
