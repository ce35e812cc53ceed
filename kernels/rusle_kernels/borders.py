"""The border cells of tiles: how they are numbered, and whose border a step out of a tile leads to.

A raster, or a block of tiles in it, is cut by rows into heights and by columns into widths (``row_starts``, ``column_starts``: one more
number than there are tiles, the first of them where the block begins in the raster). Tiles are counted row by row. The *perimeter* of a tile
is its top row, then its bottom row, then the rest of its left and right column; ``border_starts`` counts the perimeters of all tiles before
each.
"""

import numpy as np

from rusle_kernels._jit import inline


@inline
def perimeter_size(height, width):
    """How many cells a tile's perimeter has."""
    return width if height == 1 else 2 * width + (height - 2) * (1 if width == 1 else 2)


@inline
def perimeter_place(i, j, height, width):
    """The number of border cell (i, j) of a tile on its perimeter."""
    if i == 0:
        place = j
    elif i == height - 1:
        place = width + j
    elif j == 0:
        place = 2 * width + i - 1
    else:
        place = 2 * width + height - 2 + i - 1
    return place


@inline
def perimeter_cell(place, height, width):
    """The inverse of ``perimeter_place``: row and column in the tile."""
    if place < width:
        i, j = 0, place
    elif place < 2 * width:
        i, j = height - 1, place - width
    elif place < 2 * width + height - 2:
        i, j = place - 2 * width + 1, 0
    else:
        i, j = place - 2 * width - height + 3, width - 1
    return i, j


@inline
def border_place(tile_row, tile_column, i, j, row_starts, column_starts, border_starts):
    """Among the borders of all tiles, the place of cell (i, j), counted from this tile's first cell, one step outside it; −1 beyond all tiles."""
    row, column = row_starts[tile_row] + i, column_starts[tile_column] + j
    if row < row_starts[tile_row]:
        tile_row -= 1
    elif row >= row_starts[tile_row + 1]:
        tile_row += 1
    if column < column_starts[tile_column]:
        tile_column -= 1
    elif column >= column_starts[tile_column + 1]:
        tile_column += 1
    rows, columns = row_starts.size - 1, column_starts.size - 1
    place = -1
    if 0 <= tile_row < rows and 0 <= tile_column < columns:
        height = row_starts[tile_row + 1] - row_starts[tile_row]
        width = column_starts[tile_column + 1] - column_starts[tile_column]
        first = border_starts[tile_row * columns + tile_column]
        place = first + perimeter_place(row - row_starts[tile_row], column - column_starts[tile_column], height, width)
    return place


@inline
def inner_place(i, j, row_starts, column_starts, border_starts):
    """Among the borders of all tiles, the place of cell (i, j), counted from the first tile's first cell; it must be a border cell of its tile."""
    row, column = row_starts[0] + i, column_starts[0] + j
    tile_row = np.searchsorted(row_starts, row, side="right") - 1
    tile_column = np.searchsorted(column_starts, column, side="right") - 1
    height = row_starts[tile_row + 1] - row_starts[tile_row]
    width = column_starts[tile_column + 1] - column_starts[tile_column]
    first = border_starts[tile_row * (column_starts.size - 1) + tile_column]
    return first + perimeter_place(row - row_starts[tile_row], column - column_starts[tile_column], height, width)
