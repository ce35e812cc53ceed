"""Breaching against dams cut by hand and a plain search with a heap, on any tiles; and what a breached surface promises."""

import heapq
import weakref
from functools import cache

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import InputError, MemoryBudgetError
from rusle_engine.terrain.conditioning import breach_report, condition
from rusle_engine.terrain.flow import flow_accumulation, flow_direction
from tests.terrain.oracles import NEIGHBOURS, SURFACES, cuts, filled_by_heap, fractal, receiver, tree_and_steepest


def raster(values, chunks=None):
    array = xr.DataArray(values, dims=("y", "x"), attrs={"units": "m"})
    return array if chunks is None else array.chunk(dict(zip(("y", "x"), chunks)))


def breached(heights, length, depth=None, remaining="leave", cell=1.0):
    options = {"max_breach_length_m": length, "max_breach_depth_m": depth, "remaining": remaining, "cell_size_m": cell}
    return condition(np.asarray(heights), method="breach", units="m", **options).values


def walled(*rows, thick=1):
    """Heights with a wall of 9 m around them."""
    return np.pad(np.array(rows, float), thick, constant_values=9.0)


# By hand


def test_a_dam_of_one_cell():
    heights = walled([9.0, 2.0, 5.0, 1.0, 0.9])
    heights[1, -1] = 0.8
    expected = heights.copy()
    expected[1, 3] = 2.0
    assert np.array_equal(breached(heights, 3.0), expected)


def test_a_way_out_through_the_wall_where_nothing_lower_is_near():
    heights = walled([3.0, 3.0, 3.0], [3.0, 1.0, 3.0], [3.0, 3.0, 3.0])
    heights[0, 2] = 7.0
    expected = heights.copy()
    expected[1, 2] = expected[0, 2] = 1.0  # 2 + 6 m; elsewhere 2 + 8 m
    assert np.array_equal(breached(heights, 10.0), expected)


def test_the_least_cutting_wins_over_the_shorter_way():
    heights = walled([9.0, 9.0, 9.0, 9.0], [0.0, 8.0, 2.0, 5.0], [9.0, 3.0, 3.0, 9.0])
    heights[2, 0] = -1.0  # the outlet
    heights[2, 1] = 1.0
    # from the bottom (2, 3), of height 2: west over (2, 2), 8 m: 6 m; south-west over (3, 2), 3 m: 1 m
    expected = heights.copy()
    expected[3, 2] = 2.0
    assert np.array_equal(breached(heights, 10.0), expected)


def test_of_equal_cuttings_the_shorter_way_and_then_the_first_row():
    heights = np.full((7, 7), 9.0)
    heights[3, 3] = 1.0
    heights[[0, 6], 3] = 0.0
    expected = heights.copy()
    expected[1:3, 3] = 1.0  # two cells to the north, two to the south; diagonals would be longer
    assert np.array_equal(breached(heights, 10.0), expected)
    assert np.array_equal(breached(heights[::-1], 10.0), expected)  # the same heights


def test_the_limit_of_depth():
    heights = walled([9.0, 2.0, 5.0, 1.0, 0.9])
    heights[1, -1] = 0.8
    assert np.array_equal(breached(heights, 3.0, depth=2.999), heights)
    assert breached(heights, 3.0, depth=3.0)[1, 3] == 2.0


def test_the_limit_of_length_in_metres():
    heights = walled([2.0, 5.0, 5.0, 1.0], thick=4)
    heights[4, -4:] = 0.9
    assert np.array_equal(breached(heights, 89.9, cell=30.0), heights)
    assert np.array_equal(breached(heights, 90.0, cell=30.0)[4, 4:8], [2.0, 2.0, 2.0, 1.0])
    assert breached(heights, 90.0, cell=(30.0, 500.0))[4, 5] == 2.0
    assert breached(heights, 90.0, cell=(30.1, 500.0))[4, 5] == 5.0


def test_nodata_is_an_outlet():
    heights = np.full((7, 9), 9.0)
    heights[3, 3] = 1.0
    heights[3, 6] = np.nan
    expected = heights.copy()
    expected[3, 4] = expected[3, 5] = 1.0  # its neighbour (3, 5) touches nodata
    assert np.array_equal(breached(heights, 2.0), expected, equal_nan=True)


