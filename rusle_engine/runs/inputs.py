"""What a configuration names, opened once, brought onto the run's grid, and noted for the record."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from dask.base import compute
from pydantic import BaseModel

from rusle_engine.core.errors import InputError, Problem, RusleError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import Tile, pointwise, tiled
from rusle_engine.core.variables import ELEVATION, Variable, conversion_factor
from rusle_engine.factors.soil_layers import depth_weighted
from rusle_engine.factors.tables import class_values, lookup
from rusle_engine.factors.validation import require_within
from rusle_engine.files.atomic import sha256
from rusle_engine.files.barriers import rasterize_barriers
from rusle_engine.files.rasterize import polygon_codes
from rusle_engine.files.rasters import RasterInfo, alignment_of, describe_raster, open_aligned, open_raster, require_values
from rusle_engine.files.table_input import number_of, require_columns
from rusle_engine.files.tables import read_class_table, read_table
from rusle_engine.files.vectors import read_features, read_polygons
from rusle_engine.runs.config import Dem
from rusle_engine.runs.layer_blocks import QuantityLayers
from rusle_engine.runs.line_blocks import BarrierLines, ChannelLines
from rusle_engine.runs.sources import ClassPolygons, ClassRaster, Constant, PolygonLayer, Quantity, QuantityRaster, RecordTable, Table
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
    observed_as: str = ""
    """Name of the quantity that the records are of, such as the share of good dates; empty: of the raster itself."""

    def entry(self, statistics: Sequence[Statistics]) -> dict[str, Any]:
        files = [{"path": str(path), "bytes": _bytes(path), "sha256": sha256(path)} for path in self.paths]
        found = total(statistics).as_dict() if statistics else {}
        if found and self.observed_as:
            found = {self.observed_as: {name: found[name] for name in ("min", "mean", "max")}}
        return {"role": self.role, **(files[0] if len(files) == 1 else {"path": str(self.paths[0]), "files": files}), **self.details, **found}


class Problems:
    """Collects what is wrong while a configuration is taken apart; raises at once when nobody collects."""

    def __init__(self, *, collect: bool):
        self.found: list[Problem] = []
        self._collect = collect

    @contextmanager
    def at(self, where: str, files: Sequence[Path] = ()) -> Iterator[None]:
        """Errors inside are problems of the key ``where``; a message that names none of its ``files`` gets them all."""
        try:
            yield
        except RusleError as error:
            if not self._collect:
                raise
            named = not files or any(file.name in str(error) for file in files)
            problem = Problem(where, str(error) if named else f"{error} ({where} is made from {', '.join(map(str, files))})", error.exit_code)
            if problem not in self.found:
                self.found.append(problem)


@dataclass
class Lookup:
    """A table laid on a class raster: which codes it has rows for."""

    classes: xr.DataArray
    codes: tuple[int, ...]
    table: Path

    def require_rows(self) -> None:
        """Refuse classes without a row, all of them at once.

        Raises
        ------
        InputError
            Naming the codes; also where a tile of the classes cannot be read.
        """
        known = np.array(self.codes, np.float64)

        def without(tile: Tile, _row: int, _column: int) -> tuple[set[float]]:
            codes = pd.unique(tile[~np.isnan(tile)].ravel())
            return (set(codes[~np.isin(codes, known)].tolist()),)

        missing = sorted(set[float]().union(*compute(*tiled(without, self.classes, dtypes=())[1])))
        if missing:
            raise InputError(
                f"{self.table} has no row for class {_listed(missing)} of the class raster (it has {_listed(sorted(set(self.codes)))}). "
                "Add rows, or make the codes nodata."
            )


class Inputs:
    """Opens sources on one grid. Every raster is opened once, however many keys name it."""

    def __init__(self, grid: Grid, chunks: Any, problems: Problems):
        self.grid = grid
        self.chunks = chunks
        self.problems = problems
        self.noted: list[Input] = []
        self.lookups: dict[str, list[Lookup]] = {}
        """By the configuration's key."""
        self.tables: dict[str, pd.DataFrame] = {}
        """What the run writes beside its own tables, by the name of the file."""
        self._opened: dict[Any, xr.DataArray] = {}

    @classmethod
    def led_by(cls, lead: Dem | QuantityRaster, tile_cells: int | None, problems: Problems) -> "Inputs":
        """Inputs on the grid of the raster that leads, in chunks of ``tile_cells`` on a side; of a size that suits it when None."""
        crs = lead.crs if isinstance(lead, Dem) else None
        info = describe_raster(lead.raster, band=lead.band, crs=crs)
        array = open_raster(lead.raster, band=lead.band, crs=crs, chunks=tile_cells or "auto")
        return cls(info.grid, array.chunks, problems)

    def elevation(self, dem: Dem) -> xr.DataArray:
        """Heights [m] as they are, lazy; float32 or float64 as stored."""
        require_values(dem.raster, band=dem.band, crs=dem.crs)
        info = describe_raster(dem.raster, band=dem.band, crs=dem.crs)
        array = open_raster(dem.raster, units=dem.units, band=dem.band, crs=dem.crs, chunks=self.chunks)
        assumed = info.units is None
        watched, records = observed(held_to(ELEVATION.require(array), ELEVATION, info.name))
        self.note("dem", info.paths, records, **raster_details(info), alignment=None, resampling=None, units="m", units_assumed=assumed)
        return watched

    def quantity(self, source: Quantity, variable: Variable, role: str, landcover: ClassRaster | None = None) -> xr.DataArray:
        """``variable`` from a raster, a constant or a table of classes; in its unit, held to its range, lazy."""
        if isinstance(source, Constant):
            return variable.describe(variable.require(source.constant, source.units), source="constant")
        if isinstance(source, QuantityRaster):
            array = variable.require(self._raster(source, role, classes=False, units_when_undeclared=variable.units_when_undeclared))
            return variable.describe(held_to(array, variable, str(source.raster[0])), source="raster")
        classes = landcover if source.classes == "landcover" else source.classes
        if not isinstance(classes, ClassRaster):
            raise RusleError(f"{role} names the land cover, and the configuration has no landcover block")
        values = self._class_table(source, f"{role}.table", variable)
        codes = self.classes(classes, "landcover" if source.classes == "landcover" else f"{role}.classes")
        self.look_up(role, codes, values, source.table)
        array = lookup(codes, values, variable.symbol).assign_attrs(units=variable.units)
        return variable.describe(variable.require(array), source="table")

    def by_depth(self, source: QuantityLayers, variable: Variable, role: str) -> xr.DataArray:
        """``variable`` from rasters of the soil's layers, weighted by thickness; in its unit, lazy."""
        spans = [f"{top:g}-{bottom:g} cm" for top, bottom in pairwise(source.limits_cm)]
        layers = [self.quantity(raster, variable, f"{role}.{span}") for raster, span in zip(source.rasters, spans)]
        mean = depth_weighted(layers, source.limits_cm[: len(layers) + 1], bottom_cm=source.depth_cm)
        return variable.describe(mean, source="rasters of layers", depth_cm=mean.attrs["depth_cm"])

    def classes(self, source: ClassRaster | ClassPolygons, role: str) -> xr.DataArray:
        """Class codes, NaN where there is none; lazy."""
        if isinstance(source, ClassPolygons):
            return self._drawn(source, role)
        return self._raster(source, role, classes=True, units_when_undeclared=None)

    def _drawn(self, source: ClassPolygons, role: str) -> xr.DataArray:
        polygons = read_polygons(source.polygons, layer=source.layer, encoding=source.encoding, crs=source.crs)
        watched, records = observed(polygon_codes(polygons, source.field, self.grid, self.chunks, source.polygons.name))
        self.note(role, parts_of_layer(source.polygons), records, rows=len(polygons), crs=polygons.crs.to_string(), field=source.field)
        return watched

    def lines(self, source: ChannelLines | BarrierLines, role: str) -> xr.DataArray:
        """Codes of what stops (1) or diverts (2) water, 0 elsewhere; drawn on the whole grid at once."""
        features = {name: read_features(path) for name, path in source.drawn.items()}
        for name, table in features.items():
            path = source.drawn[name]
            self.note(role, parts_of_layer(path), rows=len(table), crs=table.crs.to_string(), drawn_as=name)
        return rasterize_barriers(self.blank(), outlines=source.outlines, **features)

    def look_up(self, role: str, classes: xr.DataArray, codes: Iterable[int], table: Path) -> None:
        """Note that ``table`` must have a row for every class."""
        self.lookups.setdefault(role.split(".")[0], []).append(Lookup(classes, tuple(codes), table))

    def _class_table(self, source: Table, role: str, variable: Variable) -> dict[int, float]:
        """Values by code, in the variable's unit and within its range."""
        table = read_class_table(source.table, source.value_column, key=source.code_column, encoding=source.encoding)
        self.note(role, (source.table,), rows=len(table.values))
        factor = conversion_factor(source.units or variable.units, variable.units)
        assert factor is not None  # the configuration has seen to it
        try:
            return class_values({code: value * factor for code, value in table.values.items()}, variable)
        except InputError as error:
            raise InputError(f"{source.table}: {error}") from error

    def records(self, source: RecordTable, role: str) -> pd.DataFrame:
        """A table with a row for every class; columns under the engine's names.

        Raises
        ------
        InputError
            When a column that the configuration names is not there.
        """
        table = read_table(source.file, encoding=source.encoding)
        ours_by_theirs = {theirs: ours for ours, theirs in {**source.columns, "code": source.code_column}.items() if theirs != ours}
        needed = [theirs for theirs, ours in ours_by_theirs.items() if ours not in table.columns or ours != "value"]  # the one with a default
        require_columns(table, [source.code_column, *needed], source.file)
        self.note(role, (source.file,), rows=len(table))
        shadowed = [ours for theirs, ours in ours_by_theirs.items() if theirs in table.columns and ours in table.columns]
        return table.drop(columns=shadowed).rename(columns=ours_by_theirs)

    def polygons(self, source: PolygonLayer, role: str) -> gpd.GeoDataFrame:
        """Polygons with their fields under the engine's names."""
        table = read_polygons(source.file, columns=source.columns, layer=source.layer, encoding=source.encoding, crs=source.crs)
        self.note(role, parts_of_layer(source.file), rows=len(table), crs=table.crs.to_string())
        return table

    def blank(self) -> xr.DataArray:
        """A raster on the run's grid and in its chunks that is read from nowhere."""
        array = self.grid.label(np.broadcast_to(np.uint8(0), self.grid.shape))
        return array.chunk(dict(zip(("y", "x"), self.chunks)), token=f"blank-{self.grid.shape}-{self.chunks}")

    def note(self, role: str, paths: tuple[Path, ...], records: Sequence[Any] = (), *, observed_as: str = "", **details: Any) -> None:
        self.noted.append(Input(role, paths, details, list(records), observed_as))

    def _raster(self, source: QuantityRaster | ClassRaster, role: str, *, classes: bool, units_when_undeclared: str | None) -> xr.DataArray:
        stated = source.units if isinstance(source, QuantityRaster) else None
        key = (source.raster, source.band, source.resampling, classes, stated, units_when_undeclared)
        if key not in self._opened:
            info = describe_raster(source.raster, band=source.band)
            array = open_aligned(
                source.raster,
                self.grid,
                resampling=source.resampling,
                chunks=self.chunks,
                units=stated if stated is not None or info.units is not None else units_when_undeclared,
                band=source.band,
                classes=classes,
            )
            how = alignment_of(info, self.grid, source.resampling)
            watched, records = observed(array)
            self.note(
                role,
                info.paths,
                records,
                **raster_details(info),
                alignment=how.as_dict(),
                resampling=how.resampling,
                units=array.attrs.get("units"),
                units_assumed=not classes and info.units is None,
            )
            self._opened[key] = watched
        return self._opened[key]


