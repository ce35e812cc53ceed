"""Regions to try the engine on: the demo (real terrain, illustrative layers) and made-up regions of any size. See docs/how-to/sample-regions.md.

Both are functions of the seed alone: the same bytes in the arrays whatever the tiles, the threads and the machine's pace.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from affine import Affine
from pyproj import CRS

from rusle_engine.core.errors import InputError
from rusle_engine.core.grid import Grid
from rusle_engine.core.lift import tiled
from rusle_engine.core.variables import ELEVATION, LAND_COVER, NDVI, SOIL_CLASS, Variable
from rusle_engine.files.atomic import make_folder, write_text
from rusle_engine.files.configs import configs_folder
from rusle_engine.files.rasters import RasterOutput, write_rasters
from rusle_engine.files.tables import write_csv
from rusle_engine.files.vectors import write_zones
from rusle_engine.runs.sample_csle import write_csle
from rusle_engine.runs.sample_layers import COVERS, SOILS, WATER, land_cover, ndvi, soil_units
from rusle_engine.runs.sample_rain import rain_record
from rusle_engine.runs.sample_terrain import Place, SampleTerrain, Tile, demo_landform, demo_terrain, largest_level_area
from rusle_engine.runs.sample_zones import basin_zones, district_zones
from rusle_engine.runs.starter import Equation

DEMO_SEED = 2024
"""The demo that the documentation and the golden tests know."""
SAMPLE_CELL_M = 30.0
YEARS = (2023, 2024)
OVERRIDDEN = (11, 12, 13, 51, WATER, 71)
"""Land cover whose C comes from the table and not from NDVI: cropland, built-up land, water, bare land."""

_RIVER = 0.0008
"""Half-width of rivers in the sample terrain's measure of distance to the main valley line."""
_LAYERS: Mapping[str, tuple[Variable, str]] = {
    "dem": (ELEVATION, "elevation"),
    "soil": (SOIL_CLASS, "soil units"),
    f"landcover_{YEARS[0]}": (LAND_COVER, f"land cover {YEARS[0]}"),
    f"landcover_{YEARS[1]}": (LAND_COVER, f"land cover {YEARS[1]}"),
    "ndvi": (NDVI, f"NDVI, growing season of {YEARS[1]}"),
}
_DTYPES = (np.float32, np.uint8, np.uint8, np.uint8, np.float32)


def demo_layers(seed: int = DEMO_SEED) -> dict[str, xr.DataArray]:
    """Elevation, soil, land cover of two years and NDVI of the demo, as written by :func:`write_demo`, in memory.

    Parameters
    ----------
    seed
        Of all layers but the elevation.

    Returns
    -------
    dict
        ``dem`` [m, float32], ``soil``, ``landcover_2023``, ``landcover_2024`` (uint8 codes) and ``ndvi`` (float32, NaN under clouds),
        each (y, x) = 344 × 403 in EPSG:4326.
    """
    elevation, grid = demo_terrain()
    land = demo_landform(elevation, grid)
    place = Place(seed, 0, 0, grid.shape, float((grid.dx_m.mean() + grid.dy_m.mean()) / 2))
    soil = soil_units(land, place)
    first, second = land_cover(land, place, largest_level_area(elevation))
    arrays = (elevation.astype(np.float32), soil, first, second, ndvi(land, place, second))
    return {name: variable.describe(grid.label(array)) for (name, (variable, _)), array in zip(_LAYERS.items(), arrays)}


def sample_layers(grid: Grid, seed: int, tile: int = 1024) -> dict[str, xr.DataArray]:
    """The same five layers over made-up terrain on a projected ``grid``, lazy, in tiles of ``tile`` × ``tile`` cells.

    One task makes all five of a tile; compute them together. The values depend on the seed and the grid's shape and cell size, not on
    the tiles.
    """
    terrain = SampleTerrain(seed, grid.shape, grid.transform.a)
    blank = grid.label(np.broadcast_to(np.uint8(0), grid.shape)).chunk({"y": tile, "x": tile}, token=f"blank-{grid.shape}-{tile}")
    arrays, _ = tiled(partial(_sample_tile, terrain), blank, dtypes=_DTYPES)
    return {name: variable.describe(grid.label(array.data)) for (name, (variable, _)), array in zip(_LAYERS.items(), arrays)}


_STRIP = 128  # rows worked on at a time: what fits into the processor's cache


def _sample_tile(terrain: SampleTerrain, blank: Tile, row: int, column: int) -> tuple[Any, ...]:
    layers = tuple(np.empty(blank.shape, dtype) for dtype in _DTYPES)
    for top in range(0, blank.shape[0], _STRIP):
        shape = (min(_STRIP, blank.shape[0] - top), blank.shape[1])
        heights, valley, land = terrain.tile(row + top, column, shape)
        place = Place(terrain.seed, row + top, column, shape, terrain.cell_m)
        first, second = land_cover(land, place, (valley < _RIVER) & (land.slope_deg < 4.0))
        strip = (heights, soil_units(land, place), first, second, ndvi(land, place, second))
        for layer, values in zip(layers, strip):
            layer[top : top + shape[0]] = values
    return (*layers, None)


def sample_grid(shape: tuple[int, int], cell_m: float = SAMPLE_CELL_M) -> Grid:
    """A grid of ``shape`` (rows, columns) in CGCS2000, 3-degree zone at 111° E (EPSG:4546), its upper left corner near 39.7° N."""
    if min(shape) < 64:
        raise InputError(f"a sample region of {shape[0]} × {shape[1]} cells is too small to hold valleys and zones; expected at least 64 × 64")
    return Grid(*shape, Affine(cell_m, 0.0, 480_000.0, 0.0, -cell_m, 4_400_010.0), CRS.from_epsg(4546))


