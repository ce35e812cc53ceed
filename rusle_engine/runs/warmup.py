"""Compiling the kernels once, so that the first run compiles nothing; and clearing away what older versions compiled."""

import re
import shutil
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.factors.b import b_factor
from rusle_engine.factors.ndvi_series import half_month_ndvi
from rusle_engine.runs.config import load_config
from rusle_engine.runs.run import run
from rusle_engine.runs.sample import write_sample
from rusle_engine.terrain.conditioning import condition
from rusle_engine.terrain.flow import flow_accumulation, flow_direction
from rusle_kernels._jit import cache_folder, cache_root

_OTHER_METHODS = (
    "R.method=zhang2003",
    "LS.steepness=liu1994",
    "C={method: vanderknijff1999, ndvi: {raster: ndvi.tif}, override: c_override.csv}",
    "P={method: wischmeier_smith1978, cropland: [11]}",
    "output.report=false",
)
_PATH_METHOD = (
    "LS={method: foster_wischmeier1974, steepness: liu1994, exponent: csle_1_3_5, max_slope_length_m: 100, channel_area_m2: 250000}",
    "P={method: wenner1981, cropland: [11]}",
    "output.report=false",
)


def warm_up() -> Path:
    """Run the whole chain on a small made-up region, by the demo's methods and by the others; where its compiled kernels lie."""
    with tempfile.TemporaryDirectory(prefix="rusle-warmup-") as folder:
        configuration = write_sample(Path(folder), (64, 64))
        run(load_config(configuration))
        run(load_config(configuration, _OTHER_METHODS))
        run(load_config(configuration, _PATH_METHOD))
    _drain_in_other_ways()
    _cover_through_a_year()
    return cache_folder()


def _cover_through_a_year() -> None:
    """Half-months of a year of NDVI with flags, and B by its curves."""
    dates = pd.date_range("2023-01-01", periods=23, freq="16D")
    ndvi = xr.DataArray(np.full((23, 1, 1), 0.5, np.float32), dims=("time", "y", "x"), coords={"time": dates})
    half_months = half_month_ndvi(ndvi, quality=ndvi * 0)
    b = partial(b_factor, ndvi=half_months, wr=[1 / 24] * 24, ndvi_soil=0.05, ndvi_vegetation=0.86)
    b(method="csle_grass")
    b(method="csle_forest", understorey=0.4)
    b(method="cai2000")


def _drain_in_other_ways() -> None:
    """Breaching, packed ties (which the region's heights, not being in whole steps, do not take), several receivers, barriers."""
    heights = np.zeros((4, 4), np.float32)
    condition(heights, method="breach", max_breach_length_m=1.0, cell_size_m=1.0, units="m")
    flow_direction(heights, flat_ties="packed", quantum_m=1.0, units="m")
    barriers = np.zeros((4, 4), np.uint8)
    flow_accumulation(flow_direction(heights, scheme="quinn1991", barriers=barriers, units="m"))
    flow_accumulation(flow_direction(heights, scheme="tarboton1997", units="m"))


def prune() -> list[Path]:
    """Remove the compiled kernels of other versions; the folders that are gone."""
    kept, root = cache_folder(), cache_root()
    others = [path for path in root.iterdir() if path != kept and re.fullmatch(r"[0-9a-f]{16}", path.name)] if root.is_dir() else []
    for path in others:
        shutil.rmtree(path)
    return others
