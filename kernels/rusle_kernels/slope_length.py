"""Slope length factor L of a cell, from the slope lengths at its upper and lower end.

SEGMENT is Foster and Wischmeier 1974 for a segment from λ_in to λ_out; Desmet and Govers 1996 (equation 9) is the same with λ = A / w, the
area draining into the cell, without and with its own, over the contour width w. WHOLE is Wischmeier and Smith 1978, a whole slope that
ends at λ_out, and POINT what it amounts to at its lower end, the limit of a short segment.
"""

import math

import numpy as np

from rusle_kernels._jit import inline, kernel

UNIT_PLOT_M = 22.13
SEGMENT, WHOLE, POINT = 0, 1, 2
"""The forms of L."""


@inline
def log2(x):
    """log₂ x of a normal positive number, to 2·10⁻¹⁶ of its size or of 1; finite for 0. The compiler vectorises it, unlike libm's.

    x = 2^e·f with √½ ≤ f < √2, and ln f = 2 artanh z, z = (f − 1)/(f + 1), by its series up to z¹⁹.
    """
    bits = np.float64(x).view(np.int64)
    e = (bits - np.int64(0x3FE6A09E667F3BCD)) >> np.int64(52)
    f = np.int64(bits - (e << np.int64(52))).view(np.float64)
    z = (f - 1.0) / (f + 1.0)
    w = z * z
    series = 1 / 19
    series = series * w + 1 / 17
    series = series * w + 1 / 15
    series = series * w + 1 / 13
    series = series * w + 1 / 11
    series = series * w + 1 / 9
    series = series * w + 1 / 7
    series = series * w + 1 / 5
    series = series * w + 1 / 3
    return np.float64(e) + z * (series * w + 1.0) * 2.8853900817779268


@inline
def exp2(x):
    """2^x for |x| ≤ 1000 (beyond, the value there): the nearest whole power times a Taylor series of 2^r, |r| ≤ ½."""
    x = x if x > -1000.0 else -1000.0
    x = x if x < 1000.0 else 1000.0
    shifted = x + 6755399441055744.0  # 1.5·2⁵²: rounds x to a whole number, which stands in the lowest bits
    whole = np.float64(shifted).view(np.int64) << np.int64(52)
    r = (x - (shifted - 6755399441055744.0)) * 0.6931471805599453
    series = 1 / 479001600
    series = series * r + 1 / 39916800
    series = series * r + 1 / 3628800
    series = series * r + 1 / 362880
    series = series * r + 1 / 40320
    series = series * r + 1 / 5040
    series = series * r + 1 / 720
    series = series * r + 1 / 120
    series = series * r + 1 / 24
    series = series * r + 1 / 6
    series = series * r + 0.5
    series = series * r + 1.0
    series = series * r + 1.0
    return np.int64(np.float64(series).view(np.int64) + whole).view(np.float64)


@inline
def segment_length(start, end, m, longest):
    """L = (u_out^(m+1) − u_in^(m+1)) / (u_out − u_in), u = min(λ, longest) / 22.13; where both meet, (m + 1)·u^m.

    Where the segment is short against its distance from the crest the powers cancel, and the integral of (m + 1)·u^m about the
    segment's middle takes their place: three terms in ε = (u_out − u_in)/u_mid, which leave less than 10⁻¹³ at ε ≤ 0.1.
    """
    u_in = (start if start < longest else longest) / 22.13
    u_out = (end if end < longest else longest) / 22.13
    middle = 0.5 * (u_in + u_out)
    step = u_out - u_in
    near = step <= 0.1 * middle
    first = exp2((m if near else m + 1.0) * log2(middle if near else u_out))
    second = exp2((m + 1.0) * log2(u_in))
    second = second if u_in > 0.0 else 0.0
    h = step * step / (middle * middle) * 0.25
    c2 = m * (m - 1.0) / 2.0
    c4 = c2 * (m - 2.0) * (m - 3.0) / 12.0
    c6 = c4 * (m - 4.0) * (m - 5.0) / 30.0
    series = 1.0 + h * (c2 / 3.0 + h * (c4 / 5.0 + h * c6 / 7.0))
    length = (m + 1.0) * first * series if near else (first - second) / step
    return length if m == m else m  # log2 and exp2 do not hand NaN on


@kernel
def length_row(start, end, m, form, longest, out):
    """L of a row of cells from slope lengths [m], clipped at ``longest``, and exponents."""
    if form == SEGMENT:
        for j in range(out.size):
            out[j] = segment_length(start[j], end[j], m[j], longest)
    else:  # u^m, and (m + 1)·u^m at the point, u = min(λ, longest) / 22.13
        at_point = 1.0 if form == POINT else 0.0
        for j in range(out.size):
            u = (end[j] if end[j] < longest else longest) / 22.13
            length = (at_point * m[j] + 1.0) * exp2(m[j] * log2(u))
            out[j] = length if m[j] * end[j] == m[j] * end[j] else np.nan  # log2 and exp2 do not hand NaN on


@kernel
def l_foster_wischmeier1974(start, end, m, longest, out):
    """L of segments from ``start`` to ``end`` [m] along the slope; (m + 1)(λ/22.13)^m where they have no length."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            valid = start[i, j] >= 0.0 and end[i, j] >= start[i, j]
            length = segment_length(start[i, j], end[i, j], m[i, j], longest)
            out[i, j] = length if valid and end[i, j] > 0.0 else np.nan


@kernel
def l_desmet_govers1996(area_in, m, alpha, dx, dy, cell_area, longest, out):
    """L from the area draining into the cell [m²], the exponent and the azimuth of the flow [rad]; w = dx|cos α| + dy|sin α|."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            width = dx[i, j] * abs(math.cos(alpha[i, j])) + dy[i, j] * abs(math.sin(alpha[i, j]))
            out[i, j] = segment_length(area_in[i, j] / width, (area_in[i, j] + cell_area[i, j]) / width, m[i, j], longest)
