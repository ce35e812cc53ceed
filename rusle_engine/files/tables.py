"""Tables: read, checked with everything wrong said at once, and written. The room's front door for everything in rows."""

import logging
import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rusle_engine.files.paths import PathLike, existing_file
from rusle_engine.files.rain import RainRecord, read_rain
from rusle_engine.files.table_input import number_of, read_table, refuse_rows, require_columns
from rusle_engine.files.table_output import write_csv, write_workbook

__all__ = ["ClassTable", "RainRecord", "read_class_names", "read_class_table", "read_rain", "read_table", "write_csv", "write_workbook"]

log = logging.getLogger("rusle_engine")


@dataclass(frozen=True)
class ClassTable:
    """Values by class code, and the names of the classes where the table has them."""

    values: dict[int, float]
    names: dict[int, str]
    path: Path


def read_class_table(
    path: PathLike,
    value: str,
    *,
    key: str | None = None,
    name: str | None = None,
    valid_range: tuple[float, float] = (-math.inf, math.inf),
    encoding: str | None = None,
    sheet: str | None = None,
) -> ClassTable:
    """A value for every class code, checked: codes whole and once each, values numbers within ``valid_range``.

    Parameters
    ----------
    path
        A table as for :func:`read_table`.
    value
        The column of values.
    key
        The column of class codes; ``code`` or else the first column when not stated.
    name
        The column of class names; ``name`` where there is one when not stated.
    valid_range
        Smallest and largest value allowed.
    encoding, sheet
        As for :func:`read_table`.

    Raises
    ------
    InputError
        Listing every row that is wrong.
    """
    table = read_table(path, encoding=encoding, sheet=sheet)
    key = _key_column(table, key, path)
    require_columns(table, [value, *([name] if name else [])], path)
    name = name or ("name" if "name" in table.columns else None)
    faults: list[str] = []
    values: dict[int, float] = {}
    for row, (code_cell, value_cell) in enumerate(zip(table[key], table[value]), start=2):
        code, number = number_of(code_cell), number_of(value_cell)
        if not code.is_integer():
            faults.append(f"row {row}: the code {code_cell!r} is not a whole number")
        elif int(code) in values:
            faults.append(f"row {row}: class {int(code)} stands twice")
        elif math.isnan(number):
            faults.append(f"row {row}: class {int(code)} has {value_cell!r} where a number is expected")
        elif not valid_range[0] <= number <= valid_range[1]:
            faults.append(f"row {row}: class {int(code)} has {number}; allowed is {valid_range[0]} to {valid_range[1]}")
        else:
            values[int(code)] = number
    refuse_rows(faults, f"{path}, column {value!r}")
    names = {} if name is None else {int(number_of(c)): str(n) for c, n in zip(table[key], table[name]) if not pd.isna(n)}
    return ClassTable(values, names, existing_file(path))


def read_class_names(
    path: PathLike, *, key: str | None = None, name: str | None = None, encoding: str | None = None, sheet: str | None = None
) -> dict[int, str]:
    """A name for every class code; columns ``code`` (or the first) and ``name`` unless stated.

    Raises
    ------
    InputError
        When a code stands twice or is not a whole number.
    """
    table = read_table(path, encoding=encoding, sheet=sheet)
    key, name = _key_column(table, key, path), name or "name"
    require_columns(table, [name], path)
    faults: list[str] = []
    names: dict[int, str] = {}
    for row, (cell, text) in enumerate(zip(table[key], table[name]), start=2):
        code = number_of(cell)
        if not code.is_integer() or int(code) in names:
            faults.append(f"row {row}: the code {cell!r} is not a whole number, or stands twice")
        else:
            names[int(code)] = "" if pd.isna(text) else str(text)
    refuse_rows(faults, str(path))
    return names


def _key_column(table: pd.DataFrame, key: str | None, path: PathLike) -> str:
    if key is not None:
        require_columns(table, [key], path)
        return key
    found = "code" if "code" in table.columns else str(table.columns[0])
    log.info("%s: class codes are taken from column %r", path, found)
    return found
