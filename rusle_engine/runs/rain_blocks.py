"""Where rain comes from, as a configuration says it: a record, many stations, or a grid over time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler, ValidationInfo, WithJsonSchema, model_validator
from pydantic_core import CoreSchema

from rusle_engine.core.errors import MissingInputError
from rusle_engine.core.variables import ANNUAL_RAINFALL, MONTHLY_RAINFALL, RAIN_INTENSITY, RAINFALL, TEMPERATURE, conversion_factor
from rusle_engine.factors.erosivity_grid import GridResampling
from rusle_engine.factors.rain_units import is_rain_unit
from rusle_engine.factors.station_quality import CodeMeaning
from rusle_engine.factors.stations import InterpolationMethod
from rusle_engine.factors.variograms import VariogramShape
from rusle_engine.files.rain_grids import StackStep, grid_files
from rusle_engine.files.time_grids import NETCDF, ZARR
from rusle_engine.runs.sources import (
    Block,
    ExistingFile,
    FileBlock,
    OneOf,
    RainSource,
    convertible_to,
    path_in_configuration,
    refused,
    told_as_problem,
)

STATION = "{station}"
"""What stands for the name of a station in the name of its file."""


def _of_rain(units: str) -> str:
    if all(conversion_factor(units, variable.units) is None for variable in (RAINFALL, RAIN_INTENSITY, MONTHLY_RAINFALL, ANNUAL_RAINFALL)):
        raise refused(f"{units!r} is not a unit of rain; expected 'mm', '0.1 mm', 'in', 'mm/day', 'mm/month', 'mm/year', 'mm/h' or 'in/h'")
    return units


def _of_gridded_rain(units: str) -> str:
    if not is_rain_unit(units):
        raise refused(
            f"{units!r} is not a unit of rain; expected 'mm', '0.1 mm', 'in', 'cm', 'm', 'kg m-2', or a rate: 'mm/day', 'mm/h', 'kg m-2 s-1'"
        )
    return units


@told_as_problem
def _place_of_records(value: object, info: ValidationInfo) -> Path:
    path = Path(path_in_configuration(value, info))
    if STATION in path.name and path.parent.is_dir():
        return path
    if not path.exists():
        raise MissingInputError(f"{path} does not exist; expected a table, a folder of tables, or a name with {STATION} in it")
    return path


RecordsPlace = Annotated[Path, BeforeValidator(_place_of_records), WithJsonSchema({"type": "string", "minLength": 1})]


class Code(Block):
    """Stored values from lower to upper that are no depths."""

    lower: float
    """First value."""
    upper: float
    """Last value."""
    meaning: CodeMeaning
    """What they stand for."""
    take_off: float = 0.0
    """What to take off where a depth is inside."""


class Quality(Block):
    """How records of daily rain are looked through before they are used; what was dropped, and why, goes into tables/rain_quality.csv."""

    rain_day: str = Field(min_length=1)
    """When the day of rain begins and ends, with its time zone, such as "20-20 h, UTC+8"."""
    codes: Literal["cma"] | list[Code] | None = None
    """Values that are no depths: cma for those of Chinese files in 0.1 mm (unchecked), or a list; null: none."""
    snow_counts: bool = False
    """Whether the depth inside a code for snow counts as rain."""
    most_mm: float = Field(2000.0, gt=0)
    """A day with more is impossible [mm]."""


class _Columns(RainSource):
    """How the rows of a table of rain are read."""

    date_column: str | list[str] = "date"
    """Column of the dates, or columns of year, month, day, hour and minute, as many as there are."""
    rain_column: str = "rain"
    """Column of the rain."""
    units: Annotated[str, AfterValidator(_of_rain)] = "mm"
    """Unit of the rain: mm, 0.1 mm, in, mm/day, mm/month, mm/year; of intensities mm/h or in/h."""
    date_format: str | None = None
    """Form of the dates, such as "%d/%m/%Y"; null: one that begins with the year, such as 2013-01-05, 20130105, 2013-01 or 2013-01-05 10:35."""
    missing_codes: list[float] = Field(default_factory=list)
    """Numbers that stand for a missing value, such as 32766."""
    encoding: str | None = None
    """Text encoding of the file, such as gbk; null: UTF-8, else GB18030."""
    quality: Quality | None = None
    """Look daily records through first; null: anything odd is refused."""


class RainRecord(FileBlock, _Columns):
    """A rain record of one station, in a CSV file; a bare path is short for ``{file: path}``."""

    file: ExistingFile
    """The CSV file; one row a time, a day, a month or a year, as the method takes it."""


class RainStations(_Columns):
    """Records of many stations: R is computed at each, and laid on the grid between them."""

    stations: ExistingFile
    """CSV file with one row for every station: its name, x and y, and its elevation where external_drift asks for it."""
    records: RecordsPlace
    """The records: one table of all stations, a folder with a table for each, or the name of such a table with {station} in it."""
    station_column: str = "station"
    """Column of the stations' names, in both tables."""
    x_column: str = "x"
    """Column of x, or of the longitude."""
    y_column: str = "y"
    """Column of y, or of the latitude."""
    elevation_column: str = "elevation_m"
    """Column of the elevation [m]."""
    crs: str | None = None
    """CRS of x and y, such as EPSG:4326; null: that of the grid."""
    least_years: int = Field(1, ge=1)
    """Years that must count at a station; those with fewer are left out, and named."""
    interpolation: InterpolationMethod = "idw"
    """How R comes from the stations to the grid."""
    power: float = Field(2.0, gt=0)
    """Exponent of the distance (idw)."""
    neighbours: int = Field(12, ge=1)
    """How many of the nearest stations count (idw)."""
    smoothing: float = Field(0.0, ge=0)
    """How far the spline may leave the stations, 0: not at all (tps)."""
    variogram: VariogramShape = "spherical"
    """Shape of the variogram that is fitted (kriging, external_drift)."""

    @property
    def from_run(self) -> tuple[str, ...]:
        return ("dem",) if self.interpolation == "external_drift" else ("grid",)


