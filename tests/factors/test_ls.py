"""L, S, m and LS against the formula book's numbers, closed forms on a plane, decimal arithmetic, and the equations in plain NumPy."""

from decimal import Decimal, localcontext

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import GridMismatchError, InputError
from rusle_engine.core.grid import Grid
from rusle_engine.factors.ls import l_factor, l_segment, ls_factor, ls_with_flags, m_exponent, s_factor
from rusle_engine.terrain.conditioning import condition
from rusle_engine.terrain.flow import flow_accumulation, flow_direction, upslope_area_of
from rusle_engine.terrain.slope import slope

TWENTY_PERCENT = float(np.arctan(0.20))
AREA_AND_ANGLE = {"upslope_area": "m2", "alpha": "rad"}


def raster(values, units="m", **chunks):
    array = xr.DataArray(values, dims=("y", "x"), attrs={"units": units})
    return array.chunk(chunks) if chunks else array


def geographic(heights):
    rows, columns = heights.shape
    second = 1 / 3600
    coords = {"y": 38.5 - second * (np.arange(rows) + 0.5), "x": 112 + second * (np.arange(columns) + 0.5)}
    return xr.DataArray(heights, dims=("y", "x"), coords=coords, attrs={"units": "m"}).rio.write_crs("EPSG:4326")


def terrain(rows=30, columns=40, seed=0):
    """Hills with pits and two holes, on a tilt."""
    rng = np.random.default_rng(seed)
    heights = np.cumsum(np.cumsum(rng.normal(0, 1, (rows, columns)), axis=0), axis=1) / 4
    heights += 4.0 * np.arange(rows)[:, np.newaxis] + rng.normal(0, 1, (rows, columns))
    heights[rows // 2, columns // 3] = heights[3, 4] = np.nan
    return heights


def length(area, m, alpha=0.0, cell_size_m=30.0, **options):
    return l_factor(np.atleast_2d(area), m, alpha, cell_size_m=cell_size_m, units=AREA_AND_ANGLE, **options).values


# S and m


@pytest.mark.parametrize(
    ("percent", "expected"),
    [(0.0, 0.03), (5.0, 10.8 * 5 / np.hypot(5, 100) + 0.03), (20.0, 16.8 * 20 / np.hypot(20, 100) - 0.50), (9.0, 1.005913), (8.99999999, 0.9980872)],
)
def test_steepness_of_mccool1987(percent, expected):
    assert s_factor(np.arctan(percent / 100), units="rad").item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("degrees", "expected"), [(4.99, 0.9694042), (5.0, 0.9642165), (9.99, 2.414402), (10.0, 2.844632), (30.0, 9.995), (0.0, 0.03)]
)
def test_steepness_of_liu1994(degrees, expected):
    assert s_factor(degrees, method="liu1994", units="degree").item() == pytest.approx(expected, rel=3e-7)


@pytest.mark.parametrize(("percent", "expected"), [(2, 0.2440741), (9, 0.5012011), (20, 0.6141838), (60, 0.7119795)])
def test_exponent_of_mccool1989(percent, expected):
    assert m_exponent(np.arctan(percent / 100), units="rad").item() == pytest.approx(expected, abs=6e-8)


@pytest.mark.parametrize(("ratio", "expected"), [("low", 0.44319), ("moderate", 0.61418), ("high", 0.76098)])
def test_exponent_by_rill_ratio_at_20_percent(ratio, expected):
    assert m_exponent(TWENTY_PERCENT, rill_ratio=ratio, units="rad").item() == pytest.approx(expected, abs=6e-6)


# L


@pytest.mark.parametrize(("area", "straight", "diagonal"), [(0, 1.205475, 0.9743484), (900, 2.484946, 2.008506), (90000, 33.0224, 26.69099)])
def test_length_of_the_book_s_cells(area, straight, diagonal):
    m = m_exponent(TWENTY_PERCENT, units="rad").item()
    assert length(area, m).item() == pytest.approx(straight, rel=5e-7)
    assert length(area, m, np.pi / 4).item() == pytest.approx(diagonal, rel=5e-7)


