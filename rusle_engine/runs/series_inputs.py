"""Cover over time that a configuration names, as half-months on the run's grid."""

from typing import Any

import numpy as np
import xarray as xr

from rusle_engine.core.errors import InputError
from rusle_engine.core.variables import NDVI, QUALITY, Variable
from rusle_engine.factors.ndvi_series import good_share, half_month_ndvi
from rusle_engine.files.series import HALF_MONTHS, dated_files, open_series
from rusle_engine.runs.config import Dem
from rusle_engine.runs.inputs import Inputs, held_to
from rusle_engine.runs.series_blocks import QualitySeries, QuantitySeries
from rusle_engine.runs.sources import MethodBlock
from rusle_engine.runs.statistics import observed


def half_month_series(source: QuantitySeries, variable: Variable, role: str, inputs: Inputs) -> xr.DataArray:
    """``variable`` of the 24 half-months of each year, (half_month, y, x), on the run's grid; lazy.

    Raises
    ------
    InputError
        When the files do not fit together, or dates cover no year.
    """
    stack = open_series(
        source.series,
        dates=source.dates,
        scale=source.scale,
        fill=source.fill,
        band=source.band,
        variable=source.variable,
        units=source.units,
        grid=inputs.grid,
        resampling=source.resampling,
        chunks=inputs.chunks,
        crs=source.crs,
    )
    layers, others = stack.sizes[stack.dims[0]], len(source.series) - 1
    stack = held_to(variable.require(stack), variable, f"{source.series[0]}" + (f" and {others} more" if others else ""))
    details: dict[str, Any] = {"layers": layers, "units": stack.attrs.get("units"), "units_assumed": source.units is None}
    if source.dates == HALF_MONTHS:
        if source.quality is not None:
            raise InputError("half-months take no flags: quality goes with dates")
        inputs.note(role, source.series, **details)
        return stack
    flags = None if source.quality is None else _flags(source.quality, source, role, inputs)
    stack = NDVI.describe(stack)  # a share of cover lies within NDVI's range
    _, records = observed(good_share(stack, quality=flags, good_quality=source.good_quality))
    inputs.note(role, source.series, records, observed_as="good_share", **details)
    half_months = half_month_ndvi(
        stack,
        quality=flags,
        good_quality=source.good_quality,
        composite_days=source.composite_days,
        max_gap_days=source.max_gap_days,
        smoothing_window=source.smoothing_window,
        smoothing_order=source.smoothing_order,
    )
    if variable is NDVI:
        return half_months
    return variable.describe(half_months.clip(*map(np.float32, variable.valid_range)))


def is_by_half_month(block: MethodBlock) -> bool:
    """Whether the method has ratios of half-months, which the erosivity of each weighs."""
    return any(isinstance(source, QuantitySeries) for source in block.inputs.values()) or bool({"calendar", "ratios"} & set(block.inputs))


def first_date(source: QuantitySeries) -> Dem:
    """The files of the first date, as the raster that leads when nothing else does."""
    if source.dates is None:
        raise InputError(f"{source.series[0]} alone does not tell the grid; name a land-cover raster as well")
    files = next(iter(dated_files(source.series, source.dates).values()))
    return Dem.model_construct(raster=files, band=source.band)


def _flags(quality: QualitySeries, source: QuantitySeries, role: str, inputs: Inputs) -> xr.DataArray:
    stack = open_series(
        quality.series,
        dates=source.dates if quality.dates is None else quality.dates,
        fill=quality.fill,
        band=quality.band,
        variable=quality.variable,
        grid=inputs.grid,
        resampling="nearest",
        chunks=inputs.chunks,
        crs=source.crs,
    )
    inputs.note(f"{role}.quality", quality.series, layers=stack.sizes["time"])
    return QUALITY.require(stack.assign_attrs(units=QUALITY.units))