def test_nested_pits_drain_into_one_another():
    heights = walled([5.0, 4.0, 6.0, 3.0, 8.0, 2.0])
    heights[1, -1] = 1.0
    expected = heights.copy()
    expected[1, 3], expected[1, 5] = 4.0, 3.0  # 4 breaks through to 3, and 3 to 2
    assert np.array_equal(breached(heights, 2.0), expected)
    report = breach_report(heights, max_breach_length_m=2.0, cell_size_m=1.0, units="m")
    assert report == {"breaches": 2, "longest_breach_m": 2.0, "deepest_cut_m": 5.0, "lowered_cells": 2, "unresolved_pits": 0}


def test_of_two_bottoms_as_low_the_later_drains_into_the_earlier():
    heights = walled([1.0, 5.0, 1.0])
    heights[1, 0] = 6.0
    expected = heights.copy()
    expected[1, :3] = 1.0  # out through the lowest part of the wall, and from the second bottom to the first
    assert np.array_equal(breached(heights, 2.0), expected)


def test_a_flat_bottom_is_breached_once_where_its_water_leaves():
    heights = walled(*np.full((4, 4), 1.0))
    heights[5, 2] = 7.0
    expected = heights.copy()
    expected[5, 2] = 1.0
    assert np.array_equal(breached(heights, 1.5), expected)  # one diagonal step: it need not go through the lake


def test_a_lake_that_drains_far_away_is_left_alone():
    heights = np.full((7, 40), 5.0)
    heights[2:5, 1:39] = 1.0
    heights[3, 39] = 1.0
    heights[[0, 6], 2:6] = 0.0  # lower ground behind a wall one cell thick, far from the outlet
    assert np.array_equal(breached(heights, 3.0), heights)


def test_channels_that_meet_keep_the_lowest():
    heights = walled([3.0, 9.0, 9.0], [9.0, 6.0, 1.0], [2.0, 9.0, 9.0])  # two bottoms, one gap
    heights[2, -1] = 0.0
    expected = heights.copy()
    expected[2, 2] = 2.0
    assert np.array_equal(breached(heights, 6.0), expected)
    assert np.array_equal(breached(heights[::-1], 6.0), expected[::-1])


def test_what_remains_is_filled_or_left():
    heights = walled([9.0, 2.0, 5.0, 1.0, 0.9])
    heights[1, -1] = 0.8
    assert np.array_equal(breached(heights, 3.0, depth=1.0, remaining="fill"), filled_by_heap(heights))
    assert np.array_equal(breached(heights, 3.0, depth=1.0, remaining="leave"), heights)
    report = breach_report(heights, max_breach_length_m=3.0, max_breach_depth_m=1.0, cell_size_m=1.0, units="m")
    assert report == {"breaches": 0, "longest_breach_m": 0.0, "deepest_cut_m": 0.0, "lowered_cells": 0, "unresolved_pits": 1}


# Against a plain search


def breached_by_heap(heights, max_length, max_depth=np.inf, dx=1.0, dy=1.0):
    """The definition: starts from the plain fill and the plain tree, one search with a heap for each, the lowest of all channels."""
    rows, columns = heights.shape
    filled, codes = filled_by_heap(heights), tree_and_steepest(heights)

    def around(i, j):
        return [(i + down, j + right) for down, right in NEIGHBOURS if 0 <= i + down < rows and 0 <= j + right < columns]

    def is_outlet(cell):
        near = around(*cell)
        return len(near) < 8 or any(codes[n] == 255 for n in near)

    def is_start(cell):
        sunk = filled[cell] > heights[cell] and all(heights[n] >= heights[cell] for n in around(*cell))
        return sunk and heights[receiver(codes, *cell)] > heights[cell]

    def search(start):
        bottom = heights[start]
        best, settled, heap = {start: (0.0, 0.0, None)}, set(), [(0.0, 0.0, start)]
        while heap:
            cost, length, cell = heapq.heappop(heap)
            if cell in settled:
                continue
            settled.add(cell)
            level = heights[cell] == bottom
            lower = heights[cell] < bottom or is_outlet(cell) or (level and (filled[cell] == bottom or (is_start(cell) and cell < start)))
            if cell != start and lower:
                path = []
                while cell is not None:
                    path.append(cell)
                    cell = best[cell][2]
                return path
            for there in around(*cell):
                if codes[there] == 255 or there in settled:
                    continue
                cut = max(float(heights[there]) - float(bottom), 0.0)
                way = length + float(np.hypot((there[0] - cell[0]) * dy, (there[1] - cell[1]) * dx))
                if cut <= max_depth and way <= max_length and (there not in best or (cost + cut, way) < best[there][:2]):
                    best[there] = (cost + cut, way, cell)
                    heapq.heappush(heap, (cost + cut, way, there))
        return []

    surface = np.where(codes == 255, np.nan, heights).astype(heights.dtype)
    for start in zip(*np.nonzero(codes != 255)):
        if is_start(start):
            for cell in search(start):
                surface[cell] = min(surface[cell], heights[start])
    return surface


