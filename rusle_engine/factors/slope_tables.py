"""A table of values by land use and slope: the rows of every class are its classes of slope."""

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import same_grid
from rusle_engine.core.lift import Tile, pointwise
from rusle_engine.core.variables import Variable
from rusle_engine.factors.tables import refuse_missing_rows
from rusle_engine.factors.validation import out_of_range
from rusle_kernels import tables

_NAMED = 10  # faults that a message lists
_HALF_STEP = 0.5e-5
"""Slopes are told to 0.00001 of a percent or a degree: a plane of 15 % comes out a little above or below in float32."""
_STEEPEST = {"slope_from_pct": np.inf, "slope_from_degree": 90.0}


class ValuesBySlope:
    """Values of every class code by class of slope, on limits that all codes share."""

    def __init__(self, table: pd.DataFrame, variable: Variable):
        """Read ``code``, ``slope_from_pct`` or ``slope_from_degree``, and the column named by the variable's letter.

        Raises
        ------
        InputError
            When a column is missing, a class does not begin at 0 or has a limit twice, or a value is out of range: every such row.
        """
        limit_column = _limit_column(table, variable)
        by_code = _rows(table, limit_column, variable)
        limits = sorted({limit for row in by_code.values() for limit in row})
        self.codes = np.array(sorted(by_code), np.float64)
        self.values = np.array([[_reached(by_code[code], limit) for limit in limits] for code in sorted(by_code)])
        slopes = np.array(limits, np.float64) - _HALF_STEP
        self.lower_limits = np.arctan(slopes / 100) if limit_column == "slope_from_pct" else np.radians(slopes)
        self._name = f"{variable.symbol} by land use and slope"

    def laid_on(self, classes: xr.DataArray, theta: xr.DataArray) -> xr.DataArray:
        """The value of each cell's class and slope, float64; NaN where there is no class, or no slope and the class needs one; lazy likewise.

        Raises
        ------
        InputError
            When a tile is computed that holds a class without a row: naming the codes.
        """
        classes, theta = same_grid({"landcover": classes, "theta": theta})
        known = dict.fromkeys(self.codes.astype(np.int64).tolist())

        def on_tile(of_cells: Tile, angles: Tile, out: Tile) -> None:
            if tables.lookup_by_slope(of_cells, angles, self.codes, self.lower_limits, self.values, out):
                refuse_missing_rows(of_cells, known, self._name)

        return pointwise(on_tile, classes, theta)


def _limit_column(table: pd.DataFrame, variable: Variable) -> str:
    columns = list(table.columns) if isinstance(table, pd.DataFrame) else table
    given = [name for name in _STEEPEST if isinstance(columns, list) and name in columns]
    if len(given) != 1 or not {"code", variable.symbol} <= set(columns):
        raise InputError(
            f"the table of {variable.symbol} by land use and slope has columns {columns}; expected 'code', {variable.symbol!r} and one of "
            f"{' and '.join(map(repr, _STEEPEST))}"
        )
    return given[0]


def _rows(table: pd.DataFrame, limit_column: str, variable: Variable) -> dict[int, dict[float, float]]:
    """{code: {lower limit: value}}."""
    least, most = variable.valid_range
    by_code: dict[int, dict[float, float]] = {}
    faults: list[str] = []
    numbers = table[["code", limit_column, variable.symbol]].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    for row, (code, limit, value) in enumerate(numbers.tolist(), start=1):
        seen = table.iloc[row - 1]
        if not float(code).is_integer() or not 0.0 <= limit < _STEEPEST[limit_column]:
            faults.append(f"row {row}: code {seen['code']!r}, {limit_column} {seen[limit_column]!r}; expected a whole number and a slope from 0")
        elif np.isnan(value) or not least <= value <= most:
            faults.append(f"row {row}: {seen[variable.symbol]!r}; " + out_of_range(variable, value).partition("; ")[2])
        elif limit in by_code.setdefault(int(code), {}):
            faults.append(f"row {row}: class {int(code)} has {limit_column} {limit:g} twice")
        else:
            by_code[int(code)][limit] = value
    faults += [
        f"class {code} begins at {limit_column} {min(row):g}; its first row must be at 0" for code, row in by_code.items() if row and 0.0 not in row
    ]
    if faults or not by_code:
        more = [f"and {len(faults) - _NAMED} more"] if len(faults) > _NAMED else []
        raise InputError(f"the table of {variable.symbol} by land use and slope: " + "; ".join([*(faults or ["no rows"])[:_NAMED], *more]))
    return by_code


def _reached(row: dict[float, float], slope: float) -> Any:
    """The value of the last limit that ``slope`` reaches."""
    return row[max(limit for limit in row if limit <= slope)]
