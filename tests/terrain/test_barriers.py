"""Barriers: ditches in which water ends and walls that it goes round, against a plain spanning tree on raised heights; by hand on slopes."""

import dask
import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, Polygon

from rusle_engine.core.errors import GridMismatchError, InputError, MemoryBudgetError
from rusle_engine.core.grid import Grid
from rusle_engine.files.barriers import rasterize_barriers
from rusle_engine.terrain.flow import flow_accumulation, flow_direction, upslope_area
from tests.terrain.oracles import SURFACES, counted_by_walking, cuts, filled_by_heap, receiver, tree_and_steepest
from tests.terrain.spreading import SCHEMES, passed_down


def raster(values, units="m", chunks=None):
    array = xr.DataArray(values, dims=("y", "x"), attrs={"units": units})
    return array if chunks is None else array.chunk(dict(zip(("y", "x"), chunks)))


def corners_closed(barriers):
    """Walls that touch at a corner only: the open cell to the north of it joins them."""
    closed = barriers.copy()
    for i, j in np.ndindex(barriers.shape[0] - 1, barriers.shape[1] - 1):
        (a, b), (c, d) = barriers[i : i + 2, j : j + 2]
        if a == d == 2 and b == 0 and c != 2:
            closed[i, j + 1] = 2
        if b == c == 2 and a == 0 and d != 2:
            closed[i, j] = 2
    return closed


def plain(heights, barriers):
    """Raised heights, where water ends, codes and filled surface."""
    closed = corners_closed(barriers)
    raised, outlets = heights + np.where(closed == 2, 32768.0, 0.0), closed == 1
    return raised, outlets, tree_and_steepest(raised, outlets=outlets), filled_by_heap(raised, outlets)


def random_barriers(shape, seed=0):
    return np.random.default_rng(seed).choice(np.array([0, 1, 2], np.uint8), shape, p=[0.75, 0.08, 0.17])


@given(data=st.data(), name=st.sampled_from(list(SURFACES)), seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_directions_equal_a_plain_tree_on_any_tiles(data, name, seed):
    heights = np.round(SURFACES[name], 3)
    barriers = random_barriers(heights.shape, seed)
    _, _, codes, _ = plain(heights, barriers)
    assert np.array_equal(flow_direction(raster(heights), barriers=barriers).values, codes)
    chunks = tuple(cuts(data.draw, length) for length in heights.shape)
    lazy = flow_direction(raster(heights, chunks=chunks), barriers=raster(barriers, "1"))
    assert lazy.values.tobytes() == codes.tobytes()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["fractal with holes", "whole metres", "nested lakes"])
def test_several_receivers_equal_plain_python(scheme, name):
    heights = SURFACES[name]
    barriers = random_barriers(heights.shape)
    raised, _, codes, filled = plain(heights, barriers)
    routing = flow_direction(raster(heights), scheme=scheme, barriers=barriers)
    assert np.array_equal(routing["filled"].values, filled, equal_nan=True)
    total = flow_accumulation(routing).values
    assert np.allclose(total, passed_down(scheme, raised, surface=filled, codes=codes), rtol=1e-9, equal_nan=True)
    assert total[codes == 0].sum() == pytest.approx(np.isfinite(heights).sum(), rel=1e-12)
    weights = np.random.default_rng(4).random(heights.shape)
    summed = flow_accumulation(routing, weights=weights).values
    assert np.allclose(summed, passed_down(scheme, raised, weights=weights, surface=filled, codes=codes), rtol=1e-9, equal_nan=True)
    lazy = flow_direction(raster(heights, chunks=(5, 7)), scheme=scheme, barriers=barriers)
    assert flow_accumulation(lazy).values.tobytes() == total.tobytes()


def slope(rows=9, columns=7):
    """Falls southwards by one metre a cell."""
    return 100.0 - np.arange(rows)[:, None] * np.ones(columns)


@pytest.mark.parametrize("scheme", ["d8", *SCHEMES])
def test_a_ditch_ends_what_enters_it(scheme):
    barriers = np.zeros((9, 7), np.uint8)
    barriers[4] = 1
    total = flow_accumulation(flow_direction(raster(slope()), scheme=scheme, barriers=barriers)).values
    assert total[4].sum() == pytest.approx(5 * 7)
    assert total[5].tolist() == [1.0] * 7
    assert total[8].sum() == pytest.approx(4 * 7)


