"""Breaching: channels cut from the bottoms of depressions to lower ground, by the least cutting, within limits of depth and length.

What is searched from where depends on the raw heights alone, so the result is the same on any tiles and by any number of threads.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import Place, two_passes
from rusle_engine.core.windows import Windows, wanted_late, windows
from rusle_engine.terrain.drainage import Array, drainage
from rusle_kernels import breach as kernels
from rusle_kernels.neighbours import NODATA_CODE

SOURCE = "Lindsay & Dhun 2015, International Journal of Geographical Information Science 29:397; Lindsay 2016, Hydrological Processes 30:846"
TILE_SIZE = 1024
"""Tiles of arrays in memory: the cells around them are searched more than once."""
_SEARCH_BYTES = 33.0
"""Bytes of each cell that one search may reach: cost, length, their order, and the way back."""


@dataclass(frozen=True)
class BreachLimits:
    """How long [m] and how deep [m] a breach may be; it is as long as the way from the bottom to lower ground, as deep as the deepest cut."""

    length_m: float
    depth_m: float

    @classmethod
    def of(cls, max_breach_length_m: float | None, max_breach_depth_m: float | None) -> "BreachLimits":
        """The limits as options give them; no depth is no limit.

        Raises
        ------
        InputError
            When the length is missing, or one of the two is no positive number.
        """
        if max_breach_length_m is None:
            raise InputError("method 'breach' needs max_breach_length_m, the length [m] beyond which a depression is left: it also bounds the memory")
        if not (np.isfinite(max_breach_length_m) and max_breach_length_m > 0):
            raise InputError(f"max_breach_length_m is {max_breach_length_m:g}; expected a positive number of metres")
        if max_breach_depth_m is not None and not max_breach_depth_m > 0:
            raise InputError(f"max_breach_depth_m is {max_breach_depth_m:g}; expected a positive number of metres, or None for no limit")
        return cls(float(max_breach_length_m), np.inf if max_breach_depth_m is None else float(max_breach_depth_m))

    @property
    def said(self) -> dict[str, float]:
        """The limits as attributes of a surface."""
        depth = {} if np.isinf(self.depth_m) else {"max_breach_depth_m": self.depth_m}
        return {"max_breach_length_m": self.length_m, **depth}

    def reach(self, grid: Grid) -> int:
        """How many cells no search goes further than."""
        return int(self.length_m // min(float(grid.dx_m.min()), float(grid.dy_m.min()))) + 1


def breached(heights: xr.DataArray, grid: Grid, limits: BreachLimits) -> xr.DataArray:
    """Heights lowered along the breaches of ``condition``; what no breach within the limits drains is still a depression."""
    (surface,) = _breached(heights, grid, limits, with_lengths=False)
    return surface


def breaches(heights: xr.DataArray, grid: Grid, limits: BreachLimits) -> tuple[xr.DataArray, xr.DataArray]:
    """The breached surface, and at the start of each breach its length [m]: infinite where there is none within the limits, NaN elsewhere."""
    surface, lengths = _breached(heights, grid, limits, with_lengths=True)
    return surface, lengths


def _breached(heights: xr.DataArray, grid: Grid, limits: BreachLimits, *, with_lengths: bool) -> tuple[xr.DataArray, ...]:
    square = np.ones((3, grid.height))  # in depressions directions follow the tree, whatever the distances
    codes, filled = two_passes(drainage(heights.dtype, step="condition", nearness=square, with_fill=True), heights)
    reach = limits.reach(grid)
    size = heights.dtype.itemsize
    problem = Windows(
        step="breaching",
        function=partial(_breach_tile, dx=grid.dx_m, dy=grid.dy_m, limits=limits, reach=reach, with_lengths=with_lengths),
        ring=2 * reach + 1,
        around=(np.nan, np.nan, NODATA_CODE),
        dtypes=(heights.dtype, np.dtype(np.float64))[: 1 + with_lengths],
        working_bytes=5.0 * size + 3.0 + 8.0,
        search_bytes=_SEARCH_BYTES * (2 * reach + 1) ** 2,
        tile_size=max(TILE_SIZE, 2 * reach),
        way_out="Give a smaller max_breach_length_m, smaller chunks, or raise memory_budget.",
    )
    return windows(problem, wanted_late(heights), filled, codes)


def _breach_tile(
    heights: Array,
    filled: Array,
    codes: Array,
    place: Place,
    *,
    dx: Array,
    dy: Array,
    limits: BreachLimits,
    reach: int,
    with_lengths: bool,
) -> tuple[Array, ...]:
    """The breached heights of a tile and the lengths of the breaches that start in it, from windows of ``2 reach + 1`` cells around it."""
    ring = 2 * reach + 1
    marks = np.empty(heights.shape, np.uint8)
    kernels.mark_cells(heights, filled, codes, marks)
    carved = np.where(codes == NODATA_CODE, heights.dtype.type(np.nan), heights)
    lengths = np.full((place.height, place.width), np.nan)
    rows = np.clip(np.arange(place.row - ring, place.row + place.height + ring), 0, dx.size - 1)
    cells = ring * ring
    index = np.int32 if cells < 2**31 else np.int64
    spaces = np.empty(cells), np.empty(cells), np.empty(cells, np.uint8), np.zeros(cells, np.int64), np.empty(cells, index), np.empty(cells, index)
    kernels.breach(heights, marks, dx[rows], dy[rows], limits.depth_m, limits.length_m, reach, *spaces, carved, lengths)
    return (carved[ring:-ring, ring:-ring].copy(), lengths)[: 1 + with_lengths]
