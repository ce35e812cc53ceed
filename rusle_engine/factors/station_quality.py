"""Rain of a station looked through before it is used: what was dropped, changed or only noticed, and why, row by row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from rusle_engine.core.errors import InputError
from rusle_engine.core.variables import RAINFALL, conversion_factor

CodeMeaning = Literal["missing", "trace", "snow", "sleet", "dew"]

_REPEATED_DAYS = 5
_SLIP = 5.0
"""A year whose wet days are this much wetter or drier than those of the others was perhaps written in another unit."""
_LEAST_WET_DAYS = 20
_DAMP_MM, _SOAKED_MM = 0.5, 20.0
"""Medians of the wet days [mm] at which and beyond a whole record is perhaps in another unit; of two Chinese gauges they are 2.3 and 5.5."""


@dataclass(frozen=True)
class StationCode:
    """Stored values from ``lower`` to ``upper`` that are no depths: what they mean, and what to take off where a depth is inside."""

    lower: float
    upper: float
    meaning: CodeMeaning
    take_off: float = 0.0


CMA_CODES = (
    StationCode(32766, 32766, "missing"),
    StationCode(32744, 32744, "missing"),
    StationCode(32700, 32700, "trace"),
    StationCode(30000, 30999, "snow", 30000),
    StationCode(31000, 31999, "sleet", 31000),
    StationCode(32000, 32699, "dew", 32000),
)
"""Codes of Chinese daily files in 0.1 mm, from memory and unchecked: hold them against the file's own description."""


@dataclass(frozen=True)
class CheckedRain:
    """Daily rain [mm] over every day from the first to the last, NaN where there is none; what was done to it; and its length in figures."""

    daily: pd.Series
    actions: pd.DataFrame
    """One row a finding: ``date``, ``stored``, ``finding``, ``action`` and ``used`` [mm]."""
    summary: dict[str, Any]


def checked_rain(
    stored: pd.Series,
    *,
    units: str,
    rain_day: str,
    codes: Sequence[StationCode] = (),
    snow_counts: bool = False,
    most_mm: float = 2000.0,
) -> CheckedRain:
    """Daily rain of a station, looked through.

    Parameters
    ----------
    stored
        What the file holds, indexed by date; rows without a date, twice the same date and codes are allowed.
    units
        Of depths: mm, 0.1 mm or in.
    rain_day
        When the day of rain begins and ends, with its time zone, such as ``"20-20 h, UTC+8"``; kept in the record.
    codes
        Values that are no depths, such as ``CMA_CODES``.
    snow_counts
        Whether the depth inside a code for snow counts as rain; else such a day has none. Sleet counts, dew and traces are 0 mm.
    most_mm
        A day with more is impossible [mm].

    Returns
    -------
    CheckedRain
        Dropped days are NaN, never 0. What only looks wrong (a value repeated for five days, a year in what may be another unit) is kept and
        named.

    Raises
    ------
    InputError
        When the index is not of dates, ``rain_day`` is not stated, the unit is no depth of rain, or no day is left.

    Notes
    -----
    Two equal rows of one day are one; two different ones are dropped both, for nobody knows which is right.

    Examples
    --------
    >>> import pandas as pd
    >>> raw = pd.Series([12.0, 32766.0, 32700.0, -5.0], index=pd.date_range("2021-07-01", periods=4))
    >>> checked = checked_rain(raw, units="0.1 mm", rain_day="20-20 h, UTC+8", codes=CMA_CODES)
    >>> checked.daily.tolist()
    [1.2, nan, 0.0, nan]
    """
    factor = conversion_factor(units, RAINFALL.units)
    if factor is None:
        raise InputError(f"rain in {units!r} cannot be turned into mm; expected 'mm', '0.1 mm' or 'in'")
    if not rain_day.strip():
        raise InputError("rain_day is empty; state when the day of rain begins and ends, such as '20-20 h, UTC+8'")
    if not isinstance(stored.index, pd.DatetimeIndex):
        raise InputError(f"the record is indexed by {stored.index.dtype}; expected dates: series.index = pd.to_datetime(series.index)")
    rows = pd.DataFrame({"date": stored.index.tz_localize(None).normalize(), "stored": stored.to_numpy(np.float64, na_value=np.nan)})
    found: list[pd.DataFrame] = []
    undated = rows["date"].isna()
    found.append(_finding(rows[undated], "no date", "dropped", np.nan))
    rows = _without_repeats(rows[~undated].sort_values("date", kind="stable"), found)
    per_mm = round(1 / factor) if factor < 1 else 1 / factor  # 12 tenths are the number nearest to 1.2
    rows["used"] = rows["stored"] / per_mm
    _decode(rows, codes, per_mm, found, snow_counts=snow_counts)
    negative, impossible = rows["used"] < 0, rows["used"] > most_mm
    found.append(_finding(rows[negative], "negative", "dropped", np.nan))
    found.append(_finding(rows[impossible], f"more than {most_mm:g} mm in a day", "dropped", np.nan))
    rows.loc[negative | impossible, "used"] = np.nan
    if not rows["used"].notna().any():
        raise InputError("no day of the record holds a depth of rain")
    daily = rows.set_index("date")["used"].asfreq("D").rename("rain")
    daily.attrs = {"units": "mm", "rain_day": rain_day}
    found += [_repeated(daily), _slipped(daily), _slipped_whole(daily)]
    actions = pd.concat([part for part in found if len(part)] or found[:1], ignore_index=True)
    return CheckedRain(daily, actions, _summary(daily, actions, rain_day))


