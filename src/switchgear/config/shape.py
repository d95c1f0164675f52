"""Which keys the configuration has, place by place: read from the model, so it can't differ from it."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

from switchgear.config.model import Config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.config.problems import KeyPath

__all__ = ["all_keys", "is_text", "keys_at"]


def keys_at(path: KeyPath) -> tuple[str, ...] | None:
    """Return the keys that *path* may have below it: none if it is a plain value; None: names of the user's choice."""
    node = _at(path)
    if node is None:
        return ()
    is_open = "properties" not in node and ("items" in node or "additionalProperties" in node)
    return None if is_open else tuple(node.get("properties", ()))


def is_text(path: KeyPath) -> bool:
    """Return whether the value at *path* is written as a string (text, a duration, money)."""
    node = _at(path)
    return node is not None and node.get("type") == "string"


def all_keys() -> Iterator[str]:
    """Yield every key of the model as ``section.key``; NAME stands for a name that the user chooses."""
    yield from _below(_schema(), "")


class _Schema(GenerateJsonSchema):
    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"non-serializable-default"}  # noqa: RUF012 - declared so there


@functools.cache
def _schema() -> dict[str, Any]:
    return Config.model_json_schema(mode="serialization", schema_generator=_Schema)


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        return _resolved(_schema()["$defs"][node["$ref"].rpartition("/")[2]])
    options = [option for option in node.get("anyOf", ()) if option.get("type") != "null"]
    return _resolved(options[0]) if options else node


def _at(path: KeyPath) -> dict[str, Any] | None:
    node = _schema()
    for part in path:
        if isinstance(part, int):
            inner = node.get("items")
        else:
            inner = node.get("properties", {}).get(part, node.get("additionalProperties"))
        if not isinstance(inner, dict):
            return None
        node = _resolved(inner)
    return node


def _below(node: dict[str, Any], prefix: str) -> Iterator[str]:
    for name, inner in node.get("properties", {}).items():
        yield from _key(_resolved(inner), f"{prefix}{name}")


def _key(node: dict[str, Any], name: str) -> Iterator[str]:
    inner = node.get("items") or node.get("additionalProperties")
    inner = _resolved(inner) if isinstance(inner, dict) else {}
    if "properties" in node:
        yield from _below(node, f"{name}.")
    elif "properties" in inner:
        yield from _below(inner, f"{name}.NAME.")
    else:
        yield name
