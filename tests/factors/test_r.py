"""R against the formula book's numbers, arithmetic by hand and a slow plain-Python reading of the rules."""

import datetime
import logging
import math

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import InputError
from rusle_engine.factors.r import half_month, r_factor

SHANXI = {"method": "zhang2003", "pd12_mm": 24.80, "py12_mm": 305.08}
STORMS = (15.2, 8.0, 33.4, 12.0, 11.9)


def record(first="2021-01-01", last="2021-12-31", **storms):
    """Dry days but for storms, given as ``m07_16=20.0`` in every year of the record."""
    rain = pd.Series(0.0, index=pd.date_range(first, last))
    for day, depth in storms.items():
        month, number = int(day[1:3]), int(day[4:6])
        rain[(rain.index.month == month) & (rain.index.day == number)] = depth
    return rain


def in_half_month(month, depths=STORMS):
    return record(**{f"m{month:02d}_{day:02d}": depth for day, depth in enumerate(depths, start=1)})


@pytest.mark.parametrize(
    ("day", "number"),
    [("2021-01-01", 1), ("2021-07-15", 13), ("2021-07-16", 14), ("2021-07-31", 14), ("2020-02-29", 4), ("2021-12-31", 24)],
)
def test_half_months_are_numbered_as_the_book_says(day, number):
    assert half_month(pd.DatetimeIndex([day])).tolist() == [number]


@pytest.mark.parametrize(
    ("month", "options", "expected"),
    [
        (7, {}, 268.50002),  # Appendix A, R-8
        (1, {}, 211.48554),
        (7, {"threshold_mm": 10.0}, 268.50002),
        (7, {"threshold_mm": 12.0}, 240.1798),
        (7, SHANXI, 281.44675),  # Appendix A, R-7
    ],
)
def test_a_half_month_of_storms(month, options, expected):
    result = r_factor(in_half_month(month), **options)
    assert result["R"].item() == pytest.approx(expected, rel=1e-6)
    share = result["wr"].sel(half_month=2 * month - 1).item()
    assert share == pytest.approx(1.0, abs=1e-15)
    assert result["wr"].sum().item() == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize(("month", "expected"), [(1, 105.68203), (7, 355.00684)])  # Appendix A, R-9
def test_the_sinusoid_of_xie2016(month, expected):
    result = r_factor(in_half_month(month, (50.0, 9.6)), method="xie2016_sinusoid")
    assert result["R"].item() == pytest.approx(expected, rel=1e-7)


def test_the_sinusoid_month_by_month():
    alpha = [0.12323, 0.14271, 0.19592, 0.26860, 0.34128, 0.39449, 0.41397, 0.39449, 0.34128, 0.26860, 0.19592, 0.14271]
    rain = record(**{f"m{month:02d}_20": 10.0 for month in range(1, 13)})
    shares = r_factor(rain, method="xie2016_sinusoid")["wr"].sel(half_month=slice(2, None, 2))
    np.testing.assert_allclose(shares, np.array(alpha) / sum(alpha), atol=1e-5)


@pytest.mark.parametrize(("month", "coefficient"), [(4, 0.3101), (5, 0.3937), (9, 0.3937), (10, 0.3101)])
def test_the_warm_season_is_may_to_september(month, coefficient):
    assert r_factor(in_half_month(month, (50.0,)))["R"].item() == pytest.approx(coefficient * 50**1.7265, rel=1e-12)


def test_the_least_erosive_day_counts_also_from_a_float32_record():
    at, below = in_half_month(7, (9.7,)), in_half_month(7, (9.6,))
    expected = 0.3937 * 9.7**1.7265
    assert r_factor(at)["R"].item() == pytest.approx(expected, rel=1e-12)
    assert r_factor(at.astype("float32"))["R"].item() == pytest.approx(expected, rel=1e-6)
    assert r_factor(below)["R"].item() == 0.0


def test_without_erosive_rain_r_is_zero_and_shares_are_undefined():
    for method in ("xie2016", "zhang2003"):
        result = r_factor(record(m07_01=9.0), method=method)
        assert result["R"].item() == 0.0
        assert np.isnan(result["wr"]).all()


def test_the_power_comes_before_the_mean_over_years():
    rain = record("2020-01-01", "2021-12-31")
    rain["2020-07-01"], rain["2021-07-01"] = 100.0, 20.0
    right = 0.3937 * (100**1.7265 + 20**1.7265) / 2
    of_the_mean = 0.3937 * 60**1.7265
    assert r_factor(rain)["R"].item() == pytest.approx(right, rel=1e-12)
    assert abs(right - of_the_mean) > 100


