"""Values that cannot be right are found where they are read: tile by tile, while the result is computed, in no extra pass."""

from typing import Any, get_args

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Tile, pointwise
from rusle_engine.core.variables import Variable
from rusle_kernels import tables

_ROUNDING = 1e-6
"""Values this far beyond a limit are the rounding of a float32 raster."""


def validated(array: xr.DataArray, variable: Variable) -> xr.DataArray:
    """The same values, held to the variable's valid range; NaN passes.

    Parameters
    ----------
    array
        Values in the variable's unit (see ``Variable.require``). Lazy stays lazy.
    variable
        The quantity, with its range.

    Returns
    -------
    DataArray
        Equal to ``array``, dtype kept.

    Raises
    ------
    InputError
        At once for an array in memory, else when a tile that holds such a value is computed: naming the quantity, the value and the range.
    """

    def check(tile: Tile, out: Tile) -> None:
        require_within(tile, variable)
        out[...] = tile

    checked = pointwise(check, array, dtype=array.dtype, input_dtypes=[array.dtype])
    return checked.rename(array.name).assign_attrs(array.attrs)


def require_within(tile: np.ndarray[Any, Any], variable: Variable) -> None:
    """Refuse a two-dimensional tile with a value outside the variable's valid range (InputError)."""
    lower, upper = variable.valid_range
    first = tables.first_outside(tile, lower - _ROUNDING, upper + _ROUNDING)
    if first >= 0:
        raise InputError(out_of_range(variable, float(tile.flat[first])))


def refuse_unused(function: str, method: str, **arguments: object) -> None:
    """Refuse arguments that the method does not use, rather than drop them silently (InputError)."""
    given = [name for name, value in arguments.items() if value is not None]
    if given:
        raise InputError(f"{function} by {method} does not use {', '.join(given)}; leave it out, or choose another method")


def require_choice(name: str, value: object, choices: Any) -> None:
    """Refuse a ``value`` of the parameter ``name`` that is not one of ``choices``, a Literal (InputError)."""
    if value not in get_args(choices):
        raise InputError(f"{name} is {value!r}; expected one of {', '.join(map(repr, get_args(choices)))}")


def out_of_range(variable: Variable, value: float, where: str = "") -> str:
    """The message for a value outside its range: what was seen, what is allowed, and the way out."""
    lower, upper = variable.valid_range
    allowed = f"{lower:g} or more" if np.isinf(upper) else f"{lower:g} to {upper:g}"
    message = f"{variable.symbol} ({variable.long_name}) is {value:g}{where}; expected {allowed} [{variable.units}]."
    return f"{message} {way_out_of_range(variable, value)}"


def way_out_of_range(variable: Variable, value: float) -> str:
    """What may be the matter with a value outside the variable's range, and what to do."""
    lower, upper = variable.valid_range
    if variable.symbol == "ndvi" and abs(value) > 2:
        return "NDVI stored as scaled integers must be multiplied by its scale (0.0001 for MOD13Q1), its fill value made nodata."
    if value < lower:
        return "Is it a nodata code that is not declared? Declare it, or correct the value."
    if (lower, upper) == (0.0, 1.0) and value <= 100:
        return "If these are percent, declare units '%'; else correct the value."
    if variable.units == "%":
        return "If these are g/kg, declare units 'g/kg'; else correct the value."
    if variable.symbol == "K" and value <= 1:
        return "A K this high is almost surely in US units: declare units 'US K'; else correct the value."
    return "Check its unit and its nodata code."
