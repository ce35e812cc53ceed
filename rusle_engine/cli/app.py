"""The ``rusle`` command: parses, calls runs, prints. What is heavy is imported inside the commands."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import rusle_engine
from rusle_engine.cli.factor_commands import Formulas, factor_app, load_formulas
from rusle_engine.cli.ls_compare import ls_compare
from rusle_engine.cli.talk import Talk, problems_as_json
from rusle_engine.cli.terrain_commands import terrain_app

app = typer.Typer(
    name="rusle",
    help="Soil loss by RUSLE, erosion intensity by SL 190-2007, and the soil-conservation rate (水土保持率).",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)
app.add_typer(factor_app, name="factor")
app.add_typer(terrain_app, name="terrain")
app.command("ls-compare")(ls_compare)

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="Configuration file (YAML); `rusle init` writes one.", show_default=False)]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one value of the configuration, such as C.constant=0.2; repeatable.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Result as one JSON object on stdout.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Tell every step and every default.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Threads that work at once; all that may be used when not given.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes of this machine that do the work, in place of threads.", show_default=False)
]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", metavar="tcp://HOST:PORT", help="Dask scheduler whose workers do the work.", show_default=False)
]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of the made-up layers.", show_default=False)]


@app.command()
def run(
    config: ConfigFile,
    sets: Sets = None,
    threads: Threads = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    formulas: Formulas = None,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Check a configuration and run it."""
    with Talk(verbose=verbose, quiet=quiet, debug=debug, as_json=as_json) as talk:
        load_formulas(formulas)
        engine = {"threads": threads, "workers": workers, "scheduler": scheduler}
        overrides = [*(sets or []), *(f"compute.{name}={value}" for name, value in engine.items() if value is not None)]
        _run(talk, config, overrides)


