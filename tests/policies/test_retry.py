from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchgear.policies.retry import Failure, Repeat, RetryRule, is_turned_away, may_repeat, pause_us

SECOND = 1_000_000
RULE = RetryRule(attempts=4, backoff_us=SECOND, max_backoff_us=8 * SECOND)
HOUR = 3_600 * SECOND
ALMOST_ONE = 1 - 2**-53

NOT_SENT = Failure(sent=False, answered=False)
BROKEN = Failure(answered=False)
ERROR = Failure()
BUSY = Failure(turned_away=True)


def pause(
    failure: Failure = ERROR, *, made: int = 1, left_us: int = HOUR, draw: float = 0.0, rule: RetryRule = RULE
) -> int | None:
    """Return the wait before the next attempt."""
    return pause_us(rule, failure, made=made, left_us=left_us, draw=draw)


@pytest.mark.parametrize(
    ("repeat", "repeated"),
    [
        ("always", {"not sent", "broken", "error", "busy"}),
        ("answered", {"not sent", "error", "busy"}),
        ("turned_away", {"not sent", "busy"}),
    ],
)
def test_only_what_a_second_try_cannot_do_twice_goes_out_again(repeat: Repeat, repeated: set[str]) -> None:
    """The less a request may be repeated, the more sure it must be that it was not carried out."""
    failures = {"not sent": NOT_SENT, "broken": BROKEN, "error": ERROR, "busy": BUSY}

    assert {name for name, failure in failures.items() if may_repeat(failure, repeat)} == repeated


def test_a_status_tells_whether_the_request_was_taken_on() -> None:
    """Busy and too early are refusals to begin; a server error may have come half-way."""
    statuses = (400, 401, 408, 425, 429, 500, 502, 503, 504, 529)

    assert [status for status in statuses if is_turned_away(status)] == [408, 425, 429, 503, 529]


def test_the_wait_is_a_random_share_of_a_doubling_backoff() -> None:
    """Full jitter: from nothing up to 1, 2, 4 seconds."""
    assert [pause(made=made) for made in (1, 2, 3)] == [0, 0, 0]
    assert [pause(made=made, draw=0.5) for made in (1, 2, 3)] == [SECOND // 2, SECOND, 2 * SECOND]


@given(made=st.integers(1, 10_000), draw=st.floats(0, ALMOST_ONE))
def test_the_backoff_stays_below_its_maximum(made: int, draw: float) -> None:
    """However many attempts there were, nobody waits longer than max_backoff."""
    rule = RetryRule(attempts=20_000, backoff_us=SECOND, max_backoff_us=8 * SECOND)
    waited = pause(made=made, draw=draw, rule=rule)

    assert waited is not None
    assert 0 <= waited <= 8 * SECOND


def test_attempts_are_used_up() -> None:
    """After the last attempt there is none, and with one attempt there never was a second."""
    assert pause(made=3) == 0
    assert pause(made=4) is None
    assert pause(rule=RetryRule(attempts=1, backoff_us=1, max_backoff_us=1)) is None


def test_retry_after_is_the_least_that_is_waited() -> None:
    """What the service asks for is waited in full, with the jitter on top so that callers do not come back together."""
    asked = Failure(retry_after_us=3 * SECOND)

    assert pause(asked) == 3 * SECOND
    assert pause(asked, draw=0.5) == 3 * SECOND + SECOND // 2


def test_a_retry_after_beyond_the_maximum_ends_it() -> None:
    """Nobody is kept waiting for what is too far off."""
    assert pause(Failure(retry_after_us=8 * SECOND)) == 8 * SECOND
    assert pause(Failure(retry_after_us=8 * SECOND + 1)) is None


@given(left_us=st.integers(-HOUR, HOUR), asked=st.integers(0, 8 * SECOND), draw=st.floats(0, ALMOST_ONE))
def test_the_next_attempt_begins_before_the_deadline(left_us: int, asked: int, draw: float) -> None:
    """A wait that reaches the deadline is not begun."""
    waited = pause(Failure(retry_after_us=asked), left_us=left_us, draw=draw)

    assert waited is None or waited < left_us


def test_a_service_can_ask_not_to_be_asked_again() -> None:
    """``x-should-retry: false`` ends it, whatever the status."""
    assert pause(Failure(final=True)) is None
