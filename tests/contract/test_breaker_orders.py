from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from switchgear.clock import MICROS
from switchgear.events import BreakerChanged
from switchgear.policies.breaker import BreakerRule
from switchgear.state.base import History, PastBreaker

Make = Callable[..., Any]

RULE = BreakerRule(failure_threshold=3, recovery_us=30 * MICROS, minimum_calls=1000)


def test_forced_open_rejects_until_it_is_closed(bench: Make) -> None:
    """No time passes it by; the refusal says who waits for whom, and no time to come back at."""
    it = bench(breaker=RULE)
    assert it.state.set_breaker("openai", "open", "provider outage", it.now) == "closed"
    [event] = it.state.poll(it.now)
    assert isinstance(event, BreakerChanged)
    assert (event.old, event.new, event.reason) == ("closed", "forced_open", "forced open by hand: provider outage")
    it.clock.advance(3600)
    refusal = it.refused()
    assert (refusal.reason, refusal.retry_after, refusal.limit) == ("breaker", None, None)
    assert refusal.message == "the circuit of openai is forced open: forced open by hand: provider outage"
    view = it.state.breakers(it.now)[0]
    assert (view.state, view.next_probe_at, view.rejected) == ("forced_open", None, 1)
    assert it.state.set_breaker("openai", "close", "it is back", it.now) == "forced_open"
    it.admitted()


def test_closing_an_open_circuit_holds_nothing_against_the_service(bench: Make) -> None:
    """It takes the whole threshold again to open it."""
    it = bench(breaker=RULE)
    it.fails(3)
    assert it.state.set_breaker("openai", "close", "", it.now) == "open"
    it.fails(2)
    view = it.state.breakers(it.now)[0]
    assert (view.state, view.failures, view.failed) == ("closed", 2, 2)


def test_a_reset_forgets_what_a_closed_circuit_has_counted(bench: Make) -> None:
    """It is as when new, and nothing has changed that would be an event."""
    it = bench(breaker=RULE)
    it.fails(2)
    assert it.state.set_breaker("openai", "reset", "", it.now) == "closed"
    assert it.state.poll(it.now) == ()
    view = it.state.breakers(it.now)[0]
    assert (view.failures, view.calls, view.failed, view.rejected) == (0, 0, 0, 0)


def test_what_was_under_way_says_nothing(bench: Make) -> None:
    """Failures of calls that left before an order do not count after it."""
    it = bench(breaker=RULE)
    flying = [it.admitted() for _ in range(3)]
    it.state.set_breaker("openai", "close", "", it.now)
    for admission in flying:
        it.settle(admission, verdict="failure")
    assert it.circuit() == "closed"


def test_an_unknown_service_is_told(bench: Make) -> None:
    """Nothing is made up for a name that nobody has configured."""
    it = bench(breaker=RULE)
    with pytest.raises(KeyError):
        it.state.set_breaker("nobody", "open", "", it.now)


def test_forced_open_outlives_a_restart(bench: Make) -> None:
    """What an operator has said still holds for a state that is told what the ledger remembers."""
    it = bench(breaker=RULE)
    past = PastBreaker(
        service="openai",
        state="forced_open",
        at=it.now.wall - MICROS,
        until=None,
        opened_times=0,
        reason="forced open by hand: outage",
    )
    it.state.restore(History(breakers=(past,)), it.now)
    view = it.state.breakers(it.now)[0]
    assert (view.state, view.since, view.reason) == ("forced_open", past.at, past.reason)
    assert it.refused().reason == "breaker"


def test_it_is_foretold(bench: Make) -> None:
    """Asked what would become of a call, a state says that the forced circuit would refuse it."""
    it = bench(breaker=RULE)
    it.state.set_breaker("openai", "open", "", it.now)
    told = it.explain()
    assert (told.verdict, told.rule) == ("refuse", "breaker")
    assert told.refusal == it.refused()
