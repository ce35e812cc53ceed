"""The graph of the terminals of many tiles: the part of the drainage tree that no tile can know alone (see basins.py).

A *block* is a rectangle of tiles, in the end all of them. Its nodes are the tiles' terminals and 0, the outside. Edges come tile by tile,
in each by cell and then by lower end; ``cells`` are row-major indices in the whole raster (64 bits), ``row_starts`` and ``column_starts``
rows and columns of the whole raster, ``borders`` the nodes of the perimeters of all tiles. What a tile does with its basins a block does
with its nodes (``basins.spanning_forest``): those at its own perimeter are its terminals.
"""

import numpy as np

from rusle_kernels._jit import kernel
from rusle_kernels.basins import edges_by_end
from rusle_kernels.borders import border_place, inner_place, perimeter_cell, perimeter_place
from rusle_kernels.neighbours import offsets


@kernel
def join_ends(raster_width, edge_starts, node_starts, row_starts, column_starts, border_starts, borders, cells, slots, own, other, crossing):
    """Give the edges' ends the numbers of the block's nodes, in place of each tile's own.

    ``other`` −1 (another tile) is looked up across the border; it stays where that tile is not in the block. ``crossing`` := whether an edge
    leads into another tile.
    """
    columns = column_starts.size - 1
    for tile in range(edge_starts.size - 1):
        tile_row, tile_column = tile // columns, tile % columns
        for edge in range(edge_starts[tile], edge_starts[tile + 1]):
            own[edge] += node_starts[tile] if own[edge] > 0 else 0
            crossing[edge] = other[edge] < 0
            if crossing[edge]:
                slot = slots[edge] + (slots[edge] >= 4)  # of the 3 × 3 cells
                i = cells[edge] // raster_width - row_starts[tile_row] + slot // 3 - 1
                j = cells[edge] % raster_width - column_starts[tile_column] + slot % 3 - 1
                there = border_place(tile_row, tile_column, i, j, row_starts, column_starts, border_starts)
                other[edge] = borders[there] if there >= 0 else -1
            elif other[edge] > 0:
                other[edge] += node_starts[tile]


@kernel
def number_terminals(row_starts, column_starts, border_starts, borders, terminal, border):
    """Number, from 1 along the block's perimeter, the nodes that own a cell there; 0 is the outside, −1 the others. Returns how many + 1.

    ``border`` := the terminals of the perimeter's cells.
    """
    height, width = row_starts[-1] - row_starts[0], column_starts[-1] - column_starts[0]
    terminal[:] = -1
    terminal[0] = 0
    count = 1
    for place in range(border.size):
        i, j = perimeter_cell(place, height, width)
        node = borders[inner_place(i, j, row_starts, column_starts, border_starts)]
        if terminal[node] < 0:
            terminal[node] = count
            count += 1
        border[place] = terminal[node]
    return count


@kernel
def drain_nodes(raster_width, kept, edge_keys, cells, slots, own, other, crossing, exits, starts, edges_of, queue, level, exit_cells, exit_slots):
    """From the outside, and from where the tree leaves the block, inwards: each node's water ``level`` and its exit.

    The exit is the cell and slot by which the node's part of the tree leaves its tile, −1 where it does not. ``exits`` are the nodes by
    which the tree leaves the block: their level and exit, and the level of node 0, are given; other exits come filled with −1. ``starts``
    (nodes + 1), ``edges_of`` (twice the edges) and ``queue`` (nodes) are working space. Returns how many nodes were reached.
    """
    away = offsets(raster_width)
    edges_by_end(kept, own, other, starts, edges_of)
    came_by = np.full(queue.size, -1, np.int64)
    queue[0] = 0
    queue[1 : 1 + exits.size] = exits
    first, last = 0, 1 + exits.size
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
def ring_levels(tile_row, tile_column, row_starts, column_starts, border_starts, borders, level, block_ring, out):
    """The water levels around a tile, in the order of the perimeter of the padded tile.

    ``block_ring`` holds those around the block in the order of its own padded perimeter.
    """
    height = row_starts[tile_row + 1] - row_starts[tile_row]
    width = column_starts[tile_column + 1] - column_starts[tile_column]
    above, left = row_starts[tile_row] - row_starts[0], column_starts[tile_column] - column_starts[0]
    block_height, block_width = row_starts[-1] - row_starts[0], column_starts[-1] - column_starts[0]
    for place in range(out.size):
        i, j = perimeter_cell(place, height + 2, width + 2)
        there = border_place(tile_row, tile_column, i - 1, j - 1, row_starts, column_starts, border_starts)
        if there >= 0:
            out[place] = level[borders[there]]
        else:
            out[place] = block_ring[perimeter_place(above + i, left + j, block_height + 2, block_width + 2)]
