"""What is asked of the ledger: attempts one by one, sums from roll-ups, events."""

from __future__ import annotations

import base64
import math
from itertools import chain
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import func, or_, select, text

from switchgear.ledger.call_rows import call_row, filtered
from switchgear.ledger.engine import POSTGRES, reading
from switchgear.ledger.keys import KeyBook
from switchgear.ledger.run_sums import RunSum, run_sums
from switchgear.ledger.schema import (
    BUCKET_US,
    NOT_OK,
    SLOT_US,
    SUMS,
    attempts,
    events,
    job_totals,
    metadata,
    rollups,
)
from switchgear.ledger.tail import TailReader
from switchgear.ledger.trail import TrailReader
from switchgear.ledger.usage_queries import UsageReader
from switchgear.ledger.usage_views import Asked, Cut, UsageFilter
from switchgear.ledger.views import CallFilter, CallPage, CallRow, EventRow, Totals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Column, Engine, Select, Table

    from switchgear.ledger.key_rows import Key
    from switchgear.ledger.views import Dimension

__all__ = ["LedgerReader"]

_STATUSES: Final = ("ok", "failed", "refused", "cancelled", "orphaned")
_LATENCY_SAMPLE: Final = 2_000
_ADDED: Final = Totals.__struct_fields__[2:]
_WHOLE: Final = Cut(size_us=1 << 62)
"""All time is one piece."""


