from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from switchgear.insight.days import to_micros
from switchgear.insight.questions import Span
from switchgear.insight.usage import UsageQuestion, added
from switchgear.insight.usage_series import OTHER, before, usage_series
from switchgear.ledger.usage_views import Cut, UsageFilter, UsageSum
from switchgear.ledger.views import Totals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from switchgear.ledger.usage_views import Steps, UnitSum

UTC, VIENNA = ZoneInfo("UTC"), ZoneInfo("Europe/Vienna")
HOUR = 3600 * 1_000_000
START = to_micros(dt.datetime(2026, 11, 1, tzinfo=dt.UTC))


class _Sums:
    """A ledger that has these: (instant, service, cost)."""

    def __init__(self, rows: Sequence[tuple[int, str, int]]) -> None:
        self._rows = rows

    def extent(self) -> tuple[int, int] | None:
        return START - 1000 * HOUR, START + 1000 * HOUR

    def rollup_sums(self, where: UsageFilter, *, by: Sequence[str] = (), cut: Cut | None = None) -> Sequence[UsageSum]:
        since, until = where.since or 0, where.until or 2**62
        kept = [row for row in self._rows if since <= row[0] < until]
        if not by:
            return [UsageSum(None, (), added(_totals(cost) for _, _, cost in kept))]
        return [UsageSum(at if cut else None, (service,), _totals(cost)) for at, service, cost in kept]

    def row_sums(self, where: UsageFilter, *, by: Sequence[str] = (), cut: Cut | None = None) -> Sequence[UsageSum]:
        raise NotImplementedError

    def job_sums(self) -> Sequence[UsageSum]:
        raise NotImplementedError

    def units(self, where: UsageFilter, *, by: Sequence[str] = ()) -> Sequence[UnitSum]:
        raise NotImplementedError

    def history(
        self, steps: Steps, *, tokens: bool, match: Mapping[str, str], each: str | None = None
    ) -> dict[str | None, dict[int, int]]:
        raise NotImplementedError


def _totals(cost: int) -> Totals:
    numbers = dict.fromkeys(Totals.__struct_fields__[2:], 0)
    return Totals(group={}, **(numbers | {"calls": 1, "ok": 1, "cost": cost}))


def _question() -> UsageQuestion:
    return UsageQuestion(by=("service",), bucket="hour", span=Span(START, START + 24 * HOUR))


rows = st.lists(
    st.tuples(
        st.integers(-24 * 4, 24 * 4 - 1).map(lambda quarter: START + quarter * HOUR // 4),
        st.sampled_from("abcdefgh"),
        st.integers(0, 10**12),
    ),
    max_size=40,
)


@given(rows=rows)
def test_columns_and_groups_have_the_same_total(rows: list[tuple[int, str, int]]) -> None:
    """Whatever is "other": the columns, the groups and the total of the ledger agree to the nano-dollar."""
    series = usage_series(_Sums(rows), _question(), compare=None, now=START + 25 * HOUR, zone=UTC, providers={})
    total = sum(cost for at, _, cost in rows if at >= START)
    assert sum((column.total for column in series.columns), Decimal(0)) * 10**9 == total
    assert sum((group.value for group in series.groups), Decimal(0)) * 10**9 == total
    assert series.whole.value * 10**9 == total
    assert len(series.columns) == 24
    assert all(sum(column.values.values(), Decimal(0)) == column.total for column in series.columns)


@given(rows=rows)
def test_what_is_named_is_the_largest(rows: list[tuple[int, str, int]]) -> None:
    """No group among the others used more than one that has a name, and "other" is there only if needed."""
    series = usage_series(_Sums(rows), _question(), compare=None, now=START + 25 * HOUR, zone=UTC, providers={})
    named = [group.value for group in series.groups if group.slot]
    rest = [group.value for group in series.groups if not group.slot]
    assert len(named) <= 5
    assert not rest or max(rest) <= min(named)
    assert (OTHER in series.slots.values()) == bool(rest)


def test_a_name_keeps_its_place() -> None:
    """A configured service has its colour whatever it used; the largest of the others gets what is left."""
    rows = [(START, "z", 9), (START, "b", 1), (START, "y", 5)]
    series = usage_series(
        _Sums(rows), _question(), compare=None, now=START, zone=UTC, providers={}, first=("a", "b", "c", "d")
    )
    assert series.slots == {2: "b", 5: "z", 0: OTHER}


def test_the_running_bucket_does_not_pull_the_average_down() -> None:
    """The average is over whole buckets: from the 24th on, and not in the one that is not over."""
    rows = [(START + hour * HOUR, "a", 10**9) for hour in range(-1, 24)]
    span = Span(START - HOUR, START + 24 * HOUR)
    question = UsageQuestion(by=("service",), bucket="hour", span=span)
    series = usage_series(_Sums(rows), question, compare=None, now=START + 24 * HOUR - 1, zone=UTC, providers={})
    assert [column.average for column in series.columns[-3:]] == [None, Decimal(1), None]


def test_change_is_against_the_time_before() -> None:
    """Each group and the whole say how they changed; of what was not there before there is no percentage."""
    rows = [(START - 24 * HOUR, "a", 4), (START, "a", 3), (START, "b", 3)]
    span = Span(START - 24 * HOUR, START)
    series = usage_series(_Sums(rows), _question(), compare=span, now=START + 25 * HOUR, zone=UTC, providers={})
    assert {group.name: group.change for group in series.groups} == {"a": Decimal("-0.25"), "b": None}
    assert series.whole.change == Decimal("0.5")
    assert series.trend == "rising"


def test_the_days_before_are_days_of_the_calendar() -> None:
    """The day before the day of 25 hours has 24, and its end is at the same time by the clock."""
    since = to_micros(dt.datetime(2026, 10, 25, tzinfo=VIENNA))
    now = to_micros(dt.datetime(2026, 10, 25, 18, tzinfo=VIENNA))
    found = before(Span(since, since + 25 * HOUR), now=now, days=1, zone=VIENNA)
    assert found.since == to_micros(dt.datetime(2026, 10, 24, tzinfo=VIENNA))
    assert found.until == to_micros(dt.datetime(2026, 10, 24, 18, tzinfo=VIENNA))
