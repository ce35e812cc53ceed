"""Tables read: CSV and xlsx, in the encodings county offices use; class tables and daily rain with everything wrong said at once."""

import csv
import io
import logging
import math
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rusle_engine.core.errors import InputError
from rusle_engine.core.variables import conversion_factor
from rusle_engine.files.paths import PathLike, existing_file
from rusle_engine.files.table_output import write_csv, write_workbook

__all__ = ["ClassTable", "RainRecord", "read_class_names", "read_class_table", "read_rain", "read_table", "write_csv", "write_workbook"]

log = logging.getLogger("rusle_engine")

MAX_BYTES = 512 * 2**20
"""Larger tables, or workbooks that unpack to more, are refused."""
MISSING = {"", "na", "n/a", "nan", "null", "none", "-", "--", "/", "无", "缺测"}
"""What stands for no number in a column of numbers, whatever its case; in a column of text only an empty cell is missing."""
MOST_RAIN_MM = 2000.0
"""No rain of a day has been larger (1825 mm, Réunion 1966)."""

_DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M")
_LISTED = 8  # how many of the faults a message names


@dataclass(frozen=True)
class ClassTable:
    """Values by class code, and the names of the classes where the table has them."""

    values: dict[int, float]
    names: dict[int, str]
    path: Path


@dataclass(frozen=True)
class RainRecord:
    """Daily rain [mm] over every day from the first to the last, NaN where there is none; ``quality`` counts what was found."""

    daily: pd.Series
    quality: dict[str, Any]


def read_table(path: PathLike, *, encoding: str | None = None, text: Sequence[str] = (), sheet: str | None = None) -> pd.DataFrame:
    """A table with one row of column names; columns of numbers as numbers, all others (and those in ``text``) as text.

    Parameters
    ----------
    path
        ``.csv``, ``.txt`` or ``.tsv`` (separated by comma, semicolon or tab; lines that begin with ``#`` are remarks) or ``.xlsx``.
    encoding
        Of a text file. When not stated: what its first bytes declare, else UTF-8, else GB 18030 (which holds GBK and GB 2312), logged.
    text
        Columns that stay text whatever they hold, such as codes with leading zeros.
    sheet
        Of a workbook; the first when not stated.

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it cannot be read, has no rows, or a name stands over two columns.
    """
    file = existing_file(path, "table")
    suffix = file.suffix.lower()
    if file.stat().st_size > MAX_BYTES:
        raise InputError(f"{file} has {file.stat().st_size / 2**20:,.0f} MiB; tables above {MAX_BYTES // 2**20} MiB are refused")
    if suffix == ".xlsx":
        rows = _workbook_rows(file, sheet)
    elif suffix in (".csv", ".txt", ".tsv"):
        rows = _text_rows(file, encoding)
    else:
        raise InputError(f"{file}: {suffix or 'no suffix'} is not read as a table; expected .csv or .xlsx (save an .xls as .xlsx)")
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise InputError(f"{file} has no rows under its column names")
    names = [name.strip() for name in rows[0]]
    while names and not names[-1]:
        names.pop()
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{file} has two columns of the same name: {', '.join(map(repr, twice))}; rename one")
    cells = [[row[i].strip() if i < len(row) else "" for row in rows[1:]] for i in range(len(names))]
    return pd.DataFrame({name: _texts(column) if name in text else _typed(column) for name, column in zip(names, cells)})


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
    _require_columns(table, [value, *([name] if name else [])], path)
    name = name or ("name" if "name" in table.columns else None)
    faults: list[str] = []
    values: dict[int, float] = {}
    for row, (code_cell, value_cell) in enumerate(zip(table[key], table[value]), start=2):
        code, number = _number(code_cell), _number(value_cell)
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
    _refuse(faults, f"{path}, column {value!r}")
    names = {} if name is None else {int(_number(c)): str(n) for c, n in zip(table[key], table[name]) if not pd.isna(n)}
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
    _require_columns(table, [name], path)
    faults: list[str] = []
    names: dict[int, str] = {}
    for row, (cell, text) in enumerate(zip(table[key], table[name]), start=2):
        code = _number(cell)
        if not code.is_integer() or int(code) in names:
            faults.append(f"row {row}: the code {cell!r} is not a whole number, or stands twice")
        else:
            names[int(code)] = "" if pd.isna(text) else str(text)
    _refuse(faults, str(path))
    return names


