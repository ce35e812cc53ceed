"""The configuration of a run: one model, read from a YAML file, with every error at once.

The blocks of the factors are built from the signatures of the factor functions (``method_blocks``), so that every option of the Python
API can be said in the file, and nothing else.
"""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from rusle_engine.core.errors import ConfigError, Problem
from rusle_engine.core.memory import parse_bytes
from rusle_engine.core.variables import ELEVATION, LENGTH, STEEPNESS, TOLERANCE
from rusle_engine.runs.method_blocks import add_own_methods, factor, quantity
from rusle_engine.runs.overrides import with_overrides
from rusle_engine.runs.problems import problems_of
from rusle_engine.runs.rules import rule_problems
from rusle_engine.runs.sources import (
    Block,
    ClassRaster,
    ExistingFile,
    ExistingLayer,
    Factor,
    LengthTimesSteepness,
    MethodBlock,
    OneOf,
    OutputFolder,
    Quantity,
    QuantityRaster,
    Rasters,
    convertible_to,
    refused,
)
from rusle_engine.runs.yaml_reading import read_yaml

log = logging.getLogger("rusle_engine")


ZoneId = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) and not isinstance(value, bool) else value)]
"""The id of a zone; a number without quotes is meant as its digits."""


class Project(Block):
    """What the run is called, and what its report says about it."""

    name: str = Field(min_length=1)
    """Title of the run, in English or as it is."""
    name_zh: str | None = None
    """Chinese title; null: the same as name."""
    year: int | None = Field(None, ge=1900, le=2200)
    """The year that the land cover and the measures stand for."""
    note: str = ""
    """A remark for the report: where the data come from, what to beware of."""
    illustrative: bool = False
    """true: every title and the report say that the result is illustrative."""
    language: Literal["zh", "en"] = "zh"
    """Language in which the report opens; it can be switched on the page."""


class Dem(Block):
    """The elevation model; its grid is the run's grid."""

    raster: Rasters
    """A file, a list of tiles, or a glob; tiles are taken as one mosaic."""
    units: Annotated[str, convertible_to(ELEVATION)] | None = None
    """Unit of the heights; null: what the file declares, else m."""
    crs: str | None = None
    """CRS of a file that states none, such as EPSG:4490."""
    band: int = Field(1, ge=1)
    """Which band of the file."""
    shows_terraces: bool | None = None
    """true: the heights show the treads of terraces, so that LS has their effect already and E and a P of terraces are refused; null: not known."""


class LandCover(ClassRaster):
    """The land-cover map, for tables by class and for the land-use rule."""

    assessed_as_slight: list[int] = Field(default_factory=list)
    """Land-use rule: codes of water, built-up land and rock, which count as class 1 (微度) where a factor has no value."""


class Intensity(Block):
    """Classes of SL 190-2007."""

    tolerance_t_km2: Annotated[Quantity, quantity(TOLERANCE)]
    """Tolerable soil loss [t km-2 yr-1], the limit between slight and light: a number, a raster or a table by class."""


class LandArea(Block):
    """Official land area of every zone; areas from cells are scaled by it (面积平差)."""

    table: ExistingFile
    """CSV file with one row for every zone."""
    id_column: str = "zone_id"
    """Column of the zone ids."""
    area_column: str = "land_area_km2"
    """Column of the areas [km²]."""
    source: str = Field(min_length=1)
    """Where the areas come from, with the version; the report cites it."""
    encoding: str | None = None
    """Text encoding of the file, such as gbk; null: UTF-8, else GB18030."""


class ZoneLayer(Block):
    """Zones as polygons; they may nest and overlap, each is counted on its own."""

    file: ExistingLayer
    """GeoPackage, Shapefile, GeoJSON or FileGDB."""
    layer: str | None = None
    """Layer in the file; null: its only one."""
    id_field: str | None = None
    """Field that becomes zone_id; null: zone_id, else the row number."""
    name_field: str | None = None
    """Field that becomes zone_name; null: zone_name, else the id."""
    encoding: str | None = None
    """Text encoding of Shapefile attributes, such as gbk; null: what the .cpg file says."""
    crs: str | None = None
    """CRS of a file that states none, such as EPSG:4490."""
    headline_zone: ZoneId | None = None
    """zone_id whose figures head the report; null: the zone that holds all, else all together."""
    land_area: LandArea | None = None
    """Official land area of the zones; null: the area of the polygons."""


class ZoneRaster(Block):
    """Zones as a class raster: every code is a zone."""

    raster: Rasters
    """A file, a list of tiles, or a glob; tiles are taken as one mosaic."""
    resampling: Literal["mode", "nearest"] = "nearest"
    """How codes come to the run's grid."""
    band: int = Field(1, ge=1)
    """Which band of the file."""
    names: ExistingFile | None = None
    """CSV file with the names of the codes; null: the code is the name."""
    code_column: str = "code"
    """Column of the codes in names."""
    name_column: str = "name"
    """Column of the names in names."""
    encoding: str | None = None
    """Text encoding of names, such as gbk; null: UTF-8, else GB18030."""
    headline_zone: ZoneId | None = None
    """zone_id whose figures head the report; null: all zones together."""
    land_area: LandArea | None = None
    """Official land area of the zones; null: the area of the cells."""


