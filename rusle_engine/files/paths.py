"""Which paths are read at all: plain local files that a person named. What a data file points to, and the network, are not."""

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path

from rusle_engine.core.errors import InputError, MissingInputError, NotAllowedError, OutputError

PathLike = str | os.PathLike[str]
Paths = PathLike | Iterable[PathLike]
"""One file, a glob, or a list of tiles."""

_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]*://")


def local_path(path: PathLike) -> Path:
    """``path`` as an absolute path of this machine; it need not exist. ``..`` and links that a person types are fine.

    Raises
    ------
    NotAllowedError
        For addresses on the network, GDAL's virtual file systems (``/vsi…``) and paths that hold NUL.
    """
    text = os.fspath(path)
    if "\0" in text:
        raise NotAllowedError(f"{text!r} holds a NUL character; name a plain file")
    found = Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100  (resolve() would follow the links a person typed)
    if _SCHEME.match(text) or any(p.replace("\\", "/").lower().startswith("/vsi") for p in (text, str(found))):
        raise NotAllowedError(f"{text} is not a plain local file; network and virtual paths are refused. Download or unpack it, and name the file.")
    return found


def existing_file(path: PathLike, what: str = "file") -> Path:
    """``path`` when it is a file that can be read.

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it is a folder or may not be read.
    """
    found = local_path(path)
    if found.is_dir():
        raise InputError(f"{found} is a folder; expected a {what}")
    if not found.is_file():
        near = [p.name for p in found.parent.iterdir() if p.stem.lower() == found.stem.lower()] if found.parent.is_dir() else []
        hint = f"; in that folder there is {near[0]}" if near else ""
        raise MissingInputError(f"{found} does not exist{hint}. Check the {what}'s name and folder.")
    if not os.access(found, os.R_OK):
        raise InputError(f"{found} may not be read by this user; mend its permissions")
    return found


def _matches(pattern: Path) -> list[Path]:
    folder = glob.escape(str(pattern.parent)) if pattern.parent.is_dir() else str(pattern.parent)  # a folder may be called [2020]
    return [Path(match) for match in glob.glob(os.path.join(folder, pattern.name), recursive=True)]  # noqa: PTH118, PTH207


def input_files(paths: Paths, what: str = "raster") -> tuple[Path, ...]:
    """The files that one path, a glob (``tiles/*.tif``, in the order of names) or a list of both stands for.

    Raises
    ------
    MissingInputError
        When a file is not there or a glob matches none.
    """
    listed = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not listed:
        raise MissingInputError(f"an empty list was given where {what} files are expected")
    found: list[Path] = []
    for path in listed:
        pattern = local_path(path)
        if glob.has_magic(str(pattern)) and not pattern.exists():
            matches = sorted(_matches(pattern))
            if not matches:
                raise MissingInputError(f"{pattern} matches no file. Check the {what} pattern.")
            found.extend(existing_file(match, what) for match in matches)
        else:
            found.append(existing_file(pattern, what))
    return tuple(found)


def refuse_replacing(out: Path, inputs: Iterable[Path], hint: str = "Choose another file.") -> None:
    """Refuse to write ``out`` where one of ``inputs`` lies, by whatever name.

    Raises
    ------
    OutputError
        Naming the input.
    """
    for path in inputs:
        if out.exists() and path.exists() and out.samefile(path):
            raise OutputError(f"{path} is an input, and the result would take its place. {hint}")
