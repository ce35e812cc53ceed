"""The soil-conservation rate (水土保持率) of zones, with the area of every class and the interval over land without data."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.assessment.tally import UNITS_PER_KM2, UNITS_PER_TONNE, Tally, add_up, tally_classes
from rusle_engine.assessment.zones import Cover, zone_cover
from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.variables import INTENSITY, Raster
from rusle_engine.erosion.intensity import CLASSES

log = logging.getLogger("rusle_engine")

LARGEST_UNASSESSED_PCT = 0.1
"""A zone with more of its area unassessed is flagged as incomplete."""
LandArea = float | Mapping[str, float] | None

COLUMNS = (
    "zone_id",
    "zone_name",
    "area_km2",
    "assessed_km2",
    "unassessed_km2",
    *(f"{row.key}_km2" for row in CLASSES),
    "loss_km2",
    "conservation_rate_pct",
    "conservation_rate_min_pct",
    "conservation_rate_max_pct",
    "mean_modulus_t_km2_yr",
    "total_loss_t_yr",
    "area_scale",
    "incomplete",
)


def conservation_rate(
    code: Raster,
    zones: gpd.GeoDataFrame | xr.DataArray | np.ndarray[Any, Any],
    land_area_km2: LandArea = None,
    *,
    zone_names: Mapping[int, str] | None = None,
    cell_size_m: float | tuple[float, float] | None = None,
) -> pd.DataFrame:
    r"""Soil-conservation rate of every zone, from a raster of intensity classes.

    .. math:: \text{rate} = \frac{S_1}{S - U}, \qquad \text{interval}\;
       \left[\frac{S_1}{S},\; \frac{S_1 + U}{S}\right]

    with S the zone's area, :math:`S_1` that of class 1 (微度), U that of land without data, on the raster or beyond it. A cell that a zone's
    border cuts counts by the share inside. Zones may nest and overlap; each is counted on its own.

    Parameters
    ----------
    code
        Intensity classes 1 to 6 (``erosion_intensity``); 0, 255 or NaN is land without data.
    zones
        GeoDataFrame with ``zone_id`` and ``zone_name`` in any CRS, or a class raster on the same grid.
    land_area_km2
        Official land area [km²]: of all zones together (a number), or by zone id. All areas of a zone are scaled to it (面积平差), and
        ``area_scale`` says by how much; rates do not change.
    zone_names
        Names of the classes when ``zones`` is a class raster.
    cell_size_m
        Cell size when ``code`` has no coordinates, one number or x and y.

    Returns
    -------
    DataFrame
        One row a zone, in their order: areas [km²] whole, assessed, unassessed, of the six classes and of soil loss (classes 2 to 6), the
        rate and its interval [%], mean modulus and total loss (NaN here: classes do not tell A), ``area_scale``, and ``incomplete`` where
        more than 0.1 % is unassessed. A zone without any data has the rate NaN and the interval 0 to 100.

    Raises
    ------
    InputError
        When a code is none of these, zones are empty or outside the raster, or an official area is impossible.

    Examples
    --------
    >>> import numpy as np
    >>> code = np.array([[1, 1, 1, 2], [1, 1, 4, 255]], np.uint8)
    >>> table = conservation_rate(code, np.zeros((2, 4), int), cell_size_m=1000.0)
    >>> table[["area_km2", "conservation_rate_min_pct", "conservation_rate_max_pct"]].values.tolist()
    [[8.0, 62.5, 75.0]]
    """
    array = code if isinstance(code, xr.DataArray) else INTENSITY.require(code)
    cover = zone_cover(zones, Grid.of(array, cell_size_m), zone_names=zone_names)
    table = zone_table(tally_classes(array, cover), cover, land_area_km2)
    return table.assign(mean_modulus_t_km2_yr=np.nan, total_loss_t_yr=np.nan)


def zone_table(records: Iterable[Any], cover: Cover, land_area_km2: LandArea = None) -> pd.DataFrame:
    """The table of ``conservation_rate`` from the records of ``assess`` or ``tally_classes``; unrounded."""
    tally = add_up(records, cover)
    assessed = tally.classes.sum(axis=1)
    area = assessed + tally.unassessed
    slight = tally.classes[:, 0]
    scale = area_scale(area, cover, land_area_km2)

    def km2(units: Any) -> Any:
        return (units / UNITS_PER_KM2).astype(np.float64) * scale

    columns: dict[str, Any] = {"zone_id": list(cover.zone_ids), "zone_name": list(cover.zone_names)}
    columns |= {"area_km2": km2(area), "assessed_km2": km2(assessed), "unassessed_km2": km2(tally.unassessed)}
    columns |= {f"{row.key}_km2": km2(tally.classes[:, n]) for n, row in enumerate(CLASSES)}
    columns |= {
        "loss_km2": km2(assessed - slight),
        "conservation_rate_pct": _percent(slight, assessed),
        "conservation_rate_min_pct": _percent(slight, area),
        "conservation_rate_max_pct": _percent(slight + tally.unassessed, area),
        "mean_modulus_t_km2_yr": _mean_modulus(tally, assessed),
        "total_loss_t_yr": (tally.losses / UNITS_PER_TONNE).astype(np.float64) * scale,
        "area_scale": scale,
        "incomplete": _percent(tally.unassessed, area) > LARGEST_UNASSESSED_PCT,
    }
    return pd.DataFrame(columns, columns=list(COLUMNS))


def area_scale(areas: Any, cover: Cover, land_area_km2: LandArea) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Official area over measured area, for every zone; 1 where none is stated.

    Raises
    ------
    InputError
        When a zone is unknown, or an official area is not between half and twice the measured one.
    """
    scale = np.ones(len(areas))
    if land_area_km2 is None:
        return scale
    if not isinstance(land_area_km2, Mapping):
        union = cover.union_area()
        return scale * _ratio(land_area_km2, sum(areas) if union is None else union, "the zones together")
    unknown = sorted(set(map(str, land_area_km2)) - set(cover.zone_ids))
    if unknown:
        raise InputError(f"land_area_km2 names zones that do not exist: {', '.join(unknown)}; zones are {', '.join(cover.zone_ids[:20])}")
    stated = {str(zone_id): value for zone_id, value in land_area_km2.items()}
    for n, zone_id in enumerate(cover.zone_ids):
        if zone_id in stated:
            scale[n] = _ratio(stated[zone_id], areas[n], f"zone {zone_id}")
    return scale


def _ratio(official_km2: float, units: int, what: str) -> float:
    measured = units / UNITS_PER_KM2
    if not 0.5 * measured <= official_km2 <= 2 * measured:
        raise InputError(
            f"land_area_km2 is {official_km2:g} for {what}, which measure {measured:.6g} km² on the map; allowed is half to twice that."
            " Is it in km² (1 km² = 100 hm² = 1500 亩), and for these zones?"
        )
    if abs(official_km2 / measured - 1) > 0.05:
        log.warning("the official area of %s, %g km², differs from the map's %.6g km² by more than 5 %%", what, official_km2, measured)
    return official_km2 / measured


def _percent(part: Any, whole: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([100 * p / w if w else np.nan for p, w in zip(part, whole)])


def _mean_modulus(tally: Tally, assessed: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Loss over assessed area [t km-2 yr-1]."""
    return np.array([loss * UNITS_PER_KM2 / (UNITS_PER_TONNE * area) if area else np.nan for loss, area in zip(tally.losses, assessed)])
