"""C against the formula book's numbers, and the land-cover classes that NDVI misreads."""

import logging
import math

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import GridMismatchError, InputError
from rusle_engine.factors.c import METHODS, c_factor
from rusle_engine.factors.cover import vegetation_cover
from rusle_engine.factors.ndvi_bounds import ndvi_bounds

TABLE = {1: 0.23, 2: 0.002, 5: 0.0, 7: 1.0}


def cai(cover_pct, **options):
    """C where NDVI is the cover itself: bounds 0 and 1."""
    return c_factor(ndvi=np.atleast_2d(cover_pct) / 100, method="cai2000", ndvi_soil=0.0, ndvi_vegetation=1.0, **options)


@pytest.mark.parametrize(
    ("ndvi", "cover"),
    [(0.25, 0.246914), (0.50, 0.555556), (0.70, 0.802469), (0.02, 0.0), (0.90, 1.0), (-0.2, 0.0)],
)
def test_vegetation_cover_of_the_book(ndvi, cover):
    assert vegetation_cover(ndvi, ndvi_soil=0.05, ndvi_vegetation=0.86).item() == pytest.approx(cover, abs=5e-7)


@pytest.mark.parametrize(
    ("cover_pct", "expected"),
    [  # C-3; percent in log10, not a fraction (0.77 at 45 %) nor a natural logarithm (-0.66)
        (0, 1), (0.1, 1), (0.1001, 0.994251), (1, 0.650800), (5, 0.410634), (10, 0.307200), (20, 0.203766), (30, 0.143261), (45, 0.08275618),
        (60, 0.039827), (75, 0.006529), (78, 0.000676), (78.3, 0), (90, 0),
    ],
)  # fmt: skip
def test_cai2000_of_the_book(cover_pct, expected):
    assert cai(cover_pct).item() == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(
    ("ndvi", "expected"),
    [(-0.2, 1), (0, 1), (0.1, 0.800737), (0.2, 0.606531), (0.3, 0.4243728), (0.5, 0.135335), (0.7, 0.009403563), (1, 0)],
)
def test_vanderknijff1999_of_the_book(ndvi, expected):
    assert c_factor(ndvi=float(ndvi), method="vanderknijff1999").item() == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize(
    ("method", "given", "expected"),
    [
        ("liu1999", {"fvc": 0.04}, 1), ("liu1999", {"fvc": 0.04903}, 1), ("liu1999", {"fvc": 0.05}, 0.995113),
        ("liu1999", {"fvc": 0.3}, 0.5321129), ("liu1999", {"fvc": 1.0}, 0.221), ("liu1999", {"fvc": 0.0}, 1),
        ("bu", {"fvc": 0.0}, 0.4149), ("bu", {"fvc": 0.2}, 0.3109), ("bu", {"fvc": 0.5}, 0.1549), ("bu", {"fvc": 0.9}, 0),
        ("durigon2014", {"ndvi": 0.9}, 0.05), ("durigon2014", {"ndvi": -0.5}, 0.75), ("durigon2014", {"ndvi": -1.0}, 1),
        ("colman2018", {"ndvi": 0.9}, 0.005), ("ndvi_power", {"ndvi": 0.3}, 0.255440), ("ndvi_power", {"ndvi": 1.0}, 0),
        ("ndvi_power", {"ndvi": -1.0}, 1), ("lai_log", {"lai": 1.0}, 0.184), ("lai_log", {"lai": 0.0}, 1), ("lai_log", {"lai": 3.0}, 0),
        ("cai2000", {"fvc": 0.45}, 0.08275618),
    ],
)  # fmt: skip
def test_other_equations_of_the_book(method, given, expected):
    c = c_factor(**given, method=method)
    assert c.item() == pytest.approx(expected, abs=5e-7)
    assert np.isnan(c_factor(**dict.fromkeys(given, np.nan), method=method).item())


def test_cover_from_ndvi_feeds_the_equations_that_want_cover():
    c = c_factor(ndvi=0.5, ndvi_soil=0.05, ndvi_vegetation=0.86, method="liu1999")
    assert c.item() == pytest.approx(0.221 - 0.595 * math.log10(0.45 / 0.81), rel=1e-12)


