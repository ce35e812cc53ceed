"""The configuration block of every method, built from its function's signature: inputs as sources, options with their own defaults."""

import re
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal

import xarray as xr
from pydantic import AfterValidator, BeforeValidator, Field, create_model, model_validator

from rusle_engine.core.errors import ConfigError, Problem
from rusle_engine.core.variables import Variable
from rusle_engine.factors.ls_presets import PRESETS, Preset
from rusle_engine.factors.registry import OwnMethod, own_methods
from rusle_engine.factors.tables import ClassTable
from rusle_engine.runs.layer_blocks import QuantityLayers
from rusle_engine.runs.line_blocks import BarrierLines, ChannelLines
from rusle_engine.runs.rain_blocks import Rain, Values
from rusle_engine.runs.series_blocks import QuantitySeries
from rusle_engine.runs.signatures import FactorFunction, Parameter, factor_function, own_function
from rusle_engine.runs.sources import (
    Block,
    ClassPolygons,
    ClassRaster,
    Constant,
    LinesSource,
    MethodBlock,
    OneOf,
    PolygonLayer,
    Quantity,
    QuantityRaster,
    RecordTable,
    Table,
    refused,
)

FROM_RUN = ("dem", "theta", "grid", "landcover")
"""Parameters that a run supplies: the DEM, its slope, the run's grid, and the land cover, each named once in the configuration."""

_ONLY_IN_PYTHON = (type(None), xr.DataArray, xr.Dataset)
_OVER_TIME = ("ndvi", "fvc", "understorey")
"""Quantities of cover, which may be given over time as well."""
_OF_LINES: Mapping[str, type[Block]] = {"channels": ChannelLines, "barriers": BarrierLines}
"""Codes that may be drawn from lines as well."""
_BY_DEPTH = ("sand", "silt", "clay", "soc", "om", "very_fine_sand")
"""Contents of the soil, which may be given layer by layer as well."""
_MEASURED = re.compile(r"_(m|m2|mm|cm|mm_h|h|min|days|degree|pct)$")
"""Names that end in the unit of a length, an area, a time, an angle or a share: none can be negative."""
_DATA_KINDS = ("raster", "classes", "table", "polygons", "rain")


def quantity(variable: Variable) -> OneOf:
    """A raster, a constant or a table of ``variable``."""
    return OneOf({"raster": QuantityRaster, "constant": Constant, "table": Table}, variable=variable)


@cache
def factor(key: str) -> OneOf:
    """A factor: what a quantity may be, or one of the methods that compute it; one object for each factor, which registered formulas join."""
    function = factor_function(key)
    methods: dict[str, type[Block]] = {name: _block(function, name) for name in function.methods if name != "table"}
    if key == "LS":
        practices = {name: preset for name, preset in PRESETS.items() if not preset.own_cell_in_area}
        methods |= {name: _practice(name, preset, methods[preset.options["length"]]) for name, preset in practices.items()}
    return OneOf(quantity(function.variable).by_key, methods, function.variable)


def add_own_methods() -> bool:
    """Let the factors' blocks take the formulas that are registered now, and no others; whether anything changed.

    Raises
    ------
    ConfigError
        When one has the name of a method of the engine.
    """
    registered = own_methods()
    gone = [key for key in _added if key not in registered]
    for key, name in gone:
        del factor(key).by_method[name], _added[key, name]
    new = {key: method for key, method in registered.items() if _added.get(key) is not method}
    for (key, name), method in new.items():
        if name in factor_function(key).methods:
            place = f"formula {name}" if method.file is None else str(method.file)
            raise ConfigError("a formula cannot be used", [Problem(place, f"{key} has a method {name!r} already; register yours under another name")])
        factor(key).by_method[name] = _block(own_function(method), name)
    _added.update(new)
    return bool(new or gone)


_added: dict[tuple[str, str], OwnMethod] = {}


def _block(function: FactorFunction, method: str) -> type[MethodBlock]:
    """The model of one method."""
    info = function.methods[method]
    parameters = [p for p in function.parameters_of(method) if p.kind != "method"]
    own = [p for p in parameters if p.name not in FROM_RUN]
    data = tuple(p.name for p in own if p.kind in _DATA_KINDS)
    alternatives = [text.split(" or ") for text in info.inputs]
    needed = [names for names in alternatives if set(names) <= set(data)]
    table_on_classes = tuple(p.name for p in own if p.kind in ("classes", "table")) if any(p.kind == "table" for p in own) else ()
    if any(name in names for name in table_on_classes for names in needed):  # the one way there is, not an alternative to another
        table_on_classes = ()
    by_land = "landcover" in info.inputs and function.landcover_with in info.inputs  # the method cannot do without the land cover

    def is_needed(parameter: Parameter) -> bool:
        if parameter.kind == "option":
            return parameter.name in function.must_name or (by_land and parameter.name == function.landcover_with)
        return [parameter.name] in needed and len(table_on_classes) < 2

    complete: Any = model_validator(mode="after")(_completeness(needed, table_on_classes))
    name: Any = Literal[method]
    model: type[MethodBlock] = create_model(
        f"{function.key}{''.join(part.capitalize() for part in method.split('_'))}",
        __base__=MethodBlock,
        __doc__=f"{info.equation}\n\nSource: {info.source}.",
        __validators__={"_complete": complete},
        method=(name, Field(description="The method's name.")),
        **{p.name: _field(p, function, needed=is_needed(p)) for p in own},
    )
    model._data = data
    model._method_parameter = function.method_parameter
    partners = {} if "landcover" in info.inputs else {"landcover": function.landcover_with}  # land cover goes with an option, or is always needed
    model._from_run = {p.name: partners.get(p.name) for p in parameters if p.name in FROM_RUN}
    return model


