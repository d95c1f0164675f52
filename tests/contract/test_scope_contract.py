from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from switchgear.clock import MICROS
from switchgear.policies.budget import BudgetRule
from switchgear.policies.limiter import LimitRule
from switchgear.state.base import Account, Admission, History, PastCalls, Waiting

Make = Callable[..., Any]

CI = ("key:ci",)
NANO = 1_000_000_000


def rpm(limit: int) -> LimitRule:
    """So many requests a minute."""
    return LimitRule(name="requests_per_minute", unit="requests", limit=limit, window_us=60 * MICROS)


def tpm(limit: int) -> LimitRule:
    """So many tokens a minute."""
    return LimitRule(name="tokens_per_minute", unit="tokens", limit=limit, window_us=60 * MICROS)


def in_flight(limit: int) -> LimitRule:
    """So many calls at a time."""
    return LimitRule(name="concurrent", unit="calls", limit=limit, window_us=0)


def test_a_scope_holds_along_with_the_service(bench: Make) -> None:
    """Its limit refuses with its name, its numbers and when to come again; calls without it go on."""
    it = bench(limits=(rpm(100),))
    it.scope("key:ci", rpm(2))
    for _ in range(2):
        it.admitted(scopes=CI)
    it.clock.advance(10)

    refusal = it.refused(scopes=CI)

    assert (refusal.rule, refusal.reason, refusal.service) == ("key:ci requests_per_minute", "rate_limit", "openai")
    assert (refusal.limit, refusal.used, refusal.needed) == (2, 2, 1)
    assert refusal.retry_after == pytest.approx(50, abs=0.03)
    assert refusal.message.startswith("key:ci is rate limited: 2 of 2 requests per minute used")
    it.admitted()
    assert (it.used("requests_per_minute"), it.used_of("key:ci", "requests_per_minute")) == (3, 2)


def test_a_no_of_the_service_takes_nothing_of_the_scope(bench: Make) -> None:
    """All or nothing: limits, breaker and budgets of others leave the scope's numbers as they were."""
    it = bench(limits=(rpm(1),), budgets=(BudgetRule(name="b", unit="usd", limit=NANO),))
    it.scope("key:ci", rpm(10), tpm(100), in_flight(3))
    assert it.refused(scopes=CI, tokens=10, cost=2 * NANO, budgets=(Account("b"),)).reason == "budget"
    it.admitted()
    assert it.refused(scopes=CI, tokens=10).rule == "requests_per_minute"
    assert [view.used for view in it.state.scopes(it.now)] == [0, 0, 0]


def test_a_no_of_the_scope_takes_nothing_of_the_service(bench: Make) -> None:
    """Who may not go for his own limits leaves the service's as they were."""
    it = bench(limits=(rpm(5), in_flight(5)))
    it.scope("key:ci", tpm(10))
    assert it.refused(scopes=CI, tokens=11).retry_after is None
    assert (it.used("requests_per_minute"), it.used("concurrent")) == (0, 0)


def test_settling_and_cancelling_reach_the_scope(bench: Make) -> None:
    """What was not used comes back, and the place in flight."""
    it = bench(limits=(rpm(100),))
    it.scope("key:ci", tpm(100), in_flight(1))
    it.settle(it.admitted(scopes=CI, tokens=80), tokens=30)
    assert it.used_of("key:ci", "tokens_per_minute") == 30
    it.cancel(it.admitted(scopes=CI, tokens=70))
    assert it.used_of("key:ci", "tokens_per_minute") == 30
    held = it.admitted(scopes=CI, tokens=10)
    assert it.refused(scopes=CI, tokens=10).rule == "key:ci concurrent"
    it.settle(held, tokens=None)
    assert (it.used_of("key:ci", "tokens_per_minute"), it.used_of("key:ci", "concurrent")) == (40, 0)


