"""A wide ring of cells around tiles, in several rasters at once: the same on any tiles, narrower than the ring or not."""

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import MemoryBudgetError
from rusle_engine.core.tiles import joined
from rusle_engine.core.windows import Windows, windows


def sum_around(ring):
    def function(values, counts, place):
        own = counts[ring:-ring, ring:-ring] * place.raster_width
        total = sum(values[down : down + place.height, right : right + place.width] for down in range(2 * ring + 1) for right in range(2 * ring + 1))
        return total, own

    return function


def problem(ring, **changes):
    options = {"working_bytes": 30.0, "search_bytes": 0.0, "tile_size": 5, "way_out": "Do less."} | changes
    return Windows("summing", sum_around(ring), ring, (100.0, 7), (np.dtype(np.float64), np.dtype(np.int64)), **options)


def raster(values, chunks=None):
    array = xr.DataArray(values, dims=("y", "x"), attrs={"units": "m"})
    return array if chunks is None else array.chunk(dict(zip(("y", "x"), chunks)))


@given(
    rows=st.integers(1, 20),
    columns=st.integers(1, 20),
    ring=st.integers(1, 6),
    tile=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    scheduler=st.sampled_from(["threads", "sync"]),
)
@settings(max_examples=30, deadline=None)
def test_every_tile_sees_its_ring(rows, columns, ring, tile, scheduler):
    rng = np.random.default_rng(rows * 21 + columns)
    values, counts = rng.integers(0, 99, (rows, columns)).astype(float), rng.integers(0, 9, (rows, columns))
    padded = np.pad(values, ring, constant_values=100.0)
    expected = np.array([[padded[i : i + 2 * ring + 1, j : j + 2 * ring + 1].sum() for j in range(columns)] for i in range(rows)])
    with dask.config.set(scheduler=scheduler):
        for arrays in ((raster(values), raster(counts)), (raster(values, tile), raster(counts, tile)), (raster(values, tile), raster(counts))):
            total, own = windows(problem(ring), *arrays)
            assert np.array_equal(total.values, expected)
            assert np.array_equal(own.values, counts * columns)
            assert (total.dtype, own.dtype) == (np.float64, np.int64)
            assert total.chunks == arrays[0].chunks
            assert total.attrs == {}


def test_windows_too_large_are_refused_before_they_start():
    tiles = raster(np.zeros((100, 100)), (50, 50)), raster(np.zeros((100, 100), int), (50, 50))
    with dask.config.set({"rusle_engine.memory_budget": "500 kB"}), pytest.raises(MemoryBudgetError, match=r"summing, with 40 cells .* Do less"):
        windows(problem(40), *tiles)
    with dask.config.set({"rusle_engine.memory_budget": "10 MB"}):
        windows(problem(40), *tiles)
        with pytest.raises(MemoryBudgetError):
            windows(problem(40, search_bytes=2e7), *tiles)


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12), least=st.integers(1, 15))
def test_pieces_are_joined_until_they_are_wide_enough(sizes, least):
    pieces = joined(tuple(sizes), least)
    assert sum(pieces) == sum(sizes)
    assert len(pieces) == 1 or min(pieces) >= least
    ends = np.cumsum(sizes)
    assert set(np.cumsum(pieces)) <= set(ends)
    if min(sizes) >= least:
        assert pieces == tuple(sizes)
