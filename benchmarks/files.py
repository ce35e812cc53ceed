"""Million cells a second from a compressed DEM on the disk to compressed LS on the disk, where the time goes, and peak memory.

    python benchmarks/files.py 10000 [--threads 2] [--memory-budget "2 GB"] [--codec deflate] [--compression deflate] [--tile 1024] [--no-overviews]

A fractal DEM of N × N cells (benchmarks/terrain.py) is written tile by tile, then read, turned into LS and written by a process of its own, so
that peak memory is that one's alone. Seconds of tasks are summed over the threads, those of writing are by the clock; with one thread all
are seconds of the processor. Processor seconds divided by threads are what an idle machine would need, so that a busy one shows less.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import numpy as np
import rasterio
from affine import Affine
from dask.callbacks import Callback

from benchmarks.terrain import CELL_M, PATCH, fractal_patch

TILE = 512
STAGES = {
    "open-raster": "read and decode",
    "stash": "tiles to the disk",
    "borders": "borders of tiles",
    "summary-flow_direction": "fill and directions, first pass",
    "flow_direction": "fill and directions, second pass",
    "solve": "graphs of borders",
    "spread": "graphs of borders",
    "summary-flow_accumulation": "accumulation, first pass",
    "flow_accumulation": "accumulation, second pass",
    "tile-one-pass": "slope and LS",
    "_stage": "tiles into the staged file",
}


def write_dem(path: Path, size: int, codec: str) -> None:
    """A DEM of ``size`` × ``size`` cells: a fractal patch repeated under one tilt, with noise of 0.1 m, in centimetres."""
    patch = fractal_patch(min(size, PATCH))
    layout = {"tiled": True, "blockxsize": TILE, "blockysize": TILE, "compress": codec, "predictor": 3, "zlevel": 6, "bigtiff": "if_safer"}
    profile = {"height": size, "width": size, "count": 1, "dtype": "float32", "crs": "EPSG:32633", "nodata": np.nan}
    transform = Affine(CELL_M, 0, 400_000, 0, -CELL_M, 5_000_000)
    columns = np.arange(size)
    with rasterio.open(path, "w", driver="GTiff", transform=transform, num_threads=2, **profile, **layout) as dem:
        dem.units = ("m",)
        for top in range(0, size, TILE):
            rows = np.arange(top, min(top + TILE, size))
            heights = patch[np.ix_(rows % PATCH, columns % PATCH)] + (0.02 * rows[:, np.newaxis] + 0.01 * columns)
            dem.write(np.round(heights, 2).astype(np.float32), 1, window=((top, top + rows.size), (0, size)))


class Stages(Callback):  # type: ignore[misc]
    """Seconds of all tasks by the stage they belong to, summed over threads."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._clock, self._began = clock, dict[Any, float]()
        super().__init__()

    def _pretask(self, key: Any, _graph: Any, _state: Any) -> None:
        self._began[key] = self._clock()

    def _posttask(self, key: Any, _value: Any, _graph: Any, _state: Any, _worker: Any) -> None:
        ended = self._clock()
        name = str(key[0] if isinstance(key, tuple) else key)
        stage = next((stage for prefix, stage in STAGES.items() if name.startswith(prefix)), "other tasks")
        self.seconds[stage] += ended - self._began.pop(key)


def timed_parts(seconds: dict[str, float], clock: Callable[[], float]) -> None:
    """Have what the writer does after the last task counted into ``seconds``."""
    from rusle_engine.files import write

    def counted(name: str, stage: str) -> None:
        function = getattr(write, name)

        def called(*arguments: Any) -> Any:
            start = clock()
            result = function(*arguments)
            seconds[stage] = seconds.get(stage, 0.0) + clock() - start
            return result

        setattr(write, name, called)

    counted("_build_overviews", "overviews")
    counted("_reads_back", "read back, flush, digest")
    counted("_finish", "after the last tile")


