"""Edge contamination: cells whose contributing area the grid's edge, or a hole in it, may cut."""

import math
from dataclasses import replace

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import Tile, pointwise, stencil
from rusle_engine.core.variables import EDGE_CONTAMINATION, FLOW_DIRECTION, Raster
from rusle_engine.terrain.accumulation import Array
from rusle_engine.terrain.flow import grid_of_cells, require_directions, upslope_area_of
from rusle_engine.terrain.multiple_flow import Routing
from rusle_kernels.neighbours import NODATA_CODE

WHOLE, CUT = 0, 1


def edge_contamination(
    d8: Raster | xr.Dataset,
    *,
    max_slope_length_m: float | None = None,
    least_inflow: float = 0.01,
    cell_size_m: float | tuple[float, float] | None = None,
) -> xr.DataArray:
    r"""Where the contributing area may be cut by the grid's edge or by a hole.

    Nobody knows what drains into a cell from where there are no data. So a cell at the edge, or with one of its eight neighbours missing, is
    cut, and so is every cell to which its water goes. With a longest slope, cells that reach it inside the grid are certain, for more
    area changes nothing there; cut are then only cells with

    .. math:: A_{inside} < \lambda_{max} \sqrt{\Delta x^2 + \Delta y^2},

    the area that drains in without having passed a cell at the edge (whose own direction is uncertain) over the widest contour that a cell
    has: elsewhere :math:`\lambda_{in} = A_{in}/w` is at the cap already, whatever the aspect.

    Parameters
    ----------
    d8
        D8 directions, or the Dataset of another scheme, as ``flow_direction`` gives them.
    max_slope_length_m
        Longest slope [m] that LS counts; none when not given.
    least_inflow
        How much water that has passed the edge must arrive for a cell to count as cut, in shares of a cell's own. To several neighbours shares
        of water go on for ever; by D8 water arrives whole or not at all.
    cell_size_m
        Cell size of D8 directions without coordinates, one number or (dx, dy) [m]; needed with a longest slope alone.

    Returns
    -------
    DataArray (y, x)
        uint8: 1 cut, 0 whole, 255 nodata. ``attrs["buffer_m"]`` is the margin around the region that would cure it (``edge_buffer_m``), holes
        aside; absent without a longest slope, where only a watershed is margin enough.

    Raises
    ------
    InputError
        When ``d8`` is no routing, a number is not positive, or the cell size cannot be known.

    Examples
    --------
    >>> import numpy as np
    >>> d8 = np.full((4, 5), 4, np.uint8)
    >>> edge_contamination(d8).values.tolist()[1]
    [1, 1, 1, 1, 1]
    >>> ridge = np.array([[64] * 5, [64] * 5, [4] * 5, [4] * 5, [4] * 5], np.uint8)
    >>> edge_contamination(ridge).values.tolist()
    [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]
    """
    for name, value in (("max_slope_length_m", max_slope_length_m), ("least_inflow", least_inflow)):
        if value is not None and not 0 < value < np.inf:
            raise InputError(f"{name} is {value}; expected a positive number")
    routing: Routing | None = None
    if isinstance(d8, xr.Dataset):
        routing = Routing.of(d8)
        codes = require_directions(routing.codes)
    else:
        codes = require_directions(d8)
    scheme = "d8" if routing is None else routing.scheme
    said: dict[str, object] = {"scheme": scheme, "codes": "1 cut, 0 whole, 255 nodata", "least_inflow": least_inflow}
    if routing is not None:
        grid, area = routing.grid, routing.upslope_area()
    else:
        sized = cell_size_m is not None or "x" in codes.coords or max_slope_length_m is None
        grid = grid_of_cells(codes, cell_size_m) if sized else Grid.of(codes)
        area = upslope_area_of(codes, grid)
    enough = np.full(grid.height, np.inf)
    if max_slope_length_m is not None:
        enough = enough_area_m2(grid, max_slope_length_m)
        said |= {"max_slope_length_m": max_slope_length_m, "buffer_m": edge_buffer_m(grid, max_slope_length_m, scheme=scheme)}
    mask = cut_by_edge(codes, routing, grid, area, enough, least_inflow=least_inflow)
    return EDGE_CONTAMINATION.describe(mask, **said)


