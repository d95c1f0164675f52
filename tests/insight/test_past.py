from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.insight.past import PastSums

if TYPE_CHECKING:
    from tests.insight.conftest import FakeLedger, Make

DAY = 86_400_000_000
MINUTE = 60_000_000


def _cost(sums: PastSums, now: int, *, since: int | None = 0, today: int = DAY) -> int:
    return sum(row.cost for row in sums.read(since=since, today=today, now=now))


def test_what_is_over_is_read_once(make: type[Make], ledger: FakeLedger) -> None:
    """A dashboard that polls does not add up the month again and again."""
    ledger.rows = [make.totals(0, cost=5), make.totals(DAY, cost=7)]
    sums = PastSums(ledger, ("service",))

    costs = [_cost(sums, DAY + MINUTE * minute) for minute in (1, 2, 3)]

    assert costs == [5, 5, 5]
    assert len([asked for asked in ledger.asked if "by" in asked]) == 1


def test_a_call_that_ends_after_midnight_is_not_lost(make: type[Make], ledger: FakeLedger) -> None:
    """While a call of yesterday is under way, yesterday is not final."""
    ledger.rows = [make.totals(0, cost=5)]
    ledger.under_way = [DAY - 1]
    sums = PastSums(ledger, ("service",))
    before = _cost(sums, DAY + MINUTE)
    ledger.rows.append(make.totals(DAY - 1, cost=3))
    ledger.under_way = []

    assert (before, _cost(sums, DAY + 2 * MINUTE)) == (5, 8)


def test_a_call_of_today_holds_nothing_up(make: type[Make], ledger: FakeLedger) -> None:
    """Only what began before today can change the past."""
    ledger.rows = [make.totals(0, cost=5)]
    ledger.under_way = [DAY]
    sums = PastSums(ledger, ("service",))
    _cost(sums, DAY + MINUTE)
    _cost(sums, DAY + MINUTE)

    assert len([asked for asked in ledger.asked if "by" in asked]) == 1


def test_right_after_midnight_nothing_is_final(make: type[Make], ledger: FakeLedger) -> None:
    """A call that began just before midnight may not be in the ledger yet."""
    sums = PastSums(ledger, ("service",))
    before = _cost(sums, DAY + MINUTE - 1)
    ledger.rows = [make.totals(DAY - 1, cost=4)]

    assert (before, _cost(sums, DAY + MINUTE)) == (0, 4)


def test_a_new_day_and_a_new_month_are_read_anew(make: type[Make], ledger: FakeLedger) -> None:
    """What is remembered is for one stretch of time only."""
    ledger.rows = [make.totals(0, cost=5), make.totals(DAY, cost=7)]
    sums = PastSums(ledger, ("service",))

    assert _cost(sums, DAY + MINUTE) == 5
    assert _cost(sums, 2 * DAY + MINUTE, today=2 * DAY) == 12
    assert _cost(sums, 2 * DAY + MINUTE, since=DAY, today=2 * DAY) == 7
    assert _cost(sums, 2 * DAY + MINUTE, since=None, today=2 * DAY) == 12
    assert _cost(sums, DAY + MINUTE, since=DAY, today=DAY) == 0
