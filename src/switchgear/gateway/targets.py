"""Which request targets are taken: a path below a service, and nothing that could lead out of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Container

__all__ = ["is_readable", "leads_astray", "place_of"]

_FIRST_LINE: Final = re.compile(rb"(?:\r\n)*[A-Z]+ /([^/ ?#\r\n]+)[/ ?#]")
_LINE: Final = re.compile(rb"(?:\r\n)*[^\r\n]+\r\n")
_NO_PATH: Final = re.compile(rb"(?:\r\n)*[A-Z]+ [^/*]")
_MAX_LINE: Final = 16 * 1024

_SLASH: Final = rb"(?:[/\\]|%2f|%5c)"
_DOTS: Final = re.compile(_SLASH + rb"(?:\.|%2e){1,2}(?:" + _SLASH + rb"|\Z)", re.IGNORECASE)


_NOT_IN_TARGETS: Final = re.compile(rb"[^\x21-\x7e]")


def leads_astray(target: bytes) -> bool:
    """Return whether *target*, a path and query, has dot segments (also encoded) or a fragment.

    A server may resolve them, and then the service's base path would be no bound.
    """
    if b"." not in target and b"%" not in target and b"#" not in target:
        return False
    path = target.partition(b"?")[0]
    return b"#" in target or _DOTS.search(path) is not None


def is_readable(target: bytes) -> bool:
    """Return whether *target*, a path and query, has only bytes that may stand in one: visible ASCII."""
    return _NOT_IN_TARGETS.search(target) is None


def place_of(data: bytes, services: Container[str]) -> Literal["service", "unknown", "nowhere", "elsewhere"]:
    """Return whom the request that begins with *data* is for; ``unknown``: its first line is not here yet."""
    line = _FIRST_LINE.match(data)
    if line is not None and line[1].decode("latin-1") in services:
        return "service"
    if line is None and _LINE.match(data) is None and len(data) < _MAX_LINE:
        return "unknown"
    return "nowhere" if _NO_PATH.match(data) else "elsewhere"
