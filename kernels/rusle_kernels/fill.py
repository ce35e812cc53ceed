"""Depression filling on order-preserving integer keys: the plain priority-flood, the oracle of the basin graph.

Heights become integers in the same order (``order_keys``), so that nodata is one sentinel below every height and a comparison never
meets NaN. ``keys`` is padded: its ring holds the sentinel, because the space beyond the grid drains like nodata.
"""

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.neighbours import offsets


@kernel
def order_keys(bits, magnitude, infinity, nodata, keys):
    """Keys of IEEE heights given as integers of the same width: a sign and a ``magnitude`` become one signed number.

    −0.0 and +0.0 get one key; what is not finite gets ``nodata``.
    """
    for i in range(bits.shape[0]):
        row, out = bits[i], keys[i]
        for j in range(row.size):
            size = row[j] & magnitude
            key = -size if row[j] < 0 else size
            out[j] = key if size < infinity else nodata


@kernel
def key_bits(keys, sign, nodata, empty):
    """The inverse of ``order_keys``, in place; nodata becomes the bits ``empty``."""
    for i in range(keys.shape[0]):
        row = keys[i]
        for j in range(row.size):
            bits = row[j] if row[j] >= 0 else -row[j] | sign
            row[j] = bits if row[j] != nodata else empty


@inline
def _push(heap_keys, heap_cells, size, key, cell):
    """Put ``cell`` into a heap whose smallest key is on top; returns the new size."""
    place = size
    while place > 0:
        above = (place - 1) >> 1
        if heap_keys[above] <= key:
            break
        heap_keys[place] = heap_keys[above]
        heap_cells[place] = heap_cells[above]
        place = above
    heap_keys[place] = key
    heap_cells[place] = cell
    return size + 1


@inline
def _drop_top(heap_keys, heap_cells, size):
    """Take the top off the heap; returns the new size. The gap sinks to the bottom first: the last entry nearly always belongs there."""
    size -= 1
    place, below = 0, 1
    while below + 1 < size:
        if heap_keys[below + 1] < heap_keys[below]:
            below += 1
        heap_keys[place] = heap_keys[below]
        heap_cells[place] = heap_cells[below]
        place = below
        below = 2 * place + 1
    if below < size:
        heap_keys[place] = heap_keys[below]
        heap_cells[place] = heap_cells[below]
        place = below
    _push(heap_keys, heap_cells, place, heap_keys[size], heap_cells[size])
    return size


@kernel
def priority_flood(keys, nodata, reached, heap_keys, heap_cells, lake):
    """Raise ``keys`` (padded, in place) to the lowest surface from which every cell drains, without epsilon.

    Barnes, Lehman and Mulla 2014 (Computers & Geosciences 62:117), the improved form: water rises from the grid's edge and from beside
    nodata; a cell at or below the water is filled at once from a plain queue, only higher ones wait in the heap. ``reached`` (padded,
    bool) and the queues ``heap_keys``, ``heap_cells``, ``lake`` (one place for each cell) are working space.
    """
    width = keys.shape[1]
    away = offsets(width)
    flat, seen = keys.reshape(-1), reached.reshape(-1)
    size = 0
    for cell in range(flat.size):
        seen[cell] = flat[cell] == nodata
    for i in range(1, keys.shape[0] - 1):
        for cell in range(i * width + 1, i * width + width - 1):
            if flat[cell] != nodata:
                for k in range(8):
                    if flat[cell + away[k]] == nodata:
                        seen[cell] = True
                        size = _push(heap_keys, heap_cells, size, flat[cell], cell)
                        break
    while size > 0:
        water = heap_keys[0]
        lake[0] = heap_cells[0]
        size = _drop_top(heap_keys, heap_cells, size)
        first, last = 0, 1
        while first < last:
            cell = np.int64(lake[first])
            first += 1
            for k in range(8):
                neighbour = cell + away[k]
                if not seen[neighbour]:
                    seen[neighbour] = True
                    if flat[neighbour] <= water:
                        flat[neighbour] = water
                        lake[last] = neighbour
                        last += 1
                    else:
                        size = _push(heap_keys, heap_cells, size, flat[neighbour], neighbour)
