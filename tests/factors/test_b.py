"""B of CSLE against the formula book's numbers; weights, land use, understorey and years."""

import math

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import GridMismatchError, InputError
from rusle_engine.factors.b import METHODS, b_factor
from rusle_engine.factors.c import c_factor
from rusle_engine.files.configs import configs_folder
from rusle_engine.files.tables import read_table

WR = [
    0,
    0,
    0,
    0.002,
    0.006,
    0.01,
    0.016,
    0.022,
    0.03,
    0.042,
    0.055,
    0.065,
    0.125,
    0.155,
    0.15,
    0.12,
    0.08,
    0.055,
    0.035,
    0.018,
    0.009,
    0.004,
    0.001,
    0,
]
FVC = [0.05, 0.05, 0.05, 0.06, 0.08, 0.1, 0.13, 0.17, 0.22, 0.28, 0.34, 0.4, 0.46, 0.52, 0.56, 0.58, 0.56, 0.5, 0.42, 0.32, 0.22, 0.14, 0.08, 0.06]
EVEN = [1 / 24] * 24


def year(cover):
    """The same cover in all half-months, or one for each."""
    return xr.DataArray(np.broadcast_to(np.asarray(cover, np.float64), 24).copy(), dims="half_month")


def field(cover, rows=1, columns=1):
    return year(cover).expand_dims(y=rows, x=columns).transpose("half_month", "y", "x").copy()


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("csle_grass", [0.490569, 0.376260, 0.265714, 0.174288, 0.083638, 0.037324, 0.016081, 0.006820, 0.003834]),
        ("csle_shrub", [0.490463, 0.369393, 0.256857, 0.166714, 0.079504, 0.035542, 0.015403, 0.006583, 0.003722]),
    ],
)
def test_ratios_of_the_book(method, expected):
    found = [b_factor(fvc=year(cover), wr=EVEN, method=method).item() for cover in (0, 0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9, 1)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=6e-7)


@pytest.mark.parametrize(
    ("cover", "understorey", "expected"),
    [
        (0, 0, 0.428690), (0.5, 0, 0.402099), (1, 0, 0.358258), (0.5, 0.2, 0.198281), (0.6, 0.5, 0.05940555), (0.8, 0.5, 0.053586),
        (0.8, 0.8, 0.011247), (1, 1, 0.002119),
    ],
)  # fmt: skip
def test_forest_of_the_book(cover, understorey, expected):
    assert b_factor(fvc=year(cover), understorey=understorey, wr=EVEN, method="csle_forest").item() == pytest.approx(expected, abs=6e-7)


def test_the_worked_year_of_the_book():
    """Ratios first, then weights; the wrong ways give 0.242, 0.080, 0.204 and 0.042."""
    assert b_factor(fvc=year(FVC), wr=WR, method="csle_grass").item() == pytest.approx(0.09768501, abs=5e-9)
    assert b_factor(fvc=year(FVC), wr=WR, method="cai2000").item() == pytest.approx(0.089452, abs=5e-7)
    assert b_factor(fvc=year(FVC), wr=EVEN, method="csle_grass").item() == pytest.approx(0.242483, abs=5e-7)


def test_ndvi_by_its_bounds_is_cover():
    ndvi = field([0.05 + 0.81 * cover for cover in FVC])
    b = b_factor(ndvi=ndvi, wr=WR, method="csle_grass", ndvi_soil=0.05, ndvi_vegetation=0.86)
    assert b.item() == pytest.approx(0.09768501, abs=5e-9)
    assert (b.attrs["ndvi_soil"], b.attrs["ndvi_vegetation"], b.attrs["method_status"]) == (0.05, 0.86, "unchecked")


