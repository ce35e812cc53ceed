"""Million cells a second of routing to several neighbours, in memory, over the fractal DEM of ``benchmarks/terrain.py``.

    python benchmarks/multiple_flow.py 4000

``--threads 1 2``, ``--schemes quinn1991 …``. Wall and CPU seconds of the best of three, and the sweeps in which sums were exchanged.
"""

import argparse
import logging
from typing import get_args

import dask
import xarray as xr
from terrain import CELL_M, fractal_dem, timed

from rusle_engine.core.grid import Grid
from rusle_engine.terrain.flow import flow_direction, upslope_area
from rusle_engine.terrain.multiple_flow import MultipleFlow, Routing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", type=int, nargs="?", default=4000)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--schemes", nargs="+", default=list(get_args(MultipleFlow)))
    options = parser.parse_args()
    logging.basicConfig(format="    %(message)s")
    logging.getLogger("rusle_engine").setLevel(logging.INFO)
    dem = xr.DataArray(fractal_dem(options.size), dims=("y", "x"), attrs={"units": "m"})
    corner = dem[:64, :64].copy()
    for scheme in options.schemes:
        upslope_area(corner, Grid.of(corner, CELL_M), scheme=scheme)  # compiled
        routing = Routing.of(flow_direction(dem, scheme=scheme, cell_size_m=CELL_M))
        for threads in options.threads:
            with dask.config.set(num_workers=threads):
                wall, cpu, _ = timed(routing.upslope_area)
            print(
                f"{scheme} {threads} threads: {dem.size / wall / 1e6:.1f} M/s by the wall, {dem.size / cpu / 1e6:.1f} M/s for each second of CPU time"
            )


if __name__ == "__main__":
    main()
