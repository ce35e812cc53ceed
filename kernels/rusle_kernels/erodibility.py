"""Soil erodibility K: one formula, one kernel. Texture and organic contents in percent; K in t ha h ha-1 MJ-1 mm-1.

Every kernel gives NaN where the three fractions do not add up to 100 within ``tolerance``; with ``normalise`` 1 they are scaled to 100 first,
with 0 they are taken as they are. No loop branches, so that they vectorise.
"""

import math

import numpy as np

from rusle_kernels._jit import inline, kernel
from rusle_kernels.elementary import exp, multiply_add, short_exp2, short_exp2_as_fraction, short_log2, short_log2_of_ratio

_SI = 0.1317  # K in US units to SI
NOT_CLOSED, BEYOND_NOMOGRAPH, MATTER_HELD, FLOORED, NODATA_FLAG = 1, 2, 4, 8, 255
_LOG10_E, _LOG2_E = math.log10(math.e), 1.4426950408889634
_LOG2_OF_2_1E_4 = math.log2(2.1e-4)
_LN_CLAY_MM, _LN_SILT_MM, _LN_SAND_MM = math.log(0.001), math.log(0.026), math.log(1.025)


@inline
def _scale(sand, silt, clay, tolerance, normalise):
    """What to multiply the fractions by: 1, or 100 over their sum; NaN where they do not close."""
    total = sand + silt + clay
    scale = 100.0 / total if normalise else 1.0
    return scale if abs(total - 100.0) <= tolerance else float("nan")


@inline
def _k_of_epic(sand, silt, clay, organic, log2_of_unit, per_carbon, tolerance, normalise, rise, base):
    """``base`` + ``rise``·EPIC, 0 where negative; NaN where the fractions do not close, and where there is neither silt nor clay.

    Of contents from 0 to 100, to 3.4·10⁻¹⁰. The exponentials are fractions, so that one division does for all of them.
    """
    fines = silt + clay
    total = sand + fines
    scale = 100.0 / total if normalise else 1.0
    san, sil = scale * sand, scale * silt
    # exp(3.72 − 2.95 C), in the unit of ``organic``
    n_carbon, d_carbon = short_exp2_as_fraction(multiply_add(-2.95 * _LOG2_E * per_carbon, organic, 3.72 * _LOG2_E + log2_of_unit))
    n_silt, d_silt = short_exp2_as_fraction(0.3 * short_log2_of_ratio(silt, fines))
    n_silt = n_silt if silt > 0.0 else 0.0
    n_sand, d_sand = short_exp2_as_fraction(multiply_add(-0.229 * _LOG2_E, san, (22.9 - 5.51) * _LOG2_E))
    n_coarse, d_coarse = short_exp2_as_fraction(san * multiply_add(0.000256 * _LOG2_E, sil, -0.0256 * _LOG2_E))
    carbon, sn1 = d_carbon * organic, d_sand * multiply_add(-0.01, san, 1.0)
    coarse = multiply_add(0.3 * rise, n_coarse, 0.2 * rise * d_coarse)
    # 1 − 0.25 C/(C + e) and 1 − 0.7 SN₁/(SN₁ + e)
    above = coarse * multiply_add(0.75, carbon, n_carbon) * (multiply_add(0.3, sn1, n_sand) * n_silt)
    below = d_coarse * (carbon + n_carbon) * ((sn1 + n_sand) * d_silt)
    k = above / below + base
    k = 0.0 if k < 0.0 else k
    return k if (abs(total - 100.0) <= tolerance) & (fines > 0.0) else float("nan")


@inline
def _fill_epic(sand, silt, clay, organic, organic_per_carbon, tolerance, normalise, rise, base, out):
    log2_of_unit, per_carbon = math.log2(organic_per_carbon), 1.0 / organic_per_carbon
    for i in range(out.shape[0]):
        row, sands, silts, clays, organics = out[i], sand[i], silt[i], clay[i], organic[i]
        if normalise:
            for j in range(row.size):
                row[j] = _k_of_epic(sands[j], silts[j], clays[j], organics[j], log2_of_unit, per_carbon, tolerance, True, rise, base)
        else:
            for j in range(row.size):
                row[j] = _k_of_epic(sands[j], silts[j], clays[j], organics[j], log2_of_unit, per_carbon, tolerance, False, rise, base)


