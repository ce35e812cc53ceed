"""Counts, extremes and means of rasters, gathered in the pass that computes them and independent of how they are tiled."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from rusle_engine.core.lift import tiled

_FIXED_POINT = 2.0**30
"""Values are summed as integers of this fraction, so that the order of addition cannot show."""


@dataclass(frozen=True)
class Statistics:
    """Of the valid cells of one tile, or of several added up."""

    cells: int
    valid: int
    minimum: float
    maximum: float
    fixed_point_sum: int

    @property
    def mean(self) -> float:
        """Between the least and the greatest value: a constant that is no whole number of fixed-point steps would else lie outside of them."""
        if not self.valid:
            return float("nan")
        return min(max(self.fixed_point_sum / _FIXED_POINT / self.valid, self.minimum), self.maximum)

    def as_dict(self) -> dict[str, Any]:
        """``valid_cells, valid_pct, min, mean, max`` as a manifest lists them; None where there is no valid cell."""
        return {
            "valid_cells": self.valid,
            "valid_pct": 100.0 * self.valid / self.cells if self.cells else 0.0,
            "min": self.minimum if self.valid else None,
            "mean": self.mean if self.valid else None,
            "max": self.maximum if self.valid else None,
        }


def of_tile(tile: np.ndarray[Any, Any]) -> Statistics:
    finite = np.isfinite(tile)
    values = np.where(finite, tile, 0).astype(np.float64)
    rows = np.rint(values * _FIXED_POINT).astype(np.int64).sum(axis=1)  # a row of 2^20 cells of 8000 each still fits
    valid = int(finite.sum())
    return Statistics(
        cells=tile.size,
        valid=valid,
        minimum=float(tile[finite].min()) if valid else float("inf"),
        maximum=float(tile[finite].max()) if valid else float("-inf"),
        fixed_point_sum=sum(int(row) for row in rows),
    )


def total(parts: Iterable[Statistics]) -> Statistics:
    parts = list(parts)
    return Statistics(
        cells=sum(p.cells for p in parts),
        valid=sum(p.valid for p in parts),
        minimum=min((p.minimum for p in parts), default=float("inf")),
        maximum=max((p.maximum for p in parts), default=float("-inf")),
        fixed_point_sum=sum(p.fixed_point_sum for p in parts),
    )


def observed(array: xr.DataArray) -> tuple[xr.DataArray, list[Any]]:
    """The same raster, and the statistics of each of its tiles, both lazy: computed together, every tile is visited once."""
    (same,), records = tiled(lambda tile, _row, _column: (tile, of_tile(tile)), array, dtypes=[array.dtype])
    return same.assign_attrs(array.attrs).rename(array.name), records