def test_panagos2015_between_the_two_numbers_of_a_class():
    """Forest 0.0001 to 0.003, pasture 0.05 to 0.15 (SRT's ranges); arable one number; 30 % of cover leaves 70 % of the span."""
    ranges = pd.DataFrame({"code": [1, 2, 3], "C_min": [0.0001, 0.05, 0.233], "C_max": [0.003, 0.15, 0.233]})
    landcover = np.array([[1, 2, 3, 9, np.nan, 2]])
    cover = np.array([[0.3, 0.3, np.nan, np.nan, 0.3, np.nan]])
    c = c_factor(landcover=landcover, fvc=cover, ranges=ranges, override={9: 0.0}, method="panagos2015")
    np.testing.assert_allclose(c.values, [[0.0001 + 0.7 * 0.0029, 0.05 + 0.7 * 0.1, 0.233, 0.0, np.nan, np.nan]], rtol=1e-12)
    with pytest.raises(InputError, match="C_min, C_max table has no row for class 9"):
        c_factor(landcover=landcover, fvc=cover, ranges=ranges, method="panagos2015")
    with pytest.raises(InputError, match=r"C_min 0\.2 above C_max 0\.1 for class 1"):
        c_factor(landcover=1, fvc=0.5, ranges=pd.DataFrame({"code": [1], "C_min": [0.2], "C_max": [0.1]}), method="panagos2015")


def test_half_months_are_turned_into_c_first_and_then_weighted():
    cover = [0.1, 0.7] + [0.3] * 22
    weights = [0.25, 0.75] + [0.0] * 22
    ndvi = xr.DataArray(cover, dims="half_month")
    c = c_factor(ndvi=ndvi, wr=weights, method="cai2000", ndvi_soil=0.0, ndvi_vegetation=1.0)
    assert c.item() == pytest.approx(0.25 * (0.6508 - 0.3436) + 0.75 * (0.6508 - 0.3436 * math.log10(70)), rel=1e-12)
    field = ndvi.expand_dims(y=2, x=3).transpose("half_month", "y", "x")
    lazy = c_factor(ndvi=field.chunk(x=1), wr=weights, method="cai2000", ndvi_soil=0.0, ndvi_vegetation=1.0)
    assert lazy.values.tobytes() == np.full((2, 3), c.item()).tobytes()
    with pytest.raises(InputError, match="needs wr="):
        c_factor(ndvi=ndvi, method="vanderknijff1999")
    with pytest.raises(InputError, match="for which wr has no use"):
        c_factor(ndvi=0.5, wr=weights, method="vanderknijff1999")


def test_bounds_by_percentile_are_those_of_the_whole_raster_and_are_recorded(caplog):
    ndvi = xr.DataArray((np.arange(100) / 100).reshape(10, 10), dims=("y", "x")).chunk(y=3, x=4)
    by_percentile = c_factor(ndvi=ndvi, method="cai2000", ndvi_soil={"percentile": 5}, ndvi_vegetation={"percentile": 95})
    assert (by_percentile.attrs["ndvi_soil"], by_percentile.attrs["ndvi_vegetation"]) == (0.04, 0.94)
    assert "those of one date" in caplog.text
    named = c_factor(ndvi=ndvi, method="cai2000", ndvi_soil=0.04, ndvi_vegetation=0.94)
    assert by_percentile.identical(named)
    mixed = c_factor(ndvi=ndvi, method="cai2000", ndvi_soil=0.02, ndvi_vegetation={"percentile": 95})
    assert (mixed.attrs["ndvi_soil"], mixed.attrs["ndvi_vegetation"]) == (0.02, 0.94)


def test_c_of_the_mean_is_not_the_mean_of_c():
    dates = [10.0, 70.0]
    mean_of_c = sum(cai(cover).item() for cover in dates) / 2
    assert mean_of_c == pytest.approx((0.6508 - 0.3436 + 0.6508 - 0.3436 * math.log10(70)) / 2, rel=1e-12)
    assert abs(mean_of_c - cai(40.0).item()) > 0.05


def test_c_by_land_cover():
    c = c_factor(landcover=np.array([[1, 2, 5], [7, 1, np.nan]]), table=TABLE)
    np.testing.assert_array_equal(c.values, [[0.23, 0.002, 0.0], [1.0, 0.23, np.nan]])
    assert c.attrs["units"] == "1"


def test_without_stated_bounds_the_illustrative_ones_are_used_recorded_and_said(caplog):
    with caplog.at_level(logging.WARNING, "rusle_engine"):
        c = c_factor(ndvi=0.5, method="cai2000")
    assert c.item() == pytest.approx(0.6508 - 0.3436 * math.log10(100 * (0.5 - 0.05) / (0.86 - 0.05)), rel=1e-12)
    assert (c.attrs["ndvi_soil"], c.attrs["ndvi_vegetation"]) == (0.05, 0.86)
    assert "ndvi_soil and ndvi_vegetation not stated: illustrative 0.05 and 0.86" in caplog.text
    assert "without a land-cover override" in caplog.text