class LedgerReader:
    """Reads over connections of its own: it never waits for the writer, nor the writer for it.

    Attributes:
        usage: what reports of usage and cost ask.
        trail: the audit trail.
        tail: attempts as they are recorded.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine: Final = engine
        self.usage: Final = UsageReader(engine)
        self.trail: Final = TrailReader(engine)
        self.tail: Final = TailReader(engine)

    def calls(self, where: CallFilter | None = None, *, limit: int = 50, after: str | None = None) -> CallPage:
        """Return attempts, newest first: by when they began, then by when they were recorded.

        Paging on with *after* skips and repeats nothing, whatever is added meanwhile.

        Args:
            where: which ones; None: all.
            limit: at most so many, from 1.
            after: the *next* of the page before.

        Raises:
            ValueError: *after* is not the *next* of a page.
        """
        where = where or CallFilter()
        start, seq = attempts.c.started_at, attempts.c.seq
        query = filtered(where).order_by(start.desc(), seq.desc()).limit(limit + 1)
        if after is not None:
            place = _from_cursor(after)
            # The first condition is for the index, which knows the time.
            query = query.where(start <= place[0], or_(start < place[0], seq < place[1]))
        with reading(self._engine) as connection:
            found = connection.execute(query).mappings().all()
        page = found[:limit]
        return CallPage(
            items=tuple(map(call_row, page)),
            next=_to_cursor(page[-1]["started_at"], page[-1]["seq"]) if len(found) > limit else None,
        )

    def run_sums(self, run: str) -> tuple[RunSum, ...]:
        """Return what the calls of *run* came to, by layer and tags."""
        return run_sums(self._engine, run)

    def known_keys(self) -> tuple[Key, ...]:
        """Return every Switchgear key there ever was, by name."""
        return KeyBook(self._engine).all()

    def call(self, call_id: str) -> tuple[CallRow, ...]:
        """Return all attempts of a call, in order; empty when there is no such call.

        The id of one of its rows (``<call id>-<attempt>``) serves as well.
        """
        query = select(attempts).order_by(attempts.c.attempt)
        with reading(self._engine) as connection:
            for wanted in (call_id, call_id.rpartition("-")[0]):
                found = connection.execute(query.where(attempts.c.call_id == wanted)).mappings().all()
                if found:
                    return tuple(map(call_row, found))
        return ()

    def totals(
        self,
        *,
        since: int | None = None,
        until: int | None = None,
        by: Sequence[Dimension] = (),
        bucket_us: int | None = None,
        service: str | None = None,
    ) -> tuple[Totals, ...]:
        """Return sums of attempts that are over, ordered by bucket and group.

        They come from roll-ups of 15 minutes, so *since* is taken down and *until* up to the
        quarter of an hour. Without *by* and *bucket_us* there is exactly one.

        Args:
            since: epoch microseconds, inclusive; None: from the start.
            until: epoch microseconds, exclusive; None: to the end.
            by: what to group by.
            bucket_us: length of a time bucket, for a series; buckets without attempts are left out.
            service: only this one.

        Raises:
            ValueError: *bucket_us* is no multiple of 15 minutes.
        """
        if bucket_us is not None and (bucket_us <= 0 or bucket_us % BUCKET_US):
            msg = f"a time bucket is a multiple of 15 minutes, not {bucket_us} microseconds"
            raise ValueError(msg)
        if since is not None and until is None and bucket_us is None and service is None:
            return self._totals_since(since - since % BUCKET_US, tuple(by))
        groups: list[Column[str]] = [rollups.c[name] for name in by]
        query = _sums(rollups, groups)
        if bucket_us is not None:
            bucket = (rollups.c.bucket_start - rollups.c.bucket_start % bucket_us).label("bucket")
            query = query.add_columns(bucket).group_by(bucket).order_by(None).order_by(bucket, *groups)
        if since is not None:
            query = query.where(rollups.c.bucket_start >= since - since % BUCKET_US)
        if until is not None:
            query = query.where(rollups.c.bucket_start < until)
        if service is not None:
            query = query.where(rollups.c.service == service)
        return self._totals(query, by)

    def _totals_since(self, since: int, by: tuple[Dimension, ...]) -> tuple[Totals, ...]:
        """Return the sums of all that began since: what is asked for again and again while a day goes by.

        All but the last hours are remembered, so that it takes no longer in the evening.
        """
        extent = self.usage.extent()
        edge = since if extent is None else max(since, extent[1] - extent[1] % SLOT_US - SLOT_US)
        asked = Asked(UsageFilter(), by, _WHOLE)
        pieces = self.usage.rollup_pieces(asked, (since, edge)) if edge > since else []
        groups: dict[tuple[str | None, ...], list[Totals]] = {} if by else {(): []}
        for one in chain(*(piece.sums for piece in pieces), self.usage.rollup_sums(UsageFilter(since=edge), by=by)):
            groups.setdefault(one.group, []).append(one.totals)
        ordered = sorted(groups.items(), key=lambda item: tuple(value or "" for value in item[0]))
        return tuple(_added(dict(zip(by, group, strict=True)), rows) for group, rows in ordered)

    def job_totals(self, *, limit: int = 50) -> tuple[Totals, ...]:
        """Return the sums of each job, the dearest first; attempts without a job are one group, None."""
        query = _sums(job_totals, [job_totals.c.job]).order_by(None)
        query = query.order_by(text("cost DESC"), text("calls DESC"), job_totals.c.job).limit(limit)
        return self._totals(query, ("job",))

    def latency(
        self,
        *,
        since: int,
        until: int,
        service: str | None = None,
        shares: Sequence[float] = (0.5, 0.95, 0.99),
    ) -> dict[float, int] | None:
        """Return how many microseconds the fastest *shares* of attempts took at most.

        Asked are the newest 2,000 settled attempts that began between *since* and *until*;
        None when there are none.
        """
        query = (
            select(attempts.c.duration_us)
            .where(attempts.c.started_at >= since, attempts.c.started_at < until, attempts.c.duration_us.is_not(None))
            .order_by(attempts.c.started_at.desc())
            .limit(_LATENCY_SAMPLE)
        )
        if service is not None:
            query = query.where(attempts.c.service == service)
        with reading(self._engine) as connection:
            sample = sorted(connection.execute(query).scalars().all())
        if not sample:
            return None
        return {share: sample[max(0, math.ceil(share * len(sample)) - 1)] for share in shares}

    def open_calls(self) -> int:
        """Return how many attempts are on the wire."""
        query = select(func.count()).select_from(attempts).where(attempts.c.status == "reserved", NOT_OK)
        with reading(self._engine) as connection:
            return connection.execute(query).scalar_one()

    def events(self, *, kind: str | None = None, limit: int = 50) -> tuple[EventRow, ...]:
        """Return recorded events, newest first."""
        query = select(events).order_by(events.c.id.desc()).limit(limit)
        if kind is not None:
            query = query.where(events.c.kind == kind)
        with reading(self._engine) as connection:
            found = connection.execute(query).mappings().all()
        return tuple(
            EventRow(
                id=row["id"],
                at=row["at"],
                kind=row["kind"],
                subject=row["subject"],
                what=msgspec.json.decode(row["what"]),
            )
            for row in found
        )

    def size_bytes(self) -> int:
        """Return the size of the database, without what is still in its write-ahead log."""
        with reading(self._engine) as connection:
            if self._engine.dialect.name == POSTGRES:
                sizes = [func.pg_total_relation_size(name) for name in metadata.tables]
                return int(sum(connection.execute(select(*sizes)).one()))
            pages: int = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            size: int = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
        return pages * size

    def _totals(self, query: Select[*tuple[int, ...]], by: Sequence[str]) -> tuple[Totals, ...]:
        with reading(self._engine) as connection:
            found = connection.execute(query).mappings().all()
        return tuple(
            msgspec.convert({**row, "group": {name: row[f"by_{name}"] or None for name in by}}, Totals) for row in found
        )


def _sums(table: Table, groups: Sequence[Column[str]]) -> Select[*tuple[int, ...]]:
    sums = [func.coalesce(func.sum(table.c[name]), 0).label(name) for name in SUMS]
    counts = [
        func.coalesce(func.sum(table.c.calls).filter(table.c.status == status), 0).label(status) for status in _STATUSES
    ]
    named = [column.label(f"by_{column.name}") for column in groups]
    return select(*sums, *counts, *named).group_by(*groups).order_by(*groups)


def _added(group: dict[str, str | None], rows: Sequence[Totals]) -> Totals:
    return Totals(group=group, **{name: sum([getattr(row, name) for row in rows]) for name in _ADDED})


def _to_cursor(started_at: int, seq: int) -> str:
    return base64.urlsafe_b64encode(f"at {started_at} {seq}".encode()).decode().rstrip("=")


def _from_cursor(cursor: str) -> tuple[int, int]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        word, started_at, seq = base64.urlsafe_b64decode(padded.encode("ascii")).decode("ascii").split(" ")
        place = (int(started_at), int(seq))
    except ValueError:
        word, place = "", (0, 0)
    if word != "at":
        msg = f'not a place in this list: {cursor!r}; use the "next" of the page before'
        raise ValueError(msg)
    return place
