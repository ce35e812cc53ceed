"""Factor kernels that look at one cell, against NumPy and plain Python; at their limits; and bit for bit whatever the length of a row."""

import math

import numpy as np
import pytest

from rusle_kernels import biological, cover, erodibility, practice, tables

NONE, INF = np.nan, np.inf
rng = np.random.default_rng(11)
SHAPE = (7, 501)


def soil():
    """Sand, silt, clay, very fine sand, organic matter, structure and permeability; the whole range of textures, and silt up to the brim."""
    shares = 100 * rng.dirichlet([1, 1, 1], SHAPE)
    sand, silt, clay = (np.ascontiguousarray(shares[..., k]) for k in range(3))
    return sand, silt, clay, rng.uniform(0, 1, SHAPE) * sand, rng.gamma(2, 1, SHAPE), rng.integers(1, 5, SHAPE) * 1.0, rng.integers(1, 7, SHAPE) * 1.0


def epic(sand, silt, clay, carbon):
    sn1 = 1 - sand / 100
    return (
        (0.2 + 0.3 * np.exp(-0.0256 * sand * (1 - silt / 100)))
        * (silt / (clay + silt)) ** 0.3
        * (1 - 0.25 * carbon / (carbon + np.exp(3.72 - 2.95 * carbon)))
        * (1 - 0.7 * sn1 / (sn1 + np.exp(-5.51 + 22.9 * sn1)))
    )


def of(kernel, *arguments):
    out = np.full(np.shape(arguments[0]), -9.0)
    kernel(*arguments, out)
    return out


@pytest.mark.parametrize("normalise", [0.0, 1.0])
def test_epic_and_its_correction(normalise):
    sand, silt, clay, _, matter, *_ = soil()
    sand = sand * 1.004
    scale = 100 / (sand + silt + clay) if normalise else 1.0
    us = epic(scale * sand, scale * silt, scale * clay, matter / 1.724)
    arguments = (sand, silt, clay, matter, 1.724, 1.0, normalise)
    np.testing.assert_allclose(of(erodibility.k_williams1990, *arguments), 0.1317 * us, rtol=4e-10)
    corrected = np.maximum(0.1317 * (-0.01383 + 0.51575 * us), 0)
    np.testing.assert_allclose(of(erodibility.k_zhang2008, *arguments), corrected, rtol=4e-10, atol=1e-12)


@pytest.mark.parametrize("normalise", [0.0, 1.0])
def test_nomograph_and_its_fine_branch(normalise):
    sand, silt, clay, fine_sand, matter, structure, permeability = soil()
    sand = sand * 1.004
    scale = 100 / (sand + silt + clay) if normalise else 1.0
    fine, m, limit = scale * (silt + fine_sand), scale * (silt + fine_sand) * (100 - scale * clay), 68.0 * (100 - scale * clay)
    texture, at_limit, held = 2.1e-4 * m**1.14, 2.1e-4 * limit**1.14, np.minimum(matter, 4)
    codes = 3.25 * (structure - 2) + 2.5 * (permeability - 3)
    arguments = (sand, silt, clay, fine_sand, matter, structure, permeability, 1.0, 4.0, 1.0, normalise)
    expected = np.where(fine <= 70, np.maximum(0.001317 * (texture * (12 - held) + codes), 0), NONE)
    np.testing.assert_allclose(of(erodibility.k_wischmeier1978, *arguments), expected, rtol=4e-10, atol=1e-11)
    beyond = texture - 0.67 * np.maximum(texture - at_limit, 0) ** 0.82
    expected = np.maximum(0.001317 * (beyond * (12 - held) + codes), 0)
    np.testing.assert_allclose(of(erodibility.k_rusle2_fine, *arguments), expected, rtol=4e-10, atol=1e-11)
    assert 0 < np.isnan(of(erodibility.k_wischmeier1978, *arguments)).mean() < 1


def test_the_fine_branch_from_its_beginning_on():
    silt, clay = 68 + np.concatenate([[-1e-9, 0.0], 10.0 ** np.linspace(-12, np.log10(32), 500)])[None, :], np.zeros((1, 502))
    one, texture = np.ones(silt.shape), 2.1e-4 * (silt * 100) ** 1.14
    of_limit = 2.1e-4 * 6800**1.14 * np.expm1(1.14 * np.log1p(np.maximum(silt - 68, 0) / 68))  # k − k68, without cancellation
    expected = 0.001317 * (texture - 0.67 * of_limit**0.82) * 11
    found = of(erodibility.k_rusle2_fine, 100 - silt, silt, clay, 0 * one, one, 2 * one, 3 * one, 1.0, 4.0, 1.0, 0.0)
    np.testing.assert_allclose(found, expected, rtol=4e-10)


