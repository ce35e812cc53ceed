"""Counts, extremes and means do not depend on tiles and agree with exact arithmetic."""

from fractions import Fraction

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from rusle_engine.runs.statistics import observed, total


@given(tile=st.tuples(st.integers(1, 25), st.integers(1, 25)), seed=st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_the_same_on_every_tiling_and_right(tile, seed):
    random = np.random.default_rng(seed)
    values = random.gamma(0.3, 200, (25, 25)).astype(np.float32)
    values[random.random((25, 25)) < 0.2] = np.nan
    array = xr.DataArray(values, dims=("y", "x"), name="A", attrs={"units": "t ha-1 yr-1"})
    same, records = observed(array.chunk(y=tile[0], x=tile[1]))
    same, records = dask.compute(same, records)
    assert same.identical(array)
    found = total(records)
    valid = values[np.isfinite(values)]
    exact = sum(Fraction(float(v)) for v in valid) / len(valid)
    assert found.valid == len(valid)
    assert found.cells == 625
    assert (found.minimum, found.maximum) == (valid.min(), valid.max())
    assert found.mean == pytest.approx(float(exact), rel=1e-9)
    assert found == total(observed(array)[1])


def test_a_raster_without_a_valid_cell():
    found = total(observed(xr.DataArray(np.full((2, 2), np.nan), dims=("y", "x")))[1])
    assert found.as_dict() == {"valid_cells": 0, "valid_pct": 0.0, "min": None, "mean": None, "max": None}


@pytest.mark.parametrize("value", [np.float32(0.1), np.float32(0.3), 1 / 3, 1e-11])
def test_the_mean_of_a_constant_raster_is_the_constant(value):
    found = total(observed(xr.DataArray(np.full((3, 7), value), dims=("y", "x")))[1])
    assert found.minimum == found.mean == found.maximum == value
