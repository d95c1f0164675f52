"""How the units of an HTTP call are counted: rules as the configuration writes them.

A rule is one source or a list of them, of which the first that says a number counts:

- ``2``: as many for every call that succeeds;
- ``"json:/data/pages"``: the number at a JSON pointer (RFC 6901) of the answer, ``"json:/data#count"`` how
  many items the list (or object) there has;
- ``"header:x-credits-used"``: a header of the answer;
- ``"request:/limit"``, ``"request:/urls#count"``: the same as *json*, of the request;
- ``"bytes"``, ``"kilobytes"``, ``"megabytes"``: the size of the answer as it came, each one that was begun.
"""

from __future__ import annotations

import math
import re
from typing import Final, Literal

import msgspec

from switchgear.wire.fields import UNREADABLE, whole

__all__ = ["Source", "UnitRule", "count_of", "decoded", "parse_rule", "written_rule"]

Kind = Literal["fixed", "json", "request", "header", "size"]

_SIZES: Final = {"bytes": 1, "kilobytes": 1_000, "megabytes": 1_000_000}
_POINTER: Final = re.compile(r"(?:/(?:[^~/#]|~[01])*)*")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_COUNT: Final = "#count"
_MOST: Final = 1 << 48
_SHORT: Final = 32
_SHAPE: Final = (
    'must be a whole number, "json:/pointer", "header:name", "request:/pointer", "bytes", "kilobytes" or "megabytes", '
    "or a list of these"
)


class Source(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Where a count comes from.

    Attributes:
        number: of ``fixed`` the count, of ``size`` the bytes of one unit.
        name: of ``header``, in lower case.
        pointer: of ``json`` and ``request``, its parts.
        counts: items are counted, not a number taken.
    """

    kind: Kind
    number: int = 0
    name: str = ""
    pointer: tuple[str, ...] = ()
    counts: bool = False
    written: str | int = ""

    def of(self, document: object) -> int | None:
        """Return the count that *document* says at the pointer; None: none."""
        found = _at(document, self.pointer)
        if self.counts:
            return len(found) if isinstance(found, list | dict) else None
        return count_of(found)


UnitRule = tuple[Source, ...]
"""Sources in the order in which they are asked."""


def parse_rule(value: object) -> UnitRule:
    """Read a rule.

    Raises:
        ValueError: it is none; the text says what it should be.
    """
    if isinstance(value, list | tuple) and value:
        return tuple(_parse(one) for one in value)
    return (_parse(value),)


def written_rule(rule: UnitRule) -> str | int | list[str | int]:
    """Return *rule* as it is written."""
    return rule[0].written if len(rule) == 1 else [source.written for source in rule]


def decoded(body: bytes) -> object:
    """Return the JSON of *body*; None: it is none, or too deep."""
    try:
        return msgspec.json.decode(body)
    except UNREADABLE:
        return None


def count_of(value: object) -> int | None:
    """Return *value*, a number or the text of one, as a count; None: it is neither, or negative."""
    if isinstance(value, str) and len(value) < _SHORT:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return whole(value) if math.isfinite(value) and value >= 0 else None


def _parse(value: object) -> Source:
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value <= _MOST:
            msg = f"a number of units is from 0 to {_MOST}, not {value}"
            raise ValueError(msg)
        return Source(kind="fixed", number=value, written=value)
    if not isinstance(value, str):
        raise ValueError(_SHAPE)  # noqa: TRY004 - pydantic turns a ValueError into a located error
    if value in _SIZES:
        return Source(kind="size", number=_SIZES[value], written=value)
    kind, mark, rest = value.partition(":")
    if mark and kind in {"json", "request"}:
        return _pointer("json" if kind == "json" else "request", rest, value)
    if mark and kind == "header":
        if not _HEADER.fullmatch(rest):
            msg = f"not the name of a header: {rest!r}"
            raise ValueError(msg)
        return Source(kind="header", name=rest.lower(), written=value)
    msg = f"{_SHAPE}, not {value!r}"
    raise ValueError(msg)


def _pointer(kind: Literal["json", "request"], rest: str, written: str) -> Source:
    text = rest.removesuffix(_COUNT)
    if not _POINTER.fullmatch(text):
        msg = f'not a JSON pointer such as "/data/pages" or "/data#count": {rest!r}'
        raise ValueError(msg)
    parts = tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])
    return Source(kind=kind, pointer=parts, counts=rest.endswith(_COUNT), written=written)


def _at(document: object, pointer: tuple[str, ...]) -> object:
    for part in pointer:
        if isinstance(document, dict):
            document = document.get(part)
        elif isinstance(document, list) and part.isascii() and part.isdecimal() and len(part) < _SHORT:
            number = int(part)
            document = document[number] if number < len(document) else None
        else:
            return None
    return document
