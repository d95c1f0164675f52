from __future__ import annotations

import logging

import pytest

from switchgear.events import BreakerChanged, Bus, Event


def _event(reason: str) -> BreakerChanged:
    return BreakerChanged(service="s", old="closed", new="open", reason=reason, at=0)


def test_listeners_hear_everything_in_order_until_they_leave() -> None:
    """Events arrive in their order; after unsubscribing nothing does."""
    bus = Bus()
    seen: list[Event] = []
    unsubscribe = bus.subscribe(seen.append)
    first, second, third = (_event(str(number)) for number in range(3))
    bus.publish((first, second))
    unsubscribe()
    unsubscribe()
    bus.publish((third,))
    assert seen == [first, second]


def test_a_listener_that_fails_is_logged_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """The others still hear the event, and so does the failing one the next time."""
    bus = Bus()
    tries: list[Event] = []
    seen: list[Event] = []

    def failing(event: Event) -> None:
        tries.append(event)
        msg = "secret words"
        raise ValueError(msg)

    bus.subscribe(failing)
    bus.subscribe(seen.append)
    with caplog.at_level(logging.ERROR):
        bus.publish((_event("a"), _event("b")))
    assert len(tries) == len(seen) == 2
    assert "a listener failed on BreakerChanged" in caplog.text