def read_rain(
    path: PathLike,
    *,
    date_column: str,
    rain_column: str,
    units: str,
    date_format: str | None = None,
    missing_codes: Sequence[float] = (),
    encoding: str | None = None,
    sheet: str | None = None,
) -> RainRecord:
    """A record of daily rain, in mm.

    Parameters
    ----------
    path
        A table as for :func:`read_table`, one row a day.
    date_column, rain_column
        Which columns.
    units
        Of the rain: ``mm``, ``mm/day`` or ``0.1 mm``.
    date_format
        As Python's ``strptime`` writes it; when not stated, a form that begins with the year (``2013-01-05``, ``2013/1/5``, ``20130105``,
        ``2013年1月5日``). A form that begins with day or month must be stated.
    missing_codes
        Numbers that stand for a missing day, such as 32766 or -9999.
    encoding, sheet
        As for :func:`read_table`.

    Returns
    -------
    RainRecord
        ``quality`` has ``rows``, ``first``, ``last``, ``days``, ``missing_days`` (blank, coded or absent) and ``wet_days``.

    Raises
    ------
    InputError
        Listing what is wrong: columns that are not there, dates that cannot be read or stand twice, negative or impossible rain, cells
        that are no numbers, a unit that is not a depth of rain.
    """
    factor = conversion_factor(units, "mm")
    if factor is None:
        raise InputError(f"{path}: rain in {units!r} cannot be turned into mm; expected 'mm', 'mm/day' or '0.1 mm'")
    table = read_table(path, encoding=encoding, text=(date_column,), sheet=sheet)
    _require_columns(table, [date_column, rain_column], path)
    days = _days(table[date_column], date_format, path)
    stored = table[rain_column]
    rain = np.array([_number(cell) for cell in stored])
    rain[np.isin(rain, np.asarray(missing_codes, np.float64))] = np.nan
    mm = rain / 10 if factor == 0.1 else rain * factor  # 22 tenths are the number nearest to 2.2
    faults = _rain_faults(stored, mm, days)
    _refuse(faults, f"{path}, column {rain_column!r} in {units}")
    record = pd.Series(mm, index=days, name="rain").sort_index()
    daily = record.reindex(pd.date_range(record.index[0], record.index[-1], freq="D", name="date"))
    missing = int(daily.isna().sum())
    if missing:
        log.info("%s: %d of %d days have no rain value", path, missing, len(daily))
    quality = {
        "rows": len(table),
        "first": daily.index[0].date().isoformat(),
        "last": daily.index[-1].date().isoformat(),
        "days": len(daily),
        "missing_days": missing,
        "wet_days": int((daily > 0).sum()),
    }
    return RainRecord(daily, quality)


def _days(cells: pd.Series, stated: str | None, path: PathLike) -> pd.DatetimeIndex:
    for form in [stated] if stated else _DATE_FORMATS:
        days = pd.to_datetime(cells, format=form, errors="coerce")
        if days.notna().all():
            return pd.DatetimeIndex(days).normalize()
        if days.notna().mean() > 0.5:
            bad = [f"row {i + 2}: {cells.iloc[i]!r} is not a date like the others ({form})" for i in np.flatnonzero(days.isna())]
            _refuse(bad, f"{path}, column {cells.name!r}")
    raise InputError(
        f"{path}: the dates in column {cells.name!r}, such as {cells.iloc[0]!r}, are not in a form that begins with the year"
        f"{f' ({stated})' if stated else ''}. State their form: date_format='%d/%m/%Y'."
    )


def _rain_faults(stored: pd.Series, mm: np.ndarray[Any, Any], days: pd.DatetimeIndex) -> list[str]:
    not_numbers = [i for i, cell in enumerate(stored) if isinstance(cell, str) and math.isnan(_number(cell)) and cell.strip().lower() not in MISSING]
    faults = [f"row {i + 2}: {stored.iloc[i]!r} is not a number" for i in not_numbers]
    doubled = days.duplicated()
    faults += [f"row {i + 2}: {day.date()} stands twice; sum the rows of a day first" for i, day in enumerate(days) if doubled[i]]
    faults += [f"row {i + 2}: rain is negative ({stored.iloc[i]}); is it a code for missing (missing_codes)?" for i in np.flatnonzero(mm < 0)]
    too_much = np.flatnonzero(mm > MOST_RAIN_MM)
    faults += [f"row {i + 2}: {mm[i]:g} mm in a day is impossible; is it a code for missing (missing_codes), or the unit 0.1 mm?" for i in too_much]
    return faults if np.isfinite(mm).any() or faults else ["no row holds a number"]


