"""Water from tile to tile: sums over the graph of the cells by which it leaves tiles (see accumulate.py and borders.py)."""

from rusle_kernels._jit import kernel
from rusle_kernels.borders import border_place, perimeter_cell


@kernel
def entering_places(leaving_starts, row_starts, column_starts, border_starts, leaving, slots, entering):
    """``entering`` := among the borders of all tiles, the place where what leaves by each of ``leaving`` arrives."""
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
def sum_crossings(entering, onward, amounts, waiting, ready, inflow):
    """Add up what crosses borders, from above downwards: ``inflow`` of each border place (comes filled with 0).

    ``amounts`` of each crossing is what its own tile sends and becomes all that crosses there; ``onward`` is the crossing by which a border
    place's water leaves its tile again, −1 where it does not. ``waiting`` (zeros) and ``ready`` are working space. Returns how many crossings
    lie on a circle, or below one.
    """
    for crossing in range(entering.size):
        following = onward[entering[crossing]]
        if following >= 0:
            waiting[following] += 1
    last = 0
    for crossing in range(entering.size):
        if waiting[crossing] == 0:
            ready[last] = crossing
            last += 1
    first = 0
    while first < last:
        crossing = ready[first]
        first += 1
        inflow[entering[crossing]] += amounts[crossing]
        following = onward[entering[crossing]]
        if following >= 0:
            amounts[following] += amounts[crossing]
            waiting[following] -= 1
            if waiting[following] == 0:
                ready[last] = following
                last += 1
    return entering.size - last
