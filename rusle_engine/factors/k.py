"""Soil erodibility K from texture and organic carbon: cell by cell, or by the rows of a soil table."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import same_grid
from rusle_engine.core.lift import Tile, pointwise
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.variables import CLAY, ERODIBILITY, ORGANIC_CARBON, ORGANIC_MATTER, SAND, SILT, SOIL_CLASS, Raster, Units, units_of
from rusle_engine.factors.tables import class_values, lookup
from rusle_engine.factors.validation import require_within
from rusle_kernels import erodibility

ErodibilityMethod = Literal["williams1990"]
SoilTable = Mapping[int, float | Mapping[str, float]] | pd.DataFrame
"""Rows by soil code: K itself (column ``k``), or ``sand``, ``silt``, ``clay`` with ``soc`` or ``om``, all in percent (``soc_g_kg`` in g/kg)."""

METHODS = {
    "williams1990": MethodInfo(
        equation=(
            "K = 0.1317 {0.2 + 0.3 exp[-0.0256 SAN (1 - SIL/100)]} [SIL/(CLA + SIL)]^0.3 {1 - 0.25 C/[C + exp(3.72 - 2.95 C)]} "
            "{1 - 0.7 SN1/[SN1 + exp(-5.51 + 22.9 SN1)]}, SN1 = 1 - SAN/100"
        ),
        source="Williams 1990; Sharpley and Williams 1990, EPIC, USDA Technical Bulletin 1768",
        inputs=("sand", "silt", "clay", "soc or om"),
        units=ERODIBILITY.units,
        status="verified",
        formula_id="K-2",
        valid_for="USDA fractions (sand 2-0.05, silt 0.05-0.002, clay < 0.002 mm)",
    ),
}

_MATTER_PER_CARBON = 1.724


def k_factor(
    *,
    sand: Raster | None = None,
    silt: Raster | None = None,
    clay: Raster | None = None,
    soc: Raster | None = None,
    om: Raster | None = None,
    soil: Raster | None = None,
    table: SoilTable | None = None,
    method: ErodibilityMethod = "williams1990",
    closure_tolerance_pct: float = 1.0,
    units: Units = None,
) -> xr.DataArray:
    r"""Soil erodibility factor K in SI units, from rasters of texture and carbon or from a soil table on a map of soil units.

    .. math:: K = 0.1317\,\{0.2 + 0.3\,e^{-0.0256\,SAN\,(1 - SIL/100)}\}\left[\frac{SIL}{CLA + SIL}\right]^{0.3}
        \left\{1 - \frac{0.25\,C}{C + e^{3.72 - 2.95\,C}}\right\}\left\{1 - \frac{0.7\,SN_1}{SN_1 + e^{-5.51 + 22.9\,SN_1}}\right\}

    with :math:`SN_1 = 1 - SAN/100` (``williams1990``: Williams 1990; Sharpley & Williams 1990, EPIC).

    Parameters
    ----------
    sand
        Sand content SAN, 2 to 0.05 mm [%].
    silt
        Silt content SIL, 0.05 to 0.002 mm [%].
    clay
        Clay content CLA, below 0.002 mm [%].
    soc
        Soil organic carbon C [%], or g/kg when its units say so.
    om
        Soil organic matter [%] in place of carbon, C = OM / 1.724.
    soil
        Codes of soil units, for use with ``table`` in place of the five rasters above.
    table
        Rows by soil code: K, or texture in percent with organic carbon or matter.
    method
        Whose equation.
    closure_tolerance_pct
        How far the three fractions may be from adding up to 100 [%]; cells beyond it become nodata (``k_not_closed`` shows them).
    units
        Units of plain arrays, one text or a mapping by parameter name.

    Returns
    -------
    DataArray (y, x)
        K [t ha h ha-1 MJ-1 mm-1], float64; NaN where an input is, where the fractions do not close, and where there is neither silt nor clay.

    Raises
    ------
    InputError
        When inputs are missing or too many, when a content is negative or above its range, when texture is given as a fraction or in g/kg
        under percent, when a table row does not close, and when a soil code has no row.

    Notes
    -----
    Older Chinese data put the limit of silt and sand at 0.02 mm: convert the curve to the USDA limits first.

    Examples
    --------
    >>> k_factor(sand=20.0, silt=65.0, clay=15.0, soc=0.5).round(6).item()
    0.055081
    """
    given = {name: value for name, value in (("sand", sand), ("silt", silt), ("clay", clay), ("soc", soc), ("om", om)) if value is not None}
    provenance = {"method": method, "closure_tolerance_pct": closure_tolerance_pct, **METHODS[method].provenance()}
    if soil is not None or table is not None:
        if given or soil is None or table is None:
            raise InputError(f"k_factor takes soil= and table= together and nothing else beside them; given also: {', '.join(given) or 'neither'}")
        values = soil_table_k(table, method=method, closure_tolerance_pct=closure_tolerance_pct)
        return ERODIBILITY.describe(lookup(SOIL_CLASS.require(soil, units_of(units, "soil")), values, "soil"), **provenance)
    missing = [name for name in ("sand", "silt", "clay") if name not in given]
    if missing or ("soc" in given) == ("om" in given):
        raise InputError(
            f"{method} needs sand, silt, clay and one of soc (organic carbon) and om (organic matter); given: {', '.join(given) or 'nothing'}"
        )
    organic, per_carbon = ("soc", 1.0) if "soc" in given else ("om", _MATTER_PER_CARBON)
    contents = _contents({name: given[name] for name in ("sand", "silt", "clay", organic)}, units)
    k = pointwise(_k_on_tile, *contents, parameters=(per_carbon, closure_tolerance_pct))
    return ERODIBILITY.describe(k, **provenance)


def k_not_closed(*, sand: Raster, silt: Raster, clay: Raster, closure_tolerance_pct: float = 1.0, units: Units = None) -> xr.DataArray:
    """True where sand, silt and clay are known and do not add up to 100 within ``closure_tolerance_pct``: the cells that K leaves out.

    Lazy when an input is; ``.sum()`` counts them.
    """
    contents = _contents({"sand": sand, "silt": silt, "clay": clay}, units)
    return pointwise(erodibility.not_closed, *contents, parameters=(closure_tolerance_pct,), dtype=np.bool_).rename("k_not_closed")


def _contents(given: Mapping[str, Raster], units: Units) -> list[xr.DataArray]:
    variables = {"sand": SAND, "silt": SILT, "clay": CLAY, "soc": ORGANIC_CARBON, "om": ORGANIC_MATTER}
    return same_grid({name: variables[name].require(value, units_of(units, name)) for name, value in given.items()})


def _k_on_tile(sand: Tile, silt: Tile, clay: Tile, organic: Tile, per_carbon: float, tolerance: float, out: Tile) -> None:
    for tile, variable in ((sand, SAND), (silt, SILT), (clay, CLAY), (organic, ORGANIC_CARBON if per_carbon == 1.0 else ORGANIC_MATTER)):
        require_within(tile, variable)
    _require_percent(sand + silt + clay)
    erodibility.k_williams1990(sand, silt, clay, organic, per_carbon, tolerance, out)


def _require_percent(total: np.ndarray[Any, Any]) -> None:
    if np.any(np.abs(total - 1.0) < 0.02):
        raise InputError("sand, silt and clay add up to 1, not to 100: they are fractions. Declare units '1', or multiply them by 100.")


def soil_table_k(table: SoilTable, *, method: ErodibilityMethod = "williams1990", closure_tolerance_pct: float = 1.0) -> dict[int, float]:
    """K of each soil in a table: as it stands there, or computed from the row's texture and carbon.

    Parameters
    ----------
    table
        A mapping from soil code to K or to a mapping of contents, or a DataFrame with a column ``code``. Contents are ``sand``, ``silt``,
        ``clay`` and one of ``soc``, ``soc_g_kg``, ``om``; all in percent but ``soc_g_kg``. A row with ``k`` needs nothing else.
    method
        Whose equation.
    closure_tolerance_pct
        How far the three fractions of a row may be from adding up to 100 [%].

    Returns
    -------
    dict
        K [t ha h ha-1 MJ-1 mm-1] by soil code.

    Raises
    ------
    InputError
        Naming the soil, when its row is incomplete, out of range, or does not add up to 100.
    """
    rows = [(code, _row_k(code, row, method, closure_tolerance_pct)) for code, row in _rows(table)]
    return class_values(pd.DataFrame(rows, columns=["code", "value"]), ERODIBILITY)


def _rows(table: SoilTable) -> list[tuple[Any, Mapping[str, Any]]]:
    if isinstance(table, pd.DataFrame):
        if "code" not in table.columns:
            raise InputError(
                f"the soil table has columns {list(table.columns)}; expected 'code' and 'k', or 'code', 'sand', 'silt', 'clay' and 'soc'"
            )
        return [(row["code"], {str(name): value for name, value in row.items() if pd.notna(value)}) for row in table.to_dict("records")]
    if not isinstance(table, Mapping):
        raise InputError(f"the soil table is {table!r}; expected rows by soil code, or a DataFrame with a column 'code'")
    return [(code, row if isinstance(row, Mapping) else {"k": row}) for code, row in table.items()]


def _row_k(code: Any, row: Mapping[str, Any], method: ErodibilityMethod, closure_tolerance_pct: float) -> float:
    stated = [name for name in ("k", "K") if name in row]
    if stated:
        return _content(code, row, stated[0])
    organic = [name for name in ("soc", "soc_g_kg", "om") if name in row]
    missing = [name for name in ("sand", "silt", "clay") if name not in row]
    if missing or len(organic) != 1:
        raise InputError(f"soil {code} of the table has {sorted(set(row) - {'code'})}; expected k, or sand, silt, clay and one of soc, soc_g_kg, om")
    sand, silt, clay = (_content(code, row, name) for name in ("sand", "silt", "clay"))
    amount = _content(code, row, organic[0])
    carbon = {"soc": amount, "soc_g_kg": amount / 10.0, "om": None}[organic[0]]
    matter = amount if carbon is None else None
    try:
        k = k_factor(sand=sand, silt=silt, clay=clay, soc=carbon, om=matter, method=method, closure_tolerance_pct=closure_tolerance_pct).item()
    except InputError as error:
        raise InputError(f"soil {code} of the table: {error}") from error
    if np.isnan(k):
        raise InputError(
            f"soil {code} of the table has sand {sand:g}, silt {silt:g} and clay {clay:g} %, together {sand + silt + clay:g}; "
            f"expected 100 within {closure_tolerance_pct:g}, and some silt or clay. Correct the row (stones are not part of the fine earth)."
        )
    return float(k)


def _content(code: Any, row: Mapping[str, Any], name: str) -> float:
    try:
        return float(row[name])
    except (TypeError, ValueError):
        raise InputError(f"soil {code} of the table has {row[name]!r} for {name}; expected a number") from None
