"""A small region with every kind of input a run takes, for tests that break one thing at a time. All of it is made up, by written rules."""

import copy
import csv
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import shapely
import yaml
from affine import Affine

import rusle_engine as rusle

CROPLAND, ORCHARD, FOREST, GRASS, BUILT_UP, WATER = 11, 21, 31, 41, 51, 61
MIDDLE = {"x": 500_000.0, "y": 4_150_000.0, "lon": 114.0, "lat": 37.5}
"""A place on the central meridian of a 3° zone, and one in degrees."""


def write_raster(path, values, transform, crs, *, nodata=None, units=None, **options):
    """A GeoTIFF; ``crs`` None and ``transform`` None are left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    place = {} if transform is None else {"transform": transform}
    height, width = values.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": 1, "dtype": values.dtype, "crs": crs, "nodata": nodata}
    with rasterio.open(path, "w", **profile, **place, **options) as file:
        file.write(values, 1)
        if units:
            file.units = (units,)
    return path


def read_raster(path):
    """Values as float64 with NaN where there is none."""
    with rasterio.open(path) as file:
        return np.ma.filled(file.read(1, masked=True).astype(np.float64), np.nan)


def stored(result, name):
    """A raster of a run as its file holds it."""
    with rasterio.open(result.path / f"rasters/{name}.tif") as file:
        return file.read(1)


def write_csv(path, rows, encoding="utf-8"):
    """Rows as dicts of one shape."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@dataclass
class Region:
    """A folder of inputs and the configuration that names them; change either, then ``check`` or ``run``."""

    folder: Path
    crs: str
    transform: Affine
    shape: tuple[int, int]
    config: dict = field(default_factory=dict)

    @property
    def result(self):
        return self.folder / self.config["output"]["folder"]

    def copied(self, folder, *, report=True):
        """The same region in another folder."""
        shutil.copytree(self.folder, folder)
        config = copy.deepcopy(self.config)
        config["output"]["report"] = report
        return replace(self, folder=folder, config=config)

    def write_config(self, name="run.yml"):
        path = self.folder / name
        path.write_text(yaml.safe_dump(self.config, allow_unicode=True, sort_keys=False), encoding="utf-8")
        return path

    def check(self):
        return rusle.check(self.write_config())

    def run(self, **options):
        return rusle.run(self.write_config(), **options)

    def values(self, name):
        return read_raster(self.folder / f"{name}.tif")

    def put(self, name, values, **options):
        """A raster on the region's grid, in place of the one of that name."""
        return write_raster(self.folder / f"{name}.tif", values, self.transform, self.crs, **options)

    def put_zones(self, polygons, path="zones.gpkg", crs=None, ids="zone_id", names="zone_name", **options):
        """``polygons``: {(id, name): geometry} in the CRS of the region, or in ``crs``; written in the format of the suffix."""
        table = gpd.GeoDataFrame(
            {ids: [key for key, _ in polygons], names: [name for _, name in polygons]}, geometry=list(polygons.values()), crs=crs or self.crs
        )
        table.to_file(self.folder / path, **options)
        return self.folder / path

    def zone_polygons(self):
        """A county whose border runs askew, and two towns in it that share a border; all of them cut cells."""
        height, width = self.shape
        county = [(1.3, 2.6), (width - 2.2, 0.7), (width - 0.4, height - 3.9), (3.8, height - 1.1)]
        west = [(3.1, 4.2), (width / 2 + 0.37, 3.4), (width / 2 - 1.41, height - 4.3), (5.2, height - 5.7)]
        east = [(width / 2 + 0.37, 3.4), (width - 5.5, 4.1), (width - 6.3, height - 7.2), (width / 2 - 1.41, height - 4.3)]
        rings = {("140602", "河口县"): county, ("01", "上湾镇"): west, ("02", "下湾镇"): east}
        return {key: shapely.Polygon([self.transform @ corner for corner in ring]) for key, ring in rings.items()}


