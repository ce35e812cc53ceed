"""Barriers to water: 0 none, 1 water stops, 2 water is diverted."""

import numpy as np

from rusle_kernels._jit import kernel

OPEN, STOPS, DIVERTS = 0, 1, 2


@kernel
def close_corners(barriers, out):
    """``barriers`` (padded) without gaps at corners: of two walls that touch at a corner only, the open cell north of it becomes a wall.

    Water steps to all eight neighbours, so it would slip through between the two.
    """
    height, width = out.shape
    for i in range(height):
        for j in range(width):
            row, column = i + 1, j + 1
            code = barriers[row, column]
            below, left, right = barriers[row + 1, column], barriers[row, column - 1], barriers[row, column + 1]
            if code == OPEN and below == DIVERTS:
                left_gap = left == DIVERTS and barriers[row + 1, column - 1] != DIVERTS
                right_gap = right == DIVERTS and barriers[row + 1, column + 1] != DIVERTS
                if left_gap or right_gap:
                    code = np.uint8(DIVERTS)
            out[i, j] = code
