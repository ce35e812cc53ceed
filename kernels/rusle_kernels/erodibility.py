"""Soil erodibility K: one formula, one kernel. Texture and organic contents in percent; K in t ha h ha-1 MJ-1 mm-1.

Every kernel gives NaN where the three fractions do not add up to 100 within ``tolerance``; with ``normalise`` 1 they are scaled to 100 first,
with 0 they are taken as they are. No loop branches, so that they vectorise.
"""

import math

from rusle_kernels._jit import inline, kernel
from rusle_kernels.elementary import exp, power

_SI = 0.1317  # K in US units to SI
NOT_CLOSED, BEYOND_NOMOGRAPH, MATTER_HELD, FLOORED, NODATA_FLAG = 1, 2, 4, 8, 255
_LOG10_E = math.log10(math.e)
_LN_CLAY_MM, _LN_SILT_MM, _LN_SAND_MM = math.log(0.001), math.log(0.026), math.log(1.025)


@inline
def _scale(sand, silt, clay, tolerance, normalise):
    """What to multiply the fractions by: 1, or 100 over their sum; NaN where they do not close."""
    total = sand + silt + clay
    scale = 1.0 + normalise * (100.0 / total - 1.0)
    return scale if abs(total - 100.0) <= tolerance else float("nan")


@inline
def _epic(sand, silt, clay, carbon):
    """EPIC in US units; NaN where there is neither silt nor clay."""
    sn1 = 1.0 - sand / 100.0
    coarse_sand = 0.2 + 0.3 * exp(-0.0256 * sand * (1.0 - silt / 100.0))
    silt_share = power(silt / (clay + silt), 0.3)
    organic_carbon = 1.0 - 0.25 * carbon / (carbon + exp(3.72 - 2.95 * carbon))
    high_sand = 1.0 - 0.7 * sn1 / (sn1 + exp(-5.51 + 22.9 * sn1))
    return coarse_sand * silt_share * organic_carbon * high_sand


@kernel
def k_williams1990(sand, silt, clay, organic, organic_per_carbon, tolerance, normalise, out):
    """EPIC. ``organic`` is carbon (``organic_per_carbon`` 1) or matter (1.724)."""
    for i in range(out.shape[0]):
        row, sands, silts, clays, organics = out[i], sand[i], silt[i], clay[i], organic[i]
        for j in range(row.size):
            scale = _scale(sands[j], silts[j], clays[j], tolerance, normalise)
            row[j] = _SI * _epic(scale * sands[j], scale * silts[j], scale * clays[j], organics[j] / organic_per_carbon)


@kernel
def k_zhang2008(sand, silt, clay, organic, organic_per_carbon, tolerance, normalise, out):
    """EPIC corrected by Chinese plots, in US units, then to SI; 0 where that is negative."""
    for i in range(out.shape[0]):
        row, sands, silts, clays, organics = out[i], sand[i], silt[i], clay[i], organic[i]
        for j in range(row.size):
            scale = _scale(sands[j], silts[j], clays[j], tolerance, normalise)
            k = _SI * (-0.01383 + 0.51575 * _epic(scale * sands[j], scale * silts[j], scale * clays[j], organics[j] / organic_per_carbon))
            row[j] = 0.0 if k < 0.0 else k


@inline
def _texture_term(fine, clay):
    """2.1·10⁻⁴ M^1.14, M = (silt + very fine sand)(100 − clay)."""
    return 2.1e-4 * power(fine * (100.0 - clay), 1.14)


@inline
def _nomograph(texture, matter, structure, permeability):
    k = _SI * 0.01 * (texture * (12.0 - matter) + 3.25 * (structure - 2.0) + 2.5 * (permeability - 3.0))
    return 0.0 if k < 0.0 else k


@kernel
def k_wischmeier1978(sand, silt, clay, very_fine_sand, organic, structure, permeability, organic_per_matter, most_matter, tolerance, normalise, out):
    """The nomograph; NaN above 70 percent silt and very fine sand, where it does not hold; organic matter held at ``most_matter``."""
    for i in range(out.shape[0]):
        row, sands, silts, clays, very_fine, organics = out[i], sand[i], silt[i], clay[i], very_fine_sand[i], organic[i]
        structures, permeabilities = structure[i], permeability[i]
        for j in range(row.size):
            scale = _scale(sands[j], silts[j], clays[j], tolerance, normalise)
            fine = scale * (silts[j] + very_fine[j])
            matter = organics[j] / organic_per_matter
            matter = most_matter if matter > most_matter else matter
            k = _nomograph(_texture_term(fine, scale * clays[j]), matter, structures[j], permeabilities[j])
            row[j] = k if fine <= 70.0 else float("nan")


@kernel
def k_rusle2_fine(sand, silt, clay, very_fine_sand, organic, structure, permeability, organic_per_matter, most_matter, tolerance, normalise, out):
    """The nomograph with a branch of its own above 68 percent silt and very fine sand."""
    for i in range(out.shape[0]):
        row, sands, silts, clays, very_fine, organics = out[i], sand[i], silt[i], clay[i], very_fine_sand[i], organic[i]
        structures, permeabilities = structure[i], permeability[i]
        for j in range(row.size):
            scale = _scale(sands[j], silts[j], clays[j], tolerance, normalise)
            fine = scale * (silts[j] + very_fine[j])
            matter = organics[j] / organic_per_matter
            matter = most_matter if matter > most_matter else matter
            texture, limit = _texture_term(fine, scale * clays[j]), _texture_term(68.0, scale * clays[j])
            excess = texture - limit
            texture = texture - 0.67 * power(excess if excess > 0.0 else 0.0, 0.82)
            row[j] = _nomograph(texture, matter, structures[j], permeabilities[j])


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
