"""A table of values by zone and class: each zone has a value of its own for every class in it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import same_grid
from rusle_engine.core.lift import Tile, pointwise
from rusle_engine.core.variables import Variable
from rusle_engine.factors.tables import class_values
from rusle_kernels import tables

_NAMED = 10  # pairs that a message lists
_AT_ONCE = 32_768
"""Cells whose places are held at once, in the nearest memory."""

ZoneValues = Mapping[tuple[int, int], float]
"""Values by zone and class code."""


def zone_values(table: pd.DataFrame, variable: Variable) -> dict[tuple[int, int], float]:
    """The table of ``zone``, ``code`` and the variable's letter (or ``value``) as ``{(zone, code): value}``.

    Raises
    ------
    InputError
        When a column is missing, a zone is no whole number, or, by zone, as ``class_values``.
    """
    if not isinstance(table, pd.DataFrame) or not {"zone", "code"} <= set(table.columns):
        seen = list(table.columns) if isinstance(table, pd.DataFrame) else table
        raise InputError(f"the table of {variable.symbol} by zone has columns {seen}; expected 'zone', 'code' and {variable.symbol!r}")
    zones = pd.to_numeric(table["zone"], errors="coerce").to_numpy(np.float64)
    if wrong := [table["zone"].iloc[i] for i in np.flatnonzero(zones % 1 != 0)]:
        raise InputError(f"the table of {variable.symbol} by zone has the zone {wrong[0]!r}; expected whole numbers")
    values: dict[tuple[int, int], float] = {}
    for zone in np.unique(zones):
        try:
            values |= {(int(zone), code): value for code, value in class_values(table[zones == zone], variable).items()}
        except InputError as error:
            raise InputError(f"zone {int(zone)}: {error}") from None
    if not values:
        raise InputError(f"the table of {variable.symbol} by zone has no rows")
    return values


def lookup_in_zones(classes: xr.DataArray, zones: xr.DataArray, values: ZoneValues, name: str) -> xr.DataArray:
    """The value of each cell's class in its zone, float64; NaN where there is no class or no zone. Lazy when one of the two is.

    Raises
    ------
    InputError
        When a tile is computed that holds a class in a zone without a row: naming the pairs. ``name`` says what the table is for.
    """
    classes, zones = same_grid({"classes": classes, "zones": zones})
    first = np.unique([float(zone) for zone, _ in values])
    second = np.unique([float(code) for _, code in values])
    places = np.array([np.searchsorted(first, zone) * second.size + np.searchsorted(second, code) for zone, code in values], np.float64)
    order = np.argsort(places)
    places, numbers = places[order], np.array(list(values.values()), np.float64)[order]

    of_first, of_second = np.arange(first.size) * float(second.size), np.arange(second.size) * 1.0

    def on_tile(of_cells: Tile, of_zones: Tile, out: Tile) -> None:
        rows = max(1, _AT_ONCE // max(out.shape[1], 1))
        place, column = np.empty((rows, out.shape[1])), np.empty((rows, out.shape[1]))
        unknown = 0
        for top in range(0, out.shape[0], rows):
            part = slice(top, top + rows)
            found = out[part]
            at, beside = place[: len(found)], column[: len(found)]
            unknown += tables.lookup(of_zones[part], first, of_first, at) + tables.lookup(of_cells[part], second, of_second, beside)
            at += beside
            unknown += tables.lookup(at, places, numbers, found)
        if unknown:  # a code of the one where the other has none is not missed
            absent = np.isnan(out) & ~np.isnan(of_cells) & ~np.isnan(of_zones)
            if absent.any():
                raise InputError(_absent_rows(of_zones[absent], of_cells[absent], name))

    return pointwise(on_tile, classes, zones)


def _absent_rows(zones: np.ndarray[Any, Any], classes: np.ndarray[Any, Any], name: str) -> str:
    pairs = np.unique(np.column_stack([zones, classes]), axis=0)
    shown = ", ".join(f"{code:g} in zone {zone:g}" for zone, code in pairs[:_NAMED].tolist()) + (" …" if len(pairs) > _NAMED else "")
    return f"the {name} table has no row for class {shown}. Add rows, or make the code nodata."