def test_zhang2003_takes_its_two_means_from_the_years_that_count():
    rain = record("2020-01-01", "2022-12-31")
    rain["2020-07-01"], rain["2020-07-02"], rain["2021-08-01"], rain["2021-08-02"] = 30.0, 12.0, 60.0, 11.9
    rain["2022-07-01"] = 500.0
    rain["2022-09-01":"2022-12-31"] = np.nan  # 122 days: this year does not count
    result = r_factor(rain, method="zhang2003")
    pd12, py12 = (30 + 12 + 60) / 3, (30 + 12 + 60) / 2
    beta = 0.8363 + 18.144 / pd12 + 24.455 / py12
    alpha = 21.586 * beta**-7.1891
    assert result["pd12"].item() == pytest.approx(pd12, rel=1e-14)
    assert result["py12"].item() == pytest.approx(py12, rel=1e-14)
    assert result["R"].item() == pytest.approx(alpha * (30**beta + 12**beta + 60**beta) / 2, rel=1e-12)


def test_a_half_month_with_a_gap_is_left_out_and_never_counted_as_dry():
    rain = record("2020-01-01", "2021-12-31", m07_20=50.0)
    rain["2021-07-20"] = np.nan  # one day of sixteen: 6.25 %
    result = r_factor(rain)
    assert result["R"].item() == pytest.approx(0.3937 * 50**1.7265, rel=1e-12)  # the mean over 2020 alone
    assert result["half_months_left_out"].item() == 1
    assert result["days_missing"].item() == 1
    assert result["R"].attrs["left_out_half_months"] == ["2021-07-16"]
    lenient = r_factor(rain, max_missing_pct=6.25)  # what is allowed is inclusive
    assert lenient["R"].item() == pytest.approx(0.3937 * 50**1.7265 / 2, rel=1e-12)


def test_an_absent_day_and_a_nan_are_the_same_gap():
    rain = record("2020-01-01", "2021-12-31", m07_20=50.0, m08_03=30.0)
    rain["2021-07-20"] = np.nan
    xr.testing.assert_identical(r_factor(rain), r_factor(rain.dropna()))


def test_a_year_full_of_gaps_is_left_out_whole():
    rain = record("2020-01-01", "2021-12-31", m07_20=50.0)
    rain["2021-07-20"] = 100.0
    rain["2021-01-01":"2021-01-20"] = np.nan  # 20 of 365 days: 5.5 %, in January alone
    result = r_factor(rain)
    assert result["R"].item() == pytest.approx(0.3937 * 50**1.7265, rel=1e-12)
    assert result["R"].attrs["left_out_years"] == [2021]
    assert (result["years_used"].item(), result["years_left_out"].item()) == (1, 1)


def test_half_months_missing_in_different_years_are_averaged_each_over_its_own_years():
    rain = record("2018-01-01", "2020-12-31", m06_05=20.0, m08_20=50.0)
    rain["2018-06-03"] = np.nan
    rain["2019-08-31"] = np.nan
    rain["2020-06-05"] = 100.0
    june = 0.3937 * (20**1.7265 + 100**1.7265) / 2
    august = 0.3937 * 50**1.7265
    result = r_factor(rain)
    assert result["R"].item() == pytest.approx(june + august, rel=1e-12)
    assert result["wr"].sel(half_month=11).item() == pytest.approx(june / (june + august), rel=1e-12)


def test_a_record_of_part_of_a_year_is_no_annual_r():
    with pytest.raises(InputError, match=r"no calendar year of the rain record lacks at most 5 % of its days \(2021: 212 days missing\)"):
        r_factor(record("2021-05-01", "2021-09-30", m07_20=50.0))


def test_a_half_month_that_no_year_has_is_an_error_not_a_zero():
    rain = record("2020-01-01", "2021-12-31", m07_20=50.0)
    rain["2020-07-18"] = rain["2021-07-30"] = np.nan
    with pytest.raises(InputError, match=r"half-months \[14\]"):
        r_factor(rain)


