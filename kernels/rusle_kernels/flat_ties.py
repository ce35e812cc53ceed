"""Ties of quantised heights: inside a flat, cells nearer to lower ground are lower, and of those as near, cells further from higher ground.

Heights are whole numbers of steps. A *flat* is a patch of cells of one height that touch. Distances in it are counted in cells, up to
``FAR``, so that a ring of FAR + 1 raw cells around a tile decides every tie, in the tile and in the ring next to it.
"""

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.neighbours import offsets

FAR = 8
"""Where distances end: a cell this far from other ground, or further, is far."""
_UNKNOWN = 255
TIE_BITS = 8
"""Bits below the height step that hold the tie: four for each distance."""


@kernel
def height_steps(heights, quantum, multiplier, divisor, most, nodata, out):
    """``out`` := the whole number of quanta in each height, ``nodata`` where it is not finite.

    Returns the first cell whose height is not exactly ``steps * multiplier / divisor`` in its own type, or has more than ``most`` steps; −1: none.
    """
    wrong = np.int64(-1)
    for i in range(heights.shape[0]):
        row, steps = heights[i], out[i]
        failed = False
        for j in range(row.size):
            number = np.rint(np.float64(row[j]) / quantum)
            known = abs(number) <= most
            steps[j] = np.int64(number) if known else nodata
            failed |= np.isfinite(row[j]) & ~(known & (row.dtype.type(number * multiplier / divisor) == row[j]))
        if failed and wrong < 0:
            for j in range(row.size - 1, -1, -1):
                number = np.rint(np.float64(row[j]) / quantum)
                if np.isfinite(row[j]) and not (abs(number) <= most and row.dtype.type(number * multiplier / divisor) == row[j]):
                    wrong = i * row.size + j
    return wrong


@kernel
def beside_other_ground(steps, nodata, to_lower, from_higher):
    """Distance 0 beside lower ground, and beside higher; FAR everywhere else, unknown in the outermost ring."""
    unknown, far, none = np.uint8(_UNKNOWN), np.uint8(FAR), np.uint8(0)
    to_lower[0], to_lower[-1], from_higher[0], from_higher[-1] = unknown, unknown, unknown, unknown
    for i in range(1, steps.shape[0] - 1):
        above, here, below = steps[i - 1], steps[i], steps[i + 1]
        down, up = to_lower[i], from_higher[i]
        down[0], down[-1], up[0], up[-1] = unknown, unknown, unknown, unknown
        for j in range(1, here.size - 1):
            step = here[j]
            lowest = min(min(above[j - 1], above[j]), min(above[j + 1], here[j - 1]))
            lowest = min(lowest, min(min(here[j + 1], below[j - 1]), min(below[j], below[j + 1])))
            highest = max(max(above[j - 1], above[j]), max(above[j + 1], here[j - 1]))
            highest = max(highest, max(max(here[j + 1], below[j - 1]), max(below[j], below[j + 1])))
            down[j] = none if lowest < step or step == nodata else far
            up[j] = none if highest > step else far


@inline
def _as_high(steps, distance, step, j):
    """Whether cell ``j`` has height ``step`` and distance 0."""
    return (steps[j] == step) & (distance[j] == np.uint8(0))


@kernel
def spread_in_flats(steps, distance, is_next, queue):
    """Count on from distance 0 through cells of equal height, up to FAR; ``is_next`` (a row) and ``queue`` (a raster) are working space."""
    width = steps.shape[1]
    one, none, far = np.uint8(1), np.uint8(0), np.uint8(FAR)
    last = 0
    for i in range(1, steps.shape[0] - 1):
        above, here, below = steps[i - 1], steps[i], steps[i + 1]
        upper, middle, lower = distance[i - 1], distance[i], distance[i + 1]
        for j in range(1, width - 1):
            step = here[j]
            before = _as_high(above, upper, step, j - 1) | _as_high(above, upper, step, j)
            before |= _as_high(above, upper, step, j + 1) | _as_high(here, middle, step, j - 1)
            after = _as_high(here, middle, step, j + 1) | _as_high(below, lower, step, j - 1)
            after |= _as_high(below, lower, step, j) | _as_high(below, lower, step, j + 1)
            is_next[j] = one if (before | after) & (middle[j] == far) else none
        for j in range(1, width - 1):  # without a branch: the next one overwrites what was not meant
            queue[last] = i * width + j
            last += np.int64(is_next[j])
    away = offsets(width)
    flat, distances = steps.reshape(-1), distance.reshape(-1)
    for place in range(last):
        distances[queue[place]] = 1
    first = 0
    while first < last:
        cell = np.int64(queue[first])
        first += 1
        following = distances[cell] + 1
        if following >= FAR:
            break
        for k in range(8):
            neighbour = cell + away[k]
            if distances[neighbour] == FAR and flat[neighbour] == flat[cell]:
                distances[neighbour] = following
                queue[last] = neighbour
                last += 1


@kernel
def pack(steps, to_lower, from_higher, nodata, keys):
    """``keys`` := step · 2⁸ + d · 2⁴ + (FAR − e), d the distance to lower ground, e that from higher ground (the last part 0 where d is 0).

    ``keys`` is the inner part of the other rasters, which are wider by FAR cells on each side.
    """
    far, one = np.int64(FAR), np.int64(1)
    for i in range(keys.shape[0]):
        row, down, up, key = steps[i + FAR], to_lower[i + FAR], from_higher[i + FAR], keys[i]
        for j in range(key.size):
            step, d = np.int64(row[j + FAR]), np.int64(down[j + FAR])
            tie = d * 16 + min(d, one) * (far - up[j + FAR])
            key[j] = step * 256 + tie if row[j + FAR] != nodata else nodata


@kernel
def unpack(keys, multiplier, divisor, nodata, empty, out):
    """``out`` := the heights of packed keys, ``empty`` where there is no data; it may lie in the same memory as ``keys``."""
    for i in range(keys.shape[0]):
        row, heights = keys[i], out[i]
        for j in range(row.size):
            key = row[j]
            heights[j] = (key >> TIE_BITS) * multiplier / divisor if key != nodata else empty
