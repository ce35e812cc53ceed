"""What a raster file says about itself, read from its header alone, and how several files make one mosaic."""

import functools
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError

from rusle_engine.core.errors import GridMismatchError, InputError, NotAllowedError
from rusle_engine.core.grid import Grid
from rusle_engine.core.variables import canonical_units
from rusle_engine.files.crs import settled
from rusle_engine.files.paths import Paths, existing_file, input_files

log = logging.getLogger("rusle_engine")

DRIVERS = {".tif": "GTiff", ".tiff": "GTiff", ".gtiff": "GTiff", ".img": "HFA", ".asc": "AAIGrid"}
"""Formats that are read, by suffix. Each is opened with its own driver only, so that nothing else can pose as it."""
_OF_LINES = (".gpkg", ".shp", ".geojson", ".json", ".gdb", ".kml", ".fgb")
"""Suffixes of lines and polygons, which are told so."""

MAX_CELLS = 100_000_000_000
"""A header that declares more is refused: ten million square kilometres at 10 m."""
MAX_BLOCK_CELLS = 2**28
"""A file's smallest readable piece may not be larger (1 GiB of float32)."""

_ALIGNED = 1e-6  # share of a cell by which tiles of one mosaic may be off its grid
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True)
class Piece:
    """One file of a mosaic: where its first cell lies in the mosaic, and how its stored numbers turn into values."""

    path: Path
    driver: str
    row: int
    column: int
    height: int
    width: int
    dtype: np.dtype[Any]
    nodata: float | None
    scale: float
    offset: float
    masked: bool
    stamp: tuple[int, int]
    """Size and time of change, so that a lazy array's name tells two states of a file apart."""


@dataclass(frozen=True)
class RasterInfo:
    """A raster as its header describes it; one file or a mosaic of several on one grid.

    ``dtype``, ``nodata`` and ``block`` (rows, columns) are those of the first file as stored; ``units`` is None when none is declared;
    ``bytes`` is the size on the disk.
    """

    paths: tuple[Path, ...]
    grid: Grid
    dtype: np.dtype[Any]
    nodata: float | None
    block: tuple[int, int]
    units: str | None
    band: int
    bytes: int
    driver: str
    has_colour_table: bool
    pieces: tuple[Piece, ...]

    @property
    def name(self) -> str:
        """What messages call it."""
        return str(self.paths[0]) if len(self.paths) == 1 else f"{self.paths[0]} and {len(self.paths) - 1} more"

    @property
    def value_dtype(self) -> np.dtype[Any]:
        """The floating type that holds every stored number exactly: float32 where that does, else float64."""
        kinds = []
        for piece in self.pieces:
            exact = np.promote_types(piece.dtype, np.float32)  # int16 fits float32, int32 needs float64
            kinds.append(np.dtype(np.float32) if exact.itemsize <= 4 else np.dtype(np.float64))
        return max(kinds, key=lambda kind: kind.itemsize)


def describe_raster(paths: Paths, *, band: int = 1, crs: Any = None) -> RasterInfo:
    """Describe a raster, or the mosaic that several make, without reading a cell.

    Parameters
    ----------
    paths
        One file, a glob, or a list of tiles.
    band
        Which band, from 1.
    crs
        The CRS of files that declare none; anything pyproj understands. It may not contradict a declared one.

    Raises
    ------
    MissingInputError
        When a file is not there.
    NotAllowedError
        For network and virtual paths, and virtual rasters posing as a file.
    InputError
        When a file cannot be read, has no CRS or georeference, is rotated, declares impossible sizes, or its tiles do not fit together.
    """
    infos = [_describe_file(path, band, crs) for path in input_files(paths)]
    info = infos[0] if len(infos) == 1 else _as_mosaic(infos)
    _require_plausible_place(info)
    return info


def _describe_file(path: Path, band: int, crs: Any) -> RasterInfo:
    driver = _driver_of(path)
    _require_plain_sidecars(path)
    try:
        with rasterio.open(path, driver=driver) as source:
            return _describe_open(source, path, driver, band, crs)
    except (RasterioError, UnicodeDecodeError) as error:
        raise _unreadable(path, driver, error) from error