def _practice(name: str, preset: Preset, whole: type[Block]) -> type[Block]:
    """The model of a practice of LS: the block of its method, with the options of the practice in place of the method's defaults.

    What is read is the block of the method, every option stated.
    """
    without_limit = {"max_slope_length_m": None, **preset.options}

    def field(option: str) -> Any:
        told = whole.model_fields[option]
        return told.rebuild_annotation(), Field(default_factory=lambda: without_limit[option], description=told.description)

    def read(self: Block) -> Block:
        stated = {option: getattr(self, option) for option in whole.model_fields}
        return whole.model_construct(**{**stated, "method": preset.options["length"]})

    resolved: Any = model_validator(mode="after")(read)
    its_name: Any = Literal[name]
    model: Any = create_model(
        f"LS{''.join(part.capitalize() for part in name.split('_'))}Practice",
        __base__=whole,
        __doc__=f"{preset.stands_for}.",
        __validators__={"_resolved": resolved},
        method=(its_name, Field(description="The practice's name.")),
        **{option: field(option) for option in without_limit if option in whole.model_fields},
    )
    return typing.cast("type[Block]", model)


def _field(parameter: Parameter, function: FactorFunction, *, needed: bool) -> Any:
    """Annotation and field of one parameter: required when the method needs it, or when a run must say it even if it is null."""
    annotation = _annotation(parameter, function.variable)
    must_name = parameter.name in function.must_name
    if parameter.kind == "option" and _MEASURED.search(parameter.name):
        annotation = Annotated[annotation, AfterValidator(_not_negative)]
    description = parameter.description.replace("``", "") + (" A run must name it; null: none." if must_name else "")
    required = needed or parameter.required
    if parameter.kind in _DATA_KINDS and not required:
        annotation = annotation | None
    default = ... if required else None if parameter.kind in _DATA_KINDS else parameter.default
    return annotation, Field(default, description=description)


def _not_negative(value: Any) -> Any:
    if isinstance(value, int | float) and value < 0:
        raise refused(f"{value:g} seen; expected at least 0, or null where that means none")
    return value


def _annotation(parameter: Parameter, result: Variable) -> Any:
    if parameter.kind == "raster":
        if parameter.variable is None:
            raise TypeError(f"no quantity is known for the parameter {parameter.name!r}; add it to core/variables.py")
        if parameter.name in _OVER_TIME:
            over_time = OneOf({**quantity(parameter.variable).by_key, "series": QuantitySeries}, variable=parameter.variable)
            return Annotated[Quantity | QuantitySeries, over_time]
        if parameter.name in _BY_DEPTH:
            by_depth = OneOf({**quantity(parameter.variable).by_key, "layers": QuantityLayers}, variable=parameter.variable)
            return Annotated[Quantity | QuantityLayers, by_depth]
        return Annotated[Quantity, quantity(parameter.variable)]
    if parameter.kind == "table" and parameter.annotation in (ClassTable, ClassTable | None):  # of the factor itself, by class
        return Annotated[RecordTable, AfterValidator(lambda table: table.model_copy(update={"columns": {"value": result.symbol, **table.columns}}))]
    by_kind: dict[str, Any] = {
        "classes": _classes(parameter.name),
        "table": RecordTable,
        "polygons": PolygonLayer,
        "rain": Rain if parameter.name == "rain" else Values,
    }
    return by_kind[parameter.kind] if parameter.kind in by_kind else _readable(parameter.annotation)


def _classes(name: str) -> Any:
    """Codes in a raster or of polygons; barriers and channels drawn from lines as well."""
    blocks: dict[str, type[Block]] = {"raster": ClassRaster, "polygons": ClassPolygons}
    if name in _OF_LINES:
        blocks["lines"] = _OF_LINES[name]
    return Annotated[ClassRaster | ClassPolygons | LinesSource, OneOf(blocks)]


def _readable(annotation: Any) -> Any:
    """An option's annotation as plain YAML and JSON can write it: a list for a tuple, number keys that JSON turned into text."""
    origin, members = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is tuple:
        return Annotated[annotation, BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return Annotated[dict[members[0], members[1]], BeforeValidator(_with_number_keys)]  # type: ignore[valid-type]
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return list[members[0]]  # type: ignore[valid-type]
    if origin in (typing.Union, types.UnionType):
        rest = [_readable(member) for member in members if member not in _ONLY_IN_PYTHON]
        result: Any = rest[0]
        for member in rest[1:]:
            result = result | member
        return result | None if type(None) in members else result
    return annotation


def _with_number_keys(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {float(k) if isinstance(k, str) and re.fullmatch(r"-?\d+(\.\d+)?", k) else k: v for k, v in value.items()}


def _completeness(needed: list[list[str]], table_on_classes: tuple[str, ...]) -> Any:
    """A check that the inputs are all there: the method's own, or where it can take one a table on its class raster."""

    def complete(self: MethodBlock) -> MethodBlock:
        given = set(self.inputs)
        by_table = given & set(table_on_classes) if len(table_on_classes) == 2 else set()
        if by_table:
            if missing := set(table_on_classes) - given:
                raise refused(f"missing; {' and '.join(table_on_classes)} belong together", at=missing.pop())
            if extra := [name for names in needed for name in names if name in given]:
                raise refused(f"given together with {' and '.join(table_on_classes)}; keep one of the two ways", at=extra[0])
            return self
        for names in needed:
            if not given & set(names):
                raise refused(f"missing; {self.method} needs {', '.join(' or '.join(n) for n in needed)}", at=names[0])
            if len(given & set(names)) > 1:
                raise refused(f"given together with {' and '.join(sorted(given & set(names[1:])))}; keep one", at=names[0])
        return self

    return complete
