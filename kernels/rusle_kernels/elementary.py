"""Powers, logarithms, exponentials and angles of our own: the compiler vectorises them, and every machine gives the same bits.

A library's ``pow`` or ``exp`` is called cell by cell, and rounds as its version does. These are straight lines of IEEE operations (fused
multiply-add rounds once, everywhere) without a branch. Each says where it holds, and how far it is from the true value there, as a share of
the true value; NaN stays NaN. The polynomials interpolate at Chebyshev nodes.
"""

import math

import numpy as np
from numba import types
from numba.extending import intrinsic

from rusle_kernels._jit import inline

_LN_2 = 0.6931471805599453
_LOG2_E = 1.4426950408889634
_LOG10_2 = 0.3010299956639812
_ROUNDER = 6755399441055744.0
"""1.5·2⁵²: added to a number of less than 2⁵¹ it leaves the nearest whole number in the lowest bits."""
_HALF_PI, _HALF_PI_REST = 1.5707963267948966, 6.123233995736766e-17
_BITS_OF_ROOT_HALF = 0x3FE6A09E667F3BCD
_HALF_A_DOUBLING = 0x0008000000000000
"""Half of what the bits of a number grow by when it is doubled."""
_SMALLEST_NORMAL = 2.2250738585072014e-308


@intrinsic
def multiply_add(_context, _a, _b, _c):
    """a·b + c, rounded once."""
    signature = types.float64(types.float64, types.float64, types.float64)

    def generate(_target, builder, _signature, arguments):
        return builder.fma(*arguments)

    return signature, generate


@inline
def _mantissa_from(x, least):
    """f and e of x = 2^e·f of a positive normal x: f is where bits are ``least`` or more, and less than they are an octave above."""
    bits = np.float64(x).view(np.int64)
    e = (bits - np.int64(least)) >> np.int64(52)
    return np.int64(bits - (e << np.int64(52))).view(np.float64), np.float64(e)


@inline
def _nearest_power(x):
    """What its nearest whole number adds to the bits of a number that is multiplied by its power of two; and x less that number."""
    shifted = x + _ROUNDER
    return np.float64(shifted).view(np.int64) << np.int64(52), x - (shifted - _ROUNDER)


@inline
def _times_power(x, added_bits):
    return np.int64(np.float64(x).view(np.int64) + added_bits).view(np.float64)


@inline
def log2_of_normal(x):
    """log₂ x of a positive normal number, to 6·10⁻¹⁶ of it; any finite number for 0, NaN and the rest: the caller looks after them.

    x = 2^e·f with √½ ≤ f < √2, and ln f = 2 artanh z with z = (f − 1)/(f + 1), an odd polynomial of z.
    """
    f, e = _mantissa_from(x, _BITS_OF_ROOT_HALF)
    z = (f - 1.0) / (f + 1.0)
    w = z * z
    series = multiply_add(w, 0.2429157379029701, 0.2614442820726825)
    series = multiply_add(w, series, 0.3206163869710484)
    series = multiply_add(w, series, 0.4121984020674328)
    series = multiply_add(w, series, 0.5770780172461832)
    series = multiply_add(w, series, 0.961796693924335)
    series = multiply_add(w, series, 2.885390081777927)
    return multiply_add(z, series, e)


@inline
def exp2_of_moderate(x):
    """2^x for −1022 ≤ x < 1024, to 10⁻¹⁵; any number elsewhere: the caller looks after it. 2^0 is 1.

    The nearest whole power times a polynomial of what is left, at most ½.
    """
    whole, r = _nearest_power(x)
    series = multiply_add(r, 7.070977246971398e-09, 1.0205905379779766e-07)
    series = multiply_add(r, series, 1.3215451637249164e-06)
    series = multiply_add(r, series, 1.5252672925058545e-05)
    series = multiply_add(r, series, 0.00015403530424769194)
    series = multiply_add(r, series, 0.0013333558200794209)
    series = multiply_add(r, series, 0.009618129107618669)
    series = multiply_add(r, series, 0.05550410866465168)
    series = multiply_add(r, series, 0.24022650695910075)
    series = multiply_add(r, series, 0.6931471805599462)
    series = multiply_add(r, series, 1.0)
    return _times_power(series, whole)


@inline
def short_exp2(x):
    """2^x for −1022 ≤ x < 1024, to 1.2·10⁻¹⁰; any number elsewhere. 2^0 is 1. Where that is enough: it takes three multiplications fewer."""
    whole, r = _nearest_power(x)
    series = multiply_add(r, 1.5297323760701075e-05, 0.0001546144469856913)
    series = multiply_add(r, series, 0.001333350238616277)
    series = multiply_add(r, series, 0.009618056678524637)
    series = multiply_add(r, series, 0.055504108839096185)
    series = multiply_add(r, series, 0.24022650922288757)
    series = multiply_add(r, series, 0.6931471805599453)
    series = multiply_add(r, series, 1.0)
    return _times_power(series, whole)