@pytest.mark.parametrize(
    ("degrees", "from_the_crest", "ten_cells_down"), [(0, 1.180406, 5.736885), (30, 0.963060, 4.680564), (90, 1.046393, 5.085572)]
)
def test_length_on_cells_that_are_not_square(degrees, from_the_crest, ten_cells_down):
    cell = 24.231 * 30.835
    got = length([0.0, 10 * cell], 0.5, np.radians(degrees), cell_size_m=(24.231, 30.835))
    assert got[0].tolist() == pytest.approx([from_the_crest, ten_cells_down], rel=1e-6)


def test_segments_of_a_slope_average_to_the_whole_slope():
    segments = length(np.array([0.0, 900.0, 1800.0]), 0.5)[0]
    assert segments.tolist() == pytest.approx([1.164313, 2.128862, 2.756774], abs=5e-7)
    assert segments.mean() == pytest.approx((90 / 22.13) ** 0.5, rel=1e-14)


def test_the_cap_clips_slope_lengths_and_not_the_factor():
    at_cap = 1.5 * (100 / 22.13) ** 0.5
    assert at_cap == pytest.approx(3.1886037, abs=5e-8)
    lengths = length(np.array([0.0, 60.0, 90.0, 120.0, 30000.0]) * 30.0, 0.5, max_slope_length_m=100.0)[0]
    across_cap = (100**1.5 - 90**1.5) / (10 * 22.13**0.5)
    uncapped = (90**1.5 - 60**1.5) / (30 * 22.13**0.5)
    assert lengths.tolist() == pytest.approx([1.164313, uncapped, across_cap, at_cap, at_cap], rel=5e-7)
    assert lengths[2:].tolist() == pytest.approx([across_cap, at_cap, at_cap], rel=1e-13)


@given(
    cells=st.floats(0, 1e6),
    m=st.floats(0, 0.86),
    degrees=st.floats(0, 360),
    sizes=st.tuples(st.floats(5, 100), st.floats(5, 100)),
    cap=st.floats(20, 500),
)
@settings(max_examples=150, deadline=None)
def test_the_length_of_a_cell_is_that_of_a_segment_between_areas_over_the_contour_width(cells, m, degrees, sizes, cap):
    """LS-9 of the area is LS-8 from λ = A / w to (A + a) / w, capped or not."""
    (dx, dy), alpha = sizes, np.radians(degrees)
    width = dx * abs(np.cos(alpha)) + dy * abs(np.sin(alpha))
    area = cells * dx * dy
    start, end = np.atleast_2d(area / width), np.atleast_2d((area + dx * dy) / width)
    for most in (None, cap):
        by_area = length(area, m, alpha, (dx, dy), max_slope_length_m=most).item()
        segment = l_segment(start, end, m, units={"slope_length_start": "m", "slope_length_end": "m"}, max_slope_length_m=most).item()
        assert by_area == pytest.approx(segment, rel=1e-9)


@given(cells=st.floats(0, 1e10), m=st.floats(0, 0.86), size=st.floats(0.5, 100))
@settings(max_examples=150, deadline=None)
def test_length_to_nine_digits_wherever_the_powers_cancel(cells, m, size):
    got = length(cells * size * size, m, cell_size_m=size).item()
    with localcontext() as context:
        context.prec = 60
        area_in, cell, exponent = Decimal(cells * size * size), Decimal(size) * Decimal(size), Decimal(m)
        upper, lower = (area_in + cell) ** (exponent + 1), area_in ** (exponent + 1) if area_in else Decimal(0)
        expected = (upper - lower) / (cell * (Decimal("22.13") * Decimal(size)) ** exponent)
    assert got == pytest.approx(float(expected), rel=1e-12)


# LS


