"""From pydantic's errors to problems a person can act on: key path, value seen, what is allowed, the near miss."""

import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, Tag, ValidationError

from rusle_engine.core.errors import Problem
from rusle_engine.runs.sources import TAG_MARK, OneOf, did_you_mean, short

_EXPECTED = {
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a block of keys",
    "model_type": "a block of keys",
    "model_attributes_type": "a block of keys",
    "finite_number": "a finite number",
}
_BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Every error as a problem, in the order of the keys; one that several branches report is told once."""
    found = [_problem(details, model) for details in error.errors(include_url=False)]
    return list(dict.fromkeys(found))


def _problem(details: Mapping[str, Any], model: type[BaseModel]) -> Problem:
    location, kind, context, seen = details["loc"], details["type"], details.get("ctx", {}), details.get("input")
    parent = _model_at(location[:-1], model)
    if kind == "refused":
        keys = (*location, context["at"]) if context["at"] else location
        return Problem(dotted(keys), context["message"], context["exit_code"])
    if kind == "extra_forbidden":
        known = list(parent.model_fields) if parent else []
        message = f"unknown key (value {short(seen)}){did_you_mean(location[-1], known)}; allowed here: {', '.join(known)}"
    elif kind == "missing":
        description = parent.model_fields[str(location[-1])].description if parent else None
        message = "missing" + (f"; {description}" if description else "; it must be given")
    elif kind in ("literal_error", "enum"):
        allowed = context["expected"].replace(" or ", ", ")
        message = f"{short(seen)} seen; allowed: {allowed}{did_you_mean(seen, [name.strip(chr(39)) for name in allowed.split(', ')])}"
    elif kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        message = f"{short(seen)} seen; expected {words} {context[key]:g}"
    elif kind in _EXPECTED:
        message = f"{short(seen)} seen; expected {_EXPECTED[kind]}"
    else:
        message = f"{short(seen)} seen; {details['msg']}"
    return Problem(dotted(location), message)


def dotted(location: tuple[int | str, ...]) -> str:
    """``("C", "=table", "classes", 0)`` as ``C.classes[0]``."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not part.startswith(TAG_MARK) and not part.endswith("]"):
            text += f".{part}" if text else part
    return text


def _model_at(location: tuple[int | str, ...], model: type[BaseModel]) -> type[BaseModel] | None:
    """The model whose keys stand at ``location``."""
    current: type[BaseModel] | None = model
    tagged: dict[str, type[BaseModel]] = {}
    for part in location:
        if isinstance(part, str) and part.startswith(TAG_MARK):
            current = tagged.get(part)
        elif current is not None and isinstance(part, str) and part in current.model_fields:
            field = current.model_fields[part]
            tagged = _tagged_models(field.annotation, tuple(field.metadata))
            plain = list(models_in(field.annotation))
            current = plain[0] if len(plain) == 1 else None
        else:
            current = None
    return current


def _tagged_models(annotation: Any, metadata: tuple[Any, ...] = ()) -> dict[str, type[BaseModel]]:
    """The models that an annotation tells apart by tags, by their tags."""
    found: dict[str, type[BaseModel]] = {}
    for about in metadata:
        if isinstance(about, OneOf):
            found |= about.models()
        elif isinstance(about, Tag) and (block := next(models_in(annotation), None)) is not None:
            found[about.tag] = block
    members = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Annotated:
        return found | _tagged_models(members[0], members[1:])
    for member in members:
        found |= _tagged_models(member)
    return found


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation names, unions and Annotated included."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for member in typing.get_args(annotation):
        yield from models_in(member)
