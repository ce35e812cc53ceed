"""Tables: read in whatever encoding, everything wrong said at once; written so that nothing in them acts and no digit is lost."""

import csv
import math
from datetime import datetime

import numpy as np
import openpyxl
import pandas as pd
import pytest

from rusle_engine.core.errors import InputError, MissingInputError, OutputError
from rusle_engine.files import table_input
from rusle_engine.files.tables import read_class_names, read_class_table, read_rain, read_table, write_csv, write_workbook


@pytest.fixture
def table(tmp_path):
    def write(text, name="表 一.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_encodings_are_found(table, encoding):
    read = read_table(table("编码,名称,c\r\n11,水田,0.2\r\n12,旱地,\r\n", encoding=encoding))
    assert read["编码"].tolist() == [11, 12]
    assert read["名称"].tolist() == ["水田", "旱地"]
    assert read["c"].tolist()[0] == 0.2
    assert math.isnan(read["c"].tolist()[1])


def test_a_stated_encoding_counts(table):
    path = table("名称\n水田\n", encoding="gbk")
    assert read_table(path, encoding="gbk")["名称"].tolist() == ["水田"]
    with pytest.raises(InputError, match="cannot be read as utf-8-sig"):
        read_table(path, encoding="utf-8")
    with pytest.raises(InputError, match="is not known"):
        read_table(path, encoding="gbkk")


def test_separators_remarks_and_blank_lines(table):
    for separator in (",", ";", "\t"):
        read = read_table(table(f'# a remark, with commas\ncode{separator} value \n\n1{separator}"2.5"\n', name=f"{ord(separator)}.txt"))
        assert read.to_dict("list") == {"code": [1], "value": [2.5]}


def test_text_stays_text_where_asked_and_where_it_is(table):
    path = table("id,mixed,measure\n007,1,none\n008,x,terrace\n")
    read = read_table(path, text=["id"])
    assert read["id"].tolist() == ["007", "008"]
    assert read["mixed"].tolist() == ["1", "x"]
    assert read["measure"].tolist() == ["none", "terrace"]
    assert read_table(path)["id"].tolist() == [7, 8]


def test_a_workbook_reads_as_its_csv_would(tmp_path):
    book = openpyxl.Workbook()
    page = book.active
    page.title = "雨量"
    page.append(["日期", "雨量", "站"])
    page.append([datetime(2013, 1, 5), 0.1, "河曲"])
    page.append([datetime(2013, 1, 6), 3, None])
    book.create_sheet("空")
    path = tmp_path / "雨 量.xlsx"
    book.save(path)
    read = read_table(path)
    assert read["日期"].tolist() == ["2013-01-05", "2013-01-06"]
    assert read["雨量"].tolist() == [0.1, 3.0]
    assert read["站"].isna().tolist() == [False, True]
    assert read_rain(path, date_column="日期", rain_column="雨量", units="mm").series.tolist() == [0.1, 3.0]
    with pytest.raises(InputError, match="no rows"):
        read_table(path, sheet="空")
    with pytest.raises(InputError, match="no sheet 'x'"):
        read_table(path, sheet="x")


@pytest.mark.parametrize(
    "text",
    [
        "code,c,name\n007,0.5,水田\n-3,.25, x \n",
        "code ; c\r\n1;2.5\r\n\r\n;\r\n   \r\n3;4\r\n",  # blank lines, also with separators
        "a\tb\n1\t-\n2\t缺测\n3\t1e3\n",
        "a,b,,\n1,2,,\n3,4,,\n",  # columns without a name
        "a,b,c\n1,2\n3\n4,5,6\n",  # short rows
        "a,b\n1,2,3\n4,5\n6,7,8,9\n",  # long rows
        "a,b\n1,\n,\n2,\n",
        "a,b\n+1,nan\n12345678901234567890,None\n",
        'a,b\n"1","2,5"\n',
        "# remark\na,b\n1,2\n",
        "\n\na,b\n1,2\n",
        "a,b\n1,x\u2028y\n",
        "a\n0.1\n0.30000000000000004\n5e-324\n",
    ],
)
@pytest.mark.parametrize("as_text", [(), ("a", "code")])
def test_a_long_text_reads_as_a_short_one_would(table, monkeypatch, text, as_text):
    path = table(text)
    short = read_table(path, text=as_text)
    monkeypatch.setattr(table_input, "_LONG", 0)
    pd.testing.assert_frame_equal(read_table(path, text=as_text), short, check_exact=True)


def test_a_long_plain_text_is_read_column_by_column(table, monkeypatch):
    monkeypatch.setattr(table_input, "_LONG", 0)
    monkeypatch.setattr(table_input, "_text_rows", None)
    assert read_table(table("when,mm\r\n2021-07-01 13:05,0.2\r\n2021-07-01 13:10,\r\n"))["when"].tolist() == ["2021-07-01 13:05", "2021-07-01 13:10"]
    with pytest.raises(InputError, match="two columns of the same name: 'a'"):
        read_table(table("a,b,a\n1,2,3\n"))


def test_files_that_are_no_tables(table, tmp_path):
    with pytest.raises(MissingInputError):
        read_table(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"save an \.xls as \.xlsx"):
        read_table(table("x", name="old.xls"))
    with pytest.raises(InputError, match="cannot be read as a workbook"):
        read_table(table("a,b\n1,2\n", name="renamed.xlsx"))
    with pytest.raises(InputError, match="is not a text file"):
        read_table(table("a\0b", name="binary.csv"))
    with pytest.raises(InputError, match="no rows under"):
        read_table(table("a,b\n"))
    with pytest.raises(InputError, match="two columns of the same name: 'a'"):
        read_table(table("a,b,a\n1,2,3\n"))


def test_a_class_table(table):
    path = table("LC,ID,c,name\nx,11,0.2,水田\ny,-5,1,\n", encoding="gbk")
    read = read_class_table(path, "c", key="ID", valid_range=(0, 1))
    assert read.values == {11: 0.2, -5: 1.0}
    assert read.names == {11: "水田"}
    assert read_class_table(path, "c", key="ID", name="LC").names == {11: "x", -5: "y"}
    assert read_class_table(table("code,c\n3,0.1\n"), "c").values == {3: 0.1}
    assert read_class_table(table("ID,c\n3,0.1\n"), "c").values == {3: 0.1}  # the first column


def test_everything_wrong_in_a_class_table_is_said_at_once(table):
    path = table("code,c\n1,0.5\n1,0.6\n2,x\n3,\n4,1.5\n5.5,0.1\n,0.1\n")
    with pytest.raises(InputError) as caught:
        read_class_table(path, "c", valid_range=(0, 1))
    message = str(caught.value)
    assert "6 row(s) are wrong" in message
    for said in (
        "row 3: class 1 stands twice",
        "row 4: class 2 has 'x'",
        "row 5: class 3",
        "row 6: class 4 has 1.5",
        "row 7: the code",
        "row 8: the code",
    ):
        assert said in message
    with pytest.raises(InputError, match=r"no column 'C'; its columns are 'code', 'c'; did you mean|no column 'C'; its columns are 'code', 'c'"):
        read_class_table(path, "C")


def test_class_names(table):
    assert read_class_names(table("code,name\n1,水田\n2,旱地\n")) == {1: "水田", 2: "旱地"}
    assert read_class_names(table("ID,LC\n1,a\n"), key="ID", name="LC") == {1: "a"}
    with pytest.raises(InputError, match="stands twice"):
        read_class_names(table("code,name\n1,a\n1,b\n"))


@pytest.mark.parametrize("form", ["2013-01-05", "2013/1/5", "20130105", "2013.01.05", "2013年1月5日", "2013-01-05 00:00:00"])
def test_dates_that_begin_with_the_year(table, form):
    read = read_rain(table(f"d,p\n{form},3.5\n"), date_column="d", rain_column="p", units="mm")
    assert read.series.index[0] == pd.Timestamp(2013, 1, 5)


def test_dates_that_begin_with_the_day_must_be_stated(table):
    path = table("d,p\n03/04/2013,3.5\n")
    with pytest.raises(InputError, match="date_format="):
        read_rain(path, date_column="d", rain_column="p", units="mm")
    assert read_rain(path, date_column="d", rain_column="p", units="mm", date_format="%d/%m/%Y").series.index[0] == pd.Timestamp(2013, 4, 3)


def test_gaps_are_counted_and_stay_gaps(table):
    path = table("日期,雨量\n2013-01-04,3\n2013-01-01,0\n2013-01-02,\n2013-01-06,32766\n", encoding="gbk")
    read = read_rain(path, date_column="日期", rain_column="雨量", units="0.1 mm", missing_codes=[32766])
    np.testing.assert_array_equal(read.series.to_numpy(), [0, np.nan, np.nan, 0.3, np.nan, np.nan])
    assert read.series.index.freqstr == "D"
    assert read.quality == {"rows": 4, "first": "2013-01-01", "last": "2013-01-06", "days": 6, "missing_days": 4, "wet_days": 1}


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        ("d,p\n2013-01-01,1\n2013-01-01,2\n", {}, "row 3: 2013-01-01 stands twice"),
        ("d,p\n2013-01-01,-1\n", {}, r"row 2: rain is negative \(-1\)"),
        ("d,p\n2013-01-01,2443\n", {}, r"2443 mm in a day is impossible; .* 0\.1 mm"),
        ("d,p\n2013-01-01,trace\n", {}, "row 2: 'trace' is not a number"),
        ("d,p\n2013-01-01,NA\n", {}, "no row holds a number"),
        ("d,p\n2013-01-01,1\n2013-02-30,1\n2013-01-02,1\n", {}, "row 3: '2013-02-30' is not a date"),
        ("d,p\n2013-01-01,1\n", {"rain_column": "P24"}, "no column 'P24'; its columns are 'd', 'p'"),
        ("d,p\n2013-01-01,1\n", {"units": "°C"}, r"rain in '°C' cannot be turned into mm"),
    ],
)
def test_a_wrong_rain_record(table, text, options, says):
    with pytest.raises(InputError, match=says):
        read_rain(table(text), **{"date_column": "d", "rain_column": "p", "units": "mm", **options})


