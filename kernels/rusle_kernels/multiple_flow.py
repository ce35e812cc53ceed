"""Flow from a cell to several neighbours: who receives, how much each gets, and sums of it in integers, so that order cannot show.

Heights are those of a filled surface, +inf where there is no data. Neighbours are counted as in neighbours.py; ``receivers`` has bit k set
where neighbour k receives. Every cell passes on whole numbers: what rounding leaves over goes to the neighbour with the greatest share, so
nothing is lost. Working in one window of a raster, sums that leave it are gathered in its ring (core/exchange.py hands them on).
"""

import math

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.neighbours import NODATA_CODE, offsets

QUINN, FREEMAN, QIN, TARBOTON = 1, 2, 3, 4
DONE = 255
"""What ``waiting`` holds where a cell has passed on its sum, or has no data."""
HANDED_OVER = 128
"""What ``waiting`` of the ring holds before anything was passed out of the window."""

# The eight facets of Tarboton 1997, anticlockwise from east: side neighbour, diagonal neighbour (figure 2 and table 1 there).
_SIDE = np.array([4, 1, 1, 3, 3, 6, 6, 4])
_CORNER = np.array([2, 2, 0, 0, 5, 5, 7, 7])
_SLOT_OF_CODE = np.full(256, -1)
_SLOT_OF_CODE[np.array([32, 64, 128, 16, 1, 8, 4, 2])] = np.arange(8)


@inline
def _distance(k, dx, dy):
    """From a cell to its neighbour k."""
    if k == 3 or k == 4:
        away = dx
    elif k == 1 or k == 6:
        away = dy
    else:
        away = math.sqrt(dx * dx + dy * dy)
    return away


@inline
def _contour_length(k, dx, dy):
    """The width of the contour through which a cell drains to its neighbour k: half a side, or a quarter of the diagonal."""
    if k == 3 or k == 4:
        length = dy / 2
    elif k == 1 or k == 6:
        length = dx / 2
    else:
        length = math.sqrt(dx * dx + dy * dy) / 4
    return length


@inline
def _steepest_facet(heights, cell, away, dx, dy):
    """The facet of steepest descent, how far from its side neighbour to its diagonal one the water turns (0 to 1), and the angle from the side.

    Facet −1 where none descends. A facet one of whose neighbours is missing counts by the other alone.
    """
    z = np.float64(heights[cell])
    diagonal = math.sqrt(dx * dx + dy * dy)
    facet, turn, angle, steepest = -1, 0.0, 0.0, 0.0
    for n in range(8):
        side, corner = _SIDE[n], _CORNER[n]
        sideways = side == 3 or side == 4
        d1, d2 = (dx, dy) if sideways else (dy, dx)
        z1, z2 = np.float64(heights[cell + away[side]]), np.float64(heights[cell + away[corner]])
        widest = math.atan2(d2, d1)
        if math.isinf(z1):
            slope, r = (z - z2) / diagonal, widest
        elif math.isinf(z2):
            slope, r = (z - z1) / d1, 0.0
        else:
            s1, s2 = (z - z1) / d1, (z1 - z2) / d2
            if s2 <= 0.0:
                slope, r = s1, 0.0
            elif s2 * d1 >= s1 * d2:
                slope, r = (z - z2) / diagonal, widest
            else:
                slope, r = math.sqrt(s1 * s1 + s2 * s2), math.atan2(s2, s1)
        if slope > steepest:
            facet, turn, angle, steepest = n, r / widest, r, slope
    return facet, turn, angle


@kernel
def facet_angles(filled, dx, dy, out):
    """The angle of steepest descent over eight facets, from east anticlockwise; −2 where none descends, NaN where there is no data."""
    height, width = out.shape
    away = offsets(width + 2)
    heights = filled.reshape(-1)
    for i in range(height):
        for j in range(width):
            cell = (i + 1) * (width + 2) + j + 1
            if math.isinf(heights[cell]):
                out[i, j] = np.nan
                continue
            facet, _, angle = _steepest_facet(heights, cell, away, dx[i], dy[i])
            if facet < 0:
                out[i, j] = -2.0
            elif facet % 2 == 0:
                out[i, j] = facet // 2 * (np.pi / 2) + angle
            else:
                turned = (facet + 1) // 2 * (np.pi / 2) - angle
                out[i, j] = turned if turned < 2 * np.pi else 0.0


@kernel
def angles_with_codes(angles, codes, diagonal, out):
    """``angles`` of facets, and where none descends the angle of the neighbour that the D8 code names; −1 where that is 0.

    ``diagonal`` is the angle between east and north-east of the cell's row.
    """
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            angle, turn = angles[i, j], diagonal[i, j]
            code = np.int64(codes[i, j]) if not math.isnan(angle) else 0
            if code == 0:
                out[i, j] = -1.0 if not math.isnan(angle) else np.nan
            elif angle >= 0:
                out[i, j] = angle
            elif code == 1 or code == 128 or code == 64 or code == 32:
                out[i, j] = 0.0 if code == 1 else turn if code == 128 else np.pi / 2 if code == 64 else np.pi - turn
            else:
                out[i, j] = np.pi if code == 16 else np.pi + turn if code == 8 else 1.5 * np.pi if code == 4 else 2 * np.pi - turn


