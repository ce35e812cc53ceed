"""Where water goes and how much arrives: D8 directions and accumulation."""

from functools import partial
from typing import Literal, get_args

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid, same_grid
from rusle_engine.core.lift import two_passes, whole
from rusle_engine.core.variables import ACCUMULATION, FLOW_DIRECTION, UPSLOPE_AREA, Raster
from rusle_engine.terrain.conditioning import require_heights, require_method
from rusle_engine.terrain.drainage import Array, drainage
from rusle_kernels import accumulate
from rusle_kernels.neighbours import ESRI_CODES, NODATA_CODE

FlowScheme = Literal["d8"]

_CODES = "1 E, 2 SE, 4 S, 8 SW, 16 W, 32 NW, 64 N, 128 NE; 0 leaves the grid or drains into nodata; 255 nodata"
_VALID = np.zeros(256, bool)
_VALID[[*ESRI_CODES, NODATA_CODE]] = True
_ACCUMULATION_BYTES = 28.0
"""Bytes for each cell: directions twice, inflow counts, integer sums, the result and its copy into chunks."""
_WEIGHTED_BYTES = 52.0
"""As above, with the weights, what remains of them where there is a direction, and their fixed point."""


def steepness_weights(dx: Array, dy: Array) -> Array:
    """One over the distance to a neighbour sideways, lengthways and diagonal, for each row: (3, h)."""
    return np.ascontiguousarray(np.stack([1 / dx, 1 / dy, 1 / np.hypot(dx, dy)]))


def grid_of_cells(dem: xr.DataArray, cell_size_m: float | tuple[float, float] | None) -> Grid:
    """The grid of ``dem``; square cells of one metre where it has no coordinates and no size is given, for directions need only the shape."""
    plain = "x" not in dem.coords and "spatial_ref" not in dem.coords
    return Grid.of(dem, 1.0 if plain and cell_size_m is None else cell_size_m)


def flow_direction(
    dem: Raster, *, scheme: FlowScheme = "d8", cell_size_m: float | tuple[float, float] | None = None, units: str | None = None
) -> xr.DataArray:
    r"""D8 flow directions of a DEM as it is: every cell drains, without a cycle, and nothing flows uphill on the filled surface.

    On the minimal fill F (``condition``) a cell with a strictly lower neighbour drains to the steepest one,

    .. math:: \max_k \; [F(c) - F(c_k)] / d_k,

    :math:`d_k` the true distance (on a geographic grid the cell's own row gives dx, dy and the diagonal); of equally steep ones the first
    in the order NW, N, NE, W, E, SW, S, SE. Every other cell (in lakes and flats) drains to its parent in the unique minimum spanning tree
    of the grid, cells ordered by (height, row-major index) and the outside lowest of all: the streams of a lake follow its floor. Both
    depend on heights alone, never on tiles or threads.

    Parameters
    ----------
    dem
        Elevation [m] (y, x), not filled. Heights that are not finite are nodata.
    scheme
        Whose routing: ``d8``.
    cell_size_m
        Cell size of an array without coordinates, one number or (dx, dy); square cells when not given.
    units
        The unit of a plain array.

    Returns
    -------
    DataArray (y, x)
        uint8: 1 E, 2 SE, 4 S, 8 SW, 16 W, 32 NW, 64 N, 128 NE (the ESRI codes); 0 leaves the grid or drains into nodata; 255 nodata.
        A cell at the edge leaves the grid (0) when none of its neighbours is lower.

    Raises
    ------
    InputError
        When ``dem`` is not a raster of numbers in metres, or its grid cannot be known.
    MemoryBudgetError
        When a raster in memory, or the tiles in hand of a lazy one, are larger than the memory budget allows.

    Notes
    -----
    Sources: O'Callaghan & Mark 1984, Computer Vision, Graphics and Image Processing 28:323 (D8); Cordonnier, Bovy & Braun 2019, Earth
    Surface Dynamics 7:549 (basins drained along their minimum spanning tree).

    Examples
    --------
    >>> import numpy as np
    >>> flow_direction(np.array([[3.0, 2.0, 1.0]]), units="m").values.tolist()
    [[1, 1, 0]]
    """
    require_method(scheme, get_args(FlowScheme), "scheme")
    heights = require_heights(dem, units)
    return directions_on(heights, grid_of_cells(heights, cell_size_m))


