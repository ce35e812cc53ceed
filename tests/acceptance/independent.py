"""The same chain once more, slowly, in plain Python and NumPy, from the equations alone. Nothing of the engine is imported here."""

import csv
import math
from datetime import date

import numpy as np

NEIGHBOURS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]  # NW N NE W E SW S SE


def erosivity_xie2016(path, day="date", depth="rain_mm"):
    """Mean annual R of a complete daily record: alpha P^1.7265 of days with 9.7 mm and more, alpha by season."""
    by_year = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            when, rain = date.fromisoformat(row[day]), float(row[depth])
            alpha = 0.3937 if 5 <= when.month <= 9 else 0.3101
            by_year.setdefault(when.year, []).append(alpha * rain**1.7265 if rain >= 9.7 else 0.0)
    return sum(math.fsum(days) for days in by_year.values()) / len(by_year)


def erodibility_epic(sand, silt, clay, carbon):
    """Williams 1990; percent in, SI out. Scalars or arrays."""
    sn1 = 1 - sand / 100
    coarse = 0.2 + 0.3 * np.exp(-0.0256 * sand * (1 - silt / 100))
    fine = (silt / (clay + silt)) ** 0.3
    organic = 1 - 0.25 * carbon / (carbon + np.exp(3.72 - 2.95 * carbon))
    sandy = 1 - 0.7 * sn1 / (sn1 + np.exp(-5.51 + 22.9 * sn1))
    return 0.1317 * coarse * fine * organic * sandy


def gradient(z, size):
    """Horn's p and q; a missing side is twice the centre less its opposite, a missing corner the sum of its sides less the centre."""
    rows, columns = z.shape
    padded = np.pad(z, 1, constant_values=np.nan)

    def at(di, dj):
        return padded[1 + di : 1 + di + rows, 1 + dj : 1 + dj + columns]

    def side(di, dj):
        return np.where(np.isnan(at(di, dj)), 2 * z - at(-di, -dj), at(di, dj))

    north, south, west, east = side(-1, 0), side(1, 0), side(0, -1), side(0, 1)

    def corner(di, dj, vertical, horizontal):
        return np.where(np.isnan(at(di, dj)), vertical + horizontal - z, at(di, dj))

    nw, ne, sw, se = corner(-1, -1, north, west), corner(-1, 1, north, east), corner(1, -1, south, west), corner(1, 1, south, east)
    p = ((ne + 2 * east + se) - (nw + 2 * west + sw)) / (8 * size)
    q = ((sw + 2 * south + se) - (nw + 2 * north + ne)) / (8 * size)
    return p, q


def minimum_spanning_tree(z):
    """Kruskal over all cell pairs in the order (higher cell, lower cell); the filled height and the next cell towards outside (-1)."""
    rows, columns = z.shape
    flat = z.ravel()
    known = np.flatnonzero(~np.isnan(flat))
    rank = np.full(flat.size, -1)
    rank[known[np.lexsort((known, flat[known]))]] = np.arange(len(known))  # no two cells are equal: (height, index)
    edges = []
    for cell in known:
        i, j = divmod(int(cell), columns)
        for di, dj in NEIGHBOURS:
            inside = 0 <= i + di < rows and 0 <= j + dj < columns
            other = (i + di) * columns + j + dj if inside else -1
            if not inside or np.isnan(flat[other]):
                edges.append((rank[cell], -1, int(cell), -1))
            elif rank[other] < rank[cell]:
                edges.append((rank[cell], rank[other], int(cell), other))
    parent = list(range(flat.size + 1))  # the last one is outside; index -1 reaches it

    def root(node):
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    tree = {}
    for _, _, a, b in sorted(set(edges)):
        ra, rb = root(a), root(b if b >= 0 else flat.size)
        if ra != rb:
            parent[ra] = rb
            tree.setdefault(a, []).append(b)
            tree.setdefault(b, []).append(a)
    filled, towards = np.full(flat.size, np.nan), np.full(flat.size, -2)
    stack = [(-1, -np.inf)]
    while stack:
        node, level = stack.pop()
        for neighbour in tree.get(node, []):
            if neighbour >= 0 and towards[neighbour] == -2:
                towards[neighbour] = node
                filled[neighbour] = max(level, flat[neighbour])
                stack.append((neighbour, filled[neighbour]))
    return filled.reshape(z.shape), towards.reshape(z.shape)


def next_cells(z, size):
    """Where every cell drains: steepest descent on the filled surface, else along the tree; -1 is outside."""
    filled, towards = minimum_spanning_tree(z)
    rows, columns = z.shape
    result = towards.copy()
    for i in range(rows):
        for j in range(columns):
            if np.isnan(z[i, j]):
                continue
            best = 0.0
            for di, dj in NEIGHBOURS:
                if 0 <= i + di < rows and 0 <= j + dj < columns:
                    fall = (filled[i, j] - filled[i + di, j + dj]) / (size * math.hypot(di, dj))
                    if fall > best:
                        best, result[i, j] = fall, (i + di) * columns + j + dj
    return filled, result


