"""Whether a call that failed is tried again, and after how long.

Only failures of the service are tried again, and only where a second try can't do twice what was
asked for once (*may_repeat*). The wait is "full jitter": a random share of a back-off that doubles
with every attempt, so that callers that failed together do not come back together.

Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

__all__ = ["Failure", "Repeat", "RetryRule", "is_turned_away", "may_repeat", "pause_us"]

Repeat = Literal["always", "answered", "turned_away", "unsent"]
"""After which failures a request may go out again.

- ``always``: it does the same twice as once (RFC 9110, section 9.2.2), or bears an ``Idempotency-Key``;
- ``answered``: all that a second one costs is money, and no provider bills an error. After a
  connection that broke without an answer it may have been served, and billed;
- ``turned_away``: it may have an effect, so only an answer that says that it was not taken on will do;
- ``unsent``: it can't go out twice, since its body is not kept.

A request that never left may always go out again.
"""

_TURNED_AWAY: Final = frozenset({408, 425, 429, 503, 529})
_DOUBLINGS: Final = 32
"""Beyond these every back-off has reached every *max_backoff_us*."""


class RetryRule(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how patiently.

    Attributes:
        attempts: at most so many, the first included.
        backoff_us: the longest wait before the second attempt; it doubles with each later one.
        max_backoff_us: the longest back-off, and the longest ``Retry-After`` that is waited for.
    """

    attempts: int
    backoff_us: int
    max_backoff_us: int


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an attempt that the service failed.

    Attributes:
        sent: the service may have had the request.
        answered: it said so itself, instead of going silent.
        turned_away: its answer says that it did not take the request on; see *is_turned_away*.
        final: it asked not to be asked again (``x-should-retry: false``).
        retry_after_us: microseconds that it asked to be left alone.
    """

    sent: bool = True
    answered: bool = True
    turned_away: bool = False
    final: bool = False
    retry_after_us: int | None = None


def is_turned_away(status: int) -> bool:
    """Return whether an HTTP *status* says that the request was not taken on: 408, 425, 429, 503 and 529."""
    return status in _TURNED_AWAY


def may_repeat(failure: Failure, repeat: Repeat) -> bool:
    """Return whether the request may go out again, here or elsewhere."""
    if not failure.sent or repeat == "always":
        return True
    if repeat == "unsent":
        return False
    return failure.turned_away or (repeat == "answered" and failure.answered)


def pause_us(rule: RetryRule, failure: Failure, *, made: int, left_us: int, draw: float) -> int | None:
    """Return the microseconds to wait before the next attempt at the same service; None: there is none.

    A ``Retry-After`` is the least that is waited, with the jitter on top of it; one above
    *max_backoff_us* ends the matter.

    Args:
        rule: how often and how patiently.
        failure: how the last attempt failed.
        made: attempts made at this service so far, from 1.
        left_us: microseconds until the call's deadline; the next attempt has to begin before it.
        draw: a random number from 0 up to but not including 1.
    """
    if failure.final or made >= rule.attempts:
        return None
    asked = failure.retry_after_us or 0
    if asked > rule.max_backoff_us:
        return None
    backoff = min(rule.max_backoff_us, rule.backoff_us << min(made - 1, _DOUBLINGS))
    pause = asked + int(backoff * draw)
    return pause if pause < left_us else None
