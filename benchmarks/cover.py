"""B of a year of NDVI from files, with the peak of memory; then cover kernels on one thread: C by every equation, B and half-months.

    python benchmarks/cover.py [--side 4000] [--repeat 5] [--series-side 4000]

Million cells a second and the share of this machine's copy bandwidth, measured in the same run by CPU time. Bytes are those read and written
once: float64 for one period, float32 for the layers of a year.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
from affine import Affine

import rusle_engine as rusle
from rusle_engine.factors.ndvi_series import half_month_weights
from rusle_kernels import biological, cover, cover_series

DATES = pd.date_range("2023-01-01", periods=23, freq="16D")
WR = [1 / 24] * 24


def seconds(task: Callable[[], object], repeat: int) -> float:
    """The least CPU time after one run that warms up."""
    task()
    taken = []
    for _ in range(repeat):
        begun = time.process_time()
        task()
        taken.append(time.process_time() - begun)
    return min(taken)


def show(tasks: dict[str, tuple[int, Callable[[], object]]], cells: int, repeat: int) -> None:
    copied = 0.0
    for name, (size, task) in tasks.items():
        rate = cells / seconds(task, repeat)
        copied = copied or rate * size
        print(f"{name:26} {rate / 1e6:8.1f} M cells/s {size:4d} bytes/cell {100 * rate * size / copied:6.0f} % of copy")


def one_period(side: int, repeat: int) -> None:
    random, shape = np.random.default_rng(3), (side, side)
    ndvi, leaves, out = random.uniform(0, 0.9, shape), random.uniform(0, 4, shape), np.empty(shape)
    classes = np.repeat(np.repeat(random.integers(1, 6, (side // 8, side // 8)), 8, 0), 8, 1).astype(np.float64)
    codes, counts = np.arange(1.0, 6), np.zeros(20001, np.int64)
    bounds = (0.05, 0.86)
    show(
        {
            "copy": (16, lambda: np.copyto(out, ndvi)),
            "vegetation cover": (16, lambda: cover.cover_dimidiate(ndvi, *bounds, out)),
            "C cai2000": (16, lambda: cover.c_cai2000(ndvi, *bounds, out)),
            "C liu1999": (16, lambda: cover.c_liu1999(ndvi, *bounds, out)),
            "C bu": (16, lambda: cover.c_bu(ndvi, *bounds, out)),
            "C vanderknijff1999": (16, lambda: cover.c_vanderknijff1999(ndvi, out)),
            "C durigon2014, colman2018": (16, lambda: cover.c_durigon2014(ndvi, 1.0, out)),
            "C ndvi_power": (16, lambda: cover.c_ndvi_power(ndvi, out)),
            "C lai_log": (16, lambda: cover.c_lai_log(leaves, out)),
            "C panagos2015": (24, lambda: cover.c_panagos2015(ndvi, classes, *bounds, codes, codes / 100, codes / 10, out)),
            "NDVI counted for bounds": (8, lambda: cover.count_ndvi(ndvi, counts)),
        },
        side * side,
        repeat,
    )


def one_year(repeat: int) -> None:
    cells, random = 1024 * 1024, np.random.default_rng(4)
    layers = random.uniform(0, 0.9, (24, cells)).astype(np.float32)
    dates = layers[:23].copy()
    dates[random.random(dates.shape) < 0.2] = np.nan
    ratios, under, wr, by_cell = random.random((24, cells)), random.random((1, cells)), np.full((24, 1), 1 / 24), np.full((24, cells), 1 / 24)
    out, half_months, copied = np.empty((1, cells)), np.empty((24, cells), np.float32), np.empty_like(layers)
    weights = half_month_weights(DATES, 16, [2023])
    middles, no_flags = 16 * np.arange(23, dtype=np.float32) + np.float32(7.5), np.zeros((0, 0), np.uint8)
    classes, codes, by_class = np.ones((1, cells)), np.arange(1.0, 6), random.random((5, 24))
    show(
        {
            "copy of 24 layers": (192, lambda: np.copyto(copied, layers)),
            "half-months of 23 dates": (188, lambda: cover_series.half_months(dates, no_flags, middles, weights, np.inf, half_months)),
            "B csle_grass, csle_shrub": (104, lambda: biological.b_by_growth(layers, 0.05, 0.86, 1.25, 0.78845, 1.05968, wr, False, out)),
            "B csle_grass, WR by cell": (296, lambda: biological.b_by_growth(layers, 0.05, 0.86, 1.25, 0.78845, 1.05968, by_cell, True, out)),
            "B csle_forest": (112, lambda: biological.b_forest(layers, 0.05, 0.86, under, wr, False, out)),
            "mean of 24 ratios": (200, lambda: biological.weighted_mean(ratios, wr, out)),
            "ratios of a table": (16, lambda: biological.weighted_table(classes, codes, by_class, wr, out)),
        },
        cells,
        repeat,
    )


def write_year(folder: Path, side: int) -> None:
    """NDVI of 23 dates with flags, as MOD13 stores them."""
    random, place = np.random.default_rng(5), Affine(250, 0, 5e5, 0, -250, 4.2e6)
    profile = {"driver": "GTiff", "height": side, "width": side, "count": 1, "crs": "EPSG:4547", "transform": place, "tiled": True}
    for day in range(1, 366, 16):
        for name, values in (
            ("ndvi", random.integers(500, 9000, (side, side), np.int16)),
            ("flag", random.integers(0, 4, (side, side), np.uint8)),
        ):
            with rasterio.open(folder / f"{name}_2023{day:03d}.tif", "w", dtype=values.dtype, **profile) as target:
                target.write(values, 1)


def b_of_year(folder: Path) -> float:
    """Mean B: dates and flags read, made into half-months and weighted, tile by tile."""
    ndvi = rusle.open_series(f"{folder}/ndvi_*.tif", dates="%Y%j", scale=0.0001, chunks=512)
    flags = rusle.open_series(f"{folder}/flag_*.tif", dates="%Y%j", chunks=512)
    half_months = rusle.half_month_ndvi(ndvi, quality=flags, smoothing_window=5)
    return float(rusle.b_factor(ndvi=half_months, wr=WR, method="csle_grass", ndvi_soil=0.05, ndvi_vegetation=0.86).mean())


def from_files(side: int) -> None:
    with tempfile.TemporaryDirectory() as small, tempfile.TemporaryDirectory() as large:
        write_year(Path(small), 256)
        b_of_year(Path(small))  # compiles
        write_year(Path(large), side)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        wall, cpu = time.perf_counter(), time.process_time()
        mean = b_of_year(Path(large))
        wall, cpu = time.perf_counter() - wall, (time.process_time() - cpu) / len(os.sched_getaffinity(0))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(
            f"B from files, {side} × {side} cells, 23 dates and flags, tiles of 512: {side * side / wall / 1e6:.2f} M cells/s by the wall, "
            f"{side * side / cpu / 1e6:.2f} by CPU time over threads, peak {(peak - before) / 1024:.0f} MiB above what there was "
            f"(NDVI and flags as values: {23 * side * side * 8 / 2**20:.0f} MiB), mean B {mean:.4f}"
        )


def main() -> None:
    os.environ["GDAL_CACHEMAX"] = "64"  # MB; else GDAL keeps as many blocks of files as fit into a twentieth of the memory
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=4000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--series-side", type=int, default=4000)
    options = parser.parse_args()
    from_files(options.series_side)  # first, because the peak of memory is that of the process so far
    print(f"{options.side} × {options.side} cells, one thread, the fastest of {options.repeat} by CPU time")
    one_period(options.side, options.repeat)
    print("1024 × 1024 cells, a year in layers")
    one_year(options.repeat)


if __name__ == "__main__":
    main()
