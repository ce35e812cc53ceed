"""The graphs over tile borders at the size of a nation: bytes and seconds of each level, for filling with directions, accumulation and labels.

    python benchmarks/borders.py

The raster has N × N tiles (``--tiles``, 156: with tiles of 2048 × 2048 it has 1.02 · 10¹¹ cells). Its surface repeats a noisy fractal of two by
two tiles under a tilt, in whole millimetres, so that every tile is one of sixteen moved: at a corner, at an edge or inside. Those are
summarised in truth, their records moved to where the tiles lie, and merged in blocks as a run would (``--block``). Of blocks that are the same
but for their place one is merged; all levels above are merged whole. Going down, the same blocks are spread, and a few others, and answers to
tiles compared with those of a raster of four by four tiles solved in one level: they must be equal, moved. Labels are held against counting
all marks row by row, and against walking from tile to tile. Seconds are CPU time.
"""

import argparse
import resource
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property, partial
from itertools import product
from typing import Any

import numpy as np
from terrain import fractal_patch

from rusle_engine.core.lift import Layout, Place
from rusle_engine.core.tile_graph import BLOCK
from rusle_engine.terrain import accumulation, border_graph, crossings, drainage, labels, watersheds
from rusle_engine.terrain.flow import flow_accumulation
from rusle_kernels.borders import perimeter_cell, perimeter_place

Array = np.ndarray[Any, Any]

PERIOD = 2
"""Tiles after which the surface repeats itself, along each side."""
SMALL = 4
"""Tiles along a side of the small raster: two that lie at edges, and as many inside as the surface's period."""
MIN_CELLS = 1000
"""How many cells make a stream where pieces between confluences are labelled."""
WALKS = 10
"""How many crossings of a tile are followed from tile to tile."""
TILT_MM = 400, 150
"""How much the surface rises from row to row and from column to column."""


@dataclass(frozen=True)
class Millimetres:
    """The order of heights in whole millimetres: they are their own keys, and a tilt moves them alike everywhere."""

    nodata = np.int32(np.iinfo(np.int32).min)
    ring = 1

    def keys(self, heights: Array, _place: Place) -> Array:
        return heights.copy()

    def heights(self, keys: Array, empty: float) -> Array:
        return np.where(keys == self.nodata, np.float32(empty), keys.astype(np.float32))


