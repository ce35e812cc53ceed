"""Terrain of the sample regions, and the landform that their layers follow: slope, place between valley and ridge, exposure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from pyproj import CRS

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_kernels import noise

Tile = np.ndarray[Any, Any]

_NOISE_DEVIATION = 0.178  # of one octave of unit amplitude


@dataclass(frozen=True)
class Place:
    """A window of the sample's grid: the random fields of a layer are functions of the seed and of where a cell lies."""

    seed: int
    row: int
    column: int
    shape: tuple[int, int]
    cell_m: float

    def noise(self, stream: int, *wavelengths_m: float) -> Tile:
        """Noise number ``stream`` with a standard deviation of about 1: equal parts of the wavelengths [m], none below two cells."""
        field = np.zeros(self.shape)
        amplitude = 1.0 / (_NOISE_DEVIATION * len(wavelengths_m) ** 0.5)
        for octave, wavelength in enumerate(wavelengths_m):
            cells = max(2.0, wavelength / self.cell_m)
            noise.gradient_noise(stream_seed(self.seed, 16 * stream + octave), self.row, self.column, cells, amplitude, field)
        return field


def stream_seed(seed: int, stream: int) -> int:
    """The seed of one random stream: far apart for neighbouring seeds and streams, and not negative."""
    return (seed * 1_000_003 + stream * 7_919) % 2**63


def uniform(seed: int, stream: int, count: int, first: int = 0) -> Tile:
    """``count`` numbers in [0, 1) of one stream, from number ``first`` on."""
    out = np.empty((1, count))
    noise.uniform(stream_seed(seed, stream), first, out)
    return out[0]


@dataclass(frozen=True)
class Landform:
    """What the layers of a sample region follow; all arrays (y, x), float64.

    ``slope_deg`` over four cells; ``position`` from -1 in valleys to 1 on ridges (the height above the mean of a ring around the cell);
    ``sunny`` from -1 (steep, facing north) to 1 (steep, facing south); ``height`` from 0 to 1 between the region's low and high land.
    """

    slope_deg: Tile
    position: Tile
    sunny: Tile
    height: Tile

    @classmethod
    def of(cls, padded: Tile, ring: int, dx_m: float, dy_m: float, low_m: float, high_m: float) -> "Landform":
        """From heights [m] with ``ring`` cells more on every side (at least 2), each cell by itself, so that tiles make no seams."""
        if ring < 2:
            raise InputError(f"a landform needs a ring of at least 2 cells, got {ring}")
        height, width = padded.shape[0] - 2 * ring, padded.shape[1] - 2 * ring

        def shifted(down: int, right: int) -> Tile:
            return padded[ring + down : ring + down + height, ring + right : ring + right + width]

        fall_south = (shifted(-2, 0) - shifted(2, 0)) / (4 * dy_m)
        fall_east = (shifted(0, -2) - shifted(0, 2)) / (4 * dx_m)
        steepness = np.hypot(fall_south, fall_east)
        far, diagonal = ring, round(0.7 * ring)
        around = np.zeros((height, width))
        for step in ((far, 0), (-far, 0), (0, far), (0, -far)):
            around += shifted(*step)
        for step in ((diagonal, diagonal), (diagonal, -diagonal), (-diagonal, diagonal), (-diagonal, -diagonal)):
            around += shifted(*step)
        above = shifted(0, 0) - around / 8
        scale = 0.1 * ring * (dx_m + dy_m) / 2
        return cls(
            slope_deg=np.degrees(np.arctan(steepness)),
            position=above / (np.abs(above) + scale),
            sunny=fall_south / (steepness + 0.05),
            height=np.clip((shifted(0, 0) - low_m) / (high_m - low_m), 0.0, 1.0),
        )


