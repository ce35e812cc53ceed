"""Rainfall erosivity from daily rain: one formula, one kernel.

``rain`` is (cells, days) in mm, NaN where nothing was recorded. ``slot`` says which half-month of which year a day belongs to:
``24 * year + half_month``, both from zero. Half-month sums are (cells, slots). What adds up over days adds to ``out``, so that a long
record can come in stretches.
"""

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.elementary import power


@inline
def pick_erosive_days(rain, threshold_mm, days):
    """The days with P >= threshold in ``days``; returns how many."""
    count = 0
    for day in range(rain.size):  # no branch: every day is written down, and stays where it is erosive
        days[count] = day
        count += rain[day] >= threshold_mm
    return count


@inline
def powers_of_erosive_days(rain, threshold_mm, exponent, days, powers):
    """P^exponent of the days with P >= threshold in ``powers``, the days in ``days``; returns how many. Powers vectorise once days are picked."""
    count = pick_erosive_days(rain, threshold_mm, days)
    for n in range(count):
        powers[n] = rain[days[n]]
    for n in range(count):
        powers[n] = power(powers[n], exponent)
    return count


@kernel
def recorded_days(rain, slot, out):
    """How many days of each half-month have a value."""
    when_all_are = np.zeros(out.shape[1], np.int64)
    for day in range(slot.size):
        when_all_are[slot[day]] += 1
    for cell in range(rain.shape[0]):
        of_cell, missing = rain[cell], 0
        for day in range(of_cell.size):
            missing += of_cell[day] != of_cell[day]
        for s in range(when_all_are.size):
            out[cell, s] += when_all_are[s]
        if missing > 0:
            for day in range(of_cell.size):
                out[cell, slot[day]] -= of_cell[day] != of_cell[day]


@kernel
def half_months_xie2016(rain, slot, alpha, threshold_mm, out):
    """Sum of alpha * P^1.7265 over the days with P >= threshold; ``alpha`` is the season's, one value a day."""
    days, powers = np.empty(rain.shape[1], np.int32), np.empty(rain.shape[1])
    for cell in range(rain.shape[0]):
        for n in range(powers_of_erosive_days(rain[cell], threshold_mm, 1.7265, days, powers)):
            out[cell, slot[days[n]]] += alpha[days[n]] * powers[n]


@kernel
def erosive_days_zhang2003(rain, slot, total, days):
    """Rain [mm] and number of the days with 12 mm or more, by year: (cells, years)."""
    erosive = np.empty(rain.shape[1], np.int32)
    for cell in range(rain.shape[0]):
        for n in range(pick_erosive_days(rain[cell], 12.0, erosive)):
            year = slot[erosive[n]] // 24
            total[cell, year] += rain[cell, erosive[n]]
            days[cell, year] += 1


@kernel
def erosive_rain_zhang2003(total, days, kept, out):
    """P_d12, the mean rain of the days with 12 mm or more, and P_y12, their mean annual total, over the years that are ``kept``."""
    for cell in range(total.shape[0]):
        rain, wet, years = 0.0, 0, 0
        for year in range(kept.shape[1]):
            if kept[cell, year]:
                rain += total[cell, year]
                wet += days[cell, year]
                years += 1
        out[cell, 0] = rain / wet if wet > 0 else 0.0
        out[cell, 1] = rain / years if years > 0 else float("nan")


@kernel
def half_months_zhang2003(rain, slot, erosive_rain, threshold_mm, out):
    """Sum of alpha * P^beta over the days with P >= threshold; ``erosive_rain`` is (cells, 2): P_d12 and P_y12 in mm."""
    days, powers = np.empty(rain.shape[1], np.int32), np.empty(rain.shape[1])
    for cell in range(rain.shape[0]):
        beta = 0.8363 + 18.144 / erosive_rain[cell, 0] + 24.455 / erosive_rain[cell, 1]
        alpha = 21.586 * beta**-7.1891
        for n in range(powers_of_erosive_days(rain[cell], threshold_mm, beta, days, powers)):
            out[cell, slot[days[n]]] += alpha * powers[n]


@kernel
def annual_erosivity(half_months, used, out):
    """R in column 0 and the 24 shares of it behind: every half-month averaged over the years in which it is ``used``, then summed.

    NaN where a half-month has no such year; the shares are NaN also where R is 0.
    """
    for cell in range(half_months.shape[0]):
        out[cell, 0] = 0.0
        for half_month in range(24):
            total, years = 0.0, 0
            for s in range(half_month, half_months.shape[1], 24):
                if used[cell, s]:
                    total += half_months[cell, s]
                    years += 1
            out[cell, 1 + half_month] = total / years if years > 0 else float("nan")
            out[cell, 0] += out[cell, 1 + half_month]
        for half_month in range(24):
            out[cell, 1 + half_month] = out[cell, 1 + half_month] / out[cell, 0] if out[cell, 0] > 0.0 else float("nan")
