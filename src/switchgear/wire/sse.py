"""Server-sent events, cut out of a byte stream without changing a byte.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["MAX_EVENT", "Event", "Splitter", "parse"]

MAX_EVENT: Final = 1 << 20
"""Bytes of an unfinished event that are kept; a longer one passes unread."""

# A blank line: two line ends in a row. Atomic, or else one "\r\n" would count as two; a "\r" at the
# very end may be the first half of a "\r\n", so it waits for the next byte.
_BLANK: Final = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r(?!\Z))")

_SHORT: Final = 4096
"""Bytes of an unfinished event that are searched again for its end, rather than told from new ones."""

_tuple: Final = tuple.__new__

_HALF_BLANK: Final = 3
"""The longest beginning of a blank line that may be cut off: all of "\r\n\r\n" but its last byte."""


class Event(NamedTuple):
    """One event: its bytes with the blank line that ends it, its name (``event:``) and its data.

    *unread*: a part of an event that is too long to be read.
    """

    raw: bytes
    name: bytes = b""
    data: bytes = b""
    unread: bool = False


class Splitter:
    """Cuts chunks of any size into events."""

    def __init__(self, max_event: int = MAX_EVENT) -> None:
        self._max_event = max_event
        self._rest = b""
        self._too_long = False

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes; return the events that they complete."""
        seen = max(0, len(self._rest) - _HALF_BLANK)
        buffer = self._rest + chunk if self._rest else chunk
        has_cr = b"\r" in buffer
        if not has_cr and seen < _SHORT and not self._too_long:  # nearly every chunk of nearly every provider
            *whole, rest = buffer.split(b"\n\n")
            if len(rest) <= self._max_event:
                self._rest = rest
                return [_plain(event) for event in whole]
        events: list[Event] = []
        start = 0
        while (end := _after_blank(buffer, seen, has_cr=has_cr)) > 0:
            raw = buffer[start:end]
            events.append(Event(raw, unread=True) if self._too_long else parse(raw))
            self._too_long = False
            start = seen = end
        self._rest = buffer[start:]
        if len(self._rest) > (_HALF_BLANK if self._too_long else self._max_event):
            events.append(Event(self._rest[:-_HALF_BLANK], unread=True))
            self._rest = self._rest[-_HALF_BLANK:]
            self._too_long = True
        return events

    def flush(self) -> Event | None:
        """Return what is left when the stream ends, as an event: some providers forget the last blank line."""
        raw = self.take_rest()
        if not raw:
            return None
        return Event(raw, unread=True) if self._too_long else parse(raw)

    def take_rest(self) -> bytes:
        """Return the bytes of the unfinished event, and forget them."""
        rest, self._rest = self._rest, b""
        return rest


def _after_blank(buffer: bytes, start: int, *, has_cr: bool) -> int:
    """Return where the first blank line from *start* on ends; 0: there is none."""
    if has_cr:
        found = _BLANK.search(buffer, start)
        return found.end() if found else 0
    at = buffer.find(b"\n\n", start)
    return at + 2 if at >= 0 else 0


def _plain(lines: bytes) -> Event:
    """Return the event of *lines*, which have no carriage return, with the blank line that ends it."""
    if lines.startswith(b"data: ") and b"\n" not in lines:
        return _tuple(Event, (lines + b"\n\n", b"", lines[6:], False))  # as Event(...), in half the time
    return parse(lines + b"\n\n")


def parse(raw: bytes) -> Event:
    """Return the event that *raw* holds. Comments and ids are no part of it."""
    if raw.startswith(b"data: ") and raw.endswith(b"\n\n") and raw.find(b"\n") == len(raw) - 2 and b"\r" not in raw:
        return Event(raw, b"", raw[6:-2])
    name = b""
    data: list[bytes] = []
    for line in raw.removeprefix(b"\xef\xbb\xbf").splitlines():
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return Event(raw, name, b"\n".join(data))
