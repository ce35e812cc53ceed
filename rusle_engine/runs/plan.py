"""From a configuration to lazy factors, tolerance and zones on one grid: everything a run computes, before anything is computed."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr

from rusle_engine.assessment.conservation import area_scale
from rusle_engine.assessment.zones import Cover, overlaps, with_region, zone_cover
from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid, same_grid
from rusle_engine.core.lift import Tile, pointwise, tiled
from rusle_engine.core.variables import (
    BIOLOGICAL,
    COVER,
    ENGINEERING,
    ERODIBILITY,
    EROSIVITY,
    LENGTH,
    PRACTICE,
    SLOPE_ANGLE,
    STEEPNESS,
    TILLAGE,
    TOLERANCE,
    TOPOGRAPHY,
    Variable,
)
from rusle_engine.factors.k import FLAGS as K_FLAGS
from rusle_engine.factors.k import NODATA_FLAG as NO_K_FLAG
from rusle_engine.factors.k import k_with_flags, require_value
from rusle_engine.factors.k_methods import Scheme
from rusle_engine.factors.ls import CAPPED, CHANNEL, HELD, NODATA_FLAG, RAISED, ls_with_flags
from rusle_engine.factors.registry import OwnMethod, own_method
from rusle_engine.files.table_input import number_of, refuse_rows, require_columns
from rusle_engine.files.tables import read_class_names, read_table
from rusle_engine.files.vectors import read_zones
from rusle_engine.runs.config import Config, ZoneLayer, ZoneRaster
from rusle_engine.runs.config import LandArea as LandAreaBlock
from rusle_engine.runs.inputs import Inputs, Problems, codes_of, files_of, parts_of_layer
from rusle_engine.runs.layer_blocks import QuantityLayers
from rusle_engine.runs.line_blocks import BarrierLines, ChannelLines
from rusle_engine.runs.rain_inputs import erosivity
from rusle_engine.runs.series_blocks import QuantitySeries
from rusle_engine.runs.series_inputs import half_month_series, is_by_half_month
from rusle_engine.runs.signatures import factor_function, function_of
from rusle_engine.runs.sources import (
    ClassPolygons,
    ClassRaster,
    LayersSource,
    LengthTimesSteepness,
    LinesSource,
    MethodBlock,
    PolygonLayer,
    RainSource,
    RecordTable,
    SeriesSource,
    did_you_mean,
)
from rusle_engine.runs.stones import in_k, require_once
from rusle_engine.terrain.slope import slope

log = logging.getLogger("rusle_engine")

FACTORS: Mapping[str, Variable] = {
    "R": EROSIVITY,
    "K": ERODIBILITY,
    "LS": TOPOGRAPHY,
    "C": COVER,
    "P": PRACTICE,
    "B": BIOLOGICAL,
    "E": ENGINEERING,
    "T": TILLAGE,
}
"""In the order of the product; a run has those of its equation."""
REGION_ID = "region"
REGION_NAME = "全部分区 · All zones"


@dataclass
class Plan:
    """What a run will compute. Parts that could not be built, because of problems, are missing."""

    grid: Grid
    inputs: Inputs
    elevation: xr.DataArray | None = None
    computed: dict[str, xr.DataArray] = field(default_factory=dict)
    """Factors by letter as their sources or methods give them."""
    factors: dict[str, xr.DataArray] = field(default_factory=dict)
    """By letter, as they enter the product and as they are stored: float32 rasters, or numbers."""
    flag_records: list[Any] = field(default_factory=list)
    """Counts of what shaped LS, one for each tile; empty when LS was not computed here."""
    edge: xr.DataArray | None = None
    """Where the DEM's edge makes LS uncertain; None when LS was not computed here."""
    k_flag_records: list[Any] = field(default_factory=list)
    """Counts of what shaped K, one for each tile; empty when K was not computed here from rasters."""
    erosivity: xr.Dataset | None = None
    tolerance: xr.DataArray | None = None
    cover: Cover | None = None
    land_area: dict[str, float] | None = None
    headline_zone: str | None = None
    """None: the zone that turns out largest."""
    overlapping: list[str] = field(default_factory=list)


