"""Computing under whichever scheduler is in force: threads of this process, or the workers of a ``distributed`` client."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from importlib import import_module
from math import prod
from typing import Any

import dask
import numpy as np
from dask.base import compute, get_scheduler, is_dask_collection
from dask.callbacks import Callback

from rusle_engine.core.memory import IN_TILES, SMALLER_TILES, require_memory, usable_threads

_IN_PROCESS = ("threads", "threading", "synchronous", "sync", "single-threaded")


def threads_in_force() -> int:
    """How many threads may work at once in this process."""
    if dask.config.get("scheduler", None) in ("synchronous", "single-threaded", "sync"):
        return 1
    return int(dask.config.get("num_workers", None) or usable_threads())


def require_for_tiles(function: Callable[..., Any], arrays: Sequence[Any], kinds: Sequence[Any], made: Sequence[Any]) -> None:
    """Refuse, before it starts, a step that takes a tile of each of ``arrays`` as ``kinds`` and makes results of the types ``made``.

    Every thread in force holds the largest of the tiles; of arrays in memory only what is made, or made into another type, is new.

    Raises
    ------
    MemoryBudgetError
        When that exceeds the memory budget.
    """
    step = str(getattr(getattr(function, "func", function), "__name__", "this step"))
    widths = [np.dtype(kind).itemsize for kind in made]
    if lazy := [array for array in arrays if is_dask_collection(array)]:
        cells = threads_in_force() * max(prod(max(sizes) for sizes in array.chunks) for array in lazy)
        widths += [np.dtype(kind).itemsize for kind in kinds]
        require_memory(min(cells, max(array.size for array in lazy)), sum(widths), step, SMALLER_TILES)
        return
    widths += [np.dtype(kind).itemsize for array, kind in zip(arrays, kinds) if getattr(array, "dtype", kind) != kind]
    require_memory(max(np.size(array) for array in arrays), sum(widths), step, IN_TILES)


def active_client() -> Any | None:
    """The ``distributed`` client that would compute now; None where this process would."""
    scheduler = dask.config.get("scheduler", None)
    if scheduler in _IN_PROCESS:
        return None
    client = getattr(get_scheduler(), "__self__", None)
    return client if type(client).__name__ == "Client" else None


def computed(collections: Sequence[Any], done: Callable[[], None] = lambda: None, counted: int = 0) -> list[Any]:
    """All ``collections`` in one go, so that what they share is made once; ``done`` is called as each of the first ``counted`` is."""
    client = active_client()
    if client is not None:
        return _by_workers(client, collections, done, counted)
    keys = {key for collection in collections[:counted] if is_dask_collection(collection) for key in collection.__dask_keys__()}

    def finished(key: Any, *_: Any) -> None:
        if key in keys:
            done()

    with Callback(posttask=finished) if keys else nullcontext():
        return list(compute(*collections))


def _by_workers(client: Any, collections: Sequence[Any], done: Callable[[], None], counted: int) -> list[Any]:
    futures = client.compute(list(collections), sync=False)
    for future in import_module("distributed").as_completed([future for future in futures[:counted] if hasattr(future, "result")]):
        future.result()  # the first failure ends it all
        done()
    return list(client.gather(futures))
