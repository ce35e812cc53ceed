"""Half-months from dated NDVI: gaps, flags, composites and smoothing against a slow reading of their definitions."""

import datetime as dt

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import savgol_filter

from rusle_engine.core.errors import GridMismatchError, InputError
from rusle_engine.factors.ndvi_series import good_share, half_month_ndvi

MOD13 = np.array([np.datetime64("2023-01-01") + np.timedelta64(16 * k, "D") for k in range(23)])


def stack(values, dates=MOD13, **coords):
    return xr.DataArray(np.asarray(values), dims=("time", "y", "x"), coords={"time": dates, **coords}, attrs={"units": "1"})


def one_cell(values, dates=MOD13):
    return stack(np.asarray(values, np.float64)[:, None, None], dates)


def by_hand(series, dates, composite_days, smoothing=None):
    """One cell and one year, day by day, from the definitions."""
    day = [(d - np.datetime64("2023-01-01")).astype("timedelta64[D]").astype(int) for d in dates]
    middle = [d + (composite_days - 1) / 2 for d in day]
    valid = [k for k, value in enumerate(series) if value == value]
    filled = np.interp(middle, [middle[k] for k in valid], [series[k] for k in valid])
    if smoothing:
        filled = savgol_filter(filled, *smoothing)
    half_months = [[] for _ in range(24)]
    for offset in range(365):
        date = dt.date(2023, 1, 1) + dt.timedelta(days=offset)
        holding = [filled[k] for k, d in enumerate(day) if d <= offset < d + composite_days]
        value = sum(holding) / len(holding) if holding else np.interp(offset, middle, filled)
        half_months[2 * (date.month - 1) + (date.day > 15)].append(value)
    return [sum(values) / len(values) for values in half_months]


def test_sixteen_days_become_half_months_by_days_of_overlap():
    """1 to 15 January lies in the first composite; 16 to 31 January: 1 day in the first, 15 days in the second (17 January on)."""
    values = np.linspace(0.1, 0.32, 23)
    found = half_month_ndvi(one_cell(values))
    assert found.sizes["half_month"] == 24
    assert found.values[0, 0, 0] == pytest.approx(0.1, abs=1e-15)
    assert found.values[1, 0, 0] == pytest.approx((1 * 0.1 + 15 * 0.11) / 16, abs=1e-15)
    # December 16 to 31: 3 days in the composite from 3 December, 13 in the one from 19 December
    assert found.values[23, 0, 0] == pytest.approx((3 * 0.31 + 13 * 0.32) / 16, abs=1e-15)
    assert found["half_month"].values.tolist() == list(range(1, 25))
    assert set(found["year"].values.tolist()) == {2023}


@pytest.mark.parametrize("composite_days", [1, 8, 16])
@pytest.mark.parametrize("smoothing", [None, (5, 2)])
def test_gaps_days_and_smoothing_as_defined(composite_days, smoothing):
    random = np.random.default_rng(composite_days)
    values = random.uniform(0.1, 0.8, (23, 2, 11))
    values[random.random(values.shape) < 0.4] = np.nan
    values[11] = 0.5  # every cell has a date
    options = {} if smoothing is None else {"smoothing_window": smoothing[0], "smoothing_order": smoothing[1]}
    found = half_month_ndvi(stack(values), composite_days=composite_days, **options)
    expected = [[by_hand(values[:, i, j], MOD13, composite_days, smoothing) for j in range(11)] for i in range(2)]
    np.testing.assert_allclose(found.values, np.clip(np.moveaxis(expected, -1, 0), -1, 1), rtol=0, atol=1e-13)


def test_flags_make_gaps():
    values, flags = np.full(23, 0.5), np.zeros(23)
    values[[4, 5]], flags[[4, 5]] = -0.3, [2, 3]  # snow and cloud
    flags[0] = -1
    flags[7] = 1  # marginal counts
    quality = one_cell(flags)
    np.testing.assert_allclose(half_month_ndvi(one_cell(values), quality=quality).values, 0.5, rtol=0, atol=1e-15)
    assert half_month_ndvi(one_cell(values), quality=quality, good_quality=(0, 1, 2)).values.min() < 0.2
    assert good_share(one_cell(values), quality=quality).item() == pytest.approx(20 / 23)


def test_gaps_longer_than_stated_stay_open_and_a_cell_without_a_date_has_no_value():
    values = np.full((23, 1, 3), 0.5)
    values[5:8, 0, 0] = np.nan  # 64 days from good date to good date
    values[:, 0, 1] = np.nan
    values[20:, 0, 2] = np.nan  # 48 days to the series' end
    closed, open_ = (half_month_ndvi(stack(values), max_gap_days=days).values for days in (64, 63))
    assert not np.isnan(closed[:, 0, 0]).any()
    # days 80 to 127 are open, of all half-months that hold one of them: the second of March to the first of May
    assert np.flatnonzero(np.isnan(open_[:, 0, 0])).tolist() == [5, 6, 7, 8]
    assert np.isnan(closed[:, 0, 1]).all()
    assert not np.isnan(half_month_ndvi(stack(values), max_gap_days=48).values[:, 0, 2]).any()
    assert np.isnan(half_month_ndvi(stack(values), max_gap_days=47).values[22:, 0, 2]).all()


