"""What the public factor functions take, read from their signatures and docstrings: the one list of options there is.

Configuration models (``method_blocks``) and commands (``cli.factor_commands``) are both made from it.
"""

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core import variables
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.variables import Raster, Variable
from rusle_engine.factors.registry import OwnMethod, option_types, own_method, own_methods

Kind = Literal["raster", "classes", "table", "polygons", "rain", "option", "method"]

_NOT_OFFERED = {"units", "components", "direction", "upslope_area", "cell_size_m"}
"""Parameters for plain arrays and for callers who bring their own routing; files declare all of it."""
_CLASSES = {"landcover", "soil", "rotation", "channels", "barriers", "types", "zones"}
_VARIABLES: dict[str, Variable] = {v.symbol: v for v in vars(variables).values() if isinstance(v, Variable)} | {
    "dem": variables.ELEVATION,
    "slope": variables.SLOPE_ANGLE,
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a public function."""

    name: str
    kind: Kind
    annotation: Any
    default: Any
    """``inspect.Parameter.empty`` where a value must be given."""
    description: str
    variable: Variable | None = None

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


@dataclass(frozen=True)
class FactorFunction:
    """A public function that computes one factor, with its methods."""

    key: str
    """The factor's letter, as in the configuration."""
    function: Callable[..., Any]
    methods: Mapping[str, MethodInfo]
    """The ones that can be named as the factor's method."""
    parameters: tuple[Parameter, ...]
    method_parameter: str
    """The parameter that takes the method's name."""
    variable: Variable
    must_name: tuple[str, ...]
    """Options that a run must name although the function has a default."""
    landcover_with: str | None
    """The parameter that ``landcover`` goes together with."""

    @property
    def summary(self) -> str:
        return (inspect.getdoc(self.function) or "").split("\n\n")[0].replace("\n", " ")

    def parameter(self, name: str) -> Parameter:
        return next(p for p in self.parameters if p.name == name)

    def parameters_of(self, method: str) -> tuple[Parameter, ...]:
        """What ``method`` takes: a parameter that only some methods take names them in its description."""
        others = {f"``{name}``" for name in self.methods if name != method}
        return tuple(
            p for p in self.parameters if f"``{method}``" in p.description or not any(name in p.description for name in others) or p.kind == "method"
        )


@dataclass(frozen=True)
class _Home:
    module: str
    function: str
    variable: Variable
    method_parameter: str = "method"
    must_name: tuple[str, ...] = ()
    landcover_with: str | None = None


_HOMES = {
    "R": _Home("r", "r_factor", variables.EROSIVITY),
    "K": _Home("k", "k_factor", variables.ERODIBILITY),
    "LS": _Home("ls", "ls_factor", variables.TOPOGRAPHY, "length", ("max_slope_length_m", "channel_area_m2")),
    "C": _Home("c", "c_factor", variables.COVER, landcover_with="override"),
    "B": _Home("b", "b_factor", variables.BIOLOGICAL, landcover_with="override"),
    "P": _Home("p", "p_factor", variables.PRACTICE, landcover_with="cropland"),
    "E": _Home("e", "e_factor", variables.ENGINEERING),
    "T": _Home("t", "t_factor", variables.TILLAGE, landcover_with="cropland"),
}
FACTORS = tuple(_HOMES)
variables_of_factors = {key: home.variable for key, home in _HOMES.items()}


@cache
def factor_function(key: str) -> FactorFunction:
    """The function of the factor ``key``: one of ``FACTORS``."""
    home = _HOMES[key]
    module = import_module(f"rusle_engine.factors.{home.module}")
    function = getattr(module, home.function)
    parameters = read_parameters(function, home.method_parameter)
    names = typing.get_args(typing.get_type_hints(function)[home.method_parameter])
    methods = {name: module.METHODS[name] for name in names}
    return FactorFunction(key, function, methods, parameters, home.method_parameter, home.variable, home.must_name, home.landcover_with)


def function_of(key: str, method: str) -> FactorFunction:
    """The function that computes the factor ``key`` by ``method``: a registered formula of that name, else the engine's."""
    own = own_method(key, method)
    return factor_function(key) if own is None else own_function(own)


def own_function(own: OwnMethod) -> FactorFunction:
    """A registered formula as a function of one method."""
    types_of_options = option_types(own)
    inputs = [
        Parameter(
            name, "classes" if name in _CLASSES else "raster", Raster, inspect.Parameter.empty, f"{variable.long_name} [{variable.units}].", variable
        )
        for name, variable in own.inputs.items()
    ]
    options = [
        Parameter(name, "option", types_of_options[name], p.default, f"Option of {own.name}, a formula of one's own.")
        for name, p in own.options.items()
    ]
    return FactorFunction(own.factor, own, {own.name: own.info}, (*inputs, *options), "method", variables_of_factors[own.factor], (), None)


def read_parameters(function: Callable[..., Any], method_parameter: str = "method") -> tuple[Parameter, ...]:
    """The parameters of ``function`` that a configuration or a command can give."""
    described = parameter_descriptions(function)
    annotations = typing.get_type_hints(function)
    return tuple(
        Parameter(
            name=p.name,
            kind="method" if p.name == method_parameter else _kind(p.name, annotations[p.name]),
            annotation=annotations[p.name],
            default=p.default,
            description=described.get(p.name, ""),
            variable=_VARIABLES.get(p.name),
        )
        for p in inspect.signature(function).parameters.values()
        if p.name not in _NOT_OFFERED
    )


def parameter_descriptions(function: Callable[..., Any]) -> dict[str, str]:
    """From the "Parameters" section of a numpydoc docstring: name → description on one line."""
    text = inspect.getdoc(function) or ""
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[^\n]*\n-+$|\Z)", text, flags=re.MULTILINE | re.DOTALL)
    described: dict[str, str] = {}
    if section:
        for names, body in re.findall(r"^(\w[^\n]*)\n((?:[ \t]+[^\n]*\n?|[ \t]*\n)*)", section[1], flags=re.MULTILINE):
            line = " ".join(body.split())
            described |= {name.strip(): line for name in names.split(" : ")[0].split(",")}
    return described


