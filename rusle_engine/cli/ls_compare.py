"""``rusle ls-compare``: LS of one DEM by several practices."""

from pathlib import Path
from typing import Annotated, Any

import typer

from rusle_engine.cli.engine_options import with_shared_options
from rusle_engine.cli.talk import Talk

_COLUMNS = {
    "mean": "mean",
    "median": "median",
    "p95": "p95",
    "max": "max",
    "top_5_pct_share_pct": "top 5 % [%]",
    "capped_pct": "capped [%]",
    "channel_pct": "channels [%]",
}


@with_shared_options
def ls_compare(
    dem: Annotated[Path, typer.Option("--dem", metavar="FILE", help="Elevation [m].")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the rasters and of ls_compare.csv.")],
    scheme: Annotated[
        list[str] | None, typer.Option("--scheme", metavar="NAME", help="A scheme; repeatable; all when not given.", show_default=False)
    ] = None,
    channel_area_m2: Annotated[
        float | None, typer.Option("--channel-area-m2", help="Area from which a cell is a channel, its LS 0 [m²].", show_default=False)
    ] = None,
    water_depth_m: Annotated[
        float | None, typer.Option("--water-depth-m", help="Depth above which a raised cell is water, its LS 0 [m].", show_default=False)
    ] = None,
    *,
    compute: dict[str, Any],
    talk: Talk,
) -> None:
    """Put the LS of several practices side by side.

    One raster for each scheme (rusle, csle, invest_sdr, grass, saga, saga_bohner_selige, watem_sedem), and a table: mean, median, 95th
    percentile and greatest LS, and how much of all LS stands in the 5 % of the cells with most.
    """
    with talk:
        from rusle_engine.cli.progress import progress_on_stderr
        from rusle_engine.runs.engine import as_typed, engine
        from rusle_engine.runs.ls_compare import compare_schemes

        with progress_on_stderr(quiet=talk.quiet) as progress, engine(as_typed(compute)):
            found = compare_schemes(dem, out, scheme or (), channel_area_m2=channel_area_m2, water_depth_m=water_depth_m, progress=progress)
        rows = found.table.to_dict("records")
        head = f"{'SCHEME':20}" + "".join(f"{label:>14}" for label in _COLUMNS.values())
        lines = [f"{row['scheme']:20}" + "".join(f"{row[name]:14.2f}" for name in _COLUMNS) for row in rows]
        talk.give("\n".join([head, *lines]), folder=out, schemes=rows)