LIMITS = [(100.0, None), (4.0, None), (7.0, 1.5)]


@cache
def plain_answer(name, dtype, length, depth):
    return breached_by_heap(SURFACES[name].astype(dtype), length, np.inf if depth is None else depth)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("length", "depth"), LIMITS)
@pytest.mark.parametrize("name", list(SURFACES))
def test_equals_the_plain_search(name, length, depth, dtype):
    heights = SURFACES[name].astype(dtype)
    got = breached(heights, length, depth)
    assert got.dtype == dtype
    assert np.array_equal(got, plain_answer(name, dtype, length, depth), equal_nan=True)


@given(
    data=st.data(), name=st.sampled_from(list(SURFACES)), limits=st.sampled_from(LIMITS[1:]), scheduler=st.sampled_from(["threads", "synchronous"])
)
@settings(max_examples=25, deadline=None)
def test_any_tiles_give_the_same_bytes(data, name, limits, scheduler):
    heights = SURFACES[name].astype(np.float32)
    dem = raster(heights, tuple(cuts(data.draw, length) for length in heights.shape))
    with dask.config.set(scheduler=scheduler):
        lazy = condition(dem, method="breach", max_breach_length_m=limits[0], max_breach_depth_m=limits[1], remaining="leave", cell_size_m=1.0)
        assert lazy.chunks == dem.chunks
        assert lazy.dtype == np.float32
        assert lazy.values.tobytes() == plain_answer(name, np.float32, *limits).tobytes()


def test_in_memory_tiles_do_not_show(monkeypatch):
    heights = np.round(fractal(np.random.default_rng(3), 90, 75) * 5).astype(np.float32)
    expected = breached(heights, 6.0)
    monkeypatch.setattr("rusle_engine.terrain.breaching.TILE_SIZE", 16)
    assert breached(heights, 6.0).tobytes() == expected.tobytes()


def test_cells_that_are_not_square():
    heights = SURFACES["white noise"]
    assert np.array_equal(breached(heights, 90.0, cell=(24.0, 31.0)), breached_by_heap(heights, 90.0, dx=24.0, dy=31.0))


def test_a_mirrored_surface_gives_the_mirrored_answer():
    heights = SURFACES["white noise"]
    expected = breached(heights, 8.0)
    assert np.array_equal(breached(heights[::-1], 8.0)[::-1], expected)
    assert np.array_equal(breached(heights.T, 8.0).T, expected)


def test_lengths_on_a_geographic_grid_are_those_of_the_row():
    """At 60° N a degree of longitude is half of one of latitude: lower ground three cells westwards is within reach, northwards it is not."""
    heights = np.full((9, 9), 50.0)
    heights[4, 4] = 10.0
    across, along = heights.copy(), heights.copy()
    across[4, :2], along[:2, 4] = 1.0, 1.0
    coords = {"y": 60.0 - (np.arange(9) - 4) * 0.01, "x": 10 + np.arange(9) * 0.01}
    length = 3 * 0.01 * 111412 * 0.5 * 1.05  # three cells of about 557 m, and a little
    for values, cut in ((across, True), (along, False)):
        dem = xr.DataArray(values, dims=("y", "x"), coords=coords, attrs={"units": "m"}).rio.write_crs("EPSG:4326")
        result = condition(dem, method="breach", max_breach_length_m=length, remaining="leave").values
        assert (result < values).any() == cut


# Promises


@pytest.mark.parametrize(("length", "depth"), LIMITS)
def test_what_a_breached_surface_promises(surface, length, depth):
    left, drained = breached(surface, length, depth), breached(surface, length, depth, remaining="fill")
    known = np.isfinite(surface)
    assert np.array_equal(np.isfinite(left), known)
    assert (left[known] <= surface[known]).all()
    assert depth is None or (surface[known] - left[known] <= depth).all()
    assert np.isin(left[known], surface[known]).all()  # no height that was not there: steps of quantised heights stay
    assert np.array_equal(drained, filled_by_heap(left), equal_nan=True)
    assert (drained[known] <= filled_by_heap(surface)[known]).all()


