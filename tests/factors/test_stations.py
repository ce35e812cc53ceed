"""Interpolation against arithmetic by hand, SciPy's splines and GSTools' kriging; the same bits on every tiling."""

import dask
import gstools
import numpy as np
import pandas as pd
import pytest
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr
from pyproj import Geod
from scipy.interpolate import RBFInterpolator

from rusle_engine.core.errors import InputError
from rusle_engine.factors.stations import cross_validation, interpolate_stations, scores
from rusle_engine.factors.variograms import fitted_variogram

METHODS = ("idw", "tps", "kriging", "external_drift")


def grid(rows=9, columns=11, cell=1000.0, values=0.0, crs="EPSG:32649"):
    y, x = cell * (rows - 0.5 - np.arange(rows)), cell * (0.5 + np.arange(columns))
    array = xr.DataArray(np.broadcast_to(values, (rows, columns)).copy(), dims=("y", "x"), coords={"y": y, "x": x})
    return array.rio.write_crs(crs)


def network(count=40, seed=4):
    """Stations in a field that varies over some km and rises with elevation."""
    random = np.random.default_rng(seed)
    x, y, z = random.uniform(0, 11_000, count), random.uniform(0, 9_000, count), random.uniform(800, 2000, count)
    field = gstools.SRF(gstools.Spherical(dim=2, var=40_000, len_scale=5_000), seed=11)((x, y), mesh_type="unstructured")
    names = [f"s{i}" for i in range(count)]
    stations = pd.DataFrame({"x": x, "y": y, "elevation_m": z}, index=names)
    return pd.Series(1500 + field + 0.3 * z, index=names, name="R"), stations


def cells(array):
    x, y = np.meshgrid(array["x"].values, array["y"].values)
    return np.column_stack([x.ravel(), y.ravel()])


def test_inverse_distance_by_hand():
    stations = pd.DataFrame({"x": [500.0, 3500.0, 500.0], "y": [500.0, 500.0, 4500.0]}, index=["a", "b", "c"])
    values = pd.Series({"a": 100.0, "b": 400.0, "c": 900.0}, name="R")
    values.attrs["units"] = "MJ mm ha-1 h-1 yr-1"
    found = interpolate_stations(values, stations, grid(5, 5))
    assert found.sel(x=500, y=500).item() == 100.0
    near = (100 / 1 + 400 / 4 + 900 / 17) / (1 + 1 / 4 + 1 / 17)  # one km from a, two from b, the root of 17 from c
    assert found.sel(x=1500, y=500).item() == pytest.approx(near, rel=1e-12)
    two = interpolate_stations(values, stations, grid(5, 5), neighbours=2, power=1.0)
    assert two.sel(x=1500, y=500).item() == pytest.approx((100 / 1 + 400 / 2) / (1 + 1 / 2), rel=1e-12)
    assert (found.name, found.attrs["units"], found.attrs["stations"]) == ("R", "MJ mm ha-1 h-1 yr-1", 3)


def test_the_spline_is_scipy_s():
    values, stations = network()
    template = grid()
    expected = RBFInterpolator(stations[["x", "y"]].to_numpy(), values.to_numpy(), kernel="thin_plate_spline", degree=1)(cells(template))
    found = interpolate_stations(values, stations, template, "tps", least=None)
    np.testing.assert_allclose(found.values.ravel(), expected, rtol=1e-7)
    smooth = interpolate_stations(values, stations, template, "tps", smoothing=1.0)
    plane = np.linalg.lstsq(np.column_stack([np.ones(len(stations)), stations[["x", "y"]]]), values, rcond=None)[0]
    flat = plane[0] + cells(template) @ plane[1:]
    assert np.abs(smooth.values.ravel() - flat).mean() < 0.5 * np.abs(found.values.ravel() - flat).mean()


