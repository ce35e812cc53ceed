"""A against the pixels of the science book and NumPy's own product, and the promises of every cell-wise function."""

from itertools import pairwise

import dask
import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from rusle_engine.core.errors import GridMismatchError, InputError
from rusle_engine.core.grid import Grid
from rusle_engine.erosion.soil_loss import soil_loss


def grid_of(rows, columns):
    return Grid(rows, columns, Affine(30, 0, 500000, 0, -30, 4000000), CRS.from_epsg(32649))


def factors(rows, columns, seed=0):
    """R and C float32, K and LS float64, holes in LS and C."""
    random = np.random.default_rng(seed)
    grid = grid_of(rows, columns)
    ranges = {"r": (1000, 2000, "f4"), "k": (0.02, 0.06, "f8"), "ls": (0, 20, "f8"), "c": (0, 1, "f4")}
    arrays = {name: random.uniform(low, high, grid.shape).astype(kind) for name, (low, high, kind) in ranges.items()}
    for name in ("ls", "c"):
        arrays[name][random.random(grid.shape) < 0.1] = np.nan
    return {name: grid.label(values) for name, values in arrays.items()}


@pytest.mark.parametrize(
    ("topography", "practices", "expected"),
    [
        (1.646588 * 5.810562, {"b": 0.12, "e": 1.0, "t": 1.0}, 77.49757),  # grass on 18 degrees
        (1.344433 * 1.838108, {"b": 1.0, "e": 0.084, "t": 0.4}, 5.604713),  # terraced cropland on 8 degrees
        (1.344433 * 1.838108, {"b": 1.0, "e": 1.0, "t": 0.4}, 66.72278),  # the same without terraces
    ],
)
def test_pixels_of_the_book(topography, practices, expected):
    assert soil_loss(1500.0, 0.045, topography, **practices).item() == pytest.approx(expected, rel=1e-6)


def test_us_units_close_to_tons_per_acre():
    # 17.0195 × 0.131714 = 2.2417, the factor from short ton per acre to t/ha
    loss = soil_loss(100.0, 0.3, 1.0, units={"r": "US R", "k": "US K"})
    assert loss.item() == pytest.approx(100 * 0.3 * 2.2417, rel=1e-5)


def test_the_product_is_float64_in_the_order_of_the_letters_and_rounded_once():
    f = factors(40, 50)
    expected = f["r"].values.astype("f8") * f["k"].values * f["ls"].values * f["c"].values.astype("f8") * 0.7
    loss = soil_loss(f["r"], f["k"], f["ls"], f["c"], 0.7)
    assert loss.dtype == np.float32
    np.testing.assert_array_equal(loss.values, expected.astype(np.float32))


def test_a_number_in_the_middle_keeps_its_place():
    f = factors(40, 50)
    expected = f["r"].values.astype("f8") * 0.037 * f["ls"].values * 0.21 * f["c"].values.astype("f8")
    np.testing.assert_array_equal(soil_loss(f["r"], 0.037, f["ls"], b=0.21, e=f["c"]).values, expected.astype(np.float32))


@pytest.mark.parametrize("letters", ["rklscp", "rklsbet"])
def test_the_order_shows_where_it_would_overflow(letters):
    names = ["r", "k", "ls", *letters[4:]]
    for first, second in pairwise(names):  # 1e-300 before 1e300 stays finite only in this order
        values = dict.fromkeys(names, 1.0) | {first: 1e-300, second: 1e300}
        values["r"] *= 1e20
        assert soil_loss(**values).item() == pytest.approx(1e20)


def test_nodata_in_any_factor_is_nodata_and_only_there():
    f = factors(40, 50)
    holes = np.isnan(f["ls"].values) | np.isnan(f["c"].values)
    assert np.array_equal(np.isnan(soil_loss(**f).values), holes)


