"""Which land drains where, tile by tile: every cell gets the number of the first *mark* on its way down, or the way by which it leaves the tile.

``codes`` are padded tiles of ESRI codes; those of the neighbouring tiles stand in the ring, 255 beyond the raster.
"""

import numpy as np

from rusle_kernels._jit import kernel
from rusle_kernels.borders import perimeter_cell
from rusle_kernels.neighbours import NODATA_CODE

_UNKNOWN, _ON_THE_WAY = -1, -2
NO_MARK = 0


@kernel
def mark_outlets(codes, step_of_code, marks):
    """``marks`` (padded, uint8) := 1 inside the ring where a cell leaves the raster or drains into nodata."""
    width = codes.shape[1]
    way, mark = codes.reshape(-1), marks.reshape(-1)
    mark[:] = 0
    for i in range(1, codes.shape[0] - 1):
        for cell in range(i * width + 1, i * width + width - 1):
            step = step_of_code[way[cell]]
            mark[cell] = way[cell] != NODATA_CODE and (step == 0 or way[cell + step] == NODATA_CODE)


@kernel
def mark_link_ends(codes, step_of_code, total, least, inflows, marks):
    """``mark_outlets``, and also stream cells whose next cell a second stream meets; here two rings of cells stand around the tile.

    A cell is a stream where ``total`` reaches ``least``. ``inflows`` (padded likewise, uint8, zeros) is working space.
    """
    width = codes.shape[1]
    way, amount, streams, mark = codes.reshape(-1), total.reshape(-1), inflows.reshape(-1), marks.reshape(-1)
    for cell in range(way.size):
        step = step_of_code[way[cell]]
        if way[cell] != NODATA_CODE and amount[cell] >= least and step != 0 and 0 <= cell + step < way.size:
            streams[cell + step] += 1
    mark[:] = 0
    for i in range(2, codes.shape[0] - 2):
        for cell in range(i * width + 2, i * width + width - 2):
            step = step_of_code[way[cell]]
            if way[cell] != NODATA_CODE:
                ends = step == 0 or way[cell + step] == NODATA_CODE
                mark[cell] = ends or (amount[cell] >= least and streams[cell + step] > 1)


@kernel
def ways_down(codes, step_of_code, marks, found, leaving, slots, onward):
    """Where the way down from each cell leads: ``found`` (padded, int32) is the number of a mark (from 1, row-major), 0 where the way ends
    without one, −3 − k where it leaves the tile by the crossing k.

    ``leaving`` are the crossings' places on the perimeter, ``slots`` the neighbour each leads to; ``onward`` is ``found`` along the perimeter.
    Returns how many marks there are, how many crossings, and how many cells lead round in a circle.
    """
    height, width = codes.shape[0] - 2, codes.shape[1] - 2
    way, number, mark = codes.reshape(-1), found.reshape(-1), marks.reshape(-1)
    number[:] = _UNKNOWN
    count = crossings = stuck = 0
    for i in range(1, height + 1):
        for cell in range(i * (width + 2) + 1, i * (width + 2) + width + 1):
            if mark[cell]:
                count += 1
                number[cell] = count
    for place in range(onward.size):
        i, j = perimeter_cell(place, height, width)
        cell = (i + 1) * (width + 2) + j + 1
        step = step_of_code[way[cell]]
        if way[cell] == NODATA_CODE or step == 0 or number[cell] != _UNKNOWN:
            continue
        row, column = (cell + step) // (width + 2), (cell + step) % (width + 2)
        outside = row == 0 or row == height + 1 or column == 0 or column == width + 1
        if outside and way[cell + step] != NODATA_CODE:
            slot = 3 * (row - i) + column - j
            leaving[crossings], slots[crossings] = place, slot if slot < 4 else slot - 1
            number[cell] = -3 - crossings
            crossings += 1
    for i in range(1, height + 1):
        for start in range(i * (width + 2) + 1, i * (width + 2) + width + 1):
            if way[start] == NODATA_CODE:
                number[start] = NO_MARK
                continue
            cell = start
            while number[cell] == _UNKNOWN:
                number[cell] = _ON_THE_WAY
                step = step_of_code[way[cell]]
                if step == 0 or way[cell + step] == NODATA_CODE:
                    number[cell] = NO_MARK
                    break
                cell += step
            if number[cell] == _ON_THE_WAY:
                stuck += 1
            end = NO_MARK if number[cell] == _ON_THE_WAY else number[cell]
            cell = start
            while number[cell] == _ON_THE_WAY:
                number[cell] = end
                cell += step_of_code[way[cell]]
    for place in range(onward.size):
        i, j = perimeter_cell(place, height, width)
        onward[place] = number[(i + 1) * (width + 2) + j + 1]
    return count, crossings, stuck


@kernel
def follow_crossings(entering, onward, labels):
    """``labels`` := of each crossing, the label where its way ends at last. Returns how many crossings lie on a circle, or lead into one.

    ``onward`` of each border place is the label where its way ends in its tile (0 or more), or −3 − the crossing by which it goes on.
    """
    labels[:] = _UNKNOWN
    stuck = 0
    for start in range(entering.size):
        crossing, end = np.int64(start), np.int64(_UNKNOWN)
        while end == _UNKNOWN:
            if labels[crossing] != _UNKNOWN:
                end = labels[crossing] if labels[crossing] != _ON_THE_WAY else _ON_THE_WAY
                break
            labels[crossing] = _ON_THE_WAY
            following = onward[entering[crossing]]
            if following >= 0:
                end = following
            else:
                crossing = -3 - following
        stuck += end == _ON_THE_WAY
        end = np.int64(0) if end == _ON_THE_WAY else end
        crossing = np.int64(start)
        while labels[crossing] == _ON_THE_WAY:
            labels[crossing] = end
            following = onward[entering[crossing]]
            if following >= 0:
                break
            crossing = -3 - following
    return stuck


@kernel
def label_cells(found, numbers, labels, out):
    """``out`` := the label of each cell: ``numbers`` of the tile's own marks, ``labels`` of its crossings."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            number = found[i + 1, j + 1]
            out[i, j] = numbers[number - 1] if number > 0 else (labels[-3 - number] if number < 0 else 0)


@kernel
def strahler_orders(following, order, greatest, meeting):
    """Strahler's order of stream cells given in an order in which water comes to them; ``following`` is the next cell's number, −1 at the end.

    A cell without inflow has order 1; where two or more of the greatest order meet, the order rises by one. ``greatest`` and ``meeting``
    (zeros) are working space.
    """
    for cell in range(following.size):
        order[cell] = 1 if greatest[cell] == 0 else greatest[cell] + (meeting[cell] > 1)
        down = following[cell]
        if down >= 0:
            if order[cell] > greatest[down]:
                greatest[down], meeting[down] = order[cell], 1
            elif order[cell] == greatest[down]:
                meeting[down] += 1


@kernel
def number_links(following, upwards, link):
    """``link`` of each stream cell := that of the next cell, where it has none (0); ``upwards`` are the cells from below."""
    for cell in upwards:
        if link[cell] == 0:
            link[cell] = link[following[cell]]