def directions_on(heights: xr.DataArray, grid: Grid) -> xr.DataArray:
    """``flow_direction`` of heights whose grid is known."""
    nearness = steepness_weights(grid.dx_m, grid.dy_m)
    (codes,) = two_passes(drainage(heights.dtype, step="flow_direction", nearness=nearness, with_fill=False), heights)
    return FLOW_DIRECTION.describe(codes, scheme="d8", codes=_CODES)


def direction_and_fill(heights: xr.DataArray, grid: Grid) -> tuple[xr.DataArray, xr.DataArray]:
    """Directions and the filled surface in one go, for who needs both."""
    nearness = steepness_weights(grid.dx_m, grid.dy_m)
    codes, filled = two_passes(drainage(heights.dtype, step="flow_direction", nearness=nearness, with_fill=True), heights)
    return FLOW_DIRECTION.describe(codes, scheme="d8", codes=_CODES), filled


def require_directions(d8: Raster) -> xr.DataArray:
    """``d8`` as a raster of D8 codes; the codes themselves are checked when they are read.

    Raises
    ------
    InputError
        When it names another scheme than D8, or holds fractions (angles of D∞, for example).
    """
    codes = FLOW_DIRECTION.require(d8)
    scheme = codes.attrs.get("scheme", "d8")
    if scheme != "d8":
        raise InputError(f"d8 (flow direction) has scheme {scheme!r}; expected 'd8': one of the codes {_CODES}")
    if codes.ndim != 2 or codes.dtype.kind not in "iu":
        raise InputError(
            f"d8 (flow direction) is {codes.dtype} of {codes.dims}; expected a raster (y, x) of whole-number codes {_CODES}. "
            "Angles are not codes; codes stored as floats are converted by .fillna(255).astype('uint8')"
        )
    return codes


def padded_codes(d8: Array) -> tuple[Array, Array]:
    """``d8`` with a ring of nodata, and how far each code leads in the flattened padded raster.

    Raises
    ------
    InputError
        When a value is none of the codes.
    """
    height, width = d8.shape
    codes = np.full((height + 2, width + 2), NODATA_CODE, np.uint8)
    codes[1:-1, 1:-1] = d8
    wrong = ~_VALID[codes[1:-1, 1:-1]]
    if d8.dtype != np.uint8:
        wrong |= codes[1:-1, 1:-1] != d8
    if wrong.any():
        row, column = (int(i) for i in np.argwhere(wrong)[0])
        raise InputError(f"d8 (flow direction) is {d8[row, column]} at row {row}, column {column}; expected one of {_CODES}")
    step_of_code = np.zeros(256, np.int64)
    pitch = width + 2
    step_of_code[ESRI_CODES[:8]] = [-pitch - 1, -pitch, -pitch + 1, -1, 1, pitch - 1, pitch, pitch + 1]
    return codes, step_of_code


def sums_downstream(codes: Array, step_of_code: Array, total: Array) -> None:
    """Add up integers along directions, in place; all padded.

    Raises
    ------
    InputError
        When directions lead round in a circle.
    """
    inflows = np.full(codes.shape, 255, np.uint8)
    accumulate.inflow_counts(codes, inflows)
    stuck = accumulate.accumulate(codes, step_of_code, inflows, np.empty(codes.shape[1], np.int64), total)
    if stuck:
        raise InputError(f"d8 (flow direction) leads round in circles: {stuck:,} cells drain into each other. Compute it by flow_direction.")


def _accumulated(d8: Array, *, row_amounts: Array, own: Array, scale: float) -> Array:
    """Sums of one integer amount for each row's cells, less ``own`` for each row, times ``scale``."""
    codes, step_of_code = padded_codes(d8)
    total = np.zeros(codes.shape, np.int64)
    total[1:-1, 1:-1] = row_amounts[:, np.newaxis]
    sums_downstream(codes, step_of_code, total)
    out = np.empty(d8.shape, np.float64)
    accumulate.scale_totals(codes, total, own, scale, out)
    return out


def fixed_point(greatest_sum: float) -> float:
    """The power of two by which to multiply amounts so that their sum still fits in a signed 64-bit integer, with one bit to spare."""
    return 2.0 ** (61 - int(np.ceil(np.log2(greatest_sum)))) if greatest_sum > 0 else 1.0


