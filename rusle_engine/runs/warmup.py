"""Compiling the kernels once, so that the first run compiles nothing; and clearing away what older versions compiled."""

import logging
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import OutputError
from rusle_engine.factors.b import b_factor
from rusle_engine.factors.ls import l_factor, l_segment, ls_factor, m_exponent, s_factor
from rusle_engine.factors.ndvi_series import good_share, half_month_ndvi
from rusle_engine.runs.config import load_config
from rusle_engine.runs.run import run
from rusle_engine.runs.sample import write_sample
from rusle_engine.runs.warmup_factors import small_grid, warm_up_rain, warm_up_soil_and_cover
from rusle_engine.terrain.conditioning import condition
from rusle_engine.terrain.flow import flow_accumulation, flow_direction
from rusle_engine.terrain.streams import streams
from rusle_engine.terrain.watersheds import basins, catchments, sub_basins
from rusle_kernels._jit import cache_folder, cache_is_writable, cache_root

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
    """Run the whole chain on a small made-up region, by the demo's methods and by the others; where its compiled kernels lie.

    Raises
    ------
    OutputError
        When they cannot be kept.
    """
    if not cache_is_writable():
        raise OutputError(
            f"compiled kernels cannot be kept in {cache_folder()}: it cannot be written. Name another folder (RUSLE_KERNEL_CACHE), or whoever may "
            "write there warms up once: others then read it"
        )
    with quiet(), tempfile.TemporaryDirectory(prefix="rusle-warmup-") as folder:
        configuration = write_sample(Path(folder), (96, 96))
        run(load_config(configuration, ("compute.tile_cells=64",)))
        run(load_config(configuration, _OTHER_METHODS))
        run(load_config(configuration, _PATH_METHOD))
        _drain_in_other_ways()
        _cover_through_a_year()
        warm_up_rain()
        warm_up_soil_and_cover()
    return cache_folder()


@contextmanager
def quiet() -> Iterator[None]:
    """What made-up data would be warned of is nobody's business."""
    log = logging.getLogger("rusle_engine")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _cover_through_a_year() -> None:
    """Half-months of a year of NDVI with flags, and B by its curves."""
    dates = pd.date_range("2023-01-01", periods=23, freq="16D")
    ndvi = xr.DataArray(np.full((23, 1, 1), 0.5, np.float32), dims=("time", "y", "x"), coords={"time": dates})
    good_share(ndvi, quality=ndvi * 0)
    half_months = half_month_ndvi(ndvi, quality=ndvi * 0)
    b = partial(b_factor, ndvi=half_months, wr=[1 / 24] * 24, ndvi_soil=0.05, ndvi_vegetation=0.86)
    b(method="csle_grass")
    b(method="csle_forest", understorey=0.4)
    b(method="cai2000")


def _drain_in_other_ways() -> None:
    """Breaching, packed ties (which the region's heights, not being in whole steps, do not take), several receivers, barriers."""
    for kind in (np.float32, np.float64):
        heights = np.zeros((4, 4), kind)
        condition(heights, method="breach", max_breach_length_m=1.0, cell_size_m=1.0, units="m")
        flow_direction(heights, flat_ties="packed", quantum_m=1.0, units="m")
        rough = xr.DataArray((np.arange(256) * 89 % 256).reshape(16, 16).astype(kind), dims=("y", "x"), attrs={"units": "m"}).chunk(y=4, x=4)
        condition(rough, method="breach", max_breach_length_m=3.0, cell_size_m=1.0).compute()
        flow_accumulation(flow_direction(rough)).compute()
        flow_accumulation(flow_direction(heights, scheme="quinn1991", barriers=np.zeros((4, 4), np.uint8), units="m"))
        flow_accumulation(flow_direction(heights, scheme="tarboton1997", units="m"))
        ls_factor(heights, water_depth_m=0.1, cell_size_m=1.0, units="m")
    d8 = flow_direction(heights, units="m")
    flow_accumulation(d8, weights=1.5)
    flow_accumulation(d8, weights=np.ones((4, 4)))
    on_grid = flow_direction(small_grid(), units="m")
    basins(d8)
    sub_basins(d8, min_cells=2)
    streams(on_grid, min_cells=2)
    catchments(on_grid, [(15.0, 15.0)])
    slope_and_length = xr.DataArray(np.full((1, 1), 0.1), dims=("y", "x"), attrs={"units": "rad"})
    s_factor(slope_and_length)
    m = m_exponent(slope_and_length)
    l_segment(np.zeros((1, 1)), np.ones((1, 1)), m, units={"start": "m", "end": "m"})
    l_factor(np.ones((1, 1)), m, slope_and_length, cell_size_m=1.0, units={"upslope_area": "m2"})


def prune() -> list[Path]:
    """Remove the compiled kernels of other versions; the folders that are gone."""
    kept, root = cache_folder(), cache_root()
    others = [path for path in root.iterdir() if path != kept and re.fullmatch(r"[0-9a-f]{16}", path.name)] if root.is_dir() else []
    for path in others:
        shutil.rmtree(path)
    return others
