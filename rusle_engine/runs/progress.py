"""How a run tells how far it is: stages with amounts. What shows them is the caller's."""

from typing import Protocol


class Progress(Protocol):
    """Told by a run; a stage is finished before the next one starts."""

    def start(self, stage: str, total: int | None) -> None:
        """A stage begins; ``total`` is how much there is to do (cells), None when that is not known."""

    def advance(self, amount: int) -> None:
        """That much more of the stage is done."""

    def finish(self) -> None:
        """The stage is done."""


class NoProgress:
    """Tells nobody."""

    def start(self, stage: str, total: int | None) -> None:
        pass

    def advance(self, amount: int) -> None:
        pass

    def finish(self) -> None:
        pass
