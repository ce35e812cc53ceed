"""RUSLE's sub-factors against a peer's published cases, and what is carried on through a year."""

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.factors import crop_calendar as calendar
from rusle_engine.factors.c import c_factor

DAYS = [15, 16, 15, 13, 15, 16, 15, 15, 15, 16, 15, 15, 15, 16, 15, 16, 15, 15, 15, 16, 15, 15, 15, 16]
WR = [0.0] * 8 + [0.05] * 4 + [0.1] * 8 + [0.0] * 4


def crop(code=1, **columns):
    """24 rows; a column is one value for all, or 24 of them."""
    return pd.DataFrame({"code": code, "half_month": range(1, 25), **columns})


def test_published_sub_factors():
    assert calendar.canopy_ratio(0.77, 0.49) == pytest.approx(0.34432154, abs=5e-9)
    assert calendar.roughness_mm(10.2, 35.41, 28.47) == pytest.approx(9.78125258, abs=5e-9)
    assert calendar.roughness_ratio(8.91884896) == pytest.approx(0.92923457, abs=5e-9)


def test_the_published_half_month():
    """14 days with 35.41 mm at 18.48 °C: 5000 kg/ha of residue, roughness 6.1 mm, canopy 0.905 at 0.15 m."""
    rate = calendar.residue_decay_rate(0.03, 35.41, 18.48)
    assert rate == pytest.approx(0.02500586, abs=5e-9)
    assert 5000 * math.exp(-14 * rate) == pytest.approx(3523.15134, abs=5e-6)
    rows = crop(canopy_cover=0.905, fall_height_m=0.15, roughness_mm=6.1, rain_mm=35.41, ei=109.22, temperature_c=18.48, residue_kg_m2=0.5,
                residue_cover_m2_kg=5.53, residue_decay=0.03)  # fmt: skip
    found = calendar.crop_soil_loss_ratios(rows).iloc[4]
    expected = {"cc": 0.13844841, "roughness_mm": 6.09949106, "sr": 0.99990924, "sc": 0.03764958, "slr": 0.00521205}
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=5e-9)


def test_residue_and_roughness_are_carried_over_the_end_of_the_year():
    stated = {20: 0.4}
    tilled = {23: 20.0}
    rows = crop(
        residue_kg_m2=[stated.get(h) for h in range(1, 25)],
        roughness_mm=[tilled.get(h) for h in range(1, 25)],
        residue_cover_m2_kg=5.0,
        residue_decay=0.02,
        rain_mm=30.0,
        temperature_c=15.0,
        ei=50.0,
    )
    found = calendar.crop_soil_loss_ratios(rows).set_index("half_month")
    rate = calendar.residue_decay_rate(0.02, 30.0, 15.0)
    assert found.loc[20, "residue_kg_m2"] == 0.4
    days = sum(DAYS[19:]) + sum(DAYS[:2])  # from the start of half-month 20 to that of 3
    assert found.loc[3, "residue_kg_m2"] == pytest.approx(0.4 * math.exp(-rate * days), rel=1e-12)
    since_tillage = 2 + 3  # half-months 23, 24, 1, 2, 3
    assert found.loc[3, "roughness_mm"] == pytest.approx(calendar.roughness_mm(20.0, 30.0 * since_tillage, 50.0 * since_tillage), rel=1e-12)
    assert found.loc[22, "roughness_mm"] == pytest.approx(calendar.roughness_mm(20.0, 30.0 * 24, 50.0 * 24), rel=1e-12)


def test_a_bare_smooth_field_has_the_ratio_one_and_a_stated_ratio_stays():
    np.testing.assert_array_equal(calendar.crop_soil_loss_ratios(crop())["slr"], np.ones(24))
    np.testing.assert_array_equal(calendar.crop_soil_loss_ratios(crop(slr=0.003, canopy_cover=0.9))["slr"], np.full(24, 0.003))
    half = calendar.crop_soil_loss_ratios(crop(surface_cover_pct=30.0, plu=0.8, sm=0.9))["slr"]
    np.testing.assert_allclose(half, np.full(24, 0.72 * math.exp(-0.035 * 30)), rtol=1e-14)


def test_c_is_the_mean_that_erosivity_weighs():
    rows = pd.concat([crop(1, slr=np.linspace(0, 0.46, 24)), crop(2, slr=0.01)])
    expected = sum(w * 0.02 * i for i, w in enumerate(WR)) / sum(WR)
    landcover = np.array([[1, 2, 5, np.nan]])
    c = c_factor(landcover=landcover, calendar=rows, wr=WR, method="renard1997", override={5: 0.0})
    np.testing.assert_allclose(c.values, [[expected, 0.01, 0.0, np.nan]], rtol=1e-13)
    assert c.attrs["formula"] == "C-8"
    own = c_factor(landcover=np.array([[1, 2]]), calendar=rows.assign(ei=[700 * w for w in WR] * 2), method="renard1997")
    np.testing.assert_allclose(own.values, [[expected, 0.01]], rtol=1e-13)


def test_weights_may_differ_from_cell_to_cell():
    rows = crop(1, slr=np.linspace(0, 0.46, 24))
    wr = np.zeros((24, 1, 2))
    wr[3, 0, 0] = wr[20, 0, 1] = 1.0
    c = c_factor(landcover=np.ones((1, 2)), calendar=rows, wr=xr.DataArray(wr, dims=("half_month", "y", "x")), method="renard1997")
    np.testing.assert_allclose(c.values, [[0.06, 0.40]], rtol=1e-13)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (crop(canopy_cover=0.5), "crop 1, half-month 1: canopy_cover without fall_height_m"),
        (crop(canopy_cover=50, fall_height_m=1), "canopy_cover is 50; expected 0 to 1"),
        (crop(canopy_cover="half", fall_height_m=1), "canopy_cover is 'half'"),
        (crop(residue_kg_m2=0.5, residue_decay=0.03, rain_mm=9, temperature_c=9), "residue without residue_cover_m2_kg"),
        (crop(residue_kg_m2=0.5, residue_cover_m2_kg=5), "which needs residue_decay, rain_mm and temperature_c"),
        (crop(residue_kg_m2=5000.0), "residue_kg_m2 is 5000.0; expected 0 to 10"),
        (crop(roughness_mm=10.0), "which needs rain_mm and ei"),
        (crop()[:20], "crop 1 has no row for half-month 21, 22, 23, 24"),
        (pd.concat([crop(), crop()]), "half-month 1 stands twice"),
        (crop().assign(half_month=range(24)), "half_month 0; expected whole numbers, 1 to 24 for the half-month"),
        (crop().drop(columns="code"), "expected code among them"),
    ],
)
def test_calendars_that_are_not_complete_are_refused(rows, message):
    with pytest.raises(InputError, match=message):
        calendar.crop_soil_loss_ratios(rows)


def test_a_calendar_without_a_climate_needs_weights_and_a_class_needs_rows():
    with pytest.raises(InputError, match="needs wr="):
        c_factor(landcover=1, calendar=crop(slr=0.1), method="renard1997")
    two = pd.concat([crop(1, slr=0.1, ei=5.0), crop(2, slr=0.1, ei=[1.0, 2.0] * 12)])
    with pytest.raises(InputError, match="different ei"):
        c_factor(landcover=1, calendar=two, method="renard1997")
    with pytest.raises(InputError, match="crop calendar table has no row for class 3"):
        c_factor(landcover=3, calendar=crop(slr=0.1), wr=WR, method="renard1997")
