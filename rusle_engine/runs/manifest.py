"""The parts of a run's record that are read off arrays, grids and tables."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import xarray as xr

from rusle_engine.assessment.conservation import LARGEST_UNASSESSED_PCT
from rusle_engine.core.grid import Grid
from rusle_engine.erosion.intensity import CLASSES
from rusle_engine.factors.registry import own_method
from rusle_engine.files.atomic import sha256
from rusle_engine.runs.config import Config
from rusle_engine.runs.sources import Constant, Factor, MethodBlock
from rusle_engine.runs.statistics import Statistics, total

EQUATIONS = {
    "RUSLE": ("A = R · K · LS · C · P", "Renard et al. 1997, USDA Agriculture Handbook 703"),
    "CSLE": ("A = R · K · LS · B · E · T", "Liu et al. 2002, 12th ISCO conference, Beijing"),
}
_COVERAGE = ("years_used", "years_left_out", "half_months_left_out", "days_missing")
_OF_INTERPOLATION = (
    *("power", "neighbours", "smoothing", "variogram", "variogram_nugget", "variogram_sill", "variogram_length_m", "variogram_fit_r2"),
    *("stations", "stations_left_out", "left_out_bias", "left_out_mae", "left_out_rmse", "left_out_efficiency"),
)


def grid_entry(grid: Grid) -> dict[str, Any]:
    assert grid.crs is not None
    epsg = grid.crs.to_epsg()
    return {
        "crs": f"EPSG:{epsg}" if epsg else grid.crs.name,
        "crs_wkt": grid.crs.to_wkt(),
        "height": grid.height,
        "width": grid.width,
        "transform": list(grid.transform)[:6],
        "cell_m": [float(grid.dx_m.mean()), float(grid.dy_m.mean())],
        "is_geographic": grid.is_geographic,
    }


def equation_entry(config: Config) -> dict[str, str]:
    formula, source = EQUATIONS[config.equation]
    return {"name": config.equation, "formula": formula, "source": source}


def formulas_entry(config: Config) -> list[dict[str, Any]]:
    """The formulas of one's own that a run used, with the digests of their files."""
    used = [own_method(key, block.method) for key, block in config.factors.items() if isinstance(block, MethodBlock)]
    return [
        {
            "factor": method.factor,
            "method": method.name,
            "equation": method.info.equation,
            "path": None if method.file is None else str(method.file),
            "sha256": None if method.file is None else sha256(method.file),
        }
        for method in used
        if method is not None
    ]


def factor_entry(factor: xr.DataArray, block: Factor, records: Sequence[Statistics] | None, erosivity: xr.Dataset | None) -> dict[str, Any]:
    """What a factor is: its method or source with all options, and the statistics of its raster or its one number."""
    entry: dict[str, Any] = {
        "units": factor.attrs.get("units"),
        "long_name": factor.attrs.get("long_name"),
        "long_name_zh": factor.attrs.get("long_name_zh"),
    }
    if isinstance(block, MethodBlock):
        open_ones = [name for name, value in block.options.items() if value is None or isinstance(value, Mapping)]  # such as a percentile
        settled = {name: factor.attrs[name] for name in open_ones if name in factor.attrs}
        entry |= {"method": block.method, "options": block.options | settled}
    else:
        entry |= {"source": "constant" if isinstance(block, Constant) else factor.attrs.get("source", "raster"), "options": {}}
    entry["sources"] = [factor.attrs["source"]] if isinstance(block, MethodBlock) and "source" in factor.attrs else []
    entry |= practice_of(factor)
    if "method_status" in factor.attrs:
        entry["method_status"] = factor.attrs["method_status"]
    if factor.ndim == 0:
        entry["constant"] = float(factor)
    if "interpolation" in factor.attrs:
        own = {name: factor.attrs[name] for name in _OF_INTERPOLATION if name in factor.attrs}
        entry["interpolation"] = {"method": factor.attrs["interpolation"], **own}
    if records is not None:
        entry |= total(records).as_dict()
    if erosivity is not None and erosivity["R"].ndim == 0:
        entry["record"] = {name: int(erosivity[name]) for name in _COVERAGE if name in erosivity}
        entry["wr"] = [None if math.isnan(share) else float(share) for share in erosivity["wr"].values]
    return entry


