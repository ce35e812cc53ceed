"""Soil loss as a product of factors, its intensity class, and exact tallies by zone: one read of memory.

A [t ha-1 yr-1] is the product of six places in a fixed order, R K LS C P 1 (RUSLE) or R K LS B E T (CSLE), in float64, rounded to float32
once. Each place has a number and a raster: the number of a raster is 1, and the raster of a number one row of ones that is used again for
every row (step 0), so that one compiled kernel serves every choice of factors. The six rasters are float32, or all are float64. Class codes
are 1 to 6, and 255 where A is NaN.

Tallies are integers, so that no order of tiles or threads can show:

- a cell counts ``FULL`` (2^41) when it lies wholly in a zone, its share of that when the zone's border cuts it;
- A is taken in units of 2^-24 t/ha, exact for every float32 from 0.5 t/ha on;
- a cut cell's loss is share × A, kept in two integers, the upper counting 2^41 of the lower.

The caller sees to it that a group of rows holds no more than 2^20 cells and that A does not exceed 2^18 t/ha: then nothing overflows.
"""

import numpy as np

from rusle_kernels._jit import kernel

PLACES = 6
FULL_BITS = 41
FULL = 1 << FULL_BITS
LOSS_BITS = 24
CUT_BITS = 41
LARGEST_GROUP = 1 << 20
LARGEST_LOSS = float(1 << 18)
CLASSES = 8  # places by code & 7: 1 to 6 the classes, 7 unassessed (255), 0 unused

_BLOCK = 240  # cells counted at once, each class in a byte
_CUT_MASK = (1 << CUT_BITS) - 1
_HALF_BITS = 21  # A of up to 2^18 t/ha is 42 bits in units of 2^-24
_HALF_MASK = (1 << _HALF_BITS) - 1
_REST_MASK = (1 << (CUT_BITS - _HALF_BITS)) - 1


@kernel
def multiply_row(numbers, row0, row1, row2, row3, row4, row5, largest, out):
    """A of one row, float32; whether a value is below 0 or above ``largest`` (NaN is neither)."""
    number0, number1, number2, number3, number4, number5 = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
    least, most = np.float32(0.0), np.float32(largest)
    impossible = np.int32(0)
    for j in range(out.size):
        rk = number0 * row0[j] * number1 * row1[j]
        rkls = rk * number2 * row2[j]
        a = np.float32(rkls * number3 * row3[j] * number4 * row4[j] * number5 * row5[j])
        out[j] = a
        impossible |= np.int32(a < least) | np.int32(a > most)
    return impossible != 0


@kernel
def classify_row(a, limits, out):
    first, second, third, fourth, fifth = limits[0], limits[1], limits[2], limits[3], limits[4]
    for j in range(a.size):
        value = a[j]
        above = np.uint8(value >= first) + np.uint8(value >= second) + np.uint8(value >= third)
        code = np.uint8(np.uint8(1) + above + np.uint8(value >= fourth) + np.uint8(value >= fifth))
        out[j] = code if value == value else np.uint8(255)


@kernel
def classify_row_by_raster(a, tolerance, limits, out):
    """``tolerance`` [t km-2 yr-1] takes the place of the first limit; a float32 times 100 is exact in float64."""
    second, third, fourth, fifth = limits[1], limits[2], limits[3], limits[4]
    for j in range(a.size):
        value = a[j]
        above = np.uint8(np.float64(value) * 100.0 >= tolerance[j]) + np.uint8(value >= second) + np.uint8(value >= third)
        code = np.uint8(np.uint8(1) + above + np.uint8(value >= fourth) + np.uint8(value >= fifth))
        out[j] = code if value == value and tolerance[j] == tolerance[j] else np.uint8(255)


@kernel
def product(numbers, steps, factors, largest, out):
    """A, float32; returns whether a value is below 0 or above ``largest``."""
    r, k, ls, c, p, t = factors
    impossible = False
    for i in range(out.shape[0]):
        rows = r[i * steps[0]], k[i * steps[1]], ls[i * steps[2]], c[i * steps[3]], p[i * steps[4]], t[i * steps[5]]
        impossible |= multiply_row(numbers, *rows, largest, out[i])
    return impossible


@kernel
def intensity(a, limits, out):
    for i in range(a.shape[0]):
        classify_row(a[i], limits, out[i])


@kernel
def intensity_by_raster(a, tolerance, limits, out):
    for i in range(a.shape[0]):
        classify_row_by_raster(a[i], tolerance[i], limits, out[i])


