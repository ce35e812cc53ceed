"""Surfaces to fill and to drain: smooth, rough, flat, stepped, with holes, with lakes in lakes."""

import numpy as np
import pytest


def fractal(rng, rows, columns):
    noise = np.fft.fft2(rng.standard_normal((rows, columns)))
    wave = np.hypot(*np.meshgrid(np.fft.fftfreq(rows), np.fft.fftfreq(columns), indexing="ij"))
    wave[0, 0] = 1
    terrain = np.fft.ifft2(noise * wave**-1.8).real
    return terrain / terrain.std()


def with_holes(rng, heights, share):
    return np.where(rng.random(heights.shape) < share, np.nan, heights)


def spiral(rows, columns):
    """A groove one cell wide, walls between its turns, from the middle outwards."""
    heights = np.full((rows, columns), 9.0)
    row, column, down, right, length = rows // 2, columns // 2, 0, 1, 2
    while length <= 2 * max(rows, columns):
        for _ in range(2):
            for _ in range(length):
                if 0 <= row < rows and 0 <= column < columns:
                    heights[row, column] = 0.0
                row, column = row + down, column + right
            down, right = right, -down
        length += 2
    return heights


def surfaces(rows=24, columns=29):
    rng = np.random.default_rng(rows * 100 + columns)
    y, x = np.mgrid[:rows, :columns].astype(float)
    terrain = fractal(rng, rows, columns)
    ringed = spiral(rows, columns)
    ringed[[0, -1], :] = ringed[:, [0, -1]] = 9.0
    nested = -np.round(np.hypot(x - columns / 2, y - rows / 2) / 4)
    nested[2:-2, 2:-2] = -5 + np.abs(nested[2:-2, 2:-2] + 4)
    return {
        "fractal": terrain * 20 - 7,
        "fractal with holes": with_holes(rng, terrain * 20, 0.05),
        "whole metres": np.round(terrain * 3),
        "whole metres with holes": with_holes(rng, np.round(terrain * 3), 0.1),
        "integers 0 to 2": rng.integers(0, 3, (rows, columns)).astype(float),
        "white noise": rng.random((rows, columns)) - 0.5,
        "two fifths missing": with_holes(rng, rng.random((rows, columns)), 0.4),
        "plane": x + 2 * y,
        "constant": np.zeros((rows, columns)),
        "constant with holes": with_holes(rng, np.zeros((rows, columns)), 0.03),
        "bowl": np.round(((x - columns / 2) ** 2 + (y - rows / 2) ** 2) / 20),
        "cone": -np.hypot(x - columns / 2, y - rows / 2),
        "signed zeros": np.where(rng.random((rows, columns)) < 0.5, 0.0, -0.0),
        "comb": np.where((x % 4 < 2) & (y > 2) & (y < rows - 3), 0.0, 9.0),
        "closed spiral": ringed,
        "terraces": np.round(terrain * 2) * 5 - (rng.random((rows, columns)) < 0.1),
        "nested lakes": nested,
        "one row": rng.integers(0, 5, (1, 40)).astype(float),
        "one column": rng.integers(0, 5, (40, 1)).astype(float),
        "one cell": np.array([[3.0]]),
        "nothing": np.full((4, 5), np.nan),
        "infinite": np.where(rng.random((rows, columns)) < 0.05, rng.choice([np.inf, -np.inf], (rows, columns)), terrain),
    }


SURFACES = surfaces()


@pytest.fixture(params=list(SURFACES))
def surface(request):
    return SURFACES[request.param].copy()
