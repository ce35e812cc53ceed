"""Gridded rain over time, opened lazily: NetCDF, Zarr, and stacks of rasters."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr

from rusle_engine.core.errors import InputError, MissingInputError
from rusle_engine.core.grid import Grid
from rusle_engine.files.paths import PathLike, input_files, local_path
from rusle_engine.files.rain_stack import open_stack

log = logging.getLogger("rusle_engine")

StackStep = Literal["day", "month", "year"]

NETCDF = (".nc", ".nc4", ".cdf", ".netcdf", ".h5")
ZARR = ".zarr"
_ENGINES = {b"CDF": "scipy", b"\x89HD": "h5netcdf"}
_X = {"names": ("x", "lon", "longitude", "rlon", "west_east"), "standard": ("longitude", "projection_x_coordinate"), "axis": "X"}
_Y = {"names": ("y", "lat", "latitude", "rlat", "south_north"), "standard": ("latitude", "projection_y_coordinate"), "axis": "Y"}
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
    parts = [_variable(_dataset(file), variable, file) for file in files]
    array = parts[0] if len(parts) == 1 else _joined(parts, files)
    array = _north_up(array, files[0])
    found = array.rio.crs if crs is None else crs
    if found is None and _in_degrees(array):
        found = "EPSG:4326"
    if found is None:
        raise InputError(f"{files[0]} states no CRS, and its coordinates are not in degrees; state crs, such as EPSG:4326")
    array = array.rio.write_crs(found)
    return _east_to_180(array) if array.rio.crs.is_geographic else array


def _dataset(file: Path) -> xr.Dataset:
    try:
        if file.suffix.lower() == ZARR:
            return xr.open_zarr(file, chunks={}, consolidated=False)
        with file.open("rb") as opened:
            engine = _ENGINES.get(opened.read(3))
        if engine is None:
            raise InputError(f"{file} is not a NetCDF file")
        return xr.open_dataset(file, engine=engine, chunks={})
    except (ValueError, OSError, KeyError, ImportError) as error:
        reason = str(error)
        if "cftime" in reason or "calendar" in reason:
            raise InputError(f"{file}: its times cannot be told ({reason}); expected the usual calendar. Convert them first.") from error
        raise InputError(f"{file} cannot be read: {reason}") from error


def _variable(dataset: xr.Dataset, name: str | None, file: Path) -> xr.DataArray:
    over = [str(key) for key, part in dataset.data_vars.items() if "time" in part.dims and part.ndim >= 3]
    if name is None and len(over) == 1:
        name = over[0]
    if name is None or name not in dataset.data_vars:
        seen = f"no variable {name!r}" if name is not None else f"{len(over)} variables over time and space"
        raise InputError(f"{file} has {seen}; state variable, one of {', '.join(over) or 'none'}")
    array = dataset[name].squeeze([dim for dim in dataset[name].dims if dataset[name].sizes[dim] == 1 and dim != "time"], drop=True)
    if "grid_mapping" in array.attrs or "grid_mapping" in array.encoding:
        mapping = array.attrs.get("grid_mapping", array.encoding.get("grid_mapping"))
        if mapping in dataset:
            array = array.assign_coords({mapping: dataset[mapping]})
    axes = {_axis(array, _Y, file): "y", _axis(array, _X, file): "x"}
    array = array.rename({old: new for old, new in axes.items() if old != new})
    if set(array.dims) != {"time", "y", "x"}:
        raise InputError(f"{file}: {name} has dimensions {', '.join(map(str, array.dims))}; expected time, y and x alone")
    if not np.issubdtype(array["time"].dtype, np.datetime64):
        raise InputError(f"{file}: its times are not dates of the usual calendar ({array['time'].dtype}); convert them first")
    return _chunked(array.transpose("time", "y", "x"))


def _chunked(array: xr.DataArray) -> xr.DataArray:
    """In chunks that are whole ones of the file, small enough for many threads."""
    times, rows, columns = (sizes[0] for sizes in array.chunks) if array.chunks else array.shape
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


def _axis(array: xr.DataArray, what: dict[str, Any], file: Path) -> str:
    for dim in array.dims:
        attrs = array[dim].attrs if dim in array.coords else {}
        if str(dim).lower() in what["names"] or attrs.get("standard_name") in what["standard"] or attrs.get("axis") == what["axis"]:
            return str(dim)
    dims = ", ".join(map(str, array.dims))
    raise InputError(f"{file}: none of the dimensions {dims} is told to be {what['standard'][0]}; name it {what['names'][1]}")


def _north_up(array: xr.DataArray, file: Path) -> xr.DataArray:
    for name in ("y", "x"):
        if name not in array.coords or array[name].size < 2:
            raise InputError(f"{file}: its {name} axis has no coordinates; expected two or more, evenly spaced")
    array = array.isel(y=slice(None, None, -1)) if array["y"].values[0] < array["y"].values[-1] else array
    array = array.isel(x=slice(None, None, -1)) if array["x"].values[0] > array["x"].values[-1] else array
    return array.assign_coords({name: (name, _even(array[name].values), array[name].attrs) for name in ("y", "x")})


def _even(values: Any) -> Any:
    """Coordinates without what float32 did to them; those that really are uneven as they are."""
    even = np.linspace(float(values[0]), float(values[-1]), len(values))
    return even if np.abs(even - values).max() < 1e-2 * abs(even[1] - even[0]) else values


def _in_degrees(array: xr.DataArray) -> bool:
    return all(str(array[name].attrs.get("units", "")).startswith("degree") or array[name].attrs.get("standard_name") in where["standard"][:1]
               for name, where in (("y", _Y), ("x", _X)))  # fmt: skip


def _east_to_180(array: xr.DataArray) -> xr.DataArray:
    """Longitudes of 0 to 360 as -180 to 180."""
    x = array["x"].values
    if x[-1] <= 180.0 + 1e-9:
        return array
    beyond = int(np.searchsorted(x, 180.0, side="right"))
    west = array.isel(x=slice(beyond, None))
    west = west.assign_coords(x=("x", x[beyond:] - 360.0, array["x"].attrs))
    if not beyond:
        return west
    return xr.concat([west, array.isel(x=slice(0, beyond))], dim="x", combine_attrs="override", coords="minimal", compat="override")
