from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from switchgear.insight.buckets import bucket_end, bucket_start
from switchgear.insight.days import from_micros, to_micros
from switchgear.insight.forecast_budgets import BudgetForecast, forecasts, foreseeable
from switchgear.insight.metrics import BudgetMetrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from switchgear.insight.buckets import Bucket
    from switchgear.ledger.usage_views import Cut, Steps, UnitSum, UsageFilter, UsageSum

HOUR = 3_600_000_000
VIENNA = ZoneInfo("Europe/Vienna")
NOW = to_micros(dt.datetime(2026, 11, 25, 14, 30, tzinfo=VIENNA))
CENT = 10_000_000


class Past:
    """A ledger whose budgets' calls cost one cent an hour since *first*, or what *costs* says."""

    def __init__(self, first: dt.datetime | None = None, values: Sequence[str | None] = (None,)) -> None:
        self.first = None if first is None else to_micros(first)
        self.values = values
        self.asked: list[dict[str, Any]] = []

    def history(
        self, steps: Steps, *, tokens: bool, match: Mapping[str, str], each: str | None = None
    ) -> dict[str | None, dict[int, int]]:
        self.asked.append({"steps": steps, "tokens": tokens, "match": match, "each": each})
        if self.first is None:
            return {}
        starts = range(steps.since, steps.until, steps.size_us)
        known = {start: CENT * steps.size_us // HOUR for start in starts if start >= self.first}
        return dict.fromkeys(self.values, known)

    def extent(self) -> tuple[int, int] | None:
        return None

    def rollup_sums(self, where: UsageFilter, *, by: Sequence[str] = (), cut: Cut | None = None) -> Sequence[UsageSum]:
        return ()

    def row_sums(self, where: UsageFilter, *, by: Sequence[str] = (), cut: Cut | None = None) -> Sequence[UsageSum]:
        return ()

    def job_sums(self) -> Sequence[UsageSum]:
        return ()

    def units(self, where: UsageFilter, *, by: Sequence[str] = ()) -> Sequence[UnitSum]:
        return ()


def budget(period: Bucket = "day", *, limit: str = "1", spent: str = "0.145", **facts: object) -> BudgetMetrics:
    """Return a budget of USD in the period of NOW."""
    start = bucket_start(NOW, period, VIENNA)
    fields: dict[str, object] = {
        "name": "all",
        "value": None,
        "match": {},
        "each": None,
        "kind": "fail",
        "kind_words": "Hard limit",
        "unit": "usd",
        "limit_usd": Decimal(limit),
        "spent_usd": Decimal(spent),
        "used_percent": 0.0,
        "reserved_percent": 0.0,
        "state": "ok",
        "period": period,
        "period_start": from_micros(start),
        "resets_at": from_micros(bucket_end(start, period, VIENNA)),
        "thresholds": (),
        "unpriced_calls": 3,
        "refused": 0,
        "reserve": "worst_case",
    }
    return msgspec.convert({**fields, **facts}, BudgetMetrics)


def told(past: Past, *budgets: BudgetMetrics) -> tuple[BudgetForecast, ...]:
    """Return the forecasts as of NOW."""
    return forecasts(past, budgets, now=NOW, zone=VIENNA)


LONG_AGO = dt.datetime(2026, 1, 1, tzinfo=VIENNA)


@pytest.mark.parametrize(
    ("period", "spent", "expected"),
    [("hour", "0.005", "0.01"), ("day", "0.145", "0.24"), ("week", "0.625", "1.68"), ("month", "5.905", "7.2")],
)
def test_an_even_pace_goes_on_to_the_end_of_the_period(period: Bucket, spent: str, expected: str) -> None:
    """A cent an hour is 24 a day, whatever part of the period is over; no clock change is in these."""
    (found,) = told(Past(LONG_AGO), budget(period, spent=spent, limit="100"))

    assert found.expected_usd is not None
    assert found.expected_usd == pytest.approx(Decimal(expected), abs=Decimal("0.00000001"))
    assert found.interval is not None
    assert found.interval.share == 0.8
    assert found.note is None
    assert (found.exhaustion, found.exhausted_at) == ("not this period", None)
    assert found.unpriced_calls == 3


def test_the_limit_is_reached_at_an_instant() -> None:
    """Half a cent is left at a cent an hour: it lasts half an hour, and the band says from when to when."""
    (found,) = told(Past(LONG_AGO), budget(limit="0.15"))

    assert found.exhaustion == "in this period"
    assert found.exhausted_at is not None
    assert abs(found.exhausted_at - from_micros(NOW + HOUR // 2)) < dt.timedelta(seconds=1)
    assert found.exhausted_interval is not None
    assert found.exhausted_interval.early is not None
    assert found.exhausted_interval.early <= found.exhausted_at + dt.timedelta(seconds=1)


def test_what_is_spent_is_spent() -> None:
    """At or above the limit it is exhausted, not about to be."""
    (found,) = told(Past(LONG_AGO), budget(limit="0.145"))

    assert (found.exhaustion, found.exhausted_at, found.exhausted_interval) == ("exhausted", None, None)
    assert found.expected_usd is not None
    assert found.expected_usd > Decimal("0.145")


@pytest.mark.parametrize(
    ("period", "first", "note"),
    [
        ("day", "2026-11-11T14:00:00+01:00", None),
        ("day", "2026-11-12T00:00:00+01:00", "too little history for an interval"),
        ("week", "2026-11-02T00:00:00+01:00", None),
        ("week", "2026-11-03T00:00:00+01:00", "too little history for an interval"),
        ("month", "2026-08-01T00:00:00+02:00", None),
        ("month", "2026-08-02T00:00:00+02:00", "too little history for an interval"),
        ("day", "2026-11-25T11:00:00+01:00", "too little history"),
        ("day", None, "too little history"),
    ],
)
def test_three_full_periods_and_two_weeks_make_an_interval(period: Bucket, first: str | None, note: str | None) -> None:
    """With less there is a rate without a band, with hardly anything no number at all; the note says which."""
    past = Past(None if first is None else dt.datetime.fromisoformat(first))

    (found,) = told(past, budget(period, limit="100"))

    assert found.note == note
    assert (found.interval is None) == (note is not None)
    assert (found.expected_usd is None) == (note == "too little history")
    assert (found.method is None) == (note == "too little history")


def test_tokens_are_whole() -> None:
    """A budget of tokens is told in tokens."""
    tokens = {"unit": "tokens", "limit_usd": None, "spent_usd": None, "limit_tokens": 10**12, "spent_tokens": 7}
    past = Past(LONG_AGO)
    (found,) = told(past, msgspec.structs.replace(budget(), **tokens))

    assert past.asked[0]["tokens"] is True
    assert found.expected_usd is None
    assert isinstance(found.expected_tokens, int)
    assert found.interval is not None
    assert isinstance(found.interval.low_tokens, int)
    assert found.interval.low_usd is None


def test_every_value_of_a_budget_has_its_own() -> None:
    """The history of a budget with an `each` is read once for all its accounts."""
    past = Past(LONG_AGO, values=("x", "y"))
    found = told(past, *(budget(each="job", value=value) for value in ("x", "y", "new")))

    assert [(one.value, one.expected_usd is None) for one in found] == [("x", False), ("y", False), ("new", True)]
    assert len(past.asked) == 1
    assert past.asked[0]["steps"].until - past.asked[0]["steps"].since == 56 * 24 * HOUR


def test_history_that_is_read_row_by_row_is_of_three_months_at_most() -> None:
    """Roll-ups are read for nine months, rows for 93 days: they are kept no longer by default."""
    rolled, raw = Past(), Past()
    told(rolled, budget("month", match={"service": "openai"}))
    told(raw, budget("month", match={"job": "x"}))

    spans = [past.asked[0]["steps"].until - past.asked[0]["steps"].since for past in (rolled, raw)]
    assert spans == [273 * 24 * HOUR, 93 * 24 * HOUR]


def test_hours_are_those_of_the_clock() -> None:
    """In Kathmandu an hour begins a quarter past, as UTC has it."""
    past = Past(LONG_AGO)
    forecasts(past, [budget()], now=NOW, zone=ZoneInfo("Asia/Kathmandu"))

    assert past.asked[0]["steps"].until % HOUR == HOUR // 4


@pytest.mark.parametrize(("period", "end"), [("total", None), ("24h", None)])
def test_what_has_no_end_has_no_forecast(period: str, end: None) -> None:
    """Total and rolling budgets are left out."""
    endless = budget()
    other = msgspec.structs.replace(endless, period=period, resets_at=end)

    assert foreseeable(endless)
    assert not foreseeable(other)
    assert told(Past(LONG_AGO), other) == ()