def class_tables() -> dict[str, pd.DataFrame]:
    """The demo's tables by file name: soil texture, land-cover names, C and P by land cover, C of the classes that NDVI misreads."""
    covers = pd.DataFrame([(c.code, c.name, c.name_zh, c.c, c.p) for c in COVERS], columns=["code", "name", "name_zh", "C", "P"])
    soils = [(s.code, s.name, s.name_zh, s.sand, s.silt, s.clay, s.soc) for s in SOILS]
    c_values = covers[["code", "name", "name_zh", "C"]]
    tables = {
        "soil.csv": pd.DataFrame(soils, columns=["code", "name", "name_zh", "sand", "silt", "clay", "soc"]),
        "landcover.csv": covers[["code", "name", "name_zh"]],
        "c.csv": c_values,
        "c_override.csv": c_values[c_values["code"].isin(OVERRIDDEN)].reset_index(drop=True),
        "p.csv": covers[["code", "name", "name_zh", "P"]],
    }
    return {name: table.assign(note="illustrative · 示意") for name, table in tables.items()}


def write_demo(folder: Path, seed: int = DEMO_SEED, equation: Equation = "rusle") -> Path:
    """Write the demo region into ``folder``: real terrain, illustrative layers, and the configuration that runs on them.

    Parameters
    ----------
    folder
        Made when missing; files of the same names are replaced.
    seed
        Of everything but the terrain.
    equation
        By which the configuration runs; CSLE has a register of measures and tables of its own beside the rest.

    Returns
    -------
    Path
        The configuration, ``folder/demo.yml`` or ``folder/demo_csle.yml``.

    Raises
    ------
    OutputError
        When something cannot be written.
    """
    layers = demo_layers(seed)
    _write_layers(folder, layers, terrain="from matplotlib's sample jacksboro_fault_dem.npz", real_terrain=True)
    write_zones(basin_zones(layers["dem"]), folder / "zones.gpkg")
    _write_records(folder, seed)
    if equation == "csle":
        write_csle(folder, layers[f"landcover_{YEARS[0]}"], layers[f"landcover_{YEARS[1]}"], YEARS[1])
        return write_text(folder / "demo_csle.yml", (configs_folder() / "demo_csle.yml").read_text(encoding="utf-8"))
    return write_text(folder / "demo.yml", _demo_configuration())


def write_sample(
    folder: Path, shape: tuple[int, int], seed: int = DEMO_SEED, *, tile: int = 1024, cell_m: float = SAMPLE_CELL_M, progress: Any = None
) -> Path:
    """Write a region of any size over made-up terrain, with the demo's kinds of layers; memory is that of a few tiles.

    Parameters
    ----------
    folder
        Made when missing; files of the same names are replaced.
    shape
        Rows and columns, each at least 64.
    seed
        Of everything.
    tile
        Side of the tiles that are made at once [cells]; does not show in the result.
    cell_m
        Size of a cell [m].
    progress
        Called with the tiles done and all tiles.

    Returns
    -------
    Path
        The configuration, ``folder/sample.yml``.

    Raises
    ------
    InputError
        When ``shape`` is too small.
    OutputError
        When something cannot be written.
    """
    grid = sample_grid(shape, cell_m)
    terrain = f"made up from seed {seed}"
    _write_layers(folder, sample_layers(grid, seed, tile), terrain=terrain, real_terrain=False, progress=progress)
    write_zones(district_zones(grid, seed), folder / "zones.gpkg")
    _write_records(folder, seed)
    renamed = _demo_configuration().replace("Demo region", "Sample region").replace("示例区", "样区")
    renamed = renamed.replace("Only the terrain is real. Rain", "Terrain, rain").replace("除地形外，其余图层均为示意", "地形和所有图层均为示意")
    header = "# A made-up region, illustrative in everything. `rusle sample` writes its layers beside this file.\n"
    return write_text(folder / "sample.yml", header + renamed[renamed.index("# Every key there is") :])


def _demo_configuration() -> str:
    return (configs_folder() / "demo.yml").read_text(encoding="utf-8")


def _write_layers(folder: Path, layers: Mapping[str, xr.DataArray], *, terrain: str, real_terrain: bool, progress: Any = None) -> None:
    make_folder(folder)
    outputs = []
    for name, array in layers.items():
        variable, title = _LAYERS[name]
        illustrative = name != "dem" or not real_terrain
        tags = {"title": f"{'Illustrative ' if illustrative else ''}{title} ({terrain if name == 'dem' else 'laid by rules'})"}
        classes: Sequence[Any] = SOILS if name == "soil" else COVERS if name.startswith("landcover") else ()
        outputs.append(
            RasterOutput(
                array,
                folder / f"{name}.tif",
                variable,
                kind="classes" if classes else "quantity",
                colors={row.code: row.colour for row in classes} or None,
                labels={row.code: (row.name_zh, row.name) for row in classes} or None,
                tags=tags,
            )
        )
    write_rasters(outputs, progress=progress)


def _write_records(folder: Path, seed: int) -> None:
    rain = rain_record(seed)
    days = pd.DataFrame({"date": pd.DatetimeIndex(rain.index).strftime("%Y-%m-%d"), "rain_mm": rain.to_numpy()})
    write_csv(days.assign(note=["illustrative · 示意"] + [""] * (len(days) - 1)), folder / "rain_daily.csv")
    for name, table in class_tables().items():
        write_csv(table, folder / name)
