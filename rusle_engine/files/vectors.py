"""Zones and other polygons read and written, from the files county offices have."""

import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS

from rusle_engine.core.errors import InputError, MissingInputError
from rusle_engine.files.atomic import atomic_file
from rusle_engine.files.crs import settled
from rusle_engine.files.paths import PathLike, existing_file, local_path

log = logging.getLogger("rusle_engine")

MAX_FEATURES = 1_000_000
MAX_VERTICES = 200_000_000
MAX_BYTES = 16 * 2**30

_LISTED = 8


def _begins(*marks: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(marks)


def _is_geopackage(head: bytes) -> bool:
    return head.startswith(b"SQLite format 3\0") and head[68:72] in (b"GPKG", b"GP10", b"GP11", b"\0\0\0\0")


KINDS: dict[str, tuple[str, Callable[[bytes], bool]]] = {
    ".gpkg": ("GeoPackage", _is_geopackage),
    ".shp": ("Shapefile", lambda head: head.startswith(b"\0\0\x27\x0a")),
    ".geojson": ("GeoJSON", _begins(b"{")),
    ".json": ("GeoJSON", _begins(b"{")),
}
"""Formats that are read, by suffix, and what their first bytes must be; FileGDB (a folder ``.gdb``) as well."""


def read_zones(
    path: PathLike,
    *,
    layer: str | None = None,
    id_field: str | None = None,
    name_field: str | None = None,
    encoding: str | None = None,
    crs: Any = None,
) -> gpd.GeoDataFrame:
    """Read polygons as zones. They may nest and overlap.

    Parameters
    ----------
    path
        GeoPackage, Shapefile, FileGDB or GeoJSON.
    layer
        Which layer; may be left out when there is one with polygons.
    id_field
        The field that tells zones apart; ``zone_id`` when not stated, and where there is no such field rows are numbered from 1.
    name_field
        The field of names; ``zone_name`` when not stated, and where there is no such field the id.
    encoding
        Of a Shapefile's texts. When not stated: its ``.cpg``, else what its table declares, else UTF-8, else GB 18030 (GBK), logged.
    crs
        The CRS of a file that declares none. It may not contradict a declared one.

    Returns
    -------
    GeoDataFrame
        ``zone_id`` and ``zone_name`` (text) and ``geometry`` (valid polygons and multipolygons, two-dimensional), in the file's CRS.

    Raises
    ------
    MissingInputError
        When there is no such file.
    InputError
        When it cannot be read, is empty, has no CRS, lacks a field, or holds an id twice or not at all, or something else than polygons.
    """
    source, table = _read_layer(path, layer, encoding, "zones")
    id_field, name_field = (
        name if stated is None and name in table.columns else stated for name, stated in (("zone_id", id_field), ("zone_name", name_field))
    )
    ids = _ids(table, id_field, source)
    columns = {"zone_id": ids, "zone_name": ids if name_field is None else _names(table, name_field, ids, source)}
    return gpd.GeoDataFrame(columns, geometry=_polygons(table, source), crs=_crs_of(table, crs, source))


def read_polygons(
    path: PathLike, *, columns: Mapping[str, str] | None = None, layer: str | None = None, encoding: str | None = None, crs: Any = None
) -> gpd.GeoDataFrame:
    """Read polygons with all their fields, such as a register of measures.

    Parameters
    ----------
    path, layer, encoding, crs
        As for ``read_zones``.
    columns
        What the file calls a field, by the name that it gets.

    Returns
    -------
    GeoDataFrame
        Every field, and ``geometry`` (valid polygons and multipolygons, two-dimensional), in the file's CRS.

    Raises
    ------
    MissingInputError, InputError
        As ``read_zones``.
    """
    source, table = _read_layer(path, layer, encoding, "polygons")
    named = {name: _field(table, theirs, source) for name, theirs in (columns or {}).items()}
    others = {str(name): table[name] for name in table.columns if name != table.geometry.name and name not in named}
    return gpd.GeoDataFrame({**others, **named}, geometry=_polygons(table, source), crs=_crs_of(table, crs, source))


def read_features(path: PathLike, *, layer: str | None = None, encoding: str | None = None, crs: Any = None) -> gpd.GeoDataFrame:
    """Read lines, points or polygons with all their fields, as they are; the parameters and what is refused are those of ``read_zones``."""
    source, table = _read_layer(path, layer, encoding, "features")
    return table.set_crs(_crs_of(table, crs, source), allow_override=True)


def _read_layer(path: PathLike, layer: str | None, encoding: str | None, what: str) -> tuple[Path, gpd.GeoDataFrame]:
    source, kind = _source(path)
    table = _read(source, kind, _layer(source, layer), encoding)
    if table.empty:
        raise InputError(f"{source} holds no {what}")
    return source, table


def _crs_of(table: gpd.GeoDataFrame, stated: Any, source: Path) -> CRS:
    declared = None if table.crs is None else table.crs.to_wkt()
    return settled(declared, stated, source.name, "A Shapefile keeps it in its .prj: add it")


def zones_on(zones: gpd.GeoDataFrame, crs: Any) -> gpd.GeoDataFrame:
    """The zones in another CRS; as they are when it is the same.

    Raises
    ------
    InputError
        When a zone has no place in that CRS.
    """
    target = CRS.from_user_input(crs)
    if CRS.from_user_input(zones.crs).equals(target, ignore_axis_order=True):
        return zones
    log.info("zones are brought from %s to %s", CRS.from_user_input(zones.crs).to_string(), target.to_string())
    moved = zones.to_crs(target)
    lost = [str(zone) for zone, box in zip(moved["zone_id"], moved.geometry.bounds.to_numpy()) if not np.isfinite(box).all()]
    if lost:
        raise InputError(f"zones {', '.join(lost[:_LISTED])} have no place in {target.name!r}; is the CRS of the zones the right one?")
    return moved


def write_zones(zones: gpd.GeoDataFrame, path: PathLike, *, layer: str = "zones") -> Path:
    """The zones as a GeoPackage, atomically; the same zones give the same bytes.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    with atomic_file(path) as temporary:
        try:
            pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"})
            pyogrio.write_dataframe(zones, temporary, driver="GPKG", layer=layer)
        except (DataSourceError, DataLayerError) as error:
            raise OSError(str(error)) from error
        finally:
            pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
    return Path(path)


def _source(path: PathLike) -> tuple[Path, str]:
    found = local_path(path)
    if found.suffix.lower() == ".gdb":
        if not found.is_dir():
            raise MissingInputError(f"{found} is not there; a FileGDB is a folder")
        if not any(found.glob("*.gdbtable")):
            raise InputError(f"{found} is not a FileGDB: it holds no .gdbtable. Copy the whole folder.")
        return found, "FileGDB"
    found = existing_file(found, "file of zones")
    suffix = found.suffix.lower()
    if suffix not in KINDS:
        raise InputError(f"{found}: {suffix or 'no suffix'} is not read as zones; expected {', '.join(KINDS)} or a .gdb folder")
    kind, is_kind = KINDS[suffix]
    with found.open("rb") as file:
        head = file.read(128)
    if not is_kind(head):
        raise InputError(f"{found} is not a {kind}, whatever its name says. Export it again.")
    if found.stat().st_size > MAX_BYTES:
        raise InputError(f"{found} has {found.stat().st_size / 2**30:.1f} GiB; zones above {MAX_BYTES // 2**30} GiB are refused")
    if kind == "Shapefile":
        _require_parts(found)
    return found, kind


def _require_parts(shapefile: Path) -> None:
    present = {part.suffix.lower() for part in shapefile.parent.iterdir() if part.stem.lower() == shapefile.stem.lower()}
    missing = [suffix for suffix in (".shx", ".dbf") if suffix not in present]
    if missing:
        raise MissingInputError(
            f"{shapefile.name} lacks its {' and '.join(missing)}; a Shapefile is several files, copy them all into {shapefile.parent}"
        )


def _layer(source: Path, stated: str | None) -> str:
    try:
        layers = [(str(name), str(kind)) for name, kind in pyogrio.list_layers(source)]
    except DataSourceError as error:
        raise InputError(f"{source} cannot be read: {error}. It may be damaged; copy or export it again.") from error
    names = [name for name, _ in layers]
    if stated is not None:
        if stated not in names:
            raise InputError(f"{source} has no layer {stated!r}; it has {', '.join(map(repr, names))}")
        return stated
    polygons = [name for name, kind in layers if "Polygon" in kind or "Surface" in kind] or names
    if len(polygons) != 1:
        raise InputError(f"{source} has {len(polygons)} layers that could be the zones: {', '.join(map(repr, polygons))}. State one: layer=")
    return polygons[0]


def _read(source: Path, kind: str, layer: str, encoding: str | None) -> gpd.GeoDataFrame:
    """The layer; a Shapefile's texts in the stated encoding, else as declared, else UTF-8, else GB 18030."""
    try:
        features = pyogrio.read_info(source, layer=layer, encoding=encoding)["features"]
        if features > MAX_FEATURES:
            raise InputError(f"{source} holds {features:,} features; more than {MAX_FEATURES:,} are refused")
        if kind != "Shapefile" or encoding is not None or _declares_encoding(source):
            return pyogrio.read_dataframe(source, layer=layer, encoding=encoding if kind == "Shapefile" else None)
        try:
            return pyogrio.read_dataframe(source, layer=layer, encoding="UTF-8")
        except UnicodeDecodeError:
            log.info("%s declares no encoding and is not UTF-8; it is read as GB 18030 (GBK)", source)
            return pyogrio.read_dataframe(source, layer=layer, encoding="GB18030")
    except (DataSourceError, DataLayerError, UnicodeDecodeError, LookupError, shapely.errors.GEOSException) as error:
        raise InputError(f"{source} cannot be read: {error}. Is the encoding right? Otherwise copy or export it again.") from error


def _declares_encoding(shapefile: Path) -> bool:
    if any(part.suffix.lower() == ".cpg" and part.stem.lower() == shapefile.stem.lower() for part in shapefile.parent.iterdir()):
        return True
    table = next(p for p in shapefile.parent.iterdir() if p.suffix.lower() == ".dbf" and p.stem.lower() == shapefile.stem.lower())
    with table.open("rb") as file:
        return file.read(30)[29:30] not in (b"\0", b"\x57", b"")  # the language byte; 0x57 says "ANSI", which is no answer


def _polygons(table: gpd.GeoDataFrame, source: Path) -> Any:
    shapes = shapely.force_2d(table.geometry.to_numpy())
    vertices = int(shapely.get_num_coordinates(shapes).sum())
    if vertices > MAX_VERTICES:
        raise InputError(f"{source} holds {vertices:,} vertices; more than {MAX_VERTICES:,} are refused. Simplify the zones.")
    absent = [i for i, shape in enumerate(shapes) if shape is None or shape.is_empty]
    _refuse_rows(absent, source, "have no geometry; delete or draw them")
    other = [i for i, shape in enumerate(shapes) if shape.geom_type not in ("Polygon", "MultiPolygon")]
    _refuse_rows(other, source, f"are {', '.join(sorted({shapes[i].geom_type for i in other}))}; zones are polygons")
    invalid = np.flatnonzero(~shapely.is_valid(shapes))
    if invalid.size:
        log.warning(
            "%s: %d polygon(s) cross themselves and were mended (rows %s)", source, invalid.size, ", ".join(str(i + 1) for i in invalid[:_LISTED])
        )
        shapes[invalid] = [_surface(shape) for shape in shapely.make_valid(shapes[invalid])]
        _refuse_rows([int(i) for i in invalid if shapes[i].is_empty], source, "have no area once mended; draw them again")
    return shapes


def _surface(shape: Any) -> Any:
    """The polygons of what mending a polygon left; lines and points have no area and go."""
    parts = [part for part in shapely.get_parts(shapely.get_parts(shape)) if part.geom_type == "Polygon"]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


def _refuse_rows(rows: Sequence[int], source: Path, what: str) -> None:
    if rows:
        more = f" and {len(rows) - _LISTED} more" if len(rows) > _LISTED else ""
        raise InputError(f"{source}: rows {', '.join(str(row + 1) for row in rows[:_LISTED])}{more} {what}")


def _field(table: gpd.GeoDataFrame, name: str, source: Path) -> pd.Series:
    fields = [str(column) for column in table.columns if column != table.geometry.name]
    if name not in fields:
        near = get_close_matches(name, fields, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"{source} has no field {name!r}; its fields are {', '.join(map(repr, fields)) or 'none'}{hint}")
    column: pd.Series = table[name]
    return column


def _ids(table: gpd.GeoDataFrame, field: str | None, source: Path) -> list[str]:
    if field is None:
        log.info("%s: no id_field is stated and there is no zone_id; zones are numbered from 1 in the file's order", source)
        return [str(i + 1) for i in range(len(table))]
    ids = [_text(value) for value in _field(table, field, source)]
    _refuse_rows([i for i, text in enumerate(ids) if not text], source, f"have no {field!r}; every zone needs an id")
    twice = sorted(text for text, times in Counter(ids).items() if times > 1)
    if twice:
        raise InputError(
            f"{source}: {field!r} is not unique: {', '.join(twice[:_LISTED])} stand more than once. Dissolve the parts of a zone into one."
        )
    return ids


def _names(table: gpd.GeoDataFrame, field: str, ids: Sequence[str], source: Path) -> list[str]:
    return [_text(value) or fallback for value, fallback in zip(_field(table, field, source), ids)]


def _text(value: Any) -> str:
    """A field's value as text: whole numbers without a point, nothing where there is nothing."""
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()