def test_csv_opens_right_in_excel_and_loses_no_digit(tmp_path):
    values = [0.1 + 0.2, 1e-300, 123456789.123456789, math.nan, -5.5]
    table = pd.DataFrame(
        {
            "zone_id": ["007", "=1+1", "+a", "-b", "@c"],
            "=name": ["河口, 村", 'a "b"', "c\nd", "\tx", ""],
            "v": values,
            "n": [-1, 2, 3, 4, 5],
        }
    )
    before = table.copy(deep=True)
    path = write_csv(table, tmp_path / "表 一" / "zones.csv")
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\r\n") == 6
    rows = list(csv.reader(path.read_text("utf-8-sig").splitlines(keepends=True)))
    assert rows[0] == ["zone_id", "'=name", "v", "n"]
    assert [row[0] for row in rows[1:]] == ["007", "'=1+1", "'+a", "'-b", "'@c"]
    assert [row[1] for row in rows[1:]] == ["河口, 村", 'a "b"', "c\nd", "'\tx", ""]
    assert [float(row[2] or "nan") for row in rows[1:]] == pytest.approx(values, abs=0, rel=0, nan_ok=True)
    assert [row[3] for row in rows[1:]] == ["-1", "2", "3", "4", "5"]  # a negative number is a number
    pd.testing.assert_frame_equal(table, before)


