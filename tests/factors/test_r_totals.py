"""R from totals by month and year against the formula book's numbers and arithmetic by hand."""

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.factors.r import METHODS, r_factor
from rusle_engine.factors.total_erosivity import fournier_index

MONTHS = (3, 5, 10, 22, 35, 55, 115, 120, 60, 28, 10, 3)  # section 1.6: P = 466 mm, F = 79.36910 mm
DRY = (0, 0, 0, 12, 30, 20, 90, 60, 20, 8, 0, 0)
US = {"coefficient_units": "US R"}


def monthly(*years, first=2021):
    values = [depth for year in years for depth in year]
    return pd.Series(np.asarray(values, float), index=pd.date_range(f"{first}-01-01", periods=len(values), freq="MS"))


def yearly(*totals):
    return pd.Series(np.asarray(totals, float), index=pd.date_range("2001-01-01", periods=len(totals), freq="YS"))


def index_of(months):
    return sum(p * p for p in months) / sum(months)


@pytest.mark.parametrize(
    ("method", "options", "expected"),
    [
        ("zhang_fu2003", {}, 1133.1747),
        ("zhang_fu2003_monthly", {}, 1786.80),
        ("zhang_fu2003_annual", {}, 1462.76),
        ("zhang_fu2003_yearly", {}, 1390.55),
        ("renard_freimund1994", {}, 955.099),
        ("renard_freimund1994_fournier", {}, 2617.97),
        ("wischmeier_monthly", {"coefficient_units": "MJ mm ha-1 h-1 yr-1"}, 97.088143),
        ("wischmeier_monthly", US, 97.088143 * 17.0195),
    ],
)
def test_the_book_s_year(method, options, expected):
    result = r_factor(monthly(MONTHS), method=method, **options)
    assert result["R"].item() == pytest.approx(expected, rel=5e-6)
    assert result["R"].attrs["units"] == "MJ mm ha-1 h-1 yr-1"
    assert result["R"].attrs["method_status"] == METHODS[method].status
    assert result["wr"].shape == (24,)
    assert np.isnan(result["wr"]).all()


def test_fournier_s_index_and_its_two_means():
    assert fournier_index(monthly(MONTHS)).item() == pytest.approx(79.369099, rel=1e-8)
    both = monthly(MONTHS, DRY)
    of_years = (index_of(MONTHS) + index_of(DRY)) / 2
    of_months = index_of([(a + b) / 2 for a, b in zip(MONTHS, DRY)])
    assert fournier_index(both).item() == pytest.approx(of_years, rel=1e-12)
    assert fournier_index(both, "of_months").item() == pytest.approx(of_months, rel=1e-12)
    assert abs(of_years - of_months) > 0.5
    assert fournier_index(monthly([0] * 12)).item() == 0.0


def test_which_mean_each_method_takes():
    both = monthly(MONTHS, DRY)
    of_years = (index_of(MONTHS) + index_of(DRY)) / 2
    of_months = index_of([(a + b) / 2 for a, b in zip(MONTHS, DRY)])
    rain = (sum(MONTHS), sum(DRY))
    mean = sum(rain) / 2
    expected = {
        "zhang_fu2003": 0.1833 * of_years**1.9957,
        "zhang_fu2003_monthly": 0.3589 * of_months**1.9462,
        "zhang_fu2003_annual": 0.0668 * mean**1.6266,
        "zhang_fu2003_yearly": (0.0534 * rain[0] ** 1.6548 + 0.0534 * rain[1] ** 1.6548) / 2,
        "renard_freimund1994": 0.0483 * mean**1.610,
        "renard_freimund1994_fournier": 95.77 - 6.081 * of_months + 0.4770 * of_months**2,
        "wischmeier_monthly": sum(1.735 * 10**-0.8188 * (p * p / sum(year)) ** 1.5 for year in (MONTHS, DRY) for p in year) / 2 * 17.0195,
    }
    for method, value in expected.items():
        options = US if method == "wischmeier_monthly" else {}
        assert r_factor(both, method=method, **options)["R"].item() == pytest.approx(value, rel=1e-10), method


@pytest.mark.parametrize(("rain", "expected"), [(466, 955.099), (849.9999999, 2513.69), (850, 2517.5125), (1200, 5036.2), (0, 0.0)])
def test_both_branches_of_annual_rain(rain, expected):  # Appendix A, R-14a; 587.8 - 1.219 * 850 + 0.004105 * 850^2
    assert r_factor(yearly(rain), method="renard_freimund1994")["R"].item() == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize(("index", "expected"), [(30, 395.6385), (54.9999999, 1212.0), (55, 95.77 - 6.081 * 55 + 0.477 * 55**2), (100, 4257.67)])
def test_both_branches_of_the_index(index, expected):  # Appendix A, R-14b; one wet month alone has F = p
    rain = monthly([0] * 6 + [index] + [0] * 5)
    assert r_factor(rain, method="renard_freimund1994_fournier")["R"].item() == pytest.approx(expected, rel=5e-5)


def test_daily_rain_is_summed_to_its_months():
    days = pd.date_range("2021-01-01", "2022-12-31")
    length = days.days_in_month.to_numpy()
    daily = pd.Series([MONTHS[month - 1] for month in days.month] / length, index=days)
    for method in ("zhang_fu2003", "renard_freimund1994", "zhang_fu2003_annual"):
        expected = r_factor(monthly(MONTHS, MONTHS), method=method)["R"].item()
        assert r_factor(daily, method=method)["R"].item() == pytest.approx(expected, rel=1e-12)
    daily["2022-03-03":"2022-03-04"] = np.nan  # two days of 31: 6.5 %
    gappy = r_factor(daily, method="zhang_fu2003")
    assert (gappy["years_used"].item(), gappy["years_left_out"].item()) == (1, 1)
    assert gappy["R"].attrs["left_out_years"] == [2022]
    assert gappy["R"].item() == pytest.approx(1133.1747, rel=1e-6)
    assert r_factor(daily, method="renard_freimund1994")["years_used"].item() == 2  # two days of a year: 0.5 %


