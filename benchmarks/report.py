"""All benchmarks, or those whose titles are named, written into ``benchmarks/README.md`` with the machine and the commands.

    make bench
    python benchmarks/report.py "Factor kernels" LS

What is said below the figures of a benchmark stays.
"""

import argparse
import importlib.metadata
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import psutil

HERE = Path(__file__).parent
README = HERE / "README.md"
SCRIPTS = {
    "Terrain kernels": "terrain.py",
    "Packed ties and breaching": "depressions.py 2000",
    "Routing to several neighbours": "multiple_flow.py 2000",
    "LS": "ls.py",
    "Product, class and zone tallies": "soil_loss.py",
    "Factor kernels": "factors.py",
    "Cover: C, B and half-months": "cover.py",
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


def figures(command: str) -> str:
    """What a benchmark prints: its tables as they are, all else as it stands."""
    script, *options = command.split()
    done = subprocess.run([sys.executable, str(HERE / script), *options], check=True, capture_output=True, text=True)
    printed = done.stdout.strip()
    return printed if printed.startswith("|") else f"```\n{printed}\n```"


def written() -> dict[str, tuple[str, str]]:
    """Of each benchmark in the file its figures, with the command, and what is said below them."""
    parts = re.split(r"^## (.*)\n", README.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    found = {}
    for title, text in zip(parts[::2], parts[1::2]):
        shown = re.match(r"\s*`python .*?`[^\n]*\n+(```.*?```|(?:\|[^\n]*\n?)+)", text, flags=re.DOTALL)
        if shown is not None:
            found[title] = shown[0].strip(), text[shown.end() :].strip()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("titles", nargs="*", help=", ".join(SCRIPTS))
    titles = parser.parse_args().titles or list(SCRIPTS)
    if unknown := [title for title in titles if title not in SCRIPTS]:
        parser.error(f"no benchmark has the title {', '.join(unknown)}; there are {', '.join(SCRIPTS)}")
    sections = written()
    for title in titles:
        print(title, "…", flush=True)
        shown = figures(SCRIPTS[title])
        print(shown, flush=True)
        sections[title] = f"`python benchmarks/{SCRIPTS[title]}`\n\n{shown}", sections.get(title, ("", ""))[1]
    parts = ["# Benchmarks", "Written by `make bench`. Figures hold for the machine that made them; run it on yours.", machine()]
    for title in (title for title in SCRIPTS if title in sections):
        parts += [f"## {title}", *(part for part in sections[title] if part)]
    README.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