def practice_of(factor: xr.DataArray) -> dict[str, str]:
    """Whose practice an LS is, and how its water was routed; nothing of other factors."""
    return {name: str(factor.attrs[name]) for name in ("practice", "routing") if name in factor.attrs}


def _together(zones: pd.DataFrame, whole: tuple[str, str]) -> dict[str, Any]:
    """The row of zones that do not overlap, taken as one."""
    summed = zones[[name for name in zones.columns if name.endswith("_km2") or name == "total_loss_t_yr"]].sum()
    slight, assessed, unassessed, area = (float(summed[f"{name}_km2"]) for name in ("slight", "assessed", "unassessed", "area"))
    nan = float("nan")
    return {
        "zone_id": whole[0],
        "zone_name": whole[1],
        **{str(name): float(value) for name, value in summed.items()},
        "conservation_rate_pct": 100 * slight / assessed if assessed else nan,
        "conservation_rate_min_pct": 100 * slight / area if area else nan,
        "conservation_rate_max_pct": 100 * (slight + unassessed) / area if area else nan,
        "mean_modulus_t_km2_yr": float(summed["total_loss_t_yr"]) / assessed if assessed else nan,
        "incomplete": 100 * unassessed > LARGEST_UNASSESSED_PCT * area,
    }


def in_all(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    """The counts of all tiles together."""
    return {name: sum(count[name] for count in counts) for name in counts[0]}


def topography_entry(block: Any, counts: Sequence[dict[str, int]]) -> dict[str, Any] | None:
    """Shares of the cells with an LS where the length was capped, a channel ended the hillslope, filling raised the cell, or S was held."""
    if not counts or not isinstance(block, MethodBlock):
        return None
    cells = in_all(counts)
    valid = cells.pop("valid")
    if block.options["water_depth_m"] is None:  # without a depth nothing is looked at, and 0 would say that nothing was raised
        del cells["raised"]
    if block.options["max_steepness_degree"] is None:
        del cells["held"]
    shares = {f"{name}_pct": 100.0 * count / valid if valid else 0.0 for name, count in cells.items()}
    limits = {name: block.options[name] for name in ("max_slope_length_m", "channel_area_m2", "water_depth_m", "max_steepness_degree")}
    return {"valid_cells": valid, **shares, **limits}


def edge_entry(table: pd.DataFrame | None) -> dict[str, Any] | None:
    """How much of each zone the DEM's edge makes uncertain, and the margin around the zones [m] that would cure it."""
    if table is None:
        return None
    buffer, zones = table["buffer_m"].iloc[0], table.drop(columns="buffer_m").astype(object)
    return {"buffer_m": None if math.isnan(buffer) else float(buffer), "zones": zones.where(zones.notna(), None).to_dict("records")}


def classes_entry(tolerance_t_km2: float | None) -> list[dict[str, Any]]:
    """The intensity classes with names, colours and limits [t km-2 yr-1]; that of the tolerance is None where it differs from place to place."""
    return [
        {
            "code": row.code,
            "name_en": row.name_en,
            "name_zh": row.name_zh,
            "colour": row.colour,
            "lower": tolerance_t_km2 if row.code == 2 else row.lower,
            "upper": tolerance_t_km2 if row.code == 1 else row.upper,
        }
        for row in CLASSES
    ]


def headline_entry(zones: pd.DataFrame, zone_id: str | None, whole: tuple[str, str]) -> dict[str, Any]:
    """The row of the zone that heads the report; all zones together, as ``whole`` (id, name), when none is named and they do not overlap."""
    row: dict[Any, Any]
    if zone_id is None and len(zones) > 1:
        row = _together(zones, whole)
    else:
        row = (zones if zone_id is None else zones[zones["zone_id"] == zone_id]).iloc[0].to_dict()
    return {str(key): None if isinstance(value, float) and math.isnan(value) else value for key, value in row.items()}