def _kind(name: str, annotation: Any) -> Kind:
    members = _members(annotation)
    if xr.Dataset in members:  # of another function of the engine; a file says it in numbers
        return "option"
    if gpd.GeoDataFrame in members:
        return "polygons"
    if pd.DataFrame in members:
        return "table"
    if pd.Series in members:
        return "rain"
    if xr.DataArray in members or np.ndarray in members:
        return "classes" if name in _CLASSES else "raster"
    return "option"


def _members(annotation: Any) -> set[Any]:
    """The types that an annotation allows, without their parameters."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return set().union(*(_members(member) for member in typing.get_args(annotation)))
    if origin is typing.Annotated:
        return _members(typing.get_args(annotation)[0])
    return {origin or annotation}


def method_rows() -> list[dict[str, Any]]:
    """Every method of every factor function, and the named parts of them, as ``rusle methods`` lists them.

    ``key`` is where a configuration says the name, such as ``R.method`` or ``LS.steepness``; empty where only Python has it.
    """
    rows = [
        {
            "factor": key,
            "key": _key_of(factor_function(key), name) or _nested(home.module, name),
            "method": name,
            **vars(info),
            "inputs": list(info.inputs),
        }
        for key, home in _HOMES.items()
        for name, info in _methods_and_parts(home.module).items()
    ]
    own = [
        {"factor": key, "key": f"{key}.method", "method": name, **vars(method.info), "inputs": list(method.info.inputs)}
        for (key, name), method in own_methods().items()
    ]
    return rows + own


def _methods_and_parts(module: str) -> Mapping[str, MethodInfo]:
    home = import_module(f"rusle_engine.factors.{module}")
    return {**home.METHODS, **getattr(home, "PARTS", {})}


def _nested(module: str, name: str) -> str:
    """The key of a method that a block of the configuration names, not a parameter of the function."""
    keys: Mapping[str, str] = getattr(import_module(f"rusle_engine.factors.{module}"), "NESTED_KEYS", {})
    return keys.get(name, "")


def _key_of(function: FactorFunction, name: str) -> str:
    for parameter in function.parameters:
        if name in _choices(parameter.annotation):
            return f"{function.key}.{'method' if parameter.name == function.method_parameter else parameter.name}"
    return ""


def _choices(annotation: Any) -> set[Any]:
    """The values that an annotation lists, those of unions included."""
    members = typing.get_args(annotation)
    return set(members) if typing.get_origin(annotation) is Literal else {choice for member in members for choice in _choices(member)}
