"""Packed ties of quantised heights: against distances counted cell by cell and a plain spanning tree, on any tiles."""

import re

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.terrain.conditioning import condition
from rusle_engine.terrain.flow import direction_and_fill, flow_accumulation, flow_direction
from tests.terrain.oracles import NEIGHBOURS, cuts, filled_by_heap, fractal, receiver, tree_and_steepest, with_holes


def raster(values, chunks=None):
    array = xr.DataArray(values, dims=("y", "x"), attrs={"units": "m"})
    return array if chunks is None else array.chunk(dict(zip(("y", "x"), chunks)))


def stepped(seed, rows, columns, height, quantum=1.0, holes=0.03):
    rng = np.random.default_rng(seed)
    steps = np.round(fractal(rng, rows, columns) * height) if rows * columns > 1 else np.zeros((1, 1))
    divisor = 1 / quantum
    return with_holes(rng, steps / divisor if divisor == round(divisor) else steps * quantum, holes)


def around(i, j, shape):
    return [(i + down, j + right) for down, right in NEIGHBOURS if 0 <= i + down < shape[0] and 0 <= j + right < shape[1]]


def distances_in_flats(heights, is_start):
    """Steps from the nearest start in the same flat, at most 8, by breadth-first search of the whole raster."""
    steps = np.full(heights.shape, 8)
    front = [cell for cell in zip(*np.nonzero(np.isfinite(heights))) if is_start(*cell)]
    for cell in front:
        steps[cell] = 0
    for distance in range(1, 8):
        reached = {n for cell in front for n in around(*cell, heights.shape) if heights[n] == heights[cell] and steps[n] == 8}
        for cell in reached:
            steps[cell] = distance
        front = list(reached)
    return steps


def plain_ties(heights):
    """16 d + (8 − e), and 0 where d is 0: the tie of the concept page."""
    shape = heights.shape

    def beside_lower(i, j):
        near = around(i, j, shape)
        return len(near) < 8 or any(not np.isfinite(heights[n]) or heights[n] < heights[i, j] for n in near)

    def beside_higher(i, j):
        return any(heights[n] > heights[i, j] for n in around(i, j, shape))

    d, e = distances_in_flats(heights, beside_lower), distances_in_flats(heights, beside_higher)
    return np.where(d == 0, 0, 16 * d + 8 - e)


