"""Depressions: the minimal filled surface of a DEM, and the drainage tree that comes with it."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import whole
from rusle_engine.core.variables import ELEVATION, Raster
from rusle_kernels import basins, fill
from rusle_kernels.neighbours import NODATA_STEP

ConditionMethod = Literal["fill"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Heights:
    """What the order-preserving keys of a floating-point type need: the integer of the same width and a few of its bit patterns."""

    floating: np.dtype[Any]
    integer: np.dtype[Any]

    @classmethod
    def of(cls, dtype: Any) -> "Heights":
        floating = np.dtype(dtype)
        return cls(floating, np.dtype(np.int32 if floating == np.float32 else np.int64))

    @property
    def nodata(self) -> Any:
        """The key below every height."""
        return self.integer.type(np.iinfo(self.integer).min)

    def bits(self, value: float) -> Any:
        return np.asarray(value, self.floating).view(self.integer)[()]

    def keys(self, heights: Array) -> Array:
        """Padded keys of ``heights``; ±inf is nodata like NaN."""
        padded = np.empty((heights.shape[0] + 2, heights.shape[1] + 2), self.integer)
        magnitude = self.integer.type(np.iinfo(self.integer).max)
        fill.order_keys(heights.view(self.integer), magnitude, self.bits(np.inf), self.nodata, padded)
        return padded

    def heights(self, keys: Array, empty: float) -> Array:
        """The heights of padded ``keys``, in the same memory; nodata becomes ``empty``."""
        fill.key_bits(keys, self.nodata, self.nodata, self.bits(empty))
        return keys.view(self.floating)


def require_heights(dem: Raster, units: str | None = None) -> xr.DataArray:
    """``dem`` as heights in metres, float32 or float64: integers become float32 where their type fits exactly, else float64.

    Raises
    ------
    InputError
        When it is not a raster of (y, x), does not hold numbers, or declares another unit.
    """
    array = ELEVATION.require(dem, units)
    if array.ndim != 2:
        raise InputError(f"z (elevation) has {array.ndim} dimensions {array.dims}; expected a raster (y, x)")
    if array.dtype in (np.float32, np.float64):
        return array
    if array.dtype.kind not in "iuf":
        raise InputError(f"z (elevation) holds {array.dtype}; expected numbers")
    return array.astype(np.float32 if np.can_cast(array.dtype, np.float32) else np.float64)


def index_type(cells: int) -> Any:
    """The integer that can count ``cells``: 32 bits where they do, for they are half the memory."""
    return np.int32 if cells < 2**31 else np.int64


def drainage_tree(heights: Array) -> tuple[Array, Array]:
    """The filled surface and every cell's step in the drainage tree, both padded.

    Returns
    -------
    filled
        (h + 2, w + 2), the type of ``heights``; +inf where there is no data and around the grid.
    step
        (h + 2, w + 2) uint8: 0 … 7 as in ``rusle_kernels.neighbours``, OUTSIDE or NODATA_STEP.
    """
    kind = Heights.of(heights.dtype)
    keys = kind.keys(heights)
    index = index_type(keys.size)
    step, lower = np.full(keys.shape, NODATA_STEP, np.uint8), np.zeros(keys.shape, np.uint8)
    basins.lowest_neighbours(keys, kind.nodata, lower, step)
    labels = np.empty(keys.shape, index)
    count = basins.basin_labels(step, labels)

    most = basins.count_saddles(lower, step)
    edge_keys, edge_slots = np.empty(most, keys.dtype), np.empty(most, np.uint8)
    edge_cells, own, other = np.empty(most, index), np.empty(most, index), np.empty(most, index)
    found = basins.saddle_edges(keys, lower, step, labels, edge_keys, edge_cells, edge_slots, own, other)
    order, scratch = np.empty(found, index), np.empty(found, index)
    if found:
        basins.sort_by_key(edge_keys[:found], order, scratch)
    kept = np.empty(count - 1, index)
    joined = basins.spanning_edges(order, own, other, np.empty(count, index), kept)
    assert joined == count - 1  # every basin has a way out

    level = np.full(count, kind.nodata)
    starts, edges_of, queue = np.empty(count + 1, index), np.empty(2 * joined, index), np.empty(count, index)
    basins.drain_basins(step, kept, edge_keys, edge_cells, edge_slots, own, other, starts, edges_of, queue, level)
    basins.raise_to_level(keys, labels, level, kind.nodata)
    return kind.heights(keys, np.inf), step


def filled_heights(heights: Array) -> Array:
    """The minimal depression-free surface of ``heights`` (h, w); NaN where there is no data."""
    filled, _ = drainage_tree(heights)
    return unpadded(filled)


def unpadded(filled: Array) -> Array:
    """A copy of a padded surface without its ring; NaN where there is no data."""
    surface = filled[1:-1, 1:-1].copy()
    surface[np.isinf(surface)] = np.nan
    return surface


def condition(dem: Raster, *, method: ConditionMethod = "fill", units: str | None = None) -> xr.DataArray:
    r"""Fill depressions: the lowest surface above the DEM from which every cell drains.

    .. math:: F(c) = \min_{\text{ways } c \to \text{outside}} \; \max_{\text{cells on the way}} z

    The surface is unique and exact: no epsilon is added, no height is rounded, and flats stay flat (``flow_direction`` drains them without
    a gradient). Outside is beyond the grid's edge and every cell without data, so cells at the edge and beside nodata (of the eight
    neighbours) are outlets. Heights that are not finite are nodata.

    Parameters
    ----------
    dem
        Elevation [m] (y, x), float32 or float64, each exact in its own type; integers are converted.
    method
        Whose way: ``fill``.
    units
        The unit of a plain array.

    Returns
    -------
    DataArray (y, x)
        Filled elevation [m], the type of the heights. Lazy when ``dem`` is; computed as one task over the whole raster.

    Raises
    ------
    InputError
        When ``dem`` is not a raster of numbers in metres.
    MemoryBudgetError
        When the raster is larger than the memory budget allows.

    Notes
    -----
    Source: Barnes, Lehman & Mulla 2014, Computers & Geosciences 62:117 (the definition and the oracle); the algorithm is the graph of
    basins of Cordonnier, Bovy & Braun 2019, Earth Surface Dynamics 7:549.

    Examples
    --------
    >>> import numpy as np
    >>> bowl = np.array([[3.0, 3.0, 3.0, 3.0], [3.0, 1.0, 0.0, 2.0], [3.0, 3.0, 3.0, 3.0]])
    >>> condition(bowl, units="m").values[1].tolist()
    [3.0, 2.0, 2.0, 2.0]
    """
    require_method(method, get_args(ConditionMethod), "method")
    heights = require_heights(dem, units)
    (filled,) = whole(filled_heights, heights, dtypes=[heights.dtype], bytes_per_cell=fill_bytes(heights.dtype), step="condition")
    return ELEVATION.describe(filled, method=method)


def fill_bytes(dtype: Any) -> float:
    """Bytes for each cell that filling holds at its height: heights, keys and result, labels, steps, edges, and the copy into chunks."""
    return 16.0 + 3.0 * np.dtype(dtype).itemsize


def require_method(method: str, methods: Collection[str], parameter: str) -> None:
    """Refuse a method that does not exist, naming those that do."""
    if method not in methods:
        raise InputError(f"{parameter} {method!r} is not known; choose one of {', '.join(map(repr, methods))}")
