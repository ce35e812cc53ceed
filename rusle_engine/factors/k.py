"""Soil erodibility K from texture and organic matter: cell by cell, or by the rows of a soil table. Its methods stand in ``k_methods.py``."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import same_grid
from rusle_engine.core.lift import Tile, pointwise
from rusle_engine.core.variables import (
    CLAY,
    ERODIBILITY,
    ERODIBILITY_FLAGS,
    ORGANIC_CARBON,
    ORGANIC_MATTER,
    PERMEABILITY,
    ROCK_COVER,
    SAND,
    SILT,
    SOIL_CLASS,
    STRUCTURE,
    VERY_FINE_SAND,
    Raster,
    Units,
    Variable,
    units_of,
)
from rusle_engine.factors.k_methods import (
    CURVES,
    METHODS,
    MOST_FINE_PCT,
    NESTED_KEYS,
    NOMOGRAPH,
    OF_CARBON,
    PARTS,
    WITH_ORGANIC,
    DiameterCurve,
    ErodibilityMethod,
    Scheme,
)
from rusle_engine.factors.soil_table import SoilTable, has_stones, table_k
from rusle_engine.factors.soil_texture import ParticleLimits, usda_texture
from rusle_engine.factors.tables import lookup
from rusle_engine.factors.validation import refuse_unused, require_within
from rusle_kernels import erodibility

__all__ = ["METHODS", "NESTED_KEYS", "PARTS", "k_factor", "k_not_closed", "k_with_flags", "require_value", "soil_table_k"]

FLAGS = {
    "not_closed": erodibility.NOT_CLOSED,
    "beyond_nomograph": erodibility.BEYOND_NOMOGRAPH,
    "matter_held": erodibility.MATTER_HELD,
    "floored": erodibility.FLOORED,
}
"""What shaped K, by name, as bits."""
NODATA_FLAG = erodibility.NODATA_FLAG

_MATTER_PER_CARBON = 1.724
_TEXTURE = ("sand", "silt", "clay")
_VARIABLES: dict[str, Variable] = {
    "sand": SAND,
    "silt": SILT,
    "clay": CLAY,
    "soc": ORGANIC_CARBON,
    "om": ORGANIC_MATTER,
    "very_fine_sand": VERY_FINE_SAND,
    "structure": STRUCTURE,
    "permeability": PERMEABILITY,
    "rock_cover": ROCK_COVER,
}


def k_factor(
    *,
    sand: Raster | None = None,
    silt: Raster | None = None,
    clay: Raster | None = None,
    soc: Raster | None = None,
    om: Raster | None = None,
    very_fine_sand: Raster | None = None,
    structure: Raster | None = None,
    permeability: Raster | None = None,
    rock_cover: Raster | None = None,
    soil: Raster | None = None,
    table: SoilTable | None = None,
    method: ErodibilityMethod = "williams1990",
    particle_limits: ParticleLimits = "usda",
    closure_tolerance_pct: float = 1.0,
    normalise: bool = False,
    estimate_very_fine_sand: bool = False,
    most_organic_matter_pct: float = 4.0,
    curve: DiameterCurve = "renard1997",
    depth_cm: float | None = None,
    units: Units = None,
) -> xr.DataArray:
    r"""Soil erodibility factor K in SI units, from rasters of texture and organic matter or from a soil table on a map of soil units.

    ``williams1990`` (EPIC), with :math:`SN_1 = 1 - SAN/100`, and ``zhang2008``, its correction for Chinese soils in US units:

    .. math:: K_{US} = \{0.2 + 0.3\,e^{-0.0256\,SAN\,(1 - SIL/100)}\}\left[\frac{SIL}{CLA + SIL}\right]^{0.3}
        \left\{1 - \frac{0.25\,C}{C + e^{3.72 - 2.95\,C}}\right\}\left\{1 - \frac{0.7\,SN_1}{SN_1 + e^{-5.51 + 22.9\,SN_1}}\right\},
        \qquad -0.01383 + 0.51575\,K_{US}

    ``wischmeier1978``, the nomograph, with :math:`M = (SIL + VFS)(100 - CLA)`; above 70 percent silt and very fine sand it has no value
    (``rusle2_fine`` has a branch there):

    .. math:: 100\,K_{US} = 2.1\cdot10^{-4}\,M^{1.14}\,(12 - OM) + 3.25\,(s - 2) + 2.5\,(p - 3)

    all times 0.1317; and in SI at once ``renard1997``, with :math:`D_g = \exp(0.01\sum f_i \ln m_i)`, and ``torri1997``:

    .. math:: K = a + b\,e^{-\frac12\left[\frac{\lg D_g + c}{d}\right]^2}, \qquad
        K = 0.0293\,(0.65 - D_G + 0.24 D_G^2)\,e^{-0.0021\frac{OM}{c} - 0.00037\left(\frac{OM}{c}\right)^2 - 4.02 c + 1.72 c^2}

    Parameters
    ----------
    sand
        Sand content SAN, 2 to 0.05 mm [%].
    silt
        Silt content SIL, 0.05 to 0.002 mm [%].
    clay
        Clay content CLA, below 0.002 mm [%].
    soc
        Soil organic carbon C [%], or g/kg when its units say so, for ``williams1990``, ``zhang2008``, ``wischmeier1978``, ``rusle2_fine`` and
        ``torri1997``.
    om
        Soil organic matter OM = 1.724 C [%] in place of carbon, for ``williams1990``, ``zhang2008``, ``wischmeier1978``, ``rusle2_fine`` and
        ``torri1997``.
    very_fine_sand
        Very fine sand VFS, 0.1 to 0.05 mm, a part of the sand [%], for ``wischmeier1978`` and ``rusle2_fine``.
    structure
        Structure code s, 1 (very fine granular) to 4 (blocky, platy or massive), for ``wischmeier1978`` and ``rusle2_fine``.
    permeability
        Permeability code p, 1 (rapid) to 6 (very slow), for ``wischmeier1978`` and ``rusle2_fine``.
    rock_cover
        Cover of the surface by rock fragments [%]: above 10, K is multiplied by exp[-0.04 (cover - 10)] (unchecked). Not together with
        stones in C.
    soil
        Codes of soil units, for use with ``table`` in place of the rasters above.
    table
        Rows by soil code: K, or contents under the names above; one row a soil, or one for each of its layers with ``top_cm`` and ``bottom_cm``.
    method
        Whose equation.
    particle_limits
        Where the survey cuts sand, silt and clay: usda, isss (0.02 mm between silt and sand) or kachinsky (1, 0.05, 0.001 mm); other ones
        are brought to the USDA limits, log-linear.
    closure_tolerance_pct
        How far the three fractions may be from adding up to 100 [%]; cells beyond it become nodata (``k_with_flags`` counts them).
    normalise
        Whether fractions within the tolerance are scaled to add up to 100 exactly.
    estimate_very_fine_sand
        Whether to take (0.74 - 0.62 SAN/100) SAN for very fine sand that was not measured (unchecked), for ``wischmeier1978`` and
        ``rusle2_fine``.
    most_organic_matter_pct
        Organic matter at which more of it is held [%], the end of the nomograph (unchecked), for ``wischmeier1978`` and ``rusle2_fine``.
    curve
        Which coefficients a, b, c, d, for ``renard1997``: renard1997 (all soils), few_stones or united_states.
    depth_cm
        Down to which depth the layers of ``table`` are weighted by their thickness [cm]; none: the table has one row a soil. Rasters of
        layers: ``depth_weighted``.
    units
        Units of plain arrays, one text or a mapping by parameter name.

    Returns
    -------
    DataArray (y, x)
        K [t ha h ha-1 MJ-1 mm-1], float64; NaN where an input is, where the fractions do not close, and where the equation has no value.

    Raises
    ------
    InputError
        When inputs are missing or the method does not use them, when a content is negative or above its range, when texture is given as a
        fraction or in g/kg under percent, when a table row does not close, and when a soil code has no row.

    Examples
    --------
    >>> k_factor(sand=20.0, silt=65.0, clay=15.0, soc=0.5).round(6).item()
    0.055081
    """
    contents = {name: value for name, value in locals().items() if name in _VARIABLES and value is not None}
    scheme = Scheme(method, particle_limits, closure_tolerance_pct, normalise, estimate_very_fine_sand, most_organic_matter_pct, curve, depth_cm)
    if soil is None and table is None:
        return k_with_flags(contents, scheme, units=units)["k"]
    if contents or soil is None or table is None:
        raise InputError(f"k_factor takes soil= and table= together and nothing else beside them; given also: {', '.join(contents) or 'neither'}")
    values = soil_table_k(table, scheme)
    return ERODIBILITY.describe(
        lookup(SOIL_CLASS.require(soil, units_of(units, "soil")), values, "soil"), **scheme.provenance(stones=has_stones(table))
    )


def k_with_flags(contents: Mapping[str, Raster], scheme: Scheme, *, units: Units = None) -> xr.Dataset:
    """``k_factor`` of rasters (by their names there) with what shaped it: ``k`` and ``flags``.

    ``flags`` (uint8) adds up 1 where the fractions do not close, 2 where texture lies beyond the nomograph (no value by ``wischmeier1978``, a
    branch of its own by ``rusle2_fine``), 4 where organic matter was held, 8 where K was held at 0; 255 where an input has no value.
    """
    _require_inputs(contents, scheme)
    checked = {name: _VARIABLES[name].require(value, units_of(units, name)) for name, value in contents.items()}
    layers = dict(zip(checked, same_grid(checked)))
    layers |= dict(zip(_TEXTURE, _usda(layers, scheme.particle_limits)))
    if scheme.method in NOMOGRAPH and scheme.estimate_very_fine_sand:
        layers["very_fine_sand"] = pointwise(erodibility.estimated_very_fine_sand, layers["sand"])
    k = _equation(layers, scheme)
    flags = _flags(layers, k, scheme)
    stones = "rock_cover" in layers
    if stones:
        k = pointwise(_under_stones, k, layers["rock_cover"])
    described = ERODIBILITY_FLAGS.describe(flags, nodata=NODATA_FLAG)
    return xr.Dataset({"k": ERODIBILITY.describe(k, **scheme.provenance(stones=stones)), "flags": described})


def require_value(found: xr.Dataset, scheme: Scheme) -> None:
    """Refuse numbers of one soil that have no K by the method (InputError), saying why; ``found`` is of ``k_with_flags``."""
    if not np.isnan(float(found["k"])):
        return
    flags = int(found["flags"])
    if flags != NODATA_FLAG and flags & FLAGS["not_closed"]:
        why = f"sand, silt and clay do not add up to 100 within {scheme.closure_tolerance_pct:g} %: correct them, or raise closure_tolerance_pct"
    elif flags != NODATA_FLAG and flags & FLAGS["beyond_nomograph"]:
        why = f"silt and very fine sand are more than {MOST_FINE_PCT:g} %, beyond the nomograph: take rusle2_fine (unchecked) or another method"
    else:
        why = "its equation has none for this texture: some clay is needed by torri1997, some silt or clay by williams1990 and zhang2008"
    raise InputError(f"K by {scheme.method} has no value for this soil; {why}")


def _require_inputs(given: Mapping[str, Raster], scheme: Scheme) -> None:
    if scheme.depth_cm is not None:
        raise InputError("depth_cm weighs the layers of a soil table; layers of rasters are weighted before (depth_weighted, or layers: in a file)")
    organic = [name for name in ("soc", "om") if name in given]
    missing = [name for name in scheme.needed if name not in given]
    if missing or (scheme.method in WITH_ORGANIC and len(organic) != 1):
        also = " and one of soc (organic carbon) and om (organic matter)" if scheme.method in WITH_ORGANIC else ""
        hint = "; or set estimate_very_fine_sand" if "very_fine_sand" in missing else ""
        raise InputError(f"{scheme.method} needs {', '.join(scheme.needed)}{also}; given: {', '.join(given) or 'nothing'}{hint}")
    refuse_unused("k_factor", scheme.method, **{name: value for name, value in given.items() if name not in scheme.used})


def _usda(layers: Mapping[str, xr.DataArray], particle_limits: ParticleLimits) -> list[xr.DataArray]:
    """Sand, silt and clay by the USDA's limits, percent for sure."""
    texture = [layers[name] for name in _TEXTURE]
    sand, silt, clay = (pointwise(_percent, *texture, parameters=(which,)).assign_attrs(units="%") for which in range(3))
    found = usda_texture(sand=sand, silt=silt, clay=clay, particle_limits=particle_limits)
    return [found[name] for name in _TEXTURE]


