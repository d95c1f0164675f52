from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.calls import Attribution, Call
from switchgear.policies.budget import BudgetRule, Period, Pot, matching, period_of

HOUR = 3_600_000_000


def _micros(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1_000_000)


def _rule(**settings: object) -> BudgetRule:
    return BudgetRule(**{"name": "b", "unit": "usd", "limit": 1000, **settings})  # type: ignore[arg-type]  # by name


def test_matching_asks_for_every_part_and_names_the_value() -> None:
    """A budget applies when all of its match is there; ``each`` gives its value."""
    rules = (
        _rule(name="all"),
        _rule(name="service", match=(("service", "openai"),)),
        _rule(name="other", match=(("service", "anthropic"),)),
        _rule(name="job", each="job"),
        _rule(name="run", each="run"),
        _rule(name="model", match=(("job", "acme"), ("model", "m"))),
        _rule(name="tag", match=(("tag.team", "blue"),)),
    )
    one = Call(
        id="x", service="openai", endpoint="/", model="m", attribution=Attribution(job="acme", tags=(("team", "red"),))
    )
    assert [(found.name, value) for found, value in matching(rules, one)] == [
        ("all", None),
        ("service", None),
        ("job", "acme"),
        ("model", None),
    ]


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)],
)
def test_budget_09_a_day_is_cut_at_local_midnight(day: str, hours: int) -> None:
    """A day in Vienna lasts 23 or 25 hours when the clocks change."""
    noon = _micros(f"{day}T12:00", "Europe/Vienna")
    period = period_of(_rule(period="day", timezone="Europe/Vienna"), noon)
    assert period.start == _micros(f"{day}T00:00", "Europe/Vienna")
    assert period.end is not None
    assert period.end - period.start == hours * HOUR


def test_budget_09_a_month_begins_at_local_midnight_of_the_first() -> None:
    """A month across a change of the clocks begins and ends at local midnight."""
    period = period_of(_rule(period="month", timezone="Europe/Vienna"), _micros("2026-10-31T23:59", "Europe/Vienna"))
    assert period == Period(_micros("2026-10-01T00:00", "Europe/Vienna"), _micros("2026-11-01T00:00", "Europe/Vienna"))


def test_a_week_begins_on_monday() -> None:
    """Weeks are ISO weeks."""
    period = period_of(_rule(period="week"), _micros("2026-11-24T10:00"))
    assert period == Period(_micros("2026-11-23T00:00"), _micros("2026-11-30T00:00"))


@given(
    wall=st.integers(_micros("2020-01-01"), _micros("2035-01-01")),
    period=st.sampled_from(["hour", "day", "week", "month"]),
    zone=st.sampled_from(["UTC", "Europe/Vienna", "Asia/Kathmandu", "America/Los_Angeles", "Australia/Lord_Howe"]),
)
def test_periods_tile_time(wall: int, period: str, zone: str) -> None:
    """Every instant lies in its period, and the next period begins where it ends."""
    budget = _rule(period=period, timezone=zone)
    found = period_of(budget, wall)
    assert found.end is not None
    assert found.start <= wall < found.end
    assert period_of(budget, found.end).start == found.end


def test_total_and_rolling_budgets_have_no_end() -> None:
    """A total never resets, a rolling budget never resets at once."""
    assert period_of(_rule(period="total"), 5) == Period(0, None)
    assert period_of(_rule(period="24h", rolling_us=24 * HOUR), 5) == Period(0, None)


def test_budget_02_the_surplus_of_a_reservation_is_free_at_once() -> None:
    """Settling below the worst case makes room for the next call."""
    pot = Pot(_rule(limit=160), period_of(_rule(), 0))
    pot.reserve(160)
    assert not pot.fits(1, 0)
    pot.settle(160, 20, 0)
    assert (pot.spent(0), pot.reserved) == (20, 0)
    assert pot.fits(140, 0)
    assert not pot.fits(141, 0)


def test_budget_05_unpriced_calls_are_counted_not_priced() -> None:
    """A call without a price is one unpriced call and no money."""
    pot = Pot(_rule(), period_of(_rule(), 0))
    pot.reserve(0)
    pot.settle(0, None, 0)
    assert (pot.spent(0), pot.unpriced) == (0, 1)


def test_budget_06_each_threshold_is_crossed_once() -> None:
    """Going on spending repeats no crossing."""
    pot = Pot(_rule(action="warn", limit=100), period_of(_rule(), 0))
    crossed = [pot.settle(0, 30, 0) for _ in range(6)]
    assert crossed == [(), (), (0.75, 0.9), (1.0,), (), ()]
    assert pot.fits(10_000, 0)


def test_a_jump_over_all_thresholds_reports_them_all() -> None:
    """One expensive call can cross several at once."""
    pot = Pot(_rule(limit=100), period_of(_rule(), 0))
    assert pot.settle(0, 100, 0) == (0.75, 0.9, 1.0)


def test_thresholds_known_from_before_are_not_repeated() -> None:
    """After a restart what was crossed before is not crossed again."""
    pot = Pot(_rule(limit=100), period_of(_rule(), 0))
    pot.add(80, 0)
    pot.arm(0)
    assert pot.settle(0, 5, 0) == ()
    assert pot.settle(0, 5, 0) == (0.9,)


def test_a_rolling_budget_frees_what_is_older_than_its_period() -> None:
    """What was spent a period ago does not count, and the refusal knows when that is."""
    budget = _rule(limit=100, period="24h", rolling_us=24 * HOUR)
    pot = Pot(budget, period_of(budget, 0))
    pot.settle(0, 60, 0)
    pot.settle(0, 40, HOUR)
    assert not pot.fits(50, 2 * HOUR)
    assert pot.ready_at(50, 2 * HOUR) == 24 * HOUR
    assert pot.ready_at(101, 2 * HOUR) is None
    assert pot.fits(50, 24 * HOUR)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=40))
