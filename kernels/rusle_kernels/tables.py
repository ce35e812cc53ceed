"""From class codes to values, and the check that values lie where they can.

A class raster reaches these kernels as floats, NaN where there is no class; ``codes`` is sorted and unique, ``values`` is finite.
"""

import numpy as np

from rusle_kernels._jit import inline, kernel

_WIDEST = 65536.0
"""How far apart the least and the greatest code may be for every whole number between to have a place: half a megabyte."""
STRETCH = 512
"""Cells that are looked up together: first their places, then what stands there, all of it in the nearest memory."""


@inline
def position(codes, code):
    """Where ``code`` stands in the sorted ``codes``; -1 when it does not."""
    low, high = 0, codes.size
    while low < high:
        middle = (low + high) // 2
        if codes[middle] < code:
            low = middle + 1
        else:
            high = middle
    return low if low < codes.size and codes[low] == code else -1


@inline
def lie_near(codes):
    return codes.size > 0 and codes[-1] - codes[0] < _WIDEST


@inline
def spread(codes, values):
    """``values`` by place, a place for every whole number from the first code to the last, else one for each code; NaN where there is none.

    The last place, NaN, stands for all that is no code.
    """
    if not lie_near(codes):
        return np.append(values, np.nan)
    by_place = np.full(np.int64(codes[-1] - codes[0]) + 2, np.nan)
    for row in range(codes.size):
        by_place[np.int64(codes[row] - codes[0])] = values[row]
    return by_place


@inline
def fill_places(classes, codes, size, places):
    """The place of each class of a stretch of cells within the ``size`` places of ``spread``."""
    if lie_near(codes):  # no branch within, so that it vectorises
        begin, last = codes[0], float(size - 1)
        for j in range(classes.size):
            place = classes[j] - begin
            place = place if place < last else last  # NaN too
            place = place if place >= 0.0 else last
            whole = np.int32(place)
            places[j] = whole if np.float64(whole) == place else np.int32(size - 1)
    else:
        known, row = float("nan"), -1
        for j in range(classes.size):
            if classes[j] != known:  # neighbours are mostly of one class
                known = classes[j]
                row = position(codes, known)
            places[j] = row if row >= 0 else size - 1


@inline
def take(by_place, places, out):
    for j in range(out.size):
        out[j] = by_place[np.uint64(np.uint32(places[j]))]  # an unsigned index needs no look at its sign


@inline
def take_of_classes(classes, codes, by_place, places, out):
    """What ``by_place`` has for the classes of a stretch of cells; ``places`` is scratch."""
    fill_places(classes, codes, by_place.size, places)
    take(by_place, places, out)


@inline
def without_value(classes, values):
    """How many cells have a class and no value."""
    count = 0
    for j in range(values.size):
        count += (values[j] != values[j]) & (classes[j] == classes[j])
    return count


@kernel
def lookup(classes, codes, values, out):
    """The value of each cell's class; returns how many cells hold a class that is not in ``codes`` (NaN in ``out``)."""
    unknown, by_place, scratch = 0, spread(codes, values), np.empty(STRETCH, np.int32)
    for i in range(out.shape[0]):
        for start in range(0, out.shape[1], STRETCH):
            found, of_cells = out[i, start : start + STRETCH], classes[i, start : start + STRETCH]
            take_of_classes(of_cells, codes, by_place, scratch[: found.size], found)
            unknown += without_value(of_cells, found)
    return unknown


@inline
def fill_steps(theta, lower_limits, steps):
    """The class of slope of each cell of a stretch: the last limit it reaches; one more than there are where there is no slope."""
    for j in range(theta.size):
        steps[j] = np.int32(0) if theta[j] == theta[j] else np.int32(lower_limits.size)
    for k in range(1, lower_limits.size):
        lower = lower_limits[k]
        for j in range(theta.size):  # no branch within, so that it vectorises
            steps[j] += np.int32(1) if theta[j] >= lower else np.int32(0)


@kernel
def lookup_by_slope(classes, theta, codes, lower_limits, values, out):
    """The value of each cell's class and slope; returns how many cells with a slope hold a class that is not in ``codes`` (NaN in ``out``).

    ``values`` has a row for each code and a column for each of the ``lower_limits`` (radians, ascending, the first 0): that of the last limit
    the slope reaches counts. Without a slope only a class has a value whose values are all one.
    """
    unknown, rows, wide = 0, spread(codes, np.arange(codes.size) * 1.0), lower_limits.size + 1
    by_place, places, steps = np.full(rows.size * wide, np.nan), np.empty(STRETCH, np.int32), np.empty(STRETCH, np.int32)
    for place in range(rows.size):
        if rows[place] == rows[place]:
            row = values[np.int64(rows[place])]
            by_place[place * wide : place * wide + wide - 1] = row
            by_place[place * wide + wide - 1] = row[0] if row.min() == row.max() else np.nan
    for i in range(out.shape[0]):
        for start in range(0, out.shape[1], STRETCH):
            found, of_cells, angles = out[i, start : start + STRETCH], classes[i, start : start + STRETCH], theta[i, start : start + STRETCH]
            fill_places(of_cells, codes, rows.size, places[: found.size])
            fill_steps(angles, lower_limits, steps)
            for j in range(found.size):
                places[j] = places[j] * np.int32(wide) + steps[j]
            take(by_place, places, found)
            for j in range(found.size):
                unknown += (found[j] != found[j]) & (of_cells[j] == of_cells[j]) & (angles[j] == angles[j])
    return unknown


@kernel
def override(factor, classes, codes, values, out):
    """``factor``, except where the cell's class is in ``codes``: there its value. No class, no result."""
    by_place, scratch = spread(codes, values), np.empty(STRETCH, np.int32)
    for i in range(out.shape[0]):
        for start in range(0, out.shape[1], STRETCH):
            found, of_cells, given = out[i, start : start + STRETCH], classes[i, start : start + STRETCH], factor[i, start : start + STRETCH]
            take_of_classes(of_cells, codes, by_place, scratch[: found.size], found)
            for j in range(found.size):
                elsewhere = given[j] if of_cells[j] == of_cells[j] else float("nan")
                found[j] = found[j] if found[j] == found[j] else elsewhere


@kernel
def only_in(factor, classes, codes, elsewhere, out):
    """``factor`` where the cell's class is in ``codes``, ``elsewhere`` in all other classes. No class, no result."""
    by_place, scratch = spread(codes, np.ones(codes.size)), np.empty(STRETCH, np.int32)
    for i in range(out.shape[0]):
        for start in range(0, out.shape[1], STRETCH):
            found, of_cells, given = out[i, start : start + STRETCH], classes[i, start : start + STRETCH], factor[i, start : start + STRETCH]
            take_of_classes(of_cells, codes, by_place, scratch[: found.size], found)
            for j in range(found.size):
                other = elsewhere if of_cells[j] == of_cells[j] else float("nan")
                found[j] = given[j] if found[j] == 1.0 else other


@kernel
def first_outside(values, lower, upper):
    """Flat index of the first value below ``lower`` or above ``upper``; -1 when there is none. NaN is neither."""
    for i in range(values.shape[0]):
        row, outside = values[i], 0
        for j in range(row.size):  # no way out within, so that it vectorises
            outside += (row[j] < lower) | (row[j] > upper)
        if outside > 0:
            for j in range(row.size):
                if row[j] < lower or row[j] > upper:
                    return i * values.shape[1] + j
    return -1
