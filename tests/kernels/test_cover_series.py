"""Half-months of dated NDVI against a slow reading cell by cell; and bit for bit wherever a cell lies in a stretch."""

import math

import numpy as np
import pytest

from rusle_kernels import cover_series

NONE = np.nan
NO_FLAGS = np.zeros((0, 0), np.uint8)


def filled_by_hand(series, middles, longest):
    """One cell: straight lines between good dates, the ends held; NaN in gaps longer than ``longest``."""
    valid = [t for t, value in enumerate(series) if not math.isnan(value)]
    filled = []
    for t, value in enumerate(series):
        before, after = [k for k in valid if k <= t], [k for k in valid if k >= t]
        begin = middles[before[-1]] if before else middles[0]
        end = middles[after[0]] if after else middles[-1]
        if not valid or (t not in valid and end - begin > longest):
            filled.append(NONE)
        elif t in valid:
            filled.append(value)
        else:
            filled.append(np.interp(middles[t], [middles[k] for k in valid], [series[k] for k in valid]))
    return filled


def by_hand(ndvi, good, middles, weights, longest):
    """NaN in a date counts where its weight is not 0, and there only."""
    out = np.empty((len(weights), ndvi.shape[1]))
    for cell in range(ndvi.shape[1]):
        series = [float(v) if good is None or good[t, cell] else NONE for t, v in enumerate(ndvi[:, cell])]
        filled = filled_by_hand(series, middles, longest)
        for p, row in enumerate(weights):
            total = sum(w * value for w, value in zip(row.tolist(), filled) if w != 0)
            out[p, cell] = total if math.isnan(total) else min(max(total, -1.0), 1.0)
    return out


def half_months(ndvi, good, middles, weights, longest):
    out = np.full((len(weights), ndvi.shape[1]), -9, ndvi.dtype)
    cover_series.half_months(ndvi, NO_FLAGS if good is None else good, middles.astype(ndvi.dtype), weights, longest, out)
    return out


def year(cells, dates=9):
    """Uneven dates; gaps of all lengths at the beginning, in the middle and at the end; a cell without any value, and one without a gap."""
    rng = np.random.default_rng(cells + dates)
    ndvi = rng.uniform(-1, 1, (dates, cells))
    ndvi[rng.random(ndvi.shape) < rng.uniform(0, 1, cells)] = NONE
    ndvi[:, 0], ndvi[:, -1] = NONE, 0.25
    middles = np.cumsum(rng.integers(1, 30, dates)) + 0.5
    weights = np.zeros((6, dates))
    for p, size in enumerate(min(n, dates) for n in (1, 2, 3, 4, 7, 1)):  # one, two and many dates, odd and even
        weights[p, rng.choice(dates, size, replace=False)] = rng.uniform(-0.4, 1, size)
    return ndvi, (rng.random(ndvi.shape) < 0.8).astype(np.uint8), middles - middles[0], weights


@pytest.mark.parametrize("longest", [np.inf, 60.0, 15.0])
@pytest.mark.parametrize("flagged", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-14), (np.float32, 6e-7)])
@pytest.mark.parametrize("cells", [2, 37])
def test_gaps_and_weights_cell_by_cell(cells, dtype, tolerance, flagged, longest):
    ndvi, flags, middles, weights = year(cells)
    good, ndvi = flags if flagged else None, ndvi.astype(dtype)
    expected = by_hand(ndvi, good, middles, weights, longest)
    np.testing.assert_allclose(half_months(ndvi, good, middles, weights, longest), expected, rtol=0, atol=tolerance)
    assert np.isnan(expected[:, 0]).all()
    assert not np.isnan(expected[:, -1]).any() or flagged


@pytest.mark.parametrize("dates", [1, 9, 700])
def test_the_same_bits_wherever_a_cell_lies(dates):
    """More cells than a stretch has, and cells alone; 700 dates make stretches of the least length."""
    ndvi, good, middles, _ = year(9001 if dates < 700 else 321, dates)
    ndvi, weights = ndvi.astype(np.float32), np.random.default_rng(1).dirichlet(np.ones(dates), 2)
    whole = half_months(ndvi, good, middles, weights, 90.0)
    for cells in (slice(0, 1), slice(63, 150), slice(-1, None), slice(4090, 4101)):
        part = half_months(np.ascontiguousarray(ndvi[:, cells]), np.ascontiguousarray(good[:, cells]), middles, weights, 90.0)
        assert part.tobytes() == np.ascontiguousarray(whole[:, cells]).tobytes()
    assert 0 < np.isnan(whole).mean() < 1


def test_a_date_that_is_there_keeps_its_value_to_the_bit():
    ndvi, _, middles, _ = year(37)
    ndvi = ndvi.astype(np.float32)
    found = half_months(ndvi, None, middles, np.eye(len(ndvi)), np.inf)
    known = ~np.isnan(ndvi)
    assert found[known].tobytes() == ndvi[known].tobytes()
    # one good date is held to both ends
    alone = np.full((9, 1), NONE, np.float32)
    alone[4] = 0.3
    assert set(half_months(alone, None, middles, np.eye(9), np.inf).ravel().tolist()) == {float(np.float32(0.3))}


@pytest.mark.parametrize("flagged", [False, True])
def test_good_dates_are_counted(flagged):
    ndvi, good, *_ = year(37)
    out = np.full((1, 37), -9.0)
    cover_series.count_good(ndvi, good if flagged else NO_FLAGS, out)
    assert out[0].tolist() == (~np.isnan(ndvi) & (good > 0 if flagged else True)).sum(axis=0).tolist()
