"""One factor from files, for the command line: options from the function's signature, values validated by the configuration's models."""

import logging
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import xarray as xr
from affine import Affine
from pydantic import ValidationError, create_model

from rusle_engine.core.errors import ConfigError, InputError, Problem
from rusle_engine.core.grid import Grid
from rusle_engine.factors.registry import own_methods
from rusle_engine.files.paths import refuse_replacing
from rusle_engine.files.rasters import RasterOutput, write_rasters
from rusle_engine.runs.config import FACTOR_KEYS, Config, Dem, LandCover, Project
from rusle_engine.runs.inputs import Inputs, Problems
from rusle_engine.runs.layer_blocks import QuantityLayers
from rusle_engine.runs.manifest import topography_entry
from rusle_engine.runs.method_blocks import FROM_RUN, add_own_methods, factor
from rusle_engine.runs.plan import Plan, Planner
from rusle_engine.runs.problems import problems_of
from rusle_engine.runs.progress import Progress
from rusle_engine.runs.series_blocks import QuantitySeries
from rusle_engine.runs.series_inputs import first_date
from rusle_engine.runs.signatures import Parameter, factor_function, function_of, own_function
from rusle_engine.runs.sources import ClassRaster, Factor, MethodBlock, QuantityRaster, Table
from rusle_engine.runs.statistics import observed, total
from rusle_engine.runs.yaml_reading import parse_yaml

log = logging.getLogger("rusle_engine")

_USAGE = 2
_TILE_CELLS = 1024
_METAVARS = {"raster": "FILE|NUMBER", "classes": "FILE", "table": "FILE.csv", "polygons": "FILE", "rain": "FILE.csv"}
_FILES_FROM_RUN = ("dem", "grid", "landcover")
"""What a run would supply, as the command takes it."""


@dataclass(frozen=True)
class Option:
    """One option of the command of a factor."""

    name: str
    flag: str
    metavar: str
    help: str


@dataclass(frozen=True)
class Found:
    """A computed factor, for a person and for JSON."""

    text: str
    values: dict[str, Any]


def summary_of(key: str) -> str:
    """The help of a factor's command."""
    return (
        f"{factor_function(key).summary}\n\nA value in braces is a block as in the configuration file, such as "
        "'{raster: soc.tif, units: g/kg}' or '{file: rain.csv, rain_column: PRCP}'."
    )


def options_of(key: str) -> list[Option]:
    """The options of a factor's command, in the order of the function's parameters."""
    options = {}
    own = [p for (factor_key, _), method in own_methods().items() if factor_key == key for p in own_function(method).parameters]
    known = {p.name for p in factor_function(key).parameters}
    for parameter in (*factor_function(key).parameters, *(p for p in own if p.name not in known)):
        name = "dem" if parameter.name == "theta" else parameter.name
        text = "Elevation, whose slope is taken." if parameter.name == "theta" else parameter.description.replace("``", "")
        if parameter.kind in ("option", "method") and parameter.default is not None and not parameter.required:
            text += f" Default: {parameter.default}."
        metavar = "|".join(_methods(key, parameter)) if parameter.kind == "method" else _metavar(parameter)
        options[name] = Option(name, "--" + name.replace("_", "-"), metavar, text)
    if "rain" in options:
        options["grid"] = Option("grid", "--grid", "FILE", "Raster on whose grid R of stations or of gridded rain is laid.")
        options["dem"] = Option("dem", "--dem", "FILE", "Elevation, in its place where R of stations is laid by external_drift.")
    return list(options.values())


def _methods(key: str, parameter: Parameter) -> list[str]:
    """What can be named as the factor's method."""
    by_method = list(factor(key).by_method)
    return by_method + [name for name in typing.get_args(parameter.annotation) if name not in by_method]


