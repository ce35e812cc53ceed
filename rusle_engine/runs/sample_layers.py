"""The illustrative layers of the sample regions: soil units, land cover of two years, NDVI. Rules and tables; nothing here was measured.

A cell goes to the class whose suitability there is greatest,

    base - ((slope - best slope) / tolerance)² + height·(h - 1/2) + sunny·u + ridge·p + patch·noise,

with the slope in degrees, h the relative height (0 to 1), u the exposure to the south and p the place between valley (-1) and ridge (1)
of the ``Landform``. The noise, one stream for each class, has wavelengths of one and two kilometres or so: patches, not pepper.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rusle_engine.runs.sample_terrain import Landform, Place, Tile

WATER = 61
CLASS_NODATA = 0

CLOUD = 2.3
"""Where the cloud noise (standard deviation 1) is above this, the NDVI has a gap."""


@dataclass(frozen=True)
class Suits:
    """Where a class likes to be: the weights of its suitability."""

    base: float
    best_slope: float = 0.0
    tolerance: float = np.inf
    height: float = 0.0
    sunny: float = 0.0
    ridge: float = 0.0
    patch: float = 0.5
    wavelengths_m: tuple[float, ...] = (2400.0, 900.0)

    def at(self, land: Landform, place: Place, stream: int) -> Tile:
        score = self.patch * place.noise(stream, *self.wavelengths_m) + self.base
        if np.isfinite(self.tolerance):
            score -= ((land.slope_deg - self.best_slope) / self.tolerance) ** 2
        score += self.height * (land.height - 0.5) + self.sunny * land.sunny
        score += self.ridge * land.position
        return score


@dataclass(frozen=True)
class Cover:
    """A land-cover class: its C and P are illustrative table values, ``ndvi`` its mean in the growing season.

    ``gain`` is added to the suitability in the second year: what the year's works turn land into.
    """

    code: int
    name: str
    name_zh: str
    colour: str
    c: float
    p: float
    ndvi: float
    suits: Suits | None
    gain: float = 0.0


COVERS = (
    Cover(11, "level cropland", "平地耕地", "#f7e08a", 0.22, 0.35, 0.60, Suits(1.35, 0, 4.5, height=-0.6, ridge=-0.5)),
    Cover(12, "terraced cropland", "梯田", "#e3b04b", 0.22, 0.08, 0.56, Suits(0.75, 7, 7, height=-0.7, ridge=-0.2), gain=0.10),
    Cover(13, "sloping cropland", "坡耕地", "#d98c4a", 0.25, 0.40, 0.48, Suits(0.65, 10, 8, height=-0.7, sunny=0.2)),
    Cover(21, "orchard", "园地", "#b5c95a", 0.15, 0.47, 0.60, Suits(0.20, 8, 8, height=-0.7, sunny=0.4)),
    Cover(31, "forest", "有林地", "#2f7d4f", 0.004, 1.0, 0.79, Suits(0.55, 22, 20, height=1.0, sunny=-0.7), gain=0.03),
    Cover(32, "shrubland", "灌木林地", "#7fae6b", 0.02, 1.0, 0.70, Suits(0.60, 20, 20, height=0.4, sunny=-0.3), gain=0.02),
    Cover(41, "grassland", "草地", "#bcd9a2", 0.05, 1.0, 0.58, Suits(0.60, 18, 20, sunny=0.4, ridge=0.2), gain=0.01),
    Cover(42, "sparse grassland", "稀疏草地", "#dfe3b4", 0.15, 1.0, 0.36, Suits(0.05, 24, 18, sunny=0.7, ridge=0.4)),
    Cover(
        51, "built-up land", "建设用地", "#c8474b", 0.01, 1.0, 0.22, Suits(0.45, 0, 4, height=-0.8, ridge=-0.4, wavelengths_m=(1500, 600)), gain=0.05
    ),
    Cover(WATER, "water", "水域", "#5b9bd5", 0.0, 0.0, -0.15, None),
    Cover(71, "bare land", "裸地", "#b9a999", 1.0, 1.0, 0.12, Suits(-0.55, 26, 20, sunny=0.5, ridge=0.2, wavelengths_m=(900, 400))),
)
"""Land cover of the sample regions; codes in the order of the contest's ties."""


