"""Engineering practice E of CSLE: terraces, benches, trenches and pits, from a table of classes or from a register of measures."""

from typing import Literal, cast

import geopandas as gpd
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.variables import ENGINEERING, LAND_COVER, MEASURE_TYPE, ZONE, Raster, Units, units_of
from rusle_engine.factors.measures import NamedValues, Undated, measures_of_year, named_values, share_left
from rusle_engine.factors.tables import ClassTable, class_values, lookup
from rusle_engine.factors.validation import refuse_unused, require_choice
from rusle_engine.factors.zone_tables import lookup_in_zones, zone_values

EngineeringMethod = Literal["table", "register", "zone_table"]

METHODS = {
    "table": MethodInfo(
        equation="E = table(class)",
        source="the table that is given, row by row",
        inputs=("landcover", "table"),
        units=ENGINEERING.units,
        status="verified",
        formula_id="E-1",
    ),
    "register": MethodInfo(
        equation="E = 1 - sum over the measures of (share of the cell) x (1 - E of the type) x (effect of the condition) x (coverage)",
        source="a rule of this package (docs/concepts/e.md): the average over the cell; the smallest E where measures share land",
        inputs=("measures", "table"),
        units=ENGINEERING.units,
        status="unchecked",
        formula_id="E-1",
        valid_for="measures that the elevation model does not show",
    ),
    "zone_table": MethodInfo(
        equation="E = table(zone, type of measure)",
        source="the table that is given, row by row",
        inputs=("types", "zones", "table"),
        units=ENGINEERING.units,
        status="verified",
        formula_id="E-1",
        valid_for="measures that the elevation model does not show",
    ),
}


def e_factor(
    *,
    landcover: Raster | None = None,
    table: NamedValues | None = None,
    measures: gpd.GeoDataFrame | None = None,
    grid: xr.DataArray | None = None,
    year: int | None = None,
    conditions: NamedValues | None = None,
    undated: Undated = "refuse",
    types: Raster | None = None,
    zones: Raster | None = None,
    method: EngineeringMethod = "table",
    units: Units = None,
) -> xr.DataArray:
    r"""Engineering practice factor E of CSLE: by class on a map, by class and zone, or from a register of measures.

    E is 1 where there is no engineering measure (Liu et al. 2002, as read in ChinaXiv 202108.00091). The numbers are the table's;
    ``configs/tables/e_measures.csv`` has those that are remembered. A map of measures needs a code for "none" with E = 1: no data stays
    no data. ``zone_table`` has a value for every type of measure in every zone.

    From a register, with the share :math:`f_i` of the cell that measure i covers (exact, from its outline), its :math:`E_i` by type, the
    effect :math:`q_i` that its condition leaves it, and the share :math:`c_i` of its outline that is treated:

    .. math:: E = 1 - \sum_i f_i\, q_i\, c_i\, (1 - E_i)

    over the measures built in ``year`` or before. Where measures share land, the one that takes away most counts there, alone. Where the table
    has a column ``zone``, so has the register, and :math:`E_i` is that of the type in the zone.

    Parameters
    ----------
    landcover
        Class codes, of the land cover or of a map of measures (``table``).
    table
        E by class code, or by what the register says under type; columns code and E, and zone where the values differ between zones.
    measures
        Register of the measures as polygons (``register``), with the fields type and year_built, and where there are any condition and
        coverage (share of the outline that is treated, 0 to 1).
    grid
        A raster on whose grid the result lies (``register``).
    year
        Year that is assessed (``register``): measures built in it or before count; the project's year when not stated.
    conditions
        Share of its effect that a measure of each condition keeps, 0 to 1 (``register``), columns code and effect; all of it when not given.
    undated
        What becomes of measures without a year (``register``): refused, or taken as standing in every year.
    types
        Codes of the types of measures on a map, one of them for none (``zone_table``).
    zones
        Codes of the zones in which a type has its value (``zone_table``).
    method
        A table by class, one by zone and class, or a register of measures.
    units
        Units of plain arrays, one text or a mapping by parameter name.

    Returns
    -------
    DataArray (y, x)
        E [1], 0 to 1, float64. By ``table`` NaN where there is no class; by ``register`` 1 without a measure. Lazy when ``landcover`` or
        ``grid`` is.

    Raises
    ------
    InputError
        When inputs are missing or do not belong to the method, when a value lies outside 0 to 1, when the register says what cannot be,
        and, where it is computed, when a class code has no row.

    Examples
    --------
    >>> e_factor(landcover=12.0, table={11: 1.0, 12: 0.084}).item()
    0.084
    """
    require_choice("method of e_factor", method, EngineeringMethod)
    require_choice("undated", undated, Undated)
    of_register = {"measures": measures, "grid": grid, "year": year, "conditions": conditions}
    if method == "zone_table":
        refuse_unused("e_factor", method, landcover=landcover, **of_register)
        if types is None or zones is None or table is None:
            raise InputError("e_factor by zone_table needs types= and zones= (codes on maps) and table=, with columns zone, code and E")
        codes, places = MEASURE_TYPE.require(types, units_of(units, "types")), ZONE.require(zones, units_of(units, "zones"))
        e = lookup_in_zones(codes, places, zone_values(cast(pd.DataFrame, table), ENGINEERING), "E")
        return ENGINEERING.describe(e, method=method, **METHODS[method].provenance())
    refuse_unused("e_factor", method, types=types, zones=zones)
    if method == "table":
        refuse_unused("e_factor", method, **of_register)
        if landcover is None or table is None:
            raise InputError("e_factor by table needs landcover= (class codes) and table=")
        codes = LAND_COVER.require(landcover, units_of(units, "landcover"))
        return ENGINEERING.describe(
            lookup(codes, class_values(cast(ClassTable, table), ENGINEERING), "E"), method=method, **METHODS[method].provenance()
        )
    refuse_unused("e_factor", method, landcover=landcover)
    if measures is None or table is None or grid is None:
        raise InputError("e_factor by register needs measures= (a GeoDataFrame), table= (E by type) and grid= (a raster on the grid of the result)")
    if year is None:
        raise InputError("e_factor by register needs year=: measures built in it or before count")
    where = Grid.of(grid)
    effects = None if conditions is None else named_values(conditions, "effect", "conditions")
    standing = measures_of_year(measures, where, year=year, values=named_values(table, "E", "E"), effects=effects, undated=undated)
    e = share_left(standing, grid, where)
    return ENGINEERING.describe(e, method=method, year=year, overlap="the smallest E", **standing.counts, **METHODS[method].provenance())
