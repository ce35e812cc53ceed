"""tables/zones.xlsx: the zones in Chinese and in English, with areas also in hm² and mu."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from rusle_engine.files.tables import write_workbook
from rusle_engine.report.words import LANGUAGES, WORDS, words

HM2_PER_KM2, MU_PER_KM2 = 100.0, 1500.0
CLASS_STEMS = ("slight", "light", "moderate", "strong", "very_strong", "severe")
"""Stems of the columns of zones.csv, in the order of the class codes 1…6."""
_AREAS = ("area", "assessed", "unassessed", *CLASS_STEMS, "loss")
_OTHERS = {
    "conservation_rate_pct": ("rate", "%"),
    "conservation_rate_min_pct": ("rate_min", ""),
    "conservation_rate_max_pct": ("rate_max", ""),
    "mean_modulus_t_km2_yr": ("modulus", "modulus_unit"),
    "total_loss_t_yr": ("total_loss", "total_loss_unit"),
}


def write_workbooks(folder: Path, zones: pd.DataFrame, manifest: Mapping[str, Any]) -> Path:
    """Write ``tables/zones.xlsx`` into a run folder: one sheet a language and one that says what the figures are.

    Parameters
    ----------
    folder
        The run's folder.
    zones
        The table of zones (as zones.csv).
    manifest
        What run.json says, ``classes`` included.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    sheets: dict[str, pd.DataFrame] = {}
    titles: dict[str, str] = {}
    formats: dict[str, str] = {}
    for tongue in range(len(LANGUAGES)):
        name = WORDS["sheet"][tongue]
        sheets[name], number_formats = in_language(zones, manifest["classes"], tongue)
        titles[name] = title(manifest, tongue)
        formats |= number_formats
    sheets["说明 About"] = about(manifest)
    return write_workbook(sheets, folder / "tables" / "zones.xlsx", titles=titles, number_formats=formats)


def in_language(zones: pd.DataFrame, classes: list[Mapping[str, Any]], tongue: int) -> tuple[pd.DataFrame, dict[str, str]]:
    """The table under the names of one language (0 Chinese, 1 English), and Excel's formats by column.

    First as in the CSV, then the areas once more in hm² and in mu.
    """
    columns: dict[str, Any] = {words("zone_id")[tongue]: zones["zone_id"], words("zone_name")[tongue]: zones["zone_name"]}
    formats: dict[str, str] = {}

    def add(label: str, values: Any, number_format: str) -> None:
        columns[label] = values
        formats[label] = number_format

    names = _area_names(classes, tongue)
    for stem in _AREAS:
        add(f"{names[stem]} km²", zones[f"{stem}_km2"], "#,##0.00")
    for column, (key, unit) in _OTHERS.items():
        label = f"{words(key)[tongue]} {words(unit)[tongue]}".strip()
        add(label, zones[column], "0.00" if column.endswith("_pct") else "#,##0")
    for unit, factor, number_format in (("hm²", HM2_PER_KM2, "#,##0.0"), (words("mu")[tongue], MU_PER_KM2, "#,##0")):
        for stem in _AREAS:
            add(f"{names[stem]} {unit}", zones[f"{stem}_km2"] * factor, number_format)
    return pd.DataFrame(columns), formats


def title(manifest: Mapping[str, Any], tongue: int) -> str:
    """The project, its year and what the table is; an illustrative run says so."""
    project = manifest["project"]
    name = str(project.get("name_zh") or project["name"]) if tongue == 0 else str(project["name"])
    parts = [name, str(project["year"]) if project.get("year") else "", words("kind")[tongue]]
    if project.get("illustrative"):
        parts.append(words("illustrative_short")[tongue])
    return " · ".join(part for part in parts if part)


def about(manifest: Mapping[str, Any]) -> pd.DataFrame:
    """What the reader of the workbook alone must know."""
    package, grid = manifest["package"], manifest["grid"]
    rows = [
        ("made_by", f"{package['name']} {package['version']}"),
        ("started", str(manifest.get("started", ""))),
        ("digest", str(manifest.get("config_digest", ""))),
        ("grid", f"{grid['crs']}, {grid['height']} × {grid['width']}"),
        ("rate", " / ".join(words("rate_note"))),
        ("classes", " / ".join(words("classes_note"))),
        ("mu", "1 km² = 100 hm² = 1,500 亩 (mu)"),
    ]
    return pd.DataFrame([(*words(key), text) for key, text in rows], columns=["项目", "Item", "说明 What it is"])


def _area_names(classes: list[Mapping[str, Any]], tongue: int) -> dict[str, str]:
    names = {stem: words(stem)[tongue] for stem in ("area", "assessed", "unassessed", "loss")}
    return names | {stem: str(entry[("name_zh", "name_en")[tongue]]) for stem, entry in zip(CLASS_STEMS, classes)}
