"""Support practice P by slope: one formula, one kernel. ``theta`` in radians; NaN in gives NaN out."""

from rusle_kernels._jit import inline, kernel
from rusle_kernels.elementary import multiply_add


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


@inline
def _tangent_of_gentle(angle):
    """tan x for |x| ≤ 0.27, to 3·10⁻¹⁶: an odd polynomial."""
    w = angle * angle
    series = multiply_add(w, 0.0016406483938057705, 0.003569725257387956)
    series = multiply_add(w, series, 0.008864632895341958)
    series = multiply_add(w, series, 0.021869440482827046)
    series = multiply_add(w, series, 0.05396825486336743)
    series = multiply_add(w, series, 0.13333333332515793)
    series = multiply_add(w, series, 0.33333333333336174)
    return multiply_add(w * angle, series, angle)


@kernel
def p_wenner1981(theta, out):
    """P = 0.2 + 0.03 s, at most 1, with s = 100 tan(theta): that is at 0.2606 rad, so that no steeper slope need be told."""
    for i in range(out.shape[0]):
        slope, p = theta[i], out[i]
        for j in range(p.size):
            result = 0.2 + 3.0 * _tangent_of_gentle(0.27 if slope[j] > 0.27 else slope[j])
            p[j] = 1.0 if result > 1.0 else result
