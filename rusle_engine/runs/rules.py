"""What the parts of a configuration need from one another; told from the values as written, so that it joins the other errors."""

from collections.abc import Mapping
from typing import Any

from rusle_engine.core.errors import Problem
from rusle_engine.runs.method_blocks import FROM_RUN
from rusle_engine.runs.signatures import FACTORS, factor_function

_TERRAIN = ("dem", "theta")


def rule_problems(values: Mapping[str, Any]) -> list[Problem]:
    """Every need of one key for another that is not there."""
    factors = {key: block for key in FACTORS if isinstance(block := values.get(key), Mapping)}
    problems = []
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
    function = factor_function(key)
    if block["method"] not in function.methods:
        return []
    names = [p.name for p in function.parameters_of(block["method"]) if p.name in FROM_RUN]
    return [name for name in names if name != "landcover" or block.get(str(function.landcover_with)) is not None]
