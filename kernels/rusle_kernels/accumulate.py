"""Sums along D8 flow directions, in integers: the order of addition cannot show.

``codes`` is a padded raster of ESRI codes, or a tile of one, whose ring holds 255 (outside): what leaves a tile is handed over by
stream_graph.py.
"""

import numpy as np

from rusle_kernels._jit import kernel
from rusle_kernels.borders import perimeter_cell, perimeter_place
from rusle_kernels.neighbours import NODATA_CODE

_DONE = 255


@kernel
def first_wrong(codes, valid):
    """The first cell inside the ring whose code is not ``valid`` (256 truths), as an index in the flattened raster; −1 where there is none."""
    for i in range(1, codes.shape[0] - 1):
        row = codes[i]
        right = True
        for j in range(1, row.size - 1):
            right &= valid[row[j]]
        if not right:
            for j in range(1, row.size - 1):
                if not valid[row[j]]:
                    return i * row.size + j
    return -1


@kernel
def close_ring(codes, ring):
    """Take the codes of the ring to ``ring`` (in the order of its perimeter) and put 255 in their place."""
    for place in range(ring.size):
        i, j = perimeter_cell(place, codes.shape[0], codes.shape[1])
        ring[place] = codes[i, j]
        codes[i, j] = NODATA_CODE


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
def border_ways(codes, step_of_code, ring, total, found, leaving, slots, amounts, onward):
    """How water crosses a tile: which border cells lead into other tiles with how much, and where what enters at a border cell leaves again.

    ``leaving`` are places on the perimeter, ``slots`` the neighbour each leads to, ``amounts`` their totals; ``onward`` (each place on the
    perimeter) is the number in ``leaving`` of the cell where its way leaves the tile, −1 where it ends inside or outside the raster.
    ``found`` (padded integers) is working space. Returns how many leave.
    """
    height, width = codes.shape[0] - 2, codes.shape[1] - 2
    way, known, amount = codes.reshape(-1), found.reshape(-1), total.reshape(-1)
    unknown = -2
    known[:] = unknown
    count = 0
    for place in range(onward.size):
        i, j = perimeter_cell(place, height, width)
        cell = (i + 1) * (width + 2) + j + 1
        step = step_of_code[way[cell]]
        if way[cell] == NODATA_CODE or step == 0:
            known[cell] = -1
            continue
        row, column = (cell + step) // (width + 2), (cell + step) % (width + 2)
        if row == 0 or row == height + 1 or column == 0 or column == width + 1:
            known[cell] = -1
            if ring[perimeter_place(row, column, height + 2, width + 2)] != NODATA_CODE:
                known[cell] = count
                leaving[count] = place
                slot = 3 * (row - i) + column - j
                slots[count] = slot if slot < 4 else slot - 1
                amounts[count] = amount[cell]
                count += 1
    for place in range(onward.size):
        i, j = perimeter_cell(place, height, width)
        start = (i + 1) * (width + 2) + j + 1
        cell = start
        while known[cell] == unknown:
            step = step_of_code[way[cell]]
            if step == 0 or way[cell + step] == NODATA_CODE:
                known[cell] = -1
            else:
                cell += step
        exit_number = known[cell]
        cell = start
        while known[cell] == unknown:
            known[cell] = exit_number
            cell += step_of_code[way[cell]]
        onward[place] = exit_number
    return count


@kernel
def add_inflow(codes, step_of_code, inflow, waiting, carried, total):
    """Add to ``total`` what enters a tile at its border cells (``inflow``, along the perimeter) on its way through the tile.

    Each cell on the way first learns how many streams of ``inflow`` meet there; then sums walk down, each waiting where streams meet for
    the last. ``waiting`` (padded, uint8, zeros) and ``carried`` (padded, int64) are working space.
    """
    height, width = codes.shape[0] - 2, codes.shape[1] - 2
    way, streams, amount, sums = codes.reshape(-1), waiting.reshape(-1), carried.reshape(-1), total.reshape(-1)
    for place in range(inflow.size):
        if inflow[place] != 0:
            i, j = perimeter_cell(place, height, width)
            cell = (i + 1) * (width + 2) + j + 1
            while way[cell] != NODATA_CODE:
                streams[cell] += 1
                if streams[cell] > 1:
                    break
                amount[cell] = 0
                step = step_of_code[way[cell]]
                if step == 0:
                    break
                cell += step
    for place in range(inflow.size):
        if inflow[place] != 0:
            i, j = perimeter_cell(place, height, width)
            cell = (i + 1) * (width + 2) + j + 1
            arriving = inflow[place]
            while way[cell] != NODATA_CODE:
                arriving += amount[cell]
                amount[cell] = arriving
                streams[cell] -= 1
                if streams[cell] > 0:
                    break
                sums[cell] += arriving
                step = step_of_code[way[cell]]
                if step == 0:
                    break
                cell += step


@kernel
def scale_totals(codes, total, own, scale, out):
    """``total`` (padded integers) less ``own`` (one for each row), times ``scale``; NaN where there is no data."""
    for i in range(out.shape[0]):
        here, sums, result = codes[i + 1], total[i + 1], out[i]
        for j in range(out.shape[1]):
            result[j] = (sums[j + 1] - own[i]) * scale if here[j + 1] != NODATA_CODE else np.nan
