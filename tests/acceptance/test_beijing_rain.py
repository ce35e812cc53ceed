"""A real daily record (Beijing 54511, 1951 to 2025) looked through: its gaps are those that its description tells of."""

import pandas as pd
import pytest

from rusle_engine.factors.r import r_factor
from rusle_engine.factors.station_quality import checked_rain


@pytest.fixture(scope="module")
def checked(acceptance_data):
    table = pd.read_csv(acceptance_data / "rain" / "beijing_54511_ghcnd_daily_1951_2025.csv.gz", parse_dates=["date"])
    return checked_rain(table.set_index("date")["rain_mm"], units="mm", rain_day="of the GHCN-Daily source, unstated")


def test_the_record_is_as_it_is_described(checked):
    missing = checked.summary["missing_days_by_year"]
    assert not [year for year in missing if year <= 2012]  # complete until then
    recorded = [365 + (year == 2016) - missing[year] for year in range(2013, 2020)]
    assert all(75 <= days <= 135 for days in recorded)  # some 80 to 130 days a year
    assert checked.daily["1951":"2012"].resample("YS").sum().mean() == pytest.approx(592.8, abs=0.05)


def test_gappy_years_do_not_count_for_r(checked):
    result = r_factor(checked.daily)
    assert set(range(2013, 2020)) <= set(result["R"].attrs["left_out_years"])
    complete = r_factor(checked.daily["1951":"2012"])
    assert complete["years_used"].item() == 62
    assert complete["R"].item() == pytest.approx(result["R"].item(), rel=0.1)