def _percent(sand: Tile, silt: Tile, clay: Tile, which: int, out: Tile) -> None:
    """One of three fractions; the first after a look at all of them: fractions of 1 are not percent."""
    if which == 0:
        for tile, variable in ((sand, SAND), (silt, SILT), (clay, CLAY)):
            require_within(tile, variable)
        if np.any(np.abs(sand + silt + clay - 1.0) < 0.02):
            raise InputError("sand, silt and clay add up to 1, not to 100: they are fractions. Declare units '1', or multiply them by 100.")
    out[...] = (sand, silt, clay)[which]


def _equation(layers: Mapping[str, xr.DataArray], scheme: Scheme) -> xr.DataArray:
    texture = [layers[name] for name in _TEXTURE]
    kernel = getattr(erodibility, f"k_{scheme.method}")
    closure = (scheme.closure_tolerance_pct, float(scheme.normalise))
    if scheme.method not in WITH_ORGANIC:
        return pointwise(kernel, *texture, parameters=(*CURVES[scheme.curve], *closure))
    organic = _organic(layers)
    names = ("very_fine_sand", organic, "structure", "permeability") if scheme.method in NOMOGRAPH else (organic,)

    def guarded(*arguments: Any) -> None:
        for tile, name in zip(arguments[len(texture) :], names):
            require_within(tile, _VARIABLES[name])
        if scheme.method in NOMOGRAPH:
            _require_part(arguments[len(texture)], of=arguments[0])
        kernel(*arguments)

    limits = (scheme.most_organic_matter_pct,) if scheme.method in NOMOGRAPH else ()
    return pointwise(guarded, *texture, *(layers[name] for name in names), parameters=(_per(organic, scheme.method), *limits, *closure))


