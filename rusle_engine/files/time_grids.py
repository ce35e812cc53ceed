"""One variable over time on a grid, lazily from a NetCDF file or a Zarr folder: its axes found, north up, from west to east, with its CRS."""

from pathlib import Path
from typing import Any

import numpy as np
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr

from rusle_engine.core.errors import InputError

NETCDF = (".nc", ".nc4", ".cdf", ".netcdf", ".h5")
ZARR = ".zarr"
_ENGINES = {b"CDF": "scipy", b"\x89HD": "h5netcdf"}
_X = {"names": ("x", "lon", "longitude", "rlon", "west_east"), "standard": ("longitude", "projection_x_coordinate"), "axis": "X"}
_Y = {"names": ("y", "lat", "latitude", "rlat", "south_north"), "standard": ("latitude", "projection_y_coordinate"), "axis": "Y"}


def open_over_time(file: Path, variable: str | None, crs: Any) -> xr.DataArray:
    """The variable over (time, y, x) in the chunks of the file, scaled as it declares; its ``encoding`` is the file's.

    Parameters
    ----------
    file
        A NetCDF file or a Zarr folder that is there.
    variable
        Which variable; its only one over time and space when not stated.
    crs
        Its CRS where the file states none; coordinates in degrees are EPSG:4326.

    Raises
    ------
    InputError
        When the file cannot be read, there is no such variable, its axes or dates cannot be told, or it has no CRS.
    """
    dataset = _dataset(file)
    array = _variable(dataset, variable, file)
    stated = array.rio.crs if crs is None else crs
    encoding = array.encoding
    array = _north_up(_named(array, file), file)
    if stated is None and _in_degrees(array):
        stated = "EPSG:4326"
    if stated is None:
        raise InputError(f"{file} states no CRS, and its coordinates are not in degrees; state crs, such as EPSG:4326")
    array = array.rio.write_crs(stated)
    array = _east_to_180(array) if array.rio.crs.is_geographic else array
    array.encoding = encoding
    return array


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
    """The variable, what says its CRS among its coordinates, without axes of one step that are not time."""
    over = [str(key) for key, part in dataset.data_vars.items() if "time" in part.dims and part.ndim >= 3]
    if name is None and len(over) == 1:
        name = over[0]
    if name is None or name not in dataset.data_vars:
        seen = f"no variable {name!r}" if name is not None else f"{len(over)} variables over time and space"
        raise InputError(f"{file} has {seen}; state variable, one of {', '.join(over) or 'none'}")
    array = dataset[name]
    encoding = array.encoding
    mapping = array.attrs.get("grid_mapping", encoding.get("grid_mapping"))
    array = array.squeeze([dim for dim in array.dims if array.sizes[dim] == 1 and dim != "time"], drop=True)
    if mapping in dataset:
        array = array.assign_coords({mapping: dataset[mapping]})
    array.encoding = encoding
    return array


def _named(array: xr.DataArray, file: Path) -> xr.DataArray:
    """With its axes named and in order, and dates of the usual calendar."""
    axes = {_axis(array, _Y, file): "y", _axis(array, _X, file): "x"}
    array = array.rename({old: new for old, new in axes.items() if old != new})
    if set(array.dims) != {"time", "y", "x"}:
        raise InputError(f"{file}: {array.name} has dimensions {', '.join(map(str, array.dims))}; expected time, y and x alone")
    if not np.issubdtype(array["time"].dtype, np.datetime64):
        raise InputError(f"{file}: its times are not dates of the usual calendar ({array['time'].dtype}); convert them first")
    return array.transpose("time", "y", "x")


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
    def told(name: str, where: dict[str, Any]) -> bool:
        attrs = array[name].attrs
        return str(attrs.get("units", "")).startswith("degree") or attrs.get("standard_name") in where["standard"][:1]

    return told("y", _Y) and told("x", _X)


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
