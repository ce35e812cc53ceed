"""Colours and names of classes, as GIS programs read them.

TIFF holds a colour table and no names. GDAL and ArcGIS look for names in a ``.aux.xml`` beside the file, as categories and as a raster
attribute table; QGIS takes a ``.qml`` of the same name as the layer's style, and with it shows the classes there are, not 256 colours.
"""

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from rusle_engine.core.errors import InputError

Colour = str | tuple[int, int, int]
"""``#rrggbb``, or red, green and blue from 0 to 255."""
Label = str | tuple[str, str]
"""A name, or a Chinese and an English one."""

# GDAL's numbers for what a column of a raster attribute table means and for its type
_NAME, _RED, _GREEN, _BLUE, _MIN_MAX, _GENERIC = 2, 6, 7, 8, 5, 0
_INTEGER, _TEXT = 0, 2


def red_green_blue(colour: Colour) -> tuple[int, int, int]:
    """
    >>> red_green_blue("#a6d96a")
    (166, 217, 106)
    """
    if not isinstance(colour, str):
        return colour
    digits = colour.removeprefix("#")
    try:
        if len(digits) != 6:
            raise ValueError
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    except ValueError:
        raise InputError(f"the colour {colour!r} is not like '#a6d96a'") from None


def colour_map(colors: Mapping[int, Colour], nodata: int) -> dict[int, tuple[int, int, int, int]]:
    """A colour table; what has no colour, and nodata, is transparent."""
    return {**{code: (*red_green_blue(colour), 255) for code, colour in colors.items()}, nodata: (0, 0, 0, 0)}


def attribute_table(labels: Mapping[int, Label], colors: Mapping[int, Colour]) -> str:
    """The content of the ``.aux.xml``: names in the place of their code, and the attribute table."""
    names = {code: _one_name(label) for code, label in labels.items()}
    categories = "".join(f"<Category>{escape(names.get(code, ''))}</Category>" for code in range(max(names, default=-1) + 1))
    columns: list[tuple[str, int, int]] = [
        ("Value", _INTEGER, _MIN_MAX),
        ("Class", _TEXT, _NAME),
        ("Class_zh", _TEXT, _GENERIC),
        ("Class_en", _TEXT, _GENERIC),
    ]
    columns += [("Red", _INTEGER, _RED), ("Green", _INTEGER, _GREEN), ("Blue", _INTEGER, _BLUE)] if colors else []
    fields = "".join(
        f'<FieldDefn index="{i}"><Name>{name}</Name><Type>{kind}</Type><Usage>{usage}</Usage></FieldDefn>'
        for i, (name, kind, usage) in enumerate(columns)
    )
    rows = ""
    for i, code in enumerate(sorted(labels)):
        label = labels[code]
        both = (label, label) if isinstance(label, str) else label
        values: list[Any] = [code, names[code], *both]
        values += red_green_blue(colors[code]) if code in colors else [0, 0, 0] if colors else []
        rows += f'<Row index="{i}">' + "".join(f"<F>{escape(str(value))}</F>" for value in values) + "</Row>"
    return (
        '<PAMDataset>\n<PAMRasterBand band="1">\n'
        f"<CategoryNames>{categories}</CategoryNames>\n"
        f'<GDALRasterAttributeTable tableType="thematic">{fields}{rows}</GDALRasterAttributeTable>\n'
        "</PAMRasterBand>\n</PAMDataset>\n"
    )


def layer_style(labels: Mapping[int, Label], colors: Mapping[int, Colour]) -> str:
    """The content of the ``.qml``: one entry for every class that has a colour."""
    entries = ""
    for code in sorted(colors):
        name = quoteattr(_one_name(labels.get(code, str(code))))
        entries += f'<paletteEntry value="{code}" color="#{bytes(red_green_blue(colors[code])).hex()}" alpha="255" label={name}/>\n'
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22.0" styleCategories="Symbology">\n<pipe>\n'
        '<rasterrenderer type="paletted" band="1" opacity="1" alphaBand="-1" nodataColor="">\n'
        f"<colorPalette>\n{entries}</colorPalette>\n</rasterrenderer>\n</pipe>\n<blendMode>0</blendMode>\n</qgis>\n"
    )


def _one_name(label: Label) -> str:
    return label if isinstance(label, str) else " ".join(label)
