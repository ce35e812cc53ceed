"""Land by where it drains to: basins of the whole raster, sub-basins of about a chosen size, and the land above chosen points."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import Place, pointwise, two_passes
from rusle_engine.core.variables import BASIN, Raster
from rusle_engine.terrain.accumulation import Array, steps_of_codes
from rusle_engine.terrain.flow import flow_accumulation, require_directions
from rusle_engine.terrain.labels import labels_downstream
from rusle_kernels import watersheds
from rusle_kernels.neighbours import NODATA_CODE


def outlets(codes: Array, _place: Place) -> Array:
    """Marks of a tile where water leaves the raster, or drains into nodata."""
    marks = np.empty(codes.shape, np.uint8)
    watersheds.mark_outlets(codes, steps_of_codes(codes.shape[1]), marks)
    return marks


def link_ends(codes: Array, _place: Place, total: Array, *, least: int) -> Array:
    """Marks of a tile where streams of ``least`` cells end: at outlets, and just before they meet."""
    marks = np.empty(codes.shape, np.uint8)
    watersheds.mark_link_ends(codes, steps_of_codes(codes.shape[1]), total, least, np.zeros(codes.shape, np.uint8), marks)
    return marks


def _points(codes: Array, place: Place, *, cells: Sequence[tuple[int, int]]) -> Array:
    marks = np.zeros(codes.shape, np.uint8)
    for row, column in cells:
        i, j = row - place.row, column - place.column
        if 0 <= i < place.height and 0 <= j < place.width:
            marks[i + 1, j + 1] = 1
    return marks


def basins(d8: Raster) -> xr.DataArray:
    """The basin of each cell: all that leaves the grid, or drains into nodata, in one cell.

    Parameters
    ----------
    d8
        D8 directions (y, x) as ``flow_direction`` gives them.

    Returns
    -------
    DataArray (y, x)
        int32, from 1 in the row-major order of the outlets; 0 is nodata. Lazy when ``d8`` is.

    Raises
    ------
    InputError
        When a code is none of the nine, directions lead round in a circle, or there are more than 2³¹ − 1 basins.

    Examples
    --------
    >>> import numpy as np
    >>> basins(np.array([[16, 16, 1, 0]], np.uint8)).values.tolist()
    [[1, 1, 2, 2]]
    """
    (labels,) = two_passes(labels_downstream("basins", outlets), require_directions(d8))
    return BASIN.describe(labels, nodata=0)


def sub_basins(d8: Raster, *, min_cells: int) -> xr.DataArray:
    """Basins cut where streams meet: a partition of the raster into pieces of about ``min_cells`` to a few times that.

    A cell is a stream where at least ``min_cells`` cells, itself included, drain through it. A stream ends where it leaves the raster and
    just before it meets another stream; each cell belongs to the first such end on its way down, and where there is none to its outlet.
    A greater ``min_cells`` gives a coarser partition whose borders are all among the finer one's: levels nest.

    Parameters
    ----------
    d8
        D8 directions (y, x) as ``flow_direction`` gives them.
    min_cells
        How many cells make a stream, at least 1.

    Returns
    -------
    DataArray (y, x)
        int32, from 1 in the row-major order of their lowest cells; 0 is nodata. Lazy when ``d8`` is.

    Raises
    ------
    InputError
        When ``min_cells`` is below 1, a code is none of the nine, directions lead round in a circle, or there are more than 2³¹ − 1 pieces.

    Examples
    --------
    >>> import numpy as np
    >>> y_shape = np.array([[2, 255, 8], [255, 4, 255], [255, 0, 255]], np.uint8)
    >>> sub_basins(y_shape, min_cells=1).values.tolist()
    [[1, 0, 2], [0, 3, 0], [0, 3, 0]]
    """
    require_stream(min_cells)
    codes = require_directions(d8)
    passes = labels_downstream("sub_basins", partial(link_ends, least=min_cells), around=(NODATA_CODE, np.nan), ring=2)
    (labels,) = two_passes(passes, codes, flow_accumulation(codes))
    return BASIN.describe(labels, nodata=0, min_cells=min_cells)


def require_stream(min_cells: int) -> None:
    """Refuse a number of cells that makes no stream (InputError)."""
    if min_cells < 1:
        raise InputError(f"min_cells is {min_cells}; expected 1 or more")


def catchments(d8: Raster, points: Sequence[tuple[float, float]], *, snap_cells: int = 0) -> xr.DataArray:
    """The land that drains through each of some points, such as outlets of zones or gauges.

    A point stands for the cell that it lies in, or with ``snap_cells`` for the cell within so many rows and columns through which most
    cells drain (of equal ones the first in row-major order). Where one point lies above another, the land between them is the lower one's.

    Parameters
    ----------
    d8
        D8 directions (y, x) as ``flow_direction`` gives them, with coordinates.
    points
        (x, y) of each in the CRS of ``d8``.
    snap_cells
        How far a point may be moved onto a stream [cells].

    Returns
    -------
    DataArray (y, x)
        int32: the number of the point, from 1 in the given order; 0 for land that drains elsewhere, and for nodata. Lazy when ``d8`` is;
        snapping reads the accumulation around the points at once.

    Raises
    ------
    InputError
        When a point lies outside the grid or on nodata, or two come to lie in one cell; and as ``basins``.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> coords = {"y": [1.5, 0.5], "x": [0.5, 1.5, 2.5, 3.5]}
    >>> d8 = xr.DataArray(np.array([[1, 1, 1, 0], [1, 1, 1, 0]], np.uint8), dims=("y", "x"), coords=coords)
    >>> catchments(d8, [(2.4, 1.5), (0.5, 1.5)]).values.tolist()
    [[2, 1, 1, 0], [0, 0, 0, 0]]
    """
    codes = require_directions(d8)
    cells = [_cell_of(codes, point, number, snap_cells) for number, point in enumerate(points, 1)]
    for number, cell in enumerate(cells, 1):
        if cell in cells[: number - 1]:
            raise InputError(f"points {cells.index(cell) + 1} and {number} come to lie in one cell (row {cell[0]}, column {cell[1]}); keep one")
    (labels,) = two_passes(labels_downstream("catchments", partial(_points, cells=tuple(cells))), codes)
    numbers = np.zeros(len(cells) + 1, np.int32)  # of labels, which count in row-major order
    for label, number in enumerate(sorted(range(len(cells)), key=lambda k: cells[k]), 1):
        numbers[label] = number + 1
    named = pointwise(partial(_rename, numbers=numbers), labels, dtype=np.int32, input_dtypes=[np.int32])
    return BASIN.describe(named, nodata=0, snap_cells=snap_cells)


def _rename(labels: Array, out: Array, *, numbers: Array) -> None:
    out[...] = numbers[labels]


def _cell_of(codes: xr.DataArray, point: tuple[float, float], number: int, snap_cells: int) -> tuple[int, int]:
    """Row and column of the cell that a point stands for."""
    grid = Grid.of(codes)
    x, y = point
    column, row = (int(np.floor(part)) for part in ~grid.transform @ (x, y))
    if not (0 <= row < grid.height and 0 <= column < grid.width):
        left, bottom, right, top = grid.bounds
        raise InputError(f"point {number} ({x:g}, {y:g}) lies outside the grid ({left:g}, {bottom:g}, {right:g}, {top:g}); is it in the same CRS?")
    if snap_cells:
        rows, columns = (slice(max(place - snap_cells, 0), place + snap_cells + 1) for place in (row, column))
        near = np.nan_to_num(np.asarray(flow_accumulation(codes)[rows, columns]), nan=0.0)
        i, j = divmod(int(np.argmax(near)), near.shape[1])
        row, column = rows.start + i, columns.start + j
    if int(codes[row, column]) == NODATA_CODE:
        raise InputError(f"point {number} ({x:g}, {y:g}) lies on nodata; move it onto the stream, or raise snap_cells")
    return row, column
