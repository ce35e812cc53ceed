"""Surfaces to fill and to drain (smooth, rough, flat, stepped, with holes, with lakes in lakes), and plain answers, cell by cell."""

import heapq

import numpy as np
from hypothesis import strategies as st

NEIGHBOURS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
CODES = [32, 64, 128, 16, 1, 8, 4, 2]
OFFSET = dict(zip(CODES, NEIGHBOURS))


def fractal(rng, rows, columns):
    noise = np.fft.fft2(rng.standard_normal((rows, columns)))
    wave = np.hypot(*np.meshgrid(np.fft.fftfreq(rows), np.fft.fftfreq(columns), indexing="ij"))
    wave[0, 0] = 1
    terrain = np.fft.ifft2(noise * wave**-1.8).real
    return terrain / terrain.std()


def with_holes(rng, heights, share):
    return np.where(rng.random(heights.shape) < share, np.nan, heights)


def spiral(rows, columns):
    """A groove one cell wide, walls between its turns, from the middle outwards."""
    heights = np.full((rows, columns), 9.0)
    row, column, down, right, length = rows // 2, columns // 2, 0, 1, 2
    while length <= 2 * max(rows, columns):
        for _ in range(2):
            for _ in range(length):
                if 0 <= row < rows and 0 <= column < columns:
                    heights[row, column] = 0.0
                row, column = row + down, column + right
            down, right = right, -down
        length += 2
    return heights


def surfaces(rows=24, columns=29):
    rng = np.random.default_rng(rows * 100 + columns)
    y, x = np.mgrid[:rows, :columns].astype(float)
    terrain = fractal(rng, rows, columns)
    ringed = spiral(rows, columns)
    ringed[[0, -1], :] = ringed[:, [0, -1]] = 9.0
    nested = -np.round(np.hypot(x - columns / 2, y - rows / 2) / 4)
    nested[2:-2, 2:-2] = -5 + np.abs(nested[2:-2, 2:-2] + 4)
    return {
        "fractal": terrain * 20 - 7,
        "fractal with holes": with_holes(rng, terrain * 20, 0.05),
        "whole metres": np.round(terrain * 3),
        "whole metres with holes": with_holes(rng, np.round(terrain * 3), 0.1),
        "integers 0 to 2": rng.integers(0, 3, (rows, columns)).astype(float),
        "white noise": rng.random((rows, columns)) - 0.5,
        "two fifths missing": with_holes(rng, rng.random((rows, columns)), 0.4),
        "plane": x + 2 * y,
        "constant": np.zeros((rows, columns)),
        "constant with holes": with_holes(rng, np.zeros((rows, columns)), 0.03),
        "bowl": np.round(((x - columns / 2) ** 2 + (y - rows / 2) ** 2) / 20),
        "cone": -np.hypot(x - columns / 2, y - rows / 2),
        "signed zeros": np.where(rng.random((rows, columns)) < 0.5, 0.0, -0.0),
        "comb": np.where((x % 4 < 2) & (y > 2) & (y < rows - 3), 0.0, 9.0),
        "closed spiral": ringed,
        "terraces": np.round(terrain * 2) * 5 - (rng.random((rows, columns)) < 0.1),
        "nested lakes": nested,
        "one row": rng.integers(0, 5, (1, 40)).astype(float),
        "one column": rng.integers(0, 5, (40, 1)).astype(float),
        "one cell": np.array([[3.0]]),
        "nothing": np.full((4, 5), np.nan),
        "infinite": np.where(rng.random((rows, columns)) < 0.05, rng.choice([np.inf, -np.inf], (rows, columns)), terrain),
    }


SURFACES = surfaces()


def filled_by_heap(heights, outlets=None):
    """The definition, cell by cell: water enters from the edge, from beside nodata (and at outlets), always over the lowest cell it stands at."""
    rows, columns = heights.shape
    empty = ~np.isfinite(heights)
    outside = np.pad(empty, 1, constant_values=True)
    filled, done, shore = np.where(empty, np.nan, heights), empty.copy(), []
    for i, j in zip(*np.nonzero(~empty)):
        if outside[i : i + 3, j : j + 3].any() or (outlets is not None and outlets[i, j]):
            heapq.heappush(shore, (filled[i, j], i, j))
            done[i, j] = True
    while shore:
        water, i, j = heapq.heappop(shore)
        for down, right in NEIGHBOURS:
            row, column = i + down, j + right
            if 0 <= row < rows and 0 <= column < columns and not done[row, column]:
                done[row, column] = True
                filled[row, column] = max(filled[row, column], water)
                heapq.heappush(shore, (filled[row, column], row, column))
    return filled


