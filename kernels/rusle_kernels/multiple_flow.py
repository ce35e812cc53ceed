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
# Each neighbour lies sideways (0), lengthways (1) or diagonally (2).
_KIND = np.array([2, 1, 2, 0, 0, 2, 1, 2])
# The neighbours in each of the 256 sets, and how many they are.
_MEMBERS = np.array([[k for k in range(8) if members >> k & 1] + [0] * (8 - members.bit_count()) for members in range(256)])
_COUNT = np.array([members.bit_count() for members in range(256)])
_SLOT_OF_CODE = np.full(256, -1)
_SLOT_OF_CODE[np.array([32, 64, 128, 16, 1, 8, 4, 2])] = np.arange(8)


@inline
def _steepest_facet(heights, cell, away, dx, dy):
    """The facet of steepest descent, how far from its side neighbour to its diagonal one the water turns (0 to 1), and the angle from the side.

    Facet −1 where none descends. A facet one of whose neighbours is missing counts by the other alone.
    """
    z = np.float64(heights[cell])
    diagonal = math.sqrt(dx * dx + dy * dy)
    facet, steepest, ahead, aside, between = -1, 0.0, 1.0, 0.0, False
    for n in range(8):
        side, corner = _SIDE[n], _CORNER[n]
        d1, d2 = (dx, dy) if _KIND[side] == 0 else (dy, dx)
        z1, z2 = np.float64(heights[cell + away[side]]), np.float64(heights[cell + away[corner]])
        s1, s2 = (z - z1) / d1, (z1 - z2) / d2
        inside = False
        if math.isinf(z1):
            slope, s1, s2 = (z - z2) / diagonal, d1, d2
        elif math.isinf(z2) or s2 <= 0.0:
            slope, s2 = s1, 0.0
        elif s2 * d1 >= s1 * d2:
            slope, s1, s2 = (z - z2) / diagonal, d1, d2
        else:
            slope, inside = math.sqrt(s1 * s1 + s2 * s2), True
        if slope > steepest:
            facet, steepest, ahead, aside, between = n, slope, s1, s2, inside
    d1, d2 = (dx, dy) if _KIND[_SIDE[facet]] == 0 else (dy, dx)
    angle = math.atan2(aside, ahead)
    turn = angle / math.atan2(d2, d1) if between else np.float64(aside > 0.0)
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
def pass_on(surface, receivers, nearness, widths, scheme, exponent, stack, total, waiting):
    """Pass on the sums of all cells that wait for no inflow any more, and of those that then do not either. Returns how many did.

    All rasters are padded; ``surface`` holds filled heights (for TARBOTON the share of the first receiver). ``nearness`` (h, 3) holds, for each
    row, one over the distance to a neighbour sideways, lengthways and diagonally, ``widths`` (h, 3) the widths of the contour there. ``total``
    holds what each cell has so far, its own amount included; what leaves the window is added to its ring, where ``waiting`` counts down too.
    ``stack`` has one place for each cell.
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
                count = _COUNT[members]
                if count == 0:
                    continue
                i = cell // pitch - 1
                slots = _MEMBERS[members]
                greatest, weights = _weights(heights, cell, slots, count, away, nearness[i], widths[i], scheme, exponent, weight)
                whole = np.float64(amount[cell])
                rest = amount[cell]
                for n in range(count):
                    neighbour = cell + away[slots[n]]
                    if n != greatest:
                        part = np.int64(whole * (weight[n] / weights))
                        rest -= part
                        amount[neighbour] += part
                    left[neighbour] -= 1
                    if left[neighbour] == 0:
                        stack[size] = neighbour
                        size += 1
                amount[cell + away[slots[greatest]]] += rest
    return done


@inline
def _weights(heights, cell, slots, count, away, nearness, widths, scheme, exponent, weight):
    """Fill ``weight`` of the ``count`` neighbours in ``slots``; which of them has the greatest (the first of equal ones), and the sum."""
    z = np.float64(heights[cell])
    greatest, total = 0, 1.0
    if count > 1:
        steepest = 0.0
        for n in range(count):
            if scheme == TARBOTON:
                weight[n] = z if n == 0 else 1.0 - z
            else:
                weight[n] = (z - np.float64(heights[cell + away[slots[n]]])) * nearness[_KIND[slots[n]]]
            steepest = max(steepest, weight[n])
        power = 8.9 * min(steepest, 1.0) + 1.1 if scheme == QIN else exponent
        total = 0.0
        for n in range(count):
            if scheme in (FREEMAN, QIN):
                weight[n] = (weight[n] / steepest) ** power
            if scheme in (QUINN, QIN):
                weight[n] *= widths[_KIND[slots[n]]]
            total += weight[n]
            greatest = n if weight[n] > weight[greatest] else greatest
    return greatest, total
