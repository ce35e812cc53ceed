"""Support practice P by slope: one formula, one kernel. ``theta`` in radians; NaN in gives NaN out."""

import math

from rusle_kernels._jit import kernel


@kernel
def p_by_slope(theta, lower_limits_pct, values, out):
    """The value of the last class whose lower limit (percent, ascending, the first 0) the slope reaches.

    Slopes are rounded to 1e-5 percent first: a plane that rises 0.9 m on 30 m comes out at 2.9999999999999996 %, from a float32 raster of
    slope at 2.999999976 %.
    """
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            percent = math.floor(1e7 * math.tan(theta[i, j]) + 0.5) / 1e5
            out[i, j] = float("nan")
            for k in range(lower_limits_pct.size):
                if percent >= lower_limits_pct[k]:
                    out[i, j] = values[k]


@kernel
def p_wenner1981(theta, out):
    """P = 0.2 + 0.03 s, at most 1, with s = 100 tan(theta)."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            p = 0.2 + 3.0 * math.tan(theta[i, j])
            out[i, j] = 1.0 if p > 1.0 else p
