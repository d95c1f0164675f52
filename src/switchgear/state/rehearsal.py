"""``explain`` for a state in memory: the call is tried on copies of the rules' numbers, which are then thrown away."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from switchgear.policies.limiter import LimitDenial, Queued
from switchgear.state import refusals
from switchgear.state.explanation import BreakerAsked, LimitAsked, explained
from switchgear.state.memory_views import limit_views, wall_of

if TYPE_CHECKING:
    from switchgear.calls import Refusal
    from switchgear.clock import Moment
    from switchgear.policies.breaker import Breaker
    from switchgear.policies.limit_rule import LimitRule
    from switchgear.policies.limiter import Limiter
    from switchgear.policies.shadow import ShadowLimits
    from switchgear.state.accounts import Accounts
    from switchgear.state.base import AdmissionRequest, BreakerView
    from switchgear.state.explanation import Explanation

__all__ = ["rehearse"]


def rehearse(
    request: AdmissionRequest,
    now: Moment,
    *,
    limiter: Limiter,
    breaker: Breaker,
    accounts: Accounts,
    shadow: ShadowLimits | None,
    circuit: BreakerView,
) -> Explanation:
    """Return what *admit* would answer to *request*; *circuit* is the breaker as it is seen now."""
    limiter, breaker = limiter.rehearsal(), deepcopy(breaker)
    limits = _limits_asked(request, now, limiter, None)
    if shadow is not None:
        limits += _limits_asked(request, now, shadow.limiter.rehearsal(), shadow)
    place = limiter.ask(request.tokens, now, request.max_wait_us)
    breaker.poll(now.mono)
    rejection = breaker.check(now.mono)
    budgets = accounts.look(request, now)
    refusal: Refusal | None
    waits = None
    if isinstance(place, LimitDenial):
        refusal = refusals.rate_limited(request.service, place, now)
    elif rejection is not None:
        refusal = refusals.breaker_open(request.service, rejection, breaker, now)
    else:
        refusal = next((one.refusal for one in budgets if one.refusal is not None and not one.view.shadow), None)
        if isinstance(place, Queued):
            waits = place.rule.name, _foreseen(place, now)
    return explained(
        at=now.wall,
        max_wait=request.max_wait_us,
        waits=waits,
        refusal=refusal,
        limits=limits,
        breaker=BreakerAsked(view=circuit, passes=rejection is None),
        budgets=budgets,
    )


def _limits_asked(
    request: AdmissionRequest, now: Moment, limiter: Limiter, shadow: ShadowLimits | None
) -> list[LimitAsked]:
    ready = {rule.name: at for rule, _, at in limiter.usage(now, request.tokens)}
    return [
        LimitAsked(
            view=view,
            needed=request.tokens if view.unit == "tokens" else 1,
            ready_at=wall_of(ready[view.rule], now),
        )
        for view in limit_views(request.service, limiter, now, shadow)
    ]


def _foreseen(place: Queued, now: Moment) -> int | None:
    """Return when the turn of *place* is, None where that hangs on when calls in flight end."""
    rule: LimitRule = place.rule
    return None if rule.unit == "calls" else wall_of(place.go_at, now)
