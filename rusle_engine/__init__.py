"""rusle_engine: soil loss by RUSLE and CSLE, erosion intensity by SL 190-2007, and the soil-conservation rate (水土保持率).

Public names are resolved on first use, so that ``import rusle_engine`` costs next to nothing.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "open_raster": "files.rasters",
    "condition": "terrain.conditioning",
    "breach_report": "terrain.conditioning",
    "slope": "terrain.slope",
    "flow_direction": "terrain.flow",
    "flow_accumulation": "terrain.flow",
    "basins": "terrain.watersheds",
    "sub_basins": "terrain.watersheds",
    "catchments": "terrain.watersheds",
    "streams": "terrain.streams",
    "edge_contamination": "terrain.edges",
    "edge_table": "assessment.edge",
    "rasterize_barriers": "files.barriers",
    "ls_factor": "factors.ls",
    "ls_preset": "factors.ls_presets",
    "r_factor": "factors.r",
    "half_month_erosivity": "factors.half_month_erosivity",
    "erosive_storms": "factors.storms",
    "storm_table": "factors.storms",
    "erosivity_of_storms": "factors.storm_erosivity",
    "checked_rain": "factors.station_quality",
    "interpolate_stations": "factors.stations",
    "interpolate_erosivity": "factors.station_erosivity",
    "erosivity_on_grid": "factors.erosivity_grid",
    "open_rain_grid": "files.rain_grids",
    "k_factor": "factors.k",
    "usda_texture": "factors.soil_texture",
    "depth_weighted": "factors.soil_layers",
    "c_factor": "factors.c",
    "b_factor": "factors.b",
    "vegetation_cover": "factors.cover",
    "ndvi_bounds": "factors.ndvi_bounds",
    "half_month_ndvi": "factors.ndvi_series",
    "crop_soil_loss_ratios": "factors.crop_calendar",
    "open_series": "files.series",
    "p_factor": "factors.p",
    "e_factor": "factors.e",
    "t_factor": "factors.t",
    "register_method": "factors.registry",
    "soil_loss": "erosion.soil_loss",
    "erosion_intensity": "erosion.intensity",
    "conservation_rate": "assessment.conservation",
    "load_config": "runs.config",
    "check": "runs.run",
    "run": "runs.run",
    "RusleError": "core.errors",
    "ConfigError": "core.errors",
    "InputError": "core.errors",
    "GridMismatchError": "core.errors",
    "MemoryBudgetError": "core.errors",
    "OutputError": "core.errors",
    "RunError": "core.errors",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
