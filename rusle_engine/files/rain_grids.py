"""Gridded rain over time, opened lazily: NetCDF, Zarr, and stacks of rasters."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError, MissingInputError
from rusle_engine.core.grid import Grid
from rusle_engine.files.paths import PathLike, input_files, local_path
from rusle_engine.files.rain_stack import open_stack
from rusle_engine.files.time_grids import NETCDF, ZARR, open_over_time

log = logging.getLogger("rusle_engine")

StackStep = Literal["day", "month", "year"]

_BYTES_OF_A_CHUNK = 16 * 2**20
_TIMES_OF_A_CHUNK = 64


def grid_files(paths: PathLike | Iterable[PathLike]) -> tuple[Path, ...]:
    """The files, or the Zarr folders, that one path, a glob or a list stands for.

    Raises
    ------
    MissingInputError
        When one is not there.
    """
    listed = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    found: list[Path] = []
    for path in listed:
        place = local_path(path)
        if place.suffix.lower() == ZARR:
            if not place.is_dir():
                raise MissingInputError(f"{place} does not exist. Check the folder's name.")
            found.append(place)
        else:
            found += input_files([place], "rain")
    return tuple(found)


def open_rain_grid(
    paths: PathLike | Iterable[PathLike],
    *,
    variable: str | None = None,
    units: str | None = None,
    crs: str | None = None,
    name_format: str | None = None,
    start: str | None = None,
    step: StackStep | None = None,
    mean_year: bool = False,
) -> xr.DataArray:
    """Rain over time on a grid, lazy: float over (time, y, x), north up, NaN where there is none, with its CRS and unit.

    Parameters
    ----------
    paths
        NetCDF files that follow each other in time, one Zarr folder, or GeoTIFFs; one, a glob or a list.
    variable
        Which variable of a NetCDF or Zarr; its only one over time and space when not stated.
    units
        Unit of values that declare none.
    crs
        CRS of files that state none; NetCDF with coordinates in degrees is EPSG:4326.
    name_format, start, step, mean_year
        What tells the dates of rasters, see :func:`rain_stack.open_stack`.

    Returns
    -------
    DataArray
        Over (time, y, x); of a mean year over (month, y, x), of mean annual rain over (y, x). Chunks of at most 16 MiB, 64 times deep.

    Raises
    ------
    InputError
        When there is no such variable, its axes or dates cannot be told, it has no CRS, or no unit.
    """
    files = grid_files(paths)
    if files[0].suffix.lower() in (*NETCDF, ZARR):
        told = {"name_format": name_format, "start": start, "step": step, "mean_year": mean_year or None}
        if stated := [name for name, value in told.items() if value is not None]:
            raise InputError(f"{files[0]} has its own time axis; leave out {', '.join(stated)}, which are for stacks of rasters")
        array = _netcdf_or_zarr(files, variable, crs)
    else:
        if variable is not None:
            raise InputError(f"{files[0]} is a raster and has no variables; leave out variable {variable!r}")
        array = open_stack(files, name_format=name_format, start=start, step=step, mean_year=mean_year, crs=crs)
    if units is not None and "units" not in array.attrs:
        array = array.assign_attrs(units=units)
    if "units" not in array.attrs:
        raise InputError(f"{files[0]} declares no unit of its rain; state units, such as mm or kg m-2 s-1")
    return array


def crop_to(array: xr.DataArray, grid: Grid, margin: int = 2) -> xr.DataArray:
    """The part of ``array`` that covers ``grid``, and ``margin`` cells around it.

    Raises
    ------
    InputError
        When they do not overlap.
    """
    from pyproj import Transformer

    own = Grid.of(array)
    t = grid.transform
    bounds = (t.c, t.f + grid.height * t.e, t.c + grid.width * t.a, t.f)
    if own.crs is not None and grid.crs is not None and own.crs != grid.crs:
        bounds = Transformer.from_crs(grid.crs, own.crs, always_xy=True).transform_bounds(*bounds, densify_pts=21)
    west, south, east, north = bounds
    back = ~own.transform
    first = max(0, int(np.floor(back.e * north + back.f)) - margin), max(0, int(np.floor(back.a * west + back.c)) - margin)
    last = min(own.height, int(np.ceil(back.e * south + back.f)) + margin), min(own.width, int(np.ceil(back.a * east + back.c)) + margin)
    if first[0] >= last[0] or first[1] >= last[1]:
        raise InputError("the grid of the rain does not reach the run's grid")
    return array.isel(y=slice(first[0], last[0]), x=slice(first[1], last[1]))


def _netcdf_or_zarr(files: tuple[Path, ...], variable: str | None, crs: str | None) -> xr.DataArray:
    if files[0].suffix.lower() == ZARR and len(files) > 1:
        raise InputError("several Zarr folders were given; expected one")
    parts = [_chunked(open_over_time(file, variable, crs)) for file in files]
    return parts[0] if len(parts) == 1 else _joined(parts, files)


def _chunked(array: xr.DataArray) -> xr.DataArray:
    """In chunks that are whole ones of the file, small enough for many threads."""
    times, rows, columns = map(max, array.chunks) if array.chunks else array.shape
    deep = max(1, _TIMES_OF_A_CHUNK // times) * times
    side = max(32, int((_BYTES_OF_A_CHUNK / (deep * array.dtype.itemsize)) ** 0.5))
    tall, wide = (max(1, side // stored) * stored if stored < side else side for stored in (rows, columns))
    return array.chunk({"time": deep, "y": tall, "x": wide})


def _joined(parts: list[xr.DataArray], files: tuple[Path, ...]) -> xr.DataArray:
    if len(units := {part.attrs.get("units") for part in parts}) > 1:
        raise InputError(f"{files[0]} and the files after it differ in their units: {', '.join(map(str, units))}")
    try:
        return xr.concat(parts, dim="time", join="exact", combine_attrs="override", coords="minimal", compat="override").sortby("time")
    except ValueError as error:
        raise InputError(f"{files[0]} and the files after it lie on different grids: {error}") from error