def test_weights_need_not_be_exact_and_may_differ_from_cell_to_cell():
    assert b_factor(fvc=year(FVC), wr=np.array(WR) * 1.0005, method="csle_grass").item() == pytest.approx(0.09768501, abs=5e-9)
    late = WR[-2:] + WR[:-2]
    wr = xr.DataArray(np.stack([WR, late], axis=1)[:, None, :], dims=("half_month", "y", "x"))
    found = b_factor(fvc=field(FVC, 1, 2), wr=wr, method="csle_grass").values[0]
    expected = [b_factor(fvc=year(FVC), wr=weights, method="csle_grass").item() for weights in (WR, late)]
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    no_rain = b_factor(fvc=field(FVC, 1, 2), wr=wr.where(wr.x == 0, 0.0), method="csle_grass").values[0]
    assert no_rain[0] == found[0]
    assert math.isnan(no_rain[1])


def test_weights_come_as_r_factor_gives_them():
    shares = xr.DataArray(WR, dims="half_month", coords={"half_month": np.arange(1, 25)}, attrs={"units": "1"})
    dataset = xr.Dataset({"R": 1500.0, "wr": shares})
    for wr in (shares, dataset):
        assert b_factor(fvc=year(FVC), wr=wr, method="csle_grass").item() == pytest.approx(0.09768501, abs=5e-9)


def test_a_half_month_without_weight_does_not_count_and_any_other_must_have_a_value():
    gap = field(FVC, 1, 2)
    gap[0, 0, 0] = gap[23, 0, 0] = np.nan  # no erosive rain falls then
    gap[12, 0, 1] = np.nan
    found = b_factor(fvc=gap, wr=WR, method="csle_grass").values[0]
    assert found[0] == pytest.approx(0.09768501, abs=5e-9)
    assert math.isnan(found[1])


def test_several_years_give_the_mean_of_their_ratios():
    first, second = field(0.1), field(0.7)
    both = xr.concat([first, second], "half_month")
    b = b_factor(fvc=both, wr=WR, method="csle_grass")
    means = [b_factor(fvc=year(cover), wr=WR, method="csle_grass").item() for cover in (0.1, 0.7)]
    assert b.item() == pytest.approx(sum(means) / 2, rel=1e-14)
    assert abs(b.item() - b_factor(fvc=year(0.4), wr=WR, method="csle_grass").item()) > 0.05
    assert b.attrs["years"] == 2


def test_understorey_by_half_month():
    below = np.linspace(0, 1, 24)
    expected = sum(w * (0.44468 * math.exp(-3.20096 * g) - 0.04099 * math.exp(0.6 - 0.6 * g) + 0.025) for w, g in zip(WR, below))
    assert b_factor(fvc=field(0.6), understorey=field(below), wr=WR, method="csle_forest").item() == pytest.approx(expected, rel=1e-12)
    two_years = xr.concat([field(0.6)] * 2, "half_month")
    assert b_factor(fvc=two_years, understorey=field(below), wr=WR, method="csle_forest").item() == pytest.approx(expected, rel=1e-12)


def test_each_land_use_by_its_curve_or_its_number():
    landcover = np.array([[1, 2, 3, 4, 5, np.nan, 2]])
    cover = field(FVC, 1, 7)
    cover[:, 0, [3, 6]] = np.nan
    table = pd.DataFrame({"code": [1, 2, 3, 4, 5], "slr": ["grass", "shrub", "forest", None, "cai2000"], "B": [None, None, None, 1.0, None]})
    found = b_factor(fvc=cover, wr=WR, method="csle_landuse", landcover=landcover, landuse=table, understorey=0.3).values[0]
    alone = [
        b_factor(fvc=year(FVC), wr=WR, method=method, **({"understorey": 0.3} if method == "csle_forest" else {})).item()
        for method in ("csle_grass", "csle_shrub", "csle_forest", "cai2000")
    ]
    # cropland needs no cover; no class, and a shrub without cover, stay nodata
    np.testing.assert_array_equal(found, [*alone[:3], 1.0, alone[3], np.nan, np.nan])
    mapping = {1: "grass", 2: "shrub", 3: "forest", 4: 1.0, 5: "cai2000"}
    again = b_factor(fvc=cover, wr=WR, method="csle_landuse", landcover=landcover, landuse=mapping, understorey=0.3, override={1: 0.5})
    np.testing.assert_array_equal(again.values[0], [0.5, *found[1:]])


