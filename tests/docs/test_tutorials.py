"""The tutorials run, and give what they show."""

import ast
import contextlib
import io
import json
from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest

TUTORIALS = sorted((Path(__file__).parents[2] / "docs" / "tutorials").glob("*.ipynb"))


def shown(cell):
    """What a cell shows as text: printed, and its last expression."""
    texts = [output["text"] for output in cell["outputs"] if output["output_type"] == "stream" and output["name"] == "stdout"]
    texts += [output["data"]["text/plain"] for output in cell["outputs"] if output["output_type"] == "execute_result"]
    return "".join("".join(text) for text in texts).strip()


def executed(source, names):
    """What the code shows when it is run."""
    body = ast.parse(source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(ast.Module(body, []), "tutorial", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "tutorial", "eval"), names)
    return (printed.getvalue() + ("" if value is None else repr(value))).strip()


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_gives_what_it_shows(path, monkeypatch):
    monkeypatch.setattr(mpl, "rcParams", mpl.rcParams.copy())
    mpl.use("Agg")
    names = {"__name__": "__main__"}
    cells = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert sum(bool(cell["outputs"]) for cell in cells) >= 5
    for cell in cells:
        with pd.option_context("display.width", 80, "display.max_columns", 20):  # as notebooks have it
            found = executed("".join(cell["source"]), names)
        assert "".join(found.split()) == "".join(shown(cell).split())


def test_there_is_a_tutorial():
    assert TUTORIALS
