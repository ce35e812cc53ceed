"""Fractional vegetation cover from NDVI, and the two NDVI values that bound it."""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import partial

import numpy as np
import xarray as xr
from dask.base import compute

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Tile, pointwise, tiled
from rusle_engine.core.variables import NDVI, VEGETATION_COVER, Raster, Units, units_of
from rusle_engine.factors.validation import require_within, validated
from rusle_kernels import cover


def vegetation_cover(ndvi: Raster, *, ndvi_soil: float, ndvi_vegetation: float, units: Units = None) -> xr.DataArray:
    r"""Fractional vegetation cover by the dimidiate pixel model.

    .. math:: FVC = \frac{NDVI - NDVI_s}{NDVI_v - NDVI_s}, \quad 0 \le FVC \le 1

    Parameters
    ----------
    ndvi
        NDVI [1], -1 to 1.
    ndvi_soil
        NDVI of bare soil: the same number for all tiles, dates and years (``ndvi_bounds``).
    ndvi_vegetation
        NDVI of full cover, likewise.
    units
        Unit of a plain array.

    Returns
    -------
    DataArray (y, x)
        Cover as a fraction, 0 to 1, float64; NaN where NDVI is. Lazy when ``ndvi`` is.

    Raises
    ------
    InputError
        When the bounds are not in order, or NDVI lies outside -1 to 1.

    Examples
    --------
    >>> vegetation_cover(0.5, ndvi_soil=0.05, ndvi_vegetation=0.86).round(6).item()
    0.555556
    """
    require_bounds(ndvi_soil, ndvi_vegetation)
    index = validated(NDVI.require(ndvi, units_of(units, "ndvi")), NDVI)
    fraction = pointwise(cover.cover_dimidiate, index, parameters=(ndvi_soil, ndvi_vegetation))
    return VEGETATION_COVER.describe(fraction, method="dimidiate_pixel", ndvi_soil=ndvi_soil, ndvi_vegetation=ndvi_vegetation)


def require_bounds(ndvi_soil: float, ndvi_vegetation: float) -> None:
    """Refuse bounds that cannot be NDVI of bare soil and of full cover (InputError)."""
    if not -1.0 <= ndvi_soil < ndvi_vegetation <= 1.0:
        raise InputError(f"ndvi_soil is {ndvi_soil:g} and ndvi_vegetation {ndvi_vegetation:g}; expected -1 <= ndvi_soil < ndvi_vegetation <= 1")


def ndvi_bounds(ndvi: xr.DataArray | Iterable[xr.DataArray], *, low_pct: float = 5.0, high_pct: float = 95.0) -> tuple[float, float]:
    """NDVI of bare soil and of full cover: two cumulative percentiles over the whole region and all dates, to be frozen for later years.

    The percentile is the smallest NDVI that at least that share of all valid cells does not exceed, exact over any number of tiles: values
    are taken as float32 and counted twice, by the upper and then by the lower half of their bits. Computes, one date at a time.

    Parameters
    ----------
    ndvi
        NDVI [1] as (y, x), as (time, y, x), or as several such arrays.
    low_pct, high_pct
        The percentiles [%] for bare soil and for full cover.

    Returns
    -------
    tuple of float
        ndvi_soil and ndvi_vegetation.

    Raises
    ------
    InputError
        When there is no valid cell, when NDVI lies outside -1 to 1, or when both percentiles are one value.

    Examples
    --------
    >>> dates = xr.DataArray(np.arange(100, dtype="f4").reshape(4, 5, 5) / 100, dims=("time", "y", "x"))
    >>> [round(bound, 4) for bound in ndvi_bounds(dates)]
    [0.04, 0.94]
    """
    arrays = [ndvi] if isinstance(ndvi, xr.DataArray) else list(ndvi)
    dates = [date for array in arrays for date in (array.transpose("time", ...) if "time" in array.dims else [array])]
    upper = _counts(dates, _upper_halves)
    total = upper.total()
    if total == 0:
        raise InputError("NDVI has no valid cell in any date; check the nodata value and the files")
    bounds = []
    for percent in (low_pct, high_pct):
        rank = max(1, math.ceil(Fraction(str(percent)) * total / 100))
        half, below = _at_rank(upper, rank)
        lower = _counts(dates, partial(_lower_halves, upper_half=half))
        bounds.append(_ndvi_of((half << 16) | _at_rank(lower, rank - below)[0]))
    require_bounds(*bounds)
    return bounds[0], bounds[1]


def _counts(dates: Iterable[xr.DataArray], part: Callable[[Tile], Tile]) -> Counter[int]:
    """How often each ``part`` of the ordered keys occurs over all dates and tiles."""

    def on_tile(tile: Tile, row: int, column: int) -> tuple[dict[int, int]]:  # noqa: ARG001
        values = np.ascontiguousarray(tile, np.float32)
        require_within(values, NDVI)
        parts, counts = np.unique(part(_keys(values[~np.isnan(values)])), return_counts=True)
        return (dict(zip(parts.tolist(), counts.tolist())),)

    total: Counter[int] = Counter()
    for date in dates:
        _, records = tiled(on_tile, NDVI.require(date), dtypes=())
        for record in compute(*records):
            total.update(record)
    return total


def _keys(values: Tile) -> Tile:
    """Unsigned integers in the order of the float32 values (which are turned into -0 < +0 along the way)."""
    bits = values.view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def _ndvi_of(key: int) -> float:
    bits = key ^ (1 << 31) if key >> 31 else ~key & 0xFFFFFFFF
    return float(np.array(bits, np.uint32).view(np.float32))


def _upper_halves(keys: Tile) -> Tile:
    return keys >> 16


def _lower_halves(keys: Tile, upper_half: int) -> Tile:
    return keys[keys >> 16 == upper_half] & 0xFFFF


def _at_rank(counts: Counter[int], rank: int) -> tuple[int, int]:
    """The key that holds the value of this rank (from 1), and how many values lie below that key."""
    below = 0
    for key in sorted(counts):
        if below + counts[key] >= rank:
            return key, below
        below += counts[key]
    raise AssertionError("the rank exceeds the count")
