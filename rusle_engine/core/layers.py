"""From kernels on stacks of rasters to functions on labelled, lazy arrays: ``lift`` for what has layers."""

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import is_dask_collection
from dask.delayed import delayed

from rusle_engine.core.lift import Tile, is_lazy

_PLACE = ("y", "x")


def over_layers(
    function: Callable[..., None],
    *arrays: xr.DataArray,
    layers: tuple[str, int] | None = None,
    dtype: Any = np.float64,
) -> xr.DataArray:
    """Apply ``function(*tiles, out)``, which looks at one cell in all layers of a stack of rasters at a time.

    A stack has one dimension besides y and x. Tiles reach the function as (layers, cells), of rasters and numbers as (1, cells), of a mere
    series as (layers, 1), each in its own dtype. ``out`` has the rows that ``layers`` names, else one. Lazy arrays are cut in space only:
    layers in several chunks are joined first. A tile of layers is never copied, nor turned over.

    Parameters
    ----------
    layers
        Name and size of the dimension of layers that the result has, as its first; None: it has none.
    """
    aligned = xr.align(*arrays, join="exact", copy=False)
    place = tuple(d for d in _PLACE if any(d in a.dims for a in aligned))
    own = [tuple(d for d in a.dims if d not in _PLACE) for a in aligned]
    ordered = [a.transpose(*dims, ...) for a, dims in zip(aligned, own)]
    rows = 1 if layers is None else layers[1]

    def on_tile(*tiles: Any) -> Tile:
        stacks = [_block(tile) if dims else _block(tile)[None] for tile, dims in zip(tiles, own)]
        cells = np.broadcast_shapes(*(stack.shape[1:] for stack in stacks))
        out = np.empty((rows, int(np.prod(cells))), dtype)
        function(*(_in_rows(stack, () if dims and stack.ndim == 1 else cells) for stack, dims in zip(stacks, own)), out)
        return out.reshape(cells if layers is None else (rows, *cells))

    data = (
        _on_chunks(on_tile, ordered, place, rows, dtype, has_layers=layers is not None)
        if is_lazy(*ordered)
        else on_tile(*(a.values for a in ordered))
    )
    labels = {name: coordinate.variable for a in reversed(ordered) for name, coordinate in a.coords.items() if set(coordinate.dims) <= set(place)}
    return xr.DataArray(data, dims=place if layers is None else (layers[0], *place), coords=labels)


def _on_chunks(on_tile: Callable[..., Tile], arrays: list[xr.DataArray], place: tuple[str, ...], rows: int, dtype: Any, *, has_layers: bool) -> Any:
    """``on_tile`` for every chunk in space, those of the first lazy array that has a place."""
    lead = next(a for a in arrays if is_lazy(a) and set(place) <= set(a.dims))
    chunks = dict(zip(lead.dims, lead.data.chunks))
    arguments: list[Any] = []
    for k, array in enumerate(arrays):
        if not set(array.dims) & set(place) and not is_lazy(array):
            arguments += [array.values, None]
            continue
        cut = array.chunk({d: chunks[d] if d in place else -1 for d in array.dims})
        arguments += [cut.data, tuple(d if d in place else f"layers of {k}" for d in array.dims)]
    return da.blockwise(
        on_tile,
        ("layers", *place) if has_layers else place,
        *arguments,
        new_axes={"layers": rows} if has_layers else None,
        concatenate=False,
        align_arrays=False,
        dtype=dtype,
        meta=np.empty((0,) * (len(place) + has_layers), dtype),
    )


def _block(tile: Any) -> Tile:
    """The one chunk along the layers, which dask hands over in a list."""
    while isinstance(tile, list):
        (tile,) = tile
    return np.asarray(tile)


def _in_rows(stack: Tile, cells: tuple[int, ...]) -> Tile:
    """(layers, …) as (layers, cells)."""
    return np.ascontiguousarray(np.broadcast_to(stack, (len(stack), *cells)) if cells else stack).reshape(len(stack), -1)


def records_of_chunks(function: Callable[[Tile], Any], array: xr.DataArray) -> list[Any]:
    """``function(chunk) -> record`` of every chunk of an array of any dimensions: delayed objects when it is lazy, else the one value."""
    if not is_dask_collection(array):
        return [function(np.asarray(array.values))]
    call = delayed(function, pure=False)
    return [call(chunk) for chunk in array.data.to_delayed(optimize_graph=False).ravel()]
