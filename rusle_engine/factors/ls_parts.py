"""The parts of LS, each on its own: slope steepness S, slope-length exponent m, slope length L."""

from typing import Literal, get_args

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid, same_grid
from rusle_engine.core.lift import pointwise
from rusle_engine.core.methods import MethodInfo, Methods
from rusle_engine.core.variables import FLOW_AZIMUTH, LENGTH, LENGTH_EXPONENT, SLOPE_ANGLE, STEEPNESS, UPSLOPE_AREA, Raster, Units, units_of
from rusle_engine.terrain.conditioning import require_method
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

LINES = {"mccool1987": topography.MCCOOL1987, "liu1994": topography.LIU1994}
"""The table of lines of each S."""
RILL_RATIOS = {"low": 0.5, "moderate": 1.0, "high": 2.0}
"""What β is multiplied by."""


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
    steepness = pointwise(topography.steepness, SLOPE_ANGLE.require(theta, units_of(units, "theta")), parameters=(LINES[method],))
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
    exponent = pointwise(topography.m_mccool1989, angles, parameters=(RILL_RATIOS[rill_ratio],))
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
    longest = positive(max_slope_length_m, "max_slope_length_m")
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
    return LENGTH.describe(length, method=method, max_slope_length_m=said(max_slope_length_m), **METHODS[method].provenance())


def positive(value: float | None, name: str, *, or_zero: bool = False) -> float:
    """``value``, or infinity where there is none."""
    if value is None:
        return np.inf
    if not (value > 0 or (or_zero and value == 0)):
        raise InputError(f"{name} is {value}; expected a number above 0{', 0' if or_zero else ''} or none")
    return float(value)


def said(value: float | None) -> float | str:
    return "none" if value is None else float(value)
