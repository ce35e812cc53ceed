"""Sums along D8 flow directions, in integers: the order of addition cannot show.

``codes`` is a padded raster of ESRI codes whose ring holds 255 (outside).
"""

import numpy as np

from rusle_kernels._jit import kernel
from rusle_kernels.neighbours import NODATA_CODE

_DONE = 255


@kernel
def inflow_counts(codes, out):
    """How many of its eight neighbours flow into each cell (``out`` is padded like ``codes``)."""
    for i in range(1, codes.shape[0] - 1):
        above, here, below, counts = codes[i - 1], codes[i], codes[i + 1], out[i]
        for j in range(1, here.size - 1):
            count = np.uint8(above[j - 1] == 2)
            count += np.uint8(above[j] == 4)
            count += np.uint8(above[j + 1] == 8)
            count += np.uint8(here[j - 1] == 1)
            count += np.uint8(here[j + 1] == 16)
            count += np.uint8(below[j - 1] == 128)
            count += np.uint8(below[j] == 64)
            count += np.uint8(below[j + 1] == 32)
            counts[j] = count if here[j] != NODATA_CODE else np.uint8(_DONE)


@kernel
def accumulate(codes, step_of_code, inflows, sources, total):
    """Add to each cell of ``total`` (padded; each cell's own amount) what flows into it. Returns how many cells lie on a cycle.

    From every cell without inflow the sum walks down until it meets a cell that still waits for another inflow. ``step_of_code`` (256)
    is how far each code leads in the flattened raster, 0 for those that lead out. ``inflows`` comes from ``inflow_counts`` and is used
    up; ``sources`` (one raster row) is working space.
    """
    width = codes.shape[1]
    way, waiting, amount = codes.reshape(-1), inflows.reshape(-1), total.reshape(-1)
    for i in range(1, codes.shape[0] - 1):
        count = 0
        for cell in range(i * width + 1, i * width + width - 1):  # list first, without a branch; then walk
            sources[count] = cell
            count += np.int64(waiting[cell] == 0)
        for source in range(count):
            cell = sources[source]
            waiting[cell] = _DONE
            amount_here = amount[cell]
            while True:
                step = step_of_code[way[cell]]
                cell += step
                if step == 0 or way[cell] == NODATA_CODE:
                    break
                amount_here += amount[cell]
                amount[cell] = amount_here
                left = waiting[cell] - 1
                waiting[cell] = left if left > 0 else _DONE
                if left > 0:
                    break
    stuck = 0
    for cell in range(way.size):
        stuck += np.int64(way[cell] != NODATA_CODE) & np.int64(waiting[cell] != _DONE)
    return stuck


@kernel
def scale_totals(codes, total, own, scale, out):
    """``total`` (padded integers) less ``own`` (one for each row), times ``scale``; NaN where there is no data."""
    for i in range(out.shape[0]):
        here, sums, result = codes[i + 1], total[i + 1], out[i]
        for j in range(out.shape[1]):
            result[j] = (sums[j + 1] - own[i]) * scale if here[j + 1] != NODATA_CODE else np.nan


@kernel
def number_outlets(codes, step_of_code, labels):
    """Number, from 1 in row-major order, the cells that leave the raster or drain into nodata; 0 elsewhere. Returns how many."""
    way, label = codes.reshape(-1), labels.reshape(-1)
    count = 0
    for cell in range(way.size):
        label[cell] = 0
        if way[cell] != NODATA_CODE:
            step = step_of_code[way[cell]]
            if step == 0 or way[cell + step] == NODATA_CODE:
                count += 1
                label[cell] = count
    return count


@kernel
def number_link_ends(codes, step_of_code, total, least, streams, labels):
    """``number_outlets``, and also the stream cells whose next cell is met by a second stream. Returns how many.

    A cell is a stream where ``total`` reaches ``least``. ``streams`` (padded, uint8) is working space.
    """
    way, amount, label, inflows = codes.reshape(-1), total.reshape(-1), labels.reshape(-1), streams.reshape(-1)
    inflows[:] = 0
    for cell in range(way.size):
        if way[cell] != NODATA_CODE and amount[cell] >= least and step_of_code[way[cell]] != 0:
            inflows[cell + step_of_code[way[cell]]] += 1
    count = 0
    for cell in range(way.size):
        label[cell] = 0
        if way[cell] != NODATA_CODE:
            step = step_of_code[way[cell]]
            leaves = step == 0 or way[cell + step] == NODATA_CODE
            if leaves or (amount[cell] >= least and inflows[cell + step] > 1):
                count += 1
                label[cell] = count
    return count


@kernel
def label_downstream(codes, step_of_code, labels):
    """Give every cell the label of the first labelled cell on its way down, in place.

    ``labels`` (padded) holds 0 at cells still to be labelled; every way down must end in a labelled cell.
    """
    way, label = codes.reshape(-1), labels.reshape(-1)
    for start in range(way.size):
        if way[start] == NODATA_CODE or label[start] != 0:
            continue
        cell = start
        while label[cell] == 0:
            cell += step_of_code[way[cell]]
        found = label[cell]
        cell = start
        while label[cell] == 0:
            label[cell] = found
            cell += step_of_code[way[cell]]
