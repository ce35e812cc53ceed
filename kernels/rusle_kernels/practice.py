"""Support practice P by slope classes: one formula, one kernel. ``theta`` in radians; NaN in gives NaN out."""

import math

from rusle_kernels._jit import kernel


@kernel
def p_by_slope(theta, lower_limits_pct, values, out):
    """The value of the last class whose lower limit (percent, ascending, the first 0) the slope reaches.

    Slopes are rounded to 1e-9 percent first: 100 tan(atan 0.03) is 2.9999999999999996.
    """
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            percent = math.floor(1e11 * math.tan(theta[i, j]) + 0.5) / 1e9
            out[i, j] = float("nan")
            for k in range(lower_limits_pct.size):
                if percent >= lower_limits_pct[k]:
                    out[i, j] = values[k]
