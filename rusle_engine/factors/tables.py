"""A table of values by class code, laid on a class raster (land cover, soil units)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import same_grid
from rusle_engine.core.lift import Tile, pointwise
from rusle_engine.core.variables import Variable
from rusle_engine.factors.validation import out_of_range
from rusle_kernels import tables

ClassTable = Mapping[int, float] | pd.Series | pd.DataFrame
"""Values by class code: a mapping, a Series indexed by code, or a DataFrame with ``code`` and a column named by the factor's letter or ``value``."""

_NAMED = 20  # codes that a message lists


def class_values(table: ClassTable, variable: Variable) -> dict[int, float]:
    """The table as ``{code: value}``, every value within the variable's range.

    Raises
    ------
    InputError
        When the table is of another shape or empty, when a code stands twice or is not a whole number, when a value is missing or out of range.
    """
    values: dict[int, float] = {}
    for code, value in _rows(table, variable):
        number, whole = _number(value), _number(code)
        if not whole.is_integer():
            raise InputError(f"the table of {variable.symbol} has the class code {code!r}; expected whole numbers")
        if int(whole) in values:
            raise InputError(f"the table of {variable.symbol} has class {int(whole)} twice; keep one row")
        if np.isnan(number):
            raise InputError(f"the table of {variable.symbol} has {value!r} for class {int(whole)}; expected a number")
        if not variable.valid_range[0] <= number <= variable.valid_range[1]:
            raise InputError(out_of_range(variable, number, f" for class {int(whole)} of the table"))
        values[int(whole)] = number
    if not values:
        raise InputError(f"the table of {variable.symbol} has no rows")
    return values


def _rows(table: ClassTable, variable: Variable) -> list[tuple[Any, Any]]:
    if isinstance(table, pd.DataFrame):
        columns = [name for name in (variable.symbol, "value") if name in table.columns]
        if "code" not in table.columns or not columns:
            raise InputError(f"the table of {variable.symbol} has columns {list(table.columns)}; expected 'code' and {variable.symbol!r} or 'value'")
        return list(zip(table["code"], table[columns[0]]))
    if isinstance(table, Mapping | pd.Series):
        return list(table.items())
    raise InputError(f"the table of {variable.symbol} is {table!r}; expected {{code: value}}, a Series by code, or a DataFrame of code and value")


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def table_of_ranges(table: pd.DataFrame, variable: Variable) -> dict[int, tuple[float, float]]:
    """``{code: (least, most)}`` of a table with ``code`` and two columns named by the factor's letter, such as ``C_min`` and ``C_max``.

    Raises
    ------
    InputError
        As ``class_values``; also where a least value is above the greatest.
    """
    columns = [f"{variable.symbol}_min", f"{variable.symbol}_max"]
    if not isinstance(table, pd.DataFrame) or not {"code", *columns} <= set(table.columns):
        seen = list(table.columns) if isinstance(table, pd.DataFrame) else table
        raise InputError(f"the table of ranges has columns {seen}; expected 'code', {columns[0]!r} and {columns[1]!r}")
    least, most = (class_values(table[["code", name]].rename(columns={name: "value"}), variable) for name in columns)
    for code, value in least.items():
        if value > most[code]:
            raise InputError(f"the table of ranges has {columns[0]} {value:g} above {columns[1]} {most[code]:g} for class {code}")
    return {code: (value, most[code]) for code, value in least.items()}


def lookup(classes: xr.DataArray, values: Mapping[int, float], name: str) -> xr.DataArray:
    """The value of each cell's class, float64; NaN where ``classes`` is NaN. Lazy when ``classes`` is.

    Raises
    ------
    InputError
        When a tile is computed that holds a class without a row: naming the codes. ``name`` says in the message what the table is for.
    """
    codes, numbers = _sorted(values)

    def on_tile(tile: Tile, out: Tile) -> None:
        if tables.lookup(tile, codes, numbers, out):
            refuse_missing_rows(tile, values, name)

    return pointwise(on_tile, classes)


def with_override(factor: xr.DataArray, classes: xr.DataArray, values: Mapping[int, float]) -> xr.DataArray:
    """``factor``, except in the classes of ``values``; NaN where there is no class, or where neither knows a value."""
    factor, classes = same_grid({"the factor": factor, "landcover": classes})
    return pointwise(tables.override, factor, classes, parameters=_sorted(values))


def only_in(factor: xr.DataArray, classes: xr.DataArray, codes: Sequence[int], elsewhere: float) -> xr.DataArray:
    """``factor`` in the classes ``codes`` and ``elsewhere`` in all others; NaN where there is no class.

    Raises
    ------
    InputError
        When a code is no whole number.
    """
    if wrong := [code for code in codes if not _number(code).is_integer()]:
        raise InputError(f"the class codes {list(codes)} hold {wrong[0]!r}; expected whole numbers")
    factor, classes = same_grid({"the factor": factor, "landcover": classes})
    return pointwise(tables.only_in, factor, classes, parameters=(np.array(sorted(codes), np.float64), elsewhere))


def refuse_missing_rows(classes: np.ndarray[Any, Any], table: Mapping[int, Any], name: str) -> None:
    """Refuse the classes that ``table`` has no row for, by their codes (InputError); ``name`` says what the table is for."""
    raise InputError(_missing_rows(missing_codes(classes, table), table, name))


def missing_codes(classes: xr.DataArray | np.ndarray[Any, Any], table: Mapping[int, Any]) -> list[float]:
    """The class codes of ``classes`` that have no row in ``table``, ascending; computes."""
    seen = np.unique(np.asarray(classes, np.float64))
    return [float(code) for code in seen if not np.isnan(code) and code not in table]


def _sorted(values: Mapping[int, float]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    codes = sorted(values)
    return np.array(codes, np.float64), np.array([values[code] for code in codes], np.float64)


def _missing_rows(codes: list[float], values: Mapping[int, Any], name: str) -> str:
    shown = ", ".join(f"{code:g}" for code in codes[:_NAMED]) + (" …" if len(codes) > _NAMED else "")
    known = ", ".join(str(code) for code in sorted(values)[:_NAMED]) + (" …" if len(values) > _NAMED else "")
    return f"the {name} table has no row for class {shown} of the class raster (it has {known}). Add a row, or make the code nodata."
