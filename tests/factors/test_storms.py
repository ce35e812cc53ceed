"""Storms against the formula book's numbers, arithmetic by hand and a slow plain-Python reading of the rules."""

import math

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import rusle_engine
from rusle_engine.core.errors import InputError
from rusle_engine.factors.r import r_factor
from rusle_engine.factors.storm_erosivity import erosivity_of_storms
from rusle_engine.factors.storms import ENERGIES, erosive_storms, storm_table
from rusle_kernels import storms as kernels

STORM_A = (1.1, 2.3, 3.2, 1.9, 4.1, 5.9, 2.5, 3.1, 2.9, 1.2, 0.5, 0.2)  # half-hour depths [mm], section 1.3
STORM_B = {0: 0.0, 20: 1.0, 27: 3.0, 30: 9.0, 44: 27.0, 57: 30.0, 60: 32.0, 70: 32.0, 80: 32.0}  # minute: rain until then [mm]
ALL = {"min_depth_mm": 0.0, "min_15min_mm": None}


def steps(depths, step_min=5, start="2021-07-01"):
    return pd.Series(np.asarray(depths, float), index=pd.date_range(start, periods=len(depths), freq=f"{step_min}min"))


def breakpoints(values, start="2021-07-01"):
    return pd.Series(values.values(), index=pd.Timestamp(start) + pd.to_timedelta(list(values), unit="min"), dtype=float)


@pytest.mark.parametrize(
    ("energy", "expected_energy", "expected_ei30"),
    [
        ("wischmeier_smith1978", 5.398772, 63.70551),
        ("brown_foster1987", 4.032562, 47.58423),
        ("mcgregor1995", 4.814451, 56.81052),
        ("mcgregor_mutchler1976", 4.971262, 58.66089),
        ("verstraeten2006", 5.672552, 66.93611),
    ],
)
def test_storm_a(energy, expected_energy, expected_ei30):
    (storm,) = erosive_storms(steps(STORM_A, 30), energy=energy).to_dict("records")
    assert storm["depth_mm"] == pytest.approx(28.9, rel=1e-12)
    assert storm["i30_mm_h"] == pytest.approx(11.8, rel=1e-12)
    assert storm["energy_mj_ha"] == pytest.approx(expected_energy, abs=5e-7)
    assert storm["ei30"] == pytest.approx(expected_ei30, abs=5e-6)
    assert (storm["start"], storm["end"]) == (pd.Timestamp("2021-07-01"), pd.Timestamp("2021-07-01 06:00"))


@pytest.mark.parametrize(
    ("energy", "expected_energy", "expected_ei30"),
    [
        ("wischmeier_smith1978", 8.57976, 469.907),
        ("brown_foster1987", 8.47057, 463.927),
        ("mcgregor1995", 8.79057, 481.453),
        ("mcgregor_mutchler1976", 8.50775, 465.963),
        ("verstraeten2006", 12.78643, 700.303),
    ],
)
def test_storm_b_from_breakpoints(energy, expected_energy, expected_ei30):
    (storm,) = erosive_storms(breakpoints(STORM_B), energy=energy, record="cumulative").to_dict("records")
    assert storm["i30_mm_h"] == pytest.approx(2 * 27.384615384615385, rel=1e-9)  # from minute 20 to 50, not the textbook's 54
    assert storm["energy_mj_ha"] == pytest.approx(expected_energy, abs=5e-6)
    assert storm["ei30"] == pytest.approx(expected_ei30, abs=5e-4)
    assert storm["end"] == pd.Timestamp("2021-07-01 01:00")  # rain ends at minute 60


def test_breakpoints_as_intensities_are_the_same_storm():
    minutes, until = np.array(list(STORM_B)), np.array(list(STORM_B.values()))
    intensity = breakpoints(dict(zip(minutes.tolist(), [*(60 * np.diff(until) / np.diff(minutes)).tolist(), 0.0])))
    expected = erosive_storms(breakpoints(STORM_B), record="cumulative")
    pd.testing.assert_frame_equal(erosive_storms(intensity, record="intensity"), expected, rtol=1e-12)
    in_inches = erosive_storms(intensity / 25.4, record="intensity", units="in/h")
    pd.testing.assert_frame_equal(in_inches, expected, rtol=1e-12)