def _require_part(very_fine: Tile, *, of: Tile) -> None:
    """Refuse very fine sand that is more than all sand, by more than rounding (InputError)."""
    beyond = very_fine > of + 0.5
    if beyond.any():
        raise InputError(
            f"very_fine_sand is {very_fine[beyond][0]:g} % where sand is {of[beyond][0]:g} %; expected a part of the sand, in percent of the soil"
        )


def _organic(layers: Mapping[str, xr.DataArray]) -> str:
    return "soc" if "soc" in layers else "om"


def _per(organic: str, method: ErodibilityMethod) -> float:
    """What an organic content is divided by to be what the equation is written in."""
    if method in OF_CARBON:
        return 1.0 if organic == "soc" else _MATTER_PER_CARBON
    return 1.0 if organic == "om" else 1 / _MATTER_PER_CARBON


def _flags(layers: Mapping[str, xr.DataArray], k: xr.DataArray, scheme: Scheme) -> xr.DataArray:
    fine, matter, limits = layers["silt"], layers["silt"], (np.inf, np.inf)  # without limits any raster serves in their place
    if scheme.method in NOMOGRAPH:
        fine = pointwise(_add, layers["silt"], layers["very_fine_sand"])
        matter = pointwise(_divide, layers[_organic(layers)], parameters=(_per(_organic(layers), scheme.method),))
        limits = (MOST_FINE_PCT, scheme.most_organic_matter_pct)
    arrays = (*(layers[name] for name in _TEXTURE), fine, matter, k)
    return pointwise(erodibility.what_shaped_k, *arrays, parameters=(scheme.closure_tolerance_pct, *limits), dtype=np.uint8)


