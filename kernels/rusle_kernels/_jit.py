"""The one way a kernel is compiled.

Serial and without the GIL, because dask threads are the only parallelism; IEEE arithmetic (no fastmath), because the answer
must not depend on the compiler's mood; cached under a digest of *all* kernel sources, because Numba's own cache does not notice
an edit in a function that a kernel calls. Where that folder cannot be written, kernels that lie there already are used, and others are compiled
in memory: left to itself, Numba would fall back on folders without a digest.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache, UserProvidedCacheLocator

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


def cache_is_writable() -> bool:
    """Whether what is compiled can be kept; the folder is made when it is not there."""
    try:
        _CACHE_FOLDER.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(_CACHE_FOLDER, os.W_OK | os.X_OK)


_WRITABLE = cache_is_writable()
_READABLE = os.access(_CACHE_FOLDER, os.R_OK | os.X_OK)


class _WrittenElsewhere(UserProvidedCacheLocator):
    """The place of kernels that someone else compiled."""

    def ensure_cache_path(self) -> None:
        """Nothing is written, so nothing need be writable."""


class _KeptElsewhere(CompileResultCacheImpl):
    _locator_classes: list[type[object]] = [_WrittenElsewhere]  # noqa: RUF012


class _ReadOnlyCache(FunctionCache):
    """Kernels that someone else compiled."""

    _impl_class = _KeptElsewhere

    def save_overload(self, sig: Any, data: Any) -> None:
        """What is missing there is compiled in memory, and not kept."""


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile ``function`` for use on tiles; see the module's docstring for the rules it enforces."""
    other_libraries_cache = _CONFIG.CACHE_DIR
    try:
        _CONFIG.CACHE_DIR = str(_CACHE_FOLDER)
        compiled: Any = njit(cache=_WRITABLE, **_OPTIONS)(function)
        if _READABLE and not _WRITABLE:
            compiled._cache = _ReadOnlyCache(function)
        return compiled
    finally:
        _CONFIG.CACHE_DIR = other_libraries_cache


def inline(function: Callable[..., Any]) -> Callable[..., Any]:
    """A helper that becomes part of the kernels that call it; never called from Python."""
    return njit(inline="always", **_OPTIONS)(function)
