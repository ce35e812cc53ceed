"""The other families of S, m and L: the formula book's tables, AH537's table, slopes worked by hand, and the equations with pow and exp."""

import numpy as np
import pytest
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.factors.ls import l_segment, ls_factor, m_exponent, s_factor
from rusle_engine.terrain.conditioning import condition
from rusle_engine.terrain.slope import slope

# S

BOOK_DEGREES = [0, 1, 3, 4.99, 5, 10, 20, 30, 45]
BOOK_S = {
    "wischmeier_smith1978": [0.06500, 0.16451, 0.48281, 0.95652, 0.95929, 2.82919, 9.27613, 18.69750, 35.99441],
    "nearing1997": [0.04909, 0.20565, 0.56106, 0.97547, 0.97771, 2.31320, 6.09531, 10.04604, 13.49726],
    "mccool1987": [0.03000, 0.21849, 0.59523, 0.96940, 0.97128, 2.41729, 5.24594, 7.90000, 11.37939],
    "liu1994": [0.03000, 0.21849, 0.59523, 0.96940, 0.96422, 2.84463, 6.53366, 9.99500, 14.53271],
}


@pytest.mark.parametrize("method", BOOK_S)
def test_steepness_by_the_book_s_table(method):
    assert s_factor(np.array(BOOK_DEGREES, float), method=method, units="degree").values == pytest.approx(BOOK_S[method], abs=5.1e-6)


@pytest.mark.parametrize("method", BOOK_S)
def test_steep_land_keeps_the_steepness_of_the_limit(method):
    degrees = np.array([10.0, 29.0, 30.0, 31.0, 60.0, np.nan])
    free = s_factor(degrees, method=method, units="degree").values
    held = s_factor(degrees, method=method, max_steepness_degree=30.0, units="degree")
    assert held.values[:3].tolist() == free[:3].tolist()
    assert held.values[3:5] == pytest.approx([BOOK_S[method][7]] * 2, abs=5.1e-6)
    assert np.isnan(held[5])
    assert (held.attrs["max_steepness_degree"], held.attrs["method_status"]) == (30.0, "unchecked")


# m


@pytest.mark.parametrize(
    ("method", "units", "classes"),
    [
        ("wischmeier_smith1978", "%", {0.0: 0.2, 0.99: 0.2, 1.0: 0.3, 3.49: 0.3, 3.5: 0.4, 4.99: 0.4, 5.0: 0.5, 60.0: 0.5}),
        ("csle_1_3_5", "degree", {0.0: 0.2, 1.0: 0.2, 1.0001: 0.3, 3.0: 0.3, 3.0001: 0.4, 5.0: 0.4, 5.0001: 0.5, 40.0: 0.5}),
        ("csle_05_15_3", "degree", {0.0: 0.2, 0.5: 0.2, 0.5001: 0.3, 1.5: 0.3, 1.5001: 0.4, 3.0: 0.4, 3.0001: 0.5, 40.0: 0.5}),
    ],
)
def test_exponent_by_classes_and_whose_the_limits_are(method, units, classes):
    slopes = np.array([*classes, np.nan])
    theta, units = (np.arctan(slopes / 100), "rad") if units == "%" else (slopes, units)
    assert m_exponent(theta, method=method, units=units).values.tolist()[:-1] == list(classes.values())
    assert np.isnan(m_exponent(theta, method=method, units=units)[-1])


def test_exponent_by_classes_up_to_nine_percent_and_by_rills_above():
    percent = np.array([0.0, 1.0, 1.001, 3.5, 3.501, 5.0, 5.001, 9.0, 9.001, 20.0, 60.0])
    got = m_exponent(np.arctan(percent / 100), method="oliveira2013", units="rad").values
    assert got[:8].tolist() == [0.2, 0.2, 0.3, 0.3, 0.4, 0.4, 0.5, 0.5]
    assert got[8:] == pytest.approx([0.50121, 0.6141838, 0.7119795], abs=2e-5)  # the book's β/(1 + β) at 9, 20 and 60 %
    low = m_exponent(np.arctan(0.2), method="oliveira2013", rill_ratio="low", units="rad").item()
    assert low == pytest.approx(0.44319, abs=6e-6)