def held_to(array: xr.DataArray, variable: Variable, file: str) -> xr.DataArray:
    """The same values, held to the variable's valid range as they are computed; a value outside is an InputError that names the file."""

    def check(tile: Tile, out: Tile) -> None:
        try:
            require_within(tile, variable)
        except InputError as error:
            raise InputError(f"{file}: {error}") from error
        out[...] = tile

    checked = pointwise(check, array, dtype=array.dtype, input_dtypes=[array.dtype])
    return checked.rename(array.name).assign_attrs(array.attrs)


def codes_of(table: pd.DataFrame) -> list[int]:
    """The whole numbers in the column ``code``; what else stands there is for the factor's function to refuse."""
    numbers = [number_of(code) for code in table["code"]] if "code" in table.columns else []
    return [int(number) for number in numbers if number.is_integer()]


def files_of(block: Any) -> list[Path]:
    """Every file that a block of the configuration names, once."""
    if isinstance(block, Path):
        return [block]
    if isinstance(block, BaseModel):
        block = {name: getattr(block, name) for name in type(block).model_fields}
    members: Iterable[Any] = block.values() if isinstance(block, Mapping) else block if isinstance(block, tuple | list) else ()
    return list(dict.fromkeys(file for member in members for file in files_of(member)))


def parts_of_layer(path: Path) -> tuple[Path, ...]:
    """The files of a layer of polygons: a Shapefile is several."""
    if path.suffix.lower() != ".shp":
        return (path,)
    parts = [part for part in path.parent.iterdir() if part.stem == path.stem and part.suffix.lower() in (".shx", ".dbf", ".prj", ".cpg")]
    return (path, *sorted(parts))


def _bytes(path: Path) -> int:
    """The size of a file, or of all files in a folder (a FileGDB is one)."""
    return sum(part.stat().st_size for part in path.rglob("*") if part.is_file()) if path.is_dir() else path.stat().st_size


def _listed(codes: Sequence[float], most: int = 20) -> str:
    return ", ".join(f"{code:g}" for code in codes[:most]) + (f" and {len(codes) - most} more" if len(codes) > most else "")


def raster_details(info: RasterInfo) -> dict[str, Any]:
    crs = info.grid.crs
    return {
        "crs": None if crs is None else crs.to_string() if crs.to_epsg() is None else f"EPSG:{crs.to_epsg()}",
        "shape": list(info.grid.shape),
        "cell": [info.grid.transform.a, -info.grid.transform.e],
        "dtype": str(info.dtype),
        "nodata": None if info.nodata is None else repr(info.nodata) if info.nodata != info.nodata else info.nodata,
    }