def test_spent_plus_reserved_never_passes_the_limit(steps: list[tuple[int, int]]) -> None:
    """However reservations and settlements interleave, a hard budget holds."""
    pot = Pot(_rule(limit=100), period_of(_rule(), 0))
    held: list[int] = []
    for need, used in steps:
        if pot.fits(need, 0):
            pot.reserve(need)
            held.append(need)
        elif held:
            amount = held.pop(0)
            pot.settle(amount, min(used, amount), 0)
        assert pot.spent(0) + pot.reserved <= 100
        assert pot.reserved == sum(held)


def test_an_instant_in_utc_is_read_in_the_zone() -> None:
    """The period is that of the place, not of UTC: 23:30 UTC on New Year's Eve is next year in Vienna."""
    period = period_of(_rule(period="month", timezone="Europe/Vienna"), _micros("2026-12-31T23:30"))
    assert datetime.fromtimestamp(period.start / 1e6, UTC).isoformat() == "2026-12-31T23:00:00+00:00"


@pytest.mark.parametrize("action", ["fail", "skip", "degrade"])
def test_budget_17_a_limit_below_what_is_spent_refuses_at_once(action: str) -> None:
    """Lowered below the spending, the budget has no room, not even for a call that costs nothing."""
    pot = Pot(_rule(limit=100, action=action), period_of(_rule(), 0))
    pot.reserve(70)
    pot.settle(70, 70, 0)
    assert pot.change(_rule(limit=50, action=action), 0) == (0.75, 0.9, 1.0)
    assert not pot.fits(0, 0)
    assert pot.change(_rule(limit=50, action=action), 0) == ()


def test_budget_17_what_is_in_flight_settles_as_it_is() -> None:
    """A lower limit takes nothing away from a call that has been let go."""
    pot = Pot(_rule(limit=100), period_of(_rule(), 0))
    pot.reserve(60)
    pot.change(_rule(limit=40), 0)
    assert (pot.reserved, pot.fits(1, 0)) == (60, False)
    assert pot.settle(60, 20, 0) == ()
    assert pot.fits(20, 0)


def test_budget_06_a_raised_limit_arms_what_it_is_above_again() -> None:
    """A threshold that is not passed any more is reported again when it is crossed again."""
    pot = Pot(_rule(limit=100), period_of(_rule(), 0))
    pot.reserve(95)
    assert pot.settle(95, 95, 0) == (0.75, 0.9)
    assert pot.change(_rule(limit=200), 0) == ()
    pot.reserve(55)
    assert pot.settle(55, 55, 0) == (0.75,)


def test_budget_06_a_threshold_is_crossed_by_the_amount_that_reaches_it() -> None:
    """A third of 100 is reached at 34, not at 33, and thresholds may be given in any order."""
    pot = Pot(_rule(limit=100, thresholds=(0.9, 0.333334, 0.9)), period_of(_rule(), 0))
    assert pot.rule.thresholds == (0.333334, 0.9)
    pot.reserve(0)
    assert pot.settle(0, 33, 0) == ()
    pot.reserve(0)
    assert pot.settle(0, 1, 0) == (0.333334,)


def test_budget_06_a_rolling_budget_does_not_cross_with_every_call() -> None:
    """Around a threshold, what expires bit by bit repeats no crossing; only falling clearly below it does."""
    budget = _rule(limit=100, period="1h", rolling_us=HOUR, thresholds=(0.5,))
    pot = Pot(budget, period_of(budget, 0))
    crossed = []
    for number in range(20):  # ten an hour: 50 in the window at most, then 45, 50, 45 ...
        pot.reserve(5)
        crossed.append(pot.settle(5, 5, number * HOUR // 10))
    assert [number for number, shares in enumerate(crossed) if shares] == [9]
    pot.reserve(0)
    assert pot.settle(0, 0, 4 * HOUR) == ()
    pot.reserve(60)
    assert pot.settle(60, 60, 4 * HOUR) == (0.5,)


def test_a_rolling_budget_follows_its_limit() -> None:
    """A changed limit decides when there is room again."""
    budget = _rule(limit=100, period="1h", rolling_us=HOUR)
    pot = Pot(budget, period_of(budget, 0))
    pot.reserve(60)
    pot.settle(60, 60, 0)
    pot.change(_rule(limit=60, period="1h", rolling_us=HOUR), 0)
    assert pot.ready_at(10, 1) == HOUR
    assert pot.change(budget, 1) == ()
    assert pot.ready_at(40, 1) == 1


def test_budget_12_a_reservation_can_grow() -> None:
    """A call that turns out larger holds more, and gives all of it back."""
    pot = Pot(_rule(limit=100), period_of(_rule(), 0))
    pot.reserve(60)
    pot.extend(30)
    assert (pot.reserved, pot.holders, pot.fits(11, 0)) == (90, 1, False)
    pot.release(90)
    assert (pot.reserved, pot.holders, pot.idle(0)) == (0, 0, True)


@pytest.mark.parametrize("rolling", [None, HOUR])
def test_a_cleared_pot_keeps_what_it_holds(rolling: int | None) -> None:
    """Forgetting what was spent forgets no call in flight, and arms the thresholds."""
    pot = Pot(_rule(limit=100, rolling_us=rolling), period_of(_rule(), 0))
    pot.reserve(10)
    pot.reserve(80)
    pot.settle(80, 80, 0)
    pot.clear()
    assert (pot.spent(0), pot.reserved) == (0, 10)
    assert pot.settle(10, 75, 0) == (0.75,)
