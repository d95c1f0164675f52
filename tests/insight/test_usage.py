from __future__ import annotations

import datetime as dt
from collections import Counter
from itertools import product
from typing import TYPE_CHECKING, Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.calls import Attribution, Usage
from switchgear.insight.buckets import Bucket
from switchgear.insight.days import from_micros, to_micros
from switchgear.insight.questions import BadQuestion, Span, read_span
from switchgear.insight.usage import UsageQuestion, UsageReport, UsageRow, UsageSums, usage
from switchgear.insight.usage_pages import page_of
from switchgear.ledger.usage_views import UsageFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.insight.conftest import Book

    from switchgear.ledger.views import CallRow

UTC = ZoneInfo("UTC")
PROVIDERS = {"a": "acme", "b": "acme"}
ZONES = tuple(map(ZoneInfo, ("UTC", "Europe/Vienna", "Asia/Kathmandu")))
QUARTER = 15 * 60 * 1_000_000
ANCHORS = [
    to_micros(dt.datetime.fromisoformat(text))
    for text in (
        "2026-03-29T01:00:00Z",  # Vienna puts its clocks forward
        "2026-10-25T01:00:00Z",  # and back
        "2026-10-24T22:00:00Z",  # midnight in Vienna
        "2026-10-31T23:00:00Z",  # the month ends in Vienna
        "2026-10-24T18:15:00Z",  # midnight in Kathmandu
    )
]

MAY = to_micros(dt.datetime(2026, 5, 1, tzinfo=dt.UTC))
SEPTEMBER = to_micros(dt.datetime(2026, 9, 1, tzinfo=dt.UTC))

instants = st.builds(
    lambda anchor, quarters, rest: anchor + quarters * QUARTER + rest,
    st.sampled_from(ANCHORS),
    st.integers(-10, 10),
    st.sampled_from([0, 1, QUARTER - 1]),
)
names = st.sampled_from([None, "a", "b"])
calls = st.fixed_dictionaries(
    {
        "at": instants,
        "service": st.sampled_from(["a", "b", "c"]),
        "model": names,
        "status": st.sampled_from(["ok", "ok", "failed", "refused", "cancelled", "reserved"]),
        "cost": st.none() | st.integers(0, 10**12),
        "usage": st.builds(
            Usage,
            input_tokens=st.integers(0, 99),
            output_tokens=st.integers(0, 99),
            units=st.sampled_from([(), (("pages", 2),), (("pages", 3), ("requests", 1))]),
        ),
        "on": st.builds(
            Attribution,
            layer=names,
            key=names,
            job=names,
            run=names,
            tags=st.sampled_from([(), (("team", "x"),), (("team", "y"), ("zone", "1"))]),
        ),
    }
)
groups = st.lists(
    st.sampled_from(["service", "provider", "model", "layer", "key", "status", "job", "run", "tag.team"]),
    max_size=3,
    unique=True,
).map(tuple)


def label(at: int, bucket: Bucket, zone: ZoneInfo) -> str | None:
    """Return the name of the bucket of *at*, by a clock and a calendar that hang on a wall in *zone*."""
    local = from_micros(at).astimezone(zone)
    if bucket == "none":
        return None
    if bucket == "month":
        return f"{local:%Y-%m}"
    if bucket == "week":
        return str(local.date() - dt.timedelta(days=local.weekday()))
    if bucket == "day":
        return str(local.date())
    minute = 0 if bucket == "hour" else local.minute // 15 * 15
    sign, hours, minutes = f"{local:%z}"[0], f"{local:%z}"[1:3], f"{local:%z}"[3:]
    return f"{local:%Y-%m-%d %H}:{minute:02d}{sign}{hours}:{minutes}"


def part(row: CallRow, name: str) -> str | None:
    """Return what *row* has under *name*."""
    if name == "provider":
        return PROVIDERS.get(row.service, row.service)
    if name.startswith("tag."):
        return row.tags.get(name[4:])
    found: str | None = getattr(row, name)
    return found


