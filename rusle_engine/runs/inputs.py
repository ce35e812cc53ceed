"""What a configuration names, opened once, brought onto the run's grid, and noted for the record."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from rusle_engine.core.errors import Problem, RusleError
from rusle_engine.core.grid import Grid
from rusle_engine.core.variables import ELEVATION, Variable, canonical_units
from rusle_engine.factors.tables import class_values, lookup
from rusle_engine.factors.validation import validated
from rusle_engine.files.atomic import sha256
from rusle_engine.files.rasters import RasterInfo, alignment_of, describe_raster, open_aligned, open_raster, require_values
from rusle_engine.files.tables import ClassTable, read_class_table, read_rain, read_table
from rusle_engine.runs.config import Dem
from rusle_engine.runs.sources import ClassRaster, Constant, Quantity, QuantityRaster, RainRecord, RecordTable, Table
from rusle_engine.runs.statistics import Statistics, observed, total

log = logging.getLogger("rusle_engine")


@dataclass
class Input:
    """One file or mosaic that went into the run, as its record lists it."""

    role: str
    paths: tuple[Path, ...]
    details: dict[str, Any]
    records: list[Any] = field(default_factory=list)
    """Of the tiles on the run's grid, when it is a raster; computed in the run's one pass."""

    def entry(self, statistics: Sequence[Statistics]) -> dict[str, Any]:
        files = [{"path": str(path), "bytes": path.stat().st_size, "sha256": sha256(path)} for path in self.paths if path.is_file()]
        found = total(statistics).as_dict() if statistics else {}
        return {"role": self.role, **(files[0] if len(files) == 1 else {"path": str(self.paths[0]), "files": files}), **self.details, **found}


class Problems:
    """Collects what is wrong while a configuration is taken apart; raises at once when nobody collects."""

    def __init__(self, *, collect: bool):
        self.found: list[Problem] = []
        self._collect = collect

    @contextmanager
    def at(self, where: str) -> Iterator[None]:
        """Errors inside are problems of the key ``where``."""
        try:
            yield
        except RusleError as error:
            if not self._collect:
                raise
            problem = Problem(where, str(error), error.exit_code)
            if problem not in self.found:
                self.found.append(problem)


class Inputs:
    """Opens sources on one grid. Every raster is opened once, however many keys name it."""

    def __init__(self, grid: Grid, chunks: Any, problems: Problems):
        self.grid = grid
        self.chunks = chunks
        self.problems = problems
        self.noted: list[Input] = []
        self._opened: dict[Any, xr.DataArray] = {}

    @classmethod
    def led_by(cls, lead: Dem | QuantityRaster, tile_cells: int, problems: Problems) -> "Inputs":
        """Inputs on the grid of the raster that leads, in chunks near ``tile_cells`` on a side that fit its blocks."""
        crs = lead.crs if isinstance(lead, Dem) else None
        info = describe_raster(lead.raster, band=lead.band, crs=crs)
        array = open_raster(lead.raster, band=lead.band, crs=crs, chunks=tile_cells)
        return cls(info.grid, array.chunks, problems)

    def elevation(self, dem: Dem) -> xr.DataArray:
        """Heights [m] as they are, lazy; float32 or float64 as stored."""
        require_values(dem.raster, band=dem.band, crs=dem.crs)
        info = describe_raster(dem.raster, band=dem.band, crs=dem.crs)
        array = open_raster(dem.raster, units=info.units or dem.units, band=dem.band, crs=dem.crs, chunks=self.chunks)
        assumed = "units" not in array.attrs
        watched, records = observed(ELEVATION.require(array))
        self.note("dem", info.paths, records, **raster_details(info), alignment=None, resampling=None, units="m", units_assumed=assumed)
        return watched

    def quantity(self, source: Quantity, variable: Variable, role: str, landcover: ClassRaster | None = None) -> xr.DataArray:
        """``variable`` from a raster, a constant or a table of classes; in its unit, held to its range, lazy."""
        if isinstance(source, Constant):
            return variable.describe(variable.require(source.constant, source.units), source="constant")
        if isinstance(source, QuantityRaster):
            array = variable.require(self._raster(source, role, classes=False, units=source.units or variable.units_when_undeclared))
            return variable.describe(validated(array, variable), source="raster")
        classes = landcover if source.classes == "landcover" else source.classes
        if not isinstance(classes, ClassRaster):
            raise RusleError(f"{role} names the land cover, and the configuration has no landcover block")
        table = self.class_table(source, f"{role}.table", variable)
        array = lookup(self.classes(classes, "landcover" if source.classes == "landcover" else f"{role}.classes"), table.values, variable.symbol)
        converted = variable.require(array.assign_attrs(units=canonical_units(source.units or variable.units)))
        return variable.describe(validated(converted, variable), source="table")

    def classes(self, source: ClassRaster, role: str) -> xr.DataArray:
        """Class codes, NaN where there is none; lazy."""
        return self._raster(source, role, classes=True, units=None)

    def class_table(self, source: Table, role: str, variable: Variable) -> ClassTable:
        table = read_class_table(source.table, source.value_column, key=source.code_column, encoding=source.encoding)
        if canonical_units(source.units or variable.units) == variable.units:
            class_values(table.values, variable)
        self.note(role, (source.table,), rows=len(table.values))
        return table

    def records(self, source: RecordTable, role: str) -> pd.DataFrame:
        """A table with a row for every class; columns under the engine's names."""
        table = read_table(source.file, encoding=source.encoding)
        self.note(role, (source.file,), rows=len(table))
        return table.rename(columns={source.code_column: "code", **{theirs: ours for ours, theirs in source.columns.items()}})

    def rain(self, source: RainRecord, role: str) -> pd.Series:
        record = read_rain(source.file, date_column=source.date_column, rain_column=source.rain_column, units=source.units, encoding=source.encoding)
        self.note(role, (source.file,), **record.quality)
        return record.daily

    def note(self, role: str, paths: tuple[Path, ...], records: Sequence[Any] = (), **details: Any) -> None:
        self.noted.append(Input(role, paths, details, list(records)))

    def _raster(self, source: QuantityRaster | ClassRaster, role: str, *, classes: bool, units: str | None) -> xr.DataArray:
        key = (source.raster, source.band, source.resampling, classes)
        if key not in self._opened:
            info = describe_raster(source.raster, band=source.band)
            array = open_aligned(
                source.raster,
                self.grid,
                resampling=source.resampling,
                chunks=self.chunks,
                units=info.units or units,
                band=source.band,
                classes=classes,
            )
            how = alignment_of(info, self.grid, source.resampling)
            watched, records = observed(array)
            assumed = not classes and info.units is None
            self.note(
                role,
                info.paths,
                records,
                **raster_details(info),
                alignment=how.as_dict(),
                resampling=how.resampling,
                units=array.attrs.get("units"),
                units_assumed=assumed,
            )
            self._opened[key] = watched
        return self._opened[key]


def raster_details(info: RasterInfo) -> dict[str, Any]:
    crs = info.grid.crs
    return {
        "crs": None if crs is None else crs.to_string() if crs.to_epsg() is None else f"EPSG:{crs.to_epsg()}",
        "shape": list(info.grid.shape),
        "cell": [info.grid.transform.a, -info.grid.transform.e],
        "dtype": str(info.dtype),
        "nodata": None if info.nodata is None else repr(info.nodata) if info.nodata != info.nodata else info.nodata,
    }
