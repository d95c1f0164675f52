"""What an admission of a state in memory holds until it is settled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.clock import micros

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchgear.calls import Outcome
    from switchgear.clock import Moment
    from switchgear.policies.breaker import Permit
    from switchgear.policies.limiter import Grant, Limiter
    from switchgear.state.accounts import Hold
    from switchgear.state.service import Service

__all__ = ["Held"]


class Held:
    """What one admission holds. Its owner locks."""

    __slots__ = ("grant", "holds", "permit", "scoped", "service", "shadow", "since", "tokens")

    def __init__(
        self, service: Service, grant: Grant, permit: Permit, tokens: int, holds: list[Hold], since: int
    ) -> None:
        self.service = service
        self.scoped: Sequence[tuple[Limiter, Grant]] = ()  # what scopes have granted
        self.since: Final = since
        self.grant = grant
        self.permit = permit
        self.tokens = tokens
        self.holds: Final = holds
        self.shadow: Grant | None = None

    def settle_limits(self, tokens: int, outcome: Outcome, now: Moment) -> None:
        """Replace what the limits hold by what was used, and take in what the service says of its own."""
        limiter, shade = self.service.limiter, self.service.shadow
        limiter.settle(self.grant, tokens, now)
        if self.shadow is not None and shade is not None:
            shade.limiter.settle(self.shadow, tokens, now)
        if outcome.quotas:
            limiter.observe(outcome.quotas, now)
        if outcome.retry_after is not None and outcome.verdict == "failure":
            limiter.pause_until(now.mono + micros(outcome.retry_after), now)
