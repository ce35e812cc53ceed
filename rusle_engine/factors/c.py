"""Cover and management C: from land cover, from NDVI or cover with the classes that these misread set by a table, or from crop calendars."""

import logging
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Tile, pointwise
from rusle_engine.core.variables import COVER, LAND_COVER, LEAF_AREA_INDEX, NDVI, Raster, Units, units_of
from rusle_engine.factors.c_methods import METHODS, NESTED_KEYS, PARTS
from rusle_engine.factors.cover_layers import aligned, cover_index, limits, mean_of_ratios, weighted_by_erosivity
from rusle_engine.factors.crop_calendar import erosivity_by_half_month, ratios_by_class
from rusle_engine.factors.ndvi_bounds import Bound
from rusle_engine.factors.shares import Shares
from rusle_engine.factors.tables import ClassTable, class_values, lookup, refuse_missing_rows, table_of_ranges, with_override
from rusle_engine.factors.validation import refuse_unused, validated
from rusle_kernels import cover

__all__ = ["METHODS", "NESTED_KEYS", "PARTS", "c_factor"]

log = logging.getLogger("rusle_engine")

CoverMethod = Literal[
    "table",
    "cai2000",
    "liu1999",
    "bu",
    "vanderknijff1999",
    "durigon2014",
    "colman2018",
    "ndvi_power",
    "lai_log",
    "panagos2015",
    "renard1997",
]

FROM_COVER = {"cai2000": cover.c_cai2000, "liu1999": cover.c_liu1999, "bu": cover.c_bu}
"""What takes an index with its two bounds."""
_FROM_NDVI: dict[str, tuple[Callable[..., Any], tuple[float, ...]]] = {
    "vanderknijff1999": (cover.c_vanderknijff1999, ()),
    "durigon2014": (cover.c_durigon2014, (1.0,)),
    "colman2018": (cover.c_durigon2014, (0.1,)),
    "ndvi_power": (cover.c_ndvi_power, ()),
}


