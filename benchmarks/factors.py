"""Factor kernels on one thread: million cells a second, bytes a cell, share of this machine's copy bandwidth measured in the same run.

    python benchmarks/factors.py [--side 4000] [--repeat 5]

Bytes are float64 rasters read and written once. Slope and LS have a benchmark of their own (`ls.py`).
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from rusle_kernels import cover, erodibility, practice, tables


def seconds(task: Callable[[], object], repeat: int) -> float:
    """Median time after one run that warms up."""
    task()
    taken = []
    for _ in range(repeat):
        begun = time.perf_counter()
        task()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=4000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    random, shape = np.random.default_rng(3), (options.side, options.side)
    sand, clay = random.uniform(10, 60, shape), random.uniform(5, 30, shape)
    silt, carbon, ndvi = 100 - sand - clay, random.uniform(0.2, 3, shape), random.uniform(0, 0.9, shape)
    theta, codes, out = random.uniform(0, 0.6, shape), random.integers(1, 10, shape).astype(np.float64), np.empty(shape)
    limits, values = np.arctan(np.array([0.0, 3, 6, 9, 13, 17, 21, 25, np.inf]) / 100), np.array([0.6, 0.5, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 0])
    classes = np.arange(1.0, 10)
    tasks: dict[str, tuple[int, Callable[[], object]]] = {
        "copy": (16, lambda: np.copyto(out, theta)),
        "K williams1990": (40, lambda: erodibility.k_williams1990(sand, silt, clay, carbon, 1.0, 1.0, False, out)),
        "C cai2000": (16, lambda: cover.c_cai2000(ndvi, 0.05, 0.86, out)),
        "C vanderknijff1999": (16, lambda: cover.c_vanderknijff1999(ndvi, out)),
        "P by slope class": (16, lambda: practice.p_by_slope(theta, limits, values, out)),
        "P wenner1981": (16, lambda: practice.p_wenner1981(theta, out)),
        "table on classes": (16, lambda: tables.lookup(codes, classes, classes / 10, out)),
    }
    print(f"{options.side} × {options.side} cells, one thread, medians of {options.repeat}")
    copied = 0.0
    for name, (size, task) in tasks.items():
        cells = options.side**2 / seconds(task, options.repeat)
        copied = copied or cells * size
        print(
            f"{name:20} {cells / 1e6:8.1f} M cells/s {size:4d} bytes/cell {cells * size / 1e9:7.1f} GB/s {100 * cells * size / copied:6.0f} % of copy"
        )


if __name__ == "__main__":
    main()
