"""YAML is read as plain values, and what could harm or mislead is refused with its line."""

import pytest

from rusle_engine.core.errors import ConfigError, MissingInputError
from rusle_engine.runs.yaml_reading import parse_yaml, read_yaml


def refusal(text):
    with pytest.raises(ConfigError) as caught:
        parse_yaml(text, "file.yml")
    (problem,) = caught.value.problems
    return str(problem)


def test_scalars_mean_what_yaml_1_2_says():
    # YAML 1.1 would read: False, a text, a date, octal 10, True, base sixty 750
    text = "a: no\nb: 1e3\nc: 2024-01-01\nd: 012\ne: on\nf: 12:30\ng: true\nh: ~\ni:\nj: -4\nk: .5\nl: '5'\nm: 水土"
    assert parse_yaml(text, "f") == {
        "a": "no",
        "b": 1000.0,
        "c": "2024-01-01",
        "d": 12,
        "e": "on",
        "f": "12:30",
        "g": True,
        "h": None,
        "i": None,
        "j": -4,
        "k": 0.5,
        "l": "5",
        "m": "水土",
    }


def test_an_alias_stands_for_its_value():
    assert parse_yaml("a: &soil {raster: s.tif}\nb: *soil", "f") == {"a": {"raster": "s.tif"}, "b": {"raster": "s.tif"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: !!python/object/apply:os.system [ls]", "line 1, column 4: tag 'tag:yaml.org,2002:python/object/apply:os.system'"),
        ("a: !!str 5", "only plain values are read"),
        ("a: 1\nb: 2\na: 3", "line 3, column 1: key 'a' a second time (first in line 1)"),
        ("a: {b: 1, b: 2}", "key 'b' a second time"),
        ("a: &x [1, *x]", "alias *x inside a value that has an anchor itself"),
        ("a: " + "[" * 40 + "]" * 40, "nested deeper than 24 levels"),
        ("a: [1", "not YAML"),
        ("a: 1\n---\nb: 2", "not YAML"),
        ("a: *missing", "not YAML: found undefined alias"),
        ("a: \x00", "not YAML"),
        ("true: 1", "key True is neither a text nor a number"),
        ("x: &x 1\na: [" + "*x, " * 21 + "]", "more than 20 aliases"),
        ("a: '" + "x" * 2**20 + "'", "at most 1,048,576 are read"),
    ],
)
def test_what_is_refused(text, message):
    assert message in refusal(text)


def test_a_bomb_of_aliases_is_refused_before_it_grows():
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    assert "inside a value that has an anchor" in refusal("\n".join(levels))


def test_files(tmp_path):
    with pytest.raises(MissingInputError, match=r"nothing\.yml: there is no such configuration file; `rusle init` writes one"):
        read_yaml(tmp_path / "nothing.yml")
    for name, content, message in [
        ("gbk.yml", "name: 忻州".encode("gbk"), "is not UTF-8; save the file as UTF-8"),
        ("empty.yml", b"# nothing\n", "is empty"),
        ("list.yml", b"[1, 2]", "holds list"),
        ("large.yml", b"#" * (2**20 + 1), "larger than 1,048,576 bytes"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigError) as caught:
            read_yaml(tmp_path / name)
        assert message in str(caught.value)
    (tmp_path / "bom.yml").write_bytes("\ufeffname: 忻州".encode())
    assert read_yaml(tmp_path / "bom.yml") == {"name": "忻州"}
