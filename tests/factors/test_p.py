"""P by land cover and by the handbook's slope classes."""

import csv
import logging
import math
from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import InputError
from rusle_engine.factors.p import SLOPE_CLASSES, p_factor

TABLES = Path(__file__).parents[2] / "configs" / "tables"


def by_slope(percent, **options):
    theta = xr.DataArray(np.arctan(np.atleast_2d(percent) / 100), dims=("y", "x"), attrs={"units": "rad"})
    return p_factor(theta=theta, method="wischmeier_smith1978", **options)


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        (0, 0.6), (2, 0.6), (2.99, 0.6), (3, 0.5), (5.99, 0.5), (6, 0.5), (7, 0.5), (8.99, 0.5), (9, 0.6), (12.99, 0.6), (13, 0.7), (16.99, 0.7),
        (17, 0.8), (20.99, 0.8), (21, 0.9), (24, 0.9), (25, 0.9), (25.01, 1.0), (100, 1.0),
    ],
)  # fmt: skip
def test_contouring_classes_of_the_handbook_without_their_gaps(percent, expected):
    assert by_slope(percent).item() == expected


@pytest.mark.parametrize("precision", [np.float32, np.float64])
def test_the_limits_hold_whatever_the_slope_was_rounded_to(precision):
    limits = np.array([[3, 6, 9, 13, 17, 21, 25]])
    theta = np.arctan(limits * 0.3 / 30).astype(precision)  # planes over cells of 30 m
    assert (100 * np.tan(theta.astype(np.float64)) < limits).any()  # else this test says nothing
    assert p_factor(theta=theta, units="rad", method="wischmeier_smith1978").values.tolist() == [[0.5, 0.5, 0.6, 0.7, 0.8, 0.9, 0.9]]


def test_only_cropland_is_tilled_on_the_contour(caplog):
    landcover = np.array([[1.0, 2.0, 1.0, 3.0, np.nan]])
    with caplog.at_level(logging.WARNING, "rusle_engine"):
        p = by_slope([10, 10, np.nan, np.nan, 10], landcover=landcover, cropland=[1])
    np.testing.assert_array_equal(p.values, [[0.6, 1.0, np.nan, 1.0, np.nan]])
    assert not caplog.records
    by_slope(10)
    assert "contour tillage is taken for all land" in caplog.text


def test_slope_classes_of_one_s_own_are_recorded_and_take_no_practice_beside_them():
    assert by_slope(10, slope_classes={15: 1.0, 0: 0.35}).attrs["slope_classes"] == "0.35 from 0 %, 1 from 15 %"
    with pytest.raises(InputError, match="takes the classes of terrace, or slope_classes"):
        by_slope(10, practice="terrace", slope_classes={0: 0.35})


def test_slope_classes_can_be_one_s_own():
    assert by_slope([[0, 14.9, 15, 40]], slope_classes={15: 1.0, 0: 0.35}).values.tolist() == [[0.35, 0.35, 1.0, 1.0]]


