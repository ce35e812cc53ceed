"""Slope steepness S and slope-length exponent m, row by row, and LS in one pass over a tile.

A family of S or m is a number (LINES, RILLS …) and, where it has classes of slope, a table that begins every row with the slope from
which it holds. The same row functions serve angles and tangents: the slope and the table only have to be in the same measure.
"""

import math

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.slope_length import exp2, length_row, log2

LINES, LOGISTIC, POWER = 0, 1, 2
"""S: pieces of a second-degree polynomial of sin θ; the curve of Nearing 1997; the power of Moore and Burch 1986."""
RILLS, STEPS, CURVE_TO_HALF = 0, 1, 2
"""m: McCool et al. 1989 by the ratio of rill to interrill erosion; a number for each class of slope; Böhner and Selige 2006."""

CAPPED, CHANNEL, RAISED, NODATA_FLAG = 1, 2, 4, 255


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
            s = 17.0 / (1.0 + exp2((2.3 - 6.1 * sine[j]) * 1.4426950408889634)) - 1.5
            out[j] = s if sine[j] == sine[j] else sine[j]
    else:  # (sin θ / 0.0896)^1.3
        for j in range(out.size):
            s = exp2(1.3 * log2(sine[j] / 0.0896))
            out[j] = s if sine[j] > 0.0 else sine[j]


@kernel
def exponent_row(slope, sine, family, steps, rill_ratio, out):
    """m from the slope, in the measure of ``steps`` (an angle or its tangent), and sin θ; NaN in, NaN out.

    ``steps`` (4, 2): the slope from which a class holds, and its m.
    """
    if family == RILLS:  # β / (1 + β), β = rill_ratio · (sin θ / 0.0896) / (3 sin^0.8 θ + 0.56)
        for j in range(out.size):
            beta = rill_ratio * sine[j] / (0.0896 * (3.0 * exp2(0.8 * log2(sine[j])) + 0.56))
            out[j] = beta / (1.0 + beta)
    elif family == STEPS:
        m_1, from_2, m_2 = steps[0, 1], steps[1, 0], steps[1, 1]
        from_3, m_3, from_4, m_4 = steps[2, 0], steps[2, 1], steps[3, 0], steps[3, 1]
        for j in range(out.size):
            m = m_2 if slope[j] >= from_2 else m_1
            m = m_3 if slope[j] >= from_3 else m
            m = m_4 if slope[j] >= from_4 else m
            out[j] = m if slope[j] == slope[j] else slope[j]
    else:  # 3 θ^0.6 up to 0.0505, ½ above; of tangents only
        for j in range(out.size):
            theta = math.atan(slope[j])
            m = 3.0 * exp2(0.6 * log2(theta)) if theta > 0.0 else 0.0
            m = 0.5 if theta > 0.0505 else m
            out[j] = m if theta == theta else theta


@kernel
def steepness(theta, family, pieces, steepest, out):
    """S from the slope angle [rad], held at its value at the angle ``steepest``; ``pieces`` by angle."""
    angle, sine = np.empty(theta.shape[1]), np.empty(theta.shape[1])
    for i in range(theta.shape[0]):
        for j in range(theta.shape[1]):
            angle[j] = theta[i, j] if not theta[i, j] > steepest else steepest
            sine[j] = math.sin(angle[j])
        steepness_row(angle, sine, family, pieces, out[i])


@kernel
def exponent(theta, family, steps, rill_ratio, out):
    """m from the slope angle [rad]; ``steps`` by angle."""
    sine = np.empty(theta.shape[1])
    for i in range(theta.shape[0]):
        for j in range(theta.shape[1]):
            sine[j] = math.sin(theta[i, j])
        exponent_row(theta[i], sine, family, steps, rill_ratio, out[i])


@inline
def _slope_row(gradient, tangent, sine):
    """tan θ and sin θ of cells of gradient p + iq."""
    for j in range(tangent.size):
        p, q = gradient[j].real, gradient[j].imag
        square = p * p + q * q
        tangent[j] = math.sqrt(square)
        sine[j] = tangent[j] / math.sqrt(1.0 + square)


@inline
def _lengths_by_area_row(gradient, tangent, area_in, area, dx, dy, start, end):
    """Slope lengths at the upper and lower end of a cell [m]: the area above either over the width of the contour.

    The width is dx|cos α| + dy|sin α|, α the azimuth of the flow; √(dx dy) on level ground.
    """
    level = math.sqrt(dx * dy)
    for j in range(start.size):
        width = (dx * abs(gradient[j].imag) + dy * abs(gradient[j].real)) / tangent[j]
        width = width if tangent[j] > 0.0 else level
        start[j] = area_in[j] / width
        end[j] = (area_in[j] + area) / width


