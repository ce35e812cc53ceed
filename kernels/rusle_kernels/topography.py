"""Slope steepness S and slope-length exponent m, row by row, and LS in one pass over a tile.

A family of S or m is a number (LINES, RILLS …) and, where it has classes of slope, a table that begins every row with the slope from
which it holds. The same row functions serve angles and tangents: the slope and the table only have to be in the same measure.
"""

import math

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.elementary import arctangent, exp2, exp2_of_moderate, log2_of_normal, sine
from rusle_kernels.slope import gradient_row
from rusle_kernels.slope_length import length_row

LINES, LOGISTIC, POWER = 0, 1, 2
"""S: pieces of a second-degree polynomial of sin θ; the curve of Nearing 1997; the power of Moore and Burch 1986."""
RILLS, STEPS, CURVE_TO_HALF, STEPS_THEN_RILLS = 0, 1, 2, 3
"""m: McCool et al. 1989 by the ratio of rill to interrill erosion; a number for each class of slope; Böhner and Selige 2006; a number for
each class, and above the last limit McCool et al. 1989."""

CAPPED, CHANNEL, RAISED, HELD, NODATA_FLAG = 1, 2, 4, 8, 255

_TOGETHER = 512
"""Cells of a row that are worked on together: what is in hand of them stays in the processor's nearest caches."""


@kernel
def steepness_row(slope, sine, family, pieces, out):
    """S from the slope, in the measure of ``pieces``, and sin θ; NaN in, NaN out.

    ``pieces`` (3, 4): the slope from which a piece holds, and the factors of sin² θ, sin θ and 1.
    """
    if family == LINES:
        square_1, factor_1, constant_1 = pieces[0, 1], pieces[0, 2], pieces[0, 3]
        from_2, square_2, factor_2, constant_2 = pieces[1, 0], pieces[1, 1], pieces[1, 2], pieces[1, 3]
        from_3, square_3, factor_3, constant_3 = pieces[2, 0], pieces[2, 1], pieces[2, 2], pieces[2, 3]
        for j in range(out.size):
            s = sine[j]
            piece = (square_1 * s + factor_1) * s + constant_1
            piece = (square_2 * s + factor_2) * s + constant_2 if slope[j] >= from_2 else piece
            out[j] = (square_3 * s + factor_3) * s + constant_3 if slope[j] >= from_3 else piece
    elif family == LOGISTIC:  # −1.5 + 17 / (1 + exp(2.3 − 6.1 sin θ))
        for j in range(out.size):
            out[j] = 17.0 / (1.0 + exp2((2.3 - 6.1 * sine[j]) * 1.4426950408889634)) - 1.5
    else:  # (sin θ / 0.0896)^1.3
        for j in range(out.size):
            s = exp2_of_moderate(1.3 * log2_of_normal(sine[j] / 0.0896 if sine[j] > 1e-99 else 1e-99))
            out[j] = s if sine[j] > 0.0 else sine[j]


@kernel
def exponent_row(slope, sine, family, steps, rill_ratio, out):
    """m from the slope, in the measure of ``steps`` (an angle or its tangent), and sin θ; NaN in, NaN out.

    ``steps`` (4, 2): the slope from which a class holds, and its m; a fifth row, where rills begin, for STEPS_THEN_RILLS.
    """
    if family in (RILLS, STEPS_THEN_RILLS):  # β / (1 + β), β = rill_ratio · (sin θ / 0.0896) / (3 sin^0.8 θ + 0.56)
        for j in range(out.size):
            out[j] = 0.8 * log2_of_normal(sine[j])
        for j in range(out.size):
            rill = rill_ratio * sine[j]
            out[j] = rill / (rill + 0.0896 * (3.0 * exp2_of_moderate(out[j]) + 0.56))
    if family in (STEPS, STEPS_THEN_RILLS):
        from_rills = steps[4, 0] if family == STEPS_THEN_RILLS else np.inf
        m_1, from_2, m_2 = steps[0, 1], steps[1, 0], steps[1, 1]
        from_3, m_3, from_4, m_4 = steps[2, 0], steps[2, 1], steps[3, 0], steps[3, 1]
        for j in range(out.size):
            m = m_2 if slope[j] >= from_2 else m_1
            m = m_3 if slope[j] >= from_3 else m
            m = m_4 if slope[j] >= from_4 else m
            m = out[j] if slope[j] >= from_rills else m
            out[j] = m if slope[j] == slope[j] else slope[j]
    if family == CURVE_TO_HALF:  # 3 θ^0.6 up to 0.0505, ½ above; of tangents only
        for j in range(out.size):
            theta = arctangent(slope[j])
            m = 3.0 * exp2_of_moderate(0.6 * log2_of_normal(theta)) if theta > 0.0 else 0.0
            m = 0.5 if theta > 0.0505 else m
            out[j] = m if theta == theta else theta


@kernel
def steepness(theta, family, pieces, steepest, out):
    """S from the slope angle [rad], held at its value at the angle ``steepest``; ``pieces`` by angle."""
    rows = np.empty((2, theta.shape[1]))
    angle, sines = rows[0], rows[1]
    for i in range(theta.shape[0]):
        for j in range(theta.shape[1]):
            angle[j] = theta[i, j] if not theta[i, j] > steepest else steepest
            sines[j] = sine(angle[j])
        steepness_row(angle, sines, family, pieces, out[i])


@kernel
def exponent(theta, family, steps, rill_ratio, out):
    """m from the slope angle [rad]; ``steps`` by angle."""
    sines = np.empty(theta.shape[1])
    for i in range(theta.shape[0]):
        for j in range(theta.shape[1]):
            sines[j] = sine(theta[i, j])
        exponent_row(theta[i], sines, family, steps, rill_ratio, out[i])


