"""The smallest edit of a JSON object: one value is replaced, every other byte stays as it is."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from switchgear.wire.fields import UNREADABLE

__all__ = ["value_of", "with_model"]

_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]:,]', re.DOTALL)


def with_model(body: bytes, model: str) -> bytes | None:
    """Return *body* with *model* in the place of the one it asks for; None: it asks for none."""
    start, stop = value_of(body, "model")
    if not body[start:stop].startswith(b'"'):
        return None
    return body[:start] + msgspec.json.encode(model) + body[stop:]


def value_of(body: bytes, key: str) -> tuple[int, int]:
    """Return where the value of the object's member *key* is; of several, the last, which is the one that counts."""
    depth = 0
    name = b""
    start = -1
    place = (0, 0)
    for token in _TOKEN.finditer(body):
        mark = token[0]
        if depth == 1 and mark in {b",", b"}"} and start >= 0:
            value = body[start : token.start()]
            place = (start + len(value) - len(value.lstrip()), start + len(value.rstrip()))
            start = -1
        if mark in {b"{", b"["}:
            depth += 1
        elif mark in {b"}", b"]"}:
            depth -= 1
        elif depth == 1 and mark == b":":
            start = token.end() if _names(name, key) else -1
        elif depth == 1:
            name = mark
    return place


def _names(name: bytes, key: str) -> bool:
    """Return whether the JSON string *name* says *key*, in whatever escapes."""
    try:
        return bool(msgspec.json.decode(name) == key)
    except UNREADABLE:
        return False
