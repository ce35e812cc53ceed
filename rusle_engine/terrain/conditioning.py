"""Depressions: the minimal filled surface of a DEM."""

from collections.abc import Collection
from typing import Literal, get_args

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import two_passes
from rusle_engine.core.variables import ELEVATION, Raster
from rusle_engine.terrain.drainage import drainage

ConditionMethod = Literal["fill"]


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
    if array.dtype in (np.float32, np.float64):
        return array
    if array.dtype.kind not in "iuf":
        raise InputError(f"z (elevation) holds {array.dtype}; expected numbers")
    return array.astype(np.float32 if np.can_cast(array.dtype, np.float32) else np.float64)


def condition(dem: Raster, *, method: ConditionMethod = "fill", units: str | None = None) -> xr.DataArray:
    r"""Fill depressions: the lowest surface above the DEM from which every cell drains.

    .. math:: F(c) = \min_{\text{ways } c \to \text{outside}} \; \max_{\text{cells on the way}} z

    The surface is unique and exact: no epsilon is added, no height is rounded, and flats stay flat (``flow_direction`` drains them without
    a gradient). Outside is beyond the grid's edge and every cell without data, so cells at the edge and beside nodata (of the eight
    neighbours) are outlets. Heights that are not finite are nodata.

    Parameters
    ----------
    dem
        Elevation [m] (y, x), float32 or float64, each exact in its own type; integers are converted.
    method
        Whose way: ``fill``.
    units
        The unit of a plain array.

    Returns
    -------
    DataArray (y, x)
        Filled elevation [m], the type of the heights. Lazy when ``dem`` is, in its chunks; the same bytes on any chunks.

    Raises
    ------
    InputError
        When ``dem`` is not a raster of numbers in metres.
    MemoryBudgetError
        When a raster in memory, or the tiles in hand of a lazy one, are larger than the memory budget allows.

    Notes
    -----
    Source: Barnes, Lehman & Mulla 2014, Computers & Geosciences 62:117 (the definition and the oracle); the algorithm is the graph of
    basins of Cordonnier, Bovy & Braun 2019, Earth Surface Dynamics 7:549.

    Examples
    --------
    >>> import numpy as np
    >>> bowl = np.array([[3.0, 3.0, 3.0, 3.0], [3.0, 1.0, 0.0, 2.0], [3.0, 3.0, 3.0, 3.0]])
    >>> condition(bowl, units="m").values[1].tolist()
    [3.0, 2.0, 2.0, 2.0]
    """
    require_method(method, get_args(ConditionMethod), "method")
    heights = require_heights(dem, units)
    (filled,) = two_passes(drainage(heights.dtype, step="condition", nearness=None, with_fill=True), heights)
    return ELEVATION.describe(filled, method=method)


def require_method(method: str, methods: Collection[str], parameter: str) -> None:
    """Refuse a method that does not exist, naming those that do."""
    if method not in methods:
        raise InputError(f"{parameter} {method!r} is not known; choose one of {', '.join(map(repr, methods))}")
