"""The maps of a run as the page carries them: thinned, quantised to codes, and drawn by Bokeh in the reader's browser."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rusle_engine.files.thin import Extent, read_thinned, thinning
from rusle_engine.report.numerals import nice_length, nice_ticks, significant

LEVELS = 4095
"""Codes of a quantity: 0 is nodata, 1…4095 its range. A step is under 0.03 % of the range (or of the value, on a logarithmic scale)."""
LAYER_BYTES = 8_500_000
"""What all layers together may take in the page, after base64, should nothing compress."""
MAX_CELLS = 500_000
MAX_CLASS_CELLS = 1_000_000
CLASS_NODATA = 255
GROUND = "#eef0ee"
"""Where there is no data."""
ORDER = ("intensity", "A", "R", "K", "LS", "L", "S", "C", "B", "P", "E", "T")
"""Layers in the order of reading; a run may have others after them."""


@dataclass(frozen=True)
class Style:
    """How a quantity is drawn: a ColorBrewer sequence (safe for the colour-blind) from Bokeh, and how many powers of ten below its largest
    value the scale is logarithmic (0: an even scale)."""

    palette: str
    reverse: bool
    decades: float
    units: str
    units_zh: str


_SI_R, _SI_R_ZH = "MJ mm ha⁻¹ h⁻¹ yr⁻¹", "MJ·mm·hm⁻²·h⁻¹·a⁻¹"
_SI_K, _SI_K_ZH = "t ha h ha⁻¹ MJ⁻¹ mm⁻¹", "t·hm²·h·hm⁻²·MJ⁻¹·mm⁻¹"
STYLES = {
    "A": Style("YlOrRd9", True, 4, "t ha⁻¹ yr⁻¹", "t·hm⁻²·a⁻¹"),
    "R": Style("YlGnBu9", True, 0, _SI_R, _SI_R_ZH),
    "K": Style("YlOrBr9", True, 0, _SI_K, _SI_K_ZH),
    "LS": Style("BuPu9", True, 4, "", ""),
    "L": Style("BuPu9", True, 4, "", ""),
    "S": Style("BuPu9", True, 4, "", ""),
    "C": Style("YlGn9", False, 1.5, "", ""),
    "B": Style("YlGn9", False, 1.5, "", ""),
}
_OTHER = Style("PuBu9", True, 0, "", "")


@dataclass(frozen=True)
class Layer:
    """One raster in the page.

    ``codes`` (rows, columns), row 0 in the north: uint16, 0 nodata, for a quantity; uint8, 255 nodata, for classes. ``ticks`` are
    (label, position 0…1 on the legend). ``offset``, ``step`` and ``shift`` turn a code back: value = offset + step·(code − 1), or on a
    logarithmic scale shift·(exp(step·(code − 1)) − 1) + offset.
    """

    key: str
    codes: np.ndarray[Any, Any]
    extent: Extent
    thinning: int
    colours: tuple[str, ...]
    style: Style | None = None
    offset: float = 0.0
    step: float = 1.0
    shift: float = 0.0
    low: float = math.nan
    high: float = math.nan
    ticks: tuple[tuple[str, float], ...] = ()

    @property
    def is_classes(self) -> bool:
        return self.style is None


def read_layers(folder: Path, classes: Sequence[Mapping[str, Any]]) -> list[Layer]:
    """Every raster under ``folder``/rasters, intensity first, each thinned to its share of the page."""
    paths = {path.stem: path for path in sorted((folder / "rasters").glob("*.tif"))}
    names = sorted(paths, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    quantities = max(1, len(names) - 1)
    share = min(MAX_CELLS, int((LAYER_BYTES - MAX_CLASS_CELLS * 4 / 3) * 3 / 4 / 2 / quantities))
    return [class_layer(name, paths[name], classes) if name == "intensity" else quantity_layer(name, paths[name], share) for name in names]


def class_layer(key: str, path: Path, classes: Sequence[Mapping[str, Any]], max_cells: int = MAX_CLASS_CELLS) -> Layer:
    codes, extent = read_thinned(path, max_cells, resampling="mode")
    known = np.zeros(256, bool)
    known[[int(entry["code"]) for entry in classes]] = True
    codes = np.where(known[codes], codes, CLASS_NODATA).astype(np.uint8)
    return Layer(key, codes, extent, _thinning(path, max_cells), tuple(str(entry["colour"]) for entry in classes))


def quantity_layer(key: str, path: Path, max_cells: int) -> Layer:
    values, extent = read_thinned(path, max_cells, resampling="average")
    return quantised(key, values, extent, _thinning(path, max_cells))


def quantised(key: str, values: np.ndarray[Any, Any], extent: Extent, thinned: int = 1) -> Layer:
    """A quantity as codes 1…4095 over its own range: evenly spaced, or evenly spaced in log(1 + (value − low)/shift) with
    shift = (high − low)/10^decades, which takes zeros as they come."""
    style = STYLES.get(key, _OTHER)
    valid = np.isfinite(values)
    low, high = (float(values[valid].min()), float(values[valid].max())) if valid.any() else (math.nan, math.nan)
    spread = high - low
    filled = np.where(valid, values, low if valid.any() else 0.0)
    if not spread > 0:
        codes, offset, step, shift = np.ones(values.shape), low, 0.0, 0.0
    elif style.decades:
        shift = spread / 10**style.decades
        step = math.log1p(spread / shift) / (LEVELS - 1)
        codes, offset = np.rint(np.log1p((filled - low) / shift) / step) + 1, low
    else:
        codes, offset, step, shift = np.rint((filled - low) / spread * (LEVELS - 1)) + 1, low, spread / (LEVELS - 1), 0.0
    return Layer(
        key=key,
        codes=np.where(valid, codes, 0).astype(np.uint16),
        extent=extent,
        thinning=thinned,
        colours=_palette(style),
        style=style,
        offset=offset,
        step=step,
        shift=shift,
        low=low,
        high=high,
        ticks=_ticks(low, high, shift),
    )


def _thinning(path: Path, max_cells: int) -> int:
    import rasterio

    with rasterio.open(path, driver="GTiff") as source:
        return thinning(source.height, source.width, max_cells)


def _palette(style: Style) -> tuple[str, ...]:
    """256 colours from low to high; the palest end is cut off, so that low values stand out from the ground."""
    import bokeh.palettes

    nine = getattr(bokeh.palettes, style.palette)  # from dark to light
    ordered = tuple(reversed(nine)) if style.reverse else tuple(nine)
    pale_first = style.reverse
    kept = bokeh.palettes.interp_palette(ordered, 276)
    return tuple(colour[:7] for colour in (kept[20:] if pale_first else kept[:-20]))


def _ticks(low: float, high: float, shift: float) -> tuple[tuple[str, float], ...]:
    if not high > low:
        return ((significant(low), 0.5),) if math.isfinite(low) else ()
    if not shift:
        return tuple((significant(tick), (tick - low) / (high - low)) for tick in nice_ticks(low, high))
    whole = math.log1p((high - low) / shift)
    top = math.floor(math.log10(high))
    steps = (1,) if (high - low) / shift > 1e3 else (1, 2, 5)
    ticks = [(significant(low), 0.0)]
    for tick in (m * 10.0**power for power in range(top - 4, top + 1) for m in steps):
        at = math.log1p((tick - low) / shift) / whole if low < tick <= high else 0.0
        if at - ticks[-1][1] > 0.15:
            ticks.append((significant(tick), at))
    return tuple(ticks)


def metres_per_unit(manifest: Mapping[str, Any], extent: Extent) -> tuple[float, float]:
    """Metres in one unit of x and of y at the middle of the map: 1 and 1 on a projected grid, from the sphere's degree on a geographic one."""
    if not manifest["grid"].get("is_geographic"):
        return 1.0, 1.0
    middle = math.radians((extent[2] + extent[3]) / 2)
    degree = math.radians(1) * 6_371_008.8
    return degree * math.cos(middle), degree


