"""A breaker's no, as a *Refusal*: in the same words from every backend and from a breaker alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.calls import Refusal
from switchgear.clock import MICROS
from switchgear.durations import spoken

if TYPE_CHECKING:
    from switchgear.clock import Moment
    from switchgear.policies.breaker import Breaker, Rejection

__all__ = ["breaker_open"]

_STORIES: Final = {"half_open": "is being probed", "forced_open": "is forced open"}


def breaker_open(service: str, rejection: Rejection, breaker: Breaker, now: Moment) -> Refusal:
    """Return the refusal of an open, a forced open, or a fully probed half-open circuit."""
    if rejection.ready_at is None:
        return Refusal(
            reason="breaker",
            rule="breaker",
            service=service,
            message=f"the circuit of {service} {_STORIES[breaker.state]}: {rejection.reason}",
            limit=breaker.rule.probes if breaker.state == "half_open" else None,
        )
    wait = max(0, rejection.ready_at - now.mono)
    return Refusal(
        reason="breaker",
        rule="breaker",
        service=service,
        message=f"the circuit of {service} is open: {rejection.reason}; next probe in {spoken(wait / MICROS)}",
        limit=breaker.rule.failure_threshold,
        used=breaker.failures,
        retry_after=wait / MICROS,
        retry_at=(now.wall + wait) / MICROS,
    )