def test_a_plane_by_hand():
    rows = 12
    heights = 0.2 * 30.0 * np.arange(rows)[::-1, np.newaxis] * np.ones((1, 5)) + 500
    ls = ls_factor(heights, units="m", cell_size_m=30.0).values
    sine = 0.2 / np.hypot(0.2, 1)
    beta = (sine / 0.0896) / (3 * sine**0.8 + 0.56)
    m = beta / (1 + beta)
    downslope = np.arange(1, rows + 1) * 30.0
    l_segments = (downslope ** (m + 1) - (downslope - 30) ** (m + 1)) / (30 * 22.13**m)
    assert np.allclose(ls, (l_segments * (16.8 * sine - 0.5))[:, np.newaxis], rtol=1e-9)


def in_plain_numpy(dem, cell_size_m, longest=np.inf, rill_ratio=1.0, liu=False):
    """LS-9b with LS-9c, LS-3 or LS-5, LS-4, from the DEM's slope and accumulation, with pow and trigonometry."""
    grid = Grid.of(dem, cell_size_m)
    z = np.pad(dem.values, 1, constant_values=np.nan)
    dx, dy, area = (values[:, np.newaxis] for values in (grid.dx_m, grid.dy_m, grid.cell_area_m2))
    p = ((z[:-2, 2:] + 2 * z[1:-1, 2:] + z[2:, 2:]) - (z[:-2, :-2] + 2 * z[1:-1, :-2] + z[2:, :-2])) / (8 * dx)
    q = ((z[2:, :-2] + 2 * z[2:, 1:-1] + z[2:, 2:]) - (z[:-2, :-2] + 2 * z[:-2, 1:-1] + z[:-2, 2:])) / (8 * dy)
    theta, alpha = np.arctan(np.hypot(p, q)), np.arctan2(-p, q)  # azimuth of the way down
    codes = flow_direction(dem, cell_size_m=cell_size_m)
    own = np.broadcast_to(area, dem.shape)
    a_in = np.maximum(flow_accumulation(codes, weights=own).values - own, 0.0)
    width = dx * np.abs(np.cos(alpha)) + dy * np.abs(np.sin(alpha))
    sine = np.sin(theta)
    beta = rill_ratio * (sine / 0.0896) / (3 * sine**0.8 + 0.56)
    m = beta / (1 + beta)
    start, end = np.minimum(a_in / width, longest) / 22.13, np.minimum((a_in + own) / width, longest) / 22.13
    with np.errstate(invalid="ignore", divide="ignore"):
        l_segments = np.where(end > start, (end ** (m + 1) - start ** (m + 1)) / (end - start), (m + 1) * end**m)
    s = np.where(np.tan(theta) < 0.09, 10.8 * sine + 0.03, 16.8 * sine - 0.5)
    if liu:
        s = np.where(theta < np.radians(5), 10.8 * sine + 0.03, np.where(theta < np.radians(10), 16.8 * sine - 0.5, 21.91 * sine - 0.96))
    return l_segments * s


@pytest.mark.parametrize("place", ["square", "oblong", "geographic"])
@pytest.mark.parametrize(
    ("options", "plain"),
    [
        ({}, {}),
        ({"max_slope_length_m": 100.0}, {"longest": 100.0}),
        ({"steepness": "liu1994", "rill_ratio": "low"}, {"liu": True, "rill_ratio": 0.5}),
    ],
)
def test_ls_equals_the_equations_in_plain_numpy(place, options, plain):
    dem = geographic(terrain()) if place == "geographic" else raster(terrain())
    size = {"square": 30.0, "oblong": (24.0, 31.0), "geographic": None}[place]
    expected = in_plain_numpy(dem, size, **plain)
    got = ls_factor(dem, cell_size_m=size, **options).values
    known = np.isfinite(expected)  # the interior: the rim has its own rule, tested with the slope
    assert known.sum() > 900
    assert np.allclose(got[known], expected[known], rtol=1e-9)
    assert np.array_equal(np.isnan(got), np.isnan(slope(dem, cell_size_m=size).values))