BOOK_PERCENT = [0.5, 1, 2, 3, 5, 8, 9, 10, 60]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("wischmeier_smith1978", [0.2, 0.3, 0.3, 0.3, 0.5, 0.5, 0.5, 0.5, 0.5]),
        ("csle_1_3_5", [0.2, 0.2, 0.3, 0.3, 0.3, 0.4, 0.5, 0.5, 0.5]),
        ("csle_05_15_3", [0.2, 0.3, 0.3, 0.4, 0.4, 0.5, 0.5, 0.5, 0.5]),
    ],
)
def test_exponent_by_the_book_s_table(method, expected):
    assert m_exponent(np.arctan(np.array(BOOK_PERCENT) / 100), method=method, units="rad").values.tolist() == expected


# L of given slopes

METRES = {"start": "m", "end": "m"}


def test_segments_by_hand_and_their_telescope():
    ends = np.array([30.0, 60.0, 90.0, 120.0, 150.0])
    segments = l_segment(ends - 30, ends, 0.5, units=METRES).values
    assert segments == pytest.approx([1.16431, 2.12886, 2.75677, 3.26456, 3.70291], abs=5.1e-6)
    rng = np.random.default_rng(3)
    limits = np.concatenate([[0.0], np.cumsum(rng.uniform(0.5, 80, 40))])
    for m in (0.2, 0.5, 0.77):
        pieces = l_segment(limits[:-1], limits[1:], m, units=METRES).values
        assert np.average(pieces, weights=np.diff(limits)) == pytest.approx((limits[-1] / 22.13) ** m, rel=1e-13)


def test_an_irregular_slope_by_hand():
    """Three segments of 30 m at 5, 10 and 15 percent, each with its own m (0.4, 0.5, 0.5): convex, steepest below."""
    theta = np.arctan(np.array([0.05, 0.10, 0.15]))
    m = np.array([0.4, 0.5, 0.5])
    l_segments = l_segment(np.array([0.0, 30.0, 60.0]), np.array([30.0, 60.0, 90.0]), m, units=METRES).values
    s = s_factor(theta, method="wischmeier_smith1978", units="rad").values
    first = (30 / 22.13) ** 0.4  # 1.12942
    second, third = 2.128862, 2.756774  # the book's segments at m = 0.5
    by_hand = [65.41 * x * x + 4.56 * x + 0.065 for x in (0.05 / 1.0025**0.5, 0.10 / 1.01**0.5, 0.15 / 1.0225**0.5)]
    assert (l_segments * s).mean() == pytest.approx((first * by_hand[0] + second * by_hand[1] + third * by_hand[2]) / 3, rel=3e-7)
    assert (l_segments * s).mean() > 1.15 * (90 / 22.13) ** 0.5 * by_hand[1]  # more than the uniform slope of the same height


def test_a_segment_without_length_and_one_that_runs_backwards():
    point = l_segment(100.0, 100.0, 0.5, units=METRES).item()
    assert point == pytest.approx(3.1886037, abs=5e-8)
    assert l_segment(500.0, 530.0, 0.5, max_slope_length_m=100.0, units=METRES).item() == pytest.approx(point, rel=1e-14)
    assert np.isnan(l_segment(np.array([60.0, -1.0, np.nan, 0.0]), np.array([30.0, 30.0, 30.0, 0.0]), 0.5, units=METRES)).all()
    with pytest.raises(InputError, match="max_slope_length_m is -1"):
        l_segment(0.0, 30.0, 0.5, max_slope_length_m=-1, units=METRES)


