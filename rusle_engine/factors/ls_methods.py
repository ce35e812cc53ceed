"""The methods of LS by name: where each comes from, and what its kernel takes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from rusle_engine.core.methods import MethodInfo, Methods
from rusle_engine.terrain.multiple_flow import METHODS as ROUTINGS
from rusle_kernels import slope_length, topography

SteepnessMethod = Literal["mccool1987", "liu1994", "nearing1997", "wischmeier_smith1978"]
ExponentMethod = Literal["mccool1989", "wischmeier_smith1978", "csle_1_3_5", "csle_05_15_3", "oliveira2013"]
LengthMethod = Literal["desmet_govers1996", "foster_wischmeier1974", "wischmeier_smith1978", "moore_burch1986", "bohner_selige2006"]
RillRatio = Literal["low", "moderate", "high"]
PointForm = Literal["point", "whole_slope"]

METHODS: Methods = {
    **ROUTINGS,
    "desmet_govers1996": MethodInfo(
        "L = [(A_in + a)^(m+1) − A_in^(m+1)] / [a (22.13 w)^m], w = dx|cos α| + dy|sin α|",
        "Desmet & Govers 1996, J. Soil Water Cons. 51:427, eq. 9",
        ("upslope_area", "m", "alpha"),
        "1",
        "verified",
        "LS-9",
    ),
    "foster_wischmeier1974": MethodInfo(
        "L = (λ_out^(m+1) − λ_in^(m+1)) / [(λ_out − λ_in) 22.13^m], λ along the flow path (vanremortel2004)",
        "Foster & Wischmeier 1974, Trans. ASAE 17:305; Van Remortel et al. 2004, Computers & Geosciences 30:1043",
        ("start", "end", "m"),
        "1",
        "verified",
        "LS-8",
    ),
    "wischmeier_smith1978": MethodInfo(
        "L = (λ/22.13)^m, λ along the flow path; S = 65.41 sin² θ + 4.56 sin θ + 0.065; m = 0.2, from 1 % 0.3, from 3.5 % 0.4, from 5 % 0.5",
        "Wischmeier & Smith 1978, USDA Agriculture Handbook 537",
        ("theta",),
        "1",
        "verified",
        "LS-1",
    ),
    "moore_burch1986": MethodInfo(
        "LS = 1.4 (A_s/22.13)^0.4 (sin θ/0.0896)^1.3 at a point, without 1.4 for the slope above it",
        "Moore & Burch 1986, SSSAJ 50:1294; Moore & Wilson 1992, J. Soil Water Cons. 47:423",
        ("upslope_area", "theta"),
        "1",
        "verified",
        "LS-10",
    ),
    "bohner_selige2006": MethodInfo(
        "LS = (A_s/22.13)^e S of wischmeier_smith1978, e = 0.5 above 0.0505 rad, 3 θ^0.6 below",
        "Böhner & Selige 2006, Göttinger Geographische Abhandlungen 115:13, as in SAGA's program",
        ("upslope_area", "theta"),
        "1",
        "verified",
        "LS-11",
    ),
    "mccool1989": MethodInfo(
        "m = β/(1+β), β = (sin θ/0.0896)/(3 sin^0.8 θ + 0.56), halved or doubled by the rill ratio",
        "McCool et al. 1989, Trans. ASAE 32:1571",
        ("theta",),
        "1",
        "verified",
        "LS-4",
    ),
    "csle_1_3_5": MethodInfo(
        "m = 0.2 up to 1°, 0.3 up to 3°, 0.4 up to 5°, 0.5 above",
        "Liu et al. 2002, 12th ISCO, Beijing",
        ("theta",),
        "1",
        "verified",
        "LS-6",
    ),
    "csle_05_15_3": MethodInfo(
        "m = 0.2 up to 0.5°, 0.3 up to 1.5°, 0.4 up to 3°, 0.5 above",
        "the slope-length tool of Fu et al. 2015",
        ("theta",),
        "1",
        "verified",
        "LS-6",
    ),
    "oliveira2013": MethodInfo(
        "m = 0.2 up to 1 %, 0.3 up to 3.5 %, 0.4 up to 5 %, 0.5 up to 9 %, mccool1989 above",
        "InVEST user's guide, SDR, after Oliveira et al. 2013",
        ("theta",),
        "1",
        "verified",
        "LS-4",
    ),
    "mccool1987": MethodInfo(
        "S = 10.8 sin θ + 0.03 below 9 %, 16.8 sin θ − 0.50 from 9 %",
        "McCool et al. 1987, Trans. ASAE 30:1387",
        ("theta",),
        "1",
        "verified",
        "LS-3",
    ),
    "liu1994": MethodInfo(
        "S = 10.8 sin θ + 0.03 below 5°, 16.8 sin θ − 0.50 from 5°, 21.91 sin θ − 0.96 from 10°",
        "Liu, Nearing & Risse 1994, Trans. ASAE 37:1835",
        ("theta",),
        "1",
        "verified",
        "LS-5",
        "plots of 20 m at 9 to 55 % on the Loess Plateau",
    ),
    "nearing1997": MethodInfo(
        "S = −1.5 + 17/[1 + exp(2.3 − 6.1 sin θ)]",
        "Nearing 1997, SSSAJ 61:917",
        ("theta",),
        "1",
        "verified",
        "LS-7",
    ),
}

RILL_RATIOS = {"low": 0.5, "moderate": 1.0, "high": 2.0}
"""What β is multiplied by."""


@dataclass(frozen=True)
class Classes:
    """Where classes of slope begin, and what holds in each.

    ``unit`` is that in which the source gives the limits; ``above`` tells that a limit itself belongs to the class below it.
    """

    unit: Literal["%", "degree"]
    limits: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]
    above: bool = False

    def by_angle(self) -> np.ndarray[Any, Any]:
        """The table by slope angle [rad]."""
        return self._table([math.atan(limit / 100) if self.unit == "%" else math.radians(limit) for limit in self.limits])

    def by_tangent(self) -> np.ndarray[Any, Any]:
        """The table by tan θ."""
        return self._table([limit / 100 if self.unit == "%" else math.tan(math.radians(limit)) for limit in self.limits])

    def _table(self, limits: Sequence[float]) -> np.ndarray[Any, Any]:
        starts = [0.0, *(math.nextafter(limit, math.inf) if self.above else limit for limit in limits)]
        return np.array([[start, *values] for start, values in zip(starts, self.values)])


@dataclass(frozen=True)
class Family:
    """Which row function a kernel uses, and its classes of slope (not looked at where the family has none)."""

    number: int
    classes: Classes


_POLYNOMIAL = Classes("%", (math.inf, math.inf), ((65.41, 4.56, 0.065),) * 3)
_GENTLE, _STEEP, _LOESS = (0.0, 10.8, 0.03), (0.0, 16.8, -0.50), (0.0, 21.91, -0.96)
_M = ((0.2,), (0.3,), (0.4,), (0.5,))
_AH537 = Classes("%", (1.0, 3.5, 5.0), _M)
_CONSTANT = Classes("%", (math.inf,) * 3, ((0.4,),) * 4)

STEEPNESS_FAMILIES: dict[str, Family] = {
    "mccool1987": Family(topography.LINES, Classes("%", (9.0, math.inf), (_GENTLE, _STEEP, _STEEP))),
    "liu1994": Family(topography.LINES, Classes("degree", (5.0, 10.0), (_GENTLE, _STEEP, _LOESS))),
    "nearing1997": Family(topography.LOGISTIC, _POLYNOMIAL),
    "wischmeier_smith1978": Family(topography.LINES, _POLYNOMIAL),
    "moore_burch1986": Family(topography.POWER, _POLYNOMIAL),
    "bohner_selige2006": Family(topography.LINES, _POLYNOMIAL),
}
"""S by name; the last two belong to the methods of LS of that name."""
EXPONENT_FAMILIES: dict[str, Family] = {
    "mccool1989": Family(topography.RILLS, _AH537),
    "wischmeier_smith1978": Family(topography.STEPS, _AH537),
    "csle_1_3_5": Family(topography.STEPS, Classes("degree", (1.0, 3.0, 5.0), _M, above=True)),
    "csle_05_15_3": Family(topography.STEPS, Classes("degree", (0.5, 1.5, 3.0), _M, above=True)),
    "oliveira2013": Family(topography.STEPS_THEN_RILLS, Classes("%", (1.0, 3.5, 5.0, 9.0), (*_M, (math.nan,)), above=True)),
    "moore_burch1986": Family(topography.STEPS, _CONSTANT),
    "bohner_selige2006": Family(topography.CURVE_TO_HALF, _CONSTANT),
}
"""m by name; the last two belong to the methods of LS of that name."""

ON_PATHS = ("foster_wischmeier1974", "wischmeier_smith1978")
"""The methods of L that take the slope length along the flow path; the others take the area."""
WITH_OWN_PARTS = ("moore_burch1986", "bohner_selige2006")
"""The methods of LS that have their own S and m."""


WITH_RILLS = ("mccool1989", "oliveira2013")
"""The exponents that go by the ratio of rill to interrill erosion."""


def form_of(length: str, point_form: str) -> int:
    """The form of L of a method."""
    if length in ("desmet_govers1996", "foster_wischmeier1974"):
        return slope_length.SEGMENT
    return slope_length.POINT if length == "moore_burch1986" and point_form == "point" else slope_length.WHOLE
