"""Rain over long times in stretches: the same bits as the whole series, however time and space are cut."""

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core import lift, time_folds
from rusle_engine.factors import storm_fold
from rusle_engine.factors.daily_erosivity import DailyFold
from rusle_engine.factors.r import r_factor
from rusle_engine.factors.rain_intervals import timeline
from rusle_engine.factors.storm_fold import StormFold, StormModel
from rusle_engine.factors.storms import StormRules


def grid_of_days():
    """Three and a half years over 3 x 2 cells, with gaps; a year is missing altogether at one cell, and all of 2022 from the calendar."""
    random = np.random.default_rng(7)
    days = pd.date_range("2020-01-01", "2021-12-31").append(pd.date_range("2023-01-01", "2024-12-31"))
    values = np.where(random.random((len(days), 3, 2)) < 0.3, random.gamma(0.8, 15, (len(days), 3, 2)), 0.0)
    values[random.random(values.shape) < 0.002] = np.nan
    values[:366, 0, 1] = np.nan
    coordinates = {"time": days, "y": [3.0, 2.0, 1.0], "x": [1.0, 2.0]}
    return xr.DataArray(values.astype(np.float32), dims=("time", "y", "x"), coords=coordinates, attrs={"units": "mm"})


METHODS = ("xie2016", "xie2016_sinusoid", "zhang2003", "zhang_fu2003", "renard_freimund1994", "wischmeier_monthly")


def by(method, rain):
    options = {"coefficient_units": "US R"} if method == "wischmeier_monthly" else {}
    return r_factor(rain, method=method, max_missing_pct=7.0, **options)


@pytest.fixture(scope="module")
def days():
    return grid_of_days()


