"""Turned and mirrored terrain without ties drains in turned and mirrored directions; basins of one cell, everywhere."""

import numpy as np
import pytest
import xarray as xr

from rusle_engine.terrain.conditioning import condition
from rusle_engine.terrain.flow import flow_accumulation, flow_direction
from tests.terrain.oracles import CODES, NEIGHBOURS, fractal, with_holes

TURNS = {
    "quarter turn": (np.rot90, lambda down, right: (-right, down)),
    "half turn": (lambda a: np.rot90(a, 2), lambda down, right: (-down, -right)),
    "left to right": (np.fliplr, lambda down, right: (down, -right)),
    "upside down": (np.flipud, lambda down, right: (-down, right)),
    "along the diagonal": (np.transpose, lambda down, right: (right, down)),
}


def raster(values, chunks=None):
    array = xr.DataArray(np.ascontiguousarray(values), dims=("y", "x"), attrs={"units": "m"})
    return array if chunks is None else array.chunk(dict(zip(("y", "x"), chunks)))


def turned_codes(codes, turn, turned_step):
    """Directions of the turned raster: each in its new place, and itself turned."""
    meaning = np.arange(256)
    for code, step in zip(CODES, NEIGHBOURS):
        meaning[code] = CODES[NEIGHBOURS.index(turned_step(*step))]
    return turn(meaning[codes])


def tied(filled):
    """Cells with two steepest ways down: water surfaces are level, and two of their cells may lie equally near."""
    padded = np.pad(filled, 1, constant_values=np.nan)
    falls = []
    for down, right in NEIGHBOURS:
        there = padded[1 + down : padded.shape[0] - 1 + down, 1 + right : padded.shape[1] - 1 + right]
        falls.append((filled - there) * (np.sqrt(0.5) if down and right else 1.0))
    falls = np.where(np.array(falls) > 0, falls, 0.0)
    steepest = falls.max(axis=0)
    return (steepest > 0) & ((falls == steepest).sum(axis=0) > 1)


@pytest.mark.parametrize("chunks", [None, (13, 17)])
@pytest.mark.parametrize("name", list(TURNS))
def test_directions_turn_with_the_terrain(name, chunks):
    turn, turned_step = TURNS[name]
    heights = with_holes(np.random.default_rng(21), fractal(np.random.default_rng(20), 60, 70) * 20, 0.01)
    heights += np.random.default_rng(22).normal(0, 1, heights.shape)  # lakes in two fifths of it
    expected = turned_codes(flow_direction(raster(heights)).values, turn, turned_step)
    free = ~turn(tied(condition(raster(heights)).values))
    assert free.mean() > 0.9
    assert np.array_equal(flow_direction(raster(turn(heights), chunks)).values[free], expected[free])


@pytest.mark.parametrize("chunks", [None, (13, 17)])
@pytest.mark.parametrize("name", list(TURNS))
def test_sums_turn_with_terrain_that_has_no_lakes(name, chunks):
    turn, _ = TURNS[name]
    y, x = np.mgrid[:60, :70]
    heights = 3.0 * (y + 0.7 * x) + 5.0 * np.random.default_rng(23).random((60, 70))  # north-west of each cell lies a lower one
    expected = turn(flow_accumulation(flow_direction(raster(heights))).values)
    assert expected.max() > 60
    assert np.array_equal(flow_accumulation(flow_direction(raster(turn(heights), chunks))).values, expected)


@pytest.mark.parametrize("chunks", [(1, 1), (2, 5), (23, 31)])
def test_basins_of_one_cell_overflow_into_each_other(chunks):
    heights = np.full((23, 31), 9.0)
    heights[1::2, 1::2] = np.arange(11 * 15).reshape(11, 15) % 7
    filled = condition(raster(heights, chunks)).values
    assert np.array_equal(filled, np.full((23, 31), 9.0))
    total = flow_accumulation(flow_direction(raster(heights, chunks))).values
    codes = flow_direction(raster(heights, chunks)).values
    assert total[codes == 0].sum() == heights.size
