"""Tables of CSLE's B: which curve, which ratios or which number a land use has."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from rusle_engine.core.errors import InputError
from rusle_engine.core.variables import BIOLOGICAL, SOIL_LOSS_RATIO
from rusle_engine.factors.tables import class_values
from rusle_engine.factors.validation import out_of_range

CURVES = ("grass", "shrub", "forest", "cai2000")
"""Names of the curves that a land use may have."""


def land_use_table(table: pd.DataFrame | Mapping[int, str | float]) -> dict[int, str | float]:
    """``{code: curve or B}`` of a table with ``code`` and, filled in for each row, either ``slr`` or ``B``; or of such a mapping.

    Raises
    ------
    InputError
        When a code stands twice or is no whole number, a row has both or neither, a curve is not known, or a B is out of range.
    """
    if isinstance(table, pd.DataFrame):
        if "code" not in table.columns or not {"slr", "B"} & set(table.columns):
            raise InputError(f"the land-use table has columns {list(table.columns)}; expected 'code' and 'slr' (the curve) and 'B' (a number)")
        rows = [(record["code"], _cell(record.get("slr")), _cell(record.get("B"))) for record in table.to_dict("records")]
    else:
        rows = [(code, use if isinstance(use, str) else None, None if isinstance(use, str) else use) for code, use in table.items()]
    curves: dict[int, str] = {}
    numbers: list[tuple[Any, Any]] = []
    for code, curve, number in rows:
        if (curve is None) == (number is None):
            raise InputError(f"the land-use table has {curve!r} for slr and {number!r} for B of class {code}; expected exactly one of them")
        if curve is not None and curve not in CURVES:
            raise InputError(f"the land-use table has slr {curve!r} for class {code}; expected one of {', '.join(CURVES)}")
        numbers.append((code, 0.0 if number is None else number))
        if curve is not None:
            curves[_whole(code)] = curve
    codes = pd.DataFrame(numbers, columns=["code", "B"])
    return {**class_values(codes, BIOLOGICAL), **curves}


def ratios_of_table(table: pd.DataFrame) -> dict[int, np.ndarray[Any, np.dtype[np.float64]]]:
    """``{code: 24 soil loss ratios}`` of a table with ``code``, ``half_month`` and ``slr``.

    Raises
    ------
    InputError
        When a column or a half-month of a class is missing, one stands twice, or a ratio is out of range.
    """
    needed = ["code", "half_month", "slr"]
    if not isinstance(table, pd.DataFrame) or not set(needed) <= set(table.columns):
        raise InputError(f"the table of soil loss ratios has columns {list(getattr(table, 'columns', []))}; expected {', '.join(needed)}")
    ratios: dict[int, np.ndarray[Any, np.dtype[np.float64]]] = {}
    least, most = SOIL_LOSS_RATIO.valid_range
    for code, of_class in table.groupby("code"):
        ordered = of_class.sort_values("half_month")
        if ordered["half_month"].tolist() != list(range(1, 25)):
            raise InputError(f"class {code} has soil loss ratios for half-months {ordered['half_month'].tolist()}; expected 1 to 24, once each")
        values = pd.to_numeric(ordered["slr"], errors="coerce").to_numpy(np.float64)
        for value in values[~((values >= least) & (values <= most))]:
            raise InputError(out_of_range(SOIL_LOSS_RATIO, float(value), f" for class {code} of the table"))
        ratios[_whole(code)] = values
    if not ratios:
        raise InputError("the table of soil loss ratios has no rows")
    return ratios


def _cell(value: Any) -> Any:
    """What a cell of a table says; None for a blank one."""
    return None if value is None or value != value or str(value).strip() == "" else value.strip() if isinstance(value, str) else value


def _whole(code: Any) -> int:
    try:
        if float(code).is_integer():
            return int(code)
    except (TypeError, ValueError):
        pass
    raise InputError(f"the table has the class code {code!r}; expected whole numbers")
