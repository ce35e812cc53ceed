"""From a raster of labels to polygons along its cells' edges."""

import geopandas
import numpy as np
import xarray as xr
from rasterio import features
from shapely.geometry import MultiPolygon, shape

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid


def polygonize(labels: xr.DataArray) -> geopandas.GeoDataFrame:
    """One polygon or multipolygon for each label, its edges those of the cells: no gap, no overlap between neighbours.

    Parameters
    ----------
    labels : DataArray (y, x)
        Whole numbers; 0, negative numbers and NaN belong to no polygon. Read whole into memory.

    Returns
    -------
    GeoDataFrame
        ``label`` (int, ascending) and ``geometry``, in the CRS of the raster. Cells that touch at a corner only are separate parts.

    Raises
    ------
    InputError
        When the labels are not whole numbers, or too large for 32 bits.
    """
    grid = Grid.of(labels)
    values = np.nan_to_num(np.asarray(labels.values), nan=0.0) if labels.dtype.kind == "f" else np.asarray(labels.values)
    if values.size and (np.abs(values).max() > np.iinfo(np.int32).max or (values != np.floor(values)).any()):
        raise InputError("labels must be whole numbers of at most 32 bits, one for each polygon wanted")
    codes = values.astype(np.int32)
    parts: dict[int, list[object]] = {}
    for outline, code in features.shapes(codes, mask=codes > 0, connectivity=4, transform=grid.transform):
        parts.setdefault(int(code), []).append(shape(outline))
    found = sorted(parts)
    shapes = [parts[code][0] if len(parts[code]) == 1 else MultiPolygon(parts[code]) for code in found]
    return geopandas.GeoDataFrame({"label": np.array(found, np.int64)}, geometry=shapes, crs=grid.crs)
