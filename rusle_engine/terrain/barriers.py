"""What stops or diverts water besides the ground itself: ditches, channels, walls, roads, banks of terraces."""

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import same_grid
from rusle_engine.core.lift import Tile, is_lazy, pointwise, stencil
from rusle_engine.core.variables import BARRIERS, Raster
from rusle_kernels import barriers as kernels

OPEN, STOPS, DIVERTS = kernels.OPEN, kernels.STOPS, kernels.DIVERTS
WALL_M = 32768.0
"""What a barrier that diverts water is raised by: more than any two heights of the earth differ, and exact in float32 to 4 mm."""
HIGHEST_M = WALL_M / 2


def require_barriers(barriers: Raster, heights: xr.DataArray) -> xr.DataArray:
    """``barriers`` on the grid, and in the chunks, of ``heights``: uint8 of 0, 1 (stops) and 2 (diverts), walls closed at their corners.

    Raises
    ------
    InputError
        When it is no raster of numbers; where a value is none of the three, when it is read.
    GridMismatchError
        When it lies on another grid.
    """
    codes = BARRIERS.require(barriers)
    if codes.ndim != 2 or codes.dtype.kind not in "iufb":
        raise InputError(f"barriers are {codes.dtype} of {codes.dims}; expected a raster (y, x) of 0 (none), 1 (stops water) and 2 (diverts it)")
    _, codes = same_grid({"dem": heights, "barriers": codes})
    if is_lazy(heights):
        codes = codes.chunk(dict(zip(heights.dims, heights.data.chunks)))
    return stencil(_closed, codes, dtype=np.uint8, nodata=0)


def _closed(padded: Tile, out: Tile) -> None:
    with np.errstate(invalid="ignore"):
        codes = padded.astype(np.uint8)
    wrong = (codes != padded) | (codes > DIVERTS)
    if wrong.any():
        seen = padded[wrong][0]
        raise InputError(f"barriers hold {seen}; expected 0 (none), 1 (stops water) or 2 (diverts it). Fill gaps with 0")
    kernels.close_corners(codes, out)


def walled(heights: xr.DataArray, barriers: xr.DataArray) -> xr.DataArray:
    """Heights with barriers that divert water raised above everything."""
    return pointwise(_raised, heights, barriers, dtype=heights.dtype, input_dtypes=[heights.dtype, np.uint8])


def _raised(heights: Tile, barriers: Tile, out: Tile) -> None:
    beyond = np.isfinite(heights) & (np.abs(heights) > HIGHEST_M)
    if beyond.any():
        raise InputError(f"z (elevation) is {heights[beyond][0]:g} m; beside barriers heights must lie within ±{HIGHEST_M:g} m")
    np.add(heights, np.where(barriers == DIVERTS, heights.dtype.type(WALL_M), heights.dtype.type(0)), out=out)


def require_exact_walls(quantum_m: float) -> None:
    """Refuse steps of heights that raised ones would not be multiples of, as floats are stored.

    Raises
    ------
    InputError
        When ``quantum_m`` is not a multiple of 1/256 m.
    """
    if quantum_m * 256 % 1:
        raise InputError(f"flat_ties='packed' with barriers takes quantum_m of whole 1/256 m (1, 0.5, …), not {quantum_m:g}. Use flat_ties='index'")
