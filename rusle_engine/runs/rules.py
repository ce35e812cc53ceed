"""What the parts of a configuration need from one another; told from the values as written, so that it joins the other errors."""

from collections.abc import Mapping
from typing import Any

from rusle_engine.core.errors import Problem
from rusle_engine.runs.method_blocks import FROM_RUN
from rusle_engine.runs.signatures import FACTORS, function_of

_TERRAIN = ("dem", "theta")
_RUSLE = ("C", "P")
_CSLE = ("B", "E", "T")
_GIVEN = (*FACTORS, "L", "S")
"""Keys that hold a factor."""


def rule_problems(values: Mapping[str, Any]) -> list[Problem]:
    """Every need of one key for another that is not there, and every two that exclude each other."""
    factors = {key: block for key in dict.fromkeys(_GIVEN) if isinstance(block := values.get(key), Mapping)}
    problems = [*_equation(values), *_topography(values), *_double_counting(values), *_year(values)]
    if values.get("dem") is None:
        computed = [key for key, block in factors.items() if set(_from_run(key, block)) & set(_TERRAIN)]
        if computed:
            problems.append(Problem("dem", f"missing; {' and '.join(computed)} by the method that is named needs an elevation model"))
        elif not any("raster" in block for block in factors.values()):
            problems.append(Problem("dem", "missing; without it a factor must be a raster, whose grid the run then takes"))
    if values.get("landcover") is None:
        tables = [key for key, block in [*factors.items(), *_tolerance(values)] if _by_landcover(key, block)]
        if tables:
            problems.append(Problem("landcover", f"missing; {' and '.join(tables)} by class needs it (or classes: with a raster of its own)"))
    return problems


def _given(values: Mapping[str, Any], *keys: str) -> list[str]:
    return [key for key in keys if values.get(key) is not None]


def _equation(values: Mapping[str, Any]) -> list[Problem]:
    """C and P, or B, E and T: all of one set, and none of the other."""
    rusle, csle = _given(values, *_RUSLE), _given(values, *_CSLE)
    if rusle and csle:
        return [
            Problem(
                rusle[0],
                f"{' and '.join([*rusle, *csle])} mix two equations: RUSLE is R K LS C P, CSLE is R K LS B E T. C holds what B and T do, and P what "
                f"E and T do, so that it would count twice. Remove {' and '.join(rusle)}, or {' and '.join(csle)}.",
            )
        ]
    if not rusle and not csle:
        return [Problem("C", "missing, and so are P, B, E and T; RUSLE needs C and P, CSLE needs B, E and T")]
    equation, keys = ("RUSLE", _RUSLE) if rusle else ("CSLE", _CSLE)
    return [
        Problem(key, f"missing; {equation} (told by {' and '.join(rusle or csle)}) needs {', '.join(keys)}")
        for key in keys
        if values.get(key) is None
    ]


def _topography(values: Mapping[str, Any]) -> list[Problem]:
    """LS, or L and S."""
    apart = _given(values, "L", "S")
    if values.get("LS") is not None:
        return [Problem("LS", f"given together with {' and '.join(apart)}; keep LS, or L and S")] if apart else []
    if not apart:
        return [Problem("LS", "missing; slope length and steepness (or L and S apart)")]
    return [Problem(key, f"missing; {apart[0]} without it is no LS") for key in ("L", "S") if key not in apart]


def _double_counting(values: Mapping[str, Any]) -> list[Problem]:
    """Terraces that lower LS already, because the DEM shows their treads, may not lower E or P as well."""
    dem, practice = values.get("dem"), values.get("P")
    if not isinstance(dem, Mapping) or dem.get("shows_terraces") is not True:
        return []
    twice = "dem.shows_terraces says that the heights show the terraces, so LS has their effect already and {} would count it twice. "
    problems = []
    if values.get("E") is not None and not _is_one(values["E"]):
        way_out = "Set E: 1; or give E without what the heights show, and set dem.shows_terraces: false."
        problems.append(Problem("E", twice.format("E") + way_out))
    if isinstance(practice, Mapping) and practice.get("practice") == "terrace":
        problems.append(Problem("P.practice", twice.format("P") + "Name what is done on the treads, such as contour, or set P: 1."))
    if isinstance(practice, Mapping) and practice.get("stone_walls") is not None:
        problems.append(Problem("P.stone_walls", twice.format("P") + "Leave stone_walls out."))
    return problems


def _year(values: Mapping[str, Any]) -> list[Problem]:
    """A register of measures is read for a year."""
    block, project = values.get("E"), values.get("project")
    if not isinstance(block, Mapping) or block.get("method") != "register" or block.get("year") is not None:
        return []
    if isinstance(project, Mapping) and project.get("year") is not None:
        return []
    return [Problem("E.year", "missing, and so is project.year; the measures built in that year or before count")]


def _is_one(block: Any) -> bool:
    return (block.get("constant") if isinstance(block, Mapping) else block) == 1


def _tolerance(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    intensity = values.get("intensity")
    tolerance = intensity.get("tolerance_t_km2") if isinstance(intensity, Mapping) else None
    return [("intensity.tolerance_t_km2", tolerance)] if isinstance(tolerance, Mapping) else []


def _by_landcover(key: str, block: Mapping[str, Any]) -> bool:
    if "method" in block:
        return "landcover" in _from_run(key, block)
    return "table" in block and block.get("classes", "landcover") == "landcover"


def _from_run(key: str, block: Mapping[str, Any]) -> list[str]:
    """What the named method would have from the run."""
    if key not in FACTORS or "method" not in block:
        return []
    function = function_of(key, str(block["method"]))
    if block["method"] not in function.methods:
        return []
    names = [p.name for p in function.parameters_of(block["method"]) if p.name in FROM_RUN]
    rain = block.get("rain")
    if isinstance(rain, Mapping) and rain.get("interpolation") == "external_drift":
        names.append("dem")
    always = "landcover" in function.methods[block["method"]].inputs
    return [name for name in names if name != "landcover" or always or block.get(str(function.landcover_with)) is not None]
