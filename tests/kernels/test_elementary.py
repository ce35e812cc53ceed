"""Powers, logarithms and angles of our own against NumPy's in extended precision, at their limits, and bit for bit whatever the length."""

import numpy as np
import pytest
from numba import njit

from rusle_kernels import elementary

EXTENDED = np.finfo(np.longdouble).precision > np.finfo(np.float64).precision
Real = np.longdouble if EXTENDED else np.float64
NUMPY_S_OWN = 0.0 if EXTENDED else 4e-16
"""Where there is no wider type the oracle itself is off by an ulp."""


def of_one(function):
    @njit
    def fill(x, out):
        for i in range(out.size):
            out[i] = function(x[i])

    def call(x):
        x = np.asarray(x, np.float64)
        out = np.empty(x.shape)
        fill(x, out)
        return out

    return call


log2, exp2, log, exp, log10 = (of_one(f) for f in (elementary.log2, elementary.exp2, elementary.log, elementary.exp, elementary.log10))
short_log2, short_exp2, exp_of_share = of_one(elementary.short_log2), of_one(elementary.short_exp2), of_one(elementary.exp_of_share)
sine, cosine, arctangent = of_one(elementary.sine), of_one(elementary.cosine), of_one(elementary.arctangent)
tangent_of_gentle = of_one(elementary.tangent_of_gentle)
sine_of_tangent, cosine_of_tangent = of_one(elementary.sine_of_tangent), of_one(elementary.cosine_of_tangent)


@njit
def fill_ratios(a, b, out):
    for i in range(out.size):
        out[i] = elementary.short_log2_of_ratio(a[i], b[i])


@njit
def fill_quotients(x, out):
    for i in range(out.size):
        above, below = elementary.short_exp2_as_fraction(x[i])
        out[i] = above / below


@njit
def fill_powers(x, y, out):
    for i in range(out.size):
        out[i] = elementary.power(x[i], y[i])


def power(x, y):
    x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
    out = np.empty(x.shape)
    fill_powers(x.copy(), y.copy(), out)
    return out


def worst(found, expected):
    """The greatest difference, as a share of the expected value."""
    return float(np.max(np.abs(found / expected - 1)))


rng = np.random.default_rng(7)
POSITIVE = np.concatenate([10.0 ** rng.uniform(-300, 300, 20_000), 1 + rng.uniform(-0.4, 0.5, 20_000), 1 + 10.0 ** rng.uniform(-15, -1, 2_000)])


@pytest.mark.parametrize(
    ("ours", "library", "values", "share"),
    [
        (log2, np.log2, POSITIVE, 6e-16),
        (log, np.log, POSITIVE, 7e-16),
        (log10, np.log10, POSITIVE, 7e-16),
        (exp2, np.exp2, rng.uniform(-1022, 1023.9, 40_000), 1e-15),
        (exp2, np.exp2, rng.uniform(-2, 2, 40_000), 1e-15),
        (short_log2, np.log2, POSITIVE, 4.3e-12),
        (short_exp2, np.exp2, rng.uniform(-1022, 1023.9, 40_000), 1.2e-10),
        (short_exp2, np.exp2, rng.uniform(-1, 1, 40_000), 1.2e-10),
        (exp, np.exp, rng.uniform(-708, 709, 40_000), 2e-13),
        (exp, np.exp, rng.uniform(-1, 1, 40_000), 1e-15),
        (arctangent, np.arctan, np.tan(rng.uniform(-1.57, 1.57, 40_000)), 4e-16),
        (arctangent, np.arctan, 10.0 ** rng.uniform(-300, 300, 10_000), 4e-16),
        (sine, np.sin, rng.uniform(-10, 10, 40_000), 4e-16),
        (cosine, np.cos, rng.uniform(-10, 10, 40_000), 4e-16),
        (sine, np.sin, rng.uniform(-1e8, 1e8, 40_000), 4e-16),
        (cosine, np.cos, rng.uniform(-1e8, 1e8, 40_000), 4e-16),
        (tangent_of_gentle, np.tan, rng.uniform(-0.27, 0.27, 40_000), 3e-16),
        (sine_of_tangent, lambda t: t / np.sqrt(1 + t * t), 10.0 ** rng.uniform(-100, 100, 10_000), 4e-16),
        (cosine_of_tangent, lambda t: 1 / np.sqrt(1 + t * t), 10.0 ** rng.uniform(-100, 100, 10_000), 4e-16),
    ],
)
def test_as_close_to_the_true_value_as_they_say(ours, library, values, share):
    expected = library(values.astype(Real))
    assert worst(ours(values).astype(Real), expected) <= share + NUMPY_S_OWN


def test_powers():
    base, exponent = 10.0 ** rng.uniform(-12, 12, 40_000), rng.uniform(-24, 24, 40_000)
    assert worst(power(base, exponent), base.astype(Real) ** exponent.astype(Real)) <= 5e-13
    near = 2.0 ** rng.uniform(-0.5, 0.5, 40_000)
    assert worst(power(near, exponent / 24), near.astype(Real) ** (exponent / 24).astype(Real)) <= 1e-15 + NUMPY_S_OWN


