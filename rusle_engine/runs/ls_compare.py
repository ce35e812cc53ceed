"""LS of one DEM by several practices, side by side: a raster of each and a table of what they come to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import OutputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import tiled
from rusle_engine.core.memory import require_memory
from rusle_engine.core.variables import TOPOGRAPHY
from rusle_engine.factors.ls import ls_with_flags
from rusle_engine.factors.ls_presets import PRESETS, Preset, ls_preset
from rusle_engine.files.rasters import RasterOutput, open_raster, write_rasters
from rusle_engine.files.table_output import write_csv
from rusle_engine.runs.plan import count_flags
from rusle_engine.runs.progress import NoProgress, Progress
from rusle_engine.terrain.flow import upslope_area

TABLE = "ls_compare.csv"
_TOP_SHARE = 0.05
_SHARES = ("capped", "channel", "raised", "held")
_BYTES = 16.0
"""Bytes for each cell of the statistics: the raster, which of it is valid, and the valid values in order."""


@dataclass(frozen=True)
class Comparison:
    """Where rasters and table lie, and the table."""

    folder: Path
    table: pd.DataFrame


def compare_schemes(
    dem: Path,
    folder: Path,
    schemes: Sequence[str] = (),
    *,
    channel_area_m2: float | None = None,
    water_depth_m: float | None = None,
    progress: Progress | None = None,
) -> Comparison:
    """Compute LS of ``dem`` by each scheme, and write ``<scheme>.tif`` and ``ls_compare.csv`` to ``folder``.

    Parameters
    ----------
    dem
        Elevation [m].
    folder
        Where to write; made when it does not exist.
    schemes
        Names of presets; all when none is given.
    channel_area_m2
        Area [m²], a cell's own included, from which a cell is a channel: its LS is 0 by every scheme; none when not given.
    water_depth_m
        Depth [m] above which a cell raised by filling is water, likewise; none when not given.
    progress
        Is told of every scheme.

    Raises
    ------
    InputError
        When a scheme is not known, or the DEM cannot be read.
    OutputError
        When the DEM would be overwritten, or a file cannot be written.
    """
    chosen = {name: ls_preset(name) for name in (schemes or PRESETS)}
    targets = {name: folder / f"{name}.tif" for name in chosen}
    for target in targets.values():
        if target.resolve() == dem.resolve():
            raise OutputError(f"{dem} is the DEM, and a result would take its place. Choose another folder.")
    heights = open_raster(dem)
    require_memory(heights.size, _BYTES, "ls-compare")
    folder.mkdir(parents=True, exist_ok=True)
    told, rows = progress or NoProgress(), []
    for name, practice in chosen.items():
        told.start(name, None)
        found = _topography(heights, practice, channel_area_m2, water_depth_m)
        _, records = tiled(count_flags, found["flags"], dtypes=())
        tags = {key: str(found["ls"].attrs[key]) for key in ("length", "steepness", "exponent", "routing")}
        if practice.own_cell_in_area:
            tags["routing"] = f"{practice.options.get('routing', 'd8')}, a cell's own area counted as draining into it"
        written = write_rasters([RasterOutput(found["ls"], targets[name], TOPOGRAPHY, tags={"scheme": name, **tags})], records)
        rows.append({"scheme": name, **tags, **_distribution(open_raster(targets[name])), **_shares(written.records)})
        told.finish()
    table = pd.DataFrame(rows)
    write_csv(table, folder / TABLE)
    return Comparison(folder, table)


def _topography(heights: xr.DataArray, practice: Preset, channel_area_m2: float | None, water_depth_m: float | None) -> xr.Dataset:
    """LS and flags by one practice."""
    limits: dict[str, Any] = {"channel_area_m2": channel_area_m2, "water_depth_m": water_depth_m}
    if not practice.own_cell_in_area:
        return ls_with_flags(heights, **practice.options, **limits)
    grid = Grid.of(heights)
    own = xr.DataArray(grid.cell_area_m2, dims="y")
    area = (upslope_area(heights, grid, scheme=practice.options.get("routing", "d8")) + own).assign_attrs(units="m2")
    if channel_area_m2 is not None:  # the cell is counted twice then
        limits["channel_area_m2"] = channel_area_m2 + float(grid.cell_area_m2.mean())
    return ls_with_flags(heights, upslope_area=area, **practice.options, **limits)


def _distribution(ls: xr.DataArray) -> dict[str, float]:
    """Where the values of a raster of LS lie, and how much of their sum stands in the greatest of them."""
    values = np.asarray(ls.values)
    ordered = np.sort(values[np.isfinite(values)])
    if not ordered.size:
        return dict.fromkeys(("mean", "median", "p95", "max", "top_5_pct_share_pct"), math.nan)
    greatest = ordered[-math.ceil(_TOP_SHARE * ordered.size) :].sum(dtype=np.float64)
    whole = ordered.sum(dtype=np.float64)
    median, p95 = np.percentile(ordered, [50, 95])
    share = 100 * greatest / whole if whole else math.nan
    return {"mean": whole / ordered.size, "median": median, "p95": p95, "max": ordered[-1], "top_5_pct_share_pct": share}


def _shares(counts: Sequence[dict[str, int]]) -> dict[str, Any]:
    """Cells with an LS, and the shares of them whose length is capped, that are channels, that filling raised, and whose S is held."""
    valid = sum(count["valid"] for count in counts)
    shares = {f"{name}_pct": 100.0 * sum(c[name] for c in counts) / valid if valid else math.nan for name in _SHARES}
    return {"valid_cells": valid, **shares}
