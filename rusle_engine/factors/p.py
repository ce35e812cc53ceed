"""Support practice P: from a land-cover table, or from slope classes on cropland."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import pointwise
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.variables import LAND_COVER, PRACTICE, SLOPE_ANGLE, Raster, Units, units_of
from rusle_engine.factors.tables import ClassTable, class_values, lookup, only_in
from rusle_engine.factors.validation import refuse_unused, validated
from rusle_kernels import practice

log = logging.getLogger("rusle_engine")

PracticeMethod = Literal["table", "wischmeier_smith1978"]

METHODS = {
    "table": MethodInfo(
        equation="P = table(land cover)",
        source="the table that is given, row by row",
        inputs=("landcover", "table"),
        units=PRACTICE.units,
        status="verified",
        formula_id="table",
    ),
    "wischmeier_smith1978": MethodInfo(
        equation="P = 0.6, 0.5, 0.5, 0.6, 0.7, 0.8, 0.9, 1 for slopes of [0, 3), [3, 6), [6, 9), [9, 13), [13, 17), [17, 21), [21, 25], > 25 %",
        source="Wischmeier and Smith 1978, USDA Agriculture Handbook 537, table 13 (contouring)",
        inputs=("theta",),
        units=PRACTICE.units,
        status="verified",
        formula_id="P-1",
        valid_for="cropland tilled on the contour, slopes no longer than the handbook's limits (122 m at 1-2 % to 15 m at 21-25 %)",
    ),
}

CONTOURING: Mapping[float, float] = {
    0.0: 0.60,
    3.0: 0.50,
    6.0: 0.50,
    9.0: 0.60,
    13.0: 0.70,
    17.0: 0.80,
    21.0: 0.90,
    math.nextafter(25.0, math.inf): 1.00,  # 25 % itself is in the handbook's class 21-25
}
"""P of contouring by the lower limit of the slope class [%], the limit in the class; the handbook's integer classes without their gaps."""


def p_factor(
    *,
    landcover: Raster | None = None,
    table: ClassTable | None = None,
    theta: Raster | None = None,
    cropland: Sequence[int] | None = None,
    slope_classes: Mapping[float, float] | None = None,
    method: PracticeMethod = "table",
    units: Units = None,
) -> xr.DataArray:
    """Support practice factor P: the value of the land-cover class (``table``), or contouring by slope class on cropland.

    ``wischmeier_smith1978`` (Wischmeier & Smith 1978, AH537 table 13): 0.6, 0.5, 0.5, 0.6, 0.7, 0.8, 0.9 and 1 for slopes from 0, 3, 6, 9,
    13, 17 and 21 %, and above 25 %. The handbook's classes are whole percents and leave gaps between them; here a class reaches up to the
    next.

    Parameters
    ----------
    landcover
        Land-cover class codes.
    table
        P by land-cover code (``table``).
    theta
        Slope angle [rad] (``wischmeier_smith1978``).
    cropland
        Land-cover codes of the cropland that is tilled on the contour; P is 1 on all other land.
    slope_classes
        P by the lower limit of the slope class in percent, from 0 upward, in place of the handbook's.
    method
        A table, or whose slope classes.
    units
        Units of plain arrays, one text or a mapping by parameter name.

    Returns
    -------
    DataArray (y, x)
        P [1], 0 to 1, float64; NaN where an input that is used is NaN. Lazy when an input is.

    Raises
    ------
    InputError
        When inputs are missing or do not belong to the method, when a P lies outside 0 to 1, and, where it is computed, when a land-cover
        code has no row.

    Examples
    --------
    >>> p_factor(theta=0.1, method="wischmeier_smith1978", units="rad").item()  # 0.1 rad is a slope of 10 %
    0.6
    """
    if method == "table":
        refuse_unused("p_factor", method, theta=theta, cropland=cropland, slope_classes=slope_classes)
        if landcover is None or table is None:
            raise InputError("p_factor by table needs landcover= and table=; for P by slope pass theta= and method='wischmeier_smith1978'")
        codes = LAND_COVER.require(landcover, units_of(units, "landcover"))
        return PRACTICE.describe(lookup(codes, class_values(table, PRACTICE), "P"), method=method, **METHODS[method].provenance())
    refuse_unused("p_factor", method, table=table)
    if theta is None:
        raise InputError(f"p_factor by {method} needs theta=, the slope angle (rusle.slope)")
    if (landcover is None) != (cropland is None):
        raise InputError(f"p_factor by {method} takes landcover= and cropland= (the codes of cropland) together, or neither")
    angle = validated(SLOPE_ANGLE.require(theta, units_of(units, "theta")), SLOPE_ANGLE)
    p = pointwise(practice.p_by_slope, angle, parameters=_limits(CONTOURING if slope_classes is None else slope_classes))
    if landcover is None or cropland is None:
        log.warning("P by %s without land cover: contour tillage is taken for all land, forest and grass included", method)
        contoured: list[int] = []
    else:
        p = only_in(p, LAND_COVER.require(landcover, units_of(units, "landcover")), cropland, elsewhere=1.0)
        contoured = sorted(cropland)
    source = METHODS[method].provenance() if slope_classes is None else {"source": "the slope classes that are given"}
    return PRACTICE.describe(p, method=method, cropland_classes=contoured, **source)


def _limits(slope_classes: Mapping[float, float]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    limits = sorted(slope_classes)
    values = [slope_classes[limit] for limit in limits]
    if not limits or limits[0] != 0.0:
        raise InputError(f"slope_classes begin at {limits[0] if limits else 'nothing'}; the first lower limit must be 0 (percent)")
    if not all(0.0 <= value <= 1.0 for value in values):
        raise InputError(f"slope_classes hold P values {values}; expected 0 to 1 each")
    return np.array(limits, np.float64), np.array(values, np.float64)