class Planner:
    """Takes a configuration apart, key by key; what is wrong with one key does not hide what is wrong with the next."""

    def __init__(self, config: Config, problems: Problems):
        self.config = config
        self.problems = problems
        self._stones_in_k = False
        self._calendar: pd.DataFrame | None = None

    def plan(self) -> Plan | None:
        """Everything, lazily; None when not even the grid is known."""
        leading, lead = self._lead()
        inputs = None
        with self.problems.at(f"{leading}.raster", files_of(lead)):
            inputs = Inputs.led_by(lead, self.config.compute.tile_cells, self.problems)
        if inputs is None:
            return None
        found = Plan(inputs.grid, inputs)
        if self.config.dem is not None:
            with self.problems.at("dem", files_of(self.config.dem)):
                found.elevation = inputs.elevation(self.config.dem)
        for key in self.config.factors:
            with self.problems.at(key, files_of_factor(self.config, key)):
                factor = self.factor(found, key, found.elevation)
                if factor is not None:
                    found.computed[key] = factor
                    found.factors[key] = as_stored(self._settled(inputs, factor))
        with self.problems.at("K.rock_cover"):
            require_once(self._stones_in_k, self._calendar)
        with self.problems.at("intensity.tolerance_t_km2"):
            found.tolerance = inputs.quantity(self.config.intensity.tolerance_t_km2, TOLERANCE, "intensity.tolerance_t_km2", self.config.landcover)
        with self.problems.at("zones", files_of(self.config.zones)):
            self._add_zones(found)
        return found

    def _lead(self) -> tuple[str, Any]:
        lead = self.config.grid_source
        return ("dem" if self.config.dem is not None else next(key for key, block in self.config.factors.items() if block is lead)), lead

    def factor(self, found: Plan, key: str, dem: xr.DataArray | None) -> xr.DataArray | None:
        """One factor, lazily, in its unit and within its range; None when the DEM it needs could not be opened."""
        block = self.config.factors[key]
        if isinstance(block, LengthTimesSteepness):
            return self._topography(found.inputs, block)
        if not isinstance(block, MethodBlock):
            return found.inputs.quantity(block, FACTORS[key], key, self.config.landcover)
        if {"dem", "theta"} & set(block.from_run) and dem is None:  # why it is missing is told already
            return None
        own = own_method(key, block.method)
        if own is not None:
            return self._by_formula(found.inputs, own, block, dem)
        if "dem" in block.from_run or "theta" in block.from_run:
            assert dem is not None
            if key == "LS":
                topography = ls_with_flags(dem, edge=True, **self._arguments(found.inputs, key, block, dem), **block.options)
                found.edge = topography.get("edge")
                _, found.flag_records = tiled(count_flags, topography["flags"], dtypes=())
                return topography["ls"]
        if isinstance(rain := block.inputs.get("rain"), RainSource):
            found.erosivity = erosivity(rain, block, found.inputs, key, dem)
            return found.erosivity["R"]
        if key == "K" and "soil" not in block.inputs:
            return self._erodibility(found, block)
        options = block.options
        if "year" in options and options["year"] is None:
            options["year"] = self.config.project.year
        if "wr" in options and options["wr"] is None and found.erosivity is not None and is_by_half_month(block):
            options["wr"] = found.erosivity["wr"]
        result: xr.DataArray = factor_function(key).function(**self._arguments(found.inputs, key, block, dem), **options)
        return result

    def _by_formula(self, inputs: Inputs, own: OwnMethod, block: MethodBlock, dem: xr.DataArray | None) -> xr.DataArray:
        """A factor by a formula of one's own, whose file is an input of the run."""
        if own.file is not None:
            inputs.note(f"{own.factor}.formula", (own.file,))
        return own(**self._arguments(inputs, own.factor, block, dem), **block.options)

    def _erodibility(self, found: Plan, block: MethodBlock) -> xr.DataArray:
        """K of rasters, with counts of what shaped it."""
        scheme = Scheme(**block.options)
        erodibility = k_with_flags(self._arguments(found.inputs, "K", block, None), scheme)
        if erodibility["flags"].ndim == 2:
            _, found.k_flag_records = tiled(count_k_flags, erodibility["flags"], dtypes=())
        else:  # of one soil there is nothing to count
            require_value(erodibility, scheme)
        return erodibility["k"]

    def _topography(self, inputs: Inputs, block: LengthTimesSteepness) -> xr.DataArray:
        """LS of an L and an S that were computed elsewhere."""
        length = inputs.quantity(block.L, LENGTH, "L", self.config.landcover)
        steepness = inputs.quantity(block.S, STEEPNESS, "S", self.config.landcover)
        length, steepness = same_grid({"L": length, "S": steepness})
        return TOPOGRAPHY.describe(pointwise(_multiply, length, steepness), source="L and S, multiplied")

    def _arguments(self, inputs: Inputs, key: str, block: MethodBlock, dem: xr.DataArray | None) -> dict[str, Any]:
        """The data of a method: from its own block, and what the run supplies."""
        arguments: dict[str, Any] = {}
        parameters = {p.name: p for p in function_of(key, block.method).parameters}
        for name, source in block.inputs.items():
            role = f"{key}.{name}"
            if isinstance(source, RecordTable):
                arguments[name] = inputs.records(source, role)
            elif isinstance(source, ClassRaster | ClassPolygons):
                arguments[name] = inputs.classes(source, role)
            elif isinstance(source, ChannelLines | BarrierLines):
                arguments[name] = inputs.lines(source, role)
            elif isinstance(source, QuantitySeries):
                variable = parameters[name].variable
                assert variable is not None
                arguments[name] = half_month_series(source, variable, role, inputs)
            elif isinstance(source, PolygonLayer):
                arguments[name] = inputs.polygons(source, role)
            elif isinstance(source, QuantityLayers):
                variable = parameters[name].variable
                assert variable is not None
                arguments[name] = inputs.by_depth(source, variable, role)
            else:
                assert not isinstance(
                    source, RainSource | SeriesSource | LayersSource | LinesSource
                )  # R has a way of its own, and series have been looked after
                variable = parameters[name].variable
                assert variable is not None
                arguments[name] = inputs.quantity(source, variable, role, self.config.landcover)
        if key == "K":
            self._stones_in_k = in_k(arguments)
        self._calendar = arguments.get("calendar", self._calendar)
        table = block.inputs.get("table")
        mapped = next((arguments[name] for name in ("soil", "rotation") if name in arguments), None)
        if isinstance(table, RecordTable) and mapped is not None:
            inputs.look_up(key, mapped, codes_of(arguments["table"]), table.file)
        if "theta" in block.from_run and dem is not None:
            arguments["theta"] = SLOPE_ANGLE.describe(slope(dem))
        if "dem" in block.from_run and own_method(key, block.method) is not None:
            arguments["dem"] = dem
        if "grid" in block.from_run:
            arguments["grid"] = inputs.blank()
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

    def _add_zones(self, found: Plan) -> None:
        zones = self.config.zones
        if zones is None:
            data = [found.elevation, *found.factors.values()]
            land = next((raster for raster in data if raster is not None and raster.ndim == 2), None)
            if land is not None:  # why there is none is told already
                found.cover = zone_cover(pointwise(_mark_land, land), found.grid, zone_names={1: REGION_NAME})
            return
        found.headline_zone = zones.headline_zone
        if isinstance(zones, ZoneLayer):
            polygons = read_zones(
                zones.file, layer=zones.layer, id_field=zones.id_field, name_field=zones.name_field, encoding=zones.encoding, crs=zones.crs
            )
            found.inputs.note("zones", parts_of_layer(zones.file), zones=len(polygons), crs=polygons.crs.to_string())
            found.overlapping = partly_overlapping(polygons)
            if found.headline_zone is None:
                found.headline_zone = zone_of_all(polygons)
            if found.headline_zone is None:
                polygons, found.headline_zone = with_region(polygons, REGION_NAME, REGION_ID), REGION_ID
            found.cover = zone_cover(polygons, found.grid)
        else:
            found.cover = self._zones_of_raster(found, zones)
        ids = found.cover.zone_ids
        if found.headline_zone is not None and found.headline_zone not in ids:
            near = did_you_mean(found.headline_zone, ids)
            raise InputError(f"headline_zone {found.headline_zone!r} is not a zone; zones are {', '.join(ids[:20])}{near}")
        if zones.land_area is not None:
            found.land_area = self._land_area(found.inputs, zones.land_area, ids)
            measured = found.cover.zone_areas()
            if measured is not None:  # those of a class raster are known when it has been counted
                found.land_area |= land_area_of_region(dict(zip(ids, measured)), found.land_area)
                area_scale(measured, found.cover, found.land_area)

    def _zones_of_raster(self, found: Plan, zones: ZoneRaster) -> Cover:
        source = ClassRaster(raster=zones.raster, resampling=zones.resampling, band=zones.band)
        names = {}
        if zones.names is not None:
            names = read_class_names(zones.names, key=zones.code_column, name=zones.name_column, encoding=zones.encoding)
            found.inputs.note("zones.names", (zones.names,), rows=len(names))
        return zone_cover(found.inputs.classes(source, "zones"), found.grid, zone_names=names)

    def _land_area(self, inputs: Inputs, block: LandAreaBlock, zone_ids: Sequence[str]) -> dict[str, float]:
        table = read_table(block.table, encoding=block.encoding, text=(block.id_column,))
        require_columns(table, [block.id_column, block.area_column], block.table)
        inputs.note("zones.land_area", (block.table,), rows=len(table), source=block.source)
        areas: dict[str, float] = {}
        faults = []
        for row, (cell, area) in enumerate(zip(table[block.id_column], table[block.area_column]), start=2):
            zone_id = "" if pd.isna(cell) else str(cell)
            if not number_of(area) > 0:
                faults.append(f"row {row}: zone {zone_id!r} has {area!r} where an area in km² is expected")
            elif zone_id in areas:
                faults.append(f"row {row}: zone {zone_id!r} stands twice")
            elif zone_id not in zone_ids:
                faults.append(f"row {row}: {zone_id!r} is not a zone; zones are {', '.join(zone_ids[:20])}{did_you_mean(zone_id, zone_ids)}")
            else:
                areas[zone_id] = number_of(area)
        refuse_rows(faults, f"{block.table}, column {block.area_column!r}")
        return areas


