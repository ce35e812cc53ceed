"""Slope length factor L of a cell, from the slope lengths at its upper and lower end.

SEGMENT is Foster and Wischmeier 1974 for a segment from λ_in to λ_out; Desmet and Govers 1996 (equation 9) is the same with λ = A / w, the
area draining into the cell, without and with its own, over the contour width w. WHOLE is Wischmeier and Smith 1978, a whole slope that
ends at λ_out, and POINT what it amounts to at its lower end, the limit of a short segment.
"""

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.elementary import cosine, exp2_of_moderate, log2_of_normal, sine

UNIT_PLOT_M = 22.13
SEGMENT, WHOLE, POINT = 0, 1, 2
"""The forms of L."""


@inline
def _in_plots(length, longest):
    """u = min(λ, longest) / 22.13; NaN stays NaN."""
    return (longest if length > longest else length) * (1 / 22.13)


@inline
def _bounded(exponent):
    """2^x of smaller x is as good as nothing here, and beyond what ``exp2_of_moderate`` knows."""
    return exponent if exponent > -1000.0 else -1000.0


@kernel
def segment_row(start, end, m, longest, work, out):
    """L = (u_out^(m+1) − u_in^(m+1)) / (u_out − u_in), u = min(λ, longest) / 22.13; where both meet, (m + 1)·u^m.

    Where the segment is short against its distance from the crest the powers cancel, and the integral of (m + 1)·u^m about the
    segment's middle takes their place: three terms in ε = (u_out − u_in)/u_mid, which leave less than 10⁻¹³ at ε ≤ 0.1. L is 1 where m is
    0. ``work`` (2, w) is working space: a loop for each power, because short loops keep more of the processor busy than one long one.
    """
    first, second = work[0, : out.size], work[1, : out.size]
    for j in range(out.size):
        u_in, u_out = _in_plots(start[j], longest), _in_plots(end[j], longest)
        middle = 0.5 * (u_in + u_out)
        near = u_out - u_in <= 0.1 * middle
        base, exponent = middle if near else u_out, m[j] if near else m[j] + 1.0
        first[j] = _bounded(exponent * log2_of_normal(base))
    for j in range(out.size):
        second[j] = _bounded((m[j] + 1.0) * log2_of_normal(_in_plots(start[j], longest)))
    for j in range(out.size):
        first[j] = exp2_of_moderate(first[j])
    for j in range(out.size):
        second[j] = exp2_of_moderate(second[j])
    for j in range(out.size):
        u_in, u_out, exponent = _in_plots(start[j], longest), _in_plots(end[j], longest), m[j]
        middle, step = 0.5 * (u_in + u_out), u_out - u_in
        near = step <= 0.1 * middle
        above, below = step if near else first[j] - second[j], middle if near else step
        quotient = above / below  # ε, or L itself
        h = quotient * quotient * 0.25
        c2 = exponent * (exponent - 1.0) * (1 / 2)
        c4 = c2 * (exponent - 2.0) * (exponent - 3.0) * (1 / 12)
        c6 = c4 * (exponent - 4.0) * (exponent - 5.0) * (1 / 30)
        series = 1.0 + h * (c2 * (1 / 3) + h * (c4 * (1 / 5) + h * (c6 * (1 / 7))))
        about_the_middle = (exponent + 1.0) * first[j] * series
        length = about_the_middle if near else quotient
        out[j] = length if exponent > 0.0 else 1.0 + exponent  # NaN stays NaN


@kernel
def length_row(start, end, m, form, longest, work, out):
    """L of a row of cells from slope lengths [m], clipped at ``longest``, and exponents; ``work`` (2, w) is working space."""
    if form == SEGMENT:
        segment_row(start, end, m, longest, work, out)
    else:  # u^m, and (m + 1)·u^m at the point
        at_point = 1.0 if form == POINT else 0.0
        for j in range(out.size):
            u = _in_plots(end[j], longest)
            length = (at_point * m[j] + 1.0) * exp2_of_moderate(_bounded(m[j] * log2_of_normal(u)))
            out[j] = length if m[j] * u == m[j] * u else np.nan  # log2 and exp2 do not hand NaN on


@kernel
def l_foster_wischmeier1974(start, end, m, longest, out):
    """L of segments from ``start`` to ``end`` [m] along the slope; (m + 1)(λ/22.13)^m where they have no length."""
    work = np.empty((2, out.shape[1]))
    for i in range(out.shape[0]):
        segment_row(start[i], end[i], m[i], longest, work, out[i])
        for j in range(out.shape[1]):
            valid = start[i, j] >= 0.0 and end[i, j] >= start[i, j] and end[i, j] > 0.0
            out[i, j] = out[i, j] if valid else np.nan


@kernel
def l_desmet_govers1996(area_in, m, alpha, dx, dy, cell_area, longest, out):
    """L from the area draining into the cell [m²], the exponent and the azimuth of the flow [rad]; w = dx|cos α| + dy|sin α|."""
    rows = np.empty((4, out.shape[1]))
    start, end = rows[2], rows[3]
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            over_width = 1.0 / (dx[i, j] * abs(cosine(alpha[i, j])) + dy[i, j] * abs(sine(alpha[i, j])))
            start[j] = area_in[i, j] * over_width
            end[j] = (area_in[i, j] + cell_area[i, j]) * over_width
        segment_row(start, end, m[i], longest, rows[:2], out[i])
