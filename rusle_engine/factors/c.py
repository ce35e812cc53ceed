"""Cover and management C: from a land-cover table, or from NDVI with the land-cover classes that NDVI misreads set by a table."""

import logging
from typing import Literal

import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import pointwise
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.variables import COVER, LAND_COVER, NDVI, Raster, Units, units_of
from rusle_engine.factors.cover import require_bounds
from rusle_engine.factors.tables import ClassTable, class_values, lookup, with_override
from rusle_engine.factors.validation import refuse_unused, validated
from rusle_kernels import cover

log = logging.getLogger("rusle_engine")

CoverMethod = Literal["table", "cai2000", "vanderknijff1999"]

METHODS = {
    "table": MethodInfo(
        equation="C = table(land cover)",
        source="the table that is given, row by row",
        inputs=("landcover", "table"),
        units=COVER.units,
        status="verified",
        formula_id="table",
    ),
    "cai2000": MethodInfo(
        equation="C = 1 (f <= 0.1 %); 0.6508 - 0.3436 log10 f (0.1 % < f < 78.3 %); 0 (f >= 78.3 %); f = 100 (NDVI - NDVI_s)/(NDVI_v - NDVI_s)",
        source="Cai Chongfa et al. 2000, Journal of Soil and Water Conservation (Chinese) 14(2)",
        inputs=("ndvi", "ndvi_soil", "ndvi_vegetation"),
        units=COVER.units,
        status="verified",
        formula_id="C-3",
        valid_for="land with vegetation; water, built-up, bare land and cropland by a land-cover table",
    ),
    "vanderknijff1999": MethodInfo(
        equation="C = exp[-2 NDVI/(1 - NDVI)], 0 to 1",
        source="van der Knijff, Jones and Montanarella 1999, European Soil Bureau EUR 19022",
        inputs=("ndvi",),
        units=COVER.units,
        status="verified",
        formula_id="C-2",
        valid_for="land with vegetation; water, built-up, bare land and cropland by a land-cover table",
    ),
}

_ILLUSTRATIVE_SOIL, _ILLUSTRATIVE_VEGETATION = 0.05, 0.86


def c_factor(
    *,
    landcover: Raster | None = None,
    table: ClassTable | None = None,
    ndvi: Raster | None = None,
    method: CoverMethod = "table",
    ndvi_soil: float | None = None,
    ndvi_vegetation: float | None = None,
    override: ClassTable | None = None,
    units: Units = None,
) -> xr.DataArray:
    r"""Cover and management factor C.

    .. math:: C = 0.6508 - 0.3436\,\log_{10} f \;(0.1 < f < 78.3), \quad 1 \;(f \le 0.1), \quad 0 \;(f \ge 78.3)

    with cover f in percent from NDVI (``cai2000``: Cai et al. 2000), or

    .. math:: C = e^{-2\,NDVI/(1 - NDVI)}, \quad 0 \le C \le 1

    (``vanderknijff1999``: van der Knijff et al. 1999), or the value of the land-cover class (``table``).

    Parameters
    ----------
    landcover
        Land-cover class codes.
    table
        C by land-cover code (``table``).
    ndvi
        NDVI [1], -1 to 1, of the period that the C is for.
    method
        A table, or whose equation on NDVI.
    ndvi_soil
        NDVI of bare soil (``cai2000``), one number for the whole region and for all years; 0.05, illustrative, when not stated.
    ndvi_vegetation
        NDVI of full cover (``cai2000``), likewise; 0.86, illustrative, when not stated.
    override
        C by land-cover code for the classes where NDVI does not tell C: water, built-up, bare land, cropland.
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
    NDVI below 0 gives 1: water looks like bare ground unless ``override`` says otherwise.

    Examples
    --------
    >>> c_factor(landcover=2, table={1: 0.23, 2: 0.001}).item()
    0.001
    >>> c_factor(ndvi=0.3, method="vanderknijff1999").round(6).item()
    0.424373
    """
    if method == "table":
        refuse_unused("c_factor", method, ndvi=ndvi, ndvi_soil=ndvi_soil, ndvi_vegetation=ndvi_vegetation, override=override)
        if landcover is None or table is None:
            raise InputError("c_factor by table needs landcover= and table=; for C from NDVI pass ndvi= and method='cai2000' or 'vanderknijff1999'")
        codes = LAND_COVER.require(landcover, units_of(units, "landcover"))
        return COVER.describe(lookup(codes, class_values(table, COVER), "C"), method=method, **METHODS[method].provenance())
    refuse_unused("c_factor", method, table=table)
    if ndvi is None:
        raise InputError(f"c_factor by {method} needs ndvi=")
    if (landcover is None) != (override is None):
        raise InputError(f"c_factor by {method} takes landcover= and override= together, or neither")
    index = validated(NDVI.require(ndvi, units_of(units, "ndvi")), NDVI)
    if method == "cai2000":
        bounds = _stated(ndvi_soil, ndvi_vegetation)
        c = pointwise(cover.c_cai2000, index, parameters=tuple(bounds.values()))
    else:
        refuse_unused("c_factor", method, ndvi_soil=ndvi_soil, ndvi_vegetation=ndvi_vegetation)
        bounds = {}
        c = pointwise(cover.c_vanderknijff1999, index)
    if landcover is None or override is None:
        log.warning("C by %s without a land-cover override: water, built-up, bare land and cropland are read from NDVI alone", method)
        set_by_table: list[int] = []
    else:
        values = class_values(override, COVER)
        c = with_override(c, LAND_COVER.require(landcover, units_of(units, "landcover")), values)
        set_by_table = sorted(values)
    return COVER.describe(c, method=method, **bounds, overridden_classes=set_by_table, **METHODS[method].provenance())


def _stated(ndvi_soil: float | None, ndvi_vegetation: float | None) -> dict[str, float]:
    if ndvi_soil is None or ndvi_vegetation is None:
        log.warning(
            "NDVI of bare soil and of full cover are not both stated: the illustrative %g and %g fill the gap; state your region's own",
            _ILLUSTRATIVE_SOIL,
            _ILLUSTRATIVE_VEGETATION,
        )
    soil = _ILLUSTRATIVE_SOIL if ndvi_soil is None else ndvi_soil
    vegetation = _ILLUSTRATIVE_VEGETATION if ndvi_vegetation is None else ndvi_vegetation
    require_bounds(soil, vegetation)
    return {"ndvi_soil": soil, "ndvi_vegetation": vegetation}