def test_without_limits_nothing_is_left_to_fill(surface):
    left = breached(surface, 100.0)
    assert np.array_equal(filled_by_heap(left), left, equal_nan=True)
    report = breach_report(surface, max_breach_length_m=100.0, cell_size_m=1.0, units="m")
    assert report["unresolved_pits"] == 0
    assert report["lowered_cells"] == (left < surface).sum()
    assert report["deepest_cut_m"] == np.nanmax(np.where(np.isfinite(surface), surface - left, 0.0), initial=0.0)


def test_directions_of_a_breached_surface_drain_every_cell():
    heights = np.round(fractal(np.random.default_rng(11), 50, 60) * 4)
    codes = flow_direction(breached(heights, 30.0), units="m")
    total = flow_accumulation(codes).values
    assert total[codes.values == 0].sum() == heights.size


def refuse(*_args, **_kwargs):
    raise AssertionError("something was computed too early")


def test_nothing_is_computed_or_touched_before_its_time():
    dem = raster(np.random.default_rng(0).random((30, 30)))
    before = dem.copy(deep=True)
    options = {"method": "breach", "max_breach_length_m": 3.0, "cell_size_m": 1.0}
    with dask.config.set(scheduler=refuse):
        lazy = condition(dem.chunk(y=10, x=10), **options)
    eager = condition(dem, **options)
    assert dem.identical(before)
    assert lazy.compute().identical(eager)
    assert eager.attrs["method"] == "breach"
    assert eager.attrs["max_breach_length_m"] == 3.0
    assert eager.attrs["remaining"] == "fill"
    assert "Lindsay 2016" in eager.attrs["source"]
    assert "max_breach_depth_m" not in eager.attrs


def test_a_reach_too_wide_for_the_budget_is_refused_before_it_starts():
    dem = xr.DataArray(dask.array.zeros((4000, 4000), chunks=500, dtype=np.float32), dims=("y", "x"), attrs={"units": "m"})
    with dask.config.set({"rusle_engine.memory_budget": "200 MB", "scheduler": refuse}):
        condition(dem, method="breach", max_breach_length_m=20.0, cell_size_m=1.0)
        with pytest.raises(MemoryBudgetError, match=r"breaching, with 2003 cells around each tile, needs about .* smaller max_breach_length_m"):
            condition(dem, method="breach", max_breach_length_m=1000.0, cell_size_m=1.0)


def test_a_dem_too_large_to_wait_in_memory_is_read_once_and_waits_on_the_disk():
    heights = np.round(fractal(np.random.default_rng(5), 600, 600) * 40).astype(np.float32)
    alive = {"now": 0, "most": 0, "read": 0}

    def gone():
        alive["now"] -= 1

    def read(tile):
        own = tile.copy()
        weakref.finalize(own, gone)
        alive["now"] += 1
        alive["read"] += 1
        alive["most"] = max(alive["most"], alive["now"])
        return own

    dem = raster(heights, (200, 200))
    dem = dem.copy(data=dem.data.map_blocks(read, dtype=np.float32, meta=np.empty((0, 0), np.float32)))
    results = {}
    for budget, most in (("60 MB", 9), ("7 MB", 2)):
        alive.update(most=0, read=0)
        with dask.config.set({"rusle_engine.memory_budget": budget, "scheduler": "synchronous"}):
            results[budget] = condition(dem, method="breach", max_breach_length_m=4.0, remaining="leave", cell_size_m=1.0).values
        assert alive["read"] == 9
        assert alive["most"] <= most
    assert results["7 MB"].tobytes() == results["60 MB"].tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "breach"}, "needs max_breach_length_m"),
        ({"method": "breach", "max_breach_length_m": 0.0}, "max_breach_length_m is 0; expected a positive"),
        ({"method": "breach", "max_breach_length_m": np.inf}, "max_breach_length_m is inf"),
        ({"method": "breach", "max_breach_length_m": 5.0, "max_breach_depth_m": -1.0}, "max_breach_depth_m is -1; expected a positive"),
        ({"max_breach_length_m": 5.0}, "limits of method 'breach'; method is 'fill'"),
        ({"method": "breach", "max_breach_length_m": 5.0, "remaining": "ignore"}, "remaining 'ignore' is not known; choose one of 'fill', 'leave'"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        condition(np.ones((3, 3)), units="m", cell_size_m=1.0, **options)


def test_a_breach_has_no_length_without_a_cell_size():
    with pytest.raises(InputError):
        condition(np.ones((3, 3)), method="breach", max_breach_length_m=5.0, units="m")
