"""What the DEM's edge makes uncertain in LS: cut a region out of a larger DEM; what is called whole must have the larger DEM's LS to the bit."""

import numpy as np
import pytest
import xarray as xr

from rusle_engine.factors.ls import ls_with_flags

CELL = 10.0
BY_AREA = {"max_slope_length_m": 60.0}
ON_PATHS = {"length": "foster_wischmeier1974", "max_slope_length_m": 60.0}
SCHEMES = {
    "area": BY_AREA,
    "area, channels": BY_AREA | {"channel_area_m2": 2500.0},
    "area without a longest slope": {},
    "several receivers": BY_AREA | {"routing": "freeman1991"},
    "paths": ON_PATHS,
    "paths, channels": ON_PATHS | {"channel_area_m2": 2500.0},
    "paths that end early": ON_PATHS | {"cutoff_below_5_pct": 0.95, "cutoff_from_5_pct": 0.9},
    "paths without a longest slope": {"length": "foster_wischmeier1974", "cutoff_below_5_pct": 0.95, "cutoff_from_5_pct": 0.9},
}


def hillside(rng, rows=64, columns=56):
    """Falling to the south in every column, so that no cell lies in a hollow, cut out or not."""
    return -3.0 * np.arange(rows)[:, None] + 4 * np.sin(np.arange(columns) / 5) + rng.uniform(0, 2.9, (rows, columns))


def topography(heights, options, chunks=None):
    dem = xr.DataArray(heights, dims=("y", "x"), attrs={"units": "m"})
    dem = dem if chunks is None else dem.chunk(dict(zip(("y", "x"), chunks)))
    return ls_with_flags(dem, cell_size_m=CELL, edge=True, **options)


@pytest.mark.parametrize("name", SCHEMES)
def test_what_is_whole_is_right_whatever_lies_beyond(name):
    for seed in range(3):
        heights = hillside(np.random.default_rng(seed))
        part = slice(20, 52), slice(9, 45)
        found, larger = topography(heights[part], SCHEMES[name]), topography(heights, SCHEMES[name])["ls"].values[part]
        whole = found["edge"].values == 0
        tolerance = 0.02 if "several" in name else 0.0  # there a hundredth of a cell's water is let pass
        assert np.allclose(found["ls"].values[whole], larger[whole], rtol=tolerance, atol=0)
        if "without" not in name or "early" in name:
            assert 0.1 < whole.mean() < 0.95
        assert not whole[0].any()
        assert not np.array_equal(found["ls"].values, larger)


@pytest.mark.parametrize("name", ["area", "paths", "paths that end early"])
def test_the_margin_cures_it(name):
    heights = hillside(np.random.default_rng(4))
    mask = topography(heights, SCHEMES[name])["edge"]
    margin = round(mask.attrs["buffer_m"] / CELL)
    assert margin == (10 if name == "area" else 8)  # 1 + 60·√2/10 = 9.5; 1 + 60/10 + ½ = 7.5
    assert mask.values[margin:-margin, margin:-margin].sum() == 0
    assert mask.values.sum() > 0


def test_channels_are_certain_and_holes_have_edges():
    heights = hillside(np.random.default_rng(5))
    heights[30, 30] = np.nan
    found = topography(heights, SCHEMES["area, channels"])
    edge, flags = found["edge"].values, found["flags"].values
    assert edge[30, 30] == 255
    assert edge[29, 29] == 1
    channels = (flags[1:-1, 1:-1] & 2 > 0) & (flags[1:-1, 1:-1] != 255)
    assert (edge[1:-1, 1:-1][channels] == 0).any()


@pytest.mark.parametrize("name", ["area, channels", "several receivers", "paths, channels"])
def test_tiles_do_not_show(name):
    heights = hillside(np.random.default_rng(6))
    heights[10:13, 20] = np.nan
    whole, lazy = topography(heights, SCHEMES[name])["edge"], topography(heights, SCHEMES[name], (17, 23))["edge"]
    assert lazy.dtype == whole.dtype == np.uint8
    assert lazy.values.tobytes() == whole.values.tobytes()


def test_of_an_area_that_was_given_nothing_can_be_told():
    heights = xr.DataArray(hillside(np.random.default_rng(7)), dims=("y", "x"), attrs={"units": "m"})
    found = ls_with_flags(heights, upslope_area=np.zeros(heights.shape), cell_size_m=CELL, units={"upslope_area": "m2"}, edge=True)
    assert set(found) == {"ls", "flags"}
