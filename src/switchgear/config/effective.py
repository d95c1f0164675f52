"""The values in force, key by key, with where each comes from and no secret among them; and what a change changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from switchgear.config.problems import dotted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from switchgear.config.load import Sourced
    from switchgear.config.model import Config
    from switchgear.config.problems import KeyPath

__all__ = ["Difference", "Setting", "differences", "effective"]

Value = str | int | float | bool | list[Any] | None

_URLS: Final = frozenset({"url", "base_url"})
"""Keys whose value may hold a name and a password."""

_MASK: Final = "***"


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One key: its value as TOML has it, masked where it holds a password.

    Attributes:
        source: ``file``, ``environment``, ``built in`` (of a built-in service) or ``default``.
        where: file and line, or the variable.
    """

    key: str
    value: Value
    source: str
    where: str | None


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One key that two configurations have different values for; None: one of them has no such key."""

    key: str
    old: Value
    new: Value


def effective(sourced: Sourced) -> tuple[Setting, ...]:
    """Return every key of *sourced* with its value, in the order of the model."""
    config, source = sourced
    return tuple(
        Setting(key=key, value=value, source=origin.kind, where=origin.where)
        for key, (path, value) in _flat(config).items()
        for origin in (source.origin(path),)
    )


def differences(old: Config, new: Config) -> tuple[Difference, ...]:
    """Return the keys whose value differs, sorted."""
    before, after = _flat(old, masked=False), _flat(new, masked=False)
    shown_before, shown_after = _flat(old), _flat(new)
    nothing = ((), None)
    return tuple(
        Difference(key=key, old=shown_before.get(key, nothing)[1], new=shown_after.get(key, nothing)[1])
        for key in sorted(before.keys() | after.keys())
        if before.get(key, nothing)[1] != after.get(key, nothing)[1]
    )


def _flat(config: Config, *, masked: bool = True) -> dict[str, tuple[KeyPath, Value]]:
    data = config.model_dump(mode="json")
    return {dotted(path, data): (path, _shown(path, value) if masked else value) for path, value in _leaves(data, ())}


def _leaves(table: Mapping[str, object] | list[object], path: KeyPath) -> Iterator[tuple[KeyPath, Value]]:
    pairs = enumerate(table) if isinstance(table, list) else table.items()
    for key, value in pairs:
        here = (*path, key)
        if (isinstance(value, dict) and value) or (isinstance(value, list) and value and isinstance(value[0], dict)):
            yield from _leaves(value, here)
        else:
            yield here, None if value == {} else value  # type: ignore[misc]  # what JSON has besides tables


def _shown(path: KeyPath, value: Value) -> Value:
    if path[-1] not in _URLS or not isinstance(value, str):
        return value
    try:
        parts = urlsplit(value)
    except ValueError:
        return _MASK
    if path[:2] == ("alerts", "channels"):
        # The path of a webhook is its secret, with many.
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{_MASK}"
    credentials, at, place = parts.netloc.rpartition("@")
    if at:
        name, colon, _ = credentials.partition(":")
        parts = parts._replace(netloc=f"{name if colon else _MASK}{colon}{_MASK if colon else ''}@{place}")
    return parts._replace(query=_MASK if "password" in parts.query else parts.query).geturl()