def test_the_table_that_comes_with_the_package_says_the_same_as_the_code():
    with (TABLES / "p_slope_ws1978.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert [float(row["P"]) for row in rows] == list(SLOPE_CLASSES["contour"].values())
    assert [float(row["lower_pct"]) for row in rows] == list(SLOPE_CLASSES["contour"])


def test_the_handbook_s_classes_written_out_give_the_same_at_every_limit():
    limits = np.array([[0, 2.99, 3, 6, 9, 13, 17, 21, 24.99999, 25, 25.00001, 25.1, 90]])
    written = {0: 0.6, 3: 0.5, 9: 0.6, 13: 0.7, 17: 0.8, 21: 0.9, 25.00001: 1}
    assert by_slope(limits, slope_classes=written).values.tolist() == by_slope(limits).values.tolist()
    assert by_slope(25).item() == 0.9


@pytest.mark.parametrize(
    ("practice", "by_class"),
    [  # AH537 as the formula book remembers it, at 1, 4, 7, 10, 15, 18, 23 and 30 %
        ("contour", [0.60, 0.50, 0.50, 0.60, 0.70, 0.80, 0.90, 1]),
        ("strip_a", [0.30, 0.25, 0.25, 0.30, 0.35, 0.40, 0.45, 1]),
        ("strip_b", [0.45, 0.38, 0.38, 0.45, 0.52, 0.60, 0.68, 1]),
        ("strip_c", [0.60, 0.50, 0.50, 0.60, 0.70, 0.80, 0.90, 1]),
        ("terrace", [0.12, 0.10, 0.10, 0.12, 0.14, 0.16, 0.18, 1]),
    ],
)
def test_strips_and_terraces_by_slope_class(practice, by_class):
    p = by_slope([1, 4, 7, 10, 15, 18, 23, 30], practice=practice)
    assert p.values.tolist() == [by_class]
    assert p.attrs["practice"] == practice
    assert p.attrs["method_status"] == ("verified" if practice == "contour" else "unchecked")


def test_wenner_on_cropland():
    percent = np.array([[0, 5, 10, 20, 26.6, 26.7, 30, 10, np.nan]])
    landcover = np.array([[1, 1, 1, 1, 1, 1, 1, 2, 1]])
    theta = xr.DataArray(np.arctan(percent / 100), dims=("y", "x"), attrs={"units": "rad"})
    p = p_factor(theta=theta, landcover=landcover, cropland=[1], method="wenner1981")
    np.testing.assert_allclose(p.values, [[0.2, 0.35, 0.5, 0.8, 0.998, 1, 1, 1, np.nan]], rtol=1e-12)  # P-4 of the book: 0.5 at 10 %, clipped at 30 %


def test_p_by_land_cover():
    p = p_factor(landcover=np.array([[1, 2, np.nan]]), table={1: 0.49, 2: 1})
    np.testing.assert_array_equal(p.values, [[0.49, 1.0, np.nan]])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"landcover": 1.0}, "needs landcover= and table="),
        ({"landcover": 1.0, "table": {1: 49}}, "P .* is 49 for class 1 of the table; expected 0 to 1 .* percent"),
        ({"landcover": 2.0, "table": {1: 0.5}}, "the P table has no row for class 2"),
        ({"landcover": 1.0, "table": {1: 0.5}, "cropland": [1]}, "does not use cropland"),
        ({"method": "wischmeier_smith1978"}, "needs theta="),
        ({"method": "wenner1981", "theta": 0.1, "units": "rad"}, "on level land without crops it would give 0.2"),
        ({"method": "wenner1981", "theta": 0.1, "units": "rad", "slope_classes": {0: 1}}, "does not use slope_classes"),
        ({"method": "wischmeier_smith1978", "theta": 0.1, "units": "degree", "cropland": [1]}, "together, or neither"),
        ({"method": "wischmeier_smith1978", "theta": 12.0, "units": "rad"}, "theta .* is 12; expected 0 to 1.5708"),
        ({"method": "wischmeier_smith1978", "theta": 0.1, "units": "%"}, "theta .* has units '%'"),
        ({"method": "wischmeier_smith1978", "theta": 0.1, "units": "rad", "slope_classes": {5: 0.5}}, "the first lower limit must be 0"),
        ({"method": "wischmeier_smith1978", "theta": 0.1, "units": "rad", "slope_classes": {0: 50}}, r"\[50\]; expected 0 to 1"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        p_factor(**given)


def test_degrees_are_converted_by_their_unit():
    assert p_factor(theta=math.degrees(math.atan(0.10)), units="degree", method="wischmeier_smith1978").item() == 0.6


def refuse_to_compute(*_args, **_kwargs):
    raise AssertionError("computed while the graph was built")


@given(rows=st.integers(1, 12), columns=st.integers(1, 12), tile=st.tuples(st.integers(1, 12), st.integers(1, 12)))
@settings(max_examples=20, deadline=None)
def test_lazy_equals_eager_on_any_tiling(rows, columns, tile):
    random = np.random.default_rng(rows * 13 + columns)
    theta = xr.DataArray(random.gamma(2, 0.08, (rows, columns)), dims=("y", "x"), attrs={"units": "rad"})
    landcover = xr.DataArray(random.integers(1, 4, (rows, columns)).astype(np.uint8), dims=("y", "x"))
    before = theta.copy(deep=True), landcover.copy(deep=True)
    chunks = dict(zip(("y", "x"), tile))
    eager = p_factor(theta=theta, landcover=landcover, cropland=[1, 2], method="wischmeier_smith1978")
    with dask.config.set(scheduler=refuse_to_compute):
        lazy = p_factor(theta=theta.chunk(chunks), landcover=landcover.chunk(chunks), cropland=[1, 2], method="wischmeier_smith1978")
    assert dask.is_dask_collection(lazy)
    assert lazy.dtype == eager.dtype == lazy.compute().dtype
    assert lazy.values.tobytes() == eager.values.tobytes()
    assert theta.identical(before[0])
    assert landcover.identical(before[1])


def test_the_product_of_sub_factors():
    contouring = xr.DataArray([[0.6, 1.0, np.nan]], dims=("y", "x"))
    margins = xr.DataArray([[0.5, 0.25, 0.5]], dims=("y", "x"))
    p = p_factor(method="panagos2015", contouring=contouring, stone_walls=0.5, grass_margins=margins)
    np.testing.assert_allclose(p.values, [[0.15, 0.125, np.nan]], rtol=1e-15)
    assert p.attrs["parts"] == ["contouring", "grass_margins", "stone_walls"]
    assert p_factor(method="panagos2015", stone_walls=0.7).item() == 0.7
    lazy = p_factor(method="panagos2015", contouring=contouring.chunk(x=1), stone_walls=0.5, grass_margins=margins.chunk(x=1))
    assert lazy.chunks is not None
    assert lazy.values.tobytes() == p.values.tobytes()
    with pytest.raises(InputError, match="one or more of contouring, stone_walls, grass_margins"):
        p_factor(method="panagos2015")
    with pytest.raises(InputError, match=r"1\.2"):
        p_factor(method="panagos2015", contouring=1.2)
    with pytest.raises(InputError, match="stone_walls"):
        p_factor(method="wischmeier_smith1978", theta=0.1, stone_walls=0.7)


def test_what_is_no_method_and_no_practice_is_refused():
    theta = xr.DataArray([[0.1]], dims=("y", "x"), attrs={"units": "rad"})
    with pytest.raises(InputError, match="method of p_factor is 'ah537'; expected one of 'table', 'wischmeier_smith1978'"):
        p_factor(theta=theta, method="ah537")
    with pytest.raises(InputError, match=r"practice is 'terraces'; expected one of 'contour', .*'terrace'"):
        p_factor(theta=theta, method="wischmeier_smith1978", practice="terraces")