def test_who_waits_for_a_scope_is_in_nobodys_way(bench: Make) -> None:
    """Its line is its own: others go meanwhile, and it goes when its own time has come."""
    it = bench(limits=(rpm(100),))
    it.scope("key:ci", rpm(1))
    it.admitted(scopes=CI)
    waiting = it.waiting(scopes=CI, max_wait=120)
    assert waiting.rule == "key:ci requests_per_minute"
    it.admitted()
    assert it.used("requests_per_minute") == 2
    it.clock.advance(60.03)
    it.admitted(scopes=CI, max_wait=120, slot=waiting.slot)
    assert it.used_of("key:ci", "requests_per_minute") == 1


def test_after_its_scope_a_call_waits_for_the_service(bench: Make) -> None:
    """First in one line, then in the other; the scope counts it when it goes, not when it was granted."""
    it = bench(limits=(rpm(1),))
    it.scope("key:ci", rpm(1))
    it.admitted()
    waiting = it.waiting(scopes=CI, max_wait=300)
    assert (waiting.rule, it.used_of("key:ci", "requests_per_minute")) == ("requests_per_minute", 1)
    it.clock.advance(59)
    assert it.refused(scopes=CI).rule == "key:ci requests_per_minute"
    it.clock.advance(1.03)
    it.admitted(scopes=CI, max_wait=300, slot=waiting.slot)
    it.clock.advance(59)
    assert it.refused(scopes=CI).rule == "key:ci requests_per_minute"


def test_a_scope_whose_window_has_moved_on_is_asked_again(bench: Make) -> None:
    """Never more than its limit in any window, however long the service kept a call waiting."""
    it = bench(limits=(in_flight(1),))
    it.scope("key:ci", rpm(1))
    held = it.admitted()
    slow = it.waiting(scopes=CI, max_wait=300)
    it.clock.advance(61)
    other = it.waiting(scopes=CI, max_wait=300)  # it takes the room that time has given back
    it.settle(held)
    late = it.waiting(scopes=CI, max_wait=300, slot=slow.slot)
    assert late.rule == "key:ci requests_per_minute"
    it.admitted(scopes=CI, max_wait=300, slot=other.slot)
    assert it.used_of("key:ci", "requests_per_minute") == 1


def test_waiting_for_both_ends_with_the_callers_patience(bench: Make) -> None:
    """Time spent in the first line counts in the second."""
    it = bench(limits=(in_flight(1),))
    it.scope("key:ci", rpm(1))
    it.settle(it.admitted(scopes=CI))
    it.admitted()
    first = it.waiting(scopes=CI, max_wait=70)
    assert first.rule == "key:ci requests_per_minute"
    it.clock.advance(60.03)
    second = it.waiting(scopes=CI, max_wait=70, slot=first.slot)
    assert second.rule == "concurrent"
    it.clock.advance(10)
    assert it.refused(scopes=CI, max_wait=70, slot=second.slot).rule == "concurrent"
    assert it.used_of("key:ci", "requests_per_minute") == 0


@pytest.mark.parametrize("for_service", [True, False])
def test_who_leaves_a_line_leaves_nothing_behind(bench: Make, *, for_service: bool) -> None:
    """A place given back frees what the scope had granted, and those behind move up."""
    it = bench(limits=(in_flight(1),) if for_service else (rpm(9),))
    it.scope("key:ci", rpm(2) if for_service else in_flight(1))
    it.admitted(scopes=CI)
    waiting = it.waiting(scopes=CI, max_wait=60)
    it.withdraw(waiting.slot)
    used = it.used_of("key:ci", "requests_per_minute" if for_service else "concurrent")
    assert (used, sum(view.waiting for view in (*it.state.limits(it.now), *it.state.scopes(it.now)))) == (1, 0)


