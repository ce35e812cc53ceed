"""What is shipped: two packages and the configurations, nothing named ``kernels``, and it works where there is no checkout."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)], check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("site packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def python_elsewhere(unpacked, cwd, code):
    environment = os.environ | {"PYTHONPATH": str(unpacked), "PYTHONSAFEPATH": "1"}
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, env=environment, check=True, capture_output=True, text=True).stdout.strip()


def test_the_wheel_holds_the_packages_and_the_configurations(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {"rusle_engine", "rusle_kernels"} <= tops
    assert "kernels" not in tops
    assert "rusle_engine/py.typed" in names
    assert "rusle_engine/__init__.pyi" in names
    for source in sorted((ROOT / "configs").rglob("*.*")):
        assert f"rusle_engine/configs/{source.relative_to(ROOT / 'configs').as_posix()}" in names
    assert not [name for name in names if name.endswith((".tif", ".gpkg", ".npz", ".csv.gz"))]


def test_the_wheel_gives_no_module_called_kernels(unpacked, tmp_path):
    code = "import importlib.util as u; print(u.find_spec('rusle_kernels') is not None, u.find_spec('kernels'))"
    # without site-packages: an editable install puts the checkout itself on the path
    found = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(unpacked)}, check=True, capture_output=True, text=True
    )
    assert found.stdout.strip() == "True None"


def test_configurations_are_found_in_the_wheel_and_in_the_checkout(unpacked, tmp_path):
    code = "from rusle_engine.files.configs import configs_folder; print(configs_folder())"
    shipped = Path(python_elsewhere(unpacked, tmp_path, code))
    assert shipped == unpacked / "rusle_engine" / "configs"
    assert (shipped / "rusle.yml").is_file()
    here = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()
    assert (Path(here) / "rusle.yml").read_bytes() == (shipped / "rusle.yml").read_bytes()
    assert Path(here) == ROOT / "configs"


def test_importing_the_package_loads_nothing_heavy(unpacked, tmp_path):
    code = "import sys, rusle_engine; print([m for m in ('numpy', 'numba', 'xarray', 'dask', 'rasterio', 'pandas') if m in sys.modules])"
    assert python_elsewhere(unpacked, tmp_path, code) == "[]"


def test_every_public_name_is_there():
    import rusle_engine

    assert all(getattr(rusle_engine, name) is not None for name in rusle_engine.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rusle_engine.nothing


def test_the_typed_stub_names_what_the_package_has():
    import ast

    import rusle_engine

    stub = ast.parse((ROOT / "rusle_engine" / "__init__.pyi").read_text("utf-8"))
    named = {alias.asname for node in ast.walk(stub) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert named | {"__version__"} == set(rusle_engine.__all__)


def test_one_version_everywhere():
    import rusle_engine

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == rusle_engine.__version__
    assert f"\nversion: {rusle_engine.__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## {rusle_engine.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_constraints_are_names_and_versions_only():
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        name, separator, version = line.partition("==")
        assert separator
        assert name
        assert version
        assert "/" not in line
        assert " " not in line