def test_a_wall_is_gone_round():
    """What falls above a wall over five columns passes its two ends; behind it only its own water begins."""
    barriers = np.zeros((9, 9), np.uint8)
    barriers[4, 2:7] = 2
    codes = flow_direction(raster(slope(9, 9)), barriers=barriers).values
    total = flow_accumulation(codes).values
    assert total[4, 1] + total[4, 7] == 4 * 7 + 2
    assert total[5, 2:7].tolist() == [2.0] * 5
    assert total[4, 2:7].tolist() == [1.0] * 5


def test_what_a_wall_encloses_flows_over_its_lowest_cell():
    heights = slope(9, 9)
    barriers = np.zeros((9, 9), np.uint8)
    barriers[2, 2:7] = barriers[6, 2:7] = barriers[2:7, 2] = barriers[2:7, 6] = 2
    heights[6, 4] -= 0.25
    codes = flow_direction(raster(heights), barriers=barriers).values
    total = flow_accumulation(codes).values
    assert total[6, 4] == 9 + 1
    assert codes[6, 4] == 4
    assert codes.size == total[codes == 0].sum()


@pytest.mark.parametrize("mirrored", [False, True])
def test_water_does_not_slip_through_between_corners(mirrored):
    """A wall drawn from corner to corner parts the land in two: what lies south-west of it stays there."""
    size = 12
    barriers = np.eye(size, dtype=np.uint8) * 2
    heights = 100.0 + np.arange(size)[:, None] - np.arange(size)[None, :]  # falls to the north-east, across the wall
    if mirrored:
        barriers, heights = barriers[:, ::-1].copy(), heights[:, ::-1].copy()
    codes = flow_direction(raster(heights), barriers=barriers).values
    below = np.tril(np.ones((size, size), bool), -1)
    below = below[:, ::-1] if mirrored else below
    for i, j in zip(*np.nonzero(below)):
        down = receiver(codes, i, j)
        assert down is None or below[down]


def test_a_ditch_drains_the_hollow_it_lies_in():
    bowl = np.full((5, 5), 5.0)
    bowl[1:-1, 1:-1] = 1.0
    bowl[2, 2] = 0.0
    ditch = np.zeros((5, 5), np.uint8)
    assert flow_direction(raster(bowl), scheme="quinn1991")["filled"].values[2, 2] == 5.0
    ditch[2, 2] = 1
    routing = flow_direction(raster(bowl), scheme="quinn1991", barriers=ditch)
    assert np.array_equal(routing["filled"].values, bowl)
    assert flow_accumulation(routing).values[2, 2] > 9
    assert flow_accumulation(routing["d8"]).values[2, 2] == counted_by_walking(routing["d8"].values)[2, 2]


@pytest.mark.parametrize("scheme", ["d8", "tarboton1997"])
def test_areas_end_at_ditches(scheme):
    barriers = np.zeros((9, 7), np.uint8)
    barriers[4] = 1
    area = upslope_area(raster(slope()), Grid.of(raster(slope()), 10.0), scheme=scheme, barriers=barriers).values
    assert np.allclose(area[:, 3], 100 * np.array([0, 1, 2, 3, 4, 0, 1, 2, 3]))


def test_no_barriers_change_nothing(surface):
    none = np.zeros(surface.shape)
    assert flow_direction(raster(surface), barriers=none).identical(flow_direction(raster(surface)))


def test_packed_ties_beside_barriers():
    heights = SURFACES["whole metres"]
    barriers = random_barriers(heights.shape)
    routing = flow_direction(raster(heights), scheme="quinn1991", barriers=barriers, flat_ties="packed", quantum_m=1.0)
    assert np.array_equal(routing["filled"].values, plain(heights, barriers)[3])
    assert (routing["d8"].values[barriers == 1] == 0).all()
    lazy = flow_direction(raster(heights, chunks=(6, 5)), barriers=barriers, flat_ties="packed", quantum_m=1.0)
    assert lazy.values.tobytes() == routing["d8"].values.tobytes()
    with pytest.raises(InputError, match="takes quantum_m of whole 1/256 m"):
        flow_direction(raster(heights), barriers=barriers, flat_ties="packed", quantum_m=0.1)


@pytest.mark.parametrize(
    ("barriers", "message"),
    [
        (np.full((3, 3), 3, np.uint8), "barriers hold 3; expected 0"),
        (np.array([[0, 0, np.nan]] * 3), "barriers hold nan"),
        (np.full((3, 3), 0.5), "barriers hold 0.5"),
        (np.full((3, 3), "wall"), "expected a raster"),
    ],
)
def test_what_is_no_barrier_is_refused(barriers, message):
    with pytest.raises(InputError, match=message):
        flow_direction(raster(np.zeros((3, 3))), barriers=barriers)


