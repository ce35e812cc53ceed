"""Who does the work of a single command, in how much memory, and what it says: the options that all of them share."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from rusle_engine.cli.talk import Talk

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


_SHARED: dict[str, tuple[Any, Any]] = {
    "threads": (Threads, None),
    "workers": (Workers, None),
    "scheduler": (Scheduler, None),
    "memory_budget": (MemoryBudget, None),
    "scratch": (Scratch, None),
    "as_json": (Annotated[bool, typer.Option("--json", help="Result as one JSON object on stdout.")], False),
    "verbose": (Verbose, False),
    "quiet": (Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")], False),
    "debug": (Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")], False),
}


def with_shared_options(command: Callable[..., None]) -> Callable[..., None]:
    """``command(…, compute, talk)`` as a command with the shared options after its own, which it gets as those two."""

    @wraps(command)
    def called(**given: Any) -> None:
        talk = Talk(**{name: given.pop(name) for name in ("verbose", "quiet", "debug", "as_json")})
        compute = stated(*(given.pop(name) for name in ("threads", "workers", "scheduler", "memory_budget", "scratch")))
        command(**given, compute=compute, talk=talk)

    own = [p for name, p in inspect.signature(command).parameters.items() if name not in ("compute", "talk")]
    shared = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=d, annotation=kind) for name, (kind, d) in _SHARED.items()]
    parameters = [*(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own), *shared]
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {p.name: p.annotation for p in parameters}
    return called
