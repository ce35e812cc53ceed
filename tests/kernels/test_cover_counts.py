"""NDVI counted by steps of 0.0001, against whole numbers counted by hand."""

from collections import Counter

import numpy as np
import pytest

from rusle_kernels import cover, cover_series


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("columns", [1, 512, 4096, 4099, 9000])
def test_every_cell_is_counted_once_at_its_step_and_nan_is_not(columns, dtype):
    rng = np.random.default_rng(columns)
    steps = rng.integers(0, 20001, (3, columns))
    steps[0] = 12345  # the same place again and again
    steps.flat[:3] = [0, 20000, 10000][: min(3, steps.size)]
    ndvi = (steps / 10000 - 1 + rng.uniform(-0.4e-4, 0.4e-4, steps.shape)).astype(dtype)
    missing = rng.random(steps.shape) < 0.2
    ndvi[missing] = np.nan
    counts = np.zeros(20001, np.int64)
    counts[7] = 5  # added to, not overwritten
    cover.count_ndvi(ndvi, counts)
    expected = Counter(steps[~missing].tolist()) + Counter({7: 5})
    assert {k: n for k, n in enumerate(counts.tolist()) if n} == expected


def test_what_lies_a_rounding_beyond_the_range_is_counted_at_its_ends():
    counts = np.zeros(20001, np.int64)
    cover.count_ndvi(np.array([[-1.001, 1.001, 2.0, -np.inf, np.inf, np.nan]]), counts)
    assert (counts[0], counts[20000], counts.sum()) == (2, 3, 5)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float32, np.float64])
def test_good_flags(dtype):
    flags = np.tile(np.array([0, 1, 2, 3, 100, 1]), (2, 9)).astype(dtype)
    for wanted in ([], [1], [0, 100, 1]):
        good = np.full(flags.shape, 7, np.uint8)
        cover_series.mark_good(flags, np.array(wanted, dtype), good)
        assert good.tolist() == [[int(flag in wanted) for flag in row] for row in flags.tolist()]
    if np.issubdtype(dtype, np.floating):
        good = np.full((1, 2), 7, np.uint8)
        cover_series.mark_good(np.array([[np.nan, 0]], dtype), np.array([0], dtype), good)
        assert good.tolist() == [[0, 1]]
