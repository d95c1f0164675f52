from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from switchgear.events import BudgetCrossed
from switchgear.ledger import erase as erasing
from switchgear.ledger.engine import reading
from switchgear.ledger.erase import erase_job
from switchgear.ledger.retention import prune
from switchgear.ledger.rows import Entry
from switchgear.ledger.schema import attempts, events, job_totals
from switchgear.ledger.verify import verify

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from tests.ledger.conftest import Rows

    from switchgear.ledger import Ledger
    from switchgear.testing import ManualClock

DAY_US = 86_400_000_000


def engine_of(ledger: Ledger) -> Engine:
    """Return what the tools work on."""
    return ledger._engine  # noqa: SLF001 - the tools work on the engine


def everything(ledger: Ledger) -> str:
    """Return all that the ledger knows, as one text."""
    with reading(engine_of(ledger)) as connection:
        tables = (attempts, events, job_totals)
        return "\n".join(str(row) for table in tables for row in connection.execute(select(table)).all())


def fill(ledger: Ledger, rows: Rows) -> None:
    """Record calls of two jobs over weeks, one refused, one on the wire, and an event about each job."""
    for number in range(7):
        job = "secret-job" if number % 2 else "other"
        at = rows.noon - number * 3 * DAY_US
        call = f"call-{number}"
        ledger.reserve(rows.reserved(call, job=job, run=f"{job}-run", tags=(("who", job),), trace_id="t" * 32, at=at))
        ledger.settle(rows.settled(call, error=f"said {job}", cost=None if number == 3 else 5))
    ledger.refuse(rows.refused("refused", job="secret-job"))
    for value in ("secret-job", "other"):
        ledger.record(
            BudgetCrossed(budget="each", value=value, threshold=0.9, used=1, limit=2, unit="usd", at=rows.noon)
        )
        about = {"budget": "each", "value": value}
        alert = {"reason": "fires", "alert": {"rule": "budget-90", "labels": about}}
        silence = {"reason": "known", "matchers": {"value": value}}
        ledger.record(Entry(kind="alert_changed", subject=f"budget-90 {value}", at=rows.noon, what=alert))
        ledger.record(Entry(kind="silence_changed", subject="abc", at=rows.noon, what=silence))
    ledger.reserve(rows.reserved("flying", job="secret-job")).wait()


@pytest.mark.parametrize("days_kept", [5, None])
@pytest.mark.parametrize("step", [1, 500])
def test_a_job_is_forgotten_and_sums_stay(
    step: int, days_kept: int | None, ledger: Ledger, rows: Rows, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No text tells of the job any more; roll-ups and the totals of all jobs together are what they were."""
    monkeypatch.setattr(erasing, "_STEP", step)
    fill(ledger, rows)
    if days_kept is not None:
        prune(engine_of(ledger), before_us=rows.noon - days_kept * DAY_US, budgets=(), clock=clock, by="ann")
    before = ledger.reader.totals(by=("service", "model", "status"))
    calls = sum(one.calls for one in ledger.reader.job_totals())
    other = [one for one in ledger.reader.job_totals() if one.group["job"] == "other"]
    told: list[int] = []

    done = erase_job(engine_of(ledger), "secret-job", clock=clock, by="ann", progress=told.append)

    assert "secret-job" not in everything(ledger)
    assert (done.attempts, done.totals, done.events) == (5 if days_kept is None else 3, 2, 3)
    assert sum(told) == done.attempts
    assert ledger.reader.totals(by=("service", "model", "status")) == before
    assert sum(one.calls for one in ledger.reader.job_totals()) == calls
    assert [one for one in ledger.reader.job_totals() if one.group["job"] == "other"] == other
    assert verify(engine_of(ledger)).sound
    assert ledger.reader.events(kind="job_erased")[0].what == {"attempts": done.attempts, "by": "ann"}


def test_a_call_on_the_wire_ends_as_of_no_job(ledger: Ledger, rows: Rows, clock: ManualClock) -> None:
    """What was in flight when its job was erased is settled like any other call."""
    fill(ledger, rows)
    erase_job(engine_of(ledger), "secret-job", clock=clock, by="ann")

    ledger.settle(rows.settled("flying")).wait()

    assert verify(engine_of(ledger)).sound
    assert ledger.reader.call("flying")[0].job is None


def test_a_job_that_nobody_knows(ledger: Ledger, rows: Rows, clock: ManualClock) -> None:
    """Nothing is changed and nothing is noted."""
    fill(ledger, rows)
    before = everything(ledger)

    done = erase_job(engine_of(ledger), "nobody", clock=clock, by="ann")

    assert (done.attempts, done.totals, done.events) == (0, 0, 0)
    assert everything(ledger) == before
