from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from switchgear.calls import Outcome, Quota, Usage
from switchgear.clock import MICROS
from switchgear.policies.breaker import BreakerRule
from switchgear.policies.limiter import LimitRule
from switchgear.state.base import Admission, History, PastCalls, Waiting
from switchgear.state.memory import ServiceRules

Make = Callable[..., Any]

CELL = 0.02
"""Seconds that a minute's window may be late in giving a unit back."""


def rpm(limit: int) -> LimitRule:
    """So many requests a minute."""
    return LimitRule(name="requests_per_minute", unit="requests", limit=limit, window_us=60 * MICROS)


def tpm(limit: int) -> LimitRule:
    """So many tokens a minute."""
    return LimitRule(name="tokens_per_minute", unit="tokens", limit=limit, window_us=60 * MICROS)


def rpd(limit: int) -> LimitRule:
    """So many requests in 24 hours."""
    return LimitRule(name="requests_per_day", unit="requests", limit=limit, window_us=86_400 * MICROS)


def in_flight(limit: int) -> LimitRule:
    """So many calls at a time."""
    return LimitRule(name="concurrent", unit="calls", limit=limit, window_us=0)


def test_limiter_03_a_full_minute_is_whole_again_after_it(bench: Make) -> None:
    """20 admitted at 0 s: one more is refused at 59.999 s, 20 go at 60 s."""
    it = bench(limits=(rpm(20),))
    for _ in range(20):
        it.admitted()

    it.clock.advance(59.999)
    assert it.refused().rule == "requests_per_minute"
    it.clock.advance(0.001)

    for _ in range(20):
        it.admitted()
    it.refused()


def test_limiter_04_no_burst_over_the_edge_of_a_minute(bench: Make) -> None:
    """20 admitted at 59.9 s: nothing goes until 119.9 s."""
    it = bench(limits=(rpm(20),))
    it.clock.advance(59.9)
    for _ in range(20):
        it.admitted()

    for seconds in (0.2, 10.0, 49.7):
        it.clock.advance(seconds)
        it.refused()
    it.clock.advance(0.1)
    it.admitted()


@pytest.mark.parametrize("seed", range(3))
def test_limiter_05_never_more_than_the_limit_in_any_window(bench: Make, seed: int) -> None:
    """Whatever the traffic, no interval of a minute holds more than the limit, and a unit is at most one cell late."""
    it = bench(limits=(rpm(7),))
    draw = random.Random(seed)
    went: list[int] = []
    for _ in range(120):
        it.clock.advance(draw.choice([0.0, 0.001, 0.5, 7.0, 30.0]))
        now = it.now.mono
        answer = it.admit()
        recent = [at for at in went if at > now - 60 * MICROS]
        if isinstance(answer, Admission):
            assert len(recent) < 7
            went.append(now)
        else:
            assert len([at for at in went if at > now - (60 + CELL) * MICROS]) >= 7


def test_limiter_06_a_denial_takes_nothing(bench: Make) -> None:
    """Of 10 tokens, 8 go, 5 are refused, 2 go."""
    it = bench(limits=(tpm(10),))

    it.admitted(tokens=8)
    it.refused(tokens=5)
    it.admitted(tokens=2)


def test_limiter_07_larger_than_the_limit_is_never(bench: Make) -> None:
    """The whole limit goes into an empty window; more is refused at once, without a time, however patient."""
    it = bench(limits=(tpm(10),))

    it.admitted(tokens=10)
    refusal = it.refused(tokens=11, max_wait=1000)

    assert refusal.retry_after is None
    assert "will ever allow" in refusal.message


def test_limiter_08_nothing_costs_nothing(bench: Make) -> None:
    """A call of no tokens goes although the window is full."""
    it = bench(limits=(tpm(10),))
    it.admitted(tokens=10)

    it.admitted(tokens=0)

    assert it.used("tokens_per_minute") == 10


def test_limiter_09_all_or_nothing(bench: Make) -> None:
    """Of 10 a minute and 1 a day one call goes, and the minute has 9 left after ten tries."""
    it = bench(limits=(rpm(10), rpd(1)))
    it.admitted()
    for _ in range(9):
        it.refused()

    assert it.used("requests_per_minute") == 1


