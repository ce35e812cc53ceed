"""From kernels on stacks of rasters to functions on labelled, lazy arrays: ``lift`` for what has layers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from dask.delayed import delayed

from rusle_engine.core.lift import Tile, is_lazy


def over_layers(
    function: Callable[..., None],
    *arrays: xr.DataArray,
    layers: tuple[str, int] | None = None,
    dtype: Any = np.float64,
) -> xr.DataArray:
    """Apply ``function(*tiles, out)``, which looks at one cell in all layers of a stack of rasters at a time.

    A stack has one dimension besides y and x. Tiles reach the function as (layers, cells), of rasters and numbers as (1, cells), of a mere
    series as (layers, 1), each in its own dtype. ``out`` has the rows that ``layers`` names, else one. Lazy arrays are cut in space only:
    layers in several chunks are joined first.

    Parameters
    ----------
    layers
        Name and size of the dimension of layers that the result has, as its first; None: it has none.
    """
    dimensions = [[d for d in a.dims if d not in ("y", "x")] for a in arrays]
    joined = [a.chunk(dict.fromkeys(own, -1)) if own and is_lazy(a) else a for a, own in zip(arrays, dimensions)]
    rows = 1 if layers is None else layers[1]

    def on_tile(*tiles: Tile) -> Tile:
        stacks = [np.moveaxis(tile, -1, 0) if own else tile[None] for tile, own in zip(tiles, dimensions)]  # xarray puts the layers last
        place = np.broadcast_shapes(*(stack.shape[1:] for stack in stacks))
        out = np.empty((rows, int(np.prod(place))), dtype)
        function(*(_in_rows(stack, stack.shape[1:] if own and stack.ndim == 1 else place) for stack, own in zip(stacks, dimensions)), out)
        return out.reshape(place) if layers is None else np.moveaxis(out.reshape(rows, *place), 0, -1)

    result: xr.DataArray = xr.apply_ufunc(
        on_tile,
        *joined,
        input_core_dims=dimensions,
        output_core_dims=[[] if layers is None else [layers[0]]],
        join="exact",
        dask="parallelized",
        output_dtypes=[dtype],
        dask_gufunc_kwargs={} if layers is None else {"output_sizes": {layers[0]: rows}},
        keep_attrs="override",
    )
    return (result if layers is None else result.transpose(layers[0], ...)).drop_attrs(deep=False)


def _in_rows(stack: Tile, place: tuple[int, ...]) -> Tile:
    """(layers, …) as (layers, cells of ``place``)."""
    return np.ascontiguousarray(np.broadcast_to(stack, (len(stack), *place))).reshape(len(stack), -1)


def records_of_chunks(function: Callable[[Tile], Any], array: xr.DataArray) -> list[Any]:
    """``function(chunk) -> record`` of every chunk of an array of any dimensions: delayed objects when it is lazy, else the one value."""
    if not is_lazy(array):
        return [function(np.asarray(array.values))]
    call = delayed(function, pure=False)
    return [call(chunk) for chunk in array.data.to_delayed(optimize_graph=False).ravel()]