def test_components_multiply_to_ls_and_are_the_separate_functions():
    dem = raster(terrain())
    parts = ls_factor(dem, cell_size_m=30.0, components=True, max_slope_length_m=200.0, channel_area_m2=50_000.0)
    assert list(parts) == ["ls", "l", "s", "m", "theta", "upslope_area_m2"]
    assert np.array_equal(parts.ls, parts.l * parts.s, equal_nan=True)
    theta = slope(dem, cell_size_m=30.0)
    assert np.array_equal(parts.theta, theta, equal_nan=True)
    assert np.allclose(parts.s, s_factor(theta), rtol=1e-12, equal_nan=True)
    assert np.allclose(parts.m, m_exponent(theta), rtol=1e-12, equal_nan=True)
    assert np.array_equal(parts.upslope_area_m2, (flow_accumulation(flow_direction(dem)) - 1) * 900.0, equal_nan=True)
    assert parts.theta.attrs["units"] == "rad"
    assert parts.upslope_area_m2.attrs["units"] == "m2"
    assert all(part.dtype == np.float64 for part in parts.values())


def test_level_ground_has_length_one():
    parts = ls_factor(np.full((4, 5), 7.0), units="m", cell_size_m=(20.0, 30.0), components=True)
    assert np.array_equal(parts.l, np.ones((4, 5)))
    assert np.allclose(parts.ls, 0.03, rtol=1e-14)


@pytest.mark.parametrize("routing", ["d8", "freeman1991"])
@pytest.mark.parametrize(
    "heights",
    [np.full((4, 5), np.nan), [[7.0]], [[3.0, 2.0, 1.0]], [[3.0], [2.0]], [[np.inf, -np.inf], [np.nan, np.inf]], np.empty((3, 3)) * np.nan],
    ids=["no data", "one cell", "one row", "one column", "infinite", "no data, square"],
)
def test_where_no_slope_can_be_told_there_is_no_ls(heights, routing):
    """Horn's slope needs a neighbour in both directions."""
    dem = np.array(heights)
    for array in (raster(dem), raster(dem, y=1, x=1)):
        ls = ls_factor(array, cell_size_m=30.0, routing=routing)
        assert ls.shape == dem.shape
        assert np.isnan(ls.values).all()


def test_infinite_heights_are_holes():
    heights = terrain()
    with_infinity = np.where(np.isnan(heights), [[np.inf]], heights)
    with_infinity[3, 4] = -np.inf
    expected, got = (ls_factor(dem, units="m", cell_size_m=30.0).values for dem in (heights, with_infinity))
    assert got.tobytes() == expected.tobytes()


def test_channels_end_the_hillslope():
    heights = 0.1 * 30.0 * np.arange(10)[::-1, np.newaxis] * np.ones((1, 4))
    result = ls_with_flags(heights, units="m", cell_size_m=30.0, channel_area_m2=8 * 900.0)
    free = ls_factor(heights, units="m", cell_size_m=30.0).values
    assert np.array_equal(result.ls[:7], free[:7])  # seven cells of 900 m² are not yet a channel
    assert (result.ls.values[7:] == 0).all()
    assert np.array_equal(result.flags, np.where(np.arange(10) >= 7, 2, 0)[:, np.newaxis] * np.ones((1, 4)))


def test_cells_deep_under_the_filled_surface_are_water():
    heights = 0.05 * 30.0 * np.arange(12)[:, np.newaxis] * np.ones((1, 9)) + 10
    heights[4:8, 3:6] -= 6.0  # a pit across the slope
    depth = condition(heights, units="m").values - heights
    result = ls_with_flags(heights, units="m", cell_size_m=30.0, water_depth_m=2.0)
    assert 0 < (depth > 2.0).sum() < (depth > 0).sum()
    assert np.array_equal(result.flags, np.where(depth > 2.0, 4, 0))
    assert np.array_equal(result.ls, np.where(depth > 2.0, 0.0, ls_factor(heights, units="m", cell_size_m=30.0)))


