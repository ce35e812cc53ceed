"""Sums that each cell passes on to several others, over a raster of any size: windows worked on in turn, their borders exchanged.

A cell can pass on its sum only when it has all its inflow, and where water spreads no border can be crossed once for all. So the sums of all
cells are kept, with the number of inflows each still waits for; *windows* of the raster are worked on, each as far as it goes, and what
leaves one is handed to the cells around it, until no cell has anything to pass on. Sweeps over the raster cut it in two ways in turn, the
second shifted by half a window: water that runs along a border between windows runs through the middle of one in the next sweep. Windows
are worked on in four colours, one at a time, so that no two of a colour touch. Each cell passes on its sum once, in whole numbers:
neither windows nor tiles, threads nor the order of arrival can show in the result.

A problem is three rasters and four functions. ``prepare(*tiles, *numbers, place)`` sees each tile with a ring of one cell and gives, without the
ring, the ``surface`` and the ``receivers`` of its cells (what passing on needs to know) and their ``amounts`` (int64, what each adds; one
for each row where ``amounts_by_row``). ``count(receivers, surface, waiting)`` says how many inflows the cells of a window wait for (255:
no data). ``advance(surface, receivers, place, total, waiting)`` passes on what it can, and returns how many cells did. These two see
windows with a ring, too; in the ring ``advance`` adds to ``total`` and counts ``waiting`` down from 128. ``finish(surface, total, *numbers,
place)`` makes the result of a tile.
"""

import logging
import mmap
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import is_dask_collection, tokenize

from rusle_engine.core.engine import threads_in_force
from rusle_engine.core.errors import InputError, OutputError
from rusle_engine.core.frames import Frames, frame, layered, shared_scratch, waits_on_disk
from rusle_engine.core.memory import memory_budget, require_memory
from rusle_engine.core.scratch import Scratch
from rusle_engine.core.tiles import Layout, Place, Tile, framed_tile, raster_like

log = logging.getLogger("rusle_engine")

WINDOW = 512
"""Windows whose rasters fit into a processor's second cache."""
DONE, HANDED_OVER = 255, 128
WORKING_BYTES = 60.0
"""Bytes of each cell of a window, or of a tile being prepared, in hand."""


@dataclass(frozen=True)
class Exchange:
    """The functions of a problem (see above), the value around the raster for each of its arrays, and the type of its surface."""

    step: str
    prepare: Callable[..., tuple[Tile, Tile, Tile]]
    count: Callable[[Tile, Tile, Tile], None]
    advance: Callable[[Tile, Tile, Place, Tile, Tile], int]
    finish: Callable[..., Tile]
    around: tuple[Any, ...]
    surface_dtype: Any
    amounts_by_row: bool
    window: int = WINDOW

    @property
    def prepared_bytes(self) -> float:
        """Of each cell, from ``prepare``."""
        return np.dtype(self.surface_dtype).itemsize + 1.0 + (0.0 if self.amounts_by_row else 8.0)

    @property
    def working_bytes(self) -> float:
        """Of each cell while sums are passed on: surface, receivers, total and waiting."""
        return np.dtype(self.surface_dtype).itemsize + 10.0


def exchange(problem: Exchange, *arrays: xr.DataArray) -> xr.DataArray:
    """The result of ``problem``, float64, for rasters (y, x) of one grid; numbers and 0-d arrays reach ``prepare``
    and ``finish`` after the tiles.

    Lazy rasters are prepared and finished chunk by chunk; one task between passes the sums on. All cells' sums are in memory where they fit into
    half of the memory budget, else in a scratch folder (``core/scratch.py``), with a few windows in memory for each thread.

    Raises
    ------
    MemoryBudgetError
        At once, before any work, when what must be in memory exceeds the memory budget, or scratch does not fit on the disk.
    """
    rasters = [array for array in arrays if array.ndim == 2]
    first = rasters[0]
    lazy = [array for array in rasters if is_dask_collection(array)]
    if not any(is_dask_collection(array) for array in arrays):
        require_memory(first.size, problem.prepared_bytes + 17.0, problem.step)
        layout = Layout.squares(first.shape, problem.window)
        result = _in_memory(problem, layout, *(np.asarray(array.data) for array in arrays))
        return raster_like(first, result)
    chunks = lazy[0].data.chunks if lazy else tuple((length,) for length in first.shape)
    layout = Layout(*chunks)
    blocks = [array.chunk(dict(zip(array.dims, chunks))).data for array in rasters]
    return raster_like(first, _lazily(problem, layout, blocks, [array.data for array in arrays if array.ndim == 0]))