def as_stored(factor: xr.DataArray) -> xr.DataArray:
    """A factor as it enters the product: a raster rounded to float32, which is how it is stored, so that the stored ones multiply to A."""
    if factor.ndim < 2:
        return factor
    return pointwise(_store, factor, dtype=np.float32).rename(factor.name).assign_attrs(factor.attrs)


def _store(values: Tile, out: Tile) -> None:
    out[...] = values


def _multiply(first: Tile, second: Tile, out: Tile) -> None:
    np.multiply(first, second, out=out)


def _mark_land(values: Tile, out: Tile) -> None:
    out[...] = np.where(np.isnan(values), np.nan, 1.0)


def count_flags(flags: Tile, _row: int, _column: int) -> tuple[dict[str, int]]:
    """How many cells have an LS, and in how many what the flags tell."""
    valid, bits = flags != NODATA_FLAG, {"capped": CAPPED, "channel": CHANNEL, "raised": RAISED, "held": HELD}
    return (
        {
            "valid": int(valid.sum()),
            **{name: int((valid & (flags & bit > 0)).sum()) for name, bit in bits.items()},
        },
    )


def count_k_flags(flags: Tile, _row: int, _column: int) -> tuple[dict[str, int]]:
    """In how many cells what shaped K was met."""
    known = flags != NO_K_FLAG
    return ({name: int((known & (flags & bit > 0)).sum()) for name, bit in K_FLAGS.items()},)


