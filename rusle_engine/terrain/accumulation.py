"""Sums along D8 directions tile by tile, in integers: the order of addition cannot show, nor can the tiles.

One tile adds up what falls on it, and says which border cells lead into other tiles with how much, and where what enters it leaves again.
A graph of these crossings gives what enters each tile; the tile adds that along the few ways it takes.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Place, TwoPasses
from rusle_engine.terrain.crossings import Crossings, merge, solve, spread
from rusle_kernels import accumulate
from rusle_kernels.borders import perimeter_size
from rusle_kernels.neighbours import ESRI_CODES, NODATA_CODE

Array = np.ndarray[Any, Any]

CODES = "1 E, 2 SE, 4 S, 8 SW, 16 W, 32 NW, 64 N, 128 NE; 0 leaves the grid or drains into nodata; 255 nodata"
TILE_SIZE = 512
"""Tiles of arrays in memory."""
BORDER_BYTES = 48.0
"""Bytes of each border cell of a tile in the graph: half a crossing, what enters, and where it leads on (measured: 35 to 42)."""
_VALID = np.zeros(256, bool)
_VALID[[*ESRI_CODES, NODATA_CODE]] = True


@dataclass(frozen=True)
class TileSums:
    """A tile between the passes: its codes and its own sums (padded), and by how much they are to be multiplied."""

    codes: Array
    total: Array
    scale: float


def steps_of_codes(pitch: int) -> Array:
    """How far each code leads in a flattened raster with ``pitch`` columns, 0 where it leads nowhere."""
    steps = np.zeros(256, np.int64)
    steps[ESRI_CODES[:8]] = [-pitch - 1, -pitch, -pitch + 1, -1, 1, pitch - 1, pitch, pitch + 1]
    return steps


def checked_codes(padded: Array, place: Place) -> Array:
    """A copy of a padded tile of directions as bytes.

    Raises
    ------
    InputError
        When a value inside the ring is none of the codes.
    """
    codes = padded.astype(np.uint8)
    wrong = accumulate.first_wrong(codes, _VALID)
    if padded.dtype != np.uint8:
        changed = np.flatnonzero((codes != padded)[1:-1, 1:-1])
        if changed.size:
            row, column = divmod(int(changed[0]), place.width)
            wrong = min(wrong if wrong >= 0 else codes.size, (row + 1) * codes.shape[1] + column + 1)
    if wrong >= 0:
        i, j = divmod(int(wrong), codes.shape[1])
        where = f"row {place.row + i - 1}, column {place.column + j - 1}"
        raise InputError(f"d8 (flow direction) is {padded[i, j]} at {where}; expected one of {CODES}")
    return codes


def sums_downstream(codes: Array, step_of_code: Array, total: Array) -> None:
    """Add up integers along directions, in place; all padded, nodata in the ring of ``codes``.

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


def fixed_point(greatest_sum: float) -> float:
    """The power of two by which to multiply amounts so that their sum still fits in a signed 64-bit integer, with one bit to spare."""
    return 2.0 ** (61 - int(np.ceil(np.log2(greatest_sum)))) if greatest_sum > 0 else 1.0


def sum_type(greatest: int, cells: int) -> Any:
    """The integer that holds the sum of ``cells`` amounts: 32 bits where they do, for they are half the memory between the passes."""
    return np.int32 if greatest * cells < 2**31 else np.int64


def summarise_rows(padded: Array, place: Place, *, amounts: Array, scale: float) -> tuple[Crossings, TileSums]:
    """A tile's own sums of one integer amount for the cells of each row."""
    here = amounts[place.rows]
    greatest = max(int(here.max()), -int(here.min()))
    total = np.zeros(padded.shape, sum_type(greatest, place.height * place.width))
    total[1:-1, 1:-1] = here[:, np.newaxis]
    return _summarised(checked_codes(padded, place), total, scale)


