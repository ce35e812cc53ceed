"""How long ``rusle --help`` takes, in starts of an empty interpreter: ``python benchmarks/startup.py [repetitions]``.

The two are timed in turn, so that a change of the machine's pace meets both, and the medians are compared.
"""

import statistics
import subprocess
import sys
import time

LIMIT = 12.0


def seconds(*arguments: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun


def measure(repetitions: int) -> tuple[float, float]:
    """Medians of an empty start and of ``rusle --help`` [s]."""
    empty, command = [], []
    for _ in range(repetitions):
        empty.append(seconds("-c", ""))
        command.append(seconds("-m", "rusle_engine", "--help"))
    return statistics.median(empty), statistics.median(command)


if __name__ == "__main__":
    empty, command = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 25)
    print(f"empty interpreter {empty * 1e3:.1f} ms, rusle --help {command * 1e3:.1f} ms: {command / empty:.1f} starts (limit {LIMIT:g})")
