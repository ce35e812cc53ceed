"""Erosive storms: a fine record of rain cut into storms, the energy and the 30-minute peak of each, and tables of them by period."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Tile
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.variables import TEMPERATURE, Units, units_of
from rusle_engine.factors.half_months import Calendar
from rusle_engine.factors.rain_intervals import Gaps, RecordKind, Stamp, Timeline, timeline
from rusle_engine.factors.rain_records import Rain
from rusle_engine.factors.validation import require_choice
from rusle_kernels import storms as kernels

log = logging.getLogger("rusle_engine")

Energy = Literal["mcgregor1995", "brown_foster1987", "wischmeier_smith1978", "mcgregor_mutchler1976", "verstraeten2006", "rogler_schwertmann1981"]
StepCorrection = Literal["yin2007", "yue2020"]
Period = Literal["half_month", "month", "year"]


def _energy(equation: str, source: str, formula_id: str, valid_for: str = "") -> MethodInfo:
    return MethodInfo(equation, source, ("rain intensity",), "MJ ha-1 mm-1", "verified", formula_id, valid_for)


ENERGIES = {
    "wischmeier_smith1978": _energy(
        "0.119 + 0.0873 log10 i; 0.283 above 76 mm/h; 0 at least", "Wischmeier and Smith 1958, 1978, in SI units", "R-4a"
    ),
    "brown_foster1987": _energy("0.29 [1 - 0.72 exp(-0.05 i)]", "Brown and Foster 1987; RUSLE (Renard et al. 1997)", "R-4b"),
    "mcgregor1995": _energy("0.29 [1 - 0.72 exp(-0.082 i)]", "McGregor et al. 1995; RUSLE2", "R-5"),
    "mcgregor_mutchler1976": _energy("0.273 + 0.2168 exp(-0.048 i) - 0.4126 exp(-0.072 i)", "McGregor and Mutchler 1976", "R-6a"),
    "verstraeten2006": _energy("0.1112 i^0.31", "Salles et al. 2002; Verstraeten et al. 2006", "R-6b", "grows without a cap"),
    "rogler_schwertmann1981": _energy(
        "0.1189 + 0.0873 log10 i for 0.05 <= i < 76.2 mm/h; 0.2833 above, 0 below", "Rogler and Schwertmann 1981; DIN 19708", "R-6c"
    ),
}

_YIN2007 = {5.0: (1.009, 1.007, 1.014), 60.0: (1.105, 1.668, 1.730)}
"""Breakpoint value over fixed-step value of E, I30 and EI30, by step [min]."""
_SAME_DEPTH_MM = 1e-6
"""Depths this close to a limit are on it: fifty tips of 0.254 mm are 12.7 mm."""


@dataclass(frozen=True)
class StormRules:
    """What ends a storm, which storms count, and how their energy is reckoned; the parameters of ``erosive_storms``."""

    energy: Energy = "mcgregor1995"
    gap_h: float = 6.0
    gap_depth_mm: float = 1.27
    min_depth_mm: float = 12.7
    min_15min_mm: float | None = 6.35
    min_depth_inclusive: bool = True
    max_i30_mm_h: float | None = None
    step_correction: StepCorrection | None = None

    def __post_init__(self) -> None:
        require_choice("energy", self.energy, Energy)
        if self.step_correction is not None:
            require_choice("step_correction", self.step_correction, StepCorrection)
        if not self.gap_h > 0:
            raise InputError(f"gap_h is {self.gap_h:g}; expected more than 0 hours")
        for name in ("gap_depth_mm", "min_depth_mm", "min_15min_mm", "max_i30_mm_h"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise InputError(f"{name} is {value:g}; expected 0 or more")

    def corrections(self, step_min: float | None) -> tuple[float, float, float]:
        """What E, I30 and EI30 of a storm are multiplied by."""
        if self.step_correction != "yin2007":
            return (1.0, 1.0, 1.0)
        if step_min not in _YIN2007:
            steps = " and ".join(f"{step:g}" for step in _YIN2007)
            raise InputError(f"yin2007 has factors for steps of {steps} minutes; this record's step is {step_min} minutes: leave step_correction out")
        return _YIN2007[step_min]


@dataclass(frozen=True)
class Storms:
    """The erosive storms of one series, in order."""

    start_min: Tile
    end_min: Tile
    values: Tile
    """Depth [mm], energy [MJ ha-1], I30 [mm h-1] and EI30 [MJ mm ha-1 h-1]: (storms, 4)."""
    found: int
    """All storms, those that are too small included."""


def storms_of(begin: Tile, end: Tile, depth: Tile, rules: StormRules, step_min: float | None) -> Storms:
    """The erosive storms of one series of intervals (minutes, mm; NaN and 0 carry no rain)."""
    wet = depth > 0
    return storms_among(begin[wet], end[wet], depth[wet], rules, step_min, fallen=0.0, last=True)[0]


def storms_among(
    begin: Tile, end: Tile, depth: Tile, rules: StormRules, step_min: float | None, *, fallen: float, last: bool
) -> tuple[Storms, int, float]:
    """The erosive storms of intervals with rain, the first of which begins one; ``fallen`` mm of rain came before.

    Unless these are the ``last`` intervals, the storm that they end in may go on, and is left out.

    Returns
    -------
    Storms, int, float
        The storms, the first interval of the one left out (how many there are where none is), and the rain before it.
    """
    before = np.cumsum(np.append(fallen, depth))
    unit_energy = np.empty(len(depth))
    getattr(kernels, f"unit_energy_{rules.energy}")(60.0 * depth / (end - begin), unit_energy)
    limit = rules.gap_depth_mm - _SAME_DEPTH_MM if rules.gap_depth_mm > _SAME_DEPTH_MM else 1e-9
    first = np.empty(len(depth), np.int64)
    first = first[: kernels.separate(begin, end, depth, before[:-1], 60.0 * rules.gap_h, limit, first)]
    begun = len(depth)
    if not last:
        begun, first = int(first[-1]), first[:-1]
    over = slice(0, begun)
    found = np.empty((len(first), 4))
    kernels.quantities(begin[over], end[over], depth[over], before[over], unit_energy[over], first, found)
    ends = np.append(first[1:], begun)[: len(first)] - 1
    total, energy, peak30, peak15 = found.T
    margin = -_SAME_DEPTH_MM if rules.min_depth_inclusive else _SAME_DEPTH_MM
    kept = total >= rules.min_depth_mm + margin
    if rules.min_15min_mm is not None:
        kept |= peak15 >= rules.min_15min_mm - _SAME_DEPTH_MM
    i30 = 2.0 * peak30 if rules.max_i30_mm_h is None else np.minimum(2.0 * peak30, rules.max_i30_mm_h)
    e_factor, i_factor, ei_factor = rules.corrections(step_min)
    values = np.column_stack([total, energy * e_factor, i30 * i_factor, energy * i30 * ei_factor])
    return Storms(begin[first][kept], end[ends][kept], values[kept], len(first)), begun, float(before[begun])


def erosive_storms(
    rain: Rain,
    energy: Energy = "mcgregor1995",
    gap_h: float = 6.0,
    gap_depth_mm: float = 1.27,
    min_depth_mm: float = 12.7,
    min_15min_mm: float | None = 6.35,
    *,
    min_depth_inclusive: bool = True,
    max_i30_mm_h: float | None = None,
    step_correction: StepCorrection | None = None,
    record: RecordKind = "depth",
    stamp: Stamp = "start",
    step_min: float | None = None,
    absent_is_dry: bool = False,
    temperature: pd.Series | None = None,
    snow_below_c: float | None = None,
    units: Units = None,
) -> pd.DataFrame:
    r"""The erosive storms of a record of rain, with their energy, greatest 30-minute intensity and erosivity.

    .. math:: EI_{30} = \Big(\sum_r e_r v_r\Big) \, I_{30}, \qquad I_{30} = 2 \max_t \, [C(t + 30) - C(t)]

    with v the rain of an interval [mm], e its energy [MJ ha-1 mm-1] at the interval's intensity, and C the rain until t [mm], t in minutes
    (Wischmeier & Smith 1978; Renard et al. 1997). Rain is uniform inside an interval; the maximum over t is exact.

    Parameters
    ----------
    rain
        A record of one station, indexed by time: a Series, or a DataArray with the one dimension ``time``.
    energy
        Whose energy of rain: mcgregor1995 (RUSLE2), brown_foster1987 (RUSLE), wischmeier_smith1978, ….
    gap_h
        A storm is over when less than ``gap_depth_mm`` falls within this time [h].
    gap_depth_mm
        See ``gap_h`` [mm]; 0 asks for a dry gap.
    min_depth_mm
        Rain of the least storm that counts [mm].
    min_15min_mm
        Smaller storms count as well when this much falls within 15 minutes [mm]; None: they do not.
    min_depth_inclusive
        Whether a storm of exactly ``min_depth_mm`` counts.
    max_i30_mm_h
        I30 is held at this [mm h-1]; None: it is not. 63.5 is said to be AH537's (from memory, unchecked).
    step_correction
        Factors for what a fixed step hides: ``"yin2007"``, for steps of 5 and of 60 minutes.
    record
        What the values are: ``"depth"`` of each step [mm]; ``"cumulative"``, the rain until each time [mm]; ``"intensity"``, from each time
        until the next [mm h-1], the last value only ending the one before.
    stamp
        Whether a time is where its step starts or ends (``depth``).
    step_min
        The fixed step [min] of 1 to 60 (``depth``); the least distance between two times when not stated.
    absent_is_dry
        Whether steps that are not listed, and the rest of the record's first and last year, were dry; else they are gaps.
    temperature
        Air temperature [degC] over time, at most a day apart; with ``snow_below_c``.
    snow_below_c
        Precipitation at this temperature or below is snow and left out [degC].
    units
        Unit of ``rain`` when it does not declare one: mm, 0.1 mm or in; for intensities mm h-1 or in h-1.

    Returns
    -------
    DataFrame
        One row a storm: ``start``, ``end``, ``depth_mm``, ``energy_mj_ha``, ``i30_mm_h``, ``ei30`` [MJ mm ha-1 h-1]. ``attrs`` hold every
        rule, how many storms were found, the days without a value by half-month, which storms have gaps inside, and the snow left out.

    Raises
    ------
    InputError
        When the record repeats a time, is not in steps of 1 to 60 minutes, holds a negative or impossible value, or a counter falls.

    Notes
    -----
    A gap carries no rain: a storm with one inside is named in ``attrs["gaps_in_storms_min"]`` and too small. The end of a storm lies at the
    longest pause of the span with little rain, so that drizzle stays with the nearer storm.

    Examples
    --------
    >>> half_hours = pd.date_range("2021-07-01", periods=12, freq="30min")
    >>> depths = [1.1, 2.3, 3.2, 1.9, 4.1, 5.9, 2.5, 3.1, 2.9, 1.2, 0.5, 0.2]
    >>> storms = erosive_storms(pd.Series(depths, index=half_hours))
    >>> storms[["depth_mm", "i30_mm_h", "ei30"]].round(3).values.tolist()
    [[28.9, 11.8, 56.811]]
    """
    if step_correction == "yue2020":
        raise InputError("yue2020 corrects the R of a year, not storms; give it to r_factor, or leave it out")
    snow = snow_rule(temperature, snow_below_c, units_of(units, "temperature") if isinstance(units, Mapping) else None)
    rules = StormRules(energy, gap_h, gap_depth_mm, min_depth_mm, min_15min_mm, min_depth_inclusive, max_i30_mm_h, step_correction)
    line, values = timeline(rain, record=record, stamp=stamp, step_min=step_min, absent_is_dry=absent_is_dry, units=units_of(units, "rain"))
    if values.ndim != 1:
        raise InputError(f"rain has dimensions {values.dims}; erosive_storms takes one station. r_factor(method='ei30') takes grids.")
    depth = line.depth(values.values[None, :])[0]
    gaps = line.gaps(depth)
    left_out: dict[str, Any] = {}
    if snow is not None:
        depth, left_out = snow.without(line, depth)
    found = storms_of(line.begin, line.end, depth, rules, line.step_min)
    if line.step_min is not None and line.step_min > 30 and step_correction is None:
        log.warning("a time step of %g minutes hides peaks: I30 and EI30 are too low", line.step_min)
    return _table(line, found, rules, gaps, {"record": record, "stamp": stamp, "absent_is_dry": absent_is_dry, **left_out})


@dataclass(frozen=True)
class SnowRule:
    """What fell at ``below_c`` or colder is snow; the temperature is the last one known, at most a day old."""

    celsius: pd.Series
    below_c: float

    def without(self, line: Timeline, depth: Tile) -> tuple[Tile, dict[str, Any]]:
        """Depths with 0 where it was cold, and how much that was."""
        at = self.celsius.reindex(line.moments(line.begin), method="ffill", tolerance=pd.Timedelta(days=1)).to_numpy(np.float64)
        wet = depth > 0
        cold = wet & (at <= self.below_c)
        return np.where(cold, 0.0, depth), {
            "snow_below_c": self.below_c,
            "snow_mm": float(depth[cold].sum()),
            "rain_without_temperature_mm": float(depth[wet & np.isnan(at)].sum()),
        }


def snow_rule(temperature: pd.Series | None, snow_below_c: float | None, units: str | None) -> SnowRule | None:
    """The rule that both parameters state; None when neither is there.

    Raises
    ------
    InputError
        When only one is there, or the temperature is not a Series of degrees Celsius over dates.
    """
    if (temperature is None) != (snow_below_c is None):
        raise InputError("temperature and snow_below_c go together: state both, or neither to count snow as rain")
    if temperature is None or snow_below_c is None:
        return None
    if not isinstance(temperature, pd.Series) or not isinstance(temperature.index, pd.DatetimeIndex):
        raise InputError("temperature is not a Series indexed by dates; expected degrees Celsius over time")
    celsius = TEMPERATURE.require(
        xr.DataArray(temperature.to_numpy(np.float64, na_value=np.nan), dims="time", attrs=dict(temperature.attrs)), units
    ).values
    return SnowRule(pd.Series(celsius, index=temperature.index.tz_localize(None)).dropna().sort_index(), snow_below_c)


def _table(line: Timeline, found: Storms, rules: StormRules, gaps: Gaps, attrs: dict[str, Any]) -> pd.DataFrame:
    calendar, missing = line.calendar, line.missing_days(gaps)
    table = pd.DataFrame(found.values, columns=["depth_mm", "energy_mj_ha", "i30_mm_h", "ei30"])
    table.insert(0, "start", line.moments(found.start_min))
    table.insert(1, "end", line.moments(found.end_min))
    inside = gaps.until(found.end_min) - gaps.until(found.start_min)
    described: dict[Any, Any] = {
        "method": "ei30",
        **asdict(rules),
        **attrs,
        "step_min": line.step_min,
        "energy_formula": ENERGIES[rules.energy].formula_id,
        "storms_found": found.found,
        "first_year": calendar.first_year,
        "last_year": calendar.last_year,
        "days_missing": float(missing.sum()),
        "days_missing_by_half_month": {calendar.name(slot): float(missing[slot]) for slot in np.flatnonzero(missing > 0).tolist()},
        "gaps_in_storms_min": {f"{table['start'][i]:%Y-%m-%dT%H:%M}": float(inside[i]) for i in np.flatnonzero(inside > 0).tolist()},
    }
    table.attrs = described
    return table


def storm_table(storms: pd.DataFrame, by: Period = "half_month") -> pd.DataFrame:
    """What the storms of each half-month, month or year add up to; a storm counts where it starts.

    Parameters
    ----------
    storms
        What ``erosive_storms`` returned.
    by
        The period.

    Returns
    -------
    DataFrame
        One row for each period of the record's calendar years, those without a storm included: ``year`` (with ``half_month`` 1 to 24 or
        ``month``), ``storms``, ``depth_mm``, ``energy_mj_ha``, ``ei30`` [MJ mm ha-1 h-1] as sums, ``i30_mm_h`` as the greatest, and
        ``days_missing``. A period with missing days has only what was recorded.

    Raises
    ------
    InputError
        When ``by`` is no such period, ``storms`` does not say which years it covers, or a column of it is gone.
    """
    require_choice("by", by, Period)
    calendar, sums, missing = by_half_month(storms)
    table = pd.DataFrame({"year": calendar.first_year + np.arange(len(missing)) // 24, "half_month": np.arange(len(missing)) % 24 + 1})
    table = table.assign(**sums, days_missing=missing)
    if by == "half_month":
        return table
    table["month"] = (table["half_month"] + 1) // 2
    keys = ["year", "month"] if by == "month" else ["year"]
    how = {name: "max" if name == "i30_mm_h" else "sum" for name in [*sums, "days_missing"]}
    return table.groupby(keys, as_index=False).agg(how)


def by_half_month(storms: pd.DataFrame) -> tuple[Calendar, dict[str, Tile], Tile]:
    """The calendar of a table of storms, the sums (greatest I30) of each half-month, and the days each lacks."""
    if not {"first_year", "last_year", "days_missing_by_half_month"} <= set(storms.attrs):
        raise InputError("this table of storms does not say which years it covers (its attrs were lost); give what erosive_storms returned")
    if gone := [name for name in ("start", "depth_mm", "energy_mj_ha", "i30_mm_h", "ei30") if name not in storms]:
        raise InputError(f"this table of storms has no column {', '.join(gone)}; give what erosive_storms returned, or some of its rows")
    calendar = Calendar(storms.attrs["first_year"], storms.attrs["last_year"])
    slots = len(calendar.days)
    slot = calendar.slot(pd.DatetimeIndex(storms["start"]))
    sums: dict[str, Tile] = {"storms": np.bincount(slot, minlength=slots)}
    sums |= {name: np.bincount(slot, storms[name], minlength=slots) for name in ("depth_mm", "energy_mj_ha", "ei30")}
    sums["i30_mm_h"] = np.zeros(slots)
    np.maximum.at(sums["i30_mm_h"], slot, storms["i30_mm_h"])
    names = {calendar.name(i): i for i in range(slots)}
    missing = np.zeros(slots)
    for name, days in storms.attrs["days_missing_by_half_month"].items():
        missing[names[name]] = days
    return calendar, sums, missing