def build_region(folder, *, shape=(40, 50), crs="EPSG:4547", cell=30.0, zones=True):
    """All inputs and a configuration that runs. ``cell`` is in metres, or in degrees where ``crs`` is geographic."""
    folder.mkdir(parents=True, exist_ok=True)
    height, width = shape
    geographic = rasterio.crs.CRS.from_user_input(crs).is_geographic
    x, y = (MIDDLE["lon"], MIDDLE["lat"]) if geographic else (MIDDLE["x"], MIDDLE["y"])
    region = Region(folder, crs, Affine(cell, 0, x - cell * (width // 2), 0, -cell, y + cell * (height // 2)), shape)
    row, column = np.mgrid[:height, :width].astype(np.float64)
    noise = np.random.default_rng(7).uniform(0, 1, shape)

    dem = 900 - 3 * row + 25 * np.sin(column / 6) + 12 * np.cos(row / 5 + column / 9) + 2 * noise
    dem[row + column < 4] = -9999
    region.put("dem", dem.astype(np.float32), nodata=-9999)

    landcover = np.select(
        [np.hypot(row - 20, column - 30) < 4, (row > 30) & (column < 12), dem > 900, dem > 870, column % 7 < 3],
        [WATER, BUILT_UP, FOREST, GRASS, ORCHARD],
        CROPLAND,
    )
    landcover[row + column < 3] = 0
    region.put("landcover", landcover.astype(np.uint8), nodata=0)
    region.put("soil", (1 + 3 * column // width).astype(np.uint8), nodata=255)

    ndvi = np.clip(0.15 + 0.5 * (dem - 830) / 100 + 0.2 * noise, 0.02, 0.9)
    ndvi[landcover == WATER] = -9999
    ndvi[-3:, -2:] = -9999
    region.put("ndvi", ndvi.astype(np.float32), nodata=-9999)

    days = pd.date_range("2019-01-01", "2021-12-31")
    season = np.where(days.month.isin([6, 7, 8, 9]), 14.0, 4.0)
    rain = np.round(season * np.clip(np.random.default_rng(11).exponential(1.0, len(days)) - 1.2, 0, None), 1)
    write_csv(folder / "rain.csv", [{"date": day.date().isoformat(), "rain": f"{depth:.1f}"} for day, depth in zip(days, rain)])

    soils = [(1, 20, 62, 18, 1.1), (2, 35, 50, 15, 0.7), (3, 55, 30, 15, 0.4)]
    write_csv(folder / "soil.csv", [dict(zip(("code", "sand", "silt", "clay", "soc"), soil)) for soil in soils])
    write_csv(folder / "c_override.csv", [{"code": code, "C": value} for code, value in ((CROPLAND, 0.23), (BUILT_UP, 0.0))])
    cover = ((CROPLAND, 0.23), (ORCHARD, 0.1), (FOREST, 0.005), (GRASS, 0.04), (BUILT_UP, 0.0), (WATER, 0.0))
    write_csv(folder / "c.csv", [{"code": code, "C": value} for code, value in cover])
    practice = ((CROPLAND, 0.6), (ORCHARD, 0.8), (FOREST, 1.0), (GRASS, 1.0), (BUILT_UP, 1.0), (WATER, 0.0))
    write_csv(folder / "p.csv", [{"code": code, "P": value} for code, value in practice])
    if zones:
        region.put_zones(region.zone_polygons())

    region.config = {
        "schema_version": 1,
        "project": {"name": "Test region", "name_zh": "试验区", "year": 2021, "illustrative": True},
        "dem": {"raster": "dem.tif"},
        "landcover": {"raster": "landcover.tif", "assessed_as_slight": [WATER]},
        "R": {"method": "xie2016", "rain": "rain.csv"},
        "K": {"method": "williams1990", "soil": {"raster": "soil.tif"}, "table": "soil.csv"},
        "LS": {"method": "desmet_govers1996", "max_slope_length_m": 304.8, "channel_area_m2": 90_000},
        "C": {"method": "cai2000", "ndvi": {"raster": "ndvi.tif"}, "ndvi_soil": 0.05, "ndvi_vegetation": 0.86, "override": "c_override.csv"},
        "P": {"table": "p.csv"},
        "intensity": {"tolerance_t_km2": 1000},
        "zones": {"file": "zones.gpkg"} if zones else None,
        "target": {"conservation_rate_pct": 70, "year": 2025, "source": "made up"},
        "output": {"folder": "result"},
    }
    return region
