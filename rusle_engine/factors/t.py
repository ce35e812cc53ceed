"""Tillage practice T of CSLE: from a land-cover table, or on cropland from a table of crop-rotation zones."""

from collections.abc import Sequence
from typing import Literal

import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.variables import LAND_COVER, ROTATION_ZONE, TILLAGE, Raster, Units, units_of
from rusle_engine.factors.tables import ClassTable, class_values, lookup, only_in
from rusle_engine.factors.validation import refuse_unused, require_choice

TillageMethod = Literal["table", "rotation_zones"]

METHODS = {
    "table": MethodInfo(
        equation="T = table(land cover)",
        source="the table that is given, row by row",
        inputs=("landcover", "table"),
        units=TILLAGE.units,
        status="verified",
        formula_id="table",
    ),
    "rotation_zones": MethodInfo(
        equation="T = table(crop-rotation zone) on cropland, 1 on all other land",
        source="the table that is given, row by row",
        inputs=("rotation", "table", "landcover", "cropland"),
        units=TILLAGE.units,
        status="verified",
        formula_id="T-1",
        valid_for="cropland; B is 1 there",
    ),
}


def t_factor(
    *,
    landcover: Raster | None = None,
    table: ClassTable | None = None,
    rotation: Raster | None = None,
    cropland: Sequence[int] | None = None,
    method: TillageMethod = "table",
    units: Units = None,
) -> xr.DataArray:
    """Tillage practice factor T of CSLE: the value of the land-cover class (``table``), or of the crop-rotation zone on cropland.

    T stands for crops and tillage on cropland, where B is 1; it is 1 on all other land (Liu et al. 2002, as read in ChinaXiv
    202108.00091). The numbers are the table's; ``configs/tables/t_rotation_zones.csv`` has those that were found.

    Parameters
    ----------
    landcover
        Land-cover class codes.
    table
        T by land-cover code (``table``) or by the code of the crop-rotation zone (``rotation_zones``).
    rotation
        Codes of the crop-rotation zones (``rotation_zones``).
    cropland
        Land-cover codes of cropland (``rotation_zones``); T is 1 on all other land.
    method
        A table by land cover, or one by crop-rotation zone.
    units
        Units of plain arrays, one text or a mapping by parameter name.

    Returns
    -------
    DataArray (y, x)
        T [1], 0 to 1, float64; NaN where there is no land cover, and on cropland in no zone. Lazy when an input is.

    Raises
    ------
    InputError
        When inputs are missing or do not belong to the method, when a T lies outside 0 to 1, and, where it is computed, when a code has
        no row.

    Examples
    --------
    >>> t_factor(landcover=11.0, rotation=7.0, table={7: 0.281}, cropland=[11, 12], method="rotation_zones").item()
    0.281
    """
    require_choice("method of t_factor", method, TillageMethod)
    if landcover is None or table is None:
        raise InputError(f"t_factor by {method} needs landcover= and table=")
    codes = LAND_COVER.require(landcover, units_of(units, "landcover"))
    values = class_values(table, TILLAGE)
    if method == "table":
        refuse_unused("t_factor", method, rotation=rotation, cropland=cropland)
        return TILLAGE.describe(lookup(codes, values, "T"), method=method, **METHODS[method].provenance())
    if rotation is None or not cropland:
        raise InputError(f"t_factor by {method} needs rotation= (codes of the zones) and cropland= (the land-cover codes of cropland)")
    zones = ROTATION_ZONE.require(rotation, units_of(units, "rotation"))
    t = only_in(lookup(zones, values, "T"), codes, cropland, elsewhere=1.0)
    return TILLAGE.describe(t, method=method, cropland_classes=sorted(cropland), **METHODS[method].provenance())