def unit_energy(energy, intensity):
    out = np.empty(1)
    getattr(kernels, f"unit_energy_{energy}")(np.array([float(intensity)]), out)
    return out[0]


@pytest.mark.parametrize(
    ("energy", "by_intensity"),
    [
        ("wischmeier_smith1978", {0.02: 0.0, 1: 0.119, 5: 0.180020, 10: 0.2063, 25: 0.241040, 50: 0.267320, 76: 0.283195, 77: 0.283, 100: 0.283}),
        ("brown_foster1987", {1: 0.091383, 5: 0.127386, 10: 0.163356, 25: 0.230178, 50: 0.272861, 76: 0.285329, 100: 0.288593}),
        ("mcgregor1995", {1: 0.097638, 5: 0.151430, 10: 0.198038, 25: 0.263120, 50: 0.286540, 76: 0.289590, 100: 0.289943}),
        ("mcgregor_mutchler1976", {1: 0.095702, 5: 0.155680, 10: 0.206318, 25: 0.270097, 50: 0.281394, 76: 0.276912, 100: 0.274476}),
        ("verstraeten2006", {1: 0.1112, 5: 0.183141, 10: 0.227041, 25: 0.301624, 50: 0.373926, 76: 0.425752, 100: 0.463559}),
        ("rogler_schwertmann1981", {0.049: 0.0, 0.05: 0.1189 + 0.0873 * math.log10(0.05), 10: 0.2062, 76.1: 0.2831449, 76.2: 0.2833, 200: 0.2833}),
    ],
)
def test_energy_of_a_millimetre(energy, by_intensity):  # the table of section 1.2
    for intensity, expected in by_intensity.items():
        assert unit_energy(energy, intensity) == pytest.approx(expected, abs=6e-7), intensity


def test_every_energy_has_its_kernel_and_its_row():
    assert all(ENERGIES[name].status == "verified" and unit_energy(name, 10) > 0.15 for name in ENERGIES)


@pytest.mark.parametrize(("depths", "expected"), [([1.0], 0.19379), ([1.1, 1.2, 1.3], 0.73891)])  # published peer values
def test_published_energies_of_ten_minute_depths(depths, expected):
    storms = erosive_storms(steps(depths, 10), "verstraeten2006", step_min=10, **ALL)
    assert storms["energy_mj_ha"].item() == pytest.approx(expected, abs=5e-6)


@pytest.mark.parametrize(("depths", "expected"), [([1.0] * 30, 6.0), (list(range(30)), 168.0), ([1.0, 1.0], 4.0)])  # published peer values
def test_published_intensities_of_ten_minute_depths(depths, expected):
    assert erosive_storms(steps(depths, 10), **ALL)["i30_mm_h"].item() == pytest.approx(expected, rel=1e-12)


def test_an_hourly_step_gives_its_own_intensity_as_peak(caplog):
    storms = erosive_storms(steps([3.0, 14.0, 2.0], 60))
    assert storms["i30_mm_h"].item() == pytest.approx(14.0, rel=1e-12)
    assert "a time step of 60 minutes hides peaks" in caplog.text


