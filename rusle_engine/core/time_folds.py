"""A pass over time that holds one stretch of it at once: what a series adds up to, without the whole series in memory.

``over_time`` in ``core/lift.py`` is for series that fit; this is for an array that is cut along ``time``, such as forty years of daily maps.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Protocol

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import compute, optimize
from dask.delayed import delayed

from rusle_engine.core.lift import Tile, is_lazy

_BYTES_AT_ONCE = 64 * 2**20


class Fold(Protocol):
    """What is done with the stretches of a series, in the order of time."""

    @property
    def turns(self) -> int:
        """How many times the series is gone through."""

    def start(self, cells: int) -> Any:
        """What is held of ``cells`` series before the first stretch."""

    def take(self, state: Any, tile: Tile, first: int, turn: int) -> None:
        """Take in a stretch (cells, times), float64, that begins at time number ``first``; the state is changed in place.

        The stretch is the fold's until it returns: its memory is used again.
        """

    def turn_over(self, state: Any, turn: int) -> None:
        """The series has come to its end."""

    def finish(self, state: Any) -> Tile:
        """The result: (cells, size)."""


def cut_along_time(array: xr.DataArray) -> bool:
    """Whether the array is lazy and its time axis is in several chunks."""
    return is_lazy(array) and len(array.chunksizes["time"]) > 1


def fold_over_time(fold: Fold, array: xr.DataArray, *, size: int) -> xr.DataArray:
    """``fold`` of the series that each cell of a lazy array has along ``time``: its other dimensions and a last one, ``value``.

    One task for each tile in space. It loads the chunks along time one after the other, small ones together, and lets go of each before
    the next, so that a thread holds one chunk (or 64 MiB of small ones) and the fold's state, however long the series. The result does not
    depend on how time is cut when the fold's does not.
    """
    last = array.transpose(..., "time")
    lazy = last.data
    edges = np.cumsum([0, *lazy.chunks[-1]]).tolist()
    run = delayed(_folded, pure=False)

    def blocks(inside: tuple[slice, ...]) -> Any:
        """Nested lists of the tiles' results, one level a dimension."""
        if len(inside) == lazy.ndim - 1:
            tile = lazy[inside]
            shape = (*tile.shape[:-1], size)
            return [da.from_delayed(run(fold, _Unloaded(tile), edges, size), shape, meta=np.empty((0,) * len(shape)))]
        ends = np.cumsum([0, *lazy.chunks[len(inside)]]).tolist()
        return [blocks((*inside, slice(*span))) for span in pairwise(ends)]

    data = da.block(blocks(()))
    coordinates = {name: part for name, part in last.coords.items() if "time" not in part.dims}
    return xr.DataArray(data, dims=(*last.dims[:-1], "value"), coords=coordinates)


class _Unloaded:
    """A lazy array that a task receives as it is: dask does not load it beforehand."""

    def __init__(self, array: Any):
        (self.array,) = optimize(array)  # only the part of the graph that this tile needs


def _folded(fold: Fold, unloaded: _Unloaded, edges: list[int], size: int) -> Tile:
    lazy = unloaded.array
    shape, length = lazy.shape[:-1], lazy.shape[-1]
    cells = int(np.prod(shape))
    at_once = max(1, _BYTES_AT_ONCE // (8 * max(cells, 1)))
    state, room = fold.start(cells), np.empty(cells * min(at_once, length))
    for turn in range(fold.turns):
        for first, end in pairwise(_stretches(edges, at_once)):
            blocks = lazy[..., first:end].to_delayed().ravel()  # each as it is: an array would be put together, or copied
            chunks = compute(*blocks, scheduler="synchronous")
            for parts in _cut(chunks, at_once):
                tile = _laid_out(parts, room)
                fold.take(state, tile, first, turn)
                first += tile.shape[1]
        fold.turn_over(state, turn)
    return fold.finish(state).reshape(*shape, size)


def _stretches(edges: list[int], at_once: int) -> list[int]:
    """The edges of chunks, without those inside of what can be loaded at once."""
    kept = [edges[0]]
    for edge, following in pairwise(edges[1:]):
        if following - kept[-1] > at_once:
            kept.append(edge)
    return [*kept, edges[-1]]


def _cut(chunks: Sequence[Tile], at_once: int) -> list[list[Tile]]:
    """What is taken in together: the chunks of a stretch, or parts of the only one where it is longer than that."""
    if len(chunks) > 1:
        return [list(chunks)]
    return [[chunks[0][..., first : first + at_once]] for first in range(0, chunks[0].shape[-1], at_once)]


def _laid_out(parts: list[Tile], room: Tile) -> Tile:
    """Parts of a series one after the other, (cells, times) in ``room``."""
    shape, times = parts[0].shape[:-1], sum(part.shape[-1] for part in parts)
    tile = room[: times * int(np.prod(shape))].reshape(*shape, times)
    end = 0
    for part in parts:
        begin, end = end, end + part.shape[-1]
        tile[..., begin:end] = part
    return tile.reshape(-1, times)
