"""T by land cover, or by crop-rotation zone on cropland alone."""

import csv
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import rusle_engine as rusle
from rusle_engine.core.errors import InputError

TABLES = Path(__file__).parents[2] / "configs" / "tables"


def test_by_land_cover():
    t = rusle.t_factor(landcover=np.array([[11, 31, np.nan]]), table={11: 0.34, 31: 1})
    np.testing.assert_array_equal(t.values, [[0.34, 1, np.nan]])
    assert (t.name, t.attrs["units"], t.attrs["method"]) == ("T", "1", "table")


def test_only_cropland_has_a_t_other_than_one():
    landcover = np.array([[11, 12, 31, 31, 11, np.nan]])
    rotation = np.array([[1, 7, 1, np.nan, np.nan, 1]])
    t = rusle.t_factor(
        landcover=landcover, rotation=rotation, table=pd.DataFrame({"code": [1, 7], "T": [0.37, 0.281]}), cropland=[12, 11], method="rotation_zones"
    )
    np.testing.assert_array_equal(t.values, [[0.37, 0.281, 1, 1, np.nan, np.nan]])
    assert t.attrs["cropland_classes"] == [11, 12]


def test_the_table_that_comes_with_the_package_says_what_is_a_placeholder():
    with (TABLES / "t_rotation_zones.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert {row["T"] for row in rows} == {"0.281", "0.37", "0.36", "0.28", "0.34"}  # ChinaXiv 202108.00091; Guo et al. 2015
    assert [row["code"] for row in rows if "placeholder" not in row["source"]] == ["1"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"landcover": 1.0}, "needs landcover= and table="),
        ({"landcover": 1.0, "table": {1: 34}}, "T .* is 34 for class 1 of the table; expected 0 to 1"),
        ({"landcover": 2.0, "table": {1: 0.3}}, "the T table has no row for class 2"),
        ({"landcover": 1.0, "table": {1: 0.3}, "cropland": [1]}, "does not use cropland"),
        ({"landcover": 1.0, "table": {1: 0.3}, "method": "rotation_zones", "cropland": [1]}, "needs rotation= .* and cropland="),
        ({"landcover": 1.0, "table": {1: 0.3}, "method": "rotation_zones", "rotation": 1.0}, "needs rotation= .* and cropland="),
        ({"landcover": 1.0, "table": {1: 0.3}, "method": "rotation_zones", "rotation": 2.0, "cropland": [1]}, "the T table has no row for class 2"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        rusle.t_factor(**given)


def refuse_to_compute(*_args, **_kwargs):
    raise AssertionError("computed while the graph was built")


@given(rows=st.integers(1, 12), columns=st.integers(1, 12), tile=st.tuples(st.integers(1, 12), st.integers(1, 12)))
@settings(max_examples=20, deadline=None)
def test_lazy_equals_eager_on_any_tiling(rows, columns, tile):
    random = np.random.default_rng(rows * 13 + columns)
    landcover, rotation = (xr.DataArray(random.integers(1, 4, (rows, columns)).astype(np.uint8), dims=("y", "x")) for _ in range(2))
    options = {"table": {1: 0.2, 2: 0.3, 3: 0.4}, "cropland": [1, 2], "method": "rotation_zones"}
    chunks = dict(zip(("y", "x"), tile))
    eager = rusle.t_factor(landcover=landcover, rotation=rotation, **options)
    with dask.config.set(scheduler=refuse_to_compute):
        lazy = rusle.t_factor(landcover=landcover.chunk(chunks), rotation=rotation.chunk(chunks), **options)
    assert dask.is_dask_collection(lazy)
    assert lazy.dtype == eager.dtype == lazy.compute().dtype == np.float64
    assert lazy.values.tobytes() == eager.values.tobytes()
    assert (landcover.dtype, rotation.dtype) == (np.uint8, np.uint8)


def test_what_is_no_method_is_refused():
    with pytest.raises(InputError, match="method of t_factor is 'zones'; expected one of 'table', 'rotation_zones'"):
        rusle.t_factor(landcover=np.array([[1]]), table={1: 1}, method="zones")
