"""From class codes to values, and the check that values lie where they can.

A class raster reaches these kernels as floats, NaN where there is no class; ``codes`` is sorted and unique, ``values`` is finite.
"""

import numpy as np

from rusle_kernels._jit import inline, kernel

_WIDEST = 65536.0
"""How far apart the least and the greatest code may be for every whole number between to have a place: half a megabyte."""


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
def begin_of(codes):
    """What to take from a class code to have its place in ``spread``; 0 where codes lie too far apart to have a place each."""
    return codes[0] if lie_near(codes) else 0.0


@inline
def lie_near(codes):
    return codes.size > 0 and codes[-1] - codes[0] < _WIDEST


@inline
def spread(codes, values):
    """``values`` by place, a place for every whole number from the first code to the last: NaN where none is a code, and behind the last.

    Where codes lie too far apart, a place for each code: see ``places``.
    """
    if not lie_near(codes):
        return np.append(values, np.nan)
    by_place = np.full(np.int64(codes[-1] - codes[0]) + 2, np.nan)
    for row in range(codes.size):
        by_place[np.int64(codes[row] - codes[0])] = values[row]
    return by_place


@inline
def places(classes, codes, scratch):
    """The classes of a row of cells, or, where codes lie too far apart, in ``scratch`` where each stands in the sorted codes."""
    if lie_near(codes):
        return classes
    known, place = float("nan"), float("nan")
    for j in range(classes.size):
        if classes[j] != known:  # neighbours are mostly of one class
            known = classes[j]
            place = float(position(codes, known)) if known == known else known
        scratch[j] = place
    return scratch


@inline
def scratch_of(classes, codes):
    """The room that ``places`` needs."""
    return np.empty(0 if lie_near(codes) else classes.shape[1])


@inline
def held(place, size):
    """A place within a table of ``size`` places, the last of which stands for whatever lies outside and for NaN; without a branch."""
    last = float(size - 1)
    place = place if place < last else last
    return place if place >= 0.0 else last


@inline
def look_up(classes, begin, by_place, out):
    """What stands at the classes' places, for a row of cells; NaN where there is no such place.

    The second comparison leaves out what is no whole number. Nothing branches, so that the memory, not the look-up, is what takes the time.
    """
    for j in range(out.size):
        place = held(classes[j] - begin, by_place.size)
        at = np.int64(place)
        value = by_place[np.uint64(at)]  # an unsigned index needs no look at its sign
        out[j] = value if float(at) == place else float("nan")


@inline
def without_value(classes, values):
    """How many cells of a row have a class and no value."""
    count = 0
    for j in range(values.size):
        count += (values[j] != values[j]) & (classes[j] == classes[j])
    return count


@kernel
def lookup(classes, codes, values, out):
    """The value of each cell's class; returns how many cells hold a class that is not in ``codes`` (NaN in ``out``)."""
    unknown, begin, by_place, scratch = 0, begin_of(codes), spread(codes, values), scratch_of(classes, codes)
    for i in range(classes.shape[0]):
        look_up(places(classes[i], codes, scratch), begin, by_place, out[i])
        unknown += without_value(classes[i], out[i])
    return unknown


@kernel
def override(factor, classes, codes, values, out):
    """``factor``, except where the cell's class is in ``codes``: there its value. No class, no result."""
    begin, by_place, scratch = begin_of(codes), spread(codes, values), scratch_of(classes, codes)
    for i in range(factor.shape[0]):
        row, given, of_row = out[i], factor[i], classes[i]
        look_up(places(of_row, codes, scratch), begin, by_place, row)
        for j in range(row.size):
            elsewhere = given[j] if of_row[j] == of_row[j] else float("nan")
            row[j] = row[j] if row[j] == row[j] else elsewhere


@kernel
def only_in(factor, classes, codes, elsewhere, out):
    """``factor`` where the cell's class is in ``codes``, ``elsewhere`` in all other classes. No class, no result."""
    begin, by_place, scratch = begin_of(codes), spread(codes, np.ones(codes.size)), scratch_of(classes, codes)
    for i in range(factor.shape[0]):
        row, given, of_row = out[i], factor[i], classes[i]
        look_up(places(of_row, codes, scratch), begin, by_place, row)
        for j in range(row.size):
            other = elsewhere if of_row[j] == of_row[j] else float("nan")
            row[j] = given[j] if row[j] == 1.0 else other


@kernel
def first_outside(values, lower, upper):
    """Flat index of the first value below ``lower`` or above ``upper``; -1 when there is none. NaN is neither."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            if values[i, j] < lower or values[i, j] > upper:
                return i * values.shape[1] + j
    return -1
