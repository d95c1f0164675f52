from __future__ import annotations

import datetime as dt
import threading
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from switchgear.ledger import Ledger
from switchgear.ledger.counted import Counted
from switchgear.ledger.engine import reading
from switchgear.ledger.housekeeping import Housekeeping
from switchgear.ledger.schema import budget_marks

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ledger.conftest import Rows

    from switchgear.testing import ManualClock

DAY = 86_400.0
DAY_US = 86_400_000_000


def keeper(ledger: Ledger, clock: ManualClock, run: Callable[[Callable[[], None]], None] | None) -> Housekeeping:
    """Return one that keeps attempts for 30 days and knows one budget."""
    return Housekeeping(
        ledger,
        budgets=lambda: [Counted(each="job")],
        retention_days=lambda: 30,
        zone=ZoneInfo("Europe/Vienna"),
        clock=clock,
        run=run,
    )


def at_once(task: Callable[[], None]) -> None:
    """Do it now."""
    task()


def ended(ledger: Ledger, rows: Rows, call_id: str, at: int) -> None:
    """Record a call that began at *at*."""
    ledger.reserve(rows.reserved(call_id, at=at, job="a"))
    ledger.settle(rows.settled(call_id)).wait()


def test_retention_is_kept_by_night(ledger: Ledger, rows: Rows, clock: ManualClock) -> None:
    """Old attempts go five minutes after the start, then every night at half past three where people live."""
    keep = keeper(ledger, clock, at_once)
    for days in (40, 30):
        ended(ledger, rows, f"call-{days}", rows.noon - days * DAY_US + 1)
    ended(ledger, rows, "new", rows.noon)
    pruned_at: list[dt.datetime] = []
    known = 0
    for _ in range(3 * 24 * 12):
        clock.advance(300)
        keep.tick()
        events = ledger.reader.events(kind="attempts_pruned")
        if len(events) > known:
            known = len(events)
            pruned_at.append(dt.datetime.fromtimestamp(events[0].at / 1e6, ZoneInfo("Europe/Vienna")))
            ended(ledger, rows, f"again-{known}", rows.noon - 40 * DAY_US)
            ended(ledger, rows, f"newest-{known}", rows.noon)

    assert [f"{at:%d %H:%M}" for at in pruned_at] == ["25 13:05", "26 03:30", "27 03:30", "28 03:30"]
    assert events[0].what["by"] == "retention_days"
    assert ledger.spend(Counted(each="job"), now_us=clock.moment().wall)["a"].cost == 300 * (3 + 2 * known)


def test_budgets_are_carried_forward_every_minute(ledger: Ledger, rows: Rows, clock: ManualClock) -> None:
    """A crash leaves a minute to be read again, not the period."""
    keep = keeper(ledger, clock, at_once)
    ended(ledger, rows, "call", rows.noon)
    marks = []
    for _ in range(2):
        clock.advance(31)
        keep.tick()
        with reading(ledger._engine) as connection:  # noqa: SLF001 - nothing else shows where the mark is
            marks.append(connection.execute(select(budget_marks.c.seq)).scalar())

    assert marks == [None, 1]


def test_one_task_at_a_time(ledger: Ledger, clock: ManualClock) -> None:
    """What takes longer than a minute is not begun a second time meanwhile."""
    tasks: list[Callable[[], None]] = []
    keep = keeper(ledger, clock, tasks.append)
    for _ in range(3):
        clock.advance(70)
        keep.tick()
    assert len(tasks) == 1

    tasks[0]()
    keep.tick()
    assert len(tasks) == 2


def test_closing_ends_it_after_its_step(ledger: Ledger, rows: Rows, clock: ManualClock) -> None:
    """A server that ends does not wait for a long pruning; nothing begins after that."""
    for number in range(3):
        ended(ledger, rows, f"call-{number}", rows.noon - 50 * DAY_US)
    waiting: list[Callable[[], None]] = []
    keep = keeper(ledger, clock, waiting.append)
    clock.advance(301)
    keep.tick()
    keep.close()
    waiting[0]()
    keep.tick()

    assert len(waiting) == 1
    assert len(ledger.reader.calls().items) == 3


def test_a_ledger_that_fails_is_no_end(ledger: Ledger, clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    """What can't be done is logged and tried again another time."""
    keep = keeper(ledger, clock, at_once)
    with ledger._engine.begin() as connection:  # noqa: SLF001 - a file that goes wrong would do the same
        connection.exec_driver_sql("DROP TABLE budget_marks")
    clock.advance(61)
    keep.tick()
    clock.advance(61)
    keep.tick()

    assert [record.message.split(":")[0] for record in caplog.records] == ["housekeeping of the ledger"] * 2


def test_it_works_beside_the_caller(ledger: Ledger, rows: Rows, clock: ManualClock) -> None:
    """A tick returns at once; closing waits for the thread."""
    ended(ledger, rows, "call", rows.noon)
    keep = keeper(ledger, clock, None)
    clock.advance(61)
    keep.tick()
    keep.close()

    assert all(thread.name != "switchgear-housekeeping" for thread in threading.enumerate())
    with reading(ledger._engine) as connection:  # noqa: SLF001 - nothing else shows where the mark is
        assert connection.execute(select(budget_marks.c.seq)).scalar() in {None, 1}
