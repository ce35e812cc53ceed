"""Lazy equals eager, bit for bit, on any tiling; nothing is computed before it is asked for; the caller's arrays stay as they were."""

import dask
import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from rusle_engine.core import lift
from rusle_engine.core.errors import InputError, MemoryBudgetError
from rusle_engine.core.grid import Grid


def raster(rows, columns, seed=0):
    values = np.random.default_rng(seed).normal(size=(rows, columns))
    return xr.DataArray(values, dims=("y", "x"), coords={"y": np.arange(rows)[::-1] * 30.0, "x": np.arange(columns) * 30.0}, attrs={"units": "m"})


def product(a, b, out):
    out[:] = a * b


def shifted_sum(padded, weights, out):
    out[:] = padded[1:-1, 1:-1] + weights[:, None] * np.nan_to_num(padded[:-2, :-2])


def double_and_where(tile, number, row, column):
    return tile * number, (row, column, tile.shape)


def refuse(*_args, **_kwargs):
    raise AssertionError("something was computed too early")


tilings = st.tuples(st.integers(1, 30), st.integers(1, 30))


@given(rows=st.integers(1, 30), columns=st.integers(1, 30), tile=tilings)
@settings(max_examples=30, deadline=None)
def test_pointwise_and_stencil(rows, columns, tile):
    whole = raster(rows, columns)
    tiles = whole.chunk(y=tile[0], x=tile[1])
    weights = np.linspace(1, 2, rows)
    with dask.config.set(scheduler=refuse):
        lazy = lift.pointwise(product, tiles, xr.DataArray(3.0)), lift.stencil(shifted_sum, tiles, rows=[weights])
    eager = lift.pointwise(product, whole, xr.DataArray(3.0)), lift.stencil(shifted_sum, whole, rows=[weights])
    for a, b in zip(lazy, eager):
        assert a.dtype == b.dtype
        assert a.chunks == tiles.chunks
        assert a.compute().identical(b)
    assert np.array_equal(eager[0].values, whole.values * 3)
    neighbour = np.pad(whole.values, 1)[:-2, :-2]
    assert np.array_equal(eager[1].values, whole.values + weights[:, None] * neighbour)


@given(rows=st.integers(1, 30), columns=st.integers(1, 30), tile=tilings)
@settings(max_examples=20, deadline=None)
def test_one_pass_with_records(rows, columns, tile):
    whole = raster(rows, columns)
    tiles = whole.chunk(y=tile[0], x=tile[1])
    with dask.config.set(scheduler=refuse):
        (doubled,), records = lift.tiled(double_and_where, tiles, xr.DataArray(2.0), dtypes=[np.float64])
    values, records = dask.compute(doubled, records)
    assert np.array_equal(values.values, whole.values * 2)
    assert sum(shape[0] * shape[1] for _, _, shape in records) == rows * columns
    assert [r[:2] for r in records] == sorted(r[:2] for r in records)
    (eager,), _ = lift.tiled(double_and_where, whole, xr.DataArray(2.0), dtypes=[np.float64])
    assert eager.identical(values)


def test_whole_rasters_come_back_in_the_caller_s_chunks():
    tiles = raster(20, 20).chunk(y=7, x=6)
    with dask.config.set(scheduler=refuse):
        transposed, count = lift.whole(
            lambda z: (z[::-1], np.zeros(z.shape, np.int32)), tiles, dtypes=[np.float64, np.int32], bytes_per_cell=16, step="turning"
        )
    assert transposed.chunks == tiles.chunks
    assert count.dtype == np.int32
    assert np.array_equal(transposed.values, tiles.values[::-1])


def test_attributes_are_not_inherited_and_the_input_is_not_touched():
    whole = raster(5, 5)
    before = whole.copy(deep=True)
    assert lift.pointwise(product, whole, whole).attrs == {}
    assert lift.stencil(shifted_sum, whole, rows=[np.ones(5)]).attrs == {}
    assert whole.identical(before)


def test_a_step_too_large_for_the_budget_is_refused_before_it_starts():
    tiles = raster(100, 100).chunk(y=50, x=50)
    with (
        dask.config.set({"rusle_engine.memory_budget": "100 KB"}),
        pytest.raises(MemoryBudgetError, match=r"turning needs about .* Raise memory_budget"),
    ):
        lift.whole(refuse, tiles, dtypes=[np.float64], bytes_per_cell=16, step="turning")


@pytest.mark.parametrize(
    "lifted", [lambda array: lift.pointwise(product, array, array), lambda array: lift.stencil(shifted_sum, array, rows=[np.ones(100)])]
)
def test_tiles_too_large_for_the_budget_are_refused_before_they_are_made(lifted):
    """16 or 24 bytes for each of 10 000 cells, or of 2 × 2500 in hand; in memory, what is made: 8 or 16."""
    whole = raster(100, 100)
    tiles = whole.chunk(y=50, x=50)
    with dask.config.set({"rusle_engine.memory_budget": "70 kB", "num_workers": 2}):
        with pytest.raises(MemoryBudgetError, match=r"(product|shifted_sum) needs about .* Hand it over lazily"):
            lifted(whole)
        with pytest.raises(MemoryBudgetError, match=r"needs about .* Use smaller chunks or fewer threads"):
            lifted(tiles)
    with dask.config.set({"rusle_engine.memory_budget": "70 kB", "num_workers": 1}):
        lifted(tiles)


def test_tiles_narrower_than_the_ring_are_refused():
    with pytest.raises(InputError, match="larger chunks"):
        lift.stencil(shifted_sum, raster(9, 9).chunk(y=2, x=9), rows=[np.ones(9)], depth=3)


@pytest.mark.parametrize("chunks", [None, {"y": 2, "x": 3}])
def test_the_crs_is_kept(chunks):
    grid = Grid(5, 6, Affine(30, 0, 5e5, 0, -30, 4e6), CRS.from_epsg(4547))
    array = grid.label(np.ones((5, 6)))
    array = array if chunks is None else array.chunk(chunks)
    (tiled,), _ = lift.tiled(double_and_where, array, xr.DataArray(2.0), dtypes=[np.float64])
    (whole,) = lift.whole(lambda z: z, array, dtypes=[np.float64], bytes_per_cell=8, step="nothing")
    for result in (lift.pointwise(product, array, array), lift.stencil(shifted_sum, array, rows=[np.ones(5)]), tiled, whole):
        assert Grid.of(result).same_as(grid)
        assert result.rio.crs.to_epsg() == 4547
