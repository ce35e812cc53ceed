"""All benchmarks, one after the other, written into ``benchmarks/README.md`` with the machine and the commands.

make bench
"""

import importlib.metadata
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil

HERE = Path(__file__).parent
SCRIPTS = {
    "Terrain kernels": "terrain.py",
    "Packed ties and breaching": "depressions.py 2000",
    "Routing to several neighbours": "multiple_flow.py 2000",
    "LS": "ls.py",
    "Product, class and zone tallies": "soil_loss.py",
    "Factor kernels": "factors.py",
    "Cover": "cover.py",
    "Storms and R": "erosivity.py",
    "Factors from places": "space.py",
    "Rasters written": "rasters.py",
    "DEM to LS, files in and out": "files.py",
    "The whole job": "chain.py",
    "The graphs over tile borders at 10¹¹ cells": "borders.py",
    "Start of the command": "startup.py",
}


def machine() -> str:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("numba", "numpy", "dask", "rasterio"))
    return (
        f"{platform.system()} {platform.machine()}, {psutil.cpu_count()} processors, {psutil.virtual_memory().total / 2**30:.0f} GiB; "
        f"Python {platform.python_version()}, {versions}; {datetime.now(UTC):%Y-%m-%d}."
    )


def main() -> None:
    parts = ["# Benchmarks", "", "Written by `make bench`. Figures hold for the machine that made them; run it on yours.", "", machine()]
    for title, command in SCRIPTS.items():
        print(title, "…", flush=True)
        script, *options = command.split()
        done = subprocess.run([sys.executable, str(HERE / script), *options], check=True, capture_output=True, text=True)
        body = done.stdout.strip()
        parts += ["", f"## {title}", "", f"`python benchmarks/{command}`", "", body if body.startswith("|") else f"```\n{body}\n```"]
        print(body, flush=True)
    (HERE / "README.md").write_text("\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
