"""Cumulative slope length along D8 flow paths, tile by tile, whatever the tiles.

One tile finds its own longest paths, and says which border cells slopes leave it by, how long they are there, and how much longer the way
of one that enters becomes. A graph of these crossings gives the longest path that enters at each border cell; the tile lets it go on.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import Place, TwoPasses, two_passes
from rusle_engine.core.variables import SLOPE_LENGTH
from rusle_engine.terrain.accumulation import checked_codes, steps_of_codes
from rusle_engine.terrain.crossings import Crossings, merge, solve, spread
from rusle_kernels import path_length as kernels
from rusle_kernels.borders import perimeter_size
from rusle_kernels.neighbours import NODATA_CODE

Array = np.ndarray[Any, Any]

METHOD = "vanremortel2004"
GENTLE_RAD = float(np.arctan(0.05))
"""Slope below which the share for gentle land holds: 5 percent."""
LEAST_RAD = float(np.radians(0.1))
"""Level ground counts as 0.1° where slopes are compared."""
_UNIT_M = 2.0**-29
"""Lengths of cells are whole multiples of this [m], halves of half of it: sums are exact in float64 up to 8000 km."""
_WORKING_BYTES = 48.0
"""Bytes of each cell of a tile in hand: the three rasters, directions kept, inflows, two lengths, and the ways from the border."""
_STATE_BYTES = 17.0
"""Bytes of each cell between the passes: the direction kept and two lengths."""
_BORDER_BYTES = 64.0
"""Bytes of each border cell of a tile in the graph: half a crossing, what enters, where it leads on and how far."""


@dataclass(frozen=True)
class Rules:
    """Lengths of cells of each row (sideways, lengthways, diagonal, without direction), and the shares of the angle that a slope keeps."""

    lengths: Array
    keep_gentle: float
    keep_steep: float
    from_outside_m: float = 0.0
    """What enters in cells whose angle is negative."""


@dataclass(frozen=True)
class TilePaths:
    """A tile between the passes: directions kept and its own longest paths at the upper and lower end of each cell (padded), and ``through``."""

    kept: Array
    start: Array
    end: Array
    through: Array


def summarise(padded: Array, theta: Array, ended: Array, place: Place, *, rules: Rules) -> tuple[Crossings, TilePaths]:
    """A tile's own longest paths.

    Raises
    ------
    InputError
        When a code is none of the nine, or directions lead round in a circle.
    """
    codes = checked_codes(padded, place)
    step_of_code = steps_of_codes(place.width + 2)
    kept, inflows, fed = (np.empty(codes.shape, np.uint8) for _ in range(3))
    shares = GENTLE_RAD, rules.keep_gentle, rules.keep_steep, LEAST_RAD
    kernels.kept_directions(codes, step_of_code, theta, ended, *shares, kept, inflows, fed)
    start, end = np.zeros(codes.shape), np.zeros(codes.shape)
    if rules.from_outside_m:
        start[theta < 0] = rules.from_outside_m
    kernels.cell_lengths(codes, fed, *np.ascontiguousarray(rules.lengths[:, place.rows]), end)
    stuck = kernels.longest_paths(kept, step_of_code, inflows, np.empty(codes.shape[1], np.int64), start, end)
    if stuck:
        raise InputError(f"d8 (flow direction) leads round in circles: {stuck:,} cells drain into each other. Compute it by flow_direction.")
    size = perimeter_size(place.height, place.width)
    onward, through = np.full(size, -1, np.int32), np.zeros(size)
    leaving, slots, lengths = np.empty(size, np.int32), np.empty(size, np.uint8), np.empty(size)
    spaces = np.empty(codes.shape, np.int32), np.empty(codes.shape)
    count = kernels.border_ways(kept, step_of_code, start, end, *spaces, leaving, slots, lengths, onward, through)
    crossings = Crossings(leaving[:count].copy(), slots[:count].copy(), lengths[:count].copy(), onward, through)
    return crossings, TilePaths(kept, start, end, through)


def finish(state: TilePaths, inflow: Array, place: Place) -> tuple[Array, Array]:
    """Slope lengths at the upper and lower end of each cell of a tile."""
    start, end = state.start.copy(), state.end.copy()  # a scheduler may finish a tile twice
    places = np.flatnonzero(inflow > 0)
    longest_first = places[np.argsort(-(inflow + state.through)[places], kind="stable")]
    kernels.lengthen(state.kept, steps_of_codes(place.width + 2), longest_first, inflow, start, end)
    return start[1:-1, 1:-1].copy(), end[1:-1, 1:-1].copy()


def slope_lengths(
    codes: xr.DataArray,
    theta: xr.DataArray,
    ended: xr.DataArray,
    grid: Grid,
    keep_gentle: float,
    keep_steep: float,
    *,
    from_outside_m: float = 0.0,
) -> tuple[xr.DataArray, xr.DataArray]:
    """Slope length at the upper and at the lower end of each cell [m], along D8, by the rules of Van Remortel et al. 2004.

    A cell's own length is its size along the flow, or its diagonal; half of that where a slope begins. The length at a cell's upper end is
    the longest that flows in from slopes that go on in it. A slope ends where the angle falls, from one cell to the next, below the share
    ``keep_gentle`` (the upper one below 5 percent) or ``keep_steep``, and where a cell has ``ended`` (not 0). With ``from_outside_m`` a slope of
    that length enters in every cell whose angle is negative, and goes on from there however steep the next cell is.
    """
    cells = np.stack([grid.dx_m, grid.dy_m, np.hypot(grid.dx_m, grid.dy_m), np.sqrt(grid.dx_m * grid.dy_m)])
    rules = Rules(np.rint(cells / _UNIT_M) * _UNIT_M, keep_gentle, keep_steep, from_outside_m)
    passes = TwoPasses(
        step="slope length",
        summarise=partial(summarise, rules=rules),
        solve=solve,
        finish=finish,
        around=(NODATA_CODE, np.nan, 0),
        dtypes=(np.dtype(np.float64), np.dtype(np.float64)),
        working_bytes=_WORKING_BYTES,
        state_bytes=_STATE_BYTES,
        border_bytes=_BORDER_BYTES,
        tile_size=512,
        merge=merge,
        spread=spread,
    )
    start, end = two_passes(passes, codes, theta, ended)
    return SLOPE_LENGTH.describe(start, method=METHOD), SLOPE_LENGTH.describe(end, method=METHOD)
