"""The drainage tree: the unique minimum spanning tree of the grid, rooted outside, by way of a small graph of basins.

Cells are ordered by (height, row-major index); no two are equal. An edge joins two neighbours and weighs (its higher cell, its lower
cell). Nodata and the space beyond the grid are one node below everything. All weights differ, so the spanning tree is one: a cell's
*step* is its parent in the tree, and the greatest height on its way out is the minimal filled surface (tree paths are minimax paths).

The edge from a cell to its lowest neighbour always belongs to the tree, so cells fall into basins by following those pointers, and only
edges between basins are left to choose. A cell can join basins only where its lower neighbours form groups that do not touch: such
*saddles* are the graph's edges, each to the lowest member of the group. Kruskal's algorithm keeps those of the tree; from the outside
inwards each basin then gets its water level, and the pointers between its entrance and its pit are turned round (the "carve" of Cordonnier
et al. 2019, Earth Surface Dynamics 7:549).

A tile decides what it can: the edge to a cell's lowest neighbour, also across its border, is in the tree; so is the lightest edge that leaves
a group of basins none of which touches another tile; the heaviest edge of a circle is not. Basins that do touch are *terminals*, joined by
links and by edges across borders in one graph of all tiles (basin_graph.py). A whole raster is a tile that touches no other.

Rasters are padded (a tile's ring holds its neighbours' cells, nodata beyond the grid) and hold order-preserving keys (see fill.py).
Labels, cells and edges are integers of one width chosen by the caller.
"""

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.borders import perimeter_cell, perimeter_size
from rusle_kernels.neighbours import ELSEWHERE, GROUP_COUNT, GROUP_OF, NEXT_TILE, NODATA_STEP, OUTSIDE, PIT, STOP, offsets


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
def mark_stops(stops, step):
    """STOP where ``stops`` (padded) holds 1: an outlet at its own height, by an edge of the tree to the outside."""
    for i in range(1, step.shape[0] - 1):
        here, way = stops[i], step[i]
        for j in range(1, here.size - 1):
            way[j] = STOP if here[j] == 1 and way[j] != NODATA_STEP else way[j]


@kernel
def mark_other_tiles(keys, nodata, step):
    """Where the ring holds cells of other tiles: their step is ELSEWHERE, and NEXT_TILE that of cells whose lowest neighbour is such."""
    height, width = keys.shape[0] - 2, keys.shape[1] - 2
    away = offsets(width + 2)
    for i in range(height + 2):
        for j in range(0, width + 2, 1 if i == 0 or i == height + 1 else width + 1):
            step[i, j] = ELSEWHERE if keys[i, j] != nodata else NODATA_STEP
    steps = step.reshape(-1)
    for i in range(1, height + 1):
        for j in range(1, width + 1, 1 if i == 1 or i == height or width == 1 else width - 1):
            cell = i * (width + 2) + j
            if steps[cell] < OUTSIDE and steps[cell + away[steps[cell]]] == ELSEWHERE:
                steps[cell] = NEXT_TILE


@kernel
def basin_labels(step, labels):
    """Number the basins from 1 by their roots (PIT or NEXT_TILE); 0 is what drains outside, and nodata; −2 ELSEWHERE. Returns how many + 1.

    By pointer jumping: cells point further and further down until all point to roots; no branch depends on the terrain.
    """
    lead = np.zeros(256, np.int64)
    lead[:8] = offsets(step.shape[1])
    steps, pointer = step.reshape(-1), labels.reshape(-1)
    for cell in range(steps.size):
        pointer[cell] = cell + lead[steps[cell]]
    moved = True
    while moved:
        for cell in range(steps.size):
            pointer[cell] = pointer[np.uint64(pointer[np.uint64(cell)])]  # unsigned: no check for indices from the end
        for cell in range(steps.size - 1, -1, -1):
            pointer[cell] = pointer[np.uint64(pointer[np.uint64(cell)])]
        different = np.int64(0)
        for cell in range(steps.size):
            different |= pointer[np.uint64(pointer[np.uint64(cell)])] ^ pointer[np.uint64(cell)]
        moved = different != 0
    count = 1
    for cell in range(steps.size):  # labels below zero, so that they are not taken for pointers: label n is −3 − n
        if steps[cell] >= OUTSIDE:
            if steps[cell] == PIT or steps[cell] == NEXT_TILE:
                pointer[cell] = -3 - count
                count += 1
            else:
                pointer[cell] = -1 if steps[cell] == ELSEWHERE else -3
    for cell in range(steps.size):
        below = pointer[cell]
        pointer[cell] = pointer[np.uint64(below)] if below >= 0 else below
    for cell in range(steps.size):
        pointer[cell] = -3 - pointer[cell]
    return count


