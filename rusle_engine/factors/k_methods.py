"""The methods of K: whose equation, from what, and how far each holds."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

from rusle_engine.core.errors import InputError
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.variables import ERODIBILITY
from rusle_engine.factors.soil_layers import depth_text
from rusle_engine.factors.soil_texture import ParticleLimits

ErodibilityMethod = Literal["williams1990", "zhang2008", "wischmeier1978", "rusle2_fine", "renard1997", "torri1997"]
DiameterCurve = Literal["renard1997", "few_stones", "united_states"]


class Curve(NamedTuple):
    """A bell over the decimal logarithm of the geometric mean diameter: least value, rise, centre, width."""

    least: float
    rise: float
    centre: float
    width: float


CURVES: dict[str, Curve] = {
    "renard1997": Curve(0.0034, 0.0405, 1.659, 0.7101),
    "few_stones": Curve(0.0034, 0.0387, 1.533, 0.7671),
    "united_states": Curve(0.0017, 0.0494, 1.675, 0.6986),
}
MOST_FINE_PCT = 70.0
"""Silt and very fine sand up to which the nomograph holds [%]."""
NOMOGRAPH = ("wischmeier1978", "rusle2_fine")
WITH_ORGANIC = ("williams1990", "zhang2008", "torri1997", *NOMOGRAPH)
OF_CARBON = ("williams1990", "zhang2008")
"""Equations in organic carbon; the others are in organic matter."""

_OPTIONS_OF: dict[str, tuple[str, ...]] = {
    "estimate_very_fine_sand": NOMOGRAPH,
    "most_organic_matter_pct": NOMOGRAPH,
    "curve": ("renard1997",),
}
"""Options that only some methods take."""

_EPIC_FORMULA = (
    "{0.2 + 0.3 exp[-0.0256 SAN (1 - SIL/100)]} [SIL/(CLA + SIL)]^0.3 {1 - 0.25 C/[C + exp(3.72 - 2.95 C)]} "
    "{1 - 0.7 SN1/[SN1 + exp(-5.51 + 22.9 SN1)]}, SN1 = 1 - SAN/100"
)
_NOMOGRAPH_INPUTS = ("sand", "silt", "clay", "soc or om", "structure", "permeability")

METHODS = {
    "williams1990": MethodInfo(
        equation=f"K = 0.1317 {_EPIC_FORMULA}",
        source="Williams 1990; Sharpley and Williams 1990, EPIC, USDA Technical Bulletin 1768",
        inputs=("sand", "silt", "clay", "soc or om"),
        units=ERODIBILITY.units,
        status="verified",
        formula_id="K-2",
        valid_for="USDA fractions (sand 2-0.05, silt 0.05-0.002, clay < 0.002 mm)",
    ),
    "zhang2008": MethodInfo(
        equation="K = 0.1317 (-0.01383 + 0.51575 K_EPIC), K_EPIC in US units; 0 where negative",
        source="Zhang K. L., Shu, Xu, Yang and Yu 2008, Catena; coefficients read in code that applies them, not in the paper",
        inputs=("sand", "silt", "clay", "soc or om"),
        units=ERODIBILITY.units,
        status="unchecked",
        formula_id="K-5",
        valid_for="Chinese soils, where EPIC comes out high; about half of williams1990",
    ),
    "wischmeier1978": MethodInfo(
        equation="100 K_US = 2.1e-4 M^1.14 (12 - OM) + 3.25 (s - 2) + 2.5 (p - 3), M = (SIL + VFS)(100 - CLA); K = 0.1317 K_US",
        source="Wischmeier, Johnson and Cross 1971, Journal of Soil and Water Conservation 26:189; Wischmeier and Smith 1978, Handbook 537",
        inputs=_NOMOGRAPH_INPUTS,
        units=ERODIBILITY.units,
        status="verified",
        formula_id="K-1",
        valid_for="silt and very fine sand, which is measured or estimated, up to 70 %; no value beyond",
    ),
    "rusle2_fine": MethodInfo(
        equation="wischmeier1978; above 68 % silt and very fine sand the texture term is k - 0.67 (k - k68)^0.82, k68 being k at 68 %",
        source="RUSLE2 science documentation, USDA-ARS; from memory, not read",
        inputs=_NOMOGRAPH_INPUTS,
        units=ERODIBILITY.units,
        status="unchecked",
        formula_id="K-1b",
        valid_for="silty soils such as loess, which lie beyond the nomograph",
    ),
    "renard1997": MethodInfo(
        equation="K = a + b exp{-[(lg Dg + c)/d]^2/2}, Dg = exp(0.01 sum f ln m) [mm], m 0.001, 0.026, 1.025 mm (clay, silt, sand)",
        source="Roemkens, Prasad and Poesen 1986; Renard et al. 1997, USDA Agriculture Handbook 703; Shirazi and Boersma 1984 (class means)",
        inputs=("sand", "silt", "clay"),
        units=ERODIBILITY.units,
        status="verified",
        formula_id="K-3",
        valid_for="texture alone; at most 0.0439. The curves few_stones and united_states: which soils they stand for is unchecked",
    ),
    "torri1997": MethodInfo(
        equation=(
            "K = 0.0293 (0.65 - DG + 0.24 DG^2) exp[-0.0021 OM/c - 0.00037 (OM/c)^2 - 4.02 c + 1.72 c^2], "
            "DG = -3.5 c - 2 silt - 0.5 sand, c clay, as fractions"
        ),
        source="Torri, Poesen and Borselli 1997, Catena 31:1; with the corrections of 1998",
        inputs=("sand", "silt", "clay", "om or soc"),
        units=ERODIBILITY.units,
        status="verified",
        formula_id="K-4",
        valid_for="texture and organic matter; no value without clay",
    ),
}

_TEXTURE = ("sand", "silt", "clay")
_LOG_LINEAR = "grains below d: F1 + (F2 - F1) (ln d - ln d1)/(ln d2 - ln d1) between the limits that were measured"

PARTS = {
    "few_stones": MethodInfo(
        "K = 0.0034 + 0.0387 exp{-0.5 [(lg Dg + 1.533)/0.7671]^2}",
        "coefficients read in a program (cran/soilassessment); for which soils, from memory",
        _TEXTURE,
        ERODIBILITY.units,
        "unchecked",
        "K-3",
        "soils with few stones",
    ),
    "united_states": MethodInfo(
        "K = 0.0017 + 0.0494 exp{-0.5 [(lg Dg + 1.675)/0.6986]^2}",
        "Shirazi and Boersma 1984, as ChinaXiv 202104.00018 cites them; for which soils, from memory",
        _TEXTURE,
        ERODIBILITY.units,
        "unchecked",
        "K-3",
        "soils of the United States",
    ),
    "poesen1994": MethodInfo(
        "K times exp[-0.04 (cover - 10)] above 10 % cover",
        "Poesen et al. 1994, from memory",
        ("rock_cover",),
        "1",
        "unchecked",
        "K-6",
        "not with stones in C",
    ),
    "estimate_very_fine_sand": MethodInfo(
        "very fine sand = (0.74 - 0.62 sand/100) sand",
        "seen in a program (sertit/Rusle); its source was not found",
        ("sand",),
        "%",
        "unchecked",
        "K-1",
    ),
    "isss": MethodInfo(_LOG_LINEAR, "interpolation of this package; 0.002 and 0.02 mm", _TEXTURE, "%", "verified", "texture", "an estimate"),
    "kachinsky": MethodInfo(_LOG_LINEAR, "interpolation of this package; 0.001, 0.05 and 1 mm", _TEXTURE, "%", "verified", "texture", "an estimate"),
}
"""What a method of K is made of or corrected by, under names of their own."""
NESTED_KEYS = {"poesen1994": "K.rock_cover", "estimate_very_fine_sand": "K.estimate_very_fine_sand"}


@dataclass(frozen=True)
class Scheme:
    """A method of K with its options, as ``k_factor`` takes them."""

    method: ErodibilityMethod = "williams1990"
    particle_limits: ParticleLimits = "usda"
    closure_tolerance_pct: float = 1.0
    normalise: bool = False
    estimate_very_fine_sand: bool = False
    most_organic_matter_pct: float = 4.0
    curve: DiameterCurve = "renard1997"
    depth_cm: float | None = None

    def __post_init__(self) -> None:
        for name, choices in (("method", ErodibilityMethod), ("particle_limits", ParticleLimits), ("curve", DiameterCurve)):
            if getattr(self, name) not in get_args(choices):
                raise InputError(f"{name} {getattr(self, name)!r} is not known; choose one of {', '.join(get_args(choices))}")
        if not self.closure_tolerance_pct >= 0 or not self.most_organic_matter_pct >= 0:
            raise InputError(
                f"closure_tolerance_pct is {self.closure_tolerance_pct:g} and most_organic_matter_pct {self.most_organic_matter_pct:g}; "
                "expected 0 or more of each [%]"
            )
        unused = [name for name, methods in _OPTIONS_OF.items() if self.method not in methods and getattr(self, name) != getattr(Scheme, name)]
        if unused:
            raise InputError(f"k_factor by {self.method} does not use {', '.join(unused)}; leave it out, or choose another method")

    @property
    def needed(self) -> list[str]:
        """The contents without which there is no K, organic ones left aside."""
        measured = [] if self.estimate_very_fine_sand else ["very_fine_sand"]
        return ["sand", "silt", "clay", *(["structure", "permeability", *measured] if self.method in NOMOGRAPH else [])]

    @property
    def used(self) -> set[str]:
        """The contents that the method looks at where they are given."""
        return {*self.needed, "rock_cover", *(("soc", "om") if self.method in WITH_ORGANIC else ())}

    def provenance(self, *, stones: bool) -> dict[str, Any]:
        """What the result's attributes name; ``stones``: whether rock fragments sheltered the soil."""
        kept: dict[str, Any] = {"closure_tolerance_pct": self.closure_tolerance_pct, "normalise": str(self.normalise).lower()}
        unchecked = METHODS[self.method].status == "unchecked" or stones
        if self.particle_limits != "usda":
            kept["particle_limits"] = f"{self.particle_limits} to usda, log-linear"
        if self.method in NOMOGRAPH:
            kept["very_fine_sand"] = "estimated from sand" if self.estimate_very_fine_sand else "as given"
            kept["most_organic_matter_pct"] = self.most_organic_matter_pct
            unchecked = unchecked or self.estimate_very_fine_sand
        if self.method == "renard1997":
            kept["curve"] = self.curve
            unchecked = unchecked or self.curve != "renard1997"
        if self.depth_cm is not None:
            kept["depth_cm"] = depth_text(self.depth_cm)
        if stones:
            kept["rock_cover"] = "Poesen et al. 1994, exp[-0.04 (cover - 10)]"
        status = {"method_status": "unchecked"} if unchecked else {}
        return {"method": self.method, **kept, **METHODS[self.method].provenance(), **status}
