"""What the page says of rain: how R came from stations to the grid, what was done to their records, and the storms."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from rusle_engine.files.thin import read_results
from rusle_engine.report import words
from rusle_engine.report.numerals import NONE, significant

MAX_STATIONS = 100
"""The most stations in the page; all are in tables/rain_stations.csv."""
_STORMS = 10
_PAIRS = (
    *("stations", "power", "neighbours", "smoothing"),
    *("variogram", "variogram_nugget", "variogram_sill", "variogram_length_m", "variogram_fit_r2"),
    *("left_out_bias", "left_out_mae", "left_out_rmse", "left_out_efficiency"),
)
_TEXT = {"rain_stations": ("station", "left_out_because"), "rain_quality": ("station", "finding", "action"), "storms": ("start",)}
"""The tables, and their columns of text."""
_OF_STATION = ("R", "years_used", "predicted", "error")
_OF_STORM = ("depth_mm", "i30_mm_h", "ei30")


def of_rain(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """Interpolation, stations, findings and storms of a run, as text; None where it has nothing of the kind.

    Raises
    ------
    InputError
        When a table that the run names cannot be read.
    """
    interpolation = manifest.get("factors", {}).get("R", {}).get("interpolation") or {}
    tables = {name: _table(folder, manifest, name) for name in _TEXT}
    if not interpolation and all(table is None for table in tables.values()):
        return None
    stations, findings, storms = tables.values()
    return {
        "method": words.words(str(interpolation.get("method") or "")),
        "pairs": [(words.words(name), _text(interpolation[name])) for name in _PAIRS if interpolation.get(name) is not None],
        "stations": [] if stations is None else [_station(row) for row in _rows(stations.head(MAX_STATIONS))],
        "stations_in_all": 0 if stations is None else len(stations),
        "findings": [] if findings is None else _findings(findings),
        "storms": [] if storms is None else [_storm(row) for row in _rows(storms.nlargest(_STORMS, "ei30"))],
        "storms_in_all": 0 if storms is None else len(storms),
    }


def _table(folder: Path, manifest: Mapping[str, Any], name: str) -> pd.DataFrame | None:
    """A table of this run (one that its record names, not one that lies there from elsewhere), when it has rows."""
    place = f"tables/{name}.csv"
    if all(entry.get("path") != place for entry in manifest.get("outputs", [])):
        return None
    with (folder / place).open(encoding="utf-8") as lines:
        has_rows = sum(1 for line in islice(lines, 2) if line.strip()) == 2
    return read_results(folder / place, _TEXT[name]) if has_rows else None


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _station(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": str(row["station"]), **{name: _text(row.get(name)) for name in _OF_STATION}, "reason": str(row["left_out_because"])}


def _storm(row: Mapping[str, Any]) -> dict[str, str]:
    return {"start": str(row["start"]).replace("T", " "), **{name: _text(row[name]) for name in _OF_STORM}}


def _findings(table: pd.DataFrame) -> list[dict[str, str]]:
    """How often each thing was found, and what was done."""
    counts = table.groupby(["finding", "action"], sort=True).size().rename("rows").reset_index()
    return [{"finding": str(row["finding"]), "action": str(row["action"]), "rows": f"{row['rows']:,}"} for row in _rows(counts)]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return NONE
    number = float(value)
    return f"{number:,.0f}" if number.is_integer() and abs(number) < 1e6 else significant(number, 4)