def _add(first: Tile, second: Tile, out: Tile) -> None:
    np.add(first, second, out=out)


def _divide(values: Tile, by: float, out: Tile) -> None:
    np.divide(values, by, out=out)


def _under_stones(k: Tile, rock_cover: Tile, out: Tile) -> None:
    require_within(rock_cover, ROCK_COVER)
    erodibility.under_stones(k, rock_cover, out)


def k_not_closed(*, sand: Raster, silt: Raster, clay: Raster, closure_tolerance_pct: float = 1.0, units: Units = None) -> xr.DataArray:
    """True where sand, silt and clay are known and do not add up to 100 within ``closure_tolerance_pct``: the cells that K leaves out.

    Lazy when an input is; ``.sum()`` counts them.
    """
    given = {"sand": sand, "silt": silt, "clay": clay}
    contents = same_grid({name: _VARIABLES[name].require(value, units_of(units, name)) for name, value in given.items()})
    return pointwise(erodibility.not_closed, *contents, parameters=(closure_tolerance_pct,), dtype=np.bool_).rename("k_not_closed")


def soil_table_k(table: SoilTable, scheme: Scheme = Scheme()) -> dict[int, float]:  # noqa: B008 (frozen)
    """K of each soil in a table: as it stands there, or computed from the row's contents.

    Parameters
    ----------
    table
        A mapping from soil code to K or to a mapping of contents, or a DataFrame with a column ``code``. Contents are those of ``k_factor``,
        with ``soc_g_kg`` (organic carbon in g/kg) beside ``soc``; all others in percent or codes. A row with ``k`` needs nothing else; columns
        that the method does not use are left alone. Several rows of a soil are its layers, with ``top_cm`` and ``bottom_cm``.
    scheme
        The method and its options.

    Returns
    -------
    dict
        K [t ha h ha-1 MJ-1 mm-1] by soil code.

    Raises
    ------
    InputError
        Naming the soil, when its row is incomplete, out of range, does not add up to 100, or has no value by the method.
    """

    of_one_layer = replace(scheme, depth_cm=None)

    def of_contents(contents: dict[str, float]) -> tuple[float, int]:
        found = k_with_flags(contents, of_one_layer)
        return float(found["k"]), int(found["flags"])

    return table_k(table, of_contents, [name for name in _VARIABLES if name in scheme.used], scheme.closure_tolerance_pct, scheme.depth_cm)
