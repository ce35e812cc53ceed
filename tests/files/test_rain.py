"""Rain by time, month and year read from tables: forms of dates, units, and what is refused."""

import pandas as pd
import pytest

from rusle_engine.core.errors import InputError
from rusle_engine.files.rain import read_rain, read_rain_rows
from rusle_engine.files.rain_stations import read_stations, station_files


@pytest.fixture
def table(tmp_path):
    def write(text, name="rain.csv"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return write


@pytest.mark.parametrize("form", ["2013-02-04 19:45", "2013-02-04T19:45:00", "2013/2/4 19:45", "201302041945", "2013-02-04 19:45:00"])
def test_times_that_begin_with_the_year(table, form):
    read = read_rain(table(f"t,p\n{form},0.5\n"), date_column="t", rain_column="p", units="mm", step="time")
    assert read.series.index.tolist() == [pd.Timestamp(2013, 2, 4, 19, 45)]
    assert read.quality["first"] == "2013-02-04T19:45"


def test_midnight_may_be_written_as_the_day_alone(table):
    read = read_rain(table("t,p\n2013-02-04,1\n2013-02-04 00:30,2\n"), date_column="t", rain_column="p", units="in", step="time")
    assert read.series.tolist() == [25.4, 50.8]
    assert read.series.index[0] == pd.Timestamp(2013, 2, 4)


def test_intensities_keep_their_own_unit(table):
    read = read_rain(table("t,p\n2013-02-04 00:00,1\n2013-02-04 00:30,2\n"), date_column="t", rain_column="p", units="in/h", step="time")
    assert (read.series.tolist(), read.series.attrs["units"]) == ([25.4, 50.8], "mm h-1")


@pytest.mark.parametrize(
    ("text", "columns", "step", "when"),
    [
        ("d,p\n202111,5\n202112,6\n", "d", "month", ["2021-11-01", "2021-12-01"]),  # not the first of January 2021
        ("d,p\n2021年3月,5\n", "d", "month", ["2021-03-01"]),
        ("d,p\n2021,5\n2022,6\n", "d", "year", ["2021-01-01", "2022-01-01"]),
        ("Y,M,p\n2021,3,5\n", ["Y", "M"], "month", ["2021-03-01"]),
        ("Y,M,D,H,m,p\n2021,3,4,5,10,5\n", ["Y", "M", "D", "H", "m"], None, ["2021-03-04 05:10"]),
        ("d,p\n20210304,5\n", "d", "day", ["2021-03-04"]),
    ],
)
def test_the_form_of_the_dates_tells_what_a_row_is(table, text, columns, step, when):
    rows = read_rain_rows(table(text), date_column=columns, rain_column="p", step=None)
    assert rows.step == (step or "day" if columns != ["Y", "M", "D", "H", "m"] else "time")
    assert pd.DatetimeIndex(rows.table["when"]).tolist() == [pd.Timestamp(text) for text in when]


@pytest.mark.parametrize(
    ("text", "step", "units", "says"),
    [
        ("d,p\n2013-01-01 00:00,1\n2013-01-01 00:00,2\n", "time", "mm", "row 3: 2013-01-01 00:00 stands twice; sum the rows of a time"),
        ("d,p\n2013-01-01 00:00,9000\n", "time", "mm/h", "9000 mm in an hour is impossible"),
        ("d,p\n2013-01,20000\n", "month", "mm", "20000 mm in a month is impossible"),
        ("d,p\n2013-01,1\n", "time", "mm", "the times in column 'd', such as '2013-01', are not in a form"),
        ("d,p\n2013-01,1\n", "month", "degC", "rain in 'degC' cannot be turned into mm"),
    ],
)
def test_a_wrong_record(table, text, step, units, says):
    with pytest.raises(InputError, match=says):
        read_rain(table(text), date_column="d", rain_column="p", units=units, step=step)


def test_stations_keep_the_zeros_of_their_codes(table):
    places = read_stations(table("station,x,y,elevation_m\n007,1,2,500\nB,3,4,600\n"), elevation_column="elevation_m")
    assert places.index.tolist() == ["007", "B"]
    assert places.loc["007"].tolist() == [1.0, 2.0, 500.0]


def test_wrong_rows_of_stations_are_told_together(table):
    with pytest.raises(InputError, match=r"(?s)row 3: 'a' stands twice.*row 4: 'b' has x 'east', y '2'; expected numbers.*row 5: no name"):
        read_stations(table("station,x,y\na,1,2\na,1,2\nb,east,2\n,1,2\n"))


def test_the_name_of_a_station_leads_to_no_other_folder(tmp_path):
    (tmp_path / "rain").mkdir()
    (tmp_path / "secret.csv").touch()
    with pytest.raises(InputError, match="cannot be that of a file"):
        list(station_files(tmp_path / "rain", pd.Index(["../secret"]), "{station}"))
    with pytest.raises(InputError, match="cannot be that of a file"):
        list(station_files(tmp_path / "rain" / "{station}.csv", pd.Index(["../secret"]), "{station}"))