@dataclass(frozen=True)
class _Sums:
    """What is known of all cells; arrays in memory, or files mapped into it."""

    surface: Tile
    receivers: Tile
    total: Tile
    waiting: Tile


@dataclass(frozen=True)
class _Handed:
    """What leaves a window: the cells around it that get something, how much, and how many inflows that is; and how many cells are done."""

    rows: Tile
    columns: Tile
    amounts: Tile
    inflows: Tile
    done: int


def _windows(shape: tuple[int, ...], size: int, shift: int) -> Iterator[tuple[int, int]]:
    rows, columns = (range((length - 1 + shift) // size + 1) for length in shape)
    return product(rows, columns)


def _place(window: tuple[int, int], shape: tuple[int, ...], size: int, shift: int) -> Place:
    """Window (k, l) begins at k·size − shift, or where the raster does."""
    starts = [max(k * size - shift, 0) for k in window]
    ends = [min((k + 1) * size - shift, length) for k, length in zip(window, shape)]
    return Place(starts[0], starts[1], ends[0] - starts[0], ends[1] - starts[1], shape[1])


def _count(problem: Exchange, sums: _Sums, place: Place) -> int:
    """Count what the cells of a window wait for; returns how many have data."""
    waiting = np.empty((place.height + 2, place.width + 2), np.uint8)
    problem.count(framed_tile(sums.receivers, place, 0), framed_tile(sums.surface, place, np.inf), waiting)
    inside = waiting[1:-1, 1:-1]
    sums.waiting[place.rows, place.columns] = inside
    return int(np.count_nonzero(inside != DONE))


def _advance(problem: Exchange, sums: _Sums, place: Place) -> _Handed:
    """Work on a window; its own cells are written back, what leaves it is returned."""
    inside = (slice(1, -1), slice(1, -1))
    total = np.zeros((place.height + 2, place.width + 2), np.int64)
    waiting = np.full(total.shape, HANDED_OVER, np.uint8)
    total[inside], waiting[inside] = sums.total[place.rows, place.columns], sums.waiting[place.rows, place.columns]
    done = problem.advance(framed_tile(sums.surface, place, np.inf), framed_tile(sums.receivers, place, 0), place, total, waiting)
    sums.total[place.rows, place.columns], sums.waiting[place.rows, place.columns] = total[inside], waiting[inside]
    waiting[inside] = HANDED_OVER
    rows, columns = np.nonzero(waiting != HANDED_OVER)
    inflows = HANDED_OVER - waiting[rows, columns]
    return _Handed(rows + place.row - 1, columns + place.column - 1, total[rows, columns], inflows, done)


def pass_on(problem: Exchange, sums: _Sums, after_window: Callable[[], None] = lambda: None) -> int:
    """Pass on all sums; returns in how many sweeps.

    Raises
    ------
    InputError
        When cells wait for each other in a circle.
    """
    shape, size = sums.surface.shape, problem.window
    threads = max(1, threads_in_force())
    with ThreadPoolExecutor(threads) as pool:

        def on_windows(work: Callable[..., Any], windows: Sequence[tuple[int, int]], shift: int) -> Iterator[Any]:
            """The work on all windows, as results come in order; a few at a time, so that few results wait."""
            for k in range(0, len(windows), 8 * threads):
                some = [_place(window, shape, size, shift) for window in windows[k : k + 8 * threads]]
                yield from pool.map(partial(work, problem, sums), some)
                after_window()

        left = sum(on_windows(_count, list(_windows(shape, size, 0)), 0))
        ready: Tile | None = None  # (row, column) of cells that became ready by what was handed to them; at first, all may be
        sweeps = 0
        while left and (ready is None or ready.size):
            shift = sweeps % 2 * (size // 2)
            sweeps += 1
            done_before = left
            for colour in range(4):
                if sweeps == 1:
                    windows = [window for window in _windows(shape, size, shift) if window[0] % 2 * 2 + window[1] % 2 == colour]
                else:
                    assert ready is not None
                    of_cells = (ready + shift) // size
                    chosen = of_cells[:, 0] % 2 * 2 + of_cells[:, 1] % 2 == colour
                    windows = [(int(k), int(j)) for k, j in np.unique(of_cells[chosen], axis=0)]
                    ready = ready[~chosen]
                found = [np.empty((0, 2), np.int64) if ready is None else ready]
                for handed in on_windows(_advance, windows, shift):
                    sums.total[handed.rows, handed.columns] += handed.amounts
                    sums.waiting[handed.rows, handed.columns] -= handed.inflows
                    now = sums.waiting[handed.rows, handed.columns] == 0
                    found.append(np.stack([handed.rows[now], handed.columns[now]], axis=1))
                    left -= handed.done
                ready = np.concatenate(found)
            log.debug("%s: sweep %d, %d cells passed on, %d left", problem.step, sweeps, done_before - left, left)
    if left:
        raise InputError(f"{problem.step}: directions lead round in circles: {left:,} cells drain into each other. Compute them by flow_direction.")
    log.info("%s: sums passed on over windows of %d cells in %d sweeps", problem.step, size, sweeps)
    return sweeps


def _in_memory(problem: Exchange, layout: Layout, *values: Any) -> Tile:
    """The whole problem on arrays in memory."""
    rasters = [value for value in values if np.ndim(value) == 2]
    numbers = [value for value in values if np.ndim(value) == 0]

    def prepared(place: Place) -> tuple[Tile, Tile, Tile]:
        return problem.prepare(*(framed_tile(raster, place, around) for raster, around in zip(rasters, problem.around)), *numbers, place)

    with ThreadPoolExecutor(max(1, threads_in_force())) as pool:
        return _gathered(problem, layout, pool.map(prepared, layout.places), numbers)


def _gathered(problem: Exchange, layout: Layout, tiles: Any, numbers: Sequence[Any]) -> Tile:
    """The result from prepared tiles, as one raster."""
    shape = (sum(layout.heights), sum(layout.widths))
    kinds = (problem.surface_dtype, np.uint8, np.int64, np.uint8)
    sums = _Sums(*(np.empty(shape, kind) for kind in kinds))
    for place, prepared in zip(layout.places, tiles):
        for raster, tile in zip((sums.surface, sums.receivers, sums.total), prepared):
            raster[place.rows, place.columns] = tile
    pass_on(problem, sums)
    result = np.empty(shape, np.float64)
    for place in layout.places:
        here = place.rows, place.columns
        result[here] = problem.finish(sums.surface[here], sums.total[here], *numbers, place)
    return result


def _results(problem: Exchange, layout: Layout, tiles: list[Any], numbers: list[Any]) -> list[Tile]:
    """The results of all tiles from prepared tiles."""
    result = _gathered(problem, layout, tiles, numbers)
    return [result[place.rows, place.columns] for place in layout.places]


def _mapped(path: Path, kind: Any, shape: tuple[int, int]) -> Any:
    """A raster in a file; the file is made when missing."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    try:
        with path.open("ab") as file:
            if file.tell() < size:  # space is taken now: a mapped file that finds the disk full later ends the process
                os.posix_fallocate(file.fileno(), 0, size) if hasattr(os, "posix_fallocate") else file.truncate(size)
        return np.memmap(path, kind, "r+", shape=shape)
    except OSError as error:
        failed = OutputError(
            f"intermediates in {path.parent} could not be written or read: {error}. Free space there, or name another folder (RUSLE_SCRATCH)"
        )
        failed.exit_code = 74
        raise failed from error


def _let_go(rasters: Sequence[Any]) -> None:
    """Tell the system that pages of mapped files need not stay in memory; what was changed in them is written first."""
    for raster in rasters:
        mapped = getattr(raster, "_mmap", None)
        if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True)
class _Files:
    """The rasters of a problem in a scratch folder."""

    scratch: Scratch
    shape: tuple[int, int]

    def raster(self, name: str, kind: Any, *, by_row: bool = False) -> Any:
        return _mapped(self.scratch.folder / name, kind, (self.shape[0], 1 if by_row else self.shape[1]))


def _prepared(problem: Exchange, place: Place, tiles: list[Any], neighbours: list[Any], numbers: list[Any]) -> tuple[Tile, Tile, Tile]:
    framed = (frame(tile, near, around, 1) for tile, near, around in zip(tiles, neighbours, problem.around))
    return problem.prepare(*framed, *numbers, place)


def _deposit(problem: Exchange, files: _Files, place: Place, *inputs: Any) -> None:
    """Prepare a tile and write it down."""
    names = ("surface", problem.surface_dtype, False), ("receivers", np.uint8, False), ("amounts", np.int64, problem.amounts_by_row)
    for (name, kind, by_row), tile in zip(names, _prepared(problem, place, *inputs)):
        raster = files.raster(name, kind, by_row=by_row)
        raster[place.rows, slice(0, 1) if by_row else place.columns] = tile


def _pass_on_in_files(problem: Exchange, files: _Files, _deposited: list[None]) -> str:
    """Pass on the sums; the name of the file that holds them then. A scheduler may ask twice, so nothing that was deposited is changed."""
    amounts = files.raster("amounts", np.int64, by_row=problem.amounts_by_row)
    name = f"total-{uuid.uuid4().hex}"
    total, waiting = files.raster(name, np.int64), files.raster(f"waiting-{uuid.uuid4().hex}", np.uint8)
    sums = _Sums(files.raster("surface", problem.surface_dtype), files.raster("receivers", np.uint8), total, waiting)
    rasters = sums.surface, sums.receivers, total, waiting
    for row in range(0, files.shape[0], problem.window):
        total[row : row + problem.window] = amounts[row : row + problem.window]
        _let_go([total, amounts])
    pass_on(problem, sums, after_window=lambda: _let_go(rasters))
    Path(waiting.filename).unlink()
    return name


def _finish(problem: Exchange, files: _Files, place: Place, name: str, numbers: list[Any]) -> Tile:
    surface, total = files.raster("surface", problem.surface_dtype), files.raster(name, np.int64)
    here = place.rows, place.columns
    return problem.finish(np.array(surface[here]), np.array(total[here]), *numbers, place)


def _nth(results: list[Tile], number: int) -> Tile:
    return results[number]


def _lazily(problem: Exchange, layout: Layout, blocks: list[Any], given: list[Any]) -> da.Array:
    """The result as a dask array: tiles are prepared, one task passes on the sums, tiles are finished."""
    cells = sum(layout.heights) * sum(layout.widths)
    need = 2 * problem.prepared_bytes + 9.0 + 8.0
    in_memory = cells * need <= memory_budget() / 2
    in_hand = min(threads_in_force() * max(layout.largest_tile, problem.window**2), cells) * WORKING_BYTES
    require_memory(cells, (in_hand if not in_memory else max(in_hand, cells * need)) / max(cells, 1), problem.step)
    frames = [Frames(block, 1, problem.step, on_disk=waits_on_disk(block, 1)) for block in blocks]
    sources = [*(each.source for each in frames), *(number for number in given if is_dask_collection(number))]
    numbers = [number.__dask_keys__()[0] if is_dask_collection(number) else number for number in given]
    name = f"{problem.step}-{tokenize(problem, layout, [source.name for source in sources], numbers, in_memory)}"
    indices = list(product(range(len(layout.heights)), range(len(layout.widths))))
    tiles = [("prepared-" + name, *index) for index in indices]
    graph: dict[Any, Any] = {"problem-" + name: problem, "layout-" + name: layout}  # by reference: it may hold a number for each row
    disk = 0
    if in_memory:
        graph["passed-on-" + name] = (_results, "problem-" + name, "layout-" + name, tiles, numbers)
    else:
        disk = int(cells * (problem.prepared_bytes + 9.0))
        scratch = shared_scratch(name, problem.step, disk)
        graph["files-" + name] = _Files(scratch, (sum(layout.heights), sum(layout.widths)))
        graph["passed-on-" + name] = (_pass_on_in_files, "problem-" + name, "files-" + name, tiles)
    for number, (index, place) in enumerate(zip(indices, layout.places)):
        of_tile = [each.of(*index) for each in frames]
        inputs = place, [tile for tile, _ in of_tile], [around for _, around in of_tile], numbers
        if in_memory:
            graph["prepared-" + name, *index] = (_prepared, "problem-" + name, *inputs)
            graph[name, *index] = (_nth, "passed-on-" + name, number)
        else:
            graph["prepared-" + name, *index] = (_deposit, "problem-" + name, "files-" + name, *inputs)
            graph[name, *index] = (_finish, "problem-" + name, "files-" + name, place, "passed-on-" + name, numbers)
    layers = layered(name, graph, sources, memory=int(cells * need) if in_memory else 0, disk=disk)
    return da.Array(layers, name, (layout.heights, layout.widths), meta=np.empty((0, 0), np.float64))