def c_factor(
    *,
    landcover: Raster | None = None,
    table: ClassTable | None = None,
    ndvi: Raster | None = None,
    fvc: Raster | None = None,
    lai: Raster | None = None,
    method: CoverMethod = "table",
    ndvi_soil: Bound | None = None,
    ndvi_vegetation: Bound | None = None,
    ranges: pd.DataFrame | None = None,
    calendar: pd.DataFrame | None = None,
    wr: Shares | None = None,
    override: ClassTable | None = None,
    units: Units = None,
) -> xr.DataArray:
    r"""Cover and management factor C.

    .. math:: C = 0.6508 - 0.3436\,\log_{10} f \;(0.1 < f < 78.3), \quad 1 \;(f \le 0.1), \quad 0 \;(f \ge 78.3)

    with cover f in percent (``cai2000``: Cai et al. 2000), or with cover from 0 to 1

    .. math:: C = 0.221 - 0.595\,\log_{10} FVC, \quad 1 \;(FVC \le 0.049)

    (``liu1999``: Liu et al. 1999), or :math:`C = 0.4149 - 0.0052 f`, 0 from 79.8 % on (``bu``: Bu et al.); straight from NDVI

    .. math:: C = e^{-2\,NDVI/(1 - NDVI)}, \qquad C = \tfrac12 (1 - NDVI), \qquad C = [\tfrac12 (1 - NDVI)]^{1 + NDVI}

    (``vanderknijff1999``; ``durigon2014``, a tenth of it in ``colman2018``; ``ndvi_power``); :math:`C = 0.184 - 0.177 \ln LAI` (``lai_log``);

    .. math:: C = C_{min} + (C_{max} - C_{min})(1 - FVC)

    between two numbers of the land-cover class (``panagos2015``: Panagos et al. 2015); :math:`\sum SLR_i \, EI_i / \sum EI_i` of a crop
    calendar (``renard1997``, see ``crop_soil_loss_ratios``); or the value of the land-cover class (``table``). All held to 0 … 1.

    Parameters
    ----------
    landcover
        Land-cover class codes.
    table
        C by land-cover code (``table``).
    ndvi
        NDVI [1], -1 to 1, of the period that the C is for, or of 24 half-months (``cai2000``, ``liu1999``, ``bu``, ``vanderknijff1999``,
        ``durigon2014``, ``colman2018``, ``ndvi_power``, ``panagos2015``).
    fvc
        Vegetation cover [1] in place of NDVI and its bounds (``cai2000``, ``liu1999``, ``bu``, ``panagos2015``).
    lai
        Leaf area index [1] (``lai_log``).
    method
        A table, or whose equation.
    ndvi_soil
        NDVI of bare soil, one number for the whole region and for all years, or its percentile (``cai2000``, ``liu1999``, ``bu``,
        ``panagos2015``); 0.05, illustrative, when not stated.
    ndvi_vegetation
        NDVI of full cover, likewise (``cai2000``, ``liu1999``, ``bu``, ``panagos2015``); 0.86, illustrative, when not stated.
    ranges
        ``code``, ``C_min`` and ``C_max``, a row for every land-cover class (``panagos2015``); C whatever the cover is where the two are one
        number.
    calendar
        24 half-months of what stands and lies on the field, for every land-cover class (``renard1997``, see ``crop_soil_loss_ratios``).
    wr
        Share of annual erosivity in each of the 24 half-months, the weights of a C by half-month; the calendar's own ``ei`` when not stated.
    override
        C by land-cover code for the classes where NDVI, cover or a calendar does not tell C: water, built-up, bare land, cropland.
    units
        Units of plain arrays, one text or a mapping by parameter name.

    Returns
    -------
    DataArray (y, x)
        C [1], 0 to 1, float64; NaN where an input that is used is NaN. Lazy when an input is.

    Raises
    ------
    InputError
        When inputs are missing or do not belong to the method, when NDVI lies outside -1 to 1 or a table's C outside 0 to 1, and, where it
        is computed, when a land-cover code has no row.

    Notes
    -----
    NDVI below 0 gives 1: water looks like bare ground unless ``override`` says otherwise. NDVI, cover or leaf area of 24 half-months, a
    dimension ``half_month``, gives C of each, and their mean weighted with ``wr``: the C of a mean NDVI is not the mean C. A bound
    ``{"percentile": 5}`` is computed at once over all cells and layers of ``ndvi`` (see ``ndvi_bounds``) and recorded in the attributes.

    Examples
    --------
    >>> c_factor(landcover=2, table={1: 0.23, 2: 0.001}).item()
    0.001
    >>> c_factor(ndvi=0.3, method="vanderknijff1999").round(6).item()
    0.424373
    """
    given = {
        "table": table, "ndvi": ndvi, "fvc": fvc, "lai": lai, "ndvi_soil": ndvi_soil, "ndvi_vegetation": ndvi_vegetation, "ranges": ranges,
        "calendar": calendar, "wr": wr, "override": override,
    }  # fmt: skip
    if method not in METHODS:
        raise InputError(f"c_factor has no method {method!r}; expected one of {', '.join(get_args(CoverMethod))}")
    refuse_unused("c_factor", method, **{name: value for name, value in given.items() if name not in _used_by(method)})
    codes = None if landcover is None else LAND_COVER.require(landcover, units_of(units, "landcover"))
    overridden = class_values(override, COVER) if override is not None else {}
    if method == "table":
        if codes is None or table is None:
            raise InputError("c_factor by table needs landcover= and table=; for C from NDVI pass ndvi= and method='cai2000' or 'vanderknijff1999'")
        return COVER.describe(lookup(codes, class_values(table, COVER), "C"), method=method, **METHODS[method].provenance())
    if override is not None and codes is None:
        raise InputError(f"c_factor by {method} takes landcover= and override= together, or neither")
    bounds: dict[str, float] = {}
    if method == "renard1997":
        c = _by_calendar(codes, calendar, wr, overridden)
    else:
        index, bounds = _index(method, ndvi, fvc, lai, ndvi_soil, ndvi_vegetation, units)
        if method == "panagos2015":
            c = _by_ranges(index, bounds, codes, ranges, overridden)
        elif codes is not None and override is None:
            raise InputError(f"c_factor by {method} takes landcover= and override= together, or neither")
        else:
            c = _by_equation(method, index, bounds)
        c = weighted_by_erosivity(c, wr, f"c_factor by {method}")
    if codes is None:
        log.warning("C by %s without a land-cover override: water, built-up, bare land and cropland are read from %s alone", method, _from(method))
    elif override is not None:
        c = with_override(c, codes, overridden)
    return COVER.describe(c, method=method, **bounds, overridden_classes=sorted(overridden), **METHODS[method].provenance())


