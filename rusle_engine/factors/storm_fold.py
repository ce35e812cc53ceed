"""Storms on a calendar, from whole series or from series that come in stretches: the same bits, for an open storm is carried on."""

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from rusle_engine.core.lift import Tile
from rusle_engine.factors.half_months import COUNTS, Calendar
from rusle_engine.factors.rain_intervals import Timeline, joined_runs
from rusle_engine.factors.storms import SnowRule, StormRules, storms_among, storms_of
from rusle_kernels import erosivity

_HELD_AT_MOST = 4 * 2**20
"""Intervals with rain that wait for being cut into storms: 64 MB."""


@dataclass(frozen=True)
class StormModel:
    """Storms on a calendar: from the series of cells to the columns of ``erosivity_dataset``."""

    line: Timeline
    calendar: Calendar
    rules: StormRules
    max_missing_pct: float
    annual_correction: float
    snow: SnowRule | None = None

    @property
    def size(self) -> int:
        return 25 + len(COUNTS)

    def columns(self, values: Tile) -> Tile:
        depth = self.line.depth(values)
        slots = len(self.calendar.days)
        half_months, missing = np.zeros((len(depth), slots)), np.empty((len(depth), slots))
        for cell, series in enumerate(depth):
            missing[cell] = self.line.missing_days(self.line.gaps(series))
            if self.snow is not None:
                series, _ = self.snow.without(self.line, series)
            storms = storms_of(self.line.begin, self.line.end, series, self.rules, self.line.step_min)
            slot = self.calendar.slot(self.line.moments(storms.start_min))
            half_months[cell] = np.bincount(slot, storms.values[:, 3], minlength=slots)
        return columns_of(half_months * self.annual_correction, missing, self.calendar, self.max_missing_pct)


def columns_of(half_months: Tile, missing: Tile, calendar: Calendar, max_missing_pct: float) -> Tile:
    """R, 24 shares and the counts from the erosivity of all half-months and the days that each lacks."""
    kept, used = calendar.used(missing, max_missing_pct)
    annual = np.empty((len(half_months), 25))
    erosivity.annual_erosivity(half_months, used, annual)
    return np.column_stack([annual, calendar.counts(kept, used, missing)])


@dataclass
class _Tail:
    """The storm of a cell that is not over: its intervals with rain, and the rain before them [mm]."""

    interval: Tile
    depth: Tile
    fallen: float


@dataclass
class _Held:
    """What is held of each cell between two stretches."""

    half_months: Tile
    tails: list[_Tail]
    wet: list[tuple[Tile, Tile, Tile]] = field(default_factory=list)
    """Cell, interval and depth [mm] of the rain that is not cut into storms yet, stretch by stretch."""
    unknown: list[tuple[Tile, Tile, Tile]] = field(default_factory=list)
    """Cell, first and last interval of each run without a value, stretch by stretch."""
    latest: Tile | None = None
    """The last value of the stretch before, where it is a breakpoint: with it an interval of the next stretch begins."""


@dataclass(frozen=True)
class StormFold:
    """Storms of a record that comes in stretches. Only rain is held, and of it only what belongs to storms that are not over."""

    model: StormModel

    @property
    def turns(self) -> int:
        return 1

    def start(self, cells: int) -> _Held:
        nothing = _Tail(np.empty(0, np.int64), np.empty(0), 0.0)
        return _Held(np.zeros((cells, len(self.model.calendar.days))), [nothing] * cells)

    def take(self, state: _Held, tile: Tile, first: int, turn: int) -> None:  # noqa: ARG002 (there is one turn)
        line = self.model.line
        if line.record != "depth":
            tile, first = _with_latest(state, tile, first)
        count = tile.shape[1] if line.record == "depth" else tile.shape[1] - 1
        if count == 0:
            return
        within = slice(first, first + count)
        depth = replace(line, begin=line.begin[within], end=line.end[within]).depth(tile)
        cell, interval = np.nonzero(depth > 0)
        state.wet.append((cell, interval + first, depth[cell, interval]))
        state.unknown.append(line.runs(np.isnan(depth), first))
        if sum(len(cell) for cell, _, _ in state.wet) > _HELD_AT_MOST:
            self._cut(state, last=False)

    def turn_over(self, state: _Held, turn: int) -> None:  # noqa: ARG002
        self._cut(state, last=True)

    def finish(self, state: _Held) -> Tile:
        line, model = self.model.line, self.model
        missing = np.empty(state.half_months.shape)
        cell, first, last = _by_cell(state.unknown)
        edges = np.searchsorted(cell, np.arange(len(missing) + 1))
        for k, (begin, end) in enumerate(pairwise(edges)):
            missing[k] = line.missing_days(line.gaps_of(*joined_runs(first[begin:end], last[begin:end], line.touching)))
        return columns_of(state.half_months * model.annual_correction, missing, model.calendar, model.max_missing_pct)

    def _cut(self, state: _Held, *, last: bool) -> None:
        """Add the storms that are over, and with the ``last`` stretch all of them, to their half-months."""
        model, line = self.model, self.model.line
        cell, interval, depth = _by_cell(state.wet)
        state.wet.clear()
        edges = np.searchsorted(cell, np.arange(len(state.tails) + 1))
        for k, tail in enumerate(state.tails):
            new = slice(edges[k], edges[k + 1])
            intervals, depths = np.append(tail.interval, interval[new]), np.append(tail.depth, depth[new])
            if len(intervals) == 0 or (len(depth[new]) == 0 and not last):
                continue
            storms, begun, fallen = storms_among(
                line.begin[intervals], line.end[intervals], depths, model.rules, line.step_min, fallen=tail.fallen, last=last
            )
            state.tails[k] = _Tail(intervals[begun:].copy(), depths[begun:].copy(), fallen)
            slot = model.calendar.slot(line.moments(storms.start_min))
            np.add.at(state.half_months[k], slot, storms.values[:, 3])


def _with_latest(state: _Held, tile: Tile, first: int) -> tuple[Tile, int]:
    """A stretch of breakpoints from the last one of the stretch before on, and the number of its first interval."""
    before, state.latest = state.latest, tile[:, -1:].copy()
    return (tile, first) if before is None else (np.concatenate([before, tile], axis=1), first - 1)


def _by_cell(parts: list[tuple[Tile, Tile, Tile]]) -> tuple[Tile, Tile, Tile]:
    """The parts together, cell after cell, each in the order of time."""
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    cell, second, third = (np.concatenate(column) for column in zip(*parts))
    order = np.argsort(cell, kind="stable")
    return cell[order], second[order], third[order]