def partly_overlapping(zones: gpd.GeoDataFrame) -> list[str]:
    """Pairs of zones that share land though neither holds the other, in words; nested zones are normal and not among them."""
    pairs = overlaps(zones)
    partly = pairs[pairs["share_of_smaller_pct"] < 99.99]
    return [f"{row.zone_id} and {row.other_id} ({row.share_of_smaller_pct:.1f} %)" for row in partly.itertuples()]


def zone_of_all(zones: gpd.GeoDataFrame) -> str | None:
    """The id of a zone that holds all others, such as the county of its towns; None when there is none."""
    areas = shapely.area(zones.geometry.to_numpy())
    whole = shapely.area(shapely.union_all(zones.geometry.to_numpy()))
    return str(zones["zone_id"].iloc[int(np.argmax(areas))]) if areas.max() >= (1 - 1e-6) * whole else None


def land_area_of_region(measured: Mapping[str, int], stated: Mapping[str, float]) -> dict[str, float]:
    """The official area of the region that was put before the zones: the sum of theirs, when they make it up and all are stated."""
    parts = {zone_id: area for zone_id, area in measured.items() if zone_id != REGION_ID}
    if REGION_ID not in measured or set(stated) != set(parts) or abs(sum(parts.values()) - measured[REGION_ID]) > 1e-6 * measured[REGION_ID]:
        return {}
    return {REGION_ID: math.fsum(stated.values())}


def files_of_factor(config: Config, key: str) -> list[Path]:
    """The files that a factor is made from, the land cover and the DEM among them where its table or method uses them."""
    block = config.factors[key]
    used = list(block.from_run) if isinstance(block, MethodBlock) else ["landcover"] if getattr(block, "classes", None) == "landcover" else []
    shared = {"landcover": config.landcover, "dem": config.dem, "theta": config.dem}
    return [*files_of(block), *(file for name in used for file in files_of(shared.get(name)))]
