"""Imports point down: a room may use the rooms below it, never one above or beside it except where the house says so."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "core": {"core"},
    "files": {"files", "core"},
    "terrain": {"terrain", "core"},
    "erosion": {"erosion", "core"},
    "factors": {"factors", "terrain", "core"},
    "assessment": {"assessment", "erosion", "files", "core"},
    "report": {"report", "files", "core"},
    "runs": {"runs", "factors", "terrain", "erosion", "assessment", "report", "files", "core"},
    "cli": {"cli", "runs", "core"},
}
KERNELS_MAY_IMPORT = {"rusle_kernels", "numpy", "numba", "llvmlite", "math", "collections", "hashlib", "os", "pathlib", "typing"}


def modules_imported(source: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: relative import"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms_imported(source: Path) -> set[str]:
    return {name.split(".")[1] for name in modules_imported(source) if name.startswith("rusle_engine.") and name.split(".")[1] in ALLOWED}


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_imports_point_down(room):
    sources = sorted((ROOT / "rusle_engine" / room).rglob("*.py"))
    assert sources
    wrong = {str(s.relative_to(ROOT)): rooms_imported(s) - ALLOWED[room] for s in sources if rooms_imported(s) - ALLOWED[room]}
    assert not wrong


def test_only_the_lift_builds_graphs():
    builders = {"dask.array", "dask.delayed", "dask.delayed.delayed", "dask.bag", "dask.dataframe"}
    wrong = [
        str(source.relative_to(ROOT))
        for source in sorted((ROOT / "rusle_engine").rglob("*.py"))
        if modules_imported(source) & builders and source.parent.name not in {"core", "files"}
    ]
    assert not wrong


def test_kernels_know_numpy_and_numba_only():
    for source in sorted((ROOT / "kernels" / "rusle_kernels").glob("*.py")):
        assert {name.split(".")[0] for name in modules_imported(source)} <= KERNELS_MAY_IMPORT, source


def test_no_file_is_too_long_to_read():
    long = {
        str(source.relative_to(ROOT)): lines
        for folder in ("rusle_engine", "kernels")
        for source in sorted((ROOT / folder).rglob("*.py"))
        if (lines := len(source.read_text("utf-8").splitlines())) > 420
    }
    assert not long
