"""The graph over tile borders in levels: the answers of one level, bit for bit, and of the whole raster, whatever the blocks."""

from dataclasses import fields
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Layout
from rusle_engine.factors import path_length
from rusle_engine.terrain import accumulation, border_graph, crossings, drainage
from tests.terrain.levels import solved_in_levels
from tests.terrain.oracles import SURFACES, counted_by_walking, cuts, filled_by_heap, fractal, receiver, tree_and_steepest, with_holes

LEVELS = [[(1, 1)], [(2, 3)], [(3, 2), (2, 2)], [(1, 4), (5, 1), (2, 2)], [(100, 100)], [(2, 2), (2, 2), (2, 2), (2, 2)]]
BLOCKS = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=3)


def tiles_with_ring(values, layout, around):
    framed = np.pad(values, 1, constant_values=around)
    seen = [framed[place.row : place.row + place.height + 2, place.column : place.column + place.width + 2] for place in layout.places]
    return [np.ascontiguousarray(tile) for tile in seen]


def summaries(heights, layout):
    return zip(*[drainage.summarise(tile, place) for tile, place in zip(tiles_with_ring(heights, layout, np.nan), layout.places)])


def flattened(value):
    """All arrays of an answer, as bytes."""
    return [getattr(value, field.name).tobytes() for field in fields(value)]


def finished(states, answers, layout):
    """Directions and the filled surface of all tiles together."""
    height, width = sum(layout.heights), sum(layout.widths)
    codes, filled = np.empty((height, width), np.uint8), np.empty((height, width))
    nearness = np.repeat([[1.0], [1.0], [np.sqrt(0.5)]], height, axis=1)
    for state, answer, place in zip(states, answers, layout.places):
        codes[place.rows, place.columns], filled[place.rows, place.columns] = drainage.finish(state, answer, place, nearness=nearness, with_fill=True)
    return codes, filled


@cache
def plain_answers(name):
    return tree_and_steepest(SURFACES[name]), filled_by_heap(SURFACES[name])


@pytest.mark.parametrize("name", list(SURFACES))
def test_levels_give_the_answers_of_one_level_and_of_all_cells(name):
    heights = SURFACES[name]
    codes, filled = plain_answers(name)
    for tile in [(1, 1), (3, 4)]:
        layout = Layout(*[tuple(min(size, n - first) for first in range(0, n, size)) for n, size in zip(heights.shape, tile)])
        records, states = summaries(heights, layout)
        flat = border_graph.solve(records, layout)
        for levels in LEVELS:
            answers = solved_in_levels(border_graph, records, layout, levels)
            assert [flattened(answer) for answer in answers] == [flattened(answer) for answer in flat]
        got = finished(states, answers, layout)
        assert np.array_equal(got[0], codes)
        assert np.array_equal(got[1], filled, equal_nan=True)


@given(
    data=st.data(),
    rows=st.integers(1, 50),
    columns=st.integers(1, 50),
    seed=st.integers(0, 2**32 - 1),
    steps=st.sampled_from([None, 0, 1, 4, 30]),
    holes=st.sampled_from([0.0, 0.02, 0.3]),
    rough=st.booleans(),
    levels=BLOCKS,
)
@settings(max_examples=60, deadline=None)
def test_random_terrain_on_any_tiles_in_any_blocks(data, rows, columns, seed, steps, holes, rough, levels):
    rng = np.random.default_rng(seed)
    heights = rng.random((rows, columns)) if rough or rows * columns == 1 else fractal(rng, rows, columns)
    heights = with_holes(rng, heights if steps is None else np.round(heights * steps), holes)
    layout = Layout(cuts(data.draw, rows), cuts(data.draw, columns))
    records, states = summaries(heights, layout)
    answers = solved_in_levels(border_graph, records, layout, levels)
    assert [flattened(answer) for answer in answers] == [flattened(answer) for answer in border_graph.solve(records, layout)]
    whole = Layout((rows,), (columns,))
    one_record, one_state = summaries(heights, whole)
    expected = finished(one_state, border_graph.solve(one_record, whole), whole)
    codes, filled = finished(states, answers, layout)
    assert codes.tobytes() == expected[0].tobytes()
    assert filled.tobytes() == expected[1].tobytes()
    assert len(from_above_downwards(codes)) == np.count_nonzero(codes != 255)


