"""The eight neighbours of a cell: their order, where they lie in a flattened raster, their ESRI codes.

Neighbours are counted row by row, 0 NW, 1 N, 2 NE, 3 W, 4 E, 5 SW, 6 S, 7 SE; the one opposite to ``k`` is ``7 - k``. Rasters that
kernels walk through are *padded*: one ring of cells around them that belongs to the outside, so that no step needs a check.
"""

import numpy as np

from rusle_kernels._jit import inline

OUTSIDE = 8
"""The step of a cell that leaves the raster or drains into nodata."""
PIT = 9
"""The step of a cell without a lower neighbour, until its basin is given a way out."""
NEXT_TILE = 10
"""The step of a cell whose lowest neighbour lies in another tile, until its basin is given a way out."""
ELSEWHERE = 11
"""The step of a cell in the ring that belongs to another tile."""
STOP = 12
"""The step of a cell in which water ends, whatever its neighbours."""
NODATA_STEP = 255

ESRI_CODES = np.array([32, 64, 128, 16, 1, 8, 4, 2, 0], np.uint8)
"""The ESRI code of each step; 0 leaves the grid or drains into nodata."""
NODATA_CODE = 255


@inline
def offsets(width):
    """How far each neighbour lies from a cell in a flattened raster of ``width`` columns."""
    away = np.empty(8, np.int64)
    away[0] = -width - 1
    away[1] = -width
    away[2] = -width + 1
    away[3] = -1
    away[4] = 1
    away[5] = width - 1
    away[6] = width
    away[7] = width + 1
    return away


def _touching_groups() -> tuple[np.ndarray, np.ndarray]:
    """For each of the 256 sets of neighbours: how many groups that do not touch each other it has, and the group of each neighbour."""
    touching = [(0, 1), (1, 2), (2, 4), (4, 7), (7, 6), (6, 5), (5, 3), (3, 0), (1, 4), (4, 6), (6, 3), (3, 1)]
    counts, groups = np.zeros(256, np.uint8), np.full((256, 8), 255, np.uint8)
    for members in range(256):
        group = {k: k for k in range(8) if members >> k & 1}
        for _ in range(8):
            for a, b in touching:
                if a in group and b in group:
                    group[a] = group[b] = min(group[a], group[b])
        leaders = sorted(set(group.values()))
        counts[members] = len(leaders)
        for k, leader in group.items():
            groups[members, k] = leaders.index(leader)
    return counts, groups


GROUP_COUNT, GROUP_OF = _touching_groups()
