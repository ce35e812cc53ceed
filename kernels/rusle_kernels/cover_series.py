"""NDVI over the dates of a year: gaps closed in time, then dates turned into half-months. Layers come first: (dates, cells).

Cells are taken in stretches, date by date; no loop over the cells of a stretch branches or writes more than two rows, so that each vectorises.
A stretch is long enough for its layers to be read ahead and short enough for what is held of it to stay in near memory.
"""

import numpy as np

from rusle_kernels._jit import inline, kernel

_SCRATCH_BYTES = 786432
_LONGEST_STRETCH = 4096


@inline
def stretch_of(dates, bytes_of_number):
    """How many cells are taken at once: two numbers of each and of every date lie in ``_SCRATCH_BYTES``."""
    return min(_LONGEST_STRETCH, max(64, _SCRATCH_BYTES // (2 * bytes_of_number * (dates + 1))))


@kernel
def mark_good(flags, good_flags, good):
    """1 where a flag is one of ``good_flags``, else 0; flags and ``good`` are (dates, cells), ``good_flags`` in the type of the flags."""
    for t in range(flags.shape[0]):
        of_date, marks = flags[t], good[t]
        marks[:] = 0
        for k in range(good_flags.size):
            wanted = good_flags[k]
            for c in range(marks.size):
                mark, flag = marks[c], of_date[c]
                marks[c] = 1 if flag == wanted else mark


@inline
def take_good(layer, flags, row):
    """The values of one date that count, NaN where there is none."""
    for c in range(row.size):
        value, flag = layer[c], flags[c]
        row[c] = value if flag != 0 else np.nan


@inline
def look_ahead(row, day, after, day_after, found, day_found):
    """One date of a stretch: value and day of the good date that comes next, this one's own where it has a value."""
    for c in range(found.size):
        value, next_value, next_day = row[c], after[c], day_after[c]
        found[c] = value if value == value else next_value
        day_found[c] = day if value == value else next_day


@inline
def leave_open(middles, longest_gap, next_days, last_days):
    """Make the next good day of every date NaN that lies in a gap longer than ``longest_gap``; ``last_days`` is scratch."""
    last_days[:] = middles[0]
    end = middles[middles.size - 1]
    for t in range(middles.size):
        days, day = next_days[t], middles[t]
        for c in range(last_days.size):
            ahead, behind = days[c], last_days[c]
            gap = (ahead if ahead < np.inf else end) - behind
            days[c] = ahead if (ahead == day) | (gap <= longest_gap) else np.nan
        for c in range(last_days.size):
            ahead, behind = days[c], last_days[c]
            last_days[c] = day if ahead == day else behind


@inline
def close_gaps(middles, values, next_days):
    """From the value of the next good date to the value of each date, in place; NaN where there is no good date, or no day of the next one.

    Each date lies on the line from the date before it to the next good one. After the last good date the day of the next is infinite, and
    the step towards it 0.
    """
    first, days = values[0], next_days[0]
    for c in range(first.size):
        value, ahead = first[c], days[c]
        first[c] = value if ahead < np.inf else np.nan
    for t in range(1, middles.size):
        before, row, days = values[t - 1], values[t], next_days[t]
        yesterday, day = middles[t - 1], middles[t]
        step = day - yesterday
        for c in range(row.size):
            begin, value, ahead = before[c], row[c], days[c]
            line = begin + step / (ahead - yesterday) * (value - begin)
            row[c] = value if ahead == day else line


@inline
def held(value):
    value = -1.0 if value < -1.0 else value
    return 1.0 if value > 1.0 else value


@inline
def counted_dates(weights, dates):
    """List the dates whose weight is not 0 in pairs, the last one twice where their number is odd; returns how many are listed."""
    count = 0
    for t in range(weights.size):
        if weights[t] != 0.0:
            dates[count] = t
            count += 1
    if count % 2 == 1:
        dates[count] = dates[count - 1]
        count += 1
    return count


@inline
def weigh(values, weights, dates, total, out):
    """One half-month: the sum of the dates by their weights, two dates at a time; ``dates`` and ``total`` are scratch."""
    count = counted_dates(weights, dates)
    for k in range(0, count, 2):
        one, two = dates[k], dates[k + 1]
        u, v = values[one], values[two]
        by_one, by_two = weights[one], weights[two] if two > one else 0.0
        if count == 2:
            for c in range(out.size):
                out[c] = held(by_one * u[c] + by_two * v[c])
        elif k == 0:
            for c in range(out.size):
                total[c] = by_one * u[c] + by_two * v[c]
        else:
            for c in range(out.size):
                total[c] += by_one * u[c] + by_two * v[c]
    if count > 2:
        for c in range(out.size):
            out[c] = held(total[c])


@kernel
def half_months(ndvi, good, middles, weights, longest_gap, out):
    """``out[p] = Σ weights[p, t] · filled[t]``, held to -1 … 1, where ``filled`` is NDVI with the gaps closed by straight lines in time.

    A value counts where it is no NaN and ``good`` is not 0. Before the first good date and after the last the value is held. What lies
    in a gap longer than ``longest_gap`` (days from good date to good date; at an end, from the good date to the series' end) is NaN.

    Gaps are closed in the type of ``ndvi``, sums are float64: of float32 NDVI a half-month is within 2·10⁻⁷ of its definition.

    ndvi, good       (dates, cells); ``good`` has no rows when every value counts
    middles          (dates,) day in the middle of what each date stands for, ascending, in the type of ``ndvi``
    weights          (half-months, dates); every half-month has a date
    out              (half-months, cells)
    """
    dates, cells = ndvi.shape
    stretch = stretch_of(dates, middles.itemsize)
    values, next_days = np.empty((dates + 1, stretch), middles.dtype), np.empty((dates + 1, stretch), middles.dtype)
    row, total, counted = np.empty(stretch, middles.dtype), np.empty(stretch), np.empty(dates + 1, np.int64)
    for start in range(0, cells, stretch):
        end = min(start + stretch, cells)
        width = end - start
        v, d = values[:, :width], next_days[:, :width]
        v[dates], d[dates] = 0.0, np.inf
        for t in range(dates - 1, -1, -1):
            if good.shape[0] == 0:
                look_ahead(ndvi[t, start:end], middles[t], v[t + 1], d[t + 1], v[t], d[t])
            else:
                take_good(ndvi[t, start:end], good[t, start:end], row[:width])
                look_ahead(row[:width], middles[t], v[t + 1], d[t + 1], v[t], d[t])
        if longest_gap < np.inf:
            leave_open(middles, longest_gap, d, row[:width])
        close_gaps(middles, v, d)
        for p in range(out.shape[0]):
            weigh(v, weights[p], counted, total[:width], out[p, start:end])


@kernel
def count_good(ndvi, good, out):
    """How many dates of each cell have a value that counts; ``out`` is (1, cells)."""
    counts = out[0]
    counts[:] = 0.0
    for t in range(ndvi.shape[0]):
        layer = ndvi[t]
        if good.shape[0] == 0:
            for c in range(counts.size):
                counts[c] += 1.0 if layer[c] == layer[c] else 0.0
        else:
            flags = good[t]
            for c in range(counts.size):
                value, flag = layer[c], flags[c]
                counts[c] += 1.0 if (value == value) & (flag != 0) else 0.0