def _describe_open(source: Any, path: Path, driver: str, band: int, crs: Any) -> RasterInfo:
    if not 1 <= band <= source.count:
        raise InputError(f"{path} has {source.count} band(s); band {band} was asked for")
    height, width = source.shape
    block = tuple(source.block_shapes[band - 1])
    if height * width > MAX_CELLS:
        raise InputError(f"{path} declares {height} × {width} cells; more than {MAX_CELLS:,} are refused. Cut out the region of interest.")
    if math.prod(block) > MAX_BLOCK_CELLS:
        raise InputError(f"{path} is stored in blocks of {block[0]} × {block[1]} cells; rewrite it tiled: gdal_translate -co TILED=YES")
    dtype = _stored_dtype(source.dtypes[band - 1], path)
    if driver == "GTiff":
        _require_whole(source, path, band, block)
    if source.transform.is_identity:
        raise InputError(f"{path} has no georeference (no origin and cell size); georeference it first, for example with gdal_translate -a_ullr")
    declared = source.crs.to_wkt() if source.crs else None
    try:
        grid = Grid(height, width, source.transform, settled(declared, crs, path.name, "Write it into the file (gdal_edit -a_srs EPSG:4490 …)"))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    flags = source.mask_flag_enums[band - 1]
    state = path.stat()
    piece = Piece(
        path=path,
        driver=driver,
        row=0,
        column=0,
        height=height,
        width=width,
        dtype=dtype,
        nodata=source.nodatavals[band - 1],
        scale=source.scales[band - 1],
        offset=source.offsets[band - 1],
        masked=MaskFlags.per_dataset in flags or MaskFlags.alpha in flags,
        stamp=(state.st_size, state.st_mtime_ns),
    )
    return RasterInfo(
        paths=(path,),
        grid=grid,
        dtype=dtype,
        nodata=piece.nodata,
        block=(block[0], block[1]),
        units=source.units[band - 1] or None,
        band=band,
        bytes=state.st_size,
        driver=driver,
        has_colour_table=source.colorinterp[band - 1] == ColorInterp.palette,
        pieces=(piece,),
    )


