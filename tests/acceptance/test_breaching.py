"""Breaching of real terrain: every bottom finds a way out without limits, less earth is moved than by filling, limits are kept."""

import numpy as np
import pytest

import rusle_engine as rusle
from rusle_engine.terrain.conditioning import breach_report

LENGTH_M = 3000.0


@pytest.fixture(scope="module", params=["youwuzhen/dem30m.tif", "dem/bigtujunga_srtm_30m.tif"])
def dem(request, acceptance_data):
    return rusle.open_raster(acceptance_data / request.param).compute()


def test_without_a_limit_of_depth_nothing_is_left_to_fill(dem):
    left = rusle.condition(dem, method="breach", max_breach_length_m=LENGTH_M, remaining="leave")
    assert np.array_equal(rusle.condition(left).values, left.values, equal_nan=True)
    filled = rusle.condition(dem)
    assert float((dem - left).sum()) < float((filled - dem).sum())
    report = breach_report(dem, max_breach_length_m=LENGTH_M)
    assert report["unresolved_pits"] == 0
    assert report["lowered_cells"] == int((left < dem).sum())
    assert report["deepest_cut_m"] == float((dem - left).max())
    assert report["longest_breach_m"] <= LENGTH_M
    assert set(np.unique(left.values[np.isfinite(left.values)])) <= set(np.unique(dem.values))  # no height that was not there


def test_limits_leave_what_they_forbid(dem):
    options = {"method": "breach", "max_breach_length_m": 90.0, "max_breach_depth_m": 2.0}
    left, drained = rusle.condition(dem, remaining="leave", **options), rusle.condition(dem, **options)
    assert float((dem - left).max()) <= 2.0
    assert np.array_equal(drained.values, rusle.condition(left).values, equal_nan=True)
    tiled = rusle.condition(dem.chunk(y=57, x=43), **options)
    assert tiled.values.tobytes() == drained.values.tobytes()
