"""Fractional vegetation cover from NDVI."""

import xarray as xr

from rusle_engine.core.lift import pointwise
from rusle_engine.core.variables import NDVI, VEGETATION_COVER, Raster, Units, units_of
from rusle_engine.factors.ndvi_bounds import Bound, stated_bounds
from rusle_engine.factors.validation import validated
from rusle_kernels import cover


def vegetation_cover(ndvi: Raster, *, ndvi_soil: Bound, ndvi_vegetation: Bound, units: Units = None) -> xr.DataArray:
    r"""Fractional vegetation cover by the dimidiate pixel model.

    .. math:: FVC = \frac{NDVI - NDVI_s}{NDVI_v - NDVI_s}, \quad 0 \le FVC \le 1

    Parameters
    ----------
    ndvi
        NDVI [1], -1 to 1, of one date, or of several with a dimension ``time`` or ``half_month``.
    ndvi_soil
        NDVI of bare soil: the same number for all tiles, dates and years, or ``{"percentile": 5}`` of all of ``ndvi`` (see ``ndvi_bounds``).
    ndvi_vegetation
        NDVI of full cover, likewise.
    units
        Unit of a plain array.

    Returns
    -------
    DataArray
        Cover as a fraction, 0 to 1, float64, with the dimensions of ``ndvi``; NaN where NDVI is. Lazy when ``ndvi`` is; percentiles are computed
        at once. The attributes state both numbers.

    Raises
    ------
    InputError
        When the bounds are not in order, or NDVI lies outside -1 to 1.

    Examples
    --------
    >>> vegetation_cover(0.5, ndvi_soil=0.05, ndvi_vegetation=0.86).round(6).item()
    0.555556
    """
    index = validated(NDVI.require(ndvi, units_of(units, "ndvi")), NDVI)
    bounds = stated_bounds(index, ndvi_soil, ndvi_vegetation)
    fraction = pointwise(cover.cover_dimidiate, index, parameters=(bounds["ndvi_soil"], bounds["ndvi_vegetation"]))
    return VEGETATION_COVER.describe(fraction, method="dimidiate_pixel", **bounds)
