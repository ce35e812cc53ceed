"""Edge contamination: every cell below the edge or a hole, by walking; the bound of the longest slope; the margin that cures it; zones."""

import dask
import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from rusle_engine.assessment.edge import edge_table
from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.terrain.edges import edge_buffer_m, edge_contamination
from rusle_engine.terrain.flow import flow_accumulation, flow_direction
from tests.terrain.oracles import SURFACES, counted_by_walking, cuts, fractal, receiver
from tests.terrain.spreading import SCHEMES


def raster(values, units="m", chunks=None):
    array = xr.DataArray(values, dims=("y", "x"), attrs={"units": units})
    return array if chunks is None else array.chunk(dict(zip(("y", "x"), chunks)))


def below_the_edge(codes):
    """By following the water of every cell beside nothing."""
    there = np.pad(codes != 255, 1)
    mask = np.where(codes == 255, 255, 0)
    for i, j in zip(*np.nonzero(codes != 255)):
        if not there[i : i + 3, j : j + 3].all():
            here = (i, j)
            while here is not None:
                mask[here] = 1
                here = receiver(codes, *here)
    return mask


def test_d8_marks_what_lies_below_the_edge_and_holes(surface):
    codes = flow_direction(raster(surface)).values
    assert np.array_equal(edge_contamination(codes).values, below_the_edge(codes))


@given(data=st.data(), name=st.sampled_from(list(SURFACES)), scheme=st.sampled_from(["d8", *SCHEMES]))
@settings(max_examples=15, deadline=None)
def test_any_tiles_give_the_same_bytes(data, name, scheme):
    heights = SURFACES[name]
    chunks = tuple(cuts(data.draw, length) for length in heights.shape)
    whole = flow_direction(raster(heights), scheme=scheme, cell_size_m=10.0)
    lazy = flow_direction(raster(heights, chunks=chunks), scheme=scheme, cell_size_m=10.0)
    options = {"max_slope_length_m": 30.0} | ({"cell_size_m": 10.0} if scheme == "d8" else {})
    assert edge_contamination(lazy, **options).values.tobytes() == edge_contamination(whole, **options).values.tobytes()
    got = edge_contamination(lazy)
    assert got.dtype == np.uint8
    assert got.values.tobytes() == edge_contamination(whole).values.tobytes()


def test_several_receivers_mark_what_gets_a_hundredth_of_an_edge_cell():
    heights = fractal(np.random.default_rng(1), 30, 30) * 20
    routing = flow_direction(raster(heights), scheme="quinn1991")
    at_edge = np.ones((30, 30), bool)
    at_edge[1:-1, 1:-1] = False
    ending = routing.assign(d8=routing["d8"].where(~at_edge, 0).astype(np.uint8).assign_attrs(routing["d8"].attrs))
    past_the_edge = (flow_accumulation(routing) - flow_accumulation(ending)).values
    for least in (0.01, 0.5):
        assert np.array_equal(edge_contamination(routing, least_inflow=least).values, at_edge | (past_the_edge >= least))
    assert edge_contamination(routing, least_inflow=0.5).values.sum() < edge_contamination(routing).values.sum() < 900


def test_slopes_at_their_cap_are_certain():
    """Down a plane of 10 m cells 100·(i − 1) m² of cells inside drain into row i; the widest contour is 14.142 m, so a cap of 30 m is reached from
    424.3 m². The last row is at the edge."""
    heights = -np.arange(12.0)[:, None] * np.ones(9)
    for scheme in ("d8", "tarboton1997"):
        routing = flow_direction(raster(heights), scheme=scheme, cell_size_m=10.0)
        options = {"cell_size_m": 10.0} if scheme == "d8" else {}
        mask = edge_contamination(routing, max_slope_length_m=30.0, **options)
        assert mask.values[:, 4].tolist() == [1] * 6 + [0] * 5 + [1]
        assert edge_contamination(routing).values.all()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_margin_cures_it(seed):
    """With the margin around it, no cell of a region is cut: its slope inside is at the cap, or nothing comes from the edge."""
    cell, cap = 10.0, 50.0
    grid = Grid.of(raster(np.zeros((60, 60))), cell)
    margin = round(edge_buffer_m(grid, cap) / cell)
    assert margin == 9  # 1 + 50 · √2 / 10 = 8.07
    codes = flow_direction(raster(fractal(np.random.default_rng(seed), 60, 60))).values
    mask = edge_contamination(codes, max_slope_length_m=cap, cell_size_m=cell).values
    inner = slice(margin, -margin)
    assert mask[inner, inner].sum() == 0
    assert mask.sum() > 0
    assert below_the_edge(codes)[inner, inner].sum() > 0
    assert edge_contamination(codes, max_slope_length_m=cap, cell_size_m=cell).attrs["buffer_m"] == 90.0


