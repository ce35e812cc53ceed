"""What made a result: versions, machine, time and memory, and the digest that names a configuration."""

import hashlib
import importlib.metadata
import json
import logging
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

_PACKAGES = (
    "numpy",
    "numba",
    "scipy",
    "xarray",
    "rioxarray",
    "rasterio",
    "dask",
    "geopandas",
    "pyogrio",
    "pyproj",
    "pandas",
    "bokeh",
    "gstools",
    "h5netcdf",
    "zarr",
)


def versions() -> dict[str, str]:
    """Versions of Python, of this package and of what its numbers rest on, GDAL and PROJ included."""
    import pyproj
    import rasterio

    import rusle_engine

    found = {"python": platform.python_version(), "rusle_engine": rusle_engine.__version__}
    found |= {name: importlib.metadata.version(name) for name in _PACKAGES}
    found |= {"GDAL": rasterio.__gdal_version__, "PROJ": pyproj.proj_version_str}
    return found


def machine() -> dict[str, Any]:
    """The kind of machine, without its name."""
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processors": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }


def peak_memory_mib() -> float:
    """The most memory this process has held so far [MiB]."""
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset / 2**20)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak / (2**20 if sys.platform == "darwin" else 2**10))


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of a JSON document in its canonical form: keys sorted, no blanks."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class _Listener(logging.Handler):
    """Hears what the package logs, information included, while it is entered."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._logger = logging.getLogger("rusle_engine")
        self._level = self._logger.level

    def __enter__(self) -> Self:
        self._logger.addHandler(self)
        self._logger.setLevel(min(logging.INFO, self._logger.level or logging.INFO))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level)


class Remembered(_Listener):
    """What is logged before there is a folder to write it to."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class RunLog(_Listener):
    """Everything the package logs while the run lasts, as JSON lines: ``{"time", "level", "event", …}``."""

    def __init__(self, path: Path):
        super().__init__()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8", newline="\n")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        super().__exit__(kind, error, trace)
        try:
            self._file.close()
        except OSError:  # what went wrong before is told instead
            if kind is None:
                raise

    def emit(self, record: logging.LogRecord) -> None:
        self._line(datetime.fromtimestamp(record.created, UTC), record.levelname.lower(), record.getMessage(), record.name)

    def write(self, level: str, event: str, **details: Any) -> None:
        self._line(datetime.now(UTC), level, event, "run", **details)

    def _line(self, time: datetime, level: str, event: str, source: str, **details: Any) -> None:
        line = {"time": time.isoformat(timespec="milliseconds"), "level": level, "event": event, "source": source, **details}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()
