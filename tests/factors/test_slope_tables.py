"""P by land use and slope against the table read by hand, cell by cell."""

import math
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

SHIPPED = Path(__file__).parents[2] / "configs" / "tables" / "p_landuse_slope.csv"
TABLE = pd.DataFrame(
    [(11, 0, 0.35), (11, 15, 1.0), (12, 0, 0.1), (12, 5, 0.2), (12, 25, 0.8), (31, 0, 1.0), (400_000, 0, 0.6), (400_000, 8, 0.7)],
    columns=["code", "slope_from_degree", "P"],
)


def p_of(landcover, degrees, table=TABLE, **options):
    theta = xr.DataArray(np.radians(np.atleast_2d(np.asarray(degrees, float))), dims=("y", "x"), attrs={"units": "rad"})
    return rusle.p_factor(landcover=np.atleast_2d(np.asarray(landcover, float)), theta=theta, by_slope=table, method="landuse_slope", **options)


def test_each_class_of_land_has_its_own_classes_of_slope():
    p = p_of([11, 11, 11, 12, 12, 12, 12, 31, 31], [0, 14.9999, 15, 4.9999, 5, 24.9999, 60, 0, 80])
    assert p.values.tolist() == [[0.35, 0.35, 1.0, 0.1, 0.2, 0.2, 0.8, 1.0, 1.0]]
    assert (p.name, p.attrs["units"], p.attrs["method"], p.attrs["method_status"]) == ("P", "1", "landuse_slope", "verified")


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_limits_in_percent_hold_whatever_the_slope_was_rounded_to(precision):
    limits = np.array([[3, 6, 9, 15, 25]])
    theta = np.arctan(limits * 0.3 / 30).astype(precision)  # planes over cells of 30 m
    table = pd.DataFrame({"code": 1, "slope_from_pct": [0, 3, 6, 9, 15, 25], "P": [0, 0.1, 0.2, 0.3, 0.4, 0.5]})
    p = rusle.p_factor(landcover=np.ones((1, 5)), theta=theta, by_slope=table, method="landuse_slope", units={"theta": "rad"})
    assert p.values.tolist() == [[0.1, 0.2, 0.3, 0.4, 0.5]]


def test_a_class_that_does_not_ask_for_the_slope_has_a_value_without_it():
    np.testing.assert_array_equal(p_of([11, 31, np.nan, np.nan], [np.nan, np.nan, 3, np.nan]).values, [[np.nan, 1.0, np.nan, np.nan]])


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 700))
@settings(max_examples=20, deadline=None)
def test_every_cell_as_a_person_would_read_it_on_any_tiling(seed, rows, columns):
    random = np.random.default_rng(seed)
    landcover = random.choice([11.0, 12.0, 31.0, 400_000.0, np.nan], (rows, columns))
    degrees = np.where(random.random((rows, columns)) < 0.1, np.nan, random.uniform(0, 40, (rows, columns)))
    expected = np.full((rows, columns), np.nan)
    for i, j in np.ndindex(rows, columns):
        of_class = [(limit, p) for code, limit, p in TABLE.itertuples(index=False) if code == landcover[i, j]]
        if len(of_class) == 1 or (of_class and not math.isnan(degrees[i, j])):
            expected[i, j] = [p for limit, p in of_class if limit == 0 or degrees[i, j] >= limit][-1]
    found = p_of(landcover, degrees)
    np.testing.assert_array_equal(found.values, expected)
    theta = xr.DataArray(np.radians(degrees), dims=("y", "x"), attrs={"units": "rad"}).chunk(y=2, x=100)
    with dask.config.set(scheduler=lambda *_, **__: pytest.fail("computed too early")):
        lazy = rusle.p_factor(landcover=landcover, theta=theta, by_slope=TABLE, method="landuse_slope")
    assert lazy.dtype == np.float64
    assert lazy.values.tobytes() == found.values.tobytes()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.drop(columns="P"), "expected 'code', 'P' and one of 'slope_from_pct' and 'slope_from_degree'"),
        (lambda t: t.assign(slope_from_pct=0), "expected 'code', 'P' and one of"),
        (lambda t: t[t["slope_from_degree"] > 0], "class 11 begins at slope_from_degree 15; its first row must be at 0"),
        (lambda t: pd.concat([t, t[:1]]), "class 11 has slope_from_degree 0 twice"),
        (lambda t: t.assign(P=35.0), "row 1: .*35.*expected 0 to 1"),
        (lambda t: t.assign(slope_from_degree=-1.0), "row 1: code .*11.*slope_from_degree .*-1.*expected a whole number and a slope from 0"),
        (lambda t: t.assign(code=1.5), "row 1: code .*1.5"),
        (lambda t: t[:0], "no rows"),
    ],
)
def test_a_table_that_cannot_be_read_as_one_is_refused(change, reason):
    with pytest.raises(InputError, match=reason):
        p_of([11], [1], change(TABLE))


def test_codes_of_cropland_are_whole_numbers():
    for cropland in (["maize"], [1.5]):
        with pytest.raises(InputError, match=r"the class codes \[.*\] hold .*; expected whole numbers"):
            rusle.p_factor(theta=np.zeros((1, 1)), landcover=np.ones((1, 1)), cropland=cropland, method="wenner1981", units={"theta": "rad"})


def test_a_class_without_a_row_is_named():
    with pytest.raises(InputError, match="no row for class 13 of the class raster"):
        p_of([[11, 13]], [[1, 1]])


def test_what_it_needs_and_what_it_has_no_use_for():
    with pytest.raises(InputError, match=r"needs landcover=, theta=.* and by_slope="):
        rusle.p_factor(landcover=np.ones((1, 1)), method="landuse_slope")
    with pytest.raises(InputError, match="by landuse_slope does not use cropland"):
        p_of([11], [1], cropland=[11])
    with pytest.raises(InputError, match="by wischmeier_smith1978 does not use by_slope"):
        rusle.p_factor(theta=np.zeros((1, 1)), by_slope=TABLE, method="wischmeier_smith1978", units={"theta": "rad"})


def test_the_table_that_comes_with_the_package():
    table = pd.read_csv(SHIPPED, comment="#")
    assert p_of([1, 1, 1, 1, 1, 1, 4], [4, 7, 12, 17, 22, 30, 30], table).values.tolist() == [[0.1, 0.221, 0.305, 0.575, 0.705, 0.8, 1.0]]
