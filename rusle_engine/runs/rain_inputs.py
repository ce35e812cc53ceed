"""R from the rain that a configuration names."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import xarray as xr

from rusle_engine.files.tables import read_rain
from rusle_engine.runs.inputs import Inputs
from rusle_engine.runs.rain_blocks import RainRecord
from rusle_engine.runs.signatures import factor_function
from rusle_engine.runs.sources import MethodBlock, RainSource


def erosivity(rain: RainSource, block: MethodBlock, inputs: Inputs, role: str) -> xr.Dataset:
    """R and its half-month shares by the method of ``block``."""
    assert isinstance(rain, RainRecord)
    return _by_method(block.options, _record(rain, inputs, f"{role}.rain"))


def _by_method(options: Mapping[str, Any], rain: pd.Series | xr.DataArray) -> xr.Dataset:
    result: xr.Dataset = factor_function("R").function(rain, **options)
    return result


def _record(source: RainRecord, inputs: Inputs, role: str) -> pd.Series:
    record = read_rain(
        source.file,
        date_column=source.date_column,
        rain_column=source.rain_column,
        units=source.units,
        date_format=source.date_format,
        missing_codes=source.missing_codes,
        encoding=source.encoding,
    )
    inputs.note(role, (source.file,), **record.quality)
    return record.daily
