"""Routing to several neighbours in plain Python, from the papers: shares cell by cell, sums from the highest cell down.

``python -m tests.terrain.spreading`` prints how evenly each scheme spreads water over a cone (``docs/concepts/terrain.md``).
"""

import itertools
import math

import numpy as np
import xarray as xr

from rusle_engine.terrain.flow import flow_accumulation, flow_direction
from tests.terrain.oracles import NEIGHBOURS, OFFSET, filled_by_heap, tree_and_steepest

SCHEMES = ["quinn1991", "freeman1991", "qin2007", "tarboton1997"]

# Tarboton 1997, table 1: for each facet the rows and columns of e1 and e2 from e0, and the multipliers a_c and a_f of the angle.
FACETS = [
    ((0, 1), (-1, 1), 0, 1),
    ((-1, 0), (-1, 1), 1, -1),
    ((-1, 0), (-1, -1), 1, 1),
    ((0, -1), (-1, -1), 2, -1),
    ((0, -1), (1, -1), 2, 1),
    ((1, 0), (1, -1), 3, -1),
    ((1, 0), (1, 1), 3, 1),
    ((0, 1), (1, 1), 4, -1),
]


def angle_of_steepest_facet(height, dx, dy):
    """The angle from east, anticlockwise; None where nothing descends. ``height(row, column)`` is None where there is no data."""
    best, found = 0.0, None
    for e1, e2, a_c, a_f in FACETS:
        z0, z1, z2 = height(0, 0), height(*e1), height(*e2)
        d1, d2 = (dx, dy) if e1[0] == 0 else (dy, dx)
        if z1 is None and z2 is None:
            continue
        if z1 is None:
            r, s = math.atan2(d2, d1), (z0 - z2) / math.hypot(d1, d2)
        elif z2 is None:
            r, s = 0.0, (z0 - z1) / d1
        else:
            s1, s2 = (z0 - z1) / d1, (z1 - z2) / d2
            r, s = math.atan2(s2, s1), math.hypot(s1, s2)
            if r < 0:
                r, s = 0.0, s1
            elif r > math.atan2(d2, d1) - 1e-14:
                r, s = math.atan2(d2, d1), (z0 - z2) / math.hypot(d1, d2)
        if s > best * (1 + 1e-14):
            best, found = s, a_f * r + a_c * math.pi / 2
    return found


def shares_by_angle(angle, dx, dy):
    """Between the two of the eight directions around ``angle``, in proportion to the distance from the other."""
    ways = sorted((math.atan2(-down * dy, right * dx) % (2 * math.pi), (down, right)) for down, right in NEIGHBOURS)
    ways.append((2 * math.pi, ways[0][1]))
    for (first, way), (second, other) in itertools.pairwise(ways):
        if first <= angle <= second:
            part = (second - angle) / (second - first)
            return {way: part, other: 1 - part}
    raise AssertionError(angle)


def shares(scheme, height, dx, dy, exponent=1.1):
    """The share of each neighbour (row and column from the cell); empty where none is lower."""
    lower = {}
    for down, right in NEIGHBOURS:
        z = height(down, right)
        if z is not None and z < height(0, 0):
            lower[down, right] = (height(0, 0) - z) / math.hypot(down * dy, right * dx)
    if not lower:
        return {}
    if scheme == "tarboton1997":
        return {way: part for way, part in shares_by_angle(angle_of_steepest_facet(height, dx, dy), dx, dy).items() if part > 1e-13}
    length = {way: math.hypot(dx, dy) / 4 if 0 not in way else dx / 2 if way[1] == 0 else dy / 2 for way in lower}
    if scheme == "quinn1991":
        weight = {way: length[way] * tan for way, tan in lower.items()}
    elif scheme == "freeman1991":
        weight = {way: tan**exponent for way, tan in lower.items()}
    else:
        power = 8.9 * min(max(lower.values()), 1) + 1.1
        weight = {way: length[way] * tan**power for way, tan in lower.items()}
    return {way: w / sum(weight.values()) for way, w in weight.items()}


def passed_down(scheme, heights, dx=1.0, dy=1.0, weights=None, exponent=1.1, surface=None, codes=None):
    """Sums of weights (else cells) by ``scheme``; dx and dy numbers, or one for each row."""
    rows, columns = heights.shape
    filled = filled_by_heap(heights) if surface is None else surface
    if codes is None:
        codes = tree_and_steepest(heights, np.max(dx), np.max(dy))  # of the tree alone, where no distance counts
    dx, dy = (np.broadcast_to(size, rows) for size in (dx, dy))
    total = np.where(np.isfinite(heights), 1.0 if weights is None else weights, np.nan)
    gives = {}
    for i, j in zip(*np.nonzero(codes != 255)):

        def height(down, right, i=i, j=j):
            row, column = i + down, j + right
            inside = 0 <= row < rows and 0 <= column < columns and codes[row, column] != 255
            return float(filled[row, column]) if inside else None

        parts = shares(scheme, height, dx[i], dy[i], exponent) if codes[i, j] else {}
        if codes[i, j] and not parts:
            parts = {OFFSET[codes[i, j]]: 1.0}
        gives[i, j] = [((i + down, j + right), part) for (down, right), part in parts.items()]
    waiting = dict.fromkeys(gives, 0)
    for parts in gives.values():
        for cell, _ in parts:
            waiting[cell] += 1
    ready = [cell for cell, count in waiting.items() if count == 0]
    for cell in ready:  # the list grows while it is walked
        for other, part in gives[cell]:
            total[other] += part * total[cell]
            waiting[other] -= 1
            if waiting[other] == 0:
                ready.append(other)
    assert len(ready) == len(gives)
    return total


def cone(radius_cells, sign):
    """A cone of unit radius, its middle (two cells wide) and what is beyond the radius missing; heights, radii, and cell size."""
    size = 2 * radius_cells + 4
    cell = 1 / radius_cells
    y, x = (np.mgrid[:size, :size] - (size - 1) / 2) * cell
    r = np.hypot(x, y)
    heights = np.where((r <= 1) & ((sign > 0) | (r > 1.5 * cell)), -sign * r * 0.3, np.nan)
    return heights, r, cell


def specific_area(scheme, radius_cells, sign):
    """Area per contour width over the true one, on a ring: mean and standard deviation.

    What passes a cell goes on by the mean way ℓ that its shares lead down the fall line, so the width it takes is a/ℓ.
    """
    heights, r, cell = cone(radius_cells, sign)
    dem = xr.DataArray(heights, dims=("y", "x"), attrs={"units": "m"})
    counted = flow_accumulation(flow_direction(dem, scheme=scheme, cell_size_m=cell)).values
    codes = flow_direction(dem).values
    ratios = []
    for i, j in zip(*np.nonzero((r >= 0.45) & (r < 0.6))):
        if scheme == "d8":
            parts = {OFFSET[codes[i, j]]: 1.0}
        else:
            parts = shares(scheme, lambda down, right, i=i, j=j: float(heights[i + down, j + right]), cell, cell)
        way = sign * sum(part * (r[i + down, j + right] - r[i, j]) for (down, right), part in parts.items())
        true = r[i, j] / 2 if sign > 0 else (1 - r[i, j] ** 2) / (2 * r[i, j])
        ratios.append((counted[i, j] - 0.5) * way / true)
    return np.mean(ratios), np.std(ratios)


if __name__ == "__main__":
    for name, direction in (("diverging", 1), ("converging", -1)):
        for scheme in ("d8", *SCHEMES):
            print(name, scheme, *("{:.3f} ± {:.3f}".format(*specific_area(scheme, radius, direction)) for radius in (10, 20, 40, 80)))
