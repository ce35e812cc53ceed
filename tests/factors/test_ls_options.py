"""LS by options: how water is routed, what ends hillslopes, of which surface the slope is; against the terrain functions themselves."""

import numpy as np
import pytest
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.factors.ls import ls_factor, ls_with_flags
from rusle_engine.factors.ls_presets import PRESETS
from rusle_engine.terrain.conditioning import condition
from rusle_engine.terrain.flow import flow_direction, upslope_area, upslope_area_of
from rusle_engine.terrain.slope import slope


def raster(values):
    return xr.DataArray(values, dims=("y", "x"), attrs={"units": "m"})


def terrain(rows=30, columns=40, seed=0):
    """Hills with pits and two holes, on a tilt."""
    rng = np.random.default_rng(seed)
    heights = np.cumsum(np.cumsum(rng.normal(0, 1, (rows, columns)), axis=0), axis=1) / 4
    heights += 4.0 * np.arange(rows)[:, np.newaxis] + rng.normal(0, 1, (rows, columns))
    heights[rows // 2, columns // 3] = heights[3, 4] = np.nan
    return heights


def test_known_channels_end_the_hillslope_like_found_ones():
    heights = 0.1 * 30.0 * np.arange(10)[::-1, np.newaxis] * np.ones((1, 4))
    free = ls_factor(heights, units="m", cell_size_m=30.0).values
    known = np.full(heights.shape, np.nan)
    known[6], known[2] = 7.0, 0.0  # any code but 0
    result = ls_with_flags(heights, units="m", cell_size_m=30.0, channels=known, channel_area_m2=9 * 900.0)
    assert result.flags.values[:, 0].tolist() == [0, 0, 0, 0, 0, 0, 2, 0, 2, 2]
    assert np.array_equal(result.ls, np.where(result.flags == 2, 0.0, free))


def test_steeper_land_than_s_is_followed_to_is_flagged():
    heights = np.array([[90.0, 60.0, 40.0, 36.0, 33.0, 30.0]]) + np.zeros((3, 1))  # 30°-lines: rises of 17.3 m on 30 m
    theta = np.degrees(slope(heights, units="m", cell_size_m=30.0).values)
    held = theta > 30
    assert 0 < held.sum() < held.size
    result = ls_with_flags(heights, units="m", cell_size_m=30.0, max_steepness_degree=30.0, steepness="liu1994", max_slope_length_m=1000.0)
    assert np.array_equal(result.flags, np.where(held, 8, 0))
    both = ls_with_flags(heights, units="m", cell_size_m=30.0, max_steepness_degree=30.0, max_slope_length_m=20.0)
    assert np.array_equal(both.flags, np.where(held, 9, 1))


def test_slope_of_the_filled_surface():
    heights = 0.05 * 30.0 * np.arange(12)[:, np.newaxis] * np.ones((1, 9)) + 10
    heights[4:8, 3:6] -= 6.0
    filled = condition(heights, units="m").values
    got = ls_factor(heights, units="m", cell_size_m=30.0, slope_surface="filled", components=True)
    assert np.array_equal(got.theta, slope(filled, units="m", cell_size_m=30.0))
    assert np.array_equal(got.upslope_area_m2, ls_factor(heights, units="m", cell_size_m=30.0, components=True).upslope_area_m2)
    assert got.ls.attrs["slope_surface"] == "filled"


def test_breaching_lets_the_water_of_a_pit_out_where_it_is_cut():
    heights = 0.05 * 30.0 * np.arange(12)[:, np.newaxis] * np.ones((1, 9)) + 10
    heights[4:8, 3:6] -= 6.0
    options = {"units": "m", "cell_size_m": 30.0, "water_depth_m": 1.0}
    cut = ls_with_flags(heights, conditioning="breach", max_breach_length_m=600.0, **options)
    surface = condition(heights, units="m", cell_size_m=30.0, method="breach", max_breach_length_m=600.0).values
    assert (ls_with_flags(heights, **options).flags == 4).any()
    assert np.array_equal(cut.flags == 4, surface - heights > 1.0)
    area = upslope_area_of(flow_direction(surface, units="m", cell_size_m=30.0), Grid.of(raster(heights), 30.0))
    parts = ls_factor(heights, conditioning="breach", max_breach_length_m=600.0, components=True, units="m", cell_size_m=30.0)
    assert np.array_equal(parts.upslope_area_m2, area)


def test_packed_ties_route_the_water_of_flats_another_way():
    heights = np.round(terrain(seed=1) / 4) * 4.0
    parts = ls_factor(heights, units="m", cell_size_m=30.0, flat_ties="packed", quantum_m=4.0, components=True)
    codes = flow_direction(heights, units="m", cell_size_m=30.0, flat_ties="packed", quantum_m=4.0)
    assert np.array_equal(parts.upslope_area_m2, upslope_area_of(codes, Grid.of(raster(heights), 30.0)), equal_nan=True)
    assert not np.array_equal(parts.upslope_area_m2, ls_factor(heights, units="m", cell_size_m=30.0, components=True).upslope_area_m2, equal_nan=True)


def test_area_that_is_not_known_gives_no_ls():
    area = np.full((3, 4), 900.0)
    area[1, 2] = np.nan
    ls = ls_factor(
        np.arange(12.0).reshape(3, 4), upslope_area=area, units={"dem": "m", "upslope_area": "m2"}, cell_size_m=30.0, max_slope_length_m=10.0
    )
    assert np.array_equal(np.isnan(ls), np.isnan(area))


@pytest.mark.parametrize("impossible", [-9999.0, -0.5, np.inf])
@pytest.mark.parametrize("chunks", [{}, {"y": 2, "x": 2}])
def test_area_that_cannot_be_is_refused(impossible, chunks):
    area = np.full((3, 4), 900.0)
    area[1, 2] = impossible
    dem, area = raster(np.arange(12.0).reshape(3, 4)).chunk(chunks), raster(area).chunk(chunks).assign_attrs(units="m2")
    with pytest.raises(InputError, match=f"upslope_area is {impossible:g}; expected 0 or more"):
        ls_factor(dem, upslope_area=area, cell_size_m=30.0).compute()


@pytest.mark.parametrize("scheme", ["tarboton1997", "quinn1991", "freeman1991", "qin2007"])
def test_water_is_routed_to_several_neighbours(scheme):
    dem = raster(terrain(seed=4))
    grid = Grid.of(dem, 30.0)
    parts = ls_factor(dem, cell_size_m=30.0, routing=scheme, components=True)
    area = upslope_area(dem, grid, scheme=scheme)
    assert np.array_equal(parts.upslope_area_m2, area, equal_nan=True)
    given_one = ls_factor(dem, cell_size_m=30.0, upslope_area=area)
    assert np.array_equal(parts.ls, given_one, equal_nan=True)
    assert parts.ls.attrs["routing"] == parts.upslope_area_m2.attrs["routing"] == scheme
    lazy = ls_factor(dem.chunk(y=13, x=17), cell_size_m=30.0, routing=scheme)
    assert lazy.values.tobytes() == parts.ls.values.tobytes()
    assert (area == 0).sum() < (upslope_area(dem, grid) == 0).sum()  # D8 leaves more cells without anything above them


def test_the_exponent_of_the_routing_is_named():
    dem = raster(terrain(seed=4))
    steep = ls_factor(dem, cell_size_m=30.0, routing="freeman1991", routing_exponent=4.0, components=True)
    area = upslope_area(dem, Grid.of(dem, 30.0), scheme="freeman1991", exponent=4.0)
    assert np.array_equal(steep.upslope_area_m2, area, equal_nan=True)
    assert steep.ls.attrs["routing_exponent"] == 4.0


def test_a_ditch_ends_areas_and_paths_and_a_wall_leads_water_round():
    heights = 0.2 * 30.0 * np.arange(12)[::-1, np.newaxis] * np.ones((1, 9)) + 100
    barriers = np.full(heights.shape, np.nan)  # none; 1 a ditch across the slope, 2 a wall in half of it
    barriers[4] = 1
    options = {"units": "m", "cell_size_m": 30.0, "barriers": barriers, "components": True}
    by_area = ls_factor(heights, **options)
    assert by_area.upslope_area_m2.values[:, 4].tolist() == [900.0 * i for i in (0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6)]
    by_path = ls_factor(heights, length="foster_wischmeier1974", **options)
    assert by_path.slope_length_m.values[:, 4].tolist() == [15.0 + 30 * i for i in (0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6)]
    barriers[4] = np.where(np.arange(9) < 5, 2, 0)
    round_it = ls_factor(heights, water_depth_m=0.5, **options)
    assert round_it.upslope_area_m2.values[5, :5].tolist() == [900.0] * 5  # of the wall itself
    assert round_it.upslope_area_m2.values[4, 5] >= 2 * 4 * 900.0  # what comes down at the end of the wall, and its own column
    assert (round_it.ls > 0).all()  # a wall is no water
    for parts in (by_area, by_path, round_it):
        assert np.allclose(parts.theta, np.arctan(0.2))


@pytest.mark.parametrize("name", PRESETS)
def test_a_practice_is_named_by_its_options_whatever_the_channels(name):
    ls = ls_factor(terrain(), units="m", cell_size_m=30.0, channel_area_m2=50_000.0, **PRESETS[name].options)
    assert ls.attrs["practice"] == ("own options" if PRESETS[name].own_cell_in_area else name)
    other = ls_factor(terrain(), units="m", cell_size_m=30.0, **(PRESETS[name].options | {"max_slope_length_m": 250.0}))
    assert other.attrs["practice"] == "own options"


@pytest.mark.parametrize("options", [{"water_depth_m": 0.5}, {"slope_surface": "filled"}])
def test_several_receivers_and_the_filled_surface_come_from_one_filling(options):
    """Of the names of all tasks those of one filling are there, and of none besides."""
    heights = np.random.default_rng(3).random((40, 40))
    dem = xr.DataArray(heights, dims=("y", "x"), attrs={"units": "m"}).chunk(y=16, x=16)
    ls = ls_factor(dem, cell_size_m=10.0, routing="quinn1991", **options)
    steps = {name for name in ls.__dask_graph__().layers if name.startswith(("condition", "flow_direction")) and name.count("-") == 1}
    assert len(steps) == 1


def test_attributes_tell_how_water_goes_in_flats_and_to_several_receivers():
    dem = xr.DataArray(np.arange(30.0).reshape(5, 6), dims=("y", "x"), attrs={"units": "m"})
    packed = ls_factor(dem, cell_size_m=10.0, flat_ties="packed", quantum_m=0.5).attrs
    assert (packed["flat_ties"], packed["quantum_m"], packed["method_status"]) == ("packed", 0.5, "verified")
    spread = ls_factor(dem, cell_size_m=10.0, routing="qin2007").attrs
    assert spread["method_status"] == "unchecked"  # its paper was not read
    assert "Qin" in spread["source"]
    assert "quantum_m" not in spread
