"""How far a run is: a bar with rate and time left on a terminal, plain lines elsewhere, nothing when quiet."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rusle_engine.runs.progress import NoProgress, Progress

_EVERY_S = 10.0  # between two plain lines of one stage


@contextmanager
def progress_on_stderr(*, quiet: bool) -> Iterator[Progress]:
    """The progress that fits where stderr goes; a bar is cleared away even when the work fails."""
    if quiet:
        yield NoProgress()
    elif not sys.stderr.isatty():
        yield Lines()
    else:
        bar = Bar()
        try:
            yield bar
        finally:
            bar.close()


class Heeding:
    """A progress that calls ``heed`` at every step, so that who wants the work to end need not wait for all of it."""

    def __init__(self, progress: Progress, heed: Callable[[], None]):
        self._progress, self._heed = progress, heed

    def start(self, stage: str, total: int | None) -> None:
        self._heed()
        self._progress.start(stage, total)

    def advance(self, amount: int) -> None:
        self._heed()
        self._progress.advance(amount)

    def finish(self) -> None:
        self._heed()
        self._progress.finish()


class Lines:
    """For logs: a line at the end of a stage, and one every ten seconds on the way."""

    def __init__(self) -> None:
        self._stage = ""
        self._total: int | None = None
        self._done = 0
        self._begun = self._told = 0.0

    def start(self, stage: str, total: int | None) -> None:
        self._stage, self._total, self._done = stage, total, 0
        self._begun = self._told = time.monotonic()

    def advance(self, amount: int) -> None:
        self._done += amount
        now = time.monotonic()
        if self._total and self._done < self._total and now - self._told >= _EVERY_S:
            self._told = now
            rate = self._done / (now - self._begun)
            left = f", {(self._total - self._done) / rate:.0f} s left" if rate else ""
            print(f"rusle: {self._stage}: {100 * self._done / self._total:.0f} %, {in_words(rate)} cells/s{left}", file=sys.stderr)

    def finish(self) -> None:
        seconds = time.monotonic() - self._begun
        rate = f", {in_words(self._total / seconds)} cells/s" if self._total and seconds else ""
        print(f"rusle: {self._stage}: done in {seconds:.1f} s{rate}", file=sys.stderr)


class Bar:
    """For terminals; while it moves, other talk is written above it."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None

    def start(self, stage: str, total: int | None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.text import Text

        class Rate(ProgressColumn):
            def render(self, task: Any) -> Text:
                speed = task.finished_speed or task.speed
                return Text(f"{in_words(speed)} cells/s" if speed else "")

        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), Rate(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), redirect_stdout=False)
        self._task = self._bar.add_task(stage, total=total)
        self._bar.start()

    def advance(self, amount: int) -> None:
        self._bar.advance(self._task, amount)

    def finish(self) -> None:
        total = self._bar.tasks[0].total or 1
        self._bar.update(self._task, total=total, completed=total)
        self.close()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def in_words(number: float) -> str:
    """``12.3 M``, ``4.5 k``."""
    for limit, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= limit:
            return f"{number / limit:.1f}{suffix}"
    return f"{number:.0f} "
