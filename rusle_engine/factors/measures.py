"""A register of engineering measures (what was built where, when, and how it stands today) turned into E of one year."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr

from rusle_engine.core.coverage import PolygonRuns, polygons_on
from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import Tile, is_lazy, tiled
from rusle_kernels import measures

log = logging.getLogger("rusle_engine")

Undated = Literal["refuse", "standing"]
NamedValues = Mapping[str, float] | Mapping[int, float] | pd.Series | pd.DataFrame
"""Values by name or code: a mapping, a Series by name, or a DataFrame of ``code`` and a column of values."""

_LISTED = 8
_BETWEEN = " · "
"""Between the zone and the type in the names of a table by zone."""
_YEARS = (1900, 2200)
_WITH_AREA = ("Polygon", "MultiPolygon", "GeometryCollection")


@dataclass(frozen=True)
class Standing:
    """The measures that stand in a year: polygons that share no land, and how much of the loss each takes away (0 to 1)."""

    polygons: list[Any]
    strengths: np.ndarray[Any, np.dtype[np.float64]]
    counts: dict[str, int]


def share_left(standing: Standing, like: xr.DataArray, grid: Grid) -> xr.DataArray:
    """What the measures leave of the loss of every cell: 1 less the covered shares times their strengths; lazy when ``like`` is."""
    blank = grid.label(np.broadcast_to(np.uint8(0), grid.shape))
    if is_lazy(like):
        chunks = dict(zip(("y", "x"), like.data.chunks))
        blank = blank.chunk(chunks, token=f"blank-{grid.shape}-{like.data.chunks}")
    runs = PolygonRuns.of(standing.polygons, grid) if standing.polygons else None

    def on_tile(tile: Tile, row: int, column: int) -> tuple[Tile, None]:
        left = np.ones(tile.shape)
        for part in () if runs is None else runs.window(row, column, *tile.shape):
            measures.subtract_covered(part.starts, part.zone, part.left, part.right, part.weight, standing.strengths, left)
        return np.maximum(left, 0.0, out=left), None

    (result,), _ = tiled(on_tile, blank, dtypes=(np.float64,))
    return result


def measures_of_year(
    register: gpd.GeoDataFrame,
    grid: Grid,
    *,
    year: int,
    values: Mapping[str, float],
    effects: Mapping[str, float] | None,
    undated: Undated,
) -> Standing:
    """The measures of ``register`` that stand in ``year``, the strongest alone where several share land.

    A measure takes away (1 - E of its type) × effect of its condition × its own coverage of the loss.

    Raises
    ------
    InputError
        When a field that is needed is missing, or a row says what cannot be: all such rows of a kind are named.
    """
    if not isinstance(register, gpd.GeoDataFrame):
        raise InputError(
            f"the register of measures is {type(register).__name__}; expected a GeoDataFrame of polygons with the fields type and year_built"
        )
    table = register.reset_index(drop=True)
    _require_fields(table, ["type", "year_built", *(["condition"] if effects is not None else [])])
    if effects is None and "condition" in table.columns:
        log.warning("the measures register has a field 'condition' and no table of conditions is given: every measure counts as intact")
    built = _years(table["year_built"], undated)
    kinds = _in_zones(table) if any(_BETWEEN in name for name in values) else table["type"]
    strengths = 1.0 - _looked_up(kinds, values, "type")
    if effects is not None:
        strengths = strengths * _looked_up(table["condition"], effects, "condition")
    if "coverage" in table.columns:
        strengths = strengths * _coverages(table["coverage"])
    stands = (built <= year) & (strengths > 0)
    _refuse_rows(
        stands & ~table.geom_type.isin(_WITH_AREA).to_numpy(), table.geom_type, "have no outline; expected polygons, buffer lines and points"
    )
    names = [str(row + 1) for row in table.index[stands]]
    polygons = polygons_on(table[stands], grid, [f"row {name}" for name in names], "measures")
    apart, kept = _strongest_alone(polygons, strengths[stands])
    counts = {"measures": len(table), "measures_counted": int((built <= year).sum()), "measures_later": int((built > year).sum())}
    return Standing(apart, kept, counts)


def _strongest_alone(polygons: Sequence[Any], strengths: np.ndarray[Any, Any]) -> tuple[list[Any], np.ndarray[Any, np.dtype[np.float64]]]:
    """The polygons without the land of stronger ones (of equals: without that of earlier ones); those of which nothing is left are gone."""
    order = np.argsort(-strengths, kind="stable")
    ranked = [polygons[i] for i in order]
    shapes = np.array(ranked, object)
    weaker, stronger = shapely.STRtree(shapes).query(shapes, predicate="intersects") if ranked else (np.empty(0, int), np.empty(0, int))
    pairs = stronger < weaker
    weaker, stronger = weaker[pairs], stronger[pairs]
    shared = shapely.relate_pattern(shapes[weaker], shapes[stronger], "T********") if len(weaker) else np.empty(0, bool)
    over: dict[int, list[int]] = {}
    for low, high in zip(weaker[shared].tolist(), stronger[shared].tolist()):
        over.setdefault(low, []).append(high)
    for low, highs in over.items():
        ranked[low] = shapely.difference(shapes[low], shapely.union_all(shapes[highs]))
    left = [i for i, polygon in enumerate(ranked) if polygon.area > 0]
    return [ranked[i] for i in left], np.asarray(strengths, np.float64)[order][left]


def named_values(table: NamedValues, column: str, what: str) -> dict[str, float]:
    """``{name: value}`` with values from 0 to 1; numbers that name a class are their digits.

    Raises
    ------
    InputError
        When a name stands twice or is empty, a value is no number from 0 to 1, or there is no row.
    """
    values: dict[str, float] = {}
    for name, value in _rows(table, column, what):
        text = _text(name)
        if not text or text in values:
            raise InputError(f"the table of {what} has {'a row without a name' if not text else f'{text!r} twice'}; keep one row for each")
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = np.nan
        if not 0.0 <= number <= 1.0:
            raise InputError(f"the table of {what} has {value!r} for {text!r}; expected a number from 0 to 1")
        values[text] = number
    if not values:
        raise InputError(f"the table of {what} has no rows")
    return values


def _rows(table: NamedValues, column: str, what: str) -> list[tuple[Any, Any]]:
    if isinstance(table, pd.DataFrame):
        columns = [name for name in (column, "value") if name in table.columns]
        if "code" not in table.columns or not columns:
            raise InputError(f"the table of {what} has columns {list(table.columns)}; expected 'code' and {column!r} or 'value'")
        if "zone" in table.columns:
            return list(zip((_text(zone) + _BETWEEN + _text(code) for zone, code in zip(table["zone"], table["code"])), table[columns[0]]))
        return list(zip(table["code"], table[columns[0]]))
    if isinstance(table, Mapping | pd.Series):
        return list(table.items())
    raise InputError(f"the table of {what} is {table!r}; expected {{name: value}}, a Series by name, or a DataFrame of code and {column}")


def _in_zones(register: gpd.GeoDataFrame) -> pd.Series:
    """The type of every measure behind its zone, as the rows of a table by zone are named."""
    _require_fields(register, ["zone"])
    return pd.Series([_text(zone) + _BETWEEN + _text(kind) for zone, kind in zip(register["zone"], register["type"])])


def _require_fields(table: gpd.GeoDataFrame, fields: Sequence[str]) -> None:
    missing = [field for field in fields if field not in table.columns]
    if missing:
        seen = ", ".join(repr(str(name)) for name in table.columns if name != table.geometry.name) or "none"
        raise InputError(f"the measures register has no field {' and '.join(map(repr, missing))}; its fields are {seen}. Say which it is: columns")


def _text(value: Any) -> str:
    """A field's value as text; whole numbers without a point, nothing where there is nothing."""
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _looked_up(column: pd.Series, values: Mapping[str, float], what: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    texts = [_text(value) for value in column]
    unknown = sorted({text or "(empty)" for text in texts if text not in values})
    if unknown:
        more = f" and {len(unknown) - _LISTED} more" if len(unknown) > _LISTED else ""
        raise InputError(
            f"the measures register has the {what} {', '.join(map(repr, unknown[:_LISTED]))}{more}, for which the table has no row "
            f"(it has {', '.join(map(repr, values))}). Add rows, or mend the register."
        )
    return np.array([values[text] for text in texts], np.float64)


def _years(column: pd.Series, undated: Undated) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The year of every measure; -inf for one without where those count as standing."""
    years = np.array([_year(value) for value in column], np.float64)
    empty = np.array([not _text(value) for value in column], bool)
    _refuse_rows(np.isnan(years) & ~empty, column, f"are no years from {_YEARS[0]} to {_YEARS[1]}")
    if undated == "refuse":
        _refuse_rows(empty, column, "have no year_built; give it, or say undated: standing, and they count in every year")
    return np.where(empty, -np.inf, years)


def _year(value: Any) -> float:
    """The year that a number, a date or a text such as 2019 or 2019-05-01 says; NaN when it says none."""
    text = str(value.year) if hasattr(value, "year") else _text(value)
    found = re.match(r"(\d{4})(?!\d)", text)
    return float(found[1]) if found and _YEARS[0] <= int(found[1]) <= _YEARS[1] else np.nan


def _coverages(column: pd.Series) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The share of each polygon that is really treated; whole where nothing is said."""
    shares = pd.to_numeric(column, errors="coerce").to_numpy(np.float64)
    empty = np.array([not _text(value) for value in column], bool)
    _refuse_rows(~empty & ~((shares >= 0) & (shares <= 1)), column, "have a coverage outside 0 to 1; is it in percent?")
    return np.where(empty, 1.0, shares)


def _refuse_rows(wrong: np.ndarray[Any, Any], column: pd.Series, what: str) -> None:
    rows = np.flatnonzero(wrong)
    if rows.size:
        more = f" and {rows.size - _LISTED} more" if rows.size > _LISTED else ""
        shown = ", ".join(f"{row + 1} ({_text(column.iloc[row]) or 'empty'})" for row in rows[:_LISTED])
        raise InputError(f"the measures register: rows {shown}{more} {what}")
