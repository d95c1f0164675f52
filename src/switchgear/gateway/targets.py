"""Which request targets are taken: a path below a service, and nothing that could lead out of it."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_readable", "leads_astray"]

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