TABLE_OF_AH537 = [(30.48, 2, 0.201), (30.48, 5, 0.536), (30.48, 8, 0.992), (30.48, 10, 1.37), (30.48, 12, 1.80), (60.96, 10, 1.94)]
COMPUTED = [
    (22.13, 9, 0.9993, 1.0059, 1.0059, 1.0059),
    (30.48, 2, 0.2007, 0.2659, 0.2708, 0.2708),
    (30.48, 5, 0.5350, 0.6473, 0.6267, 0.6471),
    (30.48, 8, 0.9912, 1.0399, 1.0130, 1.0460),
    (30.48, 10, 1.3688, 1.3830, 1.3751, 1.3751),
    (30.48, 12, 1.8036, 1.7883, 1.7623, 1.7623),
    (60.96, 10, 1.9358, 1.9803, 1.9446, 1.9446),
    (100, 15, 4.6357, 4.7589, 4.2347, 4.2347),
    (50, 30, 10.1854, 7.3992, 8.0203, 8.0203),
    (100, 30, 14.4043, 11.6759, 11.3425, 11.3425),
]
SCHEMES = [
    ("wischmeier_smith1978", "wischmeier_smith1978"),
    ("mccool1987", "mccool1989"),
    ("liu1994", "csle_1_3_5"),
    ("liu1994", "csle_05_15_3"),
]


def uniform_slope(length_m, percent, steepness, exponent):
    theta = xr.DataArray(np.arctan(percent / 100), attrs={"units": "rad"})
    return (l_segment(0.0, length_m, m_exponent(theta, method=exponent), units=METRES) * s_factor(theta, method=steepness)).item()


@pytest.mark.parametrize(("length_m", "percent", "printed"), TABLE_OF_AH537)
def test_the_handbook_s_table_of_uniform_slopes(length_m, percent, printed):
    digits = 0.0011 if printed < 1 else 0.0051  # the handbook rounds m and LS: a unit of its last digit, half of one where it prints two
    assert uniform_slope(length_m, percent, *SCHEMES[0]) == pytest.approx(printed, abs=digits)


@pytest.mark.parametrize("row", COMPUTED)
def test_uniform_slopes_by_every_scheme(row):
    length_m, percent, *expected = row
    assert [uniform_slope(length_m, percent, *scheme) for scheme in SCHEMES] == pytest.approx(expected, abs=5.1e-5)


# LS of a DEM


def tilted(percent, rows=8, columns=5, cell=30.0):
    """A plane that falls southwards."""
    return percent / 100 * cell * np.arange(rows)[::-1, np.newaxis] * np.ones((1, columns)) + 500


@pytest.mark.parametrize("steepness", BOOK_S)
@pytest.mark.parametrize("exponent", ["mccool1989", "wischmeier_smith1978", "csle_1_3_5", "csle_05_15_3"])
def test_the_parts_in_one_pass_are_those_of_the_separate_functions(steepness, exponent):
    rng = np.random.default_rng(1)
    heights = np.cumsum(rng.normal(0, 6, (40, 40)) * (np.arange(40) / 40) ** 2, axis=0) + np.arange(40)[:, np.newaxis]
    heights[5, 6] = np.nan
    parts = ls_factor(heights, units="m", cell_size_m=20.0, steepness=steepness, exponent=exponent, max_steepness_degree=25.0, components=True)
    theta = slope(heights, units="m", cell_size_m=20.0)
    assert (np.degrees(theta) > 25).sum() > 10
    assert (np.degrees(theta) < 3).sum() > 10
    assert np.allclose(parts.s, s_factor(theta, method=steepness, max_steepness_degree=25.0), rtol=1e-12, equal_nan=True)
    assert np.allclose(parts.m, m_exponent(theta, method=exponent), rtol=1e-12, equal_nan=True)
    assert np.array_equal(parts.ls, parts.l * parts.s, equal_nan=True)


