"""Factors that come from places: R between stations, E of a register of measures, E and T by zone; on one core, whole functions.

    python benchmarks/space.py [--side 2000] [--stations 60] [--measures 20000]

Seconds are CPU time, the best of three; so is the copy, of one raster of float64.
"""

import argparse
import time
from collections.abc import Callable

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from affine import Affine
from pyproj import CRS

from rusle_engine.core.grid import Grid
from rusle_engine.factors.e import e_factor
from rusle_engine.factors.stations import interpolate_stations
from rusle_engine.factors.t import t_factor

CELL_M = 30.0


def seconds(function: Callable[[], object]) -> float:
    least = np.inf
    for _ in range(3):
        started = time.process_time()
        function()
        least = min(least, time.process_time() - started)
    return float(least)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("side", 2000), ("stations", 60), ("measures", 20_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    random, side = np.random.default_rng(5), options.side
    grid = Grid(side, side, Affine(CELL_M, 0, 500_000, 0, -CELL_M, 4_000_000 + CELL_M * side), CRS.from_epsg(32649))
    dem = grid.label(1000 + 500 * random.random((side, side))).assign_attrs(units="m")
    x, y = (corner + CELL_M * side * random.random(options.stations) for corner in (500_000, 4_000_000))
    stations = pd.DataFrame({"x": x, "y": y, "elevation_m": random.uniform(1000, 1500, options.stations)})
    values = pd.Series(1500 + 0.01 * (x - x.min()) + random.normal(0, 50, options.stations), name="R")
    left, bottom = (corner + (CELL_M * side - 200) * random.random(options.measures) for corner in (500_000, 4_000_000))
    places = shapely.box(left, bottom, left + random.uniform(30, 200, options.measures), bottom + random.uniform(30, 200, options.measures))
    register = gpd.GeoDataFrame(
        {"type": random.choice(["terrace", "bench", "pit"], options.measures), "year_built": 2000}, geometry=places, crs=32649
    )
    types, zones = (grid.label(random.integers(0, 8, (side, side)).astype(np.float64)) for _ in range(2))
    by_zone = pd.DataFrame([(zone, code, 0.1 + 0.1 * code) for zone in range(8) for code in range(8)], columns=["zone", "code", "E"])
    tasks: dict[str, Callable[[], object]] = {
        f"R {method}, {options.stations} stations": lambda method=method: interpolate_stations(values, stations, dem, method)  # type: ignore[misc]
        for method in ("idw", "tps", "kriging", "external_drift")
    }
    of_types = {"terrace": 0.1, "bench": 0.2, "pit": 0.3}
    tasks[f"E register, {options.measures} measures"] = lambda: e_factor(measures=register, table=of_types, grid=dem, year=2020, method="register")
    tasks["E zone_table"] = lambda: e_factor(types=types, zones=zones, table=by_zone, method="zone_table")
    tasks["T rotation_zones"] = lambda: t_factor(
        landcover=types, rotation=zones, table=dict.fromkeys(range(8), 0.3), cropland=[1, 2], method="rotation_zones"
    )
    copy = seconds(dem.values.copy)
    print(f"{side} × {side} cells, one thread, best of three by CPU time")
    for name, task in tasks.items():
        took = seconds(task)
        print(f"{name:32} {side * side / took / 1e6:8.2f} M cells/s  {100 * copy / took:6.1f} % of a copy's rate")


if __name__ == "__main__":
    main()
