"""A file laid out beforehand, filled from many sides at once."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from rusle_engine.files.staging import digest, staged


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize(
    "cuts", [((512, 512, 300), (512, 512, 1)), ((1324,), (1025,)), ((1, 700, 623), (513, 511, 1)), ((333, 333, 658), (1000, 25))]
)
def test_gdal_reads_what_every_tile_put(tmp_path, dtype, cuts):
    rng = np.random.default_rng(5)
    values = rng.integers(0, 255, (1324, 1025)).astype(dtype)
    file = staged(tmp_path / "a.tif", height=1324, width=1025, dtype=dtype, crs=CRS.from_epsg(32650), transform=Affine(30, 0, 5e5, 0, -30, 4e6))
    rows, columns = (np.concatenate([[0], np.cumsum(cut)]) for cut in cuts)
    places = [(i, j, k, m) for i, k in pairwise(rows) for j, m in pairwise(columns)]
    with ThreadPoolExecutor(4) as pool:
        digests = list(pool.map(lambda p: file.put(values[p[0] : p[2], p[1] : p[3]], p[0], p[1]), places))
    with rasterio.open(tmp_path / "a.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1), values)
    assert digests == [digest(values[i:k, j:m]) for i, j, k, m in places]


def test_the_caller_keeps_his_tile(tmp_path):
    file = staged(tmp_path / "a.tif", height=4, width=4, dtype="float32", crs=CRS.from_epsg(32650), transform=Affine(30, 0, 5e5, 0, -30, 4e6))
    tile = np.arange(16.0).reshape(4, 4).T
    kept = tile.copy()
    file.put(tile, 0, 0)
    np.testing.assert_array_equal(tile, kept)
    with rasterio.open(tmp_path / "a.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(1), kept)