def test_the_default_scheme_is_within_a_billionth_of_pow_over_all_slopes_and_areas():
    rng = np.random.default_rng(8)
    tangents = np.exp(rng.uniform(np.log(1e-4), np.log(3), 4000))
    heights = np.stack([tangents, np.zeros(4000), -tangents]) * 30.0  # one row of cells, each on its own slope
    heights = np.repeat(heights, 3, axis=1)  # three columns alike, so that the middle one falls southwards alone
    area = np.full(heights.shape, np.nan)
    area[1] = np.repeat(np.exp(rng.uniform(0, np.log(1e9), 4000)) - 1, 3)
    got = ls_factor(heights, upslope_area=area, units={"dem": "m", "upslope_area": "m2"}, cell_size_m=30.0, components=True)
    middle = {name: got[name].values[1, 1::3] for name in ("ls", "l", "theta")}
    sine = tangents / np.hypot(1, tangents)
    beta = (sine / 0.0896) / (3 * sine**0.8 + 0.56)
    m = (beta / (1 + beta)).astype(np.longdouble)
    above = area[1, 1::3].astype(np.longdouble)
    expected_l = ((above + 900) ** (m + 1) - above ** (m + 1)) / (np.longdouble(30) ** (m + 2) * np.longdouble(22.13) ** m)
    s = np.where(tangents < 0.09, 10.8 * sine + 0.03, 16.8 * sine - 0.5)
    assert middle["theta"] == pytest.approx(np.arctan(tangents), rel=1e-12)
    assert np.abs(middle["l"] / expected_l - 1).max() < 1e-9
    assert np.abs(middle["ls"] / (expected_l * s) - 1).max() < 1e-9


@pytest.mark.parametrize(("form", "expected"), [("point", 7.08602), ("whole_slope", 7.08602 / 1.4)])
def test_stream_power_of_moore_and_burch(form, expected):
    area = np.full((8, 5), 100.0 * 30.0 - 900.0)  # 100 m² for each metre of contour, the cell's own included
    ls = ls_factor(tilted(20), length="moore_burch1986", form=form, upslope_area=area, units={"dem": "m", "upslope_area": "m2"}, cell_size_m=30.0)
    assert ls.values == pytest.approx(np.full((8, 5), expected), abs=5.1e-6)
    assert (ls.attrs["form"], ls.attrs["steepness"]) == (form, "moore_burch1986")


@pytest.mark.parametrize(("catchment_m", "percent", "expected"), [(30.0, 5, 0.530235), (300.0, 20, 12.79476)])
def test_ls_of_bohner_and_selige(catchment_m, percent, expected):
    area = np.full((8, 5), catchment_m * 30.0 - 900.0)
    ls = ls_factor(tilted(percent), length="bohner_selige2006", upslope_area=area, units={"dem": "m", "upslope_area": "m2"}, cell_size_m=30.0)
    assert ls.values == pytest.approx(np.full((8, 5), expected), rel=1e-6)


@pytest.mark.parametrize(("length", "expected"), [("moore_burch1986", 0.0), ("bohner_selige2006", 0.065)])
def test_level_ground_by_the_methods_of_ls(length, expected):
    assert ls_factor(np.full((4, 5), 7.0), length=length, units="m", cell_size_m=30.0).values == pytest.approx(np.full((4, 5), expected))


def test_the_longest_slope_clips_the_catchment_area_of_point_methods_too():
    area = np.full((8, 5), 1e6)
    options = {"upslope_area": area, "units": {"dem": "m", "upslope_area": "m2"}, "cell_size_m": 30.0, "length": "moore_burch1986"}
    sine = 0.2 / np.hypot(1, 0.2)
    assert ls_factor(tilted(20), max_slope_length_m=100.0, **options).values == pytest.approx(
        np.full((8, 5), 1.4 * (100 / 22.13) ** 0.4 * (sine / 0.0896) ** 1.3), rel=1e-12
    )


def test_attributes_name_sources_and_what_is_unchecked():
    ls = ls_factor(tilted(20), units="m", cell_size_m=30.0, steepness="nearing1997")
    assert "Nearing 1997" in ls.attrs["source"]
    assert "Desmet" in ls.attrs["source"]
    assert ls.attrs["method_status"] == "verified"
    assert ls_factor(tilted(20), units="m", cell_size_m=30.0, max_steepness_degree=30.0).attrs["method_status"] == "unchecked"
    assert "rill_ratio" not in ls_factor(tilted(20), units="m", cell_size_m=30.0, exponent="csle_1_3_5").attrs