@inline
def short_exp2_as_fraction(x):
    """2^x for −1000 ≤ x ≤ 1000 as numerator and denominator, to 9.4·10⁻¹¹; any numbers elsewhere. They are equal for 0.

    For products and quotients of several, whose denominators are divided by at once. With r ln 2 = 2 artanh t a power 2^r is (1 + t)/(1 − t),
    and t a fraction of polynomials.
    """
    whole, r = _nearest_power(x)
    w = r * r
    even = multiply_add(w, 17.33399772651173, 360.87514721803785)
    odd = r * (w + 125.06979517954721)
    return _times_power(even + odd, whole), even - odd


@inline
def exp_of_share(x):
    """e^x for 0 ≤ x ≤ 1, to 6·10⁻¹⁴; any number elsewhere. A polynomial of its fourth root, squared twice."""
    series = multiply_add(x, 1.3728554947158078e-08, 3.363972627301533e-07)
    series = multiply_add(x, series, 8.140318085793035e-06)
    series = multiply_add(x, series, 0.00016275933347582378)
    series = multiply_add(x, series, 0.0026041669433711687)
    series = multiply_add(x, series, 0.031249999965338292)
    series = multiply_add(x, series, 0.25000000000165234)
    series = multiply_add(x, series, 0.9999999999999871)
    root = series * series
    return root * root


@inline
def short_log2(x):
    """log₂ x of a positive normal number, to 4.3·10⁻¹² of it; any finite number for 0, NaN and the rest. See ``log2_of_normal``."""
    f, e = _mantissa_from(x, _BITS_OF_ROOT_HALF)
    z = (f - 1.0) / (f + 1.0)
    w = z * z
    series = multiply_add(w, 0.3407120415619086, 0.41167376623771057)
    series = multiply_add(w, series, 0.5770835660048659)
    series = multiply_add(w, series, 0.9617966734515485)
    series = multiply_add(w, series, 2.885390081789987)
    return multiply_add(z, series, e)


@inline
def short_log2_of_ratio(a, b):
    """log₂(a/b) of positive normal numbers, to ±7.2·10⁻¹⁰, with one division; any number or NaN elsewhere: the caller looks after it.

    a is brought near b by a power of two: a/b = 2^e·f/b with ⅔ ≤ f/b ≤ 1½, and ln(f/b) = 2 artanh z with z = (f − b)/(f + b).
    """
    f, e = _mantissa_from(a, np.float64(b).view(np.int64) - _HALF_A_DOUBLING)
    z = (f - b) / (f + b)
    w = z * z
    series = multiply_add(w, 0.4425320622254981, 0.5761537540788477)
    series = multiply_add(w, series, 0.9618070322202216)
    series = multiply_add(w, series, 2.8853900506865338)
    return multiply_add(z, series, e)


@inline
def log2(x):
    """log₂ x to 6·10⁻¹⁶; −∞ for 0, ∞ for ∞, NaN below 0."""
    tiny = x < _SMALLEST_NORMAL
    found = log2_of_normal(x * 18014398509481984.0 if tiny else x)  # 2⁵⁴
    found = found - 54.0 if tiny else found
    found = found if x > 0.0 else (-np.inf if x == 0.0 else np.nan)
    return found if x < np.inf else x


@inline
def exp2(x):
    """2^x to 10⁻¹⁵; ∞ from 1024 on, 0 below −1022 (where the format loses digits)."""
    found = exp2_of_moderate(x if -1022.0 <= x < 1024.0 else 0.0)
    found = found if x >= -1022.0 else 0.0
    found = found if x < 1024.0 else np.inf
    return found if x == x else x


@inline
def exp(x):
    """e^x to 2·10⁻¹³ (10⁻¹⁵ for |x| ≤ 1); ∞ from 709.8 on, 0 below −708.4."""
    return exp2(x * _LOG2_E)


@inline
def log(x):
    """ln x to 7·10⁻¹⁶; −∞ for 0, ∞ for ∞, NaN below 0."""
    return log2(x) * _LN_2


@inline
def log10(x):
    """The decimal logarithm to 7·10⁻¹⁶; −∞ for 0, ∞ for ∞, NaN below 0."""
    return log2(x) * _LOG10_2


@inline
def power(x, y):
    """x^y of x ≥ 0, to 5·10⁻¹³ (10⁻¹⁵ where the result lies between ½ and 2); x^0 is 1 for every number x; NaN for x below 0."""
    found = exp2(y * log2(x))
    return found if y != 0.0 else (1.0 if x == x else x)