def test_flags_tell_the_cap_and_nodata():
    heights = 0.2 * 30.0 * np.arange(6)[::-1, np.newaxis] * np.ones((1, 4))
    heights[0, 0] = np.nan
    flags = ls_with_flags(heights, units="m", cell_size_m=30.0, max_slope_length_m=100.0).flags.values
    assert flags.dtype == np.uint8
    assert flags[0, 0] == 255
    assert flags[:, 3].tolist() == [0, 0, 0, 1, 1, 1]  # the fourth cell ends at 120 m
    both = ls_with_flags(heights, units="m", cell_size_m=30.0, max_slope_length_m=100.0, channel_area_m2=4 * 900.0)
    assert both.flags.values[:, 3].tolist() == [0, 0, 0, 2, 2, 2]  # where there is no hillslope the cap does not act


def test_one_s_own_routing_is_used():
    dem = raster(terrain(seed=3))
    ours = ls_factor(dem, cell_size_m=30.0, water_depth_m=1.0)
    codes = flow_direction(dem, cell_size_m=30.0)
    area = upslope_area_of(codes, Grid.of(dem, 30.0))
    for routing in ({"direction": codes}, {"direction": codes.values}, {"upslope_area": area}):
        given_one = ls_factor(dem, cell_size_m=30.0, water_depth_m=1.0, **routing)
        assert given_one.values.tobytes() == ours.values.tobytes()
        assert "as given" in given_one.attrs["routing"]
    assert not np.array_equal(ls_factor(dem, cell_size_m=30.0, upslope_area=area * 0 + 1e6), ours, equal_nan=True)


def test_attributes_name_the_whole_scheme():
    ls = ls_factor(raster(terrain()), cell_size_m=30.0, max_slope_length_m=304.8, steepness="liu1994", rill_ratio="high")
    assert ls.name == "LS"
    assert ls.attrs["units"] == "1"
    scheme = {
        "practice": "own options",
        "length": "desmet_govers1996",
        "steepness": "liu1994",
        "exponent": "mccool1989",
        "rill_ratio": "high",
        "routing": "d8",
        "slope": "horn1981",
        "slope_surface": "raw",
        "max_slope_length_m": 304.8,
        "channel_area_m2": "none",
        "water_depth_m": "none",
    }
    assert scheme.items() <= ls.attrs.items()


@given(rows=st.integers(1, 25), columns=st.integers(1, 25), tile=st.tuples(st.integers(1, 25), st.integers(1, 25)))
@settings(max_examples=20, deadline=None)
def test_lazy_equals_eager_on_any_tiling(rows, columns, tile):
    heights = np.random.default_rng(rows * 26 + columns).normal(0, 20, (rows, columns)).astype(np.float32)
    heights[heights > 35] = np.nan
    options = {"cell_size_m": (25.0, 30.0), "max_slope_length_m": 120.0, "channel_area_m2": 20_000.0, "water_depth_m": 5.0}
    for compute in (ls_with_flags, lambda dem, **o: ls_factor(dem, components=True, **o)):
        eager, lazy = compute(raster(heights), **options), compute(raster(heights, y=tile[0], x=tile[1]), **options)
        for name in eager:
            assert lazy[name].dtype == eager[name].dtype
            assert lazy[name].chunks == raster(heights, y=tile[0], x=tile[1]).chunks
            assert lazy[name].values.tobytes() == eager[name].values.tobytes()


@given(rows=st.integers(1, 25), columns=st.integers(1, 25), tile=st.tuples(st.integers(1, 25), st.integers(1, 25)))
@settings(max_examples=15, deadline=None)
def test_the_parts_too_are_the_same_on_any_tiling(rows, columns, tile):
    rng = np.random.default_rng(rows * 26 + columns)
    theta, area = np.where(rng.random((rows, columns)) < 0.1, np.nan, rng.random((rows, columns))), rng.random((rows, columns)) * 1e5
    tiles = {"y": tile[0], "x": tile[1]}
    for of_theta in (s_factor, m_exponent):
        lazy = of_theta(raster(theta, "rad", **tiles))
        assert lazy.dtype == np.float64
        assert lazy.values.tobytes() == of_theta(raster(theta, "rad")).values.tobytes()
        assert np.array_equal(np.isnan(lazy), np.isnan(theta))
    lazy = l_factor(raster(area, "m2", **tiles), raster(theta, "1", **tiles), raster(theta, "rad", **tiles), cell_size_m=(20.0, 30.0))
    eager = l_factor(raster(area, "m2"), raster(theta, "1"), raster(theta, "rad"), cell_size_m=(20.0, 30.0))
    assert (lazy.dims, lazy.dtype) == (("y", "x"), np.float64)
    assert lazy.values.tobytes() == eager.values.tobytes()
    assert np.array_equal(np.isnan(lazy), np.isnan(theta))


