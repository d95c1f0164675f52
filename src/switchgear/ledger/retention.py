"""How long single attempts are kept: the old ones go in small steps, their sums stay for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import and_, delete, false, func, not_, or_, select, true

from switchgear.clock import MICROS
from switchgear.errors import LedgerError
from switchgear.ledger.access import changing, note
from switchgear.ledger.engine import reading
from switchgear.ledger.facets import tag_value
from switchgear.ledger.schema import BUCKET_US, attempts, events

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement, Connection, Engine

    from switchgear.clock import Clock

__all__ = ["NEEDED_US", "Counted", "Prunable", "Pruned", "prunable", "prune", "pruned_before"]

NEEDED_US: Final = 2 * 86_400 * MICROS
"""The last two days are never pruned: daily limits are rebuilt from them."""

_KIND: Final = "attempts_pruned"
_FIRST_STEP: Final = 500
_LARGEST_STEP: Final = 20_000
_STEP_US: Final = 20_000
"""What a step may take, in microseconds: so long does a call wait for the ledger at most."""
_PAGES: Final = 200


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts that a budget still counts, so that they can't go: those of *match*, since *since_us*.

    Attributes:
        budget: the budget's name.
        match: what an attempt must have: see ``recovery.spend``.
        each: an attribute that it must have as well; None: none.
        since_us: epoch microseconds; 0 for a budget that counts for ever.
    """

    budget: str
    match: dict[str, str]
    each: str | None
    since_us: int


class Prunable(msgspec.Struct, frozen=True, kw_only=True):
    """What pruning would do: attempts that go, and those as old that a budget still counts."""

    attempts: int
    kept: int
    before: int


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What pruning did. *freed_bytes*: how much smaller the file is.

    *reusable_bytes* stay in it, and are used for what comes.
    """

    attempts: int
    kept: int
    before: int
    freed_bytes: int
    reusable_bytes: int


def pruned_before(connection: Connection) -> int | None:
    """Return the epoch microsecond before which attempts may be missing; None: none was ever pruned."""
    found = connection.execute(select(events.c.what).where(events.c.kind == _KIND)).scalars().all()
    return max((msgspec.json.decode(what)["before"] for what in found), default=None)


def prunable(engine: Engine, *, before_us: int, counted: Sequence[Counted]) -> Prunable:
    """Return what *prune* would do now.

    Raises:
        LedgerError: the ledger can't be read.
    """
    before = before_us - before_us % BUCKET_US
    old = _old(before)
    query = select(func.count(), func.count().filter(_goes(counted))).where(*old)
    with reading(engine) as connection:
        every, goes = connection.execute(query).one()
    return Prunable(attempts=goes, kept=every - goes, before=before)


def prune(
    engine: Engine,
    *,
    before_us: int,
    counted: Sequence[Counted],
    clock: Clock,
    by: str,
    progress: Callable[[int], None] = lambda _: None,
) -> Pruned:
    """Delete the attempts that began before *before_us*, cut at the quarter of an hour; roll-ups and job totals stay.

    It goes in steps of a few milliseconds with pauses as long, so that calls of a running server are
    recorded in between. Attempts on the wire and those that a budget still counts stay. Stopped
    half-way, it can be run again.

    Args:
        engine: a ledger that is open for writing; a server may write to it too.
        before_us: epoch microseconds.
        counted: what budgets still count.
        clock: tells how long steps take, and waits between them.
        by: who wants it, for the audit trail.
        progress: is told how many attempts each step has deleted.

    Raises:
        LedgerError: it can't be written, or *before_us* is within the last two days; what earlier steps
            have deleted is gone.
    """
    now = clock.moment().wall
    if before_us > now - NEEDED_US:
        msg = "the last two days can't be pruned: daily limits are rebuilt from them"
        raise LedgerError(msg)
    planned = prunable(engine, before_us=before_us, counted=counted)
    if planned.attempts:
        with changing(engine) as connection:
            # First, so that nobody takes what is missing from then on for an error.
            what = {"before": planned.before, "attempts": planned.attempts, "by": by}
            note(connection, _KIND, what, at_us=now)
    gone = _in_steps(engine, clock, [*_old(planned.before), _goes(counted)], progress)
    freed, left = _shrink(engine, clock)
    return Pruned(attempts=gone, kept=planned.kept, before=planned.before, freed_bytes=freed, reusable_bytes=left)


def _in_steps(
    engine: Engine, clock: Clock, where: Sequence[ColumnElement[bool]], progress: Callable[[int], None]
) -> int:
    gone, step = 0, _FIRST_STEP
    while True:
        began = clock.moment().mono
        some = select(attempts.c.seq).where(*where).limit(step).scalar_subquery()
        with changing(engine) as connection:
            count = connection.execute(delete(attempts).where(attempts.c.seq.in_(some))).rowcount
        gone += count
        progress(count)
        if count < step:
            return gone
        took = clock.moment().mono - began
        clock.sleep(took / MICROS)
        step = max(1, min(_LARGEST_STEP, step * _STEP_US // max(took, _STEP_US // 2)))


def _shrink(engine: Engine, clock: Clock) -> tuple[int, int]:
    """Give free pages back to the disk, a few at a time; return bytes given back, and bytes that stay free."""
    if engine.dialect.name != "sqlite":
        return 0, 0
    with reading(engine) as connection:
        size: int = connection.exec_driver_sql("PRAGMA page_size").scalar_one()
        first: int = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
    left = first
    while left:
        began = clock.moment().mono
        with changing(engine) as connection:
            # The pragma works page by page, as long as rows are asked for; they have no columns.
            cursor = connection.connection.cursor()
            cursor.execute(f"PRAGMA incremental_vacuum({_PAGES})")
            cursor.fetchall()
            cursor.close()
            now_left: int = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
        if now_left >= left:
            break  # a ledger that was made without auto_vacuum does not shrink
        left = now_left
        clock.sleep((clock.moment().mono - began) / MICROS)
    return (first - left) * size, left * size


def _old(before: int) -> tuple[ColumnElement[bool], ...]:
    return attempts.c.started_at < before, attempts.c.status != "reserved"


def _goes(counted: Sequence[Counted]) -> ColumnElement[bool]:
    """Return the condition of attempts that no budget counts."""
    stays = [
        and_(
            attempts.c.started_at >= one.since_us,
            attempts.c.status != "refused",
            *(_attribute(name) == value for name, value in one.match.items()),
            *(() if one.each is None else (_attribute(one.each).is_not(None),)),
        )
        for one in counted
    ]
    # What an attempt does not have is NULL, and so would be the answer; it means "no".
    return not_(func.coalesce(or_(*stays), false())) if stays else true()


def _attribute(name: str) -> ColumnElement[str | None]:
    if name.startswith("tag."):
        return tag_value(attempts.c.tags, name[4:])
    return attempts.c["asked_model" if name == "model" else name]
