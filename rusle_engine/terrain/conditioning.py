"""Depressions: filled to the minimal surface that drains, or breached by channels."""

from collections.abc import Collection
from typing import Literal, get_args

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import two_passes
from rusle_engine.core.variables import ELEVATION, Raster
from rusle_engine.terrain.breaching import SOURCE, BreachLimits, breached, breaches
from rusle_engine.terrain.drainage import drainage

ConditionMethod = Literal["fill", "breach"]
Remaining = Literal["fill", "leave"]


def require_heights(dem: Raster, units: str | None = None) -> xr.DataArray:
    """``dem`` as heights in metres, float32 or float64: integers become float32 where their type fits exactly, else float64.

    Raises
    ------
    InputError
        When it is not a raster of (y, x), does not hold numbers, or declares another unit.
    """
    array = ELEVATION.require(dem, units)
    if array.ndim != 2:
        raise InputError(f"z (elevation) has {array.ndim} dimensions {array.dims}; expected a raster (y, x)")
    if not array.size:
        raise InputError(f"z (elevation) has no cells: {array.shape[0]} rows and {array.shape[1]} columns")
    if array.dtype in (np.float32, np.float64):
        return array
    if array.dtype.kind not in "iuf":
        raise InputError(f"z (elevation) holds {array.dtype}; expected numbers")
    return array.astype(np.float32 if np.can_cast(array.dtype, np.float32) else np.float64)


def condition(
    dem: Raster,
    *,
    method: ConditionMethod = "fill",
    max_breach_length_m: float | None = None,
    max_breach_depth_m: float | None = None,
    remaining: Remaining = "fill",
    cell_size_m: float | tuple[float, float] | None = None,
    units: str | None = None,
) -> xr.DataArray:
    r"""Make a DEM drain: fill its depressions, or breach them within limits and fill what remains.

    .. math:: F(c) = \min_{\text{ways } c \to \text{outside}} \; \max_{\text{cells on the way}} z

    The filled surface F is the lowest one above the DEM from which every cell drains; it is unique and exact: no epsilon is added, no height
    is rounded, and flats stay flat (``flow_direction`` drains them without a gradient). Outside is beyond the grid's edge and every cell
    without data, so cells at the edge and beside nodata (of the eight neighbours) are outlets. Heights that are not finite are nodata.

    A breach is a channel from the bottom b of a depression to lower ground, whose cells c are lowered to b, of all such channels the one with

    .. math:: \min \sum_c \max(z(c) - z(b), 0),

    the least earth moved; of equal ones the shorter. It starts where F's water leaves the bottom. Lower ground is a cell below b, one at the
    edge or beside nodata, or one as low that drains as it is. Every bottom is breached on the DEM as it is, and where channels meet the lowest
    counts, so that neither order nor tiles can show. Channels get no gradient; where every bottom is breached nothing is left to fill.

    Parameters
    ----------
    dem
        Elevation [m] (y, x), float32 or float64, each exact in its own type; integers are converted.
    method
        ``fill``, or ``breach``.
    max_breach_length_m
        How long the way from a bottom to lower ground may be [m]; must be given for ``breach``. Cells that are reached at the least cost by a
        longer way are not searched further.
    max_breach_depth_m
        How deep a breach may cut any cell [m]; None: no limit.
    remaining
        What becomes of depressions that no breach within the limits drains: filled (fill), or left as they are (leave).
    cell_size_m
        Cell size of an array without coordinates, one number or (dx, dy) [m]; only breaching needs it.
    units
        The unit of a plain array.

    Returns
    -------
    DataArray (y, x)
        Elevation [m] that drains, the type of the heights. Lazy when ``dem`` is, in its chunks; the same bytes on any chunks.

    Raises
    ------
    InputError
        When ``dem`` is not a raster of numbers in metres, or a limit is missing or no positive number.
    MemoryBudgetError
        When a raster in memory, or the tiles in hand of a lazy one with what a breach may reach around them, are larger than the budget allows.

    Notes
    -----
    Sources: Barnes, Lehman & Mulla 2014, Computers & Geosciences 62:117 (filling: the definition and the oracle); Cordonnier, Bovy & Braun
    2019, Earth Surface Dynamics 7:549 (its algorithm, a graph of basins); Lindsay & Dhun 2015, International Journal of Geographical
    Information Science 29:397 (least-cost breaching), and Lindsay 2016, Hydrological Processes 30:846 (limits, and filling what remains).
    Departure from both: depressions are not taken one after the other on a surface already breached, and channels have no gradient
    (``docs/decisions/ADR-0018-breaching.md``).

    Examples
    --------
    >>> import numpy as np
    >>> bowl = np.array([[3.0, 3.0, 3.0, 3.0], [3.0, 1.0, 0.0, 2.0], [3.0, 3.0, 3.0, 3.0]])
    >>> condition(bowl, units="m").values[1].tolist()
    [3.0, 2.0, 2.0, 2.0]
    >>> condition(bowl, method="breach", max_breach_length_m=30.0, cell_size_m=10.0, units="m").values[1].tolist()
    [3.0, 1.0, 0.0, 0.0]
    """
    require_method(method, get_args(ConditionMethod), "method")
    require_method(remaining, get_args(Remaining), "remaining")
    heights = require_heights(dem, units)
    if method == "fill":
        if max_breach_length_m is not None or max_breach_depth_m is not None:
            raise InputError("max_breach_length_m and max_breach_depth_m are limits of method 'breach'; method is 'fill'")
        return ELEVATION.describe(_filled(heights), method=method)
    limits = BreachLimits.of(max_breach_length_m, max_breach_depth_m)
    surface = breached(heights, Grid.of(heights, cell_size_m), limits)
    drained = _filled(surface) if remaining == "fill" else surface
    return ELEVATION.describe(drained, method=method, **limits.said, remaining=remaining, source=SOURCE)


def _filled(heights: xr.DataArray) -> xr.DataArray:
    (filled,) = two_passes(drainage(heights.dtype, step="condition", nearness=None, with_fill=True), heights)
    return filled


def breach_report(
    dem: Raster,
    *,
    max_breach_length_m: float,
    max_breach_depth_m: float | None = None,
    cell_size_m: float | tuple[float, float] | None = None,
    units: str | None = None,
) -> dict[str, float]:
    """What ``condition(dem, method="breach")`` cuts with these limits, counted at once.

    Returns
    -------
    dict
        ``breaches`` (bottoms that are drained by cutting), ``longest_breach_m``, ``deepest_cut_m``, ``lowered_cells``, and
        ``unresolved_pits`` (bottoms that no breach within the limits drains, though one of a neighbour's may).
    """
    heights = require_heights(dem, units)
    surface, lengths = breaches(heights, Grid.of(heights, cell_size_m), BreachLimits.of(max_breach_length_m, max_breach_depth_m))
    cut, finite = heights.astype(np.float64) - surface, np.isfinite(lengths)
    figures = {
        "breaches": finite.sum(),
        "longest_breach_m": lengths.where(finite, 0.0).max(),
        "deepest_cut_m": cut.max().fillna(0.0),
        "lowered_cells": (cut > 0).sum(),
        "unresolved_pits": np.isinf(lengths).sum(),
    }
    return {str(name): figure.item() for name, figure in xr.Dataset(figures).compute().items()}


def require_method(method: str, methods: Collection[str], parameter: str) -> None:
    """Refuse a method that does not exist, naming those that do."""
    if method not in methods:
        raise InputError(f"{parameter} {method!r} is not known; choose one of {', '.join(map(repr, methods))}")
