"""What does not fit in memory between two steps goes to the disk, and is gone afterwards.

A step that needs it owns one folder, ``rusle-scratch-…`` inside ``scratch_folder()``. In it stands one file for each object, its arrays byte by
byte. In the process that planned the step, on threads, a file goes when its object does, so that an error leaves nothing either; on
other processes the folder goes when the plan does, or its process ends. The process holds a lock in the folder as long as it lives: whoever
makes the next folder beside it removes those whose lock nobody holds (of processes that were killed).
"""

import atexit
import contextlib
import errno
import os
import pickle
import shutil
import sys
import tempfile
import time
import uuid
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask
import filelock
import numpy as np

from rusle_engine.core.errors import MemoryBudgetError, OutputError
from rusle_engine.core.memory import share_heaps

_PREFIX = "rusle-scratch-"
_LOCK = "in-use"
_NEWBORN_SECONDS = 60.0
"""A folder younger than this may not have its lock yet."""
_planned: list[list["Scratch"]] = []
"""For each ``use_scratch`` that has been entered, what was planned in it."""


def scratch_folder() -> Path:
    """Where intermediates go: ``dask.config`` key ``rusle_engine.scratch``, else ``RUSLE_SCRATCH``, else the system's temporary folder."""
    stated = dask.config.get("rusle_engine.scratch", None) or os.environ.get("RUSLE_SCRATCH")
    return Path(stated).absolute() if stated else Path(tempfile.gettempdir())


@contextlib.contextmanager
def use_scratch(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Intermediates of what is planned inside go to ``path``, a folder that is made when missing.

    Compute inside, too: at the end all of them are removed, come what may. On a cluster all workers must reach the folder by this path.
    """
    planned: list[Scratch] = []
    _planned.append(planned)
    try:
        with dask.config.set({"rusle_engine.scratch": os.fspath(path)}):
            yield scratch_folder()
    finally:
        _planned.remove(planned)
        for scratch in planned:
            scratch.remove()


class Scratch:
    """A folder for the intermediates of one step, made when it is planned.

    Raises
    ------
    MemoryBudgetError
        When its disk has less than ``need`` bytes free.
    OutputError
        When the folder cannot be made.
    """

    def __init__(self, step: str, need: int):
        share_heaps()  # who needs the disk has no memory to spare
        parent = scratch_folder()
        self.folder = parent / f"{_PREFIX}{uuid.uuid4().hex}"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            remove_stale(parent)
            _require_disk(parent, step, need)
            self.folder.mkdir(mode=0o700)
            lock = filelock.FileLock(self.folder / _LOCK, blocking=False, thread_local=False)
            lock.acquire()
        except (OSError, filelock.Timeout) as error:
            raise _failure(parent, error) from error
        self._process: int | None = os.getpid()
        self._lock: Any = lock
        self._end: Any = weakref.finalize(self, _remove, self.folder, lock)
        if _planned:
            _planned[-1].append(self)

    def __getstate__(self) -> dict[str, Any]:
        """For another process. It may outlive this object there, so that only the end of the process that planned it ends it."""
        if self._end is not None and self._end.detach():
            atexit.register(_remove, self.folder, self._lock)
        self._process = None
        return {"folder": self.folder, "_process": None, "_lock": None, "_end": None}

    def __dask_tokenize__(self) -> str:
        return self.folder.name

    def remove(self) -> None:
        """At once; what is read or written later fails."""
        _remove(self.folder, self._lock)

    def put(self, thing: Any) -> "Spilled":
        """``thing`` on the disk.

        Raises
        ------
        OutputError
            When the disk is full, or the folder is gone or not to be reached.
        """
        arrays: list[pickle.PickleBuffer] = []
        frame = pickle.dumps(thing, protocol=5, buffer_callback=arrays.append)
        parts = [memoryview(frame), *(array.raw() for array in arrays)]
        path = self.folder / uuid.uuid4().hex
        try:
            with path.open("wb") as file:
                for part in parts:
                    file.write(part)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise _failure(self.folder, error) from error
        return Spilled(path, tuple(part.nbytes for part in parts), ours=self._process == os.getpid() and not _on_a_cluster())


class Spilled:
    """Something on the disk; with ``ours`` its file goes when this object does."""

    def __init__(self, path: Path, sizes: tuple[int, ...], *, ours: bool = False):
        self._path, self._sizes, self._ours = path, sizes, ours

    def __reduce__(self) -> tuple[Any, ...]:
        self._ours = False  # someone else may need it longer
        return Spilled, (self._path, self._sizes)

    def __del__(self) -> None:
        if self._ours:
            with contextlib.suppress(OSError):
                self._path.unlink()

    def get(self) -> Any:
        """A copy of what was put there.

        Raises
        ------
        OutputError
            When the file is gone or not to be reached.
        """
        try:
            with self._path.open("rb", buffering=0) as file:
                frame, *arrays = (_read(file, size) for size in self._sizes)
        except OSError as error:
            raise _failure(self._path.parent, error) from error
        return pickle.loads(frame, buffers=arrays)


def _read(file: Any, size: int) -> np.ndarray[Any, Any]:
    content = np.empty(size, np.uint8)
    left = memoryview(content)
    while left:
        taken = file.readinto(left)
        if not taken:
            raise OSError(f"{file.name} is cut off")
        left = left[taken:]
    return content


def _on_a_cluster() -> bool:
    """Whether this is a worker of a cluster, which may drop and copy objects as it likes."""
    if "distributed" not in sys.modules:
        return False
    from distributed import get_worker

    try:
        get_worker()
    except ValueError:
        return False
    return True


def remove_stale(parent: Path) -> None:
    """Remove what killed processes left in ``parent``: folders of ours whose lock nobody holds."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError, filelock.Timeout, NotImplementedError):
            if time.time() - folder.stat().st_mtime < _NEWBORN_SECONDS:
                continue
            lock = filelock.FileLock(folder / _LOCK, blocking=False)
            with lock:
                shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path, lock: Any) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        lock.release()


def _require_disk(parent: Path, step: str, need: int) -> None:
    free = shutil.disk_usage(parent).free
    if free < need:
        raise MemoryBudgetError(
            f"{step} does not fit in memory and needs about {need / 2**30:.2f} GiB on the disk of {parent}, where {free / 2**30:.2f} GiB are free. "
            "Raise memory_budget, free space, or name a folder on another disk (RUSLE_SCRATCH)."
        )


def _failure(folder: Path, error: BaseException) -> OutputError:
    failed = OutputError(
        f"intermediates in {folder} could not be written or read: {error}. Free space there, or name another folder (RUSLE_SCRATCH); "
        "on a cluster one that all workers reach by the same path."
    )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
        failed.exit_code = 74
    return failed
