"""Class tables, the tables that come with the package, and the check of ranges."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.variables import COVER, ERODIBILITY, NDVI, PRACTICE
from rusle_engine.factors.tables import class_values, lookup, missing_codes
from rusle_engine.factors.validation import validated

TABLES = Path(__file__).parents[2] / "configs" / "tables"


def rows_of(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


@pytest.mark.parametrize("path", sorted(TABLES.glob("[cp]_*.csv")), ids=lambda path: path.name)
def test_every_row_that_comes_with_the_package_states_source_and_status(path):
    rows = rows_of(path)
    assert rows
    for row in rows:
        assert row["source"].strip()
        assert row["status"].split()[0] in ("verified", "unverified", "illustrative")


@pytest.mark.parametrize(("name", "variable"), [("c_landcover.csv", COVER), ("c_ndvi_override.csv", COVER), ("p_landcover.csv", PRACTICE)])
def test_class_tables_that_come_with_the_package_can_be_used_as_they_are(name, variable):
    frame = pd.DataFrame(rows_of(TABLES / name))
    values = class_values(frame, variable)
    assert list(values) == sorted(values)
    assert frame["name_en"].str.len().gt(0).all()
    assert frame["name_zh"].str.len().gt(0).all()


@pytest.mark.parametrize(
    "table",
    [
        {1: 0.2, 7: 1},
        pd.Series([0.2, 1.0], index=[1, 7]),
        pd.DataFrame({"code": [1, 7], "value": [0.2, 1.0]}),
        pd.DataFrame({"code": ["1", "7"], "C": ["0.2", "1"], "name": ["crop", "bare"]}),
    ],
)
def test_a_table_may_have_many_shapes(table):
    assert class_values(table, COVER) == {1: 0.2, 7: 1.0}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "the table of C has no rows"),
        ({1.5: 0.2}, "class code 1.5; expected whole numbers"),
        ({"crop": 0.2}, "class code 'crop'"),
        ({1: float("nan")}, "nan for class 1; expected a number"),
        ({1: "low"}, "'low' for class 1"),
        (pd.Series([0.1, 0.2], index=[1, 1]), "class 1 twice"),
        (pd.DataFrame({"ID": [1], "C_factor": [0.2]}), r"columns \['ID', 'C_factor'\]; expected 'code' and 'C' or 'value'"),
        ("c.csv", "the table of C is 'c.csv'; expected"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused(table, message):
    with pytest.raises(InputError, match=message):
        class_values(table, COVER)


def test_codes_of_any_size_and_order_find_their_value():
    random = np.random.default_rng(5)
    codes = random.choice(np.arange(-(10**6), 10**6), 257, replace=False).tolist()
    values = {code: code / 7 for code in codes}
    classes = xr.DataArray(random.choice(codes, (40, 30)).astype(np.int32), dims=("y", "x"))
    found = lookup(classes, values, "C")
    np.testing.assert_array_equal(found.values, classes.values / 7)


def test_the_codes_without_a_row_can_be_asked_for():
    assert missing_codes(np.array([[1, 9], [4, 9]]), {1: 0.2}) == [4.0, 9.0]
    assert missing_codes(np.array([[1.0, np.nan]]), {1: 0.2}) == []


def raster(values, dtype=np.float32, **attrs):
    return xr.DataArray(np.array(values, dtype), dims=("y", "x"), attrs=attrs)


def test_values_within_their_range_come_through_as_they_are():
    c = raster([[0.0, 1.0, np.nan]], units="1", note="mine").rename("cover")
    assert validated(c, COVER).identical(c)
    lazy = validated(c.chunk({"x": 1}), COVER)
    assert lazy.dtype == np.float32
    assert lazy.values.tobytes() == c.values.tobytes()


@pytest.mark.parametrize(
    ("value", "variable", "message"),
    [
        (-0.2, COVER, r"C \(cover and management factor\) is -0.2; expected 0 to 1 \[1\]. Is it a nodata code"),
        (45.0, COVER, "is 45; expected 0 to 1 .* percent, declare units '%'"),
        (255.0, PRACTICE, "P .* is 255; expected 0 to 1 .* Check its unit and its nodata code"),
        (-0.01, ERODIBILITY, "K .* is -0.01; expected 0 to 0.1"),
        (0.32, ERODIBILITY, "K .* is 0.32; .* declare units 'US K'"),
        (8000.0, NDVI, "scaled integers"),
        (np.inf, COVER, "C .* is inf"),
    ],
)
def test_values_out_of_range_are_named_with_the_way_out(value, variable, message):
    array = raster([[0.05, 0.03], [0.01, value]])
    with pytest.raises(InputError, match=message):
        validated(array, variable)
    lazy = validated(array.chunk({"y": 1}), variable)
    with pytest.raises(InputError, match=message):
        lazy.compute()