@told_as_problem
def _rain_grid(value: object, info: ValidationInfo) -> tuple[Path, ...]:
    names = list(value) if isinstance(value, list | tuple) else [value]
    return tuple(dict.fromkeys(grid_files([path_in_configuration(name, info) for name in names])))


RainFiles = Annotated[
    tuple[Path, ...],
    BeforeValidator(_rain_grid),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1}]}),
]


class RainGrid(RainSource):
    """Gridded rain over time: R is computed on its grid, and brought to the run's."""

    grid: RainFiles
    """NetCDF files, a Zarr folder, or GeoTIFFs with a band or a file for every day, month or year; one, a list, or a glob."""
    variable: str | None = None
    """Variable of a NetCDF or Zarr; null: its only one over time and space."""
    units: Annotated[str, AfterValidator(_of_gridded_rain)] | None = None
    """Unit of the rain; null: what the file declares, such as mm, mm/day, m or kg m-2 s-1."""
    crs: str | None = None
    """CRS of files that state none; null: EPSG:4326 where a NetCDF is in degrees."""
    name_format: str | None = None
    """Where the date stands in the names of GeoTIFFs of one band, such as "pr_%Y%m%d.tif"; null: elsewhere."""
    start: str | None = None
    """Date of the first band of GeoTIFFs whose bands follow each other, such as "2001-01-01"; null: their bands are named by dates."""
    step: StackStep | None = None
    """From one band to the next, with start."""
    mean_year: bool = False
    """Whether GeoTIFFs are twelve months of a mean year, or one map of mean annual rain."""
    resampling: GridResampling = "bilinear"
    """How R comes from the grid of the rain to the run's."""

    @property
    def from_run(self) -> tuple[str, ...]:
        return ("grid",)

    @model_validator(mode="after")
    def _start_with_step(self) -> "RainGrid":
        if (self.start is None) != (self.step is None):
            raise refused("missing; start and step belong together", at="step" if self.step is None else "start")
        return self


class _ValueColumns(Block):
    """How the rows of a table of values over time are read."""

    time_column: str = "time"
    """Column of the times."""
    value_column: str = "value"
    """Column of the values."""
    units: Annotated[str, convertible_to(TEMPERATURE)] = "degC"
    """Unit of the values."""
    time_format: str | None = None
    """Form of the times; null: one that begins with the year."""


class ValueRecord(FileBlock, _ValueColumns):
    """Values over time in a CSV file; a bare path is short for ``{file: path}``."""

    file: ExistingFile
    """The CSV file."""


class ValueRecords(_ValueColumns):
    """Values over time at every station of the rain."""

    records: RecordsPlace
    """The records: one table of all stations, a folder with a table for each, or the name of such a table with {station} in it."""
    station_column: str = "station"
    """Column of the stations' names, in one table of all."""


class ValuesOneOf(OneOf):
    """The record of one station, or those of all; a bare path is short for its file."""

    def shape(self, value: Any) -> Any:
        return super().shape({"file": value} if isinstance(value, str | Path) else value)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "minLength": 1}, handler(schema)]}


class RainOneOf(OneOf):
    """One of the blocks of rain; a bare path is short for its file."""

    def shape(self, value: Any) -> Any:
        if isinstance(value, str | Path):
            value = {"grid" if Path(value).suffix.lower() in (*NETCDF, ZARR) else "file": value}
        return super().shape(value)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "minLength": 1}, handler(schema)]}


BLOCKS: Mapping[str, type[Block]] = {"file": RainRecord, "stations": RainStations, "grid": RainGrid}
Rain = Annotated[RainSource, RainOneOf(BLOCKS)]
Values = Annotated[ValueRecord | ValueRecords, ValuesOneOf({"file": ValueRecord, "records": ValueRecords})]
