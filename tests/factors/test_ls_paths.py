"""LS on flow paths: profiles by hand, closed forms, and the rules in slow plain Python."""

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.factors.ls import ls_factor, ls_with_flags
from rusle_engine.terrain.conditioning import condition
from rusle_engine.terrain.flow import flow_accumulation, flow_direction
from rusle_engine.terrain.slope import slope

ON_PATHS = {"length": "foster_wischmeier1974"}
D = 30.0


def profile(falls, columns=5):
    """Heights of a valley side that falls southwards by ``falls`` [m] from row to row, the same in every column."""
    heights = 1000.0 - np.concatenate([[0.0], np.cumsum(falls)])
    return heights[:, np.newaxis] * np.ones((1, columns))


def paths(heights, cell_size_m=D, **options):
    """The slope length at the lower end of each cell [m]."""
    units = None if isinstance(heights, xr.DataArray) else "m"
    return ls_factor(heights, units=units, cell_size_m=cell_size_m, components=True, **ON_PATHS, **options).slope_length_m


def terrain(rows=30, columns=40, seed=0):
    """Hills with pits and two holes, on a tilt."""
    rng = np.random.default_rng(seed)
    heights = np.cumsum(np.cumsum(rng.normal(0, 1, (rows, columns)), axis=0), axis=1) / 4
    heights += 4.0 * np.arange(rows)[:, np.newaxis] + rng.normal(0, 1, (rows, columns))
    heights[rows // 2, columns // 3] = heights[3, 4] = np.nan
    return heights


# Lengths


def test_a_straight_slope_begins_with_half_a_cell():
    assert paths(profile([6.0] * 5)).values[:, 2].tolist() == [15.0, 45.0, 75.0, 105.0, 135.0, 165.0]


def test_a_path_across_corners_is_longer_by_the_root_of_two():
    y, x = np.mgrid[0:6, 0:6]
    along = np.diagonal(paths(-10.0 * (x + y)))
    assert along == pytest.approx(D * np.sqrt(2) * (np.arange(6) + 0.5) - np.array([0, 0, 0, 0, 0, D * (np.sqrt(2) - 1)]), abs=1e-8)
    # the last cell leaves the grid: it has no direction, and its own length is its side


def test_the_sides_of_a_valley_and_what_is_longest_where_they_meet():
    """A V-valley that falls southwards by 1 m a cell, its sides by 20 m a cell: the sides run straight into the channel."""
    columns, rows = 9, 6
    heights = 20.0 * np.abs(np.arange(columns) - 4)[np.newaxis, :] - 1.0 * np.arange(rows)[:, np.newaxis]
    lengths = paths(heights, cutoff_below_5_pct=0.0, cutoff_from_5_pct=0.0).values
    assert np.array_equal(lengths[:, :4], np.broadcast_to([15.0, 45.0, 75.0, 105.0], (rows, 4)))
    assert np.array_equal(lengths[:, :3:-1], np.concatenate([lengths[:, :4], lengths[:, 4:5]], axis=1))
    assert lengths[:, 4].tolist() == [135.0 + D * i for i in range(rows)]  # the way along the bottom is the longer one from there on
    cut = paths(heights).values[:, 4]
    assert cut.tolist() == [15.0 + D * i for i in range(rows)]  # at the foot of the sides the slope breaks: a new one begins


@pytest.mark.parametrize(
    ("below", "goes_on"),
    # Row 3 lies between falls of 6 m and ``below`` m: its slope is their mean, that of row 4 is ``below`` alone. Half of 20 % is an angle of 5.6549°.
    [(6.0, True), (3.1, True), (1.9, False)],
)
def test_a_slope_ends_where_its_angle_falls_to_less_than_half(below, goes_on):
    falls = [6.0, 6.0, 6.0, below, below, below, below]
    theta = np.arctan(np.array([12, 12, 12, 6 + below, 2 * below, 2 * below, 2 * below]) / 60.0)  # rows 0 … 6
    shares = theta[1:] / theta[:-1]
    assert bool((shares >= 0.5).all()) == goes_on
    lengths = paths(profile(falls)).values[:7, 2]
    if goes_on:
        assert lengths.tolist() == [15.0 + D * i for i in range(7)]
    else:
        first_cut = 1 + int(np.argmax(shares < 0.5))
        assert first_cut == 4
        assert lengths.tolist() == [15.0, 45.0, 75.0, 105.0, 15.0, 45.0, 75.0]


def angle_shares(upper_percent, lower_percent):
    return np.arctan(lower_percent / 100) / np.arctan(upper_percent / 100)


@pytest.mark.parametrize(("upper", "lower"), [(4.0, 2.5), (6.0, 3.75)])
def test_the_share_is_another_below_five_percent(upper, lower):
    """Two planes: the cell at the bend lies at their mean, so the greater fall of angle is from there to the lower plane or into it."""
    bend = (upper + lower) / 2
    shares = [angle_shares(upper, bend), angle_shares(bend, lower)]
    falls = [upper * 0.3] * 3 + [lower * 0.3] * 4
    for below, beyond in ((0.7, 0.5), (0.9, 0.5), (0.5, 0.9)):
        limits = [below if slope_above < 5 else beyond for slope_above in (upper, bend)]
        expected, length = [], -15.0
        for row in range(7):
            ends = (row == 3 and shares[0] < limits[0]) or (row == 4 and shares[1] < limits[1])
            length = 15.0 if ends else length + D
            expected.append(length)
        assert paths(profile(falls), cutoff_below_5_pct=below, cutoff_from_5_pct=beyond).values[:7, 2].tolist() == expected


def test_level_ground_compares_as_a_tenth_of_a_degree():
    heights = profile([0.06, 0.06, 0.0, 0.0, 0.0])  # 0.1146°, then level: a share of 0.8727
    south = np.full(heights.shape, 4, np.uint8)
    for share, expected in ((0.87, [15.0, 45.0, 75.0, 105.0]), (0.88, [15.0, 45.0, 15.0, 45.0])):
        assert paths(heights, direction=south, cutoff_below_5_pct=share).values[:4, 2].tolist() == expected


def test_channels_and_water_end_slopes():
    heights = profile([6.0] * 9)
    whole, ended = paths(heights), ls_factor(heights, units="m", cell_size_m=D, channel_area_m2=6 * 900.0, components=True, **ON_PATHS)
    assert np.array_equal(ended.slope_length_m[:5], whole[:5])
    assert ended.ls.values[5:].tolist() == np.zeros((5, 5)).tolist()
    pit = 0.05 * 30.0 * np.arange(14)[::-1, np.newaxis] * np.ones((1, 9)) + 100
    pit[5:8, 3:6] -= 6.0
    deep = condition(pit, units="m").values - pit > 2.0
    assert deep.any()
    found = ls_with_flags(pit, units="m", cell_size_m=D, water_depth_m=2.0, **ON_PATHS)
    assert np.array_equal(found.flags == 4, deep)
    assert (found.ls.values[deep] == 0).all()
    below = paths(pit, water_depth_m=2.0, cutoff_below_5_pct=0.0, cutoff_from_5_pct=0.0).values
    through = paths(pit, cutoff_below_5_pct=0.0, cutoff_from_5_pct=0.0).values
    assert below[-1].max() < through[-1].max()  # the longest way to the foot led through the lake


def test_cells_of_a_geographic_grid_have_their_own_lengths():
    second = 1 / 3600
    heights = profile([6.0] * 9, columns=6)
    coords = {"y": 38.5 - second * (np.arange(10) + 0.5), "x": 112 + second * (np.arange(6) + 0.5)}
    southwards = xr.DataArray(heights, dims=("y", "x"), coords=coords, attrs={"units": "m"}).rio.write_crs("EPSG:4326")
    got = paths(southwards, None).values[:, 2]
    side = 30.835  # the book's north-south side of a second there; it grows by a millionth from row to row
    assert got[:9] == pytest.approx(side * (np.arange(9) + 0.5), rel=3e-5)
    assert got[9] - got[8] == pytest.approx(np.sqrt(side * 24.231), rel=3e-5)  # the last cell leaves the grid and has no direction
    eastwards = southwards.copy(data=np.arange(10)[:, np.newaxis] * 0.001 - 6.0 * np.arange(6))
    assert paths(eastwards, None).values[3, :5] == pytest.approx(24.231 * (np.arange(5) + 0.5), rel=3e-5)


# L and LS


def test_segments_along_a_path_average_to_the_whole_slope():
    parts = ls_factor(profile([6.0] * 9), units="m", cell_size_m=D, components=True, exponent="csle_1_3_5", **ON_PATHS)
    own = np.array([15.0] + [30.0] * 9)
    l_cells = parts.l.values[:, 2]
    assert l_cells[:3] == pytest.approx(
        [(15 / 22.13) ** 0.5, (45**1.5 - 15**1.5) / (30 * 22.13**0.5), (75**1.5 - 45**1.5) / (30 * 22.13**0.5)], rel=1e-12
    )
    assert np.average(l_cells, weights=own) == pytest.approx((285 / 22.13) ** 0.5, rel=1e-13)
    whole = ls_factor(profile([6.0] * 9), units="m", cell_size_m=D, components=True, exponent="csle_1_3_5", length="wischmeier_smith1978").l.values[
        :, 2
    ]
    assert whole == pytest.approx((np.cumsum(own) / 22.13) ** 0.5, rel=1e-13)


def test_the_longest_slope_clips_lengths():
    ls = ls_with_flags(profile([6.0] * 9), units="m", cell_size_m=D, exponent="csle_1_3_5", max_slope_length_m=100.0, **ON_PATHS)
    sine = 0.2 / np.hypot(1, 0.2)
    s = 16.8 * sine - 0.5
    across = (100**1.5 - 75**1.5) / (25 * 22.13**0.5)
    assert ls.ls.values[3:, 2] == pytest.approx(np.array([across] + [1.5 * (100 / 22.13) ** 0.5] * 6) * s, rel=1e-12)
    assert ls.flags.values[:, 2].tolist() == [0, 0, 0] + [1] * 7


STEPS = {1: (0, 1), 2: (1, 1), 4: (1, 0), 8: (1, -1), 16: (0, -1), 32: (-1, -1), 64: (-1, 0), 128: (-1, 1)}


def lengths_in_plain_python(dem, cell_size_m, below_5=0.7, from_5=0.5, channel=np.inf, depth=np.inf):
    """Cell by cell, from the crests down, by the written rules."""
    codes, theta = flow_direction(dem, cell_size_m=cell_size_m).values, slope(dem, cell_size_m=cell_size_m).values
    grid = Grid.of(dem, cell_size_m)
    own_area = np.broadcast_to(grid.cell_area_m2[:, np.newaxis], dem.shape)
    area = flow_accumulation(codes, weights=own_area).values
    ended = (area >= channel) | (condition(dem).values - dem.values > depth)
    rows, columns = dem.shape
    inflows = {}
    for i in range(rows):
        for j in range(columns):
            if codes[i, j] in STEPS:
                k, n = i + STEPS[codes[i, j]][0], j + STEPS[codes[i, j]][1]
                upper, lower = max(theta[i, j], np.radians(0.1)), max(theta[k, n], np.radians(0.1))
                share = below_5 if upper < np.arctan(0.05) else from_5
                if lower / upper >= share and not ended[i, j] and not ended[k, n]:
                    inflows.setdefault((k, n), []).append((i, j))
    found = {}

    def end_of(cell):
        if cell not in found:
            i = cell[0]
            dx, dy = grid.dx_m[i], grid.dy_m[i]
            along = {1: dx, 16: dx, 4: dy, 64: dy, 0: np.sqrt(dx * dy)}.get(int(codes[cell]), np.hypot(dx, dy))
            above = [end_of(upper) for upper in inflows.get(cell, ())]
            found[cell] = max(above) + along if above else along / 2
        return found[cell]

    return np.array([[end_of((i, j)) if codes[i, j] != 255 else np.nan for j in range(columns)] for i in range(rows)])


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("size", [30.0, (24.0, 31.0)])
@pytest.mark.parametrize(
    ("options", "plain"),
    [
        ({}, {}),
        ({"cutoff_below_5_pct": 0.95, "cutoff_from_5_pct": 0.8}, {"below_5": 0.95, "from_5": 0.8}),
        ({"channel_area_m2": 12_000.0, "water_depth_m": 1.0}, {"channel": 12_000.0, "depth": 1.0}),
    ],
)
def test_lengths_equal_the_rules_in_plain_python(seed, size, options, plain):
    dem = xr.DataArray(terrain(seed=seed), dims=("y", "x"), attrs={"units": "m"})
    expected = lengths_in_plain_python(dem, size, **plain)
    got = paths(dem, size, **options).values
    assert np.array_equal(np.isnan(got), np.isnan(dem.values))
    assert np.nanmax(expected) > 200
    assert got == pytest.approx(expected, abs=1e-6, nan_ok=True)


@given(rows=st.integers(1, 20), columns=st.integers(1, 20), tile=st.tuples(st.integers(1, 20), st.integers(1, 20)))
@settings(max_examples=20, deadline=None)
def test_lazy_equals_eager_on_any_tiling(rows, columns, tile):
    heights = np.random.default_rng(rows * 26 + columns).normal(0, 20, (rows, columns)).astype(np.float32)
    heights[heights > 35] = np.nan
    eager = xr.DataArray(heights, dims=("y", "x"), attrs={"units": "m"})
    options = {"cell_size_m": (25.0, 30.0), "max_slope_length_m": 120.0, "channel_area_m2": 20_000.0, "water_depth_m": 5.0, "components": True}
    one, many = (ls_factor(dem, **options, **ON_PATHS) for dem in (eager, eager.chunk(y=tile[0], x=tile[1])))
    for name in one:
        assert many[name].dtype == one[name].dtype
        assert many[name].chunks == eager.chunk(y=tile[0], x=tile[1]).chunks
        assert many[name].values.tobytes() == one[name].values.tobytes()


@pytest.mark.parametrize("tile", [(64, 64), (16, 16), (7, 11), (1, 64), (64, 1)])
def test_a_serpentine_through_many_tiles(tile):
    """Eastwards and back again, row by row: every cell but the first has another 30 m above it."""
    rows, columns = 64, 64
    codes = np.full((rows, columns), 1, np.uint8)
    codes[1::2] = 16
    codes[0::2, -1] = codes[1::2, 0] = 4
    codes[-1, 0] = 0
    order = np.arange(rows * columns).reshape(rows, columns)
    order[1::2] = order[1::2, ::-1]
    dem = xr.DataArray(-0.5 * order, dims=("y", "x"), attrs={"units": "m"}).chunk(y=tile[0], x=tile[1])
    lengths = paths(dem, direction=codes, cutoff_below_5_pct=0.0, cutoff_from_5_pct=0.0)
    assert np.array_equal(lengths, 15.0 + D * order)


def test_a_circle_through_two_tiles_is_refused():
    codes = np.full((4, 8), 1, np.uint8)
    codes[1, 2:6], codes[2, 2:6], codes[1, 5], codes[2, 2] = 1, 16, 4, 64
    dem = xr.DataArray(np.zeros((4, 8)), dims=("y", "x"), attrs={"units": "m"}).chunk(y=4, x=4)
    with pytest.raises(InputError, match="circles"):
        paths(dem, direction=codes, cutoff_below_5_pct=0.0).compute()


def refuse(*_args, **_kwargs):
    raise AssertionError("something was computed too early")


def test_nothing_is_computed_before_its_time():
    dem = xr.DataArray(terrain(), dims=("y", "x"), attrs={"units": "m"}).chunk(y=9, x=9)
    with dask.config.set(scheduler=refuse):
        ls_factor(dem, cell_size_m=D, components=True, water_depth_m=1.0, channel_area_m2=1e4, **ON_PATHS)


def test_one_s_own_directions_are_followed_and_circles_refused():
    heights = profile([6.0] * 5)
    north = np.full(heights.shape, 64, np.uint8)
    north[0] = 0
    lengths = paths(heights, direction=north)
    assert lengths.values[:, 2].tolist() == [165.0, 135.0, 105.0, 75.0, 45.0, 15.0]
    assert lengths.attrs["routing"] == "d8, directions as given"
    north[2, 2], north[1, 2] = 64, 4
    with pytest.raises(InputError, match="circles: 2 cells"):
        paths(heights, direction=north)
    north[3, 1] = 3
    with pytest.raises(InputError, match="is 3 at row 3, column 1; expected one of 1 E, 2 SE"):
        paths(heights, direction=north)


def test_attributes_name_the_rules_of_the_path():
    ls = ls_factor(profile([6.0] * 5), units="m", cell_size_m=D, cutoff_from_5_pct=0.4, **ON_PATHS)
    named = {"path": "vanremortel2004", "cutoff_below_5_pct": 0.7, "cutoff_from_5_pct": 0.4, "length": "foster_wischmeier1974", "routing": "d8"}
    assert named.items() <= ls.attrs.items()
