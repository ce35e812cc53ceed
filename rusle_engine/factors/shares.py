"""The weights of the half-months: what share of a year's erosivity falls into each of the 24."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.variables import EROSIVITY_SHARE
from rusle_engine.factors.validation import out_of_range, validated

Shares = xr.DataArray | xr.Dataset | Sequence[float]
"""24 numbers from January on, or wr(half_month) of ``r_factor``, for the region or for every cell; or the Dataset that holds it."""

WEIGHTS = "wr_half_month"
"""The dimension that shares get, so that layers of cover may have their own."""
_ADDS_UP = 1e-3


def erosivity_shares(wr: Shares) -> xr.DataArray:
    """``wr`` along ``wr_half_month``, (24,) or (24, y, x), each number held to 0 … 1.

    Raises
    ------
    InputError
        When there are not 24, one is no share, or those of a region do not add up to 1 (to 0.001; the rest is divided out where they are used).
    """
    array = wr["wr"] if isinstance(wr, xr.Dataset) else wr
    if not isinstance(array, xr.DataArray):
        array = xr.DataArray(np.asarray(array, np.float64), dims="half_month")
    if array.dims[:1] != ("half_month",) or array.sizes["half_month"] != 24:
        raise InputError(f"wr has the dimensions {dict(array.sizes)}; expected 24 half-months along 'half_month', first of January first")
    shares = EROSIVITY_SHARE.require(array.drop_vars("half_month", errors="ignore")).rename(half_month=WEIGHTS).astype(np.float64)
    if shares.ndim > 1:
        return validated(shares, EROSIVITY_SHARE)
    values = np.asarray(shares.values)
    lower, upper = EROSIVITY_SHARE.valid_range
    for value in values[~((values >= lower) & (values <= upper))]:
        raise InputError(out_of_range(EROSIVITY_SHARE, float(value)))
    if abs(values.sum() - 1) > _ADDS_UP:
        raise InputError(f"the 24 shares of erosivity wr add up to {values.sum():g}; expected 1. Divide each by their sum.")
    return shares.copy(data=values)
