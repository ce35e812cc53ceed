"""LS: the topographic factor of a DEM. Its parts stand in ``ls_parts.py``."""

from dataclasses import dataclass
from functools import partial
from typing import Any, get_args

import numpy as np
import xarray as xr

from rusle_engine.core.grid import Grid, same_grid
from rusle_engine.core.lift import tiled
from rusle_engine.core.variables import (
    LENGTH,
    LENGTH_EXPONENT,
    STEEPNESS,
    TOPOGRAPHY,
    TOPOGRAPHY_FLAGS,
    UPSLOPE_AREA,
    Raster,
    Units,
    units_of,
)
from rusle_engine.factors.ls_parts import (
    LINES,
    METHODS,
    RILL_RATIOS,
    ExponentMethod,
    LengthMethod,
    RillRatio,
    SteepnessMethod,
    l_factor,
    m_exponent,
    positive,
    s_factor,
    said,
)
from rusle_engine.terrain.conditioning import Array, condition, require_heights, require_method
from rusle_engine.terrain.flow import FlowScheme, direction_and_fill, directions_on, require_directions, upslope_area_of
from rusle_engine.terrain.slope import gradient, slope_of
from rusle_kernels import topography

__all__ = ["CAPPED", "CHANNEL", "METHODS", "NODATA_FLAG", "RAISED", "l_factor", "ls_factor", "ls_with_flags", "m_exponent", "s_factor"]

CAPPED, CHANNEL, RAISED, NODATA_FLAG = topography.CAPPED, topography.CHANNEL, topography.RAISED, topography.NODATA_FLAG


@dataclass(frozen=True)
class _Scheme:
    """The options of LS, checked."""

    length: LengthMethod
    steepness: SteepnessMethod
    exponent: ExponentMethod
    rill_ratio: RillRatio
    routing: FlowScheme
    max_slope_length_m: float | None
    channel_area_m2: float | None
    water_depth_m: float | None

    def __post_init__(self) -> None:
        require_method(self.length, get_args(LengthMethod), "length")
        require_method(self.steepness, get_args(SteepnessMethod), "steepness")
        require_method(self.exponent, get_args(ExponentMethod), "exponent")
        require_method(self.rill_ratio, get_args(RillRatio), "rill_ratio")
        require_method(self.routing, get_args(FlowScheme), "routing")

    def parameters(self) -> tuple[Any, ...]:
        """What the kernels take after the rows."""
        return (
            LINES[self.steepness],
            RILL_RATIOS[self.rill_ratio],
            positive(self.max_slope_length_m, "max_slope_length_m"),
            positive(self.channel_area_m2, "channel_area_m2"),
            positive(self.water_depth_m, "water_depth_m", or_zero=True),
        )

    def provenance(self) -> dict[str, Any]:
        """The whole scheme, as the result's attributes name it."""
        return {
            "method": f"{self.length} x {self.steepness}",
            "length": self.length,
            "steepness": self.steepness,
            "exponent": self.exponent,
            "rill_ratio": self.rill_ratio,
            "routing": self.routing,
            "slope": "horn1981",
            "max_slope_length_m": said(self.max_slope_length_m),
            "channel_area_m2": said(self.channel_area_m2),
            "water_depth_m": said(self.water_depth_m),
        }


def _tile(
    gradients: Array,
    area_in: Array,
    raised: Array,
    row: int,
    _column: int,
    *,
    rows: tuple[Array, Array, Array],
    parameters: tuple[Any, ...],
    components: bool,
) -> tuple[Any, ...]:
    """LS and flags of one tile, and L, S, m where wanted; no record."""
    shape = gradients.shape
    inputs = [np.ascontiguousarray(tile) for tile in (gradients, area_in, raised)]
    cut = [values[row : row + shape[0]] for values in rows]
    ls, flags = np.empty(shape, np.float64), np.empty(shape, np.uint8)
    parts = np.empty((3, shape[0] if components else 1, shape[1]), np.float64)
    topography.ls_desmet_govers1996(*inputs, *cut, *parameters, ls, flags, parts)
    return (ls, flags, *parts, None) if components else (ls, flags, None)


