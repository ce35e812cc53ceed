"""CSLE's B, and any mean over half-months that the erosivity of each weighs: ``Σ ratio_i · wr_i / Σ wr_i``.

Layers come first, (half-months, cells), beginning with the first half of January; several years follow one another. ``wr`` is (24, 1) or
(24, cells). ``index`` is NDVI with the NDVI of bare soil and of full cover, or vegetation cover itself with 0 and 1. A half-month whose
weight is 0 adds nothing, whatever its cover is; another that is NaN makes the mean NaN.
"""

import math

from rusle_kernels._jit import inline, kernel
from rusle_kernels.cover import dimidiate_pixel
from rusle_kernels.elementary import exp
from rusle_kernels.tables import position

_BLOCK = 1024  # cells whose sums stay in the nearest memory


@inline
def over_weights(start, width, layers, wr, out):
    """Divide the sums of a block by what they were weighted with."""
    for c in range(start, start + width):
        total = 0.0
        for p in range(layers):
            total += wr[p % 24, 0 if wr.shape[1] == 1 else c]
        out[0, c] /= total


@inline
def ratio_by_growth(cover, a, b, rate):
    return 1.0 / (a + b * exp(rate * cover))


@inline
def ratio_forest(cover, understorey):
    return 0.44468 * exp(-3.20096 * understorey) - 0.04099 * exp(cover - cover * understorey) + 0.025


@kernel
def b_by_growth(index, soil, vegetation, a, b, base, wr, out):
    """``1 / (a + b · base^(100 cover))``: grass and shrub; ``out`` is (1, cells)."""
    layers, cells = index.shape
    rate = 100.0 * math.log(base)
    for start in range(0, cells, _BLOCK):
        width = min(_BLOCK, cells - start)
        for c in range(start, start + width):
            out[0, c] = 0.0
        for p in range(layers):
            i = p % 24
            if wr.shape[1] == 1:
                weight = wr[i, 0]
                if weight != 0.0:
                    for c in range(start, start + width):
                        out[0, c] += weight * ratio_by_growth(dimidiate_pixel(index[p, c], soil, vegetation), a, b, rate)
            else:
                for c in range(start, start + width):
                    if wr[i, c] != 0.0:
                        out[0, c] += wr[i, c] * ratio_by_growth(dimidiate_pixel(index[p, c], soil, vegetation), a, b, rate)
        over_weights(start, width, layers, wr, out)


@kernel
def b_forest(index, soil, vegetation, understorey, wr, out):
    """Trees with what grows under them: ``understorey`` is (1, cells), or has a layer for each half-month of a year or of all years."""
    layers, cells = index.shape
    for start in range(0, cells, _BLOCK):
        width = min(_BLOCK, cells - start)
        for c in range(start, start + width):
            out[0, c] = 0.0
        for p in range(layers):
            i, below = p % 24, p % understorey.shape[0]
            if wr.shape[1] == 1:
                weight = wr[i, 0]
                if weight != 0.0:
                    for c in range(start, start + width):
                        out[0, c] += weight * ratio_forest(dimidiate_pixel(index[p, c], soil, vegetation), understorey[below, c])
            else:
                for c in range(start, start + width):
                    if wr[i, c] != 0.0:
                        out[0, c] += wr[i, c] * ratio_forest(dimidiate_pixel(index[p, c], soil, vegetation), understorey[below, c])
        over_weights(start, width, layers, wr, out)


@kernel
def weighted_mean(ratios, wr, out):
    """Of ratios that are there already, (half-months, cells)."""
    layers, cells = ratios.shape
    for start in range(0, cells, _BLOCK):
        width = min(_BLOCK, cells - start)
        for c in range(start, start + width):
            out[0, c] = 0.0
        for p in range(layers):
            for c in range(start, start + width):
                weight = wr[p % 24, 0 if wr.shape[1] == 1 else c]
                if weight != 0.0:
                    out[0, c] += weight * ratios[p, c]
        over_weights(start, width, layers, wr, out)


@kernel
def weighted_table(classes, codes, ratios, wr, out):
    """Of ratios by class, (codes, 24), the codes sorted. Returns how many cells hold a class without a row (NaN in ``out``)."""
    unknown = 0
    for c in range(classes.shape[1]):
        out[0, c] = float("nan")
        if classes[0, c] == classes[0, c]:
            row = position(codes, classes[0, c])
            if row < 0:
                unknown += 1
            else:
                mean, total = 0.0, 0.0
                for i in range(24):
                    weight = wr[i, 0 if wr.shape[1] == 1 else c]
                    mean += weight * ratios[row, i]
                    total += weight
                out[0, c] = mean / total
    return unknown
