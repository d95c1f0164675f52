from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchgear.calls import Attribution, Usage
from switchgear.insight.days import to_micros
from switchgear.insight.questions import Span
from switchgear.insight.report_html import report_html
from switchgear.insight.reports import CostReport, Parts, cost_report
from switchgear.insight.sheets import costs_csv, usage_csv
from switchgear.insight.usage import UsageQuestion, UsageSums, usage

if TYPE_CHECKING:
    from tests.insight.conftest import Book

    from switchgear.ledger import Ledger

VIENNA = ZoneInfo("Europe/Vienna")
START = to_micros(dt.datetime(2026, 10, 25, tzinfo=VIENNA))
END = to_micros(dt.datetime(2026, 10, 26, tzinfo=VIENNA))
SUMS = UsageSums.__struct_fields__


def made(ledger: Ledger, *by: str, most: int | None = None, span: Span | None = None) -> CostReport:
    """Return the report of the day on which Vienna puts its clocks back."""
    return cost_report(
        ledger.reader.usage,
        span or Span(START, END),
        period="2026-10-25",
        parts=Parts.of(by or None, most=most),
        zone=VIENNA,
        providers={"a": "acme", "b": "acme"},
        now=END,
    )


some = st.sampled_from([None, "a", "b", "c", "d"])
calls = st.fixed_dictionaries(
    {
        "at": st.integers(START - 3_600_000_000, END + 3_600_000_000),
        "service": st.sampled_from(["a", "b", "c"]),
        "model": some,
        "status": st.sampled_from(["ok", "failed", "refused", "cancelled", "reserved"]),
        "cost": st.none() | st.integers(0, 10**12),
        "usage": st.builds(
            Usage,
            input_tokens=st.integers(0, 99),
            units=st.sampled_from([(), (("pages", 2),), (("pages", 3), ("requests", 1))]),
        ),
        "on": st.builds(
            Attribution, layer=some, job=some, key=some, run=some, tags=st.sampled_from([(), (("team", "x"),)])
        ),
    }
)


@settings(max_examples=25, deadline=None)
@given(log=st.lists(calls, max_size=15), most=st.sampled_from([None, 1, 2]))
def test_every_part_adds_up_to_the_total(
    make_book: Callable[[], Book], log: list[dict[str, Any]], most: int | None
) -> None:
    """Each table of a report, its rest included, is the whole, which is the sum over the calls."""
    book = make_book()
    for call in log:
        book.call(**call)
    ledger = book.done()
    rows = [
        row
        for row in ledger.reader.calls(limit=500).items
        if START <= row.started_at < END and row.status != "reserved"
    ]

    report = made(ledger, most=most)
    other = made(ledger, "run", "tag.team", most=most)

    assert report.total.cost_usd * 10**9 == sum(row.cost or 0 for row in rows)
    assert report.total.calls == len(rows)
    assert report.total.units.get("pages", 0) == sum(row.units.get("pages", 0) for row in rows)
    assert [part.by for part in report.parts] == [
        (name,) for name in ("service", "provider", "model", "layer", "job", "key")
    ]
    for part in (*report.parts, *other.parts):
        lines = [*part.rows, *([] if part.rest is None else [part.rest])]
        for name in SUMS:
            assert sum(getattr(line, name) for line in lines) == getattr(report.total, name)
        for unit in ("pages", "requests"):
            assert sum(line.units.get(unit, 0) for line in lines) == report.total.units.get(unit, 0)
    for name in SUMS:
        assert sum(getattr(item, name) for item in report.series) == getattr(report.total, name)


@pytest.fixture
def ledger(book: Book) -> Ledger:
    """A day with three models, a formula for a name, an unpriced call and pages."""
    job = Attribution(job="=cmd|x", layer="<b>research</b>")
    book.call(START, model="big", cost=2_000_000_000, usage=Usage(input_tokens=10, output_tokens=5), on=job)
    book.call(START + 1, model="big", cost=1_000_000_001, on=job)
    book.call(START + 2, model="small", cost=1, usage=Usage(units=(("pages", 3),)))
    book.call(START + 3, model="new", cost=None)
    book.call(START + 4, model="small", status="refused")
    return book.done()