@pytest.fixture(scope="module")
def whole(days):
    return {method: by(method, days) for method in METHODS}


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(METHODS), st.integers(60, 800), st.integers(100, 1500), st.integers(1, 3), st.integers(1, 2))
def test_the_bits_do_not_depend_on_how_time_and_space_are_cut(days, whole, method, times, at_once, rows, columns):
    lazy = days.chunk({"time": times, "y": rows, "x": columns})
    with dask.config.set(scheduler="threads"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(time_folds, "_BYTES_AT_ONCE", 8 * at_once)
        streamed = by(method, lazy).compute()
    xr.testing.assert_identical(streamed, whole[method])
    assert np.isfinite(whole[method]["R"].values).any()


@pytest.mark.parametrize("at_once", [1, 4, 5])
def test_the_bits_do_not_depend_on_how_many_series_are_in_near_memory(days, whole, at_once, monkeypatch):
    monkeypatch.setattr(lift, "_NEAR_MEMORY_BYTES", 8 * days.sizes["time"] * at_once)
    for method in ("xie2016", "zhang2003", "zhang_fu2003"):
        xr.testing.assert_identical(by(method, days), whole[method])


def test_nothing_is_computed_before_it_is_asked_for(days):
    def never(_block):
        raise AssertionError("computed")

    lazy = days.chunk({"time": 100}).map_blocks(never, template=days.chunk({"time": 100}))
    result = r_factor(lazy)
    assert result["R"].dtype == np.float64
    assert dict(result["wr"].sizes) == {"half_month": 24, "y": 3, "x": 2}


def test_no_more_than_a_stretch_is_held_at_once(days, monkeypatch):
    monkeypatch.setattr(time_folds, "_BYTES_AT_ONCE", 8 * 2 * 50)
    held, most = [0], [0]

    def load(block):
        held[0] += 1
        most[0] = max(most[0], held[0])
        return block

    def free(fold_take):
        def take(self, state, tile, first, turn):
            held[0] = 0
            return fold_take(self, state, tile, first, turn)

        return take

    monkeypatch.setattr(DailyFold, "take", free(DailyFold.take))
    chunked = days.chunk({"time": 50, "y": 1})
    with dask.config.set(scheduler="threads", num_workers=1):
        r_factor(chunked.map_blocks(load, template=chunked))["R"].compute()
    assert most[0] == 1


def grid_of_minutes():
    """Sixteen months by 20 minutes over 2 x 2 cells, often with drizzle, with gaps, absent steps and a cell without any value."""
    random = np.random.default_rng(11)
    times = pd.date_range("2020-11-01", "2022-02-28 23:40", freq="20min")
    times = times[(times < "2021-03-05 07:00") | (times > "2021-03-09 11:00")]
    wet = np.repeat(random.random((len(times) // 40 + 1, 2, 2)) < 0.2, 40, axis=0)[: len(times)]
    values = np.where(wet & (random.random(wet.shape) < 0.6), random.gamma(0.4, 2.5, wet.shape), 0.0)
    values[random.random(values.shape) < 0.001] = np.nan
    values[3000:3400, 0, 1] = np.nan
    values[:, 1, 1] = np.nan
    coordinates = {"time": times, "y": [2.0, 1.0], "x": [1.0, 2.0]}
    return xr.DataArray(values, dims=("time", "y", "x"), coords=coordinates, attrs={"units": "mm"})


@pytest.fixture(scope="module")
def minutes():
    rain = grid_of_minutes()
    options = {f"{gap:g}": {"method": "ei30", "max_missing_pct": 60.0, "gap_depth_mm": gap} for gap in (1.27, 0.0)}
    return rain, {name: (one, r_factor(rain, **one)) for name, one in options.items()}


def breakpoints(record):
    """Such rain between uneven times, nothing being known of the days without any."""
    depths = grid_of_minutes()
    pause = np.append(np.diff(depths["time"].values) > np.timedelta64(20, "m"), False)
    kept = (np.random.default_rng(12).random(len(pause)) < 0.8) | pause
    missing = np.isnan(depths.values) | pause[:, None, None]
    if record == "intensity":
        return depths.copy(data=np.where(missing, np.nan, 3.0 * depths))[kept].assign_attrs(units="mm h-1")
    return depths.copy(data=np.where(missing, np.nan, np.nancumsum(depths, axis=0)))[kept]


@pytest.fixture(scope="module", params=["cumulative", "intensity"])
def between_breakpoints(request):
    rain = breakpoints(request.param)
    options = {"method": "ei30", "max_missing_pct": 60.0, "record": request.param}
    return rain, options, r_factor(rain, **options)


@settings(max_examples=6, deadline=None)
@given(st.integers(200, 20_000), st.integers(1, 3000), st.integers(1, 3000), st.integers(1, 2))
def test_storms_between_breakpoints_are_the_same_however_time_is_cut(between_breakpoints, times, at_once, held, rows):
    rain, options, whole = between_breakpoints
    with dask.config.set(scheduler="threads"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(time_folds, "_BYTES_AT_ONCE", 8 * 4 * max(at_once, 20))
        patch.setattr(storm_fold, "_HELD_AT_MOST", held)
        streamed = r_factor(rain.chunk({"time": times, "y": rows}), **options).compute()
    xr.testing.assert_identical(streamed, whole)
    assert (whole["R"].values[0] > 0).all()
    assert np.isnan(whole["R"].values[1, 1])


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(["1.27", "0"]), st.integers(200, 20_000), st.integers(20, 3000), st.integers(1, 3000), st.integers(1, 2))
def test_storms_are_the_same_however_time_is_cut(minutes, gap, times, at_once, held, rows):
    rain, results = minutes
    options, whole = results[gap]
    with dask.config.set(scheduler="threads"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(time_folds, "_BYTES_AT_ONCE", 8 * at_once)
        patch.setattr(storm_fold, "_HELD_AT_MOST", held)
        streamed = r_factor(rain.chunk({"time": times, "y": rows}), **options).compute()
    xr.testing.assert_identical(streamed, whole)
    assert (whole["R"].values[0] > 0).all()
    assert np.isnan(whole["R"].values[1, 1])


def test_a_pass_over_storms_holds_rain_alone(monkeypatch):
    monkeypatch.setattr(storm_fold, "_HELD_AT_MOST", 100)
    rain = grid_of_minutes().transpose(..., "time").values.reshape(4, -1)
    line, _ = timeline(grid_of_minutes()[:, 0, 0], record="depth", stamp="start", step_min=None, absent_is_dry=False, units="mm")
    fold = StormFold(StormModel(line, line.calendar, StormRules(), 5.0, 1.0))
    state, most = fold.start(4), 0
    for first in range(0, rain.shape[1], 500):
        fold.take(state, np.ascontiguousarray(rain[:, first : first + 500]), first, 0)
        most = max(most, sum(len(tail.depth) for tail in state.tails) + sum(len(part[0]) for part in state.wet))
    fold.turn_over(state, 0)
    assert most < 0.1 * (rain > 0).sum()
    assert sum(len(tail.depth) for tail in state.tails) == 0


@pytest.mark.parametrize("record", ["cumulative", "intensity"])
def test_breakpoints_may_come_one_by_one(record):
    rain = breakpoints(record)[6200:6500, 0, 0]
    line, values = timeline(rain, record=record, stamp="start", step_min=None, absent_is_dry=False, units=None)
    model = StormModel(line, line.calendar, StormRules(min_depth_mm=1.0), 100.0, 1.0)
    series = values.values[None, :]
    fold = StormFold(model)
    state = fold.start(1)
    for first in range(series.shape[1]):
        fold.take(state, series[:, first : first + 1], first, 0)
    fold.turn_over(state, 0)
    whole = model.columns(series)
    np.testing.assert_array_equal(fold.finish(state), whole)
    assert whole[0, 0] > 0