def expected(
    rows: Iterable[CallRow], by: tuple[str, ...], bucket: Bucket, zone: ZoneInfo
) -> Counter[tuple[object, ...]]:
    """Add *rows* up one by one."""
    found: Counter[tuple[object, ...]] = Counter()
    for row in rows:
        place = (label(row.started_at, bucket, zone), *(part(row, name) for name in by))
        found[(*place, "calls")] += 1
        found[(*place, row.status)] += 1
        found[(*place, "cost")] += row.cost or 0
        found[(*place, "unpriced")] += row.cost is None
        found[(*place, "input_tokens")] += row.input_tokens
        found[(*place, "output_tokens")] += row.output_tokens
    return +found


def shown(report: UsageReport) -> Counter[tuple[object, ...]]:
    """Return what *report* says in the shape of *expected*."""
    found: Counter[tuple[object, ...]] = Counter()
    for item in report.items:
        place = (item.label, *item.group.values())
        for name in ("calls", "ok", "failed", "refused", "cancelled", "unpriced", "input_tokens", "output_tokens"):
            found[(*place, name)] += getattr(item, name)
        found[(*place, "cost")] += int(item.cost_usd * 10**9)
    return +found


@settings(max_examples=15, deadline=None)
@given(
    made=st.lists(calls, min_size=2, max_size=12),
    by=groups,
    span=st.sampled_from([Span(SEPTEMBER, None), Span(None, MAY)]),
)
def test_a_report_is_the_sum_of_the_rows(
    make_book: Callable[[], Book], made: list[dict[str, Any]], by: tuple[str, ...], span: Span
) -> None:
    """However it is cut, in every zone and over both DST days, each figure is the sum over the calls."""
    book = make_book()
    for call in made:
        book.call(**call)
    ledger = book.done()
    # What is read row by row is read for 93 days at most: spring or autumn.
    rows = [row for row in ledger.reader.calls(limit=500).items if (row.started_at < MAY) == (span.until is not None)]
    over = [row for row in rows if row.status != "reserved"]

    for zone, bucket, names in product(ZONES, get_args(Bucket), ((), by)):
        question = UsageQuestion(by=names, bucket=bucket, span=span)
        report = usage(ledger.reader.usage, question, zone=zone, providers=PROVIDERS)

        assert shown(report) == expected(over, names, bucket, zone)
        assert report.total.calls == len(over)
        assert report.total.cost_usd * 10**9 == sum(row.cost or 0 for row in over)
        assert report.not_kept == 0
        assert all(item.value == item.cost_usd for item in report.items)


def test_filters_and_dates_cut_exactly(book: Book) -> None:
    """A date is that whole day in the zone, and filters keep only what fits."""
    zone = ZoneInfo("Asia/Kathmandu")
    start = to_micros(dt.datetime(2026, 11, 24, tzinfo=zone))
    for at in (start - 1, start, start + 86_400_000_000 - 1, start + 86_400_000_000):
        book.call(at, cost=at % 7 + 1)
        book.call(at, service="other", model="x", on=Attribution(layer="l", key="k"))
    reader = book.done().reader.usage
    span = read_span("2026-11-24", "2026-11-24", zone)

    def count(where: UsageFilter) -> int:
        question = UsageQuestion(span=span, where=where)
        return usage(reader, question, zone=zone, providers={}).total.calls

    assert count(UsageFilter()) == 4
    assert count(UsageFilter(service="openai")) == 2
    assert count(UsageFilter(model="x")) == count(UsageFilter(layer="l")) == count(UsageFilter(key="k")) == 2
    assert count(UsageFilter(service="openai", model="x")) == 0