def plain_r(rain: pd.Series, max_missing_pct: float) -> float:
    """The rules of xie2016, said slowly."""
    sums, missing = {}, {}
    day = datetime.date(rain.index[0].year, 1, 1)
    while day.year <= rain.index[-1].year:
        key = (day.year, (day.month - 1) * 2 + (day.day > 15))
        depth = rain.get(pd.Timestamp(day), math.nan)
        sums.setdefault(key, 0.0)
        lacking, length = missing.get(key, (0, 0))
        missing[key] = (lacking + math.isnan(depth), length + 1)
        if depth >= 9.7:
            sums[key] += (0.3937 if 5 <= day.month <= 9 else 0.3101) * depth**1.7265
        day += datetime.timedelta(days=1)
    years = {year for year, _ in sums}
    short = {y for y in years if 100 * sum(missing[y, h][0] for h in range(24)) > max_missing_pct * sum(missing[y, h][1] for h in range(24))}
    total = 0.0
    for h in range(24):
        good = [sums[y, h] for y in years - short if 100 * missing[y, h][0] <= max_missing_pct * missing[y, h][1]]
        total += sum(good) / len(good)
    return total


@pytest.mark.parametrize("max_missing_pct", [0.0, 5.0, 12.0])
def test_a_long_gappy_record_against_the_rules_said_slowly(max_missing_pct):
    random = np.random.default_rng(7)
    days = pd.date_range("1998-03-10", "2012-10-20")
    rain = pd.Series(np.where(random.random(len(days)) < 0.25, random.gamma(0.7, 14, len(days)).round(1), 0.0), index=days)
    rain[random.random(len(days)) < 0.004 * (1 + days.year % 5)] = np.nan
    if max_missing_pct == 0.0:
        rain["2001-01-01":"2002-12-31"] = rain["2001-01-01":"2002-12-31"].fillna(12.3)
    result = r_factor(rain.sample(frac=1, random_state=1), max_missing_pct=max_missing_pct)
    assert result["R"].item() == pytest.approx(plain_r(rain, max_missing_pct), rel=1e-12)
    assert result["days_missing"].item() == rain.isna().sum() + 68 + 72  # before 10 March 1998, after 20 October 2012


@pytest.mark.parametrize("units", ["mm", "mm/day", "mm d-1"])
def test_units_of_daily_depth_are_one(units):
    assert r_factor(record(m07_20=50.0), units=units)["R"].item() == pytest.approx(0.3937 * 50**1.7265, rel=1e-12)


def test_tenths_of_a_millimetre_and_rates_are_converted_and_other_units_refused():
    assert r_factor(record(m07_20=500.0), units="0.1 mm")["R"].item() == pytest.approx(0.3937 * 50**1.7265, rel=1e-12)
    assert r_factor(record(m07_20=50 / 86400), units="kg m-2 s-1")["R"].item() == pytest.approx(0.3937 * 50**1.7265, rel=1e-12)
    with pytest.raises(InputError, match="'furlong'"):
        r_factor(record(), units="furlong")


def test_inches_are_converted_by_name():
    assert r_factor(record(m07_20=2.0), units="inch")["R"].item() == pytest.approx(0.3937 * 50.8**1.7265, rel=1e-12)