def _driver_of(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix == ".vrt":
        raise NotAllowedError(f"{path} is a virtual raster, which points to other files. Name the tiles themselves (a list or a glob).")
    if suffix in _OF_LINES:
        raise InputError(
            f"{path} holds lines or polygons, and a raster is expected. Draw it on the grid (rasterize_barriers, gdal_rasterize), "
            "or name it by an option that takes lines or polygons"
        )
    if suffix not in DRIVERS:
        raise InputError(
            f"{path}: {suffix or 'no suffix'} is not read; expected {', '.join(DRIVERS)}. "
            f"Convert it: gdal_translate {path.name} {path.stem}.converted.tif"
        )
    return DRIVERS[suffix]


def _unreadable(path: Path, driver: str, error: Exception) -> InputError:
    with path.open("rb") as file:
        start = file.read(4096).lstrip()
    if start.startswith((b"<VRTDataset", b"<GDAL_WMS", b"<WMS_")):
        return NotAllowedError(f"{path} is a virtual raster posing as {driver}; it points to other files and is refused")
    if not start:
        return InputError(f"{path} is empty. Copy or download it again.")
    return InputError(f"{path} cannot be read as {driver}: {error}. It may be damaged or of another kind; copy it again, or convert it.")


def _require_plain_sidecars(path: Path) -> None:
    """Masks and overviews laid beside a file are opened by GDAL with any driver, so they must be TIFFs themselves."""
    for suffix in (".msk", ".ovr"):
        sidecar = path.with_name(path.name + suffix)
        if sidecar.is_file():
            with existing_file(sidecar).open("rb") as file:
                if file.read(4) not in _TIFF_MAGIC:
                    raise NotAllowedError(f"{sidecar} lies beside {path.name} and is not a TIFF; remove it")


def _require_whole(source: Any, path: Path, band: int, block: tuple[int, ...]) -> None:
    """The file must hold the bytes of its last block, as far as its directory tells; a cut copy is found before the work starts."""
    column, row = (source.width - 1) // block[1], (source.height - 1) // block[0]
    places = [source.get_tag_item(f"BLOCK_{what}_{column}_{row}", "TIFF", bidx=band) for what in ("OFFSET", "SIZE")]
    if all(place is not None for place in places):
        end, size = sum(int(place) for place in places), path.stat().st_size
        if end > size:
            raise InputError(f"{path} is cut off: it should hold at least {end:,} bytes and has {size:,}. Copy or download it again.")


def _stored_dtype(name: str, path: Path) -> np.dtype[Any]:
    dtype = np.dtype("int8" if name == "int8" else name)
    if dtype.kind not in "iuf":
        raise InputError(f"{path} stores {name} numbers; expected whole or real numbers")
    return dtype


def _require_plausible_place(info: RasterInfo) -> None:
    """Degrees must look like degrees, metres must lie on the Earth: the wrong CRS on a file is found here."""
    grid = info.grid
    assert grid.crs is not None
    left, bottom, right, top = grid.bounds
    cell = grid.transform.a
    if grid.is_geographic:
        if left < -360 - cell or right > 540 + cell or bottom < -90 - cell or top > 90 + cell:
            raise InputError(f"{info.name}: its CRS {grid.crs.name!r} is in degrees but its bounds are {grid.bounds}; the CRS is wrong")
        return
    if max(abs(left), abs(right)) <= 360 and cell < 0.2:
        raise InputError(f"{info.name}: its CRS {grid.crs.name!r} is in metres but its bounds {grid.bounds} look like degrees; the CRS is wrong")
    try:
        x, y = _to_degrees(grid.crs).transform((left + right) / 2, (bottom + top) / 2)
    except ProjError as error:
        raise InputError(f"{info.name}: its centre lies nowhere on the Earth in the CRS {grid.crs.name!r}: {error}") from error
    area = grid.crs.area_of_use
    if not (math.isfinite(x) and math.isfinite(y)):
        raise InputError(f"{info.name}: bounds {grid.bounds} lie nowhere on the Earth in its CRS {grid.crs.name!r}; the CRS is wrong")
    if area is not None and not (area.south - 5 <= y <= area.north + 5 and (x - area.west + 5) % 360 <= (area.east - area.west) % 360 + 10):
        log.warning("%s: its centre is at %.2f, %.2f degrees, far from where its CRS %r is used (%s)", info.name, x, y, grid.crs.name, area.name)


@functools.lru_cache(maxsize=16)
def _to_degrees(crs: CRS) -> Transformer:
    geodetic = crs.geodetic_crs
    assert geodetic is not None
    return Transformer.from_crs(crs, geodetic, always_xy=True)


def _as_mosaic(infos: Sequence[RasterInfo]) -> RasterInfo:
    first = infos[0]
    t = first.grid.transform
    for other in infos[1:]:
        _require_fit(first, other)
    offsets = [_offset(first, info) for info in infos]
    top, left = min(row for row, _ in offsets), min(column for _, column in offsets)
    bottom = max(row + info.grid.height for (row, _), info in zip(offsets, infos))
    right = max(column + info.grid.width for (_, column), info in zip(offsets, infos))
    if (bottom - top) * (right - left) > MAX_CELLS:
        raise InputError(f"{first.name} and its {len(infos) - 1} other tiles span {bottom - top} × {right - left} cells; leave out far ones")
    grid = Grid(bottom - top, right - left, t @ Affine.translation(left, top), first.grid.crs)
    pieces = tuple(replace(info.pieces[0], row=row - top, column=column - left) for (row, column), info in zip(offsets, infos))
    return replace(first, paths=tuple(p.path for p in pieces), grid=grid, bytes=sum(info.bytes for info in infos), pieces=pieces)


def _require_fit(first: RasterInfo, other: RasterInfo) -> None:
    """Same CRS, same cells, same lattice, same units."""
    a, b = first.grid, other.grid
    where = f"{other.name} does not fit {first.name}"
    assert a.crs is not None
    if not a.crs.equals(b.crs, ignore_axis_order=True):
        raise GridMismatchError(f"{where}: CRS {b.crs.name if b.crs else None!r} and {a.crs.name!r}. Tiles of one mosaic share one CRS.")
    cells = max(b.height, b.width)
    if max(abs(b.transform.a - a.transform.a), abs(b.transform.e - a.transform.e)) * cells > _ALIGNED * a.transform.a:
        raise GridMismatchError(f"{where}: cells of {b.transform.a} × {-b.transform.e} and {a.transform.a} × {-a.transform.e}. Resample them first.")
    column, row = ~a.transform @ (b.transform.c, b.transform.f)
    if max(abs(column - round(column)), abs(row - round(row))) > max(_ALIGNED, 1e-12 * max(abs(column), abs(row))):
        raise GridMismatchError(f"{where}: it lies {column % 1:.4f}, {row % 1:.4f} cells off the common grid. Resample it first.")
    if canonical_units(first.units or "") != canonical_units(other.units or ""):
        raise InputError(f"{where}: units {other.units!r} and {first.units!r}")


def _offset(first: RasterInfo, info: RasterInfo) -> tuple[int, int]:
    column, row = ~first.grid.transform @ (info.grid.transform.c, info.grid.transform.f)
    return round(row), round(column)
