"""Soil erodibility K: one formula, one kernel. Texture and carbon in percent; K in t ha h ha-1 MJ-1 mm-1."""

import math

from rusle_kernels._jit import kernel


@kernel
def k_williams1990(sand, silt, clay, organic, organic_per_carbon, closure_tolerance_pct, out):
    """EPIC. ``organic`` is carbon (``organic_per_carbon`` 1) or matter (1.724).

    NaN where the three fractions do not add up to 100 within the tolerance, and where there is neither silt nor clay.
    """
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            san, sil, cla = sand[i, j], silt[i, j], clay[i, j]
            carbon = organic[i, j] / organic_per_carbon
            out[i, j] = float("nan")
            if abs(san + sil + cla - 100.0) <= closure_tolerance_pct and cla + sil > 0.0:
                sn1 = 1.0 - san / 100.0
                coarse_sand = 0.2 + 0.3 * math.exp(-0.0256 * san * (1.0 - sil / 100.0))
                silt_share = (sil / (cla + sil)) ** 0.3
                organic_carbon = 1.0 - 0.25 * carbon / (carbon + math.exp(3.72 - 2.95 * carbon))
                high_sand = 1.0 - 0.7 * sn1 / (sn1 + math.exp(-5.51 + 22.9 * sn1))
                out[i, j] = 0.1317 * coarse_sand * silt_share * organic_carbon * high_sand


@kernel
def not_closed(sand, silt, clay, closure_tolerance_pct, out):
    """1 where all three fractions are known and do not add up to 100 within the tolerance, else 0."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            total = sand[i, j] + silt[i, j] + clay[i, j]
            out[i, j] = abs(total - 100.0) > closure_tolerance_pct