def from_above_downwards(codes):
    """The cells, each after all that drain into it; those on or below a circle never come."""
    below = {(i, j): receiver(codes, i, j) for i, j in zip(*np.nonzero(codes != 255))}
    waiting = dict.fromkeys(below, 0)
    for cell in below.values():
        if cell is not None:
            waiting[cell] += 1
    ready = [cell for cell, inflows in waiting.items() if inflows == 0]
    for cell in ready:
        if below[cell] is not None:
            waiting[below[cell]] -= 1
            if waiting[below[cell]] == 0:
                ready.append(below[cell])
    return ready


def layout_of(shape, tile):
    return Layout(*[tuple(min(size, length - first) for first in range(0, length, size)) for length, size in zip(shape, tile)])


def counts(codes, layout):
    """Records and states of tiles that count the cells upslope."""
    amounts = np.ones(codes.shape[0], np.int64)
    tiles = zip(tiles_with_ring(codes, layout, 255), layout.places)
    return zip(*[accumulation.summarise_rows(tile, place, amounts=amounts, scale=1.0) for tile, place in tiles])


def counted(states, inflows, layout):
    total = np.empty((sum(layout.heights), sum(layout.widths)))
    for state, inflow, place in zip(states, inflows, layout.places):
        (total[place.rows, place.columns],) = accumulation.finish(state, inflow, place, own=None)
    return total


@pytest.mark.parametrize("name", list(SURFACES))
def test_sums_in_levels_are_those_of_walking_every_path(name):
    codes = plain_answers(name)[0]
    expected = counted_by_walking(codes)
    for tile in [(1, 1), (3, 4)]:
        layout = layout_of(codes.shape, tile)
        records, states = counts(codes, layout)
        flat = [inflow.tobytes() for inflow in crossings.solve(records, layout)]
        for levels in LEVELS:
            inflows = solved_in_levels(crossings, records, layout, levels)
            assert [inflow.tobytes() for inflow in inflows] == flat
        assert np.array_equal(counted(states, inflows, layout), expected, equal_nan=True)


