"""Tables written: CSV that Excel opens right, and workbooks; nothing in a cell can act as a formula, and the same table is the same bytes."""

import re
import unicodedata
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rusle_engine.core.errors import OutputError
from rusle_engine.files.atomic import atomic_file
from rusle_engine.files.paths import PathLike

_ACTS = ("=", "+", "-", "@", "\t", "\r")  # first characters at which spreadsheet programs begin to calculate
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_NOT_IN_SHEET_NAMES = re.compile(r"[\[\]:*?/\\]")
_STAMP = datetime(2000, 1, 1)  # the same table is the same file; when a run was made stands in its manifest
_WIDEST = 42
_MOST_ROWS = 1_048_576


def guarded(text: str) -> str:
    """Text that a spreadsheet shows and does not calculate: an apostrophe before what could begin a formula.

    >>> guarded("=1+1"), guarded("河口村")
    ("'=1+1", '河口村')
    """
    return f"'{text}" if text.startswith(_ACTS) else text


def write_csv(table: pd.DataFrame, path: PathLike) -> Path:
    """``table`` without its index as CSV for Excel: UTF-8 with BOM, CRLF, text guarded, numbers in full precision, NaN empty.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    safe = table.copy(deep=False)
    safe.columns = pd.Index([guarded(str(name)) for name in table.columns])
    for i, name in enumerate(safe.columns):
        if not pd.api.types.is_numeric_dtype(table.iloc[:, i].dtype):
            safe[name] = [guarded(cell) if isinstance(cell, str) else cell for cell in table.iloc[:, i]]
    with atomic_file(path) as temporary:
        safe.to_csv(temporary, index=False, encoding="utf-8-sig", lineterminator="\r\n", na_rep="")
    return Path(path)


def write_workbook(
    sheets: Mapping[str, pd.DataFrame],
    path: PathLike,
    *,
    titles: Mapping[str, str] | None = None,
    number_formats: Mapping[str, str] | None = None,
) -> Path:
    """One sheet for every table: bold names that stay in sight, columns as wide as their content, numbers to 16 digits.

    Parameters
    ----------
    sheets
        Tables by the name of their sheet.
    path
        An ``.xlsx``.
    titles
        A line above a sheet's table, by the sheet's name.
    number_formats
        Excel's number formats by column name; whole numbers are shown as they are and others with two to four decimals where none is given.

    Raises
    ------
    OutputError
        When it cannot be written, or a table has more rows than a sheet takes.
    """
    with atomic_file(path) as temporary:
        _save(sheets, temporary, titles or {}, number_formats or {})
        _without_times(temporary)
    return Path(path)


def _save(sheets: Mapping[str, pd.DataFrame], path: Path, titles: Mapping[str, str], number_formats: Mapping[str, str]) -> None:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    book.properties.creator = "rusle_engine"
    book.properties.created = _STAMP
    used: set[str] = set()
    for name, table in sheets.items():
        if len(table) + 4 > _MOST_ROWS:
            raise OutputError(f"the table {name!r} has {len(table):,} rows; a sheet of a workbook takes {_MOST_ROWS:,}. Read its CSV.")
        _fill(book.create_sheet(_sheet_name(name, used)), table, titles.get(name), number_formats)
    book.save(path)


def _fill(page: Any, table: pd.DataFrame, title: str | None, number_formats: Mapping[str, str]) -> None:
    from openpyxl.styles import Alignment, Font, PatternFill
    from openpyxl.utils import get_column_letter

    formats = [number_formats.get(str(name)) or _number_format(table.iloc[:, i]) for i, name in enumerate(table.columns)]
    for i, name in enumerate(table.columns):
        page.column_dimensions[get_column_letter(i + 1)].width = _width(str(name), table.iloc[:, i])
    page.freeze_panes = "A4" if title else "A2"
    if title:
        page.append([_cell(page, title, font=Font(bold=True, size=14))])
        page.append([])
    shade = PatternFill("solid", fgColor="E7EEE7")
    page.append([_cell(page, str(n), font=Font(bold=True), fill=shade, alignment=Alignment(wrap_text=True, vertical="top")) for n in table.columns])
    for row in table.itertuples(index=False, name=None):
        page.append([_cell(page, value, number_format=form) for value, form in zip(row, formats)])


def _cell(page: Any, value: Any, **style: Any) -> Any:
    from openpyxl.cell import WriteOnlyCell

    value = value.item() if isinstance(value, np.generic) else value
    if value is None or value is pd.NaT or (isinstance(value, float) and not np.isfinite(value)):
        return WriteOnlyCell(page, None)
    if isinstance(value, str):
        cell = WriteOnlyCell(page, _NOT_IN_XML.sub(" ", value))
        cell.data_type = "s"  # text stays text, also when it begins like a formula
        style.pop("number_format", None)
    else:
        cell = WriteOnlyCell(page, value.to_pydatetime() if isinstance(value, pd.Timestamp) else value)
    for key, setting in style.items():
        if setting is not None:
            setattr(cell, key, setting)
    return cell


def _number_format(column: Any) -> str | None:
    if pd.api.types.is_bool_dtype(column.dtype) or not pd.api.types.is_numeric_dtype(column.dtype):
        return None
    if pd.api.types.is_integer_dtype(column.dtype):
        return "0"
    largest = column.abs().max()
    return "#,##0.00" if largest >= 10 else "0.0000"


def _width(name: str, column: Any) -> float:
    """In characters; Chinese ones count double. A long number is shown rounded, so its digits do not count."""
    shown = [str(v) if isinstance(v, str) else f"{v:,.2f}" if isinstance(v, float) else str(v) for v in column.iloc[:200]]
    longest = max((_length(text) for text in shown), default=0)
    return float(min(max(longest, min(_length(name), 18)) + 2, _WIDEST))


def _length(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _sheet_name(name: str, used: set[str]) -> str:
    cleaned = _NOT_IN_SHEET_NAMES.sub(" ", name).strip("' ")[:31] or "table"
    unique, i = cleaned, 2
    while unique.lower() in used:
        unique, i = f"{cleaned[:28]} {i}", i + 1
    used.add(unique.lower())
    return unique


def _without_times(path: Path) -> None:
    """The same workbook with fixed times, inside its properties and in its archive."""
    with zipfile.ZipFile(path) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    core = "docProps/core.xml"
    stamp = _STAMP.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    parts[core] = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + stamp, parts[core])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            entry = zipfile.ZipInfo(name, date_time=(2000, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(entry, content)
