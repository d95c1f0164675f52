"""Heads of HTTP/1.1 messages, to and from bytes."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from switchgear.governor.headers import Headers

__all__ = ["MAX_HEAD", "head_bytes", "header_name", "status_line"]

MAX_HEAD: Final = 64 * 1024
"""Bytes of a head that are taken, of requests and of answers."""

_REMEMBERED: Final = 1024
_names: Final[dict[bytes, str]] = {}
_lines: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}


def header_name(raw: bytes) -> str:
    """Return *raw* as text. Traffic repeats a few names for ever, so they are remembered, up to a bound."""
    name = _names.get(raw)
    if name is None:
        name = raw.decode("latin-1")
        if len(_names) < _REMEMBERED:
            _names[raw] = name
    return name


def status_line(status: int) -> str:
    """Return the first line of an answer."""
    return _lines.get(status) or f"HTTP/1.1 {status} \r\n"


def head_bytes(first: str, headers: Headers) -> bytes:
    """Return the head that begins with the line *first*."""
    lines = "\r\n".join(map(": ".join, headers))
    return f"{first}{lines}\r\n\r\n".encode("latin-1") if lines else f"{first}\r\n".encode("latin-1")
