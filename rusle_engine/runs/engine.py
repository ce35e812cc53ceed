"""Who does the work of a run: threads of this process, processes of this machine, or the workers of a cluster. The results do not depend on it."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import dask
from pydantic import ValidationError
from threadpoolctl import threadpool_limits

from rusle_engine.core.errors import ConfigError, Problem, RunError
from rusle_engine.core.memory import memory_budget, usable_threads
from rusle_engine.core.scratch import use_scratch
from rusle_engine.runs.config import Compute
from rusle_engine.runs.problems import problems_of

log = logging.getLogger("rusle_engine")

_PATIENCE_S = 60
"""How long a scheduler may take to answer, and processes of this machine to start."""


def as_typed(given: dict[str, Any]) -> Compute:
    """Options of ``compute`` that a command line gives.

    Raises
    ------
    ConfigError
        When one cannot be, or they do not go together (exit code 2).
    """
    try:
        return Compute.model_validate(given)
    except ValidationError as error:
        problems = problems_of(error, Compute)
        flags = ["--" + p.where.replace("_", "-") if p.where in given else "--workers, --scheduler" for p in problems]
        wrong = ConfigError("the command cannot run", [Problem(flag, p.message) for flag, p in zip(flags, problems)])
        wrong.exit_code = 2
        raise wrong from None


@contextmanager
def engine(compute: Compute, client: Any | None = None, *, scratch: Path | None = None) -> Iterator[None]:
    """The settings of ``compute`` are in force inside: memory budget, threads, and the workers where there are any.

    Pools that libraries of linear algebra would open for themselves are kept at one thread, for each of ours is at work already.

    Parameters
    ----------
    compute
        As the configuration has it.
    client
        A ``distributed.Client`` whose workers do the work; it goes before what ``compute`` says, and is left open.
    scratch
        Folder for intermediates where ``compute`` names none; the package's own default when not given.

    Raises
    ------
    ConfigError
        When ``distributed`` is not installed where it is needed, or no scheduler answers at its address.
    """
    threads = compute.threads or usable_threads()
    settings: dict[str, Any] = {"scheduler": "threads", "num_workers": threads}
    if compute.memory_budget is not None:
        settings["rusle_engine.memory_budget"] = compute.memory_budget
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(1))
        stack.enter_context(dask.config.set(settings))
        workers = client or _client_of(compute, threads, stack)
        if workers is not None:
            stack.enter_context(dask.config.set(scheduler=workers))
        folder = compute.scratch or scratch
        if folder is not None:
            stack.enter_context(use_scratch(folder))
        yield


def _client_of(compute: Compute, threads: int, stack: ExitStack) -> Any | None:
    """A client of the workers that ``compute`` asks for, closed with ``stack``; None where threads of this process work."""
    if compute.scheduler is None and compute.workers is None:
        return None
    try:
        distributed: Any = import_module("distributed")
    except ImportError:
        where = "compute.scheduler" if compute.scheduler is not None else "compute.workers"
        raise _unusable(where, "needs the package distributed: pip install 'rusle-engine[cluster]'") from None
    if compute.scheduler is not None:
        return stack.enter_context(_connected(distributed, compute.scheduler))
    assert compute.workers is not None
    budget = memory_budget() // compute.workers
    with dask.config.set({"rusle_engine.memory_budget": budget, "distributed.worker.memory.terminate": False}):
        cluster = distributed.LocalCluster(
            n_workers=compute.workers,
            threads_per_worker=max(threads // compute.workers, 1),
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=0,
            silence_logs=logging.ERROR,
        )
    stack.enter_context(cluster)
    client = stack.enter_context(distributed.Client(cluster))
    try:
        client.wait_for_workers(compute.workers, timeout=_PATIENCE_S)
    except TimeoutError:
        raise RunError(f"the {compute.workers} workers did not start within {_PATIENCE_S} seconds; their messages stand above") from None
    return client


def _connected(distributed: Any, address: str) -> Any:
    try:
        client = distributed.Client(address, timeout=_PATIENCE_S)
    except (OSError, TimeoutError, ValueError) as error:
        raise _unusable("compute.scheduler", f"{address!r} does not answer as a dask scheduler ({error}); is it running, and reachable?") from None
    if not client.scheduler_info()["workers"]:
        log.warning("the scheduler at %s has no workers yet; the run waits for the first", address)
    return client


def _unusable(where: str, message: str) -> ConfigError:
    return ConfigError("the configuration cannot be run: 1 problem", [Problem(where, message)])