def test_a_workbook_is_plain_exact_and_the_same_bytes_each_time(tmp_path):
    table = pd.DataFrame(
        {
            "分区": ["=HYPERLINK(1)", "偏关\x07县"],
            "area_km2": [0.1 + 0.2, 12345.678901234567],
            "cells": np.array([3, 4], np.int32),
            "none": [1.0, None],
        }
    )
    path = write_workbook(
        {"面积/统计": table, "面积 统计": table}, tmp_path / "z.xlsx", titles={"面积/统计": "水土保持率"}, number_formats={"area_km2": "0.000"}
    )
    first = path.read_bytes()
    again = write_workbook(
        {"面积/统计": table, "面积 统计": table}, tmp_path / "again.xlsx", titles={"面积/统计": "水土保持率"}, number_formats={"area_km2": "0.000"}
    )
    assert again.read_bytes() == first
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["面积 统计", "面积 统计 2"]
    assert book.properties.modified == datetime(2000, 1, 1)
    page = book["面积 统计"]
    assert page["A1"].value == "水土保持率"
    assert page.freeze_panes == "A4"
    assert [cell.value for cell in page[3]] == ["分区", "area_km2", "cells", "none"]
    assert page["A3"].font.bold
    assert page["A4"].value == "=HYPERLINK(1)"
    assert page["A4"].data_type == "s"  # text, not a formula
    assert page["A5"].value == "偏关 县"
    assert [page["B4"].value, page["B5"].value] == pytest.approx([0.1 + 0.2, 12345.678901234567], rel=1e-15)
    assert page["B4"].number_format == "0.000"
    assert page["D5"].value is None
    assert book["面积 统计 2"].freeze_panes == "A2"
    assert page.column_dimensions["A"].width > 10
    with pytest.raises(OutputError):
        write_workbook({"a": table}, tmp_path / "z.xlsx" / "b.xlsx")