def tree_and_steepest(heights, dx=1.0, dy=1.0, ties=None, outlets=None):
    """Kruskal over all pairs of neighbours; parents towards the outside; steepest descent on the greatest height of the way out.

    Cells come in the order of height, tie (where given) and index. Outlets drain outside, like cells at the edge, and do nothing else.
    """
    rows, columns = heights.shape
    there = np.isfinite(heights)
    outside = rows * columns
    ties = np.zeros(heights.shape) if ties is None else ties
    edges = []
    for i, j in zip(*np.nonzero(there)):
        cell = (float(heights[i, j]), float(ties[i, j]), i * columns + j)
        at_edge = outlets is not None and outlets[i, j]
        for down, right in NEIGHBOURS:
            row, column = i + down, j + right
            if not (0 <= row < rows and 0 <= column < columns) or not there[row, column]:
                at_edge = True
                continue
            neighbour = (float(heights[row, column]), float(ties[row, column]), row * columns + column)
            if neighbour < cell:
                edges.append((cell, neighbour))
        if at_edge:
            edges.append((cell, (-np.inf, 0.0, outside)))
    part = list(range(outside + 1))

    def of(node):
        while part[node] != node:
            part[node] = part[part[node]]
            node = part[node]
        return node

    joined = {node: [] for node in range(outside + 1)}
    for higher, lower in sorted(edges):
        a, b = of(higher[-1]), of(lower[-1])
        if a != b:
            part[a] = b
            joined[higher[-1]].append((lower[-1], higher[0]))
            joined[lower[-1]].append((higher[-1], higher[0]))
    parent, level, reached = {outside: outside}, {outside: -np.inf}, [outside]
    for node in reached:
        for other, height in joined[node]:
            if other not in parent:
                parent[other], level[other] = node, max(level[node], height)
                reached.append(other)
    codes = np.full(heights.shape, 255, np.uint8)
    for i, j in zip(*np.nonzero(there)):
        cell = i * columns + j
        way = parent[cell]
        if outlets is not None and outlets[i, j]:
            codes[i, j] = 0
            continue
        codes[i, j] = 0 if way == outside else CODES[NEIGHBOURS.index((way // columns - i, way % columns - j))]
        best = 0.0
        for code, (down, right) in zip(CODES, NEIGHBOURS):
            row, column = i + down, j + right
            if 0 <= row < rows and 0 <= column < columns and there[row, column]:
                distance = np.hypot(down * dy, right * dx)
                fall = (level[cell] - level[row * columns + column]) / distance
                if fall > best * (1 + 1e-12):
                    best, codes[i, j] = fall, code
    return codes


def receiver(codes, i, j):
    """Where a cell drains to, or None outside."""
    if codes[i, j] == 0:
        return None
    row, column = i + OFFSET[codes[i, j]][0], j + OFFSET[codes[i, j]][1]
    inside = 0 <= row < codes.shape[0] and 0 <= column < codes.shape[1] and codes[row, column] != 255
    return (row, column) if inside else None


def counted_by_walking(codes, weights=None):
    """Follow every cell's path to its end."""
    total = np.where(codes == 255, np.nan, 0.0)
    for i, j in zip(*np.nonzero(codes != 255)):
        here = (i, j)
        while here is not None:
            total[here] += 1.0 if weights is None else weights[i, j]
            here = receiver(codes, *here)
    return total


def cuts(draw, length):
    """Any way to cut a side: pieces of one size, or of any sizes."""
    if draw(st.booleans()):
        size = draw(st.integers(1, length))
        return tuple(min(size, length - start) for start in range(0, length, size))
    marks = sorted(draw(st.sets(st.integers(1, length))) | {length})
    return tuple(b - a for a, b in zip([0, *marks], marks))
