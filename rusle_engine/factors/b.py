"""Biological practice B of CSLE: what cover lets through of the soil loss, half-month by half-month, weighted with the rain's erosivity."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.layers import over_layers
from rusle_engine.core.lift import Tile
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.variables import BIOLOGICAL, LAND_COVER, UNDERSTOREY_COVER, Raster, Units, units_of
from rusle_engine.factors.cover_layers import aligned, cover_index, layers_first, limits, mean_of_ratios, require_half_months
from rusle_engine.factors.land_use_ratios import CURVES, land_use_table, ratios_of_table
from rusle_engine.factors.ndvi_bounds import Bound
from rusle_engine.factors.shares import Shares, erosivity_shares
from rusle_engine.factors.tables import ClassTable, class_values, lookup, refuse_missing_rows, with_override
from rusle_engine.factors.validation import refuse_unused, validated
from rusle_kernels import biological, cover

BiologicalMethod = Literal["table", "csle_landuse", "csle_grass", "csle_shrub", "csle_forest", "cai2000", "slr_table"]

_MEMORY = (
    "from memory of the technical rules of regional monitoring (区域水土流失动态监测技术规定(试行) 2018) and of Liu Baoyuan's group; "
    "not found in a source"
)
_COVER = ("ndvi or fvc", "ndvi_soil", "ndvi_vegetation")

METHODS = {
    "table": MethodInfo(
        equation="B = table(land cover)",
        source="the table that is given, row by row",
        inputs=("landcover", "table"),
        units=BIOLOGICAL.units,
        status="verified",
        formula_id="table",
    ),
    "csle_landuse": MethodInfo(
        equation="B = sum SLR_i WR_i / sum WR_i; SLR by the curve of the land use (grass, shrub, forest), or B as the table says",
        source=_MEMORY,
        inputs=("landcover", "landuse", *_COVER, "understorey (forest)", "wr"),
        units=BIOLOGICAL.units,
        status="unchecked",
        formula_id="B-1 to B-5",
        valid_for="all land; cropland has B 1 and takes T",
    ),
    "csle_grass": MethodInfo(
        equation="B = sum SLR_i WR_i / sum WR_i; SLR = 1/(1.25 + 0.78845 * 1.05968^(100 FVC))",
        source=_MEMORY,
        inputs=(*_COVER, "wr"),
        units=BIOLOGICAL.units,
        status="unchecked",
        formula_id="B-1, B-3",
        valid_for="grassland; at no cover it gives 0.49, bare ground is a class of its own",
    ),
    "csle_shrub": MethodInfo(
        equation="B = sum SLR_i WR_i / sum WR_i; SLR = 1/(1.17647 + 0.86242 * 1.05905^(100 FVC))",
        source=_MEMORY,
        inputs=(*_COVER, "wr"),
        units=BIOLOGICAL.units,
        status="unchecked",
        formula_id="B-1, B-2",
        valid_for="shrubs and tea; at no cover it gives 0.49, bare ground is a class of its own",
    ),
    "csle_forest": MethodInfo(
        equation="B = sum SLR_i WR_i / sum WR_i; SLR = 0.44468 exp(-3.20096 GD) - 0.04099 exp(FVC - FVC GD) + 0.025",
        source=_MEMORY,
        inputs=(*_COVER, "understorey", "wr"),
        units=BIOLOGICAL.units,
        status="unchecked",
        formula_id="B-1, B-4",
        valid_for="forest and orchards whose understorey is known",
    ),
    "cai2000": MethodInfo(
        equation="B = sum SLR_i WR_i / sum WR_i; SLR = 0.6508 - 0.3436 log10 f, 1 at f <= 0.1 %, 0 at f >= 78.3 %; f = 100 FVC",
        source="Cai Chongfa et al. 2000, Journal of Soil and Water Conservation (Chinese) 14(2), taken as the ratio of a half-month",
        inputs=(*_COVER, "wr"),
        units=BIOLOGICAL.units,
        status="verified",
        formula_id="B-1, C-3",
        valid_for="land with vegetation; water, built-up, bare land and cropland by a land-cover table",
    ),
    "slr_table": MethodInfo(
        equation="B = sum SLR_i WR_i / sum WR_i; SLR of the land use and half-month from a table",
        source="the table that is given, row by row",
        inputs=("landcover", "ratios", "wr"),
        units=BIOLOGICAL.units,
        status="verified",
        formula_id="B-1",
        valid_for="all land; cropland has B 1 and takes T",
    ),
}

_CURVE_OF = {"csle_grass": "grass", "csle_shrub": "shrub", "csle_forest": "forest", "cai2000": "cai2000"}
_GROWTH = {"grass": (1.25, 0.78845, 1.05968), "shrub": (1.17647, 0.86242, 1.05905)}
"""a, b and base of 1/(a + b·base^(100 FVC)), B-3 and B-2."""


def b_factor(
    *,
    landcover: Raster | None = None,
    table: ClassTable | None = None,
    ndvi: xr.DataArray | None = None,
    fvc: xr.DataArray | None = None,
    understorey: Raster | None = None,
    wr: Shares | None = None,
    method: BiologicalMethod = "table",
    ndvi_soil: Bound | None = None,
    ndvi_vegetation: Bound | None = None,
    landuse: pd.DataFrame | Mapping[int, str | float] | None = None,
    ratios: pd.DataFrame | None = None,
    override: ClassTable | None = None,
    units: Units = None,
) -> xr.DataArray:
    r"""Biological practice factor B of CSLE.

    .. math:: B = \frac{\sum_{i=1}^{24} SLR_i \, WR_i}{\sum_{i=1}^{24} WR_i}

    The ratio of each half-month is taken from its cover, then weighted with its share of the year's erosivity; never from a mean cover:

    .. math:: SLR = \frac{1}{1.25 + 0.78845 \cdot 1.05968^{100\,FVC}}, \qquad SLR = \frac{1}{1.17647 + 0.86242 \cdot 1.05905^{100\,FVC}}

    (``csle_grass``, ``csle_shrub``, both unchecked), under trees with the understorey's cover GD (``csle_forest``, unchecked)

    .. math:: SLR = 0.44468\,e^{-3.20096\,GD} - 0.04099\,e^{FVC - FVC \cdot GD} + 0.025

    by the curve that each land use has (``csle_landuse``); the equation of Cai et al. 2000 as the ratio (``cai2000``, see ``c_factor``);
    ratios from a table (``slr_table``); or B itself from a table (``table``).

    Parameters
    ----------
    landcover
        Land-cover (land-use) class codes.
    table
        B by land-cover code (``table``).
    ndvi
        NDVI [1] of the 24 half-months, as ``half_month_ndvi`` gives it, of one year or of several (``csle_landuse``, ``csle_grass``,
        ``csle_shrub``, ``csle_forest``, ``cai2000``).
    fvc
        Vegetation cover [1] of the 24 half-months in place of NDVI and its bounds (``csle_landuse``, ``csle_grass``, ``csle_shrub``,
        ``csle_forest``, ``cai2000``).
    understorey
        Cover under the trees [1], the same all year or of the 24 half-months (``csle_forest``, ``csle_landuse``).
    wr
        Share of annual erosivity in each of the 24 half-months, of the mean of many years: 24 numbers, or wr of ``r_factor``, for the region
        or every cell (``csle_landuse``, ``csle_grass``, ``csle_shrub``, ``csle_forest``, ``cai2000``, ``slr_table``).
    method
        A table, or whose ratio.
    ndvi_soil
        NDVI of bare soil, one number for the whole region and for all years, or its percentile (``csle_landuse``, ``csle_grass``,
        ``csle_shrub``, ``csle_forest``, ``cai2000``); 0.05, illustrative, when not stated.
    ndvi_vegetation
        NDVI of full cover, likewise (``csle_landuse``, ``csle_grass``, ``csle_shrub``, ``csle_forest``, ``cai2000``); 0.86, illustrative,
        when not stated.
    landuse
        ``code`` with either ``slr``, the name of a curve (grass, shrub, forest, cai2000), or ``B``, a number, for every class
        (``csle_landuse``).
    ratios
        ``code``, ``half_month`` and ``slr``, 24 rows for every class (``slr_table``).
    override
        B by land-cover code in place of what the method gives: cropland 1, water 0, bare land 1.
    units
        Units of plain arrays, one text or a mapping by parameter name.

    Returns
    -------
    DataArray (y, x)
        B [1], 0 to 1, float64; NaN where an input that is used is NaN in a half-month that counts. Lazy when an input is.

    Raises
    ------
    InputError
        When inputs are missing or do not belong to the method, layers are not 24 for each year, a value is out of its range, and, where it
        is computed, when a land-cover code has no row.

    Notes
    -----
    Several years of NDVI give the mean of their B: the mean of ratios, not of cover. A half-month whose weight is 0 does not count, whatever
    its cover; every other must have a value (``half_month_ndvi`` closes gaps). Weights are of the mean of many years: those of a single
    year make B carry that year's rain. A bound ``{"percentile": 5}`` is computed at once (see ``ndvi_bounds``) and recorded.

    Examples
    --------
    >>> b_factor(landcover=2, table={1: 1.0, 2: 0.05}).item()
    0.05
    >>> cover = xr.DataArray(np.full(24, 0.45), dims="half_month")
    >>> b_factor(fvc=cover, wr=[1 / 24] * 24, method="csle_grass").round(6).item()
    0.083638
    """
    given = {
        "table": table, "ndvi": ndvi, "fvc": fvc, "understorey": understorey, "wr": wr, "ndvi_soil": ndvi_soil,
        "ndvi_vegetation": ndvi_vegetation, "landuse": landuse, "ratios": ratios, "override": override,
    }  # fmt: skip
    if method not in METHODS:
        raise InputError(f"b_factor has no method {method!r}; expected one of {', '.join(get_args(BiologicalMethod))}")
    refuse_unused("b_factor", method, **{name: value for name, value in given.items() if name not in _used_by(method)})
    who = f"b_factor by {method}"
    codes = None if landcover is None else LAND_COVER.require(landcover, units_of(units, "landcover"))
    overridden = class_values(override, BIOLOGICAL) if override is not None else {}
    _require_landcover(who, method, codes, table, landuse, ratios, override)
    if method == "table":
        assert codes is not None
        assert table is not None
        return BIOLOGICAL.describe(lookup(codes, class_values(table, BIOLOGICAL), "B"), method=method, **METHODS[method].provenance())
    if wr is None:
        raise InputError(f"{who} needs wr=, the share of annual erosivity in each of the 24 half-months (r_factor gives it)")
    bounds: dict[str, float] = {}
    years = 1
    if method == "slr_table":
        assert codes is not None
        assert ratios is not None
        by_class = ratios_of_table(ratios) | {code: np.full(24, value) for code, value in overridden.items()}
        b = mean_of_ratios(codes, by_class, wr, "SLR")
    else:
        index, bounds = cover_index(who, ndvi, fvc, ndvi_soil, ndvi_vegetation, units)
        require_half_months(index, "the cover")
        years = index.sizes["half_month"] // 24
        under = None if understorey is None else _understorey(understorey, index, units)
        if method == "csle_landuse":
            assert codes is not None
            assert landuse is not None
            b = _by_land_use(index, limits(bounds), under, erosivity_shares(wr), codes, land_use_table(landuse), overridden)
        else:
            b = _by_curve(_CURVE_OF[method], index, limits(bounds), under, erosivity_shares(wr))
    if override is not None and codes is not None:
        b = with_override(b, codes, overridden)
    return BIOLOGICAL.describe(b, method=method, **bounds, years=years, overridden_classes=sorted(overridden), **METHODS[method].provenance())


def _used_by(method: str) -> set[str]:
    """The parameters that a method has a use for, ``landcover`` aside."""
    if method == "table":
        return {"table"}
    if method == "slr_table":
        return {"ratios", "wr", "override"}
    own = {"csle_landuse": {"landuse", "understorey"}, "csle_forest": {"understorey"}}
    return {"ndvi", "fvc", "ndvi_soil", "ndvi_vegetation", "wr", "override"} | own.get(method, set())


def _require_landcover(who: str, method: str, codes: Any, table: Any, landuse: Any, ratios: Any, override: Any) -> None:
    own = {"table": ("table", table), "csle_landuse": ("landuse", landuse), "slr_table": ("ratios", ratios)}
    if method in own:
        name, value = own[method]
        if codes is None or value is None:
            raise InputError(f"{who} needs landcover= and {name}=")
    elif (codes is None) != (override is None):
        raise InputError(f"{who} takes landcover= and override= together, or neither")


def _understorey(understorey: Raster, index: xr.DataArray, units: Units) -> xr.DataArray:
    under = validated(UNDERSTOREY_COVER.require(understorey, units_of(units, "understorey")), UNDERSTOREY_COVER)
    if set(under.dims) - {"y", "x"}:
        require_half_months(under, "understorey")
        if under.sizes["half_month"] not in (24, index.sizes["half_month"]):
            raise InputError(f"understorey has {under.sizes['half_month']} layers and the cover {index.sizes['half_month']}; expected as many, or 24")
        return layers_first(under).rename(half_month="understorey_half_month")
    return under


def _on_curve(curve: str, soil: float, vegetation: float, shares: xr.DataArray) -> Callable[[Tile, Tile, Tile, Tile], None]:
    """``fill(index, understorey, wr, out)`` with the weighted mean of the curve's ratios, ``wr`` being a tile of ``shares``."""
    by_cell = not {"y", "x"}.isdisjoint(shares.dims)

    def grows(index: Tile, _under: Tile, wr: Tile, out: Tile) -> None:
        biological.b_by_growth(index, soil, vegetation, *_GROWTH[curve], wr, by_cell, out)

    def forest(index: Tile, under: Tile, wr: Tile, out: Tile) -> None:
        biological.b_forest(index, soil, vegetation, under, wr, by_cell, out)

    def cai2000(index: Tile, _under: Tile, wr: Tile, out: Tile) -> None:
        ratios = np.empty(index.shape)
        cover.c_cai2000(index, soil, vegetation, ratios)
        biological.weighted_mean(ratios, wr, out)

    return {"forest": forest, "cai2000": cai2000}.get(curve, grows)


