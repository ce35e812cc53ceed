"""Tiles of a lazy raster with the cells around them, without holding the tiles next to them.

Each tile gives copies of its borders, which are small and stay in memory. The tile itself either stays there too, or goes to the disk until it
is asked for: once, whoever asks, for the plans of all who look at the same raster share what was put there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any
from weakref import WeakValueDictionary

import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer

from rusle_engine.core.memory import memory_budget
from rusle_engine.core.scratch import Scratch, Spilled

Tile = np.ndarray[Any, Any]
Borders = dict[tuple[int, int], Tile]

AROUND = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)]
_scratches: WeakValueDictionary[str, Scratch] = WeakValueDictionary()
_stashes: WeakValueDictionary[tuple[str, int], Scratch] = WeakValueDictionary()
"""Of rasters whose tiles go to the disk, by name and by how many cells others see of them."""


@dataclass(frozen=True)
class Stash:
    """A tile on the disk, its borders at hand."""

    borders: Borders
    tile: Spilled


def borders_of(tile: Tile, ring: int) -> Borders:
    """What the tiles around see of this one, by their direction seen from them: copies, so that the tile itself can be let go."""
    edges = {-1: slice(-ring, None), 0: slice(None), 1: slice(0, ring)}
    return {(down, right): tile[edges[down], edges[right]].copy() for down, right in AROUND}


def stashed(scratch: Scratch, tile: Tile, ring: int) -> Stash:
    """``tile`` put on the disk."""
    return Stash(borders_of(tile, ring), scratch.put(np.ascontiguousarray(tile)))


def frame(tile: Tile | Stash, neighbours: Sequence[Borders | Stash | None], around: Any, ring: int) -> Tile:
    """``tile`` in the frame that its neighbours (in the order of ``AROUND``, None beyond the raster) give it."""
    values = opened(tile)
    framed = np.empty((values.shape[0] + 2 * ring, values.shape[1] + 2 * ring), values.dtype)
    framed[ring:-ring, ring:-ring] = values
    sides = {-1: slice(0, ring), 0: slice(ring, -ring), 1: slice(-ring, None)}
    nearest = {-1: slice(-ring, None), 0: slice(None), 1: slice(0, ring)}  # of borders that are wider, for another
    for (down, right), neighbour in zip(AROUND, neighbours):
        borders = neighbour.borders if isinstance(neighbour, Stash) else neighbour
        framed[sides[down], sides[right]] = around if borders is None else borders[down, right][nearest[down], nearest[right]]
    return framed


def shared_scratch(name: str, step: str, need: int) -> Scratch:
    """The scratch of the layer ``name`` of a graph: that of an earlier plan of the same layer, if it lives."""
    scratch = _scratches.get(name)
    if scratch is None or not scratch.folder.is_dir():
        scratch = _scratches[name] = Scratch(step, need)
    return scratch


def planned(arrays: Sequence[Any]) -> tuple[int, int]:
    """Bytes that the plans of lazy ``arrays`` keep in memory, and on the disk, between their steps."""
    layers = {name: layer for array in arrays if hasattr(array, "dask") for name, layer in array.dask.layers.items()}
    kept = [layer.collection_annotations.get("rusle_engine", (0, 0)) for layer in layers.values() if layer.collection_annotations]
    return sum(memory for memory, _ in kept), sum(disk for _, disk in kept)


def layered(name: str, tasks: dict[Any, Any], sources: Sequence[Any], *, memory: int = 0, disk: int = 0) -> HighLevelGraph:
    """A graph of one layer on top of ``sources``, and what that layer keeps between its steps."""
    layer = MaterializedLayer(tasks, collection_annotations={"rusle_engine": (memory, disk)})
    return HighLevelGraph.from_collections(name, layer, sources)


class Frames:
    """The part of a graph that gives each tile of ``raster`` with ``ring`` cells around it, the tiles on the disk meanwhile if wanted."""

    def __init__(self, raster: Any, ring: int, step: str, *, on_disk: bool):
        shape = raster.numblocks
        indices = list(product(range(shape[0]), range(shape[1])))
        ring = (_ring_on_disk(raster, ring) or ring) if on_disk else ring
        of_this = tokenize(raster.name, ring)
        self._neighbours = f"stash-{of_this}" if on_disk else f"borders-{of_this}"
        self._tiles = self._neighbours if on_disk else raster.name
        self._shape = shape
        tasks: dict[Any, Any]
        need = raster.size * raster.dtype.itemsize if on_disk else 0
        if on_disk:
            scratch = _stashes[raster.name, ring] = shared_scratch(self._neighbours, step, need + planned([raster])[1])
            tasks = {f"scratch-{of_this}": scratch}
            tasks |= {(self._neighbours, *index): (stashed, f"scratch-{of_this}", (raster.name, *index), ring) for index in indices}
        else:
            tasks = {(self._neighbours, *index): (borders_of, (raster.name, *index), ring) for index in indices}
        graph = layered(self._neighbours, tasks, [raster], disk=need)
        self.source = da.Array(graph, self._neighbours, raster.chunks, meta=np.empty((0, 0), raster.dtype))
        """What a graph that uses the tiles has to be built upon; its blocks are no arrays."""

    def of(self, i: int, j: int) -> tuple[Any, list[Any]]:
        """Keys for ``frame``: of the tile, and of its neighbours."""
        rows, columns = self._shape
        inside = ((i + down, j + right) for down, right in AROUND)
        return (self._tiles, i, j), [(self._neighbours, k, m) if 0 <= k < rows and 0 <= m < columns else None for k, m in inside]


def waits_on_disk(raster: Any, ring: int) -> bool:
    """Whether tiles of ``raster`` wait on the disk for those around them: when three rows of them would take much of the memory budget, or when
    they are there anyway, for another who looks around them."""
    rows = 3 * max(raster.chunks[0]) * raster.shape[1] * raster.dtype.itemsize
    return _ring_on_disk(raster, ring) is not None or rows > memory_budget() / 16


def without_frames(rasters: Sequence[Any]) -> list[tuple[Any, str]]:
    """For each raster what a graph that uses its tiles has to be built upon, and the layer that has them, for ``opened``.

    They come from the disk when they are there, so that nobody keeps them in memory until the end because he wants them at the end. They are
    put there when they come out of a step that another raster has to wait for longer than for this one, and do not fit in memory until then.
    """
    steps = [_steps_of(raster) for raster in rasters]
    last = set[str]().union(*steps)
    found = []
    for raster, own in zip(rasters, steps):
        early = bool(own) and own != last and planned([raster])[0] + raster.size * raster.dtype.itemsize > memory_budget() / 4
        there = early or _ring_on_disk(raster, 1) is not None
        source = Frames(raster, 1, "waiting for other rasters", on_disk=True).source if there else raster
        found.append((source, source.name))
    return found


def without_frame(raster: Any) -> tuple[Any, str]:
    """``without_frames`` of one raster."""
    return without_frames([raster])[0]


def opened(tile: Tile | Stash) -> Tile:
    """A tile, from wherever it waits."""
    return np.asarray(tile.tile.get() if isinstance(tile, Stash) else tile)


def _steps_of(raster: Any) -> set[str]:
    """The layers that see the whole raster before they give anything."""
    layers = getattr(raster, "dask", None)
    if layers is None:
        return set()
    kept = {name: (layer.collection_annotations or {}).get("rusle_engine", (0, 0)) for name, layer in layers.layers.items()}
    return {name for name, amounts in kept.items() if any(amounts) and not name.startswith("stash-")}


def _ring_on_disk(raster: Any, ring: int) -> int | None:
    """How many cells others see of the tiles of ``raster`` that go to the disk anyway, at least ``ring``; None when they do not go there."""
    rings = [wide for (name, wide), scratch in list(_stashes.items()) if name == raster.name and wide >= ring and scratch.folder.is_dir()]
    return min(rings, default=None)
