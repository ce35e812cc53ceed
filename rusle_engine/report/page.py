"""The report of a run: one HTML page that needs nothing beside itself, made from the finished run folder alone."""

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from rusle_engine.core.errors import InputError, OutputError
from rusle_engine.files.atomic import atomic_file
from rusle_engine.files.thin import read_results
from rusle_engine.report import maps, words
from rusle_engine.report.figures import still_png
from rusle_engine.report.numerals import duration, file_size, fixed, rounded_to_sum, significant

MAX_BYTES = 15_000_000
MAX_ZONES = 1500
"""The most rows of the zone table in the page; the rest is in the CSV and the workbook."""
CLASS_STEMS = ("slight", "light", "moderate", "strong", "very_strong", "severe")
"""Stems of the columns of zones.csv, in the order of the class codes 1…6."""
FLAG_PCT = 0.1
"""Above this share of unassessed land the rate must be quoted with its interval."""
MU_PER_KM2, HM2_PER_KM2 = 1500.0, 100.0


def write_report(folder: Path, manifest: Mapping[str, Any]) -> Path:
    """Write ``report.html`` into a finished run folder.

    Parameters
    ----------
    folder
        The run's folder, with ``rasters/`` and ``tables/zones.csv``.
    manifest
        What run.json says, and ``classes``: a list of ``{code, name_en, name_zh, colour}`` (``lower`` and ``upper`` in t km⁻² yr⁻¹ where known).

    Returns
    -------
    Path
        The page. The same run gives the same bytes.

    Raises
    ------
    InputError
        When a raster or the table is missing or unreadable.
    OutputError
        When the page would be larger than 15 MB.
    """
    page = render(folder, manifest).encode("utf-8")
    if len(page) > MAX_BYTES:
        raise OutputError(f"{folder / 'report.html'} would be {len(page):,} bytes; expected at most {MAX_BYTES:,}. Name fewer zones or inputs.")
    path = folder / "report.html"
    with atomic_file(path) as staged:
        staged.write_bytes(page)
    return path


def render(folder: Path, manifest: Mapping[str, Any]) -> str:
    """The page as text."""
    layers = maps.read_layers(folder, manifest["classes"])
    if not layers:
        raise InputError(f"{folder / 'rasters'} has no GeoTIFF; expected the rasters of a finished run")
    zones = read_results(folder / "tables" / "zones.csv")
    metres = maps.metres_per_unit(manifest, layers[0].extent)
    data = {
        "item": maps.figure_json(layers, metres, bool(manifest["grid"].get("is_geographic"))),
        "layers": [_layer_for_script(layer, manifest["classes"]) for layer in layers],
        "classes": [[str(entry["name_zh"]), str(entry["name_en"]), str(entry["colour"])] for entry in manifest["classes"]],
        "words": words.for_script(),
        "geographic": bool(manifest["grid"].get("is_geographic")),
    }
    scripts = {"bokeh": _bokeh(), "glue": _asset("page.js"), "data": script_json(data)}
    digest = hashlib.sha256("".join(scripts.values()).encode("utf-8")).digest()
    return _template().render(
        m=manifest,
        language=_language(manifest),
        nonce=base64.b64encode(digest[:18]).decode("ascii"),
        css=_asset("page.css"),
        **scripts,
        title=title_of(manifest),
        headline=headline(manifest),
        target=target(manifest),
        classes=class_rows(manifest),
        layers=[_layer_for_page(layer, manifest, metres) for layer in layers],
        aspect=maps.aspect(layers[0].extent, metres),
        thinned=max(layer.thinning for layer in layers),
        zones=zone_rows(zones),
        zones_total=len(zones),
        factors=factor_rows(manifest),
        topography=[(words.words(key), _quantity(key, value)) for key, value in (manifest.get("topography") or {}).items()],
        inputs=[input_row(entry) for entry in manifest.get("inputs", [])],
        outputs=[output_row(entry) for entry in manifest.get("outputs", [])],
        warnings=[(str(entry["zh"]), str(entry["en"])) for entry in manifest["warnings"]],
        config=json.dumps(manifest.get("config", {}), ensure_ascii=False, indent=2, default=str),
        config_digest=config_digest(manifest),
    )


