from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from switchgear.calls import Attribution, Usage
from switchgear.insight.buckets import Bucket, bucket_start, cut_of, edges_of
from switchgear.insight.days import to_micros
from switchgear.insight.questions import Span
from switchgear.insight.usage import UsageQuestion, UsageReport, usage
from switchgear.ledger import Ledger
from switchgear.ledger.engine import open_engine
from switchgear.ledger.erase import erase_job
from switchgear.ledger.export import export
from switchgear.ledger.importing import import_attempts
from switchgear.ledger.reader import LedgerReader
from switchgear.ledger.rows import AttemptSettled
from switchgear.ledger.schema import rollups
from switchgear.ledger.usage_views import Asked, UsageFilter
from switchgear.ledger.verify import repair
from switchgear.testing import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Engine
    from tests.insight.conftest import Book

    from switchgear.insight.sources import UsageLedger

ZONES = ("UTC", "Europe/Vienna", "Asia/Kathmandu", "Australia/Lord_Howe")
QUARTER = 15 * 60 * 1_000_000
AUTUMN = to_micros(dt.datetime(2026, 10, 25, 1, tzinfo=dt.UTC))
SPRING = to_micros(dt.datetime(2026, 3, 29, 1, tzinfo=dt.UTC))
BUCKETS: tuple[Bucket, ...] = ("15min", "hour", "day", "week", "month", "none")

instants = st.builds(
    lambda anchor, quarters: anchor + quarters * QUARTER,
    st.sampled_from([AUTUMN, SPRING]),
    st.integers(-200, 200),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("call"), instants, st.sampled_from(["ok", "failed", "refused", "reserved"])),
        st.tuples(st.just("settle"), st.integers(0, 5), st.just("")),
        st.tuples(st.sampled_from(["spoil", "repair", "erase"]), st.just(0), st.just("")),
    ),
    min_size=1,
    max_size=12,
)
questions = st.lists(
    st.tuples(
        st.sampled_from(BUCKETS),
        st.sampled_from(ZONES),
        st.sampled_from([(), ("service",), ("provider", "status"), ("layer",)]),
        st.sampled_from([Span(None, None), Span(AUTUMN - 96 * QUARTER, AUTUMN + 7 * QUARTER)]),
    ),
    min_size=1,
    max_size=3,
)


def asked(reader: UsageLedger, bucket: Bucket, zone: str, by: tuple[str, ...], span: Span) -> UsageReport:
    """Ask for the usage; a bucket that is too fine for so long a time becomes a day."""
    fine = bucket if span.since is not None or bucket != "15min" else "day"
    question = UsageQuestion(by=by, bucket=fine, span=span)
    return usage(reader, question, zone=ZoneInfo(zone), providers={"a": "acme", "b": "acme"})


def settle(ledger: Ledger, number: int) -> None:
    """Settle a call of long ago, unless that has been done."""
    end = AttemptSettled(
        call_id=f"call-{number}",
        attempt=1,
        status="ok",
        usage=Usage(input_tokens=5),
        cost=7,
        price_version=None,
        estimated=False,
        http_status=200,
        error=None,
        model=None,
        ttft_us=None,
        duration_us=1,
    )
    ledger.settle(end).wait(10)


def engine_of(ledger: Ledger) -> Engine:
    """Return what another process would open."""
    return ledger._engine  # noqa: SLF001 - the writes that the reader must not know of


@settings(max_examples=60, deadline=None)
@given(history=steps, asking=questions)
def test_what_is_remembered_is_what_is_there(
    make_book: Callable[[], Book],
    history: list[tuple[str, int, str]],
    asking: list[tuple[Bucket, str, tuple[str, ...], Span]],
) -> None:
    """After every write a reader that has answered before says the same as one that has not, in any time zone."""
    book = make_book()
    ledger = book.done()
    spoilt = False
    for number, (what, at, status) in enumerate(history):
        if what == "call":
            on = Attribution(layer=f"layer-{number % 2}", job="acme")
            book.call(at, service="abc"[number % 3], status=status, on=on)  # type: ignore[arg-type]  # drawn from it
            book.done()
        elif what == "settle" and f"call-{at}" in {row.call_id for row in ledger.reader.calls(limit=99).items}:
            settle(ledger, at)
        elif what == "spoil":
            # Behind everybody's back, so nobody is asked before it is repaired.
            with engine_of(ledger).begin() as connection:
                spoilt = connection.execute(update(rollups).values(calls=rollups.c.calls + 1)).rowcount > 0 or spoilt
        elif what == "repair" or (what == "erase" and spoilt):
            repair(engine_of(ledger), now_us=1, by="test")
            spoilt = False
        elif what == "erase":
            erase_job(engine_of(ledger), "acme", clock=ManualClock(), by="test")
        if spoilt:
            continue
        for question in asking:
            fresh = LedgerReader(engine_of(ledger))
            assert asked(ledger.reader.usage, *question) == asked(fresh.usage, *question)


def test_an_import_by_another_process_is_seen(tmp_path: Path, make_book: Callable[[], Book]) -> None:
    """Old calls that somebody else adds to the file are in the next answer."""
    source = make_book()
    source.call(AUTUMN, on=Attribution(layer="x"))
    file = tmp_path / "calls.jsonl"
    with file.open("wb") as out:
        export(engine_of(source.done()), out, "jsonl", since=None, until=None)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    Ledger.open(url, clock=ManualClock()).close()
    with Ledger.open(url, clock=ManualClock(), writable=False) as looking:
        before = asked(looking.reader.usage, "hour", "UTC", ("layer",), Span(None, None))
        writing = open_engine(url)
        import_attempts(writing, file, now_us=1, by="test")
        writing.dispose()
        after = asked(looking.reader.usage, "hour", "UTC", ("layer",), Span(None, None))

    assert before.items == ()
    assert [row.group for row in after.items] == [{"layer": "x"}]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("anchor", [AUTUMN, SPRING])
@pytest.mark.parametrize("bucket", BUCKETS[:3])
def test_no_bucket_lies_across_an_edge(bucket: Bucket, anchor: int, zone: str) -> None:
    """Pieces are cut where buckets are, on the days when clocks change too."""
    place = ZoneInfo(zone)
    since, until = anchor - 500 * QUARTER, anchor + 500 * QUARTER
    edges = edges_of(bucket, since, until, place)

    assert (edges[0], edges[-1]) == (since, until)
    assert all(start < end for start, end in pairwise(edges))
    for edge in edges[1:-1]:
        assert bucket_start(edge - 1, bucket, place) < bucket_start(edge, bucket, place) == edge


def test_a_piece_without_changes_is_the_same(book: Book) -> None:
    """What is over is neither read nor made anew; the piece that got a call is."""
    book.call(AUTUMN)
    book.call(AUTUMN + 200 * QUARTER)
    reader = book.done().reader.usage
    place, span = ZoneInfo("Europe/Vienna"), (AUTUMN - 96 * QUARTER, AUTUMN + 300 * QUARTER)
    cut = cut_of("hour", *span, place)
    assert cut is not None
    question, edges = Asked(UsageFilter(), ("service",), cut), edges_of("hour", *span, place)
    first = reader.rollup_pieces(question, edges)
    book.call(AUTUMN + 200 * QUARTER)
    book.done()
    second = reader.rollup_pieces(question, edges)

    changed = [old.start for old, new in zip(first, second, strict=True) if old is not new]
    assert len(changed) == 1
    assert changed[0] <= AUTUMN + 200 * QUARTER
    assert sum(one.totals.calls for piece in second for one in piece.sums) == 3
