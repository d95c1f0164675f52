"""One service of a state in memory: its limiter and its breaker. Its owner locks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.policies.breaker import Breaker, BreakerRule
from switchgear.policies.limit_rule import Past
from switchgear.policies.limiter import Limiter, LimitRule

if TYPE_CHECKING:
    from switchgear.clock import Moment
    from switchgear.state.base import History, PastBreaker

__all__ = ["Service", "ServiceRules", "past_calls"]


class ServiceRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one service."""

    limits: tuple[LimitRule, ...]
    breaker: BreakerRule


class Service:
    """The limiter and the breaker of one service, and when the breaker last changed."""

    __slots__ = ("breaker", "limiter", "since")

    def __init__(self, rules: ServiceRules) -> None:
        self.limiter: Final = Limiter(rules.limits)
        self.breaker: Final = Breaker(rules.breaker)
        self.since: int | None = None  # epoch microseconds of the last change; None: never changed

    def remember(self, memory: PastBreaker, now: Moment) -> None:
        """Start with the circuit open if that is how it was left."""
        if memory.state in {"open", "half_open"}:
            until = now.mono if memory.until is None else now.mono - (now.wall - memory.until)
            self.breaker.remember(until=until, opened_times=memory.opened_times, reason=memory.reason)
            self.since = memory.at


def past_calls(history: History, now: Moment) -> dict[str, list[Past]]:
    """Return the calls that *history* tells of, by service."""
    found: dict[str, list[Past]] = {}
    for past in history.calls:
        at = min(now.mono - (now.wall - past.at), now.mono)
        found.setdefault(past.service, []).append(Past(at, past.requests, past.tokens))
    return found
