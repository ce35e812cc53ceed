"""Rain read from a table: by time, day, month or year; gaps counted and never filled."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from rusle_engine.core.errors import InputError
from rusle_engine.core.variables import ANNUAL_RAINFALL, MONTHLY_RAINFALL, RAIN_INTENSITY, RAINFALL, Variable, conversion_factor
from rusle_engine.files.paths import PathLike
from rusle_engine.files.table_input import MISSING, number_of, read_table, refuse_rows, require_columns

log = logging.getLogger("rusle_engine")

Step = Literal["time", "day", "month", "year", "mean year"]

_TIMES = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y%m%d%H%M",
    "%Y%m%d %H:%M",
    "%Y.%m.%d %H:%M",
)
_FORMS: dict[Step, tuple[str, ...]] = {
    "time": _TIMES,
    "day": ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M"),
    "month": ("%Y-%m", "%Y/%m", "%Y%m", "%Y.%m", "%Y年%m月"),
    "year": ("%Y", "%Y年"),
}
_DIGITS: dict[int, Step] = {4: "year", 6: "month", 8: "day", 12: "time"}
"""What a date written in digits alone is: 202111 is November 2021, not the first of January."""
_LOOKED_AT = 200
"""Cells of a record by which a form of dates is told to be none of its."""
_PARTS = ("%Y", "%m", "%d", "%H", "%M")
_QUANTITIES: dict[Step, tuple[Variable, ...]] = {
    "time": (RAINFALL, RAIN_INTENSITY),
    "day": (RAINFALL,),
    "month": (MONTHLY_RAINFALL, RAINFALL),
    "year": (ANNUAL_RAINFALL, RAINFALL),
    "mean year": (MONTHLY_RAINFALL, RAINFALL),
}


@dataclass(frozen=True)
class RainRows:
    """The rows of a table of rain, in its order: when, what number stands there, and whose row it is."""

    table: pd.DataFrame
    """``when`` (a moment; a month's number in a mean year), ``stored`` (a number as it stands, NaN where there is none), ``shown`` (the cell),
    ``station`` (text) where a column of stations was named."""
    step: Step


@dataclass(frozen=True)
class RainRecord:
    """Rain in the unit of ``series.attrs["units"]``, over every day from the first to the last where it is daily, NaN where there is none."""

    series: pd.Series
    quality: dict[str, Any]
    """Counts of what was found."""


def read_rain(
    path: PathLike,
    *,
    date_column: str | Sequence[str],
    rain_column: str,
    units: str,
    step: Step | None = "day",
    date_format: str | None = None,
    missing_codes: Sequence[float] = (),
    encoding: str | None = None,
    sheet: str | None = None,
) -> RainRecord:
    """A record of rain of one station: ``read_rain_rows`` and ``rain_record``.

    Parameters
    ----------
    path, date_column, rain_column, step, date_format, missing_codes, encoding, sheet
        As for :func:`read_rain_rows`.
    units
        Of the rain: ``mm``, ``mm/day``, ``0.1 mm``, ``in``; ``mm/month``, ``mm/year``; ``mm/h`` or ``in/h`` of times.

    Raises
    ------
    InputError
        As for both.
    """
    rows = read_rain_rows(
        path,
        date_column=date_column,
        rain_column=rain_column,
        step=step,
        date_format=date_format,
        missing_codes=missing_codes,
        encoding=encoding,
        sheet=sheet,
    )
    return rain_record(rows, units, str(path), rain_column)


def read_rain_rows(
    path: PathLike,
    *,
    date_column: str | Sequence[str],
    rain_column: str,
    step: Step | None = "day",
    date_format: str | None = None,
    missing_codes: Sequence[float] = (),
    station_column: str | None = None,
    encoding: str | None = None,
    sheet: str | None = None,
) -> RainRows:
    """The rows of a table of rain as they stand.

    Parameters
    ----------
    path
        A table as for :func:`read_table`, one row a value.
    date_column
        Column of the dates; or several columns, in order: year, month, day, hour, minute, as many as there are. A column of 1 to 12 in
        twelve rows is a mean year.
    rain_column
        Column of the rain.
    step
        What a row stands for; when not stated, what the form of the dates shows: ``2013-01-05``, ``2013-01`` or ``2013``.
    date_format
        As Python's ``strptime`` writes it; when not stated, a form that begins with the year (``2013-01-05``, ``2013/1/5``, ``20130105``,
        ``2013年1月5日``). A form that begins with day or month must be stated.
    missing_codes
        Numbers that stand for a missing value, such as 32766 or -9999.
    station_column
        Column that says whose row it is.
    encoding, sheet
        As for :func:`read_table`.

    Raises
    ------
    InputError
        Listing what is wrong: columns that are not there, dates that cannot be read, cells that are no numbers.
    """
    dates = [date_column] if isinstance(date_column, str) else list(date_column)
    needed = [*dates, rain_column, *([station_column] if station_column else [])]
    table = read_table(path, encoding=encoding, text=(*dates, *([station_column] if station_column else [])), sheet=sheet)
    require_columns(table, needed, path)
    cells = table[dates[0]].fillna("") if len(dates) == 1 else table[dates].fillna("").agg(" ".join, axis=1).rename(" ".join(dates))
    if len(dates) > len(_PARTS) or (len(dates) > 1 and date_format is not None):
        raise InputError(f"{path}: {len(dates)} columns of dates; expected year, month, day, hour, minute in order, without a date_format")
    form = " ".join(_PARTS[: len(dates)]) if len(dates) > 1 else date_format
    when, found = _moments(cells, step, form, path)
    stored = table[rain_column]
    numbers = stored.to_numpy(np.float64, copy=True) if is_numeric_dtype(stored) else np.array([number_of(cell) for cell in stored], np.float64)
    numbers[np.isin(numbers, np.asarray(missing_codes, np.float64))] = np.nan
    rows = pd.DataFrame({"when": when, "stored": numbers, "shown": stored})
    if station_column:
        rows["station"] = table[station_column].fillna("")
    refuse_rows(_not_numbers(stored), f"{path}, column {rain_column!r}")
    return RainRows(rows, found)


def rain_record(rows: RainRows, units: str, where: str, rain_column: str = "rain") -> RainRecord:
    """The rows of one station as a series, refused when a row cannot be.

    Raises
    ------
    InputError
        Listing what is wrong: moments that stand twice, negative or impossible rain, a unit that is not one of rain, no number at all.

    Returns
    -------
    RainRecord
        ``quality`` has ``rows``, ``first``, ``last`` and, of days, ``days``, ``missing_days`` (blank, coded or absent) and ``wet_days``, else
        ``step``, ``values`` and ``missing_values``.
    """
    table, step = rows.table, rows.step
    quantity, factor = _quantity(units, step, where)
    stored = table["stored"].to_numpy(np.float64)
    values = stored / 10 if factor == 0.1 else stored * factor  # 3 tenths are the number nearest to 0.3
    refuse_rows(_rain_faults(table, values, quantity, step), f"{where}, column {rain_column!r} in {units}")
    series = pd.Series(values, index=pd.Index(table["when"]), name="rain").sort_index()
    if step == "day":
        series = series.reindex(pd.date_range(series.index[0], series.index[-1], freq="D", name="date"))
    series.attrs = {"units": quantity.units}
    missing = int(series.isna().sum())
    if missing:
        log.info("%s: %d of %d values of rain are missing", where, missing, len(series))
    if step == "mean year":
        return RainRecord(series, {"rows": len(table), "step": step})
    form = "%Y-%m-%dT%H:%M" if step == "time" else "%Y-%m-%d"
    quality: dict[str, Any] = {"rows": len(table), "first": series.index[0].strftime(form), "last": series.index[-1].strftime(form)}
    if step == "day":
        quality |= {"days": len(series), "missing_days": missing, "wet_days": int((series > 0).sum())}
    else:
        quality |= {"step": step, "values": len(series), "missing_values": missing}
    return RainRecord(series, quality)


def _quantity(units: str, step: Step, where: str) -> tuple[Variable, float]:
    for variable in _QUANTITIES[step]:
        factor = conversion_factor(units, variable.units)
        if factor is not None:
            return variable, factor
    expected = {"time": "'mm', '0.1 mm', 'in' or, of intensities, 'mm/h', 'in/h'", "day": "'mm', 'mm/day', '0.1 mm' or 'in'"}
    raise InputError(f"{where}: rain in {units!r} cannot be turned into mm; expected {expected.get(step, repr('mm') + ' or ' + repr('0.1 mm'))}")


def _moments(cells: pd.Series, stated: Step | None, form: str | None, path: PathLike) -> tuple[Any, Step]:
    if stated in (None, "month") and form is None and len(cells) == 12 and sorted(cells.str.zfill(2)) == [f"{month:02d}" for month in range(1, 13)]:
        return cells.astype(np.int64), "mean year"
    if form is not None:
        step = stated or _step_of(form)
        forms: list[tuple[Step, str]] = [(step, form)]
    else:
        digits = _DIGITS.get(len(cells.iloc[0])) if cells.iloc[0].isdigit() else None
        steps: tuple[Step, ...] = (stated,) if stated else ("day", "month", "year", "time")
        forms = [(step, form) for step in steps for form in _FORMS[step] if digits is None or _step_of(form) == digits]
    for step, form in forms:
        if pd.to_datetime(cells.iloc[:: max(1, len(cells) // _LOOKED_AT)], format=form, errors="coerce").isna().all():
            continue  # so that a long record is not gone through for every form
        moments = pd.to_datetime(cells, format=form, errors="coerce")
        if step == "time" and moments.isna().any():  # midnight is often written as the day alone
            day = form.split("%H")[0].rstrip(" T")
            moments = moments.fillna(pd.to_datetime(cells, format=day, errors="coerce")) if moments.notna().any() else moments
        if moments.notna().all():
            return (moments if step == "time" else moments.dt.normalize()), step
        if moments.notna().mean() > 0.5:
            bad = [f"row {i + 2}: {cells.iloc[i]!r} is not a date like the others ({form})" for i in np.flatnonzero(moments.isna())]
            refuse_rows(bad, f"{path}, column {cells.name!r}")
    of = {"time": "times", "month": "months", "year": "years"}.get(str(stated), "dates")
    raise InputError(
        f"{path}: the {of} in column {cells.name!r}, such as {cells.iloc[0]!r}, are not in a form that begins with the year"
        f"{f' ({form})' if len(forms) == 1 else ''}. State their form: date_format='%d/%m/%Y'."
    )


def _step_of(form: str) -> Step:
    if "%H" in form:
        return "time"
    return "day" if "%d" in form or "%j" in form else "month" if "%m" in form or "%b" in form else "year"


def _not_numbers(stored: pd.Series) -> list[str]:
    if is_numeric_dtype(stored):
        return []
    return [
        f"row {i + 2}: {cell!r} is not a number"
        for i, cell in enumerate(stored)
        if isinstance(cell, str) and math.isnan(number_of(cell)) and cell.strip().lower() not in MISSING
    ]


def _rain_faults(table: pd.DataFrame, values: np.ndarray[Any, Any], quantity: Variable, step: Step) -> list[str]:
    number = table.index.to_numpy() + 2
    form = "%Y-%m-%d %H:%M" if step == "time" else "%Y-%m-%d"
    doubled = np.flatnonzero(table["when"].duplicated())
    each = {"time": "time", "day": "day", "month": "month", "year": "year"}.get(step, "month")
    faults = [f"row {number[i]}: {table['when'].iloc[i]:{form}} stands twice; sum the rows of a {each} first" for i in doubled if step != "mean year"]
    faults += [
        f"row {number[i]}: rain is negative ({table['shown'].iloc[i]}); is it a code for missing (missing_codes)?" for i in np.flatnonzero(values < 0)
    ]
    most = math.inf if step == "time" and quantity is RAINFALL else quantity.valid_range[1]  # a counter may have any height
    too_much = np.flatnonzero(values > most)
    faults += [
        f"row {number[i]}: {values[i]:g} mm in {'an hour' if step == 'time' else f'a {each}'} is impossible; is it a code for missing "
        "(missing_codes), or the unit 0.1 mm?"
        for i in too_much
    ]
    return faults if np.isfinite(values).any() or faults else ["no row holds a number"]
