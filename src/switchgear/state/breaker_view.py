"""A breaker as people see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.state.base import BreakerView

if TYPE_CHECKING:
    from switchgear.clock import Moment
    from switchgear.policies.breaker import Breaker

__all__ = ["breaker_view"]


def breaker_view(name: str, breaker: Breaker, since: int, now: Moment) -> BreakerView:
    """Return the view of *breaker*, that of service *name*, unchanged *since* this epoch microsecond."""
    calls, failed, probes = breaker.counts(now.mono)
    ready = breaker.state == "open" and now.mono >= breaker.until
    return BreakerView(
        service=name,
        state="half_open" if ready else breaker.state,
        since=since,
        failures=breaker.failures,
        failure_threshold=breaker.rule.failure_threshold,
        calls=calls,
        failed=failed,
        failure_rate=breaker.rule.failure_rate,
        minimum_calls=breaker.rule.minimum_calls,
        opened_times=breaker.opened_times,
        rejected=breaker.rejected,
        next_probe_at=now.wall + breaker.until - now.mono if breaker.state == "open" and not ready else None,
        probes=probes,
        max_probes=breaker.rule.probes,
        reason=breaker.reason,
    )
