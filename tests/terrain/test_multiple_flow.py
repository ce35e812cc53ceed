"""Several receivers: against plain Python from the papers, closed forms on planes, cones and a valley, and any windows and tiles."""

import gc
import math
from functools import cache, partial

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core import exchange
from rusle_engine.core.errors import GridMismatchError, InputError, MemoryBudgetError
from rusle_engine.core.grid import Grid
from rusle_engine.terrain import multiple_flow
from rusle_engine.terrain.conditioning import condition
from rusle_engine.terrain.flow import flow_accumulation, flow_direction, upslope_area
from rusle_engine.terrain.multiple_flow import Routing
from tests.terrain.oracles import SURFACES, counted_by_walking, cuts, fractal, tree_and_steepest
from tests.terrain.spreading import SCHEMES, passed_down, shares, specific_area


def raster(values, units="m", chunks=None):
    array = xr.DataArray(values, dims=("y", "x"), attrs={"units": units})
    return array if chunks is None else array.chunk(dict(zip(("y", "x"), chunks)))


def small_windows(monkeypatch, size):
    """Windows of ``size`` cells, in place of those that hold all of a small raster."""
    monkeypatch.setattr(multiple_flow, "Exchange", partial(exchange.Exchange, window=size))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_sums_equal_plain_python(scheme, surface):
    routing = flow_direction(raster(surface), scheme=scheme)
    expected = passed_down(scheme, surface)
    assert np.allclose(flow_accumulation(routing).values, expected, rtol=1e-12, atol=0, equal_nan=True)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["fractal with holes", "whole metres", "cone"])
def test_cells_that_are_not_square(scheme, name):
    routing = flow_direction(raster(SURFACES[name]), scheme=scheme, cell_size_m=(24.0, 31.0))
    expected = passed_down(scheme, SURFACES[name], 24.0, 31.0)
    assert np.allclose(flow_accumulation(routing).values, expected, rtol=1e-11, atol=0, equal_nan=True)


def geographic(heights, north=60.0, size=0.01):
    rows, columns = heights.shape
    coords = {"y": north - (np.arange(rows) + 0.5) * size, "x": 10 + (np.arange(columns) + 0.5) * size}
    return xr.DataArray(heights, dims=("y", "x"), coords=coords, attrs={"units": "m"}).rio.write_crs("EPSG:4326")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_geographic_rows_have_their_own_distances_and_areas(scheme):
    heights = SURFACES["fractal"] * 40
    dem = geographic(heights)
    grid = Grid.of(dem)
    own = np.broadcast_to(grid.cell_area_m2[:, None], heights.shape)
    expected = passed_down(scheme, heights, grid.dx_m, grid.dy_m, weights=own) - own
    area = upslope_area(dem, grid, scheme=scheme)
    assert np.allclose(area.values, expected, rtol=1e-11, atol=1e-5)
    assert np.allclose(flow_accumulation(flow_direction(dem, scheme=scheme)).values, passed_down(scheme, heights, grid.dx_m, grid.dy_m), rtol=1e-11)
    assert area.attrs["units"] == "m2"
    assert area.attrs["scheme"] == scheme
    assert upslope_area(dem.chunk(y=5, x=7), grid, scheme=scheme).values.tobytes() == area.values.tobytes()


@pytest.mark.parametrize("scheme", ["d8", *SCHEMES])
def test_areas_of_square_cells(scheme):
    heights = SURFACES["whole metres with holes"]
    grid = Grid.of(raster(heights), 30.0)
    counted = flow_accumulation(flow_direction(raster(heights), scheme=scheme, cell_size_m=30.0)).values
    assert np.allclose(upslope_area(raster(heights), grid, scheme=scheme).values, (counted - 1) * 900, rtol=1e-12, atol=1e-9, equal_nan=True)


@cache
def in_one_window(name, scheme):
    routing = flow_direction(raster(SURFACES[name]), scheme=scheme)
    weights = np.random.default_rng(8).normal(size=SURFACES[name].shape) * 1e5
    return weights, flow_accumulation(routing).values, flow_accumulation(routing, weights=weights).values