@inline
def _steep_rows(tangent, sine, family_s, pieces, steepest, family_m, steps, rill_ratio, s, m, held):
    """S and m of a row; S held at its value at tan θ = ``steepest``. ``held`` (2, w) is working space."""
    exponent_row(tangent, sine, family_m, steps, rill_ratio, m)
    if steepest < np.inf:
        greatest = steepest / math.sqrt(1.0 + steepest * steepest)
        for j in range(tangent.size):
            beyond = tangent[j] > steepest
            held[0, j] = steepest if beyond else tangent[j]
            held[1, j] = greatest if beyond else sine[j]
        steepness_row(held[0], held[1], family_s, pieces, s)
    else:
        steepness_row(tangent, sine, family_s, pieces, s)


@inline
def _ls_row(s, length, end, area_in, area, raised, longest, channel_area, water_depth, ls, flags):
    """LS = L·S, and what shaped it: CHANNEL, RAISED or both where the hillslope has ended and L is 0; else CAPPED or 0."""
    for j in range(ls.size):
        ends = np.int32(CHANNEL) if area_in[j] + area >= channel_area else np.int32(0)
        ends = np.int32(ends + np.int32(RAISED)) if raised[j] > water_depth else ends
        capped = np.int32(CAPPED) if end[j] > longest else np.int32(0)
        length[j] = length[j] if ends == 0 else 0.0 * length[j]
        ls[j] = length[j] * s[j]
        flag = ends if ends > 0 else capped
        flags[j] = np.uint8(flag if ls[j] == ls[j] else np.int32(NODATA_FLAG))


@kernel
def ls_by_area(
    gradient,
    area_in,
    raised,
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
    channel_area,
    water_depth,
    ls,
    flags,
    parts,
):
    """LS and flags of one tile from the gradient (p + iq), the area draining into each cell [m²] and how far filling raised it [m].

    ``dx``, ``dy`` [m] and ``area`` [m²] hold one value for each row; ``form`` is that of L (``slope_length``). ``steepest`` (tan θ),
    ``longest`` [m], ``channel_area`` [m²] and ``water_depth`` [m] are infinite where not asked for. A channel or a raised cell is no
    hillslope: its L and LS are 0. ``parts`` receives L, S and m: (3, h, w) to keep them, or (3, 1, w) where they only pass through.
    """
    rows = np.empty((6, ls.shape[1]))
    tangent, sine, start, end, held = rows[0], rows[1], rows[2], rows[3], rows[4:6]
    for i in range(ls.shape[0]):
        kept = i if parts.shape[1] > 1 else 0
        length, s, m = parts[0, kept], parts[1, kept], parts[2, kept]
        _slope_row(gradient[i], tangent, sine)
        _lengths_by_area_row(gradient[i], tangent, area_in[i], area[i], dx[i], dy[i], start, end)
        _steep_rows(tangent, sine, family_s, pieces, steepest, family_m, steps, rill_ratio, s, m, held)
        length_row(start, end, m, form, longest, length)
        _ls_row(s, length, end, area_in[i], area[i], raised[i], longest, channel_area, water_depth, ls[i], flags[i])


@kernel
def ls_by_path(
    gradient,
    start,
    end,
    area_in,
    raised,
    area,
    form,
    family_s,
    pieces,
    steepest,
    family_m,
    steps,
    rill_ratio,
    longest,
    channel_area,
    water_depth,
    ls,
    flags,
    parts,
):
    """``ls_by_area`` on slope lengths that are given, at the upper and lower end of each cell [m]."""
    rows = np.empty((4, ls.shape[1]))
    tangent, sine, held = rows[0], rows[1], rows[2:4]
    for i in range(ls.shape[0]):
        kept = i if parts.shape[1] > 1 else 0
        length, s, m = parts[0, kept], parts[1, kept], parts[2, kept]
        _slope_row(gradient[i], tangent, sine)
        _steep_rows(tangent, sine, family_s, pieces, steepest, family_m, steps, rill_ratio, s, m, held)
        length_row(start[i], end[i], m, form, longest, length)
        _ls_row(s, length, end[i], area_in[i], area[i], raised[i], longest, channel_area, water_depth, ls[i], flags[i])
