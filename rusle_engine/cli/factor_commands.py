"""``rusle factor (r|k|ls|c|p|b|e|t)``: one factor from files. The options are made from the function's signature when the command is used."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rusle_engine.cli.engine_options import MemoryBudget, Scheduler, Scratch, Threads, Verbose, Workers, stated
from rusle_engine.cli.talk import Talk

Formulas = Annotated[
    list[Path] | None,
    typer.Option("--formulas", metavar="FILE.py", help="Python file that registers formulas of your own; it is run. Repeatable.", show_default=False),
]

_FACTORS = ("r", "k", "ls", "c", "p", "b", "e", "t")


def load_formulas(files: list[Path] | None) -> None:
    """Run the files that ``--formulas`` names."""
    if files:
        from rusle_engine.runs.formulas import load_formulas as load

        load(files)


class FactorGroup(TyperGroup):
    """Knows its commands by name and makes one when it is asked for, because that imports the factor functions."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(_FACTORS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name.lower() not in _FACTORS:
            return None
        if ctx.params.get("formulas"):  # before the options are made, which those of formulas belong to
            with Talk():
                load_formulas(ctx.params["formulas"])
        return _command(cmd_name.lower())


factor_app = typer.Typer(
    cls=FactorGroup, help="Compute one factor from files: r, k, ls, c, p, b, e or t.", no_args_is_help=True, rich_markup_mode=None
)


@factor_app.callback()
def _factor(formulas: Formulas = None) -> None:
    """Compute one factor from files: r, k, ls, c, p, b, e or t."""


def _command(name: str) -> Any:
    from rusle_engine.runs.single_factor import Option, options_of, summary_of

    key = name.upper()
    options = options_of(key)

    def command(**given: Any) -> None:
        own = {flag: given.pop(flag) for flag in ("out", "as_json", "verbose", "quiet", "debug")}
        engine = stated(*(given.pop(name) for name in ("threads", "workers", "scheduler", "memory_budget", "scratch")))
        values = {name: value for name, value in given.items() if value is not None}
        with Talk(verbose=own["verbose"], quiet=own["quiet"], debug=own["debug"], as_json=own["as_json"]) as talk:
            _compute(talk, key, values, own["out"], engine)

    def parameter(option: Option) -> inspect.Parameter:
        default = typer.Option(None, option.flag, metavar=option.metavar, help=option.help, show_default=False)
        return inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=str | None)

    common = [
        _flag("out", Path | None, typer.Option(None, "--out", metavar="FILE.tif", help="Raster to write.", show_default=False)),
        _flag("threads", Threads, None),
        _flag("workers", Workers, None),
        _flag("scheduler", Scheduler, None),
        _flag("memory_budget", MemoryBudget, None),
        _flag("scratch", Scratch, None),
        _flag("as_json", bool, typer.Option(False, "--json", help="Result as one JSON object on stdout.")),
        _flag("verbose", Verbose, False),
        _flag("quiet", bool, typer.Option(False, "--quiet", "-q", help="Say nothing but errors.")),
        _flag("debug", bool, typer.Option(False, "--debug", help="Show the traceback of an error.")),
    ]
    parameters = [*map(parameter, options), *common]
    made: Callable[..., None] = command
    made.__doc__ = summary_of(key)
    made.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    made.__annotations__ = {p.name: p.annotation for p in parameters}
    single = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    single.command(name)(made)
    return typer.main.get_command(single)


def _flag(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _compute(talk: Talk, key: str, values: dict[str, str], out: Path | None, given: dict[str, Any]) -> None:
    from rusle_engine.cli.progress import progress_on_stderr
    from rusle_engine.runs.engine import as_typed, engine
    from rusle_engine.runs.single_factor import compute_factor

    with progress_on_stderr(quiet=talk.quiet) as progress, engine(as_typed(given)):
        found = compute_factor(key, values, out, progress=progress)
    talk.give(found.text, **found.values)
