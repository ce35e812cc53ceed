"""Tables read: CSV and xlsx, in the encodings county offices use."""

import csv
import io
import logging
import math
import os
import warnings
import zipfile
from collections.abc import Sequence
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rusle_engine.core.errors import InputError
from rusle_engine.files.paths import PathLike, existing_file

log = logging.getLogger("rusle_engine")

MAX_BYTES = 512 * 2**20
"""Larger tables, or workbooks that unpack to more, are refused."""
MISSING = {"", "na", "n/a", "nan", "null", "none", "-", "--", "/", "无", "缺测"}
"""What stands for no number in a column of numbers, whatever its case; in a column of text only an empty cell is missing."""

_LONG = 2**20
"""Texts from this many characters on are read column by column, when they are plain."""
_MARKS = ('"', "#", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")
"""Quotes, remarks, and what ends a line in some texts and not in others."""
_LISTED = 8  # how many of the faults a message names


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
        content = _decoded(file, encoding)
        columns = _plain_columns(content)
        if columns is not None:
            return _as_table(file, *columns, text)
        rows = _text_rows(file, content)
    else:
        raise InputError(f"{file}: {suffix or 'no suffix'} is not read as a table; expected .csv or .xlsx (save an .xls as .xlsx)")
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise InputError(f"{file} has no rows under its column names")
    names = _names(rows[0])
    cells = [[row[i].strip() if i < len(row) else "" for row in rows[1:]] for i in range(len(names))]
    return _as_table(file, names, cells, text)


def _names(heading: Sequence[str]) -> list[str]:
    names = [name.strip() for name in heading]
    while names and not names[-1]:
        names.pop()
    return names


def _as_table(file: Path, names: list[str], cells: Sequence[Sequence[str]], text: Sequence[str]) -> pd.DataFrame:
    """Columns of stripped cells as what they hold."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{file} has two columns of the same name: {', '.join(map(repr, twice))}; rename one")
    return pd.DataFrame({name: _texts(column) if name in text else _typed(column) for name, column in zip(names, cells)})


def refuse_rows(faults: Sequence[str], where: str) -> None:
    """One error that names the first faults and counts them all; nothing when there are none."""
    if faults:
        more = f"\n  … and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
        raise InputError(f"{where}: {len(faults)} row(s) are wrong:\n  " + "\n  ".join(faults[:_LISTED]) + more)


def require_columns(table: pd.DataFrame, names: Sequence[str], path: PathLike) -> None:
    """An error that lists the columns there are when one is not."""
    for name in names:
        if name not in table.columns:
            near = get_close_matches(name, [str(column) for column in table.columns], n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"{os.fspath(path)} has no column {name!r}; its columns are {', '.join(map(repr, table.columns))}{hint}")


def number_of(cell: Any) -> float:
    """A cell as a number, NaN where it is none."""
    try:
        return float(cell)
    except (TypeError, ValueError):
        return math.nan


def _typed(cells: Sequence[str]) -> Any:
    """Numbers where every cell that is not missing is one, else text."""
    codes, different = pd.factorize(np.array(cells, dtype=object))  # a record of rain has few different numbers
    missing = [cell.lower() in MISSING for cell in different]
    numbers = [math.nan if absent else number_of(cell) for cell, absent in zip(different, missing)]
    if all(missing) or any(math.isnan(number) and not absent for number, absent in zip(numbers, missing)):
        return _texts(cells)
    if not any(missing) and all(cell.lstrip("+-").isdigit() for cell in different):
        return np.array([int(cell) for cell in different])[codes]
    return np.array(numbers)[codes]


def _texts(cells: Sequence[str]) -> Any:
    return pd.array([cell or None for cell in cells], dtype="str")  # "none" may be a word here


def _separator(content: str) -> str:
    heading = next((line for line in content.splitlines() if line.strip() and not line.startswith("#")), "")
    return max(",;\t", key=heading.count)


def _plain_columns(content: str) -> tuple[list[str], list[Any]] | None:
    """Names and stripped cells of a long text of lines and separators alone; None for one that is short or needs looking at line by line."""
    if len(content) < _LONG or any(mark in content for mark in _MARKS) or content.count("\r") != content.count("\r\n"):
        return None
    lead = content.split("\n", 1)[0]
    heading = lead.split(_separator(lead))
    names = _names(heading)
    if not names:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows with more cells than names
            table = pd.read_csv(
                io.StringIO(content), sep=_separator(lead), header=None, skiprows=1, names=range(len(heading)), index_col=False,
                dtype=object, keep_default_na=False, na_filter=False, quoting=csv.QUOTE_NONE, low_memory=False,
            )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pd.errors.ParserWarning):
        return None
    columns = [[cell.strip() if isinstance(cell, str) else "" for cell in table[i]] for i in range(len(names))]
    blank = [not any(row) for row in zip(*columns)]
    if any(blank):
        columns = [[cell for cell, is_blank in zip(column, blank) if not is_blank] for column in columns]
    return (names, columns) if columns and columns[0] else None


def _text_rows(file: Path, content: str) -> list[list[str]]:
    lines = [line for line in content.splitlines(keepends=True) if not line.startswith("#")]
    try:
        return list(csv.reader(io.StringIO("".join(lines)), delimiter=_separator(content), strict=True))
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