def size_of(value: Any) -> int:
    """Bytes of the arrays in a record, state or answer."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if is_dataclass(value):
        return sum(size_of(getattr(value, field.name)) for field in fields(value))
    return sum(size_of(part) for part in value) if isinstance(value, list | tuple) else 0


class Drainage:
    """Filling and directions: records and answers move with their cells and heights."""

    name = "filling and directions"
    graph: Any = border_graph

    def moved_record(self, record: Any, old: Place, new: Place) -> Any:
        edges = record.edges
        return replace(record, edges=replace(edges, keys=edges.keys + _rise(old, new), cells=_moved_cells(edges.cells, old, new)))

    def moved_answer(self, answer: Any, old: Place, new: Place) -> Any:
        levels = {part: _raised(getattr(answer, part), _rise(old, new)) for part in ("level", "ring_level")}
        inside = answer.exit_cells >= 0
        return replace(answer, exit_cells=np.where(inside, _moved_cells(answer.exit_cells, old, new), -1), **levels)

    def counted(self, record: Any) -> str:
        nodes, edges = (record.terminals - 1) / record.border.size, record.edges.keys.size / record.border.size
        return f"{nodes:.2f} nodes and {edges:.2f} edges for each border cell"

    def right(self, expected: Any, _known: Any, _tile: int, answer: Any) -> bool:
        return all(np.array_equal(getattr(expected, field.name), getattr(answer, field.name)) for field in fields(expected))

    def moved_state(self, state: Any, old: Place, new: Place) -> Any:
        edges = replace(state.edges, keys=state.edges.keys + _rise(old, new), cells=_moved_cells(state.edges.cells, old, new))
        return replace(state, place=new, edges=edges)


class Accumulation:
    """Sums of cells: records and answers are the same wherever they lie."""

    name = "accumulation"
    graph: Any = crossings

    def moved_record(self, record: Any, _old: Place, _new: Place) -> Any:
        return record

    def moved_answer(self, answer: Any, _old: Place, _new: Place) -> Any:
        return answer

    def counted(self, record: Any) -> str:
        return f"{record.leaving.size / record.onward.size:.2f} crossings for each border cell"

    def right(self, expected: Any, _known: Any, _tile: int, answer: Any) -> bool:
        """The ways are the same; how much comes along them depends on all that lies above."""
        return np.array_equal(expected > 0, answer > 0)

    def moved_state(self, state: Any, _old: Place, new: Place) -> Any:
        return replace(state, place=new)


class Labelling:
    """Labels: records are the same wherever they lie, for they number their own marks; answers depend on all marks above."""

    graph: Any = labels

    def __init__(self, name: str):
        self.name = name

    def moved_record(self, record: Any, _old: Place, _new: Place) -> Any:
        return record

    def moved_answer(self, answer: Any, _old: Place, _new: Place) -> Any:
        return answer

    def moved_state(self, state: Any, _old: Place, _new: Place) -> Any:
        return state

    def counted(self, record: Any) -> str:
        crossing, marks = record.leaving.size / record.onward.size, record.counts.sum() / record.onward.size
        return f"{crossing:.2f} crossings and {marks:.2f} marks for each border cell"

    def right(self, _expected: Any, known: "Moved", tile: int, answer: Any) -> bool:
        """All first labels by counting, and some of those that crossings lead to by walking."""
        firsts = known.first_labels[:, tile // known.side] + known.marks_to_the_left(tile)
        chosen = np.random.default_rng(tile).integers(0, answer.beyond.size, WALKS if answer.beyond.size else 0)
        return np.array_equal(answer.firsts, firsts) and all(answer.beyond[k] == known.label_by_walking(tile, int(k)) for k in chosen)


def _rise(old: Place, new: Place) -> np.int32:
    """How much higher the surface lies at ``new`` than at ``old``, the place of the same part of the pattern."""
    return np.int32(TILT_MM[0] * (new.row - old.row) + TILT_MM[1] * (new.column - old.column))


def _raised(levels: Array, rise: np.int32) -> Array:
    return np.where(levels == Millimetres.nodata, levels, levels + rise)


def _moved_cells(cells: Array, old: Place, new: Place) -> Array:
    row, column = np.divmod(cells, old.raster_width)
    return (row + new.row - old.row) * new.raster_width + column + new.column - old.column


def small_raster(tile: int) -> tuple[Layout, list[Array]]:
    """The raster of four by four tiles: its layout and its tiles of heights [mm], with a ring."""
    patch = np.rint(fractal_patch(PERIOD * tile) * 1000).astype(np.int32)
    layout = Layout.squares((SMALL * tile, SMALL * tile), tile)
    rows, columns = np.arange(SMALL * tile), np.arange(SMALL * tile)
    padded = np.full((SMALL * tile + 2, SMALL * tile + 2), Millimetres.nodata)
    padded[1:-1, 1:-1] = np.tile(patch, (SMALL // PERIOD, SMALL // PERIOD))
    padded[1:-1, 1:-1] += (TILT_MM[0] * rows[:, np.newaxis] + TILT_MM[1] * columns).astype(np.int32)
    return layout, [padded[place.row : place.row + tile + 2, place.column : place.column + tile + 2].copy() for place in layout.places]


def small_records(layout: Layout, tiles: list[Array]) -> dict[Any, list[Any]]:
    """The records of the small raster's tiles for each graph; all others of directions by the first."""
    order = Millimetres()
    records, states = zip(*[drainage.summarise(tile, place, order=order) for tile, place in zip(tiles, layout.places)])
    height, width = sum(layout.heights), sum(layout.widths)
    codes = np.full((height + 2, width + 2), 255, np.uint8)
    nearness = np.repeat([[1.0], [1.0], [np.sqrt(0.5)]], height, axis=1)
    for state, answer, place in zip(states, border_graph.solve(list(records), layout), layout.places):
        (found,) = drainage.finish(state, answer, place, nearness=nearness, with_fill=False, order=order)
        codes[place.row + 1 : place.row + place.height + 1, place.column + 1 : place.column + place.width + 1] = found
    tile = layout.heights[0]
    for seam in (codes[1:-1, 1:-1], codes[1:-1, 1:-1].T):  # what lies beside inner tiles must go on as the pattern does
        assert np.array_equal(seam[tile - 1, tile:-tile], seam[3 * tile - 1, tile:-tile])
        assert np.array_equal(seam[tile, tile:-tile], seam[3 * tile, tile:-tile])
    ones = np.ones(height, np.int64)
    sums = [accumulation.summarise_rows(_window(codes, place, 1), place, amounts=ones, scale=1.0)[0] for place in layout.places]
    outlets = [labels.summarise(_window(codes, place, 1), place, marking=watersheds.outlets, ring=1)[0] for place in layout.places]
    total = np.pad(flow_accumulation(codes[1:-1, 1:-1]).values, 2, constant_values=np.nan)
    codes, marking = np.pad(codes, 1, constant_values=255), partial(watersheds.link_ends, least=MIN_CELLS)
    both = [(_window(codes, place, 2), _window(total, place, 2), place) for place in layout.places]
    pieces = [labels.summarise(*rasters, marking=marking, ring=2)[0] for rasters in both]
    return {
        Drainage(): list(records),
        Accumulation(): sums,
        Labelling("basins"): outlets,
        Labelling(f"pieces between confluences of streams of {MIN_CELLS} cells"): pieces,
    }


