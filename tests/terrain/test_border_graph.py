"""The graph over tile borders in levels: the answers of one level, bit for bit, and of the whole raster, whatever the blocks."""

from dataclasses import fields
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core.lift import Layout
from rusle_engine.terrain import border_graph, drainage
from tests.terrain.levels import solved_in_levels
from tests.terrain.oracles import SURFACES, cuts, filled_by_heap, fractal, receiver, tree_and_steepest, with_holes

LEVELS = [[(1, 1)], [(2, 3)], [(3, 2), (2, 2)], [(1, 4), (5, 1), (2, 2)], [(100, 100)], [(2, 2), (2, 2), (2, 2), (2, 2)]]
BLOCKS = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=3)


def summaries(heights, layout):
    framed = np.pad(heights, 1, constant_values=np.nan)
    seen = [framed[place.row : place.row + place.height + 2, place.column : place.column + place.width + 2] for place in layout.places]
    return zip(*[drainage.summarise(np.ascontiguousarray(tile), place) for tile, place in zip(seen, layout.places)])


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
    assert drained_by_countdown(codes) == np.count_nonzero(codes != 255)


def drained_by_countdown(codes):
    """How many cells are met when each is taken after all that drain into it: all of them, where there is no circle."""
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
    return len(ready)
