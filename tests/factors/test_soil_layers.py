"""Soils described layer by layer: weights by hand, K of the mean from the formula book, and every table that cannot be weighted refused."""

import logging

import numpy as np
import pandas as pd
import pytest

from rusle_engine.core.errors import InputError
from rusle_engine.factors.k import k_factor

LOAM = 0.055081  # the formula book's soil A by EPIC: 20/65/15, 0.5 % carbon
# 0-10 and 10-30 cm weigh 1/3 and 2/3 down to 30 cm: sand (14 + 2 * 23) / 3 = 20, silt (71 + 2 * 62) / 3 = 65, carbon (0.8 + 2 * 0.35) / 3 = 0.5
LAYERS = {
    "code": [1, 1, 1],
    "top_cm": [10, 0, 30],
    "bottom_cm": [30, 10, 60],
    "sand": [23, 14, 90],
    "silt": [62, 71, 5],
    "clay": [15, 15, 5],
    "soc": [0.35, 0.8, 0.1],
}


def k_of(rows, **options):
    return k_factor(soil=np.array([[1.0, np.nan]]), table=pd.DataFrame(rows), **options)


def test_contents_are_weighted_by_thickness_down_to_the_depth():
    k = k_of(LAYERS, depth_cm=30)
    np.testing.assert_allclose(k.values, [[LOAM, np.nan]], atol=5e-7)
    assert k.attrs["depth_cm"] == "0 to 30, weighted by thickness"
    assert k_of(LAYERS, depth_cm=10).values[0, 0] == k_factor(sand=14.0, silt=71.0, clay=15.0, soc=0.8).item()


def test_what_the_file_gives_in_other_columns_is_weighted_too():
    per_kg = {name: values for name, values in LAYERS.items() if name != "soc"} | {"soc_g_kg": [3.5, 8.0, 1.0], "name": ["B", "A", "C"]}
    np.testing.assert_allclose(k_of(per_kg, depth_cm=30).values[0, 0], LOAM, atol=5e-7)
    stated = {"code": [1, 1], "top_cm": [0, 20], "bottom_cm": [20, 40], "k": [0.03, 0.06]}
    assert k_of(stated, depth_cm=30).values[0, 0] == pytest.approx((20 * 0.03 + 10 * 0.06) / 30)


def test_codes_and_stones_are_those_of_the_uppermost_layer():
    # the formula book's nomograph soil (silt 55, very fine sand 10, clay 15, matter 1, s 2, p 3) in both layers, deeper codes otherwise
    rows = {"code": [1, 1], "top_cm": [0, 10], "bottom_cm": [10, 20], "sand": [30, 30], "silt": [55, 55], "clay": [15, 15], "om": [1, 1]}
    rows |= {"very_fine_sand": [10, 10], "structure": [2, 4], "permeability": [3, 6], "rock_cover": [20, 0]}
    k = k_of(rows, method="wischmeier1978", depth_cm=20).values[0, 0]
    assert k == pytest.approx(0.056164 * 0.670320, abs=5e-7)  # exp[-0.04 (20 - 10)]


def test_a_soil_that_ends_above_the_depth_has_the_mean_of_all_of_it(caplog):
    rows = {name: values[:2] for name, values in LAYERS.items()}
    with caplog.at_level(logging.WARNING, "rusle_engine"):
        np.testing.assert_allclose(k_of(rows, depth_cm=100).values[0, 0], LOAM, atol=5e-7)
    assert "1 of 1 soils end above 100 cm" in caplog.text


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {}, "state depth_cm"),
        ({}, {"depth_cm": 0.0}, "more than 0"),
        ({"top_cm": [12, 0, 30]}, {"depth_cm": 30}, "leave a part out: one begins at 12 cm where 10 is expected"),
        ({"top_cm": [8, 0, 30]}, {"depth_cm": 30}, "overlap: one begins at 8 cm"),
        ({"top_cm": [10, 2, 30]}, {"depth_cm": 30}, "begins at 2 cm where 0 is expected"),
        ({"bottom_cm": [10, 10, 60]}, {"depth_cm": 30}, "from 10 to 10 cm"),
        ({"bottom_cm": [np.nan, 10, 60]}, {"depth_cm": 30}, "without bottom_cm"),
        ({"soc": [np.nan, 0.8, 0.1]}, {"depth_cm": 30}, "no soc from 10 to 30 cm"),
        ({"sand": ["x", 14, 90]}, {"depth_cm": 30}, "'x' for sand"),
        ({"top_cm": ["surface", 0, 30]}, {"depth_cm": 30}, "'surface' for top_cm"),
    ],
)
def test_tables_that_cannot_be_weighted_are_refused(changes, options, message):
    with pytest.raises(InputError, match=message) as caught:
        k_of(LAYERS | changes, **options)
    assert "depth_cm" in str(caught.value) or "soil 1" in str(caught.value)


def test_a_depth_without_layers_is_refused():
    with pytest.raises(InputError, match="no columns top_cm and bottom_cm"):
        k_of({"code": [1], "k": [0.03]}, depth_cm=30)
    with pytest.raises(InputError, match="layers of a soil table"):
        k_factor(sand=20.0, silt=65.0, clay=15.0, soc=0.5, depth_cm=30)
