"""The reference file holds every key of the schema with its default and its choices, and the schema describes what is really read."""

import copy
import inspect
import json
import re
import typing
from pathlib import Path

import pytest

from rusle_engine.core.errors import ConfigError
from rusle_engine.factors.b import b_factor
from rusle_engine.factors.c import c_factor
from rusle_engine.factors.e import e_factor
from rusle_engine.factors.k import k_factor
from rusle_engine.factors.ls import ls_factor
from rusle_engine.factors.ls_presets import PRESETS
from rusle_engine.factors.p import p_factor
from rusle_engine.factors.r import r_factor
from rusle_engine.factors.t import t_factor
from rusle_engine.files.configs import configs_folder
from rusle_engine.runs.config import load_config, read_config, schema
from rusle_engine.runs.starter import write_starter
from rusle_engine.runs.yaml_reading import parse_yaml, read_yaml

TEXTS = {name: (configs_folder() / name).read_text(encoding="utf-8") for name in ("rusle.yml", "csle.yml")}
OTHERS = {"rusle.yml": {"B", "E", "T"}, "csle.yml": {"C", "P"}}
"""The factors of the other equation."""
SCHEMA = schema()
SHARED = {"QuantityRaster", "Constant", "Table", "ClassRaster", "ClassPolygons", "RecordTable"}  # explained once, at the head of the file
FUNCTIONS = {"R": r_factor, "K": k_factor, "LS": ls_factor, "C": c_factor, "P": p_factor, "B": b_factor, "E": e_factor, "T": t_factor}


def sections(text):
    """The text that stands under each top-level key, written out or behind a #; the head under ''."""
    found, current = {"": ""}, ""
    for line in text.splitlines():
        opened = re.match(r"(?:# )?([A-Za-z]\w*):(?:$| )", line)
        if opened and opened[1] in SCHEMA["properties"]:
            current = opened[1]
        found[current] = found.get(current, "") + line + "\n"
    return found


def blocks(node):
    """The names of the definitions that a part of the schema reaches."""
    found, waiting = set(), [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            name = part.get("$ref", "").removeprefix("#/$defs/")
            if name and name not in found:
                found.add(name)
                waiting.append(SCHEMA["$defs"][name])
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return found


def objects(definition):
    """The alternatives of a definition that are blocks of keys."""
    return [part for part in definition.get("anyOf", [definition]) if "properties" in part]


def described():
    """(file, section, key, its schema) of everything a configuration can say."""
    rows = {}
    for top, part in SCHEMA["properties"].items():
        rows[top, top] = part
        for name in blocks(part):
            for block in objects(SCHEMA["$defs"][name]):
                rows |= {("" if name in SHARED else top, key): value for key, value in block["properties"].items()}
    ordered = sorted(rows.items(), key=lambda row: row[0])
    return [(name, section, key, value) for name in TEXTS for (section, key), value in ordered if section not in OTHERS[name]]


@pytest.mark.parametrize(("name", "section", "key", "value"), [pytest.param(*row, id=f"{row[0]} {row[1]}.{row[2]}") for row in described()])
def test_the_reference_file_has_every_key_with_its_default_and_choices(name, section, key, value):
    lines = sections(TEXTS[name])[section].splitlines()
    shown = [" ".join(lines[i : i + 2]) for i, line in enumerate(lines) if re.search(rf"(?<![\w-]){re.escape(key)}:", line)]
    assert shown, f"configs/{name} does not show {key} under {section or 'its head'}"
    for choice in [text for option in value.get("anyOf", [value]) for text in option.get("enum", [])]:
        assert any(re.search(rf"(?<!\w){re.escape(choice)}(?!\w)", line) for line in shown), f"choice {choice} of {key}"
    if "default" in value and not blocks(value):  # a block is there or not; its comment says what its absence means
        default = value["default"] if isinstance(value["default"], str) and value["default"] else json.dumps(value["default"])
        assert any(f"default {default}" in line for line in shown), f"default {default} of {key}"


def test_what_both_equations_share_is_said_the_same_way_in_both_files():
    rusle, csle = (sections(TEXTS[name]) for name in ("rusle.yml", "csle.yml"))
    for section in ("schema_version", "project", "dem", "landcover", "R", "K", "intensity", "zones", "target", "output", "compute"):
        assert csle[section] == rusle[section], f"copy the section {section} of configs/rusle.yml to configs/csle.yml"


def test_the_schema_accepts_what_comes_with_the_package():
    for name in (*TEXTS, "demo.yml", "demo_csle.yml"):
        assert violations(read_yaml(configs_folder() / name), SCHEMA) == []


@pytest.mark.parametrize(
    "change",
    ["project.naem=x", "schema_version=2", "LS.steepness=lui1994", "C={constant: x}", "compute.threads=0", "zones={}", "P={raster: [], units: 1}"],
)
def test_the_schema_refuses_what_the_reader_refuses(change, tmp_path):
    values = copy.deepcopy(read_yaml(configs_folder() / "demo.yml"))
    key, _, text = change.partition("=")
    *parents, last = key.split(".")
    block = values
    for parent in parents:
        block = block.setdefault(parent, {})
    block[last] = parse_yaml(text, "test")
    assert violations(values, SCHEMA)
    with pytest.raises(ConfigError) as caught:
        read_config(values, tmp_path)
    assert any(problem.exit_code == 78 and problem.where.startswith(key.split(".")[0]) for problem in caught.value.problems)


@pytest.mark.parametrize("equation", ["rusle", "csle"])
def test_the_starter_lacks_nothing_but_the_files_it_names(tmp_path, equation):
    path = write_starter(tmp_path, equation)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert {problem.exit_code for problem in caught.value.problems} == {66}


def test_the_example_of_the_guide_can_be_read(tmp_path):
    guide = (Path(__file__).parents[2] / "docs" / "how-to" / "configure.md").read_text(encoding="utf-8")
    example = re.search(r"```yaml\n(.*?)```", guide, flags=re.DOTALL)[1]
    for name in re.findall(r"[\w/]+\.(?:tif|csv|shp)", example):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "rusle.yml").write_text(example, encoding="utf-8")
    assert load_config(tmp_path / "rusle.yml").target.conservation_rate_pct == 63.56


