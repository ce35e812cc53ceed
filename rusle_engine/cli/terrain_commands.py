"""``rusle terrain``: surfaces, flow directions and sums, basins, streams and catchments of a DEM, without a configuration."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from rusle_engine.cli.engine_options import with_shared_options
from rusle_engine.cli.talk import Talk

terrain_app = typer.Typer(
    help="Conditioned surface, flow directions, accumulation, basins, streams and catchments of a DEM.", no_args_is_help=True, rich_markup_mode=None
)

Dem = Annotated[Path, typer.Option("--dem", metavar="FILE", help="Elevation [m].", show_default=False)]
Raster = Annotated[Path, typer.Option("--out", metavar="FILE.tif", help="Raster to write.", show_default=False)]
Layer = Annotated[Path, typer.Option("--out", metavar="FILE.gpkg", help="GeoPackage to write.", show_default=False)]
FlatTies = Annotated[str, typer.Option("--flat-ties", metavar="index|packed", help="The way of water in flats.")]
Quantum = Annotated[float | None, typer.Option("--quantum-m", help="Step of the heights that packed needs [m].", show_default=False)]
Barriers = Annotated[
    Path | None, typer.Option("--barriers", metavar="FILE", help="Raster of barriers: 1 water stops, 2 water goes round.", show_default=False)
]
Stops = Annotated[
    Path | None, typer.Option("--stops", metavar="FILE", help="Lines or polygons where water stops, such as ditches.", show_default=False)
]
Diverts = Annotated[
    Path | None, typer.Option("--diverts", metavar="FILE", help="Lines or polygons that water goes round, such as walls.", show_default=False)
]


@terrain_app.command()
@with_shared_options
def condition(
    dem: Dem,
    out: Raster,
    method: Annotated[str, typer.Option("--method", metavar="fill|breach", help="Fill depressions, or breach them first.")] = "fill",
    max_breach_length_m: Annotated[float | None, typer.Option(help="How long a breach may be [m].", show_default=False)] = None,
    max_breach_depth_m: Annotated[float | None, typer.Option(help="How deep a breach may cut [m].", show_default=False)] = None,
    remaining: Annotated[str, typer.Option(metavar="fill|leave", help="What becomes of depressions that no breach drains.")] = "fill",
    *,
    compute: dict[str, Any],
    talk: Talk,
) -> None:
    """Make a DEM drain."""
    options = {"method": method, "max_breach_length_m": max_breach_length_m, "max_breach_depth_m": max_breach_depth_m, "remaining": remaining}
    _run("write_conditioned", (dem, out), options, compute, talk, tiled=True)


@terrain_app.command()
@with_shared_options
def direction(
    dem: Dem,
    out: Raster,
    flat_ties: FlatTies = "index",
    quantum_m: Quantum = None,
    barriers: Barriers = None,
    stops: Stops = None,
    diverts: Diverts = None,
    *,
    compute: dict[str, Any],
    talk: Talk,
) -> None:
    """Write D8 flow directions (ESRI codes)."""
    options = {"flat_ties": flat_ties, "quantum_m": quantum_m, "obstacles": (barriers, stops, diverts)}
    _run("write_directions", (dem, out), options, compute, talk, tiled=True)


@terrain_app.command()
@with_shared_options
def accumulation(
    dem: Dem,
    out: Raster,
    scheme: Annotated[
        str, typer.Option("--scheme", metavar="d8|tarboton1997|quinn1991|freeman1991|qin2007", help="How water is shared out among neighbours.")
    ] = "d8",
    exponent: Annotated[float | None, typer.Option("--exponent", help="Exponent of the slope, for freeman1991.", show_default=False)] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", metavar="FILE", help="Raster of what each cell adds; 1 when not given.", show_default=False)
    ] = None,
    flat_ties: FlatTies = "index",
    quantum_m: Quantum = None,
    barriers: Barriers = None,
    stops: Stops = None,
    diverts: Diverts = None,
    *,
    compute: dict[str, Any],
    talk: Talk,
) -> None:
    """Write how many cells drain through each cell, or the sum of weights."""
    options = {
        "scheme": scheme,
        "exponent": exponent,
        "weights": weights,
        "flat_ties": flat_ties,
        "quantum_m": quantum_m,
        "obstacles": (barriers, stops, diverts),
    }
    _run("write_accumulation", (dem, out), options, compute, talk, tiled=True)


@terrain_app.command()
@with_shared_options
def edges(
    dem: Dem,
    out: Raster,
    scheme: Annotated[
        str, typer.Option("--scheme", metavar="d8|tarboton1997|quinn1991|freeman1991|qin2007", help="How water is shared out among neighbours.")
    ] = "d8",
    max_slope_length_m: Annotated[float | None, typer.Option(help="Longest slope that LS counts [m].", show_default=False)] = None,
    zones: Annotated[Path | None, typer.Option("--zones", metavar="FILE", help="Zones whose shares are told.", show_default=False)] = None,
    barriers: Barriers = None,
    stops: Stops = None,
    diverts: Diverts = None,
    *,
    compute: dict[str, Any],
    talk: Talk,
) -> None:
    """Write where the DEM's edge or a hole may cut the land that drains into a cell; the margin that cures it and shares of zones in --json."""
    options = {"scheme": scheme, "max_slope_length_m": max_slope_length_m, "zones": zones, "obstacles": (barriers, stops, diverts)}
    _run("write_edges", (dem, out), options, compute, talk, tiled=True)


