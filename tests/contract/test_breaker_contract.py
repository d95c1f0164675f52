from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from switchgear.clock import MICROS
from switchgear.events import BreakerChanged
from switchgear.policies.breaker import BreakerRule
from switchgear.state.base import History, PastBreaker
from switchgear.state.memory import ServiceRules

Make = Callable[..., Any]


def rule(**settings: Any) -> BreakerRule:  # noqa: ANN401 - whatever a rule has
    """A circuit that opens after 3 failures for 30 s, and only looks at rates if told to."""
    return BreakerRule(**{"failure_threshold": 3, "recovery_us": 30 * MICROS, "minimum_calls": 1000, **settings})


def test_breaker_01_opens_after_the_third_failure(bench: Make) -> None:
    """Three failures in a row open the circuit; the fourth call is refused with the reason."""
    it = bench(breaker=rule())

    it.fails(3)

    assert it.circuit() == "open"
    refusal = it.refused()
    assert (refusal.reason, refusal.retry_after) == ("breaker", 30.0)
    assert "3 failures in a row" in refusal.message


def test_breaker_02_a_success_begins_the_count_anew(bench: Make) -> None:
    """F, F, S, F, F leaves the circuit closed with 2 failures in a row."""
    it = bench(breaker=rule())

    it.fails(2)
    it.works()
    it.fails(2)

    view = it.state.breakers(it.now)[0]
    assert (view.state, view.failures) == ("closed", 2)


def test_breaker_03_the_rate_of_a_count_window(bench: Make) -> None:
    """5 S and 4 F of at least 10 calls leave it closed, the tenth call's failure opens it."""
    it = bench(breaker=rule(failure_threshold=99, window_calls=10, minimum_calls=10, failure_rate=0.5))

    it.works(5)
    it.fails(4)
    assert it.circuit() == "closed"
    it.fails()

    assert it.circuit() == "open"


def test_breaker_05_the_success_that_reaches_the_minimum_is_judged(bench: Make) -> None:
    """F, F, S of at least 3 calls at a rate of 0.5 opens: a success can be the one that brings the minimum."""
    it = bench(breaker=rule(failure_threshold=99, minimum_calls=3, failure_rate=0.5))

    it.fails(2)
    it.works()

    assert it.circuit() == "open"


def test_breaker_06_a_count_window_forgets_the_oldest(bench: Make) -> None:
    """In a window of 4, failures that four later calls have pushed out count no more."""
    it = bench(breaker=rule(failure_threshold=99, window_calls=4, minimum_calls=4, failure_rate=0.75))

    it.fails(2)
    it.works(4)
    it.fails(2)

    assert it.circuit() == "closed"


def test_breaker_07_a_time_window_forgets_the_old(bench: Make) -> None:
    """5 F at 0 s and 1 S, 5 F at 10.1 s are 5 of 6 within 10 s, not 10 of 11."""
    it = bench(breaker=rule(failure_threshold=99, window_us=10 * MICROS, minimum_calls=6, failure_rate=0.9))

    it.fails(5)
    it.clock.advance(10.1)
    it.works()
    it.fails(5)

    view = it.state.breakers(it.now)[0]
    assert (view.state, view.calls, view.failed) == ("closed", 6, 5)


def test_breaker_08_slow_successes_open_it(bench: Make) -> None:
    """Four successes, two of them over a second, open at a slow rate of 0.5; the reason says slow."""
    it = bench(breaker=rule(slow_us=MICROS, slow_rate=0.5, minimum_calls=4))

    for seconds in (1.5, 1.5, 0.1, 0.1):
        admission = it.admitted()
        it.clock.advance(seconds)
        it.settle(admission)

    assert it.circuit() == "open"
    assert "slow" in it.state.breakers(it.now)[0].reason


def test_breaker_09_opens_to_the_microsecond(bench: Make) -> None:
    """A millisecond before the recovery time it refuses with that wait; at it one call goes, half-open."""
    it = bench(breaker=rule())
    it.fails(3)

    it.clock.advance(29.999)
    assert it.refused().retry_after == pytest.approx(0.001)
    it.clock.advance(0.001)
    it.admitted()

    assert it.circuit() == "half_open"


def test_breaker_10_looking_is_enough_to_go_half_open(bench: Make) -> None:
    """When its time has come the view says half-open and poll tells it once."""
    it = bench(breaker=rule())
    it.fails(3)

    it.clock.advance(30)

    assert it.circuit() == "half_open"
    assert [event.new for event in it.poll()] == ["half_open"]
    assert it.poll() == ()


def test_breaker_11_closes_with_nothing_held_against_it(bench: Make) -> None:
    """After a probe's success one failure does not open it again."""
    it = bench(breaker=rule())
    it.fails(3)
    it.clock.advance(30)

    it.works()
    it.fails()

    assert it.circuit() == "closed"


def test_breaker_12_a_failed_probe_opens_it_afresh(bench: Make) -> None:
    """A probe that fails opens for the whole time again, for the second time."""
    it = bench(breaker=rule())
    it.fails(3)
    it.clock.advance(31)

    events = it.settle(it.admitted(), verdict="failure")

    (changed,) = events
    assert isinstance(changed, BreakerChanged)
    assert (changed.new, changed.opened_times) == ("open", 2)
    assert changed.until == it.now.wall + 30 * MICROS


