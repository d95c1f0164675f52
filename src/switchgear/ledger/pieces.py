"""Sums of pieces of time, remembered as long as nothing in them has changed.

The ledger counts, for each hour, the transactions that have changed its roll-ups. The counts are
read before the sums: whoever changes a roll-up later, in this process or another, also
changes the count that the sum was remembered with, so it is read anew.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import select

from switchgear.ledger.schema import SLOT_US, rollup_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from sqlalchemy import Connection

    from switchgear.ledger.usage_views import Asked, Cut, UsageFilter, UsageSum

__all__ = ["Piece", "Pieces"]

_Made = TypeVar("_Made")

_MOST_SUMS: Final = 60_000
"""Sums that are remembered at most; one takes about a kilobyte with what is made of it."""


class Piece:
    """The sums from *start* to before *end*, in order of time; never changed."""

    __slots__ = ("_lock", "_made", "end", "start", "sums")

    def __init__(self, start: int, end: int, sums: tuple[UsageSum, ...]) -> None:
        self.start: Final = start
        self.end: Final = end
        self.sums: Final = sums
        self._lock: Final = threading.Lock()
        self._made: tuple[Hashable, Any] | None = None

    def made(self, key: Hashable, make: Callable[[Piece], _Made]) -> _Made:
        """Return *make(self)*, which is remembered with the piece until another *key* is asked for."""
        with self._lock:
            known = self._made
        if known is not None and known[0] == key:
            found: _Made = known[1]
            return found
        new = make(self)
        with self._lock:
            self._made = (key, new)
        return new


_Key = tuple["UsageFilter", tuple[str, ...], "Cut", int, int]


class Pieces:
    """The pieces that were asked for lately; safe to use from several threads."""

    def __init__(self, *, most: int = _MOST_SUMS) -> None:
        self._most: Final = most
        self._lock: Final = threading.Lock()
        self._known: Final[OrderedDict[_Key, tuple[int, Piece]]] = OrderedDict()
        self._sums = 0

    def read(
        self,
        connection: Connection,
        asked: Asked,
        edges: Sequence[int],
        read: Callable[[int, int], Iterable[UsageSum]],
    ) -> list[Piece]:
        """Return a piece for each two neighbours in *edges*; *read* reads sums from one instant to another.

        No piece of *asked.cut* may lie across an edge.
        """
        counts = _counts(connection, edges)
        keys: list[_Key] = [
            (asked.where, asked.by, asked.cut.within(start, end), start, end) for start, end in pairwise(edges)
        ]
        found: list[Piece | None] = []
        with self._lock:
            for key, count in zip(keys, counts, strict=True):
                known = self._known.get(key)
                if known is not None and known[0] == count:
                    self._known.move_to_end(key)
                    found.append(known[1])
                else:
                    found.append(None)
        pieces: list[Piece] = []
        at = 0
        while at < len(keys):
            piece = found[at]
            if piece is not None:
                pieces.append(piece)
                at += 1
                continue
            until = at
            while until < len(keys) and found[until] is None:
                until += 1
            fresh = _split(edges[at : until + 1], read(edges[at], edges[until]))
            self._remember(zip(keys[at:until], counts[at:until], fresh, strict=True))
            pieces += fresh
            at = until
        return pieces

    def _remember(self, fresh: Iterable[tuple[_Key, int, Piece]]) -> None:
        with self._lock:
            for key, count, piece in fresh:
                old = self._known.pop(key, None)
                self._sums += len(piece.sums) + 1 - (0 if old is None else len(old[1].sums) + 1)
                self._known[key] = (count, piece)
            while self._sums > self._most:
                _, (_, gone) = self._known.popitem(last=False)
                self._sums -= len(gone.sums) + 1


def _counts(connection: Connection, edges: Sequence[int]) -> list[int]:
    """Return for each piece how often the roll-ups of its hours have changed; an hour at an edge counts for both."""
    slot = rollup_changes.c.slot
    query = select(slot, rollup_changes.c.changes).where(slot > edges[0] - SLOT_US, slot < edges[-1]).order_by(slot)
    rows = connection.execute(query).all()
    slots = [row[0] for row in rows]
    sums = list(accumulate((row[1] for row in rows), initial=0))
    return [
        sums[bisect_left(slots, end)] - sums[bisect_left(slots, start - SLOT_US + 1)] for start, end in pairwise(edges)
    ]


def _split(edges: Sequence[int], sums: Iterable[UsageSum]) -> list[Piece]:
    parts: list[list[UsageSum]] = [[] for _ in range(len(edges) - 1)]
    at = 0
    for one in sorted(sums, key=lambda each: each.at or 0):
        while (one.at or 0) >= edges[at + 1]:
            at += 1
        parts[at].append(one)
    return [Piece(start, end, tuple(part)) for (start, end), part in zip(pairwise(edges), parts, strict=True)]
