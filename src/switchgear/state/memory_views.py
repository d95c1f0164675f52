"""What a state in memory shows of a service's limits and of its breaker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.events import BreakerChanged
from switchgear.policies.window import NEVER
from switchgear.state.base import BreakerView, LimitView

if TYPE_CHECKING:
    from switchgear.clock import Moment
    from switchgear.policies.breaker import Breaker, Change
    from switchgear.policies.limiter import Limiter
    from switchgear.policies.shadow import ShadowLimits

__all__ = ["breaker_view", "changed", "limit_views", "wall_of"]


def limit_views(service: str, limiter: Limiter, now: Moment, shadow: ShadowLimits | None = None) -> list[LimitView]:
    """Return one view for each limit of *limiter*, sorted by rule; *shadow*: they are those."""
    return [
        LimitView(
            service=service,
            rule=rule.name,
            unit=rule.unit,
            limit=rule.limit,
            used=used,
            window=rule.window_us,
            waiting=limiter.waiting,
            free_at=wall_of(free_at, now),
            shadow=shadow is not None,
            would_wait=0 if shadow is None else shadow.waits[rule.name],
            would_refuse=0 if shadow is None else shadow.refusals[rule.name],
        )
        for rule, used, free_at in sorted(limiter.usage(now), key=lambda row: row[0].name)
    ]


def breaker_view(service: str, breaker: Breaker, since: int, now: Moment) -> BreakerView:
    """Return the view of *breaker*, whose state is as it is *since* that epoch microsecond."""
    calls, failed, probes = breaker.counts(now.mono)
    ready = breaker.state == "open" and now.mono >= breaker.until
    return BreakerView(
        service=service,
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


def changed(service: str, change: Change, now: Moment) -> BreakerChanged:
    """Return the event of *change*, of the breaker of *service*."""
    return BreakerChanged(
        service=service,
        old=change.old,
        new=change.new,
        reason=change.reason,
        at=now.wall,
        opened_times=change.opened_times,
        until=wall_of(change.until, now),
    )


def wall_of(mono: int | None, now: Moment) -> int | None:
    """Return monotonic *mono* in epoch microseconds; None for never."""
    return None if mono is None or mono >= NEVER else now.wall + mono - now.mono
