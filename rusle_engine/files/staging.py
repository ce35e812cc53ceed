"""An uncompressed tiled GeoTIFF that many threads, processes and machines fill at once.

GDAL lays the empty file out; where each of its blocks begins is then known, and a tile's cells are put there as bytes. No two tiles share a
byte, so that nothing needs a lock, and nothing but the place of the file travels to another process.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

Array = np.ndarray[Any, Any]

BLOCK = 512
"""Rows and columns of a block."""


@dataclass(frozen=True)
class Staged:
    """The file, the type of its cells, where its first block begins, and how many blocks stand in a row."""

    path: Path
    dtype: np.dtype[Any]
    begins: int
    blocks_across: int

    def put(self, tile: Array, top: int, left: int) -> bytes:
        """Put ``tile`` where it belongs; the digest of its cells.

        Raises
        ------
        OSError
            When the disk is full or failing.
        """
        stored = np.ascontiguousarray(tile, self.dtype)
        height, width = stored.shape
        with self.path.open("r+b", buffering=0) as file:
            for row in range(top // BLOCK, -(-(top + height) // BLOCK)):
                for column in range(left // BLOCK, -(-(left + width) // BLOCK)):
                    self._put_block(file, stored, row, column, top, left)
        return digest(stored)

    def _put_block(self, file: Any, stored: Array, row: int, column: int, top: int, left: int) -> None:
        """The part of a tile that lies in one block: in one piece where it is as wide as the block, else row by row."""
        first_row, first_column = max(row * BLOCK, top), max(column * BLOCK, left)
        part = np.ascontiguousarray(stored[first_row - top : (row + 1) * BLOCK - top, first_column - left : (column + 1) * BLOCK - left])
        cell = self.dtype.itemsize
        place = self.begins + ((row * self.blocks_across + column) * BLOCK + first_row - row * BLOCK) * BLOCK * cell
        if part.shape[1] == BLOCK:
            _write(file, place, part)
            return
        place += (first_column - column * BLOCK) * cell
        for number, cells in enumerate(part):
            _write(file, place + number * BLOCK * cell, cells)


def staged(path: Path, **profile: Any) -> Staged:
    """An empty file of ``profile`` (as rasterio takes it: height, width, dtype, crs, transform), all of its blocks laid out.

    Raises
    ------
    RasterioError or OSError
        When it cannot be made.
    """
    layout = {"driver": "GTiff", "count": 1, "tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "bigtiff": "if_safer", "sparse_ok": False}
    with rasterio.open(path, "w", **layout, **profile):
        pass
    dtype = np.dtype(profile["dtype"])
    across, down = -(-profile["width"] // BLOCK), -(-profile["height"] // BLOCK)
    with rasterio.open(path, driver="GTiff") as dataset:
        corners = [dataset.get_tag_item(f"BLOCK_OFFSET_{place}", "TIFF", bidx=1) for place in ("0_0", f"{across - 1}_{down - 1}")]
    begins, ends = (int(corner or -1) for corner in corners)
    if begins < 0 or ends - begins != (across * down - 1) * BLOCK * BLOCK * dtype.itemsize:  # GDAL does not say when the disk was full
        raise OSError(f"{path} is not laid out block after block")
    return Staged(path, dtype, begins, across)


def digest(stored: Array) -> bytes:
    """The SHA-256 of an array's cells."""
    return hashlib.sha256(np.ascontiguousarray(stored).data).digest()


def _write(file: Any, place: int, cells: Array) -> None:
    """All bytes of ``cells`` from ``place`` on: a disk that is nearly full takes only a part at first."""
    file.seek(place, os.SEEK_SET)
    left = memoryview(cells).cast("B")
    while left:
        left = left[file.write(left) :]