@kernel
def mark_channels(area_in, area, least, flags):
    """Add CHANNEL to the flags of cells where the area draining into them [m²] and their own (one for each row) reach ``least``."""
    for i in range(flags.shape[0]):
        from_above, row = area_in[i], flags[i]
        for j in range(row.size):
            row[j] = row[j] | np.uint8(CHANNEL if from_above[j] + area[i] >= least else 0)


@kernel
def mark_raised(heights, filled, depth, flags):
    """Add RAISED to the flags of cells that filling raised by more than ``depth`` [m]."""
    for i in range(flags.shape[0]):
        here, surface, row = heights[i], filled[i], flags[i]
        for j in range(row.size):
            row[j] = row[j] | np.uint8(RAISED if surface[j] - here[j] > depth else 0)


@inline
def _slope_row(p, q, tangent, sine):
    """tan θ and sin θ of cells of gradient p + iq."""
    for j in range(tangent.size):
        square = p[j] * p[j] + q[j] * q[j]
        tangent[j] = math.sqrt(square)
        sine[j] = tangent[j] / math.sqrt(1.0 + square)


@inline
def _lengths_by_area_row(p, q, tangent, area_in, area, dx, dy, start, end):
    """Slope lengths at the upper and lower end of a cell [m]: the area above either over the width of the contour.

    The width is dx|cos α| + dy|sin α|, α the azimuth of the flow; √(dx dy) on level ground.
    """
    level = 1.0 / math.sqrt(dx * dy)
    for j in range(start.size):
        over_width = tangent[j] / (dx * abs(q[j]) + dy * abs(p[j]))
        over_width = over_width if tangent[j] > 0.0 else level
        start[j] = area_in[j] * over_width
        end[j] = (area_in[j] + area) * over_width


@inline
def _steepness_held_row(tangent, sine, family, pieces, steepest, held, s):
    """S of a row, held at its value at tan θ = ``steepest``; ``held`` (2, w) is working space."""
    if steepest < np.inf:
        greatest = steepest / math.sqrt(1.0 + steepest * steepest)
        slope, sine_of_slope = held[0, : s.size], held[1, : s.size]
        for j in range(s.size):
            beyond = tangent[j] > steepest
            slope[j] = steepest if beyond else tangent[j]
            sine_of_slope[j] = greatest if beyond else sine[j]
        steepness_row(slope, sine_of_slope, family, pieces, s)
    else:
        steepness_row(tangent, sine, family, pieces, s)


@inline
def _ls_row(length, s, end, tangent, longest, steepest, ls, flags):
    """LS = L·S, and what shaped it: on hillslopes CAPPED, HELD or both; where ``flags`` say that the hillslope has ended L is 0."""
    for j in range(ls.size):
        ended = flags[j] > 0
        length[j] = 0.0 * length[j] if ended else length[j]
        ls[j] = length[j] * s[j]
        capped = np.int32(CAPPED) if end[j] > longest else np.int32(0)
        held = np.int32(HELD) if tangent[j] > steepest else np.int32(0)
        flag = np.int32(flags[j]) if ended else np.int32(capped | held)
        flags[j] = np.uint8(flag if ls[j] == ls[j] else np.int32(NODATA_FLAG))


@kernel
def length_and_steepness(
    heights,
    first,
    second,
    by_area,
    dx,
    dy,
    area,
    form,
    family_s,
    pieces,
    steepest,
    family_m,
    steps,
    rill_ratio,
    longest,
    ls,
    flags,
    length,
    s,
    m,
    theta,
):
    """LS of one tile and what shaped it, from heights (padded) and either the area draining into each cell or its slope lengths.

    ``by_area``: ``first`` is the area draining into each cell [m²], ``second`` is not looked at; else they are the slope lengths at its
    upper and lower end [m]. ``dx``, ``dy`` [m] and ``area`` [m²] hold one value for each row; ``form`` is that of L (``slope_length``).
    ``steepest`` (tan θ) and ``longest`` [m] are infinite where not asked for. ``flags`` comes with what ends hillslopes (CHANNEL, RAISED): L
    and LS are 0 there. L, S, m and θ are kept where their rasters are not empty.
    """
    rows = np.empty((12, _TOGETHER))
    for i in range(ls.shape[0]):
        for left in range(0, ls.shape[1], _TOGETHER):
            right = min(left + _TOGETHER, ls.shape[1])
            cells = right - left
            p, q, tangent, sines = rows[0, :cells], rows[1, :cells], rows[2, :cells], rows[3, :cells]
            start, end, steep, exponents, lengths = rows[4, :cells], rows[5, :cells], rows[6, :cells], rows[7, :cells], rows[8, :cells]
            above, here, below = heights[i, left : right + 2], heights[i + 1, left : right + 2], heights[i + 2, left : right + 2]
            gradient_row(above, here, below, dx[i], dy[i], p, q)
            _slope_row(p, q, tangent, sines)
            if by_area:
                _lengths_by_area_row(p, q, tangent, first[i, left:right], area[i], dx[i], dy[i], start, end)
            else:
                start[:] = first[i, left:right]
                end[:] = second[i, left:right]
            exponent_row(tangent, sines, family_m, steps, rill_ratio, exponents)
            _steepness_held_row(tangent, sines, family_s, pieces, steepest, rows[9:11], steep)
            length_row(start, end, exponents, form, longest, rows[9:11], lengths)
            _ls_row(lengths, steep, end, tangent, longest, steepest, ls[i, left:right], flags[i, left:right])
            if length.size > 0:
                length[i, left:right] = lengths
                s[i, left:right] = steep
                m[i, left:right] = exponents
                for j in range(cells):
                    theta[i, left + j] = arctangent(tangent[j])