def test_land_cover_overrides_ndvi_where_it_says_so(caplog):
    landcover = np.array([[5.0, 3.0, 7.0, 3.0, np.nan, 5.0, 3.0]])
    ndvi = np.array([[-0.3, 0.5, 0.5, np.nan, 0.5, np.nan, 1.0]])
    with caplog.at_level(logging.WARNING, "rusle_engine"):
        c = c_factor(ndvi=ndvi, method="vanderknijff1999", landcover=landcover, override={5: 0.0, 7: 1.0})
    assert not caplog.records
    by_ndvi = math.exp(-2 * 0.5 / (1 - 0.5))
    # water is 0 even where NDVI has no value; no class and no NDVI on grass stay nodata
    np.testing.assert_allclose(c.values, [[0.0, by_ndvi, 1.0, np.nan, np.nan, 0.0, 0.0]], rtol=1e-14)
    assert c.attrs["overridden_classes"] == [5, 7]


@pytest.mark.parametrize("method", ["cai2000", "vanderknijff1999"])
@pytest.mark.parametrize("ndvi", [2500.0, -3000.0, 45.0, -1.1])
def test_scaled_or_impossible_ndvi_is_refused(method, ndvi):
    with pytest.raises(InputError, match=rf"ndvi .* is {ndvi:g}; expected -1 to 1"):
        c_factor(ndvi=ndvi, method=method)


def test_scaled_ndvi_says_how_to_scale_it_when_the_tile_is_read():
    ndvi = xr.DataArray(np.array([[0.5, 0.4], [0.3, 6123.0]]), dims=("y", "x")).chunk({"y": 1})
    with pytest.raises(InputError, match=r"is 6123.*multiplied by its scale \(0.0001 for MOD13Q1\)"):
        c_factor(ndvi=ndvi, method="vanderknijff1999").compute()


def test_ndvi_a_rounding_above_one_is_one():
    assert c_factor(ndvi=np.nextafter(np.float32(1), np.float32(2)), method="vanderknijff1999").item() == 0.0


