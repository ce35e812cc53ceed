"""Product, class and zone tallies against the copy bandwidth of this machine, measured in the same run.

    python benchmarks/soil_loss.py [--size 4000] [--threads 2] [--repeat 7]

Bytes counted: every raster read once, A and the class written once (what caches and write-allocation add is not counted); a copy counts
its reading and its writing.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import geopandas as gpd
import numpy as np
import shapely
from affine import Affine
from pyproj import CRS

from rusle_engine.assessment.tally import TileCounts
from rusle_engine.assessment.zones import Cover, zone_cover
from rusle_engine.core.grid import Grid
from rusle_engine.erosion.intensity import intensity_limits
from rusle_engine.erosion.soil_loss import Places, read_only
from rusle_kernels import soil_loss as kernels

CELL_M = 30.0
ZONE_CELLS = 200


def factor_rasters(size: int) -> dict[str, np.ndarray]:
    """R, K, LS, C and P, float32, from a seed; about 4 t/ha on average."""
    random = np.random.default_rng(7)
    ranges = {"r": (1200, 2000), "k": (0.02, 0.06), "ls": (0.1, 12), "c": (0.003, 0.3), "p": (0.2, 1)}
    return {name: random.uniform(*bounds, (size, size)).astype(np.float32) for name, bounds in ranges.items()}


def polygon_zones(grid: Grid) -> gpd.GeoDataFrame:
    """Hexagon-like zones that cover the grid, their borders off the cell lines."""
    step, extent = ZONE_CELLS * CELL_M, grid.width * CELL_M
    centres = [(x, y) for x in np.arange(step / 2, extent, step) for y in np.arange(step / 2, extent, step)]
    cells = shapely.voronoi_polygons(shapely.multipoints([(x + y % 700, y + x % 900) for x, y in centres]))
    polygons = shapely.intersection(shapely.get_parts(cells), shapely.box(0, 0, extent, extent))
    return gpd.GeoDataFrame({"zone_id": [str(n) for n in range(len(polygons))]}, geometry=polygons, crs=grid.crs)


def strips(size: int, count: int = 8) -> list[slice]:
    """Row strips of the raster; each is one task."""
    edges = np.linspace(0, size, count + 1).astype(int)
    return [slice(a, b) for a, b in pairwise(edges)]


def seconds(tasks: dict[str, Callable[[slice], object]], size: int, threads: int, repeat: int) -> dict[str, list[float]]:
    """Times of all strips on a pool of threads, the tasks in turn, so that whatever else the machine does meets all of them alike."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    with ThreadPoolExecutor(threads) as pool:
        for turn in range(repeat + 1):
            for name, task in tasks.items():
                start = time.perf_counter()
                list(pool.map(task, strips(size)))
                if turn:  # the first compiles and touches memory
                    times[name].append(time.perf_counter() - start)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=4000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    size = options.size

    grid = Grid(size, size, Affine(CELL_M, 0, 0, 0, -CELL_M, size * CELL_M), CRS.from_epsg(32649))
    rasters = factor_rasters(size)
    places = Places({name: grid.label(raster) for name, raster in rasters.items()})
    a, code = np.zeros((size, size), np.float32), np.zeros((size, size), np.uint8)
    limits = intensity_limits(1000.0)
    none = read_only(np.empty((0, 0)), np.float64)
    source, target = np.ones((2, 5, size, size), np.float32)
    nowhere = zone_cover(gpd.GeoDataFrame({"zone_id": ["0"]}, geometry=[shapely.box(0, 0, 1, 1)], crs=grid.crs), grid)

    polygons = zone_cover(polygon_zones(grid), grid)
    blocks = np.arange(size) // ZONE_CELLS
    labels = np.add.outer(blocks * 100, blocks).astype(np.uint16)
    by_label = zone_cover(labels, grid)

    def fused(cover: Cover | None) -> Callable[[slice], object]:
        def run(rows: slice) -> None:
            inputs = places.of_tile([raster[rows] for raster in rasters.values()], size)
            counts = TileCounts(cover or nowhere, rows.start, 0, a[rows].shape, labels[rows] if cover is by_label else None)
            outputs = a[rows], code[rows], counts.areas, counts.losses
            kernels.assess(*inputs, none, limits, counts.tile.runs, counts.group_rows, kernels.LARGEST_LOSS, *outputs)
            counts.record()

        return run

    def copy(rows: slice) -> None:
        target[:, rows] = source[:, rows]

    cells = size * size
    traffic = {
        "copy": (copy, 40),
        "product + class": (fused(None), 25),
        f"product + class + tallies of {len(polygons.zone_ids)} polygons": (fused(polygons), 25),
        f"product + class + tallies of {len(np.unique(labels))} labels": (fused(by_label), 27),
    }
    times = seconds({name: task for name, (task, _) in traffic.items()}, size, options.threads, options.repeat)
    print(f"{size} × {size} cells, {options.threads} threads, medians of {options.repeat}")
    for name, (_, bytes_per_cell) in traffic.items():
        elapsed = statistics.median(times[name])
        share = statistics.median(bytes_per_cell / 40 * copied / taken for copied, taken in zip(times["copy"], times[name]))
        rate = bytes_per_cell * cells / elapsed / 1e9
        print(f"{name:50s} {cells / elapsed / 1e6:7.0f} M cells/s {bytes_per_cell:3d} bytes/cell {rate:6.1f} GB/s {100 * share:5.0f} % of copy")


if __name__ == "__main__":
    main()