def at_edge(codes: xr.DataArray) -> xr.DataArray:
    """1 in cells with data that have one of their eight neighbours missing, else 0; uint8."""
    return stencil(_beside_nothing, codes, dtype=np.uint8, nodata=NODATA_CODE)


def cut_by_edge(
    codes: xr.DataArray, routing: Routing | None, grid: Grid, area: xr.DataArray, enough_m2: Array, *, least_inflow: float = 0.01
) -> xr.DataArray:
    """1 at the edge, and where of the ``area`` [m²] at least ``least_inflow`` of a cell's has passed the edge while what comes from inside is less
    than ``enough_m2`` (for each row); else 0, and 255 nodata. Water takes ``routing``, or D8 ``codes`` without one.

    From inside comes what has not passed a cell at the edge: of such a cell not even the direction is certain, for its lowest neighbour may be
    missing.
    """
    edge = at_edge(codes)
    ending = pointwise(_end_at_edge, codes, edge, dtype=np.uint8, input_dtypes=(codes.dtype, np.uint8))
    ending = FLOW_DIRECTION.describe(ending, scheme="d8")
    inside = upslope_area_of(ending, grid) if routing is None else replace(routing, codes=ending).upslope_area()
    rows = xr.DataArray(enough_m2, dims="y"), xr.DataArray(least_inflow * grid.cell_area_m2, dims="y")
    kinds = (codes.dtype, np.uint8, *[np.float64] * 4)
    return pointwise(_cut, codes, edge, area, inside, *rows, dtype=np.uint8, input_dtypes=kinds)


def enough_area_m2(grid: Grid, max_slope_length_m: float) -> Array:
    """The area draining in from which a slope is at its longest whatever its aspect, for each row [m²]."""
    enough: Array = max_slope_length_m * np.hypot(grid.dx_m, grid.dy_m)
    return enough


def edge_buffer_m(grid: Grid, max_slope_length_m: float, *, scheme: str = "d8") -> float:
    r"""How wide a margin around a region must be for no cell in it to be cut, where slopes are no longer than ``max_slope_length_m``.

    Water from the new edge passes n cells of the margin, of which all but the first add their own area a. So :math:`A_{inside} \ge (n - 1) a`,
    and the slope is at its cap for

    .. math:: n = 1 + \lceil \lambda_{max} \sqrt{\Delta x^2 + \Delta y^2} / a \rceil,

    by D8. By several receivers the area per width of a slope that spreads from a point is half its length, so the margin is twice as wide;
    that is a guide, not a bound.
    """
    return margin_m(grid, enough_area_m2(grid, max_slope_length_m), scheme=scheme)


def margin_m(grid: Grid, enough_m2: Array, *, scheme: str = "d8") -> float:
    """``edge_buffer_m`` for areas that are enough, in each row [m²]."""
    cells = 1 + np.ceil(enough_m2 / grid.cell_area_m2 * (1 if scheme == "d8" else 2))
    return float(math.ceil((cells * np.maximum(grid.dx_m, grid.dy_m)).max()))


def _beside_nothing(padded: Tile, out: Tile) -> None:
    """1 where a cell has data and one of its eight neighbours has none."""
    there = padded != NODATA_CODE
    level = there[:, :-2] & there[:, 1:-1] & there[:, 2:]
    out[...] = there[1:-1, 1:-1] & ~(level[:-2] & level[1:-1] & level[2:])


def _end_at_edge(codes: Tile, edge: Tile, out: Tile) -> None:
    out[...] = np.where(edge == 1, 0, codes)


def _cut(codes: Tile, edge: Tile, area: Tile, inside: Tile, enough: Tile, least: Tile, out: Tile) -> None:
    out[...] = np.where(codes == NODATA_CODE, NODATA_CODE, (edge == 1) | (area - inside >= least) & (inside < enough))