@terrain_app.command()
@with_shared_options
def basins(
    dem: Dem,
    out: Layer,
    min_cells: Annotated[
        int | None, typer.Option("--min-cells", min=1, help="Cut basins where streams of so many cells meet.", show_default=False)
    ] = None,
    barriers: Barriers = None,
    stops: Stops = None,
    diverts: Diverts = None,
    *,
    compute: dict[str, Any],
    talk: Talk,
) -> None:
    """Write basins as polygons, which serve as zones."""
    _run("write_basins", (dem, out), {"min_cells": min_cells, "obstacles": (barriers, stops, diverts)}, compute, talk)


@terrain_app.command()
@with_shared_options
def streams(
    dem: Dem,
    out: Layer,
    min_cells: Annotated[int, typer.Option("--min-cells", min=1, help="How many cells make a stream.", show_default=False)],
    barriers: Barriers = None,
    stops: Stops = None,
    diverts: Diverts = None,
    *,
    compute: dict[str, Any],
    talk: Talk,
) -> None:
    """Write streams as lines, with Strahler's order."""
    _run("write_streams", (dem, out), {"min_cells": min_cells, "obstacles": (barriers, stops, diverts)}, compute, talk)


@terrain_app.command()
@with_shared_options
def catchment(
    dem: Dem,
    out: Layer,
    point: Annotated[list[str], typer.Option("--point", metavar="X,Y", help="A point in the DEM's CRS; repeatable.", show_default=False)],
    snap_cells: Annotated[int, typer.Option("--snap-cells", min=0, help="How far a point may be moved onto a stream [cells].")] = 0,
    barriers: Barriers = None,
    stops: Stops = None,
    diverts: Diverts = None,
    *,
    compute: dict[str, Any],
    talk: Talk,
) -> None:
    """Write the land that drains through points, as polygons, which serve as zones."""
    inputs = (dem, out, [_point(text) for text in point])
    _run("write_catchments", inputs, {"snap_cells": snap_cells, "obstacles": (barriers, stops, diverts)}, compute, talk)


def _point(text: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a point; expected x and y such as 512340,4251230", param_hint="--point") from None
    return x, y


def _run(name: str, inputs: tuple[Any, ...], options: dict[str, Any], compute: dict[str, Any], talk: Talk, *, tiled: bool = False) -> None:
    with talk:
        from rusle_engine.cli.progress import progress_on_stderr
        from rusle_engine.runs import terrain_files
        from rusle_engine.runs.engine import as_typed, engine

        write: Callable[..., terrain_files.Written] = getattr(terrain_files, name)
        if "obstacles" in options:
            options["obstacles"] = terrain_files.Obstacles(*options["obstacles"])
        with progress_on_stderr(quiet=talk.quiet) as progress, engine(as_typed(compute)):
            found = write(*inputs, **options, **({"progress": progress} if tiled else {}))
        talk.give(str(found.path), **found.values)
