"""Basins by following every cell to its outlet, and pieces that partition and nest."""

import dask
import numpy as np
import pytest
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.terrain.flow import flow_accumulation, flow_direction
from rusle_engine.terrain.watersheds import basins, sub_basins

OFFSET = {32: (-1, -1), 64: (-1, 0), 128: (-1, 1), 16: (0, -1), 1: (0, 1), 8: (1, -1), 4: (1, 0), 2: (1, 1)}


def receiver(codes, cell):
    if codes[cell] == 0:
        return None
    down = cell[0] + OFFSET[codes[cell]][0], cell[1] + OFFSET[codes[cell]][1]
    inside = 0 <= down[0] < codes.shape[0] and 0 <= down[1] < codes.shape[1] and codes[down] != 255
    return down if inside else None


def labelled_by_walking(codes, ends):
    """Number the ends in row-major order; every cell takes the first on its way."""
    numbers = {end: k + 1 for k, end in enumerate(sorted(ends))}
    labels = np.zeros(codes.shape, np.int32)
    for cell in zip(*np.nonzero(codes != 255)):
        here = cell
        while here not in numbers:
            here = receiver(codes, here)
        labels[cell] = numbers[here]
    return labels


def cells_of(codes):
    return [(int(i), int(j)) for i, j in zip(*np.nonzero(codes != 255))]


def directions(heights):
    return flow_direction(xr.DataArray(heights, dims=("y", "x"), attrs={"units": "m"})).values


def test_basins_equal_walking_to_the_outlet(surface):
    codes = directions(surface)
    outlets = [cell for cell in cells_of(codes) if receiver(codes, cell) is None]
    assert np.array_equal(basins(codes).values, labelled_by_walking(codes, outlets))


@pytest.mark.parametrize("min_cells", [1, 5, 40])
def test_sub_basins_end_where_streams_meet(surface, min_cells):
    codes = directions(surface)
    total = flow_accumulation(codes).values
    inflowing = {}
    for cell in cells_of(codes):
        if total[cell] >= min_cells and receiver(codes, cell) is not None:
            inflowing.setdefault(receiver(codes, cell), []).append(cell)
    ends = [cell for cell in cells_of(codes) if receiver(codes, cell) is None]
    ends += [cell for streams in inflowing.values() if len(streams) > 1 for cell in streams]
    assert np.array_equal(sub_basins(codes, min_cells=min_cells).values, labelled_by_walking(codes, set(ends)))


def test_coarser_pieces_are_made_of_finer_ones(surface):
    codes = directions(surface)
    fine, coarse = sub_basins(codes, min_cells=4).values, sub_basins(codes, min_cells=30).values
    for label in np.unique(fine[fine > 0]):
        assert len(np.unique(coarse[fine == label])) == 1


def test_lazy_equals_eager():
    codes = xr.DataArray(directions(np.random.default_rng(1).random((20, 30))), dims=("y", "x"))
    lazy = sub_basins(codes.chunk(y=7, x=11), min_cells=9)
    assert dask.is_dask_collection(lazy)
    assert lazy.dtype == np.int32
    assert np.array_equal(lazy.values, sub_basins(codes, min_cells=9).values)


def test_circles_and_nonsense_are_refused():
    with pytest.raises(InputError, match="circles"):
        basins(np.array([[1, 16]], np.uint8))
    with pytest.raises(InputError, match="min_cells is 0"):
        sub_basins(np.array([[0]], np.uint8), min_cells=0)