def _by_curve(curve: str, index: xr.DataArray, bounds: tuple[float, float], under: xr.DataArray | None, shares: xr.DataArray) -> xr.DataArray:
    if curve == "forest" and under is None:
        raise InputError("b_factor by csle_forest needs understorey=, the cover under the trees")
    fill = _on_curve(curve, *bounds, shares)
    if under is None:
        stack, weights = aligned(cover=layers_first(index), wr=shares)
        return over_layers(lambda cover, wr, out: fill(cover, cover, wr, out), stack, weights)
    stack, weights, below = aligned(cover=layers_first(index), wr=shares, understorey=under)
    return over_layers(lambda cover, wr, under, out: fill(cover, _everywhere(under, cover), wr, out), stack, weights, below)


def _by_land_use(
    index: xr.DataArray,
    bounds: tuple[float, float],
    under: xr.DataArray | None,
    shares: xr.DataArray,
    codes: xr.DataArray,
    uses: Mapping[int, str | float],
    overridden: Mapping[int, float],
) -> xr.DataArray:
    """Every cell by the curve of its class, or by the class's own number; classes that are overridden need no row."""
    known = {**uses, **overridden}
    curves = {curve: [code for code, use in known.items() if use == curve] for curve in CURVES}
    if curves["forest"] and under is None:
        named = ", ".join(map(str, curves["forest"]))
        raise InputError(f"b_factor by csle_landuse needs understorey= for class {named} by the forest curve; give it, or another curve or B")
    constants = {code: use for code, use in known.items() if not isinstance(use, str)}
    fills = {curve: _on_curve(curve, *bounds, shares) for curve, of in curves.items() if of}

    def on_tile(cover: Tile, wr: Tile, classes: Tile, *rest: Tile) -> None:
        *given, out = rest
        below = _everywhere(given[0], cover) if given else cover
        present = np.unique(classes[~np.isnan(classes)])
        if unknown := [code for code in present if code not in known]:
            refuse_missing_rows(np.atleast_2d(unknown), known, "land-use")
        out[...] = np.nan
        part = np.empty_like(out)
        for curve, fill in fills.items():
            cells = np.isin(classes, curves[curve])
            if cells.any():
                fill(cover, below, wr, part)
                np.copyto(out, part, where=cells)
        for code in present:
            if code in constants:
                out[classes == code] = constants[int(code)]

    arrays = {"cover": layers_first(index), "wr": shares, "landcover": codes.astype(np.float64)}
    return over_layers(on_tile, *aligned(**arrays, **({} if under is None else {"understorey": under})))


def _everywhere(under: Tile, index: Tile) -> Tile:
    """Understorey as (layers, cells), when it is the same in all cells too."""
    return under if under.shape[1] == index.shape[1] else np.ascontiguousarray(np.broadcast_to(under, (len(under), index.shape[1])))
