from __future__ import annotations

import base64
import random
from typing import TYPE_CHECKING

import pytest

from switchgear.events import BreakerChanged, BudgetCrossed
from switchgear.ledger.schema import BUCKET_US
from switchgear.ledger.views import CallFilter

if TYPE_CHECKING:
    from tests.ledger.conftest import Rows

    from switchgear.ledger import Ledger


def test_a_row_tells_everything(ledger: Ledger, rows: Rows) -> None:
    """Everything that was handed over comes back."""
    ledger.reserve(
        rows.reserved(
            job="j", run="r", layer="l", key="k", tags=(("b", "2"), ("a", "1"), ("a", "0")), trace_id="f" * 32
        )
    )
    ledger.settle(rows.settled(error="ReadTimeout: slow", status="failed")).wait()
    [row] = ledger.reader.call("call-1")

    assert (row.id, row.call_id, row.attempt, row.started_at) == ("call-1-1", "call-1", 1, rows.noon)
    assert (row.job, row.run, row.layer, row.key, row.tags) == ("j", "r", "l", "k", {"a": "1", "b": "2"})
    assert (row.status, row.http_status, row.error) == ("failed", 200, "ReadTimeout: slow")
    assert (row.input_tokens, row.output_tokens, row.cache_read_tokens, row.units) == (90, 20, 10, {})
    assert (row.reserved, row.cost, row.price_version) == (1_000, 300, "2026-11")
    assert (row.waited_us, row.duration_us, row.trace_id) == (7, 2_000, "f" * 32)
    assert (row.streamed, row.estimated, row.refused_by, row.refusal) == (False, False, None, None)


def test_a_reserved_row_shows_its_bound(ledger: Ledger, rows: Rows) -> None:
    """On the wire an attempt shows the worst case as an estimate, and no cost."""
    ledger.reserve(rows.reserved()).wait()
    [row] = ledger.reader.call("call-1")

    assert (row.status, row.estimated, row.input_tokens, row.output_tokens) == ("reserved", True, 100, 50)
    assert (row.reserved, row.cost, row.duration_us) == (1_000, None, None)
    assert ledger.reader.open_calls() == 1
    assert ledger.reader.totals()[0].calls == 0


def test_a_refused_row_tells_why(ledger: Ledger, rows: Rows) -> None:
    """A refusal costs nothing, uses nothing and keeps the whole decision."""
    ledger.refuse(rows.refused()).wait()
    [row] = ledger.reader.call("call-1")
    [total] = ledger.reader.totals()

    assert (row.status, row.refused_by, row.cost, row.input_tokens) == ("refused", "budget", 0, 0)
    assert row.refusal is not None
    assert row.refusal["rule"] == "small"
    assert (total.refused, total.unpriced, total.cost, total.waited_us) == (1, 0, 0, 0)


def test_attempts_of_a_call_are_in_order(ledger: Ledger, rows: Rows) -> None:
    """A retry is a row of its own; an unknown call has none."""
    ledger.reserve(rows.reserved(attempt=2))
    ledger.reserve(rows.reserved(attempt=1)).wait()

    assert [row.id for row in ledger.reader.call("call-1")] == ["call-1-1", "call-1-2"]
    assert ledger.reader.call("call-1-2") == ledger.reader.call("call-1")
    assert ledger.reader.call("nobody") == ()


def test_paging_is_complete_while_rows_are_added(ledger: Ledger, rows: Rows) -> None:
    """Reading on skips and repeats nothing, although newer attempts arrive between the pages."""
    for number in range(25):
        ledger.reserve(rows.reserved(f"call-{number:02}")).wait()
    seen: list[str] = []
    after: str | None = None
    for page_number in range(4):
        page = ledger.reader.calls(limit=8, after=after)
        seen += [row.call_id for row in page.items]
        after = page.next
        ledger.reserve(rows.reserved(f"new-{page_number}")).wait()

    assert after is None
    assert seen == [f"call-{number:02}" for number in reversed(range(25))]


def test_a_full_last_page_ends_the_list(ledger: Ledger, rows: Rows) -> None:
    """There is no empty page at the end."""
    for number in range(4):
        ledger.reserve(rows.reserved(f"call-{number}")).wait()
    first = ledger.reader.calls(limit=2)
    second = ledger.reader.calls(limit=2, after=first.next)

    assert first.next is not None
    assert second.next is None
    assert len(second.items) == 2


