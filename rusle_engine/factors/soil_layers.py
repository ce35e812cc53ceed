"""Soils described layer by layer, made one layer from the surface down to a depth: rasters of each layer, or rows of a soil table."""

import logging
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import same_grid
from rusle_engine.core.lift import Tile, pointwise

log = logging.getLogger("rusle_engine")

TOP, BOTTOM = "top_cm", "bottom_cm"
"""Columns of a soil table with a row for every layer."""
_OF_THE_WHOLE_SOIL = ("structure", "permeability", "rock_cover")
"""Codes, which have no mean, and the cover of the surface: those of the uppermost layer count."""
_NAMED = 5


def depth_weighted(layers: Sequence[xr.DataArray | np.ndarray | float], limits_cm: Sequence[float], *, bottom_cm: float) -> xr.DataArray:
    r"""The mean of layers of the soil from the surface down to a depth, each weighted by its thickness within it.

    .. math:: v = \frac{\sum_i v_i\,t_i}{\sum_i t_i}, \qquad t_i = \min(b_i, b) - \min(a_i, b)

    Parameters
    ----------
    layers
        One raster (or number) for each layer, from the top down, all of one quantity and unit.
    limits_cm
        Depths between which they lie [cm], one more than there are layers, rising from 0: ``(0, 5, 15, 30)`` for three layers.
    bottom_cm
        Down to which depth [cm]; at most the last of ``limits_cm``.

    Returns
    -------
    DataArray
        float64, in the layers' unit; NaN where a layer that counts has no value. Lazy when a layer is.

    Raises
    ------
    InputError
        When limits do not fit the layers, do not rise from 0 or do not reach ``bottom_cm``, or units differ.

    Examples
    --------
    >>> float(depth_weighted([10.0, 40.0], (0, 5, 15), bottom_cm=10))
    25.0
    """
    weights = layer_weights(len(layers), limits_cm, bottom_cm)
    labelled = [layer if isinstance(layer, xr.DataArray) else xr.DataArray(layer, dims=("y", "x")[2 - np.ndim(layer) :]) for layer in layers]
    units = {str(layer.attrs.get("units", "")) for layer in labelled}
    if len(units) > 1:
        raise InputError(f"the layers have units {', '.join(sorted(map(repr, units)))}; expected one for all")

    def mean(*tiles: Tile) -> None:
        *values, out = tiles
        out[...] = 0.0
        for tile, weight in zip(values, weights):
            out += weight * tile

    arrays = same_grid({f"layer {number}": layer for number, layer in enumerate(labelled[: len(weights)], 1)})
    mixed = pointwise(mean, *arrays)
    unit = units.pop()
    kept = {"units": unit} if unit else {}
    return mixed.assign_attrs(depth_cm=depth_text(bottom_cm), **kept)


def layer_weights(layers: int, limits_cm: Sequence[float], bottom_cm: float) -> list[float]:
    """What each layer counts in the mean from 0 down to ``bottom_cm``, from the top; without the layers below it.

    Raises
    ------
    InputError
        When limits do not fit the layers, do not rise from 0 or do not reach ``bottom_cm``.
    """
    if len(limits_cm) != layers + 1:
        raise InputError(f"limits_cm has {len(limits_cm)} depths for {layers} layers; expected {layers + 1}, such as (0, 5, 15) for two")
    if limits_cm[0] != 0 or any(low >= high for low, high in pairwise(limits_cm)):
        raise InputError(f"limits_cm is {tuple(limits_cm)}; expected depths that rise from 0")
    if not 0 < bottom_cm <= limits_cm[-1]:
        raise InputError(f"bottom_cm is {bottom_cm:g}; expected more than 0 and at most {limits_cm[-1]:g}, where the layers end")
    cut = [min(limit, bottom_cm) for limit in limits_cm]
    return [(high - low) / bottom_cm for low, high in pairwise(cut) if high > low]


def depth_text(bottom_cm: float) -> str:
    """How attributes say it."""
    return f"0 to {bottom_cm:g}, weighted by thickness"


Row = tuple[Any, Mapping[str, Any]]
"""The code of a soil, and what its row holds, by column."""