def test_a_class_without_a_row_is_named_when_it_is_met():
    landcover = xr.DataArray(np.array([[1, 2], [12, 14]], np.uint8), dims=("y", "x")).chunk({"x": 1})
    c = c_factor(landcover=landcover, table=TABLE)
    with pytest.raises(InputError, match=r"the C table has no row for class 1\d of the class raster \(it has 1, 2, 5, 7\). Add a row"):
        c.compute()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"landcover": 1.0}, "needs landcover= and table="),
        ({"landcover": 1.0, "table": {1: 23.0}}, r"C .* is 23 for class 1 of the table; expected 0 to 1 .* percent"),
        ({"landcover": 1.0, "table": {1: -0.1}}, "C .* is -0.1 for class 1"),
        ({"landcover": 1.0, "table": TABLE, "ndvi": 0.5}, "by table does not use ndvi"),
        ({"method": "cai2000"}, "needs ndvi="),
        ({"method": "cai2000", "ndvi": 0.5, "table": TABLE}, "by cai2000 does not use table"),
        ({"method": "cai2000", "ndvi": 0.5, "override": {5: 0.0}}, "together, or neither"),
        ({"method": "cai2000", "ndvi": 0.5, "ndvi_soil": 0.9}, "ndvi_soil is 0.9 and ndvi_vegetation 0.86; expected"),
        ({"method": "cai2000", "ndvi": 0.5, "ndvi_soil": 5, "ndvi_vegetation": 86}, "ndvi_soil is 5 and ndvi_vegetation 86"),
        ({"method": "vanderknijff1999", "ndvi": 0.5, "ndvi_soil": 0.05}, "does not use ndvi_soil"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        c_factor(**given)


def test_ndvi_and_land_cover_on_different_grids_are_refused():
    ndvi = xr.DataArray(np.full((2, 2), 0.5), dims=("y", "x"), coords={"y": [3e6, 3e6 - 30], "x": [5e5, 5e5 + 30]})
    landcover = ndvi.assign_coords(x=ndvi["x"] + 1.0).copy(data=np.full((2, 2), 1.0))
    with pytest.raises(GridMismatchError, match="different grids"):
        c_factor(ndvi=ndvi, method="vanderknijff1999", landcover=landcover, override=TABLE)


def refuse_to_compute(*_args, **_kwargs):
    raise AssertionError("computed while the graph was built")


@pytest.mark.parametrize("method", [name for name in METHODS if name not in ("lai_log", "panagos2015", "renard1997")])
@given(rows=st.integers(1, 12), columns=st.integers(1, 12), tile=st.tuples(st.integers(1, 12), st.integers(1, 12)))
@settings(max_examples=8, deadline=None)
def test_lazy_equals_eager_on_any_tiling(method, rows, columns, tile):
    random = np.random.default_rng(rows * 13 + columns)
    landcover = xr.DataArray(random.choice(list(TABLE), (rows, columns)).astype(np.uint8), dims=("y", "x"))
    ndvi = xr.DataArray(random.uniform(-0.3, 1, (rows, columns)).astype(np.float32), dims=("y", "x"))
    before = landcover.copy(deep=True), ndvi.copy(deep=True)
    chunks = dict(zip(("y", "x"), tile))

    def c(landcover, ndvi):
        if method == "table":
            return c_factor(landcover=landcover, table=TABLE)
        return c_factor(ndvi=ndvi, method=method, landcover=landcover, override={5: 0.0, 7: 1.0})

    eager = c(landcover, ndvi)
    with dask.config.set(scheduler=refuse_to_compute):
        lazy = c(landcover.chunk(chunks), ndvi.chunk(chunks))
    assert dask.is_dask_collection(lazy)
    assert lazy.dtype == eager.dtype == lazy.compute().dtype
    assert lazy.values.tobytes() == eager.values.tobytes()
    assert landcover.identical(before[0])
    assert ndvi.identical(before[1])


@given(dates=st.integers(1, 3), rows=st.integers(1, 9), columns=st.integers(2, 9), tile=st.integers(1, 9), chunked=st.booleans())
@settings(max_examples=25, deadline=None)
def test_frozen_bounds_are_the_percentiles_of_all_dates_and_tiles(dates, rows, columns, tile, chunked):
    random = np.random.default_rng(rows * 100 + columns)
    stored = random.integers(-4000, 9500, (dates, rows, columns))  # as MODIS stores NDVI
    values = (stored / 10000).astype(np.float32)
    values[0, 0, 0] = np.nan
    valid = sorted(stored[~np.isnan(values)].tolist())
    ndvi = xr.DataArray(values, dims=("time", "y", "x"))
    expected = [valid[max(1, math.ceil(len(valid) * percent / 100)) - 1] / 10000 for percent in (5, 95)]
    ndvi = ndvi.chunk({"time": 1 + tile % 2, "y": tile, "x": tile}) if chunked else ndvi
    if expected[0] == expected[1]:
        with pytest.raises(InputError, match="expected -1 <= ndvi_soil < ndvi_vegetation"):
            ndvi_bounds(ndvi)
    else:
        assert list(ndvi_bounds(ndvi)) == expected
        assert list(ndvi_bounds([ndvi[i] for i in range(dates)])) == expected


def test_bounds_of_other_numbers_are_within_half_a_step():
    values = np.random.default_rng(5).uniform(-0.5, 0.95, 1001)
    found = ndvi_bounds(xr.DataArray(values.reshape(7, 143), dims=("y", "x")), soil_percentile=2, vegetation_percentile=98)
    np.testing.assert_allclose(found, np.sort(values)[[20, 980]], rtol=0, atol=0.00005001)


@pytest.mark.parametrize("bound", [{"percentile": 101}, {"percent": 5}, {}])
def test_percentiles_that_are_none_are_refused(bound):
    with pytest.raises(InputError, match=r"ndvi_soil is .* expected an NDVI, or \{percentile: 5\}"):
        c_factor(ndvi=np.full((2, 2), 0.5), method="cai2000", ndvi_soil=bound, ndvi_vegetation=0.8)


@pytest.mark.parametrize(("value", "message"), [(np.nan, "no valid cell"), (4000.0, "ndvi .* is 4000")])
def test_bounds_of_nothing_or_of_scaled_values_are_refused(value, message):
    with pytest.raises(InputError, match=message):
        ndvi_bounds(xr.DataArray(np.full((3, 3), value), dims=("y", "x")))


def test_vegetation_cover_between_percentiles_states_the_numbers_to_freeze():
    ndvi = np.arange(100, dtype=float).reshape(10, 10) / 100
    cover = vegetation_cover(ndvi, ndvi_soil={"percentile": 5}, ndvi_vegetation={"percentile": 95})
    assert (cover.attrs["ndvi_soil"], cover.attrs["ndvi_vegetation"]) == (0.04, 0.94)  # the 5th and the 95th of 100 values
    assert cover.values[4, 9] == pytest.approx((0.49 - 0.04) / (0.94 - 0.04))
    with pytest.raises(InputError, match=r"ndvi_soil is 0.9 and ndvi_vegetation 0.1"):
        vegetation_cover(ndvi, ndvi_soil=0.9, ndvi_vegetation=0.1)
