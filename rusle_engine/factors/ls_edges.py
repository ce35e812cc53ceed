"""Which LS the edge of the DEM, or a hole in it, makes uncertain."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import Tile, pointwise
from rusle_engine.core.variables import EDGE_CONTAMINATION, FLOW_DIRECTION
from rusle_engine.factors import path_length
from rusle_engine.factors.ls_routing import Routing
from rusle_engine.factors.ls_scheme import Scheme
from rusle_engine.terrain.edges import at_edge, enough_area_m2, margin_m
from rusle_kernels.topography import NODATA_FLAG

Array = np.ndarray[Any, Any]
NO_LIMIT_M = 2.0**22
"""Longer than any slope [m]: what is taken to enter at the edge where there is no longest slope."""


def edge_of_ls(
    scheme: Scheme, grid: Grid, routing: Routing, inputs: Mapping[str, xr.DataArray], theta: xr.DataArray | None, flags: xr.DataArray
) -> xr.DataArray | None:
    r"""Cells whose LS might be another if the DEM went on beyond its edge and in its holes.

    By contributing area these are the cells of ``edge_contamination``. What inside the DEM is enough for a cell to be certain is the area that
    makes it a channel, whose LS is 0 whatever else drains in, or where channels have no threshold the area that makes the slope as long as
    is counted. By the length of flow paths (``theta`` given) a slope of the longest length enters at the edge, and in every cell that might be a
    channel or not; cut are these, and cells that it reaches before it ends where slopes from inside are shorter.

    Returns
    -------
    DataArray (y, x), or None
        uint8: 1 cut, 0 whole, 255 where there is no LS. ``attrs["buffer_m"]`` is the margin around the region that would cure it (by several
        receivers a guide), absent where nothing is enough. None where the upslope area was given: how it was routed nobody knows.
    """
    enough = _enough_m2(scheme, grid)
    by_area = routing.cut_by_edge(enough) if theta is None or scheme.channel_area_m2 is not None else at_edge(routing.codes)
    if by_area is None:
        return None
    cut = by_area if theta is None else _cut_slopes(scheme, grid, routing, theta, inputs["ended"], by_area)
    margin = margin_m(grid, enough, scheme=scheme.routing) if np.isfinite(enough).all() else np.inf
    if theta is not None:
        margin = _margin_of_paths_m(scheme, grid, margin)
    said = {"codes": "1 cut, 0 whole, 255 nodata"} | ({"buffer_m": margin} if np.isfinite(margin) else {})
    return EDGE_CONTAMINATION.describe(pointwise(_with_nodata, cut, flags, dtype=np.uint8, input_dtypes=(np.uint8, np.uint8)), **said)


def _enough_m2(scheme: Scheme, grid: Grid) -> Array:
    """The area from inside that makes a cell certain, for each row [m²]."""
    if scheme.channel_area_m2 is not None:
        return np.maximum(scheme.channel_area_m2 - grid.cell_area_m2, 0.0)
    if scheme.max_slope_length_m is not None:
        return enough_area_m2(grid, scheme.max_slope_length_m)
    return np.full(grid.height, np.inf)


def _cut_slopes(scheme: Scheme, grid: Grid, routing: Routing, theta: xr.DataArray, ended: xr.DataArray, uncertain: xr.DataArray) -> xr.DataArray:
    """``uncertain`` cells, and those below them on a slope that is not as long as is counted by what comes from elsewhere."""
    cutoffs = scheme.cutoff_below_5_pct, scheme.cutoff_from_5_pct
    entering = NO_LIMIT_M if scheme.max_slope_length_m is None else scheme.max_slope_length_m
    kinds = (np.float64, np.uint8)
    open_ones = pointwise(_end_nowhere, ended, uncertain, dtype=np.uint8, input_dtypes=(np.uint8, np.uint8))
    reaching = pointwise(_let_in, theta, uncertain, input_dtypes=kinds)
    with_outside, _ = path_length.slope_lengths(routing.codes, reaching, open_ones, grid, *cutoffs, from_outside_m=entering)
    closed = pointwise(_end_there, routing.codes, uncertain, dtype=np.uint8, input_dtypes=(routing.codes.dtype, np.uint8))
    closed = FLOW_DIRECTION.describe(closed, scheme="d8")
    from_inside, _ = path_length.slope_lengths(closed, theta, ended, grid, *cutoffs)
    return pointwise(_reached, uncertain, with_outside, from_inside, parameters=(entering,), dtype=np.uint8)


def _margin_of_paths_m(scheme: Scheme, grid: Grid, margin_of_areas_m: float) -> float:
    r"""A path from the new edge is longer than the longest slope after :math:`n + 1/2` of the shorter sides of cells, for the second one counts half.

    With channels, one that begins within the margin of areas is certain after it, and slopes that it may or may not end after as much again.
    """
    if scheme.max_slope_length_m is None:
        return math.inf
    cells = 1 + np.ceil(scheme.max_slope_length_m / np.minimum(grid.dx_m, grid.dy_m) + 0.5)
    alone = float(math.ceil((cells * np.maximum(grid.dx_m, grid.dy_m)).max()))
    return alone if scheme.channel_area_m2 is None else alone + margin_of_areas_m


def _end_nowhere(ended: Tile, uncertain: Tile, out: Tile) -> None:
    out[...] = np.where(uncertain == 1, 0, ended)


def _let_in(theta: Tile, uncertain: Tile, out: Tile) -> None:
    """Uncertain cells with the mark of cells in which slopes enter; how steep they are does not end them."""
    out[...] = np.where(uncertain == 1, -1.0, theta)


def _end_there(codes: Tile, uncertain: Tile, out: Tile) -> None:
    out[...] = np.where(uncertain == 1, 0, codes)


def _reached(uncertain: Tile, with_outside: Tile, from_inside: Tile, entering: float, out: Tile) -> None:
    out[...] = (uncertain == 1) | (with_outside >= entering) & (from_inside < entering)


def _with_nodata(cut: Tile, flags: Tile, out: Tile) -> None:
    out[...] = np.where(flags == NODATA_FLAG, NODATA_FLAG, cut == 1)
