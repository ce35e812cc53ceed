"""Accumulation on tiles: what walking every path gives, on any tiles; nothing lost at their borders; circles through several tiles refused."""

from functools import cache

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import Layout
from rusle_engine.core.scratch import use_scratch
from rusle_engine.terrain import accumulation
from rusle_engine.terrain.flow import flow_accumulation, upslope_area_of
from tests.terrain.oracles import SURFACES, counted_by_walking, cuts, receiver, tree_and_steepest


def raster(values, chunks=None):
    array = xr.DataArray(values, dims=("y", "x"))
    return array if chunks is None else array.chunk(dict(zip(("y", "x"), chunks)))


@cache
def plain_answers(name):
    codes = tree_and_steepest(SURFACES[name])
    weights = np.random.default_rng(8).integers(-2000, 3000, codes.shape) / 1024  # sums of these are exact in float64
    return codes, weights, counted_by_walking(codes), counted_by_walking(codes, weights)


@pytest.mark.parametrize("tile", [(1, 1), (1, 40), (5, 7)])
@pytest.mark.parametrize("name", list(SURFACES))
def test_every_surface_on_fixed_tiles(name, tile):
    codes, weights, count, summed = plain_answers(name)
    assert np.array_equal(flow_accumulation(raster(codes, tile)).values, count, equal_nan=True)
    got = flow_accumulation(raster(codes, tile), weights=raster(weights, tile)).values
    assert np.array_equal(got, summed, equal_nan=True)
    assert got.tobytes() == flow_accumulation(codes, weights=weights).values.tobytes()


@given(data=st.data(), name=st.sampled_from(list(SURFACES)), scheduler=st.sampled_from(["threads", "synchronous"]))
@settings(max_examples=30, deadline=None)
def test_any_surface_on_any_tiles(data, name, scheduler):
    codes, weights, count, summed = plain_answers(name)
    chunks = tuple(cuts(data.draw, length) for length in codes.shape)
    with dask.config.set(scheduler=scheduler):
        assert np.array_equal(flow_accumulation(raster(codes, chunks)).values, count, equal_nan=True)
        assert np.array_equal(flow_accumulation(raster(codes, chunks), weights=weights).values, summed, equal_nan=True)