def peak_mib() -> float:
    """Of this process alone: what ``getrusage`` says includes the process that started it."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return next(float(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024


def measure(dem: Path, out: Path, tile: int | None, threads: int, budget: str, compression: Any, overviews: bool) -> dict[str, Any]:
    """One DEM to one LS, in this process."""
    import rusle_engine as rusle
    from rusle_engine.core.variables import TOPOGRAPHY
    from rusle_engine.files.rasters import RasterOutput, write_rasters

    parts: dict[str, float] = {}
    clock = time.process_time if threads == 1 else time.perf_counter
    timed_parts(parts, clock)
    scheduler = "synchronous" if threads == 1 else "threads"
    began, processor = time.perf_counter(), time.process_time()
    with Stages(clock) as stages, dask.config.set({"num_workers": threads, "scheduler": scheduler, "rusle_engine.memory_budget": budget}):
        ls = rusle.ls_factor(rusle.open_raster(dem, chunks=tile or "auto"), max_slope_length_m=300.0, channel_area_m2=1e6)
        planned = time.perf_counter() - began
        write_rasters([RasterOutput(ls, out, TOPOGRAPHY)], compression=compression, overviews=overviews)
    wall, processor = time.perf_counter() - began, time.process_time() - processor
    parts["encode"] = parts.pop("after the last tile") - parts.get("overviews", 0.0) - parts["read back, flush, digest"]
    return {"plan": planned, "wall": wall, "cpu": processor, "peak": peak_mib(), "tasks": stages.seconds, "writing": parts}


def report(size: int, threads: int, found: dict[str, Any]) -> None:
    cells = size * size / 1e6
    print(f"{size} × {size} cells, threads: {threads}; planning {found['plan']:.2f} s")
    print(f"{cells / found['wall']:.1f} M cells/s by the wall ({found['wall']:.1f} s), {cells / found['cpu'] * threads:.1f} by CPU time over threads")
    print(f"peak memory {found['peak']:.0f} MiB, {found['peak'] * 2**20 / size**2:.1f} bytes a cell")
    for stage, seconds in sorted(found["tasks"].items(), key=lambda item: -item[1]):
        print(f"  {stage:36s} {seconds:8.2f} s of all threads, {seconds / cells * 1e3:6.1f} ns a cell")
    for stage, seconds in found["writing"].items():
        print(f"  {stage:36s} {seconds:8.2f} s by the clock, {seconds / cells * 1e3:6.1f} ns a cell")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", type=int, nargs="*", default=[4000], help="rows and columns")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tile", type=int, help="cells on a side of a tile; what the engine chooses when not given")
    parser.add_argument("--memory-budget", default="2 GB")
    parser.add_argument("--codec", choices=["deflate", "zstd", "lzw"], default="deflate", help="of the DEM")
    parser.add_argument("--compression", choices=["deflate", "zstd"], default="deflate", help="of LS")
    parser.add_argument("--overviews", action=argparse.BooleanOptionalAction, default=True, help="with overviews")
    parser.add_argument("--folder", type=Path, help="where the files go for the time; a temporary folder when not given")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        out = options.measure.with_name("LS.tif")
        given = (options.tile, options.threads, options.memory_budget, options.compression, options.overviews)
        found = measure(options.measure, out, *given)
        print(json.dumps(found))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        dem = Path(folder) / "dem.tif"
        settings = [
            f"--threads={options.threads}",
            *([f"--tile={options.tile}"] if options.tile else []),
            "--overviews" if options.overviews else "--no-overviews",
            f"--memory-budget={options.memory_budget}",
            f"--compression={options.compression}",
        ]
        found = {}
        for size in ((options.tile or 2048) + 100, *options.sizes):  # the first compiles
            write_dem(dem, size, options.codec)
            command = [sys.executable, "-m", "benchmarks.files", str(size), *settings, f"--measure={dem}"]
            found[size] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            if size in options.sizes:
                result = dem.with_name("LS.tif")
                print(f"DEM {dem.stat().st_size / 2**20:.0f} MiB ({options.codec}), LS {result.stat().st_size / 2**20:.0f} MiB")
                report(size, options.threads, found[size])
    if len(options.sizes) > 1:
        growth({size: found[size] for size in options.sizes})


def growth(found: dict[int, dict[str, Any]]) -> None:
    """Powers of the number of cells by which time and memory grow, fitted over all sizes."""
    cells = np.log([size**2 for size in found])
    for what, unit in (("wall", "time by the clock"), ("cpu", "CPU time"), ("peak", "peak memory")):
        exponent = np.polyfit(cells, np.log([measured[what] for measured in found.values()]), 1)[0]
        print(f"{unit} grows with the power {exponent:.2f} of the number of cells")


if __name__ == "__main__":
    main()
