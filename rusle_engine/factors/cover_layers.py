"""What C and B share: cover of one period or of half-months, on one grid with the land cover, and means that erosivity weighs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import same_grid
from rusle_engine.core.layers import over_layers
from rusle_engine.core.lift import Tile
from rusle_engine.core.variables import NDVI, VEGETATION_COVER, Raster, Units, units_of
from rusle_engine.factors.ndvi_bounds import Bound, stated_bounds
from rusle_engine.factors.shares import Shares, erosivity_shares
from rusle_engine.factors.tables import refuse_missing_rows
from rusle_engine.factors.validation import validated
from rusle_kernels import biological

LAYERS = "half_month"


def cover_index(
    who: str, ndvi: Raster | None, fvc: Raster | None, ndvi_soil: Bound | None, ndvi_vegetation: Bound | None, units: Units
) -> tuple[xr.DataArray, dict[str, float]]:
    """Cover as kernels take it: NDVI with its two bounds, or cover itself without any (which stands for 0 and 1); held to its range."""
    if (ndvi is None) == (fvc is None):
        raise InputError(f"{who} needs ndvi= or fvc= (vegetation cover), one of them")
    if ndvi is None:
        assert fvc is not None
        if ndvi_soil is not None or ndvi_vegetation is not None:
            raise InputError(f"{who} with fvc= does not use ndvi_soil and ndvi_vegetation: it is cover already; leave them out")
        return validated(VEGETATION_COVER.require(fvc, units_of(units, "fvc")), VEGETATION_COVER), {}
    index = NDVI.require(ndvi, units_of(units, "ndvi"))
    return validated(index, NDVI), stated_bounds(index, ndvi_soil, ndvi_vegetation)


def limits(bounds: Mapping[str, float]) -> tuple[float, float]:
    """The two numbers that turn an index into cover."""
    return bounds.get("ndvi_soil", 0.0), bounds.get("ndvi_vegetation", 1.0)


def aligned(**arrays: xr.DataArray) -> list[xr.DataArray]:
    """Rasters and stacks on one grid, named as messages name them; numbers stay."""
    return same_grid(arrays)


def require_half_months(array: xr.DataArray, name: str) -> None:
    """Refuse layers that are not the 24 half-months of whole years, from January on (InputError)."""
    others = [str(d) for d in array.dims if d not in ("y", "x", LAYERS)]
    if others:
        way_out = "turn dates into half-months with half_month_ndvi" if others == ["time"] else f"expected {LAYERS}, y and x"
        raise InputError(f"{name} has the dimension {', '.join(others)}; {way_out}")
    if LAYERS not in array.dims or array.sizes[LAYERS] % 24 or array.sizes[LAYERS] == 0:
        raise InputError(f"{name} has the dimensions {dict(array.sizes)}; expected 24 layers along {LAYERS} for each year")
    if LAYERS in array.coords and not np.array_equal(array[LAYERS].values, np.tile(np.arange(1, 25), array.sizes[LAYERS] // 24)):
        raise InputError(f"{name} has the half-months {array[LAYERS].values.tolist()}; expected 1 to 24, in this order, for each year")


def layers_first(array: xr.DataArray) -> xr.DataArray:
    """The stack without the labels of its layers, (half_month, y, x); what has no layers stays."""
    return array.drop_vars([name for name, c in array.coords.items() if LAYERS in c.dims]).transpose(LAYERS, ...) if LAYERS in array.dims else array


def weighted_by_erosivity(ratios: xr.DataArray, wr: Shares | None, who: str) -> xr.DataArray:
    """The mean of ratios by half-month, weighted with the share of erosivity; a ratio of one period stays as it is.

    Raises
    ------
    InputError
        When there are half-months and no weights, or weights and no half-months.
    """
    if not set(ratios.dims) - {"y", "x"}:
        if wr is not None:
            raise InputError(f"{who} has cover of one period only, for which wr has no use; leave it out, or give the 24 half-months")
        return ratios
    require_half_months(ratios, "the cover")
    if wr is None:
        raise InputError(f"{who} of half-months needs wr=, the share of annual erosivity in each of the 24 (r_factor gives it)")
    stack, shares = aligned(cover=layers_first(ratios), wr=erosivity_shares(wr))
    return over_layers(biological.weighted_mean, stack, shares)


def mean_of_ratios(codes: xr.DataArray, ratios: Mapping[int, np.ndarray[Any, Any]], wr: Shares, name: str) -> xr.DataArray:
    """The mean of each class's 24 ratios, weighted with the share of erosivity; ``name`` says in a message what the table is."""
    rows = sorted(ratios)
    sorted_codes, by_row = np.array(rows, np.float64), np.array([ratios[code] for code in rows], np.float64)

    def on_tile(classes: Tile, shares: Tile, out: Tile) -> None:
        if biological.weighted_table(np.asarray(classes, np.float64), sorted_codes, by_row, shares, out):
            refuse_missing_rows(classes, ratios, name)

    classes, shares = aligned(landcover=codes, wr=erosivity_shares(wr))
    return over_layers(on_tile, classes, shares)
