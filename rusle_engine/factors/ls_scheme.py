"""Which LS it is: all options of a scheme, checked, as the kernels take them and as a result's attributes name them."""

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

from rusle_engine.core.errors import InputError
from rusle_engine.factors import path_length
from rusle_engine.factors.ls_methods import (
    EXPONENT_FAMILIES,
    METHODS,
    ON_PATHS,
    RILL_RATIOS,
    STEEPNESS_FAMILIES,
    WITH_OWN_PARTS,
    WITH_RILLS,
    ExponentMethod,
    LengthMethod,
    PointForm,
    RillRatio,
    SteepnessMethod,
    form_of,
)
from rusle_engine.factors.ls_parts import positive, said, steepest_angle
from rusle_engine.factors.ls_presets import PRESETS
from rusle_engine.terrain.breaching import BreachLimits
from rusle_engine.terrain.conditioning import ConditionMethod, require_method
from rusle_engine.terrain.flat_ties import FlatTies
from rusle_engine.terrain.flow import RoutingScheme

SlopeSurface = Literal["raw", "filled"]
"""Of which surface the slope is taken: the DEM as it is, or without its depressions."""

_SEPARATE = tuple(name for name in get_args(LengthMethod) if name not in WITH_OWN_PARTS)
_ONLY_WITH = {
    "steepness": _SEPARATE,
    "exponent": _SEPARATE,
    "rill_ratio": _SEPARATE,
    "cutoff_below_5_pct": ON_PATHS,
    "cutoff_from_5_pct": ON_PATHS,
    "form": ("moore_burch1986",),
    "routing": tuple(name for name in get_args(LengthMethod) if name not in ON_PATHS),
}
"""The methods of L that an option belongs to."""
_OF_A_PRACTICE = (
    *("length", "steepness", "exponent", "rill_ratio", "routing", "routing_exponent", "form", "slope_surface"),
    *("max_slope_length_m", "max_steepness_degree", "cutoff_below_5_pct", "cutoff_from_5_pct"),
)
"""The options that tell practices apart; channels, water and the ways of flats belong to the terrain."""


