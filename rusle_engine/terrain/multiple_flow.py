"""Routing by which a cell drains to several neighbours: what is handed on from directions to sums, and the sums.

A *routing* is a Dataset on one grid: ``filled``, the surface water flows on, and ``d8``, where a cell drains that has no lower neighbour (0: out of
the grid, whatever its neighbours), with the scheme and its exponent as attributes. The shares of the neighbours are a function of the
nine heights around a cell, so they are computed where sums pass, and nothing larger is kept (``rusle_kernels.multiple_flow``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.exchange import Exchange, exchange
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import Place, Tile, pointwise, stencil
from rusle_engine.core.methods import MethodInfo
from rusle_engine.core.variables import ELEVATION, FLOW_ANGLE
from rusle_engine.terrain.accumulation import checked_codes, fixed_point, weights_in_fixed_point
from rusle_kernels import multiple_flow as kernels
from rusle_kernels.neighbours import NODATA_CODE

Array = np.ndarray[Any, Any]
MultipleFlow = Literal["tarboton1997", "quinn1991", "freeman1991", "qin2007"]
FREEMAN_EXPONENT = 1.1
_NUMBERS = {"quinn1991": kernels.QUINN, "freeman1991": kernels.FREEMAN, "qin2007": kernels.QIN, "tarboton1997": kernels.TARBOTON}


def _method(equation: str, source: str, formula: str) -> MethodInfo:
    return MethodInfo(equation, source, ("dem",), "1", "unchecked", formula, "any DEM; shares by true distances")


METHODS: Mapping[str, MethodInfo] = {
    "tarboton1997": _method(
        "steepest of eight triangular facets; between its two neighbours by angle, α2/(α1 + α2) and α1/(α1 + α2)",
        "Tarboton 1997, Water Resources Research 33(2):309-319",
        "D-infinity",
    ),
    "quinn1991": _method(
        "L·tan β over all lower neighbours, L = 0.5 D sideways and √2/4 D (0.354 D in print) diagonally",
        "Quinn, Beven, Chevallier & Planchon 1991, Hydrological Processes 5:59-79",
        "MFD",
    ),
    "freeman1991": _method("(tan β)^p over all lower neighbours, p = 1.1", "Freeman 1991, Computers & Geosciences 17(3):413-422", "MFD"),
    "qin2007": _method(
        "L·(tan β)^f over all lower neighbours, f = 8.9·min(e, 1) + 1.1, e the greatest tan β, L as quinn1991",
        "Qin, Zhu, Pei, Li, Zhou & Yang 2007, International Journal of Geographical Information Science 21(4):443-458",
        "MFD-md",
    ),
}


def exponent_of(scheme: str, exponent: float | None) -> float | None:
    """The exponent of ``freeman1991``, his own where none is given; None for schemes that have none.

    Raises
    ------
    InputError
        When it is not positive, or given for another scheme.
    """
    if scheme != "freeman1991":
        if exponent is not None:
            raise InputError(f"exponent is {exponent:g} but scheme {scheme!r} has none; it belongs to 'freeman1991'. Leave it out.")
        return None
    power = FREEMAN_EXPONENT if exponent is None else float(exponent)
    if not 0 < power < np.inf:
        raise InputError(f"exponent is {exponent}; expected a positive number (freeman1991: {FREEMAN_EXPONENT})")
    return power


@dataclass(frozen=True)
class Routing:
    """Directions and surface of one scheme on one grid."""

    codes: xr.DataArray
    filled: xr.DataArray
    grid: Grid
    scheme: MultipleFlow
    exponent: float | None

    def accumulated(self, amounts: Array, *, own: Array | None, scale: float) -> xr.DataArray:
        """Sums of one integer amount for the cells of each row, less ``own`` for each row, times ``scale``."""
        prepare = partial(self._prepare(), amounts=amounts)
        finish = partial(_finish_rows, own=np.zeros_like(amounts) if own is None else own, scale=scale)
        return exchange(self._problem(prepare, finish, by_row=True), self.filled, self.codes)

    def weighted(self, weights: xr.DataArray, greatest: xr.DataArray) -> xr.DataArray:
        """Sums of ``weights`` in fixed point; ``greatest`` is the largest size of one."""
        cells = self.grid.height * self.grid.width
        prepare = partial(self._prepare(), cells=cells)
        return exchange(self._problem(prepare, partial(_finish_weights, cells=cells), by_row=False), self.filled, self.codes, weights, greatest)

    def upslope_area(self) -> xr.DataArray:
        """Area draining into each cell [m²], its own excluded, float64, without attributes."""
        areas = self.grid.cell_area_m2
        factor = fixed_point(float(areas.sum()) * self.grid.width)
        amounts = np.rint(areas * factor).astype(np.int64)
        return self.accumulated(amounts, own=amounts, scale=1 / factor)

    def counted(self) -> xr.DataArray:
        """Cells that drain through each cell, its own included, float64, without attributes."""
        factor = fixed_point(float(self.grid.height * self.grid.width))
        return self.accumulated(np.full(self.grid.height, int(factor)), own=None, scale=1 / factor)

    def described(self) -> dict[str, Any]:
        """The attributes that say how it came about."""
        power = {} if self.exponent is None else {"exponent": self.exponent}
        return {"scheme": self.scheme} | power | METHODS[self.scheme].provenance()

    def as_dataset(self) -> xr.Dataset:
        found = {"d8": self.codes, "filled": ELEVATION.describe(self.filled, method="fill")}
        if self.scheme == "tarboton1997":
            found["angle"] = azimuths(self)
        size = {"cell_size_m": [float(self.grid.dx_m[0]), float(self.grid.dy_m[0])]} if self.grid.crs is None else {}
        return xr.Dataset(found, attrs=self.described() | size)

    @classmethod
    def of(cls, routing: xr.Dataset) -> "Routing":
        """The routing that ``as_dataset`` gave.

        Raises
        ------
        InputError
            When it lacks something.
        """
        missing = [name for name in ("d8", "filled") if name not in routing]
        scheme: Any = routing.attrs.get("scheme")
        if missing or scheme not in METHODS:
            seen = f"variables {sorted(map(str, routing.data_vars))} and scheme {scheme!r}"
            raise InputError(
                f"the routing has {seen}; expected d8, filled and one of {', '.join(METHODS)}: what flow_direction(dem, scheme=…) gives, whole"
            )
        size = routing.attrs.get("cell_size_m")
        grid = Grid.of(routing["filled"], None if size is None else (float(size[0]), float(size[1])))
        return cls(routing["d8"], routing["filled"], grid, scheme, exponent_of(scheme, routing.attrs.get("exponent")))

    def _prepare(self) -> partial[Any]:
        return partial(_prepare, dx=self.grid.dx_m, dy=self.grid.dy_m, facets=self.scheme == "tarboton1997")

    def _problem(self, prepare: Any, finish: Any, *, by_row: bool) -> Exchange:
        power = 1.0 if self.exponent is None else self.exponent
        dx, dy = self.grid.dx_m, self.grid.dy_m
        nearness = np.stack([1 / dx, 1 / dy, 1 / np.hypot(dx, dy)], axis=1)
        widths = np.stack([dy / 2, dx / 2, np.hypot(dx, dy) / 4], axis=1)
        return Exchange(
            step="flow_accumulation",
            prepare=prepare,
            count=kernels.inflow_counts,
            advance=partial(_advance, nearness=nearness, widths=widths, scheme=_NUMBERS[self.scheme], exponent=power),
            finish=finish,
            around=(np.nan, NODATA_CODE) if by_row else (np.nan, NODATA_CODE, 0.0),
            surface_dtype=np.dtype(np.float64 if self.scheme == "tarboton1997" else self.filled.dtype),
            amounts_by_row=by_row,
        )


def _prepare(
    filled: Tile, codes: Tile, *rest: Any, dx: Array, dy: Array, facets: bool, amounts: Array | None = None, cells: int = 0
) -> tuple[Tile, Tile, Tile]:
    """Surface, receivers and amounts of a tile: of each row, or (where ``rest`` holds weights and the greatest of them) of each cell."""
    *weights, place = rest
    heights = np.where(np.isfinite(filled), filled, filled.dtype.type(np.inf))
    inside = checked_codes(codes, place)[1:-1, 1:-1].copy()
    inside[np.isinf(heights[1:-1, 1:-1])] = NODATA_CODE
    receivers = np.empty(inside.shape, np.uint8)
    if facets:
        surface = np.empty(inside.shape, np.float64)
        kernels.facet_receivers(heights, inside, dx[place.rows].copy(), dy[place.rows].copy(), receivers, surface)
    else:
        surface = heights[1:-1, 1:-1].copy()
        surface[inside == NODATA_CODE] = np.inf
        kernels.lower_receivers(heights, inside, receivers)
    if amounts is not None:
        return surface, receivers, amounts[place.rows, np.newaxis]
    values, greatest = weights
    return surface, receivers, weights_in_fixed_point(values[1:-1, 1:-1], inside, fixed_point(float(greatest) * cells), place)


def _advance(
    surface: Tile, receivers: Tile, place: Place, total: Tile, waiting: Tile, *, nearness: Array, widths: Array, scheme: int, exponent: float
) -> int:
    rows = nearness[place.rows], widths[place.rows]
    done: int = kernels.pass_on(surface, receivers, *rows, scheme, exponent, np.empty(total.size, np.int64), total, waiting)
    return done


def _finish_rows(surface: Tile, total: Tile, place: Place, *, own: Array, scale: float) -> Tile:
    return np.where(np.isinf(surface), np.nan, (total - own[place.rows, np.newaxis]) * scale)


def _finish_weights(surface: Tile, total: Tile, greatest: Any, _place: Place, *, cells: int) -> Tile:
    return np.where(np.isinf(surface), np.nan, total / fixed_point(float(greatest) * cells))


def azimuths(routing: Routing) -> xr.DataArray:
    """The direction of D∞ [rad], anticlockwise from east, 0 to 2π; where nothing is lower that of the D8 neighbour; −1 out of the grid."""
    grid = routing.grid
    surface = routing.filled.where(np.isfinite(routing.filled), np.inf)
    steepest = stencil(kernels.facet_angles, surface, rows=(grid.dx_m, grid.dy_m), nodata=np.inf)
    diagonal = xr.DataArray(np.arctan2(grid.dy_m, grid.dx_m), dims="y")
    return FLOW_ANGLE.describe(pointwise(kernels.angles_with_codes, steepest, routing.codes, diagonal), scheme="tarboton1997")
