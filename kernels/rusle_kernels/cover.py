"""Vegetation cover and the cover factor C from NDVI: one formula, one kernel. NaN in gives NaN out.

Where an equation wants vegetation cover, ``index`` is NDVI with the NDVI of bare soil and of full cover, or cover itself with 0 and 1.
"""

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.elementary import exp2_of_moderate, log2_of_normal, short_exp2, short_log2
from rusle_kernels.tables import STRETCH, fill_places, spread, take, without_value

_LN_2, _LOG10_2 = 0.6931471805599453, 0.3010299956639812
_MINUS_2_LOG2_E = -2.8853900817779268
_COUNTED_TOGETHER = 4096
"""Cells long enough in a row for their NDVI to be read ahead."""


@inline
def between_zero_and_one(value):
    value = 0.0 if value < 0.0 else value
    return 1.0 if value > 1.0 else value


@inline
def dimidiate_pixel(ndvi, ndvi_soil, scale):
    """Cover of an NDVI; ``scale`` is 1 / (NDVI of full cover - NDVI of bare soil)."""
    return between_zero_and_one((ndvi - ndvi_soil) * scale)


@inline
def log10_of_cover(cover):
    """The decimal logarithm of a cover above 0, in any unit; some number at 0, which the caller looks after."""
    return _LOG10_2 * log2_of_normal(cover) + 0.0 * cover  # NaN stays NaN


@kernel
def cover_dimidiate(ndvi, ndvi_soil, ndvi_vegetation, out):
    scale = 1.0 / (ndvi_vegetation - ndvi_soil)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = dimidiate_pixel(ndvi[i, j], ndvi_soil, scale)


@kernel
def c_cai2000(index, soil, vegetation, out):
    scale = 1.0 / (vegetation - soil)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            percent = 100.0 * dimidiate_pixel(index[i, j], soil, scale)  # the equation wants percent
            curve = 0.6508 - 0.3436 * log10_of_cover(percent)
            out[i, j] = 1.0 if percent <= 0.1 else (0.0 if percent >= 78.3 else curve)


@kernel
def c_liu1999(index, soil, vegetation, out):
    scale = 1.0 / (vegetation - soil)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            cover = dimidiate_pixel(index[i, j], soil, scale)  # this one wants a fraction
            curve = between_zero_and_one(0.221 - 0.595 * log10_of_cover(cover))  # it comes to 1 at 0.04906
            out[i, j] = 1.0 if cover <= 0.049 else curve


@kernel
def c_bu(index, soil, vegetation, out):
    scale = 1.0 / (vegetation - soil)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            percent = 100.0 * dimidiate_pixel(index[i, j], soil, scale)
            line = between_zero_and_one(0.4149 - 0.0052 * percent)  # it comes to 0 at 79.79 %
            out[i, j] = 0.0 if percent >= 79.8 else line


@kernel
def c_vanderknijff1999(ndvi, out):
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            power = _MINUS_2_LOG2_E * ndvi[i, j] / (1.0 - ndvi[i, j])
            curve = exp2_of_moderate(-1000.0 if power < -1000.0 else power) + 0.0 * ndvi[i, j]  # NaN stays NaN
            out[i, j] = 1.0 if ndvi[i, j] <= 0.0 else (0.0 if ndvi[i, j] >= 1.0 else curve)  # the curve passes 1 at 0


@kernel
def c_durigon2014(ndvi, scale, out):
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = between_zero_and_one(scale * (1.0 - ndvi[i, j]) / 2.0)


@kernel
def c_ndvi_power(ndvi, out):
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            base = between_zero_and_one((1.0 - ndvi[i, j]) / 2.0)
            power = short_exp2((1.0 + ndvi[i, j]) * short_log2(base))
            out[i, j] = power if base > 0.0 else base  # 0 stays 0, NaN stays NaN


@kernel
def c_lai_log(leaf_area_index, out):
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            area = leaf_area_index[i, j]
            curve = between_zero_and_one(0.184 - 0.177 * _LN_2 * log2_of_normal(area)) + 0.0 * area  # NaN stays NaN
            out[i, j] = 1.0 if area <= 0.0 else curve  # without a leaf


@kernel
def c_panagos2015(index, classes, soil, vegetation, codes, least, most, out):
    """``least + (most - least) · (1 - cover)`` of each cell's class; where the two are one number, whatever the cover is.

    Returns how many cells hold a class that is not in the sorted ``codes`` (NaN in ``out``).
    """
    unknown, scale, scratch, scratch_of_rises = 0, 1.0 / (vegetation - soil), np.empty(STRETCH, np.int32), np.empty(STRETCH)
    least_by_place, rise_by_place = spread(codes, least), spread(codes, most - least)
    for i in range(out.shape[0]):
        for start in range(0, out.shape[1], STRETCH):
            c, of_cells, indices = out[i, start : start + STRETCH], classes[i, start : start + STRETCH], index[i, start : start + STRETCH]
            places, rises = scratch[: c.size], scratch_of_rises[: c.size]
            fill_places(of_cells, codes, least_by_place.size, places)
            take(least_by_place, places, c)
            take(rise_by_place, places, rises)
            unknown += without_value(of_cells, c)
            for j in range(c.size):
                rest = rises[j] * (1.0 - dimidiate_pixel(indices[j], soil, scale))
                c[j] += 0.0 if rises[j] == 0.0 else rest
    return unknown


@inline
def fill_steps(ndvi, last, steps):
    """The nearest step of each NDVI, 0 for -1 and 0.0001 each, held to ``last``; the one after it for NaN. No branch, so that it vectorises."""
    for j in range(steps.size):
        place = (ndvi[j] + 1.0) * 10000.0 + 0.5
        held = place if place > 0.0 else 0.0
        held = held if held < last else last
        steps[j] = np.int32(held if place == place else last + 1.0)


@kernel
def count_ndvi(ndvi, counts):
    """Add to ``counts[k]`` the cells whose NDVI is nearest to ``k / 10000 - 1``, k from 0 to 20000; NaN is not counted."""
    steps, found, last = np.empty(_COUNTED_TOGETHER, np.int32), np.zeros(counts.size + 1, np.int64), float(counts.size - 1)
    for i in range(ndvi.shape[0]):
        for start in range(0, ndvi.shape[1], _COUNTED_TOGETHER):
            cells = ndvi[i, start : start + _COUNTED_TOGETHER]
            fill_steps(cells, last, steps[: cells.size])
            for j in range(cells.size):
                found[np.uint64(np.uint32(steps[j]))] += 1  # an unsigned index needs no look at its sign
    for k in range(counts.size):
        counts[k] += found[k]
