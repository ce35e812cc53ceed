"""Rasters for these tests, written by rasterio itself and not by the code under test."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

GRID = Affine(10, 0, 500_000, 0, -10, 4_000_000)
CRS = "EPSG:4546"  # CGCS2000, 3-degree zone, central meridian 111 E


@pytest.fixture
def save(tmp_path):
    """``save(name, values, …)`` writes a GeoTIFF (or what the suffix says) and returns its path."""

    def write(name, values, *, transform=GRID, crs=CRS, nodata=None, units=None, scale=None, offset=None, mask=None, folder=None, **options) -> Path:
        values = np.asarray(values)
        path = (folder or tmp_path) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        options = {"driver": "GTiff", **options}
        shape = {"height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": values.dtype.name}
        with (
            rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
            rasterio.open(path, "w", crs=crs, transform=transform, nodata=nodata, **shape, **options) as target,
        ):
            target.write(values, 1)
            if units is not None:
                target.units = (units,)
            if scale is not None:
                target.scales = (scale,)
            if offset is not None:
                target.offsets = (offset,)
            if mask is not None:
                target.write_mask(mask)
        return path

    return write
