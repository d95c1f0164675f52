from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, composite
from sqlalchemy import select

from switchgear.calls import Usage
from switchgear.errors import LedgerError
from switchgear.ledger import Ledger
from switchgear.ledger.engine import reading
from switchgear.ledger.recovery import settle_orphans
from switchgear.ledger.schema import BUCKET_US, SUMS, rollups
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.ledger.conftest import CallFields, Rows

    from switchgear.calls import CallStatus
    from switchgear.ledger.commit import Commit
    from switchgear.ledger.views import CallRow, Dimension

Step = Literal["reserve", "settle", "refuse", "orphan"]

EVERY: tuple[Dimension, ...] = ("service", "model", "layer", "key", "status")

maybe = st.sampled_from([None, "", "a", "b"])
endings: st.SearchStrategy[CallStatus] = st.sampled_from(["ok", "failed", "cancelled"])
amounts = st.integers(min_value=0, max_value=1 << 40)
usages = st.builds(
    Usage,
    input_tokens=amounts,
    output_tokens=amounts,
    cache_read_tokens=amounts,
    cache_write_tokens=amounts,
    reasoning_tokens=amounts,
)


def expected(rows: Iterable[CallRow]) -> Counter[tuple[object, ...]]:
    """Sum *rows* up as roll-ups should."""
    found: Counter[tuple[object, ...]] = Counter()
    for row in rows:
        if row.status == "reserved":
            continue
        went_out = row.status != "refused"
        bucket = row.started_at // BUCKET_US * BUCKET_US
        group = (bucket, row.service, row.model or None, row.layer or None, row.key or None, row.status)
        sums = {name: getattr(row, name) or 0 for name in SUMS if name not in {"calls", "unpriced"}}
        sums |= {"calls": 1, "unpriced": int(went_out and row.cost is None)}
        sums["waited_us"] = row.waited_us if went_out else 0
        for name, value in sums.items():
            found[(*group, name)] += int(value)
    return found


def outcome(commits: list[Commit]) -> None:
    """Wait for all; some of them are meant to fail."""
    for commit in commits:
        with suppress(LedgerError):
            commit.wait(10)
    commits.clear()


@composite
def histories(draw: DrawFn) -> list[tuple[Step, int]]:
    """Return steps over few calls, so that the same call is settled twice, or never, or out of turn."""
    steps: st.SearchStrategy[Step] = st.sampled_from(["reserve", "settle", "settle", "refuse", "orphan"])
    return draw(st.lists(st.tuples(steps, st.integers(0, 7)), max_size=20))


@settings(max_examples=30, deadline=None)
@given(history=histories(), data=st.data())
def test_rollups_are_the_sum_of_the_rows(rows: Rows, history: list[tuple[Step, int]], data: st.DataObject) -> None:
    """After any history of reservations, settlements, refusals and orphans, roll-ups and job totals add up."""
    with Ledger.open("sqlite://", clock=ManualClock()) as ledger:
        play(ledger, rows, history, data)


@settings(max_examples=10, deadline=None)
@given(history=histories(), data=st.data())
def test_rollups_on_postgres_are_the_sum_of_the_rows(
    make_postgres: Callable[[], str], rows: Rows, history: list[tuple[Step, int]], data: st.DataObject
) -> None:
    """The same on PostgreSQL, where orphans are those of a process that is gone."""
    url = make_postgres()
    for part in history[: len(history) // 2], history[len(history) // 2 :]:
        with Ledger.open(url, clock=ManualClock()) as ledger:
            play(ledger, rows, [step for step in part if step[0] != "orphan"], data)


def play(ledger: Ledger, rows: Rows, history: list[tuple[Step, int]], data: st.DataObject) -> None:
    """Do what *history* says, and compare every sum with the rows."""
    pending: list[Commit] = []
    for step, number in history:
        call_id = f"call-{number}"
        place: CallFields = {
            "model": data.draw(maybe),
            "layer": data.draw(maybe),
            "key": data.draw(maybe),
            "job": data.draw(maybe),
            "bound": data.draw(usages),
        }
        at = rows.noon + data.draw(st.integers(-1, 1)) * BUCKET_US // 2
        cost = data.draw(st.none() | amounts)
        if step == "reserve":
            pending.append(ledger.reserve(rows.reserved(call_id, cost=cost, at=at, **place)))
        elif step == "refuse":
            pending.append(ledger.refuse(rows.refused(call_id, cost=cost, at=at, **place)))
        elif step == "settle":
            status = data.draw(endings)
            settled = rows.settled(call_id, status=status, cost=cost, usage=data.draw(usages), model=data.draw(maybe))
            pending.append(ledger.settle(settled))
        else:
            outcome(pending)
            settle_orphans(ledger._engine, now_us=rows.noon)  # noqa: SLF001 - only opening does it otherwise
    outcome(pending)
    known = ledger.reader.calls(limit=1_000).items
    totals = ledger.reader.totals(by=EVERY, bucket_us=BUCKET_US)
    jobs = ledger.reader.job_totals(limit=1_000)
    [everything] = ledger.reader.totals()

    wanted = expected(known)
    found = Counter(
        {
            (total.bucket, *(total.group[name] for name in EVERY), name): getattr(total, name)
            for total in totals
            for name in SUMS
        }
    )
    assert found == wanted
    assert sum(getattr(total, total.group["status"] or "") for total in totals) == everything.calls
    for name in SUMS:
        whole = sum(value for (*_, what), value in wanted.items() if what == name)
        assert getattr(everything, name) == whole
        assert sum(getattr(job, name) for job in jobs) == whole
    assert {job.group["job"]: job.calls for job in jobs} == Counter(
        row.job or None for row in known if row.status != "reserved"
    )


def test_a_bad_record_leaves_no_sums(ledger: Ledger, rows: Rows) -> None:
    """A refusal that can't be written is in no roll-up either."""
    ledger.refuse(rows.refused()).wait()
    commits = [ledger.refuse(rows.refused()), ledger.refuse(rows.refused("call-2"))]
    outcome(commits)

    assert ledger.reader.totals()[0].refused == 2


def test_a_quarter_of_an_hour_is_one_rollup(ledger: Ledger, rows: Rows) -> None:
    """Attempts of the same quarter share a row, so that roll-ups stay few."""
    for number, at in enumerate([0, 1, BUCKET_US - 1, BUCKET_US]):
        ledger.refuse(rows.refused(f"call-{number}", at=rows.noon + at)).wait()
    with reading(ledger._engine) as connection:  # noqa: SLF001 - the reader would group them itself
        found = connection.execute(select(rollups.c.bucket_start, rollups.c.calls)).all()

    assert [tuple(row) for row in found] == [(rows.noon, 3), (rows.noon + BUCKET_US, 1)]


def test_a_settlement_counts_under_the_billed_model(ledger: Ledger, rows: Rows) -> None:
    """The provider's word for the model is what people see in rows and roll-ups."""
    ledger.reserve(rows.reserved(model="gpt-5")).wait()
    ledger.settle(rows.settled(model="gpt-5-2025-08-07")).wait()

    assert [row.model for row in ledger.reader.call("call-1")] == ["gpt-5-2025-08-07"]
    assert [total.group for total in ledger.reader.totals(by=("model",))] == [{"model": "gpt-5-2025-08-07"}]