@kernel
def packed_counts(codes):
    """How often each place occurs among up to 255 cells: eight counters of a byte in one integer, which a vector unit adds up at once."""
    counters = np.int64(0)
    for j in range(codes.size):
        counters += np.int64(1) << np.int64((codes[j] & np.uint8(7)) << np.uint8(3))
    return counters


@kernel
def total_loss(a, codes):
    """The sum of A over the cells with a class [2^-24 t/ha]."""
    unit = np.float64(1 << LOSS_BITS)
    total = np.int64(0)
    for j in range(codes.size):
        amount = np.float64(a[j]) * unit if codes[j] != np.uint8(255) else 0.0
        total += np.int64(np.rint(amount))
    return total


@kernel
def tally_runs(a, codes, first, last, zones, lefts, rights, group, areas, losses):
    """Add the runs ``first`` to before ``last``, whose cells lie wholly in their zones."""
    for n in range(first, last):
        zone, left, right = zones[n], lefts[n], rights[n]
        for start in range(left, right, _BLOCK):
            counters = packed_counts(codes[start : min(start + _BLOCK, right)])
            for place in range(CLASSES):
                areas[zone, group, place] += ((counters >> (8 * place)) & 255) << FULL_BITS
        losses[zone, group, 0] += total_loss(a[left:right], codes[left:right])


@kernel
def tally_cuts(a, codes, first, last, zones, columns, weights, group, areas, losses):
    """Add the cells ``first`` to before ``last``, of each of which ``weights`` / FULL lies in its zone."""
    for n in range(first, last):
        j, zone, weight = columns[n], zones[n], weights[n]
        code = codes[j]
        areas[zone, group, code & np.uint8(7)] += weight
        if code != np.uint8(255):
            amount = np.int64(np.rint(np.float64(a[j]) * np.float64(1 << LOSS_BITS)))
            lower = weight * (amount & _HALF_MASK)  # 41 + 21 bits, and so is the upper half, worth 2^21 of the lower
            upper = weight * (amount >> _HALF_BITS)
            losses[zone, group, 1] += (lower >> CUT_BITS) + (upper >> (CUT_BITS - _HALF_BITS))
            losses[zone, group, 2] += (lower & _CUT_MASK) + ((upper & _REST_MASK) << _HALF_BITS)


@kernel
def tally_row(i, a, codes, run_starts, run_zones, lefts, rights, cut_starts, cut_zones, columns, weights, group, areas, losses):
    tally_runs(a, codes, run_starts[i], run_starts[i + 1], run_zones, lefts, rights, group, areas, losses)
    tally_cuts(a, codes, cut_starts[i], cut_starts[i + 1], cut_zones, columns, weights, group, areas, losses)


@kernel
def assess(numbers, steps, factors, tolerance, limits, cover, group_rows, largest, a, codes, areas, losses):
    """A, its class and the tallies of every zone, row by row; returns whether a value of A is below 0 or above ``largest``.

    ``tolerance`` is empty where the first of ``limits`` holds everywhere. ``cover`` is a tuple: the runs of whole cells of each row, then
    its cut cells, as ``tally_row`` takes them. ``areas`` is (zone, group of rows, class place), ``losses`` (zone, group of rows, 3).
    """
    r, k, ls, c, p, t = factors
    run_starts, run_zones, lefts, rights, cut_starts, cut_zones, columns, weights = cover
    impossible = False
    for i in range(a.shape[0]):
        rows = r[i * steps[0]], k[i * steps[1]], ls[i * steps[2]], c[i * steps[3]], p[i * steps[4]], t[i * steps[5]]
        impossible |= multiply_row(numbers, *rows, largest, a[i])
        if tolerance.size:
            classify_row_by_raster(a[i], tolerance[i], limits, codes[i])
        else:
            classify_row(a[i], limits, codes[i])
        group = i // group_rows
        tally_row(i, a[i], codes[i], run_starts, run_zones, lefts, rights, cut_starts, cut_zones, columns, weights, group, areas, losses)
    return impossible


@kernel
def tally_codes(codes, cover, group_rows, areas, losses):
    """The areas of ``assess`` for a raster of classes alone; ``losses`` stays 0."""
    run_starts, run_zones, lefts, rights, cut_starts, cut_zones, columns, weights = cover
    no_loss = np.zeros(codes.shape[1], np.float32)
    for i in range(codes.shape[0]):
        group = i // group_rows
        tally_row(i, no_loss, codes[i], run_starts, run_zones, lefts, rights, cut_starts, cut_zones, columns, weights, group, areas, losses)