def test_a_place_that_comes_free_wakes_who_waits_for_the_scope(bench: Make) -> None:
    """Whoever stands in the line of a scope is told when he can go."""
    it = bench(limits=(rpm(100),))
    it.scope("key:ci", in_flight(1))
    woken: list[int] = []
    held = it.admitted(scopes=CI)
    waiting = it.waiting(scopes=CI, max_wait=60, waker=lambda: woken.append(1))
    it.settle(held)
    assert woken == [1]
    it.admitted(scopes=CI, max_wait=60, slot=waiting.slot)


def test_rules_of_a_scope_change_at_run_time(bench: Make) -> None:
    """What was counted stays counted; a scope without rules limits nothing, and neither does an unknown one."""
    it = bench(limits=(rpm(100),))
    it.scope("key:ci", rpm(1))
    it.admitted(scopes=CI)
    it.scope("key:ci", rpm(2))
    it.admitted(scopes=(*CI, "key:unknown"))
    assert it.refused(scopes=CI).limit == 2
    it.scope("key:ci")
    it.admitted(scopes=CI)


def test_two_scopes_hold_at_once(bench: Make) -> None:
    """A call under several scopes needs room in each."""
    it = bench(limits=(rpm(100),))
    it.scope("key:ci", rpm(2))
    it.scope("team:a", rpm(1))
    both = (*CI, "team:a")
    it.admitted(scopes=both)
    assert it.refused(scopes=both).rule == "team:a requests_per_minute"
    assert it.used_of("key:ci", "requests_per_minute") == 1


def test_what_was_called_before_counts_in_the_scope(bench: Make) -> None:
    """A ledger that remembers calls of a scope fills its windows."""
    it = bench(limits=(rpm(100),))
    it.scope("key:ci", rpm(3))
    past = PastCalls(service="key:ci", at=it.now.wall - 10 * MICROS, requests=2, tokens=0)
    it.state.restore(History(calls=(past,)), it.now)
    it.admitted(scopes=CI)
    assert it.refused(scopes=CI).retry_after == pytest.approx(50, abs=0.03)


def test_a_budget_that_comes_later_is_as_hard_as_the_others(bench: Make) -> None:
    """It holds from the next call on, and shows; a second one of its name changes nothing."""
    it = bench(limits=(rpm(100),))
    rule = BudgetRule(name="key:ci", unit="usd", limit=10 * NANO, match=(("key", "ci"),))
    it.state.add_budget(rule, None, it.now)
    it.admitted(budgets=(Account("key:ci"),), cost=8 * NANO)
    it.state.add_budget(rule, None, it.now)
    refusal = it.refused(budgets=(Account("key:ci"),), cost=3 * NANO)
    assert (refusal.rule, refusal.reserved) == ("key:ci", 8 * NANO)
    assert [view.budget for view in it.state.budgets(it.now)] == ["key:ci"]


def test_a_thousand_calls_never_pass_either_limit(bench: Make) -> None:
    """In no window of a minute are there more than either allows, whoever waits for what."""
    it = bench(limits=(rpm(7),))
    it.scope("key:ci", rpm(3))
    gone: list[tuple[float, bool]] = []
    lines: list[tuple[Waiting, tuple[str, ...]]] = []
    for step in range(60):
        it.clock.advance(3.7)
        now = it.now.mono / MICROS
        for waiting, scopes in [*lines]:
            answer = it.admit(scopes=scopes, max_wait=90, slot=waiting.slot)
            lines.remove((waiting, scopes))
            if isinstance(answer, Waiting):
                lines.append((answer, scopes))
            elif isinstance(answer, Admission):
                gone.append((now, bool(scopes)))
                it.settle(answer)
        scopes = CI if step % 3 else ()
        answer = it.admit(scopes=scopes, max_wait=90)
        if isinstance(answer, Waiting):
            lines.append((answer, scopes))
        elif isinstance(answer, Admission):
            gone.append((now, bool(scopes)))
            it.settle(answer)
    for at, _ in gone:
        within = [scoped for other, scoped in gone if at - 60 < other <= at]
        assert len(within) <= 7
        assert sum(within) <= 3
    assert len(gone) > 15
