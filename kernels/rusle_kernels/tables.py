"""From class codes to values, and the check that values lie where they can.

A class raster reaches these kernels as floats, NaN where there is no class; ``codes`` is sorted and unique, ``values`` is finite.
"""

from rusle_kernels._jit import inline, kernel


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


@kernel
def lookup(classes, codes, values, out):
    """The value of each cell's class; returns how many cells hold a class that is not in ``codes`` (NaN in ``out``)."""
    unknown, known, row = 0, float("nan"), -1
    for i in range(classes.shape[0]):
        for j in range(classes.shape[1]):
            out[i, j] = float("nan")
            if classes[i, j] == classes[i, j]:
                if classes[i, j] != known:  # neighbours are mostly of one class
                    known = classes[i, j]
                    row = position(codes, known)
                if row >= 0:
                    out[i, j] = values[row]
                else:
                    unknown += 1
    return unknown


@kernel
def override(factor, classes, codes, values, out):
    """``factor``, except where the cell's class is in ``codes``: there its value. No class, no result."""
    known, row = float("nan"), -1
    for i in range(factor.shape[0]):
        for j in range(factor.shape[1]):
            out[i, j] = float("nan")
            if classes[i, j] == classes[i, j]:
                if classes[i, j] != known:
                    known = classes[i, j]
                    row = position(codes, known)
                out[i, j] = values[row] if row >= 0 else factor[i, j]


@kernel
def only_in(factor, classes, codes, elsewhere, out):
    """``factor`` where the cell's class is in ``codes``, ``elsewhere`` in all other classes. No class, no result."""
    for i in range(factor.shape[0]):
        for j in range(factor.shape[1]):
            out[i, j] = float("nan")
            if classes[i, j] == classes[i, j]:
                out[i, j] = factor[i, j] if position(codes, classes[i, j]) >= 0 else elsewhere


@kernel
def first_outside(values, lower, upper):
    """Flat index of the first value below ``lower`` or above ``upper``; -1 when there is none. NaN is neither."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            if values[i, j] < lower or values[i, j] > upper:
                return i * values.shape[1] + j
    return -1