def test_breaker_13_several_probes_must_succeed(bench: Make) -> None:
    """With a success threshold of 3, S, S, F opens; S, S, S closes."""
    it = bench(breaker=rule(success_threshold=3))
    it.fails(3)
    it.clock.advance(30)
    it.works(2)
    it.fails()
    assert it.circuit() == "open"

    it.clock.advance(30)
    it.works(3)

    assert it.circuit() == "closed"


def test_breaker_14_backs_off(bench: Make) -> None:
    """Openings last 1, 2, 4, 8, 8 s; after a close 1 s again."""
    it = bench(breaker=rule(recovery_us=MICROS, backoff=2.0, max_recovery_us=8 * MICROS))
    it.fails(3)
    waits = [it.refused().retry_after]
    for _ in range(4):
        it.clock.advance(waits[-1])
        it.fails()
        waits.append(it.refused().retry_after)

    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0]
    it.clock.advance(8)
    it.works()
    it.fails(3)
    assert it.refused().retry_after == 1.0


def test_breaker_15_jitter_stays_within_its_share(bench: Make) -> None:
    """With a jitter of 0.2 no opening is shorter than 0.8 or longer than 1.2 times the recovery time."""
    it = bench(breaker=rule(recovery_us=10 * MICROS, jitter=0.2))
    it.fails(3)
    waits = []
    for _ in range(20):
        waits.append(it.refused().retry_after)
        it.clock.advance(waits[-1])
        it.fails()

    assert all(8.0 <= wait <= 12.0 for wait in waits)
    assert len(set(waits)) > 1


def test_breaker_16_stays_open_as_long_as_the_service_asks(bench: Make) -> None:
    """A failure with Retry-After 42 opens for 42 s instead of 30."""
    it = bench(breaker=rule())
    it.fails(2)

    it.settle(it.admitted(), verdict="failure", retry_after=42.0)

    assert it.refused().retry_after == 42.0


def test_breaker_17_probes_are_counted(bench: Make) -> None:
    """Two probes at a time: the third call is refused at once and says why."""
    it = bench(breaker=rule(probes=2))
    it.fails(3)
    it.clock.advance(30)

    it.admitted()
    it.admitted()

    assert "2 of 2 trial calls under way" in it.refused().message


def test_breaker_21_a_late_success_says_nothing(bench: Make) -> None:
    """A call from before the opening that succeeds after it changes nothing."""
    it = bench(breaker=rule())
    early = it.admitted()
    it.fails(3)

    assert it.settle(early) == ()
    assert it.circuit() == "open"


def test_breaker_22_a_late_failure_says_nothing(bench: Make) -> None:
    """A call from before the opening that fails while probing neither opens nor takes the probe's place."""
    it = bench(breaker=rule())
    early = it.admitted()
    it.fails(3)
    it.clock.advance(30)

    probe = it.admitted()
    it.settle(early, verdict="failure")

    assert it.circuit() == "half_open"
    it.refused()
    it.settle(probe)
    assert it.circuit() == "closed"


def test_breaker_23_a_lost_probe_loses_its_place(bench: Make) -> None:
    """A probe that is not heard of within its lease makes room for the next; its late result says nothing."""
    it = bench(breaker=rule(probe_lease_us=10 * MICROS))
    it.fails(3)
    it.clock.advance(30)
    lost = it.admitted()
    it.refused()

    it.clock.advance(10)
    probe = it.admitted()

    assert it.settle(lost, verdict="failure") == ()
    it.settle(probe)
    assert it.circuit() == "closed"


def test_breaker_24_a_cancelled_call_is_neutral(bench: Make) -> None:
    """After F, F a cancelled call leaves two failures in a row."""
    it = bench(breaker=rule())
    it.fails(2)

    it.settle(it.admitted(), verdict="neutral")

    assert it.state.breakers(it.now)[0].failures == 2


@pytest.mark.parametrize("way", ["settled as neutral", "never left"])
def test_breaker_25_a_cancelled_probe_gives_its_place_back(bench: Make, way: str) -> None:
    """A cancelled probe frees its place at once, and the circuit stays half-open."""
    it = bench(breaker=rule())
    it.fails(3)
    it.clock.advance(30)
    probe = it.admitted()

    if way == "never left":
        it.cancel(probe)
    else:
        it.settle(probe, verdict="neutral")

    assert it.circuit() == "half_open"
    it.admitted()


def test_breaker_39_services_have_circuits_of_their_own(bench: Make) -> None:
    """One service's open circuit does not concern another's."""
    rules = ServiceRules(limits=(), breaker=rule())
    it = bench(services={"a": rules, "b": rules})
    for _ in range(3):
        it.settle(it.admitted(service="a"), verdict="failure")

    assert it.refused(service="a").service == "a"
    it.admitted(service="b")


def test_breaker_40_remembers_that_it_was_open(bench: Make) -> None:
    """What the ledger remembers of an open circuit holds from the first call on."""
    it = bench(breaker=rule())
    past = PastBreaker(
        service="openai",
        state="open",
        at=it.now.wall - MICROS,
        until=it.now.wall + 5 * MICROS,
        opened_times=4,
        reason="it was down",
    )

    it.state.restore(History(breakers=(past,)), it.now)

    refusal = it.refused()
    assert refusal.retry_after == 5.0
    assert "it was down" in refusal.message
