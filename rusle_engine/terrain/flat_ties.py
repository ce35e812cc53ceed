"""Which of two cells of one height comes first: by index, or, where heights are quantised, by where they lie in their flat."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Place
from rusle_kernels import flat_ties as kernels

Array = np.ndarray[Any, Any]
FlatTies = Literal["index", "packed"]


@dataclass(frozen=True)
class PackedTies:
    """Keys of heights that are whole multiples of ``quantum_m``: height step, distance to lower ground, nearness to higher ground.

    A drop-in for ``drainage.Heights``: the order of the keys is that of the heights, except that cells of one height are told apart.
    """

    floating: np.dtype[Any]
    integer: np.dtype[Any]
    quantum_m: float
    ring = kernels.FAR + 1

    @classmethod
    def of(cls, dtype: Any, quantum_m: float) -> "PackedTies":
        floating = np.dtype(dtype)
        return cls(floating, np.dtype(np.int32 if floating.itemsize == 4 else np.int64), float(quantum_m))

    @property
    def nodata(self) -> Any:
        """The key below every height."""
        return self.integer.type(np.iinfo(self.integer).min)

    @property
    def most_steps(self) -> float:
        """Steps that fit above the bits of the tie; in 64 bits, those that float64 counts exactly."""
        return float(2**23 - 1 if self.integer.itemsize == 4 else 2**53)

    @property
    def ratio(self) -> tuple[float, float]:
        """Multiplier and divisor that make heights of steps with one rounding: 0.1 m is 1/10, so that 3 steps are the nearest number to 0.3."""
        parts = round(1 / self.quantum_m)
        return (1.0, float(parts)) if parts and 1 / parts == self.quantum_m else (self.quantum_m, 1.0)

    def keys(self, heights: Array, place: Place) -> Array:
        """The keys of a tile and one ring of cells, from its heights and ``ring`` rings.

        Raises
        ------
        InputError
            When a height is not a multiple of the quantum, or has more steps than a key can hold.
        """
        steps = np.empty(heights.shape, self.integer)
        wrong = kernels.height_steps(heights, self.quantum_m, *self.ratio, self.most_steps, self.nodata, steps)
        if wrong >= 0:
            row, column = divmod(wrong, heights.shape[1])
            self._refuse(float(heights[row, column]), place.row + row - self.ring, place.column + column - self.ring)
        to_lower, from_higher = np.empty(steps.shape, np.uint8), np.empty(steps.shape, np.uint8)
        kernels.beside_other_ground(steps, self.nodata, to_lower, from_higher)
        is_next, queue = np.empty(steps.shape[1], np.uint8), np.empty(steps.size, np.int32 if steps.size < 2**31 else np.int64)
        kernels.spread_in_flats(steps, to_lower, is_next, queue)
        kernels.spread_in_flats(steps, from_higher, is_next, queue)
        keys = np.empty((place.height + 2, place.width + 2), self.integer)
        kernels.pack(steps, to_lower, from_higher, self.nodata, keys)
        return keys

    def _refuse(self, height: float, row: int, column: int) -> None:
        if abs(height) / self.quantum_m > self.most_steps:
            raise InputError(
                f"z (elevation) is {height:g} m at row {row}, column {column}: more than {self.most_steps:.0f} steps of quantum_m "
                f"{self.quantum_m:g}, which is what keys of {self.floating} heights can hold. Use float64 heights or flat_ties='index'"
            )
        multiplier, divisor = self.ratio
        rounding = f"* {divisor:g}).round() / {divisor:g}" if multiplier == 1 else f"/ {multiplier:g}).round() * {multiplier:g}"
        raise InputError(
            f"z (elevation) is {height:.9g} m at row {row}, column {column}, which is no whole multiple of quantum_m {self.quantum_m:g}; "
            f"flat_ties='packed' is for heights stored in whole steps. Give their step, round them "
            f"(((dem.astype('float64') {rounding}).astype(dem.dtype)), or use flat_ties='index'"
        )

    def heights(self, keys: Array, empty: float) -> Array:
        """The heights of ``keys``, in the same memory; nodata becomes ``empty``."""
        out = keys.view(self.floating)
        kernels.unpack(keys, *self.ratio, self.nodata, empty, out)
        return out


def require_ties(flat_ties: str, quantum_m: float | None, dtype: Any) -> PackedTies | None:
    """The order of cells that is asked for; None is by height and index.

    Raises
    ------
    InputError
        When packed ties come without the step of the heights, or that is no positive number.
    """
    if flat_ties not in ("index", "packed"):
        raise InputError(f"flat_ties {flat_ties!r} is not known; choose one of 'index', 'packed'")
    if flat_ties == "index":
        if quantum_m is not None:
            raise InputError(f"quantum_m {quantum_m:g} is given and flat_ties is 'index', which does not use it; expected flat_ties='packed'")
        return None
    if quantum_m is None:
        raise InputError("flat_ties='packed' needs quantum_m, the step of the heights [m]: 1.0 for whole metres. It is never guessed")
    if not (np.isfinite(quantum_m) and quantum_m > 0):
        raise InputError(f"quantum_m is {quantum_m:g}; expected a positive number of metres")
    return PackedTies.of(dtype, quantum_m)