def one_layer_each(rows: Sequence[Row], names: Sequence[str], depth_cm: float | None) -> list[Row]:
    """A soil table with one row for every layer as one with a row for every soil; any other table as it is.

    Contents are weighted by thickness from the surface down to ``depth_cm``; structure, permeability and the cover by rock fragments are
    those of the uppermost layer. A soil that ends above has the mean of all of it, which is logged.

    Parameters
    ----------
    rows
        Of a table with the columns ``top_cm`` and ``bottom_cm``, several for a soil, or without them.
    names
        The columns that count.
    depth_cm
        Down to which depth [cm].

    Raises
    ------
    InputError
        When the depth is not stated for layers or stated without them, and naming the soil whose layers overlap, leave a part out, do not
        begin at 0, or lack a content that another of its layers has.
    """
    layered = any(TOP in row or BOTTOM in row for _, row in rows)
    if depth_cm is None:
        if layered:
            raise InputError(f"the soil table has layers ({TOP}, {BOTTOM}); state depth_cm, down to which their contents are weighted, such as 30")
        return list(rows)
    if not depth_cm > 0:
        raise InputError(f"depth_cm is {depth_cm:g}; expected more than 0")
    if not layered:
        raise InputError(f"depth_cm weighs the layers of a soil table, and this one has no columns {TOP} and {BOTTOM}; leave it out, or add them")
    by_soil: dict[Any, list[Mapping[str, Any]]] = {}
    for code, row in rows:
        by_soil.setdefault(code, []).append(row)
    shallow: list[Any] = []
    merged: list[Row] = []
    for code, layers in by_soil.items():
        ordered = sorted(((_depth(code, row, TOP), _depth(code, row, BOTTOM), row) for row in layers), key=lambda layer: layer[:2])
        limits = _limits(code, ordered)
        if limits[-1] < depth_cm:
            shallow.append(code)
        merged.append((code, _weighted(code, [row for *_, row in ordered], limits, min(depth_cm, limits[-1]), names)))
    if shallow:
        named = ", ".join(map(str, shallow[:_NAMED])) + (" …" if len(shallow) > _NAMED else "")
        log.warning("%d of %d soils end above %g cm; the mean of all of their layers is taken (%s)", len(shallow), len(merged), depth_cm, named)
    return merged


def _depth(code: Any, row: Mapping[str, Any], name: str) -> float:
    try:
        return float(row[name])
    except KeyError:
        raise InputError(f"soil {code} of the table has a layer without {name}; every row needs {TOP} and {BOTTOM}") from None
    except (TypeError, ValueError):
        raise InputError(f"soil {code} of the table has {row[name]!r} for {name}; expected a number [cm]") from None


def _limits(code: Any, layers: Sequence[tuple[float, float, Any]]) -> list[float]:
    """The depths between which the layers lie, from 0 on."""
    reached = 0.0
    for top, bottom, _ in layers:
        if bottom <= top:
            raise InputError(f"soil {code} of the table has a layer from {top:g} to {bottom:g} cm; expected {TOP} above {BOTTOM}")
        if top != reached:
            what = "overlap" if top < reached else "leave a part out"
            raise InputError(f"the layers of soil {code} in the table {what}: one begins at {top:g} cm where {reached:g} is expected")
        reached = bottom
    return [0.0, *(bottom for _, bottom, _ in layers)]


def _weighted(code: Any, layers: Sequence[Mapping[str, Any]], limits: Sequence[float], bottom_cm: float, names: Sequence[str]) -> dict[str, Any]:
    weights = layer_weights(len(layers), limits, bottom_cm)
    counted = layers[: len(weights)]
    mixed: dict[str, Any] = {}
    for name in names:
        held = [name in row for row in counted]
        if name in _OF_THE_WHOLE_SOIL:
            mixed |= {name: counted[0][name]} if held[0] else {}
        elif any(held):
            if not all(held):
                top, bottom = limits[held.index(False)], limits[held.index(False) + 1]
                raise InputError(f"soil {code} of the table has no {name} from {top:g} to {bottom:g} cm, but in other layers above {bottom_cm:g} cm")
            mixed[name] = sum(weight * _number(code, row[name], name) for weight, row in zip(weights, counted))
    return mixed


def _number(code: Any, value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"soil {code} of the table has {value!r} for {name}; expected a number") from None