@app.command()
def check(
    config: ConfigFile,
    sets: Sets = None,
    formulas: Formulas = None,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """List every problem of a configuration.

    Opens the inputs as a run would, warns of what a run would warn of beforehand, and writes nothing.
    """
    with Talk(verbose=verbose, quiet=quiet, debug=debug, as_json=as_json) as talk:
        load_formulas(formulas)
        from rusle_engine.core.errors import ConfigError
        from rusle_engine.runs.config import exit_code_of, load_config
        from rusle_engine.runs.run import remarks_of

        try:
            problems, remarks = remarks_of(load_config(config, sets or ()))
        except ConfigError as error:
            problems, remarks = list(error.problems), []
        for remark in remarks:
            talk.say(f"rusle: warning: {remark['en']}")
        said = "\n".join(map(str, problems)) or f"{config}: no problem"
        talk.give(said, ok=not problems, problems=problems_as_json(problems), warnings=remarks)
        if problems:
            talk.say(f"rusle: {len(problems)} problem{'s' if len(problems) > 1 else ''}")
            raise SystemExit(exit_code_of(problems))


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write it.")] = Path(),
    equation: Annotated[Literal["rusle", "csle"], typer.Option("--equation", help="A = R K LS C P, or A = R K LS B E T.")] = "rusle",
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write rusle.yml (or csle.yml) to start from.

    It holds every key with its meaning, unit, default and choices.
    """
    with Talk(quiet=quiet, debug=debug, as_json=as_json) as talk:
        from rusle_engine.runs.starter import write_starter

        path = write_starter(folder, equation)
        talk.give(str(path), path=path)
        talk.say(f"rusle: name your files in it, then: rusle check {path}")


@app.command()
def schema(debug: Debug = False) -> None:
    """Print the JSON schema of configurations."""
    with Talk(debug=debug):
        import json

        from rusle_engine.runs.config import schema as config_schema

        print(json.dumps(config_schema(), ensure_ascii=False, indent=2))


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the demo.")] = Path("demo"),
    equation: Annotated[Literal["rusle", "csle"], typer.Option("--equation", help="A = R K LS C P, or A = R K LS B E T.")] = "rusle",
    threads: Threads = None,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write the demo region and run it.

    Real terrain, illustrative layers, one report.
    """
    with Talk(verbose=verbose, quiet=quiet, debug=debug, as_json=as_json) as talk:
        from rusle_engine.runs.sample import write_demo

        talk.say(f"rusle: writing the demo region to {out}")
        _run(talk, write_demo(out, equation=equation), [] if threads is None else [f"compute.threads={threads}"])


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to.")],
    shape: Annotated[str, typer.Option("--shape", metavar="ROWSxCOLS", help="Size in cells, such as 4000x4000.", show_default=False)],
    seed: Seed = None,
    as_json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write a made-up region of any size.

    With its configuration, tile by tile.
    """
    rows_columns = _shape(shape)
    with Talk(verbose=verbose, quiet=quiet, debug=debug, as_json=as_json) as talk:
        from rusle_engine.runs.sample import DEMO_SEED, write_sample

        path = write_sample(folder, rows_columns, DEMO_SEED if seed is None else seed)
        talk.give(str(path), path=path)
        talk.say(f"rusle: to run it: rusle run {path}")


@app.command()
def methods(formulas: Formulas = None, as_json: Json = False, debug: Debug = False) -> None:
    """List the methods and their sources.

    Whose equation, from which inputs, in which unit, and whether its source was read.
    """
    with Talk(debug=debug, as_json=as_json) as talk:
        load_formulas(formulas)
        from rusle_engine.runs.signatures import method_rows

        rows = method_rows()
        table = [("KEY", "METHOD", "STATUS", "UNITS", "INPUTS", "SOURCE")]
        table += [(r["key"] or f"{r['factor']} (Python)", r["method"], r["status"], r["units"], ", ".join(r["inputs"]), r["source"]) for r in rows]
        *padded, _ = [max(map(len, column)) for column in zip(*table)]
        lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, padded)), row[-1]]) for row in table]
        talk.give("\n".join(lines), methods=rows)


@app.command()
def warmup(
    prune: Annotated[bool, typer.Option("--prune", help="Remove what other versions compiled.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Compile the kernels before the first run."""
    with Talk(quiet=quiet, debug=debug, as_json=as_json) as talk:
        import time

        from rusle_engine.runs import warmup as kernels

        begun = time.monotonic()
        removed = kernels.prune() if prune else []
        folder = kernels.warm_up()
        talk.give(str(folder), folder=folder, removed=removed, seconds=round(time.monotonic() - begun, 1))
        talk.say(f"rusle: kernels are ready ({time.monotonic() - begun:.1f} s)" + (f", {len(removed)} old folders removed" if removed else ""))


@app.command()
def version(as_json: Json = False, debug: Debug = False) -> None:
    """Print the version.

    With --json also the versions of what the numbers rest on.
    """
    with Talk(debug=debug, as_json=as_json) as talk:
        found: dict[str, Any] = {}
        if as_json:
            from rusle_engine.runs.provenance import versions

            found = versions()
        talk.give(f"rusle-engine {rusle_engine.__version__}", version=rusle_engine.__version__, versions=found)


def _run(talk: Talk, config: Path, overrides: list[str]) -> None:
    from rusle_engine.cli.progress import Heeding, progress_on_stderr
    from rusle_engine.runs.config import load_config
    from rusle_engine.runs.run import run as run_config

    loaded = load_config(config, overrides)
    with progress_on_stderr(quiet=talk.quiet) as progress:
        result = run_config(loaded, progress=Heeding(progress, talk.heed))
    manifest, report = result.manifest, result.path / "report.html"
    for warning in manifest["warnings"]:
        talk.say(f"rusle: warning: {warning['en']}")
    lines = [headline(manifest), f"results: {result.path}"]
    if report.is_file():
        lines.append(f"report:  {report}")
    talk.give(
        "\n".join(lines),
        folder=result.path,
        report=report if report.is_file() else None,
        headline=manifest["headline"],
        target=manifest["target"],
        warnings=manifest["warnings"],
        seconds=manifest["seconds"],
    )


def headline(manifest: dict[str, Any]) -> str:
    """The indicator in one line, in both languages, beside its target."""
    found, target = manifest["headline"], manifest["target"]
    rate = found["conservation_rate_pct"]
    text = f"{found['zone_name']}: 水土保持率 conservation rate " + ("unknown" if rate is None else f"{rate:.2f} %")
    if target is not None:
        text += f" (target {target['conservation_rate_pct']:g} %" + (f", {target['year']})" if target["year"] else ")")
    return text


def _shape(text: str) -> tuple[int, int]:
    rows, _, columns = text.lower().replace("×", "x").partition("x")
    if not (rows.strip().isdecimal() and columns.strip().isdecimal()):
        raise typer.BadParameter(f"{text!r} is not a size; expected rows and columns such as 4000x4000", param_hint="--shape")
    return int(rows), int(columns)


def main() -> None:
    """Entry point of the console script."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a console without Chinese shows a question mark instead of failing
    app(prog_name="rusle")
