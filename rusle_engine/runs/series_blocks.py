"""Where cover over time comes from, as a configuration says it."""

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema

from rusle_engine.files.paths import existing_file, input_files
from rusle_engine.runs.sources import Block, QuantityResampling, SeriesSource, path_in_configuration, told_as_problem


@told_as_problem
def _series(value: object, info: ValidationInfo) -> tuple[Path, ...]:
    if isinstance(value, str | Path) and Path(value).suffix.lower() == ".zarr":
        store = Path(path_in_configuration(value, info))
        return (store,) if store.is_dir() else (existing_file(store, "Zarr store"),)
    names = list(value) if isinstance(value, list | tuple) else [value]
    return tuple(dict.fromkeys(input_files([path_in_configuration(name, info) for name in names])))


_PATH = {"type": "string", "minLength": 1}
Series = Annotated[
    tuple[Path, ...],
    BeforeValidator(_series),
    WithJsonSchema({"anyOf": [_PATH, {"type": "array", "items": _PATH, "minItems": 1}]}),
]


class QualitySeries(Block):
    """Quality flags of the same dates as the series that they belong to."""

    series: Series
    """Files, a list or a glob, or one NetCDF file or Zarr store."""
    dates: str | list[str] | None = None
    """How the date stands in the names; null: as in the series."""
    fill: float | None = None
    """Stored number that stands for no flag."""
    band: int = Field(1, ge=1)
    """Which band of each file."""
    variable: str | None = None
    """Which variable of a NetCDF file or Zarr store; null: its only one."""


class QuantitySeries(SeriesSource):
    """A quantity over time, made into the 24 half-months of each year."""

    series: Series
    """Files, a list or a glob, one or several tiles for each date; or one NetCDF file or Zarr store."""
    dates: str | list[str] | None = None
    """How the date stands in the names, such as "%Y%j" or "%Y-%m-%d"; half_months: in the order of names; or a list; null: NetCDF, Zarr."""
    scale: float | None = None
    """What stored numbers are multiplied by, such as 0.0001; null: what the files declare, else 1."""
    fill: float | None = None
    """Stored number that stands for no value, such as -3000; null: what the files declare."""
    band: int = Field(1, ge=1)
    """Which band of each file."""
    variable: str | None = None
    """Which variable of a NetCDF file or Zarr store; null: its only one."""
    units: str | None = None
    """Unit of the values; null: what the files declare, else the key's usual unit."""
    crs: str | None = None
    """CRS of files that state none, such as EPSG:4326."""
    resampling: QuantityResampling = "bilinear"
    """How values come to the run's grid when they lie on another one; flags by the nearest one."""
    quality: QualitySeries | None = None
    """Flags of the same dates, such as the pixel reliability of MOD13; null: every value counts."""
    good_quality: list[int] = Field(default_factory=lambda: [0, 1])
    """Flags whose values count; all others are gaps."""
    composite_days: int = Field(16, ge=1)
    """Days that each date stands for, itself the first; 1 for single images."""
    max_gap_days: float | None = Field(None, gt=0)
    """Longest gap that is closed [d], from good date to good date; null: any."""
    smoothing_window: int | None = Field(None, ge=3)
    """Dates under a Savitzky-Golay filter, an odd number; null: no smoothing."""
    smoothing_order: int = Field(2, ge=0)
    """Degree of its polynomial."""
