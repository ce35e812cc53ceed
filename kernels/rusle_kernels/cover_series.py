"""A cell's NDVI over the dates of a year: gaps closed in time, then dates turned into half-months. Layers come first: (dates, cells)."""

from rusle_kernels._jit import kernel


@kernel
def half_months(ndvi, good, middles, weights, longest_gap, scratch, out):
    """``out[p] = Σ weights[p, t] · filled[t]``, held to -1 … 1, where ``filled`` is NDVI with the gaps closed by straight lines in time.

    A value counts where it is no NaN and ``good`` is not 0. Before the first good date and after the last the value is held. What lies
    in a gap longer than ``longest_gap`` (days from good date to good date; at an end, from the good date to the series' end) is NaN.

    ndvi, good       (dates, cells); ``good`` has no rows when every value counts
    middles          (dates,) day in the middle of what each date stands for, ascending
    weights          (half-months, dates)
    scratch          (dates + 1, a few hundred cells that lie in the nearest memory together) float64, overwritten
    out              (half-months, cells)
    """
    dates, cells = ndvi.shape
    block = scratch.shape[1]
    for start in range(0, cells, block):
        width = min(block, cells - start)
        for c in range(width):
            last = -1
            for t in range(dates):
                value = float(ndvi[t, start + c])
                if value == value and (good.shape[0] == 0 or good[t, start + c] != 0):
                    if last < 0:
                        for gap in range(t):
                            scratch[gap, c] = value if middles[t] - middles[0] <= longest_gap else float("nan")
                    elif t - last > 1:
                        days = middles[t] - middles[last]
                        for gap in range(last + 1, t):
                            share = (middles[gap] - middles[last]) / days
                            filled = scratch[last, c] + share * (value - scratch[last, c])
                            scratch[gap, c] = filled if days <= longest_gap else float("nan")
                    scratch[t, c] = value
                    last = t
            for gap in range(last + 1, dates):
                held = last >= 0 and middles[dates - 1] - middles[last] <= longest_gap
                scratch[gap, c] = scratch[last, c] if held else float("nan")
        mean = scratch[dates, :width]
        for p in range(out.shape[0]):
            mean[:] = 0.0
            for t in range(dates):
                weight = weights[p, t]
                if weight != 0.0:
                    layer = scratch[t, :width]
                    for c in range(width):
                        mean[c] += weight * layer[c]
            target = out[p, start : start + width]
            for c in range(width):
                held = 1.0 if mean[c] > 1.0 else mean[c]
                target[c] = -1.0 if held < -1.0 else held


@kernel
def count_good(ndvi, good, out):
    """How many dates of each cell have a value that counts; ``out`` is (1, cells)."""
    for c in range(ndvi.shape[1]):
        out[0, c] = 0.0
    for t in range(ndvi.shape[0]):
        for c in range(ndvi.shape[1]):
            if ndvi[t, c] == ndvi[t, c] and (good.shape[0] == 0 or good[t, c] != 0):
                out[0, c] += 1.0