def _topography(
    dem: Raster,
    scheme: _Scheme,
    direction: Raster | None,
    upslope_area: Raster | None,
    cell_size_m: float | tuple[float, float] | None,
    units: Units,
    *,
    components: bool,
) -> xr.Dataset:
    """LS, flags and, where wanted, what they are made of."""
    heights = require_heights(dem, units_of(units, "dem"))
    grid = Grid.of(heights, cell_size_m)
    parameters = scheme.parameters()
    area, filled, routed = _routing(heights, grid, direction, upslope_area, units, with_fill=scheme.water_depth_m is not None)
    steepest = gradient(heights, grid)
    # Without a depth of water its limit is infinite and any raster serves in its place.
    raised = area if filled is None else (filled - heights)
    kinds = [np.float64, np.uint8] + [np.float64] * 3 * components
    function = partial(_tile, rows=(grid.dx_m, grid.dy_m, grid.cell_area_m2), parameters=parameters, components=components)
    rasters, _ = tiled(function, steepest, area, raised, dtypes=kinds)
    provenance = scheme.provenance() | {"routing": routed}
    found = {"ls": TOPOGRAPHY.describe(rasters[0], **provenance), "flags": TOPOGRAPHY_FLAGS.describe(rasters[1], nodata=NODATA_FLAG)}
    if components:
        found["l"] = LENGTH.describe(rasters[2], method=scheme.length, max_slope_length_m=said(scheme.max_slope_length_m))
        found["s"] = STEEPNESS.describe(rasters[3], method=scheme.steepness)
        found["m"] = LENGTH_EXPONENT.describe(rasters[4], method=scheme.exponent, rill_ratio=scheme.rill_ratio)
        found["theta"] = slope_of(heights, grid)
        found["upslope_area_m2"] = UPSLOPE_AREA.describe(area, routing=routed)
    return xr.Dataset(found)


def _routing(
    heights: xr.DataArray, grid: Grid, direction: Raster | None, upslope_area: Raster | None, units: Units, *, with_fill: bool
) -> tuple[xr.DataArray, xr.DataArray | None, str]:
    """The area draining into each cell, the filled surface where wanted, and how the routing came about in words."""
    if upslope_area is not None:
        given = UPSLOPE_AREA.require(upslope_area, units_of(units, "upslope_area"))
        _, area = same_grid({"dem": heights, "upslope_area": given})
        return area.astype(np.float64), condition(heights) if with_fill else None, "upslope area as given"
    if direction is not None:
        _, codes = same_grid({"dem": heights, "direction": require_directions(direction)})
        return upslope_area_of(codes, grid), condition(heights) if with_fill else None, "d8, directions as given"
    if with_fill:
        codes, filled = direction_and_fill(heights, grid)
        return upslope_area_of(codes, grid), filled, "d8"
    return upslope_area_of(directions_on(heights, grid), grid), None, "d8"


