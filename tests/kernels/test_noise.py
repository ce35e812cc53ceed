"""Noise against plain Python on big integers, the published numbers of SplitMix64, and itself over tiles."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_kernels import noise

WORD = 2**64


def mixed(bits):
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) % WORD
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) % WORD
    return bits ^ (bits >> 31)


def hashed(seed, row, column):
    return mixed((mixed((seed + row * 0x9E3779B97F4A7C15) % WORD) + column * 0xD1B54A32D192ED03) % WORD)


def noise_at(seed, y, x):
    """Perlin's noise, one point: gradients dotted with the way to the point, blended by the quintic fade."""
    north, west = math.floor(y), math.floor(x)

    def pull(down, right):
        bits = hashed(seed, north + down, west + right)
        gradient = ((bits % 2**32) / 2**31 - 1, (bits >> 32) / 2**31 - 1)
        return gradient[0] * (x - west - right) + gradient[1] * (y - north - down)

    def fade(t):
        return 6 * t**5 - 15 * t**4 + 10 * t**3

    u, v = fade(x - west), fade(y - north)
    return (1 - v) * ((1 - u) * pull(0, 0) + u * pull(0, 1)) + v * ((1 - u) * pull(1, 0) + u * pull(1, 1))


def test_the_oracle_s_mixing_is_splitmix64():
    # the first three outputs of SplitMix64 seeded with 1234567, as Rosetta Code prints them
    states = [1234567 + k * 0x9E3779B97F4A7C15 for k in (1, 2, 3)]
    assert [mixed(state % WORD) for state in states] == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_uniform_is_the_hash_s_upper_53_bits():
    out = np.empty((2, 3))
    noise.uniform(987654321, 40, out)
    assert out.ravel().tolist() == [(hashed(987654321, 40 + k, 0) >> 11) / 2**53 for k in range(6)]


def test_uniform_is_flat():
    out = np.empty((1, 200_000))
    noise.uniform(3, 0, out)
    counts = np.histogram(out, 20, (0.0, 1.0))[0]
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 43.8  # chi-square, 19 degrees of freedom, 0.1 %


@pytest.mark.parametrize(("row", "column", "wavelength"), [(0, 0, 7.3), (-20, 1_000_003, 12.0), (999, -5, 2.0)])
def test_gradient_noise_point_by_point(row, column, wavelength):
    out = np.full((6, 31), 10.0)
    noise.gradient_noise(77, row, column, wavelength, 3.0, out)
    expected = [[10 + 3 * noise_at(77, (row + i) / wavelength, (column + j) / wavelength) for j in range(31)] for i in range(6)]
    np.testing.assert_allclose(out, expected, rtol=1e-9, atol=1e-9)


@given(cut=st.tuples(st.integers(1, 39), st.integers(1, 49)), wavelength=st.floats(2.0, 60.0), seed=st.integers(0, 2**62))
@settings(max_examples=60, deadline=None)
def test_any_cut_gives_the_same_bits(cut, wavelength, seed):
    whole = np.zeros((40, 50))
    noise.gradient_noise(seed, -7, 13, wavelength, 1.5, whole)
    for rows in (slice(0, cut[0]), slice(cut[0], 40)):
        for columns in (slice(0, cut[1]), slice(cut[1], 50)):
            part = np.zeros(whole[rows, columns].shape)
            noise.gradient_noise(seed, rows.start - 7, columns.start + 13, wavelength, 1.5, part)
            assert part.tobytes() == whole[rows, columns].tobytes()


def terrain(row, column, shape, tilt=0.02, depths=(200.0, 80.0)):
    height, valley = np.empty(shape), np.empty(shape)
    depths = np.array(depths, float)
    lattice = np.array([4000.0, 1500.0])[: depths.size]
    noise.gullied_terrain(5, row, column, 30.0, tilt, 0.0, 20_000.0, lattice, depths, height, valley)
    return height, valley


def test_terrain_without_furrows_is_the_tilted_plane():
    height, _ = terrain(10, -3, (20, 30), depths=(0.0,))
    np.testing.assert_allclose(height, np.repeat(-0.02 * 30.0 * np.arange(10.0, 30.0)[:, None], 30, axis=1), rtol=1e-12)


def test_main_valleys_lie_half_a_depth_below_the_plane_and_divides_half_above():
    height, valley = terrain(0, 0, (300, 300), depths=(200.0,))
    above = height + 0.02 * 30.0 * np.arange(300.0)[:, None]
    assert above.min() == pytest.approx(-100, abs=1)
    assert above.max() == pytest.approx(100, abs=1)
    np.testing.assert_allclose(above, 200 * (valley - 0.5), atol=1e-9)


def test_terrain_is_the_same_cut_into_tiles():
    height, valley = terrain(0, 0, (64, 50))
    part, part_valley = terrain(17, 23, (40, 20))
    assert part.tobytes() == height[17:57, 23:43].tobytes()
    assert part_valley.tobytes() == valley[17:57, 23:43].tobytes()


@pytest.mark.parametrize(("row", "column"), [(0, 0), (100, 300), (-200, 100), (500, 400)])
def test_on_a_lattice_point_a_furrow_has_the_point_s_own_phase(row, column):
    height, valley = np.empty((1, 1)), np.empty((1, 1))
    noise.gullied_terrain(5, row, column, 30.0, 0.02, 0.0, 20_000.0, np.array([3000.0]), np.array([200.0]), height, valley)
    turns = 0.25 * ((hashed(5 + 1, row // 100, column // 100) % 2**32) / 2**31 - 1)  # within a quarter turn either way
    cosine, sine = 1 - 16 * turns**2, 8 * turns * (1 - 2 * abs(turns))  # the parabolas through 1 at 0, 0 at a quarter, 0 at 0 and 1 at a quarter
    assert valley.item() == pytest.approx(0.5 + 0.5 * cosine / math.hypot(cosine, sine), abs=1e-6)
