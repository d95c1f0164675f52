"""Asking for the usage of a stream on the client's behalf, by the smallest edit of its request."""

from __future__ import annotations

from typing import Final

import msgspec

from switchgear.wire.edits import value_of
from switchgear.wire.fields import UNREADABLE, Anything

__all__ = ["ask_for_usage", "asks_for_usage"]

_KEY: Final = "stream_options"
_OPTION: Final = b'"stream_options":{"include_usage":true}'


def asks_for_usage(stream_options: Anything) -> bool:
    """Return whether the request needs no edit: it asks already, or its options are of a shape to leave alone."""
    if not isinstance(stream_options, msgspec.Raw):
        return False
    try:
        options = msgspec.json.decode(stream_options)
    except UNREADABLE:
        return True
    if isinstance(options, dict):
        return options.get("include_usage") is True
    return options is not None


def ask_for_usage(body: bytes) -> bytes:
    """Return *body*, a JSON object that does not ask yet, with ``stream_options.include_usage`` true.

    Everything else stays as it is, byte for byte.
    """
    if msgspec.json.decode(body, type=_Options).stream_options is msgspec.UNSET:
        brace = body.index(b"{") + 1
        comma = b"" if body[brace:].lstrip().startswith(b"}") else b","
        return body[:brace] + _OPTION + comma + body[brace:]
    start, stop = value_of(body, _KEY)
    options = msgspec.json.decode(body[start:stop])
    changed = {**options, "include_usage": True} if isinstance(options, dict) else {"include_usage": True}
    return body[:start] + msgspec.json.encode(changed) + body[stop:]


class _Options(msgspec.Struct):
    stream_options: Anything = msgspec.UNSET
