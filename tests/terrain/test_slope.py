"""Horn's slope: exact on planes, however many cells are missing; closed forms; hand arithmetic."""

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import InputError
from rusle_engine.terrain.slope import slope


def raster(values, **chunks):
    array = xr.DataArray(values, dims=("y", "x"), attrs={"units": "m"})
    return array.chunk(chunks) if chunks else array


def plane(rows, columns, p, q, dx=10.0, dy=10.0):
    return p * dx * np.arange(columns)[np.newaxis, :] + q * dy * np.arange(rows)[:, np.newaxis] + 100.0


@given(p=st.floats(-2, 2), q=st.floats(-2, 2), dx=st.floats(1, 100), dy=st.floats(1, 100), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_a_plane_is_a_plane_up_to_its_rim_and_between_holes(p, q, dx, dy, seed):
    rng = np.random.default_rng(seed)
    heights = plane(12, 15, p, q, dx, dy)
    heights[rng.random(heights.shape) < rng.choice([0.0, 0.1, 0.4])] = np.nan
    theta = slope(raster(heights), cell_size_m=(dx, dy)).values
    there = np.pad(np.isfinite(heights), 1)
    along_x = there[1:-1, :-2] | there[1:-1, 2:]
    along_y = there[:-2, 1:-1] | there[2:, 1:-1]
    known = np.isfinite(heights) & along_x & along_y
    assert np.array_equal(np.isfinite(theta), known)
    scale = np.nanmax(np.abs(heights)) if known.any() else 0
    assert np.allclose(np.tan(theta[known]), np.hypot(p, q), rtol=1e-9, atol=1e-14 * scale)


def test_the_book_s_plane():
    theta = slope(raster(plane(3, 3, 0.2, 0.0)), cell_size_m=10.0).values
    assert np.allclose(np.degrees(theta), 11.3099324740202, rtol=1e-12)


def test_a_cone_in_its_middle_rows():
    # z = -r: on the axis the eight neighbours at distance n give p by hand
    rows = np.arange(-3, 4)
    heights = -10.0 * np.hypot(rows[:, np.newaxis], np.arange(7)[np.newaxis, :])
    n = 3
    by_hand = ((np.hypot(n + 1, 1) - np.hypot(n - 1, 1)) * 2 + 2 * 2) / 8
    assert np.tan(slope(raster(heights), cell_size_m=10.0).values[3, n]) == pytest.approx(by_hand, rel=1e-12)


def test_a_v_valley_is_level_across_its_floor():
    heights = 10.0 * 0.3 * np.abs(np.arange(-3, 4))[np.newaxis, :] + 10.0 * 0.05 * np.arange(5)[:, np.newaxis]
    tangent = np.tan(slope(raster(heights), cell_size_m=10.0).values)
    assert np.allclose(tangent[:, 3], 0.05, rtol=1e-12)  # only along the valley
    assert np.allclose(tangent[:, [0, 1, 5, 6]], np.hypot(0.3, 0.05), rtol=1e-12)


def test_weights_of_the_nine_cells_by_hand():
    heights = np.array([[1.0, 2.0, 4.0], [3.0, 9.0, 8.0], [5.0, 7.0, 16.0]])
    p = ((4 + 2 * 8 + 16) - (1 + 2 * 3 + 5)) / (8 * 2)
    q = ((5 + 2 * 7 + 16) - (1 + 2 * 2 + 4)) / (8 * 5)
    assert slope(raster(heights), cell_size_m=(2.0, 5.0)).values[1, 1] == pytest.approx(np.arctan(np.hypot(p, q)), rel=1e-14)


def test_a_missing_corner_lies_on_the_plane_of_its_sides():
    heights = np.array([[np.nan, 2.0, 4.0], [3.0, 9.0, 8.0], [5.0, 7.0, 16.0]])
    completed = heights.copy()
    completed[0, 0] = 2.0 + 3.0 - 9.0
    assert slope(raster(heights), cell_size_m=1.0).values[1, 1] == slope(raster(completed), cell_size_m=1.0).values[1, 1]


def test_infinite_heights_are_missing():
    heights = plane(5, 5, 0.1, 0.2)
    heights[2, 2] = np.inf
    heights[0, 0] = -np.inf
    theta = slope(raster(heights), cell_size_m=10.0).values
    assert np.argwhere(np.isnan(theta)).tolist() == [[0, 0], [2, 2]]
    assert np.allclose(np.tan(theta[np.isfinite(theta)]), np.hypot(0.1, 0.2), rtol=1e-12)


def test_one_row_has_no_slope():
    assert np.isnan(slope(raster(np.array([[1.0, 2.0, 3.0]])), cell_size_m=1.0).values).all()


def test_geographic_cells_have_their_size_on_the_ellipsoid():
    # book G-3: at 38.5° N a second of arc is 30.835 m north-south and 24.231 m east-west
    second = 1 / 3600
    y = 38.5 + second * (2 - np.arange(5))
    x = 112 + second * np.arange(5)
    eastwards, southwards = np.ones((5, 1)) * np.arange(5) * 1.0, np.arange(5)[:, np.newaxis] * np.ones((1, 5))
    for heights, size in ((eastwards, 24.231), (southwards, 30.835)):
        dem = xr.DataArray(heights, dims=("y", "x"), coords={"y": y, "x": x}, attrs={"units": "m"}).rio.write_crs("EPSG:4326")
        assert np.tan(slope(dem).values[2, 2]) == pytest.approx(1 / size, rel=5e-5)


def test_float32_heights_are_subtracted_in_float64():
    heights = (plane(4, 4, 1e-5, 0.0) + 3000).astype(np.float32)
    steps = heights.astype(np.float64)
    p = ((steps[0, 2] - steps[0, 0]) + 2 * (steps[1, 2] - steps[1, 0]) + (steps[2, 2] - steps[2, 0])) / 80
    assert slope(raster(heights), cell_size_m=10.0).values[1, 1] == pytest.approx(np.arctan(abs(p)), rel=1e-14)


@given(rows=st.integers(1, 25), columns=st.integers(1, 25), tile=st.tuples(st.integers(1, 25), st.integers(1, 25)))
@settings(max_examples=20, deadline=None)
def test_lazy_equals_eager_on_any_tiling(rows, columns, tile):
    rng = np.random.default_rng(rows * 26 + columns)
    heights = rng.normal(size=(rows, columns)).astype(np.float32)
    heights[rng.random(heights.shape) < 0.1] = np.nan
    eager = slope(raster(heights), cell_size_m=10.0)
    lazy = slope(raster(heights, y=tile[0], x=tile[1]), cell_size_m=10.0)
    assert (lazy.dtype, eager.dtype) == (np.float64, np.float64)
    assert lazy.values.tobytes() == eager.values.tobytes()


def refuse(*_args, **_kwargs):
    raise AssertionError("something was computed too early")


def test_nothing_is_computed_or_touched_before_its_time():
    heights = raster(np.random.default_rng(0).random((6, 6)))
    before = heights.copy(deep=True)
    with dask.config.set(scheduler=refuse):
        slope(heights.chunk(y=2, x=2), cell_size_m=1.0)
    theta = slope(heights, cell_size_m=1.0)
    assert heights.identical(before)
    assert theta.attrs["units"] == "rad"
    assert theta.attrs["method"] == "horn1981"


def test_an_array_without_a_cell_size_is_refused():
    with pytest.raises(InputError, match="cell_size_m"):
        slope(np.ones((3, 3)), units="m")
