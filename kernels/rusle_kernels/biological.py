"""CSLE's B, and any mean over half-months that the erosivity of each weighs: ``Σ ratio_i · wr_i / Σ wr_i``.

Layers come first, (half-months, cells), beginning with the first half of January; several years follow one another. ``wr`` is (24, 1) or
(24, cells). ``index`` is NDVI with the NDVI of bare soil and of full cover, or vegetation cover itself with 0 and 1. A half-month whose
weight is 0 adds nothing, whatever its cover is; another that is NaN makes the mean NaN.
"""

import math

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.cover import dimidiate_pixel
from rusle_kernels.elementary import exp2_of_moderate, exp_of_share, multiply_add, short_exp2
from rusle_kernels.tables import fill_places, spread, take

_LOG2_E = 1.4426950408889634
_BLOCK = 2048  # cells whose sums stay in near memory, and whose layers are long enough to be read ahead


@inline
def divide_by_weights(sums, totals, start, years, wr):
    """Divide the sums of a block by what they were weighted with; ``totals`` is scratch."""
    if wr.shape[1] == 1:
        total = 0.0
        for i in range(24):
            total += wr[i, 0]
        for c in range(sums.size):
            sums[c] /= total * years
    else:
        totals[: sums.size] = 0.0
        for i in range(24):
            weights = wr[i, start : start + sums.size]
            for c in range(sums.size):
                totals[c] += weights[c]
        for c in range(sums.size):
            sums[c] /= totals[c] * years


@inline
def weighted(weight, ratio):
    return 0.0 if weight == 0.0 else weight * ratio


@inline
def below_growth(value, weight, rise, begin, most, a, b):
    """What 1 is divided by, to 1.2·10⁻¹⁰, of the exponent ``rise`` · index + ``begin`` held from 0 to ``most``; 1 where the weight is 0."""
    exponent = multiply_add(rise, value, begin)
    exponent = 0.0 if exponent < 0.0 else exponent
    exponent = most if exponent > most else exponent
    below = multiply_add(b, short_exp2(exponent), a) + 0.0 * exponent  # NaN stays NaN
    return 1.0 if weight == 0.0 else below


@inline
def four_shares(w1, w2, w3, w4, d1, d2, d3, d4):
    """w₁/d₁ + w₂/d₂ + w₃/d₃ + w₄/d₄ with one division."""
    d12, d34 = d1 * d2, d3 * d4
    return multiply_add(multiply_add(w1, d2, w2 * d1), d34, multiply_add(w3, d4, w4 * d3) * d12) / (d12 * d34)


@inline
def ratio_forest(cover, understorey, ground):
    canopy = exp_of_share(cover - cover * understorey)
    return 0.44468 * ground - 0.04099 * canopy + 0.025


@inline
def fill_grounds(understorey, grounds):
    for c in range(understorey.size):
        grounds[c] = exp2_of_moderate(_LOG2_E * -3.20096 * understorey[c]) + 0.0 * understorey[c]  # NaN stays NaN


@kernel
def b_by_growth(index, soil, vegetation, a, b, base, wr, out):
    """``1 / (a + b · base^(100 cover))``: grass and shrub, to 1.3·10⁻¹⁰; ``out`` is (1, cells). Four half-months at once."""
    layers, cells = index.shape
    totals, most = np.empty(_BLOCK), 100.0 * math.log2(base)
    rise = most / (vegetation - soil)
    begin = -rise * soil
    for start in range(0, cells, _BLOCK):
        end = min(start + _BLOCK, cells)
        sums = out[0, start:end]
        sums[:] = 0.0
        for p in range(0, layers, 4):
            i = p % 24
            v1, v2, v3, v4 = index[p, start:end], index[p + 1, start:end], index[p + 2, start:end], index[p + 3, start:end]
            if wr.shape[1] > 1:
                w1, w2, w3, w4 = wr[i, start:end], wr[i + 1, start:end], wr[i + 2, start:end], wr[i + 3, start:end]
                for c in range(sums.size):
                    d1 = below_growth(v1[c], w1[c], rise, begin, most, a, b)
                    d2 = below_growth(v2[c], w2[c], rise, begin, most, a, b)
                    d3 = below_growth(v3[c], w3[c], rise, begin, most, a, b)
                    d4 = below_growth(v4[c], w4[c], rise, begin, most, a, b)
                    sums[c] += four_shares(w1[c], w2[c], w3[c], w4[c], d1, d2, d3, d4)
            else:
                s1, s2, s3, s4 = wr[i, 0], wr[i + 1, 0], wr[i + 2, 0], wr[i + 3, 0]
                for c in range(sums.size):
                    d1 = below_growth(v1[c], s1, rise, begin, most, a, b)
                    d2 = below_growth(v2[c], s2, rise, begin, most, a, b)
                    d3 = below_growth(v3[c], s3, rise, begin, most, a, b)
                    d4 = below_growth(v4[c], s4, rise, begin, most, a, b)
                    sums[c] += four_shares(s1, s2, s3, s4, d1, d2, d3, d4)
        divide_by_weights(sums, totals, start, layers // 24, wr)


@kernel
def b_forest(index, soil, vegetation, understorey, wr, out):
    """Trees with what grows under them: ``understorey`` is (1, cells), or has a layer for each half-month of a year or of all years."""
    layers, cells = index.shape
    totals, scratch, scale = np.empty(_BLOCK), np.empty(_BLOCK), 1.0 / (vegetation - soil)
    for start in range(0, cells, _BLOCK):
        end = min(start + _BLOCK, cells)
        sums, grounds = out[0, start:end], scratch[: end - start]
        sums[:] = 0.0
        for p in range(layers):
            layer, below, weight = index[p, start:end], understorey[p % understorey.shape[0], start:end], wr[p % 24, 0]
            if p == 0 or understorey.shape[0] > 1:
                fill_grounds(below, grounds)
            if wr.shape[1] > 1:
                weights = wr[p % 24, start:end]
                for c in range(sums.size):
                    ratio = ratio_forest(dimidiate_pixel(layer[c], soil, scale), below[c], grounds[c])
                    sums[c] += weighted(weights[c], ratio)
            elif weight != 0.0:
                for c in range(sums.size):
                    sums[c] += weight * ratio_forest(dimidiate_pixel(layer[c], soil, scale), below[c], grounds[c])
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
                    sums[c] += weighted(weights[c], layer[c])
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
