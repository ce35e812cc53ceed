"""The stations of a region and their records of rain, read from tables."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from rusle_engine.core.errors import InputError
from rusle_engine.files.paths import PathLike
from rusle_engine.files.table_input import number_of, read_table, refuse_rows, require_columns

TABLES = (".csv", ".txt", ".tsv", ".xlsx")


def read_stations(
    path: PathLike,
    *,
    station_column: str = "station",
    x_column: str = "x",
    y_column: str = "y",
    elevation_column: str | None = None,
    encoding: str | None = None,
) -> pd.DataFrame:
    """Where stations lie: ``x``, ``y`` and, where its column is named, ``elevation_m``, indexed by the stations' names (text).

    Raises
    ------
    InputError
        Listing rows without a name, with a name that stands twice, or without a number where one is expected.
    """
    columns = {"x": x_column, "y": y_column, **({"elevation_m": elevation_column} if elevation_column else {})}
    table = read_table(path, encoding=encoding, text=(station_column,))
    require_columns(table, [station_column, *columns.values()], path)
    names = table[station_column].fillna("")
    places = pd.DataFrame({name: [number_of(cell) for cell in table[column]] for name, column in columns.items()}, dtype=np.float64)
    faults = []
    for i, name in enumerate(names):
        if not name:
            faults.append(f"row {i + 2}: no name")
        elif names.iloc[:i].eq(name).any():
            faults.append(f"row {i + 2}: {name!r} stands twice")
        elif not np.isfinite(places.iloc[i]).all():
            shown = ", ".join(f"{column} {str(table[column].iloc[i])!r}" for column in columns.values())
            faults.append(f"row {i + 2}: {name!r} has {shown}; expected numbers")
    refuse_rows(faults, str(path))
    return places.set_index(pd.Index(names, name="station"))


def station_files(records: Path, names: pd.Index, mark: str) -> Iterator[tuple[str, Path | None]]:
    """The table of each station: by the name of the file with ``mark`` in it, or by its stem in a folder; None where there is none."""
    for name in names:
        if name in (".", "..") or any(sign in name for sign in ("/", "\\", "\0")):  # a name is no way out of the folder
            raise InputError(f"the station {name!r} has a name that cannot be that of a file")
        by_pattern = mark in records.name
        places = [records.with_name(records.name.replace(mark, name))] if by_pattern else [records / (name + suffix) for suffix in TABLES]
        yield name, next((place for place in places if place.is_file()), None)