def upslope_cells(z, following):
    """How many cells drain through each one, itself included."""
    count = np.where(np.isnan(z), 0, 1).ravel()
    follow = following.ravel()
    waiting = np.bincount(follow[follow >= 0], minlength=follow.size)
    ready = [cell for cell in np.flatnonzero(~np.isnan(z).ravel()) if waiting[cell] == 0]
    done = 0
    while ready:
        cell = ready.pop()
        done += 1
        below = follow[cell]
        if below >= 0:
            count[below] += count[cell]
            waiting[below] -= 1
            if waiting[below] == 0:
                ready.append(below)
    assert done == np.count_nonzero(~np.isnan(z)), "a cycle"
    return count.reshape(z.shape)


def topographic_factor(z, size, longest, channel_area):
    """LS after Desmet & Govers 1996 on D8 area, S McCool 1987, m McCool 1989 (moderate); lengths held at ``longest``; 0 in channels."""
    p, q = gradient(z, size)
    tangent = np.hypot(p, q)
    sine = tangent / np.sqrt(1 + tangent**2)
    beta = (sine / 0.0896) / (3 * sine**0.8 + 0.56)
    m = beta / (1 + beta)
    steepness = np.where(tangent < 0.09, 10.8 * sine + 0.03, 16.8 * sine - 0.5)
    x = np.where(tangent > 0, (np.abs(p) + np.abs(q)) / np.where(tangent > 0, tangent, 1), 1.0)
    _, following = next_cells(z, size)
    cells = upslope_cells(z, following)
    width = size * x
    entering, leaving = (cells - 1) * size**2 / width, cells * size**2 / width
    a, b = np.minimum(entering, longest), np.minimum(leaving, longest)
    at_cap = a == b
    with np.errstate(invalid="ignore", divide="ignore"):
        length = np.where(at_cap, (m + 1) * (longest / 22.13) ** m, (b ** (m + 1) - a ** (m + 1)) / ((b - a) * 22.13**m))
    return np.where(cells * size**2 >= channel_area, 0.0, length * steepness), np.arctan(tangent), cells


def slope_lengths(z, size, theta, following, ended):
    """The length of the flow path above and below each cell [m]: slopes go on while the angle keeps its share of the one above."""
    angle = np.maximum(theta, np.radians(0.1)).ravel()
    follow, closed, known = following.ravel(), ended.ravel(), ~np.isnan(z).ravel()
    columns = z.shape[1]
    goes_on = np.zeros(angle.size, bool)
    for cell in np.flatnonzero(known):
        below = follow[cell]
        if below >= 0:
            share = 0.7 if angle[cell] < np.arctan(0.05) else 0.5
            goes_on[cell] = angle[below] >= share * angle[cell] and not closed[cell] and not closed[below]
    fed = np.bincount(follow[goes_on], minlength=angle.size)
    above, below_end = np.zeros(angle.size), np.zeros(angle.size)
    ready, waiting = [cell for cell in np.flatnonzero(known) if fed[cell] == 0], fed.copy()
    while ready:
        cell = ready.pop()
        target = follow[cell]
        diagonal = target >= 0 and abs(target // columns - cell // columns) + abs(target % columns - cell % columns) == 2
        own = size * (math.sqrt(2) if diagonal else 1.0) * (0.5 if fed[cell] == 0 else 1.0)
        below_end[cell] = above[cell] + own
        if goes_on[cell]:
            above[target] = max(above[target], below_end[cell])
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return above.reshape(z.shape), below_end.reshape(z.shape)


def topographic_factor_csle(z, size, longest, channel_area, steepest_degree):
    """LS of the CSLE practice: L of the segment after Foster & Wischmeier 1974 on D8 paths, S Liu 1994 held on steep land, m by degrees."""
    p, q = gradient(z, size)
    theta = np.arctan(np.hypot(p, q))
    _, following = next_cells(z, size)
    channel = upslope_cells(z, following) * size**2 >= channel_area
    above, end = slope_lengths(z, size, theta, following, channel)
    a, b = np.minimum(above, longest), np.minimum(end, longest)
    degrees = np.degrees(theta)
    m = np.select([degrees <= 1, degrees <= 3, degrees <= 5], [0.2, 0.3, 0.4], 0.5)
    sine = np.sin(np.minimum(theta, np.radians(steepest_degree)))
    steepness = np.select([degrees < 5, degrees < 10], [10.8 * sine + 0.03, 16.8 * sine - 0.5], 21.91 * sine - 0.96)
    with np.errstate(invalid="ignore", divide="ignore"):
        length = np.where(a == b, (m + 1) * (longest / 22.13) ** m, (b ** (m + 1) - a ** (m + 1)) / ((b - a) * 22.13**m))
    return np.where(channel, 0.0, np.where(np.isnan(z), np.nan, length * steepness))


def intensity(loss_t_ha, tolerance):
    """SL 190-2007, lower limit inclusive, of A as it is stored: float32."""
    modulus = np.float32(loss_t_ha).astype(np.float64) * 100
    classes = np.full(modulus.shape, 255, np.uint8)
    for code, lower in enumerate((-np.inf, tolerance, 2500, 5000, 8000, 15000), start=1):
        classes[modulus >= lower] = code
    return classes
