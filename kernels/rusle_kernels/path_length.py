"""Cumulative slope length along D8 flow paths, tile by tile: (max, +) over the forest of directions that go on.

All arrays are padded: a tile with one ring of cells that belong to other tiles or to the outside. Where a slope ends is local, and so is
the length of each cell. What remains is the longest path into each cell: the mechanism of accumulation with the greatest in place of the
sum. Lengths are whole multiples of a power of two, so that sums are exact and neither their order nor the tiles can show.
"""

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.borders import perimeter_cell
from rusle_kernels.neighbours import NODATA_CODE

_DONE = 255


@inline
def _goes_on(upper, lower, upper_ended, lower_ended, gentle, keep_gentle, keep_steep, least):
    """Whether a slope goes on from one cell into the next, from their angles [rad] and whether either is a channel or water."""
    upper = upper if not upper < least else least
    lower = lower if not lower < least else least
    share = keep_gentle if upper < gentle else keep_steep
    return lower >= share * upper and upper_ended == 0 and lower_ended == 0


@kernel
def kept_directions(codes, step_of_code, theta, ended, gentle, keep_gentle, keep_steep, least, kept, inflows, fed):
    """Keep the direction of every cell of the tile whose slope goes on in the next cell; 0 where it ends there, 255 where there is no data.

    A slope goes on unless either cell has ``ended`` (channel, water), or the slope angle ``theta`` [rad] falls from one to the next below a
    share: ``keep_gentle`` where the upper one is below ``gentle``, else ``keep_steep``. Angles below ``least`` count as that. ``inflows``
    becomes the number of slopes that go on into a cell from others of the tile, 255 where there is no data; ``fed`` whether any does, those
    from other tiles included.
    """
    height, width = codes.shape[0] - 2, codes.shape[1] - 2
    way, angle, stop = codes.reshape(-1), theta.reshape(-1), ended.reshape(-1)
    keeps, count, reached = kept.reshape(-1), inflows.reshape(-1), fed.reshape(-1)
    keeps[:] = NODATA_CODE
    count[:] = 0
    reached[:] = 0
    for i in range(1, height + 1):
        for cell in range(i * (width + 2) + 1, i * (width + 2) + width + 1):
            if way[cell] == NODATA_CODE:
                count[cell] = _DONE
                continue
            keeps[cell] = 0
            below = cell + step_of_code[way[cell]]
            if below == cell or way[below] == NODATA_CODE:
                continue
            if _goes_on(angle[cell], angle[below], stop[cell], stop[below], gentle, keep_gentle, keep_steep, least):
                keeps[cell] = way[cell]
                count[below] += 1  # in the ring too, where nobody looks
                reached[below] = 1
    for place in range(2 * (width + 2) + 2 * height):
        i, j = perimeter_cell(place, height + 2, width + 2)
        cell = i * (width + 2) + j
        if way[cell] == NODATA_CODE or step_of_code[way[cell]] == 0:
            continue
        row, column = i, j + step_of_code[way[cell]]  # a step leads from row to row of the flattened raster
        if column > j + 1:
            row, column = i + 1, column - (width + 2)
        elif column < j - 1:
            row, column = i - 1, column + width + 2
        if 1 <= row <= height and 1 <= column <= width:
            below = row * (width + 2) + column
            goes_on = _goes_on(angle[cell], angle[below], stop[cell], stop[below], gentle, keep_gentle, keep_steep, least)
            if goes_on and way[below] != NODATA_CODE:
                reached[below] = 1


@kernel
def cell_lengths(codes, fed, sideways, lengthways, diagonal, level, out):
    """The length of the path in each cell [m] by its direction, half where a slope begins: where nothing that is kept flows in.

    The lengths hold one value for each row; ``level`` is that of a cell without direction.
    """
    for i in range(sideways.size):
        here, arriving, result = codes[i + 1], fed[i + 1], out[i + 1]
        for j in range(1, here.size - 1):
            code = here[j]
            length = diagonal[i]
            length = sideways[i] if code == 1 or code == 16 else length
            length = lengthways[i] if code == 4 or code == 64 else length
            length = level[i] if code == 0 else length
            result[j] = 0.5 * length if arriving[j] == 0 else length


