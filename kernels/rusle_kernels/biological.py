"""CSLE's B, and any mean over half-months that the erosivity of each weighs: ``Σ ratio_i · wr_i / Σ wr_i``.

Layers come first, (half-months, cells), beginning with the first half of January; several years follow one another. ``wr`` is (24, 1) or
(24, cells). ``index`` is NDVI with the NDVI of bare soil and of full cover, or vegetation cover itself with 0 and 1. A half-month whose
weight is 0 adds nothing, whatever its cover is; another that is NaN makes the mean NaN.
"""

import math

import numpy as np

from rusle_kernels._jit import inline, kernel
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
def held_exponent(value, rise, begin, least, most):
    """``rise`` · index + ``begin``, held from ``least`` to ``most``; NaN stays NaN."""
    exponent = multiply_add(rise, value, begin)
    exponent = least if exponent < least else exponent
    return most if exponent > most else exponent


@inline
def add_fractions(n1, d1, n2, d2):
    """Numerator and denominator of n₁/d₁ + n₂/d₂: what is added this way is divided once."""
    return multiply_add(n1, d2, n2 * d1), d1 * d2


@inline
def four_shares(w1, w2, w3, w4, d1, d2, d3, d4):
    """Numerator and denominator of w₁/d₁ + w₂/d₂ + w₃/d₃ + w₄/d₄."""
    n12, d12 = add_fractions(w1, d1, w2, d2)
    n34, d34 = add_fractions(w3, d3, w4, d4)
    return add_fractions(n12, d12, n34, d34)


@inline
def four_growths(v1, v2, v3, v4, w1, w2, w3, w4, rise, begin, least, most, a):
    """``four_shares`` of 1/(``a`` + 2^exponent) to 1.2·10⁻¹⁰, of all four values whatever their weight; NaN stays NaN."""
    e1, e2 = held_exponent(v1, rise, begin, least, most), held_exponent(v2, rise, begin, least, most)
    e3, e4 = held_exponent(v3, rise, begin, least, most), held_exponent(v4, rise, begin, least, most)
    n, d = four_shares(w1, w2, w3, w4, a + short_exp2(e1), a + short_exp2(e2), a + short_exp2(e3), a + short_exp2(e4))
    return multiply_add(0.0, (e1 + e2) + (e3 + e4), n), d


@inline
def where_weighed(value, weight):
    return 0.0 if weight == 0.0 else value


@inline
def weighed_layers(layers, wr, chosen, weights):
    """List the layers whose weight, the same in all cells, is not 0, and the weights; returns how many. After them the first one again, with
    weight 0, so that they can be taken by eights.
    """
    count = 0
    for p in range(layers):
        if wr[p % 24, 0] != 0.0:
            chosen[count], weights[count] = p, wr[p % 24, 0]
            count += 1
    chosen[count:] = chosen[0]
    return count


@inline
def fill_grounds(understorey, rests, grounds):
    for c in range(understorey.size):
        rests[c] = 1.0 - understorey[c]
    for c in range(understorey.size):
        ground = 0.44468 * exp2_of_moderate(_LOG2_E * -3.20096 * understorey[c]) + 0.025
        grounds[c] = ground + 0.0 * understorey[c]  # NaN stays NaN


@inline
def add_growths(index, start, end, rise, begin, least, most, a, chosen, weights, count, sums):
    """Add the ratios of the layers that ``chosen`` lists, eight to a division."""
    for k in range(0, count, 8):
        w1, w2, w3, w4 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
        w5, w6, w7, w8 = weights[k + 4], weights[k + 5], weights[k + 6], weights[k + 7]
        v1, v2 = index[chosen[k], start:end], index[chosen[k + 1], start:end]
        v3, v4 = index[chosen[k + 2], start:end], index[chosen[k + 3], start:end]
        v5, v6 = index[chosen[k + 4], start:end], index[chosen[k + 5], start:end]
        v7, v8 = index[chosen[k + 6], start:end], index[chosen[k + 7], start:end]
        for c in range(sums.size):
            n1, d1 = four_growths(v1[c], v2[c], v3[c], v4[c], w1, w2, w3, w4, rise, begin, least, most, a)
            n2, d2 = four_growths(v5[c], v6[c], v7[c], v8[c], w5, w6, w7, w8, rise, begin, least, most, a)
            n, d = add_fractions(n1, d1, n2, d2)
            sums[c] += n / d


