"""``explain`` for a state in memory: the call is tried on copies of the rules' numbers, which are then thrown away."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from switchgear.policies.limiter import LimitDenial, Queued
from switchgear.policies.window import NEVER
from switchgear.state import refusals
from switchgear.state.base import LimitView
from switchgear.state.explanation import BreakerAsked, LimitAsked, explained

if TYPE_CHECKING:
    from switchgear.calls import Refusal
    from switchgear.clock import Moment
    from switchgear.policies.breaker import Breaker
    from switchgear.policies.limit_rule import LimitRule
    from switchgear.policies.limiter import Limiter
    from switchgear.state.accounts import Accounts
    from switchgear.state.base import AdmissionRequest, BreakerView
    from switchgear.state.explanation import Explanation

__all__ = ["limit_views", "rehearse"]


def rehearse(
    request: AdmissionRequest,
    now: Moment,
    *,
    limiter: Limiter,
    breaker: Breaker,
    accounts: Accounts,
    circuit: BreakerView,
) -> Explanation:
    """Return what *admit* would answer to *request*; *circuit* is the breaker as it is seen now."""
    limiter, breaker = limiter.rehearsal(), deepcopy(breaker)
    limits = _limits_asked(request, now, limiter)
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
        refusal = next((one.refusal for one in budgets if one.refusal is not None), None)
        if isinstance(place, Queued):
            waits = place.rule.name, _foreseen(place, now)
    return explained(
        at=now.wall,
        waits=waits,
        refusal=refusal,
        limits=limits,
        breaker=BreakerAsked(view=circuit, passes=rejection is None),
        budgets=budgets,
    )


def limit_views(service: str, limiter: Limiter, now: Moment) -> list[LimitView]:
    """Return one view for each limit of *service*, sorted by rule."""
    return [
        LimitView(
            service=service,
            rule=rule.name,
            unit=rule.unit,
            limit=rule.limit,
            used=used,
            window=rule.window_us,
            waiting=limiter.waiting,
            free_at=_wall(free_at, now),
        )
        for rule, used, free_at in sorted(limiter.usage(now), key=lambda row: row[0].name)
    ]


def _limits_asked(request: AdmissionRequest, now: Moment, limiter: Limiter) -> list[LimitAsked]:
    ready = {rule.name: at for rule, _, at in limiter.usage(now, request.tokens)}
    return [
        LimitAsked(
            view=view,
            needed=request.tokens if view.unit == "tokens" else 1,
            ready_at=_wall(ready[view.rule], now),
        )
        for view in limit_views(request.service, limiter, now)
    ]


def _foreseen(place: Queued, now: Moment) -> int | None:
    """Return when the turn of *place* is, None where that hangs on when calls in flight end."""
    rule: LimitRule = place.rule
    return None if rule.unit == "calls" else _wall(place.go_at, now)


def _wall(mono: int | None, now: Moment) -> int | None:
    return None if mono is None or mono >= NEVER else now.wall + mono - now.mono
