"""What a new process has to know of the old one: nothing that was spent is forgotten."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import msgspec
from sqlalchemy import func, select

from switchgear.calls import Usage
from switchgear.events import CircuitName
from switchgear.ledger.books import transaction, write_tally
from switchgear.ledger.encoding import json_text
from switchgear.ledger.engine import reading, translated
from switchgear.ledger.schema import BUCKET_US, attempts, events, rollups
from switchgear.ledger.tally import Place, Tally

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Connection, Engine

__all__ = [
    "BreakerMemory",
    "LimitMemory",
    "RecentCalls",
    "breakers",
    "budget_limits",
    "recent_calls",
    "settle_orphans",
]


class RecentCalls(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts of one service that went out about the same time; *at*: epoch microseconds of the latest."""

    service: str
    at: int
    requests: int
    tokens: int


class BreakerMemory(msgspec.Struct, frozen=True, kw_only=True):
    """The last recorded change of a breaker; instants are epoch microseconds."""

    service: str
    state: CircuitName
    at: int
    until: int | None
    opened_times: int
    reason: str


class LimitMemory(msgspec.Struct, frozen=True, kw_only=True):
    """The last recorded change of a budget's limit: to *limit*, when the configuration said *configured*."""

    budget: str
    unit: str
    limit: int
    configured: int


# Every attempt but these went out, or may have.
_WENT_OUT: Final = attempts.c.status != "refused"
_MOST_ROWS: Final = 500_000
"""Attempts that are read one by one at a start: half a second."""
_TOKENS: Final = attempts.c.input_tokens + attempts.c.output_tokens


def settle_orphans(engine: Engine, *, now_us: int) -> int:
    """Settle every attempt that is still reserved, at its worst case; return how many there were.

    Only for the time before the first attempt of this process. Doing it again changes nothing.
    One event of kind ``orphans_settled`` tells when it was and how much it was.

    Raises:
        LedgerError: nothing was changed.
    """
    with translated(engine), closing(engine.raw_connection()) as pooled:
        connection = cast("sqlite3.Connection", pooled.driver_connection)
        with transaction(connection) as cursor:
            return _settle_orphans(cursor, now_us)


def _settle_orphans(cursor: sqlite3.Cursor, now_us: int) -> int:
    found = cursor.execute(
        "SELECT started_at, service, model, layer, key, job, input_tokens, output_tokens, cache_read_tokens,"
        " cache_write_tokens, reasoning_tokens, reserved, waited_us FROM attempts"
        " WHERE status = 'reserved' AND status <> 'ok'"
    ).fetchall()
    if not found:
        return 0
    tally = Tally()
    for row in found:
        *tokens, reserved, waited_us = row[6:]
        tally.add(
            Place(*row[:6]),
            "orphaned",
            usage=Usage(
                input_tokens=tokens[0],
                output_tokens=tokens[1],
                cache_read_tokens=tokens[2],
                cache_write_tokens=tokens[3],
                reasoning_tokens=tokens[4],
            ),
            cost=reserved,
            estimated=True,
            duration_us=0,
            waited_us=waited_us,
        )
    cursor.execute(
        "UPDATE attempts SET status = 'orphaned', cost = reserved WHERE status = 'reserved' AND status <> 'ok'"
    )
    write_tally(cursor, tally)
    what = json_text({"attempts": len(found), "cost": sum(row[11] or 0 for row in found)})
    cursor.execute(
        "INSERT INTO events (at, kind, subject, what) VALUES (?, 'orphans_settled', 'ledger', ?)", (now_us, what)
    )
    return len(found)


