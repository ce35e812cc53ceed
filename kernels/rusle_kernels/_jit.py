"""The one way a kernel is compiled.

Serial and without the GIL, because dask threads are the only parallelism; IEEE arithmetic (no fastmath), because the answer
must not depend on the compiler's mood; cached under a digest of *all* kernel sources, because Numba's own cache does not notice
an edit in a function that a kernel calls.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import njit

_CONFIG: Any = numba.config
_SOURCES = Path(__file__).parent
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}


def cache_root() -> Path:
    """Where compiled kernels of every version lie: ``RUSLE_KERNEL_CACHE``, else the user's cache folder."""
    chosen = os.environ.get("RUSLE_KERNEL_CACHE")
    if chosen:
        return Path(chosen)
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or str(Path("~/.cache").expanduser())
    return Path(home) / "rusle_engine" / "numba"


def cache_folder() -> Path:
    """The folder of exactly these sources, this Numba and these flags."""
    digest = hashlib.sha256()
    for source in sorted(_SOURCES.glob("*.py")):
        digest.update(source.read_bytes())
    digest.update(f"{numba.__version__} {_CONFIG.BOUNDSCHECK} {_CONFIG.OPT}".encode())
    return cache_root() / digest.hexdigest()[:16]


_CACHE_FOLDER = cache_folder()


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile ``function`` for use on tiles; see the module's docstring for the rules it enforces."""
    other_libraries_cache = _CONFIG.CACHE_DIR
    try:
        _CONFIG.CACHE_DIR = str(_CACHE_FOLDER)
        return njit(cache=True, **_OPTIONS)(function)
    except RuntimeError:  # no writable place for a cache: compile in memory
        return njit(**_OPTIONS)(function)
    finally:
        _CONFIG.CACHE_DIR = other_libraries_cache


def inline(function: Callable[..., Any]) -> Callable[..., Any]:
    """A helper that becomes part of the kernels that call it; never called from Python."""
    return njit(inline="always", **_OPTIONS)(function)
