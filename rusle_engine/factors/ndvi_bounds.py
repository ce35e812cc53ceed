"""The two NDVI values that stand for bare soil and for full cover: stated, or percentiles of a whole region and all dates, then frozen."""

import logging
import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import xarray as xr
from dask.base import compute

from rusle_engine.core.errors import InputError
from rusle_engine.core.layers import records_of_chunks
from rusle_engine.core.lift import Tile
from rusle_engine.core.variables import NDVI
from rusle_engine.factors.validation import require_within
from rusle_kernels import cover

log = logging.getLogger("rusle_engine")

Bound = float | Mapping[str, float]
"""An NDVI, or ``{"percentile": 5}``: that percentile of the NDVI at hand, all its dates and cells at once."""

_STEPS = 20001
"""NDVI -1 to 1 in steps of 0.0001, the step of MODIS."""
_AT_ONCE = 64
"""Chunks counted before their counts are added up: 10 MB."""
_ILLUSTRATIVE = {"ndvi_soil": 0.05, "ndvi_vegetation": 0.86}


def ndvi_bounds(
    ndvi: xr.DataArray | Iterable[xr.DataArray],
    *,
    soil_percentile: float = 5.0,
    vegetation_percentile: float = 95.0,
) -> tuple[float, float]:
    """NDVI of bare soil and of full cover: two percentiles over the whole region and all dates, to be frozen for other years.

    Every NDVI is counted at the nearest step of 0.0001; the percentile is the smallest step that at least that share of all valid cells
    does not exceed. Counts of tiles and dates add up in any order, so the two numbers depend on neither. Computes; memory does not grow
    with the region.

    Parameters
    ----------
    ndvi
        NDVI [1] as (y, x), as (time, y, x), or as several such arrays.
    soil_percentile
        The percentile for bare soil [%].
    vegetation_percentile
        The percentile for full cover [%].

    Returns
    -------
    tuple of float
        ndvi_soil and ndvi_vegetation.

    Raises
    ------
    InputError
        When there is no valid cell, when NDVI lies outside -1 to 1, when a percentile lies outside 0 to 100, or when both are one value.

    Examples
    --------
    >>> dates = xr.DataArray(np.arange(100, dtype="f4").reshape(4, 5, 5) / 100, dims=("time", "y", "x"))
    >>> ndvi_bounds(dates)
    (0.04, 0.94)
    """
    wanted = {"ndvi_soil": {"percentile": soil_percentile}, "ndvi_vegetation": {"percentile": vegetation_percentile}}
    bounds = stated_bounds(ndvi, **wanted)
    return bounds["ndvi_soil"], bounds["ndvi_vegetation"]


def require_bounds(ndvi_soil: float, ndvi_vegetation: float) -> None:
    """Refuse bounds that cannot be NDVI of bare soil and of full cover (InputError)."""
    if not -1.0 <= ndvi_soil < ndvi_vegetation <= 1.0:
        raise InputError(f"ndvi_soil is {ndvi_soil:g} and ndvi_vegetation {ndvi_vegetation:g}; expected -1 <= ndvi_soil < ndvi_vegetation <= 1")


def stated_bounds(
    ndvi: xr.DataArray | Iterable[xr.DataArray],
    ndvi_soil: Bound | None,
    ndvi_vegetation: Bound | None,
) -> dict[str, float]:
    """Both bounds as numbers, by the name of their parameter: as stated, by percentile, or the illustrative ones, which is logged.

    Computes only when a percentile is asked for. Raises InputError as ``ndvi_bounds``.
    """
    stated = {"ndvi_soil": ndvi_soil, "ndvi_vegetation": ndvi_vegetation}
    missing = [name for name, bound in stated.items() if bound is None]
    if missing:
        log.warning("%s not stated: illustrative %s; state your region's own", *_listed({name: _ILLUSTRATIVE[name] for name in missing}))
    percentiles = {name: _percentile(name, bound) for name, bound in stated.items() if isinstance(bound, Mapping)}
    counts = _counts(ndvi) if percentiles else np.zeros(0, np.int64)
    bounds = {
        name: _at_percentile(counts, percentiles[name]) if name in percentiles else _ILLUSTRATIVE[name] if bound is None else float(bound)  # type: ignore[arg-type]
        for name, bound in stated.items()
    }
    require_bounds(**bounds)
    if percentiles:
        if isinstance(ndvi, xr.DataArray) and not set(ndvi.dims) - {"y", "x"}:
            log.warning("the percentiles of NDVI are those of one date; use their numbers for every other date and year")
        log.info("%s by percentile: %s; write the numbers down and use them for other years", *_listed({name: bounds[name] for name in percentiles}))
    return bounds


def _listed(values: Mapping[str, float]) -> tuple[str, str]:
    return " and ".join(values), " and ".join(f"{value:g}" for value in values.values())


def _percentile(name: str, bound: Mapping[str, float]) -> Fraction:
    if set(bound) != {"percentile"} or not 0 <= bound["percentile"] <= 100:
        raise InputError(f"{name} is {dict(bound)}; expected an NDVI, or {{percentile: 5}} with a number from 0 to 100")
    return Fraction(str(bound["percentile"]))


def _counts(ndvi: xr.DataArray | Iterable[xr.DataArray]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """How many cells of all dates and tiles lie at each step."""

    def of_chunk(chunk: Tile) -> Tile:
        values = np.ascontiguousarray(chunk).reshape(1, -1)
        require_within(values, NDVI)
        counts = np.zeros(_STEPS, np.int64)
        cover.count_ndvi(values, counts)
        return counts

    total = np.zeros(_STEPS, np.int64)
    for array in [ndvi] if isinstance(ndvi, xr.DataArray) else ndvi:
        records = records_of_chunks(of_chunk, NDVI.require(array))
        for start in range(0, len(records), _AT_ONCE):
            for counts in compute(*records[start : start + _AT_ONCE]):
                total += counts
    if not total.any():
        raise InputError("NDVI has no valid cell in any date; check the nodata value and the files")
    return total


def _at_percentile(counts: np.ndarray[Any, np.dtype[np.int64]], percentile: Fraction) -> float:
    rank = max(1, math.ceil(percentile * int(counts.sum()) / 100))
    return round(int(np.searchsorted(np.cumsum(counts), rank)) / 10000 - 1, 4)
