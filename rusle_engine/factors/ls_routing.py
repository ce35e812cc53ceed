"""How water is routed for LS: directions, the area draining into each cell and the surface it runs over, our own or as they are given."""

from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid, same_grid
from rusle_engine.core.lift import Tile, pointwise
from rusle_engine.core.variables import UPSLOPE_AREA, Raster, Units, units_of
from rusle_engine.factors.ls_scheme import Scheme
from rusle_engine.terrain import multiple_flow
from rusle_engine.terrain.breaching import breached
from rusle_engine.terrain.conditioning import condition
from rusle_engine.terrain.edges import cut_by_edge
from rusle_engine.terrain.flow import direction_and_fill, directions_on, require_directions, routing_on, upslope_area_of

Array = np.ndarray[Any, Any]


class Routing:
    """What LS needs of the flow over ``heights``; nothing is computed that is not asked for."""

    def __init__(
        self,
        heights: xr.DataArray,
        grid: Grid,
        scheme: Scheme,
        *,
        direction: Raster | None = None,
        given_area: Raster | None = None,
        barriers: Raster | None = None,
        units: Units = None,
    ) -> None:
        self._grid, self._scheme = grid, scheme
        self._heights = breached(heights, grid, scheme.breach_limits) if scheme.conditioning == "breach" else heights
        self._given: dict[str, xr.DataArray] = {}
        if given_area is not None:
            _, area = same_grid({"dem": heights, "upslope_area": UPSLOPE_AREA.require(given_area, units_of(units, "upslope_area"))})
            self._given["area"] = pointwise(_as_area, area)
        if direction is not None:
            if scheme.routing != "d8":
                raise InputError(f"direction holds D8 directions, and routing is {scheme.routing!r}; give one of them")
            _, self._given["codes"] = same_grid({"dem": heights, "direction": require_directions(direction)})
        self._barriers = None if barriers is None else labelled(barriers).fillna(0)

    @cached_property
    def filled(self) -> xr.DataArray:
        """The surface without depressions; where they are breached first, it may lie below the heights."""
        if self._barriers is None:  # before walls water would stand
            if self._to_several:
                return self._spread.filled
            if self._own_directions:
                return self._codes_and_fill[1]
        return condition(self._heights)

    @cached_property
    def codes(self) -> xr.DataArray:
        """D8 directions."""
        if "codes" in self._given:
            return self._given["codes"]
        together = self._scheme.needs_fill and self._barriers is None
        return self._codes_and_fill[0] if together else directions_on(self._heights, self._grid, **self._ways)

    @cached_property
    def area(self) -> xr.DataArray:
        """The area draining into each cell, its own excluded [m²]."""
        if "area" in self._given:
            return self._given["area"]
        if not self._to_several:
            return upslope_area_of(self.codes, self._grid)
        return UPSLOPE_AREA.describe(self._spread.upslope_area(), **self._spread.described())

    def cut_by_edge(self, enough_m2: Array) -> xr.DataArray | None:
        """Where areas below ``enough_m2`` (for each row) may be cut; None where the area was given: nobody knows how that was routed."""
        if "area" in self._given:
            return None
        codes, spread = (self._spread.codes, self._spread) if self._to_several else (self.codes, None)
        return cut_by_edge(codes, spread, self._grid, self.area, enough_m2)

    @property
    def _to_several(self) -> bool:
        """Whether water is routed to several neighbours, by us."""
        return self._scheme.routing != "d8" and "area" not in self._given

    @cached_property
    def _spread(self) -> multiple_flow.Routing:
        scheme = self._scheme
        assert scheme.routing != "d8"
        return routing_on(self._heights, self._grid, scheme=scheme.routing, exponent=scheme.routing_exponent, **self._ways)

    @property
    def _own_directions(self) -> bool:
        """Whether D8 directions of ours are asked for, so that they and the filled surface come in one go."""
        by_area = "area" not in self._given and self._scheme.routing == "d8"
        return "codes" not in self._given and (by_area or self._scheme.on_paths)

    @cached_property
    def _codes_and_fill(self) -> tuple[xr.DataArray, xr.DataArray]:
        return direction_and_fill(self._heights, self._grid, **self._ways)

    @property
    def _ways(self) -> dict[str, Any]:
        """The options of the ways that water takes, whatever the scheme."""
        return {"flat_ties": self._scheme.flat_ties, "quantum_m": self._scheme.quantum_m, "barriers": self._barriers}

    def said(self, *, on_paths: bool) -> str:
        """How the routing came about, in words."""
        if "area" in self._given and not on_paths:
            return "upslope area as given"
        return "d8, directions as given" if "codes" in self._given else self._scheme.routing


def _as_area(given: Tile, out: Tile) -> None:
    wrong = (given < 0) | np.isinf(given)
    if wrong.any():
        raise InputError(f"upslope_area is {given[wrong][0]:g}; expected 0 or more [m²], NaN where it is not known: is a nodata code left in it?")
    out[...] = given


def labelled(raster: Raster) -> xr.DataArray:
    """A raster (y, x) of codes."""
    return raster if isinstance(raster, xr.DataArray) else xr.DataArray(raster, dims=("y", "x"))
