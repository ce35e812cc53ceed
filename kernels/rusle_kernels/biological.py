"""CSLE's B, and any mean over half-months that the erosivity of each weighs: ``Σ ratio_i · wr_i / Σ wr_i``.

Layers come first, (half-months, cells), beginning with the first half of January; several years follow one another. ``wr`` is (24, 1) or
(24, cells). ``index`` is NDVI with the NDVI of bare soil and of full cover, or vegetation cover itself with 0 and 1. A half-month whose
weight is 0 adds nothing, whatever its cover is; another that is NaN makes the mean NaN.
"""

import math

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.cover import dimidiate_pixel
from rusle_kernels.elementary import exp2_of_moderate
from rusle_kernels.tables import fill_places, spread, take

_LOG2_E = 1.4426950408889634
_BLOCK = 1024  # cells whose sums stay in the nearest memory


@inline
def divide_by_weights(sums, totals, start, years, wr):
    """Divide the sums of a block by what they were weighted with; ``totals`` is scratch."""
    width = sums.size
    totals[:width] = 0.0
    for i in range(24):
        if wr.shape[1] == 1:
            totals[:width] += wr[i, 0]
        else:
            weights = wr[i, start : start + width]
            for c in range(width):
                totals[c] += weights[c]
    for c in range(width):
        sums[c] /= totals[c] * years


@inline
def ratio_by_growth(cover, a, b, rate):
    return 1.0 / (a + b * exp2_of_moderate(rate * cover)) + 0.0 * cover  # NaN stays NaN


@inline
def ratio_forest(cover, understorey):
    canopy = exp2_of_moderate(_LOG2_E * (cover - cover * understorey)) + 0.0 * cover
    ground = exp2_of_moderate(_LOG2_E * -3.20096 * understorey) + 0.0 * understorey
    return 0.44468 * ground - 0.04099 * canopy + 0.025


@kernel
def b_by_growth(index, soil, vegetation, a, b, base, wr, out):
    """``1 / (a + b · base^(100 cover))``: grass and shrub; ``out`` is (1, cells)."""
    layers, cells = index.shape
    totals, scale, rate = np.empty(_BLOCK), 1.0 / (vegetation - soil), 100.0 * math.log2(base)
    for start in range(0, cells, _BLOCK):
        end = min(start + _BLOCK, cells)
        sums = out[0, start:end]
        sums[:] = 0.0
        for p in range(layers):
            layer, weight = index[p, start:end], wr[p % 24, 0]
            if wr.shape[1] > 1:
                weights = wr[p % 24, start:end]
                for c in range(sums.size):
                    ratio = ratio_by_growth(dimidiate_pixel(layer[c], soil, scale), a, b, rate)
                    sums[c] += 0.0 if weights[c] == 0.0 else weights[c] * ratio
            elif weight != 0.0:
                for c in range(sums.size):
                    sums[c] += weight * ratio_by_growth(dimidiate_pixel(layer[c], soil, scale), a, b, rate)
        divide_by_weights(sums, totals, start, layers // 24, wr)


@kernel
def b_forest(index, soil, vegetation, understorey, wr, out):
    """Trees with what grows under them: ``understorey`` is (1, cells), or has a layer for each half-month of a year or of all years."""
    layers, cells = index.shape
    totals, scale = np.empty(_BLOCK), 1.0 / (vegetation - soil)
    for start in range(0, cells, _BLOCK):
        end = min(start + _BLOCK, cells)
        sums = out[0, start:end]
        sums[:] = 0.0
        for p in range(layers):
            layer, below, weight = index[p, start:end], understorey[p % understorey.shape[0], start:end], wr[p % 24, 0]
            if wr.shape[1] > 1:
                weights = wr[p % 24, start:end]
                for c in range(sums.size):
                    ratio = ratio_forest(dimidiate_pixel(layer[c], soil, scale), below[c])
                    sums[c] += 0.0 if weights[c] == 0.0 else weights[c] * ratio
            elif weight != 0.0:
                for c in range(sums.size):
                    sums[c] += weight * ratio_forest(dimidiate_pixel(layer[c], soil, scale), below[c])
        divide_by_weights(sums, totals, start, layers // 24, wr)


@kernel
def weighted_mean(ratios, wr, out):
    """Of ratios that are there already, (half-months, cells)."""
    layers, cells = ratios.shape
    totals = np.empty(_BLOCK)
    for start in range(0, cells, _BLOCK):
        end = min(start + _BLOCK, cells)
        sums = out[0, start:end]
        sums[:] = 0.0
        for p in range(layers):
            layer, weight = ratios[p, start:end], wr[p % 24, 0]
            if wr.shape[1] > 1:
                weights = wr[p % 24, start:end]
                for c in range(sums.size):
                    sums[c] += 0.0 if weights[c] == 0.0 else weights[c] * layer[c]
            elif weight != 0.0:
                for c in range(sums.size):
                    sums[c] += weight * layer[c]
        divide_by_weights(sums, totals, start, layers // 24, wr)


@kernel
def weighted_table(classes, codes, ratios, wr, out):
    """Of ratios by class, (codes, 24), the codes sorted. Returns how many cells hold a class without a row (NaN in ``out``)."""
    unknown, scratch, totals, same_everywhere = 0, np.empty(_BLOCK, np.int32), np.empty(_BLOCK), wr.shape[1] == 1
    by_place = np.empty((24, spread(codes, ratios[:, 0]).size))
    for i in range(24):
        by_place[i] = spread(codes, ratios[:, i])
    means = np.empty(0)
    if same_everywhere:  # one mean for each class
        means, total = np.zeros(by_place.shape[1]), 0.0
        for i in range(24):
            means += wr[i, 0] * by_place[i]
            total += wr[i, 0]
        means /= total
    for start in range(0, classes.shape[1], _BLOCK):
        sums, of_cells = out[0, start : start + _BLOCK], classes[0, start : start + _BLOCK]
        places = scratch[: sums.size]
        fill_places(of_cells, codes, by_place.shape[1], places)
        if same_everywhere:
            take(means, places, sums)
        else:
            sums[:], totals[:] = 0.0, 0.0
            for i in range(24):
                weights, of_layer = wr[i, start : start + _BLOCK], by_place[i]
                for c in range(sums.size):
                    sums[c] += weights[c] * of_layer[np.uint64(np.uint32(places[c]))]
                    totals[c] += weights[c]
            for c in range(sums.size):
                sums[c] /= totals[c]
        for c in range(sums.size):
            ratio = by_place[0, np.uint64(np.uint32(places[c]))]
            unknown += (ratio != ratio) & (of_cells[c] == of_cells[c])
    return unknown
