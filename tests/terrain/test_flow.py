"""Directions against a plain spanning tree over all pairs of cells; accumulation against walking every path."""

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import GridMismatchError, InputError
from rusle_engine.core.grid import Grid
from rusle_engine.terrain.conditioning import condition
from rusle_engine.terrain.flow import flow_accumulation, flow_direction, upslope_area_of
from tests.terrain.oracles import counted_by_walking, receiver, tree_and_steepest


def raster(values, units="m", **chunks):
    array = xr.DataArray(values, dims=("y", "x"), attrs={"units": units})
    return array.chunk(chunks) if chunks else array


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_directions_equal_the_plain_tree(surface, dtype):
    heights = surface.astype(dtype)
    assert np.array_equal(flow_direction(raster(heights)).values, tree_and_steepest(heights))


def test_directions_on_cells_that_are_not_square(surface):
    got = flow_direction(raster(surface), cell_size_m=(24.0, 31.0)).values
    assert np.array_equal(got, tree_and_steepest(surface, 24.0, 31.0))


def test_every_cell_drains_and_never_rises(surface):
    codes, filled = flow_direction(raster(surface)).values, condition(raster(surface)).values
    assert np.array_equal(codes == 255, ~np.isfinite(surface))
    waiting = np.zeros(codes.shape, int)
    for i, j in zip(*np.nonzero(codes != 255)):
        down = receiver(codes, i, j)
        if down is not None:
            assert filled[down] <= filled[i, j]
            waiting[down] += 1
    ready = [cell for cell in zip(*np.nonzero(codes != 255)) if waiting[cell] == 0]
    for cell in ready:  # the list grows while it is walked
        down = receiver(codes, *cell)
        if down is not None:
            waiting[down] -= 1
            if waiting[down] == 0:
                ready.append(down)
    assert len(ready) == (codes != 255).sum()


def test_ties_go_to_the_first_neighbour():
    peak = np.zeros((3, 3))
    peak[1, 1] = 1.0
    assert flow_direction(raster(peak)).values[1, 1] == 64  # N, W, E and S fall alike; N comes first


def test_the_true_distance_decides():
    heights = np.full((3, 3), 10.0)
    heights[1, 2], heights[2, 1], heights[2, 2] = 8.0, 7.0, 6.0
    # falls per metre with dx 2, dy 4: E 2/2, S 3/4, SE 4/4.47
    assert flow_direction(raster(heights), cell_size_m=(2.0, 4.0)).values[1, 1] == 1
    # with dx 4, dy 2: E 2/4, S 3/2, SE 4/4.47
    assert flow_direction(raster(heights), cell_size_m=(4.0, 2.0)).values[1, 1] == 4
    # square: E 2, S 3, SE 4/1.41
    assert flow_direction(raster(heights)).values[1, 1] == 4


def test_geographic_rows_have_their_own_distances():
    rows = 5
    y = 60.0 - (np.arange(rows) + 0.5) * 0.01
    heights = np.full((rows, 3), 100.0)
    heights[:, 2], heights[:, 0] = 99.0, 100.0
    heights[3, 1] = 100.0
    heights[4, 1] = 98.2  # S of row 3: 1.8 m over about 1114 m; E: 1 m over about 557 m, steeper at 60° N
    dem = xr.DataArray(heights, dims=("y", "x"), coords={"y": y, "x": 10 + (np.arange(3) + 0.5) * 0.01}, attrs={"units": "m"})
    assert flow_direction(dem.rio.write_crs("EPSG:4326")).values[3, 1] == 1
    assert flow_direction(raster(heights)).values[3, 1] == 4


def test_a_height_one_step_lower_draws_the_water():
    heights = np.full((3, 4), 5.0)
    heights[1, 3] = np.nextafter(5.0, 0.0)
    assert flow_direction(raster(heights)).values[1, 2] == 1
    assert flow_direction(raster(heights.astype(np.float32))).values[1, 2] == 32  # there they are equal, and the first cell is the lower


def test_a_serpentine_channel_gathers_every_cell():
    size = 64
    codes = np.full((size, size), 1, np.uint8)
    codes[1::2] = 16
    codes[0::2, -1] = 4
    codes[1::2, 0] = 4
    codes[-1, 0] = 0
    for chunks in ({}, {"y": 64, "x": 32}, {"y": 7, "x": 9}):
        total = flow_accumulation(raster(codes, "1", **chunks)).values
        assert total[-1, 0] == 4096
        assert total[0, 0] == 1
        assert total[0, -1] == 64


def test_accumulation_equals_walking_every_path(surface):
    codes = flow_direction(raster(surface)).values
    assert np.array_equal(flow_accumulation(codes).values, counted_by_walking(codes), equal_nan=True)


def test_nothing_is_lost(surface):
    codes = flow_direction(raster(surface)).values
    total = flow_accumulation(codes).values
    leaving = [total[i, j] for i, j in zip(*np.nonzero(codes != 255)) if receiver(codes, i, j) is None]
    assert sum(leaving) == (codes != 255).sum()


