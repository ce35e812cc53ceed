"""Where a quantity comes from, as a configuration says it: rasters, a constant, a table on a class raster.

Paths are relative to the configuration file and come out absolute. Which kind of block it is, is told by the key it has.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Union

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from rusle_engine.core.errors import InputError, OutputError
from rusle_engine.core.variables import Variable, conversion_factor
from rusle_engine.factors.validation import way_out_of_range
from rusle_engine.files.paths import existing_file, input_files, local_path

TAG_MARK = "="
"""What the tags of unions begin with, so that they can be told from keys in the place of an error."""


class Block(BaseModel):
    """A group of keys: none unknown, none changed afterwards, numbers finite and written as numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True)


def refused(message: str, *, at: str | None = None, exit_code: int = 78) -> PydanticCustomError:
    """A problem found by hand; ``at`` is the key inside the block that is validated."""
    return PydanticCustomError("refused", "{message}", {"message": message, "at": at, "exit_code": exit_code})


def path_in_configuration(value: object, info: ValidationInfo) -> str:
    """A path as written in the configuration, from the folder of the configuration file; refused when it is not a plain local path."""
    if not isinstance(value, str | Path) or not str(value).strip():
        raise refused(f"{short(value)} is not a path; expected the name of a file")
    local_path(value)
    folder: Path = (info.context or {}).get("folder", Path.cwd())
    return os.path.normpath(folder / Path(value).expanduser())


def told_as_problem(look: Callable[[object, ValidationInfo], Any]) -> Callable[[object, ValidationInfo], Any]:
    """``look`` with this package's errors as problems of the key."""

    def told(value: object, info: ValidationInfo) -> Any:
        try:
            return look(value, info)
        except InputError as error:
            raise refused(str(error), exit_code=error.exit_code) from None

    return told


@told_as_problem
def _file(value: object, info: ValidationInfo) -> Path:
    return existing_file(path_in_configuration(value, info))


@told_as_problem
def _layer(value: object, info: ValidationInfo) -> Path:
    path = Path(path_in_configuration(value, info))
    return path if path.is_dir() and path.suffix.lower() == ".gdb" else existing_file(path, "vector file")


@told_as_problem
def _rasters(value: object, info: ValidationInfo) -> tuple[Path, ...]:
    names = list(value) if isinstance(value, list | tuple) else [value]
    return tuple(dict.fromkeys(input_files([path_in_configuration(name, info) for name in names])))


@told_as_problem
def _folder(value: object, info: ValidationInfo) -> Path:
    path = Path(path_in_configuration(value, info))
    if path.exists() and not path.is_dir():
        raise refused(f"{path} is a file; expected a folder for the results", exit_code=OutputError.exit_code)
    return path


_PATH = {"type": "string", "minLength": 1}
ExistingFile = Annotated[Path, BeforeValidator(_file), WithJsonSchema(_PATH)]
ExistingLayer = Annotated[Path, BeforeValidator(_layer), WithJsonSchema(_PATH)]
OutputFolder = Annotated[Path, BeforeValidator(_folder), WithJsonSchema(_PATH)]
Rasters = Annotated[
    tuple[Path, ...],
    BeforeValidator(_rasters),
    WithJsonSchema({"anyOf": [_PATH, {"type": "array", "items": _PATH, "minItems": 1}]}),
]

QuantityResampling = Literal["bilinear", "average", "nearest", "cubic"]
ClassResampling = Literal["mode", "nearest"]


class QuantityRaster(Block):
    """A quantity in a raster; what lies on another grid is resampled onto the run's."""

    raster: Rasters
    """A file, a list of tiles, or a glob; tiles are taken as one mosaic."""
    units: str | None = None
    """Unit of the values; null: what the file declares, else the key's usual unit."""
    resampling: QuantityResampling = "bilinear"
    """How values come to the run's grid when they lie on another one."""
    band: int = Field(1, ge=1)
    """Which band of the file."""


class ClassRaster(Block):
    """Classes (codes) in a raster."""

    raster: Rasters
    """A file, a list of tiles, or a glob; tiles are taken as one mosaic."""
    resampling: ClassResampling = "mode"
    """How codes come to the run's grid: the commonest code in a cell, or the nearest one."""
    band: int = Field(1, ge=1)
    """Which band of the file."""


class ClassPolygons(Block):
    """Classes (codes) of polygons, such as a soil map: each cell has the code of the polygon that holds its middle."""

    polygons: ExistingLayer
    """GeoPackage, Shapefile, GeoJSON or FileGDB."""
    field: str
    """Field of the codes, whole numbers."""
    layer: str | None = None
    """Layer in the file; null: its only one."""
    encoding: str | None = None
    """Text encoding of Shapefile attributes, such as gbk; null: what the .cpg file says."""
    crs: str | None = None
    """CRS of a file that states none, such as EPSG:4490."""


