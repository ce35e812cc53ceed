"""SL 190-2007 classes against the table of the standard, at its limits and one float below."""

from itertools import pairwise

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import InputError
from rusle_engine.erosion.intensity import CLASSES, erosion_intensity

TOLERANCES = (200, 500, 1000)
LIMITS = (2500, 5000, 8000, 15000)


def code_of(a, tolerance=1000.0):
    return erosion_intensity(np.atleast_2d(np.asarray(a)), tolerance).values.ravel().tolist()


@pytest.mark.parametrize(("modulus", "expected"), [(7749.757, 4), (560.4713, 1), (6672.278, 4)])
def test_pixels_of_the_book(modulus, expected):
    assert code_of(modulus / 100) == [expected]


@pytest.mark.parametrize(("limit", "code"), list(zip(LIMITS, (3, 4, 5, 6))))
def test_a_limit_belongs_to_the_class_above_it(limit, code):
    at = np.float32(limit / 100)  # 25, 50, 80 and 150 are float32 numbers
    assert code_of([np.nextafter(at, np.float32(0)), at, np.nextafter(at, np.float32(np.inf))]) == [code - 1, code, code]


@pytest.mark.parametrize("tolerance", TOLERANCES)
def test_the_tolerance_parts_slight_from_light(tolerance):
    at = np.float32(tolerance / 100)
    assert code_of([np.nextafter(at, np.float32(0)), at], tolerance) == [1, 2]


def test_six_hundred_is_slight_on_the_loess_plateau_and_light_in_the_northern_mountains():
    assert erosion_intensity(np.array([[6.0, 6.0]]), np.array([[1000.0, 200.0]])).values.tolist() == [[1, 2]]


def test_a_tolerance_of_2500_leaves_no_light_class():
    assert code_of([24.9, 25.0], 2500) == [1, 3]


@given(tolerance=st.floats(1e-3, 2500), steps=st.integers(-3, 3))
@settings(max_examples=200, deadline=None)
def test_the_class_compares_100_a_of_the_float32_a_exactly(tolerance, steps):
    a = np.float32(tolerance / 100)
    for _ in range(abs(steps)):
        a = np.nextafter(a, np.float32(np.inf if steps > 0 else 0))
    expected = 2 if float(a) * 100 >= tolerance else 1
    expected = expected if float(a) * 100 < 2500 else 3
    assert code_of(a, tolerance) == [expected]
    assert code_of(a, np.array([[tolerance]])) == [expected]


def test_a_is_rounded_to_float32_before_it_is_classified():
    just_below = np.nextafter(25.0, 0)  # float64; its float32 is 25
    assert code_of(just_below) == [3]


def test_a_modulus_is_taken_by_its_unit():
    modulus = xr.DataArray(np.array([[999.0, 1000.0, 2500.0]]), dims=("y", "x"), attrs={"units": "t/km2/yr"})
    assert erosion_intensity(modulus).values.tolist() == [[1, 2, 3]]


def test_nodata_in_a_or_in_the_tolerance_is_255():
    assert code_of([np.nan, 1.0]) == [255, 1]
    assert code_of([1.0, 1.0], np.array([[np.nan, 500.0]])) == [255, 1]


@given(rows=st.integers(1, 30), columns=st.integers(1, 30), tile=st.tuples(st.integers(1, 30), st.integers(1, 30)), by_raster=st.booleans())
@settings(max_examples=25, deadline=None)
def test_lazy_equals_eager_on_any_tiling(rows, columns, tile, by_raster):
    random = np.random.default_rng(rows * 31 + columns)
    a = xr.DataArray(random.gamma(0.5, 60, (rows, columns)).astype(np.float32), dims=("y", "x"))
    tolerance = xr.DataArray(random.choice(TOLERANCES, (rows, columns)).astype(float), dims=("y", "x")) if by_raster else 500
    eager = erosion_intensity(a, tolerance)
    lazy = erosion_intensity(a.chunk(y=tile[0], x=tile[1]), tolerance)
    assert dask.is_dask_collection(lazy)
    assert lazy.dtype == lazy.compute().dtype == np.uint8
    assert lazy.values.tobytes() == eager.values.tobytes()


@pytest.mark.parametrize("wrong", [0, -1, 2500.1, 1e6])
def test_a_tolerance_that_cannot_be_is_refused(wrong):
    with pytest.raises(InputError, match="soil loss tolerance is"):
        erosion_intensity(np.ones((1, 1)), wrong)
    with pytest.raises(InputError, match="soil loss tolerance is"):
        erosion_intensity(np.ones((1, 1)), np.full((1, 1), float(wrong)))


def test_a_negative_loss_is_refused():
    with pytest.raises(InputError, match="cannot be negative"):
        erosion_intensity(np.array([[1.0, -0.5]]))


def test_the_table_of_classes_is_the_standard_s():
    assert [row.name_zh for row in CLASSES] == ["微度", "轻度", "中度", "强烈", "极强烈", "剧烈"]
    assert [(row.code, row.upper) for row in CLASSES[1:5]] == [(2, 2500), (3, 5000), (4, 8000), (5, 15000)]
    assert all(above.lower == below.upper for below, above in pairwise(CLASSES))