def test_the_dataset_of_r_factor_is_taken_for_its_r():
    f = factors(5, 6)
    dataset = xr.Dataset({"R": f["r"], "wr": f["k"]})
    assert soil_loss(dataset, f["k"], f["ls"]).identical(soil_loss(f["r"], f["k"], f["ls"]))


@given(rows=st.integers(1, 30), columns=st.integers(1, 30), tile=st.tuples(st.integers(1, 30), st.integers(1, 30)))
@settings(max_examples=25, deadline=None)
def test_lazy_equals_eager_on_any_tiling(rows, columns, tile):
    eager = factors(rows, columns, rows * 31 + columns)
    lazy = {name: array.chunk(y=tile[0], x=tile[1]) for name, array in eager.items()}
    lazy["c"] = eager["c"]  # some in memory
    whole, tiled = soil_loss(**eager, p=0.5), soil_loss(**lazy, p=0.5)
    assert dask.is_dask_collection(tiled)
    assert tiled.dtype == tiled.compute().dtype == np.float32
    assert tiled.values.tobytes() == whole.values.tobytes()


def test_nothing_is_computed_before_it_is_asked_for():
    def refuse(*_, **__):
        raise AssertionError("computed too early")

    lazy = {name: array.chunk(y=3) for name, array in factors(6, 5).items()}
    with dask.config.set(scheduler=refuse):
        soil_loss(**lazy, p=1.0)


def test_the_caller_s_arrays_are_not_touched():
    f = factors(6, 5)
    before = {name: array.copy(deep=True) for name, array in f.items()}
    soil_loss(**f)
    assert all(f[name].identical(before[name]) for name in f)


def test_plain_arrays_take_the_grid_of_a_labelled_one():
    f = factors(6, 5)
    mixed = soil_loss(f["r"].values, f["k"].values, f["ls"], f["c"])
    assert mixed.identical(soil_loss(**f))
    assert mixed.rio.crs == f["ls"].rio.crs


def test_c_and_p_are_not_mixed_with_b_e_and_t():
    with pytest.raises(InputError, match="factors R K LS C E mix two equations"):
        soil_loss(1.0, 1.0, 1.0, 1.0, e=1.0)


def test_another_grid_is_refused():
    f = factors(6, 5)
    moved = f["c"].assign_coords(x=f["c"].x + 30)
    with pytest.raises(GridMismatchError, match="R and C lie on different grids"):
        soil_loss(f["r"], f["k"], f["ls"], moved)


def test_a_wrong_unit_is_refused():
    with pytest.raises(InputError, match=r"R .* has units 'mm'"):
        soil_loss(np.ones((2, 2)), 0.04, 1.0, units={"r": "mm"})


@pytest.mark.parametrize("wrong", [-0.1, 1e39])
def test_an_impossible_loss_is_an_error(wrong):
    with pytest.raises(InputError, match=r"A .* has the value"):
        soil_loss(np.array([[1.0, wrong, np.nan]]), 1.0, 1.0)


@pytest.mark.parametrize("k", [0.42, np.full((5, 6), 0.42), np.full((5, 6), 0.42, np.float32)])
def test_a_k_that_only_us_units_explain_is_refused(k):
    f = factors(5, 6)
    with pytest.raises(InputError, match=r"K \(soil erodibility factor\) is 0.42; expected 0 to 0.1.*US K"):
        soil_loss(1500.0, k, 1.0, 0.2, 1.0)
    with pytest.raises(InputError, match="US K"):
        soil_loss(f["r"].chunk(y=2), k, f["ls"], f["c"]).compute()
    assert np.nanmax(soil_loss(1500.0, k, 1.0, units={"k": "US K"})) == pytest.approx(1500 * 0.42 * 0.131714, rel=1e-6)


def test_the_highest_k_in_si_passes_whatever_it_was_rounded_to():
    assert soil_loss(1000.0, np.full((1, 1), 0.1, np.float32), 1.0).item() == pytest.approx(100)
