"""Filling and directions on tiles: the plain answers of the whole raster, byte for byte, however it is cut and whoever works on it."""

from functools import cache

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import MemoryBudgetError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import Layout, Place
from rusle_engine.core.scratch import use_scratch
from rusle_engine.terrain import drainage
from rusle_engine.terrain.conditioning import condition
from rusle_engine.terrain.flow import direction_and_fill, flow_direction
from tests.terrain.oracles import SURFACES, cuts, filled_by_heap, fractal, tree_and_steepest


def raster(values, chunks=None):
    array = xr.DataArray(values, dims=("y", "x"), attrs={"units": "m"})
    return array if chunks is None else array.chunk(dict(zip(("y", "x"), chunks)))


@cache
def plain_answers(name, dtype):
    heights = SURFACES[name].astype(dtype)
    return tree_and_steepest(heights), filled_by_heap(heights)


def on_tiles(heights, chunks):
    array = raster(heights, chunks)
    return dask.compute(*direction_and_fill(array, Grid.of(array, 1.0)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tile", [(1, 1), (1, 40), (5, 7)])
@pytest.mark.parametrize("name", list(SURFACES))
def test_every_surface_on_fixed_tiles(name, tile, dtype):
    codes, filled = on_tiles(SURFACES[name].astype(dtype), tile)
    directions, surface = plain_answers(name, dtype)
    assert (codes.dtype, filled.dtype) == (np.uint8, dtype)
    assert np.array_equal(codes.values, directions)
    assert np.array_equal(filled.values, surface, equal_nan=True)


@given(data=st.data(), name=st.sampled_from(list(SURFACES)), scheduler=st.sampled_from(["threads", "synchronous"]))
@settings(max_examples=30, deadline=None)
def test_any_surface_on_any_tiles(data, name, scheduler):
    heights = SURFACES[name].astype(np.float32)
    chunks = tuple(cuts(data.draw, length) for length in heights.shape)
    with dask.config.set(scheduler=scheduler):
        codes, filled = on_tiles(heights, chunks)
    directions, surface = plain_answers(name, np.float32)
    assert np.array_equal(codes.values, directions)
    assert np.array_equal(filled.values, surface, equal_nan=True)


@given(
    data=st.data(),
    rows=st.integers(1, 70),
    columns=st.integers(1, 70),
    seed=st.integers(0, 2**32 - 1),
    steps=st.sampled_from([None, 1, 4, 30]),
    holes=st.sampled_from([0.0, 0.02, 0.3]),
)
@settings(max_examples=25, deadline=None)
def test_random_terrain_on_any_tiles_equals_one_tile(data, rows, columns, seed, steps, holes):
    rng = np.random.default_rng(seed)
    heights = fractal(rng, rows, columns) if rows * columns > 1 else np.zeros((1, 1))
    heights = heights if steps is None else np.round(heights * steps)
    heights[rng.random(heights.shape) < holes] = np.nan
    chunks = cuts(data.draw, rows), cuts(data.draw, columns)
    whole = direction_and_fill(raster(heights), Grid.of(raster(heights), 1.0))
    for tiled, expected in zip(on_tiles(heights, chunks), whole):
        assert tiled.values.tobytes() == expected.values.tobytes()


def test_a_lake_over_many_tiles_drains_at_its_one_gap():
    heights = np.full((60, 60), 9.0)
    heights[2:-2, 2:-2] = 1.0
    heights[30, 0:2] = 5.0
    codes, filled = on_tiles(heights, (7, 7))
    assert np.array_equal(filled.values[2:-2, 2:-2], np.full((56, 56), 5.0))
    assert codes.values[30, 0] == 0
    assert codes.values[30, 1] == 16


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_in_memory_tiles_of_the_processor_s_size_do_not_show(monkeypatch, scheduler):
    heights = np.round(fractal(np.random.default_rng(3), 90, 75) * 5).astype(np.float32)
    expected = tree_and_steepest(heights)
    monkeypatch.setattr(drainage, "TILE_SIZE", 16)
    with dask.config.set(scheduler=scheduler):
        assert np.array_equal(flow_direction(raster(heights)).values, expected)
        assert np.array_equal(flow_direction(raster(heights, (90, 75))).compute().values, expected)  # one chunk


def test_on_a_geographic_grid():
    heights = fractal(np.random.default_rng(4), 40, 30) * 50
    coords = {"y": 60.0 - (np.arange(40) + 0.5) * 0.01, "x": 10 + (np.arange(30) + 0.5) * 0.01}
    dem = xr.DataArray(heights, dims=("y", "x"), coords=coords, attrs={"units": "m"}).rio.write_crs("EPSG:4326")
    expected = flow_direction(dem)
    assert not np.array_equal(expected.values, tree_and_steepest(heights))  # the rows' own distances matter
    assert flow_direction(dem.chunk(y=9, x=7)).values.tobytes() == expected.values.tobytes()


def test_states_that_do_not_fit_go_to_the_disk_with_the_same_result(tmp_path):
    heights = np.round(fractal(np.random.default_rng(5), 600, 600) * 40).astype(np.float32)
    calls, files = [], []

    def seen(tile):
        calls.append(tile.shape)
        files.append(len(list(tmp_path.rglob("*"))))
        return tile

    dem = raster(heights, (100, 100)).copy()
    dem = dem.copy(data=dem.data.map_blocks(seen, dtype=np.float32, meta=np.empty((0, 0), np.float32)))
    expected = condition(raster(heights)).values
    for budget, on_disk in (("5 MB", True), ("50 MB", False)):
        with use_scratch(tmp_path), dask.config.set({"rusle_engine.memory_budget": budget}):
            assert condition(dem).values.tobytes() == expected.tobytes()
        assert len(calls) == 36
        assert (max(files) > 30) == on_disk
        assert list(tmp_path.iterdir()) == []
        calls.clear()
        files.clear()


def test_only_what_is_in_hand_must_fit():
    dem = raster(np.zeros((2000, 2000), np.float32))
    with dask.config.set({"rusle_engine.memory_budget": "30 MB"}):
        condition(dem.chunk(y=100, x=100))
        with pytest.raises(MemoryBudgetError, match="condition needs about"):
            condition(dem)
        with pytest.raises(MemoryBudgetError, match="condition needs about"):
            condition(dem.chunk(y=1000, x=1000))


def refuse(*_args, **_kwargs):
    raise AssertionError("something was computed too early")


def test_planning_computes_nothing_and_takes_a_few_tasks_for_each_tile():
    def tasks(size):
        dem = xr.DataArray(dask.array.zeros((size, size), chunks=10, dtype=np.float32), dims=("y", "x"), attrs={"units": "m"})
        with dask.config.set(scheduler=refuse):
            return len(dict(flow_direction(dem).__dask_graph__()))

    few, many = tasks(100), tasks(300)
    assert few < 10 * 100
    assert (many - few) / (900 - 100) < 10


def test_cells_are_counted_beyond_32_bits():
    """Two small tiles at the far corner of a raster of five thousand million cells, all else nodata."""
    far, height, width = 70_000, 6, 5
    heights = np.round(fractal(np.random.default_rng(6), 2 * height, width) * 2).astype(np.float32)

    def answers(corner, layout):
        records, states = [], []
        for place in layout.places:
            if place.row < corner or place.column < corner:
                nobody = drainage.TileEdges(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.uint8), *np.empty((2, 0), np.int32))
                around = 2 * (place.height + place.width) - 4
                records.append(drainage.TileRecord(1, np.zeros(around, np.int32), nobody))
                continue
            framed = np.pad(heights, 1, constant_values=np.nan)[place.row - corner : place.row - corner + height + 2]
            record, state = drainage.summarise(np.ascontiguousarray(framed), place)
            records.append(record)
            states.append((state, place))
        solved = drainage.solve(records, layout)[-2 * len(layout.widths) + len(layout.widths) - 1 :: len(layout.widths)]
        return [drainage.drained_steps(state, answer, place) for (state, place), answer in zip(states, solved)]

    near = answers(0, Layout((height, height), (width,)))
    beyond = answers(far, Layout((far, height, height), (far, width)))
    assert far * (far + width) > 2**32
    assert [step.tolist() for step in beyond] == [step.tolist() for step in near]


def test_places_are_row_major():
    places = Layout.squares((5, 7), 3).places
    assert places[0] == Place(0, 0, 3, 3, 7)
    assert places[-1] == Place(3, 6, 2, 1, 7)
    assert len(places) == 6


def test_on_processes_of_a_cluster():
    distributed = pytest.importorskip("distributed")
    heights = np.round(fractal(np.random.default_rng(7), 50, 40) * 5).astype(np.float32)
    expected = tree_and_steepest(heights)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        assert np.array_equal(flow_direction(raster(heights, (17, 13))).values, expected)


def test_a_tile_can_be_finished_twice():
    """Schedulers run a task again when its result was lost or is wanted by another graph."""
    heights = np.round(fractal(np.random.default_rng(9), 12, 10) * 3).astype(np.float32)
    layout = Layout((12,), (10,))
    record, state = drainage.summarise(np.pad(heights, 1, constant_values=np.nan), layout.places[0])
    (answer,) = drainage.solve([record], layout)
    weights = np.ones((3, 12))
    once = drainage.finish(state, answer, layout.places[0], nearness=weights, with_fill=True)
    again = drainage.finish(state, answer, layout.places[0], nearness=weights, with_fill=True)
    assert np.array_equal(once[1], filled_by_heap(heights))
    for first, second in zip(once, again):
        assert first.tobytes() == second.tobytes()
