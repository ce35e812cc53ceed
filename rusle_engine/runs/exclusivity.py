"""CSLE: cropland takes T and other land B. Where both lower the loss it may have been counted twice; how much land that is."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from rusle_engine.core.lift import Tile, tiled
from rusle_engine.runs.remarks import Remark, remark


def both_below_one(factors: Mapping[str, xr.DataArray]) -> list[Any]:
    """Counts of the cells in which both B and T are below 1 (and above 0, which is no cover but water or rock), one for each tile.

    Nothing to count where one of the two is missing or both are numbers.
    """
    b, t = factors.get("B"), factors.get("T")
    if b is None or t is None or (b.ndim == 0 and t.ndim == 0):
        return []

    def on_tile(biological: Tile, tillage: Tile, _row: int, _column: int) -> tuple[dict[str, int]]:
        known = ~np.isnan(biological + tillage)
        both = (biological > 0) & (biological < 1) & (tillage > 0) & (tillage < 1)
        return ({"valid": int(known.sum()), "both": int(both.sum())},)

    return tiled(on_tile, b, t, dtypes=())[1]


def exclusivity_entry(counts: Sequence[Mapping[str, int]]) -> dict[str, Any] | None:
    """The share of the cells with B and T in which both are below 1; None where nothing was counted."""
    if not counts:
        return None
    valid, both = (sum(count[name] for count in counts) for name in ("valid", "both"))
    return {"valid_cells": valid, "both_below_one_pct": 100.0 * both / valid if valid else 0.0}


def on_exclusivity(entry: Mapping[str, Any] | None) -> list[Remark]:
    """A remark when there is such land."""
    share = 0.0 if entry is None else entry["both_below_one_pct"]
    if not share:
        return []
    return [
        remark(
            "b_and_t",
            f"On {share:.3g} % of the land both B and T are below 1: cropland takes T and its B is 1, all other land B and its T is 1.",
            f"有 {share:.3g} % 的土地 B 与 T 同时小于 1：耕地取 T（B 为 1），其他土地取 B（T 为 1）。",
        )
    ]
