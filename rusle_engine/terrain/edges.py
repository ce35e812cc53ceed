"""Edge contamination: cells whose contributing area the grid's edge, or a hole in it, may cut."""

import math

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import Tile, pointwise, stencil, two_passes
from rusle_engine.core.variables import EDGE_CONTAMINATION, Raster
from rusle_engine.terrain.accumulation import weight_sums
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

    .. math:: A_{in} < \lambda_{max} \sqrt{\Delta x^2 + \Delta y^2},

    the area that drains in inside the grid over the widest contour that a cell has: elsewhere :math:`\lambda_{in} = A_{in}/w` is at the cap
    already, whatever the aspect.

    Parameters
    ----------
    d8
        D8 directions, or the Dataset of another scheme, as ``flow_direction`` gives them.
    max_slope_length_m
        Longest slope [m] that LS counts; none when not given.
    least_inflow
        How much of one edge cell's water must arrive, from all together, for a cell to count as cut. To several neighbours shares of water
        go on for ever; by D8 water arrives whole or not at all.
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
    at_edge = stencil(_beside_nothing, codes, dtype=np.float64, nodata=NODATA_CODE)
    one = xr.DataArray(1.0)
    arriving = routing.weighted(at_edge, one) if routing is not None else two_passes(weight_sums(codes.size), codes, at_edge, one)[0]
    scheme = "d8" if routing is None else routing.scheme
    said: dict[str, object] = {"scheme": scheme, "codes": "1 cut, 0 whole, 255 nodata", "least_inflow": least_inflow}
    if max_slope_length_m is None:
        return EDGE_CONTAMINATION.describe(pointwise(_cut, arriving, parameters=(least_inflow,), dtype=np.uint8), **said)
    if routing is None:
        grid = grid_of_cells(codes, cell_size_m) if cell_size_m is not None or "x" in codes.coords else Grid.of(codes)
        area = upslope_area_of(codes, grid)
    else:
        grid, area = routing.grid, routing.upslope_area()
    enough = xr.DataArray(max_slope_length_m * np.hypot(grid.dx_m, grid.dy_m), dims="y")
    mask = pointwise(_cut_below, arriving, area, enough, parameters=(least_inflow,), dtype=np.uint8)
    buffer = edge_buffer_m(grid, max_slope_length_m, scheme=scheme)
    return EDGE_CONTAMINATION.describe(mask, **said, max_slope_length_m=max_slope_length_m, buffer_m=buffer)


def edge_buffer_m(grid: Grid, max_slope_length_m: float, *, scheme: str = "d8") -> float:
    r"""How wide a margin around a region must be for no cell in it to be cut, where slopes are no longer than ``max_slope_length_m``.

    Water from the new edge passes n cells of the margin, each of which adds its own area a. So :math:`A_{in} \ge n a`, and the slope is at its
    cap for

    .. math:: n = \lceil \lambda_{max} \sqrt{\Delta x^2 + \Delta y^2} / a \rceil,

    by D8. By several receivers the area per width of a slope that spreads from a point is half its length, so the margin is twice as wide;
    that is a guide, not a bound.
    """
    cells = np.ceil(max_slope_length_m * np.hypot(grid.dx_m, grid.dy_m) / grid.cell_area_m2 * (1 if scheme == "d8" else 2))
    return float(math.ceil((cells * np.maximum(grid.dx_m, grid.dy_m)).max()))


def _beside_nothing(padded: Tile, out: Tile) -> None:
    """1 where a cell has data and one of its eight neighbours has none."""
    height, width = out.shape
    there = padded != NODATA_CODE
    around = np.ones(out.shape, bool)
    for down in range(3):
        for right in range(3):
            around &= there[down : down + height, right : right + width]
    out[...] = there[1:-1, 1:-1] & ~around


def _cut(arriving: Tile, least: float, out: Tile) -> None:
    out[...] = np.where(np.isnan(arriving), NODATA_CODE, arriving >= least)


def _cut_below(arriving: Tile, area: Tile, enough: Tile, least: float, out: Tile) -> None:
    out[...] = np.where(np.isnan(arriving), NODATA_CODE, (arriving >= least) & (area < enough))
