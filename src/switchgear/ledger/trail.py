"""The audit trail as it is read: what kinds of entries there are, page by page backwards, and onwards as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import func, select

from switchgear.ledger.engine import reading
from switchgear.ledger.schema import events
from switchgear.ledger.views import EventRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine, RowMapping, Select

__all__ = ["KINDS", "EventPage", "TrailReader"]

KINDS: Final[Mapping[str, str]] = {
    "alert_changed": "an alert fires or is over, or somebody was told of it or knows of it",
    "attempts_imported": "attempts were added from a file",
    "attempts_pruned": "attempts older than is kept were deleted",
    "batch_counted": "what a batch came to was counted",
    "breaker_changed": "a circuit breaker went from one state to another",
    "breaker_ordered": "an operator forced a circuit breaker open, closed or reset it",
    "budget_changed": "a budget was given another limit",
    "budget_crossed": "a budget's spending passed a threshold",
    "budget_history_short": "calls that a budget counts are no longer kept, so its past is not whole",
    "config_changed": "the configuration is another one than before",
    "job_erased": "what tells of a job was removed",
    "key_created": "a Switchgear key was made",
    "key_revoked": "a Switchgear key was revoked",
    "key_rotated": "a Switchgear key was given another secret",
    "ledger_recovered": "the ledger could not be written for a time, and can be again",
    "ledger_restored": "a backup was put in the place of the ledger",
    "orphans_settled": "a process died with calls in flight; they count at their worst case",
    "process_started": "a process opened the ledger to write to it",
    "process_stopped": "a process closed the ledger",
    "shadow_exceeded": "a rule that is only tried out would have refused a call",
    "silence_changed": "for some alerts nobody is told for a time, or again they are",
    "sums_repaired": "wrong sums were put right",
}
"""Every kind of entry, and what it says of itself where nobody gave a reason."""


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some entries, newest first; *next* reads on, None: there are no more."""

    items: tuple[EventRow, ...]
    next: str | None


class TrailReader:
    """Reads the audit trail over connections of its own. Every method raises LedgerError."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine

    def page(
        self,
        *,
        kind: str | None = None,
        since: int | None = None,
        until: int | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> EventPage:
        """Return entries, newest first. Paging on skips and repeats nothing, whatever is added meanwhile.

        Args:
            kind: one of *KINDS*; None: every kind.
            since: epoch microseconds, inclusive.
            until: epoch microseconds, exclusive.
            limit: at most so many, from 1.
            after: the *next* of the page before.

        Raises:
            ValueError: *after* is not the *next* of a page.
        """
        query = _of_kind(kind).order_by(events.c.id.desc()).limit(limit + 1)
        if after is not None:
            query = query.where(events.c.id < _number(after))
        if since is not None:
            query = query.where(events.c.at >= since)
        if until is not None:
            query = query.where(events.c.at < until)
        with reading(self._engine) as connection:
            found = connection.execute(query).mappings().all()
        more = len(found) > limit
        return EventPage(items=tuple(map(_row, found[:limit])), next=str(found[limit - 1]["id"]) if more else None)

    def last(self) -> int:
        """Return the id of the newest entry, 0 if there is none."""
        with reading(self._engine) as connection:
            return connection.execute(select(func.max(events.c.id))).scalar_one() or 0

    def following(self, last: int, *, kind: str | None = None, limit: int = 100) -> tuple[EventRow, ...]:
        """Return the entries after the one with the id *last*, in order, at most *limit*."""
        query = _of_kind(kind).where(events.c.id > last).order_by(events.c.id).limit(limit)
        with reading(self._engine) as connection:
            return tuple(map(_row, connection.execute(query).mappings()))

    def newest(self, kind: str) -> EventRow | None:
        """Return the newest entry of *kind*, None if there is none."""
        found = self.page(kind=kind, limit=1).items
        return found[0] if found else None

    def about(self, kind: str, subject: str, *, limit: int) -> tuple[EventRow, ...]:
        """Return the newest *limit* entries of *kind* about *subject*, newest first."""
        query = _of_kind(kind).where(events.c.subject == subject).order_by(events.c.id.desc()).limit(limit)
        with reading(self._engine) as connection:
            return tuple(map(_row, connection.execute(query).mappings()))

    def newest_each(self, kind: str) -> tuple[EventRow, ...]:
        """Return the newest entry of *kind* about each subject, oldest first."""
        newest = select(func.max(events.c.id)).where(events.c.kind == kind).group_by(events.c.subject)
        query = _of_kind(kind).where(events.c.id.in_(newest)).order_by(events.c.id)
        with reading(self._engine) as connection:
            return tuple(map(_row, connection.execute(query).mappings()))


def _of_kind(kind: str | None) -> Select[tuple[int, int, str, str, str]]:
    query = select(events.c.id, events.c.at, events.c.kind, events.c.subject, events.c.what)
    return query if kind is None else query.where(events.c.kind == kind)


def _number(cursor: str) -> int:
    if not cursor.isascii() or not cursor.isdecimal() or len(cursor) > len(str(2**63)) - 1:
        msg = f'not a place in this list: {cursor!r}; use the "next" of the page before'
        raise ValueError(msg)
    return int(cursor)


def _row(row: RowMapping) -> EventRow:
    return EventRow(**{**row, "what": msgspec.json.decode(row["what"])})