@pytest.mark.parametrize(
    "cursor",
    ["", "nonsense", "é", "c2Vx", base64.urlsafe_b64encode(b"seq x").decode(), base64.b64encode(b"id 1").decode()],
)
def test_a_bad_cursor_is_named(ledger: Ledger, cursor: str) -> None:
    """Only what was given as *next* is taken."""
    with pytest.raises(ValueError, match="not a place in this list"):
        ledger.reader.calls(after=cursor)


@pytest.mark.parametrize(
    ("where", "found"),
    [
        (CallFilter(), {"ok", "failed", "refused", "open"}),
        (CallFilter(status="ok"), {"ok"}),
        (CallFilter(status="failed"), {"failed"}),
        (CallFilter(status="reserved"), {"open"}),
        (CallFilter(refused_by="budget"), {"refused"}),
        (CallFilter(service="anthropic"), {"failed"}),
        (CallFilter(model="claude"), {"failed"}),
        (CallFilter(job="a"), {"ok", "refused"}),
        (CallFilter(job="a", status="ok"), {"ok"}),
        (CallFilter(run="r", layer="l", key="k", trace_id="t"), {"open"}),
        (CallFilter(since=1_764_072_000_000_005), {"open"}),
        (CallFilter(until=1_764_072_000_000_005), {"ok", "failed", "refused"}),
        (CallFilter(since=1_764_072_000_000_000, until=1_764_072_000_000_006), {"ok", "failed", "refused", "open"}),
        (CallFilter(since=1_764_072_000_000_006), set()),
        (CallFilter(since=1_764_072_000_000_005, status="ok"), set()),
        (CallFilter(job="a", until=1_764_072_000_000_005), {"ok", "refused"}),
        (CallFilter(job="a", since=1_764_072_000_000_005), set()),
    ],
)
def test_filters(ledger: Ledger, rows: Rows, where: CallFilter, found: set[str]) -> None:
    """Each field of the filter narrows the list; *since* is inclusive and *until* is not."""
    ledger.reserve(rows.reserved("ok", job="a"))
    ledger.settle(rows.settled("ok"))
    ledger.reserve(rows.reserved("failed", service="anthropic", model="claude"))
    ledger.settle(rows.settled("failed", status="failed"))
    ledger.refuse(rows.refused("refused", job="a"))
    ledger.reserve(rows.reserved("open", run="r", layer="l", key="k", trace_id="t", at=rows.noon + 5)).wait()

    assert {row.call_id for row in ledger.reader.calls(where).items} == found


def test_time_counts_not_the_order_of_arrival(ledger: Ledger, rows: Rows) -> None:
    """A wall clock that jumps back puts nothing into the wrong time."""
    for call_id, second in [("late", 9), ("early", 1), ("later", 10), ("middle", 5)]:
        ledger.reserve(rows.reserved(call_id, at=rows.noon + second)).wait()

    found = ledger.reader.calls(CallFilter(since=rows.noon + 2, until=rows.noon + 10)).items

    assert [row.call_id for row in found] == ["middle", "late"]


def four_quarters(ledger: Ledger, rows: Rows) -> None:
    """Record an hour: one attempt a quarter, of two services in turn."""
    for number in range(4):
        service = ("openai", "anthropic")[number % 2]
        ledger.reserve(rows.reserved(f"call-{number}", service=service, at=rows.noon + number * BUCKET_US + 1))
        ledger.settle(rows.settled(f"call-{number}")).wait()


def test_totals_of_nothing(ledger: Ledger) -> None:
    """An empty ledger has one total of zeros, and no series."""
    [total] = ledger.reader.totals()

    assert (total.calls, total.cost, total.group, total.bucket) == (0, 0, {}, None)
    assert ledger.reader.totals(by=("service",)) == ()
    assert ledger.reader.totals(bucket_us=BUCKET_US) == ()


def test_totals_by_group_and_bucket(ledger: Ledger, rows: Rows) -> None:
    """Groups and buckets come in order, with the sums of theirs only."""
    four_quarters(ledger, rows)
    half = 2 * BUCKET_US

    assert [(total.group, total.calls) for total in ledger.reader.totals(by=("service",))] == [
        ({"service": "anthropic"}, 2),
        ({"service": "openai"}, 2),
    ]
    assert [(total.bucket, total.calls, total.cost) for total in ledger.reader.totals(bucket_us=half)] == [
        (rows.noon, 2, 600),
        (rows.noon + half, 2, 600),
    ]
    assert [
        (total.bucket, total.group["service"]) for total in ledger.reader.totals(by=("service",), bucket_us=half)
    ] == [
        (rows.noon, "anthropic"),
        (rows.noon, "openai"),
        (rows.noon + half, "anthropic"),
        (rows.noon + half, "openai"),
    ]


