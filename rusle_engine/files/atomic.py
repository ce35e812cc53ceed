"""Files that are either whole or not there: written beside their place, flushed to the disk, then renamed."""

import contextlib
import errno
import hashlib
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rusle_engine.core.errors import OutputError

_DISK_TROUBLE = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG, errno.EROFS}


def output_error(path: Path, error: BaseException) -> OutputError:
    """The error for a result that could not be written; ``exit_code`` 74 where the disk is at fault, else 73."""
    if isinstance(error, OutputError):
        return error
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(_existing_parent(path)).free
        reason += f" ({free / 2**20:,.0f} MiB free there)"
    found = OutputError(f"{path} could not be written: {reason}. Choose another folder, free space, or mend its permissions.")
    if isinstance(error, OSError) and error.errno in _DISK_TROUBLE:
        found.exit_code = 74
    return found


def _existing_parent(path: Path) -> Path:
    folder = path.absolute()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def make_folder(folder: Path) -> Path:
    """``folder``, made with its parents when missing.

    Raises
    ------
    OutputError
        When it cannot be made, or a file of that name is in the way.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    return folder


def flush(path: Path) -> None:
    """Have the file's (or folder's) content on the disk itself before going on."""
    if os.name == "nt" and path.is_dir():  # Windows flushes folders on its own and refuses to be asked
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def put_in_place(temporary: Path, path: Path) -> None:
    """Flush ``temporary`` and rename it to ``path``, in one step for whoever looks."""
    flush(temporary)
    temporary.replace(path)
    flush(path.parent)


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path in the same folder and with the same suffix; renamed to ``path`` at the end, removed when anything fails.

    Raises
    ------
    OutputError
        When the folder cannot be made or written to, or the disk is full.
    """
    target = Path(path)
    make_folder(target.parent)
    temporary = target.with_name(f".{target.stem}.partial-{uuid.uuid4().hex[:8]}{target.suffix}")
    try:
        yield temporary
        put_in_place(temporary, target)
    except OSError as error:
        raise output_error(target, error) from error
    finally:
        for leftover in target.parent.glob(f"{temporary.name}*"):  # also what a library laid beside it
            leftover.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(parent: Path, name: str) -> Iterator[Path]:
    """A temporary folder inside ``parent`` for files that are renamed into place one by one; it is gone at the end, come what may."""
    make_folder(parent)
    temporary = parent / f".{name}.partial-{uuid.uuid4().hex[:8]}"
    try:
        temporary.mkdir()
        yield temporary
    except OSError as error:
        raise output_error(parent, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sha256(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's bytes, or of a folder's files by name (a FileGDB is a folder)."""
    source = Path(path)
    if source.is_dir():
        digest = hashlib.sha256()
        for part in sorted(p for p in source.rglob("*") if p.is_file()):
            digest.update(f"{part.relative_to(source).as_posix()} {sha256(part)}\n".encode())
        return digest.hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: str | os.PathLike[str], text: str, encoding: str = "utf-8") -> Path:
    """``text`` with unix line ends, atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding=encoding, newline="\n")
    return Path(path)


def write_json(path: str | os.PathLike[str], content: Any) -> Path:
    """``content`` as readable UTF-8 JSON in the order it has, atomically. NaN and infinities become null, as JSON has none."""
    return write_text(path, json.dumps(_plain(content), ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    """Python's own types for what NumPy, pathlib and dataclass-like values hold."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, os.PathLike):
        return Path(value).as_posix()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)


def require_disk(folder: str | os.PathLike[str], need: int, what: str = "the results") -> None:
    """Refuse before the work starts when ``folder``'s disk has less than ``need`` bytes free.

    Raises
    ------
    OutputError
        With ``exit_code`` 74, naming the need and what is free.
    """
    free = shutil.disk_usage(_existing_parent(Path(folder))).free
    if free < need:
        error = OutputError(
            f"{folder}: {what} need about {need / 2**30:.2f} GiB and {free / 2**30:.2f} GiB are free. Free space, or choose another disk."
        )
        error.exit_code = 74
        raise error
