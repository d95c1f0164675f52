"""How long single attempts are kept: the old ones go in small steps, their sums stay for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from sqlalchemy import delete, func, select

from switchgear.clock import MICROS
from switchgear.errors import LedgerError
from switchgear.ledger.access import PRUNED, changing, note, pruned_before
from switchgear.ledger.balances import carried_for, carried_to, carry_forward
from switchgear.ledger.engine import reading
from switchgear.ledger.schema import BUCKET_US, NOT_OK, attempts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Delete, Engine

    from switchgear.clock import Clock
    from switchgear.ledger.counted import Counted

__all__ = ["NEEDED_US", "QUIET", "Pace", "Prunable", "Pruned", "prunable", "prune", "pruned_before"]

NEEDED_US: Final = 2 * 86_400 * MICROS
"""The last two days are never pruned: daily limits are rebuilt from them."""

_FIRST_STEP: Final = 500
_LARGEST_STEP: Final = 20_000
_CARRYING_US: Final = 5_000
_PAGES: Final = 200


_NOT_THE_NEWEST: Final = attempts.c.seq < select(func.max(attempts.alias().c.seq)).scalar_subquery()


class Pace(NamedTuple):
    """How long a step may take in microseconds, and how many times as long the pause after it is.

    So long does a call of a running server wait for the ledger at most.
    """

    step_us: int
    pauses: int

    def rest(self, took_us: int) -> int:
        """Return how many microseconds to wait after a step that took so many."""
        return took_us * self.pauses


_FAST: Final = Pace(20_000, 1)

QUIET: Final = Pace(5_000, 4)
"""For a server's own housekeeping, which has the whole night."""


class Prunable(msgspec.Struct, frozen=True, kw_only=True):
    """What pruning would do: how many attempts would go, those that began before *before*."""

    attempts: int
    before: int


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What pruning did. *freed_bytes*: how much smaller the file is.

    *reusable_bytes* stay in it, and are used for what comes.
    """

    attempts: int
    before: int
    freed_bytes: int
    reusable_bytes: int


def prunable(engine: Engine, *, before_us: int) -> Prunable:
    """Return what *prune* would do now.

    Raises:
        LedgerError: the ledger can't be read.
    """
    before = before_us - before_us % BUCKET_US
    with reading(engine) as connection:
        every = select(func.count()).select_from(attempts).where(attempts.c.started_at < before, _NOT_THE_NEWEST)
        flying = every.where(attempts.c.status == "reserved", NOT_OK)
        old = connection.execute(every).scalar_one() - connection.execute(flying).scalar_one()
    return Prunable(attempts=old, before=before)


def prune(
    engine: Engine,
    *,
    before_us: int,
    budgets: Iterable[Counted],
    clock: Clock,
    by: str,
    pace: Pace = _FAST,
    progress: Callable[[int], None] = lambda _: None,
) -> Pruned:
    """Delete the attempts that began before *before_us*, cut at the quarter of an hour; every sum stays.

    What budgets have spent is carried forward first, so no budget changes. It goes in steps of a
    few milliseconds with pauses between them, so that calls of a running server are recorded
    meanwhile. Attempts on the wire stay, and so does the newest one: numbers are never given twice.
    Stopped half-way, it can be run again.

    Args:
        engine: a ledger that is open for writing; a server may write to it too.
        before_us: epoch microseconds.
        budgets: what the configured budgets count, beside those that there are sums for already.
        clock: tells how long steps take, and waits between them.
        by: who wants it, for the audit trail.
        pace: how long steps and pauses are.
        progress: is told how many attempts each step has deleted.

    Raises:
        LedgerError: it can't be written, or *before_us* is within the last two days; what earlier steps
            have deleted is gone.
    """
    now = clock.moment().wall
    if before_us > now - NEEDED_US:
        msg = "the last two days can't be pruned: daily limits are rebuilt from them"
        raise LedgerError(msg)
    planned = prunable(engine, before_us=before_us)
    if planned.attempts:
        every = (*carried_for(engine), *budgets)

        def rest() -> None:
            progress(0)
            clock.sleep(pace.rest(_CARRYING_US) / MICROS)

        carry_forward(engine, every, now_us=now, rest=rest)
        with changing(engine) as connection:
            # First, so that nobody takes what is missing from then on for an error.
            what = {"before": planned.before, "attempts": planned.attempts, "by": by}
            note(connection, PRUNED, what, at_us=now)
    gone = _in_steps(engine, clock, planned.before, pace, progress) if planned.attempts else 0
    freed, left = _shrink(engine, clock, pace)
    return Pruned(attempts=gone, before=planned.before, freed_bytes=freed, reusable_bytes=left)


def _in_steps(engine: Engine, clock: Clock, before: int, pace: Pace, progress: Callable[[int], None]) -> int:
    gone, step = 0, _FIRST_STEP
    while True:
        began = clock.moment().mono
        with changing(engine) as connection:
            count = connection.execute(_delete_some(before, carried_to(connection), step)).rowcount
        gone += count
        progress(count)
        if count < step:
            return gone
        took = clock.moment().mono - began
        clock.sleep(pace.rest(took) / MICROS)
        step = max(1, min(_LARGEST_STEP, step * pace.step_us // max(took, pace.step_us // 2)))


def _delete_some(before: int, carried: int | None, step: int) -> Delete:
    """Return the statement that deletes *step* old attempts which no budget will ask for again."""
    some = (
        select(attempts.c.seq)
        .where(attempts.c.started_at < before, attempts.c.status != "reserved", _NOT_THE_NEWEST)
        .limit(step)
    )
    if carried is not None:
        some = some.where(attempts.c.seq <= carried)
    return delete(attempts).where(attempts.c.seq.in_(some.scalar_subquery()))


def _shrink(engine: Engine, clock: Clock, pace: Pace) -> tuple[int, int]:
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
        clock.sleep(pace.rest(clock.moment().mono - began) / MICROS)
    return (first - left) * size, left * size