@pytest.mark.parametrize("shape", ["spherical", "exponential", "gaussian"])
@pytest.mark.parametrize("method", ["kriging", "external_drift"])
def test_kriging_is_gstools(method, shape):
    values, stations = network()
    heights = 800 + 1200 * np.random.default_rng(1).random((9, 11))
    template = grid(values=heights)
    found = interpolate_stations(values, stations, template, method, variogram=shape, least=None)
    attrs = found.attrs
    model = {"spherical": gstools.Spherical, "exponential": gstools.Exponential, "gaussian": gstools.Gaussian}[shape](
        dim=2, var=attrs["variogram_sill"], len_scale=attrs["variogram_length_m"], nugget=attrs["variogram_nugget"]
    )
    place = (stations["x"], stations["y"])
    if method == "kriging":
        expected = gstools.krige.Ordinary(model, place, values)(cells(template).T, return_var=False)
    else:
        kriged = gstools.krige.ExtDrift(model, place, values, stations["elevation_m"])
        expected = kriged(cells(template).T, ext_drift=heights.ravel(), return_var=False)
    np.testing.assert_allclose(found.values.ravel(), expected, rtol=1e-6)


def test_the_variogram_of_a_known_field_is_found():
    random = np.random.default_rng(8)
    x, y = random.uniform(0, 100_000, 400), random.uniform(0, 100_000, 400)
    field = gstools.SRF(gstools.Spherical(dim=2, var=9.0, len_scale=20_000), seed=5)((x, y), mesh_type="unstructured")
    fitted = fitted_variogram(x, y, field, "spherical")
    assert fitted.sill + fitted.nugget == pytest.approx(9.0, rel=0.35)
    assert fitted.length_m == pytest.approx(20_000, rel=0.35)
    assert fitted.fit_r2 > 0.8


def test_elevation_as_drift_knows_what_elevation_explains():
    _, stations = network()
    values = pd.Series(100 + 0.5 * stations["elevation_m"] + 5 * np.sin(np.arange(40)), name="P")
    plain, drifted = (scores(cross_validation(values, stations, method)) for method in ("idw", "external_drift"))
    assert drifted["left_out_efficiency"] > 0.98
    assert plain["left_out_efficiency"] < 0.5