def recent_calls(
    engine: Engine,
    *,
    since_us: int,
    cell_us: int,
    until_us: int | None = None,
    by: Literal["service", "key"] = "service",
    most: int = _MOST_ROWS,
) -> tuple[RecentCalls, ...]:
    """Return what each service was asked from *since_us* to before *until_us*, in cells of *cell_us*, in order of time.

    A cell stands at its latest attempt, so a window that counts it never lets go too early. Where
    there are more than *most* attempts, whole quarters of an hour come from roll-ups and stand at their ends.
    *by* a key, it is what was asked with each, whatever the service; its name is in the service's place.
    """
    with reading(engine) as connection:
        edge = since_us
        found: list[RecentCalls] = []
        if _rolled_up_calls(connection, since_us, until_us) > most:
            last = until_us if until_us is not None else connection.execute(_LAST_BUCKET).scalar_one() or since_us
            edge = max(since_us, last - last % BUCKET_US)
            found += _by_quarter(connection, since_us, edge, by)
        found += _by_cell(connection, edge, until_us, cell_us, by)
    return tuple(sorted(found, key=lambda one: (one.at, one.service)))


_LAST_BUCKET: Final = select(func.max(rollups.c.bucket_start))


def _rolled_up_calls(connection: Connection, since: int, until: int | None) -> int:
    query = select(func.coalesce(func.sum(rollups.c.calls), 0)).where(rollups.c.bucket_start >= since)
    if until is not None:
        query = query.where(rollups.c.bucket_start < until)
    return int(connection.execute(query).scalar_one())


def _by_quarter(connection: Connection, since: int, until: int, by: str) -> list[RecentCalls]:
    """Return the sums of whole quarters; the one that *since* lies in counts as a whole."""
    start, tokens = rollups.c.bucket_start, rollups.c.input_tokens + rollups.c.output_tokens
    query = (
        select(rollups.c[by], start, func.sum(rollups.c.calls), func.sum(tokens))
        .where(start >= since - since % BUCKET_US, start < until, rollups.c.status != "refused", rollups.c[by] != "")
        .group_by(rollups.c[by], start)
    )
    return [
        RecentCalls(service=service, at=at + BUCKET_US - 1, requests=int(requests), tokens=int(used))
        for service, at, requests, used in connection.execute(query)
    ]


def _by_cell(connection: Connection, since: int, until: int | None, cell_us: int, by: str) -> list[RecentCalls]:
    cell = attempts.c.started_at // cell_us
    query = (
        select(attempts.c[by], func.max(attempts.c.started_at), func.count(), func.sum(_TOKENS))
        .where(attempts.c.started_at >= since, _WENT_OUT, attempts.c[by].is_not(None))
        .group_by(attempts.c[by], cell)
    )
    if until is not None:
        query = query.where(attempts.c.started_at < until)
    return [
        RecentCalls(service=service, at=at, requests=requests, tokens=int(tokens))
        for service, at, requests, tokens in connection.execute(query)
    ]


def breakers(engine: Engine) -> tuple[BreakerMemory, ...]:
    """Return the last recorded change of each service's breaker, by service."""
    changes = _latest(engine, "breaker_changed")
    return tuple(
        BreakerMemory(
            service=change["service"],
            state=change["new"],
            at=change["at"],
            until=change["until"],
            opened_times=change["opened_times"],
            reason=change["reason"],
        )
        for change in changes
    )


def budget_limits(engine: Engine) -> tuple[LimitMemory, ...]:
    """Return the last recorded change of each budget's limit, by budget."""
    return tuple(
        LimitMemory(budget=change["budget"], unit=change["unit"], limit=change["new"], configured=change["configured"])
        for change in _latest(engine, "budget_changed")
    )


def _latest(engine: Engine, kind: str) -> list[dict[str, Any]]:
    """Return the newest event of *kind* of each subject, by subject."""
    newest = select(func.max(events.c.id)).where(events.c.kind == kind).group_by(events.c.subject)
    query = select(events.c.what).where(events.c.id.in_(newest)).order_by(events.c.subject)
    with reading(engine) as connection:
        return [msgspec.json.decode(what) for what in connection.execute(query).scalars()]