@kernel
def number_terminals(step, labels, terminal):
    """Number, from 1 along the perimeter, the basins with a cell beside another tile; 0 is the outside, −1 the others. Returns how many + 1."""
    height, width = step.shape[0] - 2, step.shape[1] - 2
    terminal[:] = -1
    terminal[0] = 0
    count = 1
    for place in range(perimeter_size(height, width)):
        i, j = perimeter_cell(place, height, width)
        label = labels[i + 1, j + 1]
        if step[i + 1, j + 1] == NODATA_STEP or terminal[label] >= 0:
            continue
        for row in range(i, i + 3):
            for column in range(j, j + 3):
                if step[row, column] == ELSEWHERE and terminal[label] < 0:
                    terminal[label] = count
                    count += 1
    return count


@kernel
def count_saddles(lower, step):
    """An upper bound of the number of edges between basins."""
    count = 0
    for i in range(1, lower.shape[0] - 1):
        members, way = lower[i], step[i]
        for j in range(1, members.size - 1):
            groups = np.int64(GROUP_COUNT[members[j]])
            count += groups - 1 if groups > 1 and way[j] != NODATA_STEP else 0
            count += 1 if way[j] == NEXT_TILE or way[j] == STOP else 0
    return count


@kernel
def saddle_edges(keys, lower, step, labels, edge_keys, edge_cells, edge_slots, own, other):
    """The edges between basins, by cell and then by lower end: from each saddle cell to the lowest member of each further group.

    From a cell whose lowest neighbour lies in another tile, also the edge to that one; from a cell where water stops, to every group.
    ``edge_keys`` is the height of the cell,
    ``edge_slots`` the neighbour it leads to, ``own`` and ``other`` the two basins, −2 where the edge leads to another tile. Returns how many.
    """
    width = keys.shape[1]
    away = offsets(width)
    flat, steps, sets, basin = keys.reshape(-1), step.reshape(-1), lower.reshape(-1), labels.reshape(-1)
    count = 0
    for i in range(1, keys.shape[0] - 1):
        for cell in range(i * width + 1, i * width + width - 1):
            groups = GROUP_COUNT[sets[cell]]
            if (groups < 2 and steps[cell] != NEXT_TILE and steps[cell] != STOP) or steps[cell] == NODATA_STEP:
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


@kernel
def spanning_forest(order, edge_keys, own, other, parent, following, last, terminal, floor, role):
    """Kruskal inside a tile, as far as a tile can know.

    A part without a terminal is joined by its lightest edge, which is surely in the tree: its basins take the ``terminal`` of the basin
    across and the edge's height as ``floor``. An edge between two parts with terminals may be in the tree or not: it is a *link* for
    others to choose. ``role`` of each edge := 0 dropped, 1 kept, 2 link, 3 leads to another tile. ``parent``, ``following`` and ``last``
    are working space; ``floor`` holds the lowest key.
    """
    for basin in range(parent.size):
        parent[basin] = basin
        following[basin] = -1
        last[basin] = basin
    for i in range(order.size):
        edge = order[i]
        role[edge] = 0
        if other[edge] < 0:
            role[edge] = 3
            continue
        a, b = _root(parent, own[edge]), _root(parent, other[edge])
        if a == b:
            continue
        role[edge] = 1
        if terminal[a] < 0 and terminal[b] < 0:
            parent[a] = b
            following[last[b]] = a
            last[b] = last[a]
        elif terminal[a] >= 0 and terminal[b] >= 0:
            role[edge] = 2
            parent[a] = b
        else:
            across = terminal[own[edge]] if terminal[a] >= 0 else terminal[other[edge]]
            basin = b if terminal[a] >= 0 else a
            parent[basin] = a if terminal[a] >= 0 else b
            while basin >= 0:
                terminal[basin] = across
                floor[basin] = edge_keys[edge]
                basin = following[basin]


