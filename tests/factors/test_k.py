"""K against the formula book's soils, its guards, and K from a soil table."""

import math

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import GridMismatchError, InputError
from rusle_engine.factors.k import k_factor, k_not_closed, soil_table_k

SOILS = {  # Appendix A, K-2: sand, silt, clay, organic carbon [%] and K in US units
    "A silt loam": (20, 65, 15, 0.5, 0.41823145),
    "B sandy loam": (65, 25, 10, 0.6, 0.24863285),
    "C clay": (20, 30, 50, 1.5, 0.2478199),
    "D sandy loess": (45, 45, 10, 0.3, 0.33664471),
    "E sand": (95, 3, 2, 0.2, 0.086387508),
}
NAMES = ("sand", "silt", "clay", "soc")


def plain_k(sand, silt, clay, carbon):
    fine = 1 - sand / 100
    return (
        0.1317
        * (0.2 + 0.3 * math.exp(-0.0256 * sand * (1 - silt / 100)))
        * (silt / (clay + silt)) ** 0.3
        * (1 - 0.25 * carbon / (carbon + math.exp(3.72 - 2.95 * carbon)))
        * (1 - 0.7 * fine / (fine + math.exp(-5.51 + 22.9 * fine)))
    )


def soil_map(rows=6, columns=5, seed=11):
    random = np.random.default_rng(seed)
    shares = random.dirichlet((2, 3, 1), (rows, columns)) * 100
    layers = [*np.moveaxis(shares, -1, 0), random.gamma(2, 0.5, (rows, columns))]
    coords = {"y": 4e6 - np.arange(rows) * 30.0, "x": 5e5 + np.arange(columns) * 30.0}
    return {name: xr.DataArray(layer, dims=("y", "x"), coords=coords, attrs={"units": "%"}) for name, layer in zip(NAMES, layers)}


@pytest.mark.parametrize("soil", SOILS)
def test_soils_of_the_book(soil):
    *contents, k_us = SOILS[soil]
    assert k_factor(**dict(zip(NAMES, contents))).item() == pytest.approx(0.1317 * k_us, rel=1e-7)


def test_every_cell_of_a_map_against_the_equation():
    layers = soil_map()
    k = k_factor(**layers)
    expected = [[plain_k(*(layers[name].values[i, j] for name in NAMES)) for j in range(5)] for i in range(6)]
    np.testing.assert_allclose(k.values, expected, rtol=4e-10)
    assert k.attrs["units"] == "t ha h ha-1 MJ-1 mm-1"
    assert k.attrs["method"] == "williams1990"


def test_organic_matter_is_1724_times_carbon():
    texture = {"sand": 20.0, "silt": 65.0, "clay": 15.0}
    assert k_factor(**texture, om=0.862).item() == pytest.approx(0.1317 * 0.41823145, rel=1e-7)
    assert k_factor(**texture, soc=0.862).item() == pytest.approx(0.1317 * 0.401333, rel=1e-5)  # the book's wrong way: another number


def test_carbon_in_grams_a_kilogram_is_converted_by_its_unit():
    k = k_factor(sand=20.0, silt=65.0, clay=15.0, soc=5.0, units={"soc": "g/kg"})
    assert k.item() == pytest.approx(0.1317 * 0.41823145, rel=1e-7)


def test_texture_as_declared_fractions_is_converted():
    k = k_factor(sand=0.20, silt=0.65, clay=0.15, soc=0.5, units={"sand": "1", "silt": "1", "clay": "1", "soc": "%"})
    assert k.item() == pytest.approx(0.1317 * 0.41823145, rel=1e-7)


@pytest.mark.parametrize(
    ("texture", "valid"),
    [
        ((20, 65, 15), True),
        ((20, 66, 15), True),  # 101: within 1
        ((20, 64, 15), True),
        ((20, 66.1, 15), False),
        ((20, 40, 15), False),
        ((100, 0, 0), False),  # neither silt nor clay: 0/0
        ((20, np.nan, 15), False),
    ],
)
def test_fractions_must_close(texture, valid):
    assert np.isfinite(k_factor(**dict(zip(NAMES, (*texture, 0.5)))).item()) == valid


def test_cells_that_do_not_close_can_be_counted():
    sand = np.array([[20.0, 20.0, np.nan, 100.0]])
    silt = np.array([[65.0, 40.0, 40.0, 0.0]])
    clay = np.array([[15.0, 15.0, 15.0, 0.0]])
    assert k_not_closed(sand=sand, silt=silt, clay=clay).values.tolist() == [[False, True, False, False]]
    assert k_not_closed(sand=sand, silt=silt, clay=clay, closure_tolerance_pct=25).sum() == 0


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ({"sand": 0.20, "silt": 0.65, "clay": 0.15}, "they are fractions. Declare units '1'"),
        ({"sand": 200.0, "silt": 650.0, "clay": 150.0}, r"sand \(sand content\) is 200; expected 0 to 100 \[%\]. If these are g/kg"),
        ({"sand": -9999.0}, "sand .* is -9999.*nodata code"),
        ({"soc": 65.0}, "soc .* is 65; expected 0 to 60"),
    ],
)
def test_contents_that_cannot_be_right_are_refused(contents, message):
    soil = {"sand": 20.0, "silt": 65.0, "clay": 15.0, "soc": 0.5}
    with pytest.raises(InputError, match=message):
        k_factor(**{**soil, **contents})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sand": 20.0, "silt": 65.0, "clay": 15.0}, "one of soc"),
        ({"sand": 20.0, "silt": 65.0, "clay": 15.0, "soc": 0.5, "om": 0.9}, "one of soc"),
        ({"silt": 65.0, "clay": 15.0, "soc": 0.5}, "needs sand, silt, clay"),
        ({"soil": 1.0}, "soil= and table= together"),
        ({"soil": 1.0, "table": {1: 0.03}, "sand": 20.0}, "given also: sand"),
    ],
)
def test_inputs_that_do_not_go_together_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        k_factor(**given)


