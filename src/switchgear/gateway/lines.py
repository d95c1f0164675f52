"""The head of an answer, read line by line: providers send the same lines again and again.

Only the plainest heads are read here, such as every strict parser reads the same way: a line that differs from
``name: value`` in anything, or anything unusual about where the body ends, and the head is the parser's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from switchgear.gateway.heads import header_name

if TYPE_CHECKING:
    from switchgear.governor.headers import Headers

__all__ = ["PlainHead", "plain_head"]

_END: Final = b"\r\n\r\n"
_STATUS: Final = re.compile(rb"HTTP/1\.1 ([2-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?")
_LINE: Final = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ([\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)"
)
_LENGTH: Final = re.compile(r"\d{1,15}")
_BODILESS: Final = frozenset({204, 304})
_FRAMING: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "trailer", "proxy-connection"})
_KEEPS: Final = ("connection", "keep-alive")
_REMEMBERED: Final = 2048


class PlainHead(NamedTuple):
    """*length* bytes of body follow, which begins at *end*; the connection may be kept."""

    status: int
    headers: Headers
    length: int
    end: int


class _Line(NamedTuple):
    """A header; *length* is that of the body, if it says so."""

    pair: tuple[str, str]
    length: int | None


_lines: Final[dict[bytes, _Line]] = {}
_statuses: Final[dict[bytes, int]] = {}


def plain_head(data: bytes) -> PlainHead | None:
    """Return the head that *data* begins with; None: it is not there whole, or not so plain."""
    end = data.find(_END)
    if end < 0:
        return None
    first, *rest = data[:end].split(b"\r\n")
    status = _statuses.get(first) or _status(first)
    if not status:
        return None
    known = _lines
    try:
        lines = [known[line] for line in rest]
    except KeyError:
        lines = []
        for line in rest:
            found = known.get(line) or _line(line)
            if found is None:
                return None
            lines.append(found)
    lengths = [line.length for line in lines if line.length is not None]
    if len(lengths) != 1:
        return None
    return PlainHead(status, [line.pair for line in lines], lengths[0], end + 4)


def _status(line: bytes) -> int:
    """Return the status in *line*; 0: the parser had better see it."""
    found = _STATUS.fullmatch(line)
    status = 0 if found is None else int(found[1])
    if status in _BODILESS:
        return 0
    if status and len(_statuses) < _REMEMBERED:
        _statuses[line] = status
    return status


def _line(raw: bytes) -> _Line | None:
    """Return the header in *raw*; None: the parser had better see it."""
    found = _LINE.fullmatch(raw)
    if found is None:
        return None
    name, value = header_name(found[1]), found[2].decode("latin-1")
    low = name.lower()
    length = None
    if low == "content-length":
        if _LENGTH.fullmatch(value) is None:
            return None
        length = int(value)
    elif low in _FRAMING and (low, value.lower()) != _KEEPS:
        return None
    if len(_lines) >= _REMEMBERED:
        _lines.clear()
    line = _lines[raw] = _Line((name, value), length)
    return line
