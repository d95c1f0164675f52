"""One service of a state in memory: its limiter and its breaker. Its owner locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.policies.breaker import Breaker, BreakerRule
from switchgear.policies.limit_rule import Past
from switchgear.policies.limiter import Limiter, LimitRule
from switchgear.policies.shadow import ShadowLimits
from switchgear.state.memory_views import limit_views

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchgear.clock import Moment
    from switchgear.state.base import History, LimitView, PastBreaker

__all__ = ["Service", "ServiceRules", "past_calls"]


class ServiceRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one service; those of *shadow* are evaluated and not enforced."""

    limits: tuple[LimitRule, ...]
    breaker: BreakerRule
    shadow: tuple[LimitRule, ...] = ()


class Service:
    """The limiter and the breaker of one service, its shadow limits, and when the breaker last changed."""

    __slots__ = ("breaker", "limiter", "shadow", "since")

    def __init__(self, rules: ServiceRules) -> None:
        self.limiter: Final = Limiter(rules.limits)
        self.breaker: Final = Breaker(rules.breaker)
        self.shadow = ShadowLimits(rules.shadow) if rules.shadow else None
        self.since: int | None = None  # epoch microseconds of the last change; None: never changed

    def count(self, past: Iterable[Past], now: Moment) -> None:
        """Count the calls of *past*, in shadow limits too."""
        for one in past:
            self.limiter.remember(one.at, one.requests, one.tokens, now)
            if self.shadow is not None:
                self.shadow.limiter.remember(one.at, one.requests, one.tokens, now)

    def reconfigure(self, rules: ServiceRules, past: Sequence[Past], now: Moment) -> None:
        """Hold to *rules*; limits that are new begin with *past*."""
        if self.limiter.rules != rules.limits:
            self.limiter.reconfigure(rules.limits, now, past)
        self.breaker.reconfigure(rules.breaker)
        if self.shadow is None and rules.shadow:
            self.shadow = ShadowLimits(())
        if self.shadow is not None and self.shadow.limiter.rules != rules.shadow:
            self.shadow.reconfigure(rules.shadow, past, now)

    def limit_views(self, name: str, now: Moment) -> list[LimitView]:
        """Return one view for each limit, those of the shadow limits after the others."""
        views = limit_views(name, self.limiter, now)
        return views if self.shadow is None else views + limit_views(name, self.shadow.limiter, now, self.shadow)

    def remember(self, memory: PastBreaker, now: Moment) -> None:
        """Start with the circuit open, or forced open, if that is how it was left."""
        if memory.state in {"open", "half_open"}:
            until = now.mono if memory.until is None else now.mono - (now.wall - memory.until)
            self.breaker.remember(until=until, opened_times=memory.opened_times, reason=memory.reason)
            self.since = memory.at
        elif memory.state == "forced_open":
            self.breaker.remember_forced(memory.reason)
            self.since = memory.at


def past_calls(history: History, now: Moment) -> dict[str, list[Past]]:
    """Return the calls that *history* tells of, by service."""
    found: dict[str, list[Past]] = {}
    for past in history.calls:
        at = min(now.mono - (now.wall - past.at), now.mono)
        found.setdefault(past.service, []).append(Past(at, past.requests, past.tokens))
    return found
