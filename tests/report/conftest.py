"""A finished run folder made by hand: small rasters, zones with hostile names, and a manifest such as a run writes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.transform import from_origin

CLASSES = [
    {"code": 1, "name_en": "Slight", "name_zh": "微度", "colour": "#a6d96a", "lower": 0.0, "upper": None},
    {"code": 2, "name_en": "Light", "name_zh": "轻度", "colour": "#ffffb2", "lower": None, "upper": 2500.0},
    {"code": 3, "name_en": "Moderate", "name_zh": "中度", "colour": "#fecc5c", "lower": 2500.0, "upper": 5000.0},
    {"code": 4, "name_en": "Strong", "name_zh": "强烈", "colour": "#fd8d3c", "lower": 5000.0, "upper": 8000.0},
    {"code": 5, "name_en": "Very strong", "name_zh": "极强烈", "colour": "#e31a1c", "lower": 8000.0, "upper": 15000.0},
    {"code": 6, "name_en": "Severe", "name_zh": "剧烈", "colour": "#7a0177", "lower": 15000.0, "upper": None},
]
STEMS = ("slight", "light", "moderate", "strong", "very_strong", "severe")
NAMES = [
    "忻府区",
    "<script>document.title='owned'</script>",
    "=1+1",
    "Ravine & Co \"east\" '西'",
    "</script><img src=x onerror=alert(1)>",
    "河曲县",
    "Upper valley of a name so long that it has to break somewhere",
]


def terrain(height, width, seed=1):
    """Hills and valleys between 0 and 1."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width) * 9
    noise = np.random.default_rng(seed).normal(0, 0.05, (height, width))
    return np.clip(0.5 + 0.25 * np.sin(x + seed) * np.cos(1.3 * y) + 0.2 * np.sin(2.7 * x + 1.9 * y) + noise, 0, 1)


def write_raster(path, array, crs, transform, nodata):
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = array.shape
    profile = {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "count": 1,
        "dtype": array.dtype,
        "crs": crs,
        "transform": transform,
        "nodata": nodata,
    }
    with rasterio.open(path, "w", **profile, tiled=True, blockxsize=256, blockysize=256, compress="deflate") as target:
        target.write(array, 1)


def zone_record(zone_id, name, areas, unassessed):
    assessed = sum(areas)
    total = assessed + unassessed
    return {
        "zone_id": zone_id,
        "zone_name": name,
        "area_km2": total,
        "assessed_km2": assessed,
        "unassessed_km2": unassessed,
        **{f"{stem}_km2": area for stem, area in zip(STEMS, areas)},
        "loss_km2": sum(areas[1:]),
        "conservation_rate_pct": 100 * areas[0] / assessed,
        "conservation_rate_min_pct": 100 * areas[0] / total,
        "conservation_rate_max_pct": 100 * (areas[0] + unassessed) / total,
        "mean_modulus_t_km2_yr": 700 + 90 * len(name),
        "total_loss_t_yr": (700 + 90 * len(name)) * assessed,
    }