@inline
def add_growths_by_cell(index, start, end, rise, begin, least, most, a, wr, sums):
    """Add the ratios of all layers, each cell by its own weights, four to a division."""
    for p in range(0, index.shape[0], 4):
        i = p % 24
        v1, v2, v3, v4 = index[p, start:end], index[p + 1, start:end], index[p + 2, start:end], index[p + 3, start:end]
        u1, u2, u3, u4 = wr[i, start:end], wr[i + 1, start:end], wr[i + 2, start:end], wr[i + 3, start:end]
        for c in range(sums.size):
            w1, w2, w3, w4 = u1[c], u2[c], u3[c], u4[c]
            x1, x2, x3, x4 = v1[c], v2[c], v3[c], v4[c]
            x1, x2, x3, x4 = where_weighed(x1, w1), where_weighed(x2, w2), where_weighed(x3, w3), where_weighed(x4, w4)
            n, d = four_growths(x1, x2, x3, x4, w1, w2, w3, w4, rise, begin, least, most, a)
            sums[c] += n / d


@kernel
def b_by_growth(index, soil, vegetation, a, b, base, wr, by_cell, out):
    """``1 / (a + b · base^(100 cover))``: grass and shrub, to 1.3·10⁻¹⁰; ``out`` is (1, cells). b is made part of the exponent.

    ``by_cell`` says that each cell has its own weights, which one cell alone cannot tell.
    """
    layers, cells = index.shape
    least, span = math.log2(b), 100.0 * math.log2(base)
    rise, most = span / (vegetation - soil), least + span
    begin = least - rise * soil
    totals, chosen, weights = np.empty(_BLOCK), np.zeros(layers + 8, np.int64), np.zeros(layers + 8)
    count = weighed_layers(layers, wr, chosen, weights)
    for start in range(0, cells, _BLOCK):
        end = min(start + _BLOCK, cells)
        sums = out[0, start:end]
        sums[:] = 0.0
        if not by_cell:
            add_growths(index, start, end, rise, begin, least, most, a, chosen, weights, count, sums)
        else:
            add_growths_by_cell(index, start, end, rise, begin, least, most, a, wr, sums)
        divide_by_weights(sums, totals, start, layers // 24, wr)


@inline
def ratio_forest(value, scale, begin, rest, ground):
    """``rest`` is what the understorey leaves free, ``ground`` what of the ratio depends on the understorey alone."""
    return multiply_add(-0.04099, exp_of_share(held_exponent(value, scale, begin, 0.0, 1.0) * rest), ground)


@inline
def add_forests(index, start, end, scale, begin, chosen, weights, count, rests, grounds, sums):
    """Add the ratios of the layers that ``chosen`` lists, four at a time, all over one understorey."""
    for k in range(0, count, 4):
        w1, w2, w3, w4 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
        v1, v2 = index[chosen[k], start:end], index[chosen[k + 1], start:end]
        v3, v4 = index[chosen[k + 2], start:end], index[chosen[k + 3], start:end]
        for c in range(sums.size):
            rest, ground = rests[c], grounds[c]
            r1, r2 = ratio_forest(v1[c], scale, begin, rest, ground), ratio_forest(v2[c], scale, begin, rest, ground)
            r3, r4 = ratio_forest(v3[c], scale, begin, rest, ground), ratio_forest(v4[c], scale, begin, rest, ground)
            sums[c] += multiply_add(w1, r1, w2 * r2) + multiply_add(w3, r3, w4 * r4)


@kernel
def b_forest(index, soil, vegetation, understorey, wr, by_cell, out):
    """Trees with what grows under them: ``understorey`` is (1, cells), or has a layer for each half-month of a year or of all years.

    ``by_cell`` as for ``b_by_growth``.
    """
    layers, cells = index.shape
    totals, free, scratch = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    scale = 1.0 / (vegetation - soil)
    begin, together = -soil * scale, understorey.shape[0] == 1 and not by_cell
    chosen, of_chosen = np.zeros(layers + 8, np.int64), np.zeros(layers + 8)
    count = weighed_layers(layers, wr, chosen, of_chosen)
    for start in range(0, cells, _BLOCK):
        end = min(start + _BLOCK, cells)
        sums, rests, grounds = out[0, start:end], free[: end - start], scratch[: end - start]
        sums[:] = 0.0
        if together:
            fill_grounds(understorey[0, start:end], rests, grounds)
            add_forests(index, start, end, scale, begin, chosen, of_chosen, count, rests, grounds, sums)
        else:
            for p in range(layers):
                if p == 0 or understorey.shape[0] > 1:
                    fill_grounds(understorey[p % understorey.shape[0], start:end], rests, grounds)
                layer = index[p, start:end]
                if wr.shape[1] > 1:
                    weights = wr[p % 24, start:end]
                    for c in range(sums.size):
                        sums[c] += weighted(weights[c], ratio_forest(layer[c], scale, begin, rests[c], grounds[c]))
                else:
                    weight = wr[p % 24, 0]
                    for c in range(sums.size):
                        sums[c] += weighted(weight, ratio_forest(layer[c], scale, begin, rests[c], grounds[c]))
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
    first = spread(codes, ratios[:, 0])
    by_place = np.empty((24, first.size))
    by_place[0] = first
    for i in range(1, 24):
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
