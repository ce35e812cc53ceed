"""LS in memory: million cells a second of slope and LS by each practice, and of the slope length along flow paths.

    python benchmarks/ls.py [4000] [--threads 1 2]

Heights are float32, and the area draining into each cell is given, so that routing is not in the figures; results are float64 in new memory.
By CPU time over threads: what it would be if the threads had the processors to themselves.
"""

import argparse
import time
from collections.abc import Callable

import dask
import numpy as np
import xarray as xr

import rusle_engine as rusle
from rusle_engine.core.grid import Grid
from rusle_engine.factors.ls_presets import PRESETS
from rusle_engine.factors.path_length import slope_lengths
from rusle_engine.terrain.flow import directions_on, upslope_area_of
from rusle_engine.terrain.slope import slope_of

CELL_M = 30.0


def terrain(size: int) -> np.ndarray:
    """Rough hills on a tilt."""
    random = np.random.default_rng(3)
    rows = np.arange(size, dtype=np.float64)
    hills = np.add.outer(rows[::-1] * 3.0, np.sin(rows / 40) * 60 + np.sin(rows / 7) * 5)
    return (hills + random.normal(0, 2, hills.shape)).astype(np.float32)


def seconds(task: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of the fastest of three calls."""
    wall = cpu = np.inf
    for _ in range(3):
        start, started = time.perf_counter(), time.process_time()
        task()
        wall, cpu = min(wall, time.perf_counter() - start), min(cpu, time.process_time() - started)
    return wall, cpu


def tasks(dem: xr.DataArray) -> dict[str, Callable[[], object]]:
    grid = Grid.of(dem, CELL_M)
    codes = directions_on(dem, grid)
    area, theta, ended = upslope_area_of(codes, grid), slope_of(dem, grid), xr.zeros_like(codes)
    by_area = {
        f"LS {name}": lambda options=preset.options: rusle.ls_factor(
            dem, upslope_area=area, cell_size_m=CELL_M, **{key: value for key, value in options.items() if key != "routing"}
        )
        for name, preset in PRESETS.items()
        if preset.options["length"] not in ("foster_wischmeier1974", "wischmeier_smith1978")
    }
    return {
        "slope": lambda: slope_of(dem, grid),
        **by_area,
        "LS rusle, channels": lambda: rusle.ls_factor(
            dem, upslope_area=area, cell_size_m=CELL_M, max_slope_length_m=304.8, channel_area_m2=100_000.0
        ),
        "slope length on paths": lambda: slope_lengths(codes, theta, ended, grid, 0.7, 0.5),
        "DEM to LS, d8": lambda: rusle.ls_factor(dem, cell_size_m=CELL_M, max_slope_length_m=304.8, channel_area_m2=100_000.0),
        "DEM to LS, csle": lambda: rusle.ls_factor(dem, cell_size_m=CELL_M, channel_area_m2=100_000.0, **PRESETS["csle"].options),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", type=int, nargs="?", default=4000)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    for compiled in tasks(xr.DataArray(terrain(64), dims=("y", "x"), attrs={"units": "m"})).values():
        compiled()
    dem = xr.DataArray(terrain(arguments.size), dims=("y", "x"), attrs={"units": "m"})
    for threads in arguments.threads:
        print(f"{arguments.size} × {arguments.size} cells, threads: {threads}")
        with dask.config.set(num_workers=threads):
            for name, task in tasks(dem).items():
                wall, cpu = seconds(task)
                print(
                    f"{name:24s} {dem.size / wall / 1e6:8.1f} M cells/s by the wall, {dem.size / cpu * threads / 1e6:8.1f} by CPU time over threads"
                )


if __name__ == "__main__":
    main()
