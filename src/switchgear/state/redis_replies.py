"""What the scripts of a shared state answer, and what that is in the words of a *State*. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec

from switchgear.calls import Unit
from switchgear.clock import Moment
from switchgear.events import BreakerChanged, BudgetCrossed, CircuitName, ShadowExceeded
from switchgear.policies.breaker import Breaker, Rejection
from switchgear.policies.budget_refusal import BudgetDenial, over_budget
from switchgear.policies.limit_rule import LimitDenial, LimitRule
from switchgear.state import refusals
from switchgear.state.base import BreakerView, BudgetView, LimitView

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchgear.calls import Refusal
    from switchgear.events import Event
    from switchgear.state.redis_rules import Rules

__all__ = [
    "AccountSeen",
    "Reply",
    "Seen",
    "ServiceSeen",
    "Views",
    "breaker_of",
    "budget_of",
    "crossings_of",
    "decode",
    "decode_views",
    "events_of",
    "limits_of",
    "refusal_of",
    "scope_limits_of",
    "views_of",
]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a verb; which fields say something depends on *kind*. -1 stands for None."""

    kind: str
    now: int
    events: list[dict[str, Any]] = []
    woken: list[str] = []
    epoch: str = ""
    owners: int = 1
    rule: str = ""
    scope: str = ""
    used: int = 0
    needed: int = 0
    unit: Unit = "requests"
    window: int = 0
    ready_at: int = -1
    never: bool = False
    place: str = ""
    go_at: int = 0
    standing: bool = False
    state: CircuitName = "closed"
    reason: str = ""
    failures: int = 0
    budget: str = ""
    value: str | None = None
    need: int = 0
    spent: int = 0
    reserved: int = 0
    limit: int = 0
    start: int = 0
    finish: int = -1
    old: int = 0
    crossings: list[dict[str, Any]] = []


class ServiceSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One service, as a script sees it."""

    breaker: dict[str, Any]
    limits: list[tuple[str, int, int]]
    waiting: int
    shadow: tuple[tuple[str, int, int, int, int], ...] = ()


class ScopeSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One scope, as a script sees it."""

    limits: list[tuple[str, int, int]]
    waiting: int


class AccountSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One account, as a script sees it."""

    budget: str
    spent: int
    reserved: int
    start: int
    finish: int
    unpriced: int
    refused: int
    limit: int
    value: str | None = None


class Views(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be looked at."""

    now: int
    services: dict[str, ServiceSeen] | list[None]  # a script can't tell an empty map from an empty list
    accounts: list[AccountSeen]
    scopes: dict[str, ScopeSeen] | list[None] = []


_REPLIES: Final = msgspec.msgpack.Decoder(Reply)
_VIEWS: Final = msgspec.msgpack.Decoder(Views)


def decode(raw: bytes) -> Reply:
    """Return the reply of a verb."""
    return _REPLIES.decode(raw)


def decode_views(raw: bytes) -> Views:
    """Return the reply of *views*."""
    return _VIEWS.decode(raw)


def events_of(rows: Iterable[dict[str, Any]]) -> list[Event]:
    """Return what has happened, in order."""
    return [_event(row) for row in rows]


def crossings_of(rows: Iterable[dict[str, Any]]) -> tuple[BudgetCrossed, ...]:
    """Return the thresholds that were crossed, in order."""
    return tuple(_crossing(row) for row in rows)


def _event(row: dict[str, Any]) -> Event:
    if row["kind"] == "budget":
        return _crossing(row)
    if row["kind"] == "shadow":
        return ShadowExceeded(**{name: value for name, value in row.items() if name != "kind"})
    return BreakerChanged(
        service=row["service"],
        old=row["old"],
        new=row["new"],
        reason=row["reason"],
        at=row["at"],
        opened_times=row["opened"],
        until=_known(row["till"]),
    )


def _crossing(row: dict[str, Any]) -> BudgetCrossed:
    return BudgetCrossed(
        budget=row["budget"],
        value=row.get("value"),
        threshold=float(row["threshold"]),
        used=row["used"],
        limit=row["limit"],
        unit=row["unit"],
        at=row["at"],
        shadow=row["shadow"],
    )


def _known(number: int) -> int | None:
    return None if number < 0 else number


def refusal_of(service: str, reply: Reply, rules: Rules) -> Refusal:
    """Return the no of a limit, a breaker or a budget, in the words that every state has for it."""
    now = Moment(reply.now, reply.now)
    if reply.kind == "limit":
        return refusals.rate_limited(service, _limit_denial(reply), now, reply.scope or None)
    if reply.kind == "budget":
        rule = msgspec.structs.replace(rules.rule_of(reply.budget), limit=reply.limit)
        return over_budget(service, rule, _budget_denial(reply), now)
    breaker = Breaker(rules.rules_of(service).breaker)
    breaker.failures = reply.failures
    ready_at = _known(reply.ready_at)
    breaker.state = reply.state
    return refusals.breaker_open(service, Rejection(ready_at=ready_at, reason=reply.reason), breaker, now)


