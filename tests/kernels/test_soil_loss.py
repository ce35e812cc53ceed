"""Tallies of runs and cut cells against Python's integers."""

import numpy as np
import pytest

from rusle_kernels import soil_loss as kernels


def python_sums(a, codes, weights):
    """Area by place and loss, as integers without bounds."""
    area, loss = [0] * 8, 0
    for value, code, weight in zip(a, codes, weights):
        area[int(code) & 7] += int(weight)
        if code != 255:
            loss += int(weight) * round(float(value) * 2**24)
    return area, loss


def cells(count, seed):
    random = np.random.default_rng(seed)
    codes = random.choice([1, 2, 3, 4, 5, 6, 255], count).astype(np.uint8)
    a = np.where(codes == 255, np.nan, random.gamma(0.3, 100, count)).astype(np.float32)
    return a, codes


@pytest.mark.parametrize("count", [1, 2, 127, 239, 240, 241, 255, 256, 1000])
def test_runs(count):
    a, codes = cells(count, count)
    areas, losses = np.zeros((2, 1, 8), np.int64), np.zeros((2, 1, 3), np.int64)
    zones, lefts, rights = np.array([[0, 1, 0], [0, 0, count // 2], [count // 2, count, count]])
    kernels.tally_runs(a, codes, 0, 3, zones, lefts, rights, 0, areas, losses)
    expected_area, expected_loss = python_sums(a, codes, [kernels.FULL] * count)
    for zone in range(2):  # one zone in two runs, another over both of them
        assert areas[zone, 0].tolist() == expected_area
        assert int(losses[zone, 0, 0]) * kernels.FULL == expected_loss


@pytest.mark.parametrize("largest", [False, True])
def test_cut_cells(largest):
    a, codes = cells(500, 9)
    weights = np.random.default_rng(9).integers(1, kernels.FULL, 500)
    if largest:
        a[codes != 255], weights[:] = kernels.LARGEST_LOSS, kernels.FULL - 1
    areas, losses = np.zeros((1, 1, 8), np.int64), np.zeros((1, 1, 3), np.int64)
    columns = np.random.default_rng(1).permutation(500)
    kernels.tally_cuts(a, codes, 0, 500, np.zeros(500, np.int64), columns, weights[columns], 0, areas, losses)
    expected_area, expected_loss = python_sums(a, codes, weights)
    assert areas[0, 0].tolist() == expected_area
    assert (int(losses[0, 0, 1]) << kernels.CUT_BITS) + int(losses[0, 0, 2]) == expected_loss


def test_a_group_of_the_largest_size_cannot_overflow():
    # what one cell can add at most, times the cells of a group, stays below 2^63
    amount = int(kernels.LARGEST_LOSS) << kernels.LOSS_BITS
    product = (kernels.FULL - 1) * amount
    lower_of_one = (1 << kernels.CUT_BITS) + (1 << kernels.CUT_BITS)
    for most in (kernels.FULL, amount, (product >> kernels.CUT_BITS) + 2, lower_of_one):
        assert most * kernels.LARGEST_GROUP < 2**63


def test_every_class_has_its_place():
    assert len({code & 7 for code in (1, 2, 3, 4, 5, 6, 255)}) == 7
