"""The audit trail as server-sent events: without gaps after ``Last-Event-ID``, for so many at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.concurrency import run_in_threadpool

from switchgear.errors import LedgerError
from switchgear.insight.event_item import EventItem
from switchgear.insight.metrics import plain
from switchgear.web.problems import Problem

if TYPE_CHECKING:
    from switchgear.ledger.views import EventRow
    from switchgear.web.deps import WebDeps

__all__ = ["EventStreams"]

_MOST: Final = 32
"""Streams at a time: each asks the ledger once in *_EVERY* seconds."""

_EVERY: Final = 0.5
_QUIET: Final = 15.0
"""Seconds after which a silent stream says that it is alive; a client that is gone shows then at the latest."""

_PORTION: Final = 100


class EventStreams:
    """Opens streams over the ledger, which tools write to as well: what is in it is what is sent, in order."""

    def __init__(self, deps: WebDeps) -> None:
        self._deps: Final = deps
        self._open = 0

    def open(self, last_event_id: str | None, *, kind: str | None) -> AsyncIterator[bytes]:
        """Return the stream of entries after *last_event_id*; None: of those that come from now on.

        Raises:
            Problem: 400, no id that a stream gave; 503, too many are open.
            LedgerError: the ledger can't be read.
        """
        if last_event_id is not None and not (last_event_id.isascii() and last_event_id.isdecimal()):
            raise Problem(400, f"Last-Event-ID: {last_event_id!r} is not the id of an event.", key="Last-Event-ID")
        if self._open >= _MOST:
            raise Problem(503, f"{_MOST} event streams are open already; close one, or read /api/events.")
        last = self._deps.reader.trail.last() if last_event_id is None else min(int(last_event_id), 2**62)
        return self._lines(last, kind)

    async def _lines(self, last: int, kind: str | None) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            # The place where to go on is told at once, so that a client that is cut off early misses nothing.
            yield b"retry: 2000\nid: %d\n\n" % last
            quiet = 0.0
            while not self._deps.ending():
                found = await self._following(last, kind)
                if found:
                    last, quiet = found[-1].id, 0.0
                    yield b"".join(map(_line, found))
                    if len(found) == _PORTION:
                        continue
                elif quiet >= _QUIET:
                    quiet = 0.0
                    yield b": alive\n\n"
                await self._deps.clock.asleep(_EVERY)
                quiet += _EVERY
        finally:
            self._open -= 1

    async def _following(self, last: int, kind: str | None) -> tuple[EventRow, ...]:
        try:
            return tuple(await run_in_threadpool(self._deps.reader.trail.following, last, kind=kind, limit=_PORTION))
        except LedgerError:
            return ()  # it is asked again, and nothing is skipped; that it fails is said by health


def _line(row: EventRow) -> bytes:
    data = msgspec.json.encode(plain(EventItem.of(row)))
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (row.id, row.kind.encode(), data)
