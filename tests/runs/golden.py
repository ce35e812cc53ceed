"""What the demonstration run must give, on every machine: digests of whole-number rasters, cell counts, and figures to 1e-12.

python tests/runs/golden.py     # after a change that is meant to move a number, and is in the changelog: writes golden_demo*.json anew
"""

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

import rusle_engine as rusle
from rusle_engine.runs.sample import write_demo

STORED = {"rusle": Path(__file__).with_name("golden_demo.json"), "csle": Path(__file__).with_name("golden_demo_csle.json")}
FACTORS = {"rusle": ("K", "LS", "C", "P"), "csle": ("K", "LS", "B", "E", "T")}
FIGURES = ("area_km2", "assessed_km2", "slight_km2", "severe_km2", "conservation_rate_pct", "mean_modulus_t_km2_yr", "total_loss_t_yr")


def decoded(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        return source.read(1)


def digest(values: np.ndarray) -> str:
    return hashlib.sha256(f"{values.dtype}{values.shape}".encode() + np.ascontiguousarray(values).tobytes()).hexdigest()


def of_run(folder: Path, equation: str) -> dict[str, Any]:
    """The demonstration written and run in ``folder``, in the figures that are held on to."""
    result = rusle.run(write_demo(folder, equation=equation))
    directions = rusle.flow_direction(rusle.open_raster(folder / "dem.tif")).values
    codes, cells = np.unique(decoded(result.path / "rasters/intensity.tif"), return_counts=True)
    zones = result.tables["zones"]
    return {
        "digests": {
            "dem": digest(decoded(folder / "dem.tif")),
            "soil": digest(decoded(folder / "soil.tif")),
            "landcover_2023": digest(decoded(folder / "landcover_2023.tif")),
            "landcover_2024": digest(decoded(folder / "landcover_2024.tif")),
            "flow_direction": digest(directions),
            "intensity": digest(decoded(result.path / "rasters/intensity.tif")),
        },
        "cells_by_class": {str(code): int(count) for code, count in zip(codes, cells)},
        "R": result.manifest["factors"]["R"]["constant"],
        "factors": {key: {n: result.manifest["factors"][key][n] for n in ("valid_cells", "min", "mean", "max")} for key in FACTORS[equation]},
        "A": {n: result.manifest["soil_loss"][n] for n in ("valid_cells", "min", "mean", "max")},
        "zones": {row["zone_id"]: {name: row[name] for name in FIGURES} for row in zones.to_dict("records")},
    }


if __name__ == "__main__":
    for equation, stored in STORED.items():
        with tempfile.TemporaryDirectory() as temporary:
            stored.write_text(json.dumps(of_run(Path(temporary), equation), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