def script_json(data: Any) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element or open a comment."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def config_digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of the resolved configuration in canonical JSON."""
    text = json.dumps(manifest.get("config", {}), sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def title_of(manifest: Mapping[str, Any]) -> tuple[str, str]:
    project = manifest["project"]
    name = str(project["name"])
    return str(project.get("name_zh") or name), name


def headline(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of the first screen, as text, with the positions of the gauge in percent."""
    head = manifest["headline"]
    area, assessed, unassessed = head["area_km2"], head["assessed_km2"], head["unassessed_km2"]
    rate, low, high = (head[f"conservation_rate{suffix}"] for suffix in ("_pct", "_min_pct", "_max_pct"))
    unassessed_pct = 100 * unassessed / area if area else 0.0
    return {
        "zone_name": str(head.get("zone_name") or ""),
        "rate": fixed(rate, 2),
        "low": fixed(low, 2),
        "high": fixed(high, 2),
        "gauge": {"rate": _clamped(rate), "low": _clamped(low), "high": _clamped(high)},
        "has_interval": f"{low:.2f}" != f"{high:.2f}",
        "flagged": unassessed_pct > FLAG_PCT,
        "area": fixed(area, 2),
        "assessed": fixed(assessed, 2),
        "unassessed": fixed(unassessed, 2),
        "unassessed_pct": fixed(unassessed_pct, 2),
        "loss": fixed(head["loss_km2"], 2),
        "loss_pct": fixed(100 * head["loss_km2"] / assessed if assessed else math.nan, 2),
        "modulus": _modulus(head["mean_modulus_t_km2_yr"]),
        "total": fixed(head["total_loss_t_yr"], 0),
    }


def target(manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """The gap to the target: points, and km² of the assessed land."""
    wanted, head = manifest.get("target"), manifest["headline"]
    if not wanted:
        return None
    rate, goal = head["conservation_rate_pct"], float(wanted["conservation_rate_pct"])
    gap = rate - goal
    met = "at_target" if round(gap, 2) == 0 else "above_target" if gap > 0 else "below_target"
    return {
        "goal": fixed(goal, 2),
        "year": wanted.get("year"),
        "source": str(wanted.get("source") or ""),
        "verdict": met,
        "points": fixed(abs(gap), 2),
        "km2": fixed(abs(gap) / 100 * head["assessed_km2"], 2),
        "at": _clamped(goal),
        "undecided": head["conservation_rate_min_pct"] < goal <= head["conservation_rate_max_pct"],
    }


def class_rows(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The area of each class in km², hm² and mu, rounded so that the column closes on the assessed area."""
    head = manifest["headline"]
    areas = [float(head[f"{stem}_km2"]) for stem in CLASS_STEMS]
    assessed = float(head["assessed_km2"])
    shares = [100 * area / assessed if assessed else 0.0 for area in areas]
    closed = rounded_to_sum(areas, assessed, 2)
    closed_shares = rounded_to_sum(shares, 100.0, 2) if assessed else shares
    largest = max(shares, default=0.0) or 1.0
    rows = []
    for entry, area, share, shown, shown_share in zip(manifest["classes"], areas, shares, closed, closed_shares):
        rows.append(
            {
                "name": (str(entry["name_zh"]), str(entry["name_en"])),
                "colour": str(entry["colour"]),
                "limits": _limits(entry),
                "km2": fixed(shown, 2),
                "hm2": fixed(area * HM2_PER_KM2, 1),
                "mu": fixed(area * MU_PER_KM2, 0),
                "pct": fixed(shown_share, 2),
                "width": f"{100 * share / largest:.2f}",
                "share": f"{share:.3f}",
            }
        )
    return rows


def zone_rows(zones: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of the zone table: raw values to sort by, text to read."""
    kept = zones.nlargest(MAX_ZONES, "area_km2").sort_index() if len(zones) > MAX_ZONES else zones
    rows = []
    for record in kept.to_dict("records"):
        areas = [float(record[f"{stem}_km2"]) for stem in CLASS_STEMS]
        shown = rounded_to_sum([*areas, float(record["unassessed_km2"])], float(record["area_km2"]), 2)
        assessed = float(record["assessed_km2"])
        rows.append(
            {
                "id": str(record["zone_id"]),
                "name": str(record["zone_name"]),
                "area": _cell(record["area_km2"], 2),
                "assessed": _cell(assessed, 2),
                "unassessed": (record["unassessed_km2"], fixed(shown[-1], 2)),
                "classes": [(area, fixed(text, 2)) for area, text in zip(areas, shown)],
                "mix": [f"{100 * area / assessed:.2f}" if assessed else "0" for area in areas],
                "loss": _cell(record["loss_km2"], 2),
                "rate": _cell(record["conservation_rate_pct"], 2),
                "low": _cell(record["conservation_rate_min_pct"], 2),
                "high": _cell(record["conservation_rate_max_pct"], 2),
                "modulus": (record["mean_modulus_t_km2_yr"], _modulus(record["mean_modulus_t_km2_yr"])),
                "total": _cell(record["total_loss_t_yr"], 0),
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
        how = "how_constant" if constant is not None else str(factor.get("method") or factor.get("source") or "")
        rows.append(
            {
                "symbol": symbol,
                "name": words.words(symbol),
                "units": (style.units_zh, style.units) if style else ("", ""),
                "how": words.words({"raster": "how_raster", "table": "how_table"}.get(how, how)),
                "options": "; ".join(f"{key} = {_plain(value)}" for key, value in (factor.get("options") or {}).items() if value is not None),
                "unchecked": factor.get("method_status", factor.get("status")) == "unchecked",
                "low": significant(_number(factor, "min", constant), 4),
                "mean": significant(_number(factor, "mean", constant), 4),
                "high": significant(_number(factor, "max", constant), 4),
                "valid": fixed(100 * factor["valid_cells"] / cells, 2) if factor.get("valid_cells") is not None else fixed(None, 0),
                "sources": [str(source) for source in factor.get("sources") or []],
            }
        )
    return rows


def input_row(entry: Mapping[str, Any]) -> dict[str, Any]:
    shape = entry.get("shape")
    return {
        "role": words.words(str(entry.get("role", ""))),
        "path": str(entry.get("path", "")),
        "crs": str(entry.get("crs") or ""),
        "shape": " × ".join(f"{count:,}" for count in shape) if shape else "",
        "resampling": str(entry.get("resampling") or ""),
        "units": str(entry.get("units") or ""),
        "assumed": bool(entry.get("units_assumed")),
        "valid": fixed(entry.get("valid_pct"), 2),
        "size": file_size(entry.get("bytes")),
        "sha256": str(entry.get("sha256") or ""),
    }


def output_row(entry: Mapping[str, Any]) -> dict[str, Any]:
    path = str(entry["path"])
    inside = not path.startswith("/") and ":" not in path and ".." not in path.split("/")
    return {
        "path": path,
        "href": quote(path) if inside else "",
        "kind": str(entry.get("kind") or ""),
        "size": file_size(entry.get("bytes")),
        "sha256": str(entry.get("sha256") or ""),
    }


def _layer_for_script(layer: maps.Layer, classes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    style = layer.style
    return {
        "key": layer.key,
        "rows": layer.codes.shape[0],
        "columns": layer.codes.shape[1],
        "extent": list(layer.extent),
        "classes": [int(entry["code"]) for entry in classes] if layer.is_classes else None,
        "offset": None if math.isnan(layer.offset) else layer.offset,
        "step": layer.step,
        "shift": layer.shift,
        "units": [style.units_zh, style.units] if style else ["", ""],
    }


def _layer_for_page(layer: maps.Layer, manifest: Mapping[str, Any], metres: tuple[float, float]) -> dict[str, Any]:
    style = layer.style
    bar_label, bar_share = maps.scale_bar(layer.extent, metres)
    return {
        "key": layer.key,
        "name": words.words(layer.key),
        "units": (style.units_zh, style.units) if style else ("", ""),
        "logarithmic": bool(style and style.logarithmic and layer.shift),
        "is_classes": layer.is_classes,
        "gradient": ", ".join(layer.colours[:: max(1, len(layer.colours) // 24)]),
        "ticks": [(label, f"{100 * at:.2f}") for label, at in layer.ticks],
        "low": significant(layer.low),
        "high": significant(layer.high),
        "classes": [((str(e["name_zh"]), str(e["name_en"])), str(e["colour"]), _limits(e)) for e in manifest["classes"]],
        "png": base64.b64encode(still_png(layer)).decode("ascii"),
        "aspect": f"{maps.aspect(layer.extent, metres):.5f}",
        "bar_label": bar_label,
        "bar_width": f"{100 * bar_share:.2f}",
    }


def _limits(entry: Mapping[str, Any]) -> str:
    """``2,500 – 5,000`` from the limits of a class; T stands for the tolerable soil loss, which a class without a limit there shares."""
    if "lower" not in entry or "upper" not in entry:
        return ""
    lower, upper = entry["lower"], entry["upper"]
    low = "T" if lower is None else f"{lower:,.0f}"
    if lower == 0:
        return f"< {'T' if upper is None else f'{upper:,.0f}'}"
    return f"{low} – {upper:,.0f}" if upper is not None and math.isfinite(upper) else f"≥ {low}"


def _cell(value: float, decimals: int) -> tuple[float, str]:
    return value, fixed(value, decimals)


def _modulus(value: float | None) -> str:
    return fixed(value, 0 if value is not None and abs(value) >= 100 else 1)


def _clamped(percent: float) -> str:
    return f"{min(max(percent, 0.0), 100.0):.3f}" if math.isfinite(percent) else "0"


def _number(factor: Mapping[str, Any], key: str, constant: Any) -> float | None:
    value = factor.get(key, constant)
    return None if value is None else float(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    return f"{value:,g}" if isinstance(value, int | float) else str(value)


def _quantity(key: str, value: Any) -> str:
    """A figure of the manifest with the unit that its name carries."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return str(value)
    for suffix, unit in (("_pct", " %"), ("_m2", " m²"), ("_km2", " km²"), ("_m", " m")):
        if key.endswith(suffix):
            return (fixed(value, 2) if suffix == "_pct" else significant(value, 4)) + unit
    return significant(value, 4)


def _language(manifest: Mapping[str, Any]) -> str:
    return "en" if str(manifest["project"].get("language") or "zh").lower().startswith("en") else "zh"


def _asset(name: str) -> str:
    return resources.files("rusle_engine.report").joinpath(name).read_text("utf-8")


def _bokeh() -> str:
    """Bokeh's own script for figures, as its Python package brings it."""
    from bokeh.resources import Resources

    raw: list[str] = Resources(mode="inline", components=["bokeh"], log_level="warn").js_raw
    return "\n".join(raw)


def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals |= {"word": words.words, "fixed": fixed, "duration": duration, "significant": significant}
    return environment.from_string(_asset("page.html.j2"))
