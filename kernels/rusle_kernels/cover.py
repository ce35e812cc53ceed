"""Vegetation cover and the cover factor C from NDVI: one formula, one kernel. NaN in gives NaN out."""

import math

from rusle_kernels._jit import inline, kernel


@inline
def dimidiate_pixel(ndvi, ndvi_soil, ndvi_vegetation):
    cover = (ndvi - ndvi_soil) / (ndvi_vegetation - ndvi_soil)
    if cover < 0.0:
        cover = 0.0
    elif cover > 1.0:
        cover = 1.0
    return cover


@kernel
def cover_dimidiate(ndvi, ndvi_soil, ndvi_vegetation, out):
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = dimidiate_pixel(ndvi[i, j], ndvi_soil, ndvi_vegetation)


@kernel
def c_cai2000(ndvi, ndvi_soil, ndvi_vegetation, out):
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            percent = 100.0 * dimidiate_pixel(ndvi[i, j], ndvi_soil, ndvi_vegetation)  # the equation wants percent
            if percent <= 0.1:
                out[i, j] = 1.0
            elif percent >= 78.3:
                out[i, j] = 0.0
            else:
                out[i, j] = 0.6508 - 0.3436 * math.log10(percent)


@kernel
def c_vanderknijff1999(ndvi, out):
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            if ndvi[i, j] <= 0.0:
                out[i, j] = 1.0  # the curve passes 1 there
            elif ndvi[i, j] >= 1.0:
                out[i, j] = 0.0
            else:
                out[i, j] = math.exp(-2.0 * ndvi[i, j] / (1.0 - ndvi[i, j]))
