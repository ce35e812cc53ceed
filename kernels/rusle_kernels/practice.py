"""Support practice P by slope: one formula, one kernel. ``theta`` in radians; NaN in gives NaN out."""

from rusle_kernels._jit import kernel
from rusle_kernels.elementary import tangent_of_gentle


@kernel
def p_by_slope(theta, lower_limits, values, out):
    """The value of the last class whose lower limit (radians, ascending, the first 0) the slope reaches.

    The classes after the first are taken four at a time, all cells of a row by the same four, so that it vectorises: their number is a
    multiple of four, filled up with limits that no slope reaches (infinity).
    """
    for i in range(out.shape[0]):
        slope, p = theta[i], out[i]
        for j in range(p.size):
            p[j] = values[0] + 0.0 * slope[j]
        for k in range(1, lower_limits.size, 4):
            a, b, c, d = lower_limits[k], lower_limits[k + 1], lower_limits[k + 2], lower_limits[k + 3]
            p_a, p_b, p_c, p_d = values[k], values[k + 1], values[k + 2], values[k + 3]
            for j in range(p.size):
                value = p_a if slope[j] >= a else p[j]
                value = p_b if slope[j] >= b else value
                value = p_c if slope[j] >= c else value
                p[j] = p_d if slope[j] >= d else value


@kernel
def p_wenner1981(theta, out):
    """P = 0.2 + 0.03 s, at most 1, with s = 100 tan(theta): that is at 0.2606 rad, so that no steeper slope need be told."""
    for i in range(out.shape[0]):
        slope, p = theta[i], out[i]
        for j in range(p.size):
            result = 0.2 + 3.0 * tangent_of_gentle(0.27 if slope[j] > 0.27 else slope[j])
            p[j] = 1.0 if result > 1.0 else result
