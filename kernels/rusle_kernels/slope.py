"""Slope by Horn (1981), with the rim rule that is exact on every plane.

Names as on a page: a b c / d e f / g h i, row by row, e the centre; p = ∂z/∂x eastwards, q = ∂z/∂y southwards. ``heights`` is padded;
what is not finite is missing. ``dx`` and ``dy`` are the size of a cell of each row [m].
"""

import math

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.elementary import arctangent


@inline
def _side(side, opposite, e):
    """A missing side neighbour continues the line through its opposite and the centre."""
    if math.isfinite(side):
        return side
    return 2.0 * e - opposite if math.isfinite(opposite) else np.nan


@inline
def _corner(corner, side, other_side, e):
    """A missing corner lies on the plane through the centre and its two sides."""
    return corner if math.isfinite(corner) else side + other_side - e


@inline
def _horn_at_rim(above, here, below, j, dx, dy):
    """p and q at padded cell j of ``here`` when some of the nine heights are missing; NaN without a neighbour on an axis."""
    e = np.float64(here[j])
    b = _side(np.float64(above[j]), np.float64(below[j]), e)
    h = _side(np.float64(below[j]), b, e)
    d = _side(np.float64(here[j - 1]), np.float64(here[j + 1]), e)
    f = _side(np.float64(here[j + 1]), d, e)
    a = _corner(np.float64(above[j - 1]), b, d, e)
    c = _corner(np.float64(above[j + 1]), b, f, e)
    g = _corner(np.float64(below[j - 1]), h, d, e)
    k = _corner(np.float64(below[j + 1]), h, f, e)
    p = ((c - a) + 2.0 * (f - d) + (k - g)) / (8.0 * dx)
    q = ((g - a) + 2.0 * (h - b) + (k - c)) / (8.0 * dy)
    known = math.isfinite(e) and math.isfinite(b) and math.isfinite(d)
    return (p, q) if known else (np.nan, np.nan)


@kernel
def gradient_row(above, here, below, dx, dy, p, q):
    """p and q of a row of cells; the rows of heights have one cell more at either end."""
    over_x, over_y = 1.0 / (8.0 * dx), 1.0 / (8.0 * dy)
    for j in range(p.size):
        a, b, c = np.float64(above[j]), np.float64(above[j + 1]), np.float64(above[j + 2])
        d, e, f = np.float64(here[j]), np.float64(here[j + 1]), np.float64(here[j + 2])
        g, h, k = np.float64(below[j]), np.float64(below[j + 1]), np.float64(below[j + 2])
        p[j] = ((c - a) + 2.0 * (f - d) + (k - g)) * over_x + (e - e)
        q[j] = ((g - a) + 2.0 * (h - b) + (k - c)) * over_y
    missing = 0
    for j in range(p.size):
        missing += np.int64(not math.isfinite(p[j] + q[j]))
    if missing > 0:
        for j in range(p.size):
            if not math.isfinite(p[j] + q[j]):
                p[j], q[j] = _horn_at_rim(above, here, below, j + 1, dx, dy)


@kernel
def slope_horn1981(heights, dx, dy, out):
    """θ = atan |p + iq|."""
    p, q = np.empty(out.shape[1]), np.empty(out.shape[1])
    for i in range(out.shape[0]):
        gradient_row(heights[i], heights[i + 1], heights[i + 2], dx[i], dy[i], p, q)
        row = out[i]
        for j in range(row.size):
            row[j] = arctangent(math.sqrt(p[j] * p[j] + q[j] * q[j]))