@pytest.mark.parametrize("repeated", [1, 9])  # one value is not vectorised, nine are
def test_textures_at_their_limits(repeated):
    rows = [(100, 0, 0), (0, 100, 0), (0, 0, 100), (60, 0, 40), (60, 40, 0), (NONE, 50, 50), (50, NONE, 50), (50, 50, NONE), (50, 50, 10)]
    sand, silt, clay = (np.repeat(column, repeated)[None, :].astype(np.float64) for column in zip(*rows))
    one = np.ones(sand.shape)
    of_silt = 0.1317 * epic(0.0, 100.0, 0.0, 1.0)
    loam = 0.1317 * epic(60.0, 40.0, 0.0, 1.0)
    expected = np.repeat([NONE, of_silt, 0.0, 0.0, loam, NONE, NONE, NONE, NONE], repeated)[None, :]
    np.testing.assert_allclose(of(erodibility.k_williams1990, sand, silt, clay, one, 1.0, 1.0, 0.0), expected, rtol=4e-10)
    assert np.all(np.isnan(of(erodibility.k_williams1990, 60 * one, 20 * one, 20 * one, NONE * one, 1.0, 1.0, 0.0)))
    of_codes = 0.001317 * 6.5  # structure 4, permeability 3, no silt and no very fine sand
    bare = of(erodibility.k_wischmeier1978, sand, silt, clay, 0 * one, one, 4 * one, 3 * one, 1.0, 4.0, 1.0, 0.0)
    np.testing.assert_allclose(bare[0, [0, 2 * repeated, 3 * repeated]], of_codes, rtol=1e-12)
    for kernel in (erodibility.k_wischmeier1978, erodibility.k_rusle2_fine):
        for missing in range(4):
            others = [NONE * one if k == missing else one for k in range(4)]
            assert np.all(np.isnan(of(kernel, 60 * one, 20 * one, 20 * one, *others, 1.0, 4.0, 1.0, 0.0)))


def test_ndvi_to_a_power():
    ndvi = np.concatenate([rng.uniform(-1, 1, 499), [-1.0, 1.0]])[None, :]
    np.testing.assert_allclose(of(cover.c_ndvi_power, ndvi), ((1 - ndvi) / 2) ** (1 + ndvi), rtol=1e-9)
    assert of(cover.c_ndvi_power, np.array([[-1.0, 1.0, NONE]])).tolist()[0][:2] == [1.0, 0.0]
    assert np.isnan(of(cover.c_ndvi_power, np.array([[NONE]]))).item()


def test_wenner_from_level_to_upright():
    theta = np.concatenate([np.linspace(0, 1.57, 400), np.linspace(0.25, 0.28, 100), [NONE]])[None, :]
    np.testing.assert_allclose(of(practice.p_wenner1981, theta), np.minimum(0.2 + 3 * np.tan(theta), 1), rtol=1e-15)


CODES = {
    "near": [-3.0, 0.0, 1.0, 2.0, 250.0],
    "far": [-3e9, 0.0, 1.0, 2.0, 4e12],
    "one": [7.0],
    "as wide as places are given": [0.0, 65535.0],
    "a step wider": [0.0, 65536.0],
}
STRANGE = [NONE, INF, -INF, 1e300, -1e300, 0.5, -0.5, 1.5, -1.0, 3.0, 251.0, 65535.5, 65536.5, 65537.0, 8.0, 6.0]


