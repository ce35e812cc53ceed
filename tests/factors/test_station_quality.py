"""A station's record with known faults: each one found, told and treated as the rules say."""

import numpy as np
import pandas as pd
import pytest

from rusle_engine.core.errors import InputError
from rusle_engine.factors.station_quality import CMA_CODES, checked_rain, daily_totals

DAY = "20-20 h, UTC+8"


def record(**days):
    return pd.Series(list(days.values()), index=pd.to_datetime([f"2021-{name[1:3]}-{name[4:]}" for name in days]), dtype=float)


def test_every_fault_is_told_and_what_is_dropped_is_missing_not_dry():
    stored = record(
        m07_01=120, m07_02=32766, m07_03=32700, m07_04=30056, m07_05=31020, m07_06=32012, m07_07=-1, m07_08=20001, m07_12=150, m07_10=7, m07_11=8
    )
    doubled = pd.concat([stored, record(m07_01=120, m07_10=9), pd.Series([5.0], index=pd.DatetimeIndex([pd.NaT]))])
    checked = checked_rain(doubled, units="0.1 mm", rain_day=DAY, codes=CMA_CODES)
    nan = np.nan
    np.testing.assert_allclose(checked.daily, [12.0, nan, 0.0, 0.0, 2.0, 0.0, nan, nan, nan, nan, 0.8, 15.0], rtol=1e-12)
    told = checked.actions.assign(day=checked.actions["date"].dt.day)[["day", "finding", "action"]].values.tolist()
    expected = [
        [nan, "no date", "dropped"],
        [1, "the day stands twice with one value", "one kept"],
        [10, "the day stands twice with two values", "dropped"],
        [10, "the day stands twice with two values", "dropped"],
        [2, "code for missing", "dropped"],
        [3, "code for trace", "0 mm"],
        [4, "code for snow", "0 mm"],
        [5, "code for sleet", "depth taken out of the code"],
        [6, "code for dew", "0 mm"],
        [7, "negative", "dropped"],
        [8, "more than 2000 mm in a day", "dropped"],
    ]
    assert [[str(cell) for cell in row] for row in told] == [[str(float(row[0])), *row[1:]] for row in expected]
    assert checked.summary["missing_days_by_year"] == {2021: 5}
    assert (checked.summary["rain_day"], checked.daily.attrs["rain_day"], checked.daily.attrs["units"]) == (DAY, DAY, "mm")
    assert (checked.summary["first"], checked.summary["last"], checked.summary["days"]) == ("2021-07-01", "2021-07-12", 12)


def test_snow_counts_when_it_is_said_to():
    kept = checked_rain(record(m01_01=30056), units="0.1 mm", rain_day=DAY, codes=CMA_CODES, snow_counts=True)
    assert kept.daily.item() == pytest.approx(5.6)
    assert kept.actions["action"].tolist() == ["depth taken out of the code"]


def test_what_only_looks_wrong_is_kept_and_named():
    random = np.random.default_rng(1)
    days = pd.date_range("2015-01-01", "2020-12-31")
    rain = pd.Series(np.where(random.random(len(days)) < 0.3, random.gamma(0.7, 10, len(days)), 0.0), index=days)
    rain["2018"] = rain["2018"] * 10
    rain["2016-07-01":"2016-07-06"] = 4.4
    checked = checked_rain(rain, units="mm", rain_day=DAY)
    pd.testing.assert_series_equal(checked.daily, rain, check_names=False, check_freq=False)
    stuck = checked.actions[checked.actions["finding"].str.startswith("one value")]
    assert stuck["date"].tolist() == pd.date_range("2016-07-01", "2016-07-06").tolist()
    slipped = checked.actions[checked.actions["finding"].str.contains("perhaps another unit")]
    assert slipped["date"].dt.year.tolist() == [2018]
    assert set(checked.actions["action"]) == {"kept"}


def test_a_clean_record_has_no_findings_and_is_not_touched():
    rain = record(m07_01=1.0, m07_02=2.0)
    kept = rain.copy(deep=True)
    assert len(checked_rain(rain, units="in", rain_day=DAY).actions) == 0
    assert checked_rain(rain, units="in", rain_day=DAY).daily.tolist() == pytest.approx([25.4, 50.8])
    pd.testing.assert_series_equal(rain, kept)


def test_days_of_rain_begin_in_the_evening():
    hours = pd.Series(1.0, index=pd.date_range("2021-07-01 20:00", "2021-07-03 19:00", freq="h"))
    hours["2021-07-01 23:00"] = 30.0
    days = daily_totals(hours, day_begins_h=20)
    assert days.to_dict() == {pd.Timestamp("2021-07-02"): 53.0, pd.Timestamp("2021-07-03"): 24.0}
    hours["2021-07-03 05:00"] = np.nan
    assert np.isnan(daily_totals(hours, day_begins_h=20)["2021-07-03"])
    assert daily_totals(hours, day_begins_h=20, missing_steps=1)["2021-07-03"] == 23.0
    calendar = daily_totals(hours, day_begins_h=0)
    assert calendar["2021-07-02"] == 24.0
    assert calendar.isna().tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("rain", "options", "message"),
    [
        (record(m07_01=1), {"units": "m"}, "rain in 'm' cannot be turned into mm"),
        (record(m07_01=1), {"rain_day": " "}, "rain_day is empty"),
        (record(m07_01=1).reset_index(drop=True), {}, "indexed by int64; expected dates"),
        (record(m07_01=-1), {}, "no day of the record holds a depth"),
    ],
)
def test_what_cannot_be_looked_through_is_refused(rain, options, message):
    with pytest.raises(InputError, match=message):
        checked_rain(rain, **{"units": "mm", "rain_day": DAY, **options})


@pytest.mark.parametrize(("factor", "units", "median"), [(10, "mm", "40"), (0.01, "mm", "0.04"), (1, "0.1 mm", "0.4")])
def test_a_record_that_is_in_another_unit_from_end_to_end_is_told_once(factor, units, median):
    random = np.random.default_rng(2)
    depths = np.where(random.random(1461) < 0.3, random.permutation(np.tile([1.0, 2, 4, 8, 16], 293))[:1461], 0.0)  # a median of 4 mm
    rain = pd.Series(depths, index=pd.date_range("2019-01-01", periods=1461))
    assert "perhaps another unit" not in " ".join(checked_rain(rain, units="mm", rain_day=DAY).actions["finding"])
    checked = checked_rain(rain * factor, units=units, rain_day=DAY)
    slips = checked.actions[checked.actions["finding"].str.contains("perhaps another unit")]
    assert slips["action"].tolist() == ["kept"]
    assert f"have {median} mm or less" in slips["finding"].iloc[0]
    assert checked.daily.sum() == pytest.approx(rain.sum() * factor * (0.1 if units == "0.1 mm" else 1))
