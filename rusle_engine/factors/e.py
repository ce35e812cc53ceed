"""Engineering practice E of CSLE: terraces, benches, trenches and pits, from a table of classes."""

from typing import Literal

import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.variables import ENGINEERING, LAND_COVER, Raster, Units, units_of
from rusle_engine.factors.tables import ClassTable, class_values, lookup

EngineeringMethod = Literal["table"]

METHODS = {
    "table": MethodInfo(
        equation="E = table(class)",
        source="the table that is given, row by row",
        inputs=("landcover", "table"),
        units=ENGINEERING.units,
        status="verified",
        formula_id="E-1",
    ),
}


def e_factor(
    *,
    landcover: Raster | None = None,
    table: ClassTable | None = None,
    method: EngineeringMethod = "table",
    units: Units = None,
) -> xr.DataArray:
    """Engineering practice factor E of CSLE: the value of the class of the land cover or of a map of measures.

    E is 1 where there is no engineering measure (Liu et al. 2002, as read in ChinaXiv 202108.00091), so a map of measures needs a code for
    "none" with E = 1 in the table: no data stays no data. The numbers are the table's; ``configs/tables/e_measures.csv`` has those that
    are remembered.

    Parameters
    ----------
    landcover
        Class codes, of the land cover or of a map of measures.
    table
        E by class code.
    method
        A table.
    units
        Units of plain arrays, one text or a mapping by parameter name.

    Returns
    -------
    DataArray (y, x)
        E [1], 0 to 1, float64; NaN where there is no class. Lazy when an input is.

    Raises
    ------
    InputError
        When an input is missing, when an E lies outside 0 to 1, and, where it is computed, when a code has no row.

    Examples
    --------
    >>> e_factor(landcover=12.0, table={11: 1.0, 12: 0.084}).item()
    0.084
    """
    if landcover is None or table is None:
        raise InputError(f"e_factor by {method} needs landcover= and table=")
    codes = LAND_COVER.require(landcover, units_of(units, "landcover"))
    return ENGINEERING.describe(lookup(codes, class_values(table, ENGINEERING), "E"), method=method, **METHODS[method].provenance())
