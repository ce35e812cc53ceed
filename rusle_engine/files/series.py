"""A raster over time: files with dates in their names, or a NetCDF or Zarr store with a time axis; one lazy stack, cut in space only."""

import datetime as dt
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.files.align import AlignedSource, Resampling, alignment_of, offset_on
from rusle_engine.files.describe import RasterInfo, describe_raster
from rusle_engine.files.paths import Paths, input_files, local_path
from rusle_engine.files.sources import Chunks, RasterSource, chunk_grid
from rusle_engine.files.time_grids import NETCDF, ZARR, open_over_time

HALF_MONTHS = "half_months"
"""In place of a pattern: the files, in the order of their names, are the 24 half-months of a year, or of several one after another."""

_DIRECTIVES = {"%Y": r"\d{4}", "%y": r"\d{2}", "%m": r"\d{2}", "%d": r"\d{2}", "%j": r"\d{3}"}


def open_series(
    paths: Paths,
    *,
    dates: str | Sequence[str] | None = None,
    scale: float | None = None,
    fill: float | None = None,
    band: int = 1,
    variable: str | None = None,
    units: str | None = None,
    grid: Grid | None = None,
    resampling: Resampling = "bilinear",
    chunks: Chunks = "auto",
    crs: Any = None,
) -> xr.DataArray:
    """Open rasters of many dates as one stack, without reading them.

    Parameters
    ----------
    paths
        Rasters as for ``open_raster``, one or several tiles for each date; or one NetCDF file (``.nc``) or Zarr store (``.zarr``).
    dates
        How the date stands in each file's name, such as ``%Y%j`` or ``A%Y%j`` (year and day of the year) or ``%Y-%m-%d``; ``half_months``
        when the files, in the order of their names, are the 24 half-months; or a list of dates such as ``2023-01-17``, one for each file.
        Not for NetCDF and Zarr, which have a time axis.
    scale
        What stored numbers are multiplied by, where the files do not declare it (0.0001 for NDVI of MOD13).
    fill
        The stored number that stands for no value, where the files do not declare it (-3000 for NDVI of MOD13).
    band
        Which band of each file.
    variable
        Which variable of a NetCDF file or Zarr store; not needed when it has one.
    units
        Unit of the values, where the files declare none.
    grid
        Bring every date onto this grid (NetCDF and Zarr must lie on it already); by default the grid of the first date, which all share.
    resampling
        How, as for ``open_aligned``.
    chunks
        Tiles in space, as for ``open_raster``. All dates of a tile are in one chunk.
    crs
        The CRS of files that declare none.

    Returns
    -------
    DataArray (time, y, x)
        float32, NaN where there is no value; (half_month, y, x) with ``half_months``. Lazy; dates ascending.

    Raises
    ------
    MissingInputError, NotAllowedError
        As ``open_raster``.
    InputError
        When a name holds no date or several, files do not share a grid, a scale or fill is stated that contradicts the file's own, and as
        ``open_raster``.
    """
    store = _store(paths)
    if store is not None:
        if dates is not None:
            raise InputError(f"{store} has a time axis of its own; leave dates out")
        return _open_store(store, variable=variable, scale=scale, fill=fill, units=units, grid=grid, chunks=chunks, crs=crs)
    if variable is not None:
        raise InputError("variable is for NetCDF and Zarr; name the band of a raster")
    by_date = dated_files(input_files(paths), dates)
    infos = [_stored_as(describe_raster(files, band=band, crs=crs), scale, fill) for files in by_date.values()]
    place = infos[0].grid if grid is None else grid
    sources = [_on_grid(info, place, resampling, aligned=grid is not None) for info in infos]
    sizes = chunk_grid(chunks, place.shape, infos[0].block if grid is None else (1024, 1024))
    array = da.from_array(
        _Stack(sources, place.shape),
        chunks=((len(infos),), *sizes),
        name="open-series-" + tokenize([info.pieces for info in infos], band, place.transform, place.shape, str(place.crs), resampling, sizes),
        getitem=_window,
        asarray=True,
        lock=False,
        inline_array=True,
        meta=np.empty((0, 0, 0), np.float32),
    )
    frame = place.label(np.broadcast_to(np.float32(0), place.shape))
    stack = xr.DataArray(array, dims=("layer", "y", "x"), coords=frame.coords)
    declared = next((info.units for info in infos if info.units is not None), None)
    stack.attrs = {} if (units or declared) is None else {"units": units or declared}
    labels = list(by_date)
    if dates == HALF_MONTHS:
        return stack.rename(layer="half_month").assign_coords(half_month=np.tile(np.arange(1, 25), len(labels) // 24))
    return stack.rename(layer="time").assign_coords(time=np.array(labels, "datetime64[ns]"))


def dated_files(files: Sequence[Path], dates: str | Sequence[str] | None) -> dict[Any, tuple[Path, ...]]:
    """Files by date, ascending; those of one date are tiles of one mosaic. By position where ``dates`` is ``half_months``.

    Raises
    ------
    InputError
        Naming the files whose date is missing, ambiguous or impossible.
    """
    if dates is None:
        raise InputError(f"{files[0]} and others need dates: how the date stands in their names, such as %Y%j, or a list of dates")
    if dates == HALF_MONTHS:
        if len(files) % 24:
            raise InputError(f"{len(files)} files are no whole years of 24 half-months ({files[0].name} … {files[-1].name})")
        return {position: (file,) for position, file in enumerate(sorted(files, key=lambda file: file.name))}
    if isinstance(dates, str):
        found = [_date_in(file, dates) for file in files]
    else:
        if len(dates) != len(files):
            raise InputError(f"{len(dates)} dates are listed for {len(files)} files; expected one for each")
        found = [_day(text, "%Y-%m-%d", f"date {text!r} of the list") for text in dates]
    by_date: dict[dt.date, tuple[Path, ...]] = {}
    for day, file in sorted(zip(found, files), key=lambda pair: pair[0]):
        by_date[day] = (*by_date.get(day, ()), file)
    return by_date


def _date_in(file: Path, pattern: str) -> dt.date:
    parts = re.split(r"(%[A-Za-z])", pattern)
    if not set(parts[1::2]) <= set(_DIRECTIVES) or not parts[1::2]:
        raise InputError(f"dates={pattern!r}; expected {', '.join(_DIRECTIVES)} and plain text between them, such as %Y%j or %Y-%m-%d")
    expression = "".join(_DIRECTIVES.get(part, re.escape(part)) for part in parts)
    before = r"(?<!\d)" if parts[0] == "" else ""
    after = r"(?!\d)" if parts[-1] == "" else ""
    matches = sorted(set(re.findall(before + expression + after, file.name)))
    days = {_day(text, pattern, file.name) for text in matches}
    if len(days) != 1:
        seen = "no date" if not days else f"several dates ({', '.join(matches)})"
        raise InputError(f"{file.name} holds {seen} of the form {pattern!r}; state what stands before it, such as A%Y%j, or list the dates")
    return days.pop()


def _day(text: str, pattern: str, where: str) -> dt.date:
    try:
        return dt.datetime.strptime(text, pattern).date()
    except ValueError:
        raise InputError(f"{where}: {text!r} is not a date of the form {pattern!r}") from None


def _stored_as(info: RasterInfo, scale: float | None, fill: float | None) -> RasterInfo:
    """The raster with the scale and the fill that are stated; a file that declares others is refused."""
    pieces = []
    for piece in info.pieces:
        if scale is not None and (piece.scale, piece.offset) not in ((1.0, 0.0), (scale, 0.0)):
            raise InputError(f"{piece.path} declares scale {piece.scale:g} and offset {piece.offset:g} but {scale:g} was stated. Keep the right one.")
        if fill is not None and piece.nodata is not None and piece.nodata != fill:
            raise InputError(f"{piece.path} declares nodata {piece.nodata:g} but fill {fill:g} was stated. Keep the one that is right.")
        pieces.append(replace(piece, scale=piece.scale if scale is None else scale, nodata=piece.nodata if fill is None else fill))
    return replace(info, pieces=tuple(pieces))


def _on_grid(info: RasterInfo, grid: Grid, resampling: Resampling, *, aligned: bool) -> RasterSource | AlignedSource:
    if not aligned and (found := grid.differences(info.grid)):
        raise InputError(f"{info.name} lies on another grid than the first date: {'; '.join(found)}. Name the grid that all should be brought onto.")
    if alignment_of(info, grid, resampling).how == "warped":
        return AlignedSource(info, grid, resampling, whole_numbers=False)
    return RasterSource(info, *offset_on(info.grid, grid), grid.shape, whole_numbers=False)


class _Stack:
    """Sources of one shape as layers; a window of all is read into one block of memory."""

    ndim = 3
    dtype = np.dtype(np.float32)

    def __init__(self, sources: Sequence[RasterSource | AlignedSource], shape: tuple[int, int]):
        self.sources, self.shape = sources, (len(sources), *shape)

    def read(self, layers: slice, rows: slice, columns: slice) -> np.ndarray[Any, Any]:
        chosen = self.sources[layers]
        out = np.empty((len(chosen), rows.stop - rows.start, columns.stop - columns.start), self.dtype)
        for layer, source in zip(out, chosen):
            layer[...] = source.read(rows.start, rows.stop, columns.start, columns.stop)
        return out


def _window(source: _Stack, key: tuple[slice, slice, slice]) -> np.ndarray[Any, Any]:
    return source.read(*key)


def _store(paths: Paths) -> Path | None:
    """The NetCDF file or Zarr store that ``paths`` names, if it names one."""
    listed = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    stores = [path for path in map(local_path, listed) if path.suffix.lower() in (*NETCDF, ZARR)]
    if len(stores) > 1 or (stores and len(listed) > 1):
        raise InputError(f"{stores[0]} and others were given; expected one NetCDF file or Zarr store")
    return stores[0] if stores else None


def _open_store(
    path: Path,
    *,
    variable: str | None,
    scale: float | None,
    fill: float | None,
    units: str | None,
    grid: Grid | None,
    chunks: Chunks,
    crs: Any,
) -> xr.DataArray:
    """A variable over time; scale, offset and fill as it declares them by the CF conventions, else as stated."""
    if not path.exists():
        input_files([path])  # says what is missing
    array = open_over_time(path, variable, crs)
    if scale is not None and "scale_factor" in array.encoding:
        raise InputError(f"{path} declares scale {array.encoding['scale_factor']:g}; leave scale out")
    declared = array.attrs.get("units")
    if fill is not None:
        array = array.where(array != fill)
    if scale is not None:
        array = array * scale
    array = array.astype(np.float32)
    own = Grid.of(array)
    if grid is not None and (found := own.differences(grid)):
        raise InputError(f"{path} does not lie on the run's grid: {'; '.join(found)}. Bring it there first, or give rasters, which are warped.")
    sizes = chunk_grid(chunks, own.shape, (1024, 1024))
    array = array.assign_coords(own.coords()).chunk({"time": -1, "y": sizes[0], "x": sizes[1]})
    array.attrs = {} if (units or declared) is None else {"units": units or declared}
    return array.sortby("time")
