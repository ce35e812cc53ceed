"""``--set key=value``: single values of a configuration, changed before anything is checked."""

from collections.abc import Iterable, Mapping
from typing import Any

from rusle_engine.core.errors import ConfigError, Problem
from rusle_engine.runs.yaml_reading import parse_yaml


def with_overrides(values: Mapping[str, Any], overrides: Iterable[str]) -> tuple[dict[str, Any], list[Problem]]:
    """``values`` with every ``key=value`` applied in order, and the ones that cannot be."""
    changed: dict[str, Any] = _copied(values)
    problems = []
    for override in overrides:
        problem = _apply(changed, override)
        if problem:
            problems.append(problem)
    return changed, problems


def _copied(value: Any) -> Any:
    """A copy in which nothing is shared: what a YAML alias repeats can be changed in one place alone."""
    if isinstance(value, Mapping):
        return {key: _copied(member) for key, member in value.items()}
    return [_copied(member) for member in value] if isinstance(value, list) else value


def _apply(values: dict[str, Any], override: str) -> Problem | None:
    key, equals, text = override.partition("=")
    parts = [part.strip() for part in key.split(".")]
    where = f"--set {override}"
    if not equals or not all(parts):
        return Problem(where, "expected key=value with a dotted key, such as C.constant=0.2 or 'C={constant: 0.2}'")
    try:
        value = parse_yaml(text, where)
    except ConfigError as error:
        return error.problems[0]
    block: Any = values
    for depth, part in enumerate(parts[:-1], 1):
        if block.get(part) is None:
            block[part] = {}
        block = block[part]
        if not isinstance(block, dict):
            return Problem(where, f"{'.'.join(parts[:depth])} holds {block!r} and no keys; set it as a whole")
    block[parts[-1]] = value
    return None
