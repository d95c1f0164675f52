"""What request headers say to the gate, and which of them go on to the upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["CREDENTIALS", "OURS", "Headers", "first", "forwardable", "trace_of"]

Headers = list[tuple[str, str]]

OURS: Final = "x-switchgear-"

CREDENTIALS: Final = ("authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie")
"""Where callers put what proves who they are to one service, and is no other service's business."""

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""RFC 9110, section 7.6.1: these are about one connection and end with it."""

_TRACEPARENT_PARTS: Final = 4


def forwardable(headers: Iterable[tuple[str, str]], *also: str) -> Headers:
    """Return *headers* without hop-by-hop ones, those that Connection names, ours, and *also* (lower case)."""
    kept = list(headers)
    named = {name.strip().lower() for key, value in kept if key.lower() == "connection" for name in value.split(",")}
    drop = _HOP_BY_HOP | named | set(also)
    return [(key, value) for key, value in kept if (low := key.lower()) not in drop and not low.startswith(OURS)]


def first(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """Return the value of the first header called *name* (lower case)."""
    return next((value for key, value in headers if key.lower() == name), None)


def trace_of(headers: Iterable[tuple[str, str]]) -> tuple[str | None, str | None]:
    """Return trace id and parent span id of a W3C ``traceparent`` header."""
    parts = (first(headers, "traceparent") or "").split("-")
    if len(parts) != _TRACEPARENT_PARTS or len(parts[1]) != 32 or len(parts[2]) != 16:  # noqa: PLR2004 - W3C sizes
        return None, None
    return parts[1], parts[2]