def aspect(extent: Extent, metres: tuple[float, float]) -> float:
    """Width of the map over its height, on the ground."""
    left, right, bottom, top = extent
    return (right - left) * metres[0] / ((top - bottom) * metres[1])


def scale_bar(extent: Extent, metres: tuple[float, float]) -> tuple[str, float]:
    """A round length for a scale bar: its label, and its share of the map's width."""
    width_m = (extent[1] - extent[0]) * metres[0]
    length = nice_length(width_m / 4)
    label = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    return label, length / width_m


def figure_json(layers: Sequence[Layer], metres: tuple[float, float], is_geographic: bool) -> dict[str, Any]:
    """One Bokeh figure with an image for each layer (only the first visible), as the JSON that ``Bokeh.embed.embed_item`` takes.

    Image data travel as gzipped codes. Nothing in it depends on chance or on what was drawn before in this process.
    """
    from bokeh import embed, models, plotting

    b: Any = models  # Bokeh's own annotations leave out much of what these take
    draw: Any = plotting.figure
    pan, wheel = b.PanTool(), b.WheelZoomTool(zoom_on_axis=False)
    plot = draw(
        name="map",
        sizing_mode="stretch_both",
        match_aspect=True,
        aspect_scale=metres[0] / metres[1],
        x_range=b.DataRange1d(range_padding=0),
        y_range=b.DataRange1d(range_padding=0),
        tools=[pan, b.BoxZoomTool(match_aspect=True), wheel, b.ZoomInTool(), b.ZoomOutTool(), b.ResetTool(), b.CrosshairTool(line_alpha=0.25)],
        active_drag=pan,
        active_scroll=wheel,
        toolbar_location="above",
        background_fill_color=GROUND,
        border_fill_color=None,
        outline_line_color="#c9cfcb",
    )
    plot.toolbar.logo = None
    plot.grid.visible = False
    for axis in plot.axis:
        axis.formatter = b.BasicTickFormatter(use_scientific=False) if is_geographic else b.NumeralTickFormatter(format="0,0")
        axis.major_label_text_color = axis.axis_line_color = axis.major_tick_line_color = "#6b746f"
        axis.minor_tick_line_color = None
        axis.major_label_text_font_size = "11px"
        axis.ticker.desired_num_ticks = 5
    plot.yaxis.major_label_orientation = "vertical"
    for layer in layers:
        left, right, bottom, top = layer.extent
        low, high = (0.5, len(layer.colours) + 0.5) if layer.is_classes else (1, LEVELS)
        plot.image(
            image="image",
            source=b.ColumnDataSource({"image": [np.ascontiguousarray(layer.codes[::-1])]}),
            x=left,
            y=bottom,
            dw=right - left,
            dh=top - bottom,
            color_mapper=b.LinearColorMapper(list(layer.colours), low=low, high=high, low_color="#00000000", high_color="#00000000"),
            name=layer.key,
            visible=layer is layers[0],
        )
    plot.add_layout(_scale_bar(b, plot.x_range, metres[0] if is_geographic else None))
    item: Any = embed.json_item(plot)
    return _with_stable_ids(item)