def twice(rain):
    return pd.concat([rain, rain.iloc[:1]])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (twice, "2021-01-01 more than once"),
        (lambda rain: rain.where(rain.index != "2021-03-05", -0.1), r"rain .* is -0.1; expected 0 to 2000 \[mm\]"),
        (lambda rain: rain.where(rain.index != "2021-03-05", 32766.0), r"rain .* is 32766; expected 0 to 2000"),
        (lambda rain: rain.set_axis(rain.index + pd.Timedelta("6h")).resample("12h").ffill(), "several values on 2021-01-01"),
        (lambda rain: rain.resample("MS").sum(), "a value every 31 days; expected daily rain"),
        (lambda rain: rain.reset_index(drop=True), "indexed by int64; expected dates"),
        (lambda rain: rain.astype(str).replace("0.0", "T"), "not numbers"),
        (lambda rain: rain.iloc[:0], "empty"),
        (lambda rain: rain.to_numpy(), "rain is a ndarray; expected a Series"),
        (lambda rain: xr.DataArray(rain.to_numpy(), dims="day"), "expected one named 'time' with dates"),
    ],
)
def test_a_record_that_cannot_be_right_is_refused(spoil, message):
    with pytest.raises(InputError, match=message):
        r_factor(spoil(record(m07_20=50.0)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pd12_mm": 24.8}, "go together"),
        ({"pd12_mm": 24.8, "py12_mm": 305.0}, "xie2016 does not use pd12_mm, py12_mm"),
        ({"max_missing_pct": 100.0}, "less than 100"),
        ({"threshold_mm": -1.0}, "threshold_mm is -1; expected 0 or more"),
        ({"energy": "brown_foster1987", "gap_h": 4.0}, "xie2016 does not use energy, gap_h"),
        ({"record": "cumulative"}, "xie2016 does not use record"),
        ({"coefficient_units": "US R"}, "xie2016 does not use coefficient_units"),
        ({"method": "ei30", "threshold_mm": 10.0}, "ei30 does not use threshold_mm"),
        ({"method": "ei30"}, "a value every 1440 minutes; storms need steps of 1 to 60 minutes"),
        ({"method": "ei31"}, "no method 'ei31'; expected one of xie2016, "),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        r_factor(record(), **options)


def test_a_short_record_is_named_as_such(caplog):
    with caplog.at_level(logging.WARNING, "rusle_engine"):
        r_factor(record(m07_20=50.0))
    assert "R rests on 1 years of rain" in caplog.text


def grid(rows, columns, seed=3, days=731):
    random = np.random.default_rng(seed)
    values = np.where(random.random((days, rows, columns)) < 0.2, random.gamma(0.7, 15, (days, rows, columns)), 0.0).astype("float32")
    values[random.random(values.shape) < 0.0005] = np.nan
    values[:, 0, 0] = np.nan
    coords = {"time": pd.date_range("2020-01-01", periods=days), "y": -np.arange(rows) * 30.0, "x": np.arange(columns) * 30.0}
    return xr.DataArray(values, dims=("time", "y", "x"), coords=coords, attrs={"units": "mm/day"})


@pytest.mark.parametrize("method", ["xie2016", "xie2016_sinusoid", "zhang2003", "zhang_fu2003", "renard_freimund1994", "wischmeier_monthly"])
@given(rows=st.integers(1, 5), columns=st.integers(1, 5), tile=st.tuples(st.integers(50, 400), st.integers(1, 5), st.integers(1, 5)))
@settings(max_examples=10, deadline=None)
def test_lazy_equals_eager_on_any_tiling(method, rows, columns, tile):
    rain = grid(rows, columns)
    options = {"coefficient_units": "US R"} if method == "wischmeier_monthly" else {}
    eager = r_factor(rain, method=method, **options)
    lazy = r_factor(rain.chunk(dict(zip(("time", "y", "x"), tile))), method=method, **options)
    computed = lazy.compute()
    for name in eager.data_vars:
        assert dask.is_dask_collection(lazy[name])
        assert lazy[name].dims == eager[name].dims
        assert lazy[name].dtype == eager[name].dtype == computed[name].dtype
        assert computed[name].values.tobytes() == eager[name].values.tobytes()


def refuse_to_compute(*_args, **_kwargs):
    raise AssertionError("computed while the graph was built")


def test_a_grid_is_lazy_until_it_is_asked_for():
    with dask.config.set(scheduler=refuse_to_compute):
        result = r_factor(grid(4, 4).chunk({"y": 2}))
    assert result["R"].dims == ("y", "x")
    assert result["wr"].dims == ("half_month", "y", "x")


def test_each_cell_of_a_grid_is_its_own_station():
    rain = grid(3, 3)
    rain[{"y": 1, "x": 1}] = 0.0
    result = r_factor(rain)
    assert np.isnan(result["R"][0, 0])
    assert result["years_used"][0, 0] == 0
    assert result["R"][1, 1] == 0.0
    series = rain[:, 2, 1].to_series().astype(np.float64)
    assert result["R"][2, 1].item() == r_factor(series)["R"].item()


def test_a_bad_value_in_a_lazy_grid_is_named_when_it_is_read():
    rain = grid(4, 4)
    rain[100, 3, 3] = -9999.0
    lazy = r_factor(rain.chunk({"y": 2}))
    with pytest.raises(InputError, match=r"rain .* is -9999; expected 0 to 2000 .* nodata code"):
        lazy["R"].compute()


def test_the_caller_s_records_are_not_touched():
    rain, gridded = record(m07_20=50.0).sample(frac=1, random_state=2), grid(2, 2)
    series, array = rain.copy(deep=True), gridded.copy(deep=True)
    r_factor(rain)
    r_factor(gridded)
    pd.testing.assert_series_equal(rain, series)
    assert gridded.identical(array)


def test_what_r_says_about_itself():
    attrs = r_factor(record(m07_20=50.0))["R"].attrs
    assert attrs["units"] == "MJ mm ha-1 h-1 yr-1"
    assert {k: attrs[k] for k in ("method", "threshold_mm", "max_missing_pct", "formula")} == {
        "method": "xie2016",
        "threshold_mm": 9.7,
        "max_missing_pct": 5.0,
        "formula": "R-8",
    }
