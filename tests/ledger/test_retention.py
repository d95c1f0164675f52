from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from switchgear.errors import LedgerError
from switchgear.ledger import Ledger
from switchgear.ledger.access import beside, changing
from switchgear.ledger.engine import reading
from switchgear.ledger.retention import prune
from switchgear.ledger.schema import attempts
from switchgear.ledger.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine
    from tests.ledger.conftest import Rows

    from switchgear.testing import ManualClock

DAY_US = 86_400_000_000


def engine_of(ledger: Ledger) -> Engine:
    """Return what the tools work on."""
    return ledger._engine  # noqa: SLF001 - the tools work on the engine


def left(ledger: Ledger) -> set[str]:
    """Return the calls that are still there."""
    with reading(engine_of(ledger)) as connection:
        return set(connection.execute(select(attempts.c.call_id)).scalars())


def test_old_attempts_go_and_sums_stay(ledger: Ledger, rows: Rows, clock: ManualClock) -> None:
    """Attempts older than the edge are gone; roll-ups, job totals and younger attempts are what they were."""
    for days in (100, 40, 5, 1):
        ledger.reserve(rows.reserved(f"call-{days}", at=rows.noon - days * DAY_US, job="acme"))
        ledger.settle(rows.settled(f"call-{days}")).wait()
    before = (ledger.reader.totals(), ledger.reader.job_totals())
    told: list[int] = []

    done = prune(
        engine_of(ledger), before_us=rows.noon - 30 * DAY_US, budgets=(), clock=clock, by="ann", progress=told.append
    )

    assert done.attempts == 2
    assert sum(told) == 2
    assert left(ledger) == {"call-1", "call-5"}
    assert (ledger.reader.totals(), ledger.reader.job_totals()) == before
    [event] = ledger.reader.events(kind="attempts_pruned")
    assert event.what == {"before": done.before, "attempts": 2, "by": "ann"}


def test_calls_on_the_wire_stay(ledger: Ledger, rows: Rows, clock: ManualClock) -> None:
    """A reservation is never deleted, however old it is."""
    ledger.reserve(rows.reserved("flying", at=rows.noon - 50 * DAY_US)).wait()

    assert prune(engine_of(ledger), before_us=rows.noon - 9 * DAY_US, budgets=(), clock=clock, by="ann").attempts == 0
    assert left(ledger) == {"flying"}
    assert ledger.reader.events() == ()


def test_the_newest_attempt_stays(ledger: Ledger, rows: Rows, clock: ManualClock) -> None:
    """Its number must not be given to another one: budgets remember up to which number they have counted."""
    for number in range(3):
        ledger.refuse(rows.refused(f"call-{number}", at=rows.noon - 20 * DAY_US)).wait()

    done = prune(engine_of(ledger), before_us=rows.noon - 9 * DAY_US, budgets=(), clock=clock, by="ann")

    assert done.attempts == 2
    assert left(ledger) == {"call-2"}


def test_the_last_two_days_are_needed(ledger: Ledger, rows: Rows, clock: ManualClock) -> None:
    """Daily limits are rebuilt from the last day, so an edge within it is refused."""
    with pytest.raises(LedgerError, match="the last two days can't be pruned"):
        prune(engine_of(ledger), before_us=rows.noon - DAY_US, budgets=(), clock=clock, by="ann")


def test_the_file_shrinks_and_another_writer_gets_in(tmp_path: Path, rows: Rows, clock: ManualClock) -> None:
    """Beside a writer, in many small steps: space goes back to the disk, and the writer's rows are all there."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger.open(url, clock=clock) as ledger:
        for number in range(3000):
            ledger.refuse(rows.refused(f"old-{number}", at=rows.noon - 30 * DAY_US))
        ledger.refuse(rows.refused("wait", at=rows.noon)).wait()
        size = ledger.reader.size_bytes()
        with beside(url) as engine:
            done = prune(
                engine,
                before_us=rows.noon - 9 * DAY_US,
                budgets=(),
                clock=clock,
                by="ann",
                progress=lambda count: ledger.refuse(rows.refused(f"new-{count}")).wait(),
            )
            assert verify(engine).sound

        assert done.attempts == 3000
        assert done.reusable_bytes == 0
        assert done.freed_bytes > size // 2
        assert ledger.reader.size_bytes() <= size - done.freed_bytes + 40 * 4096
        assert len(left(ledger)) > 2


def test_a_ledger_that_cannot_shrink_says_so(tmp_path: Path, rows: Rows, clock: ManualClock) -> None:
    """A file that was made without auto_vacuum keeps its size, and says how much of it is free."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA auto_vacuum = NONE")
        raw.execute("CREATE TABLE t (a)")
        raw.execute("DROP TABLE t")
        raw.commit()
    with Ledger.open(f"sqlite:///{path}", clock=clock) as ledger:
        for number in range(500):
            ledger.refuse(rows.refused(f"old-{number}", at=rows.noon - 30 * DAY_US))
        ledger.refuse(rows.refused("wait")).wait()
        done = prune(engine_of(ledger), before_us=rows.noon - 9 * DAY_US, budgets=(), clock=clock, by="ann")

    assert done.freed_bytes == 0
    assert done.reusable_bytes > 0


def test_a_change_takes_the_write_lock_before_it_reads(tmp_path: Path, clock: ManualClock) -> None:
    """What is read inside cannot be changed by anybody else before it is written."""
    path = tmp_path / "ledger.db"
    Ledger.open(f"sqlite:///{path}", clock=clock).close()
    with (
        beside(f"sqlite:///{path}") as engine,
        changing(engine),
        closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("BEGIN IMMEDIATE")
