from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.calls import Quota, Unit
from switchgear.clock import Moment
from switchgear.policies.limiter import AGING, Grant, Lease, LimitDenial, Limiter, LimitRule, Queued
from switchgear.policies.pace import LONGEST_PAUSE

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND


def _at(us: int) -> Moment:
    return Moment(us, 1_700_000_000 * SECOND + us)


def _rule(limit: int, window_us: int = MINUTE, unit: Unit = "requests") -> LimitRule:
    return LimitRule(name=f"{unit}_{window_us}", unit=unit, limit=limit, window_us=window_us)


IN_FLIGHT = LimitRule(name="concurrent", unit="calls", limit=1, window_us=0)


def _grant(answer: object) -> Grant:
    assert isinstance(answer, Grant)
    return answer


def _queued(answer: object) -> Queued:
    assert isinstance(answer, Queued)
    return answer


def _denial(answer: object) -> LimitDenial:
    assert isinstance(answer, LimitDenial)
    return answer


class Bells:
    """Counts who was woken."""

    def __init__(self) -> None:
        self.rung: list[str] = []

    def bell(self, name: str) -> Callable[[], None]:
        return lambda: self.rung.append(name)

    def ring(self, limiter: Limiter) -> list[str]:
        """Call the wakers that *limiter* has collected; return whose they were."""
        wakers, limiter.wakers = limiter.wakers, []
        self.rung = []
        for waker in wakers:
            waker()
        return self.rung


def _quota(unit: Unit, remaining: int, resets_in: float) -> Quota:
    return Quota(unit=unit, remaining=remaining, resets_in=resets_in)


def test_limiter_15_high_priority_overtakes_low() -> None:
    """Whoever has a higher priority gets the earlier slot; among equals the order of asking holds."""
    limiter = Limiter([_rule(1, SECOND)])
    _grant(limiter.ask(0, _at(0), 0))
    low = [_queued(limiter.ask(0, _at(0), DAY)) for _ in range(2)]
    high = [_queued(limiter.ask(0, _at(1), DAY, priority=5)) for _ in range(2)]
    middle = _queued(limiter.ask(0, _at(2), DAY, priority=2))
    assert [one.go_at for one in (*high, middle)] == [SECOND, 2 * SECOND, 3 * SECOND]
    again = _queued(limiter.resume(low[0].slot, _at(3)))
    assert again.go_at == 4 * SECOND


