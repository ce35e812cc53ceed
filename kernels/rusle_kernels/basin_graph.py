"""The graph of all tiles' terminals: the part of the drainage tree that no tile can know alone (see basins.py).

Nodes are the tiles' terminals and 0, the outside. Edges come tile by tile, in each by cell and then by lower end; ``cells`` are row-major
indices in the whole raster (64 bits).
"""

import numpy as np

from rusle_kernels._jit import kernel
from rusle_kernels.basins import edges_by_end
from rusle_kernels.borders import border_place, perimeter_cell
from rusle_kernels.neighbours import offsets


@kernel
def join_ends(edge_starts, node_starts, row_starts, column_starts, border_starts, borders, cells, slots, own, other, crossing):
    """Give the edges' ends the numbers of the graph's nodes, in place of each tile's own; ``other`` −1 is looked up across the border.

    ``borders`` holds the nodes of all perimeters; ``crossing`` := whether an edge leads into another tile.
    """
    columns = column_starts.size - 1
    width = column_starts[columns]
    for tile in range(edge_starts.size - 1):
        tile_row, tile_column = tile // columns, tile % columns
        for edge in range(edge_starts[tile], edge_starts[tile + 1]):
            own[edge] += node_starts[tile] if own[edge] > 0 else 0
            crossing[edge] = other[edge] < 0
            if crossing[edge]:
                slot = slots[edge] + (slots[edge] >= 4)  # of the 3 × 3 cells
                i = cells[edge] // width - row_starts[tile_row] + slot // 3 - 1
                j = cells[edge] % width - column_starts[tile_column] + slot % 3 - 1
                other[edge] = borders[border_place(tile_row, tile_column, i, j, row_starts, column_starts, border_starts)]
            elif other[edge] > 0:
                other[edge] += node_starts[tile]


@kernel
def drain_nodes(width, kept, edge_keys, cells, slots, own, other, crossing, starts, edges_of, queue, level, exit_cells, exit_slots):
    """From the outside inwards: each node's water ``level``, and the cell and slot by which its part of the tree leaves the tile (−1: it does not).

    ``level[0]`` holds the level of the outside. ``exit_cells`` comes filled with −1. Returns how many nodes were reached.
    """
    away = offsets(width)
    edges_by_end(kept, own, other, starts, edges_of)
    queue[0] = 0
    came_by = np.full(queue.size, -1, np.int64)
    first, last = 0, 1
    while first < last:
        node = queue[first]
        first += 1
        for i in range(starts[node], starts[node + 1]):
            edge = edges_of[i]
            if edge == came_by[node]:
                continue
            reached = other[edge] if own[edge] == node else own[edge]
            came_by[reached] = edge
            level[reached] = max(level[node], edge_keys[edge])
            if crossing[edge]:
                slot = np.int64(slots[edge])
                exit_cells[reached] = cells[edge] if reached == own[edge] else cells[edge] + away[slot]
                exit_slots[reached] = slot if reached == own[edge] else 7 - slot
            queue[last] = reached
            last += 1
    return last


@kernel
def ring_levels(tile_row, tile_column, row_starts, column_starts, border_starts, borders, level, out):
    """The water levels around a tile, in the order of the perimeter of the padded tile; that of the outside beyond the raster."""
    height = row_starts[tile_row + 1] - row_starts[tile_row]
    width = column_starts[tile_column + 1] - column_starts[tile_column]
    for place in range(out.size):
        i, j = perimeter_cell(place, height + 2, width + 2)
        there = border_place(tile_row, tile_column, i - 1, j - 1, row_starts, column_starts, border_starts)
        out[place] = level[borders[there]] if there >= 0 else level[0]
