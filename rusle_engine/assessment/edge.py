"""How much of each zone the grid's edge makes uncertain."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.assessment.tally import UNITS_PER_KM2, add_up, tally_classes
from rusle_engine.assessment.zones import Cover, Zones, zone_cover
from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import Tile, pointwise
from rusle_engine.core.variables import EDGE_CONTAMINATION

_CLEAN, _CUT, _NO_DATA = 1, 2, 255


def edge_table(
    contaminated: xr.DataArray,
    zones: Zones,
    *,
    zone_names: Mapping[int, str] | None = None,
    cell_size_m: float | tuple[float, float] | None = None,
) -> pd.DataFrame:
    """The area and share of each zone whose contributing area may be cut.

    Parameters
    ----------
    contaminated
        From ``edge_contamination``: 1 cut, 0 whole, 255 nodata.
    zones
        GeoDataFrame with ``zone_id`` and ``zone_name`` in any CRS, or a class raster on the same grid. A cell that a zone's border cuts counts by
        the share inside.
    zone_names
        Names of the classes when ``zones`` is a class raster.
    cell_size_m
        Cell size when ``contaminated`` has no coordinates, one number or x and y.

    Returns
    -------
    DataFrame
        One row a zone: ``zone_id``, ``zone_name``, ``area_km2`` (with data), ``contaminated_km2``, ``share_pct`` (of the area with data; NaN
        where there is none) and ``buffer_m``, the margin that would cure it (NaN where no width is known to be enough).

    Raises
    ------
    InputError
        When ``contaminated`` is another quantity, or zones are empty or outside the raster.

    Examples
    --------
    >>> import numpy as np
    >>> from rusle_engine.terrain.edges import edge_contamination
    >>> ridge = np.array([[64] * 5, [64] * 5, [4] * 5, [4] * 5, [4] * 5], np.uint8)
    >>> table = edge_table(edge_contamination(ridge), np.zeros((5, 5), int), cell_size_m=1000.0)
    >>> table[["area_km2", "contaminated_km2", "share_pct"]].values.tolist()
    [[25.0, 16.0, 64.0]]
    """
    if contaminated.name != EDGE_CONTAMINATION.symbol:
        raise InputError(f"the raster is {contaminated.name!r}; expected {EDGE_CONTAMINATION.symbol!r}, as edge_contamination gives it")
    cover = zone_cover(zones, Grid.of(contaminated, cell_size_m), zone_names=zone_names)
    return edge_rows(edge_records(contaminated, cover), cover, contaminated.attrs.get("buffer_m"))


def edge_records(contaminated: xr.DataArray, cover: Cover) -> list[Any]:
    """A record for each tile of a mask of ``edge_contamination``, lazy when it is."""
    return tally_classes(pointwise(_as_classes, contaminated, dtype=np.uint8, input_dtypes=(np.uint8,)), cover)


def edge_rows(records: Iterable[Any], cover: Cover, buffer_m: float | None) -> pd.DataFrame:
    """The table of ``edge_table`` from the records of all tiles."""
    tally = add_up(records, cover)
    cut, area = tally.classes[:, _CUT - 1], tally.classes.sum(axis=1)
    share = [100 * int(part) / int(whole) if whole else np.nan for part, whole in zip(cut, area)]
    return pd.DataFrame(
        {
            "zone_id": list(cover.zone_ids),
            "zone_name": list(cover.zone_names),
            "area_km2": (area / UNITS_PER_KM2).astype(np.float64),
            "contaminated_km2": (cut / UNITS_PER_KM2).astype(np.float64),
            "share_pct": share,
            "buffer_m": np.nan if buffer_m is None else float(buffer_m),
        }
    )


def _as_classes(contaminated: Tile, out: Tile) -> None:
    """As two of the classes that areas are tallied by."""
    out[...] = np.where(contaminated == 1, _CUT, np.where(contaminated == 0, _CLEAN, _NO_DATA))
