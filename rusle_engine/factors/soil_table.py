"""K by the rows of a soil table: as it stands there, or from the contents of each row."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from rusle_engine.core.errors import InputError
from rusle_engine.core.variables import ERODIBILITY
from rusle_engine.factors.soil_layers import one_layer_each
from rusle_engine.factors.tables import class_values
from rusle_kernels import erodibility

SoilTable = Mapping[int, float | Mapping[str, float]] | pd.DataFrame
"""Rows by soil code: K itself (column ``k``), or ``sand``, ``silt``, ``clay`` and what else the method takes, in percent (``soc_g_kg`` in g/kg)."""


_STATED = ("k", "K")


def table_k(
    table: SoilTable,
    of_contents: Callable[[dict[str, float]], tuple[float, int]],
    names: Sequence[str],
    tolerance: float,
    depth_cm: float | None = None,
) -> dict[int, float]:
    """K by soil code; ``of_contents`` gives K and its flags of a row's contents, whose columns may be ``names`` and ``soc_g_kg``.

    Rows of layers (``top_cm``, ``bottom_cm``) are weighted down to ``depth_cm`` first.

    Raises
    ------
    InputError
        Naming the soil, when its row is incomplete, out of range, does not close within ``tolerance``, or has no value.
    """
    soils = one_layer_each(_rows(table), [*_STATED, *names, "soc_g_kg"], depth_cm)
    rows = [(code, _row_k(code, row, of_contents, names, tolerance)) for code, row in soils]
    return class_values(pd.DataFrame(rows, columns=["code", "value"]), ERODIBILITY)


def has_stones(table: SoilTable) -> bool:
    """Whether K of a row is computed from a cover by rock fragments as well."""
    return any("rock_cover" in row and not any(name in row for name in _STATED) for _, row in _rows(table))


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


def _row_k(
    code: Any, row: Mapping[str, Any], of_contents: Callable[[dict[str, float]], tuple[float, int]], names: Sequence[str], tolerance: float
) -> float:
    stated = [name for name in _STATED if name in row]
    if stated:
        return _content(code, row, stated[0])
    if "soc" in row and "soc_g_kg" in row:
        raise InputError(f"soil {code} of the table has both soc and soc_g_kg; keep one of soc, soc_g_kg, om")
    contents = {name: _content(code, row, name) for name in names if name in row}
    if "soc_g_kg" in row and "soc" in names:
        contents["soc"] = _content(code, row, "soc_g_kg") / 10.0
    try:
        k, flags = of_contents(contents)
    except InputError as error:
        raise InputError(f"soil {code} of the table: {error}") from error
    if k == k:
        return k
    sand, silt, clay = (contents[name] for name in ("sand", "silt", "clay"))
    seen = f"soil {code} of the table has sand {sand:g}, silt {silt:g} and clay {clay:g} %, together {sand + silt + clay:g}"
    if flags & erodibility.BEYOND_NOMOGRAPH:
        raise InputError(f"{seen}: more than 70 % silt and very fine sand, where the nomograph has no value. Choose another method for it.")
    raise InputError(f"{seen}; expected 100 within {tolerance:g}, and some silt and clay. Correct the row (stones are not part of the fine earth).")


def _content(code: Any, row: Mapping[str, Any], name: str) -> float:
    try:
        return float(row[name])
    except (TypeError, ValueError):
        raise InputError(f"soil {code} of the table has {row[name]!r} for {name}; expected a number") from None