@given(data=st.data(), name=st.sampled_from(list(SURFACES)), scheme=st.sampled_from(SCHEMES), scheduler=st.sampled_from(["threads", "synchronous"]))
@settings(max_examples=15, deadline=None)
def test_any_tiles_and_windows_give_the_same_bytes(data, name, scheme, scheduler):
    weights, counted, summed = in_one_window(name, scheme)
    heights = SURFACES[name]
    chunks = tuple(cuts(data.draw, length) for length in heights.shape)
    with pytest.MonkeyPatch.context() as patch, dask.config.set(scheduler=scheduler):
        small_windows(patch, data.draw(st.integers(1, 40)))
        routing = flow_direction(raster(heights, chunks=chunks), scheme=scheme)
        assert flow_accumulation(routing).values.tobytes() == counted.tobytes()
        assert flow_accumulation(routing, weights=raster(weights, "1", chunks)).values.tobytes() == summed.tobytes()
        assert flow_accumulation(routing.compute()).values.tobytes() == counted.tobytes()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["fractal with holes", "whole metres", "closed spiral", "two fifths missing"])
def test_what_falls_leaves_to_the_last_bit(scheme, name, monkeypatch):
    small_windows(monkeypatch, 5)
    dataset = flow_direction(raster(SURFACES[name]), scheme=scheme)
    amounts = np.arange(SURFACES[name].shape[0]) + 10**6 + 7  # no power of two divides them: every share is rounded
    total = Routing.of(dataset).accumulated(amounts, own=None, scale=1.0).values
    there = np.isfinite(SURFACES[name])
    assert total[dataset["d8"].values == 0].sum() == (there * amounts[:, None]).sum()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_weights(scheme):
    heights = SURFACES["fractal with holes"]
    routing = flow_direction(raster(heights), scheme=scheme)
    weights = np.random.default_rng(1).random(heights.shape)
    got = flow_accumulation(routing, weights=xr.DataArray(weights, dims=("y", "x"), attrs={"units": "m3"}))
    assert np.allclose(got.values, passed_down(scheme, heights, weights=weights), rtol=1e-11, equal_nan=True)
    assert got.attrs["units"] == "m3"
    assert np.allclose(flow_accumulation(routing, weights=2.5).values, 2.5 * flow_accumulation(routing).values, rtol=1e-13, equal_nan=True)
    with pytest.raises(InputError, match="weights are nan at row 0, column"):
        flow_accumulation(routing, weights=np.full(heights.shape, np.nan))
    with pytest.raises(GridMismatchError):
        flow_accumulation(routing, weights=np.zeros((2, 2)))


def plane(azimuth_degrees, size=9, steepness=0.2, cell=10.0):
    """A plane that falls towards ``azimuth_degrees`` anticlockwise from east."""
    y, x = np.mgrid[:size, :size] * cell
    turn = math.radians(azimuth_degrees)
    return 100 - steepness * (x * math.cos(turn) - y * math.sin(turn))


@pytest.mark.parametrize("azimuth", [22.5, 0.0, 45.0, 112.5, 200.0, 337.5, 359.0])
def test_the_angle_on_a_plane_is_its_own(azimuth):
    angle = flow_direction(raster(plane(azimuth)), scheme="tarboton1997", cell_size_m=10.0)["angle"].values[1:-1, 1:-1]
    away = np.remainder(angle - math.radians(azimuth) + math.pi, 2 * math.pi) - math.pi
    assert np.abs(away).max() < 1e-12


def shares_of_the_middle(heights, scheme, **options):
    """What the middle cell gives its neighbours: the sums of what it alone adds."""
    weights = np.zeros(heights.shape)
    middle = heights.shape[0] // 2
    weights[middle, middle] = 1.0
    got = flow_accumulation(flow_direction(raster(heights), scheme=scheme, cell_size_m=10.0, **options), weights=weights).values
    return got[middle - 1 : middle + 2, middle - 1 : middle + 2]