@given(data=st.data(), rows=st.integers(1, 40), columns=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_any_codes_are_added_up_or_refused(data, rows, columns, seed):
    """Codes drawn at random lead off the grid, into holes, and often round in circles."""
    rng = np.random.default_rng(seed)
    ways = np.array([2, 4, 8, 0, 255, 1, 16], np.uint8)
    codes = rng.choice(ways, (rows, columns), p=[0.3, 0.3, 0.2, 0.04, 0.03, 0.12, 0.01])
    lazy = raster(codes, (cuts(data.draw, rows), cuts(data.draw, columns)))
    try:
        expected = flow_accumulation(codes).values
    except InputError:
        with pytest.raises(InputError, match="leads round in circles"):
            flow_accumulation(lazy).compute()
        return
    assert flow_accumulation(lazy).values.tobytes() == expected.tobytes()
    assert np.array_equal(expected, counted_by_walking(codes), equal_nan=True)


def serpentine(rows, columns):
    codes = np.full((rows, columns), 1, np.uint8)
    codes[1::2] = 16
    codes[0::2, -1] = codes[1::2, 0] = 4
    codes[-1, 0] = 0
    return codes


@pytest.mark.parametrize("tile", [(64, 32), (32, 64), (7, 9)])
def test_a_serpentine_through_every_tile_gathers_every_cell(tile):
    total = flow_accumulation(raster(serpentine(64, 64), tile)).values
    order = np.arange(1, 4097).reshape(64, 64)
    order[1::2] = order[1::2, ::-1]
    assert np.array_equal(total, order)


def test_what_falls_leaves():
    codes, weights, *_ = plain_answers("fractal with holes")
    total = flow_accumulation(raster(codes, (5, 4)), weights=raster(weights, (5, 4))).values
    leaving = [total[i, j] for i, j in zip(*np.nonzero(codes != 255)) if receiver(codes, i, j) is None]
    assert sum(leaving) == weights[codes != 255].sum()


def test_a_circle_through_four_tiles_is_refused():
    ring = np.array([[1, 4], [64, 16]], np.uint8)
    with pytest.raises(InputError, match="leads round in circles: 4 steps from tile to tile never end"):
        flow_accumulation(raster(ring, (1, 1))).compute()


def test_the_place_of_what_is_wrong_is_told_in_the_whole_raster():
    codes = np.zeros((6, 6), np.uint8)
    codes[4, 5] = 3
    with pytest.raises(InputError, match="is 3 at row 4, column 5; expected one of"):
        flow_accumulation(raster(codes, (2, 2))).compute()
    weights = np.ones((6, 6))
    weights[5, 3] = np.inf
    with pytest.raises(InputError, match="weights are inf at row 5, column 3"):
        flow_accumulation(raster(np.zeros((6, 6), np.uint8), (2, 2)), weights=weights).compute()
    with pytest.raises(InputError, match="weights are nan"):
        flow_accumulation(codes, weights=np.nan)


@pytest.mark.parametrize("kind", ["int8", "int16", "int64", "uint8"])
def test_whole_numbers_of_any_type(kind):
    codes = np.array([[1, 4], [0, 16]]).astype(kind)
    assert flow_accumulation(raster(codes, (1, 1))).values.tolist() == [[1.0, 2.0], [4.0, 3.0]]


def test_areas_on_the_ellipsoid_are_the_same_on_any_tiles():
    codes, *_ = plain_answers("fractal")
    rows, columns = codes.shape
    coords = {"y": 38.5 + 1 / 3600 * (rows - 0.5 - np.arange(rows)), "x": 112 + (np.arange(columns) + 0.5) / 3600}
    array = xr.DataArray(codes, dims=("y", "x"), coords=coords).rio.write_crs("EPSG:4326")
    grid = Grid.of(array)
    area = upslope_area_of(array, grid)
    by_walking = counted_by_walking(codes, np.broadcast_to(grid.cell_area_m2[:, np.newaxis], codes.shape)) - grid.cell_area_m2[:, np.newaxis]
    assert np.allclose(area.values, by_walking, rtol=1e-13, atol=1e-6)
    for tile in ((1, 1), (5, 9)):
        assert upslope_area_of(array.chunk(y=tile[0], x=tile[1]), grid).values.tobytes() == area.values.tobytes()


def test_sums_beyond_32_bits_cross_tiles_whole():
    codes = serpentine(8, 8)
    amount = 2.0**29
    total = flow_accumulation(raster(codes, (3, 3)), weights=amount).values
    assert total[-1, 0] == 64 * amount
    wide = accumulation.sum_type(2**20, 2**11)
    assert wide == np.int64
    assert accumulation.sum_type(1, 2**31 - 1) == np.int32


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_in_memory_tiles_of_the_processor_s_size_do_not_show(monkeypatch, scheduler):
    codes, weights, count, summed = plain_answers("terraces")
    monkeypatch.setattr(accumulation, "TILE_SIZE", 6)
    with dask.config.set(scheduler=scheduler):
        assert np.array_equal(flow_accumulation(codes).values, count, equal_nan=True)
        assert np.array_equal(flow_accumulation(codes, weights=weights).values, summed, equal_nan=True)


def test_states_that_do_not_fit_go_to_the_disk_with_the_same_result(tmp_path):
    codes = serpentine(600, 600)
    expected = flow_accumulation(codes).values
    assert expected[-1, 0] == 360_000
    with use_scratch(tmp_path), dask.config.set({"rusle_engine.memory_budget": "3 MB"}):
        lazy = flow_accumulation(raster(codes, (100, 100)))
        assert len(list(tmp_path.iterdir())) == 2  # for the tiles, and for their states
        assert lazy.values.tobytes() == expected.tobytes()


def refuse(*_args, **_kwargs):
    raise AssertionError("something was computed too early")


def test_planning_computes_nothing_and_takes_a_few_tasks_for_each_tile():
    def tasks(size):
        codes = raster(dask.array.zeros((size, size), chunks=10, dtype=np.uint8))
        with dask.config.set(scheduler=refuse):
            weighted = flow_accumulation(codes, weights=codes.astype(float))
            return len(dict(flow_accumulation(codes).__dask_graph__())), len(dict(weighted.__dask_graph__()))

    (few, few_weighted), (many, many_weighted) = tasks(100), tasks(300)
    assert few < 10 * 100
    assert (many - few) / 800 < 10
    assert (many_weighted - few_weighted) / 800 < 25


def test_places_at_borders_are_counted_beyond_32_bits():
    """Crossings between two small tiles at the far corner of a raster of five thousand million cells."""
    far, codes = 70_000, np.array([[4, 4], [4, 4], [1, 0]], np.uint8)

    def inflow(corner, layout):
        records = []
        for place in layout.places:
            if place.row < corner or place.column < corner:
                nothing = np.empty(0, np.int32), np.empty(0, np.uint8), np.empty(0, np.int64)
                records.append(accumulation.Crossings(*nothing, np.full(2 * (place.height + place.width) - 4, -1, np.int32)))
                continue
            framed = np.pad(codes, 1, constant_values=255)[place.row - corner : place.row - corner + place.height + 2]
            ones = np.broadcast_to(np.int64(1), (far + 3,))
            records.append(accumulation.summarise_rows(np.ascontiguousarray(framed), place, amounts=ones, scale=1.0)[0])
        return [entering.tolist() for entering in accumulation.solve(records, layout)]

    assert inflow(0, Layout((1, 2), (2,))) == [[0, 0], [1, 1, 0, 0]]
    assert inflow(far, Layout((far, 1, 2), (far, 2)))[-1] == [1, 1, 0, 0]
