"""Soil loss as a product of factors, its intensity class, and exact tallies by zone: one read of memory.

Factors stand in eight slots in a fixed order (R K LS C P B E T), so that one compiled kernel serves every choice of factors:
``kinds[k]`` tells whether slot k is left out, a number (``constants[k]``), or a raster of float32 (``singles[k]``) or float64
(``doubles[k]``). A raster row is multiplied in float64 in a row buffer and rounded to float32 once, as A [t ha-1 yr-1]. Class codes
are 1 to 6, and 255 where A is NaN.

Tallies are integers, so that no order of tiles or threads can show:

- a cell counts ``FULL`` (2^37) when it lies wholly in a zone, its share of that when the zone's border cuts it;
- A is taken in units of 2^-24 t/ha, exact for every float32 from 0.5 t/ha on;
- a cut cell's loss is share × A, kept in two integers, the upper counting 2^40 of the lower.

The caller sees to it that a group of rows holds no more than 2^20 cells and that A stays below 2^18 t/ha: then nothing overflows.
"""

import numpy as np

from rusle_kernels._jit import kernel

ABSENT, CONSTANT, SINGLE, DOUBLE = 0, 1, 2, 3
SLOTS = 8
FULL_BITS = 37
FULL = 1 << FULL_BITS
LOSS_BITS = 24
CUT_BITS = 40
LARGEST_GROUP = 1 << 20
LARGEST_LOSS = float(1 << 18)
CLASSES = 8  # places by code & 7: 1 to 6 the classes, 7 unassessed (255), 0 unused

_BLOCK = 128  # cells counted at once: eight counters of one byte share one integer
_BYTE = np.uint64(255)
_CUT_MASK = (1 << CUT_BITS) - 1


@kernel
def multiply_row(kinds, constants, singles, doubles, i, row):
    started = False
    for k in range(SLOTS):
        kind = kinds[k]
        if kind == ABSENT:
            continue
        if kind == CONSTANT:
            number = constants[k]
            if started:
                for j in range(row.size):
                    row[j] *= number
            else:
                row[:] = number
        elif kind == SINGLE:
            single = singles[k][i]
            if started:
                for j in range(row.size):
                    row[j] *= single[j]
            else:
                for j in range(row.size):
                    row[j] = single[j]
        else:
            double = doubles[k][i]
            if started:
                for j in range(row.size):
                    row[j] *= double[j]
            else:
                for j in range(row.size):
                    row[j] = double[j]
        started = True


@kernel
def round_row(row, largest, out):
    """Round to float32; the number of cells below 0 or above ``largest`` (NaN is neither)."""
    impossible = 0
    for j in range(row.size):
        value = np.float32(row[j])
        out[j] = value
        impossible += np.int64(value < 0.0) + np.int64(value > largest)
    return impossible


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
def product(kinds, constants, singles, doubles, largest, out):
    """A, float32; returns how many cells are below 0 or above ``largest``."""
    row = np.empty(out.shape[1])
    impossible = 0
    for i in range(out.shape[0]):
        multiply_row(kinds, constants, singles, doubles, i, row)
        impossible += round_row(row, largest, out[i])
    return impossible


@kernel
def intensity(a, limits, out):
    for i in range(a.shape[0]):
        classify_row(a[i], limits, out[i])


@kernel
def intensity_by_raster(a, tolerance, limits, out):
    for i in range(a.shape[0]):
        classify_row_by_raster(a[i], tolerance[i], limits, out[i])