@kernel
def k_williams1990(sand, silt, clay, organic, organic_per_carbon, tolerance, normalise, out):
    """EPIC. ``organic`` is carbon (``organic_per_carbon`` 1) or matter (1.724)."""
    _fill_epic(sand, silt, clay, organic, organic_per_carbon, tolerance, normalise, _SI, 0.0, out)


@kernel
def k_zhang2008(sand, silt, clay, organic, organic_per_carbon, tolerance, normalise, out):
    """EPIC corrected by Chinese plots, in US units, then to SI; 0 where that is negative."""
    _fill_epic(sand, silt, clay, organic, organic_per_carbon, tolerance, normalise, _SI * 0.51575, _SI * -0.01383, out)


@inline
def _power_of_excess(fine, log2_texture):
    """(k − k₆₈)^0.82 of the texture term k of ``fine`` above 68 percent, from its binary logarithm; to 7·10⁻¹⁰ up to 100 percent.

    k − k₆₈ = k [1 − (68/f)^1.14], and with y = (f − 68)/(f + 68) and t = tanh(1.14 artanh y) the bracket is 2t/(1 + t). t/y is nearly
    constant, a fraction of polynomials of y² (that interpolate up to 102 percent, to 3·10⁻¹²; to 2·10⁻⁷ at 200).
    """
    y = (fine - 68.0) / (fine + 68.0)
    w = y * y
    above = y * multiply_add(w, multiply_add(w, 0.05608662358238027, -0.7668487373927643), 1.139999999996748)
    below = multiply_add(w, -0.5728076666646809, 1.0) + above
    return short_exp2(multiply_add(0.82, short_log2_of_ratio(above, below), multiply_add(0.82, log2_texture, 0.82)))


@inline
def _texture_term(fine, not_clay, branches):
    """k = 2.1·10⁻⁴ M^1.14 of M = (silt + very fine sand)(100 − clay); above 68 percent the branch, where there is one."""
    log2_texture = multiply_add(1.14, short_log2(fine * not_clay), _LOG2_OF_2_1E_4)
    excess = 0.67 * _power_of_excess(fine, log2_texture) if branches else 0.0
    texture = short_exp2(log2_texture) - (excess if fine > 68.0 else 0.0)
    return texture if (fine > 0.0) & (not_clay > 0.0) else 0.0


@inline
def _k_of_nomograph(sand, silt, clay, very_fine, organic, structure, permeability, matter_per_organic, most_matter, tolerance, normalise, branches):
    """0 where negative; NaN where the fractions do not close, and above 70 percent silt and very fine sand unless it branches."""
    total = sand + silt + clay
    scale = 100.0 / total if normalise else 1.0
    fine, not_clay = scale * (silt + very_fine), multiply_add(-scale, clay, 100.0)
    matter = matter_per_organic * organic
    matter = most_matter if matter > most_matter else matter
    codes = multiply_add(3.25, structure, multiply_add(2.5, permeability, -14.0))  # 3.25 (s − 2) + 2.5 (p − 3)
    k = _SI * 0.01 * multiply_add(_texture_term(fine, not_clay, branches), 12.0 - matter, codes)
    k = 0.0 if k < 0.0 else k
    return k if (abs(total - 100.0) <= tolerance) & (fine <= (np.inf if branches else 70.0)) else float("nan")


@inline
def _fill_nomograph(
    sand, silt, clay, very_fine_sand, organic, structure, permeability, per_organic, most_matter, tolerance, normalise, branches, out
):
    for i in range(out.shape[0]):
        row, sands, silts, clays, very_fine = out[i], sand[i], silt[i], clay[i], very_fine_sand[i]
        organics, s, p = organic[i], structure[i], permeability[i]
        if normalise:
            for j in range(row.size):
                row[j] = _k_of_nomograph(
                    sands[j], silts[j], clays[j], very_fine[j], organics[j], s[j], p[j], per_organic, most_matter, tolerance, True, branches
                )
        else:
            for j in range(row.size):
                row[j] = _k_of_nomograph(
                    sands[j], silts[j], clays[j], very_fine[j], organics[j], s[j], p[j], per_organic, most_matter, tolerance, False, branches
                )


