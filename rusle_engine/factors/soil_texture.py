"""Soil texture as surveys give it, made what the equations of K take: USDA fractions."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import same_grid
from rusle_engine.core.lift import Tile, pointwise
from rusle_engine.core.variables import CLAY, SAND, SILT, Raster, Units, Variable, units_of

ParticleLimits = Literal["usda", "isss", "kachinsky"]

_LIMITS_MM = {"usda": (0.002, 0.05, 2.0), "isss": (0.002, 0.02, 2.0), "kachinsky": (0.001, 0.05, 1.0)}
"""The greatest grain of clay, silt and sand."""


def usda_texture(*, sand: Raster, silt: Raster, clay: Raster, particle_limits: ParticleLimits, units: Units = None) -> xr.Dataset:
    r"""Sand, silt and clay of another classification as the USDA cuts them: 2, 0.05 and 0.002 mm.

    The share of grains below a diameter is interpolated linearly in the logarithm of the diameter between the limits that were measured:

    .. math:: F(d) = F_1 + (F_2 - F_1)\,\frac{\ln d - \ln d_1}{\ln d_2 - \ln d_1}

    Grains above the greatest limit (2 mm, 1 mm for ``kachinsky``) are not part of the fine earth, before and after.

    Parameters
    ----------
    sand
        Sand as the survey has it [%]: ``isss`` 2 to 0.02 mm, ``kachinsky`` 1 to 0.05 mm.
    silt
        Silt as the survey has it [%]: ``isss`` 0.02 to 0.002 mm, ``kachinsky`` 0.05 to 0.001 mm.
    clay
        Clay as the survey has it [%]: ``isss`` below 0.002 mm, ``kachinsky`` below 0.001 mm.
    particle_limits
        Whose limits: ``isss`` (International Society of Soil Science; older Chinese surveys), ``kachinsky`` (Kachinsky; the Chinese
        classification that follows it), ``usda``.
    units
        Units of plain arrays, one text or a mapping by parameter name.

    Returns
    -------
    Dataset
        ``sand``, ``silt``, ``clay`` [%], float64; they add up to what was given.

    Raises
    ------
    InputError
        When the limits are not known, or a unit is another quantity's.

    Notes
    -----
    An interpolation, not a measurement: between 0.02 and 2 mm it puts a fifth of the sand of ``isss`` into silt, whatever the sand.

    Examples
    --------
    >>> float(usda_texture(sand=50.0, silt=30.0, clay=20.0, particle_limits="isss").silt.round(4))
    39.9485
    """
    if particle_limits not in get_args(ParticleLimits):
        raise InputError(f"particle_limits {particle_limits!r} is not known; choose one of {', '.join(get_args(ParticleLimits))}")
    given = (("sand", SAND, sand), ("silt", SILT, silt), ("clay", CLAY, clay))
    contents = same_grid({name: variable.require(value, units_of(units, name)) for name, variable, value in given})
    shares = _shares(particle_limits)
    note = {} if particle_limits == "usda" else {"particle_limits": f"{particle_limits} to usda, log-linear"}
    return xr.Dataset({name: variable.describe(_mixed(contents, share, variable), **note) for (name, variable, _), share in zip(given, shares)})


def _shares(system: ParticleLimits) -> tuple[tuple[float, float, float], ...]:
    """What part of the survey's sand, silt and clay goes into each of USDA sand, silt and clay."""
    edges = (0.0, *_LIMITS_MM[system])
    to = (0.0, *_LIMITS_MM["usda"][:2], math.inf)

    def overlap(measured: int, wanted: int) -> float:
        low, high = edges[measured], edges[measured + 1]
        if low == 0.0:  # clay goes on to nothing: it stays clay, for the limit of USDA clay is never below it
            return 1.0 if wanted == 0 else 0.0
        inside = max(0.0, math.log(min(high, to[wanted + 1])) - math.log(max(low, to[wanted])))
        return inside / (math.log(high) - math.log(low))

    return tuple((overlap(2, wanted), overlap(1, wanted), overlap(0, wanted)) for wanted in (2, 1, 0))


def _mixed(contents: Sequence[xr.DataArray], shares: Sequence[float], variable: Variable) -> xr.DataArray:
    if tuple(shares) == tuple(float(name == variable.symbol) for name in ("sand", "silt", "clay")):
        return contents[("sand", "silt", "clay").index(variable.symbol)]

    def mix(sand: Tile, silt: Tile, clay: Tile, out: Tile) -> None:
        out[...] = shares[0] * sand + shares[1] * silt + shares[2] * clay

    return pointwise(mix, *contents)
