"""What CSLE needs of the demo region beside the layers of RUSLE: B and T by land cover, and a register of its terraces. All illustrative."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr

from rusle_engine.core.grid import Grid
from rusle_engine.files.tables import write_csv
from rusle_engine.files.vectorize import polygonize
from rusle_engine.files.vectors import write_zones
from rusle_engine.runs.sample_layers import COVERS

TERRACES = 12
CROPLAND = (11, 12, 13)
_T_OF_CROPLAND = 0.37
_B_OF = {21: 0.15, 31: 0.01, 32: 0.03, 41: 0.06, 42: 0.18, 51: 0.01, 61: 0.0, 71: 1.0}
_FIRST_YEAR, _YEARS = 1998, 22
"""Terraces that stand in the first of the two years were built from 1998 on, patch by patch in turn."""
_CONDITIONS = (("intact", 1.0), ("fair", 0.7), ("damaged", 0.4))


def write_csle(folder: Path, first: xr.DataArray, second: xr.DataArray, year: int) -> None:
    """Write ``b.csv, t.csv, e.csv, e_conditions.csv`` and ``measures.gpkg`` into ``folder``.

    Parameters
    ----------
    folder
        Where to write.
    first, second
        Land cover of two years; what is terraced in the second alone was built in ``year``, the second one.
    year
        See above.

    Raises
    ------
    OutputError
        When something cannot be written.
    """
    for name, table in csle_tables().items():
        write_csv(table.assign(note="illustrative · 示意"), folder / name)
    write_zones(terrace_register(first, second, year), folder / "measures.gpkg", layer="measures")


def csle_tables() -> dict[str, pd.DataFrame]:
    """The tables by file name; cropland has B 1 and T below 1, all other land T 1."""
    rows = [(c.code, c.name, c.name_zh, _B_OF.get(c.code, 1.0), _T_OF_CROPLAND if c.code in CROPLAND else 1.0) for c in COVERS]
    covers = pd.DataFrame(rows, columns=["code", "name", "name_zh", "B", "T"])
    return {
        "b.csv": covers[["code", "name", "name_zh", "B"]],
        "t.csv": covers[["code", "name", "name_zh", "T"]],
        "e.csv": pd.DataFrame([("level terrace", "水平梯田", 0.084)], columns=["code", "name_zh", "E"]),
        "e_conditions.csv": pd.DataFrame(_CONDITIONS, columns=["code", "effect"]),
    }


def terrace_register(first: xr.DataArray, second: xr.DataArray, year: int) -> gpd.GeoDataFrame:
    """One row for each patch of terraces: ``type, year_built, condition`` and its outline along the cells."""
    standing, later = np.asarray(first) == TERRACES, np.asarray(second) == TERRACES
    labels = np.select([standing & later, later], [1, 2], 0)
    patches = polygonize(Grid.of(second).label(labels)).explode(ignore_index=True)
    order = np.arange(len(patches))
    new = patches["label"].to_numpy() == 2
    conditions = np.array([name for name, _ in _CONDITIONS])[order % len(_CONDITIONS)]
    columns = {
        "type": "level terrace",
        "year_built": np.where(new, year, _FIRST_YEAR + 7 * order % _YEARS),
        "condition": np.where(new, "intact", conditions),
    }
    return gpd.GeoDataFrame(columns, geometry=patches.geometry, crs=patches.crs)