def between(hours, filling=(), step_min=5):
    """20 mm in half an hour, ``hours`` without rain but for ``filling`` (hour → mm of that step), and 20 mm again."""
    storm, pause = [20 * step_min / 30] * (30 // step_min), np.zeros(round(hours * 60 / step_min))
    for hour, depth in dict(filling).items():
        pause[round(hour * 60 / step_min)] = depth
    return steps([*storm, *pause, *storm], step_min)


@pytest.mark.parametrize("step_min", [1, 5, 15, 30])
@pytest.mark.parametrize(
    ("hours", "filling", "options", "depths"),
    [
        (5, {}, {}, [40]),
        (6, {}, {}, [20, 20]),
        (6, {}, {"gap_depth_mm": 0}, [20, 20]),
        (5.5, {}, {"gap_depth_mm": 0}, [40]),
        (4, {}, {"gap_h": 4}, [20, 20]),
        (7, {2: 1.0}, {}, [21, 20]),  # less than 1.27 mm in six hours; it stays with the nearer storm
        (7, {5: 1.0}, {}, [20, 21]),
        (7, {3: 1.0}, {"gap_depth_mm": 0}, [41]),
        (7, {3: 1.27}, {}, [41.27]),  # 1.27 mm is not less than 1.27 mm
        (8, {1: 0.5, 3.5: 0.5, 6: 0.5}, {}, [21, 20.5]),
    ],
)
def test_where_a_storm_ends(step_min, hours, filling, options, depths):
    storms = erosive_storms(between(hours, filling, step_min), **options)
    np.testing.assert_allclose(storms["depth_mm"], depths, rtol=1e-9)


def test_six_hours_of_drizzle_divide_storms_also_without_a_pause():
    rain = steps([20.0, *[0.2] * 7, 20.0], 60)  # six hours with 1.2 mm, of which the last begins the next storm
    assert erosive_storms(rain)["depth_mm"].tolist() == pytest.approx([21.0, 20.4])
    assert erosive_storms(rain, gap_depth_mm=0)["depth_mm"].tolist() == pytest.approx([41.4])


def test_a_span_may_begin_inside_a_long_interval():
    drizzle = {0: 0.0, 300: 1.5, 480: 1.5, 510: 31.5}  # from minute 120 to 480 only 0.9 mm
    assert erosive_storms(breakpoints(drizzle), record="cumulative", **ALL)["depth_mm"].tolist() == pytest.approx([1.5, 30.0])
    assert erosive_storms(breakpoints(drizzle), record="cumulative", gap_depth_mm=0.9, **ALL)["depth_mm"].tolist() == pytest.approx([31.5])


def test_a_span_may_begin_with_the_storm_and_end_inside_a_long_interval():
    rising = {0: 0.0, 60: 0.1, 354: 0.1, 474: 20.1}  # the first six hours have 1.1 mm, every later six hours more
    assert erosive_storms(breakpoints(rising), record="cumulative", **ALL)["depth_mm"].tolist() == pytest.approx([0.1, 20.0])
    assert erosive_storms(breakpoints(rising), record="cumulative", gap_depth_mm=1.1, **ALL)["depth_mm"].tolist() == pytest.approx([20.1])


@pytest.mark.parametrize(
    ("depths", "options", "kept"),
    [
        ([0.254] * 50, {}, True),  # fifty tips are 12.7 mm, whatever their sum in binary is
        ([0.254] * 50, {"min_depth_inclusive": False}, False),
        ([0.254] * 49, {}, False),
        ([2.1, 2.1, 2.1], {}, False),
        ([2.1, 2.15, 2.1], {}, True),  # 6.35 mm in 15 minutes
        ([2.1, 2.15, 2.1], {"min_15min_mm": None}, False),
        ([6.35], {}, True),
    ],
)
def test_which_storms_count(depths, options, kept):
    storms = erosive_storms(steps(depths), step_min=5, **options)
    assert len(storms) == kept
    assert storms.attrs["storms_found"] == 1


def test_i30_can_be_held():
    storm = erosive_storms(steps(STORM_A, 30), max_i30_mm_h=10.0)
    assert storm["i30_mm_h"].item() == 10.0
    assert storm["ei30"].item() == pytest.approx(48.14451, abs=5e-6)


# An oracle: five-minute steps in tenths of a millimetre, every span tried.


def plain_storms(tenths, gap_steps, limit):
    """The wet steps of each storm: a span with less than ``limit`` ends it, at the last of the longest pauses that the span touches."""
    wet = [i for i, depth in enumerate(tenths) if depth > 0]
    storms, k = [wet[:1]] if wet else [], 1
    while k < len(wet):
        start = wet.index(storms[-1][0])
        ends = range(wet[k - 1] + 2, wet[k] + 2)
        spans = [end - gap_steps for end in ends if end - gap_steps >= wet[start] and sum(tenths[end - gap_steps : end]) < limit]
        if spans:
            begun = [j for j in range(start, k) if wet[j] < spans[0]]
            after = max(range(max(begun, default=start) + 1, k + 1), key=lambda j: (wet[j] - wet[j - 1], j))
            storms[-1] = wet[start:after]
            storms.append([wet[after]])
            k = after
        else:
            storms[-1] = wet[start : k + 1]
        k += 1
    return storms


def plain_peak(tenths, wet, width):
    inside = {i: tenths[i] for i in wet}
    return max(sum(inside.get(i, 0) for i in range(first, first + width)) for first in range(wet[0] - width, wet[-1] + 1)) / 10


@given(
    seed=st.integers(0, 2**32 - 1),
    wetness=st.sampled_from([0.03, 0.1, 0.3, 0.9]),
    most=st.sampled_from([3, 8, 30]),
    gap_h=st.sampled_from([1, 2, 6]),
    limit=st.sampled_from([0, 1, 5, 13]),
)
@settings(max_examples=80, deadline=None)
def test_storms_against_the_rules_said_slowly(seed, wetness, most, gap_h, limit):
    random = np.random.default_rng(seed)
    tenths = np.where(random.random(400) < wetness, random.integers(1, most, 400), 0)
    expected = plain_storms(tenths.tolist(), 12 * gap_h, max(limit, 1))
    storms = erosive_storms(steps(tenths / 10), gap_h=gap_h, gap_depth_mm=limit / 10, **ALL)
    assert storms["start"].tolist() == [pd.Timestamp("2021-07-01") + pd.Timedelta(minutes=5 * s[0]) for s in expected]
    assert storms["end"].tolist() == [pd.Timestamp("2021-07-01") + pd.Timedelta(minutes=5 * s[-1] + 5) for s in expected]
    np.testing.assert_allclose(storms["depth_mm"], [tenths[s].sum() / 10 for s in expected], rtol=1e-9)
    np.testing.assert_allclose(storms["i30_mm_h"], [2 * plain_peak(tenths, s, 6) for s in expected], rtol=1e-9)
    energy = [sum(0.29 * (1 - 0.72 * math.exp(-0.082 * 1.2 * tenths[i])) * tenths[i] / 10 for i in s) for s in expected]
    np.testing.assert_allclose(storms["energy_mj_ha"], energy, rtol=1e-9)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_i30_of_breakpoints_against_every_second(seed):
    random = np.random.default_rng(seed)
    minutes = np.append(0, np.cumsum(random.integers(1, 25, 30)))
    until = np.append(0.0, np.cumsum(random.gamma(0.5, 2, 30) * (random.random(30) < 0.7)))
    storms = erosive_storms(breakpoints(dict(zip(minutes.tolist(), until.tolist()))), record="cumulative", gap_h=1000, **ALL)
    tenth_minutes = np.arange(-300, 10 * minutes[-1] + 1) / 10
    windows = np.interp(tenth_minutes + 30, minutes, until) - np.interp(tenth_minutes, minutes, until)
    assert storms["i30_mm_h"].item() == pytest.approx(2 * windows.max(), rel=1e-9)


def test_the_same_rain_in_finer_steps_is_the_same_storm():
    random = np.random.default_rng(5)
    coarse = np.where(random.random(3000) < 0.02, random.integers(1, 90, 3000) / 10, 0.0)
    fine = np.repeat(coarse / 5, 5)
    left, right = erosive_storms(steps(coarse, 5)), erosive_storms(steps(fine, 1))
    pd.testing.assert_frame_equal(left, right, rtol=1e-9)
    assert len(left) > 2


def test_gaps_carry_no_rain_and_are_counted():
    rain = between(1)
    whole = erosive_storms(rain)
    rain.iloc[8:11] = np.nan
    gappy = erosive_storms(rain.drop(rain.index[14]))
    pd.testing.assert_frame_equal(gappy, whole)
    assert gappy.attrs["gaps_in_storms_min"] == {"2021-07-01T00:00": 20.0}
    assert gappy.attrs["days_missing_by_half_month"]["2021-07-01"] == pytest.approx(15 - (2 * 60 - 20) / 1440, rel=1e-12)
    assert gappy.attrs["days_missing"] == pytest.approx(365 - (2 * 60 - 20) / 1440, rel=1e-12)
    dry = erosive_storms(rain.drop(rain.index[14]), absent_is_dry=True)
    assert dry.attrs["days_missing"] == pytest.approx(15 / 1440, rel=1e-12)  # the NaN stay gaps


def test_a_time_can_be_the_end_of_its_step():
    rain = steps(STORM_A, 30)
    ended = erosive_storms(rain.shift(freq="30min"), stamp="end")
    pd.testing.assert_frame_equal(ended, erosive_storms(rain))
    assert erosive_storms(steps([20.0, 0.0], start="2022-01-01"), stamp="end").attrs["first_year"] == 2021


def test_snow_is_left_out_by_temperature():
    rain = steps([5.0] * 6, 10)
    celsius = pd.Series([-1.0, 0.0, 0.1], index=rain.index[[0, 2, 4]])
    storms = erosive_storms(rain, temperature=celsius, snow_below_c=0.0, **ALL)
    assert storms["depth_mm"].item() == 10.0
    assert storms["start"].item() == rain.index[4]
    assert storms.attrs["snow_mm"] == 20.0
    unknown = erosive_storms(rain, temperature=celsius.iloc[1:], snow_below_c=0.0, **ALL)
    assert (unknown.attrs["snow_mm"], unknown.attrs["rain_without_temperature_mm"]) == (10.0, 10.0)


def test_tables_by_period():
    year = pd.Series(0.0, index=pd.date_range("2021-01-01", "2021-12-31 23:30", freq="30min"))
    for start in ("2021-07-03", "2021-07-20 18:00", "2021-12-31 20:00"):
        first = year.index.get_loc(pd.Timestamp(start))
        year.iloc[first : first + 8] = STORM_A[:8]  # the last one is cut by the end of the record
    storms = erosive_storms(year)
    halves, months, years = (storm_table(storms, by) for by in ("half_month", "month", "year"))
    assert halves.query("storms > 0")[["half_month", "storms"]].values.tolist() == [[13, 1], [14, 1], [24, 1]]
    assert months.query("storms > 0")[["month", "storms"]].values.tolist() == [[7, 2], [12, 1]]
    assert (len(halves), len(months), len(years)) == (24, 12, 1)
    for name in ("depth_mm", "energy_mj_ha", "ei30"):
        total = storms[name].sum()
        assert halves[name].sum() == pytest.approx(total) == months[name].sum() == years[name].item()
    assert months["i30_mm_h"].max() == pytest.approx(11.8)
    assert months["days_missing"].sum() == 0
    with pytest.raises(InputError, match="does not say which years it covers"):
        storm_table(pd.DataFrame(storms.to_dict("list")))


# R from storms


def years(first="2020", last="2021", step_min=30, storms=()):
    rain = pd.Series(0.0, index=pd.date_range(f"{first}-01-01", f"{last}-12-31 23:59", freq=f"{step_min}min"))
    for start in storms:
        at = rain.index.get_loc(pd.Timestamp(start))
        rain.iloc[at : at + 12] = STORM_A
    return rain


def test_r_is_the_mean_annual_sum_of_ei30():
    rain = years(storms=["2020-07-03", "2020-07-20", "2021-07-20"])
    result = r_factor(rain, method="ei30", energy="brown_foster1987")
    assert result["R"].item() == pytest.approx(1.5 * 47.58423, abs=1e-5)
    assert result["wr"].sel(half_month=13).item() == pytest.approx(1 / 3)
    assert result["years_used"].item() == 2
    assert result["R"].attrs["energy"] == "brown_foster1987"
    assert result["R"].attrs["step_min"] == 30
    from_table = erosivity_of_storms(erosive_storms(rain, "brown_foster1987"))
    assert from_table["R"].item() == result["R"].item()
    np.testing.assert_array_equal(from_table["wr"], result["wr"])


def test_a_half_month_with_a_gap_is_left_out_of_r():
    rain = years(storms=["2020-07-20", "2021-07-20"])
    rain["2021-07-20":"2021-07-21"] = np.nan
    result = r_factor(rain, method="ei30")
    assert result["R"].item() == pytest.approx(56.81052, abs=5e-6)
    assert result["R"].attrs["left_out_half_months"] == ["2021-07-16"]
    assert result["days_missing"].item() == 2.0
    assert erosivity_of_storms(erosive_storms(rain))["R"].item() == result["R"].item()
    with pytest.raises(InputError, match="no calendar year"):
        r_factor(rain["2021-06":"2021-09"], method="ei30")


@pytest.mark.parametrize(
    ("step_min", "correction", "factors"),
    [(60, "yin2007", (1.105, 1.668, 1.730)), (5, "yin2007", (1.009, 1.007, 1.014)), (60, "yue2020", (1, 1, 1.871)), (5, "yue2020", (1, 1, 1.051))],
)
def test_corrections_of_a_coarse_step_are_named(step_min, correction, factors):
    rain = years("2021", step_min=step_min, storms=["2021-07-20"])
    corrected = r_factor(rain, method="ei30", step_correction=correction)
    assert corrected["R"].item() / r_factor(rain, method="ei30")["R"].item() == pytest.approx(factors[2], rel=1e-12)
    assert corrected["R"].attrs["step_correction"] == correction
    if correction == "yin2007":
        names = ["energy_mj_ha", "i30_mm_h", "ei30"]
        ratio = erosive_storms(rain, step_correction=correction)[names] / erosive_storms(rain)[names]
        assert ratio.values[0] == pytest.approx(factors, rel=1e-12)


def test_a_step_without_published_factors_is_not_corrected():
    for correction in ("yin2007", "yue2020"):
        with pytest.raises(InputError, match=f"{correction} has factors for steps of 5 and 60 minutes; this record's step is 30"):
            r_factor(years(), method="ei30", step_correction=correction)
    with pytest.raises(InputError, match="yue2020 corrects the R of a year"):
        erosive_storms(years(), step_correction="yue2020")


def grid(rows, columns, seed=3):
    random = np.random.default_rng(seed)
    times = pd.date_range("2021-01-01", "2021-12-31 23:00", freq="60min")
    shape = (len(times), rows, columns)
    values = np.where(random.random(shape) < 0.03, random.gamma(0.7, 6, shape), 0.0).astype("float32")
    values[2000:2003, 0, 0] = np.nan
    values[:, -1, -1] = np.nan
    return xr.DataArray(values, dims=("time", "y", "x"), coords={"time": times, "y": -30.0 * np.arange(rows), "x": 30.0 * np.arange(columns)})


@given(rows=st.integers(1, 3), columns=st.integers(2, 3), tile=st.tuples(st.integers(2000, 9000), st.integers(1, 3), st.integers(1, 3)))
@settings(max_examples=8, deadline=None)
def test_lazy_equals_eager_on_any_tiling_and_a_cell_is_a_station(rows, columns, tile):
    rain = grid(rows, columns)
    eager = r_factor(rain, method="ei30")

    def refuse(*_args, **_kwargs):
        raise AssertionError("computed while the graph was built")

    with dask.config.set(scheduler=refuse):
        lazy = r_factor(rain.chunk(dict(zip(("time", "y", "x"), tile))), method="ei30")
    for name in eager.data_vars:
        assert lazy[name].dtype == eager[name].dtype == lazy[name].compute().dtype
        assert lazy[name].values.tobytes() == eager[name].values.tobytes()
    assert np.isnan(eager["R"][-1, -1])
    assert r_factor(rain[:, 0, 0].to_series().astype(float), method="ei30")["R"].item() == eager["R"][0, 0].item()


@pytest.mark.parametrize(
    ("rain", "options", "message"),
    [
        (steps([1.0, -0.1]), {}, r"rain .* is -0.1; expected 0 to 2000"),
        (steps([1.0, 250.0]), {}, r"rain_intensity .* is 3000; expected 0 to 2400 \[mm h-1\]"),
        (pd.concat([steps([1.0, 2.0]), steps([1.0])]), {}, "2021-07-01 more than once"),
        (steps([1.0, 2.0], 90), {}, "a value every 90 minutes; storms need steps of 1 to 60"),
        (steps([1.0] * 9).drop(pd.Timestamp("2021-07-01 00:10")).shift(1, freq="1min").rename({}), {"step_min": 7}, "does not fit steps of 7"),
        (pd.Series([1.0, 1.0, 1.0], pd.to_datetime(["2021-07-01 00:00", "2021-07-01 00:05", "2021-07-01 00:12"])), {}, "7 minutes apart, which"),
        (steps([1.0]), {}, "one value does not show its time step"),
        (steps([1.0, 3.0, 2.0]), {"record": "cumulative"}, "falls from 3 to 2 mm at 2021-07-01 00:10"),
        (steps([1.0, 3.0]), {"record": "cumulative", "step_min": 5}, "belong to a record of depths"),
        (steps([1.0]), {"record": "intensity"}, "two times or more"),
        (steps([1.0, 2.0, 3.0], 1440), {"record": "cumulative"}, "a value every 1440 minutes; storms need"),
        (steps([1.0, 2.0]), {"energy": "mcgregor1996"}, "energy is 'mcgregor1996'; expected one of"),
        (steps([1.0, 2.0]), {"gap_h": 0}, "gap_h is 0"),
        (steps([1.0, 2.0]), {"min_depth_mm": -1}, "min_depth_mm is -1"),
        (steps([1.0, 2.0]), {"snow_below_c": 0.0}, "go together"),
        (grid(1, 2), {}, "takes one station"),
        (steps([1.0, 2.0]), {"units": "mm/month"}, "has units 'mm/month'; expected 'mm'"),
    ],
)
def test_what_cannot_be_right_is_refused(rain, options, message):
    with pytest.raises(InputError, match=message):
        erosive_storms(rain, **options)


def test_a_dry_record_has_no_storms():
    storms = rusle_engine.erosive_storms(steps([0.0, np.nan, 0.0]))
    assert list(storms.columns) == ["start", "end", "depth_mm", "energy_mj_ha", "i30_mm_h", "ei30"]
    assert len(storms) == 0
    assert storm_table(storms)["ei30"].sum() == 0
    assert r_factor(years(), method="ei30")["R"].item() == 0.0


def test_the_caller_s_record_is_not_touched_and_its_order_does_not_matter():
    rain = steps(STORM_A, 30).sample(frac=1, random_state=1)
    kept = rain.copy(deep=True)
    storms = erosive_storms(rain)
    pd.testing.assert_series_equal(rain, kept)
    assert storms["ei30"].item() == pytest.approx(56.81052, abs=5e-6)


@pytest.mark.parametrize(
    ("option", "value", "choices"),
    [
        ("energy", "mcgregor", "'mcgregor1995', 'brown_foster1987'"),
        ("record", "depths", "'depth', 'cumulative', 'intensity'"),
        ("stamp", "middle", "'start', 'end'"),
        ("step_correction", "panagos2015", "'yin2007', 'yue2020'"),
    ],
)
def test_a_choice_that_is_none_is_refused_not_taken_for_another(option, value, choices):
    for function in (erosive_storms, lambda rain, **options: r_factor(rain, method="ei30", **options)):
        with pytest.raises(InputError, match=f"{option} is '{value}'; expected one of {choices}"):
            function(steps(STORM_A, 30), **{option: value})


def test_a_table_of_storms_has_three_periods_and_needs_its_columns():
    storms = erosive_storms(steps(STORM_A, 30))
    with pytest.raises(InputError, match="by is 'event'; expected one of 'half_month', 'month', 'year'"):
        storm_table(storms, "event")
    with pytest.raises(InputError, match="no column ei30"):
        erosivity_of_storms(storms.drop(columns="ei30"))