@kernel
def longest_paths(kept, step_of_code, inflows, sources, start, end):
    """The longest path in the tile that arrives in each cell, and with its own length. Returns how many cells lie on a cycle.

    ``end`` holds the cells' own lengths and ``start`` zeros; both end as NaN where there is no data. ``inflows`` is used up; ``sources``
    (one raster row) is working space. The walk is that of ``accumulate``: down from every cell without inflow, until a cell still waits for
    another.
    """
    width = kept.shape[1]
    way, waiting, arriving, leaving = kept.reshape(-1), inflows.reshape(-1), start.reshape(-1), end.reshape(-1)
    for i in range(1, kept.shape[0] - 1):
        count = 0
        for cell in range(i * width + 1, i * width + width - 1):
            sources[count] = cell
            count += np.int64(waiting[cell] == 0)
        for source in range(count):
            cell = sources[source]
            waiting[cell] = _DONE
            while True:
                leaving[cell] += arriving[cell]
                length, step = leaving[cell], step_of_code[way[cell]]
                cell += step
                if step == 0 or way[cell] == NODATA_CODE:
                    break
                arriving[cell] = max(arriving[cell], length)
                left = waiting[cell] - 1
                waiting[cell] = left if left > 0 else _DONE
                if left > 0:
                    break
    stuck = 0
    for cell in range(way.size):
        stuck += np.int64(way[cell] != NODATA_CODE) & np.int64(waiting[cell] != _DONE)
        if way[cell] == NODATA_CODE:
            arriving[cell] = np.nan
            leaving[cell] = np.nan
    return stuck


@kernel
def border_ways(kept, step_of_code, start, end, found, rest, leaving, slots, lengths, onward, through):
    """How slopes cross a tile: which border cells they leave by and how long they are there, and where one that enters leaves again.

    ``leaving`` are places on the perimeter, ``slots`` the neighbour each leads to, ``lengths`` the longest path of the tile that ends there.
    For each place on the perimeter ``through`` is the length of the way from there to where it ends in the tile, or leaves it: by the
    crossing of number ``onward``, −1 where it does not. ``found`` (integers) and ``rest`` (numbers) are working space, padded. Returns how
    many leave.
    """
    height, width = kept.shape[0] - 2, kept.shape[1] - 2
    way, known, above, below, beyond = kept.reshape(-1), found.reshape(-1), start.reshape(-1), end.reshape(-1), rest.reshape(-1)
    unknown = -2
    known[:] = unknown
    count = 0
    for place in range(onward.size):
        i, j = perimeter_cell(place, height, width)
        cell = (i + 1) * (width + 2) + j + 1
        if way[cell] == NODATA_CODE:
            known[cell] = -1
            beyond[cell] = 0.0
            continue
        step = step_of_code[way[cell]]
        row, column = (cell + step) // (width + 2), (cell + step) % (width + 2)
        if step != 0 and (row == 0 or row == height + 1 or column == 0 or column == width + 1):
            known[cell] = count
            beyond[cell] = below[cell] - above[cell]
            leaving[count] = place
            slot = 3 * (row - i) + column - j
            slots[count] = slot if slot < 4 else slot - 1
            lengths[count] = below[cell]
            count += 1
    for place in range(onward.size):
        i, j = perimeter_cell(place, height, width)
        first = (i + 1) * (width + 2) + j + 1
        cell, length = first, 0.0
        while known[cell] == unknown:
            length += below[cell] - above[cell]
            step = step_of_code[way[cell]]
            if step == 0:
                known[cell] = -1
                beyond[cell] = below[cell] - above[cell]
                length -= beyond[cell]
            else:
                cell += step
        exit_number = known[cell]
        length += beyond[cell]
        onward[place], through[place] = exit_number, length
        cell = first
        while known[cell] == unknown:
            known[cell] = exit_number
            beyond[cell] = length
            length -= below[cell] - above[cell]
            cell += step_of_code[way[cell]]
    return count


@kernel
def lengthen(kept, step_of_code, places, inflow, start, end):
    """Let paths of other tiles go on through this one, from border ``places`` on which ``inflow`` of each border place arrives.

    A path lengthens cells until it meets one that is reached by a longer path. ``places`` in the order of how long the paths become, the
    longest first: then no cell is walked through twice.
    """
    height, width = kept.shape[0] - 2, kept.shape[1] - 2
    way, arriving, leaving = kept.reshape(-1), start.reshape(-1), end.reshape(-1)
    for place in places:
        i, j = perimeter_cell(place, height, width)
        cell, length = (i + 1) * (width + 2) + j + 1, inflow[place]
        while way[cell] != NODATA_CODE and length > arriving[cell]:
            own = leaving[cell] - arriving[cell]
            arriving[cell] = length
            length += own
            leaving[cell] = length
            step = step_of_code[way[cell]]
            if step == 0:
                break
            cell += step
