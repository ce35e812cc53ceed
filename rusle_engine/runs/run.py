"""One run from one configuration: check, compute every tile once, write, tell. ``run.json`` is written last; without it nothing is finished."""

import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from filelock import FileLock, Timeout

from rusle_engine.assessment.conservation import zone_table
from rusle_engine.assessment.edge import edge_records, edge_rows
from rusle_engine.assessment.tally import assess
from rusle_engine.core.errors import ConfigError, OutputError, Problem, RunError
from rusle_engine.core.variables import INTENSITY, SOIL_LOSS
from rusle_engine.erosion.intensity import CLASSES
from rusle_engine.files.atomic import make_folder, output_error, sha256, write_json
from rusle_engine.files.rasters import RasterOutput, open_raster, write_rasters
from rusle_engine.files.tables import write_csv
from rusle_engine.report.page import write_report
from rusle_engine.report.workbook import write_workbooks
from rusle_engine.runs import provenance
from rusle_engine.runs.checks import MADE, checked, records_of
from rusle_engine.runs.config import Config, exit_code_of, load_config
from rusle_engine.runs.engine import engine
from rusle_engine.runs.exclusivity import both_below_one, exclusivity_entry, on_exclusivity
from rusle_engine.runs.manifest import (
    classes_entry,
    edge_entry,
    equation_entry,
    factor_entry,
    formulas_entry,
    grid_entry,
    headline_entry,
    in_all,
    practice_of,
    topography_entry,
)
from rusle_engine.runs.plan import FACTORS, REGION_ID, REGION_NAME, Plan
from rusle_engine.runs.progress import NoProgress, Progress
from rusle_engine.runs.remarks import Remark, remark, remarks
from rusle_engine.runs.statistics import observed, total

log = logging.getLogger("rusle_engine")

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class RunResult:
    """A finished run: where it lies, its tables and its record."""

    path: Path
    tables: dict[str, pd.DataFrame]
    manifest: dict[str, Any]

    def open(self, name: str) -> xr.DataArray:
        """A raster of the run, lazy: ``R, K, LS, C, P, A`` or ``intensity``; a factor that was one number comes back as that number.

        Raises
        ------
        RunError
            When the run has no such raster.
        """
        file = self.path / "rasters" / f"{name}.tif"
        if file.is_file():
            return open_raster(file, classes=name == "intensity")
        constant = self.manifest["factors"].get(name, {}).get("constant")
        if constant is None:
            raise RunError(f"the run in {self.path} has no raster {name!r}; it has {', '.join(sorted(p.stem for p in file.parent.glob('*.tif')))}")
        return FACTORS[name].describe(xr.DataArray(constant))


def check(config: Config | str | os.PathLike[str]) -> list[Problem]:
    """Everything that would keep a configuration from running, at once.

    Parameters
    ----------
    config
        A configuration, or the path of its file.

    Returns
    -------
    list of Problem
        Empty when it can run. Files are opened; rasters that enter as factors are read through, for their range and their class codes.

    Raises
    ------
    MissingInputError
        When there is no such configuration file.
    """
    try:
        loaded = _loaded(config)
    except ConfigError as error:
        return list(error.problems)
    with engine(loaded.compute):
        return checked(loaded)[0]


def remarks_of(config: Config) -> tuple[list[Problem], list[Remark]]:
    """What ``check`` finds, and the remarks that a run would begin with: all but those on its results."""
    with engine(config.compute):
        problems, plan = checked(config)
    if problems or plan is None:
        return problems, []
    inputs = [{"role": entry.role, **entry.details} for entry in plan.inputs.noted]
    factors = {key: factor_entry(f, config.factors[key], None, plan.erosivity if key == "R" else None) for key, f in plan.factors.items()}
    return [], remarks(config, plan.grid, inputs, factors, plan.overlapping)


def run(config: Config | str | os.PathLike[str], *, progress: Progress | None = None, client: Any | None = None) -> RunResult:
    """Run a configuration from its inputs to its report.

    Parameters
    ----------
    config
        A configuration, or the path of its file.
    progress
        Is told of stages and tiles.
    client
        A ``distributed.Client`` whose workers compute the tiles; they must see the inputs and the output folder under the same paths.
        It goes before ``compute.workers`` and ``compute.scheduler``.

    Returns
    -------
    RunResult
        With the folder, the tables and the record (``run.json``).

    Raises
    ------
    ConfigError
        With every problem that ``check`` finds, before anything is written.
    OutputError
        When a result cannot be written.
    RunError
        When another run is at work in the same folder.
    """
    loaded = _loaded(config)
    told = progress or NoProgress()
    with engine(loaded.compute, client, scratch=loaded.output.folder):
        told.start("check", None)
        with provenance.Remembered() as remembered:
            problems, plan = checked(loaded)
        told.finish()
        if problems or plan is None:
            error = ConfigError(f"the configuration cannot be run: {len(problems)} problem{'s' if len(problems) > 1 else ''}", problems)
            error.exit_code = exit_code_of(problems)
            raise error
        folder = make_folder(loaded.output.folder)
        with _alone_in(folder):
            return _Run(loaded, plan, folder, told).complete(remembered)


