"""The drainage tree: the unique minimum spanning tree of the grid, rooted outside, by way of a small graph of basins.

Cells are ordered by (height, row-major index); no two are equal. An edge joins two neighbours and weighs (its higher cell, its lower
cell). Nodata and the space beyond the grid are one node below everything. All weights differ, so the spanning tree is one: a cell's
*step* is its parent in the tree, and the greatest height on its way out is the minimal filled surface (tree paths are minimax paths).

The edge from a cell to its lowest neighbour always belongs to the tree, so cells fall into basins by following those pointers, and only
edges between basins are left to choose. A cell can join basins only where its lower neighbours form groups that do not touch: such
*saddles* are the graph's edges, each to the lowest member of the group. Kruskal's algorithm keeps those of the tree; from the outside
inwards each basin then gets its water level, and the pointers between its entrance and its pit are turned round (the "carve" of Cordonnier
et al. 2019, Earth Surface Dynamics 7:549).

Rasters are padded and hold order-preserving keys (see fill.py). Labels, cells and edges are integers of one width chosen by the caller.
"""

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.neighbours import GROUP_COUNT, GROUP_OF, NODATA_STEP, OUTSIDE, PIT, offsets


@kernel
def lowest_neighbours(keys, nodata, lower, step):
    """``lower``: bit k is set where neighbour k comes before the cell; ``step``: the lowest neighbour, PIT where none is lower."""
    one, none = np.int32(1), np.int32(0)
    for i in range(1, keys.shape[0] - 1):
        above, here, below = keys[i - 1], keys[i], keys[i + 1]
        members, way = lower[i], step[i]
        for j in range(1, here.size - 1):
            key = here[j]
            # Row-major order: of equal heights the earlier cell is lower, so "<=" before the cell and "<" after it.
            value = above[j - 1]
            lowest, slot, found = value, none, one if value <= key else none
            value = above[j]
            lowest, slot = (value, np.int32(1)) if value < lowest else (lowest, slot)
            found |= np.int32(2) if value <= key else none
            value = above[j + 1]
            lowest, slot = (value, np.int32(2)) if value < lowest else (lowest, slot)
            found |= np.int32(4) if value <= key else none
            value = here[j - 1]
            lowest, slot = (value, np.int32(3)) if value < lowest else (lowest, slot)
            found |= np.int32(8) if value <= key else none
            lowest, slot = (key, np.int32(PIT)) if key < lowest else (lowest, slot)
            value = here[j + 1]
            lowest, slot = (value, np.int32(4)) if value < lowest else (lowest, slot)
            found |= np.int32(16) if value < key else none
            value = below[j - 1]
            lowest, slot = (value, np.int32(5)) if value < lowest else (lowest, slot)
            found |= np.int32(32) if value < key else none
            value = below[j]
            lowest, slot = (value, np.int32(6)) if value < lowest else (lowest, slot)
            found |= np.int32(64) if value < key else none
            value = below[j + 1]
            lowest, slot = (value, np.int32(7)) if value < lowest else (lowest, slot)
            found |= np.int32(128) if value < key else none
            slot = np.int32(OUTSIDE) if lowest == nodata else slot
            members[j] = np.uint8(found)
            way[j] = np.uint8(slot if key != nodata else np.int32(NODATA_STEP))


@kernel
def basin_labels(step, labels):
    """Number the basins from 1 in the order in which their first cells come; 0 is what drains outside, and nodata. Returns how many + 1."""
    away = offsets(step.shape[1])
    steps, basin = step.reshape(-1), labels.reshape(-1)
    unknown = -1
    for cell in range(steps.size):
        basin[cell] = 0 if steps[cell] == OUTSIDE or steps[cell] == NODATA_STEP else unknown
    count = 1
    for start in range(steps.size):
        if basin[start] != unknown:
            continue
        cell = start
        while basin[cell] == unknown and steps[cell] != PIT:
            cell += away[steps[cell]]
        if basin[cell] == unknown:
            basin[cell] = count
            count += 1
        label = basin[cell]
        cell = start
        while basin[cell] == unknown:
            basin[cell] = label
            cell += away[steps[cell]]
    return count


@kernel
def count_saddles(lower, step):
    """An upper bound of the number of edges between basins."""
    count = 0
    for i in range(1, lower.shape[0] - 1):
        for j in range(1, lower.shape[1] - 1):
            if step[i, j] <= OUTSIDE and GROUP_COUNT[lower[i, j]] > 1:
                count += GROUP_COUNT[lower[i, j]] - 1
    return count