@kernel
def raise_to_floor(keys, labels, terminal, floor, nodata, nodes):
    """Fill every basin to its floor, in place; ``nodes`` (h, w) := the terminal through which each cell drains."""
    for i in range(nodes.shape[0]):
        row, basin, node = keys[i + 1], labels[i + 1], nodes[i]
        for j in range(node.size):
            key = row[j + 1]
            row[j + 1] = max(key, floor[basin[j + 1]]) if key != nodata else key
            node[j] = terminal[basin[j + 1]]


@kernel
def border_nodes(nodes, out):
    """``out`` := the terminals of the perimeter's cells."""
    height, width = nodes.shape
    for place in range(out.size):
        i, j = perimeter_cell(place, height, width)
        out[place] = nodes[i, j]


@kernel
def raise_to_level(keys, nodes, level, ring_level, nodata):
    """Fill every cell to the level of its terminal, in place, and the ring to its own levels (top row, bottom row, left, right column)."""
    height, width = nodes.shape
    for i in range(height):
        row, node = keys[i + 1], nodes[i]
        for j in range(width):
            key = row[j + 1]
            row[j + 1] = max(key, level[node[j]]) if key != nodata else key
    for place in range(ring_level.size):
        i, j = perimeter_cell(place, height + 2, width + 2)
        if keys[i, j] != nodata:
            keys[i, j] = max(keys[i, j], ring_level[place])


@inline
def edges_by_end(kept, own, other, starts, edges_of):
    """List the ``kept`` edges of each node: those of node n are ``edges_of[starts[n] : starts[n + 1]]``."""
    starts[:] = 0
    for i in range(kept.size):
        starts[own[kept[i]]] += 1
        starts[other[kept[i]]] += 1
    for node in range(1, starts.size):
        starts[node] += starts[node - 1]
    for i in range(kept.size):
        starts[own[kept[i]]] -= 1
        edges_of[starts[own[kept[i]]]] = kept[i]
        starts[other[kept[i]]] -= 1
        edges_of[starts[other[kept[i]]]] = kept[i]


@inline
def _turn(steps, away, cell, way_out):
    """Let ``cell`` leave by ``way_out`` and turn round the pointers from it to its root."""
    while True:
        old = steps[cell]
        steps[cell] = way_out
        if old >= OUTSIDE:
            break
        cell += away[old]
        way_out = 7 - old


@kernel
def drain_basins(step, kept, cells, slots, own, other, exit_basins, exit_cells, exit_slots, starts, edges_of, queue, used):
    """Turn ``step`` so that every cell follows the tree: from the outside, and from where the tree leaves the tile, inwards.

    ``kept`` are the tree's edges; a basin in ``exit_basins`` leaves the tile at its exit's cell and slot. ``starts`` (basins + 1),
    ``edges_of`` (twice the edges), ``queue`` (basins) and ``used`` (edges, False) are working space.
    """
    away = offsets(step.shape[1])
    steps = step.reshape(-1)
    edges_by_end(kept, own, other, starts, edges_of)
    queue[0] = 0
    first, last = 0, 1
    for i in range(exit_basins.size):
        _turn(steps, away, np.int64(exit_cells[i]), np.int64(exit_slots[i]))
        queue[last] = exit_basins[i]
        last += 1
    while first < last:
        basin = queue[first]
        first += 1
        for i in range(starts[basin], starts[basin + 1]):
            edge = edges_of[i]
            if used[edge]:  # the edge by which this basin was reached
                continue
            used[edge] = True
            cell, slot = np.int64(cells[edge]), np.int64(slots[edge])
            if own[edge] == basin:
                queue[last] = other[edge]
                _turn(steps, away, cell + away[slot], 7 - slot)
            else:
                queue[last] = own[edge]
                _turn(steps, away, cell, slot)
            last += 1
    return last
