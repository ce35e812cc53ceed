"""Rasters over time as one array that is read by pieces: a band, or a file, for every time."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import rasterio
import xarray as xr
from rasterio.errors import RasterioError

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.files.describe import DRIVERS, describe_raster

BANDS_FORMAT = ("%Y-%m-%d", "%Y-%m", "%Y%m%d", "%Y%m", "%Y")
_BYTES_OF_A_CHUNK = 16 * 2**20


@dataclass(frozen=True)
class Layer:
    path: Path
    band: int


class Stack:
    """Layers of one grid as an array (time, y, x) of float32 or float64, NaN where there is no data, scale and offset applied."""

    ndim = 3

    def __init__(self, layers: list[Layer], grid: Grid, dtype: Any):
        self.layers, self.dtype = layers, np.dtype(dtype)
        self.shape = (len(layers), grid.height, grid.width)
        self._transform = grid.transform

    def __getitem__(self, place: tuple[slice, slice, slice]) -> np.ndarray[Any, Any]:
        times, rows, columns = (range(*part.indices(size)) for part, size in zip(place, self.shape))
        out = np.empty((len(times), len(rows), len(columns)), self.dtype)
        window = ((rows.start, rows.stop), (columns.start, columns.stop))
        at = 0
        while at < len(times):
            path = self.layers[times[at]].path
            until = at
            while until < len(times) and self.layers[times[until]].path == path:
                until += 1
            bands = [self.layers[times[i]].band for i in range(at, until)]
            out[at:until] = self._read(path, bands, window)
            at = until
        return out

    def _read(self, path: Path, bands: list[int], window: Any) -> Any:
        try:
            with rasterio.open(path, driver=DRIVERS[path.suffix.lower()]) as source:
                if (source.height, source.width) != self.shape[1:] or not source.transform.almost_equals(self._transform, precision=1e-6):
                    raise InputError(f"{path} lies on another grid than {self.layers[0].path}; bring all files of a stack onto one")
                values = source.read(bands, window=window, masked=True).astype(self.dtype)
                scales = np.array([source.scales[band - 1] for band in bands], np.float64)[:, None, None]
                offsets = np.array([source.offsets[band - 1] for band in bands], np.float64)[:, None, None]
        except RasterioError as error:
            raise InputError(f"{path} cannot be read: {error}. It may be damaged; copy it again.") from error
        if (scales != 1).any() or (offsets != 0).any():
            values = values * scales + offsets
        return values.filled(np.nan)


def open_stack(
    paths: tuple[Path, ...], *, name_format: str | None, start: str | None, step: str | None, mean_year: bool, crs: str | None
) -> xr.DataArray:
    """The bands of rasters over time, lazy: (time, y, x), (month, y, x) of a mean year, or (y, x) of mean annual rain.

    Parameters
    ----------
    paths
        In the order of time where nothing else tells it.
    name_format
        Where the date stands in the name of a file of one band, such as ``pr_%Y%m%d.tif``.
    start, step
        Date of the first band, and ``day``, ``month`` or ``year`` from one to the next, in the order of files and bands.
    mean_year
        Twelve bands, January to December, or one.
    crs
        Of files that state none.

    Raises
    ------
    InputError
        When nothing tells the dates, or files differ in their grids.
    """
    first = describe_raster(paths[:1], crs=crs)
    layers, named = [], []
    for path in paths:
        if path.suffix.lower() not in DRIVERS:
            raise InputError(f"{path}: expected rasters ({', '.join(DRIVERS)}) like the first file")
        with rasterio.open(path, driver=DRIVERS[path.suffix.lower()]) as source:
            layers += [Layer(path, band) for band in range(1, source.count + 1)]
            named += [text or "" for text in source.descriptions]
    grid = first.grid
    stack = Stack(layers, grid, np.float32 if first.value_dtype == np.float32 else np.float64)
    deep = min(len(layers), 64)
    side = max(32, int((_BYTES_OF_A_CHUNK / (deep * stack.dtype.itemsize)) ** 0.5))
    data = da.from_array(stack, chunks=(deep, side, side), asarray=False, fancy=False, meta=np.empty((0, 0, 0), stack.dtype))
    coordinates = grid.coords()
    attrs = {} if first.units is None else {"units": first.units}
    if mean_year:
        if len(layers) not in (1, 12):
            raise InputError(f"{paths[0]} and the files after it have {len(layers)} bands; a mean year has twelve, January to December, or one")
        array = xr.DataArray(data, dims=("month", "y", "x"), coords={"month": np.arange(1, len(layers) + 1), **_yx(coordinates)}, attrs=attrs)
        array = array.isel(month=0, drop=True) if len(layers) == 1 else array
    else:
        times = _times(layers, named, name_format, start, step)
        array = xr.DataArray(data, dims=("time", "y", "x"), coords={"time": times, **_yx(coordinates)}, attrs=attrs)
    return array if grid.crs is None else array.rio.write_crs(grid.crs)


def _yx(coordinates: Any) -> dict[str, Any]:
    return {name: coordinates[name] for name in ("y", "x")}


def _times(layers: list[Layer], named: list[str], name_format: str | None, start: str | None, step: str | None) -> pd.DatetimeIndex:
    if name_format is not None:
        if len({layer.path for layer in layers}) != len(layers):
            raise InputError(f"name_format {name_format!r} tells one date a file, and {layers[0].path} has several bands; state start and step")
        return pd.DatetimeIndex([_date(layer.path.name, name_format, layer.path) for layer in layers])
    if start is not None and step is not None:
        return pd.date_range(start, periods=len(layers), freq={"day": "D", "month": "MS", "year": "YS"}[step])
    for form in BANDS_FORMAT:
        times = pd.to_datetime(pd.Series(named), format=form, errors="coerce")
        if times.notna().all():
            return pd.DatetimeIndex(times)
    raise InputError(
        f"nothing tells the dates of {layers[0].path} and the files after it: their bands are not named by dates. State name_format, such as "
        "'pr_%Y%m%d.tif', where each file is one date; or start and step, such as 2001-01-01 and day, where bands follow each other; or mean_year."
    )


def _date(name: str, form: str, path: Path) -> datetime:
    try:
        return datetime.strptime(name, form)  # a date of the calendar, without a zone
    except ValueError as error:
        raise InputError(f"{path} is not named as name_format {form!r} says") from error
