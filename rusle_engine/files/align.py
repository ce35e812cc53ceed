"""Rasters of another CRS, cell size or extent on a given grid, tile by tile and independent of the tiles.

Every source is first wrapped in a virtual raster of our own making (files already checked, nodata NaN, scale applied), so that one file and
a mosaic, whole numbers and real ones take the same way. ADR-0005 has the measurements behind the settings.
"""

import logging
import math
from dataclasses import asdict, dataclass
from typing import Any, Literal
from xml.sax.saxutils import escape

import numpy as np
import rasterio
from affine import Affine
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from pyproj.transformer import TransformerGroup
from rasterio.enums import Resampling as RasterioResampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.memory import require_memory, usable_threads
from rusle_engine.files.describe import Piece, RasterInfo
from rusle_engine.files.sources import Handles, require_whole_numbers, stored_nodata

log = logging.getLogger("rusle_engine")

Resampling = Literal["nearest", "mode", "bilinear", "cubic", "average"]
How = Literal["as it is", "cut", "warped"]

_WITHIN_A_METRE = {"World Geodetic System 1984", "World Geodetic System 1984 ensemble", "China 2000"}
"""Datums that agree well below a cell, though PROJ knows no transformation between them and calls the identity a ballpark."""
_LARGEST_MODE = 2.0**24
"""GDAL counts the most frequent value in float32; greater codes would be rounded."""
_SAME_LATTICE = 1e-6  # share of a cell
_WARP_BLOCK = 512 * 128  # cells that GDAL warps at once in a warped virtual raster
_BYTES_PER_SOURCE_CELL = 9  # value (up to 8) and validity


@dataclass(frozen=True)
class Alignment:
    """How a raster comes onto the grid. ``how``: ``as it is``, ``cut`` (same lattice, other extent) or ``warped``."""

    how: How
    resampling: str | None
    crs: str
    cell: tuple[float, float]
    transformation: str | None
    covers_grid: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        if self.how != "warped":
            return self.how
        return f"warped from {self.crs}, cells {self.cell[0]:g} × {self.cell[1]:g}, by {self.resampling} ({self.transformation})"


def alignment_of(info: RasterInfo, grid: Grid, resampling: Resampling) -> Alignment:
    """How the described raster would come onto ``grid``; nothing is read.

    Raises
    ------
    InputError
        When the two do not overlap.
    """
    source = info.grid
    assert source.crs is not None
    if grid.crs is None:
        raise InputError(f"the grid that {info.name} should be brought onto has no CRS")
    cell = (source.transform.a, -source.transform.e)
    covers = _coverage(info, grid)
    if _same_lattice(source, grid):
        how: How = "as it is" if source.same_as(grid) else "cut"
        return Alignment(how, None, _short(source.crs), cell, None, covers)
    _remark_on_sizes(info, grid, resampling)
    return Alignment("warped", resampling, _short(source.crs), cell, _transformation(source.crs, grid.crs), covers)


def offset_on(source: Grid, grid: Grid) -> tuple[int, int]:
    """Row and column of the source's lattice at which ``grid`` begins."""
    column, row = ~source.transform @ (grid.transform.c, grid.transform.f)
    return round(row), round(column)


def _same_lattice(source: Grid, grid: Grid) -> bool:
    assert source.crs is not None
    assert grid.crs is not None
    a, b = source.transform, grid.transform
    cells = max(*grid.shape, *source.shape)
    if max(abs(a.a - b.a) / a.a, abs(a.e - b.e) / -a.e) * cells > _SAME_LATTICE:
        return False
    column, row = ~a @ (b.c, b.f)
    if max(abs(column - round(column)), abs(row - round(row))) > _SAME_LATTICE:
        return False
    return bool(source.crs.equals(grid.crs, ignore_axis_order=True))


def _short(crs: CRS) -> str:
    authority = crs.to_authority()
    return ":".join(authority) if authority else crs.name


def _coverage(info: RasterInfo, grid: Grid) -> bool:
    """Whether the source's frame covers the whole grid; an error when it covers nothing of it."""
    assert info.grid.crs is not None
    assert grid.crs is not None
    left, bottom, right, top = info.grid.bounds
    try:
        to_source = Transformer.from_crs(grid.crs, info.grid.crs, always_xy=True)
        west, south, east, north = to_source.transform_bounds(*grid.bounds, densify_pts=21)
    except ProjError:
        west = south = east = north = math.inf
    turns = [360.0 * k for k in (-1, 0, 1)] if info.grid.is_geographic else [0.0]
    overlaps = [west + t < right and east + t > left and south < top and north > bottom for t in turns]
    if not any(overlaps):
        raise InputError(
            f"{info.name} does not overlap the grid: it covers {_rounded(info.grid.bounds)} in {_short(info.grid.crs)}, the grid "
            f"{_rounded((west, south, east, north))} in the same CRS. Is it the right file, and is its CRS the right one?"
        )
    slack_x, slack_y = info.grid.transform.a / 2, -info.grid.transform.e / 2
    return any(left - slack_x <= west + t and east + t <= right + slack_x for t in turns) and bottom - slack_y <= south and north <= top + slack_y


def _rounded(bounds: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.6g}" if abs(value) < 1000 else f"{value:.0f}" for value in bounds) + ")"