TERRAINS = {
    "metres": (stepped(1, 30, 34, 3.0), 1.0),
    "coarse": (stepped(2, 30, 34, 1.0, 5.0), 5.0),
    "tenths": (stepped(3, 24, 20, 30.0, 0.1), 0.1),
    "feet": (stepped(4, 24, 20, 4.0, 0.3048), 0.3048),
    "wide flat": (np.pad(np.zeros((26, 30)), 1, constant_values=2.0), 1.0),
    "flat with an outlet": (np.where(np.add.outer(np.arange(28) == 13, np.arange(30) == 0) == 2, -1.0, np.zeros((28, 30))), 0.5),
    "one row": (np.repeat([3.0, 1.0, 1.0, 2.0], 6)[np.newaxis], 1.0),
    "one cell": (np.zeros((1, 1)), 1.0),
    "nothing": (np.full((4, 5), np.nan), 1.0),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", list(TERRAINS))
def test_directions_are_those_of_the_plain_tree_with_the_ties(name, dtype):
    heights, quantum = TERRAINS[name][0].astype(dtype), TERRAINS[name][1]
    codes, filled = direction_and_fill(raster(heights), Grid.of(raster(heights), 1.0), flat_ties="packed", quantum_m=quantum)
    assert (codes.dtype, filled.dtype) == (np.uint8, dtype)
    assert np.array_equal(filled.values, filled_by_heap(heights), equal_nan=True)
    assert np.array_equal(codes.values, tree_and_steepest(heights, ties=plain_ties(heights)))


@given(data=st.data(), seed=st.integers(0, 99), rows=st.integers(1, 45), columns=st.integers(1, 45), dtype=st.sampled_from([np.float32, np.float64]))
@settings(max_examples=25, deadline=None)
def test_any_tiles_give_the_same_bytes(data, seed, rows, columns, dtype):
    heights = stepped(seed, rows, columns, data.draw(st.sampled_from([0.5, 2.0, 10.0]))).astype(dtype)
    chunks = cuts(data.draw, rows), cuts(data.draw, columns)
    expected = tree_and_steepest(heights, ties=plain_ties(heights))
    tiled = raster(heights, chunks)
    codes, filled = dask.compute(*direction_and_fill(tiled, Grid.of(tiled, 1.0), flat_ties="packed", quantum_m=1.0))
    assert np.array_equal(codes.values, expected)
    assert filled.values.tobytes() == condition(raster(heights)).values.tobytes()


@pytest.mark.parametrize("tile", [(1, 1), (3, 40), (9, 9), (10, 8)])
def test_small_tiles_keep_their_chunks(tile):
    dem = raster(TERRAINS["metres"][0].astype(np.float32), tile)
    codes = flow_direction(dem, flat_ties="packed", quantum_m=1.0)
    assert codes.chunks == dem.chunks
    assert codes.values.tobytes() == flow_direction(dem.compute(), flat_ties="packed", quantum_m=1.0).values.tobytes()


def test_every_cell_drains_without_a_circle_and_never_rises():
    heights = stepped(5, 40, 50, 2.0)
    codes, filled = flow_direction(raster(heights), flat_ties="packed", quantum_m=1.0).values, filled_by_heap(heights)
    for i, j in zip(*np.nonzero(codes != 255)):
        down = receiver(codes, i, j)
        assert down is None or filled[down] <= filled[i, j]
    assert flow_accumulation(codes).sum() >= (codes != 255).sum()  # raises where there is a circle


def test_a_flat_drains_straight_to_its_outlet_instead_of_along_parallel_lines():
    """A shelf 15 wide and 7 deep between a wall and a step down in the south: the index sends the water north-west, the tie south."""
    heights = np.full((9, 17), 5.0)
    heights[:, [0, -1]] = 9.0
    heights[0], heights[-1] = 9.0, 1.0
    inner = (slice(1, -2), slice(2, -2))
    by_index = flow_direction(raster(heights)).values[inner]
    packed = flow_direction(raster(heights), flat_ties="packed", quantum_m=1.0).values[inner]
    assert np.isin(packed, [8, 4, 2]).all()
    assert np.isin(by_index, [32, 64, 16]).sum() > by_index.size / 2


def test_it_is_lazy_and_says_how():
    def refuse(*_args, **_kwargs):
        raise AssertionError("something was computed too early")

    dem = raster(TERRAINS["metres"][0], (12, 12))
    with dask.config.set(scheduler=refuse):
        codes = flow_direction(dem, flat_ties="packed", quantum_m=1.0)
    assert codes.attrs["flat_ties"] == "packed"
    assert codes.attrs["quantum_m"] == 1.0
    assert "flat_ties" not in flow_direction(dem).attrs


@pytest.mark.parametrize("chunks", [None, (4, 4)])
def test_heights_off_the_step_are_refused_with_their_cell(chunks):
    heights = np.arange(144.0).reshape(12, 12)
    heights[7, 3] = 87.25
    message = r"z \(elevation\) is 87.25 m at row 7, column 3, which is no whole multiple of quantum_m 1; .*\* 1\).round\(\) / 1"
    with pytest.raises(InputError, match=message):
        flow_direction(raster(heights, chunks), flat_ties="packed", quantum_m=1.0).compute()
    assert (flow_direction(raster(heights, chunks), flat_ties="packed", quantum_m=0.25).values != 255).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("quantum", [0.01, 0.1, 0.3048, 5.0])
def test_the_advice_of_the_message_works(quantum, dtype):
    dem = raster((fractal(np.random.default_rng(8), 20, 20) * 300).astype(dtype))
    with pytest.raises(InputError) as refusal:
        flow_direction(dem, flat_ties="packed", quantum_m=quantum)
    advice = re.search(r"round them \((.*)\), or use", str(refusal.value))[1]
    rounded = eval(advice, {"dem": dem})
    assert rounded.dtype == dtype
    assert np.allclose(rounded, dem, rtol=0, atol=quantum)
    assert (flow_direction(rounded.assign_attrs(units="m"), flat_ties="packed", quantum_m=quantum).values != 255).all()


def test_heights_with_more_steps_than_a_key_holds_are_refused():
    heights = np.full((3, 3), 9000.0, np.float32)
    heights[1, 1] = 8999.0
    with pytest.raises(InputError, match=r"more than 8388607 steps of quantum_m 0.001.*Use float64 heights"):
        flow_direction(raster(heights), flat_ties="packed", quantum_m=0.001)
    assert flow_direction(raster(heights.astype(np.float64)), flat_ties="packed", quantum_m=0.001).values[1, 1] != 255


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flat_ties": "packed"}, "needs quantum_m"),
        ({"flat_ties": "packed", "quantum_m": 0.0}, "quantum_m is 0; expected a positive"),
        ({"flat_ties": "packed", "quantum_m": np.nan}, "quantum_m is nan"),
        ({"quantum_m": 1.0}, "flat_ties is 'index', which does not use it"),
        ({"flat_ties": "random"}, "flat_ties 'random' is not known"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        flow_direction(raster(np.ones((3, 3))), **options)


def test_the_caller_s_array_is_not_touched():
    dem = raster(stepped(6, 20, 20, 2.0))
    before = dem.copy(deep=True)
    flow_direction(dem, flat_ties="packed", quantum_m=1.0)
    assert dem.identical(before)
