"""What a command says and how it ends: results on stdout, talk on stderr, errors as one message and an exit code.

Only the standard library is imported here, so that ``rusle --help`` starts quickly.
"""

import json
import logging
import os
import signal
import sys
import traceback
from types import FrameType, TracebackType
from typing import Any

SCHEMA_VERSION = 1
INTERRUPTED, TERMINATED, UNEXPECTED = 130, 143, 1


class Terminated(BaseException):
    """The process was asked to end (SIGTERM)."""


class _ToStderr(logging.Handler):
    """Writes to whatever stderr is at that moment, so that a progress bar can move out of the way."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        print(f"rusle: {prefix}{record.getMessage()}", file=sys.stderr)


class Talk:
    """Around the body of a command: sets up the talk, and turns errors into messages and exit codes.

    Parameters
    ----------
    verbose
        Tell every step and every default.
    quiet
        Say nothing but errors.
    debug
        Show the traceback of an error.
    as_json
        Results, and errors too, as one JSON object on stdout.
    """

    def __init__(self, *, verbose: bool = False, quiet: bool = False, debug: bool = False, as_json: bool = False):
        self.quiet, self.debug, self.as_json = quiet, debug, as_json
        self._level = logging.DEBUG if debug else logging.INFO if verbose else logging.ERROR if quiet else logging.WARNING
        self._handler = _ToStderr()
        self._terminate: Any = None
        self._ending = False

    def __enter__(self) -> "Talk":
        logger = logging.getLogger("rusle_engine")
        logger.addHandler(self._handler)
        logger.setLevel(logging.DEBUG)
        self._handler.setLevel(self._level)
        self._terminate = signal.signal(signal.SIGTERM, self._terminated)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        logging.getLogger("rusle_engine").removeHandler(self._handler)
        signal.signal(signal.SIGTERM, self._terminate)
        if error is None or isinstance(error, SystemExit):
            return
        if self._ending:  # whatever it has become: compiled libraries wrap what their callbacks raise (measured with pydantic)
            self._failed("terminated", TERMINATED)
        elif isinstance(error, KeyboardInterrupt):
            self._failed("interrupted", INTERRUPTED)
        elif isinstance(error, Exception) and not type(error).__module__.startswith("typer"):
            self._told(error)

    def heed(self) -> None:
        """End here when SIGTERM came while a compiled library was calling back: it may have swallowed what the handler raised (measured)."""
        if self._ending:
            raise Terminated

    def _terminated(self, _signal: int, _frame: FrameType | None) -> None:
        self._ending = True
        raise Terminated

    def say(self, text: str) -> None:
        """A remark for a person, on stderr."""
        if not self.quiet:
            print(text, file=sys.stderr)

    def give(self, text: str, **values: Any) -> None:
        """The result: ``text`` for a person, or ``values`` as JSON, on stdout."""
        try:
            print(_json(values) if self.as_json else text, flush=True)
        except BrokenPipeError:  # whoever read along has seen enough
            sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 (for what the interpreter flushes at its end)

    def _told(self, error: Exception) -> None:
        from rusle_engine.core.errors import ConfigError, RusleError

        if self.debug:
            traceback.print_exception(error)
        if isinstance(error, RusleError):
            self._failed(str(error), error.exit_code, error.problems if isinstance(error, ConfigError) else ())
        elif isinstance(error, MemoryError):
            self._failed("out of memory; make compute.tile_cells or compute.threads smaller, or set compute.memory_budget", 69)
        else:
            hint = "" if self.debug else " (unexpected: --debug shows where)"
            self._failed(f"{type(error).__name__}: {error}{hint}", UNEXPECTED)

    def _failed(self, message: str, code: int, problems: Any = ()) -> None:
        print(f"rusle: error: {message}", file=sys.stderr)
        if self.as_json:
            print(_json({"error": message.split("\n")[0], "exit_code": code, "problems": problems_as_json(problems)}))
        sys.stdout.flush()
        raise SystemExit(code) from None


def problems_as_json(problems: Any) -> list[dict[str, Any]]:
    return [{"where": p.where, "message": p.message, "exit_code": p.exit_code} for p in problems]


def _json(values: dict[str, Any]) -> str:
    return json.dumps({"schema_version": SCHEMA_VERSION, **values}, ensure_ascii=False, indent=2, default=str)