def test_limiter_10_names_the_binding_limit(bench: Make) -> None:
    """Of several limits the refusal names the one that is longest in the way, with its wait."""
    it = bench(limits=(rpm(1), rpd(1)))
    it.admitted()

    refusal = it.refused()

    assert (refusal.rule, refusal.retry_after) == ("requests_per_day", 86_400.0)


def test_limiter_11_the_wait_is_exact(bench: Make) -> None:
    """A millisecond before retry_after it is refused, at it admitted."""
    it = bench(limits=(tpm(10),))
    it.admitted(tokens=6)
    it.clock.advance(5)
    it.admitted(tokens=4)

    wait = it.refused(tokens=5).retry_after
    it.clock.advance(wait - 0.001)
    it.refused(tokens=5)
    it.clock.advance(0.001)
    it.admitted(tokens=5)


def test_limiter_12_waiters_go_in_order(bench: Make) -> None:
    """Six who wait for 2 a minute get 60, 60, 120, 120, 180, 180 s, and go then."""
    it = bench(limits=(rpm(2),))
    it.admitted()
    it.admitted()
    start = it.now.mono

    waiters = [it.waiting(max_wait=1000) for _ in range(6)]

    assert [(one.go_at - start) // MICROS for one in waiters] == [60, 60, 120, 120, 180, 180]
    for one in waiters:
        it.clock.advance(max(0, one.go_at - it.now.mono) / MICROS)
        it.admitted(slot=one.slot, max_wait=1000)


def test_limiter_13_nobody_overtakes(bench: Make) -> None:
    """A newcomer without patience is refused although the next in line has not come for its unit yet."""
    it = bench(limits=(rpm(1),))
    it.admitted()
    first = it.waiting(max_wait=100)

    it.clock.advance(60)
    it.refused()

    it.admitted(slot=first.slot, max_wait=100)


def test_limiter_14_small_calls_do_not_starve_a_large_one(bench: Make) -> None:
    """Who waits for the whole limit goes at its time, whatever small calls come after it."""
    it = bench(limits=(tpm(10),))
    it.admitted(tokens=1)
    large = it.waiting(tokens=10, max_wait=100)

    for _ in range(5):
        it.clock.advance(10)
        it.refused(tokens=1)
    it.clock.advance(10)

    it.admitted(slot=large.slot, tokens=10, max_wait=100)


def test_limiter_16_a_wait_that_is_too_long_is_refused_at_once(bench: Make) -> None:
    """Patience of 30 s for a wait of 60 s: refused now, and nothing is left behind."""
    it = bench(limits=(rpm(1),))
    it.admitted()

    refusal = it.refused(max_wait=30)

    assert refusal.retry_after == 60.0
    assert it.state.limits(it.now)[0].waiting == 0


def test_limiter_17_a_place_given_back_moves_the_others_up(bench: Make) -> None:
    """Of three who wait the second leaves; the third goes at the second's time."""
    it = bench(limits=(rpm(1),))
    it.admitted()
    first, second, third = (it.waiting(max_wait=1000) for _ in range(3))

    it.withdraw(second.slot)
    it.clock.advance(60)
    it.admitted(slot=first.slot, max_wait=1000)
    it.clock.advance(60)

    it.admitted(slot=third.slot, max_wait=1000)


def test_limiter_17_a_place_is_given_back_once(bench: Make) -> None:
    """Giving a place back again, or one that nobody has, does nothing."""
    it = bench(limits=(rpm(1),))
    it.admitted()
    only = it.waiting(max_wait=100)

    for slot in (only.slot, only.slot, 4711):
        it.withdraw(slot)

    assert it.state.limits(it.now)[0].waiting == 0


def test_limiter_19_places_in_flight_come_back(bench: Make) -> None:
    """With one call at a time the second waits until the first is settled, and is woken."""
    it = bench(limits=(in_flight(1),))
    woken: list[str] = []
    first = it.admitted()
    assert "in flight" in it.refused().message

    waiting = it.waiting(max_wait=100, waker=lambda: woken.append("up"))
    it.settle(first)

    assert woken == ["up"]
    it.admitted(slot=waiting.slot, max_wait=100)


def test_limiter_20_services_do_not_wait_for_each_other(bench: Make) -> None:
    """One service's full window does not concern another's."""
    rules = ServiceRules(limits=(rpm(1),), breaker=BreakerRule())
    it = bench(services={"a": rules, "b": rules})
    it.admitted(service="a")

    it.refused(service="a")
    it.admitted(service="b")


def test_limiter_25_settles_to_what_was_used(bench: Make) -> None:
    """Of 1,000 reserved 400 are used: 600 are free at once. 1,500 used charge 500 more. Twice is once."""
    it = bench(limits=(tpm(2000),))
    first = it.admitted(tokens=1000)

    it.settle(first, tokens=400)
    it.settle(first, tokens=0)
    assert it.used("tokens_per_minute") == 400
    it.settle(it.admitted(tokens=1000), tokens=1500)

    assert it.used("tokens_per_minute") == 1900
    it.refused(tokens=101)
    it.admitted(tokens=100)


def test_limiter_25_unknown_usage_keeps_the_reservation(bench: Make) -> None:
    """Without a count of what was used all that was reserved stays charged."""
    it = bench(limits=(tpm(2000),))

    it.settle(it.admitted(tokens=1000), tokens=None)

    assert it.used("tokens_per_minute") == 1000


def test_limiter_25_a_call_that_never_left_costs_nothing(bench: Make) -> None:
    """A cancelled admission gives its request and its tokens back."""
    it = bench(limits=(rpm(1), tpm(10)))

    it.cancel(it.admitted(tokens=10))

    it.admitted(tokens=10)


def test_limiter_26_a_refund_after_the_window_credits_nothing(bench: Make) -> None:
    """What comes back when its window is over is not given to later ones."""
    it = bench(limits=(tpm(10),))
    slow = it.admitted(tokens=10)
    it.clock.advance(60)
    it.admitted(tokens=10)

    it.settle(slow, tokens=0)

    assert it.used("tokens_per_minute") == 10


def test_limiter_28_a_pause_that_the_provider_asks_for(bench: Make) -> None:
    """After a failure with Retry-After 12 nobody goes for 12 s."""
    it = bench(limits=(rpm(100),))

    it.settle(it.admitted(), verdict="failure", retry_after=12.0)

    refusal = it.refused()
    assert (refusal.rule, refusal.retry_after) == ("provider_pause", 12.0)
    it.clock.advance(12)
    it.admitted()


def test_limiter_28_what_the_provider_has_left(bench: Make) -> None:
    """When the provider says that 2 requests are left for 20 s, two go, and the third in 20 s."""
    it = bench(limits=(rpm(100),))
    quotas = (Quota(unit="requests", remaining=2, resets_in=20.0),)
    outcome = Outcome(status="ok", verdict="success", usage=Usage(), quotas=quotas)

    it.state.settle(it.admitted(), outcome, 0, it.now)

    it.admitted()
    it.admitted()
    assert it.refused().retry_after == 20.0


def test_limiter_29_counts_what_was_before(bench: Make) -> None:
    """Calls that the ledger remembers count in the windows, at their own time."""
    it = bench(limits=(rpm(3),))
    past = PastCalls(service="openai", at=it.now.wall - 50 * MICROS, requests=3, tokens=0)

    it.state.restore(History(calls=(past,)), it.now)

    assert it.refused().retry_after == 10.0


def test_limiter_30_after_a_wait_the_breaker_is_asked_again(bench: Make) -> None:
    """Who waited for a limit is refused if the circuit has opened meanwhile, and holds nothing."""
    it = bench(limits=(rpm(3),), breaker=BreakerRule(failure_threshold=2))
    held = [it.admitted() for _ in range(3)]
    waiting = it.waiting(max_wait=100)
    for admission in held:
        it.settle(admission, verdict="failure")
    it.clock.advance(60)

    answer = it.admit(slot=waiting.slot, max_wait=100)

    assert not isinstance(answer, Admission | Waiting)
    assert answer.reason == "breaker"
    assert it.used("requests_per_minute") == 0
