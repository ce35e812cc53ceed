"""What a reader of a finished run needs from its files: rasters read coarsely, in bounded memory, and the table of zones as it was meant."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import rasterio
from rasterio.enums import Resampling
from rasterio.errors import RasterioError

from rusle_engine.core.errors import InputError, MissingInputError
from rusle_engine.files.table_input import read_table

Extent = tuple[float, float, float, float]
"""left, right, bottom, top in the raster's CRS."""


def read_thinned(path: Path, max_cells: int, *, resampling: Literal["average", "mode", "nearest"]) -> tuple[np.ndarray[Any, Any], Extent]:
    """The first band of a GeoTIFF on at most ``max_cells`` cells, with the extent it covers.

    A raster that is small enough comes as it is; a larger one is thinned by one whole number in both directions (from its overviews where
    they help), so the extent stays and a coarse cell stands for that many cells a side.

    Parameters
    ----------
    path
        A GeoTIFF.
    max_cells
        The most cells to return.
    resampling
        ``average`` for quantities, ``mode`` or ``nearest`` for classes.

    Returns
    -------
    array
        ``average``: float64 with NaN where there is no data. Otherwise the file's own integers, its nodata code kept.
    extent
        left, right, bottom, top.

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it is not a readable GeoTIFF.
    """
    if not path.is_file():
        raise MissingInputError(f"{path} is not there; expected a GeoTIFF of the run")
    try:
        with rasterio.open(path, driver="GTiff") as source:
            factor = thinning(source.height, source.width, max_cells)
            shape = math.ceil(source.height / factor), math.ceil(source.width / factor)
            bounds = source.bounds
            band = source.read(1, out_shape=shape, resampling=Resampling[resampling], masked=resampling == "average")
    except RasterioError as error:
        raise InputError(f"{path} cannot be read as a GeoTIFF: {error}. Write it again.") from error
    array: np.ndarray[Any, Any] = band
    if resampling == "average":
        array = np.ma.filled(band.astype(np.float64), np.nan)
    return array, (bounds.left, bounds.right, bounds.bottom, bounds.top)


def thinning(height: int, width: int, max_cells: int) -> int:
    """The smallest whole number of cells a side that one coarse cell must stand for, so that no more than ``max_cells`` remain."""
    factor = max(1, math.isqrt(height * width // max(max_cells, 1)))
    while math.ceil(height / factor) * math.ceil(width / factor) > max_cells and factor < max(height, width):
        factor += 1
    return factor


def read_results(path: Path, text: Sequence[str] = ("zone_id", "zone_name")) -> pd.DataFrame:
    """A table of a run, that of the zones by habit: the columns ``text`` as text, without the apostrophe that keeps Excel from reading a formula.

    Raises
    ------
    InputError
        When it is not there or cannot be read.
    """
    table = read_table(path, text=text)
    for name in text:
        table[name] = table[name].fillna("").str.replace(r"^'(?=[=+\-@\t\r])", "", regex=True)
    return table