def _used_by(method: str) -> set[str]:
    """The parameters that a method has a use for, ``landcover`` aside."""
    if method == "table":
        return {"table"}
    bounds = {"fvc", "ndvi_soil", "ndvi_vegetation"}
    own: dict[str, set[str]] = {"lai_log": {"lai"}, "panagos2015": {"ndvi", "ranges", *bounds}, "renard1997": {"calendar"}}
    return own.get(method, {"ndvi"} | (bounds if method in FROM_COVER else set())) | {"wr", "override"}


def _from(method: str) -> str:
    return "leaf area" if method == "lai_log" else "NDVI"


def _index(
    method: str, ndvi: Raster | None, fvc: Raster | None, lai: Raster | None, ndvi_soil: Bound | None, ndvi_vegetation: Bound | None, units: Units
) -> tuple[xr.DataArray, dict[str, float]]:
    """What the equation is fed with, held to its range, and the bounds that turn it into cover."""
    if method in FROM_COVER or method == "panagos2015":
        return cover_index(f"c_factor by {method}", ndvi, fvc, ndvi_soil, ndvi_vegetation, units)
    name, values, variable = ("lai", lai, LEAF_AREA_INDEX) if method == "lai_log" else ("ndvi", ndvi, NDVI)
    if values is None:
        raise InputError(f"c_factor by {method} needs {name}=")
    return validated(variable.require(values, units_of(units, name)), variable), {}


def _by_equation(method: str, index: xr.DataArray, bounds: dict[str, float]) -> xr.DataArray:
    if method in FROM_COVER:
        return pointwise(FROM_COVER[method], index, parameters=limits(bounds))
    if method == "lai_log":
        return pointwise(cover.c_lai_log, index)
    kernel, parameters = _FROM_NDVI[method]
    return pointwise(kernel, index, parameters=parameters)


def _by_ranges(
    index: xr.DataArray, bounds: dict[str, float], codes: xr.DataArray | None, ranges: pd.DataFrame | None, overridden: dict[int, float]
) -> xr.DataArray:
    if codes is None or ranges is None:
        raise InputError("c_factor by panagos2015 needs landcover= and ranges= (code, C_min, C_max)")
    by_code = table_of_ranges(ranges, COVER) | {code: (value, value) for code, value in overridden.items()}
    rows, (soil, vegetation) = sorted(by_code), limits(bounds)
    sorted_codes, least, most = np.array(rows, np.float64), *np.array([by_code[code] for code in rows], np.float64).T.copy()

    def on_tile(tile: Tile, classes: Tile, out: Tile) -> None:
        if cover.c_panagos2015(tile, classes, soil, vegetation, sorted_codes, least, most, out):
            refuse_missing_rows(classes, by_code, "C_min, C_max")

    return pointwise(on_tile, *aligned(ndvi=index, landcover=codes))


def _by_calendar(codes: xr.DataArray | None, calendar: pd.DataFrame | None, wr: Shares | None, overridden: dict[int, float]) -> xr.DataArray:
    if codes is None or calendar is None:
        raise InputError("c_factor by renard1997 needs landcover= and calendar=; see crop_soil_loss_ratios for its columns")
    weights: Any = erosivity_by_half_month(calendar) if wr is None else wr
    if weights is None:
        raise InputError("c_factor by renard1997 needs wr=, 24 shares of erosivity, because the calendar does not state ei for every half-month")
    ratios = ratios_by_class(calendar) | {code: np.full(24, value) for code, value in overridden.items()}
    return mean_of_ratios(codes, ratios, weights, "crop calendar")
