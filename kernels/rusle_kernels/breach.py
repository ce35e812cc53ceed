"""Least-cost breaching: from the bottom of each depression the channel with the least cutting to lower ground.

Every search looks at the raw heights alone and every channel is as low as the bottom it drains, so channels merge by the lowest: the order of
searching cannot show. See ``terrain/breaching.py`` for the definition and what follows from it.
"""

import math

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.neighbours import ESRI_CODES, NODATA_CODE, offsets

SUNK = 0
"""A cell below the water of its depression."""
DRAINS = 1
"""A cell that drains as it is."""
OUTLET = 2
"""A cell beside the outside."""
START = 3
"""Where the water of a depression's bottom begins to rise on its way out: one cell of each bottom."""
NO_DATA = 255


@kernel
def mark_cells(heights, filled, codes, marks):
    """What each cell is to a search; ``codes`` are the D8 directions on ``filled``. The outermost ring stays ``NO_DATA``."""
    width = heights.shape[1]
    away = offsets(width)
    slot = np.full(256, -1, np.int64)
    for k in range(8):
        slot[ESRI_CODES[k]] = k
    flat, level, ways, kinds = heights.reshape(-1), filled.reshape(-1), codes.reshape(-1), marks.reshape(-1)
    kinds[:] = NO_DATA
    for i in range(1, heights.shape[0] - 1):
        for cell in range(i * width + 1, i * width + width - 1):
            if ways[cell] == NODATA_CODE:
                continue
            if level[cell] == flat[cell]:
                kinds[cell] = DRAINS
                for k in range(8):
                    if ways[cell + away[k]] == NODATA_CODE:
                        kinds[cell] = OUTLET
                continue
            kinds[cell] = START if flat[cell + away[slot[ways[cell]]]] > flat[cell] else SUNK
            for k in range(8):
                if flat[cell + away[k]] < flat[cell]:
                    kinds[cell] = SUNK


@inline
def _before(cost, length, a, b):
    """Whether cell ``a`` is reached before cell ``b``: at less cost, or as little and by a shorter way, or in row-major order."""
    if cost[a] != cost[b]:
        return cost[a] < cost[b]
    if length[a] != length[b]:
        return length[a] < length[b]
    return a < b


@inline
def _rise(heap, place, cost, length, at):
    """Move the cell at position ``at`` of the heap up to where it belongs."""
    cell = heap[at]
    while at > 0:
        above = (at - 1) >> 1
        if not _before(cost, length, cell, heap[above]):
            break
        heap[at] = heap[above]
        place[heap[at]] = at
        at = above
    heap[at] = cell
    place[cell] = at


@inline
def _take_first(heap, place, cost, length, size):
    """Take the first cell off the heap of ``size`` cells."""
    first, cell = heap[0], heap[size - 1]
    place[first] = -1
    at, below = 0, 1
    while below < size - 1:
        if below + 1 < size - 1 and _before(cost, length, heap[below + 1], heap[below]):
            below += 1
        if not _before(cost, length, heap[below], cell):
            break
        heap[at] = heap[below]
        place[heap[at]] = at
        at = below
        below = 2 * at + 1
    if size > 1:
        heap[at] = cell
        place[cell] = at
    return first


@kernel
def breach(heights, marks, dx, dy, max_depth, max_length, reach, cost, length, came_by, seen, place, heap, carved, breach_length):
    """Lower ``carved``, a copy of ``heights``, along the channel of every start in the tile and up to ``reach`` cells around it.

    The rasters are the tile with ``2 reach + 1`` cells around it; ``dx`` and ``dy`` are the cell sizes of its rows. ``breach_length`` (the tile
    itself) := at each start the length of its channel, infinite where there is none within the limits; it comes filled with NaN, which stays
    where nothing had to be cut. The other arrays, (2 reach + 1)² cells each, are working space; ``seen`` comes filled with 0.
    """
    width, side, ring = heights.shape[1], 2 * reach + 1, 2 * reach + 1
    away, local_away = offsets(width), offsets(side)
    flat, kinds, lowered = heights.reshape(-1), marks.reshape(-1), carved.reshape(-1)
    search = 0
    for i in range(reach + 1, heights.shape[0] - reach - 1):
        for j in range(reach + 1, width - reach - 1):
            if marks[i, j] != START:
                continue
            search += 1
            bottom = heights[i, j]
            corner = (i - reach) * width + j - reach
            start = np.int64(reach * side + reach)
            cost[start], length[start], seen[start], came_by[start] = 0.0, 0.0, search, 8
            heap[0], place[start] = start, 0
            size, found = 1, np.int64(-1)
            while size > 0:
                here = np.int64(_take_first(heap, place, cost, length, size))
                size -= 1
                row = here // side
                cell = corner + row * width + here - row * side
                if here != start and _is_lower_ground(flat[cell], kinds[cell], bottom, here < start):
                    found = here
                    break
                sideways, lengthways = dx[i - reach + row], dy[i - reach + row]
                diagonal = math.hypot(sideways, lengthways)
                for k in range(8):
                    neighbour, there = cell + away[k], here + local_away[k]
                    if kinds[neighbour] == NO_DATA:
                        continue
                    cut = max(np.float64(flat[neighbour]) - np.float64(bottom), 0.0)
                    step = lengthways if k == 1 or k == 6 else sideways if k == 3 or k == 4 else diagonal
                    way, price = length[here] + step, cost[here] + cut
                    if cut > max_depth or way > max_length:
                        continue
                    if seen[there] != search:
                        heap[size] = there
                        place[there] = size
                        size += 1
                    elif place[there] < 0 or price > cost[there] or (price == cost[there] and way >= length[there]):
                        continue
                    seen[there], cost[there], length[there], came_by[there] = search, price, way, k
                    _rise(heap, place, cost, length, place[there])
            inside = ring <= i < heights.shape[0] - ring and ring <= j < width - ring
            if inside and found < 0:
                breach_length[i - ring, j - ring] = np.inf
            elif inside and cost[found] > 0:
                breach_length[i - ring, j - ring] = length[found]
            while found >= 0:
                row = found // side
                cell = corner + row * width + found - row * side
                lowered[cell] = min(lowered[cell], bottom)
                found = -1 if came_by[found] == 8 else found - local_away[came_by[found]]


@inline
def _is_lower_ground(height, kind, bottom, is_earlier):
    """Whether a search from ``bottom`` may end at a cell: at lower ground, outside, or at ground as low that drains or comes first."""
    return height < bottom or kind == OUTLET or (height == bottom and (kind == DRAINS or (kind == START and is_earlier)))