def demo_terrain() -> tuple[Tile, Grid]:
    """Heights [m] (344 × 403, int16) and grid of the elevation sample that matplotlib ships: around the Jacksboro fault, Tennessee.

    The file's ``ymin`` and ``ymax`` are swapped: its first row is the northernmost, its upper edge 36.7329°. Nothing of it is kept here;
    it is read from the installed package.
    """
    from matplotlib.cbook import get_sample_data

    sample: Any = get_sample_data("jacksboro_fault_dem.npz")
    with sample:
        elevation: Tile = np.array(sample["elevation"])
        west, north = float(sample["xmin"]), max(float(sample["ymin"]), float(sample["ymax"]))
        step_x, step_y = float(sample["dx"]), float(sample["dy"])
    height, width = elevation.shape
    grid = Grid(height, width, Affine(step_x, 0.0, west, 0.0, -step_y, north), CRS.from_epsg(4326))
    return elevation, grid


def largest_level_area(elevation: Tile) -> Tile:
    """Where the largest connected area of one single height lies: the demo's lake (bool)."""
    from scipy import ndimage

    level, count = np.unique(elevation, return_counts=True)
    best = np.zeros(elevation.shape, bool)
    for height in level[np.argsort(-count)[:20]]:
        parts, _ = ndimage.label(elevation == height)
        sizes = np.bincount(parts.ravel())
        sizes[0] = 0
        if sizes.max() > best.sum():
            best = parts == sizes.argmax()
    return best


def demo_landform(elevation: Tile, grid: Grid) -> Landform:
    """The landform of the demo's heights, smoothed over the neighbouring cells because they are whole metres."""
    ring = 5
    padded = np.pad(elevation.astype(np.float64), ring + 1, mode="edge")
    smooth: Tile = np.zeros((padded.shape[0] - 2, padded.shape[1] - 2))
    for down in range(3):
        for right in range(3):
            smooth += padded[down : down + smooth.shape[0], right : right + smooth.shape[1]] / 9
    low, high = np.percentile(elevation, [2, 98])
    return Landform.of(smooth, ring, float(grid.dx_m.mean()), float(grid.dy_m.mean()), float(low), float(high))


@dataclass(frozen=True)
class SampleTerrain:
    """A made-up land of valleys within valleys on a grid of any size: heights are functions of the seed and the cell alone.

    Loess-like hills: slopes of 12° in the median, main valleys about 3 km apart, the land falling southwards by 2400 m at most.
    """

    seed: int
    shape: tuple[int, int]
    cell_m: float

    ring = 8
    _lattice_m = (5000.0, 2200.0, 1000.0, 430.0)
    _depths_m = (250.0, 150.0, 80.0, 40.0)
    _swell_m = 150.0

    @property
    def tilt(self) -> float:
        return min(0.03, 2400.0 / (self.shape[0] * self.cell_m))

    @property
    def lowest_m(self) -> float:
        """Low land of the region, which the floors of its southern valleys reach."""
        return 800.0

    @property
    def highest_m(self) -> float:
        return self.lowest_m + self.tilt * self.shape[0] * self.cell_m + 500.0

    def heights(self, row: int, column: int, height: int, width: int) -> tuple[Tile, Tile]:
        """Heights [m] in steps of 1/32 m, and 0 on the line of a main valley to 1 on a main divide; beyond the grid's edge too."""
        surface, valley = np.empty((height, width)), np.empty((height, width))
        lattice, depths = np.array(self._lattice_m), np.array(self._depths_m)
        seed = stream_seed(self.seed, 0)
        noise.gullied_terrain(seed, row, column, self.cell_m, self.tilt, self._swell_m, 20_000.0, lattice, depths, surface, valley)
        surface += self.highest_m - 300.0
        return np.round(surface * 32.0) / 32.0, valley

    def tile(self, row: int, column: int, shape: tuple[int, int]) -> tuple[Tile, Tile, Landform]:
        """Heights, valley index and landform of one tile."""
        ring = self.ring
        padded, valley = self.heights(row - ring, column - ring, shape[0] + 2 * ring, shape[1] + 2 * ring)
        inner = (slice(ring, -ring), slice(ring, -ring))
        landform = Landform.of(padded, ring, self.cell_m, self.cell_m, self.lowest_m, self.highest_m)
        return padded[inner], valley[inner], landform
