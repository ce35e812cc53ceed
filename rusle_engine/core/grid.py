"""The grid of a raster: where it lies, and how large its cells are in metres and in area, row by row."""

import logging
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import rioxarray  # noqa: F401  (registers .rio)
import xarray as xr
from affine import Affine
from pyproj import CRS

from rusle_engine.core.errors import GridMismatchError, InputError

log = logging.getLogger("rusle_engine")

_CELL_TOLERANCE = 1e-6
"""Two grids are one when no corner differs by more than this share of a cell."""


@dataclass(frozen=True, eq=False)
class Grid:
    """A north-up grid of ``height`` × ``width`` cells.

    ``transform`` maps (column, row) to the CRS; ``crs`` is None for a plain array whose coordinates are metres.
    """

    height: int
    width: int
    transform: Affine
    crs: CRS | None

    def __post_init__(self) -> None:
        t = self.transform
        if t.b or t.d:
            raise InputError(f"the raster is rotated ({tuple(t)[:6]}); warp it to a north-up grid first (gdalwarp)")
        if t.a <= 0 or t.e >= 0:
            raise InputError(f"the raster is not north-up: cell size {t.a} × {t.e}; rows must run southwards (gdalwarp mends it)")
        if self.crs is not None and self.crs.is_projected:
            units = {axis.unit_name for axis in self.crs.axis_info[:2]}
            if not units <= {"metre", "meter", "m"}:
                seen = ", ".join(sorted(units))
                raise InputError(f"the CRS {self.crs.name!r} measures in {seen}; expected metres or degrees. Reproject the raster.")

    @classmethod
    def of(cls, array: xr.DataArray, cell_size_m: float | tuple[float, float] | None = None) -> "Grid":
        """The grid of a labelled array, from its CRS and coordinates, or from ``cell_size_m`` (one number, or x and y) where it has none.

        Raises
        ------
        InputError
            When there are neither coordinates nor a cell size, or that is none, when coordinates are unevenly spaced, or when they look like degrees
            but no CRS says so.
        """
        if array.dims[-2:] != ("y", "x"):
            raise InputError(f"expected dimensions (y, x), found {array.dims}")
        height, width = array.shape[-2:]
        crs = array.rio.crs
        if crs is None and cell_size_m is not None:
            dx, dy = cell_size_m if isinstance(cell_size_m, tuple) else (cell_size_m, cell_size_m)
            if not (0 < dx < np.inf and 0 < dy < np.inf):
                raise InputError(f"cell_size_m is {cell_size_m}; expected metres above 0, one number or (dx, dy)")
            return cls(height, width, Affine(dx, 0.0, 0.0, 0.0, -dy, height * dy), None)
        transform = _transform_of(array)
        if cell_size_m is not None:
            log.warning("cell_size_m is ignored: the raster has a CRS and coordinates")
        if crs is None:
            corner = max(abs(transform.c), abs(transform.c + width * transform.a))
            if corner <= 360 and abs(transform.a) < 0.2:
                raise InputError("the raster has no CRS and its coordinates look like degrees. Set one: array.rio.write_crs('EPSG:4326')")
            log.warning("the raster has no CRS: its coordinates are taken as metres")
        return cls(height, width, transform, None if crs is None else CRS.from_user_input(crs))

    @cached_property
    def is_geographic(self) -> bool:
        return self.crs is not None and bool(self.crs.is_geographic)

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """left, bottom, right, top in the CRS."""
        t = self.transform
        return t.c, t.f + self.height * t.e, t.c + self.width * t.a, t.f

    @cached_property
    def _edges_rad(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        t = self.transform
        return np.radians(t.f + np.arange(self.height + 1) * t.e)

    @cached_property
    def _ellipsoid(self) -> tuple[float, float]:
        """Semi-major axis [m] and squared eccentricity."""
        assert self.crs is not None
        ellipsoid = self.crs.ellipsoid
        assert ellipsoid is not None
        a, b = ellipsoid.semi_major_metre, ellipsoid.semi_minor_metre
        return a, 1.0 - (b / a) ** 2

    @cached_property
    def dx_m(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """East–west size of the cells of each row [m], at the row's centre."""
        if not self.is_geographic:
            return np.full(self.height, self.transform.a)
        a, e2 = self._ellipsoid
        phi = (self._edges_rad[:-1] + self._edges_rad[1:]) / 2
        result: np.ndarray[Any, np.dtype[np.float64]] = a * np.cos(phi) / np.sqrt(1 - e2 * np.sin(phi) ** 2) * math.radians(self.transform.a)
        return result

    @cached_property
    def dy_m(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """North–south size of the cells of each row [m], at the row's centre."""
        if not self.is_geographic:
            return np.full(self.height, -self.transform.e)
        a, e2 = self._ellipsoid
        phi = (self._edges_rad[:-1] + self._edges_rad[1:]) / 2
        result: np.ndarray[Any, np.dtype[np.float64]] = a * (1 - e2) / (1 - e2 * np.sin(phi) ** 2) ** 1.5 * math.radians(-self.transform.e)
        return result

    @cached_property
    def cell_area_m2(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        r"""Area of one cell of each row [m²].

        On a geographic grid :math:`\Delta\lambda\,(b^2/2)\,[q(\varphi_2) - q(\varphi_1)]` with
        :math:`q = \sin\varphi/(1-e^2\sin^2\varphi) + \ln[(1+e\sin\varphi)/(1-e\sin\varphi)]/(2e)`: the ellipsoid's own area.
        """
        if not self.is_geographic:
            return np.full(self.height, self.transform.a * -self.transform.e)
        a, e2 = self._ellipsoid
        e = math.sqrt(e2)
        sine = np.sin(self._edges_rad)
        q = sine / (1 - e2 * sine**2) + (np.arctanh(e * sine) / e if e else sine)
        result: np.ndarray[Any, np.dtype[np.float64]] = math.radians(self.transform.a) * (a * a * (1 - e2) / 2) * (q[:-1] - q[1:])
        return result

    def coords(self) -> dict[str, Any]:
        """Cell-centre coordinates and CRS, as DataArray takes them."""
        t = self.transform
        return {"y": t.f + (np.arange(self.height) + 0.5) * t.e, "x": t.c + (np.arange(self.width) + 0.5) * t.a}

    def label(self, values: Any, **attrs: Any) -> xr.DataArray:
        """``values`` (NumPy or dask, (y, x)) as a DataArray on this grid, with CRS."""
        array = xr.DataArray(values, dims=("y", "x"), coords=self.coords(), attrs=attrs)
        if self.crs is not None:
            array = array.rio.write_crs(self.crs)
        return array.rio.write_transform(self.transform)

    def differences(self, other: "Grid") -> list[str]:
        """In words, where ``other`` is not the same grid; empty when it is."""
        found = []
        if self.shape != other.shape:
            found.append(f"shape {self.shape} and {other.shape}")
        dx, dy = self.transform.a * _CELL_TOLERANCE, -self.transform.e * _CELL_TOLERANCE
        if any(abs(a - b) > (dx, dy, dx, dy)[i] for i, (a, b) in enumerate(zip(self.bounds, other.bounds))):
            found.append(f"bounds {self.bounds} and {other.bounds}")
        if self.crs is not None and other.crs is not None and not self.crs.equals(other.crs, ignore_axis_order=True):
            found.append(f"CRS {self.crs.to_string()} and {other.crs.to_string()}")
        elif (self.crs is None) != (other.crs is None):
            found.append("CRS stated for one only")
        return found

    def same_as(self, other: "Grid") -> bool:
        return not self.differences(other)


def _transform_of(array: xr.DataArray) -> Affine:
    height, width = array.shape[-2:]
    recorded = _recorded_transform(array)
    if "x" not in array.coords or "y" not in array.coords:
        if recorded is None:
            raise InputError("the raster has no x and y coordinates; pass cell_size_m= (metres), or a DataArray with coordinates and a CRS")
        return recorded
    if min(height, width) < 2:
        if recorded is None:
            raise InputError("one row or column of coordinates does not tell the cell size; write it with array.rio.write_transform")
        return recorded
    x, y = np.asarray(array.coords["x"], np.float64), np.asarray(array.coords["y"], np.float64)
    dx, dy = (x[-1] - x[0]) / (width - 1), (y[-1] - y[0]) / (height - 1)
    for name, values, step in (("x", x, dx), ("y", y, dy)):
        if np.abs(np.diff(values) - step).max() > 1e-3 * abs(step):
            raise InputError(f"coordinate {name} is not evenly spaced; resample the raster to a regular grid")
    if dy > 0:
        raise InputError("rows run northwards; expected north-up: array.sortby('y', ascending=False)")
    computed = Affine(dx, 0.0, x[0] - dx / 2, 0.0, dy, y[0] - dy / 2)
    if recorded is None:
        return computed
    # What is recorded is exact where coordinates are rounded, and out of date where the array was cut.
    corners = ((0, 0), (width, height))
    fits = all(abs(a - b) <= _CELL_TOLERANCE * abs(dx) for corner in corners for a, b in zip(computed @ corner, recorded @ corner))
    return recorded if fits else computed


def _recorded_transform(array: xr.DataArray) -> Affine | None:
    """The transform that rioxarray keeps beside the CRS, six numbers in GDAL's order."""
    if "spatial_ref" not in array.coords or "GeoTransform" not in array.coords["spatial_ref"].attrs:
        return None
    transform: Affine = Affine.from_gdal(*map(float, str(array.coords["spatial_ref"].attrs["GeoTransform"]).split()))
    return transform


def same_grid(arrays: dict[str, xr.DataArray]) -> list[xr.DataArray]:
    """The arrays, by name, on one grid: those with x and y get the first one's coordinates (the same objects); scalars stay.

    Stacks, (layer, y, x), and rasters may be mixed.

    Raises
    ------
    GridMismatchError
        When two of them lie on different grids.
    """
    reference: tuple[str, xr.DataArray, Grid | None] | None = None
    aligned = []
    for name, array in arrays.items():
        if array.ndim < 2:
            aligned.append(array)
            continue
        grid = Grid.of(array) if "x" in array.coords and "y" in array.coords else None
        if reference is None:
            reference = (name, array, grid)
            aligned.append(array)
            continue
        first_name, first, first_grid = reference
        if array.shape[-2:] != first.shape[-2:]:
            raise GridMismatchError(f"{name} has shape {array.shape} and {first_name} {first.shape}; align them first")
        if grid is not None and first_grid is not None and (found := first_grid.differences(grid)):
            raise GridMismatchError(f"{first_name} and {name} lie on different grids: {'; '.join(found)}. Align them first.")
        of_place = {name: coordinate for name, coordinate in first.coords.items() if set(coordinate.dims) <= {"y", "x"}}
        aligned.append(array.drop_vars([c for c in array.coords if c in ("x", "y", "spatial_ref")]).assign_coords(of_place))
    return aligned
