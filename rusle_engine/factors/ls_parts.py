"""The parts of LS, each on its own: slope steepness S, slope-length exponent m, slope length L."""

from typing import Literal, get_args

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid, same_grid
from rusle_engine.core.lift import pointwise
from rusle_engine.core.variables import (
    FLOW_AZIMUTH,
    LENGTH,
    LENGTH_EXPONENT,
    SLOPE_ANGLE,
    SLOPE_LENGTH,
    STEEPNESS,
    UPSLOPE_AREA,
    Raster,
    Units,
    units_of,
)
from rusle_engine.factors.ls_methods import (
    EXPONENT_FAMILIES,
    METHODS,
    RILL_RATIOS,
    STEEPNESS_FAMILIES,
    WITH_RILLS,
    ExponentMethod,
    RillRatio,
    SteepnessMethod,
)
from rusle_engine.terrain.conditioning import require_method
from rusle_kernels import slope_length, topography


def s_factor(
    theta: Raster, *, method: SteepnessMethod = "mccool1987", max_steepness_degree: float | None = None, units: Units = None
) -> xr.DataArray:
    r"""Slope steepness factor S.

    .. math:: S = 10.8\,\sin\theta + 0.03 \;(\tan\theta < 0.09), \qquad S = 16.8\,\sin\theta - 0.50 \;(\tan\theta \ge 0.09)

    for ``mccool1987`` (McCool et al. 1987, Trans. ASAE 30:1387); the same two lines below and from 5°, and

    .. math:: S = 21.91\,\sin\theta - 0.96 \;(\theta \ge 10°)

    for ``liu1994`` (Liu, Nearing & Risse 1994, Trans. ASAE 37:1835), the S of CSLE;

    .. math:: S = -1.5 + 17 / [1 + \exp(2.3 - 6.1\,\sin\theta)], \qquad S = 65.41\,\sin^2\theta + 4.56\,\sin\theta + 0.065

    for ``nearing1997`` (Nearing 1997, SSSAJ 61:917), one curve for all slopes, and ``wischmeier_smith1978`` (Wischmeier & Smith 1978, USDA
    Agriculture Handbook 537), the S of USLE.

    Parameters
    ----------
    theta
        Slope angle [rad], 0 to π/2; NaN where there is no data.
    method
        Whose equation.
    max_steepness_degree
        Slope angle [°] above which S is held at its value there (30 is told of Chinese practice, unchecked); none when not given.
    units
        The unit of a plain array.

    Returns
    -------
    DataArray
        S, dimensionless, 0.03 to 16.3 (``mccool1987``), 20.95 (``liu1994``), 0.05 to 15.1 (``nearing1997``) or 0.07 to 70
        (``wischmeier_smith1978``). Lazy when ``theta`` is.

    Raises
    ------
    InputError
        When ``theta`` is not an angle, or ``max_steepness_degree`` is not one between 0 and 90.

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
    family, steepest = STEEPNESS_FAMILIES[method], steepest_angle(max_steepness_degree)
    angles = SLOPE_ANGLE.require(theta, units_of(units, "theta"))
    steepness = pointwise(topography.steepness, angles, parameters=(family.number, family.classes.by_angle(), steepest))
    provenance = METHODS[method].provenance() | ({} if max_steepness_degree is None else {"method_status": "unchecked"})
    return STEEPNESS.describe(steepness, method=method, max_steepness_degree=said(max_steepness_degree), **provenance)


def m_exponent(theta: Raster, *, method: ExponentMethod = "mccool1989", rill_ratio: RillRatio = "moderate", units: Units = None) -> xr.DataArray:
    r"""Slope-length exponent m.

    .. math:: m = \frac{\beta}{1+\beta}, \qquad \beta = r\,\frac{\sin\theta / 0.0896}{3\,\sin^{0.8}\theta + 0.56}

    for ``mccool1989``, with r = 0.5, 1 or 2 for a low (rangeland), moderate (cropland) or high (freshly disturbed land) ratio of rill to
    interrill erosion (McCool et al. 1989, Trans. ASAE 32:1571). The others are 0.2, 0.3, 0.4 and 0.5 by classes of slope:

    - ``wischmeier_smith1978``: from 0, 1, 3.5 and 5 percent (Wischmeier & Smith 1978, USDA Agriculture Handbook 537);
    - ``csle_1_3_5``: up to 1°, 3°, 5° and above (Liu et al. 2002, 12th ISCO, Beijing);
    - ``csle_05_15_3``: up to 0.5°, 1.5°, 3° and above (the slope-length tool of Fu et al. 2015);
    - ``oliveira2013``: up to 1, 3.5, 5 and 9 percent, and as ``mccool1989`` above (the user's guide of InVEST, after Oliveira et al. 2013).

    Parameters
    ----------
    theta
        Slope angle [rad], 0 to π/2; NaN where there is no data.
    method
        Whose equation.
    rill_ratio
        Rill against interrill erosion, for ``mccool1989`` and ``oliveira2013``: low, moderate or high.
    units
        The unit of a plain array.

    Returns
    -------
    DataArray
        m, dimensionless, 0 to 0.86 (``mccool1989``) or 0.2 to 0.5. Lazy when ``theta`` is.

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
    family = EXPONENT_FAMILIES[method]
    angles = SLOPE_ANGLE.require(theta, units_of(units, "theta"))
    exponent = pointwise(topography.exponent, angles, parameters=(family.number, family.classes.by_angle(), RILL_RATIOS[rill_ratio]))
    ratio = {"rill_ratio": rill_ratio} if method in WITH_RILLS else {}
    return LENGTH_EXPONENT.describe(exponent, method=method, **ratio, **METHODS[method].provenance())


def l_factor(
    upslope_area: Raster,
    m: Raster,
    alpha: Raster,
    *,
    method: Literal["desmet_govers1996"] = "desmet_govers1996",
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
    require_method(method, ("desmet_govers1996",), "method")
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


def l_segment(start: Raster, end: Raster, m: Raster, *, max_slope_length_m: float | None = None, units: Units = None) -> xr.DataArray:
    r"""Slope length factor L of a segment of a slope, from where it begins and ends.

    .. math:: L = \frac{\lambda_{out}^{m+1} - \lambda_{in}^{m+1}}{(\lambda_{out} - \lambda_{in})\,22.13^m}

    (Foster & Wischmeier 1974, Trans. ASAE 17:305). From the crest, :math:`\lambda_{in} = 0`, it is the L of a whole slope,
    :math:`(\lambda/22.13)^m`; segments weighted by their lengths average to it when m is the same along the slope. Where a segment has no
    length, or lies beyond the longest slope, :math:`L = (m + 1)(\lambda/22.13)^m`.

    Parameters
    ----------
    start
        Slope length at the upper end of the segment [m], along the horizontal, from the crest; 0 or more.
    end
        Slope length at its lower end [m], not before ``start``.
    m
        Slope-length exponent, 0 to 1.
    max_slope_length_m
        Longest slope [m]: both ends are clipped there, never L itself; none when not given.
    units
        Units of plain arrays, by parameter name.

    Returns
    -------
    DataArray
        L, dimensionless; NaN where the segment ends before it starts. Lazy when an input is.

    Raises
    ------
    InputError
        When a unit is wrong, or ``max_slope_length_m`` is not positive.
    GridMismatchError
        When rasters lie on different grids.

    Examples
    --------
    >>> import numpy as np
    >>> l_segment(np.array([0.0, 30.0, 60.0]), np.array([30.0, 60.0, 90.0]), 0.5).values.round(6).tolist()
    [1.164313, 2.128862, 2.756774]
    """
    longest = positive(max_slope_length_m, "max_slope_length_m")
    inputs = same_grid(
        {
            "start": SLOPE_LENGTH.require(start, units_of(units, "start")),
            "end": SLOPE_LENGTH.require(end, units_of(units, "end")),
            "m": LENGTH_EXPONENT.require(m, units_of(units, "m")),
        }
    )
    length = pointwise(slope_length.l_foster_wischmeier1974, *inputs, parameters=(longest,))
    provenance = METHODS["foster_wischmeier1974"].provenance()
    return LENGTH.describe(length, method="foster_wischmeier1974", max_slope_length_m=said(max_slope_length_m), **provenance)


def steepest_angle(degrees: float | None) -> float:
    """``max_steepness_degree`` in radians; infinity where there is none."""
    if degrees is None:
        return np.inf
    if not 0 < degrees < 90:
        raise InputError(f"max_steepness_degree is {degrees}; expected degrees between 0 and 90, or none")
    return float(np.radians(degrees))


def positive(value: float | None, name: str, *, or_zero: bool = False) -> float:
    """``value``, or infinity where there is none."""
    if value is None:
        return np.inf
    if isinstance(value, str) or not (value > 0 or (or_zero and value == 0)):
        seen = repr(value) if isinstance(value, str) else value
        raise InputError(f"{name} is {seen}; expected a number above 0{', 0' if or_zero else ''} or none")
    return float(value)


def said(value: float | None) -> float | str:
    return "none" if value is None else float(value)