def test_shares_on_a_plane_turned_by_half_the_way_to_a_corner():
    """tan β = 0.2 × the cosine of the angle between a neighbour and the fall: cos 67.5° to N, cos 22.5° to NE and E, cos 67.5° to SE."""
    near, far = math.cos(math.radians(22.5)), math.cos(math.radians(67.5))
    heights = plane(22.5)
    side, corner = 0.5, math.sqrt(2) / 4
    by_scheme = {
        "quinn1991": [side * far, corner * near, side * near, corner * far],
        "freeman1991": [far**1.1, near**1.1, near**1.1, far**1.1],
        "qin2007": [w * (0.2 * cosine) ** (8.9 * 0.2 * near + 1.1) for w, cosine in ((side, far), (corner, near), (side, near), (corner, far))],
        "tarboton1997": [0.0, 0.5, 0.5, 0.0],
    }
    for scheme, weights in by_scheme.items():
        got = shares_of_the_middle(heights, scheme)
        north = weights[0] / sum(weights)
        assert got[0, 1] == pytest.approx(north, rel=1e-9, abs=1e-12)
        south_east = weights[3] / sum(weights)
        east = weights[2] / sum(weights)
        # east receives from the middle, from north what that gives to its south-east, from south-east what that gives to its north
        assert got[1, 2] == pytest.approx(east + 2 * north * south_east, rel=1e-9, abs=1e-12)
        assert got[1, 0] == got[2, 0] == got[2, 1] == 0


def without_pits(rows, columns, seed):
    """A rough slope on which no cell must be raised, and no two neighbours are equally steep."""
    y, x = np.mgrid[:rows, :columns]
    heights = fractal(np.random.default_rng(seed), rows, columns) * 0.4 + x + 1.7 * y
    assert np.array_equal(condition(raster(heights)).values, heights)
    return heights


def test_the_exponent_sharpens():
    heights = without_pits(30, 20, 4)
    steep = flow_accumulation(flow_direction(raster(heights), scheme="freeman1991", exponent=1e7)).values
    assert np.allclose(steep, counted_by_walking(tree_and_steepest(heights)), rtol=1e-2)
    got = flow_accumulation(flow_direction(raster(heights), scheme="freeman1991", exponent=4.0)).values
    assert np.allclose(got, passed_down("freeman1991", heights, exponent=4.0), rtol=1e-12)
    default = flow_direction(raster(heights), scheme="freeman1991")
    assert default.attrs["exponent"] == 1.1
    stated = flow_direction(raster(heights), scheme="freeman1991", exponent=1.1)
    assert np.array_equal(flow_accumulation(default).values, flow_accumulation(stated).values)
    for weights in (None, 2.0, xr.ones_like(stated["filled"]).drop_attrs()):
        assert flow_accumulation(stated, weights=weights).attrs["exponent"] == 1.1


def test_steeper_than_one_to_one_is_one_to_one_for_qin():
    heights = plane(30.0, steepness=1.5)

    def height(down, right):
        return float(heights[4 + down, 4 + right])

    power = 10.0
    powers = shares("freeman1991", height, 10.0, 10.0, power)
    weighted = {way: part * (math.sqrt(2) / 4 if 0 not in way else 0.5) for way, part in powers.items()}
    assert shares("qin2007", height, 10.0, 10.0) == pytest.approx({way: w / sum(weighted.values()) for way, w in weighted.items()})
    got = shares_of_the_middle(heights, "qin2007")
    assert got[0, 1] == pytest.approx(weighted[-1, 0] / sum(weighted.values()), rel=1e-9)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("sign", [1, -1])
def test_area_per_contour_width_of_a_cone(scheme, sign):
    """r/2 on a cone that diverges, (R² − r²)/2r on one that converges; the error falls with the cell size."""
    errors = [abs(specific_area(scheme, radius, sign)[0] - 1) for radius in (10, 60)]
    assert errors[1] < 0.015
    assert errors[1] < 0.5 * errors[0]