@dataclass(frozen=True)
class Soil:
    """A soil unit: texture in percent by mass (sand 2–0.05 mm, silt 0.05–0.002 mm, clay finer) and organic carbon in percent."""

    code: int
    name: str
    name_zh: str
    colour: str
    sand: float
    silt: float
    clay: float
    soc: float
    suits: Suits


_WIDE = (9000.0, 3500.0)
SOILS = (
    Soil(1, "loessial soil", "黄绵土", "#e8cf8e", 20, 65, 15, 0.5, Suits(0.7, 12, 16, height=-0.3, wavelengths_m=_WIDE)),
    Soil(2, "sandy loessial soil", "沙黄土", "#f0e0b0", 42, 46, 12, 0.4, Suits(0.5, 12, 18, ridge=0.3, wavelengths_m=_WIDE)),
    Soil(3, "cinnamon soil", "褐土", "#b98b5e", 27, 51, 22, 0.9, Suits(0.5, 14, 20, height=0.3, wavelengths_m=_WIDE)),
    Soil(4, "alluvial soil", "潮土", "#9fb7a5", 31, 51, 18, 0.8, Suits(1.1, 0, 4, ridge=-0.8, height=-0.5, wavelengths_m=_WIDE)),
    Soil(5, "mountain brown earth", "棕壤", "#7d6a4f", 38, 42, 20, 2.4, Suits(-0.1, 20, 20, height=2.2, sunny=-0.3, wavelengths_m=_WIDE)),
    Soil(6, "skeletal soil", "粗骨土", "#c9c0b6", 58, 29, 13, 1.0, Suits(0.2, 28, 14, ridge=0.5, sunny=0.3, wavelengths_m=_WIDE)),
)
"""Soil units of the sample regions, with textures such as a loess plateau has."""


def _contest(codes: Sequence[int], scores: Sequence[Tile]) -> Tile:
    """The code with the greatest score; of equal ones the first."""
    best, winner = scores[0].copy(), np.full(scores[0].shape, codes[0], np.uint8)
    for code, score in zip(codes[1:], scores[1:]):
        ahead = score > best
        best[ahead] = score[ahead]
        winner[ahead] = code
    return winner


def soil_units(land: Landform, place: Place) -> Tile:
    """Codes of ``SOILS`` (uint8)."""
    return _contest([soil.code for soil in SOILS], [soil.suits.at(land, place, 100 + soil.code) for soil in SOILS])


def land_cover(land: Landform, place: Place, water: Tile) -> tuple[Tile, Tile]:
    """Codes of ``COVERS`` (uint8) of the first and the second year; water stays where it is."""
    grown = [cover for cover in COVERS if cover.suits is not None]
    codes = [cover.code for cover in grown]
    scores = [cover.suits.at(land, place, 200 + cover.code) for cover in grown if cover.suits is not None]
    first = _contest(codes, scores)
    second = _contest(codes, [score + cover.gain for score, cover in zip(scores, grown)])
    for year in (first, second):
        year[water] = WATER
    return first, second


def ndvi(land: Landform, place: Place, cover: Tile) -> Tile:
    """NDVI in the growing season (float32, -1 to 1, in steps of 1/1024), the mean of each class with its own unrest; NaN under clouds."""
    mean = np.zeros(256)
    for row in COVERS:
        mean[row.code] = row.ndvi
    greenness = mean[cover] + 0.035 * place.noise(300, 1300.0, 500.0) + 0.02 * place.noise(301, 200.0) - 0.03 * land.sunny
    greenness[cover == WATER] = mean[WATER]
    stepped = np.round(np.clip(greenness, -1.0, 1.0) * 1024.0) / 1024.0
    stepped[place.noise(302, 6000.0, 2500.0) > CLOUD] = np.nan
    return stepped.astype(np.float32)


def colours(classes: Sequence[Any]) -> dict[int, str]:
    return {row.code: row.colour for row in classes}


def names(classes: Sequence[Any]) -> dict[int, str]:
    """Both names of each class, as map legends print them."""
    return {row.code: f"{row.name_zh} {row.name}" for row in classes}
