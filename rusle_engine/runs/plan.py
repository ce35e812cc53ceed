"""From a configuration to lazy factors, tolerance and zones on one grid: everything a run computes, before anything is computed."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import geopandas as gpd
import numpy as np
import xarray as xr

from rusle_engine.assessment.conservation import LandArea
from rusle_engine.assessment.zones import Cover, overlaps, with_region, zone_cover
from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import Tile, pointwise, tiled
from rusle_engine.core.variables import COVER, ERODIBILITY, EROSIVITY, PRACTICE, SLOPE_ANGLE, TOLERANCE, TOPOGRAPHY, Variable
from rusle_engine.factors.ls import CAPPED, CHANNEL, NODATA_FLAG, RAISED, ls_with_flags
from rusle_engine.files.tables import read_class_names, read_table
from rusle_engine.files.vectors import read_zones
from rusle_engine.runs.config import Config, ZoneLayer, ZoneRaster
from rusle_engine.runs.config import LandArea as LandAreaBlock
from rusle_engine.runs.inputs import Inputs, Problems
from rusle_engine.runs.signatures import factor_function
from rusle_engine.runs.sources import ClassRaster, MethodBlock, RainRecord, RecordTable
from rusle_engine.terrain.slope import slope

log = logging.getLogger("rusle_engine")

FACTORS: Mapping[str, Variable] = {"R": EROSIVITY, "K": ERODIBILITY, "LS": TOPOGRAPHY, "C": COVER, "P": PRACTICE}
REGION_ID = "region"
REGION_NAME = "全部分区 · All zones"


@dataclass
class Plan:
    """What a run will compute. Parts that could not be built, because of problems, are missing."""

    grid: Grid
    inputs: Inputs
    factors: dict[str, xr.DataArray] = field(default_factory=dict)
    """By letter, as they enter the product and as they are stored: float32 rasters, or numbers."""
    flag_records: list[Any] = field(default_factory=list)
    """Counts of what shaped LS, one for each tile; empty when LS was not computed here."""
    erosivity: xr.Dataset | None = None
    tolerance: xr.DataArray | None = None
    cover: Cover | None = None
    land_area: LandArea = None
    headline_zone: str = REGION_ID
    overlapping: list[str] = field(default_factory=list)


class Planner:
    """Takes a configuration apart, key by key; what is wrong with one key does not hide what is wrong with the next."""

    def __init__(self, config: Config, problems: Problems):
        self.config = config
        self.problems = problems

    def plan(self) -> Plan | None:
        """Everything, lazily; None when not even the grid is known."""
        leading, lead = self._lead()
        inputs = None
        with self.problems.at(f"{leading}.raster"):
            inputs = Inputs.led_by(lead, self.config.compute.tile_cells, self.problems)
        if inputs is None:
            return None
        found = Plan(inputs.grid, inputs)
        dem = None
        if self.config.dem is not None:
            with self.problems.at("dem"):
                dem = inputs.elevation(self.config.dem)
        for key in FACTORS:
            with self.problems.at(key):
                factor = self._factor(found, key, dem)
                if factor is not None:
                    found.factors[key] = as_stored(self._settled(inputs, factor))
        with self.problems.at("intensity.tolerance_t_km2"):
            found.tolerance = inputs.quantity(self.config.intensity.tolerance_t_km2, TOLERANCE, "intensity.tolerance_t_km2", self.config.landcover)
        with self.problems.at("zones"):
            self._add_zones(found, dem)
        return found

    def _lead(self) -> tuple[str, Any]:
        lead = self.config.grid_source
        return ("dem" if self.config.dem is not None else next(key for key, block in self.config.factors.items() if block is lead)), lead

    def _factor(self, found: Plan, key: str, dem: xr.DataArray | None) -> xr.DataArray | None:
        block = self.config.factors[key]
        if not isinstance(block, MethodBlock):
            return found.inputs.quantity(block, FACTORS[key], key, self.config.landcover)
        if "dem" in block.from_run or "theta" in block.from_run:
            if dem is None:  # why it is missing is told already
                return None
            if key == "LS":
                topography = ls_with_flags(dem, **block.options)
                _, found.flag_records = tiled(count_flags, topography["flags"], dtypes=())
                return topography["ls"]
        result = factor_function(key).function(**self._arguments(found.inputs, key, block, dem), **block.options)
        if isinstance(result, xr.Dataset):
            found.erosivity = result
            return result["R"]
        return result

    def _arguments(self, inputs: Inputs, key: str, block: MethodBlock, dem: xr.DataArray | None) -> dict[str, Any]:
        """The data of a method: from its own block, and what the run supplies."""
        arguments: dict[str, Any] = {}
        parameters = {p.name: p for p in factor_function(key).parameters}
        for name, source in block.inputs.items():
            role = f"{key}.{name}"
            if isinstance(source, RainRecord):
                arguments[name] = inputs.rain(source, role)
            elif isinstance(source, RecordTable):
                arguments[name] = inputs.records(source, role)
            elif isinstance(source, ClassRaster):
                arguments[name] = inputs.classes(source, role)
            else:
                variable = parameters[name].variable
                assert variable is not None
                arguments[name] = inputs.quantity(source, variable, role, self.config.landcover)
        if "theta" in block.from_run and dem is not None:
            arguments["theta"] = SLOPE_ANGLE.describe(slope(dem))
        if "landcover" in block.from_run and self.config.landcover is not None:
            arguments["landcover"] = inputs.classes(self.config.landcover, "landcover")
        return arguments

    def _settled(self, inputs: Inputs, factor: xr.DataArray) -> xr.DataArray:
        """The land-use rule: a factor without a value on water, built-up land or rock is 0 there, so that the land counts as slight."""
        landcover = self.config.landcover
        if factor.ndim < 2 or landcover is None or not landcover.assessed_as_slight:
            return factor
        codes = np.array(sorted(landcover.assessed_as_slight), np.float64)

        def settle(values: Tile, classes: Tile, out: Tile) -> None:
            out[...] = np.where(np.isnan(values) & np.isin(classes, codes), 0.0, values)

        return pointwise(settle, factor, inputs.classes(landcover, "landcover")).rename(factor.name).assign_attrs(factor.attrs)

    def _add_zones(self, found: Plan, dem: xr.DataArray | None) -> None:
        zones = self.config.zones
        if zones is None:
            data = dem if dem is not None else next(f for f in found.factors.values() if f.ndim == 2)
            land = pointwise(lambda values, out: np.copyto(out, np.where(np.isnan(values), np.nan, 1.0)), data)
            found.cover = zone_cover(land, found.grid, zone_names={1: REGION_NAME})
            found.headline_zone = "1"
            return
        if isinstance(zones, ZoneLayer):
            polygons = read_zones(
                zones.file, layer=zones.layer, id_field=zones.id_field, name_field=zones.name_field, encoding=zones.encoding, crs=zones.crs
            )
            found.inputs.note("zones", (zones.file,), zones=len(polygons), crs=polygons.crs.to_string())
            found.overlapping = partly_overlapping(polygons)
            table = polygons if zones.headline_zone is not None else with_region(polygons, REGION_NAME, REGION_ID)
            found.cover = zone_cover(table, found.grid)
        else:
            found.cover = self._zones_of_raster(found, zones)
        ids = found.cover.zone_ids
        found.headline_zone = zones.headline_zone if zones.headline_zone is not None else REGION_ID if REGION_ID in ids else ids[0]
        if found.headline_zone not in ids:
            raise InputError(f"headline_zone {zones.headline_zone!r} is not a zone; zones are {', '.join(ids[:20])}")
        found.land_area = None if zones.land_area is None else self._land_area(found.inputs, zones.land_area)

    def _zones_of_raster(self, found: Plan, zones: ZoneRaster) -> Cover:
        source = ClassRaster(raster=zones.raster, resampling=zones.resampling, band=zones.band)
        names = {}
        if zones.names is not None:
            names = read_class_names(zones.names, key=zones.code_column, name=zones.name_column, encoding=zones.encoding)
            found.inputs.note("zones.names", (zones.names,), rows=len(names))
        return zone_cover(found.inputs.classes(source, "zones"), found.grid, zone_names=names)

    def _land_area(self, inputs: Inputs, block: LandAreaBlock) -> dict[str, float]:
        table = read_table(block.table, encoding=block.encoding)
        missing = [column for column in (block.id_column, block.area_column) if column not in table.columns]
        if missing:
            raise InputError(f"{block.table} has no column {', '.join(missing)}; columns are {', '.join(map(str, table.columns))}")
        inputs.note("zones.land_area", (block.table,), rows=len(table), source=block.source)
        return {str(key): float(area) for key, area in zip(table[block.id_column], table[block.area_column])}


def as_stored(factor: xr.DataArray) -> xr.DataArray:
    """A factor as it enters the product: a raster rounded to float32, which is how it is stored, so that the stored ones multiply to A."""
    if factor.ndim < 2:
        return factor
    return pointwise(_store, factor, dtype=np.float32).rename(factor.name).assign_attrs(factor.attrs)


def _store(values: Tile, out: Tile) -> None:
    out[...] = values


def count_flags(flags: Tile, _row: int, _column: int) -> tuple[dict[str, int]]:
    """How many cells have an LS, and in how many the length was capped, the hillslope had ended in a channel, or filling raised the cell."""
    valid = flags != NODATA_FLAG
    return (
        {
            "valid": int(valid.sum()),
            **{name: int((valid & (flags & bit > 0)).sum()) for name, bit in (("capped", CAPPED), ("channel", CHANNEL), ("raised", RAISED))},
        },
    )


def partly_overlapping(zones: gpd.GeoDataFrame) -> list[str]:
    """Pairs of zones that share land though neither holds the other, in words; nested zones are normal and not among them."""
    pairs = overlaps(zones)
    partly = pairs[pairs["share_of_smaller_pct"] < 99.99]
    return [f"{row.zone_id} and {row.other_id} ({row.share_of_smaller_pct:.1f} %)" for row in partly.itertuples()]
