"""One memory budget: what a step may use, and the refusal before it starts when that is not enough."""

import contextlib
import ctypes
import os
from pathlib import Path

import dask
import psutil

from rusle_engine.core.errors import ConfigError, MemoryBudgetError

_SHARE = 0.6
_M_ARENA_MAX = -8
_SUFFIXES = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4, "KIB": 1024, "MIB": 1024**2, "GIB": 1024**3, "TIB": 1024**4}


def parse_bytes(text: str | int | float) -> int:
    """Bytes from a number or a text like ``8 GiB``.

    Raises
    ------
    ConfigError
        When it is not a size, or none above 0.
    """
    folded = str(text).strip().upper().replace(" ", "")
    suffix = next((suffix for suffix in sorted(_SUFFIXES, key=len, reverse=True) if folded.endswith(suffix)), "")
    if suffix or isinstance(text, int | float):
        with contextlib.suppress(ValueError, OverflowError):
            size = int(float(folded.removesuffix(suffix)) * _SUFFIXES.get(suffix, 1))
            if size > 0:
                return size
    raise ConfigError(f"memory_budget {text!r} is not a size; expected for example '8 GiB' or '500 MB'")


def usable_bytes() -> int:
    """Memory this process may use: what is free on the machine, or what its container leaves."""
    free = psutil.virtual_memory().available
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            allowed, taken = Path(limit).read_text().strip(), Path(used).read_text().strip()
        except OSError:
            continue
        if allowed.isdigit():
            free = min(free, int(allowed) - int(taken))
    return max(int(free), 0)


def memory_budget() -> int:
    """The budget in bytes: ``dask.config`` key ``rusle_engine.memory_budget``, else a share of what the process may use."""
    stated = dask.config.get("rusle_engine.memory_budget", None)
    return parse_bytes(stated) if stated is not None else int(_SHARE * usable_bytes())


def share_heaps() -> None:
    """Have the threads of this process share two heaps of the C library, where it is glibc; by itself it opens more, and keeps what is freed in
    each (measured: 100 MB between tiles of 1024 × 1024 cells, at the same speed)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").mallopt(_M_ARENA_MAX, 2)


def file_cache_bytes() -> int:
    """What a library that reads and writes files may keep of their content: a 32nd of the budget, at least 64 MB."""
    return max(memory_budget() // 32, 64_000_000)


def usable_threads() -> int:
    """Threads this process may use: processor affinity, a container's quota and a batch system's allotment included."""
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            threads = min(threads, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    allotted = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return min(threads, int(allotted)) if allotted.isdigit() and int(allotted) > 0 else threads


IN_TILES = "Hand it over lazily, in tiles (.chunk(1024), or open_raster), raise memory_budget, or free memory."
SMALLER_TILES = "Use smaller chunks or fewer threads, raise memory_budget, or free memory."


def require_memory(
    cells: int,
    bytes_per_cell: float,
    step: str,
    way_out: str = "Raise memory_budget, free memory, or work on a smaller region or a coarser grid.",
) -> None:
    """Refuse ``step`` when it would need more than the budget.

    Raises
    ------
    MemoryBudgetError
        Naming the need, what there is, and the way out.
    """
    need, have = int(cells * bytes_per_cell), memory_budget()
    if need > have:
        raise MemoryBudgetError(
            f"{step} needs about {need / 2**30:.2f} GiB ({bytes_per_cell:g} bytes for each of {cells:,} cells) and the memory budget is "
            f"{have / 2**30:.2f} GiB. {way_out}"
        )