def plain(classes, table):
    return np.array([[table.get(code, NONE) for code in row] for row in classes.tolist()])


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("width", [1, 3, 40])
def test_tables_on_classes(name, width):
    codes = np.array(CODES[name])
    values = np.round(rng.uniform(0, 1, codes.size), 3)
    classes = rng.permutation(np.concatenate([rng.choice(codes, 120 - len(STRANGE)), STRANGE])).reshape(-1, width)
    factor, known = rng.uniform(0, 1, classes.shape), ~np.isnan(classes)
    factor[0, 0] = NONE
    expected = plain(classes, dict(zip(codes.tolist(), values.tolist())))
    out = np.empty(classes.shape)
    assert tables.lookup(classes, codes, values, out) == np.sum(np.isnan(expected) & known)
    np.testing.assert_array_equal(out, expected)
    tables.override(factor, classes, codes, values, out)
    np.testing.assert_array_equal(out, np.where(known, np.where(np.isnan(expected), factor, expected), NONE))
    tables.only_in(factor, classes, codes, 0.25, out)
    np.testing.assert_array_equal(out, np.where(known, np.where(np.isnan(expected), 0.25, factor), NONE))
    least, most = np.minimum(values, 0.5), np.where(np.arange(codes.size) % 2, 0.9, np.minimum(values, 0.5))
    index = rng.uniform(-0.2, 1, classes.shape)
    assert cover.c_panagos2015(index, classes, 0.05, 0.86, codes, least, most, out) == np.sum(np.isnan(expected) & known)
    ranges = dict(zip(codes.tolist(), zip(least.tolist(), most.tolist())))
    for place in np.ndindex(classes.shape):
        low, high = ranges.get(float(classes[place]), (NONE, NONE))
        share = min(max((index[place] - 0.05) / 0.81, 0.0), 1.0)
        if math.isnan(low):
            assert np.isnan(out[place])
        else:
            assert out[place] == pytest.approx(low + (high - low) * (1 - share), rel=1e-12)


def test_c_of_a_range_of_one_number_needs_no_cover():
    out = np.empty((1, 3))
    cover.c_panagos2015(
        np.array([[NONE, NONE, 0.86]]), np.array([[1.0, 2.0, 2.0]]), 0.05, 0.86, np.array([1.0, 2.0]), np.array([0.1, 0.2]), np.array([0.1, 0.4]), out
    )
    np.testing.assert_allclose(out, [[0.1, NONE, 0.2]], rtol=1e-12)


def test_no_code_at_all_is_elsewhere():
    out = np.empty((1, 3))
    tables.only_in(np.ones((1, 3)), np.array([[0.0, 5.0, NONE]]), np.empty(0), 0.5, out)
    np.testing.assert_array_equal(out, [[0.5, 0.5, NONE]])


def calls():
    sand, silt, clay, fine_sand, matter, structure, permeability = soil()
    ndvi, classes, theta = rng.uniform(-1, 1, SHAPE), rng.integers(0, 12, SHAPE) * 1.0, rng.uniform(0, 0.6, SHAPE)
    codes, values = np.arange(10.0), np.arange(10.0) / 10
    nomograph = (sand, silt, clay, fine_sand, matter, structure, permeability), (1.0, 4.0, 1.0, 1.0)
    return {
        "k_williams1990": (erodibility.k_williams1990, (sand, silt, clay, matter), (1.0, 1.0, 0.0)),
        "k_williams1990 normalised": (erodibility.k_williams1990, (sand, silt, clay, matter), (1.0, 1.0, 1.0)),
        "k_zhang2008": (erodibility.k_zhang2008, (sand, silt, clay, matter), (1.0, 1.0, 0.0)),
        "k_wischmeier1978": (erodibility.k_wischmeier1978, *nomograph),
        "k_rusle2_fine": (erodibility.k_rusle2_fine, *nomograph),
        "k_renard1997": (erodibility.k_renard1997, (sand, silt, clay), (0.0034, 0.0405, 1.659, 0.7101, 1.0, 1.0)),
        "k_torri1997": (erodibility.k_torri1997, (sand, silt, clay, matter), (1.0, 1.0, 0.0)),
        "c_ndvi_power": (cover.c_ndvi_power, (ndvi,), ()),
        "c_panagos2015": (cover.c_panagos2015, (ndvi, classes), (0.05, 0.86, codes, values / 2, values)),
        "p_wenner1981": (practice.p_wenner1981, (theta,), ()),
        "lookup": (tables.lookup, (classes,), (codes, values)),
        "override": (tables.override, (theta, classes), (codes, values)),
        "only_in": (tables.only_in, (theta, classes), (codes, 1.0)),
    }


