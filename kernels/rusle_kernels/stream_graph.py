"""From tile to tile along flow directions: sums and longest paths over the graph of the cells by which ways leave tiles (see borders.py).

The tiles are those of a block, in the end all of the raster. A *crossing* is a border cell whose way leads into another tile; ``entering`` is
the place among the borders of all tiles where it arrives, −1 where that lies outside the block. ``onward`` of each border place is the crossing
by which its way leaves its tile again, −1 where it does not; ``through`` (empty for sums) is the length of that way.
"""

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.borders import border_place, inner_place, perimeter_cell, perimeter_place


@kernel
def entering_places(leaving_starts, row_starts, column_starts, border_starts, leaving, slots, entering):
    """``entering`` := where what leaves by each of ``leaving``, places on the perimeter of its tile, arrives."""
    columns = column_starts.size - 1
    for tile in range(leaving_starts.size - 1):
        tile_row, tile_column = tile // columns, tile % columns
        height = row_starts[tile_row + 1] - row_starts[tile_row]
        width = column_starts[tile_column + 1] - column_starts[tile_column]
        for crossing in range(leaving_starts[tile], leaving_starts[tile + 1]):
            i, j = perimeter_cell(leaving[crossing], height, width)
            slot = slots[crossing] + (slots[crossing] >= 4)  # of the 3 × 3 cells
            i, j = i + slot // 3 - 1, j + slot % 3 - 1
            entering[crossing] = border_place(tile_row, tile_column, i, j, row_starts, column_starts, border_starts)


@kernel
def outer_places(leaving_starts, row_starts, column_starts, leaving, entering, out):
    """``out`` := the places on the block's perimeter of the crossings that leave it, in their order."""
    columns = column_starts.size - 1
    count = 0
    for tile in range(leaving_starts.size - 1):
        tile_row, tile_column = tile // columns, tile % columns
        height = row_starts[tile_row + 1] - row_starts[tile_row]
        width = column_starts[tile_column + 1] - column_starts[tile_column]
        above, left = row_starts[tile_row] - row_starts[0], column_starts[tile_column] - column_starts[0]
        for crossing in range(leaving_starts[tile], leaving_starts[tile + 1]):
            if entering[crossing] < 0:
                i, j = perimeter_cell(leaving[crossing], height, width)
                out[count] = perimeter_place(above + i, left + j, row_starts[-1] - row_starts[0], column_starts[-1] - column_starts[0])
                count += 1


@kernel
def perimeter_places(row_starts, column_starts, border_starts, out):
    """``out`` := among the borders of all tiles, the place of each cell of the block's perimeter."""
    height, width = row_starts[-1] - row_starts[0], column_starts[-1] - column_starts[0]
    for place in range(out.size):
        i, j = perimeter_cell(place, height, width)
        out[place] = inner_place(i, j, row_starts, column_starts, border_starts)


@inline
def _following(crossing, entering, onward):
    """The crossing after this one, −1 where its way ends in the next tile or leaves the block."""
    return np.int64(onward[entering[crossing]]) if entering[crossing] >= 0 else np.int64(-1)


@inline
def _list_first(entering, onward, waiting, ready):
    """Count in ``waiting`` the crossings just before each; list in ``ready`` those without. Returns how many."""
    for crossing in range(entering.size):
        following = _following(crossing, entering, onward)
        if following >= 0:
            waiting[following] += 1
    count = 0
    for crossing in range(entering.size):
        if waiting[crossing] == 0:
            ready[count] = crossing
            count += 1
    return count


@kernel
def sum_crossings(entering, onward, amounts, waiting, ready, inflow):
    """Add up what crosses borders, from above downwards, to the ``inflow`` of each border place.

    ``amounts`` of each crossing is what its own tile sends and becomes all that crosses there. ``waiting`` (zeros) is working space;
    ``ready`` := the crossings, each after those above it. Returns how many crossings lie on a circle, or below one.
    """
    first, last = 0, _list_first(entering, onward, waiting, ready)
    while first < last:
        crossing = ready[first]
        first += 1
        if entering[crossing] >= 0:
            inflow[entering[crossing]] += amounts[crossing]
        following = _following(crossing, entering, onward)
        if following >= 0:
            amounts[following] += amounts[crossing]
            waiting[following] -= 1
            if waiting[following] == 0:
                ready[last] = following
                last += 1
    return entering.size - last


@kernel
def greatest_crossings(entering, onward, through, amounts, waiting, ready, inflow):
    """The longest path that enters at each border place, as ``sum_crossings`` finds the sums.

    ``amounts`` of each crossing is the longest path of its own tile there and becomes the longest of all.
    """
    first, last = 0, _list_first(entering, onward, waiting, ready)
    while first < last:
        crossing = ready[first]
        first += 1
        place = entering[crossing]
        if place >= 0:
            inflow[place] = max(inflow[place], amounts[crossing])
        following = _following(crossing, entering, onward)
        if following >= 0:
            amounts[following] = max(amounts[following], amounts[crossing] + through[place])
            waiting[following] -= 1
            if waiting[following] == 0:
                ready[last] = following
                last += 1
    return entering.size - last


@kernel
def ways_through(entering, onward, through, ready, way_out, rest, places, onward_out, through_out):
    """Where what enters the block at each cell of its perimeter leaves it again, and how long the way is.

    ``places`` are those of the perimeter's cells among the borders of all tiles, ``ready`` the crossings from above downwards. ``onward_out``
    := the number of the crossing among those that leave the block, −1 where the way ends inside; ``through_out`` the length of the way.
    ``way_out`` and ``rest`` (crossings) are working space.
    """
    count = 0
    for crossing in range(entering.size):
        way_out[crossing] = -1
        if entering[crossing] < 0:
            way_out[crossing] = count
            count += 1
    for crossing in ready[::-1]:
        following = _following(crossing, entering, onward)
        if following >= 0:
            way_out[crossing] = way_out[following]
        if through.size > 0:
            rest[crossing] = through[entering[crossing]] if entering[crossing] >= 0 else 0.0
            rest[crossing] += rest[following] if following >= 0 else 0.0
    for i in range(places.size):
        first = onward[places[i]]
        onward_out[i] = way_out[first] if first >= 0 else -1
        if through.size > 0:
            through_out[i] = through[places[i]] + (rest[first] if first >= 0 else 0.0)