def _scale_bar(b: Any, x_range: Any, degree_m: float | None) -> Any:
    """A scale bar in metres and kilometres, on an axis of metres or of degrees that are ``degree_m`` long."""
    ticks = [1, 2, 5, 10, 20, 50, 100, 200, 500]
    if degree_m is None:
        lengths = b.MetricLength(ticks=ticks, include=["m", "km"])
    else:  # a degree must stay among the units, as the axis counts in it
        lengths = b.Angular(basis={"°": (degree_m / 1000, "°"), "m": (0.001, "m"), "km": (1.0, "km")}, ticks=ticks)
    return b.ScaleBar(
        range=x_range,
        unit="m" if degree_m is None else "°",
        dimensional=lengths,
        location="bottom_left",
        bar_length=0.1,
        background_fill_alpha=0.8,
        border_line_color=None,
        label_text_font_size="11px",
        padding=6,
    )


def _with_stable_ids(item: Any) -> Any:
    """The same JSON with Bokeh's running numbers replaced by their order of appearance."""
    names: dict[str, str] = {}

    def renamed(node: Any) -> Any:
        if isinstance(node, dict):
            return {
                key: names.setdefault(value, f"m{len(names)}") if key in ("id", "root_id") and isinstance(value, str) else renamed(value)
                for key, value in node.items()
            }
        return [renamed(entry) for entry in node] if isinstance(node, list) else node

    return renamed(item)
