"""Areas and losses by zone and class as exact integers: the same whatever the tiles, their order and the number of threads."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from dask.base import compute

from rusle_engine.assessment.zones import Cover, TileCover
from rusle_engine.core.coverage import AREA_BITS, areas_of_rows
from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid, same_grid
from rusle_engine.core.lift import Tile, tiled
from rusle_engine.core.variables import INTENSITY, SOIL_LOSS, TOLERANCE, Raster, Units
from rusle_engine.erosion.intensity import CLASSES, UNASSESSED, check_tolerances, intensity_limits
from rusle_engine.erosion.soil_loss import FACTORS, Places, factor_arrays, impossible_loss, read_only
from rusle_kernels import coverage
from rusle_kernels import soil_loss as kernels

Integers = np.ndarray[Any, np.dtype[np.object_]]

assert coverage.FULL == kernels.FULL

UNITS_PER_KM2 = (kernels.FULL << AREA_BITS) * 10**6
"""Areas are counted in units of 2^-61 m²."""
UNITS_PER_TONNE = (kernels.FULL << (AREA_BITS + kernels.LOSS_BITS)) * 10**4
"""Losses are counted in units of 2^-24 t/ha × 2^-61 m²."""

_LOSS_WORTH = np.array([kernels.FULL, 1 << kernels.CUT_BITS, 1], object)
_NO_TOLERANCE = read_only(np.empty((0, 0)), np.float64)
_PLACES = [row.code & 7 for row in CLASSES]
_UNASSESSED_PLACE = UNASSESSED & 7

_NO_CODE = 254
_CODE_OF = np.full(256, _NO_CODE, np.uint8)
_CODE_OF[[0, UNASSESSED]] = UNASSESSED
_CODE_OF[[row.code for row in CLASSES]] = [row.code for row in CLASSES]


@dataclass(frozen=True)
class Record:
    """What one tile holds of its zones: ``areas`` (zone, class place) and ``losses`` (zone), Python integers."""

    zones: np.ndarray[Any, np.dtype[np.int64]]
    areas: Integers
    losses: Integers


@dataclass(frozen=True)
class Tally:
    """What all tiles hold: areas by zone of the six classes and of land without data [2^-61 m²], and losses [2^-85 t/ha m²]."""

    classes: Integers
    unassessed: Integers
    losses: Integers


@dataclass(frozen=True)
class Assessment:
    """Soil loss and intensity on the grid, and a record for each tile; lazy when a factor is (compute all three together)."""

    a: xr.DataArray
    code: xr.DataArray
    records: list[Any]


def assess(factors: dict[str, Raster | xr.Dataset | None], tolerance_t_km2: Raster, cover: Cover, *, units: Units = None) -> Assessment:
    """Soil loss, its class and the tallies of every zone, in one read of the factors.

    Gives the bits of ``soil_loss`` and ``erosion_intensity``.

    Parameters
    ----------
    factors
        By name, r k ls c p (RUSLE) or r k ls b e t (CSLE): rasters on the grid of ``cover``, or numbers.
    tolerance_t_km2
        Tolerable soil loss [t km-2 yr-1], a number or a raster.
    cover
        The zones, from ``zone_cover``.
    units
        Units of plain arrays, by factor name.

    Raises
    ------
    InputError
        As ``soil_loss`` and ``erosion_intensity``; also when A exceeds 262 144 t ha-1 yr-1, 19 m of soil a year.
    """
    grid = cover.grid
    named = factor_arrays(factors, units)
    tolerance = TOLERANCE.require(tolerance_t_km2)
    by_raster = tolerance.ndim > 0
    limits = intensity_limits(1000.0 if by_raster else tolerance.item())
    if not any(array.ndim for array in named.values()):
        first = next(iter(named))
        named[first] = grid.label(np.full(grid.shape, named[first].item()), **named[first].attrs)
    arrays = dict(named)
    if by_raster:
        arrays["tolerance"] = tolerance
    if cover.labels is not None:
        arrays["zones"] = cover.labels
    arrays = _on_grid(grid, arrays)
    places = Places({name: arrays[name] for name in named})
    extra = [array for name, array in arrays.items() if name not in named]

    def on_tile(*arguments: Any) -> tuple[Tile, Tile, Record]:
        *tiles, row, column = arguments
        rasters, rest = tiles[: len(places.rasters)], tiles[len(places.rasters) :]
        shape = next(tile.shape for tile in tiles if tile.ndim == 2)
        a, code = np.empty(shape, np.float32), np.empty(shape, np.uint8)
        tolerances = _NO_TOLERANCE
        if by_raster:
            tolerances = read_only(rest[0], np.float64)
            check_tolerances(tolerances)
        counts = TileCounts(cover, row, column, shape, rest[-1] if cover.labels is not None else None)
        inputs = places.of_tile([np.broadcast_to(tile, shape) for tile in rasters], shape[1])
        bounds = (kernels.LARGEST_LOSS, a, code, counts.areas, counts.losses)
        if kernels.assess(*inputs, tolerances, limits, counts.tile.runs, counts.group_rows, *bounds):
            raise impossible_loss(a, kernels.LARGEST_LOSS)
        return a, code, counts.record()

    (a, code), records = tiled(on_tile, *places.rasters, *extra, dtypes=(np.float32, np.uint8))
    described = SOIL_LOSS.describe(a, factors=" ".join(FACTORS[name].symbol for name in named))
    return Assessment(described, INTENSITY.describe(code, standard="SL 190-2007", nodata_code=UNASSESSED), records)


def tally_classes(code: xr.DataArray, cover: Cover) -> list[Any]:
    """A record for each tile of a raster of classes: areas only, losses 0.

    Raises
    ------
    InputError
        When a code is not 1 to 6 and not nodata (0, 255 or NaN); for lazy arrays when the records are computed.
    """
    arrays = {"code": code} if cover.labels is None else {"code": code, "zones": cover.labels}

    def on_tile(*arguments: Any) -> tuple[Record]:
        *tiles, row, column = arguments
        codes = _codes(tiles[0])
        counts = TileCounts(cover, row, column, codes.shape, tiles[1] if len(tiles) == 2 else None)
        kernels.tally_codes(codes, counts.tile.runs, counts.group_rows, counts.areas, counts.losses)
        return (counts.record(),)

    return tiled(on_tile, *_on_grid(cover.grid, arrays).values(), dtypes=())[1]


def add_up(records: Iterable[Any], cover: Cover) -> Tally:
    """The sum of the tiles' records, computed if they are not yet."""
    zones = len(cover.zone_ids)
    areas, losses = np.full((zones, kernels.CLASSES), 0, object), np.full(zones, 0, object)
    for record in compute(*records):
        areas[record.zones] += record.areas
        losses[record.zones] += record.losses
    classes, unassessed = areas[:, _PLACES], areas[:, _UNASSESSED_PLACE]
    whole = cover.zone_areas()
    if whole is not None:  # land beyond the grid is land without data
        unassessed = np.array(whole, object) - classes.sum(axis=1)
    return Tally(classes, unassessed, losses)


