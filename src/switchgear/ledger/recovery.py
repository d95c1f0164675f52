"""What a new process has to know of the old one: nothing that was spent is forgotten."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from sqlalchemy import func, select

from switchgear.calls import Usage
from switchgear.events import CircuitName
from switchgear.ledger.books import transaction, write_tally
from switchgear.ledger.encoding import json_text
from switchgear.ledger.engine import reading, translated
from switchgear.ledger.facets import tag_value
from switchgear.ledger.schema import attempts, events
from switchgear.ledger.tally import Place, Tally

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Engine


__all__ = [
    "BreakerMemory",
    "LimitMemory",
    "RecentCalls",
    "Spend",
    "breakers",
    "budget_limits",
    "recent_calls",
    "settle_orphans",
    "spend",
]


class RecentCalls(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts of one service that went out about the same time; *at*: epoch microseconds of the latest."""

    service: str
    at: int
    requests: int
    tokens: int


class Spend(msgspec.Struct, frozen=True, kw_only=True):
    """What attempts that went out used: nano-USD, tokens in and out, and how many had no price."""

    cost: int
    tokens: int
    unpriced: int


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
    engine: Engine, *, since_us: int, cell_us: int, until_us: int | None = None
) -> tuple[RecentCalls, ...]:
    """Return what each service was asked from *since_us* to before *until_us*, in cells of *cell_us*, in order of time.

    A cell stands at its latest attempt, so a window that counts it never lets go too early.
    """
    cell = attempts.c.started_at // cell_us
    latest = func.max(attempts.c.started_at).label("latest")
    query = (
        select(attempts.c.service, latest, func.count(), func.sum(_TOKENS))
        .where(attempts.c.started_at >= since_us, _WENT_OUT)
        .group_by(attempts.c.service, cell)
        .order_by(latest, attempts.c.service)
    )
    if until_us is not None:
        query = query.where(attempts.c.started_at < until_us)
    with reading(engine) as connection:
        found = connection.execute(query).all()
    return tuple(
        RecentCalls(service=service, at=at, requests=requests, tokens=int(tokens))
        for service, at, requests, tokens in found
    )


def spend(
    engine: Engine, *, since_us: int, match: Mapping[str, str], each: str | None = None
) -> dict[str | None, Spend]:
    """Return what attempts begun at *since_us* or later used, by the value of *each*.

    Args:
        engine: the ledger's.
        since_us: epoch microseconds; 0 for all of it.
        match: what an attempt must have: any of ``service``, ``model`` (as asked for), ``job``,
            ``run``, ``layer``, ``key``, ``tag.<name>``.
        each: one of these names; None: everything is one sum, under the key None.

    Raises:
        ValueError: a name that attempts don't have.
    """
    group: ColumnElement[str | None] | None = None if each is None else _facet(each)
    conditions = [_facet(name) == value for name, value in match.items()]
    unpriced = func.count().filter(attempts.c.cost.is_(None), attempts.c.status != "reserved")
    query = select(
        func.coalesce(func.sum(attempts.c.cost), 0),
        # What is still reserved is held by its process, not spent: a new one finds none of it.
        func.coalesce(func.sum(_TOKENS).filter(attempts.c.status != "reserved"), 0),
        unpriced,
    ).where(attempts.c.started_at >= since_us, _WENT_OUT, *conditions)
    if group is not None:
        query = query.add_columns(group).group_by(group)
    with reading(engine) as connection:
        found = connection.execute(query).all()
    return {
        (None if group is None else row[3]): Spend(cost=int(row[0]), tokens=int(row[1]), unpriced=row[2])
        for row in found
    }


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


def _facet(name: str) -> ColumnElement[str | None]:
    """Return what an attempt has under *name*."""
    if name.startswith("tag."):
        return tag_value(attempts.c.tags, name[4:])
    columns = {
        "service": attempts.c.service,
        "model": attempts.c.asked_model,
        "job": attempts.c.job,
        "run": attempts.c.run,
        "layer": attempts.c.layer,
        "key": attempts.c.key,
    }
    if name not in columns:
        msg = f"attempts have no {name!r}; known are {', '.join(columns)} and tag.<name>"
        raise ValueError(msg)
    return columns[name]