def _limit_denial(reply: Reply) -> LimitDenial:
    return LimitDenial(
        rule=LimitRule(name=reply.rule, unit=reply.unit, limit=reply.limit, window_us=reply.window),
        used=reply.used,
        needed=reply.needed,
        ready_at=_known(reply.ready_at),
        never=reply.never,
    )


def _budget_denial(reply: Reply) -> BudgetDenial:
    return BudgetDenial(
        value=reply.value,
        spent=reply.spent,
        reserved=reply.reserved,
        need=reply.need,
        period_end=_known(reply.finish),
        ready_at=_known(reply.ready_at),
    )


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The same, as every state shows it."""

    breakers: Sequence[BreakerView]
    limits: Sequence[LimitView]
    budgets: Sequence[BudgetView]
    scopes: Sequence[LimitView]


def views_of(views: Views, rules: Rules, started: int) -> Seen:
    """Return the views that every state has; *started* is since when a breaker that never changed is closed."""
    services = views.services if isinstance(views.services, dict) else {}
    scopes = views.scopes if isinstance(views.scopes, dict) else {}
    return Seen(
        # Rules may have changed since the question was asked.
        breakers=tuple(
            breaker_of(name, services[name], rules, views.now, started) for name in rules.services if name in services
        ),
        limits=tuple(
            view for name in rules.services if name in services for view in limits_of(name, services[name], rules)
        ),
        scopes=tuple(
            view
            for name, limits in sorted(rules.scopes.items())
            if name in scopes
            for view in _held(name, limits, scopes[name])
        ),
        budgets=tuple(
            sorted(
                (budget_of(view, rules) for view in views.accounts if view.budget in rules.budgets),
                key=lambda view: (view.budget, view.value or ""),
            )
        ),
    )


def _held(name: str, limits: Iterable[LimitRule], seen: ServiceSeen | ScopeSeen) -> list[LimitView]:
    return [
        LimitView(
            service=name,
            rule=rule.name,
            unit=rule.unit,
            limit=rule.limit,
            used=used,
            window=rule.window_us,
            waiting=seen.waiting,
            free_at=_known(free_at),
        )
        for rule in sorted(limits, key=lambda one: one.name)
        for limit, used, free_at in seen.limits
        if limit == rule.name
    ]


def scope_limits_of(name: str, seen: ScopeSeen, rules: Rules) -> list[LimitView]:
    """Return a view of each limit of scope *name*, sorted by rule."""
    return _held(name, rules.scopes.get(name, ()), seen)


def limits_of(name: str, seen: ServiceSeen, rules: Rules) -> list[LimitView]:
    """Return a view of each limit of service *name*, sorted by rule, those of its shadow after the others."""
    return _held(name, rules.services[name].limits, seen) + [
        LimitView(
            service=name,
            rule=rule.name,
            unit=rule.unit,
            limit=rule.limit,
            used=used,
            window=rule.window_us,
            waiting=0,
            free_at=_known(free_at),
            shadow=True,
            would_wait=waits,
            would_refuse=refusals,
        )
        for rule in sorted(rules.services[name].shadow, key=lambda one: one.name)
        for limit, used, free_at, waits, refusals in seen.shadow
        if limit == rule.name
    ]


def breaker_of(name: str, service: ServiceSeen, rules: Rules, now: int, started: int) -> BreakerView:
    """Return the view of a breaker at *now*; for *started* see *views_of*."""
    seen = service.breaker
    rule = rules.services[name].breaker
    ready = seen["state"] == "open" and now >= seen["till"]
    return BreakerView(
        service=name,
        state="half_open" if ready else seen["state"],
        since=started if seen["since"] < 0 else seen["since"],
        failures=seen["failures"],
        failure_threshold=rule.failure_threshold,
        calls=seen["calls"],
        failed=seen["failed"],
        failure_rate=rule.failure_rate,
        minimum_calls=rule.minimum_calls,
        opened_times=seen["opened"],
        rejected=seen["rejected"],
        next_probe_at=seen["till"] if seen["state"] == "open" and not ready else None,
        probes=seen["probes"],
        max_probes=rule.probes,
        reason=seen.get("reason"),
    )


def budget_of(view: AccountSeen, rules: Rules) -> BudgetView:
    """Return the view of an account of a configured budget."""
    rule = rules.budgets[view.budget]
    return BudgetView(
        budget=view.budget,
        value=view.value,
        kind=rule.action,
        unit=rule.unit,
        limit=view.limit,
        spent=view.spent,
        reserved=view.reserved,
        period=rule.period,
        period_start=view.start,
        period_end=_known(view.finish),
        thresholds=rule.thresholds,
        unpriced=view.unpriced,
        refused=view.refused,
        reserve=rule.reserve,
        shadow=rule.shadow,
    )