def test_the_margin_is_no_wider_than_need_be():
    """A diagonal of D8 cells has √2 more width than side, so that the cap is reached after λ·√2/D cells, not sooner."""
    codes = np.full((12, 12), 2, np.uint8)
    mask = edge_contamination(codes, max_slope_length_m=50.0, cell_size_m=10.0).values
    area = counted_by_walking(codes) * 100 - 200  # without itself and the cell at the edge
    assert mask[8, 8] == 1
    assert area[8, 8] == 700
    assert mask[9, 9] == 0


def test_geographic_rows_have_their_own_widths():
    rows = 12
    coords = {"y": 60 - (np.arange(rows) + 0.5) * 0.001, "x": 10 + (np.arange(9) + 0.5) * 0.001}
    codes = xr.DataArray(np.full((rows, 9), 4, np.uint8), dims=("y", "x"), coords=coords).rio.write_crs("EPSG:4326")
    grid = Grid.of(codes)
    mask = edge_contamination(codes, max_slope_length_m=300.0)
    area = np.concatenate([[0, 0], np.cumsum(grid.cell_area_m2[1:])[:-1]])
    assert np.array_equal(mask.values[:-1, 4] == 1, (area < 300 * np.hypot(grid.dx_m, grid.dy_m))[:-1])
    assert 0 < mask.values[:, 4].sum() < rows


def test_shares_of_zones():
    """Two halves of a ridge map of 1 km cells: 5 × 4 with 14 on the edge … by hand: rows of 2 and 3."""
    codes = np.array([[64] * 6, [64] * 6, [4] * 6, [4] * 6, [4] * 6], np.uint8)
    codes[0, 0] = 255
    zones = np.array([[1] * 6, [1] * 6, [2] * 6, [2] * 6, [2] * 6])
    table = edge_table(edge_contamination(codes), zones, cell_size_m=1000.0, zone_names={1: "north", 2: "south"})
    # north: 11 cells with data, row 0 cut, row 1 its two ends and the cell beside the hole; south: two columns of 3 and the last row between
    assert table.to_dict("list") | {"buffer_m": None} == {
        "zone_id": ["1", "2"],
        "zone_name": ["north", "south"],
        "area_km2": [11.0, 18.0],
        "contaminated_km2": [8.0, 10.0],
        "share_pct": [pytest.approx(800 / 11), pytest.approx(1000 / 18)],
        "buffer_m": None,
    }
    assert table["buffer_m"].isna().all()
    capped = edge_contamination(codes, max_slope_length_m=5000.0, cell_size_m=1000.0)
    assert edge_table(capped, zones, cell_size_m=1000.0)["buffer_m"].tolist() == [9000.0, 9000.0]
    lazy = edge_table(edge_contamination(raster(codes, "1", (2, 2))), zones, cell_size_m=1000.0)
    assert lazy["contaminated_km2"].tolist() == [8.0, 10.0]


def test_zones_on_a_map_with_a_crs():
    coords = {"y": 4_000_000 - (np.arange(5) + 0.5) * 1000, "x": 500_000 + (np.arange(5) + 0.5) * 1000}
    codes = xr.DataArray(np.array([[64] * 5, [64] * 5, [4] * 5, [4] * 5, [4] * 5], np.uint8), dims=("y", "x"), coords=coords)
    zones = gpd.GeoDataFrame({"zone_id": ["w"], "zone_name": ["west"]}, geometry=[box(500_000, 3_995_000, 501_500, 4_000_000)], crs="EPSG:32649")
    table = edge_table(edge_contamination(codes.rio.write_crs("EPSG:32649")), zones)
    assert table["area_km2"].tolist() == [7.5]
    assert table["contaminated_km2"].tolist() == [6.0]  # the western column, and half of the two end cells of the next
    assert table["share_pct"].tolist() == [80.0]


def test_what_is_wrong_is_refused():
    codes = np.zeros((3, 3), np.uint8)
    with pytest.raises(InputError, match="max_slope_length_m is 0"):
        edge_contamination(codes, max_slope_length_m=0.0)
    with pytest.raises(InputError, match="least_inflow is -1"):
        edge_contamination(codes, least_inflow=-1.0)
    with pytest.raises(InputError):
        edge_contamination(codes, max_slope_length_m=10.0)  # whose cells have no size
    with pytest.raises(InputError, match="expected 'edge_contamination'"):
        edge_table(raster(np.zeros((3, 3))), np.zeros((3, 3), int), cell_size_m=10.0)


def refuse(*_args, **_kwargs):
    raise AssertionError("something was computed too early")


def test_nothing_is_computed_before_its_time():
    codes = raster(np.full((6, 6), 4, np.uint8), "1", (2, 3))
    with dask.config.set(scheduler=refuse):
        mask = edge_contamination(codes, max_slope_length_m=10.0, cell_size_m=2.0)
    assert mask.attrs["scheme"] == "d8"
    assert mask.attrs["units"] == "1"