def test_smoothing_cannot_leave_the_range_of_ndvi():
    values = np.ones(23)
    values[10] = -1.0
    found = half_month_ndvi(one_cell(values), smoothing_window=5, smoothing_order=2).values
    assert found.max() == 1.0  # the polynomial itself overshoots beside the dip


def test_years_that_are_covered_come_out_and_the_others_do_not():
    dates = np.array(
        [np.datetime64(f"{year}-01-01") + np.timedelta64(16 * k, "D") for year in (2021, 2022) for k in range(23)] + [np.datetime64("2023-01-01")]
    )
    values = np.where(dates < np.datetime64("2022-01-01"), 0.2, 0.6)
    found = half_month_ndvi(one_cell(values, dates))
    assert found["year"].values.tolist() == [2021] * 24 + [2022] * 24
    np.testing.assert_allclose(found.values[:24, 0, 0], 0.2, atol=1e-15)
    # the composite of 19 December 2021 reaches to 3 January: those days are the mean of two composites
    assert found.values[24, 0, 0] == pytest.approx((3 * 0.4 + 12 * 0.6) / 15, abs=1e-15)


def test_dates_out_of_order_are_put_in_order():
    values = np.random.default_rng(1).uniform(0, 1, 23)
    order = np.random.default_rng(2).permutation(23)
    np.testing.assert_array_equal(half_month_ndvi(one_cell(values[order], MOD13[order])).values, half_month_ndvi(one_cell(values)).values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ndvi": one_cell(np.full(5, 0.5), MOD13[:5])}, "covers no calendar year"),
        ({"ndvi": one_cell(np.full(23, 5000.0))}, "ndvi .* is 5000; expected -1 to 1"),
        ({"ndvi": one_cell(np.full(23, 0.5), np.concatenate([MOD13[:22], MOD13[:1]]))}, "holds the day 2023-01-01 twice"),
        ({"ndvi": xr.DataArray(np.full((23, 1, 1), 0.5), dims=("time", "y", "x"))}, "expected .time, y, x. with dates"),
        ({"quality": one_cell(np.zeros(22), MOD13[:22])}, "quality has 22 dates and ndvi 23"),
        ({"smoothing_window": 4}, "expected an odd window"),
        ({"smoothing_window": 3, "smoothing_order": 3}, "greater than the order"),
        ({"smoothing_window": 25}, "no longer than the series"),
        ({"composite_days": 0}, "composite_days is 0"),
        ({"max_gap_days": 0}, "max_gap_days is 0"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        half_month_ndvi(**{"ndvi": one_cell(np.full(23, 0.5)), **change})


def test_uneven_dates_are_not_smoothed():
    dates = np.delete(MOD13, [5, 6])
    with pytest.raises(InputError, match="16 to 48 days apart"):
        half_month_ndvi(one_cell(np.full(21, 0.5), dates), smoothing_window=5)


def test_flags_on_another_grid_are_refused():
    place = {"y": [3e6, 3e6 - 30], "x": [5e5, 5e5 + 30]}
    ndvi = stack(np.full((23, 2, 2), 0.5), **place)
    with pytest.raises(GridMismatchError, match="ndvi and quality lie on different grids"):
        half_month_ndvi(ndvi, quality=ndvi.assign_coords(x=ndvi["x"] + 9.0))


def refuse_to_compute(*_args, **_kwargs):
    raise AssertionError("computed while the graph was built")


@given(
    rows=st.integers(1, 7),
    columns=st.integers(1, 300),
    tile=st.tuples(st.integers(1, 23), st.integers(1, 7), st.integers(1, 300)),
    dtype=st.sampled_from([np.float32, np.float64]),
)
@settings(max_examples=15, deadline=None)
def test_lazy_equals_eager_on_any_tiling(rows, columns, tile, dtype):
    random = np.random.default_rng(rows * 13 + columns)
    values = random.uniform(-0.2, 0.9, (23, rows, columns)).astype(dtype)
    values[random.random(values.shape) < 0.3] = np.nan
    ndvi, quality = stack(values), stack(random.integers(-1, 4, values.shape).astype(np.int8))
    before = ndvi.copy(deep=True)
    chunks = dict(zip(("time", "y", "x"), tile))
    eager = half_month_ndvi(ndvi, quality=quality, smoothing_window=5)
    with dask.config.set(scheduler=refuse_to_compute):
        lazy = half_month_ndvi(ndvi.chunk(chunks), quality=quality.chunk(chunks), smoothing_window=5)
    assert dask.is_dask_collection(lazy)
    assert lazy.dims == eager.dims == ("half_month", "y", "x")
    assert lazy.dtype == eager.dtype == lazy.compute().dtype == dtype
    assert lazy.values.tobytes() == eager.values.tobytes()
    assert ndvi.identical(before)