@given(data=st.data(), rows=st.integers(1, 40), columns=st.integers(1, 40), seed=st.integers(0, 2**32 - 1), levels=BLOCKS)
@settings(max_examples=40, deadline=None)
def test_any_codes_in_any_blocks_are_added_up_or_refused(data, rows, columns, seed, levels):
    """Codes drawn at random lead off the grid, into holes, and often round in circles: inside a block, or through several."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(np.array([2, 4, 8, 0, 255, 1, 16], np.uint8), (rows, columns), p=[0.3, 0.3, 0.2, 0.04, 0.04, 0.11, 0.01])
    layout = Layout(cuts(data.draw, rows), cuts(data.draw, columns))
    try:
        records, states = counts(codes, layout)
    except InputError:  # a circle inside one tile
        return
    if len(from_above_downwards(codes)) < np.count_nonzero(codes != 255):
        for solution in (lambda: crossings.solve(records, layout), lambda: solved_in_levels(crossings, records, layout, levels)):
            with pytest.raises(InputError, match="leads round in circles"):
                solution()
        return
    inflows, flat = solved_in_levels(crossings, records, layout, levels), crossings.solve(records, layout)
    assert [inflow.tobytes() for inflow in inflows] == [inflow.tobytes() for inflow in flat]
    assert np.array_equal(counted(states, inflows, layout), counted_by_walking(codes), equal_nan=True)


@given(data=st.data(), rows=st.integers(1, 40), columns=st.integers(1, 40), seed=st.integers(0, 2**32 - 1), levels=BLOCKS)
@settings(max_examples=40, deadline=None)
def test_longest_paths_in_any_blocks(data, rows, columns, seed, levels):
    """Cells 2 long sideways, 3 lengthways, 4 across and 5 without direction, half where a path begins."""
    rng = np.random.default_rng(seed)
    codes = tree_and_steepest(with_holes(rng, rng.random((rows, columns)), 0.1))
    layout = Layout(cuts(data.draw, rows), cuts(data.draw, columns))
    rules = path_length.Rules(np.repeat([[2.0], [3.0], [4.0], [5.0]], rows, axis=1), keep_gentle=0.0, keep_steep=0.0)
    rasters = zip(*[tiles_with_ring(values, layout, around) for values, around in ((codes, 255), (np.ones(codes.shape), np.nan), (0 * codes, 0))])
    records, states = zip(*[path_length.summarise(*tiles, place, rules=rules) for tiles, place in zip(rasters, layout.places)])
    inflows = solved_in_levels(crossings, records, layout, levels)
    assert [inflow.tobytes() for inflow in inflows] == [inflow.tobytes() for inflow in crossings.solve(records, layout)]
    start, end = np.empty(codes.shape), np.empty(codes.shape)
    for state, inflow, place in zip(states, inflows, layout.places):
        start[place.rows, place.columns], end[place.rows, place.columns] = path_length.finish(state, inflow, place)
    arriving, leaving = longest_by_walking(codes)
    assert np.array_equal(start, arriving, equal_nan=True)
    assert np.array_equal(end, leaving, equal_nan=True)


def longest_by_walking(codes):
    """The longest path that arrives at each cell and that leaves it, cell by cell from above downwards."""
    length = {1: 2.0, 16: 2.0, 4: 3.0, 64: 3.0, 2: 4.0, 8: 4.0, 32: 4.0, 128: 4.0, 0: 5.0}
    fed = {receiver(codes, i, j) for i, j in zip(*np.nonzero(codes != 255))}
    arriving = np.where(codes == 255, np.nan, 0.0)
    leaving = arriving.copy()
    for i, j in from_above_downwards(codes):
        leaving[i, j] = arriving[i, j] + length[codes[i, j]] * (1.0 if (i, j) in fed else 0.5)
        below = receiver(codes, i, j)
        if below is not None:
            arriving[below] = max(arriving[below], leaving[i, j])
    return arriving, leaving


FAR = 320_000
"""Rows, and columns, before the corner in which all data of a raster of 10¹¹ cells lie: its cells are not counted in 32 bits."""


def cornered(values, far, sizes, around, summarise, nothing):
    """Records and states of tiles of ``sizes`` along both sides in the far corner of a raster, all else ``nothing``; and the layout."""
    layout = Layout(((far,) if far else ()) + sizes, ((far,) if far else ()) + sizes)
    inner = Layout(sizes, sizes)
    tiles = iter(tiles_with_ring(values, inner, around))
    records, states = [], []
    for place in layout.places:
        if place.row < far or place.column < far:
            records.append(nothing(2 * (place.height + place.width) - 4))
            continue
        record, state = summarise(next(tiles), place)
        records.append(record)
        states.append((state, place))
    return records, states, layout


@pytest.mark.parametrize("levels", [[], [(2, 2)], [(1, 3), (3, 2)]])
def test_the_tree_at_the_far_corner_of_a_hundred_thousand_million_cells(levels):
    rng = np.random.default_rng(11)
    heights = with_holes(rng, np.round(fractal(rng, 24, 24) * 3), 0.03).astype(np.float32)

    def nothing(around):
        nobody = border_graph.TileEdges(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.uint8), *np.empty((2, 0), np.int32))
        return border_graph.TileRecord(1, np.zeros(around, np.int32), nobody)

    def steps(far, levels):
        records, states, layout = cornered(heights, far, (5, 12, 7), np.nan, drainage.summarise, nothing)
        answers = solved_in_levels(border_graph, records, layout, levels)
        data = [answer for answer, place in zip(answers, layout.places) if place.row >= far and place.column >= far]
        return [drainage.drained_steps(state, answer, place).tolist() for (state, place), answer in zip(states, data)]

    assert (FAR + 24) ** 2 > 10**11
    assert steps(FAR, levels) == steps(0, [])


@pytest.mark.parametrize("levels", [[], [(2, 2)], [(1, 3), (3, 2)]])
def test_sums_at_the_far_corner_of_a_hundred_thousand_million_cells(levels):
    codes = np.full((24, 24), 1, np.uint8)  # a serpentine; each of its cells carries 10¹² of something
    codes[1::2] = 16
    codes[0::2, -1] = codes[1::2, 0] = 4
    codes[-1, 0] = 0

    def nothing(around):
        return crossings.Crossings(np.empty(0, np.int32), np.empty(0, np.uint8), np.empty(0, np.int64), np.full(around, -1, np.int32))

    def summarise(tile, place):
        return accumulation.summarise_rows(tile, place, amounts=np.broadcast_to(np.int64(10**12), (FAR + 24,)), scale=1.0)

    records, states, layout = cornered(codes, FAR, (5, 12, 7), 255, summarise, nothing)
    inflows = solved_in_levels(crossings, records, layout, levels)
    data = [inflow for inflow, place in zip(inflows, layout.places) if place.row >= FAR and place.column >= FAR]
    total = np.empty((24, 24))
    for (state, place), inflow in zip(states, data):
        rows, columns = slice(place.row - FAR, place.row - FAR + place.height), slice(place.column - FAR, place.column - FAR + place.width)
        (total[rows, columns],) = accumulation.finish(state, inflow, place, own=None)
    order = np.arange(1, 577).reshape(24, 24)
    order[1::2] = order[1::2, ::-1]
    assert np.array_equal(total, order * 1e12)