def _window(padded: Array, place: Place, ring: int) -> Array:
    return padded[place.row : place.row + place.height + 2 * ring, place.column : place.column + place.width + 2 * ring].copy()


def kinds(pieces: int, last: int) -> list[int]:
    """For each of ``pieces`` along a side the one that stands for it: the first, one inside for each place in the period, the last."""
    return [0 if k == 0 else last if k == pieces - 1 else 1 + (k - 1) % PERIOD for k in range(pieces)]


def cut(layout: Layout, block: int) -> tuple[Layout, dict[tuple[int, int], tuple[Layout, list[int]]]]:
    """The layout of blocks of tiles, and of each block its own layout and its tiles."""
    rows, columns = (
        [range(first, min(first + block, len(sizes))) for first in range(0, len(sizes), block)] for sizes in (layout.heights, layout.widths)
    )
    above = Layout(tuple(sum(layout.heights[k] for k in part) for part in rows), tuple(sum(layout.widths[k] for k in part) for part in columns))
    inside = {}
    for i, j in product(range(len(rows)), range(len(columns))):
        tiles = [row * len(layout.widths) + column for row in rows[i] for column in columns[j]]
        inside[i, j] = Layout(tuple(layout.heights[k] for k in rows[i]), tuple(layout.widths[k] for k in columns[j])), tiles
    return above, inside


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What ``work`` returns, and its CPU seconds."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def bytes_in_hand(work: Callable[[], Any]) -> int:
    """The most bytes that ``work`` holds at once beyond what was there; its result counts."""
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


