"""The whole job, files in and files out, on made regions of growing size: seconds, cells a second, where the time goes, peak memory.

    python benchmarks/chain.py [--sides 1000 2000 4000] [--threads 2]

Each region is written by ``rusle sample`` and run by ``rusle run`` in a process of its own, so that peak memory is that run's alone;
kernels are compiled beforehand (``rusle warmup``).
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path


def rusle(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "rusle_engine", *arguments], check=True, stdout=subprocess.DEVNULL)


def measured(side: int, threads: int, folder: Path) -> dict[str, float]:
    """One run of a square region."""
    region = folder / f"region-{side}"
    rusle("sample", "--shape", f"{side}x{side}", str(region), "--quiet")
    (configuration,) = region.glob("*.yml")
    rusle("run", str(configuration), "--threads", str(threads), "--quiet")
    (record,) = region.rglob("run.json")
    manifest = json.loads(record.read_text("utf-8"))
    return {"side": side, "seconds": manifest["seconds"], "peak_memory_mib": manifest["peak_memory_mib"], **manifest["stages"]}


def table(rows: list[dict[str, float]]) -> str:
    """Markdown."""
    stages = [name for name in rows[0] if name not in ("side", "seconds", "peak_memory_mib")]
    lines = [f"| cells | seconds | M cells/s | peak memory MiB | {' | '.join(f'{s} s' for s in stages)} |", "|" + " --- |" * (4 + len(stages))]
    for row in rows:
        cells = row["side"] ** 2 / 1e6
        figures = [f"{cells:g} M", f"{row['seconds']:.1f}", f"{cells / row['seconds']:.2f}", f"{row['peak_memory_mib']:.0f}"]
        lines.append(f"| {' | '.join(figures + [f'{row[s]:.2f}' for s in stages])} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[1000, 2000, 4000])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    rusle("warmup")
    with tempfile.TemporaryDirectory() as folder:
        print(table([measured(side, options.threads, Path(folder)) for side in options.sides]))


if __name__ == "__main__":
    main()