def compute_factor(key: str, given: Mapping[str, str], out: Path | None, *, progress: Progress) -> Found:
    """Compute one factor and write it, or give the number that it is.

    Parameters
    ----------
    key
        R, K, LS, C, P, E or T.
    given
        Texts by parameter name, as typed.
    out
        Raster to write; needed when the result is one.
    progress
        Is told of the tiles that are done.

    Raises
    ------
    ConfigError
        With every option that is wrong or missing (exit code 2, or 66 when only files are missing).
    """
    block, shared = _read(key, given)
    result, plan = _compute(key, block, shared["dem"], shared["landcover"], shared["grid"])
    variable = factor_function(key).variable
    if result.ndim < 2:
        if out is not None:
            raise _usage([Problem("--out", "the result is one number, not a raster; leave --out away")])
        return _number(key, float(result), plan.erosivity)
    if out is None:
        raise _usage([Problem("--out", "missing; the raster to write")])
    refuse_replacing(out, (path for entry in plan.inputs.noted for path in entry.paths))
    watched, records = observed(result)
    told = 0

    def tiles(done: int, of: int) -> None:
        nonlocal told
        cells = result.size * done // of
        progress.advance(cells - told)
        told = cells

    progress.start(key, result.size)
    written = write_rasters([RasterOutput(watched, out, variable)], [*records, *plan.flag_records], progress=tiles)
    progress.finish()
    statistics = total(written.records[: len(records)]).as_dict()
    if not statistics["valid_cells"]:
        log.warning(
            "%s has no value in any of its %d cells. Are they at least two in each direction, and is the nodata code right?", key, result.size
        )
    values = {"factor": key, "path": out, "units": variable.units, **statistics, "attributes": _plain(result.attrs)}
    topography = topography_entry(block, written.records[len(records) :])
    if topography is not None:
        shares = {name: share for name, share in topography.items() if name.endswith("_pct")}
        log.info("LS: cells by what shaped them: %s", ", ".join(f"{name.removesuffix('_pct')} {share:.2f} %" for name, share in shares.items()))
        values |= shares
    return Found(str(out), values)


def _read(key: str, given: Mapping[str, str]) -> tuple[Factor, dict[str, Any]]:
    """The options as the blocks of a configuration, validated; every problem at once."""
    engine = factor_function(key)
    method = given.get(engine.method_parameter, engine.parameter(engine.method_parameter).default)
    function = function_of(key, method)
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for name, text in given.items():
        try:
            values |= {} if name == engine.method_parameter else {name: _value(name, text, function.parameters)}
        except ConfigError as error:
            problems += [Problem(_flag(name), problem.message) for problem in error.problems]
    own = {name: value for name, value in values.items() if name not in FROM_RUN}
    own = _by_table(own) if method == "table" else {"method": method, **_no_limits(key, method, function.must_name), **own}
    kinds: dict[str, Any] = {"dem": Dem, "grid": Dem, "landcover": LandCover}
    fields: dict[str, Any] = {"factor": (Annotated[Factor, factor(key)], ...), **{name: (kind | None, None) for name, kind in kinds.items()}}
    add_own_methods()
    model = create_model("Command", **fields)
    raw = {"factor": own} | {name: values[name] for name in _FILES_FROM_RUN if name in values}
    try:
        read: Any = model.model_validate(raw, context={"folder": Path.cwd()})
    except ValidationError as error:
        raise _usage(problems + [_of_option(problem, engine.method_parameter) for problem in problems_of(error, model)]) from None
    if not problems:
        problems += _missing(read.factor, given)
    if problems:
        raise _usage(problems)
    return read.factor, {name: getattr(read, name) for name in _FILES_FROM_RUN}


def _no_limits(key: str, method: str, must_name: tuple[str, ...]) -> dict[str, None]:
    """What a run must name and a command need not."""
    block = factor(key).by_method.get(method)
    return {name: None for name in must_name if block is not None and block.model_fields[name].is_required()}


def _value(name: str, text: str, parameters: tuple[Parameter, ...]) -> Any:
    """A typed text as the configuration would have it."""
    parameter = next((p for p in parameters if p.name == name), None)
    kind = "raster" if parameter is None else parameter.kind
    is_block = text.lstrip().startswith(("{", "["))
    if kind in ("table", "rain"):
        return parse_yaml(text, _flag(name)) if is_block else text
    if kind in ("raster", "classes"):
        parsed = parse_yaml(text, _flag(name)) if is_block or _is_number(text) else text
        return {"raster": parsed} if isinstance(parsed, str | list) else parsed
    as_list = parameter is not None and not is_block and "Sequence" in str(parameter.annotation)
    return parse_yaml(f"[{text}]" if as_list else text, _flag(name))


def _is_number(text: str) -> bool:
    try:
        return np.isfinite(float(text))
    except ValueError:
        return False


def _by_table(own: dict[str, Any]) -> dict[str, Any]:
    """``table`` of a function as the block of a table."""
    table = own.pop("table", None)
    if isinstance(table, dict):
        columns = table.pop("columns", {})
        own |= {"table": table.pop("file", None), **table, **({"value_column": columns["value"]} if "value" in columns else {})}
    elif table is not None:
        own["table"] = table
    return own