def test_layers_on_different_grids_are_refused():
    layers = soil_map()
    layers["clay"] = layers["clay"].assign_coords(x=layers["clay"]["x"] + 30)
    with pytest.raises(GridMismatchError, match="sand and clay lie on different grids"):
        k_factor(**layers)


ROWS = {code: dict(zip(NAMES, SOILS[soil][:4])) for code, soil in ((1, "A silt loam"), (2, "B sandy loam"))}


def test_k_from_a_soil_table():
    codes = np.array([[1.0, 2.0, 7.0, np.nan]])
    k = k_factor(soil=codes, table={**ROWS, 7: 0.03})
    np.testing.assert_allclose(k.values, [[0.1317 * 0.41823145, 0.1317 * 0.24863285, 0.03, np.nan]], rtol=1e-7)


def test_a_soil_table_may_be_a_data_frame_with_carbon_in_any_of_its_forms():
    table = pd.DataFrame(
        {
            "code": [1, 2, 3, 4],
            "name": ["a", "b", "c", "d"],
            "sand": [20, 20, 20, np.nan],
            "silt": [65, 65, 65, np.nan],
            "clay": [15, 15, 15, np.nan],
            "soc": [0.5, np.nan, np.nan, np.nan],
            "soc_g_kg": [np.nan, 5.0, np.nan, np.nan],
            "om": [np.nan, np.nan, 0.862, np.nan],
            "k": [np.nan, np.nan, np.nan, 0.03],
        }
    )
    k = soil_table_k(table)
    assert [k[code] for code in (1, 2, 3)] == pytest.approx([0.1317 * 0.41823145] * 3, rel=1e-7)
    assert k[4] == 0.03


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({1: {"sand": 20, "silt": 40, "clay": 15, "soc": 0.5}}, "soil 1 of the table has sand 20, silt 40 and clay 15 %, together 75"),
        ({1: {"sand": 20, "silt": 65, "clay": 15}}, "soil 1 of the table: williams1990 needs sand, silt, clay and one of soc"),
        ({1: {"sand": "loam", "silt": 65, "clay": 15, "soc": 1}}, "soil 1 of the table has 'loam' for sand"),
        ({1: {"sand": 20, "silt": 65, "clay": 15, "soc": 80}}, "soil 1 of the table: soc .* is 80"),
        ({1: -0.01}, "K .* is -0.01 for class 1 of the table"),
        ({1: 0.32}, "K .* is 0.32 for class 1 of the table; .* US units"),
        (pd.DataFrame({"soil": [1], "k": [0.03]}), r"columns \['soil', 'k'\]"),
        (pd.DataFrame({"code": [1, 1], "k": [0.03, 0.04]}), "class 1 twice"),
    ],
)
def test_a_soil_table_that_cannot_be_right_names_the_soil(table, message):
    with pytest.raises(InputError, match=message):
        k_factor(soil=np.array([[1.0]]), table=table)


def test_a_soil_without_a_row_is_named_when_it_is_met():
    codes = xr.DataArray(np.array([[1.0, 2.0], [9.0, 5.0]]), dims=("y", "x")).chunk({"y": 1})
    k = k_factor(soil=codes, table=ROWS)
    with pytest.raises(InputError, match=r"the soil table has no row for class 5, 9 of the class raster \(it has 1, 2\)"):
        k.compute()


def refuse_to_compute(*_args, **_kwargs):
    raise AssertionError("computed while the graph was built")


@given(rows=st.integers(2, 12), columns=st.integers(2, 12), tile=st.tuples(st.integers(1, 12), st.integers(1, 12)))
@settings(max_examples=20, deadline=None)
def test_lazy_equals_eager_on_any_tiling(rows, columns, tile):
    layers = soil_map(rows, columns)
    before = {name: layer.copy(deep=True) for name, layer in layers.items()}
    eager = k_factor(**layers)
    with dask.config.set(scheduler=refuse_to_compute):
        lazy = k_factor(**{name: layer.chunk(dict(zip(("y", "x"), tile))) for name, layer in layers.items()})
    assert dask.is_dask_collection(lazy)
    assert lazy.dtype == eager.dtype == lazy.compute().dtype
    assert lazy.values.tobytes() == eager.values.tobytes()
    assert all(layers[name].identical(before[name]) for name in layers)


def test_k_does_not_depend_on_where_it_is():
    layers = soil_map()
    degrees = {n: a.assign_coords(y=39 - np.arange(6) / 3600, x=112 + np.arange(5) / 3600).rio.write_crs("EPSG:4490") for n, a in layers.items()}
    assert k_factor(**degrees).values.tobytes() == k_factor(**layers).values.tobytes()
