"""Who does the work of a single command, in how much memory: the options that all of them share."""

from pathlib import Path
from typing import Annotated, Any

import typer

Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Threads that work at once.", show_default=False)]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes of this machine that do the work.", show_default=False)]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", metavar="tcp://HOST:PORT", help="Dask scheduler whose workers do the work.", show_default=False)
]
MemoryBudget = Annotated[
    str | None, typer.Option("--memory-budget", metavar="SIZE", help="Most memory for one step, such as '8 GiB'.", show_default=False)
]
Scratch = Annotated[
    Path | None,
    typer.Option("--scratch", metavar="DIR", help="Folder for what does not fit into it meanwhile; else RUSLE_SCRATCH.", show_default=False),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Tell every step and every default.")]


def stated(threads: int | None, workers: int | None, scheduler: str | None, memory_budget: str | None, scratch: Path | None) -> dict[str, Any]:
    """Those that were typed."""
    given = {"threads": threads, "workers": workers, "scheduler": scheduler, "memory_budget": memory_budget, "scratch": scratch}
    return {name: value for name, value in given.items() if value is not None}
