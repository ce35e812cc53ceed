"""Rain finer than a day as intervals with a depth each: from fixed steps, from a rain counter and from breakpoints; its gaps in minutes."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Tile
from rusle_engine.core.variables import RAIN_INTENSITY, RAINFALL
from rusle_engine.factors.half_months import Calendar
from rusle_engine.factors.rain_records import Rain, in_date_order, over_dates
from rusle_engine.factors.validation import require_choice, require_within

RecordKind = Literal["depth", "cumulative", "intensity"]
Stamp = Literal["start", "end"]

_MINUTE = np.timedelta64(60_000_000_000, "ns")
_LONGEST_STEP_MIN = 60.0
_HALF_A_DAY_MIN = 720.0
"""Breakpoints usually this far apart are readings of a day's rain: no intensity is in them."""
_COUNTER_NOISE_MM = 1e-6


@dataclass(frozen=True)
class Timeline:
    """The intervals of a record, from its times alone: begin and end in minutes from ``origin``, in order and apart."""

    origin: pd.Timestamp
    begin: np.ndarray[Any, np.dtype[np.float64]]
    end: np.ndarray[Any, np.dtype[np.float64]]
    record: RecordKind
    step_min: float | None
    """Of a record in fixed steps; None for one of breakpoints."""
    absent_is_dry: bool

    def depth(self, values: Tile) -> Tile:
        """Rain of each interval [mm], NaN where it is not known: (cells, intervals) from the record's values (cells, times).

        Raises
        ------
        InputError
            When a value is negative or impossible, or a counter falls.
        """
        if self.record == "depth":
            depth = np.ascontiguousarray(values, np.float64)
        elif self.record == "intensity":
            require_within(np.ascontiguousarray(values, np.float64), RAIN_INTENSITY)
            depth = values[:, :-1] * (self.end - self.begin) / 60.0
        else:
            depth = np.diff(values, axis=1)
            if (depth < -_COUNTER_NOISE_MM).any():
                cell, i = np.argwhere(depth < -_COUNTER_NOISE_MM)[0]
                raise InputError(
                    f"the cumulative rain falls from {values[cell, i]:g} to {values[cell, i + 1]:g} mm at {self.moment(self.end[i]):%Y-%m-%d %H:%M}; "
                    "expected a sum that never falls. Where the counter was set back, turn the record into depths first."
                )
            depth = np.maximum(depth, 0.0)
        require_within(np.ascontiguousarray(depth), RAINFALL)
        require_within(np.ascontiguousarray(60.0 * depth / (self.end - self.begin)), RAIN_INTENSITY)
        return depth

    def moment(self, minutes: float) -> pd.Timestamp:
        return self.origin + pd.Timedelta(round(minutes * 60_000), unit="ms")

    def moments(self, minutes: Any) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(self.origin + pd.to_timedelta(np.round(np.asarray(minutes) * 60_000).astype(np.int64), unit="ms"))

    @property
    def calendar(self) -> Calendar:
        """Of the calendar years that the intervals touch."""
        last = self.moment(float(self.end[-1])) - pd.Timedelta(1, unit="ms")
        return Calendar(int(self.moment(float(self.begin[0])).year), int(last.year))

    @cached_property
    def touching(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Whether each interval ends where the next begins."""
        return np.append(self.end[:-1] == self.begin[1:], False)

    def runs(self, unknown: Tile, first: int = 0) -> tuple[Tile, Tile, Tile]:
        """Cell, first and last interval of what is unknown (cells, intervals) without a pause; the intervals begin at number ``first``."""
        touching = self.touching[first : first + unknown.shape[1]]
        goes_on = unknown[:, :-1] & unknown[:, 1:] & touching[:-1]
        begins, ends = unknown.copy(), unknown.copy()
        begins[:, 1:] &= ~goes_on
        ends[:, :-1] &= ~goes_on
        cell, begin = np.nonzero(begins)
        return cell, begin + first, np.nonzero(ends)[1] + first

    def gaps(self, depth: Tile) -> "Gaps":
        """Where one series has no rain value, within the calendar years of the record."""
        return self.gaps_of(*self.runs(np.isnan(depth)[None, :])[1:])

    def gaps_of(self, first: Tile, last: Tile) -> "Gaps":
        """The same from the first and the last interval of each run without a value."""
        starts, ends = self.begin[first], self.end[last]
        if not self.absent_is_dry:
            first, last = self._minutes(self.calendar.edges[[0, -1]])
            before, after = np.append(first, self.end), np.append(self.begin, last)
            absent = after - before > 1e-6
            starts, ends = np.sort(np.append(starts, before[absent])), np.sort(np.append(ends, after[absent]))
        return Gaps(starts, ends)

    def missing_days(self, gaps: "Gaps") -> Tile:
        """How many days, and parts of days, each half-month lacks: (slots,)."""
        return np.diff(gaps.until(self._minutes(self.calendar.edges))) / 1440.0

    def _minutes(self, moments: pd.DatetimeIndex) -> Tile:
        return np.asarray((moments - self.origin) / pd.Timedelta(minutes=1), np.float64)


def joined_runs(first: Tile, last: Tile, touching: Tile) -> tuple[Tile, Tile]:
    """Runs in the order of time, those joined of which one goes on in the next."""
    goes_on = (last[:-1] + 1 == first[1:]) & touching[last[:-1]]
    return first[np.append(True, ~goes_on)[: len(first)]], last[np.append(~goes_on, True)[: len(last)]]


@dataclass(frozen=True)
class Gaps:
    """Stretches without a value, in minutes, in order and apart."""

    starts: np.ndarray[Any, np.dtype[np.float64]]
    ends: np.ndarray[Any, np.dtype[np.float64]]

    def until(self, minutes: Any) -> Tile:
        """How many minutes had no value until each moment."""
        minutes = np.asarray(minutes, np.float64)
        if len(self.starts) == 0:
            return np.zeros(minutes.shape)
        length = np.cumsum(self.ends - self.starts)
        where = np.column_stack([self.starts, self.ends]).ravel()
        lost = np.column_stack([np.append(0.0, length[:-1]), length]).ravel()
        return np.interp(minutes, where, lost)


def timeline(
    rain: Rain,
    *,
    record: RecordKind,
    stamp: Stamp,
    step_min: float | None,
    absent_is_dry: bool,
    units: str | None,
) -> tuple[Timeline, xr.DataArray]:
    """The intervals of a record and its values in date order, in mm (mm h-1 for ``intensity``).

    Raises
    ------
    InputError
        When ``record`` or ``stamp`` is no such choice, the times repeat or are not in fixed steps of 1 to 60 minutes where they should be, or
        the unit is another quantity's.
    """
    require_choice("record", record, RecordKind)
    require_choice("stamp", stamp, Stamp)
    array = over_dates(rain)
    values = in_date_order((RAIN_INTENSITY if record == "intensity" else RAINFALL).require(array, units))
    times = values["time"].values.astype("datetime64[ns]")
    origin = pd.Timestamp(times[0]).normalize()
    minutes = (times - origin.to_datetime64()) / _MINUTE
    if record == "depth":
        step = _step(minutes, step_min)
        begin = minutes if stamp == "start" else minutes - step
        return Timeline(origin, begin, begin + step, record, step, absent_is_dry), values
    if step_min is not None or stamp != "start":
        raise InputError(f"step_min and stamp belong to a record of depths in fixed steps; leave them out for record={record!r}")
    if len(minutes) < 2:
        raise InputError(f"a record of {record} needs two times or more: rain falls between them")
    if (usual := float(np.median(np.diff(minutes)))) >= _HALF_A_DAY_MIN:
        raise InputError(_too_coarse(usual))
    return Timeline(origin, minutes[:-1], minutes[1:], record, None, absent_is_dry), values


def _step(minutes: Tile, stated: float | None) -> float:
    """The fixed step of a record [min]."""
    apart = np.diff(minutes)
    if stated is None and len(apart) == 0:
        raise InputError("a record of one value does not show its time step; state step_min")
    step = float(apart.min()) if stated is None else stated
    if not 0.999 <= step <= _LONGEST_STEP_MIN:
        raise InputError(_too_coarse(step))
    steps = apart / step
    uneven = np.flatnonzero(np.abs(steps - np.round(steps)) > 1e-3 if stated is None else steps < 1 - 1e-6)
    if len(uneven):
        i = uneven[0]
        raise InputError(
            f"values {i + 1} and {i + 2} of the rain record stand {apart[i]:g} minutes apart, which does not fit steps of {step:g} minutes; "
            "state step_min, or give an uneven record as cumulative or intensity"
        )
    return step


def _too_coarse(step_min: float) -> str:
    return (
        f"the rain record has a value every {step_min:g} minutes; storms need steps of 1 to 60 minutes, or breakpoints as close. "
        "Daily rain has models of its own: xie2016, zhang2003. Breakpoints are read with record='cumulative' or 'intensity'."
    )
