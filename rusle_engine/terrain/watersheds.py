"""Land by where it drains to: basins of the whole raster, and sub-basins of about a chosen size."""

from functools import partial

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.lift import Place, whole
from rusle_engine.core.variables import BASIN, Raster
from rusle_engine.terrain.accumulation import Array, checked_codes, steps_of_codes, sums_downstream
from rusle_engine.terrain.flow import require_directions
from rusle_kernels import accumulate
from rusle_kernels.neighbours import NODATA_CODE

_BYTES_PER_CELL = 24.0
"""Bytes for each cell: directions twice, inflow counts and streams, integer sums, labels and their copy."""


def padded_codes(d8: Array) -> tuple[Array, Array]:
    """``d8`` with a ring of nodata, and how far each code leads in it."""
    height, width = d8.shape
    padded = np.pad(d8, 1, constant_values=NODATA_CODE if np.can_cast(np.uint8, d8.dtype) else 0)
    codes = checked_codes(padded, Place(0, 0, height, width, width))
    codes[[0, -1], :] = codes[:, [0, -1]] = NODATA_CODE
    return codes, steps_of_codes(width + 2)


def _labels(d8: Array, *, min_cells: int | None) -> Array:
    """Labels from 1, 0 where there is no data; by outlet, or by ends of streams of at least ``min_cells`` too."""
    codes, step_of_code = padded_codes(d8)
    total = np.ones(codes.shape, np.int64)
    sums_downstream(codes, step_of_code, total)  # also refuses circles, in which the walk down would never end
    labels = np.empty(codes.shape, np.int32)
    if min_cells is None:
        accumulate.number_outlets(codes, step_of_code, labels)
    else:
        accumulate.number_link_ends(codes, step_of_code, total, min_cells, np.empty(codes.shape, np.uint8), labels)
    accumulate.label_downstream(codes, step_of_code, labels)
    return np.where(codes[1:-1, 1:-1] == NODATA_CODE, np.int32(0), labels[1:-1, 1:-1])


def basins(d8: Raster) -> xr.DataArray:
    """The basin of each cell: all that leaves the grid, or drains into nodata, in one cell.

    Parameters
    ----------
    d8
        D8 directions (y, x) as ``flow_direction`` gives them.

    Returns
    -------
    DataArray (y, x)
        int32, from 1 in the row-major order of the outlets; 0 is nodata. Lazy when ``d8`` is; one task over the whole raster.

    Raises
    ------
    InputError
        When a code is none of the nine, or directions lead round in a circle.

    Examples
    --------
    >>> import numpy as np
    >>> basins(np.array([[16, 16, 1, 0]], np.uint8)).values.tolist()
    [[1, 1, 2, 2]]
    """
    codes = require_directions(d8)
    (labels,) = whole(partial(_labels, min_cells=None), codes, dtypes=[np.int32], bytes_per_cell=_BYTES_PER_CELL, step="basins")
    return BASIN.describe(labels, nodata=0)


def sub_basins(d8: Raster, *, min_cells: int) -> xr.DataArray:
    """Basins cut where streams meet: a partition of the raster into pieces of about ``min_cells`` to a few times that.

    A cell is a stream where at least ``min_cells`` cells, itself included, drain through it. A stream ends where it leaves the raster and
    just before it meets another stream; each cell belongs to the first such end on its way down, and where there is none to its outlet.
    A greater ``min_cells`` gives a coarser partition whose borders are all among the finer one's: levels nest.

    Parameters
    ----------
    d8
        D8 directions (y, x) as ``flow_direction`` gives them.
    min_cells
        How many cells make a stream, at least 1.

    Returns
    -------
    DataArray (y, x)
        int32, from 1 in the row-major order of their lowest cells; 0 is nodata. Lazy when ``d8`` is; one task over the whole raster.

    Raises
    ------
    InputError
        When ``min_cells`` is below 1, a code is none of the nine, or directions lead round in a circle.

    Examples
    --------
    >>> import numpy as np
    >>> y_shape = np.array([[2, 255, 8], [255, 4, 255], [255, 0, 255]], np.uint8)
    >>> sub_basins(y_shape, min_cells=1).values.tolist()
    [[1, 0, 2], [0, 3, 0], [0, 3, 0]]
    """
    if min_cells < 1:
        raise InputError(f"min_cells is {min_cells}; expected 1 or more")
    codes = require_directions(d8)
    (labels,) = whole(partial(_labels, min_cells=min_cells), codes, dtypes=[np.int32], bytes_per_cell=_BYTES_PER_CELL, step="sub_basins")
    return BASIN.describe(labels, nodata=0, min_cells=min_cells)
