"""YAML read safely: plain values only, YAML 1.2's reading of them, caps on size, depth and aliases, no tag, no key twice.

``no``, ``on`` and ``2024-01-01`` are texts and ``1e3`` is a number here; in YAML 1.1 they are a Boolean, a Boolean, a date and a text.
"""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from rusle_engine.core.errors import ConfigError, MissingInputError, Problem

MAX_BYTES = 2**20
MAX_DEPTH = 24
MAX_ALIASES = 20


class _Refused(Exception):
    """A document that is well-formed but not allowed here."""

    def __init__(self, message: str, mark: Any):
        super().__init__(message)
        self.message, self.mark = message, mark


class _PlainLoader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2's core schema and the caps of this module."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (none of YAML 1.1's)

    def __init__(self, text: str):
        super().__init__(text)
        self.depth = 0
        self.aliases = 0
        self.open_anchors = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            self.aliases += 1
            if self.open_anchors:  # what would let a few lines grow without bound, or contain themselves
                raise _Refused(f"alias *{event.anchor} inside a value that has an anchor itself; write the value out", event.start_mark)
            if self.aliases > MAX_ALIASES:
                raise _Refused(f"more than {MAX_ALIASES} aliases (*name); write the values out", event.start_mark)
            return super().compose_node(parent, index)
        if event.tag is not None:
            raise _Refused(f"tag {event.tag!r}; only plain values are read, remove the tag", event.start_mark)
        self.depth += 1
        self.open_anchors += event.anchor is not None
        if self.depth > MAX_DEPTH:
            raise _Refused(f"nested deeper than {MAX_DEPTH} levels", event.start_mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        self.open_anchors -= event.anchor is not None
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        first_seen: dict[Hashable, yaml.Mark] = {}
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float) or isinstance(key, bool):
                raise _Refused(f"key {key!r} is neither a text nor a number; put it in quotes if it is meant as a text", key_node.start_mark)
            if key in first_seen:
                raise _Refused(f"key {key!r} a second time (first in line {first_seen[key].line + 1}); keep one", key_node.start_mark)
            first_seen[key] = key_node.start_mark
        return super().construct_mapping(node, deep=deep)


def _scalar(loader: Any, node: Any) -> str:
    return str(loader.construct_scalar(node))


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ("~", "n", "N", "")),
    ("int", r"^[-+]?[0-9]{1,300}$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
):
    _PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))
_PlainLoader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(_scalar(loader, node)))
_PlainLoader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: float(_scalar(loader, node)))


def parse_yaml(text: str, source: str) -> Any:
    """The plain value that ``text`` writes.

    Parameters
    ----------
    text
        One YAML document of at most 1 MiB.
    source
        What the text is, for messages: a file, or ``--set C.constant``.

    Raises
    ------
    ConfigError
        When it is not YAML, or uses what is not allowed; with the line.
    """
    if len(text) > MAX_BYTES:
        raise _error(source, f"{len(text):,} characters; at most {MAX_BYTES:,} are read")
    try:
        loader = _PlainLoader(text)
    except yaml.YAMLError as error:
        raise _error(source, f"not YAML: {error}") from None
    try:
        return loader.get_single_data()
    except _Refused as refused:
        raise _error(source, refused.message, refused.mark) from None
    except yaml.MarkedYAMLError as error:
        raise _error(source, f"not YAML: {error.problem or error.context}", error.problem_mark or error.context_mark) from None
    except yaml.YAMLError as error:
        raise _error(source, f"not YAML: {error}") from None
    finally:
        loader.dispose()


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping that the YAML file ``path`` holds.

    Raises
    ------
    MissingInputError
        When there is no such file.
    ConfigError
        When it is too large, not UTF-8, not YAML, not allowed, or not a mapping.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise MissingInputError(f"{path}: there is no such configuration file; `rusle init` writes one to start from") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read as a configuration: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise _error(str(path), f"larger than {MAX_BYTES:,} bytes; a configuration is a few hundred lines of text")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _error(str(path), f"byte {error.start} is not UTF-8; save the file as UTF-8 (in Windows Notepad: Save as, Encoding UTF-8)") from None
    value = parse_yaml(text, str(path))
    if not isinstance(value, dict):
        seen = "is empty" if value is None else f"holds {type(value).__name__} {str(value)[:40]!r}"
        raise _error(str(path), f"{seen}; expected keys with values, as `rusle init` writes them")
    return value


def _error(source: str, message: str, mark: Any = None) -> ConfigError:
    where = source if mark is None else f"{source}, line {mark.line + 1}, column {mark.column + 1}"
    return ConfigError("the configuration cannot be read", [Problem(where, message)])
