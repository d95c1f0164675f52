"""Pydantic's complaints in the words of the configuration file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from switchgear.config.problems import Problem, inside, nearest, shown
from switchgear.config.shape import keys_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from switchgear.config.problems import KeyPath

__all__ = ["problems_of"]

_PLAIN: Final = {"missing": "is missing", "string_too_short": "must not be empty"}
_WANTED: Final = {
    "bool_type": "must be true or false",
    "dict_type": "must be a table",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "model_type": "must be a table",
    "string_type": "must be text in quotes",
    "tuple_type": "must be a list",
}
_KINDS: Final = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    dict: "a table",
    list: "a list",
}


def problems_of(error: ValidationError, data: object) -> Iterator[Problem]:
    """Yield what is wrong with *data* according to *error*; a value that fits no alternative is told once."""
    for details in error.errors(include_url=False):
        yield _problem(details, _path(details, data))


def _path(details: ErrorDetails, data: object) -> KeyPath:
    path: list[str | int] = []
    for part in details["loc"]:
        data = inside(data, part)
        if data is None and details["type"] != "missing":
            break  # the rest is pydantic's own name of an alternative
        path.append(part)
    return tuple(path)


def _problem(details: ErrorDetails, path: KeyPath) -> Problem:
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return Problem(path, "unknown key", nearest(str(path[-1]), keys_at(path[:-1]) or ()))
    if kind == "literal_error":
        return _not_one_of(path, value, str(context["expected"]))
    return Problem(path, _text(details, value, context))


def _text(details: ErrorDetails, value: object, context: dict[str, Any]) -> str:
    kind = details["type"]
    if kind in _PLAIN:
        return _PLAIN[kind]
    if kind == "value_error":
        return str(context["error"])
    if kind in {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}:
        return f"{_bound(kind, context)}, not {shown(value)}"
    return f"{_WANTED.get(kind, details['msg'])}, not {_KINDS.get(type(value), 'a date or time')}"


def _bound(kind: str, context: dict[str, Any]) -> str:
    words = {"greater_than": "greater than", "less_than": "less than", "less_than_equal": "at most"}
    return f"must be {words.get(kind, 'at least')} {next(iter(context.values()))}"


def _not_one_of(path: KeyPath, value: object, expected: str) -> Problem:
    words = expected.replace(" or ", ", ").replace("'", "").split(", ")
    near = nearest(value, words) if isinstance(value, str) else None
    return Problem(path, f"must be one of {', '.join(words)}, not {shown(value)}", near)