@kernel
def saddle_edges(keys, lower, step, labels, edge_keys, edge_cells, edge_slots, own, other):
    """The edges between basins, by cell and then by lower end: from each saddle cell to the lowest member of each further group.

    ``edge_keys`` is the height of the cell, ``edge_slots`` the neighbour it leads to, ``own`` and ``other`` the two basins. Returns how many.
    """
    width = keys.shape[1]
    away = offsets(width)
    flat, steps, sets, basin = keys.reshape(-1), step.reshape(-1), lower.reshape(-1), labels.reshape(-1)
    count = 0
    for i in range(1, keys.shape[0] - 1):
        for cell in range(i * width + 1, i * width + width - 1):
            groups = GROUP_COUNT[sets[cell]]
            if groups < 2 or steps[cell] > OUTSIDE:
                continue
            first = count
            home = GROUP_OF[sets[cell], steps[cell]] if steps[cell] < OUTSIDE else np.uint8(groups)
            for group in range(groups):
                if group == home:  # where the cell drains to; what drains outside has basin 0 and is told by it
                    continue
                best = -1
                for k in range(8):
                    if GROUP_OF[sets[cell], k] == group and (best < 0 or flat[cell + away[k]] < flat[cell + away[best]]):
                        best = k
                if basin[cell + away[best]] == basin[cell]:
                    continue
                place = count
                while place > first and _comes_before(flat, cell, away, best, edge_slots[place - 1]):
                    edge_slots[place] = edge_slots[place - 1]
                    other[place] = other[place - 1]
                    place -= 1
                edge_slots[place] = best
                other[place] = basin[cell + away[best]]
                edge_keys[count] = flat[cell]
                edge_cells[count] = cell
                own[count] = basin[cell]
                count += 1
    return count


@inline
def _comes_before(flat, cell, away, a, b):
    """Whether neighbour ``a`` is lower than neighbour ``b``, or as low and earlier."""
    return flat[cell + away[a]] < flat[cell + away[b]] or (flat[cell + away[a]] == flat[cell + away[b]] and a < b)


@kernel
def sort_by_key(keys, order, scratch):
    """``order`` := the stable order of ``keys``, by radix sort, eleven bits at a time; equal keys stay as they come."""
    count = keys.size
    least, greatest = keys[0], keys[0]
    for i in range(count):
        order[i] = i
        least, greatest = min(least, keys[i]), max(greatest, keys[i])
    base, span = np.uint64(least), np.uint64(greatest) - np.uint64(least)
    digits, mask = 2048, np.uint64(2047)
    starts = np.empty(digits + 1, np.int64)
    shift = np.uint64(0)
    while shift < 64 and (span >> shift) > 0:
        starts[:] = 0
        for i in range(count):
            starts[np.int64(((np.uint64(keys[i]) - base) >> shift) & mask) + 1] += 1
        for digit in range(digits):
            starts[digit + 1] += starts[digit]
        for i in range(count):
            digit = np.int64(((np.uint64(keys[order[i]]) - base) >> shift) & mask)
            scratch[starts[digit]] = order[i]
            starts[digit] += 1
        for i in range(count):
            order[i] = scratch[i]
        shift += np.uint64(11)


@inline
def _root(parent, node):
    """The root of ``node``'s set; halves the path on its way."""
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@kernel
def spanning_edges(order, own, other, parent, kept):
    """Kruskal: ``kept`` := the edges that join two parts not yet joined, lightest first. Returns how many."""
    for node in range(parent.size):
        parent[node] = node
    count = 0
    for i in range(order.size):
        edge = order[i]
        a, b = _root(parent, own[edge]), _root(parent, other[edge])
        if a != b:
            parent[max(a, b)] = min(a, b)
            kept[count] = edge
            count += 1
    return count


@inline
def _turn(steps, away, cell, way_out):
    """Let ``cell`` leave by ``way_out`` and turn round the pointers from it to its pit."""
    while True:
        old = steps[cell]
        steps[cell] = way_out
        if old >= OUTSIDE:
            break
        cell += away[old]
        way_out = 7 - old


@kernel
def drain_basins(step, kept, edge_keys, edge_cells, edge_slots, own, other, starts, edges_of, queue, level):
    """From the outside inwards: each basin's water ``level``, and ``step`` turned so that every cell follows the tree.

    ``kept`` are the tree's edges; ``starts`` (basins + 1), ``edges_of`` (twice the edges) and ``queue`` (basins) are working space.
    ``level[0]`` holds the level of the outside and is left as it is.
    """
    away = offsets(step.shape[1])
    steps = step.reshape(-1)
    starts[:] = 0
    for i in range(kept.size):
        starts[own[kept[i]]] += 1
        starts[other[kept[i]]] += 1
    for basin in range(1, starts.size):
        starts[basin] += starts[basin - 1]
    for i in range(kept.size):
        for basin in (own[kept[i]], other[kept[i]]):
            starts[basin] -= 1
            edges_of[starts[basin]] = kept[i]
    queue[0] = 0
    first, last = 0, 1
    while first < last:
        basin = queue[first]
        first += 1
        for i in range(starts[basin], starts[basin + 1]):
            edge = edges_of[i]
            slot = edge_slots[edge]
            if slot == PIT:  # the edge by which this basin was reached
                continue
            cell = np.int64(edge_cells[edge])
            edge_slots[edge] = PIT
            if own[edge] == basin:
                reached = other[edge]
                _turn(steps, away, cell + away[slot], 7 - slot)
            else:
                reached = own[edge]
                _turn(steps, away, cell, slot)
            level[reached] = max(level[basin], edge_keys[edge])
            queue[last] = reached
            last += 1


@kernel
def raise_to_level(keys, labels, level, nodata):
    """Fill every basin to its level, in place."""
    for i in range(1, keys.shape[0] - 1):
        row, basin = keys[i], labels[i]
        for j in range(1, row.size - 1):
            key = row[j]
            row[j] = max(key, level[basin[j]]) if key != nodata else key