@pytest.mark.parametrize("key", FUNCTIONS)
def test_every_option_of_a_factor_function_can_be_said_in_the_file(key):
    not_of_files = {"units", "components", "direction", "upslope_area", "cell_size_m"}
    named_elsewhere = {"dem", "theta", "grid", "landcover"}
    names = set(inspect.signature(FUNCTIONS[key]).parameters) - not_of_files - named_elsewhere
    names = {"method" if name == "length" else name for name in names}
    said = {k for name in blocks(SCHEMA["properties"][key]) for block in objects(SCHEMA["$defs"][name]) for k in block["properties"]}
    assert names <= said


def test_the_methods_of_the_schema_are_those_of_the_functions():
    hints = {key: typing.get_type_hints(function) for key, function in FUNCTIONS.items()}
    for key in FUNCTIONS:
        parameter = "length" if key == "LS" else "method"
        named = {
            block["properties"]["method"]["const"]
            for name in blocks(SCHEMA["properties"][key])
            for block in objects(SCHEMA["$defs"][name])
            if "method" in block["properties"]
        }
        practices = PRESETS.keys() - {"watem_sedem"} if key == "LS" else set()
        assert named == set(typing.get_args(hints[key][parameter])) - {"table"} | practices


def violations(value, node):
    """Where ``value`` departs from a JSON schema, by the keywords that ours uses; empty when it does not."""
    if "$ref" in node:
        node = SCHEMA["$defs"][node["$ref"].removeprefix("#/$defs/")] | {key: part for key, part in node.items() if key != "$ref"}
    for word in ("anyOf", "oneOf"):
        if word in node and all(violations(value, option) for option in node[word]):
            return [f"{value!r} is none of the alternatives"]
    found = []
    if "const" in node and value != node["const"]:
        found.append(f"{value!r} is not {node['const']!r}")
    if "enum" in node and value not in node["enum"]:
        found.append(f"{value!r} is not one of {node['enum']}")
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int, "number": int | float}
    if "type" in node and (not isinstance(value, kinds[node["type"]]) or (isinstance(value, bool) and node["type"] in ("integer", "number"))):
        return [*found, f"{value!r} is no {node['type']}"]
    if isinstance(value, int | float) and not node.get("minimum", value) <= value <= node.get("maximum", value):
        found.append(f"{value!r} is out of range")
    if isinstance(value, str) and len(value) < node.get("minLength", 0):
        found.append("text too short")
    if isinstance(value, list):
        found += ["list too short"] if len(value) < node.get("minItems", 0) else []
        found += [problem for item in value for problem in violations(item, node.get("items", {}))]
    if isinstance(value, dict):
        known, others = node.get("properties", {}), node.get("additionalProperties", True)
        found += [f"{key} is missing" for key in node.get("required", []) if key not in value]
        for key, part in value.items():
            if key in known:
                found += violations(part, known[key])
            elif others is False:
                found.append(f"{key} is unknown")
            elif isinstance(others, dict):
                found += violations(part, others)
    return found
