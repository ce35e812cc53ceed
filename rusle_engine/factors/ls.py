"""LS: the topographic factor of a DEM. Its parts stand in ``ls_parts.py``, its methods in ``ls_methods.py``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from rusle_engine.core.grid import Grid, same_grid
from rusle_engine.core.lift import Place
from rusle_engine.core.one_pass import one_pass
from rusle_engine.core.variables import (
    LENGTH,
    LENGTH_EXPONENT,
    SLOPE_ANGLE,
    SLOPE_LENGTH,
    STEEPNESS,
    TOPOGRAPHY,
    TOPOGRAPHY_FLAGS,
    UPSLOPE_AREA,
    Raster,
    Units,
    units_of,
)
from rusle_engine.factors import path_length
from rusle_engine.factors.ls_edges import edge_of_ls
from rusle_engine.factors.ls_methods import METHODS, ExponentMethod, LengthMethod, PointForm, RillRatio, SteepnessMethod
from rusle_engine.factors.ls_parts import l_factor, l_segment, m_exponent, s_factor, said
from rusle_engine.factors.ls_routing import Routing, labelled
from rusle_engine.factors.ls_scheme import Scheme, SlopeSurface
from rusle_engine.terrain.conditioning import ConditionMethod, require_heights
from rusle_engine.terrain.flat_ties import FlatTies
from rusle_engine.terrain.flow import RoutingScheme
from rusle_engine.terrain.slope import slope_of
from rusle_kernels import topography

__all__ = [
    "CAPPED",
    "CHANNEL",
    "HELD",
    "METHODS",
    "NODATA_FLAG",
    "RAISED",
    "l_factor",
    "l_segment",
    "ls_factor",
    "ls_with_flags",
    "m_exponent",
    "s_factor",
]

Array = np.ndarray[Any, Any]
CAPPED, CHANNEL, RAISED, HELD = topography.CAPPED, topography.CHANNEL, topography.RAISED, topography.HELD
NODATA_FLAG = topography.NODATA_FLAG
_NONE = np.empty((0, 0))


@dataclass(frozen=True)
class _OnTile:
    """What fills LS and flags of a tile, and L, S, m and θ where they are asked for. ``names`` are those of the rasters, in their order."""

    names: tuple[str, ...]
    scheme: Scheme
    grid: Grid

    def __call__(self, *arguments: Any) -> None:
        count = len(self.names)
        given, place, results = dict(zip(self.names, arguments)), arguments[count], arguments[count + 1 :]
        ls, flags, *parts = results
        if "ended" in given:
            flags[...] = given["ended"]
        else:
            _mark_ended(given, place, self.scheme, self.grid, flags)
        first, second = (given["start"], given["end"]) if self.scheme.on_paths else (given["area"], _NONE)
        rows = (np.ascontiguousarray(values[place.rows]) for values in (self.grid.dx_m, self.grid.dy_m, self.grid.cell_area_m2))
        kept = parts or [_NONE] * 4
        topography.length_and_steepness(given["surface"], first, second, not self.scheme.on_paths, *rows, *self.scheme.parameters(), ls, flags, *kept)


@dataclass(frozen=True)
class _EndedOnTile:
    """What fills the flags of cells in which no slope goes on."""

    names: tuple[str, ...]
    scheme: Scheme
    grid: Grid

    def __call__(self, *arguments: Any) -> None:
        *rasters, place, flags = arguments
        _mark_ended(dict(zip(self.names, rasters)), place, self.scheme, self.grid, flags)


def _mark_ended(given: Mapping[str, Array], place: Place, scheme: Scheme, grid: Grid, flags: Array) -> None:
    """Flags of channels and water; 0 elsewhere."""
    flags[...] = 0
    if "channels" in given:
        flags[given["channels"]] = CHANNEL
    if scheme.channel_area_m2 is not None:
        topography.mark_channels(given["area"], np.ascontiguousarray(grid.cell_area_m2[place.rows]), scheme.channel_area_m2, flags)
    if scheme.water_depth_m is not None:
        topography.mark_raised(given["heights"], given["filled"], scheme.water_depth_m, flags)


def _topography(
    dem: Raster,
    scheme: Scheme,
    direction: Raster | None,
    upslope_area: Raster | None,
    channels: Raster | None,
    barriers: Raster | None,
    cell_size_m: float | tuple[float, float] | None,
    units: Units,
    *,
    components: bool,
    edge: bool = False,
) -> xr.Dataset:
    """LS, flags and, where wanted, what they are made of, and what the edge makes uncertain."""
    heights = require_heights(dem, units_of(units, "dem"))
    grid = Grid.of(heights, cell_size_m)
    routing = Routing(heights, grid, scheme, direction=direction, given_area=upslope_area, barriers=barriers, units=units)
    surface = heights if scheme.slope_surface == "raw" else routing.filled
    inputs, theta = {"surface": surface}, slope_of(surface, grid) if scheme.on_paths else None
    ending = _what_ends(scheme, heights, routing, channels)
    if theta is not None:
        ended = _ended(scheme, grid, heights, ending)
        inputs["ended"] = ended
        inputs["start"], inputs["end"] = path_length.slope_lengths(
            routing.codes, theta, ended, grid, scheme.cutoff_below_5_pct, scheme.cutoff_from_5_pct
        )
    else:
        inputs |= {"area": routing.area} | ending
    kinds = [np.float64, np.uint8] + [np.float64] * 4 * components
    ls, flags, *parts = one_pass(_OnTile(tuple(inputs), scheme, grid), *inputs.values(), dtypes=kinds, ring=1)
    provenance = scheme.provenance() | {"routing": routing.said(on_paths=scheme.on_paths)}
    found = {"ls": TOPOGRAPHY.describe(ls, **provenance), "flags": TOPOGRAPHY_FLAGS.describe(flags, nodata=NODATA_FLAG)}
    mask = edge_of_ls(scheme, grid, routing, inputs, theta, flags) if edge else None
    if mask is not None:
        found["edge"] = mask
    if components:
        length, steepness, exponent, angle = parts
        ratio = {"rill_ratio": scheme.rill_ratio} if scheme.has_rill_ratio else {}
        found["l"] = LENGTH.describe(length, method=scheme.length, max_slope_length_m=said(scheme.max_slope_length_m))
        found["s"] = STEEPNESS.describe(steepness, method=scheme.steepness_method, max_steepness_degree=said(scheme.max_steepness_degree))
        found["m"] = LENGTH_EXPONENT.describe(exponent, method=scheme.exponent_method, **ratio)
        found["theta"] = SLOPE_ANGLE.describe(angle, method="horn1981")
        found["upslope_area_m2"] = UPSLOPE_AREA.describe(routing.area, routing=routing.said(on_paths=False))
        if scheme.on_paths:
            found["slope_length_m"] = SLOPE_LENGTH.describe(inputs["end"], method=path_length.METHOD, routing=routing.said(on_paths=True))
    return xr.Dataset(found)


def _what_ends(scheme: Scheme, heights: xr.DataArray, routing: Routing, channels: Raster | None) -> dict[str, xr.DataArray]:
    """The rasters that tell where hillslopes end."""
    needed: dict[str, xr.DataArray] = {}
    if scheme.channel_area_m2 is not None:
        needed["area"] = routing.area
    if scheme.water_depth_m is not None:
        needed |= {"heights": heights, "filled": routing.filled}
    if channels is not None:
        _, given = same_grid({"dem": heights, "channels": labelled(channels)})
        needed["channels"] = given.notnull() & (given != 0)
    return needed


def _ended(scheme: Scheme, grid: Grid, heights: xr.DataArray, ending: Mapping[str, xr.DataArray]) -> xr.DataArray:
    """Flags of cells in which no slope goes on: channels and water."""
    rasters = dict(ending) or {"heights": heights}
    (ended,) = one_pass(_EndedOnTile(tuple(rasters), scheme, grid), *rasters.values(), dtypes=[np.uint8])
    return ended


def ls_factor(
    dem: Raster,
    *,
    length: LengthMethod = "desmet_govers1996",
    steepness: SteepnessMethod = "mccool1987",
    exponent: ExponentMethod = "mccool1989",
    rill_ratio: RillRatio = "moderate",
    routing: RoutingScheme = "d8",
    routing_exponent: float | None = None,
    barriers: Raster | None = None,
    max_slope_length_m: float | None = None,
    max_steepness_degree: float | None = None,
    channel_area_m2: float | None = None,
    channels: Raster | None = None,
    water_depth_m: float | None = None,
    slope_surface: SlopeSurface = "raw",
    conditioning: ConditionMethod = "fill",
    max_breach_length_m: float | None = None,
    max_breach_depth_m: float | None = None,
    flat_ties: FlatTies = "index",
    quantum_m: float | None = None,
    cutoff_below_5_pct: float = 0.7,
    cutoff_from_5_pct: float = 0.5,
    form: PointForm = "point",
    direction: Raster | None = None,
    upslope_area: Raster | None = None,
    components: bool = False,
    cell_size_m: float | tuple[float, float] | None = None,
    units: Units = None,
) -> xr.DataArray | xr.Dataset:
    r"""Topographic factor LS of a DEM.

    .. math:: LS = L \cdot S, \qquad L = \frac{\lambda_{out}^{m+1} - \lambda_{in}^{m+1}}{(\lambda_{out} - \lambda_{in})\,22.13^m}

    The cell is a segment of its slope, from :math:`\lambda_{in}` to :math:`\lambda_{out}`. They come from the area :math:`A_{in}` that
    drains into a cell of area a (its own excluded; D8 on the minimal fill, see ``flow_direction``) across the width of its contour
    w = Δx\|cos α\| + Δy\|sin α\|, as :math:`A_{in}/w` and :math:`(A_{in} + a)/w` (``desmet_govers1996``, the default), or from the
    longest flow path (``foster_wischmeier1974``; ``wischmeier_smith1978`` takes the L of the whole slope above,
    :math:`(\lambda_{out}/22.13)^m`, for that of the cell). S and m go by the slope of the DEM *as it is*, not of the filled one
    (``slope``). Two methods have S and m of their own, with :math:`A_s = (A_{in} + a)/w`:

    .. math:: LS = 1.4\,(A_s/22.13)^{0.4}\,(\sin\theta/0.0896)^{1.3}, \qquad LS = (A_s/22.13)^e\,S_{WS}

    for ``moore_burch1986`` (1.4 at a point, 1 for the mean of the slope above it) and ``bohner_selige2006`` (e = 0.5 above 0.0505 rad,
    :math:`3\,\theta^{0.6}` below; S of ``wischmeier_smith1978``).

    Parameters
    ----------
    dem
        Elevation [m] (y, x), as it is; projected, or geographic (cell sizes and areas row by row on the ellipsoid).
    length
        Whose equation of L, or of LS.
    steepness
        Whose equation of S, where L is ``desmet_govers1996``, ``foster_wischmeier1974`` or ``wischmeier_smith1978``: mccool1987 (RUSLE), liu1994
        (CSLE), nearing1997 (one curve) or wischmeier_smith1978 (USLE).
    exponent
        Whose equation of m, where L is ``desmet_govers1996``, ``foster_wischmeier1974`` or ``wischmeier_smith1978``: mccool1989 (RUSLE),
        wischmeier_smith1978 (by percent), csle_1_3_5 or csle_05_15_3 (by degrees) or oliveira2013 (by percent, mccool1989 above 9 %).
    rill_ratio
        Rill against interrill erosion, for the exponents mccool1989 and oliveira2013, where L is ``desmet_govers1996``, ``foster_wischmeier1974`` or
        ``wischmeier_smith1978``: low (rangeland), moderate (cropland) or high (freshly disturbed land).
    routing
        How water is routed to find the area that drains into a cell, for ``desmet_govers1996``, ``moore_burch1986`` and ``bohner_selige2006``:
        d8 (all to one neighbour), tarboton1997 (D∞: to one or two), quinn1991, freeman1991 or qin2007 (multiple flow: to all lower ones).
    routing_exponent
        Exponent of the slope by which freeman1991 shares water out, for ``desmet_govers1996``, ``moore_burch1986`` and
        ``bohner_selige2006``; 1.1 when not given.
    barriers
        Ditches, walls, roads, field boundaries as codes: 1 water that enters ends there, 2 water goes round, 0 or none neither
        (``flow_direction``). Slopes and areas end with the water; S and LS of the cells stay those of the DEM.
    max_slope_length_m
        Longest slope [m], along the horizontal: slope lengths are clipped there, never L itself; none when not given.
    max_steepness_degree
        Slope angle [°] above which S is held at its value there (30 is told of CSLE practice, unchecked); none when not given.
    channel_area_m2
        Area [m²], a cell's own included, from which a cell is a channel: it ends the hillslope and its LS is 0; none when not given.
    channels
        Channels and waters that are known, any code but 0: they end the hillslope and their LS is 0, like the cells of ``channel_area_m2``.
    water_depth_m
        Depth [m] above which a cell raised by filling is water: it ends the hillslope and its LS is 0; none when not given.
    slope_surface
        Of which surface slope and aspect are taken: raw (the DEM as it is) or filled (without depressions, ``conditioning``).
    conditioning
        How depressions are made to drain: fill, or breach (channels are cut within the two limits, and what remains is filled; ``condition``).
    max_breach_length_m
        How long a breach may be [m]; must be given for breach.
    max_breach_depth_m
        How deep a breach may cut [m]; no limit when not given.
    flat_ties
        Which way water takes in flats and lakes: index (the order of cells) or packed (``flow_direction``).
    quantum_m
        Step of the heights [m] that packed needs.
    cutoff_below_5_pct
        ``foster_wischmeier1974``, ``wischmeier_smith1978``: a slope ends where its angle falls from one cell to the next below this share,
        the upper one being under 5 percent; 0: never.
    cutoff_from_5_pct
        ``foster_wischmeier1974``, ``wischmeier_smith1978``: the same share where the upper angle is 5 percent or more.
    form
        ``moore_burch1986``: LS at a point, or whole_slope for the mean of the slope above it.
    direction
        D8 directions to use in place of our own.
    upslope_area
        Area draining into each cell, its own excluded [m²], to use in place of our own routing.
    components
        Give all parts: a Dataset with ls, l, s, m, theta, upslope_area_m2, and on flow paths slope_length_m.
    cell_size_m
        Cell size [m] of an array without coordinates, one number or (dx, dy).
    units
        Units of plain arrays, by parameter name.

    Returns
    -------
    DataArray (y, x), or Dataset
        LS, dimensionless, float64; NaN where the DEM has none or its slope cannot be known. Its attributes name the whole scheme. Lazy
        when ``dem`` is.

    Raises
    ------
    InputError
        When an option is not known, not positive or without meaning for the method, a unit is wrong, or the cell size cannot be known.
    GridMismatchError
        When ``direction`` or ``upslope_area`` lies on another grid.
    MemoryBudgetError
        When the raster is larger than the memory budget allows.

    Notes
    -----
    Sources: L Desmet & Govers 1996, J. Soil Water Cons. 51:427, equation 9 (they route by multiple flow; D8 is a departure), Foster &
    Wischmeier 1974, Trans. ASAE 17:305, on lengths by Van Remortel et al. 2004, Computers & Geosciences 30:1043 (a cell's size or diagonal,
    half where a slope begins; level ground compares as 0.1°; the slope is Horn's, where they take the steepest way down); S, m and the
    other methods as in ``s_factor``, ``m_exponent`` and ``METHODS``.
    Without a longest slope and a channel threshold, LS grows without limit along rivers: name both for a map of soil loss.

    Examples
    --------
    >>> import numpy as np
    >>> plane = 0.2 * 30.0 * np.arange(4)[::-1] * np.ones((3, 1))
    >>> ls_factor(plane, units="m", cell_size_m=30.0).values[1].round(4).tolist()
    [3.369, 6.9448, 9.5317, 11.729]
    """
    scheme = Scheme(
        length=length,
        steepness=steepness,
        exponent=exponent,
        rill_ratio=rill_ratio,
        routing=routing,
        routing_exponent=routing_exponent,
        max_slope_length_m=max_slope_length_m,
        max_steepness_degree=max_steepness_degree,
        channel_area_m2=channel_area_m2,
        water_depth_m=water_depth_m,
        cutoff_below_5_pct=cutoff_below_5_pct,
        cutoff_from_5_pct=cutoff_from_5_pct,
        form=form,
        slope_surface=slope_surface,
        conditioning=conditioning,
        max_breach_length_m=max_breach_length_m,
        max_breach_depth_m=max_breach_depth_m,
        flat_ties=flat_ties,
        quantum_m=quantum_m,
    )
    result = _topography(dem, scheme, direction, upslope_area, channels, barriers, cell_size_m, units, components=components)
    return result.drop_vars("flags") if components else result["ls"].rename(TOPOGRAPHY.symbol)


def ls_with_flags(
    dem: Raster,
    *,
    direction: Raster | None = None,
    upslope_area: Raster | None = None,
    channels: Raster | None = None,
    barriers: Raster | None = None,
    edge: bool = False,
    cell_size_m: float | tuple[float, float] | None = None,
    units: Units = None,
    **options: Any,
) -> xr.Dataset:
    """``ls_factor`` with what shaped it: a Dataset of ``ls`` and ``flags``, and with ``edge`` what ``edge_of_ls`` tells, where it can be told.

    ``flags`` is uint8. On hillslopes CAPPED where the longest slope cuts the slope length and HELD where the land is steeper than S is
    followed; where the hillslope has ended and LS is 0 CHANNEL and RAISED; both of a pair may hold. 0 for any other cell; NODATA_FLAG. The
    options are those of ``ls_factor``.
    """
    return _topography(dem, Scheme(**options), direction, upslope_area, channels, barriers, cell_size_m, units, components=False, edge=edge)