class _Run:
    """The steps of one run, in its folder."""

    def __init__(self, config: Config, plan: Plan, folder: Path, progress: Progress):
        self.config, self.plan, self.folder, self.progress = config, plan, folder, progress
        self.started, self.clock = provenance.now(), time.perf_counter()
        self.stages: dict[str, float] = {}
        self.outputs: list[dict[str, Any]] = []
        self.heard: list[logging.LogRecord] = []
        self._told = 0

    def complete(self, remembered: provenance.Remembered) -> RunResult:
        """All steps; when one fails, the reason is all that is left of them."""
        self.heard = remembered.records
        try:
            self._clear()
            with provenance.RunLog(self.folder / "logs" / "run.jsonl") as record:
                record.write("info", "run started", configuration=provenance.digest(self.config.resolved()))
                for key, value in self.config.defaults().items():
                    record.write("info", "default", key=key, value=value)
                for earlier in remembered.records:
                    record.emit(earlier)
                try:
                    result = self._steps()
                except BaseException as error:
                    self._fail(error)
                    record.write("error", "run failed", kind=type(error).__name__, message=str(error))
                    raise
                record.write("info", "run finished", seconds=result.manifest["seconds"])
        except OutputError:
            raise
        except OSError as error:  # a disk that is full is met anywhere, the log included
            raise output_error(self.folder, error) from error
        return result

    def _clear(self) -> None:
        """Take away what earlier runs made, the record first, and what a killed one left half-written."""
        for name in MADE:
            (self.folder / name).unlink(missing_ok=True)
        for leftover in [*self.folder.glob(".*.partial-*"), *self.folder.glob("*/.*.partial-*")]:
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()

    def _steps(self) -> RunResult:
        plan = self.plan
        assert plan.cover is not None
        assert plan.tolerance is not None
        with self._stage("rasters"):
            factors, factor_records = records_of(plan.factors)
            assessed = assess({key.lower(): factor for key, factor in factors.items()}, plan.tolerance, plan.cover)
            a, a_records = observed(assessed.a)
            groups: dict[str, list[Any]] = {f"factor {key}": records for key, records in factor_records.items()}
            groups |= {"B and T": both_below_one(factors)}
            groups |= {"A": a_records, "flags": plan.flag_records, "k_flags": plan.k_flag_records, "zones": assessed.records}
            if plan.edge is not None:
                groups["edge"] = edge_records(plan.edge, plan.cover)
            groups |= {f"input {i}": entry.records for i, entry in enumerate(plan.inputs.noted)}
            rasters = [
                RasterOutput(factor, self.folder / "rasters" / f"{key}.tif", FACTORS[key], tags=self._tags() | practice_of(factor))
                for key, factor in factors.items()
                if factor.ndim == 2
            ]
            rasters.append(RasterOutput(a, self.folder / "rasters" / "A.tif", SOIL_LOSS, tags=self._tags()))
            rasters.append(self._intensity(assessed.code))
            self.progress.start("rasters", plan.grid.height * plan.grid.width)
            self._told = 0
            written = write_rasters(
                rasters,
                [r for records in groups.values() for r in records],
                progress=self._tiles,
                compression=self.config.output.compression,
                overviews=self.config.output.overviews,
            )
            self.progress.finish()
        found = _regrouped(groups, written.records)
        for raster in written.rasters:
            self._note(raster.path, raster.kind, raster.sha256)
            for sidecar in raster.sidecars:
                self._note(sidecar, "style")
        with self._stage("tables"):
            zones = zone_table(found["zones"], plan.cover, plan.land_area)
            self._note(write_csv(zones, self.folder / "tables" / "zones.csv"), "table")
            for name, table in plan.inputs.tables.items():
                self._note(write_csv(table, self.folder / "tables" / f"{name}.csv"), "table")
            edge = None
            if plan.edge is not None:
                edge = edge_rows(found["edge"], plan.cover, plan.edge.attrs.get("buffer_m"))
                self._note(write_csv(edge, self.folder / "tables" / "edge.csv"), "table")
        manifest = self._manifest(zones, edge, found)
        with self._stage("workbook"):
            self._note(write_workbooks(self.folder, zones, manifest), "table")
        if self.config.output.report:
            with self._stage("report"):
                self._note(write_report(self.folder, manifest | self._costs()), "report")
        manifest |= self._costs()
        write_json(self.folder / "run.json", manifest)
        return RunResult(self.folder, {"zones": zones}, manifest)

    def _heard(self) -> list[dict[str, str]]:
        """What the rooms below warned of while the run was prepared and computed, once each, as they said it."""
        said = dict.fromkeys(record.getMessage() for record in self.heard if record.levelno == logging.WARNING)
        return [remark("logged", text, text) for text in said]

    def _costs(self) -> dict[str, Any]:
        """Time, memory and outputs so far."""
        return {
            "finished": provenance.now(),
            "seconds": round(time.perf_counter() - self.clock, 3),
            "stages": dict(self.stages),
            "peak_memory_mib": round(provenance.peak_memory_mib(), 1),
            "outputs": list(self.outputs),
        }

    def _intensity(self, code: xr.DataArray) -> RasterOutput:
        return RasterOutput(
            code,
            self.folder / "rasters" / "intensity.tif",
            INTENSITY,
            kind="classes",
            colors={row.code: row.colour for row in CLASSES},
            labels={row.code: (row.name_zh, row.name_en) for row in CLASSES},
            tags=self._tags() | {"tolerance_t_km2": f"{self._tolerance():g}" if self._tolerance() is not None else "by place"},
        )

    def _tolerance(self) -> float | None:
        """The tolerable soil loss when it is one number for the whole region."""
        tolerance = self.plan.tolerance
        return float(tolerance) if tolerance is not None and tolerance.ndim == 0 else None

    def _tags(self) -> dict[str, str]:
        project = self.config.project
        return {"project": project.name, "illustrative": "yes" if project.illustrative else "no"}

    def _manifest(self, zones: pd.DataFrame, edge: pd.DataFrame | None, found: dict[str, list[Any]]) -> dict[str, Any]:
        config, plan = self.config, self.plan
        project = config.project.model_dump()
        inputs = [entry.entry(found[f"input {i}"]) for i, entry in enumerate(plan.inputs.noted)]
        factors = {
            key: factor_entry(factor, config.factors[key], found.get(f"factor {key}"), plan.erosivity if key == "R" else None)
            for key, factor in plan.factors.items()
        }
        if found["k_flags"]:
            factors["K"]["cells"] = in_all(found["k_flags"])
        exclusivity = exclusivity_entry(found["B and T"])
        return {
            "schema_version": SCHEMA_VERSION,
            "package": {"name": "rusle-engine", "version": provenance.versions()["rusle_engine"]},
            "project": project | {"name_zh": project["name_zh"] or project["name"]},
            "started": self.started,
            "config": config.resolved(),
            "config_digest": provenance.digest(config.resolved()),
            "grid": grid_entry(plan.grid),
            "equation": equation_entry(config),
            "formulas": formulas_entry(config),
            "inputs": inputs,
            "factors": factors,
            "topography": topography_entry(config.LS, found["flags"]),
            "edge": edge_entry(edge),
            "cover_and_tillage": exclusivity,
            "soil_loss": {"units": SOIL_LOSS.units, **total(found["A"]).as_dict()},
            "intensity": {"standard": "SL 190-2007", "tolerance_t_km2": config.resolved()["intensity"]["tolerance_t_km2"]},
            "classes": classes_entry(self._tolerance()),
            "headline": headline_entry(zones, plan.headline_zone, (REGION_ID, REGION_NAME)),
            "target": None if config.target is None else config.target.model_dump(),
            "warnings": [*remarks(config, plan.grid, inputs, factors, plan.overlapping, zones, edge), *on_exclusivity(exclusivity), *self._heard()],
            "versions": provenance.versions(),
            "machine": provenance.machine(),
        }

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.stages[name] = round(time.perf_counter() - begun, 3)

    def _tiles(self, done: int, of: int) -> None:
        cells = self.plan.grid.height * self.plan.grid.width * done // of
        self.progress.advance(cells - self._told)
        self._told = cells

    def _note(self, path: Path, kind: str, digest: str | None = None) -> None:
        place = path.relative_to(self.folder).as_posix()
        self.outputs.append({"path": place, "sha256": digest or sha256(path), "bytes": path.stat().st_size, "kind": kind})

    def _fail(self, error: BaseException) -> None:
        try:
            self._clear()
            write_json(self.folder / "run.failed.json", {"time": provenance.now(), "kind": type(error).__name__, "message": str(error)})
        except OSError:
            log.warning("the failure could not be written to %s either", self.folder)


def _loaded(config: Config | str | os.PathLike[str]) -> Config:
    return config if isinstance(config, Config) else load_config(config)


def _regrouped(groups: dict[str, list[Any]], flat: list[Any]) -> dict[str, list[Any]]:
    result, start = {}, 0
    for name, records in groups.items():
        result[name] = list(flat[start : start + len(records)])
        start += len(records)
    return result


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        busy = RunError(f"another run is at work in {folder}; wait for it, or choose another output.folder")
        busy.exit_code = 75
        raise busy from None
    try:
        yield
    finally:
        if os.name != "nt":  # Windows removes no file that is open
            (folder / ".lock").unlink(missing_ok=True)  # while it is still ours: afterwards it may be the next run's
        lock.release()