class TileCounts:
    """The counters of one tile: a group of rows has cells of one size and few enough of them that no counter overflows."""

    def __init__(self, cover: Cover, row: int, column: int, shape: tuple[int, int], labels: Tile | None):
        height, width = shape
        if width > kernels.LARGEST_GROUP:
            raise InputError(f"a tile of {width} columns is wider than the {kernels.LARGEST_GROUP} that can be tallied; use smaller chunks")
        self.group_rows = 1 if cover.grid.is_geographic else max(1, kernels.LARGEST_GROUP // max(width, 1))
        self.cell_areas = areas_of_rows(cover.grid)[row : row + height : self.group_rows]
        self.tile: TileCover = cover.tile(row, column, shape, labels)
        zones, groups = self.tile.zones.size, self.cell_areas.size
        self.areas = np.zeros((zones, groups, kernels.CLASSES), np.int64)
        self.losses = np.zeros((zones, groups, len(_LOSS_WORTH)), np.int64)

    def record(self) -> Record:
        areas = weighted_sum(self.areas, self.cell_areas)
        losses = weighted_sum(self.losses, self.cell_areas)
        return Record(self.tile.zones, areas, losses.dot(_LOSS_WORTH) if losses.size else losses.sum(axis=1))


def weighted_sum(counts: np.ndarray[Any, np.dtype[np.int64]], weights: np.ndarray[Any, np.dtype[np.int64]]) -> Integers:
    """Σ counts[zone, group, column] × weights[group] over the groups, as Python integers without rounding.

    Both are cut into pieces (21 and 18 bits) whose products, added over up to 2^14 groups, stay below 2^53: there float64 is exact, and
    its matrix product fast. Counts are not negative and below 2^63, weights below 2^54.
    """
    zones, groups, columns = counts.shape
    total = np.full((zones, columns), 0, object)
    for start in range(0, groups, 1 << 14):
        some, weight = counts[:, start : start + (1 << 14)], weights[start : start + (1 << 14)]
        pieces = np.stack([(weight >> shift) & 0x3FFFF for shift in (0, 18, 36)], axis=1).astype(np.float64)
        for shift in (0, 21, 42):
            product = np.moveaxis((some >> shift) & 0x1FFFFF, 1, 2).astype(np.float64) @ pieces
            for n in range(3):
                total += product[:, :, n].astype(np.int64).astype(object) * (1 << (shift + 18 * n))
    return total


def _on_grid(grid: Grid, arrays: dict[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    reference = grid.label(np.broadcast_to(np.int8(0), grid.shape))
    return dict(zip(arrays, same_grid({"the grid of the zones": reference, **arrays})[1:]))


def _codes(tile: Tile) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Classes as uint8, land without data as 255."""
    known = np.where(np.isnan(tile), UNASSESSED, tile) if tile.dtype.kind == "f" else tile
    codes = _CODE_OF[np.clip(known, 0, 255).astype(np.uint8)]
    wrong = (codes == _NO_CODE) | (codes != known) & (known != 0)
    if wrong.any():
        raise InputError(f"the intensity raster holds {known[wrong][0]}; allowed are classes 1 to 6, and 0, 255 or NaN for nodata")
    return codes