def _transformation(source: CRS, target: CRS) -> str:
    """PROJ's name of the best transformation it knows between the two, for the record; a rough one is said aloud."""
    if source.equals(target, ignore_axis_order=True):
        return "same CRS"
    group = TransformerGroup(source, target, always_xy=True)
    if not group.transformers:
        raise InputError(f"PROJ knows no transformation from {source.name!r} to {target.name!r}; reproject the file with a tool that does")
    description: str = group.transformers[0].description
    rough = "Ballpark" in description and not all(_datum(crs) in _WITHIN_A_METRE for crs in (source, target))
    if rough:
        log.warning(
            "from %s to %s only a rough datum transformation is known (%s): places may be off by many metres", source.name, target.name, description
        )
    return description


def _datum(crs: CRS) -> str:
    geodetic = crs.geodetic_crs
    return "" if geodetic is None or geodetic.datum is None else geodetic.datum.name


def cells_under_one(source: Grid, grid: Grid) -> float:
    """How many source cells lie along one side of a grid cell, about its middle."""
    return math.sqrt(_cell_area(grid) / _cell_area(source))


def _cell_area(grid: Grid) -> float:
    return float(np.median(grid.cell_area_m2))


def _remark_on_sizes(info: RasterInfo, grid: Grid, resampling: Resampling) -> None:
    ratio = cells_under_one(info.grid, grid)
    if ratio > 2 and resampling not in ("average", "mode"):
        log.warning(
            "%s is %.1f times finer than the grid and %s looks at single points; %s would look at all its cells",
            info.name,
            ratio,
            resampling,
            "mode" if resampling == "nearest" else "average",
        )
    cells = _WARP_BLOCK * max(ratio, 1.0) ** 2 * usable_threads()
    require_memory(int(cells), _BYTES_PER_SOURCE_CELL, f"bringing {info.name}, {ratio:.0f} times finer than the grid, onto it")


class AlignedSource:
    """A raster on another grid as an array of values on ``grid``."""

    ndim = 2

    def __init__(self, info: RasterInfo, grid: Grid, resampling: Resampling, *, whole_numbers: bool):
        assert grid.crs is not None
        self.name, self.dtype, self.shape = info.name, info.value_dtype, grid.shape
        self.document = virtual_raster(info)
        self.transform, self.crs, self.resampling = grid.transform, grid.crs.to_wkt(), resampling
        self.whole_numbers = whole_numbers
        self._handles = Handles()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_handles"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._handles = Handles()

    def _opened(self) -> Any:
        return warped(rasterio.open(self.document), self.transform, self.crs, self.shape, self.resampling)

    def read(self, top: int, bottom: int, left: int, right: int) -> np.ndarray[Any, Any]:
        try:
            values: np.ndarray[Any, Any] = self._handles.get("warped", self._opened).read(1, window=((top, bottom), (left, right)))
        except RasterioError as error:
            raise InputError(f"{self.name} cannot be brought onto the grid: {error}. It is cut off or damaged; copy it again.") from error
        if self.whole_numbers:
            require_whole_numbers(values, self.name)
        if self.resampling == "mode" and np.nanmax(np.abs(values), initial=0.0) > _LARGEST_MODE:
            raise InputError(f"{self.name} holds codes above {_LARGEST_MODE:.0f}, which 'mode' cannot tell apart; use resampling 'nearest'")
        return values


def warped(source: Any, transform: Affine, crs: str, shape: tuple[int, int], resampling: Resampling) -> Any:
    """The warped virtual raster whose windows do not depend on how they are cut.

    ``tolerance``: no approximation of the transformation. ``XSCALE = YSCALE = 1``: the kernel is not stretched by a ratio that GDAL would
    estimate anew for every block; means and modes still cover the whole cell, and do not leak over the source's edge.
    """
    return WarpedVRT(
        source,
        crs=crs,
        transform=transform,
        height=shape[0],
        width=shape[1],
        resampling=RasterioResampling[resampling],
        nodata=math.nan,
        tolerance=1e-9,
        XSCALE=1,
        YSCALE=1,
    )


def virtual_raster(info: RasterInfo) -> str:
    """The source as a GDAL virtual raster: one band of real numbers, NaN nodata, the first file on top where files overlap."""
    height, width = info.grid.shape
    assert info.grid.crs is not None
    kind = "Float32" if info.value_dtype == np.float32 else "Float64"
    pieces = "".join(_layer(piece, info.band) for piece in reversed(info.pieces))
    numbers = ",".join(repr(float(value)) for value in info.grid.transform.to_gdal())
    return (
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">'
        f"<SRS>{escape(info.grid.crs.to_wkt())}</SRS>"
        f"<GeoTransform>{numbers}</GeoTransform>"
        f'<VRTRasterBand dataType="{kind}" band="1"><NoDataValue>nan</NoDataValue>{pieces}</VRTRasterBand></VRTDataset>'
    )


def _layer(piece: Piece, band: int) -> str:
    nodata = stored_nodata(piece)
    hole = "nan" if nodata is None and piece.dtype.kind == "f" else None if nodata is None else repr(nodata.item())
    extras = "" if hole is None else f"<NODATA>{hole}</NODATA>"
    if (piece.scale, piece.offset) != (1.0, 0.0):
        extras += f"<ScaleOffset>{piece.offset!r}</ScaleOffset><ScaleRatio>{piece.scale!r}</ScaleRatio>"
    if piece.masked:
        extras += "<UseMaskBand>true</UseMaskBand>"
    size = f'xSize="{piece.width}" ySize="{piece.height}"'
    return (
        f'<ComplexSource><SourceFilename relativeToVRT="0" shared="0">{escape(str(piece.path))}</SourceFilename>'
        f'<SourceBand>{band}</SourceBand><SrcRect xOff="0" yOff="0" {size}/><DstRect xOff="{piece.column}" yOff="{piece.row}" {size}/>'
        f"{extras}</ComplexSource>"
    )
