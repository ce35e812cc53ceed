"""Labels of land in levels: those of one level, bit for bit, and of walking from every cell to its mark, whatever the tiles and the blocks."""

from functools import cache

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.core import tile_graph
from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Layout, Place
from rusle_engine.core.scratch import use_scratch
from rusle_engine.terrain import labels
from rusle_engine.terrain.watersheds import basins, catchments, sub_basins
from tests.terrain.levels import solved_in_levels
from tests.terrain.oracles import SURFACES, cuts, fractal, receiver, tree_and_steepest, with_holes

LEVELS = [[(1, 1)], [(2, 3)], [(3, 2), (2, 2)], [(1, 4), (5, 1), (2, 2)], [(100, 100)], [(2, 2), (2, 2), (2, 2), (2, 2)]]
BLOCKS = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=3)
WAYS = np.array([2, 4, 8, 0, 255, 1, 16], np.uint8)


def labelled_by_walking(codes, marks):
    """Number the marks in row-major order; every cell takes the first on its way, 0 where there is none; None where a way never ends."""
    numbers = {(int(i), int(j)): k + 1 for k, (i, j) in enumerate(zip(*np.nonzero(marks)))}
    found = np.zeros(codes.shape, np.int32)
    for cell in zip(*np.nonzero(codes != 255)):
        here, steps = cell, 0
        while here is not None and here not in numbers:
            here, steps = receiver(codes, *here), steps + 1
            if steps > codes.size:
                return None
        found[cell] = numbers.get(here, 0)
    return found


def outlets(codes):
    return np.array([[code != 255 and receiver(codes, i, j) is None for j, code in enumerate(row)] for i, row in enumerate(codes)], bool)


def drawn(rng, codes, share):
    """Marks here and there."""
    return (rng.random(codes.shape) < share) & (codes != 255)


def layout_of(shape, tile):
    return Layout(*[tuple(min(size, length - first) for first in range(0, length, size)) for length, size in zip(shape, tile)])


def framed(values, around, place):
    padded = np.pad(values, 1, constant_values=around)
    return np.ascontiguousarray(padded[place.row : place.row + place.height + 2, place.column : place.column + place.width + 2])


def summaries(codes, marks, layout):
    """Records and states of all tiles."""

    def marking(_codes, place):
        return framed(marks.astype(np.uint8), 0, place)

    return zip(*[labels.summarise(framed(codes, 255, place), place, marking=marking, ring=1) for place in layout.places])


def finished(states, answers, layout):
    found = np.empty((sum(layout.heights), sum(layout.widths)), np.int32)
    for state, answer, place in zip(states, answers, layout.places):
        (found[place.rows, place.columns],) = labels.finish(state, answer, place)
    return found


def as_bytes(answers):
    return [(answer.firsts.dtype, answer.firsts.tobytes(), answer.beyond.dtype, answer.beyond.tobytes()) for answer in answers]


@cache
def directions(name):
    return tree_and_steepest(SURFACES[name])


@pytest.mark.parametrize("name", list(SURFACES))
def test_levels_give_the_labels_of_one_level_and_of_walking(name):
    codes = directions(name)
    for marks in (outlets(codes), drawn(np.random.default_rng(5), codes, 0.2)):
        expected = labelled_by_walking(codes, marks)
        for tile in [(1, 1), (3, 4)]:
            layout = layout_of(codes.shape, tile)
            records, states = summaries(codes, marks, layout)
            flat = as_bytes(labels.solve(records, layout))
            for levels in LEVELS:
                answers = solved_in_levels(labels, records, layout, levels)
                assert as_bytes(answers) == flat
            assert np.array_equal(finished(states, answers, layout), expected)


@given(
    data=st.data(),
    rows=st.integers(1, 50),
    columns=st.integers(1, 50),
    seed=st.integers(0, 2**32 - 1),
    holes=st.sampled_from([0.0, 0.02, 0.3]),
    share=st.sampled_from([None, 0.0, 0.01, 0.3, 1.0]),
    levels=BLOCKS,
)
@settings(max_examples=40, deadline=None)
def test_random_terrain_on_any_tiles_in_any_blocks(data, rows, columns, seed, holes, share, levels):
    rng = np.random.default_rng(seed)
    heights = rng.random((rows, columns)) if rows * columns == 1 else fractal(rng, rows, columns)
    codes = tree_and_steepest(with_holes(rng, heights, holes))
    marks = outlets(codes) if share is None else drawn(rng, codes, share)
    layout = Layout(cuts(data.draw, rows), cuts(data.draw, columns))
    records, states = summaries(codes, marks, layout)
    answers = solved_in_levels(labels, records, layout, levels)
    assert as_bytes(answers) == as_bytes(labels.solve(records, layout))
    assert np.array_equal(finished(states, answers, layout), labelled_by_walking(codes, marks))


