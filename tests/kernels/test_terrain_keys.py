"""The integers that stand for heights, the sort of edges, the groups of neighbours, and our own logarithm and power."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.terrain.drainage import Heights
from rusle_kernels import basins
from rusle_kernels._jit import kernel
from rusle_kernels.elementary import exp2, log2
from rusle_kernels.neighbours import GROUP_COUNT, GROUP_OF


@kernel
def log2_of(values, out):
    for i in range(values.size):
        out[i] = log2(values[i])


@kernel
def exp2_of(values, out):
    for i in range(values.size):
        out[i] = exp2(values[i])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_keys_keep_the_order_and_come_back(dtype):
    limits = np.finfo(dtype)
    rng = np.random.default_rng(0)
    values = np.array([0.0, limits.tiny, limits.smallest_subnormal, limits.max, 1.0, np.nextafter(dtype(1), dtype(2))], dtype)
    values = np.concatenate([values, -values, rng.normal(0, 1000, 200).astype(dtype)])
    kind = Heights.of(dtype)
    keys = kind.keys(values[np.newaxis, :])[0]
    assert (keys > kind.nodata).all()
    assert np.array_equal(keys[:, np.newaxis] < keys, values[:, np.newaxis] < values)
    assert np.array_equal(keys[:, np.newaxis] == keys, values[:, np.newaxis] == values)  # −0.0 and +0.0 too
    assert np.array_equal(kind.heights(kind.keys(values[np.newaxis, :]), np.nan)[0], values)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_not_finite_is_nodata(dtype):
    kind = Heights.of(dtype)
    keys = kind.keys(np.array([[np.nan, np.inf, -np.inf, -np.nan]], dtype))
    assert (keys == kind.nodata).all()
    assert np.isinf(kind.heights(keys, np.inf)).all()


@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=1, max_size=200), st.sampled_from([np.int32, np.int64]))
@settings(max_examples=40, deadline=None)
def test_sort_is_the_stable_order(numbers, dtype):
    keys = (np.array(numbers) >> (32 if dtype is np.int32 else 0)).astype(dtype)
    keys[::3] = keys[0]  # ties
    order, scratch = np.empty(keys.size, np.int64), np.empty(keys.size, np.int64)
    basins.sort_by_key(keys, order, scratch)
    assert np.array_equal(order, np.argsort(keys, kind="stable"))


def test_groups_of_neighbours():
    position = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
    for members in range(256):
        left = {k for k in range(8) if members >> k & 1}
        count = 0
        while left:
            group, front = set(), {left.pop()}
            while front:
                k = front.pop()
                group.add(k)
                touched = {n for n in left if max(abs(position[n][0] - position[k][0]), abs(position[n][1] - position[k][1])) == 1}
                left -= touched
                front |= touched
            count += 1
            assert len({GROUP_OF[members, k] for k in group}) == 1
        assert GROUP_COUNT[members] == count
        assert len({GROUP_OF[members, k] for k in range(8) if members >> k & 1}) == count


@given(st.floats(1e-300, 1e300))
@settings(max_examples=100, deadline=None)
def test_log2_against_the_library(x):
    out = np.empty(1)
    log2_of(np.array([x]), out)
    assert abs(out[0] - math.log2(x)) <= 4e-16 * max(1.0, abs(math.log2(x)))


@given(st.floats(-1000, 1000))
@settings(max_examples=100, deadline=None)
def test_exp2_against_the_library(x):
    out = np.empty(1)
    exp2_of(np.array([x]), out)
    assert out[0] == pytest.approx(2.0**x, rel=1e-15)