def test_whole_powers_of_two_are_exact():
    whole = np.arange(-1022.0, 1024.0)
    assert np.array_equal(exp2(whole), np.ldexp(1.0, whole.astype(int)))
    assert np.array_equal(log2(np.ldexp(1.0, whole.astype(int))), whole)
    assert np.array_equal(short_exp2(whole), np.ldexp(1.0, whole.astype(int)))


def test_logarithms_of_ratios():
    above = np.concatenate([rng.uniform(0, 100, 40_000), 10.0 ** rng.uniform(-100, 100, 10_000)])
    below = np.concatenate([rng.uniform(0, 100, 40_000), 10.0 ** rng.uniform(-100, 100, 10_000)])
    found = np.empty(above.shape)
    fill_ratios(above, below, found)
    assert np.max(np.abs(found - np.log2(above.astype(Real) / below.astype(Real)))) <= 7.2e-10
    fill_ratios(above, above, found)
    assert np.array_equal(found, np.zeros(above.shape))


NONE, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("ours", "values", "expected"),
    [
        (log2, [0.0, -0.0, -1.0, -INF, INF, NONE, 1.0, 2.0**-1074, 2.0**-1030], [-INF, -INF, NONE, NONE, INF, NONE, 0.0, -1074.0, -1030.0]),
        (log, [0.0, -1.0, INF, NONE, 1.0], [-INF, NONE, INF, NONE, 0.0]),
        (log10, [0.0, -1.0, INF, NONE, 1.0], [-INF, NONE, INF, NONE, 0.0]),
        (exp2, [0.0, 1024.0, 1e300, INF, -1022.0, -1022.001, -1e300, -INF, NONE], [1.0, INF, INF, INF, 2.0**-1022, 0.0, 0.0, 0.0, NONE]),
        (exp, [0.0, 710.0, INF, -709.0, -INF, NONE], [1.0, INF, INF, 0.0, 0.0, NONE]),
        (arctangent, [0.0, 1.0, -1.0, INF, -INF, NONE], [0.0, np.pi / 4, -np.pi / 4, np.pi / 2, -np.pi / 2, NONE]),
        (sine, [0.0, np.pi / 2, -np.pi / 2, INF, -INF, NONE], [0.0, 1.0, -1.0, NONE, NONE, NONE]),
        (cosine, [0.0, INF, -INF, NONE], [1.0, NONE, NONE, NONE]),
        (sine_of_tangent, [0.0, NONE], [0.0, NONE]),
        (cosine_of_tangent, [0.0, NONE], [1.0, NONE]),
    ],
)
def test_limits(ours, values, expected):
    for repeated in (1, 5):  # one value is not vectorised, several are
        assert np.array_equal(ours(np.repeat(values, repeated)), np.repeat(expected, repeated), equal_nan=True)


def test_limits_of_powers():
    base = [0.0, 0.0, 0.0, 1.0, 2.0, INF, INF, INF, -1.0, NONE, NONE, 2.0]
    exponent = [0.0, 2.0, -1.0, 5.0, 0.0, 2.0, -2.0, 0.0, 2.0, 0.0, 1.0, NONE]
    assert np.array_equal(power(base, exponent), [1.0, 0.0, INF, 1.0, 1.0, INF, 0.0, 1.0, NONE, NONE, NONE, NONE], equal_nan=True)


def test_next_to_zeros_of_the_sine():
    multiples = np.arange(1.0, 2000.0) * np.pi  # next to kπ, where the sine is what π lacks in float64
    assert worst(sine(multiples).astype(Real), np.sin(multiples.astype(Real))) <= 1e-12


@pytest.mark.parametrize("ours", [log2, exp2, short_log2, short_exp2, exp, arctangent, sine, cosine])
def test_the_same_bits_whatever_the_length(ours):
    values = rng.uniform(0.1, 20, 1001)
    together = ours(values)
    for size in (1, 2, 3, 7, 8, 9, 64, 1000):
        assert ours(values[:size]).tobytes() == together[:size].tobytes()


def test_exponentials_as_fractions():
    x = np.concatenate([rng.uniform(-1000, 1000, 40_000), rng.uniform(-1, 1, 40_000)])
    found = np.empty(x.shape)
    fill_quotients(x, found)
    assert worst(found.astype(Real), np.exp2(x.astype(Real))) <= 9.4e-11
    whole = np.arange(-1000.0, 1001.0)
    found = np.empty(whole.shape)
    fill_quotients(whole, found)
    assert np.array_equal(found, np.ldexp(1.0, whole.astype(int)))


def test_exponential_of_a_share():
    x = np.linspace(0, 1, 4001)
    assert worst(exp_of_share(x), np.exp(x)) < 6e-14
    assert np.isnan(exp_of_share(np.array([np.nan]))).item()
