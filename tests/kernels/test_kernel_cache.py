"""Where compiled kernels are kept, and what happens where they cannot be."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ONE_KERNEL = """
import numpy as np
from rusle_kernels._jit import cache_is_writable
from rusle_kernels.barriers import close_corners
codes, out = np.eye(3, dtype=np.uint8), np.empty((1, 1), np.uint8)
close_corners(codes, out)
stats = close_corners.stats
print(out[0, 0], cache_is_writable(), sum(stats.cache_hits.values()), sum(stats.cache_misses.values()))
"""
AS_SOMEONE_ELSE = """
import os
if os.geteuid() == 0:  # who may write anything, is asked as nobody
    os.setreuid(65534, 0)
"""
HOME = Path(__file__).parents[2]


def call(code, cache, **options):
    environment = os.environ | {"RUSLE_KERNEL_CACHE": str(cache), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment, cwd=HOME, **options)


@pytest.fixture
def folder():
    """A folder whose way is open to everybody, which those of pytest are not."""
    path = Path(tempfile.mkdtemp(prefix="rusle-kernels-"))
    path.chmod(0o755)
    yield path
    for each in (path, *path.rglob("*")):
        each.chmod(0o755)
    shutil.rmtree(path)


@pytest.mark.skipif(os.name == "nt", reason="permissions of folders are another matter there")
def test_kernels_of_a_folder_that_cannot_be_written_are_used(folder):
    first = call(ONE_KERNEL, folder)
    assert first.stdout.split() == ["1", "True", "0", "1"], first.stderr
    kept = {path: path.stat().st_mtime_ns for path in folder.rglob("*.nb?")}
    assert len(kept) == 2  # its index and itself
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    second = call(AS_SOMEONE_ELSE + ONE_KERNEL, folder)
    assert second.stdout.split() == ["1", "False", "1", "0"], second.stderr
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.nb?")} == kept


def test_without_a_folder_kernels_are_compiled_in_memory_and_nowhere_else(tmp_path):
    (tmp_path / "file").touch()
    before = set((HOME / "kernels").rglob("*.nb?"))
    done = call(ONE_KERNEL, tmp_path / "file" / "cache")
    assert done.stdout.split() == ["1", "False", "0", "1"], done.stderr
    assert set((HOME / "kernels").rglob("*.nb?")) == before


def test_a_warm_up_that_would_keep_nothing_is_refused_at_once(tmp_path):
    (tmp_path / "file").touch()
    done = call("from rusle_engine.cli.app import app; app(['warmup'], prog_name='rusle')", tmp_path / "file" / "cache", timeout=60)
    assert (done.returncode, "RUSLE_KERNEL_CACHE" in done.stderr, "Traceback" in done.stderr) == (73, True, False)
