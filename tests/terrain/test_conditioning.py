"""Filling against a plain heap in Python, on every kind of surface; and what a filled surface promises."""

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import InputError, MemoryBudgetError
from rusle_engine.terrain import drainage
from rusle_engine.terrain.conditioning import condition
from rusle_engine.terrain.drainage import Heights, index_type
from rusle_kernels import fill
from tests.terrain.oracles import SURFACES, filled_by_heap


def raster(heights, **chunks):
    array = xr.DataArray(heights, dims=("y", "x"), attrs={"units": "m", "source": "somebody"})
    return array.chunk(chunks) if chunks else array


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_the_plain_heap(surface, dtype):
    heights = surface.astype(dtype)
    filled = condition(raster(heights))
    assert filled.dtype == dtype
    assert np.array_equal(filled.values, filled_by_heap(heights), equal_nan=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_priority_flood_equals_the_plain_heap(surface, dtype):
    heights = surface.astype(dtype)
    kind = Heights.of(dtype)
    keys = kind.keys(np.pad(heights, 1, constant_values=np.nan))
    size = keys.size
    fill.priority_flood(keys, kind.nodata, np.empty(keys.shape, bool), np.empty(size, keys.dtype), np.empty(size, np.int32), np.empty(size, np.int32))
    assert np.array_equal(kind.heights(keys, np.nan)[1:-1, 1:-1], filled_by_heap(heights), equal_nan=True)


def test_two_ways_agree_on_a_larger_surface():
    rng = np.random.default_rng(5)
    heights = (np.add.outer(np.arange(300), np.arange(400)) * 0.02 + rng.normal(0, 1, (300, 400))).astype(np.float32)
    kind = Heights.of(heights.dtype)
    keys = kind.keys(np.pad(heights, 1, constant_values=np.nan))
    queues = np.empty(keys.size, keys.dtype), np.empty(keys.size, np.int64), np.empty(keys.size, np.int64)
    fill.priority_flood(keys, kind.nodata, np.empty(keys.shape, bool), *queues)
    assert condition(raster(heights)).values.tobytes() == kind.heights(keys, np.nan)[1:-1, 1:-1].copy().tobytes()


def test_wide_indices_give_the_same(monkeypatch):
    heights = np.random.default_rng(6).integers(0, 9, (40, 50)).astype(np.float32)
    narrow = condition(raster(heights)).values
    monkeypatch.setattr(drainage, "index_type", lambda _cells: np.int64)
    assert condition(raster(heights)).values.tobytes() == narrow.tobytes()


def test_indices_never_overflow():
    assert index_type(2**31 - 1) == np.int32
    assert index_type(2**31) == np.int64


def test_heights_one_step_apart_in_float64():
    low = 1000.0
    high = np.nextafter(low, 2000.0)
    rim = np.full((5, 5), high)
    rim[1:4, 1:4] = low
    rim[2, 2] = 0.0
    assert np.array_equal(condition(rim, units="m").values, np.full((5, 5), high))
    rim[0, 2] = low  # a gap of one unit in the last place lets the water out
    expected = np.full((5, 5), high)
    expected[0, 2] = expected[1:4, 1:4] = low
    assert np.array_equal(condition(rim, units="m").values, expected)


@pytest.mark.parametrize(
    ("given_type", "kept"), [("int16", "float32"), ("uint8", "float32"), ("int32", "float64"), ("int64", "float64"), ("float32", "float32")]
)
def test_integers_become_the_float_that_holds_them(given_type, kept):
    heights = np.array([[9, 9, 9], [9, 1, 9], [9, 8, 9]], given_type)
    filled = condition(heights, units="m")
    assert filled.dtype == kept
    assert filled.values[1, 1] == 8


@given(rows=st.integers(1, 25), columns=st.integers(1, 25), tile=st.tuples(st.integers(1, 25), st.integers(1, 25)))
@settings(max_examples=15, deadline=None)
def test_lazy_equals_eager_on_any_tiling(rows, columns, tile):
    heights = np.random.default_rng(rows * 26 + columns).integers(0, 6, (rows, columns)).astype(np.float32)
    heights[heights == 5] = np.nan
    eager = condition(raster(heights))
    lazy = condition(raster(heights, y=tile[0], x=tile[1]))
    assert lazy.dtype == eager.dtype
    assert lazy.chunks == raster(heights, y=tile[0], x=tile[1]).chunks
    assert lazy.values.tobytes() == eager.values.tobytes()


def refuse(*_args, **_kwargs):
    raise AssertionError("something was computed too early")


def test_nothing_is_computed_or_touched_before_its_time():
    heights = raster(np.random.default_rng(0).random((6, 6)))
    before = heights.copy(deep=True)
    with dask.config.set(scheduler=refuse):
        condition(heights.chunk(y=2, x=2))
    condition(heights)
    assert heights.identical(before)


def test_attributes_are_its_own():
    filled = condition(raster(np.ones((3, 3))))
    assert filled.name == "z"
    assert filled.attrs["units"] == "m"
    assert filled.attrs["method"] == "fill"
    assert "source" not in filled.attrs


def test_feet_are_refused():
    with pytest.raises(InputError, match=r"z \(elevation\) has units 'feet'; expected 'm'"):
        condition(raster(np.ones((3, 3))).assign_attrs(units="feet"))


def test_an_unknown_method_is_refused_and_the_known_ones_named():
    with pytest.raises(InputError, match=r"method 'carve' is not known; choose one of 'fill', 'breach'"):
        condition(np.ones((3, 3)), method="carve", units="m")


def test_a_raster_without_cells_is_refused():
    with pytest.raises(InputError, match="has no cells: 0 rows and 5 columns"):
        condition(np.empty((0, 5)), units="m")


def test_a_stack_of_rasters_is_refused():
    with pytest.raises(InputError, match="3 dimensions"):
        condition(xr.DataArray(np.ones((2, 3, 3)), dims=("band", "y", "x"), attrs={"units": "m"}))


def test_more_than_the_budget_is_refused_before_it_starts():
    with dask.config.set({"rusle_engine.memory_budget": "1 kB"}), pytest.raises(MemoryBudgetError, match="condition needs about"):
        condition(np.ones((30, 30)), units="m")


WHOLE = [name for name, heights in SURFACES.items() if min(heights.shape) >= 3 and np.isfinite(heights).all()]
"""Surfaces without what pyflwdir takes in another way: holes, and no cell inside the edge."""


@pytest.mark.parametrize("name", WHOLE)
def test_equals_the_filling_of_pyflwdir(name):
    """Of another program, by another algorithm; the surface alone, for its directions follow another rule."""
    import pyflwdir  # compiles at its import

    heights = (np.round(SURFACES[name] * 64) / 64).astype(np.float32)  # it adds what a cell is raised by, which only then is exact
    theirs, _ = pyflwdir.dem.fill_depressions(heights.copy(), outlets="edge", nodata=-9999.0)
    assert np.array_equal(condition(heights, units="m").values, theirs)
