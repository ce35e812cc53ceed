"""Cumulative slope length along D8 flow paths: (max, +) over the tree of directions.

``kept`` is a padded raster of D8 codes in which every cell where a slope ends leads out: cut so, the longest path into each cell is the
same mechanism as the sum of what flows into it, with the greatest in place of the sum. All is local but ``longest_paths``. The lengths of
single cells are whole multiples of a power of two, so that sums are exact and their order cannot show.
"""

import numpy as np

from rusle_kernels._jit import kernel
from rusle_kernels.neighbours import NODATA_CODE

_DONE = 255


@kernel
def kept_directions(codes, step_of_code, theta, ended, gentle, keep_gentle, keep_steep, least, kept, inflows):
    """Keep the direction of every cell whose slope goes on in the next cell; 0 where it ends there. Count the inflows that are kept.

    ``codes``, ``kept`` and ``inflows`` are padded. A slope goes on unless either cell has ``ended`` (channel, water), or the slope angle
    ``theta`` [rad] falls from one to the next below a share: ``keep_gentle`` where the upper one is below ``gentle``, else ``keep_steep``.
    Angles below ``least`` count as that. ``inflows`` ends as 255 where there is no data.
    """
    height, width = theta.shape
    inflows[:] = 0
    kept[:] = NODATA_CODE
    way, count = codes.reshape(-1), inflows.reshape(-1)
    for i in range(height):
        for j in range(width):
            cell = (i + 1) * (width + 2) + j + 1
            if way[cell] == NODATA_CODE:
                count[cell] = _DONE
                continue
            kept[i + 1, j + 1] = 0
            step = step_of_code[way[cell]]
            below = cell + step
            if step == 0 or way[below] == NODATA_CODE:
                continue
            k, n = below // (width + 2) - 1, below % (width + 2) - 1
            upper = theta[i, j] if not theta[i, j] < least else least
            lower = theta[k, n] if not theta[k, n] < least else least
            share = keep_gentle if upper < gentle else keep_steep
            if lower >= share * upper and not ended[i, j] and not ended[k, n]:
                kept[i + 1, j + 1] = way[cell]
                count[below] += 1


@kernel
def cell_lengths(codes, inflows, sideways, lengthways, diagonal, level, out):
    """The length of the path in each cell [m] by its direction, half where a slope begins: where nothing that is kept flows in.

    The lengths hold one value for each row; ``level`` is that of a cell without direction. ``codes``, ``inflows``, ``out`` are padded.
    """
    for i in range(sideways.size):
        here, arriving, result = codes[i + 1], inflows[i + 1], out[i + 1]
        for j in range(1, here.size - 1):
            code = here[j]
            length = diagonal[i]
            length = sideways[i] if code == 1 or code == 16 else length
            length = lengthways[i] if code == 4 or code == 64 else length
            length = level[i] if code == 0 else length
            result[j] = 0.5 * length if arriving[j] == 0 else length


@kernel
def longest_paths(kept, step_of_code, inflows, sources, start, end):
    """The longest path that arrives in each cell, and with its own length. Returns how many cells lie on a cycle.

    All padded. ``end`` holds the cells' own lengths and ``start`` zeros; both end as NaN where there is no data. ``inflows`` is used up;
    ``sources`` (one raster row) is working space. The walk is that of ``accumulate``: down from every cell without inflow, until a cell
    still waits for another.
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
                if step == 0:
                    break
                cell += step
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
