"""Variograms of stations, estimated and fitted by GSTools."""

import logging
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Tile

log = logging.getLogger("rusle_engine")

VariogramShape = Literal["spherical", "exponential", "gaussian"]

_CLASSES = 10
_FARTHEST = 0.5
"""Pairs farther apart than this share of the farthest two say little."""

_LENGTHS_TRIED = (0.05, 0.15, 0.4)
"""Where the fit starts, as shares of the farthest distance."""


@dataclass(frozen=True)
class Variogram:
    """gamma(r) = nugget + sill (1 - C(r)), C the correlation: 1 - 1.5 h + 0.5 h^3, exp(-h) or exp(-pi h^2 / 4) with h = r / length."""

    shape: VariogramShape
    nugget: float
    sill: float
    """Of the part that depends on distance."""
    length_m: float
    fit_r2: float

    def covariance(self, distance: Tile) -> Tile:
        """sill C(r) [value squared] at distances [m], without the nugget."""
        h = distance / self.length_m
        if self.shape == "spherical":
            correlation = np.where(h < 1, 1 - 1.5 * h + 0.5 * h**3, 0.0)
        else:
            correlation = np.exp(-h) if self.shape == "exponential" else np.exp(-0.25 * np.pi * h**2)
        return np.asarray(self.sill * correlation, np.float64)

    def described(self) -> dict[str, Any]:
        return {
            "variogram": self.shape,
            "variogram_nugget": self.nugget,
            "variogram_sill": self.sill,
            "variogram_length_m": self.length_m,
            "variogram_fit_r2": self.fit_r2,
        }


def fitted_variogram(x: Tile, y: Tile, values: Tile, shape: VariogramShape, *, of_residuals: bool = False) -> Variogram:
    """The variogram of ``shape`` fitted to Matheron's estimate of half the mean squared difference, by distance.

    Parameters
    ----------
    x, y
        Where [m].
    values
        What was measured there.
    shape
        Which form.
    of_residuals
        Whether the values are what a trend leaves: without any dependence on distance the trend alone is then the surface.

    Raises
    ------
    InputError
        When all values are equal or the fit finds no variogram.
    """
    import gstools

    if np.ptp(values) == 0:
        raise InputError("all stations have the same value: there is no variogram; take idw")
    models: dict[str, Any] = {"spherical": gstools.Spherical, "exponential": gstools.Exponential, "gaussian": gstools.Gaussian}
    if shape not in models:
        raise InputError(f"variogram is {shape!r}; expected one of {', '.join(models)}")
    farthest = float(np.hypot(x[:, None] - x, y[:, None] - y).max())
    variance = float(np.var(values))
    edges = np.linspace(0, _FARTHEST, _CLASSES + 1)
    at, gamma, pairs = gstools.vario_estimate((x / farthest, y / farthest), values / np.sqrt(variance), edges, return_counts=True)
    enough = pairs > 0
    best, best_r2 = None, 0.0
    for length in _LENGTHS_TRIED:  # one start alone can end in a pure nugget
        model = models[shape](dim=2)
        model.set_arg_bounds(var=[1e-6, 10.0], len_scale=[1e-3, 2.0], nugget=[0.0, 10.0])
        start = {"default": "default", "len_scale": length, "var": 0.8, "nugget": 0.2}
        try:
            _, _, r2 = model.fit_variogram(at[enough], gamma[enough], init_guess=start, weights=np.sqrt(pairs[enough]), return_r2=True)
        except (RuntimeError, ValueError):
            continue
        if r2 > best_r2:
            best, best_r2 = model, float(r2)
    if best is None and of_residuals:
        log.warning("what elevation leaves of %d stations does not depend on distance: the surface is the regression on elevation", len(values))
        return Variogram(shape, variance, 0.0, farthest, 0.0)
    if best is None:
        raise InputError(f"no {shape} variogram fits {len(values)} stations: their values do not depend on distance; take idw, or another shape")
    return Variogram(shape, float(best.nugget) * variance, float(best.var) * variance, float(best.len_scale) * farthest, best_r2)
