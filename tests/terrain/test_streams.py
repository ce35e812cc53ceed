"""Streams as lines, and the land above points, against walking cell by cell."""

import dask
import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.terrain.flow import flow_direction
from rusle_engine.terrain.streams import streams
from rusle_engine.terrain.watersheds import basins, catchments, sub_basins
from tests.terrain.oracles import SURFACES
from tests.terrain.test_watersheds import cells_of, labelled_by_walking, receiver

UTM = CRS.from_epsg(32650)


def directions(heights, crs=UTM, cell=30.0):
    origin = (5e5, 4.2e6) if crs == UTM else (112.0, 39.0)
    grid = Grid(*heights.shape, Affine(cell, 0, origin[0], 0, -cell, origin[1]), crs)
    return flow_direction(grid.label(heights).assign_attrs(units="m"))


def network(codes, least):
    """By walking: cells of streams with how many drain through them, and Strahler's order by its recursive definition."""
    total = {}
    for cell in cells_of(codes):
        here = cell
        while here is not None:
            total[here] = total.get(here, 0) + 1
            here = receiver(codes, here)
    above = {}
    for cell, count in total.items():
        if count >= least and receiver(codes, cell) is not None:
            above.setdefault(receiver(codes, cell), []).append(cell)
    order = {}
    for cell in sorted((c for c in total if total[c] >= least), key=total.get):
        orders = sorted(order[up] for up in above.get(cell, []))
        order[cell] = 1 if not orders else orders[-1] + (orders.count(orders[-1]) > 1)
    return total, above, order


@pytest.mark.parametrize("name", sorted(SURFACES))
@pytest.mark.parametrize("least", [1, 4, 25])
def test_links_against_walking(name, least):
    d8 = directions(SURFACES[name].copy())
    codes = d8.values
    total, above, order = network(codes, least)
    begins = {cell for cell in order if len(above.get(cell, [])) != 1}
    expected = {}
    for begin in begins:
        way = [begin]
        while (down := receiver(codes, way[-1])) is not None:
            way.append(down)
            if down in begins:
                break
        if len(way) > 1:
            last = way[-2] if way[-1] in begins else way[-1]
            expected[tuple(way)] = (order[begin], total[last])
    found = streams(d8.chunk(y=7, x=11), min_cells=least)
    grid = Grid.of(d8)
    ways = {}
    for row in found.itertuples():
        x, y = np.array(row.geometry.coords).T
        columns, rows = ~grid.transform @ (x, y)
        ways[tuple(zip((rows - 0.5).round().astype(int).tolist(), (columns - 0.5).round().astype(int).tolist()))] = (row.strahler, row.cells)
    assert ways == expected
    assert len(set(found.link_id)) == len(found)
    ending = {row.link_id: row.geometry.coords[-1] for row in found.itertuples()}
    starting = {row.link_id: row.geometry.coords[0] for row in found.itertuples()}
    assert all(ending[row.link_id] == starting[row.downstream_id] for row in found.itertuples() if row.downstream_id in starting)


def test_length_of_a_staircase():
    codes = np.array([[1, 2, 255, 255], [255, 255, 4, 255], [255, 255, 2, 255], [255, 255, 255, 0]], np.uint8)
    grid = Grid(4, 4, Affine(30, 0, 5e5, 0, -20, 4.2e6), UTM)
    (link,) = streams(grid.label(codes), min_cells=1).itertuples()
    assert link.length_m == pytest.approx(30 + 2 * np.hypot(30, 20) + 20)
    assert (link.strahler, link.cells, link.downstream_id) == (1, 5, 0)


def test_length_on_the_ellipsoid():
    d8 = Grid(1, 3, Affine(1 / 3600, 0, 112.0, 0, -1 / 3600, 38.5 + 1 / 3600), CRS.from_epsg(4490)).label(np.array([[1, 1, 0]], np.uint8))
    (link,) = streams(d8, min_cells=1).itertuples()
    assert link.length_m == pytest.approx(2 * 24.231, abs=0.002)  # the formula book's cell at 38.5° N


@given(tile=st.tuples(st.integers(1, 25), st.integers(1, 25)), name=st.sampled_from(sorted(SURFACES)), least=st.sampled_from([1, 3, 20]))
@settings(max_examples=40, deadline=None)
def test_labels_and_lines_do_not_depend_on_tiles(tile, name, least):
    d8 = directions(SURFACES[name].copy())
    chunked = d8.chunk(dict(zip(("y", "x"), tile)))
    np.testing.assert_array_equal(basins(chunked).values, basins(d8).values)
    np.testing.assert_array_equal(sub_basins(chunked, min_cells=least).values, sub_basins(d8, min_cells=least).values)
    assert streams(chunked, min_cells=least).equals(streams(d8, min_cells=least))


@given(tile=st.tuples(st.integers(1, 25), st.integers(1, 25)), name=st.sampled_from(sorted(SURFACES)), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_land_above_points_against_walking(tile, name, seed):
    d8 = directions(SURFACES[name].copy())
    codes = d8.values
    cells = cells_of(codes)
    chosen = [cells[k] for k in np.random.default_rng(seed).choice(len(cells), min(5, len(cells)), replace=False)]
    expected = np.zeros(codes.shape, np.int32)
    for cell in cells:
        here = cell
        while here is not None and here not in chosen:
            here = receiver(codes, here)
        expected[cell] = 0 if here is None else chosen.index(here) + 1
    points = [(float(d8.x[j]), float(d8.y[i])) for i, j in chosen]
    found = catchments(d8.chunk(dict(zip(("y", "x"), tile))), points)
    assert dask.is_dask_collection(found)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found.values, expected)


def test_a_point_is_moved_onto_the_stream():
    codes = Grid(3, 5, Affine(30, 0, 5e5, 0, -30, 4.2e6), UTM).label(np.array([[4, 4, 4, 4, 4], [1, 1, 1, 1, 0], [64, 64, 64, 64, 64]], np.uint8))
    beside = (5e5 + 2.5 * 30, 4.2e6 - 15)  # the cell above the stream's middle
    assert int((catchments(codes, [beside]) == 1).sum()) == 1
    assert int((catchments(codes, [beside], snap_cells=1) == 1).sum()) == 12


def test_points_that_are_none():
    codes = Grid(1, 3, Affine(30, 0, 5e5, 0, -30, 4.2e6), UTM).label(np.array([[1, 0, 255]], np.uint8))
    for points, message in (
        ([(0.0, 0.0)], r"point 1 \(0, 0\) lies outside the grid"),
        ([(5e5 + 75, 4.2e6 - 15)], "point 1 .* lies on nodata"),
        ([(5e5 + 1, 4.2e6 - 15), (5e5 + 29, 4.2e6 - 2)], "points 1 and 2 come to lie in one cell"),
    ):
        with pytest.raises(InputError, match=message):
            catchments(codes, points)


def test_circles_through_tiles_are_refused():
    round_about = xr.DataArray(np.array([[1, 4], [64, 16]], np.uint8), dims=("y", "x")).chunk(y=1, x=1)
    with pytest.raises(InputError, match="circles"):
        basins(round_about).compute()


def test_all_is_nodata():
    codes = Grid(2, 3, Affine(30, 0, 5e5, 0, -30, 4.2e6), UTM).label(np.full((2, 3), 255, np.uint8))
    assert not basins(codes).values.any()
    assert len(streams(codes, min_cells=1)) == 0
    assert labelled_by_walking(codes.values, []).sum() == 0
