"""Cumulative slope length along D8 flow paths."""

from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import whole
from rusle_engine.core.variables import SLOPE_LENGTH
from rusle_kernels import path_length as kernels
from rusle_kernels.neighbours import ESRI_CODES, NODATA_CODE

Array = np.ndarray[Any, Any]

METHOD = "vanremortel2004"
GENTLE_RAD = float(np.arctan(0.05))
"""Slope below which the share for gentle land holds: 5 percent."""
LEAST_RAD = float(np.radians(0.1))
"""Level ground counts as 0.1° where slopes are compared."""
_UNIT_M = 2.0**-29
"""Lengths of cells are whole multiples of this [m], halves of half of it: sums are exact in float64 up to 8000 km."""
_BYTES = 70.0
"""Bytes for each cell: directions twice, kept directions, inflow counts, slope, the two lengths, and the results' copies into chunks."""
_CODES = (*ESRI_CODES.tolist(), NODATA_CODE)


def _padded(d8: Array) -> tuple[Array, Array]:
    """Directions with a ring of nodata, and how far each code leads in the flattened padded raster.

    Raises
    ------
    InputError
        When a value is none of the codes.
    """
    wrong = np.argwhere(~np.isin(d8, _CODES))
    if wrong.size:
        row, column = wrong[0].tolist()
        raise InputError(f"d8 (flow direction) is {d8[row, column]} at row {row}, column {column}; expected one of {', '.join(map(str, _CODES))}")
    pitch = d8.shape[1] + 2
    step_of_code = np.zeros(256, np.int64)
    step_of_code[ESRI_CODES[:8]] = [-pitch - 1, -pitch, -pitch + 1, -1, 1, pitch - 1, pitch, pitch + 1]
    return np.pad(d8.astype(np.uint8), 1, constant_values=NODATA_CODE), step_of_code


def _paths(codes: Array, theta: Array, ended: Array, *, lengths: Array, shares: tuple[float, float]) -> tuple[Array, Array]:
    """Slope lengths at the upper and lower end of each cell of a whole raster [m]."""
    padded, step_of_code = _padded(codes)
    kept, inflows = np.empty(padded.shape, np.uint8), np.empty(padded.shape, np.uint8)
    kernels.kept_directions(padded, step_of_code, theta, ended, GENTLE_RAD, *shares, LEAST_RAD, kept, inflows)
    start, end = np.zeros(padded.shape), np.zeros(padded.shape)
    kernels.cell_lengths(padded, inflows, *lengths, end)
    stuck = kernels.longest_paths(kept, step_of_code, inflows, np.empty(padded.shape[1], np.int64), start, end)
    if stuck:
        raise InputError(f"d8 (flow direction) leads round in circles: {stuck:,} cells drain into each other. Compute it by flow_direction.")
    return start[1:-1, 1:-1].copy(), end[1:-1, 1:-1].copy()


def slope_lengths(
    codes: xr.DataArray, theta: xr.DataArray, ended: xr.DataArray, grid: Grid, keep_gentle: float, keep_steep: float
) -> tuple[xr.DataArray, xr.DataArray]:
    """Slope length at the upper and at the lower end of each cell [m], along D8, by the rules of Van Remortel et al. 2004.

    A cell's own length is its size along the flow, or its diagonal; half of that where a slope begins. The length at a cell's upper end is
    the longest that flows in from slopes that go on in it. A slope ends where the angle falls, from one cell to the next, below the share
    ``keep_gentle`` (the upper one below 5 percent) or ``keep_steep``, and where a cell has ``ended``.
    """
    cells = np.stack([grid.dx_m, grid.dy_m, np.hypot(grid.dx_m, grid.dy_m), np.sqrt(grid.dx_m * grid.dy_m)])
    function = partial(_paths, lengths=np.rint(cells / _UNIT_M) * _UNIT_M, shares=(keep_gentle, keep_steep))
    start, end = whole(function, codes, theta, ended, dtypes=[np.float64, np.float64], bytes_per_cell=_BYTES, step="slope length")
    return SLOPE_LENGTH.describe(start, method=METHOD), SLOPE_LENGTH.describe(end, method=METHOD)