def refuse(*_args, **_kwargs):
    raise AssertionError("something was computed too early")


def test_nothing_is_computed_or_touched_before_its_time():
    dem = raster(terrain())
    before = dem.copy(deep=True)
    with dask.config.set(scheduler=refuse):
        ls_factor(dem.chunk(y=9, x=9), cell_size_m=30.0, components=True, water_depth_m=1.0)
    ls_factor(dem, cell_size_m=30.0, water_depth_m=1.0)
    assert dem.identical(before)


def test_degrees_are_converted_and_percent_refused():
    assert s_factor(45.0, units="degree").item() == pytest.approx(16.8 * np.sqrt(0.5) - 0.5, rel=1e-14)
    with pytest.raises(InputError, match=r"theta \(slope angle\) has units '%'; expected 'rad'"):
        s_factor(9.0, units="%")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_slope_length_m": 0.0}, "max_slope_length_m is 0.0; expected a number above 0 or none"),
        ({"channel_area_m2": -1.0}, "channel_area_m2 is -1.0"),
        ({"max_slope_length_m": "100"}, "max_slope_length_m is '100'; expected a number above 0 or none"),
        ({"water_depth_m": float("nan")}, "water_depth_m is nan"),
        ({"steepness": "nearing1979"}, "steepness 'nearing1979' is not known; choose one of 'mccool1987', 'liu1994', 'nearing1997'"),
        ({"max_steepness_degree": 90.0}, "max_steepness_degree is 90.0; expected degrees between 0 and 90"),
        ({"length": "moore_burch1986", "steepness": "liu1994"}, "steepness has no meaning with length 'moore_burch1986'"),
        ({"exponent": "csle_1_3_5", "rill_ratio": "low"}, "rill_ratio has no meaning with exponent 'csle_1_3_5'"),
        ({"cutoff_from_5_pct": 0.4}, "cutoff_from_5_pct has no meaning with length 'desmet_govers1996'"),
        ({"length": "foster_wischmeier1974", "cutoff_below_5_pct": 70.0}, "cutoff_below_5_pct is 70.0; expected a share"),
        ({"routing": "dinf"}, "routing 'dinf' is not known; choose one of 'd8'"),
        ({"length": "foster_wischmeier1974", "routing": "quinn1991"}, "routing has no meaning with length 'foster_wischmeier1974'"),
        ({"routing": "quinn1991", "routing_exponent": 2.0}, "routing_exponent has no meaning with routing 'quinn1991', only with 'freeman1991'"),
        ({"routing": "freeman1991", "routing_exponent": 0.0}, "routing_exponent is 0.0; expected a number above 0"),
        ({"routing": "qin2007", "direction": np.zeros((3, 3), np.uint8)}, "direction holds D8 directions, and routing is 'qin2007'"),
        ({"conditioning": "breach"}, "needs max_breach_length_m"),
        ({"max_breach_depth_m": 1.0}, "belong to conditioning 'breach'"),
        ({"slope_surface": "breached"}, "slope_surface 'breached' is not known; choose one of 'raw', 'filled'"),
        ({"channels": np.zeros((3, 4))}, "channels"),
        ({"rill_ratio": "middle"}, "rill_ratio 'middle' is not known; choose one of 'low', 'moderate', 'high'"),
        ({"cell_size_m": None}, "cell_size_m"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        ls_factor(np.ones((3, 3)), **({"units": "m", "cell_size_m": 30.0} | options))


def test_routing_on_another_grid_is_refused():
    with pytest.raises(GridMismatchError):
        ls_factor(np.ones((3, 3)), units="m", cell_size_m=30.0, direction=np.zeros((3, 4), np.uint8))
