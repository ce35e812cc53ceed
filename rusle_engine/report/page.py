"""The report of a run: one HTML page that needs nothing beside itself, made from the finished run folder alone."""

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from rusle_engine.core.errors import InputError, OutputError
from rusle_engine.files.atomic import atomic_file
from rusle_engine.files.thin import read_results
from rusle_engine.report import contents, maps, rain, words
from rusle_engine.report.figures import still_png
from rusle_engine.report.numerals import duration, fixed, moment, significant

MAX_BYTES = 15_000_000


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
        m=_with_defaults(manifest),
        language=_language(manifest),
        nonce=base64.b64encode(digest[:18]).decode("ascii"),
        css=_asset("page.css"),
        **scripts,
        title=contents.title_of(manifest),
        headline=contents.headline(manifest),
        target=contents.target(manifest),
        tolerance=contents.tolerance_of(manifest),
        class_totals=contents.class_totals(manifest),
        classes=contents.class_rows(manifest),
        layers=[_layer_for_page(layer, manifest, metres) for layer in layers],
        aspect=maps.aspect(layers[0].extent, metres),
        thinned=max(layer.thinning for layer in layers),
        zones=contents.zone_rows(zones),
        zones_total=len(zones),
        factors=contents.factor_rows(manifest),
        topography=[
            (words.words(key), contents.quantity(key, value))
            for key, value in (manifest.get("topography") or {}).items()
            if value is not None and key != "valid_cells"
        ],
        rain=rain.of_rain(folder, manifest),
        edge=contents.edge_rows(manifest),
        inputs=[contents.input_row(entry) for entry in manifest.get("inputs", [])],
        outputs=[contents.output_row(entry) for entry in manifest.get("outputs", [])],
        warnings=[(str(entry["zh"]), str(entry["en"])) for entry in manifest["warnings"]],
        config=json.dumps(manifest["config"], ensure_ascii=False, indent=2, default=str),
        config_digest=str(manifest.get("config_digest", "")),
    )


def script_json(data: Any) -> str:
    """JSON that may stand inside a script element: nothing in it can end the element or open a comment."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


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
        "logarithmic": bool(style and style.decades and layer.shift),
        "is_classes": layer.is_classes,
        "gradient": ", ".join(layer.colours[:: max(1, len(layer.colours) // 24)]),
        "ticks": [(label, f"{100 * at:.2f}") for label, at in layer.ticks],
        "low": significant(layer.low),
        "high": significant(layer.high),
        "classes": [((str(e["name_zh"]), str(e["name_en"])), str(e["colour"]), contents.limits(e, manifest)) for e in manifest["classes"]],
        "png": base64.b64encode(still_png(layer)).decode("ascii"),
        "aspect": f"{maps.aspect(layer.extent, metres):.5f}",
        "bar_label": bar_label,
        "bar_width": f"{100 * bar_share:.2f}",
    }


def _with_defaults(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with None for what a run may not have."""
    optional = ("versions", "stages", "peak_memory_mib", "finished", "seconds")
    return dict.fromkeys(optional) | dict(manifest) | {"project": {"year": None, "note": "", "illustrative": False} | dict(manifest["project"])}


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
    environment.globals |= {"word": words.words, "fixed": fixed, "duration": duration, "significant": significant, "moment": moment}
    return environment.from_string(_asset("page.html.j2"))