class Target(Block):
    """The conservation rate that the headline is held against."""

    conservation_rate_pct: float = Field(ge=1, le=100)
    """Target of the 水土保持率 [%], 1 to 100; not a fraction."""
    year: int | None = Field(None, ge=1900, le=2200)
    """The year that the target is set for."""
    source: str = ""
    """Who set it, and where it stands."""


class Output(Block):
    """Where the results go and how they are stored."""

    folder: OutputFolder
    """Folder of the run: rasters/, tables/, report.html, logs/, run.json."""
    compression: Literal["deflate", "zstd"] = "deflate"
    """Compression of the rasters; deflate opens everywhere, zstd is faster."""
    overviews: bool = True
    """Coarser copies inside the rasters, so that maps show at once; false: smaller files, sooner."""
    report: bool = True
    """false: no report.html."""


def _size(value: Any) -> Any:
    if value is not None:
        try:
            parse_bytes(value)
        except (ConfigError, TypeError, AttributeError):
            raise refused(f"{value!r} is not a size; expected for example '8 GiB', '500 MB' or a number of bytes") from None
    return value


class Compute(Block):
    """Tiles, workers and memory; the results do not depend on them."""

    tile_cells: int | None = Field(None, ge=64, le=16384)
    """Side of a tile [cells]; null: 1024, and 2048 for 50 million cells and more where the memory budget allows."""
    threads: int | None = Field(None, ge=1)
    """Threads that work at once, shared out among the workers where there are any; null: all that this process may use."""
    workers: int | None = Field(None, ge=1)
    """Processes of this machine that do the work; null: threads of this process."""
    scheduler: str | None = None
    """Address of a dask scheduler whose workers do the work, such as tcp://10.0.0.5:8786; null: this machine."""
    memory_budget: Annotated[str | int | None, BeforeValidator(_size)] = None
    """Most memory for one step, such as '8 GiB'; null: a share of what is free."""
    scratch: OutputFolder | None = None
    """Folder for intermediates that do not fit into the memory budget; they are removed. Null: the output folder."""

    @model_validator(mode="after")
    def _one_engine(self) -> "Compute":
        if self.workers is not None and self.scheduler is not None:
            raise refused("workers and scheduler are both given; name one: workers for processes of this machine, scheduler for a cluster")
        return self


Equation = Literal["RUSLE", "CSLE"]
FACTOR_KEYS = ("R", "K", "LS", "C", "P", "B", "E", "T")
"""In the order of the product; a run has C and P (RUSLE), or B, E and T (CSLE)."""


class Config(Block):
    """One run of rusle_engine. Paths are relative to the configuration file. The factors that are there tell the equation."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"title": "RUSLE", "required": ["C", "P"]}, {"title": "CSLE", "required": ["B", "E", "T"]}],
            "anyOf": [{"required": ["LS"]}, {"required": ["L", "S"]}],
        }
    )

    schema_version: Literal[1]
    """Version of this layout."""
    project: Project
    """Title, year, language."""
    dem: Dem | None = None
    """Elevation; needed wherever LS or P is computed from terrain."""
    landcover: LandCover | None = None
    """Land-cover map; needed by tables and overrides by land cover."""
    R: Annotated[Factor, factor("R")]
    """Rainfall erosivity [MJ mm ha-1 h-1 yr-1]."""
    K: Annotated[Factor, factor("K")]
    """Soil erodibility [t ha h ha-1 MJ-1 mm-1]."""
    LS: Annotated[Factor, factor("LS")] | None = None
    """Slope length and steepness [1]; null: L and S are given apart."""
    L: Annotated[Quantity, quantity(LENGTH)] | None = None
    """Slope length [1] computed elsewhere, together with S and in place of LS."""
    S: Annotated[Quantity, quantity(STEEPNESS)] | None = None
    """Slope steepness [1] computed elsewhere, together with L and in place of LS."""
    C: Annotated[Factor, factor("C")] | None = None
    """Cover and management [1], with P: RUSLE."""
    P: Annotated[Factor, factor("P")] | None = None
    """Support practice [1], with C: RUSLE."""
    B: Annotated[Factor, factor("B")] | None = None
    """Biological practice [1], 1 on cropland; with E and T: CSLE."""
    E: Annotated[Factor, factor("E")] | None = None
    """Engineering practice [1], 1 without a measure; with B and T: CSLE."""
    T: Annotated[Factor, factor("T")] | None = None
    """Tillage practice [1], 1 on all land but cropland; with B and E: CSLE."""
    intensity: Intensity
    """Classes of SL 190-2007."""
    zones: Annotated[ZoneLayer | ZoneRaster, OneOf({"file": ZoneLayer, "raster": ZoneRaster})] | None = None
    """Zones of the tables; null: the whole grid is one zone."""
    target: Target | None = None
    """Target of the conservation rate."""
    output: Output
    """Where the results go."""
    compute: Compute = Compute()
    """Tiles, threads and memory."""

    _folder: Path = PrivateAttr(default_factory=Path.cwd)

    @property
    def folder(self) -> Path:
        """The folder that paths were relative to."""
        return self._folder

    @property
    def equation(self) -> Equation:
        """Which equation the factors that are there belong to."""
        return "RUSLE" if {"C", "P"} & self.factors.keys() else "CSLE"

    @property
    def factors(self) -> dict[str, Factor]:
        """The factors by their letters, in the order of the product; L and S, where they are given apart, are the factor LS."""
        blocks: dict[str, Factor | None] = {key: getattr(self, key) for key in FACTOR_KEYS}
        if self.L is not None and self.S is not None:
            blocks["LS"] = LengthTimesSteepness.model_construct(L=self.L, S=self.S)
        return {key: block for key, block in blocks.items() if block is not None}

    @property
    def grid_source(self) -> Dem | QuantityRaster:
        """The raster whose grid is the run's: the DEM, else the first factor that is a raster in the order LS, L, S, K, C, B, R, P, E, T."""
        given = [getattr(self, key) for key in ("LS", "L", "S", "K", "C", "B", "R", "P", "E", "T")]
        return self.dem or next(block for block in given if isinstance(block, QuantityRaster))

    def resolved(self) -> dict[str, Any]:
        """Everything, defaults included, as plain JSON that can be read as a configuration again; paths from the configuration's folder."""
        return _relative(self.model_dump(mode="python"), self._folder)

    def defaults(self) -> dict[str, Any]:
        """What was left to its default: dotted key → value; a factor that is not there is none, for the other equation has it."""
        absent = {key for key in (*FACTOR_KEYS, "L", "S") if getattr(self, key) is None}
        return {key: value for key, value in _defaults(self, "") if key not in absent}