def test_limiter_15_a_low_waiter_is_served_within_the_aging() -> None:
    """An endless stream of high priority delays a low waiter no longer than AGING."""
    limiter = Limiter([_rule(1, SECOND)])
    _grant(limiter.ask(0, _at(0), 0))
    low = _queued(limiter.ask(0, _at(0), DAY))
    waiting: list[Queued] = []
    served_at = None
    for now in range(0, 3 * AGING, SECOND // 2):
        waiting.append(_queued(limiter.ask(0, _at(now), DAY, priority=1)))
        for one in list(waiting):
            if isinstance(limiter.resume(one.slot, _at(now)), Grant):
                waiting.remove(one)
        if isinstance(limiter.resume(low.slot, _at(now)), Grant):
            served_at = now
            break
    assert served_at is not None
    assert AGING // 2 < served_at <= AGING


def test_limiter_15_priority_breaks_no_promise() -> None:
    """Who would miss its patience by being overtaken is not overtaken."""
    limiter = Limiter([_rule(1, SECOND)])
    _grant(limiter.ask(0, _at(0), 0))
    low = _queued(limiter.ask(0, _at(0), SECOND))
    high = _queued(limiter.ask(0, _at(1), DAY, priority=9))
    assert high.go_at == 2 * SECOND
    _grant(limiter.resume(low.slot, _at(SECOND)))


def test_limiter_15_who_has_waited_long_for_a_place_is_not_overtaken() -> None:
    """In line for a place in flight, age protects as well."""
    limiter = Limiter([IN_FLIGHT])
    first = _grant(limiter.ask(0, _at(0), 0))
    old = _queued(limiter.ask(0, _at(0), DAY))
    young = _queued(limiter.ask(0, _at(AGING), DAY))
    high = _queued(limiter.ask(0, _at(AGING + 1), DAY, priority=1))
    limiter.settle(first, 0, _at(AGING + 2))
    second = _grant(limiter.resume(old.slot, _at(AGING + 3)))
    limiter.settle(second, 0, _at(AGING + 4))
    _queued(limiter.resume(young.slot, _at(AGING + 5)))
    _grant(limiter.resume(high.slot, _at(AGING + 5)))


def test_limiter_13_one_who_is_called_is_not_overtaken() -> None:
    """Room that has come free for a waiter is not taken by a newcomer, whatever its priority."""
    limiter = Limiter([_rule(10, MINUTE, "tokens")])
    grant = _grant(limiter.ask(10, _at(0), 0))
    waiter = _queued(limiter.ask(6, _at(1), DAY))
    limiter.settle(grant, 2, _at(2))
    denial = _denial(limiter.ask(5, _at(3), 0, priority=9))
    assert denial.ready_at == MINUTE + 3
    assert limiter.waiting == 1
    _grant(limiter.resume(waiter.slot, _at(4)))


def test_a_small_call_of_high_priority_passes_a_large_one_that_waits() -> None:
    """Without patience too, a higher priority takes the room that nobody was called for."""
    limiter = Limiter([_rule(10, MINUTE, "tokens")])
    _grant(limiter.ask(6, _at(0), 0))
    waiter = _queued(limiter.ask(10, _at(1), DAY))
    _denial(limiter.ask(2, _at(2), 0))
    _denial(limiter.ask(2, _at(2), 0, priority=-1))
    # It would have been served at once when the first one's minute is over, and still is within its age.
    limiter.withdraw(waiter.slot, _at(3))
    patient = _queued(limiter.ask(10, _at(3), 2 * DAY))
    assert patient.go_at == MINUTE
    _grant(limiter.ask(2, _at(4), 0, priority=1))
    assert _queued(limiter.resume(patient.slot, _at(5))).go_at == MINUTE + 4


def test_limiter_12_one_waking_for_each_grant() -> None:
    """Waiters who are served at their time are never woken in between."""
    limiter = Limiter([_rule(10, SECOND)])
    bells = Bells()
    for _ in range(10):
        _grant(limiter.ask(0, _at(0), 0))
    slots = [_queued(limiter.ask(0, _at(0), DAY, bells.bell("x"))) for _ in range(100)]
    served: list[int] = []
    for slot in slots:
        _grant(limiter.resume(slot.slot, _at(slot.go_at)))
        served.append(slot.go_at)
    assert limiter.wakers == []
    for at in served:
        assert sum(at - SECOND < other <= at for other in served) <= 10


def test_freed_units_wake_all_who_can_go_and_the_next() -> None:
    """A refund wakes exactly those that it serves, and the first behind them if its time has changed."""
    limiter = Limiter([_rule(10, MINUTE, "tokens")])
    bells = Bells()
    grant = _grant(limiter.ask(8, _at(0), 0))
    _grant(limiter.ask(2, _at(SECOND), 0))
    slots = [_queued(limiter.ask(2, _at(SECOND), DAY, bells.bell(name))) for name in "abcdefg"]
    assert [slot.go_at for slot in slots] == [*[MINUTE] * 4, MINUTE + SECOND, 2 * MINUTE, 2 * MINUTE]
    limiter.settle(grant, 3, _at(2 * SECOND))
    assert bells.ring(limiter) == ["a", "b"]
    for slot in slots[:2]:
        _grant(limiter.resume(slot.slot, _at(3 * SECOND)))
    assert [_queued(limiter.resume(slot.slot, _at(4 * SECOND))).go_at for slot in slots[2:5]] == [
        MINUTE,
        MINUTE,
        MINUTE + SECOND,
    ]


def test_limiter_14_the_slot_of_a_large_waiter_holds() -> None:
    """A waiter for the whole limit is served at its instant while small ones keep coming, and they after it."""
    limiter = Limiter([_rule(5, MINUTE, "tokens")])
    _grant(limiter.ask(3, _at(0), 0))
    large = _queued(limiter.ask(5, _at(1), DAY))
    small = [_queued(limiter.ask(1, _at(2 + step), DAY)) for step in range(100)]
    assert small[0].go_at == large.go_at + MINUTE
    _grant(limiter.resume(large.slot, _at(large.go_at)))


def test_limiter_29_a_lower_limit_retimes_those_who_wait() -> None:
    """What is counted stays, nobody passes until the window holds less, and waiters learn their new time."""
    limiter = Limiter([_rule(100), IN_FLIGHT])
    limiter.reconfigure([_rule(100)], _at(0))
    for step in range(50):
        _grant(limiter.ask(0, _at(step * SECOND), 0))
    limiter.reconfigure([_rule(10)], _at(50 * SECOND))
    assert [(rule.limit, used) for rule, used, _ in limiter.usage(_at(50 * SECOND))] == [(10, 50)]
    denial = _denial(limiter.ask(0, _at(50 * SECOND), 0))
    assert denial.ready_at == 40 * SECOND + MINUTE
    _grant(limiter.ask(0, _at(100 * SECOND), 0))
    waiter = _queued(limiter.ask(0, _at(100 * SECOND), DAY))
    assert waiter.go_at == 101 * SECOND
    limiter.reconfigure([_rule(5)], _at(100 * SECOND))
    assert _queued(limiter.resume(waiter.slot, _at(101 * SECOND))).go_at == 106 * SECOND


def test_limiter_29_a_raised_limit_wakes_at_once() -> None:
    """More room serves those in line at once, in order."""
    limiter = Limiter([_rule(1)])
    bells = Bells()
    _grant(limiter.ask(0, _at(0), 0))
    slots = [_queued(limiter.ask(0, _at(1), DAY, bells.bell(name))) for name in "abc"]
    limiter.reconfigure([_rule(3)], _at(2))
    assert bells.ring(limiter) == ["a", "b", "c"]
    for slot in slots[:2]:
        _grant(limiter.resume(slot.slot, _at(3)))
    assert _queued(limiter.resume(slots[2].slot, _at(3))).go_at == MINUTE + 3


def test_limiter_29_who_has_become_too_large_is_sent_away() -> None:
    """A waiter that no window will ever hold any more is woken, and told so; those behind it move up."""
    limiter = Limiter([_rule(10, MINUTE, "tokens")])
    bells = Bells()
    _grant(limiter.ask(10, _at(0), 0))
    small = _queued(limiter.ask(1, _at(1), DAY, bells.bell("small")))
    large = _queued(limiter.ask(8, _at(1), DAY, bells.bell("large")))
    last = _queued(limiter.ask(2, _at(1), DAY, bells.bell("last")))
    limiter.reconfigure([_rule(5, MINUTE, "tokens")], _at(2))
    assert bells.ring(limiter) == ["large"]
    denial = _denial(limiter.resume(large.slot, _at(3)))
    assert denial.never
    assert denial.ready_at is None
    assert limiter.waiting == 2
    assert _queued(limiter.resume(last.slot, _at(4))).go_at == MINUTE
    assert _queued(limiter.resume(small.slot, _at(4))).go_at == MINUTE


def test_limiter_29_one_who_has_become_too_late_is_sent_away() -> None:
    """If a smaller limit moves a slot beyond the patience, the waiter hears it when it asks again."""
    limiter = Limiter([_rule(2)])
    for at in (0, SECOND):
        _grant(limiter.ask(0, _at(at), 0))
    waiter = _queued(limiter.ask(0, _at(2 * SECOND), MINUTE - 2 * SECOND))
    limiter.reconfigure([_rule(1)], _at(3 * SECOND))
    denial = _denial(limiter.resume(waiter.slot, _at(MINUTE)))
    assert denial.ready_at == MINUTE + SECOND
    assert limiter.waiting == 0


def test_limiter_28_a_pause_holds_all_and_then_they_resume_one_by_one() -> None:
    """Retry-After stops everybody; afterwards calls go at the configured rate, not as a herd."""
    limiter = Limiter([_rule(10), LimitRule(name="day", unit="requests", limit=1000, window_us=DAY)])
    _grant(limiter.ask(0, _at(0), 0))
    limiter.pause_until(12 * SECOND, _at(0))
    denial = _denial(limiter.ask(0, _at(1), 0))
    assert (denial.rule.name, denial.ready_at) == ("provider_pause", 12 * SECOND)
    assert _denial(limiter.check(0, _at(1))).ready_at == 12 * SECOND
    slots = [_queued(limiter.ask(0, _at(1), DAY)) for _ in range(5)]
    assert [slot.go_at // SECOND for slot in slots] == [12, 18, 24, 30, 36]
    for slot in slots:
        _grant(limiter.resume(slot.slot, _at(slot.go_at)))
    assert _denial(limiter.ask(0, _at(37 * SECOND), 0)).ready_at == 42 * SECOND
    assert not limiter.is_idle(_at(37 * SECOND))
    for _ in range(4):  # nobody waits any more: the limits alone decide again
        _grant(limiter.ask(0, _at(42 * SECOND), 0))


def test_limiter_28_waiters_in_line_are_retimed_by_a_pause() -> None:
    """Whoever sleeps towards an earlier time is told the later one."""
    limiter = Limiter([_rule(1, SECOND)])
    _grant(limiter.ask(0, _at(0), 0))
    slots = [_queued(limiter.ask(0, _at(0), DAY)) for _ in range(2)]
    limiter.pause_until(12 * SECOND, _at(1))
    limiter.pause_until(5 * SECOND, _at(1))  # a shorter one does not end it
    assert [_queued(limiter.resume(slot.slot, _at(slot.go_at))).go_at for slot in slots] == [12 * SECOND, 13 * SECOND]


def test_limiter_28_a_late_one_keeps_the_distance() -> None:
    """Who goes late after a pause is followed at the rate from when it went."""
    limiter = Limiter([_rule(60)])
    limiter.pause_until(10 * SECOND, _at(0))
    first, second = (_queued(limiter.ask(0, _at(0), DAY)) for _ in range(2))
    _grant(limiter.resume(first.slot, _at(10 * SECOND + SECOND // 2)))
    assert _queued(limiter.resume(second.slot, _at(11 * SECOND))).go_at == 11 * SECOND + SECOND // 2


def test_limiter_28_nothing_remaining_is_a_pause_until_the_reset() -> None:
    """``remaining: 0, reset: 12 s`` holds everybody for 12 seconds."""
    limiter = Limiter([_rule(60)])
    limiter.observe([_quota("requests", 0, 12.0)], _at(0))
    slots = [_queued(limiter.ask(0, _at(1), DAY)) for _ in range(3)]
    assert [slot.go_at // SECOND for slot in slots] == [12, 13, 14]


def test_limiter_28_a_small_quota_is_kept_and_the_next_word_restores_the_pace() -> None:
    """What the provider has left is what may go until its reset, unless it says more in between."""
    limiter = Limiter([_rule(100)])
    bells = Bells()
    limiter.observe([_quota("requests", 2, 12.0)], _at(0))
    grants = [_grant(limiter.ask(0, _at(1), 0)) for _ in range(2)]
    denial = _denial(limiter.ask(0, _at(2), 0))
    assert (denial.rule.name, denial.rule.limit, denial.ready_at) == ("provider_requests", 2, 12 * SECOND)
    slots = [_queued(limiter.ask(0, _at(3), DAY, bells.bell(name))) for name in "ab"]
    assert [slot.go_at for slot in slots] == [12 * SECOND, 12 * SECOND + 600_000]
    limiter.cancel(grants[0], _at(4))
    assert bells.ring(limiter) == ["a", "b"]
    _grant(limiter.resume(slots[0].slot, _at(5)))
    limiter.observe([_quota("requests", 5000, 12.0)], _at(6))
    assert bells.ring(limiter) == ["b"]
    _grant(limiter.resume(slots[1].slot, _at(7)))
    _grant(limiter.ask(0, _at(12 * SECOND + 2_000_000), 0))


def test_limiter_28_the_last_token_of_a_quota_lets_one_call_through() -> None:
    """A worst case larger than what is left is let go, and the next waits, until a settlement gives back."""
    limiter = Limiter([_rule(100_000, MINUTE, "tokens")])
    limiter.observe([_quota("tokens", 900, 30.0)], _at(0))
    grant = _grant(limiter.ask(5000, _at(1), 0))
    assert _denial(limiter.ask(1, _at(2), 0)).rule.name == "provider_tokens"
    limiter.settle(grant, 400, _at(3))
    _grant(limiter.ask(1, _at(4), 0))


@pytest.mark.parametrize(
    "quota",
    [_quota("requests", 100, 12.0), _quota("requests", 1, 0.0), _quota("requests", 50, 90.0)],
    ids=["as much as our own limit", "reset already", "longer than our window"],
)
def test_limiter_28_a_quota_that_binds_nobody_is_left_alone(quota: Quota) -> None:
    """Where the provider lets more go than our own limits, or says nothing of the time to come, they decide."""
    limiter = Limiter([_rule(100)])
    limiter.observe([quota], _at(0))
    for _ in range(60 if quota.resets_in > 60 else 100):
        answer = limiter.ask(0, _at(1), 0)
        if quota.resets_in > 60:
            continue
        _grant(answer)
    assert limiter.usage(_at(1))[0][1] == (50 if quota.resets_in > 60 else 100)


def test_limiter_28_a_pause_ends_after_an_hour_at_most() -> None:
    """Whatever a header says, a service is asked again after an hour."""
    limiter = Limiter([_rule(60)])
    limiter.pause_until(10**15, _at(0))
    assert _denial(limiter.ask(0, _at(1), 0)).ready_at == LONGEST_PAUSE
    limiter.reset(_at(2))
    _grant(limiter.ask(0, _at(2), 0))


def test_a_pause_without_any_limit_ends_for_all_at_once() -> None:
    """Where no rate is configured there is none to resume at."""
    limiter = Limiter([])
    limiter.pause_until(SECOND, _at(0))
    slots = [_queued(limiter.ask(7, _at(0), DAY)) for _ in range(3)]
    assert [slot.go_at for slot in slots] == [SECOND] * 3
    for slot in slots:
        _grant(limiter.resume(slot.slot, _at(SECOND)))
    _grant(limiter.ask(7, _at(SECOND), 0))


@pytest.mark.parametrize("returned", [False, True])
def test_limiter_26_a_lost_grant_is_taken_back_after_its_lease(*, returned: bool) -> None:
    """The place in flight is free again; the units stay charged or come back, as was asked."""
    limiter = Limiter([_rule(10, MINUTE, "tokens"), IN_FLIGHT])
    lease = Lease(us=5 * SECOND, returned=returned)
    grant = _grant(limiter.ask(8, _at(0), 0, lease=lease))
    waiter = _queued(limiter.ask(2, _at(1), DAY))
    assert waiter.go_at == 5 * SECOND
    assert waiter.rule is IN_FLIGHT
    _denial(limiter.ask(2, _at(2), 0))
    _grant(limiter.resume(waiter.slot, _at(5 * SECOND)))
    assert limiter.usage(_at(5 * SECOND))[0][1] == (2 if returned else 10)
    limiter.settle(grant, 1, _at(6 * SECOND))  # too late: it counts for nothing
    limiter.cancel(grant, _at(6 * SECOND))
    assert [used for _, used, _ in limiter.usage(_at(6 * SECOND))] == [2 if returned else 10, 1]


def test_limiter_26_settled_grants_leave_their_leases_behind_in_bounds() -> None:
    """However many calls are made within a lease, those that are settled are swept out."""
    limiter = Limiter([LimitRule(name="concurrent", unit="calls", limit=2, window_us=0)])
    kept = _grant(limiter.ask(0, _at(0), 0, lease=Lease(us=DAY)))
    for step in range(1000):
        limiter.settle(_grant(limiter.ask(0, _at(step), 0, lease=Lease(us=MINUTE))), 0, _at(step))
    assert len(limiter._leases.heap) < 100  # noqa: SLF001 - what it is kept in
    _grant(limiter.ask(0, _at(1001), 0))
    waiter = _queued(limiter.ask(0, _at(1001), 2 * DAY))
    assert waiter.go_at == DAY
    limiter.settle(kept, 0, _at(1002))
    _grant(limiter.resume(waiter.slot, _at(1003)))


def test_limiter_26_the_lease_of_a_settled_grant_means_nothing() -> None:
    """Whoever settles in time keeps what the settlement says, also after the lease."""
    limiter = Limiter([_rule(10, MINUTE, "tokens")])
    grant = _grant(limiter.ask(8, _at(0), 0, lease=Lease(us=SECOND, returned=True)))
    limiter.settle(grant, 5, _at(1))
    assert limiter.usage(_at(2 * SECOND))[0][1] == 5


def test_limiter_25_a_debt_of_a_call_that_reserved_nothing_is_charged() -> None:
    """Tokens that nobody had asked for count from the settlement on."""
    limiter = Limiter([_rule(100, MINUTE, "tokens")])
    grant = _grant(limiter.ask(0, _at(0), 0))
    limiter.settle(grant, 150, _at(SECOND))
    limiter.settle(grant, 0, _at(SECOND))
    _grant(limiter.ask(0, _at(SECOND), 0))
    assert _denial(limiter.ask(1, _at(2 * SECOND), 0)).ready_at == MINUTE + SECOND


def test_limiter_25_a_refund_beyond_the_window_and_one_of_requests_only() -> None:
    """Requests are not refunded by a settlement, whatever it says of tokens."""
    limiter = Limiter([_rule(2), _rule(100, MINUTE, "tokens")])
    grant = _grant(limiter.ask(60, _at(0), 0))
    limiter.settle(grant, 10, _at(1))
    assert [used for _, used, _ in limiter.usage(_at(2))] == [1, 10]


def test_checking_takes_nothing_and_foresees_what_asking_says() -> None:
    """A check says no for the same rule and instant as asking without patience, and yes where that grants."""
    limiter = Limiter([_rule(2), _rule(10, MINUTE, "tokens"), LimitRule(name="c", unit="calls", limit=3, window_us=0)])
    assert limiter.check(10, _at(0)) is None
    assert _denial(limiter.check(11, _at(0))).never
    _grant(limiter.ask(6, _at(0), 0))
    assert limiter.check(5, _at(1)) == limiter.ask(5, _at(1), 0)
    assert limiter.check(4, _at(1)) is None
    free = Limiter([_rule(10, MINUTE, "tokens")])
    _grant(free.ask(10, _at(0), 0))
    assert free.check(0, _at(1)) is None


def test_a_limiter_without_rules_lets_everything_through() -> None:
    """No limit is no limit."""
    limiter = Limiter([])
    assert limiter.rules == ()
    _grant(limiter.ask(10**9, _at(0), 0))
    assert limiter.usage(_at(0)) == []


def test_limiter_27_an_idle_limiter_is_one_that_a_new_one_could_replace() -> None:
    """It is idle one window after its last call, if nobody holds or awaits anything."""
    limiter = Limiter([_rule(1), IN_FLIGHT])
    assert limiter.is_idle(_at(0))
    grant = _grant(limiter.ask(0, _at(0), 0))
    assert not limiter.is_idle(_at(2 * MINUTE))
    limiter.settle(grant, 0, _at(2 * MINUTE))
    assert limiter.is_idle(_at(2 * MINUTE))
    _grant(limiter.ask(0, _at(2 * MINUTE), 0))
    limiter.ask(0, _at(2 * MINUTE), DAY)
    assert not limiter.is_idle(_at(5 * MINUTE))


def test_a_reset_serves_those_who_wait() -> None:
    """An emptied window wakes the line."""
    limiter = Limiter([_rule(1)])
    bells = Bells()
    _grant(limiter.ask(0, _at(0), 0))
    slot = _queued(limiter.ask(0, _at(0), DAY, bells.bell("a")))
    limiter.reset(_at(1))
    assert bells.ring(limiter) == ["a"]
    _grant(limiter.resume(slot.slot, _at(1)))


def test_a_waker_may_be_attached_later() -> None:
    """Who has just got a slot can say then how it wants to be woken."""
    limiter = Limiter([IN_FLIGHT])
    bells = Bells()
    grant = _grant(limiter.ask(0, _at(0), 0))
    slot = _queued(limiter.ask(0, _at(0), DAY))
    limiter.attach(slot.slot, bells.bell("a"))
    limiter.settle(grant, 0, _at(1))
    assert bells.ring(limiter) == ["a"]


def test_limiter_17_no_unit_is_lost_or_doubled_by_any_interleaving() -> None:  # noqa: C901 - one branch for each act
    """In 10,000 random trials of asking, leaving, going and settling, all units come back in the end."""
    dice = random.Random(17)
    for _ in range(10_000):
        limiter = Limiter([_rule(6, SECOND, "tokens"), LimitRule(name="c", unit="calls", limit=2, window_us=0)])
        now = 0
        slots: list[Queued] = []
        grants: list[Grant] = []
        for _ in range(8):
            now += dice.randrange(SECOND // 3)
            act = dice.randrange(5)
            answer: object = None
            if act <= 1:
                answer = limiter.ask(dice.randrange(1, 7), _at(now), 5 * SECOND, priority=dice.randrange(2))
            elif act == 2 and slots:
                limiter.withdraw(slots.pop(dice.randrange(len(slots))).slot, _at(now))
            elif act == 3 and slots:
                answer = limiter.resume(slots.pop(dice.randrange(len(slots))).slot, _at(now))
            elif grants:
                grant = grants.pop()
                limiter.settle(grant, dice.randrange(grant.tokens + 1), _at(now))
            if isinstance(answer, Grant):
                grants.append(answer)
            elif isinstance(answer, Queued):
                slots.append(answer)
            live = limiter.usage(_at(now))
            assert live[0][1] <= 6
            assert live[1][1] == len(grants) <= 2
        for slot in slots:
            limiter.withdraw(slot.slot, _at(now))
        for grant in grants:
            limiter.cancel(grant, _at(now))
        assert limiter.waiting == 0
        assert limiter.is_idle(_at(now + SECOND + 1000))
        assert isinstance(limiter.ask(6, _at(now + SECOND + 1000), 0), Grant)


@given(
    priorities=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2 * SECOND)), min_size=1, max_size=20),
    patience=st.sampled_from([2 * SECOND, 20 * SECOND, DAY]),
)
def test_limiter_15_whoever_has_a_slot_within_its_patience_is_served_in_it(
    priorities: list[tuple[int, int]], patience: int
) -> None:
    """Priorities never cost anybody its turn, and equals are served in the order of asking."""
    limiter = Limiter([_rule(1, SECOND)])
    now = 0
    waiting: dict[int, tuple[int, int, int]] = {}
    served: list[tuple[int, int]] = []

    def serve(until: int) -> None:
        while waiting:
            slot = min(waiting, key=lambda one: waiting[one][0])
            go_at, priority, order = waiting[slot]
            if go_at > until:
                return
            answer = limiter.resume(slot, _at(go_at))
            if isinstance(answer, Queued):
                waiting[slot] = (answer.go_at, priority, order)
            else:
                _grant(answer)
                del waiting[slot]
                served.append((priority, order))

    for order, (priority, gap) in enumerate(priorities):
        now += gap
        serve(now)
        answer = limiter.ask(0, _at(now), patience, priority=priority)
        if isinstance(answer, Queued):
            waiting[answer.slot] = (answer.go_at, priority, order)
    serve(now + DAY)
    assert not waiting
    for level in range(3):
        orders = [order for priority, order in served if priority == level]
        assert orders == sorted(orders)
