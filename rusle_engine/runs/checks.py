"""What would keep a configuration from running, all of it at once: the parts of the plan, every cell of its inputs, the place of its results."""

import math
import tempfile
from pathlib import Path
from typing import Any

import xarray as xr
from dask.base import compute

from rusle_engine.core.errors import InputError, MemoryBudgetError, OutputError, Problem
from rusle_engine.core.lift import Tile, tiled
from rusle_engine.core.memory import require_memory, usable_threads
from rusle_engine.core.variables import TOLERANCE
from rusle_engine.erosion.intensity import check_tolerances
from rusle_engine.files.atomic import require_disk
from rusle_engine.runs.config import Config
from rusle_engine.runs.inputs import Problems, files_of
from rusle_engine.runs.plan import FACTORS, Plan, Planner, files_of_factor
from rusle_engine.runs.rain_inputs import TABLES
from rusle_engine.runs.sources import MethodBlock
from rusle_engine.runs.statistics import observed, total

_BYTES_PER_CELL_ON_DISK = 9.0  # A and intensity, staged and encoded
_BYTES_PER_CELL_OF_A_FACTOR = 8.8
_BYTES_PER_CELL_AT_WORK = 100.0  # inputs, factors in float64 and float32, A and class of the tile that a thread works on

NO_ROOM = 74
"""Exit code of a disk that is too small."""
MADE = (
    "run.json",
    "run.failed.json",
    "report.html",
    *(f"rasters/{name}.tif{sidecar}" for name in (*FACTORS, "A", "intensity") for sidecar in ("", ".aux.xml")),
    "rasters/intensity.qml",
    "tables/zones.csv",
    "tables/zones.xlsx",
    "tables/edge.csv",
    *(f"tables/{name}.csv" for name in TABLES),
)
"""What a run makes and the next one in the same folder replaces; nothing else there is touched."""


def checked(config: Config) -> tuple[list[Problem], Plan | None]:
    """What is wrong, and the plan as far as it could be made."""
    problems = Problems(collect=True)
    plan = Planner(config, problems).plan()
    if plan is not None:
        with problems.at("compute.tile_cells"):
            _require_tiles_in_memory(config, plan)
        with problems.at("output.folder"):
            _require_place(config, plan)
            _require_room(config, plan)
        # What no disk or no memory can take is too large to be read through, too.
        if not {NO_ROOM, MemoryBudgetError.exit_code} & {problem.exit_code for problem in problems.found}:
            _check_values(config, plan, problems)
    return problems.found, plan


def _check_values(config: Config, plan: Plan, problems: Problems) -> None:
    """Read every tile that enters; LS alone is not computed beforehand, but the DEM under it is read."""
    if plan.elevation is not None:
        with problems.at("dem", files_of(config.dem)):
            compute(*observed(plan.elevation)[1])
    told = {problem.where for problem in problems.found}
    for key, factor in plan.factors.items():
        block = config.factors[key]
        computed_from_dem = key == "LS" and isinstance(block, MethodBlock)
        needs_dem = isinstance(block, MethodBlock) and {"dem", "theta"} & set(block.from_run)
        if not computed_from_dem and not (needs_dem and "dem" in told):
            with problems.at(key, files_of_factor(config, key)):
                for lookup in plan.inputs.lookups.get(key, []):
                    lookup.require_rows()
                _require_values(plan.computed[key], f"{key} ({FACTORS[key].long_name})", factor)
    if plan.tolerance is not None:
        with problems.at("intensity.tolerance_t_km2", files_of(config.intensity)):
            for lookup in plan.inputs.lookups.get("intensity", []):
                lookup.require_rows()
            _require_values(plan.tolerance, TOLERANCE.long_name)
            _require_tolerances(plan.tolerance)


def _require_values(array: xr.DataArray, name: str, *made_of_it: xr.DataArray) -> None:
    """Compute every tile, of what is made of the array too; refused when there is no value in any."""
    if array.ndim == 2 and total(compute([observed(raster)[1] for raster in (array, *made_of_it)])[0][0]).valid == 0:
        raise InputError(f"{name} has no value anywhere on the grid. Does its file lie where the grid lies, and is its nodata code right?")


def _require_tolerances(tolerance: xr.DataArray) -> None:
    def on_tile(tile: Tile, _row: int, _column: int) -> tuple[None]:
        check_tolerances(tile)
        return (None,)

    if tolerance.ndim == 0:
        check_tolerances(tolerance.values)
    else:
        compute(*tiled(on_tile, tolerance, dtypes=())[1])


def _require_place(config: Config, plan: Plan) -> None:
    """A folder that can be written, and in which nothing is both read and made."""
    folder = config.output.folder
    made = {folder / name for name in MADE}
    for path in (path for entry in plan.inputs.noted for path in entry.paths):
        if path in made:
            raise OutputError(f"{path} is an input, and the results would take its place. Choose another output.folder, or move the input.")
    _require_writable(folder)


def _require_tiles_in_memory(config: Config, plan: Plan) -> None:
    """Every thread holds the tiles of all factors at once."""
    threads = config.compute.threads or usable_threads()
    tile = math.prod(max(sizes) for sizes in plan.inputs.chunks)
    way_out = "Set a smaller compute.tile_cells, fewer compute.threads, or a larger compute.memory_budget."
    require_memory(tile * threads, _BYTES_PER_CELL_AT_WORK, f"a tile for each of {threads} threads", way_out)


def _require_room(config: Config, plan: Plan) -> None:
    rasters = sum(factor.ndim == 2 for factor in plan.factors.values())
    cells = plan.grid.height * plan.grid.width
    require_disk(config.output.folder, int(cells * (_BYTES_PER_CELL_ON_DISK + _BYTES_PER_CELL_OF_A_FACTOR * rasters)))


def _require_writable(folder: Path) -> None:
    """Try it: what permissions say is not all there is to it (read-only disks, administrators, network shares)."""
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"{folder} cannot be written: {existing}: {reason}. Choose another output.folder, or mend its permissions.") from error


def records_of(factors: dict[str, xr.DataArray]) -> tuple[dict[str, xr.DataArray], dict[str, list[Any]]]:
    """The factors, and for those that are rasters the statistics of their tiles, lazily."""
    watched, records = dict(factors), {}
    for key, factor in factors.items():
        if factor.ndim == 2:
            watched[key], records[key] = observed(factor)
    return watched, records