def _refuse(faults: Sequence[str], where: str) -> None:
    if faults:
        more = f"\n  … and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
        raise InputError(f"{where}: {len(faults)} row(s) are wrong:\n  " + "\n  ".join(faults[:_LISTED]) + more)


def _require_columns(table: pd.DataFrame, names: Sequence[str], path: PathLike) -> None:
    for name in names:
        if name not in table.columns:
            near = get_close_matches(name, [str(column) for column in table.columns], n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"{os.fspath(path)} has no column {name!r}; its columns are {', '.join(map(repr, table.columns))}{hint}")


def _key_column(table: pd.DataFrame, key: str | None, path: PathLike) -> str:
    if key is not None:
        _require_columns(table, [key], path)
        return key
    found = "code" if "code" in table.columns else str(table.columns[0])
    log.info("%s: class codes are taken from column %r", path, found)
    return found


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return math.nan


def _typed(cells: list[str]) -> Any:
    """Numbers where every cell that is not missing is one, else text."""
    present = [cell for cell in cells if cell.lower() not in MISSING]
    numbers = [_number(cell) for cell in present]
    if not present or any(math.isnan(number) for number in numbers):
        return _texts(cells)
    if len(present) == len(cells) and all(cell.lstrip("+-").isdigit() for cell in cells):
        return np.array([int(cell) for cell in cells])
    return np.array([math.nan if cell.lower() in MISSING else float(cell) for cell in cells])


def _texts(cells: list[str]) -> Any:
    return pd.array([cell or None for cell in cells], dtype="str")  # "none" may be a word here


def _text_rows(file: Path, encoding: str | None) -> list[list[str]]:
    content = _decoded(file, encoding)
    lines = [line for line in content.splitlines(keepends=True) if not line.startswith("#")]
    heading = next((line for line in lines if line.strip()), "")
    separator = max(",;\t", key=heading.count)
    try:
        return list(csv.reader(io.StringIO("".join(lines)), delimiter=separator, strict=True))
    except csv.Error as error:
        raise InputError(f"{file} cannot be read as a table: {error}. Save it again as CSV.") from error


def _decoded(file: Path, encoding: str | None) -> str:
    raw = file.read_bytes()
    if encoding is None:
        marks = {b"\xef\xbb\xbf": ["utf-8-sig"], b"\xff\xfe": ["utf-16"], b"\xfe\xff": ["utf-16"]}
        tried = next((codecs for mark, codecs in marks.items() if raw.startswith(mark)), ["utf-8", "gb18030"])
    else:
        tried = ["utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding]
    if b"\0" in raw and tried != ["utf-16"]:
        raise InputError(f"{file} is not a text file; save it as CSV (UTF-8)")
    for codec in tried:
        try:
            content = raw.decode(codec)
        except LookupError:
            raise InputError(f"encoding={encoding!r} is not known; expected for example 'utf-8' or 'gbk'") from None
        except UnicodeDecodeError:
            continue
        if codec == "gb18030":
            log.info("%s is not UTF-8; it is read as GB 18030 (GBK)", file)
        return content
    raise InputError(f"{file} cannot be read as {' or '.join(tried)}; state its encoding, or save it as CSV (UTF-8)")


def _workbook_rows(file: Path, sheet: str | None) -> list[list[str]]:
    import openpyxl

    try:
        with zipfile.ZipFile(file) as packed:
            unpacked = sum(entry.file_size for entry in packed.infolist())
        if unpacked > MAX_BYTES:
            raise InputError(f"{file} unpacks to {unpacked / 2**20:,.0f} MiB; more than {MAX_BYTES // 2**20} MiB are refused")
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise InputError(f"{file} cannot be read as a workbook: {error}. Save it again as .xlsx, or as CSV.") from error
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise InputError(f"{file} has no sheet {sheet!r}; it has {', '.join(map(repr, book.sheetnames))}")
        page = book[sheet or book.sheetnames[0]]
        return [[_cell_text(cell) for cell in row] for row in page.iter_rows(values_only=True)]
    finally:
        book.close()


def _cell_text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else cell.isoformat(sep=" ", timespec="seconds")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)
