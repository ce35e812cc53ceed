"""Slope of the DEM as it is."""

from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import Place
from rusle_engine.core.one_pass import one_pass
from rusle_engine.core.variables import SLOPE_ANGLE, Raster
from rusle_engine.terrain.conditioning import require_heights, require_method
from rusle_kernels import slope as kernels

Array = np.ndarray[Any, Any]
SlopeMethod = Literal["horn1981"]


def slope_of(heights: xr.DataArray, grid: Grid) -> xr.DataArray:
    """``slope`` of heights whose grid is known."""
    (theta,) = one_pass(partial(_fill, grid.dx_m, grid.dy_m), heights, dtypes=[np.float64], ring=1)
    return SLOPE_ANGLE.describe(theta, method="horn1981")


def _fill(dx: Array, dy: Array, heights: Array, place: Place, theta: Array) -> None:
    kernels.slope_horn1981(heights, np.ascontiguousarray(dx[place.rows]), np.ascontiguousarray(dy[place.rows]), theta)


def slope(
    dem: Raster, *, method: SlopeMethod = "horn1981", cell_size_m: float | tuple[float, float] | None = None, units: str | None = None
) -> xr.DataArray:
    r"""Slope angle.

    .. math:: \tan\theta = \sqrt{p^2 + q^2}, \quad p = \frac{(c + 2f + i) - (a + 2d + g)}{8\,\Delta x}, \quad
              q = \frac{(g + 2h + i) - (a + 2b + c)}{8\,\Delta y}

    with the heights a … i of the 3 × 3 cells, row by row. At the grid's edge and beside nodata a missing side neighbour is twice the
    centre minus its opposite, then a missing corner the sum of its two sides minus the centre: exact on every plane. A cell without any
    neighbour along an axis is nodata.

    Parameters
    ----------
    dem
        Elevation [m] (y, x), as it is, not filled. On a geographic grid each row has its own :math:`\Delta x` and :math:`\Delta y` [m] on
        the ellipsoid. Heights that are not finite are nodata.
    method
        Whose equation: ``horn1981``.
    cell_size_m
        Cell size of an array without coordinates, one number or (dx, dy) [m].
    units
        The unit of a plain array.

    Returns
    -------
    DataArray (y, x)
        θ [rad], float64, 0 to π/2. Lazy when ``dem`` is, tile by tile.

    Raises
    ------
    InputError
        When ``dem`` is not a raster of numbers in metres, or its cell size cannot be known.

    Notes
    -----
    Source: Horn 1981, Proceedings of the IEEE 69:14. The rim rule is ours (``docs/decisions/ADR-0002-rim-cells-of-slope.md``).

    Examples
    --------
    >>> import numpy as np
    >>> plane = 0.2 * 10.0 * np.arange(4) * np.ones((3, 1))
    >>> np.tan(slope(plane, units="m", cell_size_m=10.0).values[0]).round(12).tolist()
    [0.2, 0.2, 0.2, 0.2]
    """
    require_method(method, get_args(SlopeMethod), "method")
    heights = require_heights(dem, units)
    return slope_of(heights, Grid.of(heights, cell_size_m))