@kernel
def k_wischmeier1978(sand, silt, clay, very_fine_sand, organic, structure, permeability, organic_per_matter, most_matter, tolerance, normalise, out):
    """The nomograph; NaN above 70 percent silt and very fine sand, where it does not hold; organic matter held at ``most_matter``."""
    per_organic = 1.0 / organic_per_matter
    _fill_nomograph(sand, silt, clay, very_fine_sand, organic, structure, permeability, per_organic, most_matter, tolerance, normalise, False, out)


@kernel
def k_rusle2_fine(sand, silt, clay, very_fine_sand, organic, structure, permeability, organic_per_matter, most_matter, tolerance, normalise, out):
    """The nomograph with a branch of its own above 68 percent silt and very fine sand."""
    per_organic = 1.0 / organic_per_matter
    _fill_nomograph(sand, silt, clay, very_fine_sand, organic, structure, permeability, per_organic, most_matter, tolerance, normalise, True, out)


@kernel
def k_renard1997(sand, silt, clay, least, rise, centre, width, tolerance, normalise, out):
    """A bell over the decimal logarithm of the geometric mean diameter."""
    for i in range(out.shape[0]):
        row, sands, silts, clays = out[i], sand[i], silt[i], clay[i]
        for j in range(row.size):
            scale = 0.01 * _scale(sands[j], silts[j], clays[j], tolerance, normalise)
            ln_diameter = scale * (clays[j] * _LN_CLAY_MM + silts[j] * _LN_SILT_MM + sands[j] * _LN_SAND_MM)
            z = (ln_diameter * _LOG10_E + centre) / width
            row[j] = least + rise * exp(-0.5 * z * z)


@kernel
def k_torri1997(sand, silt, clay, organic, organic_per_matter, tolerance, normalise, out):
    """Torri, Poesen and Borselli; NaN without clay."""
    for i in range(out.shape[0]):
        row, sands, silts, clays, organics = out[i], sand[i], silt[i], clay[i], organic[i]
        for j in range(row.size):
            scale = 0.01 * _scale(sands[j], silts[j], clays[j], tolerance, normalise)
            diameter = scale * (-0.5 * sands[j] - 2.0 * silts[j] - 3.5 * clays[j])
            c = scale * clays[j]
            matter_per_clay = organics[j] / organic_per_matter / c
            exponent = -0.0021 * matter_per_clay - 0.00037 * matter_per_clay * matter_per_clay - 4.02 * c + 1.72 * c * c
            k = 0.0293 * (0.65 - diameter + 0.24 * diameter * diameter) * exp(exponent)
            row[j] = k if c > 0.0 else float("nan")


@kernel
def under_stones(k, rock_cover_pct, out):
    """K under rock fragments: times exp[−0.04 (cover − 10)] above 10 percent."""
    for i in range(out.shape[0]):
        row, bare, cover = out[i], k[i], rock_cover_pct[i]
        for j in range(row.size):
            row[j] = bare[j] * exp(-0.04 * (cover[j] - 10.0 if cover[j] > 10.0 else 0.0)) + 0.0 * cover[j]


@kernel
def estimated_very_fine_sand(sand, out):
    """(0.74 − 0.62 sand/100) sand."""
    for i in range(out.shape[0]):
        row, sands = out[i], sand[i]
        for j in range(row.size):
            row[j] = (0.74 - 0.0062 * sands[j]) * sands[j]


@kernel
def not_closed(sand, silt, clay, tolerance, out):
    """1 where all three fractions are known and do not add up to 100 within the tolerance, else 0."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = abs(sand[i, j] + silt[i, j] + clay[i, j] - 100.0) > tolerance


@kernel
def what_shaped_k(sand, silt, clay, fine, matter, k, tolerance, most_fine, most_matter, out):
    """Flags of what shaped K: fractions that do not close, texture beyond the nomograph, organic matter held, K floored at 0."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            total = sand[i, j] + silt[i, j] + clay[i, j]
            found = NOT_CLOSED * (abs(total - 100.0) > tolerance)
            found |= BEYOND_NOMOGRAPH * (fine[i, j] > most_fine)
            found |= MATTER_HELD * (matter[i, j] > most_matter)
            found |= FLOORED * (k[i, j] == 0.0)
            out[i, j] = found if total == total and (k[i, j] == k[i, j] or found & (NOT_CLOSED | BEYOND_NOMOGRAPH)) else NODATA_FLAG
