"""What the page says: the manifest's and the table's figures as text, closed and rounded."""

import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

import pandas as pd

from rusle_engine.report import maps, words
from rusle_engine.report.numerals import NONE, file_size, fixed, rounded_to_sum, significant
from rusle_engine.report.workbook import CLASS_STEMS, HM2_PER_KM2, MU_PER_KM2

MAX_ZONES = 1500
"""The most rows of the zone table in the page; the rest is in the CSV and the workbook."""
MAX_EDGE_ZONES = 10
"""The most zones told of land below the DEM's edge; the rest is in the CSV."""
FLAG_PCT = 0.1
"""Above this share of unassessed land the rate must be quoted with its interval."""
_HOW = {"raster": "how_raster", "table": "how_table", "constant": "how_constant"}


def title_of(manifest: Mapping[str, Any]) -> tuple[str, str]:
    project = manifest["project"]
    name = str(project["name"])
    return str(project.get("name_zh") or name), name


def headline(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of the first screen, as text, with the positions of the gauge in percent."""
    head = manifest["headline"]
    area, assessed, unassessed = (number(head, f"{stem}_km2") for stem in ("area", "assessed", "unassessed"))
    rate, low, high = (number(head, f"conservation_rate{part}_pct") for part in ("", "_min", "_max"))
    unassessed_pct = 100 * unassessed / area if area else 0.0
    shown = rounded_to_sum([*(number(head, f"{stem}_km2") for stem in CLASS_STEMS), unassessed], area, 2)
    return {
        "zone_id": str(head.get("zone_id") or ""),
        "zone_name": str(head.get("zone_name") or ""),
        "rate": fixed(rate, 2),
        "low": fixed(low, 2),
        "high": fixed(high, 2),
        "gauge": {"rate": clamped(rate), "low": clamped(low), "high": clamped(high)},
        "has_interval": fixed(low, 2) != fixed(high, 2),
        "flagged": unassessed_pct > FLAG_PCT,
        "area": fixed(area, 2),
        "assessed": fixed(sum(shown[:-1]), 2),
        "unassessed": fixed(shown[-1], 2),
        "unassessed_pct": fixed(unassessed_pct, 2),
        "slight": fixed(shown[0], 2),
        "loss": fixed(sum(shown[1:-1]), 2),
        "loss_pct": fixed(100 * number(head, "loss_km2") / assessed if assessed else math.nan, 2),
        "modulus": modulus(number(head, "mean_modulus_t_km2_yr")),
        "total": fixed(number(head, "total_loss_t_yr"), 0),
        "scale": fixed(number(head, "area_scale"), 6) if number(head, "area_scale") not in (1.0,) and "area_scale" in head else "",
    }


def target(manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """The gap to the target: points, and km² of the assessed land. None without a target or without a rate."""
    wanted, head = manifest.get("target"), manifest["headline"]
    rate = number(head, "conservation_rate_pct")
    if not wanted or math.isnan(rate):
        return None
    goal = float(wanted["conservation_rate_pct"])
    gap = rate - goal
    return {
        "goal": fixed(goal, 2),
        "year": wanted.get("year"),
        "source": str(wanted.get("source") or ""),
        "verdict": "at_target" if round(gap, 2) == 0 else "above_target" if gap > 0 else "below_target",
        "points": fixed(abs(gap), 2),
        "km2": fixed(abs(gap) / 100 * number(head, "assessed_km2"), 2),
        "at": clamped(goal),
        "undecided": number(head, "conservation_rate_min_pct") < goal <= number(head, "conservation_rate_max_pct"),
    }


def class_rows(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The area of each class in km², hm² and mu, rounded so that each column closes on its total."""
    head = manifest["headline"]
    areas = [number(head, f"{stem}_km2") for stem in CLASS_STEMS]
    assessed = math.fsum(areas)
    shares = [100 * area / assessed if assessed else 0.0 for area in areas]
    columns = {
        "km2": rounded_to_sum([*areas, number(head, "unassessed_km2")], number(head, "area_km2"), 2),
        "hm2": rounded_to_sum([area * HM2_PER_KM2 for area in areas], assessed * HM2_PER_KM2, 1),
        "mu": rounded_to_sum([area * MU_PER_KM2 for area in areas], assessed * MU_PER_KM2, 0),
        "pct": rounded_to_sum(shares, 100.0 if assessed else 0.0, 2),
    }
    decimals = {"km2": 2, "hm2": 1, "mu": 0, "pct": 2}
    largest = max(shares) or 1.0
    return [
        {
            "name": (str(entry["name_zh"]), str(entry["name_en"])),
            "colour": str(entry["colour"]),
            "limits": limits(entry, manifest),
            "width": f"{100 * share / largest:.2f}",
            "share": f"{share:.3f}",
            **{unit: fixed(column[i], decimals[unit]) for unit, column in columns.items()},
        }
        for i, (entry, share) in enumerate(zip(manifest["classes"], shares))
    ]


def class_totals(manifest: Mapping[str, Any]) -> dict[str, str]:
    assessed = math.fsum(number(manifest["headline"], f"{stem}_km2") for stem in CLASS_STEMS)
    return {
        "hm2": fixed(assessed * HM2_PER_KM2, 1),
        "mu": fixed(assessed * MU_PER_KM2, 0),
        "pct": fixed(100.0 if assessed else math.nan, 2),
    }


def zone_rows(zones: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of the zone table: raw values to sort by, text to read; class areas and gaps add up to the area as shown."""
    kept = zones.nlargest(MAX_ZONES, "area_km2").sort_index() if len(zones) > MAX_ZONES else zones
    rows = []
    for record in ({str(key): value for key, value in row.items()} for row in kept.to_dict("records")):
        areas = [number(record, f"{stem}_km2") for stem in CLASS_STEMS]
        unassessed, assessed = number(record, "unassessed_km2"), math.fsum(areas)
        shown = rounded_to_sum([*areas, unassessed], number(record, "area_km2"), 2)
        rows.append(
            {
                "id": str(record["zone_id"]),
                "name": str(record["zone_name"]),
                "area": cell(record, "area_km2", 2),
                "unassessed": (unassessed, fixed(shown[-1], 2)),
                "classes": [(area, fixed(text, 2)) for area, text in zip(areas, shown)],
                "mix": [f"{100 * area / assessed:.2f}" if assessed else "0" for area in areas],
                "loss": (number(record, "loss_km2"), fixed(sum(shown[1:-1]), 2)),
                "rate": cell(record, "conservation_rate_pct", 2),
                "low": cell(record, "conservation_rate_min_pct", 2),
                "high": cell(record, "conservation_rate_max_pct", 2),
                "modulus": (number(record, "mean_modulus_t_km2_yr"), modulus(number(record, "mean_modulus_t_km2_yr"))),
                "total": cell(record, "total_loss_t_yr", 0),
            }
        )
    return rows


def factor_rows(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """How each factor was made, and its range."""
    cells = manifest["grid"]["height"] * manifest["grid"]["width"]
    rows = []
    for symbol, factor in manifest.get("factors", {}).items():
        constant = factor.get("constant")
        style = maps.STYLES.get(symbol)
        how = "constant" if constant is not None and not factor.get("method") else str(factor.get("method") or factor.get("source") or "")
        valid = factor.get("valid_cells")
        rows.append(
            {
                "symbol": symbol,
                "name": words.words(symbol),
                "units": (style.units_zh, style.units) if style else ("", ""),
                "how": words.words(_HOW.get(how, how)),
                "options": options_text({key: value for key, value in (factor.get("options") or {}).items() if value != factor.get("method")}),
                "record": _record(factor.get("record") or {}),
                "unchecked": factor.get("method_status") == "unchecked",
                "range": [significant(_or(factor.get(key), constant if key == "mean" else None), 4) for key in ("min", "mean", "max")],
                "valid": fixed(100 * valid / cells, 2) if valid is not None else NONE,
                "sources": [str(source) for source in factor.get("sources") or []],
            }
        )
    return rows


def edge_rows(manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """The zones with the largest shares of land that may get water from beyond the DEM, and the margin; None when the run did not look."""
    edge = manifest.get("edge")
    if not edge:
        return None
    head = str(manifest["headline"].get("zone_id") or "")
    cut = [zone for zone in edge["zones"] if zone["contaminated_km2"] or str(zone["zone_id"]) == head]
    worst = sorted(cut, key=lambda zone: (str(zone["zone_id"]) != head, -number(zone, "share_pct") if zone["share_pct"] is not None else 0.0))
    rows = [
        {
            "id": str(zone["zone_id"]),
            "name": str(zone["zone_name"]),
            "area": fixed(number(zone, "area_km2"), 2),
            "cut": fixed(number(zone, "contaminated_km2"), 2),
            "share": fixed(number(zone, "share_pct"), 2),
        }
        for zone in worst[:MAX_EDGE_ZONES]
    ]
    buffer = edge["buffer_m"]
    return {"rows": rows, "more": len(worst) - len(rows), "buffer": "" if buffer is None else f"{buffer:,.0f} m"}


def input_row(entry: Mapping[str, Any]) -> dict[str, Any]:
    shape, files = entry.get("shape"), entry.get("files") or []
    size = entry.get("bytes", sum(file["bytes"] for file in files) if files else None)
    digest = str(entry.get("sha256") or (files[0]["sha256"] if files else ""))
    path = str(entry.get("path", ""))
    first, last = entry.get("first"), entry.get("last")
    units = str(entry.get("units") or "")
    return {
        "role": _role(str(entry.get("role", ""))),
        "path": short_path(path),
        "full_path": path,
        "more": len(files) - 1 if files else 0,
        "crs": str(entry.get("crs") or ""),
        "shape": " × ".join(f"{count:,}" for count in shape) if shape else f"{entry['rows']:,}" if "rows" in entry else "",
        "resampling": str(entry.get("resampling") or ""),
        "period": f"{first} – {last}" if first and last else "",
        "missing_days": entry.get("missing_days"),
        "good_share": _range_pct(entry.get("good_share") or {}),
        "units": "" if units == "1" else units,
        "assumed": bool(entry.get("units_assumed")) and units not in ("", "1"),
        "valid": fixed(entry.get("valid_pct"), 2),
        "size": file_size(size),
        "sha256": digest,
    }


def _range_pct(share: Mapping[str, Any]) -> str:
    """Least – mean – greatest of a share, in percent; nothing where there is none."""
    values = [share.get(name) for name in ("min", "mean", "max")]
    return " – ".join(fixed(100 * value, 1) for value in values if value is not None) + (" %" if values[0] is not None else "")


def output_row(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A file of the run; a link only where its path stays inside the run's folder."""
    path = str(entry["path"])
    inside = not path.startswith(("/", "\\")) and ":" not in path and ".." not in path.replace("\\", "/").split("/")
    return {
        "path": path,
        "href": quote(path) if inside else "",
        "kind": str(entry.get("kind") or ""),
        "size": file_size(entry.get("bytes")),
        "sha256": str(entry.get("sha256") or ""),
    }


def limits(entry: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """``2,500 – 5,000`` from the limits of a class; where a class has none it is the tolerable soil loss: its number, or T."""
    if "lower" not in entry or "upper" not in entry:
        return ""
    lower, upper = entry["lower"], entry["upper"]
    tolerance = tolerance_of(manifest)
    shared = "T" if tolerance is None else f"{tolerance:,.0f}"
    if lower == 0:
        return f"< {shared if upper is None else f'{upper:,.0f}'}"
    if upper is None or not math.isfinite(upper):
        return f"≥ {lower:,.0f}"
    return f"{shared if lower is None else f'{lower:,.0f}'} – {upper:,.0f}"


def tolerance_of(manifest: Mapping[str, Any]) -> float | None:
    """The tolerable soil loss [t km⁻² yr⁻¹] where it is one number."""
    stated = (manifest.get("intensity") or {}).get("tolerance_t_km2")
    stated = stated.get("constant") if isinstance(stated, Mapping) else stated
    return float(stated) if isinstance(stated, int | float) else None


def short_path(path: str) -> str:
    """A file and its folder; where the rest of an absolute path leads is nobody's business but the manifest's.

    >>> short_path("/srv/2024/data/dem.tif"), short_path("data/dem.tif")
    ('data/dem.tif', 'data/dem.tif')
    """
    return "/".join(PurePath(path.replace("\\", "/")).parts[-2:]) if path else ""


def options_text(options: Mapping[str, Any]) -> str:
    """``name = value; …``; what was left at None is not listed."""
    return "; ".join(f"{key} = {_plain(value)}" for key, value in options.items() if value is not None)


def quantity(key: str, value: Any) -> str:
    """A figure of the manifest with the unit that its name carries."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return NONE if value is None else str(value)
    for suffix, unit in (("_pct", " %"), ("_m2", " m²"), ("_km2", " km²"), ("_m", " m")):
        if key.endswith(suffix):
            return (fixed(value, 2) if suffix == "_pct" else significant(value, 4)) + unit
    return significant(value, 4)


def number(record: Mapping[str, Any], key: str) -> float:
    """A number of a record, NaN where it has none."""
    value = record.get(key)
    return math.nan if value is None else float(value)


def cell(record: Mapping[str, Any], key: str, decimals: int) -> tuple[float, str]:
    value = number(record, key)
    return value, fixed(value, decimals)


def modulus(value: float) -> str:
    return fixed(value, 0 if abs(value) >= 100 else 1)


def clamped(percent: float) -> str:
    return f"{min(max(percent, 0.0), 100.0):.3f}" if math.isfinite(percent) else "0"


def _or(value: Any, other: Any) -> float | None:
    chosen = other if value is None else value
    return None if chosen is None else float(chosen)


def _plain(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + options_text(value) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_plain(entry) for entry in value) + "]"
    return f"{value:,g}" if isinstance(value, int | float) else str(value)


def _record(record: Mapping[str, Any]) -> list[tuple[tuple[str, str], str]]:
    """What of a rain record was used and left out."""
    return [(words.words(key), f"{count:,}") for key, count in record.items()]


def _role(role: str) -> tuple[str, str]:
    """``C.table`` is the table of factor C; each part in words where there are any."""
    parts = [words.ROLES.get(part, (part, part)) for part in role.split(".")]
    return " ".join(part[0] for part in parts), " ".join(part[1] for part in parts)
