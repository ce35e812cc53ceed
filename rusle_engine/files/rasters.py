"""Rasters: opened lazily, described, brought onto a grid, written. The room's front door for everything gridded."""

import logging
from typing import Any

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.variables import canonical_units
from rusle_engine.files.align import AlignedSource, Alignment, Resampling, alignment_of, offset_on
from rusle_engine.files.describe import RasterInfo, describe_raster
from rusle_engine.files.paths import Paths
from rusle_engine.files.sources import Chunks, RasterSource, chunk_grid, lazy
from rusle_engine.files.write import RasterOutput, WrittenRaster, write_rasters

__all__ = [
    "Alignment",
    "Chunks",
    "RasterInfo",
    "RasterOutput",
    "Resampling",
    "WrittenRaster",
    "alignment_of",
    "describe_raster",
    "open_aligned",
    "open_raster",
    "require_values",
    "write_rasters",
]

log = logging.getLogger("rusle_engine")


def open_raster(
    path: Paths,
    *,
    units: str | None = None,
    chunks: Chunks = "auto",
    band: int = 1,
    classes: bool = False,
    crs: Any = None,
) -> xr.DataArray:
    """Open a raster, or tiles that make one mosaic, without reading it.

    Parameters
    ----------
    path
        A GeoTIFF (``.tif``), ERDAS Imagine (``.img``) or ESRI ASCII grid (``.asc``); a glob such as ``tiles/*.tif``; or a list of them.
    units
        The unit of the values, where the file declares none. Declared both ways, the two must mean the same.
    chunks
        ``auto`` (about 1024 × 1024 cells, 2048 × 2048 from 50 million cells on where the memory budget allows; whole blocks of the file), a
        number of cells, ``(rows, columns)``, or another array's ``.chunks``.
    band
        Which band, from 1.
    classes
        The values are codes: fractions are refused when they are met, and so are scale and offset.
    crs
        The CRS of a file that declares none, such as ``"EPSG:4490"``.

    Returns
    -------
    DataArray (y, x)
        Lazy. NaN is the only nodata. float32 where that holds every stored number exactly (8 and 16 bit whole numbers, float32), float64
        otherwise; classes too, so that a missing class is NaN and no code is taken for nodata. CRS and transform are at ``.rio``, the
        unit, when known, in ``attrs["units"]``.

    Raises
    ------
    MissingInputError
        When a file is not there.
    NotAllowedError
        For network and virtual paths, and virtual rasters posing as a file.
    InputError
        When a file cannot be read (also later, when a damaged part of it is met), has no CRS, or contradicts what is stated.
    """
    info = describe_raster(path, band=band, crs=crs)
    stated = _units_of(info, units)
    if classes:
        _require_codes(info)
    sizes = chunk_grid(chunks, info.grid.shape, info.block)
    source = RasterSource(info, 0, 0, info.grid.shape, whole_numbers=classes and info.dtype.kind == "f")
    return info.grid.label(lazy(source, "open-raster", sizes, info.pieces, band, classes), **stated)


def open_aligned(
    path: Paths,
    grid: Grid,
    *,
    resampling: Resampling,
    chunks: Chunks = "auto",
    units: str | None = None,
    band: int = 1,
    classes: bool = False,
    crs: Any = None,
) -> xr.DataArray:
    """Open a raster, or a mosaic, on ``grid``, whatever CRS, cell size and extent it has.

    On the same lattice (CRS, cell size and cell edges) cells are taken as they are. Otherwise GDAL warps, tile by tile, with the exact
    transformation for every cell, so that the result does not depend on the tiles (ADR-0005).

    Parameters
    ----------
    path
        As for :func:`open_raster`.
    grid
        Where the result lies.
    resampling
        ``nearest`` or ``mode`` for classes; for quantities also ``bilinear`` and ``cubic`` (one point per cell) and ``average`` (the mean of
        all source cells under a cell: right for a finer source).
    chunks
        As for :func:`open_raster`; give the ``.chunks`` of the raster that leads.
    units, band, classes, crs
        As for :func:`open_raster`.

    Returns
    -------
    DataArray (y, x)
        As from :func:`open_raster`, on ``grid``; NaN where the source does not reach. ``attrs["alignment"]`` says how it came there.

    Raises
    ------
    InputError
        When the source and the grid do not overlap at all, classes would be averaged, and as for :func:`open_raster`.
    MemoryBudgetError
        When the source is so much finer that even one tile of it is too large.
    """
    info = describe_raster(path, band=band, crs=crs)
    stated = _units_of(info, units)
    if classes:
        _require_codes(info)
        if resampling not in ("nearest", "mode"):
            raise InputError(f"{info.name} holds classes; resampling {resampling!r} would mix their codes. Use 'mode' or 'nearest'.")
    alignment = alignment_of(info, grid, resampling)
    sizes = chunk_grid(chunks, grid.shape, info.block if alignment.how != "warped" else (1024, 1024))
    source: RasterSource | AlignedSource
    whole_numbers = classes and info.dtype.kind == "f"
    if alignment.how == "warped":
        log.info("%s: %s", info.name, alignment)
        source = AlignedSource(info, grid, resampling, whole_numbers=whole_numbers)
    else:
        row, column = offset_on(info.grid, grid)
        source = RasterSource(info, row, column, grid.shape, whole_numbers=whole_numbers)
    place = (grid.transform, grid.shape, grid.crs.to_wkt() if grid.crs else None, resampling)
    array = grid.label(lazy(source, "open-aligned", sizes, info.pieces, band, classes, *place), **stated)
    return array.assign_attrs(alignment=str(alignment))


def require_values(path: Paths, *, band: int = 1, crs: Any = None) -> None:
    """Read tile after tile until a cell with a value is found.

    Raises
    ------
    InputError
        When there is none.
    """
    info = describe_raster(path, band=band, crs=crs)
    height, width = info.grid.shape
    source = RasterSource(info, 0, 0, info.grid.shape, whole_numbers=False)
    for top in range(0, height, 1024):
        for left in range(0, width, 1024):
            if not np.isnan(source.read(top, min(top + 1024, height), left, min(left + 1024, width))).all():
                return
    raise InputError(f"{info.name} holds no value at all: every cell is nodata ({info.nodata}). Is it the right file and band?")


def _units_of(info: RasterInfo, stated: str | None) -> dict[str, str]:
    declared = info.units
    if declared is not None and stated is not None and canonical_units(declared) != canonical_units(stated):
        raise InputError(
            f"{info.name} declares units {declared!r} but {stated!r} was stated. Keep the one that is right: correct the file's unit "
            f"(gdal_edit -units {stated} …) or what is stated; values in {declared!r} must be converted first."
        )
    units = stated if stated is not None else declared
    return {} if units is None else {"units": canonical_units(units)}


def _require_codes(info: RasterInfo) -> None:
    scaled = [piece.path for piece in info.pieces if (piece.scale, piece.offset) != (1.0, 0.0)]
    if scaled:
        raise InputError(f"{scaled[0]} is taken as classes but declares a scale or offset; classes are codes as stored")
