"""Million cells a second of every terrain kernel, on one thread, over a fractal DEM of N × N cells made here from a seed.

    python benchmarks/terrain.py 4000

``--dtype float64`` for double precision. CPU seconds, the best of three, so that a busy machine shows less.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from rusle_engine.factors.ls_parts import LINES
from rusle_engine.terrain.conditioning import Heights, drainage_tree
from rusle_engine.terrain.flow import _accumulated, padded_codes, steepness_weights
from rusle_engine.terrain.watersheds import _labels
from rusle_kernels import accumulate, fill, flow, slope, topography

CELL_M = 10.0
REPEATS = 3


def fractal_dem(size: int, dtype: str = "float32", seed: int = 1) -> np.ndarray[Any, Any]:
    """A tilted fractal surface (Hurst 0.8, 10 % slope from cell to cell) with 0.1 m of white noise: a third of its cells lie in pits."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(rng.standard_normal((size, size), dtype=np.float32))
    wave = np.hypot(np.fft.fftfreq(size)[:, np.newaxis], np.fft.rfftfreq(size)[np.newaxis, :])
    wave[0, 0] = np.inf
    heights = np.fft.irfft2(spectrum * wave**-1.8, (size, size))
    heights *= 0.1 * CELL_M / np.diff(heights, axis=1).std()
    heights += 0.02 * np.arange(size)[:, np.newaxis] + 0.01 * np.arange(size) + rng.normal(0, 0.1, (size, size))
    return np.ascontiguousarray(heights, dtype)


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of the fastest of three calls, and what the last one returned."""
    fastest = np.inf
    for _ in range(REPEATS):
        start = time.thread_time()
        result = function()
        fastest = min(fastest, time.thread_time() - start)
    return fastest, result


def stages(heights: np.ndarray[Any, Any]) -> dict[str, float]:
    """CPU seconds of each stage from heights to LS."""
    rows = heights.shape[0]
    seconds: dict[str, float] = {}
    kind = Heights.of(heights.dtype)
    sizes, areas = np.full(rows, CELL_M), np.full(rows, CELL_M**2)

    def plain_fill() -> None:
        keys = kind.keys(heights)
        cells = keys.size
        queues = np.empty(cells, keys.dtype), np.empty(cells, np.int32), np.empty(cells, np.int32)
        fill.priority_flood(keys, kind.nodata, np.empty(keys.shape, bool), *queues)

    seconds["fill, plain priority-flood"], _ = timed(plain_fill)
    seconds["fill and drainage tree"], (filled, step) = timed(lambda: drainage_tree(heights))
    codes, nearness = np.empty(heights.shape, np.uint8), steepness_weights(sizes, sizes)
    seconds["D8, steepest descent"], _ = timed(lambda: flow.d8_steepest(filled, step, nearness, codes))
    padded, step_of_code = padded_codes(codes)

    def walk() -> None:
        inflows, total = np.full(padded.shape, 255, np.uint8), np.ones(padded.shape, np.int64)
        accumulate.inflow_counts(padded, inflows)
        accumulate.accumulate(padded, step_of_code, inflows, np.empty(padded.shape[1], np.int64), total)

    seconds["accumulation, kernels"], _ = timed(walk)
    one = np.ones(rows, np.int64)
    seconds["accumulation, whole function"], area_in = timed(lambda: _accumulated(codes, row_amounts=one, own=one, scale=CELL_M**2))
    seconds["sub-basins"], _ = timed(lambda: _labels(codes, min_cells=1000))
    ringed = np.pad(heights, 1, constant_values=np.nan)
    gradient, theta = np.empty(heights.shape, np.complex128), np.empty(heights.shape)
    seconds["slope, theta"], _ = timed(lambda: slope.slope_horn1981(ringed, sizes, sizes, theta))
    ls, flags, parts = np.empty(heights.shape), np.empty(heights.shape, np.uint8), np.empty((3, 1, heights.shape[1]))

    def slope_and_ls() -> None:
        slope.gradient_horn1981(ringed, sizes, sizes, gradient)
        options = (LINES["mccool1987"], 1.0, 304.8, 1e5, np.inf)
        topography.ls_desmet_govers1996(gradient, area_in, area_in, sizes, sizes, areas, *options, ls, flags, parts)

    seconds["slope and LS"], _ = timed(slope_and_ls)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", type=int, nargs="?", default=4000)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    arguments = parser.parse_args()
    stages(fractal_dem(64, arguments.dtype))  # compile
    heights = fractal_dem(arguments.size, arguments.dtype)
    print(f"{arguments.size} × {arguments.size} cells, {arguments.dtype}, one thread, CPU time")
    for stage, seconds in stages(heights).items():
        print(f"{stage:30s} {heights.size / seconds / 1e6:8.1f} M cells/s")


if __name__ == "__main__":
    main()