def segment(start, end, m):
    return (end ** (m + 1) - start ** (m + 1)) / ((end - start) * 22.13**m)


def rusle_by_hand(tangent, start, end):
    sine = tangent / np.hypot(1, tangent)
    beta = sine / 0.0896 / (3 * sine**0.8 + 0.56)
    return segment(start, end, beta / (1 + beta)) * (16.8 * sine - 0.5 if tangent >= 0.09 else 10.8 * sine + 0.03)


def test_a_v_valley_in_closed_form():
    """Sides that fall 20 m a cell towards the bottom, all 1 m a cell southwards: straight slopes, and a bottom that gathers whole rows."""
    columns, rows, cell = 9, 7, 30.0
    heights = 20.0 * np.abs(np.arange(columns) - 4)[np.newaxis, :] - 1.0 * np.arange(rows)[:, np.newaxis]
    ls = ls_factor(heights, units="m", cell_size_m=cell).values
    across, down = 20 / cell, 1 / cell
    width = cell * (across + down) / np.hypot(across, down)
    sides = [rusle_by_hand(np.hypot(across, down), 900.0 * j / width, 900.0 * (j + 1) / width) for j in range(4)]
    bottom = [rusle_by_hand(down, (9 * (i + 1) - 1) * cell, 9 * (i + 1) * cell) for i in range(rows)]
    assert np.allclose(ls[:, :4], sides, rtol=1e-9)
    assert np.allclose(ls[:, :4:-1], sides, rtol=1e-9)
    assert np.allclose(ls[:, 4], bottom, rtol=1e-9)


@pytest.mark.parametrize("length", ["desmet_govers1996", "foster_wischmeier1974", "bohner_selige2006"])
def test_a_surface_on_a_geographic_grid_and_on_a_projected_one(length):
    """A second at 38.5° N is 24.231 by 30.835 m (the book's figures); over 40 rows its width changes by two in ten thousand."""
    heights, second = smooth_terrain(40), 1 / 3600
    coords = {"y": 38.5 + second * (20 - 0.5 - np.arange(40)), "x": 112 + second * (np.arange(40) + 0.5)}
    geographic = xr.DataArray(heights, dims=("y", "x"), coords=coords, attrs={"units": "m"}).rio.write_crs("EPSG:4326")
    got = ls_factor(geographic, length=length, max_slope_length_m=150.0)
    expected = ls_factor(heights, length=length, max_slope_length_m=150.0, units="m", cell_size_m=(24.231, 30.835))
    assert np.allclose(got, expected, rtol=1e-3)


# Symmetry


def smooth_terrain(size=33):
    """A surface without pits or ties: no two ways down are equally steep. (The banks of a lake, level when it is filled, are ties.)"""
    rng = np.random.default_rng(12)
    y, x = np.mgrid[0:size, 0:size] / size
    waves = sum(rng.normal() * np.sin(2 * np.pi * (rng.uniform(0.3, 2) * x + rng.uniform(0.3, 2) * y) + rng.uniform(0, 6)) for _ in range(9))
    return 5 * waves + 150 * (0.83 * y + 0.56 * x) + rng.normal(0, 0.02, (size, size))


TURNS = {
    "quarter turn": (lambda a: np.rot90(a).copy()),
    "half turn": (lambda a: np.rot90(a, 2).copy()),
    "mirror": (lambda a: a[:, ::-1].copy()),
    "transpose": (lambda a: a.T.copy()),
}


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("length", ["desmet_govers1996", "foster_wischmeier1974", "moore_burch1986"])
def test_a_turned_or_mirrored_dem_has_the_turned_or_mirrored_ls(turn, length):
    heights = smooth_terrain()
    assert np.array_equal(condition(heights, units="m"), heights)
    options = {"length": length, "units": "m", "cell_size_m": 30.0, "max_slope_length_m": 200.0, "channel_area_m2": 30_000.0}
    expected = TURNS[turn](ls_factor(heights, **options).values)
    assert np.allclose(ls_factor(TURNS[turn](heights), **options).values, expected, rtol=1e-9, equal_nan=True)
