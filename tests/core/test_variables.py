"""Units are compared by meaning, converted by name and never guessed."""

import numpy as np
import pytest
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.variables import (
    ELEVATION,
    ERODIBILITY,
    EROSIVITY,
    ORGANIC_CARBON,
    SLOPE_ANGLE,
    SOIL_LOSS,
    canonical_units,
    conversion_factor,
)


def array(value, units=None):
    return xr.DataArray(np.full((2, 3), float(value)), dims=("y", "x"), attrs={} if units is None else {"units": units})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mm/day", "mm d-1"),
        ("percent", "%"),
        ("g/kg", "g kg-1"),
        ("fraction", "1"),
        ("metres", "m"),
        ("MJ·mm/(ha·h·a)", "MJ mm ha-1 h-1 yr-1"),
        ("t·hm2·h/(hm2·MJ·mm)", "t ha h ha-1 MJ-1 mm-1"),
        ("t/km2/a", "t km-2 yr-1"),
    ],
)
def test_spellings_of_one_unit(one, other):
    assert canonical_units(one) == canonical_units(other) == other


@pytest.mark.parametrize(
    ("variable", "value", "units", "expected"),
    [
        (EROSIVITY, 100.0, "hundreds of ft tonf in acre-1 h-1 yr-1", 1701.95),  # 17.0195, science book 0.2
        (ERODIBILITY, 0.3, "US K", 0.0395142),  # 0.131714
        (SOIL_LOSS, 250.0, "t/km2/yr", 2.5),
        (ORGANIC_CARBON, 12.0, "g/kg", 1.2),
        (SLOPE_ANGLE, 180.0, "degrees", np.pi),
    ],
)
def test_conversion_by_name(variable, value, units, expected):
    converted = variable.require(array(value, units))
    assert converted.attrs["units"] == variable.units
    np.testing.assert_allclose(converted.values, expected, rtol=1e-12)


def test_us_factors_close_on_us_tons():
    # R(US) x K(US) gives short tons an acre, 2.2417 t/ha each; the three published factors must agree
    assert conversion_factor("US R", EROSIVITY.units) * conversion_factor("US K", ERODIBILITY.units) == pytest.approx(2.2417, rel=1e-4)


def test_feet_are_not_metres():
    with pytest.raises(InputError, match=r"elevation.*'feet'.*expected 'm'"):
        ELEVATION.require(array(300, "feet"))


def test_an_undeclared_angle_is_refused():
    with pytest.raises(InputError, match=r"no units; expected 'rad'"):
        SLOPE_ANGLE.require(array(10))


def test_a_contradiction_is_refused():
    with pytest.raises(InputError, match=r"'%'.*'g/kg'"):
        ORGANIC_CARBON.require(array(1, "%"), units="g/kg")


def test_the_caller_s_array_is_not_touched():
    given = array(12, "g/kg")
    before = given.copy(deep=True)
    ORGANIC_CARBON.require(given)
    assert given.identical(before)


def test_plain_numbers_and_arrays_are_taken_in_the_variable_s_unit():
    assert EROSIVITY.require(1500.0).item() == 1500.0
    assert EROSIVITY.require(np.ones((2, 2))).dims == ("y", "x")
