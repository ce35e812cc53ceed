"""Stones on the surface shelter the soil once: in K by ``rock_cover``, or in C by the surface cover of a crop calendar."""

import logging
from collections.abc import Mapping
from typing import Any

import pandas as pd

from rusle_engine.core.errors import InputError
from rusle_engine.factors.crop_calendar import counts_stones
from rusle_engine.factors.soil_table import has_stones

log = logging.getLogger("rusle_engine")


def in_k(arguments: Mapping[str, Any]) -> bool:
    """Whether the data of K have a cover by rock fragments, as a raster or in the soil table."""
    return "rock_cover" in arguments or ("table" in arguments and has_stones(arguments["table"]))


def require_once(in_k: bool, calendar: pd.DataFrame | None) -> None:
    """Refuse stones in K and in C; say so where the calendar does not tell whether its surface cover has them.

    Raises
    ------
    InputError
        When both have them.
    """
    in_c = False if calendar is None else counts_stones(calendar)
    if not in_k or in_c is False:
        return
    if in_c:
        raise InputError(
            "rock_cover lowers K for stones that the surface cover of the crop calendar counts already (surface_cover_has_stones is 1): they would "
            "shelter the soil twice. Leave rock_cover out of K, or take the stones out of surface_cover_pct and set the column to 0."
        )
    log.warning(
        "K has a cover by rock fragments, and the crop calendar a surface cover that may count stones as well: say so in its column "
        "surface_cover_has_stones, 0 or 1"
    )