def read_config(values: Mapping[str, Any], folder: Path) -> Config:
    """The configuration that ``values`` say, paths relative to ``folder``.

    Raises
    ------
    ConfigError
        With every problem that can be known without opening the data files.
    """
    problems: list[Problem] = []
    config: Config | None = None
    if add_own_methods():
        Config.model_rebuild(force=True)
    try:
        config = Config.model_validate(values, context={"folder": folder})
    except ValidationError as error:
        problems += problems_of(error, Config)
    known = {problem.where for problem in problems}
    problems += [problem for problem in rule_problems(values) if problem.where not in known]
    if problems or config is None:
        raise config_error("the configuration", problems)
    config._folder = folder
    return config


def load_config(path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Config:
    """Read a configuration file.

    Parameters
    ----------
    path
        YAML file (UTF-8); paths in it are relative to its folder.
    overrides
        ``key=value`` texts, applied before anything is checked: dotted keys, values in YAML, such as ``C.constant=0.2``.

    Returns
    -------
    Config
        Complete, with defaults; what was left to a default is logged.

    Raises
    ------
    MissingInputError
        When there is no such file.
    ConfigError
        With every problem at once: ``error.problems``.
    """
    file = Path(os.path.abspath(path))  # noqa: PTH100  (resolve() would follow links)
    values, problems = with_overrides(read_yaml(file), overrides)
    try:
        config = read_config(values, file.parent)
    except ConfigError as error:
        raise config_error(str(file), [*problems, *error.problems]) from None
    if problems:
        raise config_error(str(file), problems)
    for key, value in config.defaults().items():
        log.info("default: %s = %s", key, value)
    return config


def schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of the configuration file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(),
        "title": "rusle_engine configuration",
    }


def exit_code_of(problems: Iterable[Problem]) -> int:
    """What a command ends with: 78 when the configuration itself is wrong, else the code of the first problem."""
    codes = [problem.exit_code for problem in problems]
    return ConfigError.exit_code if ConfigError.exit_code in codes or not codes else codes[0]


def config_error(source: str, problems: Sequence[Problem]) -> ConfigError:
    """All that is wrong with what ``source`` names, as one error with the exit code that fits."""
    error = ConfigError(f"{source} cannot be run: {'one problem' if len(problems) == 1 else f'{len(problems)} problems'}", problems)
    error.exit_code = exit_code_of(problems)
    return error


def _relative(value: Any, folder: Path) -> Any:
    if isinstance(value, Path):
        return value.relative_to(folder).as_posix() if value.is_relative_to(folder) else value.as_posix()
    if isinstance(value, Mapping):
        return {str(key): _relative(member, folder) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_relative(member, folder) for member in value]
    return value


def _defaults(block: BaseModel, prefix: str) -> Iterable[tuple[str, Any]]:
    for name in type(block).model_fields:
        value = getattr(block, name)
        if isinstance(value, BaseModel):
            yield from _defaults(value, f"{prefix}{name}.")
        elif name not in block.model_fields_set and not (isinstance(block, MethodBlock) and name in block._data):
            yield f"{prefix}{name}", value