def ls_factor(
    dem: Raster,
    *,
    length: LengthMethod = "desmet_govers1996",
    steepness: SteepnessMethod = "mccool1987",
    exponent: ExponentMethod = "mccool1989",
    rill_ratio: RillRatio = "moderate",
    routing: FlowScheme = "d8",
    max_slope_length_m: float | None = None,
    channel_area_m2: float | None = None,
    water_depth_m: float | None = None,
    direction: Raster | None = None,
    upslope_area: Raster | None = None,
    components: bool = False,
    cell_size_m: float | tuple[float, float] | None = None,
    units: Units = None,
) -> xr.DataArray | xr.Dataset:
    r"""Topographic factor LS of a DEM.

    .. math:: LS = L \cdot S, \qquad L = \frac{(A_{in} + a)^{m+1} - A_{in}^{m+1}}{a\,(22.13\,w)^m}

    L by the area :math:`A_{in}` that drains into a cell of area a (its own excluded; D8 on the minimal fill, see ``flow_direction``), across
    the width of its contour w = Δx\|cos α\| + Δy\|sin α\|; S and m by the slope of the DEM *as it is*, not of the filled one (``slope``).
    On level ground L = 1.

    Parameters
    ----------
    dem
        Elevation [m] (y, x), as it is; projected, or geographic (cell sizes and areas row by row on the ellipsoid).
    length
        Whose equation of L.
    steepness
        Whose equation of S: ``mccool1987`` (RUSLE) or ``liu1994`` (CSLE).
    exponent
        Whose equation of m.
    rill_ratio
        Rill against interrill erosion: low (rangeland), moderate (cropland) or high (freshly disturbed land).
    routing
        How water is routed: ``d8``, all to one neighbour.
    max_slope_length_m
        Longest slope [m], along the horizontal: slope lengths are clipped there, never L itself; none when not given.
    channel_area_m2
        Area [m²], a cell's own included, from which a cell is a channel: it ends the hillslope and its LS is 0; none when not given.
    water_depth_m
        Depth [m] above which a cell raised by filling is water: its LS is 0; none when not given.
    direction
        D8 directions to use in place of our own.
    upslope_area
        Area draining into each cell, its own excluded [m²], to use in place of our own routing.
    components
        Give all parts: a Dataset with ls, l, s, m, theta, upslope_area_m2.
    cell_size_m
        Cell size [m] of an array without coordinates, one number or (dx, dy).
    units
        Units of plain arrays, by parameter name.

    Returns
    -------
    DataArray (y, x), or Dataset
        LS, dimensionless, float64; NaN where the DEM has none or its slope cannot be known. Its attributes name the whole scheme. Lazy
        when ``dem`` is.

    Raises
    ------
    InputError
        When an option is not known or not positive, a unit is wrong, or the cell size cannot be known.
    GridMismatchError
        When ``direction`` or ``upslope_area`` lies on another grid.
    MemoryBudgetError
        When the raster is larger than the memory budget allows.

    Notes
    -----
    Sources: L Desmet & Govers 1996, J. Soil Water Cons. 51:427, equation 9 (they route by multiple flow; D8 is a departure); S McCool et
    al. 1987, Trans. ASAE 30:1387, or Liu, Nearing & Risse 1994, Trans. ASAE 37:1835; m McCool et al. 1989, Trans. ASAE 32:1571.
    Without a longest slope and a channel threshold, LS grows without limit along rivers: name both for a map of soil loss.

    Examples
    --------
    >>> import numpy as np
    >>> plane = 0.2 * 30.0 * np.arange(4)[::-1] * np.ones((3, 1))
    >>> ls_factor(plane, units="m", cell_size_m=30.0).values[1].round(4).tolist()
    [3.369, 6.9448, 9.5317, 11.729]
    """
    scheme = _Scheme(length, steepness, exponent, rill_ratio, routing, max_slope_length_m, channel_area_m2, water_depth_m)
    result = _topography(dem, scheme, direction, upslope_area, cell_size_m, units, components=components)
    return result[["ls", "l", "s", "m", "theta", "upslope_area_m2"]] if components else result["ls"].rename(TOPOGRAPHY.symbol)


def ls_with_flags(
    dem: Raster,
    *,
    length: LengthMethod = "desmet_govers1996",
    steepness: SteepnessMethod = "mccool1987",
    exponent: ExponentMethod = "mccool1989",
    rill_ratio: RillRatio = "moderate",
    routing: FlowScheme = "d8",
    max_slope_length_m: float | None = None,
    channel_area_m2: float | None = None,
    water_depth_m: float | None = None,
    direction: Raster | None = None,
    upslope_area: Raster | None = None,
    cell_size_m: float | tuple[float, float] | None = None,
    units: Units = None,
) -> xr.Dataset:
    """``ls_factor`` with what shaped it: a Dataset of ``ls`` and ``flags``.

    ``flags`` is uint8: CAPPED where the longest slope cuts the slope length of a hillslope; CHANNEL and RAISED, which may both hold, where
    LS is 0 because the hillslope has ended; 0 for any other cell; NODATA_FLAG. The parameters are those of ``ls_factor``.
    """
    scheme = _Scheme(length, steepness, exponent, rill_ratio, routing, max_slope_length_m, channel_area_m2, water_depth_m)
    return _topography(dem, scheme, direction, upslope_area, cell_size_m, units, components=False)
