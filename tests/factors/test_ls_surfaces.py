"""LS on surfaces of which the answer is known by other means: cones, planes in every direction, one terrain at several cell sizes."""

from itertools import pairwise

import numpy as np
import pytest

from rusle_engine.factors.ls import ls_factor
from rusle_engine.terrain.slope import slope

R = 1000.0
"""Radius of the cones [m]."""


def cone(cells, sign):
    """A cone of slope 0.3 that falls outwards (−1), or inwards to a hole in its middle (1); distance from the middle, cell size."""
    size = 2 * R / cells
    along = (np.arange(cells) + 0.5) * size - R
    distance = np.hypot(*np.meshgrid(along, along, indexing="ij"))
    heights = 500 + sign * 0.3 * distance
    heights[(distance > R) | ((sign > 0) & (distance < 0.1 * R))] = np.nan
    return heights, distance, size


def test_the_slope_of_a_cone_errs_with_the_square_of_the_cell_size():
    errors = []
    for cells in (40, 80, 160):
        heights, distance, size = cone(cells, -1)
        ring = (distance > 0.45 * R) & (distance < 0.55 * R)
        tangent = np.tan(slope(heights, units="m", cell_size_m=size).values[ring])
        errors.append(np.abs(tangent / 0.3 - 1).max())
    assert errors[0] < 0.003
    assert [a / b for a, b in pairwise(errors)] == pytest.approx([4, 4], rel=0.1)


@pytest.mark.parametrize("sign", [-1, 1])
def test_l_around_a_ring_spreads_least_where_water_goes_to_several_neighbours(sign):
    """On a ring all L should be one: (m + 1)(λ/22.13)^m with λ = r/2 on the cone that falls outwards, (R² − r²)/2r inwards."""
    heights, distance, size = cone(80, sign)
    ring = (distance > 0.45 * R) & (distance < 0.55 * R)
    length_m = (distance / 2 if sign < 0 else (R**2 - distance**2) / (2 * distance))[ring]
    sine = 0.3 / np.hypot(1, 0.3)
    beta = sine / 0.0896 / (3 * sine**0.8 + 0.56)
    m = beta / (1 + beta)
    true = (m + 1) * (length_m / 22.13) ** m
    spread = {}
    for routing in ("d8", "tarboton1997", "quinn1991", "freeman1991", "qin2007"):
        got = ls_factor(heights, units="m", cell_size_m=size, routing=routing, components=True).l.values[ring]
        spread[routing] = float(np.std(got / true))
        assert 0.7 < np.mean(got / true) < 0.95  # w of Desmet and Govers is up to twice the width of the streams of other routings
    assert spread["d8"] > 0.3
    assert spread["tarboton1997"] < 0.2
    assert spread["quinn1991"] < spread["freeman1991"] < spread["qin2007"] < 0.1


@pytest.mark.parametrize("routing", ["d8", "freeman1991"])
@pytest.mark.parametrize("degrees", [0.0, 22.5, 45.0])
def test_a_plane_with_holes_has_one_s_and_m_whichever_way_it_falls(degrees, routing):
    y, x = np.mgrid[0:25, 0:30] * 30.0
    alpha = np.radians(degrees)
    heights = 1000 - 0.2 * (x * np.sin(alpha) + y * np.cos(alpha))
    heights[np.random.default_rng(int(degrees)).random(heights.shape) < 0.1] = np.nan
    parts = ls_factor(heights, units="m", cell_size_m=30.0, routing=routing, components=True)
    known = np.isfinite(parts.s.values)
    assert known.sum() > 0.95 * np.isfinite(heights).sum()
    sine = 0.2 / np.hypot(1, 0.2)
    beta = sine / 0.0896 / (3 * sine**0.8 + 0.56)
    m = beta / (1 + beta)
    assert np.allclose(parts.s.values[known], 16.8 * sine - 0.5, rtol=1e-9)
    assert np.allclose(parts.m.values[known], m, rtol=1e-9)
    assert m == pytest.approx(0.614184, abs=5e-7)  # the book's at 20 %
    crest = known & (parts.upslope_area_m2.values == 0)
    width = 30.0 * (np.sin(alpha) + np.cos(alpha))
    assert crest.any()
    assert np.allclose(parts.l.values[crest], (30 * 30 / width / 22.13) ** m, rtol=1e-9)


def hills(cell_m):
    """A smooth terrain of 3 × 3 km in the middle of each cell: its heights and the tangent of its slope."""
    rng = np.random.default_rng(5)
    along = np.arange(cell_m / 2, 2880, cell_m)
    x, y = np.meshgrid(along, along)
    heights, p, q = 0.12 * y, np.zeros_like(x), np.full_like(x, 0.12)
    for _ in range(12):
        wave, angle, phase = 2 * np.pi / rng.uniform(300, 900), rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi)
        at = wave * (x * np.cos(angle) + y * np.sin(angle)) + phase
        heights += 0.12 / wave * np.sin(at)
        p += 0.12 * np.cos(angle) * np.cos(at)
        q += 0.12 * np.sin(angle) * np.cos(at)
    return heights, np.hypot(p, q)


def test_one_terrain_at_10_30_and_90_m():
    """Coarser cells are flatter, their slope wrong with the square of their size; and they begin with longer slopes, so that L grows."""
    error, mean = [], []
    for cell in (10, 30, 90):
        heights, tangent = hills(cell)
        options = {"units": "m", "cell_size_m": float(cell), "routing": "freeman1991", "max_slope_length_m": 304.8, "components": True}
        parts = ls_factor(heights, **options)
        inside = (slice(1, -1), slice(1, -1))
        error.append(np.sqrt(np.mean((np.tan(parts.theta.values[inside]) - tangent[inside]) ** 2)))
        mean.append({name: float(parts[name].mean()) for name in ("s", "l")})
    assert error[1] / error[0] == pytest.approx(9, rel=0.1)
    assert error[2] / error[1] == pytest.approx(9, rel=0.3)  # waves of 300 m on cells of 90 m: the next term shows
    assert mean[0]["s"] > mean[1]["s"] > mean[2]["s"]
    assert mean[0]["l"] < mean[1]["l"] < mean[2]["l"]