@inline
def sine_of_tangent(t):
    """sin θ from t = tan θ, |θ| < π/2: t/√(1 + t²), to 4·10⁻¹⁶ for |t| < 10¹⁵⁰."""
    return t / math.sqrt(multiply_add(t, t, 1.0))


@inline
def cosine_of_tangent(t):
    """cos θ from t = tan θ, |θ| < π/2: 1/√(1 + t²), to 4·10⁻¹⁶ for |t| < 10¹⁵⁰."""
    return 1.0 / math.sqrt(multiply_add(t, t, 1.0))


@inline
def _sine_of_small(r):
    """sin r for |r| ≤ π/4, by its series."""
    w = r * r
    series = multiply_add(w, 1 / 355687428096000, -1 / 1307674368000)
    series = multiply_add(w, series, 1 / 6227020800)
    series = multiply_add(w, series, -1 / 39916800)
    series = multiply_add(w, series, 1 / 362880)
    series = multiply_add(w, series, -1 / 5040)
    series = multiply_add(w, series, 1 / 120)
    series = multiply_add(w, series, -1 / 6)
    return multiply_add(w * r, series, r)


@inline
def _cosine_of_small(r):
    """cos r for |r| ≤ π/4, by its series."""
    w = r * r
    series = multiply_add(w, 1 / 20922789888000, -1 / 87178291200)
    series = multiply_add(w, series, 1 / 479001600)
    series = multiply_add(w, series, -1 / 3628800)
    series = multiply_add(w, series, 1 / 40320)
    series = multiply_add(w, series, -1 / 720)
    series = multiply_add(w, series, 1 / 24)
    series = multiply_add(w, series, -0.5)
    return multiply_add(w, series, 1.0)


@inline
def _sine_of_quarters(x, quarters):
    """sin(x + quarters·π/2): what is left of x beside the nearest multiple of π/2 decides which series, the multiple which sign."""
    shifted = multiply_add(x, 0.6366197723675814, _ROUNDER)
    nearest = shifted - _ROUNDER
    r = multiply_add(-nearest, _HALF_PI_REST, multiply_add(-nearest, _HALF_PI, x))
    quarter = np.float64(shifted).view(np.int64) + np.int64(quarters)
    straight, across = _sine_of_small(r), _cosine_of_small(r)
    found = across if quarter & np.int64(1) else straight
    return -found if quarter & np.int64(2) else found


@inline
def sine(x):
    """sin x, x in radians, to 4·10⁻¹⁶ for |x| ≤ 10⁸ (to 10⁻¹² where it is next to 0); NaN for ±∞."""
    return _sine_of_quarters(x, 0)


@inline
def cosine(x):
    """cos x, x in radians, to 4·10⁻¹⁶ for |x| ≤ 10⁸ (to 10⁻¹² where it is next to 0); NaN for ±∞."""
    return _sine_of_quarters(x, 1)


@inline
def tangent_of_gentle(angle):
    """tan x for |x| ≤ 0.27, to 3·10⁻¹⁶: an odd polynomial."""
    w = angle * angle
    series = multiply_add(w, 0.0016406483938057705, 0.003569725257387956)
    series = multiply_add(w, series, 0.008864632895341958)
    series = multiply_add(w, series, 0.021869440482827046)
    series = multiply_add(w, series, 0.05396825486336743)
    series = multiply_add(w, series, 0.13333333332515793)
    series = multiply_add(w, series, 0.33333333333336174)
    return multiply_add(w * angle, series, angle)


@inline
def arctangent(t):
    """The angle [rad] of which t is the tangent, to 4·10⁻¹⁶; ±π/2 for ±∞.

    Beyond tan π/8 the angle is taken from π/4, beyond tan 3π/8 from π/2, so that the polynomial sees at most tan π/8.
    """
    size = abs(t)
    steep, middle = size > 2.414213562373095, size > 0.41421356237309503
    above = -1.0 if steep else (size - 1.0 if middle else size)
    below = size if steep else (size + 1.0 if middle else 1.0)
    begin = _HALF_PI if steep else (0.5 * _HALF_PI if middle else 0.0)
    rest = _HALF_PI_REST if steep else (0.5 * _HALF_PI_REST if middle else 0.0)
    z = above / below
    w = z * z
    series = multiply_add(w, 0.021135448771803626, -0.04348061251939116)
    series = multiply_add(w, series, 0.056883535186931025)
    series = multiply_add(w, series, -0.06640235009732602)
    series = multiply_add(w, series, 0.07689953654775046)
    series = multiply_add(w, series, -0.09090773088764535)
    series = multiply_add(w, series, 0.11111106181178204)
    series = multiply_add(w, series, -0.1428571418099684)
    series = multiply_add(w, series, 0.19999999998855372)
    series = multiply_add(w, series, -0.3333333333332844)
    angle = begin + (multiply_add(w * z, series, z) + rest)
    return -angle if t < 0.0 else angle
