from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update

from switchgear.ledger import Ledger
from switchgear.ledger.access import changing
from switchgear.ledger.retention import prune
from switchgear.ledger.schema import BUCKET_US, SUMS, events, job_totals, rollups
from switchgear.ledger.verify import repair, verify
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine
    from tests.ledger.conftest import Rows

    from switchgear.calls import CallStatus

DAY_US = 86_400_000_000


def engine_of(ledger: Ledger) -> Engine:
    """Return what the tools work on."""
    return ledger._engine  # noqa: SLF001 - the tools work on the engine


def fill(ledger: Ledger, rows: Rows, *, calls: int = 12) -> None:
    """Record *calls* of every kind over some quarters of an hour, jobs and models."""
    endings: tuple[CallStatus, ...] = ("ok", "failed", "cancelled")
    for number in range(calls):
        at = rows.noon - number * BUCKET_US // 3
        job = None if number % 4 == 0 else f"job-{number % 3}"
        call = f"call-{number}"
        ledger.reserve(rows.reserved(call, at=at, job=job, layer="fit" if number % 2 else None))
        if number % 5:
            cost = None if number % 7 == 0 else 300 + number
            ledger.settle(rows.settled(call, status=endings[number % 3], cost=cost))
        ledger.refuse(rows.refused(f"no-{number}", at=at, job=job)).wait()


def test_a_ledger_that_adds_up(ledger: Ledger, rows: Rows) -> None:
    """What the writer has written verifies, with calls on the wire left out."""
    fill(ledger, rows)

    found = verify(engine_of(ledger))

    assert (found.sound, found.differences, found.since) == (True, (), None)
    assert found.attempts == sum(one.calls for one in ledger.reader.totals())
    assert found.attempts < 24


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_any_corruption_is_found_and_repaired(rows: Rows, data: st.DataObject) -> None:
    """Whatever sums are changed, lost or invented: exactly these groups are named, and repair restores all sums."""
    with Ledger.open("sqlite://", clock=ManualClock()) as ledger:
        fill(ledger, rows)
        engine = engine_of(ledger)
        before = (ledger.reader.totals(by=("model", "status"), bucket_us=BUCKET_US), ledger.reader.job_totals())
        hurt: set[tuple[str, tuple[int | str, ...]]] = set()
        for _ in range(data.draw(st.integers(1, 5))):
            table = data.draw(st.sampled_from([rollups, job_totals]))
            names = [column.name for column in table.primary_key]
            with changing(engine) as connection:
                groups = [tuple(row) for row in connection.execute(table.select()).all()]
                keys = [row[: len(names)] for row in groups]
                key = data.draw(st.sampled_from(keys))
                where = [table.c[name] == value for name, value in zip(names, key, strict=True)]
                kind = data.draw(st.sampled_from(["change", "lose", "invent"]))
                if kind == "change":
                    name = data.draw(st.sampled_from(SUMS))
                    by = data.draw(st.integers(1, 1 << 40))
                    connection.execute(update(table).where(*where).values({name: table.c[name] + by}))
                elif kind == "lose":
                    connection.execute(delete(table).where(*where))
                else:
                    key = (*key[:-1], f"invented-{len(hurt)}")
                    values = dict(zip(names, key, strict=True)) | dict.fromkeys(SUMS, 3)
                    connection.execute(insert(table).values(values))
            if kind == "lose" and str(key[-1]).startswith("invented"):
                hurt.discard((table.name, key))
            else:
                hurt.add((table.name, key))

        found = verify(engine)
        mended = repair(engine, now_us=rows.noon, by="ann")

        assert {(one.table, tuple(one.group.values())) for one in found.differences} == hurt
        assert found.sound == (not hurt)
        assert (mended.repaired, mended.sound) == (len(hurt), True)
        assert verify(engine).differences == ()
        assert (
            ledger.reader.totals(by=("model", "status"), bucket_us=BUCKET_US),
            ledger.reader.job_totals(),
        ) == before
        told = [event.what for event in ledger.reader.events(kind="sums_repaired")]
        assert told == ([{"groups": len(hurt), "by": "ann"}] if hurt else [])


def test_a_difference_names_only_what_differs(ledger: Ledger, rows: Rows) -> None:
    """The sums that are right are not listed."""
    ledger.refuse(rows.refused(job="acme")).wait()
    with changing(engine_of(ledger)) as connection:
        connection.execute(update(job_totals).values(calls=5))

    [one] = verify(engine_of(ledger)).differences

    assert (one.table, one.group) == ("job_totals", {"job": "acme", "status": "refused"})
    assert (one.expected, one.found, one.repairable) == ({"calls": 1}, {"calls": 5}, True)


def test_nothing_to_repair_leaves_no_trace(ledger: Ledger, rows: Rows) -> None:
    """Repairing a sound ledger changes nothing, not even the audit trail."""
    fill(ledger, rows)

    assert repair(engine_of(ledger), now_us=rows.noon, by="ann").repaired == 0
    assert ledger.reader.events() == ()


@pytest.fixture
def pruned(ledger: Ledger, rows: Rows, clock: ManualClock) -> Engine:
    """A ledger with attempts of today, and one of a week ago that was pruned."""
    ledger.refuse(rows.refused("old", at=rows.noon - 7 * DAY_US, job="acme"))
    ledger.refuse(rows.refused("new", at=rows.noon, job="acme")).wait()
    engine = engine_of(ledger)
    prune(engine, before_us=rows.noon - 5 * DAY_US, budgets=(), clock=clock, by="ann")
    return engine


def test_what_was_pruned_is_not_missed(pruned: Engine, rows: Rows) -> None:
    """Sums of attempts that are gone are no error, and the report says from when on it has compared."""
    found = verify(pruned)

    assert found.sound
    assert found.attempts == 1
    assert found.since == rows.noon - 5 * DAY_US


def test_job_totals_after_pruning_must_be_those_of_rollups(pruned: Engine) -> None:
    """A wrong job total is found all the same, but only its attempts could tell the right one."""
    with changing(pruned) as connection:
        connection.execute(update(job_totals).values(calls=7))

    found = repair(pruned, now_us=1, by="ann")

    [one] = found.differences
    assert (one.group["job"], one.expected, one.found) == ("(all jobs)", {"calls": 2}, {"calls": 7})
    assert (one.repairable, found.repaired, found.sound) == (False, 0, False)


def test_a_job_with_less_than_its_attempts_is_found(pruned: Engine) -> None:
    """After pruning no job may have less than the attempts that are left."""
    with changing(pruned) as connection:
        connection.execute(update(job_totals).values(calls=0))

    groups = [one.group["job"] for one in verify(pruned).differences]

    assert groups == ["acme", "(all jobs)"]


def test_it_reads_beside_a_writer(tmp_path: Path, rows: Rows, clock: ManualClock) -> None:
    """While a ledger is open for writing, another connection verifies it, and the events table stays untouched."""
    from switchgear.ledger.access import looking

    url = f"sqlite:///{tmp_path}/ledger.db"
    with Ledger.open(url, clock=clock) as ledger:
        fill(ledger, rows)
        with looking(url) as engine, engine.connect() as connection:
            assert verify(engine).sound
            assert connection.execute(events.select()).all() == []