def _accumulated_weights(d8: Array, weights: Array) -> Array:
    """Sums of ``weights`` in fixed point: the same whatever the order of addition."""
    codes, step_of_code = padded_codes(d8)
    amounts = np.where(d8 == NODATA_CODE, 0.0, weights)
    if not np.isfinite(amounts).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(amounts))[0])
        raise InputError(f"weights are {weights[row, column]} at row {row}, column {column}, where there is a flow direction; fill the gap first")
    factor = fixed_point(float(np.abs(amounts).max(initial=0.0)) * amounts.size)
    total = np.zeros(codes.shape, np.int64)
    total[1:-1, 1:-1] = np.rint(amounts * factor)
    sums_downstream(codes, step_of_code, total)
    out = np.empty(d8.shape, np.float64)
    accumulate.scale_totals(codes, total, np.zeros(d8.shape[0], np.int64), 1 / factor, out)
    return out


def flow_accumulation(d8: Raster, *, weights: Raster | None = None) -> xr.DataArray:
    r"""What has gathered in each cell on its way down, its own part included.

    .. math:: A(c) = w(c) + \sum_{u \to c} A(u)

    Cells are counted in integers. Weights are rounded to fixed point (a whole multiple of :math:`2^{-k}`, k chosen so that the sum of the
    greatest weight over all cells takes 61 bits: an error below :math:`n \max|w| \cdot 2^{-61}` for each cell), so that the order of
    addition cannot show.

    Parameters
    ----------
    d8
        D8 directions (y, x) as ``flow_direction`` gives them: whole-number ESRI codes, 0 for a cell that drains out, 255 nodata.
    weights
        What each cell adds, on the same grid or one number; one cell each when not given.

    Returns
    -------
    DataArray (y, x)
        float64; cells, or the unit of the weights. NaN where there is no direction.

    Raises
    ------
    InputError
        When a code is none of the nine, directions lead round in a circle, or a weight is missing where there is a direction.
    MemoryBudgetError
        When the raster is larger than the memory budget allows.

    Examples
    --------
    >>> import numpy as np
    >>> flow_accumulation(np.array([[1, 1, 0]], np.uint8)).values.tolist()
    [[1.0, 2.0, 3.0]]
    """
    codes = require_directions(d8)
    if weights is None:
        rows = codes.shape[0]
        function = partial(_accumulated, row_amounts=np.ones(rows, np.int64), own=np.zeros(rows, np.int64), scale=1.0)
        (counted,) = whole(function, codes, dtypes=[np.float64], bytes_per_cell=_ACCUMULATION_BYTES, step="flow_accumulation")
        return ACCUMULATION.describe(counted, scheme="d8")
    labelled = weights if isinstance(weights, xr.DataArray) else xr.DataArray(weights, dims=("y", "x")[2 - np.ndim(weights) :])
    _, labelled = same_grid({"d8": codes, "weights": labelled})
    amounts = labelled.astype(np.float64).broadcast_like(codes)
    (summed,) = whole(_accumulated_weights, codes, amounts, dtypes=[np.float64], bytes_per_cell=_WEIGHTED_BYTES, step="flow_accumulation")
    described = ACCUMULATION.describe(summed, scheme="d8")
    return described.assign_attrs(units=str(labelled.attrs.get("units", "1")))


def upslope_area_of(d8: Raster, grid: Grid) -> xr.DataArray:
    """Area draining into each cell [m²], its own excluded; D8.

    On a projected grid whole cells times the area of one. On a geographic grid the ellipsoidal area of each row's cells in fixed point
    (the whole grid's area takes 61 bits, so a cell of 750 m² on 16 million is right to 10⁻⁸ m²).
    """
    codes = require_directions(d8)
    areas = grid.cell_area_m2
    if grid.is_geographic:
        factor = fixed_point(float(areas.sum()) * grid.width)
        amounts = np.rint(areas * factor).astype(np.int64)
        scale = 1 / factor
    else:
        amounts, scale = np.ones(grid.height, np.int64), float(areas[0])
    function = partial(_accumulated, row_amounts=amounts, own=amounts, scale=scale)
    (area,) = whole(function, codes, dtypes=[np.float64], bytes_per_cell=_ACCUMULATION_BYTES, step="flow_accumulation")
    return UPSLOPE_AREA.describe(area, scheme="d8")