def test_barriers_of_another_grid_and_heights_out_of_this_world_are_refused():
    with pytest.raises(GridMismatchError):
        flow_direction(raster(np.zeros((3, 3))), barriers=np.zeros((3, 4), np.uint8))
    with pytest.raises(InputError, match="is 20000 m; beside barriers"):
        flow_direction(raster(np.full((3, 3), 20000.0)), barriers=np.zeros((3, 3), np.uint8))


def refuse(*_args, **_kwargs):
    raise AssertionError("something was computed too early")


def test_nothing_is_computed_or_touched_before_its_time():
    heights, barriers = raster(slope()), raster(random_barriers((9, 7)), "1")
    before = barriers.copy(deep=True)
    with dask.config.set(scheduler=refuse):
        flow_direction(heights.chunk(y=2, x=3), barriers=barriers)
        flow_direction(heights.chunk(y=2, x=3), barriers=barriers.chunk(y=9, x=1))
    flow_direction(heights, barriers=barriers)
    assert barriers.identical(before)


def on_a_map(values):
    rows, columns = values.shape
    coords = {"y": 4_000_000 - (np.arange(rows) + 0.5) * 10, "x": 500_000 + (np.arange(columns) + 0.5) * 10}
    return xr.DataArray(values, dims=("y", "x"), coords=coords, attrs={"units": "m"}).rio.write_crs("EPSG:32649")


def features(*shapes, crs="EPSG:32649"):
    return gpd.GeoDataFrame(geometry=list(shapes), crs=crs)


def at(row, column):
    """The map's place of a row and column, in cells from the corner."""
    return 500_000 + 10 * column, 4_000_000 - 10 * row


def test_lines_have_no_gaps_and_polygons_are_their_centres():
    like = on_a_map(np.zeros((6, 6)))
    wall = LineString([at(0.5, 0.5), at(4.5, 4.6)])
    pond = Polygon([at(3.4, 0.4), at(3.4, 2.6), at(5.6, 2.6), at(5.6, 0.4)])
    got = rasterize_barriers(like, diverts=features(wall), stops=features(pond))
    assert got.dtype == np.uint8
    expected = np.zeros((6, 6), np.uint8)
    for i in range(5):
        expected[i, i] = 2
    for i in range(4):
        expected[i, i + 1] = 2  # the line leaves each row to the right of the corner
    expected[3:6, 0:3] = 1
    assert np.array_equal(got.values, expected)
    moved = rasterize_barriers(like.chunk(y=4, x=5), diverts=features(wall).to_crs("EPSG:4326"), stops=features(pond))
    assert moved.chunks == ((4, 2), (5, 1))
    assert moved.values.tobytes() == got.values.tobytes()
    ring = rasterize_barriers(like, stops=features(pond), outlines=True).values
    assert ring[4, 1] == 0
    assert ring[3:6, 0:3].sum() == 8


def test_barriers_from_a_file(tmp_path):
    table = features(LineString([at(2.5, -1), at(2.5, 9)]))
    table.to_file(tmp_path / "ditch.gpkg")
    like = on_a_map(slope(5, 6))
    barriers = rasterize_barriers(like, stops=tmp_path / "ditch.gpkg")
    assert barriers.values.tolist() == [[0] * 6, [0] * 6, [1] * 6, [0] * 6, [0] * 6]
    assert flow_accumulation(flow_direction(like, barriers=barriers)).values[3].tolist() == [1.0] * 6


def test_what_has_no_place_is_refused():
    like = on_a_map(np.zeros((3, 3)))
    with pytest.raises(InputError, match="no barriers are given"):
        rasterize_barriers(like)
    with pytest.raises(InputError, match="the barriers have no CRS"):
        rasterize_barriers(like, stops=features(LineString([(0, 0), (1, 1)]), crs=None))
    with pytest.raises(InputError, match="the raster has no CRS"):
        rasterize_barriers(like.drop_vars("spatial_ref"), stops=features(LineString([(0, 0), (1, 1)])))
    with dask.config.set({"rusle_engine.memory_budget": "10 B"}), pytest.raises(MemoryBudgetError, match="Give barriers as a raster"):
        rasterize_barriers(like, stops=features(LineString([at(0, 0), at(1, 1)])))
