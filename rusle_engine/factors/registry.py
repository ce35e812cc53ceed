"""Formulas of one's own: a function of numbers, registered under a name, that a configuration can then name like any other method."""

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from rusle_engine.core import variables
from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import same_grid
from rusle_engine.core.lift import Tile, pointwise
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.variables import Raster, Units, Variable, units_of
from rusle_engine.factors.validation import validated

FACTORS: Mapping[str, Variable] = {
    "R": variables.EROSIVITY,
    "K": variables.ERODIBILITY,
    "LS": variables.TOPOGRAPHY,
    "C": variables.COVER,
    "P": variables.PRACTICE,
    "B": variables.BIOLOGICAL,
    "E": variables.ENGINEERING,
    "T": variables.TILLAGE,
}
QUANTITIES: Mapping[str, Variable] = {v.symbol: v for v in vars(variables).values() if isinstance(v, Variable)} | {"dem": variables.ELEVATION}
"""What an input may be, by the parameter's name."""

Formula = Callable[..., Any]
Limits = tuple[str, float, float]
"""Unit, least and greatest value of a quantity."""

_methods: dict[tuple[str, str], "OwnMethod"] = {}


@dataclass(frozen=True)
class OwnMethod:
    """A registered formula. ``inputs`` are its parameters without a default, ``options`` those with one."""

    factor: str
    name: str
    formula: Formula
    info: MethodInfo
    inputs: Mapping[str, Variable]
    options: Mapping[str, inspect.Parameter]

    @property
    def file(self) -> Path | None:
        """The file that the formula was written in; None for one that was typed in."""
        path = Path(inspect.getsourcefile(self.formula) or "")
        return path if path.is_file() else None

    def __call__(self, *, method: str = "", units: Units = None, **arguments: Any) -> xr.DataArray:  # noqa: ARG002 (as other factor functions)
        """The factor, in its unit and within its range; lazy when an input is.

        Raises
        ------
        InputError
            When an input is missing or in a wrong unit, and, where it is computed, when a value lies outside its range.
        """
        missing = [name for name in self.inputs if name not in arguments]
        if missing:
            raise InputError(f"{self.factor} by {self.name} needs {', '.join(f'{name}=' for name in missing)}")
        given = {name: variable.require(arguments[name], units_of(units, name)) for name, variable in self.inputs.items()}
        arrays = same_grid({name: validated(array, self.inputs[name]) for name, array in given.items()})
        options = {name: value for name, value in arguments.items() if name in self.options}

        def on_tile(*tiles_and_out: Tile) -> None:
            *tiles, out = tiles_and_out
            with np.errstate(all="ignore"):  # what comes out of its range is refused below
                values = np.asarray(self.formula(**dict(zip(self.inputs, tiles)), **options), np.float64)
            if values.shape not in ((), out.shape):
                raise InputError(f"{self.factor} by {self.name} gives {values.shape} values for {out.shape} cells; expected one for each")
            out[...] = values
            out[np.isnan(tiles).any(axis=0)] = np.nan

        variable = FACTORS[self.factor]
        result = validated(pointwise(on_tile, *arrays), variable)
        return variable.describe(result, method=self.name, **options, **self.info.provenance())


def register_method(
    factor: str,
    name: str | None = None,
    *,
    source: str,
    equation: str = "",
    valid_for: str = "",
    quantities: Mapping[str, Limits] | None = None,
) -> Callable[[Formula], Formula]:
    """Register a formula of one's own as a method of a factor; a decorator.

    The formula takes NumPy arrays of float64, one value for each cell, and gives one: arithmetic and NumPy functions, cell by cell. A
    parameter without a default is an input, and its name says which quantity it is (``sand``, ``soc``, ``ndvi``, ``theta``, ``landcover`` …),
    in the engine's unit and within its range. A parameter with a default is an option. Cells in which an input is NaN are NaN.

    Parameters
    ----------
    factor
        R, K, LS, C, P, B, E or T.
    name
        The method's name, by habit author and year; the function's own when not given.
    source
        Where the formula comes from; every record of a result cites it.
    equation
        The formula as text; the first line of the function's docstring when not given.
    valid_for
        What it holds for.
    quantities
        Inputs that the engine has no name for: unit, least and greatest value by parameter name.

    Returns
    -------
    callable
        The decorator, which gives the formula back as it is.

    Raises
    ------
    InputError
        When the factor or an input is not known, the name is taken by a method of the engine, or no input is left.

    Examples
    --------
    >>> @register_method("K", "station2024", source="our plots, 2024")
    ... def station(clay, soc, slope: float = 0.0005):
    ...     return 0.02 + slope * clay - 0.002 * soc
    """

    def register(formula: Formula) -> Formula:
        method = _read(factor, name or formula.__name__, formula, quantities or {}, source, equation, valid_for)
        _methods[factor, method.name] = method
        return formula

    return register


def _read(factor: str, name: str, formula: Formula, quantities: Mapping[str, Limits], source: str, equation: str, valid_for: str) -> OwnMethod:
    if factor not in FACTORS:
        raise InputError(f"{factor!r} is no factor; expected one of {', '.join(FACTORS)}")
    if not name.isidentifier():
        raise InputError(f"{name!r} is no name of a method; expected letters, digits and underscores, such as station2024")
    parameters = inspect.signature(formula).parameters
    loose = [p.name for p in parameters.values() if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY)]
    if loose:
        raise InputError(f"{factor} by {name} takes {', '.join(loose)}; expected parameters with names of their own")
    own = {key: Variable(key, units, key, key, (low, high), units) for key, (units, low, high) in quantities.items()}
    known = {**QUANTITIES, **own}
    inputs = [p.name for p in parameters.values() if p.default is p.empty]
    unknown = [parameter for parameter in inputs if parameter not in known]
    if unknown or not inputs:
        names = ", ".join(sorted(key for key in QUANTITIES if key not in FACTORS))
        seen = f"the inputs {', '.join(unknown)}, which are no quantities of the engine ({names})" if unknown else "no input"
        raise InputError(f"{factor} by {name} has {seen}. Give an option a default; name other quantities in quantities={{...}}.")
    first_line = (inspect.getdoc(formula) or "").split("\n")[0]
    info = MethodInfo(equation or first_line, source, tuple(inputs), FACTORS[factor].units, "own", "own", valid_for)
    options = {p.name: p for p in parameters.values() if p.default is not p.empty}
    return OwnMethod(factor, name, formula, info, {key: known[key] for key in inputs}, options)


def own_methods() -> Mapping[tuple[str, str], OwnMethod]:
    """Every registered method, by factor and name."""
    return dict(_methods)


def own_method(factor: str, name: str) -> OwnMethod | None:
    return _methods.get((factor, name))


def forget_methods() -> None:
    """Take back every registration."""
    _methods.clear()


def option_types(method: OwnMethod) -> dict[str, Any]:
    """The type of each option: as annotated, else that of its default."""
    hints = typing.get_type_hints(method.formula)
    return {name: hints.get(name, type(p.default) if p.default is not None else Raster) for name, p in method.options.items()}