class Constant(Block):
    """One number for the whole region."""

    constant: float
    """The number."""
    units: str | None = None
    """Unit of the number; null: the key's usual unit."""


def classes_tag(value: object) -> str:
    return TAG_MARK + ("landcover" if isinstance(value, str) else "classes")


Classes = Annotated[
    Annotated[Literal["landcover"], Tag(TAG_MARK + "landcover")] | Annotated[ClassRaster, Tag(TAG_MARK + "classes")],
    Discriminator(classes_tag),
]


class Table(Block):
    """A value for every class of a class raster, from a CSV file."""

    table: ExistingFile
    """CSV file with a column of codes and one of values."""
    classes: Classes = "landcover"
    """The class raster: landcover (the top-level one), or a block with its own raster."""
    code_column: str = "code"
    """Column of the class codes."""
    value_column: str = ""
    """Column of the values; left out: the symbol of the quantity, such as C."""
    units: str | None = None
    """Unit of the values; null: the key's usual unit."""
    encoding: str | None = None
    """Text encoding of the file, such as gbk; null: UTF-8, else GB18030."""


def convertible_to(variable: Variable) -> AfterValidator:
    """A unit that converts to this variable's."""

    def known(units: str) -> str:
        if conversion_factor(units, variable.units) is None:
            raise refused(f"{units!r} is not a unit of {variable.long_name}; expected {variable.units!r} or one that converts")
        return units

    return AfterValidator(known)


class FileBlock(Block):
    """A block about a file; the bare path is short for ``{file: path}``."""

    @model_validator(mode="before")
    @classmethod
    def _from_path(cls, value: Any) -> Any:
        return {"file": value} if isinstance(value, str | Path) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [_PATH, handler(schema)]}


class RecordTable(FileBlock):
    """A CSV file with a row for every class; a bare path is short for ``{file: path}``."""

    file: ExistingFile
    """The CSV file."""
    code_column: str = "code"
    """Column of the class codes."""
    columns: dict[str, str] = Field(default_factory=dict)
    """What the file calls the other columns, such as {sand: SAND_PCT}; those not named here have the engine's names."""
    encoding: str | None = None
    """Text encoding of the file, such as gbk; null: UTF-8, else GB18030."""


class PolygonLayer(FileBlock):
    """Polygons with fields, such as a register of measures; a bare path is short for ``{file: path}``."""

    file: ExistingLayer
    """GeoPackage, Shapefile, GeoJSON or FileGDB."""
    layer: str | None = None
    """Layer in the file; null: its only one."""
    columns: dict[str, str] = Field(default_factory=dict)
    """What the file calls the fields, such as {type: 措施类型}; those not named here have the engine's names."""
    encoding: str | None = None
    """Text encoding of Shapefile attributes, such as gbk; null: what the .cpg file says."""
    crs: str | None = None
    """CRS of a file that states none, such as EPSG:4490."""


class RainSource(Block):
    """Rain, in one of the blocks of ``rain_blocks``."""

    @property
    def from_run(self) -> tuple[str, ...]:
        """What it needs from the run: ``dem``, ``grid`` or nothing."""
        return ()


class SeriesSource(Block):
    """A quantity over time, in the block of ``series_blocks``."""


class LayersSource(Block):
    """A quantity of the soil, layer by layer, in the block of ``layer_blocks``."""


class LinesSource(Block):
    """Codes that are drawn from lines and polygons, in a block of ``line_blocks``."""


Quantity = QuantityRaster | Constant | Table
Source = Quantity | ClassRaster | ClassPolygons | RecordTable | PolygonLayer | RainSource | SeriesSource | LayersSource | LinesSource


class MethodBlock(Block):
    """A named method with its own inputs. The model of each method is built from the signature of its function."""

    method: str

    _data: ClassVar[tuple[str, ...]] = ()
    _method_parameter: ClassVar[str] = "method"
    _from_run: ClassVar[Mapping[str, str | None]] = {}

    @property
    def inputs(self) -> dict[str, Source]:
        """Where the function's data come from, by parameter; what is not given is left out."""
        return {name: source for name in self._data if (source := getattr(self, name)) is not None}

    @property
    def options(self) -> dict[str, Any]:
        """The function's other arguments, the method's name among them."""
        stated = {name: getattr(self, name) for name in type(self).model_fields if name not in (*self._data, "method")}
        return {self._method_parameter: self.method, **stated}

    @property
    def from_run(self) -> tuple[str, ...]:
        """The parameters that the run itself supplies: ``dem``, ``theta``, ``landcover``."""
        of_rain = [name for source in self.inputs.values() if isinstance(source, RainSource) for name in source.from_run]
        return (*(name for name, partner in self._from_run.items() if partner is None or getattr(self, partner) is not None), *of_rain)