def test_ratios_from_a_table():
    rows = [
        {"code": code, "half_month": h, "slr": slr}
        for code, slrs in ((7, np.linspace(0, 0.46, 24)), (9, [1.0] * 24))
        for h, slr in enumerate(slrs, 1)
    ]
    expected = sum(w * 0.02 * i for i, w in enumerate(WR))
    found = b_factor(landcover=np.array([[7, 9, 8]]), ratios=pd.DataFrame(rows), wr=WR, method="slr_table", override={8: 0.0})
    np.testing.assert_allclose(found.values, [[expected, 1.0, 0.0]], rtol=1e-13)


def test_table_and_override():
    landcover = np.array([[1.0, 2.0, np.nan]])
    np.testing.assert_array_equal(b_factor(landcover=landcover, table={1: 1.0, 2: 0.03}).values, [[1.0, 0.03, np.nan]])
    b = b_factor(fvc=field(FVC, 1, 3), wr=WR, method="csle_grass", landcover=landcover, override={1: 1.0})
    np.testing.assert_allclose(b.values, [[1.0, 0.09768501, np.nan]], atol=5e-9)
    assert b.attrs["overridden_classes"] == [1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fvc": None}, "needs ndvi= or fvc="),
        ({"ndvi": year(0.5)}, "one of them"),
        ({"wr": None}, "needs wr="),
        ({"wr": [0.5] * 24}, "add up to 12; expected 1"),
        ({"wr": [0.5, 0.5]}, "expected 24 half-months"),
        ({"wr": [-0.5, 1.5] + [0.0] * 22}, "wr .* is -0.5; expected 0 to 1"),
        ({"wr": [math.nan] * 24}, "wr .* is nan"),
        ({"fvc": year(0.5)[:23]}, "expected 24 layers along half_month"),
        ({"fvc": year(0.5).rename(half_month="time")}, "turn dates into half-months with half_month_ndvi"),
        ({"fvc": year(0.5).assign_coords(half_month=np.arange(24, 0, -1))}, r"expected 1 to 24, in this order"),
        ({"fvc": year(45.0)}, "fvc .* is 45; expected 0 to 1 .* percent"),
        ({"ndvi_soil": 0.05}, "it is cover already"),
        ({"understorey": 0.5}, "by csle_grass does not use understorey"),
        ({"method": "csle_forest"}, "needs understorey="),
        ({"method": "csle_forest", "understorey": 50.0}, "understorey .* is 50; expected 0 to 1"),
        ({"method": "csle_landuse"}, "needs landcover= and landuse="),
        ({"method": "csle_landuse", "landcover": 1, "landuse": {1: "forest"}}, "needs understorey= for class 1"),
        ({"method": "csle_landuse", "landcover": 2, "landuse": {1: "grass"}}, "the land-use table has no row for class 2"),
        ({"method": "csle_landuse", "landcover": 1, "landuse": {1: "meadow"}}, "slr 'meadow' for class 1; expected one of grass"),
        ({"method": "csle_landuse", "landcover": 1, "landuse": {1: 2.0}}, "B .* is 2 for class 1"),
        ({"method": "csle_landuse", "landcover": 1, "landuse": pd.DataFrame({"code": [1], "slr": ["grass"], "B": [0.1]})}, "exactly one of them"),
        ({"landcover": 1}, "together, or neither"),
        ({"method": "liu"}, "no method 'liu'; expected one of table, csle_landuse"),
        ({"method": "table"}, "by table does not use fvc, wr"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(given, message):
    arguments = {"fvc": year(0.5), "wr": WR, "method": "csle_grass", **given}
    with pytest.raises(InputError, match=message):
        b_factor(**{name: value for name, value in arguments.items() if value is not None})


def test_cover_and_land_use_on_different_grids_are_refused():
    place = {"y": [3e6, 3e6 - 30], "x": [5e5, 5e5 + 30]}
    cover = field(FVC, 2, 2).assign_coords(place)
    landcover = xr.DataArray(np.ones((2, 2)), dims=("y", "x"), coords={"y": place["y"], "x": [5e5 + 9, 5e5 + 39]})
    with pytest.raises(GridMismatchError, match="cover and landcover lie on different grids"):
        b_factor(fvc=cover, wr=WR, method="csle_landuse", landcover=landcover, landuse={1: "grass"})


def refuse_to_compute(*_args, **_kwargs):
    raise AssertionError("computed while the graph was built")


@pytest.mark.parametrize("per_cell", [False, True])
@pytest.mark.parametrize("method", [name for name in METHODS if name != "table"])
@given(rows=st.integers(1, 5), columns=st.integers(1, 5), tile=st.tuples(st.sampled_from([5, 24]), st.integers(1, 5), st.integers(1, 5)))
@settings(max_examples=4, deadline=None)
def test_lazy_equals_eager_on_any_tiling(method, per_cell, rows, columns, tile):
    random = np.random.default_rng(rows * 13 + columns)
    cover = xr.DataArray(random.uniform(0, 1, (24, rows, columns)).astype(np.float32), dims=("half_month", "y", "x"))
    under = cover.copy(data=random.uniform(0, 1, cover.shape))
    landcover = xr.DataArray(random.integers(1, 5, (rows, columns)).astype(np.uint8), dims=("y", "x"))
    ratios = pd.DataFrame([{"code": c, "half_month": h, "slr": c / 5} for c in range(1, 5) for h in range(1, 25)])
    wr = random.dirichlet(np.ones(24), (rows, columns)).transpose(2, 0, 1)
    shares = xr.DataArray(wr, dims=("half_month", "y", "x")) if per_cell else xr.DataArray(WR, dims="half_month")
    chunks = dict(zip(("half_month", "y", "x"), tile))

    def b(lazy):
        def cut(array):
            return array.chunk({d: chunks[d] for d in array.dims}) if lazy else array

        own = {
            "csle_landuse": {"landuse": {1: "grass", 2: "shrub", 3: "forest", 4: 1.0}, "understorey": cut(under), "landcover": cut(landcover)},
            "csle_forest": {"understorey": cut(under)},
            "slr_table": {"ratios": ratios, "landcover": cut(landcover)},
        }
        covered = {} if method == "slr_table" else {"fvc": cut(cover)}
        return b_factor(method=method, **covered, wr=cut(shares) if per_cell else shares, **own.get(method, {}))

    eager = b(False)
    with dask.config.set(scheduler=refuse_to_compute):
        lazy = b(True)
    assert dask.is_dask_collection(lazy)
    assert lazy.dtype == eager.dtype == lazy.compute().dtype == np.float64
    assert lazy.dims == eager.dims == ("y", "x")
    assert lazy.values.tobytes() == eager.values.tobytes()
    assert 0 <= eager.min().item() <= eager.max().item() <= 1


def test_the_tables_that_come_with_the_package_can_be_used():
    tables = configs_folder() / "tables"
    landuse = read_table(tables / "b_landuse.csv")
    codes = landuse["code"].to_numpy(np.float64)[None]
    cover = field(0.5, 1, codes.size)
    b = b_factor(fvc=cover, wr=WR, method="csle_landuse", landcover=codes, landuse=landuse, understorey=0.3)
    assert b.values[0, 0] == 1.0  # cropland takes T
    assert np.isfinite(b.values).all()
    assert set(landuse["status"]) <= {"verified", "unverified", "illustrative"}
    ranges = read_table(tables / "c_ranges.csv")
    assert np.isfinite(c_factor(landcover=codes, fvc=cover[0], ranges=ranges, method="panagos2015").values).all()
    maize = c_factor(landcover=1, calendar=read_table(tables / "crop_calendar.csv"), method="renard1997").item()
    assert 0.2 < maize < 0.6
