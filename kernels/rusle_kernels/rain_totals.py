"""Erosivity from totals of rain: one formula, one kernel.

``months`` is (n, 12), rain of each month in mm; ``rain`` and ``index`` are (n,), rain of a year and modified Fournier index in mm; NaN in,
NaN out.
"""

import math

from rusle_kernels._jit import kernel


@kernel
def fournier_index_arnoldus1980(months, out):
    """F = sum p_i^2 / P, P the sum of the twelve; 0 in a year without rain."""
    for n in range(months.shape[0]):
        total, squares = 0.0, 0.0
        for month in range(12):
            total += months[n, month]
            squares += months[n, month] ** 2
        out[n] = 0.0 if total == 0.0 else squares / total


@kernel
def power(index, coefficient, exponent, out):
    """R = a x^b (Zhang and Fu 2003), x the modified Fournier index or the rain of a year."""
    for n in range(index.size):
        out[n] = coefficient * index[n] ** exponent


@kernel
def annual_rain_renard_freimund1994(rain, out):
    """R = 0.0483 P^1.610 where P < 850 mm, 587.8 - 1.219 P + 0.004105 P^2 from there on."""
    for n in range(rain.size):
        out[n] = 0.0483 * rain[n] ** 1.610 if rain[n] < 850.0 else 587.8 - 1.219 * rain[n] + 0.004105 * rain[n] ** 2


@kernel
def fournier_renard_freimund1994(index, out):
    """R = 0.7397 F^1.847 where F < 55 mm, 95.77 - 6.081 F + 0.4770 F^2 from there on."""
    for n in range(index.size):
        out[n] = 0.7397 * index[n] ** 1.847 if index[n] < 55.0 else 95.77 - 6.081 * index[n] + 0.4770 * index[n] ** 2


@kernel
def monthly_wischmeier(months, out):
    """R = sum 1.735 * 10^(1.5 log10(p_i^2 / P) - 0.8188), a month without rain adding nothing; 0 in a year without rain."""
    for n in range(months.shape[0]):
        total = 0.0
        for month in range(12):
            total += months[n, month]
        out[n] = 0.0 if total == total else float("nan")
        for month in range(12):
            if months[n, month] > 0.0:
                out[n] += 1.735 * 10.0 ** (1.5 * math.log10(months[n, month] ** 2 / total) - 0.8188)


@kernel
def totals(rain, slot, out):
    """Adds to ``out`` the rain of each slot (a month, a year) from (cells, times); what is NaN adds nothing."""
    for cell in range(rain.shape[0]):
        of_cell, known, total = rain[cell], 0, out[cell, 0]
        for time in range(of_cell.size):
            if slot[time] != known:  # a slot's values are added together, one after the other
                out[cell, known] = total
                known = slot[time]
                total = out[cell, known]
            total += of_cell[time] if of_cell[time] == of_cell[time] else 0.0
        out[cell, known] = total