class LengthTimesSteepness(Block):
    """The factor LS where L and S are given apart."""

    L: Quantity
    S: Quantity


Factor = Quantity | MethodBlock | LengthTimesSteepness


@dataclass(frozen=True, eq=False)
class OneOf:
    """Annotation of a key that takes one of several blocks, told apart by the key that each must have, or by the method's name.

    A bare number is short for a constant. With ``variable``, units must be ones that convert to it and a constant must lie in its range.
    """

    by_key: Mapping[str, type[Block]]
    by_method: dict[str, type[Block]] = field(default_factory=dict)
    variable: Variable | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        return (*self.by_key, *(("method",) if self.by_method else ()))

    def models(self) -> dict[str, type[Block]]:
        """Tag → model."""
        return {TAG_MARK + key: model for key, model in self.by_key.items()} | {f"{TAG_MARK}method {n}": m for n, m in self.by_method.items()}

    def tag(self, value: Any) -> str | None:
        if isinstance(value, Block):
            return next((tag for tag, model in self.models().items() if isinstance(value, model)), None)
        if "method" in value and self.by_method:
            return f"{TAG_MARK}method {value['method']}"
        return next((TAG_MARK + key for key in self.by_key if key in value), None)

    def shape(self, value: Any) -> Any:
        """``value`` when it is recognisably one of the blocks; a number becomes a constant."""
        if isinstance(value, int | float) and not isinstance(value, bool) and "constant" in self.by_key:
            return {"constant": value}
        if isinstance(value, Block):
            return value
        if not isinstance(value, Mapping):
            raise refused(f"{short(value)} seen; expected a block with one of the keys {', '.join(self.kinds)}")
        if "method" in value and self.by_method:
            if value["method"] not in self.by_method:
                hint = "" if did_you_mean(value["method"], self.by_method) else "; a formula of your own: --formulas FILE.py"
                raise refused(choice(value["method"], self.by_method, "method") + hint, at="method")
            clashing = [key for key in self.by_key if key in value and key != "table"]
        else:
            clashing = [key for key in self.by_key if key in value]
            if not clashing:
                near = [hint for key in value if (hint := did_you_mean(key, self.kinds))]
                raise refused(
                    f"keys {', '.join(map(str, value)) or 'none'} seen; exactly one of {', '.join(self.kinds)} must be there{near[0] if near else ''}"
                )
            clashing = clashing[1:] and clashing
        if clashing:
            seen = [key for key in self.kinds if key in value and (key in clashing or key == "method")]
            raise refused(f"{' and '.join(seen)} seen together; exactly one of {', '.join(self.kinds)} is allowed, remove the others")
        return value

    def measured(self, block: Any) -> Any:
        """``block`` when its unit and its constant can be this variable's; a table gets the column it would have."""
        if self.variable is None or isinstance(block, MethodBlock):
            return block
        if isinstance(block, Table) and not block.value_column:
            block = block.model_copy(update={"value_column": self.variable.symbol})
        units = block.units or self.variable.units
        factor = conversion_factor(units, self.variable.units)
        if factor is None:
            raise refused(f"{units!r} is not a unit of {self.variable.long_name}; expected {self.variable.units!r} or one that converts", at="units")
        if isinstance(block, Constant):
            low, high = self.variable.valid_range
            if not low <= block.constant * factor <= high:
                seen = f"{block.constant:g} {units}".removesuffix(" 1")
                allowed = f"{low:g} to {high:g} {self.variable.units}".removesuffix(" 1")
                way_out = way_out_of_range(self.variable, block.constant * factor)
                raise refused(f"{seen} seen; {self.variable.long_name} lies from {allowed}. {way_out}", at="constant")
        return block

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        tagged: Any = Union[tuple(Annotated[model, Tag(tag)] for tag, model in self.models().items())]  # noqa: UP007 (built at run time)
        union = handler.generate_schema(Annotated[tagged, Discriminator(self.tag)])
        return core_schema.no_info_before_validator_function(self.shape, core_schema.no_info_after_validator_function(self.measured, union))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        blocks = handler(schema)
        return {"anyOf": [{"type": "number"}, blocks]} if "constant" in self.by_key else blocks


def short(value: object) -> str:
    """A value as a message shows it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def did_you_mean(seen: object, allowed: Any) -> str:
    """``; did you mean 'landcover'?``, or nothing when no name is near."""
    from difflib import get_close_matches

    by_fold = {str(name).lower(): str(name) for name in allowed}
    near = get_close_matches(str(seen).lower(), list(by_fold), n=1)
    return f"; did you mean {by_fold[near[0]]!r}?" if near else ""


def choice(seen: object, allowed: Any, what: str) -> str:
    return f"{short(seen)} is not a {what} here; allowed: {', '.join(map(str, allowed))}{did_you_mean(seen, allowed)}"