def summarise_weights(padded: Array, weights: Array, greatest: Any, place: Place, *, cells: int) -> tuple[Crossings, TileSums]:
    """A tile's own sums of weights in fixed point, for a raster of ``cells`` whose ``greatest`` weight is known."""
    codes = checked_codes(padded, place)
    factor = fixed_point(float(greatest) * cells)
    total = np.zeros(codes.shape, np.int64)
    total[1:-1, 1:-1] = weights_in_fixed_point(weights[1:-1, 1:-1], codes[1:-1, 1:-1], factor, place)
    return _summarised(codes, total, 1 / factor)


def weights_in_fixed_point(weights: Array, codes: Array, factor: float, place: Place) -> Array:
    """``weights`` of a tile times ``factor`` as integers; 0 where there is no direction.

    Raises
    ------
    InputError
        When a weight is missing where there is a direction.
    """
    amounts = np.where(codes == NODATA_CODE, 0.0, weights)
    if not np.isfinite(amounts).all():
        i, j = (int(k) for k in np.argwhere(~np.isfinite(amounts))[0])
        where = f"row {place.row + i}, column {place.column + j}"
        raise InputError(f"weights are {weights[i, j]} at {where}, where there is a flow direction; fill the gap first")
    integers: Array = np.rint(amounts * factor).astype(np.int64)
    return integers


def _summarised(codes: Array, total: Array, scale: float) -> tuple[Crossings, TileSums]:
    """Sums inside the tile, and its crossings."""
    height, width = codes.shape[0] - 2, codes.shape[1] - 2
    ring = np.empty(perimeter_size(*codes.shape), np.uint8)
    accumulate.close_ring(codes, ring)
    step_of_code = steps_of_codes(width + 2)
    sums_downstream(codes, step_of_code, total)
    size = perimeter_size(height, width)
    onward = np.full(size, -1, np.int32)
    leaving, slots, amounts = np.empty(size, np.int32), np.empty(size, np.uint8), np.empty(size, np.int64)
    if (ring != NODATA_CODE).any():
        count = accumulate.border_ways(codes, step_of_code, ring, total, np.empty(codes.shape, np.int32), leaving, slots, amounts, onward)
    else:
        count = 0
    return Crossings(leaving[:count].copy(), slots[:count].copy(), amounts[:count].copy(), onward), TileSums(codes, total, scale)


def finish(state: TileSums, inflow: Array, place: Place, *, own: Array | None) -> tuple[Array]:
    """All sums of a tile, less ``own`` of each row."""
    total = state.total
    if inflow.any():
        total = total.astype(np.int64)
        spaces = np.zeros(total.shape, np.uint8), np.empty(total.shape, np.int64)
        accumulate.add_inflow(state.codes, steps_of_codes(place.width + 2), inflow, *spaces, total)
    out = np.empty((place.height, place.width), np.float64)
    less = np.zeros(place.height, np.int64) if own is None else own[place.rows]
    accumulate.scale_totals(state.codes, total, less, state.scale, out)
    return (out,)


def row_sums(amounts: Array, *, own: Array | None, scale: float) -> TwoPasses:
    """Two passes that add up one integer amount for the cells of each row, own amounts taken off again, times ``scale``."""
    width = 4.0 if np.abs(amounts).max(initial=0) < 2**10 else 8.0
    return _sums(partial(summarise_rows, amounts=amounts, scale=scale), own, around=(NODATA_CODE,), bytes_between=width + 1)


def weight_sums(cells: int) -> TwoPasses:
    """Two passes that add up weights (a second raster, and the greatest size of them) over a raster of ``cells``."""
    return _sums(partial(summarise_weights, cells=cells), None, around=(NODATA_CODE, 0.0), bytes_between=9.0)


def _sums(summarise: Any, own: Array | None, *, around: tuple[Any, ...], bytes_between: float) -> TwoPasses:
    return TwoPasses(
        step="flow_accumulation",
        summarise=summarise,
        solve=solve,
        finish=partial(finish, own=own),
        around=around,
        dtypes=(np.dtype(np.float64),),
        working_bytes=26.0 + 16.0 * (len(around) - 1),
        state_bytes=bytes_between,
        border_bytes=BORDER_BYTES,
        tile_size=TILE_SIZE,
        merge=merge,
        spread=spread,
    )
