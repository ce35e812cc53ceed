"""Files of formulas of one's own, run because a person named them."""

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rusle_engine.core.errors import ConfigError, Problem
from rusle_engine.factors.registry import own_methods
from rusle_engine.files.paths import existing_file


def load_formulas(files: Iterable[Path]) -> None:
    """Run files of Python that register methods.

    Parameters
    ----------
    files
        Named by the person who runs the command; a configuration cannot name them, because it is data.

    Raises
    ------
    MissingInputError
        When there is no such file.
    ConfigError
        When a file fails, or registers nothing.
    """
    for file in files:
        path = existing_file(file, "file of formulas").resolve()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        before = own_methods()
        _run(path, f"rusle_formulas_{digest[:16]}")
        if own_methods() == before:
            raise _refused(path, "it registers no method; use rusle_engine.register_method")


def _run(path: Path, name: str) -> None:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise _refused(path, "it is no file of Python; its name ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that a formula finds its own module, as when it is sent to another process
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        place = next((f"line {frame.lineno}: " for frame in reversed(traceback.extract_tb(error.__traceback__)) if frame.filename == str(path)), "")
        raise _refused(path, f"{place}{type(error).__name__}: {error}") from error
    _send_by_value(module)


def _send_by_value(module: Any) -> None:
    """Worker processes cannot import the file by name: its functions are sent to them whole."""
    try:
        import cloudpickle  # type: ignore[import-untyped]
    except ImportError:  # comes with distributed; without it there are no worker processes
        return
    cloudpickle.register_pickle_by_value(module)


def _refused(path: Path, reason: str) -> ConfigError:
    return ConfigError(f"{path} cannot be used", [Problem(f"--formulas {path}", reason)])
