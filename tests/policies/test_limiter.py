from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from switchgear.clock import Moment
from switchgear.policies.limiter import Grant, LimitDenial, Limiter, LimitRule, Queued
from switchgear.policies.window import CELLS, Window

SECOND = 1_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND


def _at(us: int) -> Moment:
    return Moment(us, 1_700_000_000 * SECOND + us)


def _rpm(limit: int) -> LimitRule:
    return LimitRule(name="requests_per_minute", unit="requests", limit=limit, window_us=MINUTE)


def _tpm(limit: int) -> LimitRule:
    return LimitRule(name="tokens_per_minute", unit="tokens", limit=limit, window_us=MINUTE)


def _rpd(limit: int) -> LimitRule:
    return LimitRule(name="requests_per_day", unit="requests", limit=limit, window_us=DAY)


def _concurrent(limit: int) -> LimitRule:
    return LimitRule(name="concurrent", unit="calls", limit=limit, window_us=0)


def _take(limiter: Limiter, now: int, tokens: int = 0) -> Grant:
    answer = limiter.ask(tokens, _at(now), 0)
    assert isinstance(answer, Grant)
    return answer


def _denied(limiter: Limiter, now: int, tokens: int = 0, max_wait: int = 0) -> LimitDenial:
    answer = limiter.ask(tokens, _at(now), max_wait)
    assert isinstance(answer, LimitDenial)
    return answer


def _queued(limiter: Limiter, now: int, tokens: int = 0, max_wait: int = DAY) -> Queued:
    answer = limiter.ask(tokens, _at(now), max_wait)
    assert isinstance(answer, Queued)
    return answer


def test_limiter_03_window_frees_exactly_when_it_has_passed() -> None:
    """A hundred admitted at one instant bar the next until exactly one window later, and then none."""
    limiter = Limiter([_rpm(100)])
    for _ in range(100):
        _take(limiter, 0)
    _denied(limiter, MINUTE - 1000)
    for _ in range(100):
        _take(limiter, MINUTE)
    _denied(limiter, MINUTE)


def test_limiter_04_no_burst_over_the_edge_of_a_window() -> None:
    """There is no fixed edge at which twice the limit gets through."""
    limiter = Limiter([_rpm(100)])
    start = 59_900_000
    for _ in range(100):
        _take(limiter, start)
    for now in range(60_100_000, 119_800_001, 300_000):
        _denied(limiter, now)
    _take(limiter, start + MINUTE)


def test_limiter_06_denial_consumes_nothing() -> None:
    """A weight that doesn't fit leaves the room for one that does."""
    limiter = Limiter([_tpm(10)])
    _take(limiter, 0, 8)
    _denied(limiter, 0, 5)
    _take(limiter, 0, 2)


def test_limiter_07_more_than_the_limit_is_denied_at_once_for_ever() -> None:
    """What no window can ever hold is no matter of waiting, whatever the patience."""
    limiter = Limiter([_tpm(10)])
    _take(limiter, 0, 10)
    answer = _denied(limiter, 0, 11, max_wait=DAY)
    assert answer.never
    assert answer.ready_at is None
    assert limiter.waiting == 0


def test_limiter_08_cost_zero_needs_no_room() -> None:
    """A call without tokens passes a full token window."""
    limiter = Limiter([_tpm(10)])
    _take(limiter, 0, 10)
    _take(limiter, 0, 0)


def test_limiter_09_several_limits_are_all_or_nothing() -> None:
    """What one limit denies is charged to no other."""
    limiter = Limiter([_rpm(10), _rpd(1)])
    _take(limiter, 0)
    for _ in range(9):
        assert _denied(limiter, 1).rule.name == "requests_per_day"
    assert {rule.name: used for rule, used, _ in limiter.usage(_at(1))} == {
        "requests_per_minute": 1,
        "requests_per_day": 1,
    }


def test_limiter_10_denial_names_the_binding_limit_and_the_longest_wait() -> None:
    """With several limits full, the answer is the one that lasts longest."""
    limiter = Limiter([_rpm(1), _rpd(1)])
    _take(limiter, 5)
    answer = _denied(limiter, 10)
    assert answer.rule.name == "requests_per_day"
    assert answer.ready_at == 5 + DAY


@given(
    limit=st.integers(1, 6),
    gaps=st.lists(st.tuples(st.integers(0, 40 * SECOND), st.integers(1, 6)), min_size=1, max_size=30),
)
def test_limiter_11_the_eta_is_exact(limit: int, gaps: list[tuple[int, int]]) -> None:
    """A denied call is denied a microsecond before its ETA and admitted at it."""
    limiter = Limiter([_tpm(limit)])
    now = 0
    for gap, tokens in gaps:
        now += gap
        answer = limiter.ask(tokens, _at(now), 0)
        if isinstance(answer, LimitDenial) and answer.ready_at is not None:
            assert isinstance(limiter.ask(tokens, _at(answer.ready_at - 1), 0), LimitDenial)
            now = answer.ready_at
            assert isinstance(limiter.ask(tokens, _at(now), 0), Grant)