def _missing(block: Factor, given: Mapping[str, str]) -> list[Problem]:
    """What the method needs beside its block, and what it has no use for."""
    needed = set(block.from_run) if isinstance(block, MethodBlock) else {"landcover"} if isinstance(block, Table) else set()
    needed = {"dem" if name == "theta" else name for name in needed}
    missing = [Problem(_flag(name), "missing; this method needs it") for name in _FILES_FROM_RUN if name in needed and name not in given]
    unused = [Problem(_flag(name), "this method does not use it") for name in _FILES_FROM_RUN if name in given and name not in needed]
    return missing + unused


def _compute(key: str, block: Factor, dem: Dem | None, landcover: LandCover | None, grid: Dem | None) -> tuple[xr.DataArray, Plan]:
    parts: dict[str, Any] = {**dict.fromkeys((*FACTOR_KEYS, "L", "S")), key: block, "dem": dem, "landcover": landcover}
    parts["project"] = Project.model_construct(name="")
    config = Config.model_construct(**parts)
    problems = Problems(collect=False)
    sources = [grid, dem, *(block.inputs.values() if isinstance(block, MethodBlock) else [block]), landcover]
    rasters = [source for source in sources if isinstance(source, Dem | QuantityRaster | ClassRaster)]
    rasters += [source.rasters[0] for source in sources if isinstance(source, QuantityLayers)]
    rasters += [first_date(source) for source in sources if isinstance(source, QuantitySeries) and not rasters]
    lead = next(iter(rasters), None)
    if lead is None:
        inputs = Inputs(Grid(1, 1, Affine(1.0, 0.0, 0.0, 0.0, -1.0, 0.0), None), ((1,), (1,)), problems)
    else:
        inputs = Inputs.led_by(lead if isinstance(lead, Dem) else Dem.model_construct(raster=lead.raster, band=lead.band), _TILE_CELLS, problems)
    plan = Plan(inputs.grid, inputs)
    result = Planner(config, problems).factor(plan, key, None if dem is None else inputs.elevation(dem))
    if result is None:
        raise InputError(f"{key} could not be computed from these inputs")
    return result, plan


def _number(key: str, value: float, erosivity: xr.Dataset | None) -> Found:
    if np.isnan(value):
        raise InputError(f"{key} has no value for these numbers. Do contents of the soil add up to 100 %, and are all values possible ones?")
    units = factor_function(key).variable.units
    values: dict[str, Any] = {"factor": key, "value": value, "units": units}
    if erosivity is not None:
        counts = {str(name): float(part) for name, part in erosivity.items() if part.ndim == 0 and name != key}
        values |= {"wr": [float(share) for share in erosivity["wr"]], **counts, "attributes": _plain(erosivity[key].attrs)}
    return Found(f"{value:.6g} {units}", values)


def _plain(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value.tolist() if isinstance(value, np.ndarray | np.generic) else value for name, value in attributes.items()}


def _metavar(parameter: Parameter) -> str:
    if parameter.name in FROM_RUN and parameter.kind == "raster":
        return "FILE"
    if parameter.kind in _METAVARS:
        return _METAVARS[parameter.kind]
    text = str(parameter.annotation)
    if typing.get_origin(parameter.annotation) is typing.Literal:
        return "|".join(typing.get_args(parameter.annotation))
    return "YAML" if "Mapping" in text else "NUMBER,…" if "Sequence" in text else "NUMBER" if "float" in text or "int" in text else "VALUE"


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _of_option(problem: Problem, method_parameter: str) -> Problem:
    """The place of a problem as the option that was typed."""
    parts = problem.where.removeprefix("factor").lstrip(".").partition(".")
    name = method_parameter if parts[0] == "method" else parts[0] or method_parameter
    return Problem(_flag(name) + (f" ({parts[2]})" if parts[2] not in ("", "raster", "file") else ""), problem.message, problem.exit_code)


def _usage(problems: list[Problem]) -> ConfigError:
    error = ConfigError("the command cannot run" if len(problems) == 1 else f"the command cannot run: {len(problems)} problems", problems)
    codes = {problem.exit_code for problem in problems}
    error.exit_code = _USAGE if ConfigError.exit_code in codes else problems[0].exit_code
    return error