def test_days_of_a_clock_change_have_23_and_25_hours(book: Book) -> None:
    """The hour that is repeated in autumn is two buckets, the one that is left out in spring none."""
    zone = ZoneInfo("Europe/Vienna")
    for day in ("2026-03-29", "2026-10-25"):
        start = to_micros(dt.datetime.fromisoformat(day).replace(tzinfo=zone))
        for hour in range(26):
            book.call(start + hour * 3_600_000_000)
    reader = book.done().reader.usage

    def hours(day: str) -> list[str | None]:
        question = UsageQuestion(bucket="hour", span=read_span(day, day, zone))
        return [item.label for item in usage(reader, question, zone=zone, providers={}).items]

    assert [len(hours("2026-03-29")), len(hours("2026-10-25"))] == [23, 25]
    assert hours("2026-10-25")[2:4] == ["2026-10-25 02:00+02:00", "2026-10-25 02:00+01:00"]


def test_jobs_are_told_from_their_totals_when_nothing_is_left_out(book: Book) -> None:
    """By job over all time comes from totals that outlive the rows; for a time, from the rows."""
    for job in ("x", "x", None):
        book.call(ANCHORS[0], on=Attribution(job=job))
    reader = book.done().reader.usage

    everything = usage(reader, UsageQuestion(by=("job",)), zone=UTC, providers={})
    day = usage(reader, UsageQuestion(by=("job",), span=Span(ANCHORS[0], None)), zone=UTC, providers={})

    assert [(item.group["job"], item.calls) for item in everything.items] == [(None, 1), ("x", 2)]
    assert [(item.group["job"], item.calls) for item in day.items] == [(None, 1), ("x", 2)]


def test_rows_that_are_gone_are_told(book: Book) -> None:
    """What only roll-ups still have is in the total, and said to be in no line."""
    for job in ("x", "y"):
        book.call(ANCHORS[0], on=Attribution(job=job))
    ledger = book.done()
    with ledger._engine.begin() as connection:  # noqa: SLF001 - what pruning does
        connection.exec_driver_sql("DELETE FROM attempts WHERE job = 'x'")

    report = usage(ledger.reader.usage, UsageQuestion(by=("job",), span=Span(ANCHORS[0], None)), zone=UTC, providers={})

    assert (report.total.calls, report.not_kept) == (2, 1)
    assert [item.group for item in report.items] == [{"job": "y"}]


@pytest.mark.parametrize(
    ("question", "key"),
    [
        (UsageQuestion(by=("job",), bucket="day"), "from"),
        (UsageQuestion(bucket="15min"), "bucket"),
    ],
)
def test_too_much_at_once_is_refused(book: Book, question: UsageQuestion, key: str) -> None:
    """Row by row it is 93 days at most, and 10,000 buckets."""
    book.call(ANCHORS[0])
    book.call(ANCHORS[0] + 200 * 86_400_000_000)
    reader = book.done().reader.usage

    with pytest.raises(BadQuestion) as error:
        usage(reader, question, zone=UTC, providers={})

    assert error.value.key == key


def test_an_empty_ledger_is_an_answer(book: Book) -> None:
    """No calls: no items, and zeros in the total."""
    report = usage(book.ledger.reader.usage, UsageQuestion(by=("job", "model"), bucket="day"), zone=UTC, providers={})

    assert not report.items
    assert report.total == UsageSums()


def test_pages_join_without_gap_or_repetition(book: Book) -> None:
    """Following ``next`` gives every row once, and the total is of all pages."""
    for number in range(7):
        book.call(ANCHORS[0] + number % 3 * QUARTER, model=f"m{number}")
    question = UsageQuestion(by=("model", "layer"), bucket="15min")
    report = usage(book.done().reader.usage, question, zone=UTC, providers={})
    found: list[UsageRow] = []
    after: str | None = None
    while True:
        page = page_of(report, limit=2, after=after)
        found += page.items
        assert page.total.calls == 7
        if page.next is None:
            break
        after = page.next

    assert found == list(report.items)


@pytest.mark.parametrize("after", ["x", "", "WzAsWyJtMCJdXQ"])
def test_a_place_in_another_list_is_refused(book: Book, after: str) -> None:
    """Neither nonsense nor the ``next`` of another question is read on from."""
    report = usage(book.ledger.reader.usage, UsageQuestion(by=("model", "layer")), zone=UTC, providers={})

    with pytest.raises(BadQuestion, match="is not the `next`"):
        page_of(report, limit=2, after=after)
