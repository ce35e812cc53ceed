"""From points to cells: one scheme, one kernel.

``x`` and ``y`` are the cells' coordinates (rows, columns), ``px`` and ``py`` the points', ``values`` what was measured there.
"""

import math

import numpy as np

from rusle_kernels._jit import kernel


@kernel
def inverse_distance(x, y, px, py, values, power, neighbours, out):
    """sum w v / sum w over the nearest points, w = d^-power; on a point its own value, the first of equally near ones before the others."""
    near = np.empty(neighbours, np.float64)
    which = np.empty(neighbours, np.int64)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            held = 0
            for p in range(px.size):
                squared = (x[i, j] - px[p]) ** 2 + (y[i, j] - py[p]) ** 2
                if held < neighbours or squared < near[held - 1]:
                    place = min(held, neighbours - 1)
                    held = min(held + 1, neighbours)
                    while place > 0 and near[place - 1] > squared:
                        near[place], which[place] = near[place - 1], which[place - 1]
                        place -= 1
                    near[place], which[place] = squared, p
            if near[0] == 0.0:
                out[i, j] = values[which[0]]
            else:
                weights, total = 0.0, 0.0
                for n in range(held):
                    weight = (near[0] / near[n]) ** (0.5 * power)  # relative to the nearest: no overflow
                    weights += weight
                    total += weight * values[which[n]]
                out[i, j] = total / weights


@kernel
def thin_plate_spline(x, y, px, py, weights, plane, out):
    """plane[0] + plane[1] x + plane[2] y + sum w r^2 log r over all points, in the order given."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            total = plane[0] + plane[1] * x[i, j] + plane[2] * y[i, j]
            for p in range(px.size):
                squared = (x[i, j] - px[p]) ** 2 + (y[i, j] - py[p]) ** 2
                if squared > 0.0:
                    total += weights[p] * 0.5 * squared * math.log(squared)
            out[i, j] = total


SPHERICAL, EXPONENTIAL, GAUSSIAN = 0, 1, 2


@kernel
def kriging(x, y, drift, px, py, weights, constant, slope, shape, sill, length, out):
    """constant + slope * drift + sum w C(r) over all points, with the covariance C of ``shape`` without its nugget."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            total = constant + slope * drift[i, j]
            for p in range(px.size):
                h = math.sqrt((x[i, j] - px[p]) ** 2 + (y[i, j] - py[p]) ** 2) / length
                if shape == SPHERICAL:
                    covariance = 1.0 - 1.5 * h + 0.5 * h**3 if h < 1.0 else 0.0
                elif shape == EXPONENTIAL:
                    covariance = math.exp(-h)
                else:
                    covariance = math.exp(-0.25 * math.pi * h * h)
                total += weights[p] * sill * covariance
            out[i, j] = total


@kernel
def bilinear(values, row, column, out):
    """Between the centres of a coarse grid: ``row`` and ``column`` count from the centre of its first cell, in cells.

    NaN outside the grid and where the nearest cell is NaN; a neighbour that is NaN has no weight.
    """
    last_row, last_column = values.shape[0] - 1, values.shape[1] - 1
    for i in range(row.shape[0]):
        for j in range(row.shape[1]):
            r, c = row[i, j], column[i, j]
            out[i, j] = np.nan
            if r >= -0.5 and r <= last_row + 0.5 and c >= -0.5 and c <= last_column + 0.5:
                r, c = min(max(r, 0.0), float(last_row)), min(max(c, 0.0), float(last_column))
                nearest = values[np.int64(math.floor(r + 0.5)), np.int64(math.floor(c + 0.5))]
                if nearest == nearest:
                    top, left = np.int64(math.floor(r)), np.int64(math.floor(c))
                    down, right = r - top, c - left
                    total, weights = 0.0, 0.0
                    for k in range(2):
                        for m in range(2):
                            weight = (down if k == 1 else 1.0 - down) * (right if m == 1 else 1.0 - right)
                            if weight > 0.0:
                                value = values[top + k, left + m]
                                if value == value:
                                    total += weight * value
                                    weights += weight
                    out[i, j] = total / weights


@kernel
def nearest(values, row, column, out):
    """The value of the coarse cell that holds each fine one; NaN outside the grid."""
    for i in range(row.shape[0]):
        for j in range(row.shape[1]):
            r, c = math.floor(row[i, j] + 0.5), math.floor(column[i, j] + 0.5)
            inside = r >= 0.0 and r < values.shape[0] and c >= 0.0 and c < values.shape[1]
            out[i, j] = values[int(r), int(c)] if inside else np.nan