def test_spread_around_a_ring_by_scheme():
    """The mean is that of the cone for all; how unevenly they spread it tells them apart, D8 worst by far."""
    spread = {scheme: specific_area(scheme, 40, 1)[1] for scheme in ["d8", *SCHEMES]}
    assert spread["d8"] > 3 * max(spread[scheme] for scheme in SCHEMES)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_valley_gathers_its_width_in_every_row(scheme):
    """Far from the top, the channel of a straight V valley of 2·20 + 1 columns gets 41 cells more in each row, whatever the scheme."""
    rows, half = 400, 20
    heights = 100 + 0.3 * np.abs(np.arange(-half, half + 1))[None, :] - 0.05 * np.arange(rows)[:, None]
    counted = flow_accumulation(flow_direction(raster(heights), scheme=scheme)).values
    gained = np.diff(counted[:, half])[300:-40]
    assert np.allclose(gained, 41, rtol=1e-9)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_turned_and_mirrored_terrain_gives_turned_and_mirrored_sums(scheme):
    heights = without_pits(33, 40, 5)
    counted = flow_accumulation(flow_direction(raster(heights), scheme=scheme)).values
    for turn in (np.rot90, np.flipud, np.fliplr, np.transpose, lambda a: np.rot90(a, 2)):
        other = flow_accumulation(flow_direction(raster(np.ascontiguousarray(turn(heights))), scheme=scheme)).values
        assert np.allclose(other, turn(counted), rtol=1e-11)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_heights_in_single_precision_are_taken_as_they_are(scheme):
    heights = (SURFACES["fractal with holes"] * 10).astype(np.float32)
    routing = flow_direction(raster(heights), scheme=scheme)
    assert routing["filled"].dtype == np.float32
    got = flow_accumulation(routing).values
    assert np.allclose(got, passed_down(scheme, heights.astype(float)), rtol=1e-12, equal_nan=True)


def test_water_along_a_border_of_windows_takes_few_sweeps(monkeypatch, caplog):
    """Down a plane of 96 rows, for ever across the border of two windows of 8 columns: 96 exchanges of fixed windows, few of shifted ones."""
    small_windows(monkeypatch, 8)
    heights = -np.arange(96.0)[:, None] * np.ones(32)
    with caplog.at_level("INFO", "rusle_engine"):
        flow_accumulation(flow_direction(raster(heights), scheme="quinn1991"))
    (said,) = [record.args for record in caplog.records if "sweeps" in record.msg]
    assert said[1] == 8
    assert said[2] <= 2 * 96 / 4 + 2


def test_what_describes_a_routing():
    dem = raster(SURFACES["plane"])
    routing = flow_direction(dem, scheme="tarboton1997")
    assert list(routing) == ["d8", "filled", "angle"]
    assert routing["angle"].attrs["units"] == "rad"
    assert routing["filled"].identical(condition(dem).assign_attrs(method="fill").rename("filled"))
    assert routing["d8"].identical(flow_direction(dem))
    assert routing.attrs["scheme"] == "tarboton1997"
    assert routing.attrs["method_status"] == "unchecked"
    assert list(flow_direction(dem, scheme="quinn1991")) == ["d8", "filled"]
    accumulation = flow_accumulation(routing)
    assert accumulation.attrs["scheme"] == "tarboton1997"
    assert accumulation.dtype == np.float64


