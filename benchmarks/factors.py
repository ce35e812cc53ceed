"""Factor kernels on one thread: million cells a second, bytes a cell, share of this machine's copy bandwidth measured beside each.

    python benchmarks/factors.py [--side 4000] [--repeat 5]

By CPU time, the fastest of the runs, of kernel and copy in turn. Bytes are those of every raster read once and written once, float64 but for
codes and flags; the copy's are a float64 raster read and written. C from NDVI, B and half-months have a benchmark of their own (`cover.py`), as
have R (`erosivity.py`) and slope and LS (`ls.py`).
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from rusle_engine.factors.k_methods import CURVES
from rusle_kernels import cover, erodibility, practice, tables

Task = tuple[int, Callable[[], object]]


def seconds(tasks: list[Callable[[], object]], repeat: int) -> list[float]:
    """Least CPU time of each, the tasks in turn, after one run that warms up."""
    least = [np.inf] * len(tasks)
    for turn in range(repeat + 1):
        for k, task in enumerate(tasks):
            begun = time.process_time()
            task()
            if turn:
                least[k] = min(least[k], time.process_time() - begun)
    return least


def erodibility_tasks(side: int, random: np.random.Generator, out: np.ndarray) -> dict[str, Task]:
    shape = (side, side)
    sand, clay, organic = random.uniform(10, 60, shape), random.uniform(5, 30, shape), random.uniform(0.2, 3, shape)
    silt, fine_sand, stones = 100 - sand - clay, random.uniform(0, 0.3, shape) * sand, random.uniform(0, 40, shape)
    structure, permeability = random.integers(1, 5, shape).astype(np.float64), random.integers(1, 7, shape).astype(np.float64)
    nomograph = sand, silt, clay, fine_sand, organic, structure, permeability, 1.0, 4.0, 1.0
    flags = np.empty(shape, np.uint8)
    return {
        "K williams1990": (40, lambda: erodibility.k_williams1990(sand, silt, clay, organic, 1.0, 1.0, 0.0, out)),
        "K williams1990, normalised": (40, lambda: erodibility.k_williams1990(sand, silt, clay, organic, 1.0, 1.0, 1.0, out)),
        "K zhang2008": (40, lambda: erodibility.k_zhang2008(sand, silt, clay, organic, 1.0, 1.0, 0.0, out)),
        "K wischmeier1978": (64, lambda: erodibility.k_wischmeier1978(*nomograph, 0.0, out)),
        "K rusle2_fine": (64, lambda: erodibility.k_rusle2_fine(*nomograph, 0.0, out)),
        "K renard1997": (32, lambda: erodibility.k_renard1997(sand, silt, clay, *CURVES["renard1997"], 1.0, 0.0, out)),
        "K torri1997": (40, lambda: erodibility.k_torri1997(sand, silt, clay, organic, 1.0, 1.0, 0.0, out)),
        "K under stones": (24, lambda: erodibility.under_stones(organic, stones, out)),
        "very fine sand estimated": (16, lambda: erodibility.estimated_very_fine_sand(sand, out)),
        "what shaped K": (49, lambda: erodibility.what_shaped_k(sand, silt, clay, fine_sand, organic, stones, 1.0, 70.0, 4.0, flags)),
    }


def class_and_slope_tasks(side: int, random: np.random.Generator, out: np.ndarray) -> dict[str, Task]:
    shape = (side, side)
    theta, ndvi = random.uniform(0, 0.6, shape), random.uniform(0, 0.9, shape)
    fields = np.repeat(np.repeat(random.integers(1, 10, (side // 8 + 1, side // 8 + 1)), 8, 0), 8, 1)[:side, :side].astype(np.float64)
    every_cell, soils = random.integers(1, 10, shape).astype(np.float64), random.integers(0, 40, shape) * 1e6
    limits, values = np.arctan(np.array([0.0, 3, 6, 9, 13, 17, 21, 25, np.inf]) / 100), np.array([0.6, 0.5, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 0])
    by_both = np.linspace(0.1, 1.0, 54).reshape(9, 6)
    codes, far = np.arange(1.0, 10), np.arange(40) * 1e6
    return {
        "P by slope class": (16, lambda: practice.p_by_slope(theta, limits, values, out)),
        "P wenner1981": (16, lambda: practice.p_wenner1981(theta, out)),
        "table on classes": (16, lambda: tables.lookup(every_cell, codes, codes / 10, out)),
        "table on classes in fields": (16, lambda: tables.lookup(fields, codes, codes / 10, out)),
        "table on codes far apart": (16, lambda: tables.lookup(soils, far, far / 1e9, out)),
        "a factor, some classes by table": (24, lambda: tables.override(ndvi, every_cell, codes[:4], codes[:4] / 10, out)),
        "a factor in some classes": (24, lambda: tables.only_in(ndvi, every_cell, codes[:4], 1.0, out)),
        "C panagos2015": (24, lambda: cover.c_panagos2015(ndvi, every_cell, 0.05, 0.86, codes, codes / 100, codes / 10, out)),
        "P by land use and slope": (24, lambda: tables.lookup_by_slope(every_cell, theta, codes, limits[:6], by_both, out)),
        "values held to their range": (8, lambda: tables.first_outside(ndvi, -1.0, 1.0)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=4000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    random, cells = np.random.default_rng(3), options.side**2
    source, out = random.random((options.side, options.side)), np.empty((options.side, options.side))
    print(f"{options.side} × {options.side} cells, one thread, the fastest of {options.repeat} by CPU time")
    for tasks in (erodibility_tasks, class_and_slope_tasks):
        for name, (size, task) in tasks(options.side, random, out).items():
            taken, copied = seconds([task, lambda: np.copyto(out, source)], options.repeat)
            print(
                f"{name:32} {cells / taken / 1e6:8.1f} M cells/s {size:4d} bytes/cell {cells * size / taken / 1e9:7.1f} GB/s "
                f"{100 * size / 16 * copied / taken:6.0f} % of copy"
            )


if __name__ == "__main__":
    main()
