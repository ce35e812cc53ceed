"""The kernels of single factors, each called once on as little as it takes."""

from typing import Any, get_args

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from shapely import box

from rusle_engine.assessment.conservation import conservation_rate
from rusle_engine.core.grid import Grid
from rusle_engine.erosion.intensity import erosion_intensity
from rusle_engine.erosion.soil_loss import soil_loss
from rusle_engine.factors import total_erosivity
from rusle_engine.factors.b import b_factor
from rusle_engine.factors.c import CoverMethod, c_factor
from rusle_engine.factors.cover import vegetation_cover
from rusle_engine.factors.e import e_factor
from rusle_engine.factors.erosivity_grid import erosivity_on_grid
from rusle_engine.factors.k import k_factor, k_not_closed
from rusle_engine.factors.k_methods import ErodibilityMethod
from rusle_engine.factors.ndvi_bounds import ndvi_bounds
from rusle_engine.factors.p import p_factor
from rusle_engine.factors.r import ErosivityMethod, r_factor
from rusle_engine.factors.stations import interpolate_stations
from rusle_engine.factors.storms import Energy, erosive_storms

_SOIL: dict[str, Any] = {"sand": 40.0, "silt": 40.0, "clay": 20.0}
_BY_COVER: dict[CoverMethod, dict[str, Any]] = {
    "cai2000": {"fvc": 0.3},
    "liu1999": {"fvc": 0.3},
    "bu": {"fvc": 0.3},
    "durigon2014": {"ndvi": 0.3},
    "colman2018": {"ndvi": 0.3},
    "vanderknijff1999": {"ndvi": 0.3},
    "ndvi_power": {"ndvi": 0.3},
    "lai_log": {"lai": 1.0},
}


def warm_up_rain() -> None:
    """R of totals and of storms; R between stations and on another grid."""
    months = pd.Series(50.0, index=pd.date_range("2021-01-01", periods=12, freq="MS"))
    methods: tuple[ErosivityMethod, ...] = tuple(m for m in get_args(ErosivityMethod) if m in total_erosivity.METHODS)
    for method in methods:
        units: dict[str, Any] = {"coefficient_units": "MJ mm ha-1 h-1 yr-1"} if method == "wischmeier_monthly" else {}
        r_factor(months, method=method, **units)
    r_factor(pd.Series(2.0, index=pd.date_range("2021-01-01", "2021-12-31")), method="zhang_fu2003")
    minutes = pd.Series([5.0, 10.0, 5.0], index=pd.date_range("2021-07-01", periods=3, freq="30min"))
    for energy in get_args(Energy):
        erosive_storms(minutes, energy=energy)
    grid = small_grid()
    corners = [(x, y) for x in (0.0, 40.0, 90.0) for y in (0.0, 30.0, 70.0, 110.0)]
    stations = pd.DataFrame(corners, columns=["x", "y"], index=[f"s{n}" for n in range(12)])
    values = pd.Series([1.0, 2.0, 3.0, 5.0, 4.0, 6.0] * 2, index=stations.index, name="R")
    values.attrs["units"] = "MJ mm ha-1 h-1 yr-1"
    interpolate_stations(values, stations, grid)
    interpolate_stations(values, stations, grid, "tps")
    interpolate_stations(values, stations, grid, "kriging")
    coarse = xr.Dataset({"R": grid.astype(np.float64).assign_attrs(units="MJ mm ha-1 h-1 yr-1")})
    np.asarray(erosivity_on_grid(coarse, grid, "bilinear")["R"])
    np.asarray(erosivity_on_grid(coarse, grid, "nearest")["R"])


def warm_up_soil_and_cover() -> None:
    """K, C, B, P by land use and slope, and E by every equation; soil loss, classes and tables apart from a run."""
    nomograph = _SOIL | {"om": 2.0, "structure": 2.0, "permeability": 3.0}
    of_carbon: tuple[ErodibilityMethod, ...] = ("williams1990", "zhang2008", "torri1997")
    for soil_method in of_carbon:
        k_factor(**_SOIL, soc=1.0, method=soil_method)
    k_factor(**_SOIL, method="renard1997")
    k_factor(**nomograph, very_fine_sand=10.0, method="wischmeier1978")
    k_factor(**nomograph, very_fine_sand=10.0, method="rusle2_fine")
    k_factor(**nomograph, estimate_very_fine_sand=True, rock_cover=10.0, method="wischmeier1978")
    rasters: dict[str, Any] = {name: np.full((1, 1), content) for name, content in _SOIL.items()}
    k_not_closed(**rasters)
    for name, given in _BY_COVER.items():
        c_factor(method=name, **given)
    ranges = pd.DataFrame({"code": [1], "C_min": [0.1], "C_max": [0.3]})
    c_factor(landcover=np.ones((1, 1)), fvc=np.full((1, 1), 0.3), ranges=ranges, method="panagos2015")
    vegetation_cover(np.full((1, 1), 0.3), ndvi_soil=0.05, ndvi_vegetation=0.86)
    ndvi_bounds(xr.DataArray(np.linspace(0, 1, 50, dtype=np.float32)[:, np.newaxis], dims=("y", "x")))
    p_by_both = pd.DataFrame({"code": [1], "slope_from_pct": [0], "P": [0.5]})
    p_factor(landcover=np.ones((1, 1)), theta=np.zeros((1, 1)), by_slope=p_by_both, method="landuse_slope", units={"theta": "rad"})
    grid = small_grid()
    measure = gpd.GeoDataFrame({"type": ["terrace"], "year_built": [2000]}, geometry=[box(0, 0, 50, 50)], crs="EPSG:32649")
    np.asarray(e_factor(measures=measure, table={"terrace": 0.5}, grid=grid, year=2020, method="register"))
    ratios = pd.DataFrame([{"code": 1, "half_month": n, "slr": 0.5} for n in range(1, 25)])
    b_factor(landcover=np.ones((1, 1)), ratios=ratios, wr=[1 / 24] * 24, method="slr_table")
    a = soil_loss(np.ones((1, 1)), 0.1, 1.0, 1.0, 1.0)
    code = erosion_intensity(a)
    erosion_intensity(a, np.full((1, 1), 500.0))
    conservation_rate(code, np.zeros((1, 1), int), cell_size_m=1.0)


def small_grid() -> xr.DataArray:
    """A raster of zeros with coordinates and a CRS."""
    from affine import Affine
    from pyproj import CRS

    return Grid(4, 4, Affine(30.0, 0.0, 0.0, 0.0, -30.0, 120.0), CRS.from_epsg(32649)).label(np.zeros((4, 4)))