def test_angles_where_nothing_is_lower():
    heights = np.full((5, 5), 3.0)
    heights[2, 0] = 1.0
    routing = flow_direction(raster(heights), scheme="tarboton1997")
    codes, angle = routing["d8"].values, routing["angle"].values
    of_code = {1: 0.0, 128: 0.25, 64: 0.5, 32: 0.75, 16: 1.0, 8: 1.25, 4: 1.5, 2: 1.75}
    for i, j in np.ndindex(5, 5):
        if codes[i, j] == 0:
            assert angle[i, j] == -1
        elif abs(i - 2) > 1 or j > 1:
            assert angle[i, j] == pytest.approx(of_code[codes[i, j]] * np.pi)
    assert (codes == 0).any()
    assert np.isnan(flow_direction(raster(np.full((2, 2), np.nan)), scheme="tarboton1997")["angle"].values).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scheme": "quinn"}, "scheme 'quinn' is not known; choose one of 'd8', 'tarboton1997'"),
        ({"scheme": "quinn1991", "exponent": 1.1}, "exponent is 1.1 but scheme 'quinn1991' has none"),
        ({"scheme": "d8", "exponent": 1.1}, "exponent is 1.1 but scheme 'd8' has none"),
        ({"scheme": "freeman1991", "exponent": 0.0}, "exponent is 0.0; expected a positive number"),
        ({"scheme": "freeman1991", "exponent": float("nan")}, "expected a positive number"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        flow_direction(raster(np.zeros((2, 2))), **options)


def test_half_a_routing_is_refused():
    routing = flow_direction(raster(SURFACES["plane"]), scheme="quinn1991")
    with pytest.raises(InputError, match=r"has variables \['d8'\] and scheme 'quinn1991'; expected d8, filled"):
        flow_accumulation(routing.drop_vars("filled"))
    with pytest.raises(InputError, match="and scheme None"):
        flow_accumulation(routing.drop_attrs())
    with pytest.raises(InputError, match="has units 'rad'"):
        flow_accumulation(flow_direction(raster(SURFACES["plane"]), scheme="tarboton1997")["angle"])


def test_circles_are_refused():
    routing = flow_direction(raster(np.zeros((2, 3))), scheme="quinn1991")
    routing["d8"].values[:] = [[1, 1, 4], [64, 16, 16]]
    with pytest.raises(InputError, match="round in circles: 6 cells"):
        flow_accumulation(routing)


def test_wrong_codes_are_refused():
    routing = flow_direction(raster(np.zeros((2, 3))), scheme="quinn1991")
    routing["d8"].values[1, 2] = 3
    with pytest.raises(InputError, match="is 3 at row 1, column 2"):
        flow_accumulation(routing)


def refuse(*_args, **_kwargs):
    raise AssertionError("something was computed too early")


def test_nothing_is_computed_or_touched_before_its_time():
    heights = raster(np.random.default_rng(0).random((6, 6)))
    before = heights.copy(deep=True)
    with dask.config.set(scheduler=refuse):
        for scheme in SCHEMES:
            lazy = flow_direction(heights.chunk(y=2, x=2), scheme=scheme)
            flow_accumulation(lazy)
            flow_accumulation(lazy, weights=heights.chunk(y=2, x=2))
    routing = flow_direction(heights, scheme="quinn1991")
    kept = routing.copy(deep=True)
    flow_accumulation(routing, weights=heights)
    assert heights.identical(before)
    assert routing.identical(kept)


def test_declared_types_are_computed_types():
    lazy = flow_direction(raster(SURFACES["fractal"], chunks=(7, 7)), scheme="tarboton1997")
    for name in lazy:
        assert lazy[name].dtype == lazy[name].compute().dtype
    total = flow_accumulation(lazy)
    assert total.dtype == total.compute().dtype == np.float64
    assert total.chunks == lazy["d8"].chunks


@pytest.mark.parametrize("scheme", ["qin2007", "tarboton1997"])
def test_what_does_not_fit_in_memory_goes_to_scratch_and_is_gone_afterwards(scheme, tmp_path):
    heights = fractal(np.random.default_rng(2), 300, 260).astype(np.float32)
    weights = np.random.default_rng(3).random(heights.shape)
    routing = flow_direction(raster(heights), scheme=scheme)
    counted, summed = flow_accumulation(routing).values, flow_accumulation(routing, weights=weights).values
    with pytest.MonkeyPatch.context() as patch:
        small_windows(patch, 64)
        with dask.config.set({"rusle_engine.memory_budget": "4 MB", "rusle_engine.scratch": str(tmp_path)}):
            lazy = routing.chunk(y=64, x=50)
            total, weighted = flow_accumulation(lazy), flow_accumulation(lazy, weights=raster(weights, "1", (64, 50)))
            assert len(list(tmp_path.iterdir())) >= 2
            assert total.values.tobytes() == counted.tobytes()
            assert total.values.tobytes() == counted.tobytes()
            assert weighted.values.tobytes() == summed.tobytes()
    del lazy, total, weighted
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_more_than_the_budget_is_refused_before_it_starts():
    routing = flow_direction(raster(np.zeros((100, 100))), scheme="quinn1991")
    with dask.config.set({"rusle_engine.memory_budget": "10 kB"}), pytest.raises(MemoryBudgetError, match="flow_accumulation needs about"):
        flow_accumulation(routing)


def test_a_graph_of_a_few_tasks_for_each_tile():
    def tasks(size):
        dem = raster(dask.array.zeros((size, size), chunks=10))
        routing = Routing.of(flow_direction(dem, scheme="quinn1991"))
        before = len(dict(xr.Dataset({"c": routing.codes, "f": routing.filled}).__dask_graph__()))
        return len(dict(routing.counted().__dask_graph__())) - before

    assert (tasks(200) - tasks(100)) / 300 < 60