def test_a_year_that_lacks_a_month_does_not_count():
    rain = monthly(DRY, MONTHS, MONTHS[:7])
    rain.iloc[3] = np.nan
    result = r_factor(rain.drop(rain.index[5]), method="zhang_fu2003")
    assert result["R"].item() == pytest.approx(1133.1747, rel=1e-6)
    assert result["R"].attrs["left_out_years"] == [2021, 2023]
    with pytest.raises(InputError, match="no year of the rain record is complete"):
        r_factor(rain.iloc[:12], method="zhang_fu2003")


def test_a_mean_year_and_a_mean_total():
    months = pd.Series(MONTHS[::-1], index=range(12, 0, -1))
    assert r_factor(months, method="renard_freimund1994_fournier")["R"].item() == pytest.approx(2617.97, rel=5e-6)
    grid = xr.DataArray(np.multiply.outer(np.asarray(MONTHS, float), [[1.0, np.nan], [2.0, 3.0]]), dims=("month", "y", "x"))
    r = r_factor(grid, method="renard_freimund1994")["R"]
    np.testing.assert_allclose(
        r, [[955.099, np.nan], [587.8 - 1.219 * 932 + 0.004105 * 932**2, 587.8 - 1.219 * 1398 + 0.004105 * 1398**2]], rtol=1e-6
    )
    total = r_factor(grid.sum("month", skipna=False), method="renard_freimund1994")["R"]
    np.testing.assert_allclose(total, r, rtol=1e-12)
    inches = r_factor(grid.sum("month", skipna=False) / 25.4, method="renard_freimund1994", units="in")["R"]
    np.testing.assert_allclose(inches, r, rtol=1e-12)


def test_a_stack_of_months_is_lazy_and_the_same_on_every_tiling():
    random = np.random.default_rng(2)
    values = random.gamma(1.0, 40, (36, 4, 5)).astype("float32")
    values[3, 0, 0] = values[20, 1, 1] = np.nan
    rain = xr.DataArray(
        values, dims=("time", "y", "x"), coords={"time": pd.date_range("2001-01-01", periods=36, freq="MS")}, attrs={"units": "mm/month"}
    )
    kept = rain.copy(deep=True)
    for method in ("zhang_fu2003", "renard_freimund1994_fournier"):
        eager = r_factor(rain, method=method)
        with dask.config.set(scheduler=lambda *_, **__: pytest.fail("computed while the graph was built")):
            lazies = [r_factor(rain.chunk(chunks), method=method) for chunks in ({"y": 1, "x": 1}, {"y": 3, "time": 7}, {"x": 2})]
        for lazy in lazies:
            for name in eager.data_vars:
                assert lazy[name].dtype == eager[name].dtype
                assert lazy[name].transpose(*eager[name].dims).values.tobytes() == eager[name].values.tobytes()
        assert eager["years_used"].values[:2, :2].tolist() == [[2, 3], [3, 2]]
    assert rain.identical(kept)


@pytest.mark.parametrize(
    ("rain", "options", "message"),
    [
        (monthly(MONTHS), {"method": "wischmeier_monthly"}, "coefficient_units is None; state in which unit wischmeier_monthly gives R"),
        (monthly(MONTHS), {"method": "wischmeier_monthly", "coefficient_units": "mm"}, "coefficient_units is 'mm'"),
        (monthly(MONTHS), {"method": "zhang_fu2003", "units": "furlong"}, "'furlong'"),
        (monthly(MONTHS), {"method": "xie2016"}, "a value every 31 days; expected daily rain"),
        (yearly(500, 600), {"method": "zhang_fu2003"}, "needs rain by month or by day; this record has one value a year"),
        (pd.Series(MONTHS, index=range(1, 13)), {"method": "zhang_fu2003"}, "needs the rain of each year"),
        (xr.DataArray(np.ones((2, 2)), dims=("y", "x")), {"method": "zhang_fu2003_monthly"}, "needs rain by month"),
        (xr.DataArray(np.ones((4, 2)), dims=("month", "x")), {"method": "zhang_fu2003_monthly"}, "not 1 to 12"),
        (monthly(MONTHS).resample("7D").ffill(), {"method": "zhang_fu2003"}, "a value every 7 days"),
        (pd.concat([monthly(MONTHS), monthly((9,)).shift(9, freq="D")]), {"method": "zhang_fu2003"}, "two values in the month of 2021-01-10"),
        (monthly(MONTHS).replace(22, -99), {"method": "zhang_fu2003"}, r"monthly_rain .* is -99; expected 0 to 10000"),
        (monthly(MONTHS), {"method": "zhang_fu2003", "energy": "brown_foster1987"}, "does not use energy"),
    ],
)
def test_what_does_not_fit_is_refused(rain, options, message):
    with pytest.raises(InputError, match=message):
        r_factor(rain, **options)


def test_methods_from_memory_say_so():
    unchecked = {name for name, info in METHODS.items() if info.status == "unchecked"}
    assert unchecked == {"zhang_fu2003_monthly", "zhang_fu2003_annual", "zhang_fu2003_yearly", "wischmeier_monthly"}