def test_weights_are_summed_and_their_order_does_not_show(surface):
    codes = flow_direction(raster(surface)).values
    weights = np.random.default_rng(3).normal(size=codes.shape) * 1e6
    got = flow_accumulation(codes, weights=weights).values
    expected = counted_by_walking(codes, weights)
    assert np.array_equal(np.isnan(got), codes == 255)
    assert np.allclose(got, expected, rtol=0, atol=1e-6, equal_nan=True)
    mirrored = dict(zip([32, 64, 128, 16, 1, 8, 4, 2, 0, 255], [128, 64, 32, 1, 16, 2, 4, 8, 0, 255]))
    flipped = np.vectorize(mirrored.get, otypes=[np.uint8])(codes)[:, ::-1]
    assert flow_accumulation(flipped, weights=weights[:, ::-1]).values[:, ::-1].tobytes() == got.tobytes()
    whole = flow_accumulation(codes, weights=np.ones(codes.shape)).values
    assert np.array_equal(whole, flow_accumulation(codes).values, equal_nan=True)
    assert np.array_equal(flow_accumulation(codes, weights=2.5).values, 2.5 * whole, equal_nan=True)


def test_codes_that_lead_out_or_into_nodata_end_there():
    codes = np.array([[16, 1], [64, 255], [1, 1]], np.uint8)
    assert flow_accumulation(codes).values[0].tolist() == [2.0, 1.0]
    assert flow_accumulation(codes).values[2].tolist() == [1.0, 2.0]


def test_circles_are_refused():
    with pytest.raises(InputError, match="leads round in circles: 2 cells drain into each other"):
        flow_accumulation(np.array([[1, 16, 16, 0]], np.uint8))


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.array([[3]], np.uint8), "is 3 at row 0, column 0; expected one of 1 E"),
        (np.array([[1, -9999]], np.int16), "is -9999 at row 0, column 1"),
        (np.array([[0, 257]], np.int32), "is 257 at row 0, column 1"),
        (np.array([[0.5]]), "Angles are not codes"),
    ],
)
def test_what_is_not_a_code_is_refused(codes, message):
    with pytest.raises(InputError, match=message):
        flow_accumulation(codes)


def test_another_scheme_is_refused():
    codes = raster(np.zeros((2, 2), np.uint8), "1").assign_attrs(scheme="dinf")
    with pytest.raises(InputError, match="scheme 'dinf'; expected 'd8'"):
        flow_accumulation(codes)


def test_a_missing_weight_is_refused_only_where_water_flows():
    codes = np.array([[1, 0, 255]], np.uint8)
    assert flow_accumulation(codes, weights=np.array([[1.0, 2.0, np.nan]])).values[0, :2].tolist() == [1.0, 3.0]
    with pytest.raises(InputError, match="weights are nan at row 0, column 1"):
        flow_accumulation(codes, weights=np.array([[1.0, np.nan, 1.0]]))


def test_weights_of_another_shape_are_refused():
    with pytest.raises(GridMismatchError):
        flow_accumulation(np.zeros((2, 2), np.uint8), weights=np.zeros((2, 3)))


def geographic(codes):
    rows, columns = codes.shape
    coords = {"y": 38.5 + 1 / 3600 * (rows - 0.5 - np.arange(rows)), "x": 112 + (np.arange(columns) + 0.5) / 3600}
    return xr.DataArray(codes, dims=("y", "x"), coords=coords).rio.write_crs("EPSG:4326")


def test_upslope_area_on_the_ellipsoid():
    codes = geographic(np.array([[4], [4], [0]], np.uint8).repeat(2, axis=1))
    grid = Grid.of(codes)
    area = upslope_area_of(codes, grid).values
    assert area[0].tolist() == [0.0, 0.0]
    assert area[2] == pytest.approx(grid.cell_area_m2[0] + grid.cell_area_m2[1], rel=1e-14)
    assert grid.cell_area_m2[2] == pytest.approx(747.17118, abs=1e-4)  # the book's cell, its southern edge at 38.5° N


def test_upslope_area_on_square_cells_is_exact():
    codes = np.array([[1, 1, 0]], np.uint8)
    grid = Grid.of(raster(codes, "1"), 30.0)
    assert upslope_area_of(raster(codes, "1"), grid).values.tolist() == [[0.0, 900.0, 1800.0]]


@given(rows=st.integers(1, 25), columns=st.integers(1, 25), tile=st.tuples(st.integers(1, 25), st.integers(1, 25)))
@settings(max_examples=15, deadline=None)
def test_lazy_equals_eager_on_any_tiling(rows, columns, tile):
    heights = np.random.default_rng(rows * 26 + columns).integers(0, 6, (rows, columns)).astype(np.float32)
    heights[heights == 5] = np.nan
    tiles = {"y": tile[0], "x": tile[1]}
    eager, lazy = flow_direction(raster(heights)), flow_direction(raster(heights, **tiles))
    assert (lazy.dtype, eager.dtype) == (np.uint8, np.uint8)
    assert lazy.values.tobytes() == eager.values.tobytes()
    counted, later = flow_accumulation(eager), flow_accumulation(lazy)
    assert (later.dtype, counted.dtype) == (np.float64, np.float64)
    assert later.values.tobytes() == counted.values.tobytes()
    weights = np.random.default_rng(0).random((rows, columns))
    later = flow_accumulation(lazy, weights=raster(weights, "1", **tiles)).values
    assert later.tobytes() == flow_accumulation(eager, weights=weights).values.tobytes()


def refuse(*_args, **_kwargs):
    raise AssertionError("something was computed too early")


def test_nothing_is_computed_or_touched_before_its_time():
    heights = raster(np.random.default_rng(0).random((6, 6)))
    before = heights.copy(deep=True)
    with dask.config.set(scheduler=refuse):
        flow_accumulation(flow_direction(heights.chunk(y=2, x=2)))
    codes = flow_direction(heights)
    kept = codes.copy(deep=True)
    flow_accumulation(codes)
    assert heights.identical(before)
    assert codes.identical(kept)
    assert codes.attrs["scheme"] == "d8"
