"""Every method of a factor has its page, and a page says what a page must."""

import re
from pathlib import Path

import pytest

from rusle_engine.files.configs import configs_folder
from rusle_engine.runs.signatures import method_rows

CONCEPTS = Path(__file__).parents[2] / "docs" / "concepts"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in CONCEPTS.glob("*.md")}
OF_FACTOR = {
    "R": ("r", "storms", "stations"),
    "LS": ("ls", "ls_schemes"),
    "C": ("c",),
    "K": ("k",),
    "P": ("p",),
    "B": ("b",),
    "E": ("e",),
    "T": ("t",),
}
ROWS = [(row["factor"], row["method"], row["key"]) for row in method_rows()]
BY_SWITCH = {"poesen1994": "rock_cover", "dimidiate_pixel": "ndvi_soil"}
"""Parts that act when an input is given."""


@pytest.mark.parametrize(("factor", "method"), [row[:2] for row in ROWS])
def test_every_method_is_named_on_a_page_of_its_factor(factor, method):
    name = BY_SWITCH.get(method, method)
    assert any(re.search(rf"`[^`]*\b{name}\b[^`]*`", PAGES[page]) for page in OF_FACTOR[factor])


@pytest.mark.parametrize(("method", "key"), [(method, key) for _, method, key in ROWS if key])
def test_every_method_with_a_key_is_named_in_a_configuration_with_every_key(method, key):
    texts = [(configs_folder() / name).read_text(encoding="utf-8") for name in ("rusle.yml", "csle.yml")]
    assert any(re.search(rf"\b{BY_SWITCH.get(method, method)}\b", text) for text in texts), key


@pytest.mark.parametrize("page", sorted({page for pages in OF_FACTOR.values() for page in pages} - {"ls_schemes"}))
def test_a_page_has_symbols_with_units_and_ranges_an_example_and_when_to_use_it(page):
    text = PAGES[page]
    assert re.search(r"^#+ Worked example", text, re.MULTILINE)
    assert re.search(r"when (not )?to use it", text, re.IGNORECASE)
    assert re.search(r"^\| (symbol|parameter) \|.*\brange \|$", text, re.MULTILINE), "a table of symbols with their range"
