"""One pass over tiles that fills several rasters: against plain NumPy on the whole raster, whatever the tiles and threads."""

import dask
import numpy as np
import pytest
import xarray as xr

from rusle_engine.core.one_pass import one_pass

RASTER = np.random.default_rng(2).integers(0, 100, (23, 17)).astype(np.float32)
WEIGHTS = np.random.default_rng(3).integers(0, 100, (23, 17)).astype(np.uint8)


def labelled(values, **chunks):
    array = xr.DataArray(values, dims=("y", "x"), attrs={"units": "m"}, coords={"y": np.arange(23.0), "x": np.arange(17.0)})
    return array.chunk(chunks) if chunks else array


def around_and_where(framed, weights, place, around, where):
    """The sum of the eight cells around each plus its weight, and the number of its cell in the raster."""
    assert framed.flags.c_contiguous
    assert weights.flags.c_contiguous
    rows, columns = weights.shape
    nine = sum(framed[i : i + rows, j : j + columns].astype(np.float64) for i in range(3) for j in range(3))
    around[...] = nine - framed[1:-1, 1:-1] + weights
    where[...] = place.raster_width * np.arange(place.row, place.row + rows)[:, np.newaxis] + np.arange(place.column, place.column + columns)


def in_plain_numpy():
    padded = np.pad(RASTER.astype(np.float64), 1, constant_values=1000.0)
    nine = sum(padded[i : i + 23, j : j + 17] for i in range(3) for j in range(3))
    return nine - RASTER + WEIGHTS, np.arange(23 * 17).reshape(23, 17)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("chunks", [{}, {"y": 23, "x": 17}, {"y": 5, "x": 17}, {"y": 7, "x": 4}, {"y": 1, "x": 1}])
def test_every_tiling_and_number_of_threads_gives_the_whole_raster_s_answer(chunks, threads):
    first, second = labelled(RASTER, **chunks), labelled(WEIGHTS)
    with dask.config.set(num_workers=threads):
        found = one_pass(around_and_where, first, second, dtypes=[np.float64, np.int32], ring=1, around=1000.0)
        for array, expected, dtype in zip(found, in_plain_numpy(), (np.float64, np.int32)):
            assert array.dtype == array.compute().dtype == dtype
            assert array.chunks == first.chunks
            assert array.attrs == {}
            assert np.array_equal(array, expected)
            assert np.array_equal(array.x, first.x)


def double(tile, _place, out):
    np.multiply(tile, 2, out=out)


def test_without_a_ring_tiles_come_as_they_are():
    for array in (labelled(RASTER), labelled(RASTER, y=6, x=5)):
        (doubled,) = one_pass(double, array, dtypes=[np.float32])
        assert np.array_equal(doubled, 2 * RASTER)


def refuse(*_args, **_kwargs):
    raise AssertionError("something was computed too early")


def test_nothing_is_computed_or_touched_before_its_time():
    before = RASTER.copy()
    with dask.config.set(scheduler=refuse):
        one_pass(around_and_where, labelled(RASTER, y=5, x=5), labelled(WEIGHTS, y=5, x=5), dtypes=[np.float64, np.int32], ring=1)
    assert np.array_equal(RASTER, before)
