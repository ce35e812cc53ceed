"""What a named method is: whose equation, from which inputs, in which unit, and whether its source was read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class MethodInfo:
    """One method of one factor, as ``rusle methods`` lists it and a run's record cites it.

    ``status`` is ``verified`` when equation and numbers were read in a source, ``unchecked`` when they rest on memory: a result that
    uses an unchecked method must not be called official. ``own`` is a formula that a user registered.
    """

    equation: str
    source: str
    inputs: tuple[str, ...]
    units: str
    status: Literal["verified", "unchecked", "own"]
    formula_id: str
    valid_for: str = ""

    def provenance(self) -> dict[str, str]:
        """The attributes that a result of this method carries."""
        return {"formula": self.formula_id, "source": self.source, "method_status": self.status}


Methods = Mapping[str, MethodInfo]