@dataclass(frozen=True)
class Scheme:
    """The options of ``ls_factor``."""

    length: LengthMethod = "desmet_govers1996"
    steepness: SteepnessMethod = "mccool1987"
    exponent: ExponentMethod = "mccool1989"
    rill_ratio: RillRatio = "moderate"
    routing: RoutingScheme = "d8"
    routing_exponent: float | None = None
    max_slope_length_m: float | None = None
    max_steepness_degree: float | None = None
    channel_area_m2: float | None = None
    water_depth_m: float | None = None
    cutoff_below_5_pct: float = 0.7
    cutoff_from_5_pct: float = 0.5
    form: PointForm = "point"
    slope_surface: SlopeSurface = "raw"
    conditioning: ConditionMethod = "fill"
    max_breach_length_m: float | None = None
    max_breach_depth_m: float | None = None
    flat_ties: FlatTies = "index"
    quantum_m: float | None = None

    def __post_init__(self) -> None:
        choices = {"length": LengthMethod, "steepness": SteepnessMethod, "exponent": ExponentMethod, "rill_ratio": RillRatio}
        choices |= {"routing": RoutingScheme, "form": PointForm, "slope_surface": SlopeSurface}
        choices |= {"conditioning": ConditionMethod, "flat_ties": FlatTies}
        for name, annotation in choices.items():
            require_method(getattr(self, name), get_args(annotation), name)
        defaults = {field.name: field.default for field in fields(self)}
        for name, methods in _ONLY_WITH.items():
            if self.length not in methods and getattr(self, name) != defaults[name]:
                raise InputError(f"{name} has no meaning with length {self.length!r}, only with {' or '.join(map(repr, methods))}; leave it away")
        if self.rill_ratio != "moderate" and self.exponent not in WITH_RILLS:
            raise InputError(f"rill_ratio has no meaning with exponent {self.exponent!r}, only with 'mccool1989' or 'oliveira2013'; leave it away")
        if self.routing_exponent is not None and self.routing != "freeman1991":
            raise InputError(f"routing_exponent has no meaning with routing {self.routing!r}, only with 'freeman1991'; leave it away")
        if self.conditioning == "breach":
            BreachLimits.of(self.max_breach_length_m, self.max_breach_depth_m)
        elif self.max_breach_length_m is not None or self.max_breach_depth_m is not None:
            raise InputError("max_breach_length_m and max_breach_depth_m belong to conditioning 'breach'; leave them away")
        for name in ("cutoff_below_5_pct", "cutoff_from_5_pct"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}; expected a share of the slope angle, 0 (never) to 1")
        positive(self.routing_exponent, "routing_exponent")
        positive(self.max_slope_length_m, "max_slope_length_m")
        positive(self.channel_area_m2, "channel_area_m2")
        positive(self.water_depth_m, "water_depth_m", or_zero=True)
        steepest_angle(self.max_steepness_degree)

    @property
    def on_paths(self) -> bool:
        """Whether the slope length is that along the flow path."""
        return self.length in ON_PATHS

    @property
    def needs_fill(self) -> bool:
        """Whether the surface without depressions is looked at."""
        return self.water_depth_m is not None or self.slope_surface == "filled"

    @property
    def steepness_method(self) -> str:
        """Whose S it is, for methods of LS that have their own too."""
        return self.length if self.length in WITH_OWN_PARTS else self.steepness

    @property
    def exponent_method(self) -> str:
        """Whose m it is."""
        return self.length if self.length in WITH_OWN_PARTS else self.exponent

    @property
    def has_rill_ratio(self) -> bool:
        return self.exponent_method in WITH_RILLS

    @property
    def practice(self) -> str:
        """The name of the preset that these options are."""
        for name, preset in PRESETS.items():
            meant = Scheme(**preset.options)
            if not preset.own_cell_in_area and all(getattr(self, option) == getattr(meant, option) for option in _OF_A_PRACTICE):
                return name
        return "own options"

    @property
    def breach_limits(self) -> BreachLimits:
        """How long and deep a breach may be, where depressions are breached."""
        return BreachLimits.of(self.max_breach_length_m, self.max_breach_depth_m)

    def parameters(self) -> tuple[Any, ...]:
        """What the kernels take after the rows: the form of L, S, m, and the limits (infinite where there is none)."""
        steepness, exponent = STEEPNESS_FAMILIES[self.steepness_method], EXPONENT_FAMILIES[self.exponent_method]
        return (
            form_of(self.length, self.form),
            steepness.number,
            steepness.classes.by_tangent(),
            math.inf if self.max_steepness_degree is None else math.tan(steepest_angle(self.max_steepness_degree)),
            exponent.number,
            exponent.classes.by_tangent(),
            RILL_RATIOS[self.rill_ratio],
            positive(self.max_slope_length_m, "max_slope_length_m"),
        )

    def provenance(self) -> dict[str, Any]:
        """The whole scheme, as the result's attributes name it."""
        routing = () if self.routing == "d8" else (self.routing,)
        parts = tuple(dict.fromkeys((self.length, self.steepness_method, self.exponent_method, *routing)))
        checked = self.max_steepness_degree is None and all(METHODS[part].status == "verified" for part in parts)
        return {
            "practice": self.practice,
            "method": " x ".join(dict.fromkeys((self.length, self.steepness_method))),
            "length": self.length,
            "steepness": self.steepness_method,
            "exponent": self.exponent_method,
            **({"rill_ratio": self.rill_ratio} if self.has_rill_ratio else {}),
            **({"form": self.form} if self.length == "moore_burch1986" else {}),
            "routing": self.routing,
            **({} if self.routing_exponent is None else {"routing_exponent": float(self.routing_exponent)}),
            **({} if self.flat_ties == "index" else {"flat_ties": self.flat_ties, "quantum_m": said(self.quantum_m)}),
            **({} if self.conditioning == "fill" else {"conditioning": self.conditioning, **self.breach_limits.said}),
            **(self._path() if self.on_paths else {}),
            "slope": "horn1981",
            "slope_surface": self.slope_surface,
            "max_slope_length_m": said(self.max_slope_length_m),
            "max_steepness_degree": said(self.max_steepness_degree),
            "channel_area_m2": said(self.channel_area_m2),
            "water_depth_m": said(self.water_depth_m),
            "source": "; ".join(METHODS[part].source for part in parts),
            "method_status": "verified" if checked else "unchecked",
        }

    def _path(self) -> dict[str, Any]:
        return {"path": path_length.METHOD, "cutoff_below_5_pct": self.cutoff_below_5_pct, "cutoff_from_5_pct": self.cutoff_from_5_pct}
