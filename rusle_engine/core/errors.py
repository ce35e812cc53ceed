"""What can go wrong, as types. A message names the file or variable, the value seen, what is allowed, and the way out.

``exit_code`` is what a command ends with when the error reaches it (the sysexits convention).
"""

from collections.abc import Sequence
from dataclasses import dataclass


class RusleError(Exception):
    """Everything this package raises on purpose."""

    exit_code = 1


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a configuration or its inputs: where, what was seen, what is allowed, what to do."""

    where: str
    message: str
    exit_code: int = 78

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class ConfigError(RusleError, ValueError):
    """A configuration that cannot be run; ``problems`` holds every reason at once."""

    exit_code = 78

    def __init__(self, message: str, problems: Sequence[Problem] = ()):
        super().__init__(message if not problems else message + "".join(f"\n  - {problem}" for problem in problems))
        self.problems = tuple(problems)


class InputError(RusleError, ValueError):
    """Data that cannot be right: wrong units, impossible values, an unreadable file."""

    exit_code = 65


class MissingInputError(InputError):
    """A file that is named but not there."""

    exit_code = 66


class NotAllowedError(InputError):
    """A path or a kind of file that is refused for safety."""

    exit_code = 77


class GridMismatchError(InputError):
    """Two arrays that should share one grid and do not."""


class MemoryBudgetError(RusleError, MemoryError):
    """A step that would need more memory than the budget; raised before it starts."""

    exit_code = 69


class OutputError(RusleError, OSError):
    """A result that could not be written, or did not read back as written."""

    exit_code = 73


class RunError(RusleError):
    """A run that cannot go on."""

    exit_code = 70