def build_run(folder: Path, height=260, width=340, crs="EPSG:4546", language="zh", noise=False, zones=7) -> dict:
    """A run folder in ``folder``; returns its manifest. ``noise``: rasters that do not compress."""
    geographic = crs == "EPSG:4490"
    cell = 3 / 3600 if geographic else 30.0
    transform = from_origin(112.3, 38.9, cell, cell) if geographic else from_origin(437_000, 4_301_000, cell, cell)
    shape = (height, width)
    a_hill = terrain(height, width)
    rng = np.random.default_rng(7)
    layers = {
        "R": 1350 + 420 * terrain(height, width, 2),
        "K": 0.028 + 0.024 * terrain(height, width, 3),
        "LS": 0.03 + 28 * a_hill**3,
        "C": np.clip(terrain(height, width, 5) ** 2, 0.003, 1),
        "P": np.where(terrain(height, width, 6) > 0.6, 0.35, 1.0),
    }
    if noise:
        layers = {name: rng.gamma(1.5, 1.0, shape) for name in layers}
    layers["A"] = rng.gamma(1.5, 20.0, shape) if noise else np.prod(list(layers.values()), axis=0)
    hole = np.hypot(*(np.mgrid[0:height, 0:width] - np.array([height * 0.3, width * 0.75])[:, None, None])) < min(shape) * 0.05
    for name, values in layers.items():
        values = np.where(hole, np.nan, values).astype(np.float32)
        write_raster(folder / "rasters" / f"{name}.tif", values, CRS.from_string(crs), transform, np.nan)
    modulus = np.float32(layers["A"]) * np.float32(100)
    codes = np.where(hole, 255, np.digitize(modulus, [1000, 2500, 5000, 8000, 15000]) + 1).astype(np.uint8)
    write_raster(folder / "rasters" / "intensity.tif", codes, CRS.from_string(crs), transform, 255)

    km2 = 0.0009 if not geographic else 0.00666
    areas = [float((codes == code).sum() * km2) for code in range(1, 7)]
    head = zone_record("all", "全区", areas, float(hole.sum() * km2))
    shares = np.linspace(0.05, 0.3, zones) / np.linspace(0.05, 0.3, zones).sum()
    records = []
    for i, share in enumerate(shares):
        mixed = np.array(areas) * share * (1 + 0.5 * np.sin(i + np.arange(6)))
        records.append(
            zone_record(
                f"{140900 + i}", NAMES[i % len(NAMES)] + ("" if i < len(NAMES) else f" {i}"), list(mixed), head["unassessed_km2"] * share * (i % 2)
            )
        )
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame(records)
    guarded = table.assign(zone_name=[f"'{name}" if name[0] in "=+-@" else name for name in table["zone_name"]])
    guarded.to_csv(folder / "tables" / "zones.csv", index=False, encoding="utf-8-sig")

    factors = {
        name: {
            "source": "raster",
            "options": {},
            "min": float(v[~hole].min()),
            "mean": float(v[~hole].mean()),
            "max": float(v[~hole].max()),
            "valid_cells": int((~hole).sum()),
            "sources": [],
        }
        for name, v in layers.items()
        if name != "A"
    }
    factors["R"] |= {
        "method": "xie2016",
        "source": None,
        "options": {"erosive_mm": 10.0, "warm_months": "5–9"},
        "sources": ["Xie et al. 2016, J. Hydrol.", "日降雨 1991–2020"],
    }
    factors["LS"] |= {
        "method": "desmet_govers1996",
        "options": {"steepness": "liu1994", "max_slope_length_m": 300.0, "routing": "d8"},
        "sources": ["Desmet & Govers 1996", "Liu et al. 1994"],
    }
    factors["C"] |= {"source": "table"}
    factors["P"] |= {"method": "slope_classes", "method_status": "unchecked"}
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    inputs = [
        {
            "role": "dem",
            "path": "data/数字高程 2024.tif",
            "sha256": digest,
            "bytes": 4_812_345,
            "crs": crs,
            "shape": [height, width],
            "resampling": None,
            "units": "m",
            "units_assumed": True,
            "valid_cells": height * width,
            "valid_pct": 100.0,
        },
        {
            "role": "landcover",
            "path": "data/landcover.tif",
            "sha256": digest,
            "bytes": 912_345,
            "crs": "EPSG:32649",
            "shape": [812, 990],
            "resampling": "mode",
            "units": None,
            "units_assumed": False,
            "valid_cells": height * width - 400,
            "valid_pct": 99.55,
        },
        {
            "role": "rain",
            "path": "data/rain.csv",
            "sha256": digest,
            "bytes": 212_345,
            "crs": None,
            "shape": None,
            "resampling": None,
            "units": "mm/day",
            "units_assumed": False,
            "valid_cells": None,
            "valid_pct": 99.98,
        },
    ]
    return {
        "schema_version": 1,
        "package": {"name": "rusle-engine", "version": "0.1.0"},
        "project": {
            "name": "Sample county",
            "name_zh": "示例县",
            "year": 2024,
            "note": "Annual monitoring, draft for review",
            "illustrative": True,
            "language": language,
        },
        "started": "2025-01-08T02:11:05+00:00",
        "finished": "2025-01-08T02:11:47+00:00",
        "seconds": 41.8,
        "stages": {"open": 0.8, "terrain": 11.2, "factors": 14.9, "assessment": 9.6, "report": 5.3},
        "peak_memory_mib": 812.4,
        "config": {"project": {"name": "Sample county </script>"}, "ls": {"method": "desmet_govers1996"}},
        "config_digest": "5f3c" * 16,
        "intensity": {"standard": "SL 190-2007", "tolerance_t_km2": 1000.0},
        "classes": CLASSES,
        "grid": {
            "crs": crs,
            "crs_wkt": "",
            "height": height,
            "width": width,
            "transform": list(transform)[:6],
            "cell_m": [30.0, 30.0] if not geographic else [72.1, 92.5],
            "is_geographic": geographic,
        },
        "inputs": inputs,
        "factors": factors,
        "topography": {"capped_pct": 3.417, "channel_pct": 5.02, "raised_pct": 0.31, "longest_slope_m": 412.7, "max_slope_length_m": 300.0},
        "edge": {
            "buffer_m": 8370.0,
            "zones": [
                {"zone_id": str(head["zone_id"]), "zone_name": str(head["zone_name"]), "area_km2": 10.0, "contaminated_km2": 0.25, "share_pct": 2.5},
                {"zone_id": "<e>", "zone_name": "East <edge>", "area_km2": 4.0, "contaminated_km2": 0.25, "share_pct": 6.25},
                {"zone_id": "in", "zone_name": "Inner land", "area_km2": 3.0, "contaminated_km2": 0.0, "share_pct": 0.0},
            ],
        },
        "headline": head,
        "target": {"conservation_rate_pct": 63.56, "year": 2025, "source": "忻州市水土保持规划"},
        "warnings": [
            {"code": "coarse_cells", "en": "Cells are longer than a third of the longest slope.", "zh": "栅格单元长于最长坡长的三分之一。"},
            {"code": "overlap", "en": "Zones overlap: 2 pairs.", "zh": "分区重叠：2 对。"},
        ],
        "outputs": [
            {"path": "rasters/A.tif", "sha256": digest, "bytes": 3_412_345, "kind": "raster"},
            {"path": "tables/zones.csv", "sha256": digest, "bytes": 2345, "kind": "table"},
        ],
        "versions": {"python": "3.11.7", "numpy": "2.4.6", "GDAL": "3.9.3"},
    }


@pytest.fixture(scope="session")
def make_run():
    return build_run
