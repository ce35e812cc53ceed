"""Topography: slope steepness S, slope-length exponent m, slope length L and their product LS."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid, same_grid
from rusle_engine.core.lift import pointwise, tiled
from rusle_engine.core.methods import MethodInfo, Methods
from rusle_engine.core.variables import (
    FLOW_AZIMUTH,
    LENGTH,
    LENGTH_EXPONENT,
    SLOPE_ANGLE,
    STEEPNESS,
    TOPOGRAPHY,
    TOPOGRAPHY_FLAGS,
    UPSLOPE_AREA,
    Raster,
    Units,
    units_of,
)
from rusle_engine.terrain.conditioning import Array, condition, require_heights, require_method
from rusle_engine.terrain.flow import FlowScheme, direction_and_fill, directions_on, require_directions, upslope_area_of
from rusle_engine.terrain.slope import gradient, slope_of
from rusle_kernels import slope_length, topography

SteepnessMethod = Literal["mccool1987", "liu1994"]
ExponentMethod = Literal["mccool1989"]
LengthMethod = Literal["desmet_govers1996"]
RillRatio = Literal["low", "moderate", "high"]

METHODS: Methods = {
    "desmet_govers1996": MethodInfo(
        "L = [(A_in + a)^(m+1) − A_in^(m+1)] / [a (22.13 w)^m], w = dx|cos α| + dy|sin α|",
        "Desmet & Govers 1996, J. Soil Water Cons. 51:427, eq. 9",
        ("upslope_area", "m", "alpha"),
        "1",
        "verified",
        "LS-9",
    ),
    "mccool1989": MethodInfo(
        "m = β/(1+β), β = (sin θ/0.0896)/(3 sin^0.8 θ + 0.56), halved or doubled by the rill ratio",
        "McCool et al. 1989, Trans. ASAE 32:1571",
        ("theta",),
        "1",
        "verified",
        "LS-4",
    ),
    "mccool1987": MethodInfo(
        "S = 10.8 sin θ + 0.03 below 9 %, 16.8 sin θ − 0.50 from 9 %",
        "McCool et al. 1987, Trans. ASAE 30:1387",
        ("theta",),
        "1",
        "verified",
        "LS-3",
    ),
    "liu1994": MethodInfo(
        "S = 10.8 sin θ + 0.03 below 5°, 16.8 sin θ − 0.50 from 5°, 21.91 sin θ − 0.96 from 10°",
        "Liu, Nearing & Risse 1994, Trans. ASAE 37:1835",
        ("theta",),
        "1",
        "verified",
        "LS-5",
        "plots of 20 m at 9 to 55 % on the Loess Plateau",
    ),
}

CAPPED, CHANNEL, RAISED, NODATA_FLAG = topography.CAPPED, topography.CHANNEL, topography.RAISED, topography.NODATA_FLAG

_LINES = {"mccool1987": topography.MCCOOL1987, "liu1994": topography.LIU1994}
_RILL_RATIO = {"low": 0.5, "moderate": 1.0, "high": 2.0}


def s_factor(theta: Raster, *, method: SteepnessMethod = "mccool1987", units: Units = None) -> xr.DataArray:
    r"""Slope steepness factor S.

    .. math:: S = 10.8\,\sin\theta + 0.03 \;(\tan\theta < 0.09), \qquad S = 16.8\,\sin\theta - 0.50 \;(\tan\theta \ge 0.09)

    for ``mccool1987`` (McCool et al. 1987, Trans. ASAE 30:1387); the same two lines below and from 5°, and

    .. math:: S = 21.91\,\sin\theta - 0.96 \;(\theta \ge 10°)

    for ``liu1994`` (Liu, Nearing & Risse 1994, Trans. ASAE 37:1835), the S of CSLE.

    Parameters
    ----------
    theta
        Slope angle [rad], 0 to π/2; NaN where there is no data.
    method
        Whose equation.
    units
        The unit of a plain array.

    Returns
    -------
    DataArray
        S, dimensionless, 0.03 to 16.3 (``mccool1987``) or 20.95 (``liu1994``). Lazy when ``theta`` is.

    Raises
    ------
    InputError
        When ``theta`` is not an angle.

    Notes
    -----
    The jumps (0.8 % at 9 percent, 17.7 % at 10°) are in the models; each break belongs to the steeper branch.

    Examples
    --------
    >>> import numpy as np
    >>> s_factor(np.arctan([0.05, 0.20]), units="rad").values.round(4).tolist()
    [0.5693, 2.7948]
    """
    require_method(method, get_args(SteepnessMethod), "method")
    steepness = pointwise(topography.steepness, SLOPE_ANGLE.require(theta, units_of(units, "theta")), parameters=(_LINES[method],))
    return STEEPNESS.describe(steepness, method=method, **METHODS[method].provenance())


def m_exponent(theta: Raster, *, method: ExponentMethod = "mccool1989", rill_ratio: RillRatio = "moderate", units: Units = None) -> xr.DataArray:
    r"""Slope-length exponent m.

    .. math:: m = \frac{\beta}{1+\beta}, \qquad \beta = r\,\frac{\sin\theta / 0.0896}{3\,\sin^{0.8}\theta + 0.56}

    with r = 0.5, 1 or 2 for a low (rangeland), moderate (cropland) or high (freshly disturbed land) ratio of rill to interrill erosion
    (McCool et al. 1989, Trans. ASAE 32:1571).

    Parameters
    ----------
    theta
        Slope angle [rad], 0 to π/2; NaN where there is no data.
    method
        Whose equation.
    rill_ratio
        Rill against interrill erosion: low, moderate or high.
    units
        The unit of a plain array.

    Returns
    -------
    DataArray
        m, dimensionless, 0 to 0.86. Lazy when ``theta`` is.

    Raises
    ------
    InputError
        When ``theta`` is not an angle.

    Examples
    --------
    >>> import numpy as np
    >>> m_exponent(np.arctan([0.02, 0.20]), units="rad").values.round(7).tolist()
    [0.2440741, 0.6141838]
    """
    require_method(method, get_args(ExponentMethod), "method")
    require_method(rill_ratio, get_args(RillRatio), "rill_ratio")
    angles = SLOPE_ANGLE.require(theta, units_of(units, "theta"))
    exponent = pointwise(topography.m_mccool1989, angles, parameters=(_RILL_RATIO[rill_ratio],))
    return LENGTH_EXPONENT.describe(exponent, method=method, rill_ratio=rill_ratio, **METHODS[method].provenance())


def l_factor(
    upslope_area: Raster,
    m: Raster,
    alpha: Raster,
    *,
    method: LengthMethod = "desmet_govers1996",
    max_slope_length_m: float | None = None,
    cell_size_m: float | tuple[float, float] | None = None,
    units: Units = None,
) -> xr.DataArray:
    r"""Slope length factor L of each cell, a segment of its slope.

    .. math:: L = \frac{(A_{in} + a)^{m+1} - A_{in}^{m+1}}{a\,(22.13\,w)^m}, \qquad w = \Delta x\,|\cos\alpha| + \Delta y\,|\sin\alpha|

    (Desmet & Govers 1996, J. Soil Water Cons. 51:427, equation 9, in a form that also holds on cells that are not square: a is the area of
    the cell and w the width of the contour in it; on square cells w = D·x, x = \|sin α\| + \|cos α\|). With λ = A/w it is the segment form
    of Foster & Wischmeier 1974, and that is where a longest slope acts: λ_in = A_in/w and λ_out = (A_in + a)/w are clipped, never L; where
    both are clipped, L = (m + 1)(λ_max/22.13)^m.

    Parameters
    ----------
    upslope_area
        Area draining into the cell, its own excluded [m²], a raster (y, x).
    m
        Slope-length exponent, 0 to 1.
    alpha
        Azimuth of the flow from north [rad]. On level ground any angle: m is 0 and L is 1.
    method
        Whose equation.
    max_slope_length_m
        Longest slope [m], along the horizontal; none when not given.
    cell_size_m
        Cell size of an array without coordinates, one number or (dx, dy) [m].
    units
        Units of plain arrays, by parameter name.

    Returns
    -------
    DataArray (y, x)
        L, dimensionless. Lazy when an input is.

    Raises
    ------
    InputError
        When a unit or the cell size is missing, or ``max_slope_length_m`` is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> area = np.array([[0.0, 900.0]])
    >>> l_factor(area, 0.6141838, 0.0, cell_size_m=30.0, units={"upslope_area": "m2", "alpha": "rad"}).values.round(5).tolist()
    [[1.20547, 2.48495]]
    """
    require_method(method, get_args(LengthMethod), "method")
    longest = _positive(max_slope_length_m, "max_slope_length_m")
    inputs = same_grid(
        {
            "upslope_area": UPSLOPE_AREA.require(upslope_area, units_of(units, "upslope_area")),
            "m": LENGTH_EXPONENT.require(m, units_of(units, "m")),
            "alpha": FLOW_AZIMUTH.require(alpha, units_of(units, "alpha")),
        }
    )
    grid = Grid.of(inputs[0], cell_size_m)
    rows = [xr.DataArray(values, dims="y") for values in (grid.dx_m, grid.dy_m, grid.cell_area_m2)]
    length = pointwise(slope_length.l_desmet_govers1996, *inputs, *rows, parameters=(longest,)).transpose("y", "x")
    return LENGTH.describe(length, method=method, max_slope_length_m=_said(max_slope_length_m), **METHODS[method].provenance())


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
            _LINES[self.steepness],
            _RILL_RATIO[self.rill_ratio],
            _positive(self.max_slope_length_m, "max_slope_length_m"),
            _positive(self.channel_area_m2, "channel_area_m2"),
            _positive(self.water_depth_m, "water_depth_m", or_zero=True),
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
            "max_slope_length_m": _said(self.max_slope_length_m),
            "channel_area_m2": _said(self.channel_area_m2),
            "water_depth_m": _said(self.water_depth_m),
        }


def _positive(value: float | None, name: str, *, or_zero: bool = False) -> float:
    """``value``, or infinity where there is none."""
    if value is None:
        return np.inf
    if not (value > 0 or (or_zero and value == 0)):
        raise InputError(f"{name} is {value}; expected a number above 0{', 0' if or_zero else ''} or none")
    return float(value)


def _said(value: float | None) -> float | str:
    return "none" if value is None else float(value)


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
        found["l"] = LENGTH.describe(rasters[2], method=scheme.length, max_slope_length_m=_said(scheme.max_slope_length_m))
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