def test_the_dearest_come_first_with_their_averages(ledger: Ledger) -> None:
    """An average is of priced calls that went out, in whole nano-USD; shares are of the whole cost."""
    (part,) = made(ledger, "model").parts

    assert [row.group["model"] for row in part.rows] == ["big", "small", "new"]
    assert [row.cost_per_call_usd for row in part.rows] == [Decimal("1.5"), Decimal("0.000000001"), None]
    assert [row.cost_percent for row in part.rows] == [100.0, 0.0, 0.0]
    assert [row.units for row in part.rows] == [{}, {"pages": 3}, {}]
    assert (part.rows[2].calls, part.rows[2].unpriced) == (1, 1)


def test_the_others_are_one_line(ledger: Ledger) -> None:
    """Where groups are many, what is not listed is summed; a single one is listed rather than summed."""
    (part,) = made(ledger, "model", most=1).parts
    (whole,) = made(ledger, "model", most=2).parts

    assert [row.group["model"] for row in part.rows] == ["big"]
    assert part.rest is not None
    assert (part.rest.calls, part.rest.units, part.rest.unpriced) == (3, {"pages": 3}, 1)
    assert whole.rest is None


def test_a_day_is_shown_by_hour_and_a_month_by_day(ledger: Ledger) -> None:
    """A report has the course of its time, cut in its zone."""
    month = made(ledger, span=Span(START - 24 * 86_400_000_000, END))

    assert [item.label for item in made(ledger).series] == ["2026-10-25 00:00+02:00"]
    assert [item.label for item in month.series] == ["2026-10-25"]


def test_csv_has_the_same_numbers_and_runs_nothing(ledger: Ledger) -> None:
    """Rows, then the total; a name that a spreadsheet would run is made text."""
    found = list(csv.DictReader(io.StringIO(costs_csv(made(ledger, "job")))))

    assert [row["by"] for row in found] == ["job", "job", "total"]
    assert found[0]["job"] == "'=cmd|x"
    assert found[0]["cost_usd"] == "3.000000001"
    assert found[0]["cost_per_call_usd"] == "1.5"
    assert found[2]["units.pages"] == "3"
    assert found[2]["unpriced"] == "1"
    assert sum(Decimal(row["cost_usd"]) for row in found[:2]) == Decimal(found[2]["cost_usd"])


def test_csv_of_usage_ends_with_the_total(ledger: Ledger) -> None:
    """A row for each bucket and group, and the ledger's own sum as the last."""
    report = usage(ledger.reader.usage, UsageQuestion(by=("model",), bucket="day"), zone=VIENNA, providers={})

    found = list(csv.DictReader(io.StringIO(usage_csv(report))))

    assert [(row["row"], row["label"], row["model"], row["calls"]) for row in found] == [
        ("group", "2026-10-25", "big", "2"),
        ("group", "2026-10-25", "new", "1"),
        ("group", "2026-10-25", "small", "2"),
        ("total", "", "", "5"),
    ]
    assert found[0]["start"] == "2026-10-24T22:00:00Z"
    assert found[-1]["cost_usd"] == "3.000000002"


def test_html_needs_nothing_else_and_lets_nothing_in(ledger: Ledger) -> None:
    """One file without links, scripts or foreign markup, with the unpriced calls beside the sum."""
    page = report_html(made(ledger, most=20), VIENNA)

    assert "<script" not in page
    assert "http" not in page
    assert "&lt;b&gt;research&lt;/b&gt;" in page
    assert "<b>research" not in page
    assert "<li><b>$3.00</b>spent</li><li><b>1</b>unpriced calls</li>" in page
    assert "@media print" in page
    assert page.count("<h2>") == 7


def test_an_empty_report_is_a_report(book: Book) -> None:
    """Nothing was spent: every shape of the report says so."""
    report = made(book.ledger)

    assert (report.total.calls, report.total.cost_percent, report.total.cost_per_call_usd) == (0, None, None)
    assert "Nothing was spent." in report_html(report, VIENNA)
    assert costs_csv(report).splitlines()[-1].startswith("total,")


def test_what_is_no_longer_kept_is_told(ledger: Ledger) -> None:
    """Calls whose rows are gone are in the total, and every shape of the report says how many they are."""
    with ledger._engine.begin() as connection:  # noqa: SLF001 - what pruning does
        connection.exec_driver_sql("DELETE FROM attempts WHERE model = 'big'")

    report = made(ledger, most=20)

    assert report.not_kept == 2
    assert "2 calls of this time are no longer kept" in report_html(report, VIENNA)
    assert costs_csv(report).rstrip().endswith(",2")
