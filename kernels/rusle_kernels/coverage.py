"""How much of each cell lies in a polygon, exactly, from its edges alone.

Vertices stand on a lattice of 2^20 steps a cell (int64 ``x`` to the east, ``y`` to the south). An edge that passes a cell leaves there how far it
comes down in the cell (``drop``, positive southwards) and twice the area to its left inside the cell (``left_area``). Along a row the sum of
drops tells what lies right of the edges: coverage of a cell = 2 STEP (drops up to and with it) − left_area, ``FULL`` = 2 STEP² when whole.
Everything is an integer and each edge is followed from its northern end whatever its direction, so two polygons that share a
border share it to the last bit, and parts add up to the whole. (The scheme of font rasterisers: Levien 2016, font-rs.)
"""

import numpy as np

from rusle_kernels._jit import kernel

STEP_BITS = 20
STEP = 1 << STEP_BITS
FULL = 2 * STEP * STEP


@kernel
def _between(start, stop, share, whole):
    """The lattice point ``share`` / ``whole`` of the way from start to stop."""
    if share == whole:
        return stop
    return start + np.int64(np.rint(np.float64(stop - start) * np.float64(share) / np.float64(whole)))


@kernel
def trace_edges(x0, y0, x1, y1, keep, rows, columns, drops, left_areas):
    """Write what every edge leaves in every cell it passes, when ``keep``; returns the number of these entries."""
    count = 0
    for n in range(x0.size):
        if y0[n] == y1[n]:
            continue  # a level edge bounds nothing to its left or right
        down = y0[n] < y1[n]
        north_x, north_y, south_x, south_y = (x0[n], y0[n], x1[n], y1[n]) if down else (x1[n], y1[n], x0[n], y0[n])
        sign = 1 if down else -1
        upper_x, upper_y = north_x, north_y
        for row in range(north_y >> STEP_BITS, ((south_y - 1) >> STEP_BITS) + 1):
            lower_y = min(south_y, (row + 1) << STEP_BITS)
            lower_x = _between(north_x, south_x, lower_y - north_y, south_y - north_y)
            west, east = min(upper_x, lower_x), max(upper_x, lower_x)
            height = lower_y - upper_y
            first = west >> STEP_BITS
            last = max(first, (east - 1) >> STEP_BITS)
            passed, here = 0, west
            for column in range(first, last + 1):
                there = min(east, (column + 1) << STEP_BITS)
                reached = height if column == last else _between(0, height, there - west, east - west)
                if keep and reached != passed:
                    drop = sign * (reached - passed)
                    rows[count], columns[count] = row, column
                    drops[count] = drop
                    left_areas[count] = drop * (here + there - 2 * (column << STEP_BITS))
                if reached != passed:
                    count += 1
                passed, here = reached, there
            upper_x, upper_y = lower_x, lower_y
    return count


@kernel
def sweep(order, rows, columns, drops, left_areas, first_row, row_areas, pieces):
    """Walk one polygon's entries in the ``order`` of rows and columns.

    ``pieces`` receives (row, left, right, weight): the cells from column left up to right are covered by weight / FULL; it has room for
    twice the entries. ``row_areas[row - first_row]`` receives the polygon's area in each row. Returns the number of pieces.
    """
    count, n = 0, 0
    while n < order.size:
        row = rows[order[n]]
        drop, area = 0, 0
        next_column = columns[order[n]]
        while n < order.size and rows[order[n]] == row:
            column = columns[order[n]]
            if drop > 0 and column > next_column:  # cells that no edge passes
                pieces[count, 0], pieces[count, 1], pieces[count, 2] = row, next_column, column
                pieces[count, 3] = min(2 * STEP * drop, FULL)
                count += 1
            left_area = 0
            while n < order.size and rows[order[n]] == row and columns[order[n]] == column:
                entry = order[n]
                drop += drops[entry]
                left_area += left_areas[entry]
                area -= 2 * STEP * drops[entry] * column + left_areas[entry]
                n += 1
            weight = 2 * STEP * drop - left_area
            if weight > 0:
                pieces[count, 0], pieces[count, 1], pieces[count, 2] = row, column, column + 1
                pieces[count, 3] = min(weight, FULL)
                count += 1
            next_column = column + 1
        row_areas[row - first_row] += area
    return count


@kernel
def window(starts, zones, lefts, rights, weights, row, column, width, row_starts, out_zones, out_lefts, out_rights, out_weights):
    """Cut runs to the columns from ``column`` on, ``width`` of them, and the rows from ``row`` on; returns how many are left."""
    count = 0
    for i in range(row_starts.size - 1):
        row_starts[i] = count
        for n in range(starts[row + i], starts[row + i + 1]):
            left, right = max(lefts[n] - column, 0), min(rights[n] - column, width)
            if left < right:
                out_zones[count], out_lefts[count], out_rights[count], out_weights[count] = zones[n], left, right, weights[n]
                count += 1
    row_starts[row_starts.size - 1] = count
    return count
