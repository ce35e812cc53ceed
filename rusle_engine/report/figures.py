"""Still pictures: the maps as they print, and the intensity map as a figure of its own."""

import io
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rusle_engine.files.atomic import atomic_file
from rusle_engine.files.thin import thinning
from rusle_engine.report import maps, words
from rusle_engine.report.numerals import fixed

log = logging.getLogger("rusle_engine")

STILL_CELLS = 250_000
CJK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Microsoft YaHei",
    "PingFang SC",
    "SimHei",
    "WenQuanYi Micro Hei",
    "Noto Sans CJK JP",
)


def still_png(layer: maps.Layer, max_cells: int = STILL_CELLS) -> bytes:
    """A layer as a paletted PNG of at most ``max_cells`` pixels, north up; nodata in the colour of the ground."""
    from PIL import Image

    height, width = layer.codes.shape
    factor = thinning(height, width, max_cells)
    codes = layer.codes[factor // 2 :: factor, factor // 2 :: factor]
    colours = [_rgb(colour) for colour in layer.colours]
    if layer.is_classes:
        index = np.where(codes == maps.CLASS_NODATA, 0, codes)
    else:  # 254 colours and the ground
        colours = [colours[round(i * (len(colours) - 1) / 253)] for i in range(254)]
        index = np.where(codes == 0, 0, 1 + (codes.astype(np.int64) - 1) * 253 // (maps.LEVELS - 1))
    paletted = Image.frombytes("P", (index.shape[1], index.shape[0]), np.ascontiguousarray(index, np.uint8).tobytes())
    paletted.putpalette([channel for colour in (_rgb(maps.GROUND), *colours) for channel in colour])
    buffer = io.BytesIO()
    paletted.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def map_png(folder: Path, path: Path, *, language: str = "zh", width_in: float = 9.0) -> Path:
    """The intensity map of a finished run as one picture with title, legend, scale bar and source line.

    Parameters
    ----------
    folder
        A finished run folder (with run.json).
    path
        The PNG to write.
    language
        ``zh`` or ``en``; Chinese falls back to English, with a warning, where no Chinese font is installed.
    width_in
        Width in inches, at 150 dots an inch.
    """
    manifest = json.loads((folder / "run.json").read_text("utf-8"))
    layer = maps.class_layer("intensity", folder / "rasters" / "intensity.tif", manifest["classes"])
    font = cjk_font()
    if font is None and language == "zh":
        log.warning("no Chinese font is installed: the map is labelled in English. Install one (Debian: fonts-noto-cjk)")
        language = "en"
    figure = _drawn(layer, manifest, words.LANGUAGES.index(language), font, width_in)
    with atomic_file(path) as staged:
        figure.savefig(staged, format="png", dpi=150, metadata={"Software": None})
    return path


def cjk_font() -> str | None:
    """The first installed family that has Chinese."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    return next((name for name in CJK_FONTS if name in installed), None)


def _drawn(layer: maps.Layer, manifest: Mapping[str, Any], tongue: int, font: str | None, width_in: float) -> Any:
    """The figure; ``tongue`` is 0 for Chinese and 1 for English."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch
    from matplotlib.patheffects import withStroke

    metres = maps.metres_per_unit(manifest, layer.extent)
    left, right, bottom, top = layer.extent
    ratio = min(max(maps.aspect(layer.extent, metres), 0.5), 3.0)
    with rc_context({"font.family": [font, "DejaVu Sans"] if font else ["DejaVu Sans"], "axes.unicode_minus": False}):
        figure = Figure(figsize=(width_in, (width_in - 2.6) / ratio + 1.3), facecolor="white")
        FigureCanvasAgg(figure)
        height = figure.get_figheight()
        axes = figure.add_axes((0.5 / width_in, 0.55 / height, (width_in - 2.6) / width_in, 1 - 1.3 / height))
        colours = ListedColormap(list(layer.colours))
        shown = np.ma.masked_equal(layer.codes, maps.CLASS_NODATA)
        axes.imshow(shown, cmap=colours, vmin=0.5, vmax=len(layer.colours) + 0.5, extent=layer.extent, interpolation="nearest", aspect="auto")
        axes.set_facecolor(maps.GROUND)
        axes.set_aspect(metres[1] / metres[0], adjustable="box", anchor="NW")
        axes.tick_params(labelsize=7, colors="#6b746f", length=3)
        axes.ticklabel_format(useOffset=False, style="plain")
        for side in axes.spines.values():
            side.set_color("#c9cfcb")
        handles = [Patch(facecolor=str(e["colour"]), edgecolor="#8a938e", linewidth=0.4, label=_label(e, tongue)) for e in manifest["classes"]]
        legend = axes.legend(
            handles=handles,
            title=f"{words.words('class')[tongue]}  SL 190-2007",
            loc="upper left",
            bbox_to_anchor=(1.01, 1.01),
            frameon=False,
            fontsize=9,
            title_fontsize=9,
            alignment="left",
            labelspacing=0.6,
        )
        legend.get_title().set_fontweight("bold")
        rate = fixed(manifest["headline"]["conservation_rate_pct"], 2)
        below = axes.annotate(words.words("rate")[tongue], (1.04, 0.03), xycoords="axes fraction", fontsize=9, va="bottom")
        axes.annotate(
            f"{rate} %", (0, 0), (0, -3), xycoords=below, textcoords="offset points", fontsize=15, fontweight="bold", va="top", color="#1d6b4f"
        )
        figure.text(0.5 / width_in, 1 - 0.35 / height, _title(manifest, tongue), fontsize=13, fontweight="bold", va="center")
        label, share = maps.scale_bar(layer.extent, metres)
        x, y = left + 0.03 * (right - left), bottom + 0.035 * (top - bottom)
        length = share * (right - left)
        halo = [withStroke(linewidth=3, foreground="white")]
        axes.plot(
            [x, x + length], [y, y], color="#222222", linewidth=2.5, solid_capstyle="butt", path_effects=[withStroke(linewidth=5, foreground="white")]
        )
        axes.annotate(
            label,
            (x + length / 2, y),
            (0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color="#222222",
            path_effects=halo,
            fontweight="bold",
        )
        figure.text(0.5 / width_in, 0.18 / height, _source_line(manifest, tongue), fontsize=7, color="#6b746f", va="center")
    return figure


def _label(entry: Mapping[str, Any], tongue: int) -> str:
    return str(entry[("name_zh", "name_en")[tongue]])


def _title(manifest: Mapping[str, Any], tongue: int) -> str:
    project = manifest["project"]
    name = str(project.get("name_zh") or project["name"]) if tongue == 0 else str(project["name"])
    parts = [name, str(project["year"]) if project.get("year") else "", words.words("intensity")[tongue]]
    return "  ".join(part for part in parts if part)


def _source_line(manifest: Mapping[str, Any], tongue: int) -> str:
    package = manifest["package"]
    line = f"{words.words('made_by')[tongue]}: {package['name']} {package['version']} · {manifest['grid']['crs']} · {words.words('north_up')[tongue]}"
    if manifest["project"].get("illustrative"):
        line += " · " + words.words("illustrative_short")[tongue]
    return line


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