def test_leaving_one_out_by_hand():
    stations = pd.DataFrame({"x": [0.0, 1000.0, 3000.0], "y": 0.0}, index=list("abc"))
    report = cross_validation(pd.Series([10.0, 20.0, 60.0], index=list("abc")), stations)
    expected = [(20 / 1 + 60 / 9) / (1 + 1 / 9), (10 / 1 + 60 / 4) / (1 + 1 / 4), (10 / 9 + 20 / 4) / (1 / 9 + 1 / 4)]
    np.testing.assert_allclose(report["predicted"], expected, rtol=1e-12)
    error = np.array(expected) - [10, 20, 60]
    found = scores(report)
    assert found["left_out_bias"] == pytest.approx(error.mean())
    assert found["left_out_rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert found["left_out_efficiency"] == pytest.approx(1 - (error**2).sum() / 1400)


@pytest.mark.parametrize("method", METHODS)
def test_a_lazy_grid_gives_the_same_bits_on_every_tiling(method):
    values, stations = network()
    heights = 800 + 1200 * np.random.default_rng(1).random((9, 11))
    heights[2, 3] = np.nan
    template, kept = grid(values=heights), heights.copy()
    eager = interpolate_stations(values, stations, template, method)
    for chunks in ({"y": 1, "x": 1}, {"y": 4, "x": 3}, {"x": 5}):
        with dask.config.set(scheduler=lambda *_, **__: pytest.fail("computed while the graph was built")):
            lazy = interpolate_stations(values, stations, template.chunk(chunks), method)
        assert lazy.dtype == eager.dtype == np.float64
        assert lazy.values.tobytes() == eager.values.tobytes()
        assert lazy.rio.crs == template.rio.crs
    assert np.isnan(eager[2, 3]) == (method == "external_drift")
    np.testing.assert_array_equal(template.values, kept)


def test_distances_on_a_geographic_grid_are_metres():
    y, x = 38.5 + 0.5 * np.arange(4)[::-1], 112.0 + 0.5 * np.arange(4)
    template = xr.DataArray(np.zeros((4, 4)), dims=("y", "x"), coords={"y": y, "x": x}).rio.write_crs("EPSG:4326")
    stations = pd.DataFrame({"x": [112.1, 113.4], "y": [38.6, 39.9]}, index=["a", "b"])
    found = interpolate_stations(pd.Series([100.0, 200.0], index=["a", "b"]), stations, template)
    distance = [Geod(ellps="WGS84").inv(113.0, 39.0, sx, sy)[2] for sx, sy in stations.to_numpy()]
    weights = 1 / np.square(distance)
    assert found.sel(x=113.0, y=39.0).item() == pytest.approx((weights * [100, 200]).sum() / weights.sum(), rel=1e-4)
    assert found.attrs["distances"].startswith("azimuthal equidistant")


def test_undershoot_is_raised_to_the_least_and_stations_without_value_are_named():
    stations = pd.DataFrame({"x": [500.0, 1500.0, 2500.0, 9500.0, 500.0], "y": [500.0, 500.0, 600.0, 700.0, 8500.0]}, index=list("abcde"))
    values = pd.Series([0.0, 500.0, 0.0, 10.0, np.nan], index=list("abcde"))
    stations.loc["f"] = [5000.0, 5000.0]
    values["f"] = 3.0
    free = interpolate_stations(values, stations, grid(), "tps", least=None)
    held = interpolate_stations(values, stations, grid(), "tps")
    assert free.min() < 0
    np.testing.assert_array_equal(held, np.maximum(free, 0))
    assert held.attrs["stations_left_out"] == ["e"]


@pytest.mark.parametrize(
    ("change", "method", "message"),
    [
        (lambda v, s: (v, s.drop(columns="x")), "idw", "stations has no column x; idw needs x, y"),
        (lambda v, s: (v, s.drop(columns="elevation_m")), "external_drift", "no column elevation_m"),
        (lambda v, s: (v, s.drop("s3")), "idw", "no row for s3, which has a value"),
        (lambda v, s: (v, s.assign(x=s["x"].where(s.index != "s5"))), "idw", "station 's5' lacks one of x, y"),
        (lambda v, s: (v, s.assign(x=1.0, y=s["y"].round(-6))), "idw", "lies where another one does"),
        (lambda v, s: (pd.concat([v, v.iloc[:1]]), s), "idw", "values name 's0' more than once"),
        (lambda v, s: (v.iloc[:9], s), "kriging", "9 stations have a value; kriging needs 10"),
        (lambda v, s: (v * 0 + 5, s), "kriging", "the same value"),
        (lambda v, s: (100 + pd.Series(np.random.default_rng(2).permutation(40), v.index), s), "kriging", "do not depend on distance"),
        (lambda v, s: (v, s.assign(elevation_m=1000.0 + 1e-9 * np.arange(40) * 0)), "external_drift", "lie at one elevation"),
        (lambda v, s: (v, s.assign(y=s["x"])), "tps", "do not determine a surface"),
    ],
)
def test_stations_that_cannot_be_used_are_refused(change, method, message):
    with pytest.raises(InputError, match=message):
        interpolate_stations(*change(*network()), grid(), method)


def test_an_interpolation_or_a_variogram_that_is_none_is_refused():
    values, stations = network()
    with pytest.raises(InputError, match="method of interpolation is 'spline'; expected one of 'idw', 'tps', 'kriging', 'external_drift'"):
        interpolate_stations(values, stations, grid(), "spline")
    with pytest.raises(InputError, match="variogram is 'linear'; expected one of 'spherical'"):
        cross_validation(values, stations, "kriging", variogram="linear")
