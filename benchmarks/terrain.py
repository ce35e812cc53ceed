"""Million cells a second of filling, directions, accumulation and slope, in memory, over a fractal DEM of N × N cells made here from a seed.

    python benchmarks/terrain.py 10000

``--dtype float64`` for double precision, ``--threads 1 2``. Wall and CPU seconds of the best of three; CPU seconds divided by threads is what
an idle machine would need, so that a busy one shows less.
"""

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import dask
import numpy as np
import xarray as xr

from rusle_engine.core.grid import Grid
from rusle_engine.terrain.conditioning import condition
from rusle_engine.terrain.drainage import Heights
from rusle_engine.terrain.flow import directions_on, upslope_area_of
from rusle_engine.terrain.slope import slope_of
from rusle_kernels import fill

CELL_M = 10.0
REPEATS = 3
PATCH = 5000
"""Larger surfaces repeat a patch of this size under one tilt: transforms of 10⁸ cells would take more memory than the terrain."""


def fractal_patch(size: int, seed: int = 1) -> np.ndarray[Any, Any]:
    """A fractal surface (Hurst 0.8, 10 % slope from cell to cell) with 0.1 m of white noise: a third of its cells lie in pits."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(rng.standard_normal((size, size), dtype=np.float32))
    wave = np.hypot(np.fft.fftfreq(size)[:, np.newaxis], np.fft.rfftfreq(size)[np.newaxis, :])
    wave[0, 0] = np.inf
    heights = np.fft.irfft2(spectrum * wave**-1.8, (size, size))
    heights *= 0.1 * CELL_M / np.diff(heights, axis=1).std()
    return (heights + rng.normal(0, 0.1, (size, size))).astype(np.float32)


def fractal_dem(size: int, dtype: str = "float32") -> np.ndarray[Any, Any]:
    """``size`` × ``size`` heights under a tilt of 2 and 1 cm from cell to cell."""
    patch = fractal_patch(min(size, PATCH))
    heights = np.empty((size, size), dtype)
    for row in range(0, size, PATCH):
        for column in range(0, size, PATCH):
            part = heights[row : row + PATCH, column : column + PATCH]
            part[:] = patch[: part.shape[0], : part.shape[1]]
    for row in range(size):
        heights[row] += (0.02 * row + 0.01 * np.arange(size)).astype(dtype)
    return heights


def timed(function: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall and CPU seconds of the fastest of three calls, and what the last one returned."""
    wall = cpu = np.inf
    for _ in range(REPEATS):
        result = None  # free the last one first
        start, started = time.perf_counter(), time.process_time()
        result = function()
        wall, cpu = min(wall, time.perf_counter() - start), min(cpu, time.process_time() - started)
    return wall, cpu, result


def plain_fill(heights: np.ndarray[Any, Any]) -> None:
    """The oracle: one queue over all cells."""
    kind = Heights.of(heights.dtype)
    keys = kind.keys(np.pad(heights, 1, constant_values=np.nan))
    queues = np.empty(keys.size, keys.dtype), np.empty(keys.size, np.int32), np.empty(keys.size, np.int32)
    fill.priority_flood(keys, kind.nodata, np.empty(keys.shape, bool), *queues)


def stages(dem: xr.DataArray) -> dict[str, tuple[float, float]]:
    """Wall and CPU seconds of each stage."""
    grid = Grid.of(dem, CELL_M)
    fill_seconds = timed(lambda: condition(dem))[:2]
    *direction_seconds, codes = timed(lambda: directions_on(dem, grid))
    return {
        "fill": fill_seconds,
        "fill with directions": (direction_seconds[0], direction_seconds[1]),
        "accumulation": timed(lambda: upslope_area_of(codes, grid))[:2],
        "slope": timed(lambda: slope_of(dem, grid))[:2],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", type=int, nargs="?", default=4000)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--oracle", action="store_true", help="the plain priority-flood too")
    arguments = parser.parse_args()
    stages(xr.DataArray(fractal_dem(64, arguments.dtype), dims=("y", "x"), attrs={"units": "m"}))  # compile
    heights = fractal_dem(arguments.size, arguments.dtype)
    dem = xr.DataArray(heights, dims=("y", "x"), attrs={"units": "m"})
    for threads in arguments.threads:
        print(f"{arguments.size} × {arguments.size} cells, {arguments.dtype}, threads: {threads}")
        with dask.config.set(num_workers=threads):
            for stage, (wall, cpu) in stages(dem).items():
                by_wall, by_cpu = heights.size / wall / 1e6, heights.size / cpu * threads / 1e6
                print(f"{stage:24s} {by_wall:8.1f} M cells/s by the wall, {by_cpu:8.1f} by CPU time over threads")
    if arguments.oracle:
        wall, cpu, _ = timed(lambda: plain_fill(heights))
        print(f"{'plain priority-flood':24s} {heights.size / wall / 1e6:8.1f} M cells/s by the wall, {heights.size / cpu / 1e6:8.1f} by CPU time")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"peak memory of the process {peak / 2**20:.0f} MiB, {peak / heights.size:.1f} bytes a cell, heights included")


if __name__ == "__main__":
    main()
