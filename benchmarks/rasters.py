"""Million cells a second of rasters read, brought onto a grid and written, N × N cells made here from a seed.

    python benchmarks/rasters.py 4000

Wall seconds, and CPU seconds of all threads, each the best of three: on a busy machine the second tells more. ``plain GeoTIFF`` is what
rasterio does with one ``write`` and its default deflate on one processor, without overviews and unread; ``COG`` is ``write_rasters``, with
overviews, every tile read back and compared.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS

from rusle_engine.core.grid import Grid
from rusle_engine.core.variables import INTENSITY, SOIL_LOSS
from rusle_engine.files.rasters import RasterOutput, open_aligned, open_raster, write_rasters

REPEATS = 3
ZONE = CRS.from_epsg(4546)


def timed(function: Callable[[], Any]) -> tuple[float, float]:
    """Wall and CPU seconds, the best of three calls each."""
    wall, cpu = [], []
    for _ in range(REPEATS):
        start, busy = time.perf_counter(), time.process_time()
        function()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - busy)
    return min(wall), min(cpu)


def layers(size: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Soil loss as it varies over hills, with a corner without data, and its classes."""
    random = np.random.default_rng(1)
    wave = random.normal(size=(size, size)).cumsum(0).cumsum(1)
    loss = (np.abs(wave) / np.abs(wave).max() * 200 * random.gamma(4, 0.25, (size, size))).astype(np.float32)
    loss[: size // 12, : size // 6] = np.nan
    return loss, np.where(np.isnan(loss), 255, np.digitize(loss, [10, 25, 50, 80, 150]) + 1).astype(np.uint8)


def measured(size: int, folder: Path) -> dict[str, tuple[float, float]]:
    grid = Grid(size, size, Affine(30, 0, 450_000, 0, -30, 4_200_000), ZONE)
    loss, code = layers(size)
    a, classes = (grid.label(values).chunk({"y": 1024, "x": 1024}) for values in (loss, code))
    path, striped = folder / "A.tif", folder / "plain.tif"

    def plain() -> None:
        options = {"height": size, "width": size, "count": 1, "dtype": "float32", "nodata": np.nan, "crs": "EPSG:4546", "transform": grid.transform}
        with rasterio.open(striped, "w", driver="GTiff", compress="deflate", predictor=3, **options) as target:
            target.write(loss, 1)

    degrees = Grid(size, size, Affine(0.0003, 0, 110.5, 0, -0.0003, 38.0), CRS.from_epsg(4490))
    seconds = {
        "write plain GeoTIFF, deflate": timed(plain),
        "write COG float32, deflate": timed(lambda: write_rasters([RasterOutput(a, path, SOIL_LOSS)])),
        "write COG float32, zstd": timed(lambda: write_rasters([RasterOutput(a, folder / "z.tif", SOIL_LOSS)], compression="zstd")),
        "write COG classes, deflate": timed(lambda: write_rasters([RasterOutput(classes, folder / "c.tif", INTENSITY, kind="classes")])),
        "read COG in tiles of 1024": timed(lambda: open_raster(path).data.map_blocks(_touched, dtype=np.float32).compute()),
        "read strips in tiles of 1024": timed(lambda: open_raster(striped).data.map_blocks(_touched, dtype=np.float32).compute()),
    }
    warped = open_aligned(path, degrees, resampling="bilinear")
    seconds["warp to degrees, bilinear"] = timed(lambda: warped.data.map_blocks(_touched, dtype=np.float32).compute())
    return seconds


def _touched(tile: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return tile[:1, :1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", type=int, nargs="?", default=4000)
    size = parser.parse_args().size
    with tempfile.TemporaryDirectory() as folder:
        print(f"{size} × {size} cells; million cells a second of wall time, and of CPU time")
        for stage, (wall, cpu) in measured(size, Path(folder)).items():
            print(f"{stage:32s} {size * size / wall / 1e6:8.1f} {size * size / cpu / 1e6:8.1f}")


if __name__ == "__main__":
    main()