@given(data=st.data(), rows=st.integers(1, 40), columns=st.integers(1, 40), seed=st.integers(0, 2**32 - 1), levels=BLOCKS)
@settings(max_examples=40, deadline=None)
def test_any_codes_in_any_blocks_are_labelled_or_refused(data, rows, columns, seed, levels):
    """Codes drawn at random lead off the grid, into holes, and often round in circles: inside a block, or through several."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(WAYS, (rows, columns), p=[0.3, 0.3, 0.2, 0.04, 0.04, 0.11, 0.01])
    marks = drawn(rng, codes, 0.02)
    layout = Layout(cuts(data.draw, rows), cuts(data.draw, columns))
    expected = labelled_by_walking(codes, marks)

    def found(blocks):
        records, states = summaries(codes, marks, layout)
        return finished(states, solved_in_levels(labels, records, layout, blocks), layout)

    for blocks in ([], levels):
        if expected is None:
            with pytest.raises(InputError, match=r"^d8 \(flow direction\) leads round in circles: [1-9]"):
                found(blocks)
        else:
            assert np.array_equal(found(blocks), expected)


def ring(size, corner=0):
    """A circle along the edge of a square, clockwise, and in the square all leads to it; the raster has 8 × 8 cells."""
    codes = np.zeros((8, 8), np.uint8)
    square = codes[corner : corner + size, corner : corner + size]
    square[...] = 64
    square[0], square[:, -1], square[-1], square[1:, 0] = 1, 4, 16, 64
    return codes


@pytest.mark.parametrize(
    ("size", "corner", "levels", "stuck"),
    [
        (8, 0, [], 64),
        (2, 3, [], 4),
        (8, 0, [(8, 1)], 14),  # those from column to column
        (8, 0, [(4, 4)], 4 + 6),  # the circle's, and those that come from below
        (8, 0, [(2, 2), (2, 2)], 4 + 6),
        (8, 0, [(1, 8), (2, 1)], 6 + 18),
        (4, 0, [(4, 4), (2, 2)], 16),  # inside a block
        (4, 0, [(2, 2), (2, 2)], 4 + 2),  # inside a block of blocks
        (4, 2, [(2, 2), (2, 2)], 4 + 2),  # where all come together
        (2, 3, [(2, 2), (2, 2)], 4),
    ],
)
def test_a_circle_is_refused_at_the_level_that_closes_it(size, corner, levels, stuck):
    layout = layout_of((8, 8), (1, 1))
    records, _ = summaries(ring(size, corner), np.zeros((8, 8)), layout)
    message = rf"^d8 \(flow direction\) leads round in circles: {stuck} steps from tile to tile never end\. Compute it by flow_direction\.$"
    with pytest.raises(InputError, match=message):
        solved_in_levels(labels, records, layout, levels)


def test_a_circle_with_a_mark_on_it_ends_there():
    marks = np.zeros((8, 8))
    marks[0, 3] = 1
    layout = layout_of((8, 8), (1, 1))
    records, states = summaries(ring(8), marks, layout)
    assert (finished(states, solved_in_levels(labels, records, layout, [(2, 2), (2, 2)]), layout) == 1).all()


def test_a_circle_inside_one_tile_counts_its_cells():
    codes = np.array([[1, 4, 0], [64, 16, 16]], np.uint8)
    with pytest.raises(InputError, match="leads round in circles: 5 cells drain into each other"):
        basins(codes)


@pytest.mark.parametrize(("block", "on_disk"), [(2, False), (3, False), (2, True)])
def test_public_functions_in_levels(tmp_path, monkeypatch, block, on_disk):
    rng = np.random.default_rng(17)
    codes = tree_and_steepest(with_holes(rng, fractal(rng, 13, 17), 0.03))
    d8 = xr.DataArray(codes, dims=("y", "x"), coords={"y": np.arange(13.0, 0.0, -1.0), "x": np.arange(17.0)})
    cells = list(zip(*np.nonzero(codes != 255)))[::20]
    points = [(float(d8.x[j]), float(d8.y[i])) for i, j in cells[::-1]]
    marks = np.zeros(codes.shape, bool)
    marks[tuple(zip(*cells))] = True
    numbers = np.concatenate([[0], np.arange(len(cells), 0, -1)])
    eager = sub_basins(codes, min_cells=6).values
    monkeypatch.setattr(tile_graph, "BLOCK", block)
    monkeypatch.setattr(tile_graph, "memory_budget", lambda: 1000 if on_disk else 10**9)
    with use_scratch(tmp_path), dask.config.set(scheduler="synchronous"):
        for tile in [(1, 1), (2, 3)]:
            chunked = d8.chunk(y=tile[0], x=tile[1])
            assert np.array_equal(basins(chunked).values, labelled_by_walking(codes, outlets(codes)))
            assert np.array_equal(catchments(chunked, points).values, numbers[labelled_by_walking(codes, marks)])
            assert np.array_equal(sub_basins(chunked, min_cells=6).values, eager)


@given(data=st.data(), rows=st.integers(1, 12), columns=st.integers(1, 12), levels=BLOCKS)
@settings(max_examples=20, deadline=None)
def test_where_every_cell_is_a_mark_labels_count_the_cells(data, rows, columns, levels):
    codes = np.zeros((rows, columns), np.uint8)
    layout = Layout(cuts(data.draw, rows), cuts(data.draw, columns))
    records, states = summaries(codes, outlets(codes), layout)
    found = finished(states, solved_in_levels(labels, records, layout, levels), layout)
    assert np.array_equal(found, np.arange(1, rows * columns + 1).reshape(rows, columns))


def test_a_chunk_is_worked_on_in_tiles_of_the_processor_s_size(monkeypatch):
    rng = np.random.default_rng(3)
    codes = tree_and_steepest(with_holes(rng, fractal(rng, 24, 29), 0.03))
    expected = sub_basins(codes, min_cells=6).values
    monkeypatch.setattr(labels, "TILE_SIZE", 5)
    chunked = xr.DataArray(codes, dims=("y", "x")).chunk(y=11, x=17)
    with dask.config.set(scheduler="threads"):
        assert np.array_equal(sub_basins(chunked, min_cells=6).values, expected)
        assert np.array_equal(sub_basins(codes, min_cells=6).values, expected)


def two_rows_of_tiles(many):
    """A tile of one cell above a tile of two, whose first cell drains to the second, its mark; the upper one is told to have ``many`` marks."""
    codes, marks = np.array([[4], [4], [0]], np.uint8), np.array([[0], [0], [1]])
    layout = Layout((1, 2), (1,))
    (upper, lower), states = summaries(codes, marks, layout)
    return [labels.Ways(np.array([many], np.int32), upper.leaving, upper.slots, upper.onward), lower], states, layout


def test_the_last_label_of_32_bits():
    records, states, layout = two_rows_of_tiles(2**31 - 2)
    answers = labels.solve(records, layout)
    assert answers[0].beyond.tolist() == [2**31 - 1]
    assert labels.finish(states[1], answers[1], layout.places[1])[0].tolist() == [[2**31 - 1], [2**31 - 1]]


def test_more_marks_than_labels_are_refused_where_all_are_known():
    records, _, layout = two_rows_of_tiles(2**31 - 1)
    block, _ = labels.merge(records, layout, Place(0, 0, 3, 1, 9))  # part of a raster: it may not be told how many there are in all
    assert block.onward.tolist() == [2**31] * 3
    with pytest.raises(InputError, match=r"2,147,483,648 pieces.*at most 2,147,483,647 can be labelled in 32 bits.*Raise min_cells"):
        labels.solve(records, layout)


def test_the_guard_counts_all_rows():
    assert labels.labels_of_the_raster(np.full(3, (2**31 - 1) // 3, np.int32)).firsts.tolist() == [1, 715827883, 1431655765]
    with pytest.raises(InputError, match="6,000,000,000 pieces"):
        labels.labels_of_the_raster(np.full(3, 2_000_000_000, np.int32))