def test_totals_of_a_time(ledger: Ledger, rows: Rows) -> None:
    """The time is widened to whole quarters of an hour; a service narrows it."""
    four_quarters(ledger, rows)
    reader = ledger.reader

    assert reader.totals(since=rows.noon + BUCKET_US + 5)[0].calls == 3
    assert reader.totals(until=rows.noon + BUCKET_US)[0].calls == 1
    assert reader.totals(until=rows.noon + BUCKET_US + 5)[0].calls == 2
    assert reader.totals(since=rows.noon, service="anthropic")[0].calls == 2


@pytest.mark.parametrize("bucket_us", [0, -BUCKET_US, BUCKET_US + 1, 60_000_000])
def test_buckets_are_whole_quarters(ledger: Ledger, bucket_us: int) -> None:
    """A series can't be finer than the roll-ups."""
    with pytest.raises(ValueError, match="multiple of 15 minutes"):
        ledger.reader.totals(bucket_us=bucket_us)


def test_job_totals_put_the_dearest_first(ledger: Ledger, rows: Rows) -> None:
    """Jobs come by cost; attempts without a job are a group of their own."""
    for call_id, job, cost in [("a", "cheap", 10), ("b", "dear", 90), ("c", "dear", 10), ("d", None, 50)]:
        ledger.reserve(rows.reserved(call_id, job=job))
        ledger.settle(rows.settled(call_id, cost=cost)).wait()

    assert [(total.group["job"], total.cost, total.ok) for total in ledger.reader.job_totals()] == [
        ("dear", 100, 2),
        (None, 50, 1),
        ("cheap", 10, 1),
    ]
    assert len(ledger.reader.job_totals(limit=1)) == 1


def test_latency_of_what_went_out(ledger: Ledger, rows: Rows) -> None:
    """Shares are taken of settled attempts in the time asked for; without any there is no answer."""
    for number in range(1, 101):
        ledger.reserve(rows.reserved(f"call-{number}", at=rows.noon + number))
        ledger.settle(rows.settled(f"call-{number}", duration_us=number * 1_000))
    ledger.reserve(rows.reserved("open", at=rows.noon + 50))
    ledger.refuse(rows.refused("refused", at=rows.noon + 50)).wait()
    reader = ledger.reader
    until = rows.noon + 1_000

    assert reader.latency(since=rows.noon, until=until) == {0.5: 50_000, 0.95: 95_000, 0.99: 99_000}
    assert reader.latency(since=rows.noon, until=rows.noon + 11, shares=(0.0, 1.0)) == {0.0: 1_000, 1.0: 10_000}
    assert reader.latency(since=rows.noon, until=until, service="anthropic") is None
    assert reader.latency(since=until, until=until + 1) is None


def test_events_come_newest_first(ledger: Ledger, rows: Rows) -> None:
    """An event comes back with its own fields, its kind and whom it is about."""
    ledger.record(BreakerChanged(service="openai", old="closed", new="open", reason="5 failures", at=1, until=9))
    ledger.record(
        BudgetCrossed(budget="month", value="acme", threshold=0.75, used=8, limit=10, unit="usd", at=2)
    ).wait()
    newest, oldest = ledger.reader.events()

    assert (newest.kind, newest.subject, newest.at) == ("budget_crossed", "month", 2)
    assert newest.what["threshold"] == 0.75
    assert oldest.what == {
        "service": "openai",
        "old": "closed",
        "new": "open",
        "reason": "5 failures",
        "at": 1,
        "opened_times": 0,
        "until": 9,
    }
    assert ledger.reader.events(kind="breaker_changed") == (oldest,)
    assert len(ledger.reader.events(limit=1)) == 1


def test_the_size_grows(ledger: Ledger, rows: Rows) -> None:
    """The size is that of the database, in bytes."""
    before = ledger.reader.size_bytes()
    text = random.Random(1).randbytes(50_000).hex()  # no engine can make it smaller than half
    ledger.reserve(rows.reserved(model=text)).wait()

    assert ledger.reader.size_bytes() >= before + 50_000
