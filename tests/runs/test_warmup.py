"""After ``rusle warmup`` no kernel is compiled: neither one that was never called, nor one for other types of arrays."""

import json
import subprocess
import sys
from pathlib import Path

CALLED_BY_KERNELS_ALONE = {
    "basins.spanning_edges",
    "coverage._between",
    "slope.gradient_row",
    "slope_length.segment_row",
    "slope_length.length_row",
    "soil_loss.multiply_row",
    "soil_loss.classify_row",
    "soil_loss.classify_row_by_raster",
    "soil_loss.packed_counts",
    "soil_loss.total_loss",
    "soil_loss.tally_runs",
    "soil_loss.tally_cuts",
    "soil_loss.tally_row",
    "topography.steepness_row",
    "topography.exponent_row",
}
ORACLE = {"fill.priority_flood"}
SCRIPT = """
import importlib, json, logging, pkgutil, sys
from pathlib import Path
import rusle_kernels
from rusle_engine.runs.warmup import warm_up

def compiled():
    found = {}
    for module in pkgutil.iter_modules(rusle_kernels.__path__):
        home = importlib.import_module(f"rusle_kernels.{module.name}")
        for name, value in vars(home).items():
            if hasattr(value, "py_func") and value.py_func.__module__ == home.__name__ and value.targetoptions.get("inline") != "always":
                found[f"{module.name}.{name}"] = len(value.signatures)
    return found

warm_up()
before = compiled()

import rusle_engine as rusle
from tests.region import build_region

region = build_region(Path(sys.argv[1]) / "region", shape=(80, 90))
region.config["compute"] = {"tile_cells": 64}
region.run()
region.config["LS"] |= {"routing": "tarboton1997", "water_depth_m": 0.5, "slope_surface": "filled"}
region.run()
dem = rusle.open_raster(region.folder / "dem.tif", chunks={"y": 32, "x": 40})
d8 = rusle.flow_direction(dem)
rusle.basins(d8).compute()
rusle.sub_basins(d8, min_cells=20).compute()
rusle.streams(d8, min_cells=20)
rusle.flow_accumulation(d8, weights=dem).compute()
rusle.edge_contamination(d8, max_slope_length_m=100.0).compute()
rusle.condition(dem.astype("float64"), method="breach", max_breach_length_m=300.0).compute()
later = compiled()
print(json.dumps({"never": [k for k, n in before.items() if n == 0], "later": [k for k, n in later.items() if n > before[k]]}))
"""


def test_nothing_is_left_to_compile(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, timeout=600, check=False, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["never"]) <= CALLED_BY_KERNELS_ALONE | ORACLE
    assert not found["later"], found["later"]
