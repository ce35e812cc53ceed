"""Support practice P: from a land-cover table, by slope on cropland, or from a table by land use and slope."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import same_grid
from rusle_engine.core.lift import Tile, pointwise
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.variables import CONTOURING, GRASS_MARGINS, LAND_COVER, PRACTICE, SLOPE_ANGLE, STONE_WALLS, Raster, Units, units_of
from rusle_engine.factors.slope_tables import ValuesBySlope
from rusle_engine.factors.tables import ClassTable, class_values, lookup, only_in
from rusle_engine.factors.validation import refuse_unused, require_choice, validated
from rusle_kernels import practice as kernels

log = logging.getLogger("rusle_engine")

PracticeMethod = Literal["table", "wischmeier_smith1978", "wenner1981", "panagos2015", "landuse_slope"]
Practice = Literal["contour", "strip_a", "strip_b", "strip_c", "terrace"]

_CLASSES = "for slopes of [0, 3), [3, 6), [6, 9), [9, 13), [13, 17), [17, 21), [21, 25], > 25 %"
_HALF_STEP_PCT = 0.5e-5
"""Slopes are told to 1e-5 percent: a plane that rises 0.9 m on 30 m comes out at 2.9999999999999996 %, of a float32 raster at 2.999999976 %."""
_LIMITS_PCT = (0.0, 3.0, 6.0, 9.0, 13.0, 17.0, 21.0, 25.00001)
"""Slopes are told to 0.00001 %: 25 % itself is in the handbook's class 21-25, what is above 25 begins here."""
_HANDBOOK = "Wischmeier and Smith 1978, USDA Agriculture Handbook 537, table"
_VALID = "cropland, slopes no longer than the handbook's limits (122 m at 1-2 % to 15 m at 21-25 %)"

SLOPE_CLASSES: Mapping[str, Mapping[float, float]] = {
    name: dict(zip(_LIMITS_PCT, values))
    for name, values in {
        "contour": (0.60, 0.50, 0.50, 0.60, 0.70, 0.80, 0.90, 1.0),
        "strip_a": (0.30, 0.25, 0.25, 0.30, 0.35, 0.40, 0.45, 1.0),
        "strip_b": (0.45, 0.38, 0.38, 0.45, 0.52, 0.60, 0.68, 1.0),
        "strip_c": (0.60, 0.50, 0.50, 0.60, 0.70, 0.80, 0.90, 1.0),
        "terrace": (0.12, 0.10, 0.10, 0.12, 0.14, 0.16, 0.18, 1.0),
    }.items()
}
"""P of each practice by the lower limit of the slope class [%], the limit in the class; the handbook's integer classes without their gaps."""


def _by_slope(name: str, table: str, what: str, status: Literal["verified", "unchecked"], formula_id: str) -> MethodInfo:
    values = ", ".join(f"{value:g}" for value in SLOPE_CLASSES[name].values())
    return MethodInfo(f"P = {values} {_CLASSES}", f"{_HANDBOOK} {table} ({what})", ("theta",), PRACTICE.units, status, formula_id, _VALID)


METHODS = {
    "table": MethodInfo(
        equation="P = table(land cover)",
        source="the table that is given, row by row",
        inputs=("landcover", "table"),
        units=PRACTICE.units,
        status="verified",
        formula_id="table",
    ),
    "wischmeier_smith1978": _by_slope("contour", "13", "contouring, or another practice", "verified", "P-1"),
    "wenner1981": MethodInfo(
        equation="P = 0.2 + 0.03 s, at most 1, with s the slope in percent",
        source="Wenner 1981, Soil Conservation in Kenya, as read in the script of J. Kimeu, FAO",
        inputs=("theta", "landcover", "cropland"),
        units=PRACTICE.units,
        status="verified",
        formula_id="P-4",
        valid_for="cropland; it reaches 1 at 26.67 %",
    ),
    "panagos2015": MethodInfo(
        equation="P = P_c P_sw P_gm: sub-factors of contour farming, stone walls and grass margins as given, 1 where one is not",
        source="Panagos et al. 2015, Environmental Science & Policy 51:23-34, abstract; the values of the three are not part of it here",
        inputs=("contouring, stone_walls, grass_margins",),
        units=PRACTICE.units,
        status="verified",
        formula_id="P-5",
        valid_for="sub-factors that were found elsewhere; contour farming on cropland only",
    ),
    "landuse_slope": MethodInfo(
        equation="P = table(land cover, class of slope)",
        source="the table that is given, row by row",
        inputs=("landcover", "theta", "by_slope"),
        units=PRACTICE.units,
        status="verified",
        formula_id="P-6, P-7",
        valid_for="all land; the limits of slope are the table's",
    ),
    "contour": _by_slope("contour", "13", "contouring", "verified", "P-1"),
    "strip_a": _by_slope("strip_a", "14", "contour strip-cropping: row crop, grain, two years of meadow", "unchecked", "P-2"),
    "strip_b": _by_slope("strip_b", "14", "contour strip-cropping: two years of row crop, grain, meadow", "unchecked", "P-2"),
    "strip_c": _by_slope("strip_c", "14", "contour strip-cropping: row crop and grain in turn", "unchecked", "P-2"),
    "terrace": _by_slope("terrace", "15", "terraces with graded channels and outlets, sediment that leaves them", "unchecked", "P-3"),
}