def daily_totals(rain: pd.Series, *, day_begins_h: int, missing_steps: int = 0) -> pd.Series:
    """Rain of finer steps summed to days of rain, each named by the date on which it ends.

    Parameters
    ----------
    rain
        Rain of equal steps [mm], indexed by the time each begins, in the time zone the days are meant in.
    day_begins_h
        The hour at which a day of rain begins: 20 for Chinese days of 20 to 20 h, 0 for days of the calendar.
    missing_steps
        How many steps a day may lack (they add nothing); a day with more is NaN.

    Raises
    ------
    InputError
        When the times are not in equal steps that divide a day.
    """
    if not 0 <= day_begins_h < 24:
        raise InputError(f"day_begins_h is {day_begins_h}; expected 0 to 23")
    if not isinstance(rain.index, pd.DatetimeIndex) or len(rain) < 2 or rain.index.has_duplicates:
        raise InputError("rain is not indexed by two or more different times")
    step = rain.index.to_series().sort_values().diff().min()
    if pd.Timedelta(days=1) % step != pd.Timedelta(0):
        raise InputError(f"the least distance between two times is {step}, which does not divide a day; give equal steps")
    day = (rain.index + pd.Timedelta(hours=(24 - day_begins_h) % 24)).normalize()
    by_day = rain.groupby(day)
    recorded = by_day.count()
    enough = recorded >= pd.Timedelta(days=1) // step - missing_steps
    return by_day.sum().where(enough).asfreq("D").rename("rain").rename_axis("date")


def _finding(rows: pd.DataFrame, finding: str, action: str, used: Any) -> pd.DataFrame:
    return pd.DataFrame({"date": rows["date"], "stored": rows["stored"], "finding": finding, "action": action, "used": used})


def _without_repeats(rows: pd.DataFrame, found: list[pd.DataFrame]) -> pd.DataFrame:
    again = rows.duplicated(["date", "stored"])
    found.append(_finding(rows[again], "the day stands twice with one value", "one kept", np.nan))
    rows = rows[~again]
    differ = rows.duplicated("date", keep=False)
    found.append(_finding(rows[differ], "the day stands twice with two values", "dropped", np.nan))
    rows = rows.copy()
    rows.loc[differ, "stored"] = np.nan
    return rows.drop_duplicates("date").reset_index(drop=True)


def _decode(rows: pd.DataFrame, codes: Sequence[StationCode], per_mm: float, found: list[pd.DataFrame], *, snow_counts: bool) -> None:
    """Depths for codes, in place."""
    for code in codes:
        of_code = rows["stored"].between(code.lower, code.upper)
        depth = (rows.loc[of_code, "stored"] - code.take_off) / per_mm
        if code.meaning == "missing":
            depth, action = depth * np.nan, "dropped"
        elif code.meaning == "sleet" or (code.meaning == "snow" and snow_counts):
            action = "depth taken out of the code"
        else:
            depth, action = depth * 0.0, "0 mm"
        rows.loc[of_code, "used"] = depth
        found.append(_finding(rows[of_code], f"code for {code.meaning}", action, depth))


def _repeated(daily: pd.Series) -> pd.DataFrame:
    """Days of a rain that does not change for days."""
    wet = daily > 0
    run = (daily != daily.shift()).cumsum()
    length = wet.groupby(run).transform("sum")
    stuck = daily[wet & (length >= _REPEATED_DAYS)]
    rows = pd.DataFrame({"date": stuck.index, "stored": stuck.to_numpy()})
    return _finding(rows, f"one value for {_REPEATED_DAYS} days or more", "kept", stuck.to_numpy())


def _slipped(daily: pd.Series) -> pd.DataFrame:
    """Years whose wet days are far from those of all years."""
    years = pd.DatetimeIndex(daily.index).year
    wet = daily[daily > 0].groupby(years[daily > 0])
    usual = wet.median()[wet.count() >= _LEAST_WET_DAYS]
    ratio = usual / usual.median()
    odd = ratio[(ratio >= _SLIP) | (ratio <= 1 / _SLIP)]
    rows = pd.DataFrame({"date": pd.to_datetime([f"{year}-01-01" for year in odd.index]), "stored": np.nan})
    text = [f"wet days of this year are {r:.2g} times as wet as usual: perhaps another unit" for r in odd]
    return _finding(rows, "", "kept", np.nan).assign(finding=text)


def _slipped_whole(daily: pd.Series) -> pd.DataFrame:
    """The first day of a record whose wet days have a median that no climate has: the whole of it in another unit."""
    wet = daily[daily > 0]
    usual = float(wet.median()) if len(wet) >= _LEAST_WET_DAYS else np.nan
    first = wet[:1] if usual >= _SOAKED_MM or usual <= _DAMP_MM else wet[:0]
    rows = pd.DataFrame({"date": first.index, "stored": first.to_numpy()})
    return _finding(
        rows, f"half of the wet days of all years have {usual:.3g} mm or less: perhaps another unit, such as 0.1 mm", "kept", first.to_numpy()
    )


def _summary(daily: pd.Series, actions: pd.DataFrame, rain_day: str) -> dict[str, Any]:
    missing = daily.isna().groupby(pd.DatetimeIndex(daily.index).year).sum()
    return {
        "rain_day": rain_day,
        "first": f"{daily.index[0]:%Y-%m-%d}",
        "last": f"{daily.index[-1]:%Y-%m-%d}",
        "days": len(daily),
        "years": round(len(daily) / 365.2425, 1),
        "missing_days": int(daily.isna().sum()),
        "missing_days_by_year": dict(zip(missing.index[missing > 0].tolist(), missing[missing > 0].tolist())),
        "findings": {str(name): int(count) for name, count in actions["finding"].value_counts().items()},
    }