@pytest.mark.parametrize("name", calls())
def test_the_same_bits_whatever_the_length_of_a_row(name):
    kernel, arrays, parameters = calls()[name]
    together = of(kernel, *arrays, *parameters)
    for begin, end in ((0, 1), (3, 5), (2, 9), (1, 65), (100, 500)):
        part = [np.ascontiguousarray(array[:, begin:end]) for array in arrays]
        assert of(kernel, *part, *parameters).tobytes() == np.ascontiguousarray(together[:, begin:end]).tobytes()


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("by_cell", [False, True])
def test_means_of_ratios_by_class(name, by_cell):
    codes = np.array(CODES[name])
    classes = rng.permutation(np.concatenate([rng.choice(codes, 2000), STRANGE]))[None, :]
    ratios, wr = rng.uniform(0, 1, (codes.size, 24)), rng.uniform(0, 1, (24, classes.size if by_cell else 1))
    expected = np.full(classes.shape, NONE)
    for c, code in enumerate(classes[0].tolist()):
        if code in codes.tolist():
            expected[0, c] = np.average(ratios[codes.tolist().index(code)], weights=wr[:, c if by_cell else 0])
    out = np.empty(classes.shape)
    assert biological.weighted_table(classes, codes, ratios, wr, out) == np.sum(np.isnan(expected) & ~np.isnan(classes))
    np.testing.assert_allclose(out, expected, rtol=1e-13)


@pytest.mark.parametrize(("place", "value"), [((0, 0), -0.1), ((3, 500), 1.1), ((6, 499), INF), ((2, 17), -INF)])
def test_the_first_value_out_of_range(place, value):
    values = rng.uniform(0, 1, SHAPE)
    values[0, 5], values[6, 500] = NONE, 7.0
    assert tables.first_outside(values, 0.0, 1.0) == 6 * 501 + 500
    values[place] = value
    assert tables.first_outside(values, 0.0, 1.0) == place[0] * 501 + place[1]
    assert tables.first_outside(np.full((2, 3), NONE), 0.0, 1.0) == -1


def slr_forest(fvc, under):
    return 0.44468 * np.exp(-3.20096 * under) - 0.04099 * np.exp(fvc * (1 - under)) + 0.025


CURVES_OF_B = {
    "growth": (lambda fvc, _under: 1 / (1.25 + 0.78845 * 1.05968 ** (100 * fvc)), biological.b_by_growth, (1.25, 0.78845, 1.05968)),
    "forest": (slr_forest, biological.b_forest, None),
    "forest, understorey in layers": (slr_forest, biological.b_forest, None),
    "mean": (lambda fvc, _under: fvc, biological.weighted_mean, None),
}


@pytest.mark.parametrize("name", CURVES_OF_B)
@pytest.mark.parametrize("by_cell", [False, True])
def test_means_over_half_months(name, by_cell):
    """Two years of 4999 cells, more than are folded at once; some NDVI unknown, in half-months that count and in some that do not."""
    curve, kernel, parameters = CURVES_OF_B[name]
    ndvi, wr = rng.uniform(-0.1, 1, (48, 4999)).astype(np.float32), rng.uniform(0, 1, (24, 4999 if by_cell else 1))
    under = rng.uniform(0, 1, (24 if name.endswith("layers") else 1, 4999))
    wr[[3, 20]], ndvi[3, 100:300], ndvi[44, ::7], ndvi[30, 200:400] = 0.0, NONE, NONE, NONE
    fvc = ndvi.astype(np.float64) if name == "mean" else np.clip((ndvi.astype(np.float64) - 0.05) / 0.81, 0, 1)
    weights = np.tile(wr, (2, 1))
    ratios = curve(fvc, np.tile(under, (48 // len(under), 1)))
    expected = np.sum(np.where(weights == 0, 0, weights * ratios), axis=0) / weights.sum(axis=0)

    def fold(cells):
        out, layers, shares = np.full((1, ndvi[0, cells].size), -9.0), ndvi[:, cells].copy(), wr[:, cells].copy() if by_cell else wr
        if name == "growth":
            kernel(layers, 0.05, 0.86, *parameters, shares, by_cell, out)
        elif name.startswith("forest"):
            kernel(layers, 0.05, 0.86, under[:, cells].copy(), shares, by_cell, out)
        else:
            kernel(layers, shares, out)
        return out[0]

    together = fold(slice(None))
    np.testing.assert_allclose(together, expected, rtol=4e-10)
    for cells in (slice(0, 1), slice(3, 5), slice(100, 409), slice(1990, 4999)):
        assert fold(cells).tobytes() == together[cells].tobytes()
