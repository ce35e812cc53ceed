"""Slope steepness S and slope-length exponent m, and LS in one pass over a tile.

Both papers' S is a straight line in sin θ on each range of slope: a table of (tan θ from which the line holds, factor, constant).
"""

import math

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.slope_length import exp2, log2, segment_length

MCCOOL1987 = np.array([[0.0, 10.8, 0.03], [0.09, 16.8, -0.50], [np.inf, 0.0, 0.0]])
"""McCool et al. 1987: the break lies at 9 percent, not 9 degrees; each break belongs to the steeper line."""
LIU1994 = np.array([[0.0, 10.8, 0.03], [math.tan(math.radians(5.0)), 16.8, -0.50], [math.tan(math.radians(10.0)), 21.91, -0.96]])
"""Liu, Nearing and Risse 1994 above 10 degrees, on top of McCool."""

CAPPED, CHANNEL, RAISED, NODATA_FLAG = 1, 2, 4, 255


@kernel
def steepness(theta, lines, out):
    """S from the slope angle [rad] by a table of lines; NaN in, NaN out."""
    for i in range(theta.shape[0]):
        for j in range(theta.shape[1]):
            angle = theta[i, j]
            k = 0
            while k < 2 and angle >= math.atan(lines[k + 1, 0]):  # the angle of the break, so that 9 % and 5° are themselves
                k += 1
            out[i, j] = lines[k, 1] * math.sin(angle) + lines[k, 2]


@kernel
def m_mccool1989(theta, rill_ratio, out):
    """m = β / (1 + β), β = rill_ratio · (sin θ / 0.0896) / (3 sin^0.8 θ + 0.56)."""
    for i in range(theta.shape[0]):
        for j in range(theta.shape[1]):
            sine = math.sin(theta[i, j])
            beta = rill_ratio * (sine / 0.0896) / (3.0 * sine**0.8 + 0.56)
            out[i, j] = beta / (1.0 + beta)


@inline
def _factors(p, q, area_in, area, dx, dy, level_width, rill_ratio, longest):
    """Slope (tan θ, sin θ), m, L and the slope length at the lower end of a cell [m]; the cell's gradient is (p, q)."""
    tangent = math.sqrt(p * p + q * q)
    sine = tangent / math.sqrt(1.0 + tangent * tangent)
    beta = rill_ratio * sine / (0.0896 * (3.0 * exp2(0.8 * log2(sine)) + 0.56))
    m = beta / (1.0 + beta)
    # The contour width dx|cos α| + dy|sin α|, α the azimuth of the flow; on level ground m = 0, and L = 1 whatever the width.
    width = (dx * abs(q) + dy * abs(p)) / tangent
    width = width if tangent > 0.0 else level_width
    end = (area_in + area) / width
    return tangent, sine, m, segment_length(area_in / width, end, m, longest), end


@inline
def _flag(contributing, raised, end, longest, channel_area, water_depth):
    """CHANNEL, RAISED or both where the hillslope has ended; else CAPPED or 0."""
    ends = np.int32(CHANNEL) if contributing >= channel_area else np.int32(0)
    ends = np.int32(ends + np.int32(RAISED)) if raised > water_depth else ends
    capped = np.int32(CAPPED) if end > longest else np.int32(0)
    return ends if ends > 0 else capped


@kernel
def ls_desmet_govers1996(gradient, area_in, raised, dx, dy, area, lines, rill_ratio, longest, channel_area, water_depth, ls, flags, parts):
    """LS and flags of one tile, from the gradient (p + iq), the area draining into each cell [m²] and how far filling raised it [m].

    ``dx``, ``dy`` [m] and ``area`` [m²] hold one value for each row. ``longest`` [m], ``channel_area`` [m²] and ``water_depth`` [m] are
    infinite where not asked for. A channel or a raised cell is no hillslope: its L and LS are 0. ``parts`` receives L, S and m: (3, h, w)
    to keep them, or (3, 1, w) where they only pass through.
    """
    factor_1, constant_1 = lines[0, 1], lines[0, 2]
    from_2, factor_2, constant_2 = lines[1, 0], lines[1, 1], lines[1, 2]
    from_3, factor_3, constant_3 = lines[2, 0], lines[2, 1], lines[2, 2]
    for i in range(ls.shape[0]):
        slope, inflow, lake, result, marks = gradient[i], area_in[i], raised[i], ls[i], flags[i]
        kept = i if parts.shape[1] > 1 else 0
        l_row, s_row, m_row = parts[0, kept], parts[1, kept], parts[2, kept]
        width, height, own, level_width = dx[i], dy[i], area[i], math.sqrt(dx[i] * dy[i])
        for j in range(ls.shape[1]):
            tangent, sine, m, length, end = _factors(slope[j].real, slope[j].imag, inflow[j], own, width, height, level_width, rill_ratio, longest)
            s = factor_1 * sine + constant_1
            s = factor_2 * sine + constant_2 if tangent >= from_2 else s
            s = factor_3 * sine + constant_3 if tangent >= from_3 else s
            flag = _flag(inflow[j] + own, lake[j], end, longest, channel_area, water_depth)
            length = length if flag <= CAPPED else 0.0 * length
            result[j] = length * s
            marks[j] = np.uint8(flag if length * s == length * s else np.int32(NODATA_FLAG))
            l_row[j] = length
            s_row[j] = s
            m_row[j] = m