@kernel
def lower_receivers(filled, codes, receivers):
    """All strictly lower neighbours receive; where there is none, the one that the D8 code names; nobody where that is 0.

    ``filled`` is padded; ``codes`` and ``receivers`` (h, w) are not.
    """
    height, width = codes.shape
    away = offsets(width + 2)
    heights = filled.reshape(-1)
    for i in range(height):
        for j in range(width):
            cell = (i + 1) * (width + 2) + j + 1
            found = 0
            if codes[i, j] != 0 and codes[i, j] != NODATA_CODE:
                for k in range(8):
                    found |= np.int64(heights[cell + away[k]] < heights[cell]) << k
                if found == 0:
                    found = 1 << _SLOT_OF_CODE[codes[i, j]]
            receivers[i, j] = found


@kernel
def facet_receivers(filled, codes, dx, dy, receivers, shares):
    """The one or two neighbours of the steepest facet, and the share of the first of them (by slot), inf where there is no data."""
    height, width = codes.shape
    away = offsets(width + 2)
    heights = filled.reshape(-1)
    for i in range(height):
        for j in range(width):
            cell = (i + 1) * (width + 2) + j + 1
            receivers[i, j] = 0
            shares[i, j] = np.inf if codes[i, j] == NODATA_CODE else 1.0
            if codes[i, j] == 0 or codes[i, j] == NODATA_CODE:
                continue
            facet, turn, _ = _steepest_facet(heights, cell, away, dx[i], dy[i])
            if facet < 0:
                receivers[i, j] = 1 << _SLOT_OF_CODE[codes[i, j]]
                continue
            side, corner = _SIDE[facet], _CORNER[facet]
            if turn < 1.0:
                receivers[i, j] |= 1 << side
            if turn > 0.0:
                receivers[i, j] |= 1 << corner
            shares[i, j] = 1.0 - turn if side < corner else turn
            if turn == 0.0 or turn == 1.0:
                shares[i, j] = 1.0


@kernel
def inflow_counts(receivers, surface, waiting):
    """How many of its neighbours pass something to each cell; DONE where ``surface`` is not finite. All padded, the ring of the result as it is."""
    height, width = receivers.shape[0] - 2, receivers.shape[1] - 2
    away = offsets(width + 2)
    gives, left, values = receivers.reshape(-1), waiting.reshape(-1), surface.reshape(-1)
    for i in range(1, height + 1):
        for cell in range(i * (width + 2) + 1, i * (width + 2) + width + 1):
            count = 0
            for k in range(8):
                count += gives[cell + away[k]] >> (7 - k) & 1
            left[cell] = count if not math.isinf(values[cell]) else DONE


@kernel
def pass_on(surface, receivers, dx, dy, scheme, exponent, stack, total, waiting):
    """Pass on the sums of all cells that wait for no inflow any more, and of those that then do not either. Returns how many did.

    All rasters are padded; ``surface`` holds filled heights (for TARBOTON the share of the first receiver). ``total`` holds what each cell
    has so far, its own amount included; what leaves the window is added to its ring, where ``waiting`` counts down too. ``stack`` has one
    place for each cell.
    """
    height, width = surface.shape[0] - 2, surface.shape[1] - 2
    pitch = width + 2
    away = offsets(pitch)
    heights, gives, amount, left = surface.reshape(-1), receivers.reshape(-1), total.reshape(-1), waiting.reshape(-1)
    weight = np.empty(8, np.float64)
    done = 0
    for row in range(1, height + 1):
        for start in range(row * pitch + 1, row * pitch + width + 1):
            if left[start] != 0:
                continue
            stack[0] = start
            size = 1
            while size > 0:
                size -= 1
                cell = stack[size]
                left[cell] = DONE
                done += 1
                members = gives[cell]
                if members == 0:
                    continue
                i = cell // pitch - 1
                greatest, weights = _weights(heights, cell, members, away, dx[i], dy[i], scheme, exponent, weight)
                rest = amount[cell]
                for k in range(8):
                    if members >> k & 1 and k != greatest:
                        part = np.int64(np.float64(amount[cell]) * (weight[k] / weights))
                        rest -= part
                        amount[cell + away[k]] += part
                amount[cell + away[greatest]] += rest
                for k in range(8):
                    if members >> k & 1:
                        neighbour = cell + away[k]
                        left[neighbour] -= 1
                        if left[neighbour] == 0:
                            stack[size] = neighbour
                            size += 1
    return done


@inline
def _weights(heights, cell, members, away, dx, dy, scheme, exponent, weight):
    """Fill ``weight`` of the members; the member with the greatest (the first of equal ones), and the sum."""
    z = np.float64(heights[cell])
    steepest = 0.0
    first = -1
    for k in range(8):
        weight[k] = 0.0
        if members >> k & 1:
            if scheme == TARBOTON:
                weight[k] = z if first < 0 else 1.0 - z
            else:
                weight[k] = (z - np.float64(heights[cell + away[k]])) / _distance(k, dx, dy)
            first = k if first < 0 else first
            steepest = max(steepest, weight[k])
    if members & (members - 1) == 0:
        return first, 1.0
    power = 8.9 * min(steepest, 1.0) + 1.1 if scheme == QIN else exponent
    greatest, total = first, 0.0
    for k in range(8):
        if members >> k & 1:
            if scheme in (FREEMAN, QIN):
                weight[k] = (weight[k] / steepest) ** power
            if scheme in (QUINN, QIN):
                weight[k] *= _contour_length(k, dx, dy)
            total += weight[k]
            greatest = k if weight[k] > weight[greatest] else greatest
    return greatest, total
