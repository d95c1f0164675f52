"""The list of calls, live: rows as they are recorded, and again when they are settled."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.concurrency import run_in_threadpool

from switchgear.errors import LedgerError
from switchgear.ledger.tail import OVERLAP
from switchgear.ledger.views import CallFilter
from switchgear.web.problems import Problem

if TYPE_CHECKING:
    from switchgear.ledger.views import CallRow
    from switchgear.web.deps import WebDeps

__all__ = ["LiveCalls"]

_MOST: Final = 16
"""Streams at a time: each asks the ledger once in *_EVERY* seconds."""

_EVERY: Final = 1.0
_QUIET: Final = 15.0
"""Seconds after which a silent stream says that it is alive; a client that is gone shows then at the latest."""

_PORTION: Final = 100
_WATCHED: Final = 300
"""Attempts on the wire whose end is looked out for."""

_LINE_END: Final = re.compile(r"\r\n|\r|\n")

Render = Callable[[Sequence["CallRow"]], str]
"""Makes table rows of attempts."""


class LiveCalls:
    """Opens streams over the ledger, which other processes may write to as well: what is in it is what is sent.

    Nothing is left out silently: where more comes than a portion a second, the stream says so.
    """

    def __init__(self, deps: WebDeps) -> None:
        self._deps: Final = deps
        self._open = 0

    def open(self, where: CallFilter, *, since: int, render: Render) -> AsyncIterator[bytes]:
        """Return the stream of the attempts that *where* wants, recorded after the place *since*.

        Raises:
            Problem: 503, too many are open.
        """
        if self._open >= _MOST:
            raise Problem(503, f"{_MOST} live lists are open already; close one, or reload the page.")
        return self._lines(_Tail(self._deps, where, since, render))

    async def _lines(self, tail: _Tail) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            yield b"retry: 2000\n\n"
            quiet = 0.0
            while not self._deps.ending():
                found = await run_in_threadpool(tail.step)
                if found:
                    quiet = 0.0
                    yield found
                elif quiet >= _QUIET:
                    quiet = 0.0
                    yield b": alive\n\n"
                await self._deps.clock.asleep(_EVERY)
                quiet += _EVERY
        finally:
            self._open -= 1


class _Tail:
    """Where one stream is."""

    def __init__(self, deps: WebDeps, where: CallFilter, since: int, render: Render) -> None:
        self._reader: Final = deps.reader
        self._wanted: Final = where
        # A status changes: what is on the wire now may be what is wanted once it is settled.
        self._any: Final = msgspec.structs.replace(where, status=None, refused_by=None)
        self._render: Final = render
        self._last = since
        self._known: frozenset[int] = frozenset()
        self._watched: frozenset[int] | None = None

    def step(self) -> bytes:
        """Return what is new, as one event; nothing where nothing is, or the ledger can't be read just now."""
        try:
            tail = self._reader.tail
            if self._watched is None:
                self._watched = tail.on_the_wire(self._any, limit=_WATCHED)
            places = tail.places(self._any, after=self._last, known=self._known, limit=_PORTION + 1)
            more = len(places) > _PORTION and places[0] > self._last
            new = places[-_PORTION:]
            rows = tail.rows(new, ended=self._watched) if new or self._watched else ()
        except LedgerError:
            return b""  # it is asked again, and nothing is skipped; that it fails is said by health
        self._last = max(self._last, *new) if new else self._last
        self._known = frozenset(seq for seq in (*self._known, *new) if seq > self._last - OVERLAP)
        flying = {each.seq for each in rows if each.row.status == "reserved"}
        ended = {each.seq for each in rows} - flying
        self._watched = frozenset(sorted((self._watched - ended) | flying)[-_WATCHED:])
        shown = [each.row for each in rows if self._fits(each.row)]
        return _event("rows", self._last, self._render(shown)) * bool(shown) + b"event: more\ndata:\n\n" * more

    def _fits(self, row: CallRow) -> bool:
        status, reason = self._wanted.status, self._wanted.refused_by
        return status in {None, row.status} and reason in {None, row.refused_by}


def _event(kind: str, last: int, text: str) -> bytes:
    data = "\n".join(f"data: {line}" for line in _LINE_END.split(text))
    return f"id: {last}\nevent: {kind}\n{data}\n\n".encode()
