"""Daily rain read from a table, gaps counted and never filled."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rusle_engine.core.errors import InputError
from rusle_engine.core.variables import conversion_factor
from rusle_engine.files.paths import PathLike
from rusle_engine.files.table_input import MISSING, number_of, read_table, refuse_rows, require_columns

log = logging.getLogger("rusle_engine")

MOST_RAIN_MM = 2000.0
"""No rain of a day has been larger (1825 mm, Réunion 1966)."""

_DATE_FORMATS = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M")


@dataclass(frozen=True)
class RainRecord:
    """Daily rain [mm] over every day from the first to the last, NaN where there is none; ``quality`` counts what was found."""

    daily: pd.Series
    quality: dict[str, Any]


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
    require_columns(table, [date_column, rain_column], path)
    days = _days(table[date_column], date_format, path)
    stored = table[rain_column]
    rain = np.array([number_of(cell) for cell in stored])
    rain[np.isin(rain, np.asarray(missing_codes, np.float64))] = np.nan
    mm = rain / 10 if factor == 0.1 else rain * factor  # 3 tenths are the number nearest to 0.3
    faults = _rain_faults(stored, mm, days)
    refuse_rows(faults, f"{path}, column {rain_column!r} in {units}")
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
            refuse_rows(bad, f"{path}, column {cells.name!r}")
    raise InputError(
        f"{path}: the dates in column {cells.name!r}, such as {cells.iloc[0]!r}, are not in a form that begins with the year"
        f"{f' ({stated})' if stated else ''}. State their form: date_format='%d/%m/%Y'."
    )


def _rain_faults(stored: pd.Series, mm: np.ndarray[Any, Any], days: pd.DatetimeIndex) -> list[str]:
    not_numbers = [
        i for i, cell in enumerate(stored) if isinstance(cell, str) and math.isnan(number_of(cell)) and cell.strip().lower() not in MISSING
    ]
    faults = [f"row {i + 2}: {stored.iloc[i]!r} is not a number" for i in not_numbers]
    doubled = days.duplicated()
    faults += [f"row {i + 2}: {day.date()} stands twice; sum the rows of a day first" for i, day in enumerate(days) if doubled[i]]
    faults += [f"row {i + 2}: rain is negative ({stored.iloc[i]}); is it a code for missing (missing_codes)?" for i in np.flatnonzero(mm < 0)]
    too_much = np.flatnonzero(mm > MOST_RAIN_MM)
    faults += [f"row {i + 2}: {mm[i]:g} mm in a day is impossible; is it a code for missing (missing_codes), or the unit 0.1 mm?" for i in too_much]
    return faults if np.isfinite(mm).any() or faults else ["no row holds a number"]
