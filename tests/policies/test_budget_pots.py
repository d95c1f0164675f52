# ruff: noqa: SLF001 - what is kept in memory is the promise under test

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from switchgear.clock import Moment
from switchgear.policies.budget import BudgetRule, Pot
from switchgear.policies.pots import KEPT, Pots

HOUR = 3_600_000_000
START = Moment(0, 1_800_000_000_000_000 // HOUR * HOUR)


def _rule(**settings: object) -> BudgetRule:
    return BudgetRule(**{"name": "b", "unit": "usd", "limit": 1000, "each": "job", **settings})  # type: ignore[arg-type]  # by name


def _later(us: int, of: Moment = START) -> Moment:
    return Moment(of.mono + us, of.wall + us)


def _spend(pots: Pots, value: str | None, amount: int, now: Moment = START) -> tuple[float, ...]:
    pot = pots.at(value, now)
    pot.reserve(amount)
    crossed = pot.settle(amount, amount, now.mono)
    pots.leave(value, pot, now)
    return crossed


def test_budget_04_a_value_that_spent_nothing_leaves_nothing() -> None:
    """A million jobs that are refused, cancelled or free leave no pot behind."""
    pots = Pots(_rule(), START)
    for number in range(100_000):
        pot = pots.at(f"job-{number}", START)
        pot.reserve(5)
        pot.release(5)
        pots.leave(f"job-{number}", pot, START)
    assert len(pots) == 0
    assert pots.pots(START) == []


def test_budget_04_all_values_go_with_their_period() -> None:
    """When a calendar period is over nothing of it is kept, but what is in flight settles where it began."""
    pots = Pots(_rule(period="hour"), START)
    for number in range(5000):
        _spend(pots, f"job-{number}", 10)
    held = pots.at("late", START)
    held.reserve(7)
    later = _later(HOUR)
    assert pots.at("job-1", later).spent(later.mono) == 0
    assert len(pots) == 1
    assert held.settle(7, 7, later.mono) == ()
    pots.leave("late", held, later)
    assert pots.at("late", later).spent(later.mono) == 0


def test_budget_04_a_quiet_value_of_a_total_is_one_number() -> None:
    """What a job of long ago has spent is still known, in under 250 bytes, and its thresholds are not repeated."""
    pots = Pots(_rule(), START)
    _spend(pots, "first", 800)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(20_000):
            _spend(pots, f"acme-{number}", 10)
        each = (tracemalloc.get_traced_memory()[0] - before) / 20_000
    finally:
        tracemalloc.stop()
    assert each < 250
    assert len(pots._pots) <= KEPT + 1
    assert len(pots._order) <= KEPT + 1
    assert pots.at("first", START).spent(0) == 800
    assert _spend(pots, "first", 10) == ()
    assert _spend(pots, "first", 90) == (0.9,)


def test_a_quiet_value_keeps_its_unpriced_calls() -> None:
    """Calls without a price stay counted beside the money."""
    pots = Pots(_rule(), START)
    pot = pots.at("a", START)
    pot.reserve(0)
    pot.settle(0, None, 0)
    pots.leave("a", pot, START)
    _spend(pots, "a", 3)
    for number in range(KEPT + 10):
        _spend(pots, f"job-{number}", 1)
    assert "a" in pots._quiet
    again = dict(pots.pots(START))["a"]
    assert (again.spent(0), again.unpriced) == (3, 1)


def test_a_value_in_flight_is_never_put_aside() -> None:
    """However many others come, a pot that holds something stays the same pot."""
    pots = Pots(_rule(), START)
    held = pots.at("busy", START)
    held.reserve(0)
    for number in range(3 * KEPT):
        _spend(pots, f"job-{number}", 1)
    assert pots.at("busy", START) is held
    held.settle(0, 5, 0)
    assert pots.at("busy", START).spent(0) == 5


def test_a_value_that_comes_and_goes_keeps_its_pot_while_it_is_in_use() -> None:
    """A pot that was dropped and made anew is not taken for the old one."""
    pots = Pots(_rule(), START)
    for number in range(KEPT):
        name = "again" if number == 0 else f"job-{number}"
        pot = pots.at(name, START)
        pots.leave(name, pot, START)
    pot = pots.at("again", START)
    pot.reserve(4)
    assert pots.at("again", START) is pot
    other = Pot(_rule(), pots.period)
    pots.leave("again", other, START)
    assert pots.at("again", START) is pot


def test_a_rolling_value_goes_when_its_window_is_empty() -> None:
    """One window after its last use a value of a rolling budget takes no memory."""
    pots = Pots(_rule(period="1h", rolling_us=HOUR), START)
    for number in range(2 * KEPT):
        _spend(pots, f"job-{number}", 1)
    assert len(pots) == 2 * KEPT
    for number in range(2 * KEPT):
        now = _later(HOUR + number)
        pot = pots.at(f"new-{number}", now)
        pots.leave(f"new-{number}", pot, now)
    assert len(pots) < KEPT


def test_budget_09_what_is_remembered_crosses_nothing() -> None:
    """After a restart a value has spent what it had, and repeats no threshold."""
    pots = Pots(_rule(), START)
    pots.remember("a", 800, 2, START)
    pots.remember("nothing", 0, 0, START)
    assert [(value, pot.spent(0), pot.unpriced) for value, pot in pots.pots(START)] == [("a", 800, 2)]
    assert _spend(pots, "a", 10) == ()


def test_budget_17_a_limit_is_that_of_every_value() -> None:
    """Busy, quiet and future values get the new limit; each threshold fallen below is told by value."""
    pots = Pots(_rule(), START)
    for number in range(KEPT + 5):
        _spend(pots, f"job-{number}", 10 if number else 400)
    assert pots._quiet
    told = pots.change(500, START)
    assert [(value, shares) for value, _, shares in told] == [("job-0", (0.75,))]
    assert {pot.rule.limit for _, pot in pots.pots(START)} == {500}
    assert pots.at("new", START).rule.limit == 500


def test_a_budget_for_all_has_always_one_pot() -> None:
    """Without ``each`` there is one pot, unused as it may be, in each period."""
    pots = Pots(_rule(each=None, period="hour"), START)
    ((value, pot),) = pots.pots(START)
    assert value is None
    pots.leave(None, pot, START)
    ((_, next_pot),) = pots.pots(_later(HOUR))
    assert next_pot is not pot
    assert next_pot.period.start == pot.period.end


class BudgetModel(RuleBasedStateMachine):
    """Pots of two jobs against plain dictionaries: reserve, settle, release, time, limit."""

    def __init__(self) -> None:
        super().__init__()
        self.pots = Pots(_rule(limit=100, period="hour"), START)
        self.now = START
        self.limit = 100
        self.lowered = False
        self.spent = {"a": 0, "b": 0}
        self.held: list[tuple[str, Pot, int, int]] = []  # job, pot, amount, hour

    @property
    def hour(self) -> int:
        return (self.now.wall - START.wall) // HOUR

    def reserved(self, job: str) -> int:
        return sum(amount for name, _, amount, hour in self.held if name == job and hour == self.hour)

    @rule(job=st.sampled_from("ab"), need=st.integers(0, 60))
    def reserve(self, job: str, need: int) -> None:
        pot = self.pots.at(job, self.now)
        fits = self.spent[job] + self.reserved(job) + need <= self.limit
        assert pot.fits(need, self.now.mono) == fits
        if fits:
            pot.reserve(need)
            self.held.append((job, pot, need, self.hour))
        else:
            self.pots.leave(job, pot, self.now)

    @precondition(lambda self: self.held)
    @rule(number=st.integers(0, 50), part=st.integers(0, 100), gives_back=st.booleans())
    def finish(self, number: int, part: int, *, gives_back: bool) -> None:
        job, pot, amount, hour = self.held.pop(number % len(self.held))
        used = amount * part // 100
        if gives_back:
            pot.release(amount)
        else:
            pot.settle(amount, used, self.now.mono)
            if hour == self.hour:
                self.spent[job] += used
        self.pots.leave(job, pot, self.now)

    @rule(minutes=st.integers(1, 50))
    def wait(self, minutes: int) -> None:
        before = self.hour
        self.now = _later(minutes * HOUR // 60, self.now)
        if self.hour != before:
            self.spent = {"a": 0, "b": 0}
            self.lowered = False

    @rule(limit=st.integers(1, 150))
    def change(self, limit: int) -> None:
        self.pots.change(limit, self.now)
        self.lowered = self.lowered or limit < self.limit
        self.limit = limit

    @invariant()
    def numbers_agree(self) -> None:
        found = dict(self.pots.pots(self.now))
        for job in ("a", "b"):
            spent, reserved = self.spent[job], self.reserved(job)
            pot = found.get(job)
            assert (0 if pot is None else pot.spent(self.now.mono)) == spent
            assert (0 if pot is None else pot.reserved) == reserved
            if not self.lowered:
                assert spent + reserved <= self.limit


TestBudgetModel = BudgetModel.TestCase
TestBudgetModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("calls", [8, 8000])
def test_budget_14_the_check_costs_the_same_however_many_calls_there_were(calls: int) -> None:
    """A pot keeps sums, not calls: its size does not grow with them, so nothing is added up again."""
    pots = Pots(_rule(each=None, limit=10**9), START)
    for _ in range(calls):
        _spend(pots, None, 3)
    pot = pots.at(None, START)
    assert (pot.spent(0), len(pots)) == (3 * calls, 1)
    assert all(isinstance(getattr(pot, name), int | None) for name in ("_spent", "_passed", "reserved", "_rolling"))