@given(
    limit=st.integers(1, 8),
    weights=st.lists(st.tuples(st.integers(0, 20 * SECOND), st.integers(1, 8)), min_size=1, max_size=60),
)
def test_limiter_01_never_more_than_the_limit_in_any_window(limit: int, weights: list[tuple[int, int]]) -> None:
    """Whatever comes when, every interval of one window holds at most the limit."""
    limiter = Limiter([_tpm(limit)])
    now = 0
    admitted: list[tuple[int, int]] = []
    for gap, tokens in weights:
        now += gap
        if isinstance(limiter.ask(tokens, _at(now), 0), Grant):
            admitted.append((now, tokens))
    for end, _ in admitted:
        assert sum(tokens for at, tokens in admitted if end - MINUTE < at <= end) <= limit


def test_limiter_12_waiters_are_served_in_order_at_the_rate() -> None:
    """A hundred waiters get slots in their order, never more than ten in a second."""
    limiter = Limiter([LimitRule(name="per_second", unit="requests", limit=10, window_us=SECOND)])
    for _ in range(10):
        _take(limiter, 0)
    slots = [_queued(limiter, 0).go_at for _ in range(90)]
    assert slots == [SECOND * (1 + number // 10) for number in range(90)]


def test_limiter_13_a_newcomer_does_not_overtake_the_queue() -> None:
    """Room that is spoken for is not given to somebody who came later."""
    limiter = Limiter([_tpm(10)])
    _take(limiter, 0, 6)
    waiter = _queued(limiter, 1, 8)
    assert waiter.go_at == MINUTE
    _denied(limiter, 2, 1)


def test_limiter_14_a_large_waiter_is_not_starved_by_small_ones() -> None:
    """A waiter for the whole limit is served at its slot however many small calls keep asking."""
    limiter = Limiter([_tpm(10)])
    _take(limiter, 0, 5)
    waiter = _queued(limiter, 1, 10)
    for now in range(2, MINUTE, SECOND):
        _denied(limiter, now, 1)
    assert isinstance(limiter.resume(waiter.slot, _at(waiter.go_at)), Grant)


def test_limiter_16_a_wait_beyond_the_patience_is_denied_at_once() -> None:
    """Whoever can't be served in time is told now, and leaves nothing in the queue."""
    limiter = Limiter([_rpm(1)])
    _take(limiter, 0)
    assert _denied(limiter, 1, max_wait=SECOND).ready_at == MINUTE
    assert limiter.waiting == 0


def test_limiter_17_a_cancelled_waiter_gives_its_slot_to_the_next() -> None:
    """Those behind somebody who leaves move up, and are woken to hear it when their turn comes."""
    limiter = Limiter([_rpm(1)])
    _take(limiter, 0)
    woken: list[str] = []
    first = _queued(limiter, 0)
    second = _queued(limiter, 0)
    third = limiter.ask(0, _at(0), DAY, lambda: woken.append("third"))
    assert isinstance(third, Queued)
    assert [first.go_at, second.go_at, third.go_at] == [MINUTE, 2 * MINUTE, 3 * MINUTE]

    limiter.withdraw(second.slot, _at(1))
    assert limiter.wakers == []  # the first one goes before it in any case
    assert isinstance(limiter.resume(first.slot, _at(MINUTE)), Grant)
    for waker in limiter.wakers:
        waker()

    assert woken == ["third"]
    again = limiter.resume(third.slot, _at(MINUTE + 1))
    assert isinstance(again, Queued)
    assert again.go_at == 2 * MINUTE


def test_limiter_25_settling_returns_the_surplus_and_charges_the_debt() -> None:
    """Tokens reserved and not used are free at once; tokens used beyond the reservation delay later calls."""
    limiter = Limiter([_tpm(1000)])
    grant = _take(limiter, 0, 1000)
    limiter.settle(grant, 400, _at(1))
    over = _take(limiter, 2, 600)
    limiter.settle(over, 1500, _at(3))
    assert {rule.name: used for rule, used, _ in limiter.usage(_at(4))} == {"tokens_per_minute": 1900}
    assert _denied(limiter, 5, 1).ready_at == 2 + MINUTE


def test_limiter_25_settled_surplus_serves_a_waiter_early() -> None:
    """Who waits for tokens is woken when a call turns out cheaper than it might have been."""
    limiter = Limiter([_tpm(1000)])
    grant = _take(limiter, 0, 1000)
    waiter = _queued(limiter, 1, 500)
    limiter.settle(grant, 100, _at(2))
    answer = limiter.resume(waiter.slot, _at(3))
    assert isinstance(answer, Grant)


def test_limiter_26_a_refund_after_its_window_credits_nothing() -> None:
    """Units that have left the window can't be given back into the next."""
    limiter = Limiter([_tpm(10)])
    grant = _take(limiter, 0, 10)
    _take(limiter, MINUTE, 10)
    limiter.settle(grant, 0, _at(MINUTE + 1))
    _denied(limiter, MINUTE + 2, 1)


def test_limiter_27_memory_is_bounded_whatever_the_traffic() -> None:
    """A window keeps at most its cells, and errs only on the strict side."""
    window = Window(10**9, MINUTE)
    for step in range(200_000):
        now = step * 1_000
        window.expire(now)
        window.take(1, now)
    assert len(window) <= CELLS + 1
    assert window.total >= MINUTE // 1_000


def test_a_waiter_that_wakes_late_counts_from_when_it_goes() -> None:
    """What leaves after its slot occupies the window from then on, so a late wake-up makes no burst."""
    limiter = Limiter([_rpm(1)])
    _take(limiter, 0)
    waiter = _queued(limiter, 0)
    assert isinstance(limiter.resume(waiter.slot, _at(MINUTE + 30 * SECOND)), Grant)
    assert _denied(limiter, 2 * MINUTE).ready_at == 2 * MINUTE + 30 * SECOND


def test_a_waiter_behind_a_late_one_waits_on() -> None:
    """If the call before left late, the slot behind it moves, and its waiter is told so."""
    limiter = Limiter([_rpm(1)])
    _take(limiter, 0)
    first, second = _queued(limiter, 0), _queued(limiter, 0)
    assert isinstance(limiter.resume(first.slot, _at(MINUTE + 30 * SECOND)), Grant)
    again = limiter.resume(second.slot, _at(2 * MINUTE + 1))
    assert isinstance(again, Queued)
    assert again.go_at == 2 * MINUTE + 30 * SECOND
    assert isinstance(limiter.resume(again.slot, _at(again.go_at)), Grant)


def test_a_waiter_that_sleeps_through_its_window_still_gets_its_turn() -> None:
    """A slot that has left the window altogether is given anew."""
    limiter = Limiter([_rpm(1)])
    _take(limiter, 0)
    waiter = _queued(limiter, 0)
    take_later = 3 * MINUTE
    assert isinstance(limiter.resume(waiter.slot, _at(take_later)), Grant)
    assert _denied(limiter, take_later + 1).ready_at == take_later + MINUTE


def test_a_place_in_flight_is_freed_by_settling_and_given_in_order() -> None:
    """Calls in flight are capped; the first in line gets the place that comes free, nobody else."""
    limiter = Limiter([_concurrent(1)])
    grant = _take(limiter, 0)
    woken: list[int] = []
    first = limiter.ask(0, _at(1), DAY, lambda: woken.append(1))
    second = limiter.ask(0, _at(2), DAY, lambda: woken.append(2))
    assert isinstance(first, Queued)
    assert isinstance(second, Queued)

    limiter.settle(grant, 0, _at(3))
    for waker in limiter.wakers:
        waker()

    assert woken == [1]
    _denied(limiter, 4)
    served = limiter.resume(first.slot, _at(4))
    assert isinstance(served, Grant)
    assert isinstance(limiter.resume(second.slot, _at(4)), Queued)
    limiter.settle(served, 0, _at(5))
    assert isinstance(limiter.resume(second.slot, _at(6)), Grant)


def test_a_waiter_for_a_place_gives_up_at_its_deadline() -> None:
    """Waiting for a place in flight ends at the patience, with a denial and an empty queue."""
    limiter = Limiter([_concurrent(1)])
    _take(limiter, 0)
    waiter = _queued(limiter, 0, max_wait=SECOND)
    answer = limiter.resume(waiter.slot, _at(SECOND))
    assert isinstance(answer, LimitDenial)
    assert answer.rule.name == "concurrent"
    assert limiter.waiting == 0


def test_a_place_that_comes_too_late_for_the_window_is_denied() -> None:
    """A place in flight that comes free is no use if the window has no room within the patience."""
    limiter = Limiter([_concurrent(1), _rpm(1)])
    grant = _take(limiter, 0)
    waiter = _queued(limiter, 0, max_wait=SECOND)
    limiter.settle(grant, 0, _at(10))
    answer = limiter.resume(waiter.slot, _at(10))
    assert isinstance(answer, LimitDenial)
    assert answer.rule.name == "requests_per_minute"
    _take(limiter, MINUTE)


def test_cancelling_a_grant_leaves_no_trace() -> None:
    """An admission that never left gives everything back."""
    limiter = Limiter([_rpm(1), _tpm(10), _concurrent(1)])
    limiter.cancel(_take(limiter, 0, 10), _at(1))
    _take(limiter, 2, 10)


def test_unknown_slots_are_no_slots() -> None:
    """Resuming or withdrawing a place that is not there changes nothing."""
    limiter = Limiter([_rpm(1)])
    assert limiter.resume(99, _at(0)) is None
    limiter.withdraw(99, _at(0))
    _take(limiter, 0)


def test_what_is_remembered_counts() -> None:
    """Calls told from before a restart use up the windows as if they had just been made."""
    limiter = Limiter([_rpm(2), _tpm(100)])
    limiter.remember(-10 * SECOND, 1, 60, _at(0))
    limiter.remember(-SECOND, 1, 40, _at(0))
    answer = _denied(limiter, 0, 10)
    assert answer.ready_at == 50 * SECOND
    assert [used for _, used, _ in limiter.usage(_at(0))] == [2, 100]


class LimiterMachine(RuleBasedStateMachine):
    """Random askers, waiters, cancellations, settlements, pauses and other limits against a plain list of events."""

    def __init__(self) -> None:
        super().__init__()
        self.limit = 5
        self.limiter = Limiter([_tpm(5), _concurrent(4)])
        self.now = 0
        self.quiet_until = 0
        self.waiters: list[Queued] = []
        self.running: list[tuple[int, Grant]] = []
        self.events: list[list[int]] = []

    @rule(gap=st.integers(0, 30 * SECOND))
    def pass_time(self, gap: int) -> None:
        self.now += gap

    @rule(tokens=st.integers(0, 5), patience=st.sampled_from([0, SECOND, 5 * MINUTE]), priority=st.integers(0, 2))
    def ask(self, tokens: int, patience: int, priority: int) -> None:
        foreseen = self.limiter.check(tokens, _at(self.now))
        before = self.limiter.waiting
        answer = self.limiter.ask(tokens, _at(self.now), patience, priority=priority)
        if isinstance(answer, Grant):
            assert foreseen is None or priority
            self.admit(answer)
        elif isinstance(answer, Queued):
            assert self.now < answer.go_at <= self.now + patience
            self.waiters.append(answer)
        else:
            assert foreseen is not None
            assert self.limiter.waiting == before

    @precondition(lambda self: self.waiters)
    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.waiters) - 1))
        answer = self.limiter.resume(self.waiters[index].slot, _at(self.now))
        if isinstance(answer, Queued):
            assert answer.go_at > self.now
            self.waiters[index] = answer
            return
        del self.waiters[index]
        if isinstance(answer, Grant):
            self.admit(answer)

    @precondition(lambda self: self.waiters)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        waiter = data.draw(st.sampled_from(self.waiters))
        self.waiters.remove(waiter)
        self.limiter.withdraw(waiter.slot, _at(self.now))

    @precondition(lambda self: self.running)
    @rule(share=st.integers(0, 5))
    def settle(self, share: int) -> None:
        index, grant = self.running.pop(0)
        used = min(share, grant.tokens)
        self.events[index][1] = used
        self.limiter.settle(grant, used, _at(self.now))

    @rule(span=st.integers(1, 20 * SECOND))
    def pause(self, span: int) -> None:
        self.quiet_until = max(self.quiet_until, self.now + span)
        self.limiter.pause_until(self.now + span, _at(self.now))

    @rule(limit=st.integers(1, 6))
    def change(self, limit: int) -> None:
        self.limit = limit
        self.limiter.reconfigure([_tpm(limit), _concurrent(4)], _at(self.now))

    def admit(self, grant: Grant) -> None:
        assert self.now >= self.quiet_until
        used = sum(units for at, units in self.events if self.now - MINUTE < at)
        assert used + grant.tokens <= self.limit or grant.tokens == 0
        self.events.append([self.now, grant.tokens])
        self.running.append((len(self.events) - 1, grant))
        assert len(self.running) <= 4

    @invariant()
    def counts_all_and_at_most_a_cell_more(self) -> None:
        (_, used, _), (_, in_flight, _) = self.limiter.usage(_at(self.now))
        assert in_flight == len(self.running)
        live = [sum(units for at, units in self.events if self.now - span < at) for span in (MINUTE, MINUTE + 20_000)]
        assert live[0] <= used <= live[1]
        assert self.limiter.waiting == len(self.waiters)


TestLimiterMachine = pytest.mark.timeout(60)(LimiterMachine.TestCase)
LimiterMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
