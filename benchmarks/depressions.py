"""Million cells a second of packed ties (heights in whole metres) and of breaching, in memory, over the fractal DEM of benchmarks/terrain.py.

    python benchmarks/depressions.py 4000

``--length`` how long a breach may be [m], with cells of 10 m. Wall and CPU seconds of the best of three.
"""

import argparse

import dask
import numpy as np
import xarray as xr
from terrain import CELL_M, fractal_dem, timed

from rusle_engine.core.grid import Grid
from rusle_engine.terrain.breaching import BreachLimits, breached
from rusle_engine.terrain.flow import directions_on


def stages(dem: xr.DataArray, length_m: float) -> dict[str, tuple[float, float]]:
    """Wall and CPU seconds of each stage."""
    grid, metres = Grid.of(dem, CELL_M), dem.copy(data=np.round(dem.values))
    limits = BreachLimits.of(length_m, None)
    return {
        "ties by index": timed(lambda: directions_on(metres, grid))[:2],
        "packed ties": timed(lambda: directions_on(metres, grid, flat_ties="packed", quantum_m=1.0))[:2],
        "breaching": timed(lambda: breached(dem, grid, limits))[:2],
        "breaching, whole metres": timed(lambda: breached(metres, grid, limits))[:2],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", type=int, nargs="?", default=4000)
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--length", type=float, default=300.0)
    arguments = parser.parse_args()
    stages(xr.DataArray(fractal_dem(64, arguments.dtype), dims=("y", "x"), attrs={"units": "m"}), arguments.length)  # compile
    dem = xr.DataArray(fractal_dem(arguments.size, arguments.dtype), dims=("y", "x"), attrs={"units": "m"})
    for threads in arguments.threads:
        print(f"{arguments.size} × {arguments.size} cells, {arguments.dtype}, threads: {threads}")
        with dask.config.set(num_workers=threads):
            for stage, (wall, cpu) in stages(dem, arguments.length).items():
                by_wall, by_cpu = dem.size / wall / 1e6, dem.size / cpu * threads / 1e6
                print(f"{stage:24s} {by_wall:8.1f} M cells/s by the wall, {by_cpu:8.1f} by CPU time over threads")


if __name__ == "__main__":
    main()