def p_factor(
    *,
    landcover: Raster | None = None,
    table: ClassTable | None = None,
    theta: Raster | None = None,
    cropland: Sequence[int] | None = None,
    practice: Practice = "contour",
    slope_classes: Mapping[float, float] | None = None,
    contouring: Raster | None = None,
    stone_walls: Raster | None = None,
    grass_margins: Raster | None = None,
    by_slope: pd.DataFrame | None = None,
    method: PracticeMethod = "table",
    units: Units = None,
) -> xr.DataArray:
    r"""Support practice factor P: the value of the land-cover class (``table``), of the class and its slope, or by the slope of cropland.

    ``wischmeier_smith1978`` (Wischmeier & Smith 1978, AH537): P by slope class of contouring (0.6, 0.5, 0.5, 0.6, 0.7, 0.8, 0.9 and 1 for
    slopes from 0, 3, 6, 9, 13, 17 and 21 %, and above 25 %; read), of contour strip-cropping and of terraces (unchecked). The handbook's
    classes are whole percents and leave gaps between them; here a class reaches up to the next.

    ``wenner1981``: :math:`P = 0.2 + 0.03\,s`, at most 1, with the slope :math:`s = 100 \tan\theta`.

    ``landuse_slope``: the value of the land-cover class in its class of slope, from a table of both.

    ``panagos2015``: :math:`P = P_c\,P_{sw}\,P_{gm}`, the product of the sub-factors that are given.

    Parameters
    ----------
    landcover
        Land-cover class codes (``table``, ``wischmeier_smith1978``, ``wenner1981``, ``landuse_slope``).
    table
        P by land-cover code (``table``).
    theta
        Slope angle [rad] (``wischmeier_smith1978``, ``wenner1981``, ``landuse_slope``).
    cropland
        Land-cover codes of the cropland that has the practice (``wischmeier_smith1978``, ``wenner1981``); P is 1 on all other land.
    practice
        What is done on cropland (``wischmeier_smith1978``): contour tillage, contour strip-cropping by rotation (strip_a row crop, grain,
        meadow, meadow; strip_b row crop, row crop, grain, meadow; strip_c row crop, grain), or terraces; all but the first unchecked.
    slope_classes
        P by the lower limit of the slope class in percent, from 0 upward, in place of the handbook's (``wischmeier_smith1978``). A limit belongs
        to the class that begins there; slopes are told to 0.00001 %, so that 25.00001 begins what is above 25.
    contouring
        Sub-factor P_c of contour farming [1], 1 where there is none (``panagos2015``).
    stone_walls
        Sub-factor P_sw of stone walls [1], 1 where there is none (``panagos2015``).
    grass_margins
        Sub-factor P_gm of grass margins [1], 1 where there is none (``panagos2015``).
    by_slope
        ``code``, ``slope_from_pct`` [%] or ``slope_from_degree`` [°], and ``P`` (``landuse_slope``): a row for every class and class of slope,
        the first of each class from 0. A limit belongs to the class of slope that begins there.
    method
        A table, whose rule by slope, a table by both, or whose product of sub-factors.
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
    require_choice("method of p_factor", method, PracticeMethod)
    require_choice("practice", practice, Practice)
    parts = {"contouring": contouring, "stone_walls": stone_walls, "grass_margins": grass_margins}
    if method == "panagos2015":
        others = {"landcover": landcover, "table": table, "theta": theta, "cropland": cropland, "slope_classes": slope_classes, "by_slope": by_slope}
        refuse_unused("p_factor", method, **others)
        return _of_parts({name: part for name, part in parts.items() if part is not None}, units)
    refuse_unused("p_factor", method, **parts, **({} if method == "landuse_slope" else {"by_slope": by_slope}))
    if method == "landuse_slope":
        refuse_unused("p_factor", method, table=table, cropland=cropland, slope_classes=slope_classes)
        if landcover is None or theta is None or by_slope is None:
            raise InputError("p_factor by landuse_slope needs landcover=, theta= (rusle.slope) and by_slope=, a table by code and slope")
        angle = validated(SLOPE_ANGLE.require(theta, units_of(units, "theta")), SLOPE_ANGLE)
        p = ValuesBySlope(by_slope, PRACTICE).laid_on(LAND_COVER.require(landcover, units_of(units, "landcover")), angle)
        return PRACTICE.describe(p, method=method, **METHODS[method].provenance())
    if method == "table":
        refuse_unused("p_factor", method, theta=theta, cropland=cropland, slope_classes=slope_classes)
        if landcover is None or table is None:
            raise InputError("p_factor by table needs landcover= and table=; for P by slope pass theta= and method='wischmeier_smith1978'")
        codes = LAND_COVER.require(landcover, units_of(units, "landcover"))
        return PRACTICE.describe(lookup(codes, class_values(table, PRACTICE), "P"), method=method, **METHODS[method].provenance())
    refuse_unused("p_factor", method, table=table, **({} if method == "wischmeier_smith1978" else {"slope_classes": slope_classes}))
    if theta is None:
        raise InputError(f"p_factor by {method} needs theta=, the slope angle (rusle.slope)")
    if (landcover is None) != (cropland is None):
        raise InputError(f"p_factor by {method} takes landcover= and cropland= (the codes of cropland) together, or neither")
    angle = validated(SLOPE_ANGLE.require(theta, units_of(units, "theta")), SLOPE_ANGLE)
    if method == "wenner1981":
        if landcover is None:
            raise InputError("p_factor by wenner1981 needs landcover= and cropland=: on level land without crops it would give 0.2")
        p = pointwise(kernels.p_wenner1981, angle)
        stated: dict[str, Any] = METHODS[method].provenance()
    elif slope_classes is not None:
        if practice != "contour":
            raise InputError(f"p_factor by {method} takes the classes of {practice}, or slope_classes; leave one of the two out")
        p = pointwise(kernels.p_by_slope, angle, parameters=_limits(slope_classes))
        stated = {"slope_classes": _as_text(slope_classes), "source": "the slope classes that are given", "method_status": "verified"}
    else:
        p = pointwise(kernels.p_by_slope, angle, parameters=_limits(SLOPE_CLASSES[practice]))
        stated = {"practice": practice, **METHODS[practice].provenance()}
    if landcover is None or cropland is None:
        log.warning("P by %s without land cover: %s is taken for all land, forest and grass included", method, _PRACTICES[practice])
        on: list[int] = []
    else:
        p = only_in(p, LAND_COVER.require(landcover, units_of(units, "landcover")), cropland, elsewhere=1.0)
        on = sorted(cropland)
    return PRACTICE.describe(p, method=method, cropland_classes=on, **stated)


def _of_parts(parts: Mapping[str, Raster], units: Units) -> xr.DataArray:
    """The product of the sub-factors by their names."""
    if not parts:
        raise InputError(f"p_factor by panagos2015 needs one or more of {', '.join(_PARTS)}, the sub-factors that P is the product of")
    known = {name: _PARTS[name].require(part, units_of(units, name)) for name, part in parts.items()}
    arrays = same_grid({name: validated(part, _PARTS[name]) for name, part in known.items()})
    return PRACTICE.describe(pointwise(_multiply, *arrays), method="panagos2015", parts=sorted(parts), **METHODS["panagos2015"].provenance())


def _multiply(*tiles: Tile) -> None:
    *parts, out = tiles
    out[...] = parts[0]
    for part in parts[1:]:
        out *= part


def _as_text(slope_classes: Mapping[float, float]) -> str:
    return ", ".join(f"{slope_classes[limit]:g} from {limit:g} %" for limit in sorted(slope_classes))


_PARTS = {variable.symbol: variable for variable in (CONTOURING, STONE_WALLS, GRASS_MARGINS)}
_PRACTICES: Mapping[str, str] = {"contour": "contour tillage", "terrace": "terracing"} | dict.fromkeys(
    ("strip_a", "strip_b", "strip_c"), "strip-cropping"
)


def _limits(slope_classes: Mapping[float, float]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Lower limits of the classes as angles [rad], and the P of each; filled up with limits that no slope reaches, as the kernel wants."""
    limits = sorted(slope_classes)
    values = [slope_classes[limit] for limit in limits]
    if not limits or limits[0] != 0.0:
        raise InputError(f"slope_classes begin at {limits[0] if limits else 'nothing'}; the first lower limit must be 0 (percent)")
    if not all(0.0 <= value <= 1.0 for value in values):
        raise InputError(f"slope_classes hold P values {values}; expected 0 to 1 each")
    angles = np.arctan((np.array(limits, np.float64) - _HALF_STEP_PCT) / 100)
    more = -(len(limits) - 1) % 4
    return np.pad(angles, (0, more), constant_values=np.inf), np.pad(np.array(values, np.float64), (0, more))
