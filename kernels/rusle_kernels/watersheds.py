"""Which land drains where, tile by tile: every cell gets the number of the first *mark* on its way down, or the way by which it leaves the tile.

``codes`` are padded tiles of ESRI codes; those of the neighbouring tiles stand in the ring, 255 beyond the raster. Marks are numbered from 1 in
row-major order, those of a tile, of a block of tiles (see borders.py) and of the raster alike, so one number becomes another by the numbers of
the first marks of their rows.
"""

import numpy as np

from rusle_kernels._jit import inline, kernel
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
def ways_down(codes, step_of_code, marks, found, counts, leaving, slots, onward):
    """Where the way down from each cell leads: ``found`` (padded, int32) is the number of a mark (from 1, row-major), 0 where the way ends
    without one, −3 − k where it leaves the tile by the crossing k.

    ``counts`` are the marks of each row, ``leaving`` the crossings' places on the perimeter, ``slots`` the neighbour each leads to; ``onward``
    is ``found`` along the perimeter. Returns how many crossings there are, and how many cells lie on a circle, or drain into one.
    """
    height, width = codes.shape[0] - 2, codes.shape[1] - 2
    way, number, mark = codes.reshape(-1), found.reshape(-1), marks.reshape(-1)
    number[:] = _UNKNOWN
    count = crossings = stuck = 0
    for i in range(1, height + 1):
        before = count
        for cell in range(i * (width + 2) + 1, i * (width + 2) + width + 1):
            if mark[cell]:
                count += 1
                number[cell] = count
        counts[i - 1] = count - before
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
            end = number[cell]
            if end == _ON_THE_WAY:
                stuck += 1
                continue
            cell = start
            while number[cell] == _ON_THE_WAY:
                number[cell] = end
                cell += step_of_code[way[cell]]
    for place in range(onward.size):
        i, j = perimeter_cell(place, height, width)
        onward[place] = number[(i + 1) * (width + 2) + j + 1]
    return crossings, stuck


@inline
def _renumbered(number, first, new_first):
    """The number of a mark where the first mark of each row has the number ``new_first`` in place of ``first``."""
    row = np.searchsorted(first, number, side="right") - 1
    return new_first[row] + number - first[row]


@kernel
def onward_in_block(onward, first, new_first, crossings_before, out):
    """``out`` := where the way from each border cell of a tile leads, with marks and crossings in the numbers of its block."""
    for place in range(onward.size):
        end = np.int64(onward[place])
        if end > 0:
            end = _renumbered(end, first, new_first)
        elif end < 0:
            end -= crossings_before
        out[place] = end


@kernel
def follow_crossings(entering, onward, ends):
    """``ends`` := where the way of each crossing of a block ends: the number of a mark, 0 without one, −3 − k where it leaves the block by the
    k-th of the crossings that do (``entering`` −1). Returns how many crossings lie on a circle, or lead into one.

    ``onward`` of each border place is the same inside its tile, with all crossings of the block counted.
    """
    ends[:] = _UNKNOWN
    count = stuck = 0
    for crossing in range(entering.size):
        if entering[crossing] < 0:
            ends[crossing] = -3 - count
            count += 1
    for start in range(entering.size):
        crossing = start
        while ends[crossing] == _UNKNOWN:
            ends[crossing] = _ON_THE_WAY
            following = onward[entering[crossing]]
            if following >= 0:
                ends[crossing] = following
                break
            crossing = -3 - following
        end = ends[crossing]
        if end == _ON_THE_WAY:
            stuck += 1
            continue
        crossing = start
        while ends[crossing] == _ON_THE_WAY:
            ends[crossing] = end
            crossing = -3 - onward[entering[crossing]]
    return stuck


@kernel
def ends_through(onward, ends, places, onward_out):
    """``onward_out`` := where what enters the block at each of ``places`` ends: as ``follow_crossings`` tells it of crossings."""
    for i in range(places.size):
        end = np.int64(onward[places[i]])
        onward_out[i] = ends[-3 - end] if end < 0 else end


@kernel
def label_crossings(ends, first, new_first, beyond, labels):
    """``labels`` := of each crossing of a block, by where it ends: a mark's label, 0, or that ``beyond`` one of the block's own crossings."""
    for crossing in range(ends.size):
        end = np.int64(ends[crossing])
        if end > 0:
            labels[crossing] = _renumbered(end, first, new_first)
        else:
            labels[crossing] = beyond[-3 - end] if end < 0 else NO_MARK


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