class Moved:
    """The records of all tiles: each is one of the small raster's, moved to where the tile lies when it is asked for."""

    def __init__(self, kind: Any, records: list[Any], small: Layout, layout: Layout):
        self._kind, self._records, self._old, self.places = kind, records, small.places, layout.places
        self.side = len(layout.heights)
        self.standing = [SMALL * i + j for i, j in product(kinds(self.side, SMALL - 1), repeat=2)]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, tile: int) -> Any:
        own = self.standing[tile]
        return self._kind.moved_record(self._records[own], self._old[own], self.places[tile])

    def marks_to_the_left(self, tile: int) -> Array:
        """Of each row of a tile, how many marks lie in the tiles to its left."""
        beside = np.bincount(self.standing[tile - tile % self.side : tile], minlength=len(self._records))
        return sum(times * record.counts.astype(np.int64) for times, record in zip(beside, self._records))

    @cached_property
    def first_labels(self) -> Array:
        """The label of the first mark in each row of the raster: rows of a tile × rows of tiles."""
        last = [self.side * (row + 1) - 1 for row in range(self.side)]
        counts = np.stack([self.marks_to_the_left(tile) + self[tile].counts for tile in last])
        return (1 + np.cumsum(counts) - counts.ravel()).reshape(counts.shape).T

    def label_by_walking(self, tile: int, crossing: int) -> int:
        """The label that a crossing leads to."""
        while True:
            size = self.places[tile].height
            i, j = perimeter_cell(int(self[tile].leaving[crossing]), size, size)
            slot = int(self[tile].slots[crossing])
            down, right = divmod(slot + (slot >= 4), 3)
            i, j = i + down - 1, j + right - 1
            tile += self.side * (i // size) + j // size
            end = int(self[tile].onward[perimeter_place(i % size, j % size, size, size)])
            if end >= 0:
                break
            crossing = -3 - end
        if end == 0:
            return 0
        up_to = np.cumsum(self[tile].counts)
        row = int(np.searchsorted(up_to, end))
        rank = end - 1 - (int(up_to[row - 1]) if row else 0)
        return int(self.first_labels[row, tile // self.side] + self.marks_to_the_left(tile)[row]) + rank


def solve_in_levels(kind: Any, known: Any, layout: Layout, block: int, depth: int, look: Callable[[int, Any], None]) -> dict[int, Any]:
    """Answers to the pieces of ``layout``, blocks where ``depth`` is above 0, else tiles: then only to those in blocks that are merged.

    Prints what each level takes. ``look(tile, answer)`` sees each answer to a tile.
    """
    if len(known) <= block * block:
        known = list(known)
        answers, seconds = timed(lambda: kind.graph.solve(known, layout))
        most = bytes_in_hand(lambda: kind.graph.solve(known, layout))
        print(
            f"top: {len(known)} pieces, {megabytes(size_of(known))} of records; solving {seconds:.2f} s, {megabytes(most)} in hand; "
            f"answers {megabytes(size_of(answers))}"
        )
        return dict(enumerate(answers))
    above, inside = cut(layout, block)
    places = dict(zip(inside, above.places))
    size = len(above.heights)
    standing = {(i, j): (i, j) if depth else (kinds_of_three(i, size), kinds_of_three(j, size)) for i, j in inside}
    costs: dict[tuple[int, int], dict[str, float]] = {index: {} for index in set(standing.values())}
    merged = {}
    for index, cost in costs.items():
        given = [known[member] for member in inside[index][1]]
        merged[index], cost["merging"] = timed(lambda: kind.graph.merge(given, inside[index][0], places[index]))  # noqa: B023
        cost["given"], cost["record"], cost["state"] = size_of(given), size_of(merged[index][0]), size_of(merged[index][1])
        cost["merging holds"] = bytes_in_hand(lambda: kind.graph.merge(given, inside[index][0], places[index]))  # noqa: B023
    records = [kind.moved_record(merged[own][0], places[own], places[index]) for index, own in standing.items()]
    answered = solve_in_levels(kind, records, above, block, depth + 1, look)

    answers: dict[int, Any] = {}
    for number, (index, own) in enumerate(standing.items()):
        if index != own and not (index[0] % 7 == index[1] % 7 == 3):  # a few that were not merged are looked at too
            continue
        state = kind.moved_state(merged[own][1], places[own], places[index])
        told, seconds = timed(lambda: kind.graph.spread(state, answered[number]))  # noqa: B023
        if index == own:
            holds = bytes_in_hand(lambda: kind.graph.spread(state, answered[number]))  # noqa: B023
            costs[own] |= {"spreading": seconds, "spreading holds": holds, "answers": size_of(told)}
        for member, answer in zip(inside[index][1], told):
            if depth:
                answers[member] = answer
            else:
                look(member, answer)
    report(depth + 1, [costs[own] for own in standing.values()])
    return answers


def kinds_of_three(k: int, count: int) -> int:
    """Which block along a side stands for block ``k``: the first, the second, the last."""
    return min(k, 1) if k < count - 1 else k


def megabytes(count: float) -> str:
    return f"{count / 1e6:,.1f} MB"


def report(level: int, costs: list[dict[str, float]]) -> None:
    """One level: what the largest of its blocks takes, and what all take together."""
    one = max(costs, key=lambda cost: cost["given"])
    every = {part: sum(cost[part] for cost in costs) for part in one}
    print(
        f"level {level}: {len(costs)} blocks\n"
        f"  the largest: {megabytes(one['given'])} of records; merging {one['merging']:.2f} s, {megabytes(one['merging holds'])} in hand; "
        f"record {megabytes(one['record'])}, state {megabytes(one['state'])}\n"
        f"               spreading {one['spreading']:.2f} s, {megabytes(one['spreading holds'])} in hand; answers {megabytes(one['answers'])}\n"
        f"  all: merging {every['merging']:.1f} s, records {megabytes(every['record'])}, states {megabytes(every['state'])}; "
        f"spreading {every['spreading']:.1f} s, answers {megabytes(every['answers'])}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=int, default=156, help="along a side; even")
    parser.add_argument("--tile", type=int, default=2048)
    parser.add_argument("--block", type=int, default=BLOCK, help="tiles along a side of a block; even")
    arguments = parser.parse_args()
    tiles, tile, block = arguments.tiles, arguments.tile, arguments.block
    small, heights = small_raster(tile)
    layout = Layout((tile,) * tiles, (tile,) * tiles)
    print(f"{tiles} × {tiles} tiles of {tile} × {tile}: {(tiles * tile) ** 2:.3g} cells; blocks of {block} × {block}")
    for kind, records in small_records(small, heights).items():
        start = time.perf_counter()
        known, each = Moved(kind, records, small, layout), size_of(records[SMALL + 1])
        print(f"\n{kind.name}: a tile's record has {each / 1e3:.0f} kB, all {tiles**2 * each / 1e9:.2f} GB; {kind.counted(records[SMALL + 1])}")
        expected = kind.graph.solve(records, small)
        seen: list[int] = []

        def look(tile: int, answer: Any, kind: Any = kind, known: Moved = known, expected: Any = expected, seen: list[int] = seen) -> None:
            own = known.standing[tile]
            assert kind.right(kind.moved_answer(expected[own], small.places[own], known.places[tile]), known, tile, answer), tile
            seen.append(tile)

        solve_in_levels(kind, known, layout, block, 0, look)
        print(f"{len(seen)} tiles' answers are right; {time.perf_counter() - start:.0f} s by the wall")
    print(f"\npeak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
