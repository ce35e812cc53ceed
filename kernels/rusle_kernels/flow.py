"""Flow directions on a filled surface."""

import numpy as np

from rusle_kernels._jit import kernel
from rusle_kernels.neighbours import ESRI_CODES, NODATA_CODE, NODATA_STEP, STOP


@kernel
def d8_steepest(filled, step, nearness, out):
    """ESRI code of the steepest descent on ``filled``; where no neighbour is strictly lower, of the cell's ``step`` in the drainage tree.

    0 where that is STOP, whatever is lower.

    ``filled`` and ``step`` are padded, +inf where there is no data. ``nearness`` (3, h) holds, for each row, one over the distance to a
    neighbour east or west, north or south, and diagonal. Of equally steep neighbours the first in the order NW N NE W E SW S SE wins.
    """
    height, width = out.shape
    code = np.empty(256, np.int32)
    code[:] = NODATA_CODE
    code[: ESRI_CODES.size] = ESRI_CODES
    for i in range(height):
        above, here, below, way, codes = filled[i], filled[i + 1], filled[i + 2], step[i + 1], out[i]
        sideways, lengthways, diagonal = nearness[0, i], nearness[1, i], nearness[2, i]
        for j in range(width):
            codes[j] = code[way[j + 1]]
        for j in range(width):
            z = np.float64(here[j + 1])
            best, chosen = 0.0, np.int32(codes[j])
            fall = (z - np.float64(above[j])) * diagonal
            best, chosen = (fall, np.int32(32)) if fall > best else (best, chosen)
            fall = (z - np.float64(above[j + 1])) * lengthways
            best, chosen = (fall, np.int32(64)) if fall > best else (best, chosen)
            fall = (z - np.float64(above[j + 2])) * diagonal
            best, chosen = (fall, np.int32(128)) if fall > best else (best, chosen)
            fall = (z - np.float64(here[j])) * sideways
            best, chosen = (fall, np.int32(16)) if fall > best else (best, chosen)
            fall = (z - np.float64(here[j + 2])) * sideways
            best, chosen = (fall, np.int32(1)) if fall > best else (best, chosen)
            fall = (z - np.float64(below[j])) * diagonal
            best, chosen = (fall, np.int32(8)) if fall > best else (best, chosen)
            fall = (z - np.float64(below[j + 1])) * lengthways
            best, chosen = (fall, np.int32(4)) if fall > best else (best, chosen)
            fall = (z - np.float64(below[j + 2])) * diagonal
            best, chosen = (fall, np.int32(2)) if fall > best else (best, chosen)
            chosen = np.int32(0) if way[j + 1] == STOP else chosen
            codes[j] = np.uint8(chosen) if way[j + 1] != NODATA_STEP else np.uint8(NODATA_CODE)
