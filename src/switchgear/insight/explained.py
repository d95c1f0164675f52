"""What the gate would say to a call, for people and programs: the body of ``/api/admission/explain``."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from switchgear.clock import MICROS
from switchgear.durations import spoken
from switchgear.insight.days import from_micros
from switchgear.insight.rule_item import RuleItem
from switchgear.money import format_usd, to_usd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.calls import Call, Refusal, Unit
    from switchgear.insight.rule_item import RuleVerdict
    from switchgear.state.base import BreakerView
    from switchgear.state.explanation import BreakerAsked, BudgetAsked, Explanation, LimitAsked

__all__ = ["ExplainedItem"]

_CIRCUITS: Final = {
    "closed": "closed: traffic flows",
    "forced_open": "forced open by hand",
    "disabled": "disabled: it lets everything pass",
    "metrics_only": "metrics only: it lets everything pass",
}


class ExplainedItem(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate would say to a call now. Nothing was taken by asking.

    Attributes:
        verdict: ``pass``: it would go now; ``wait``: it would queue for a limit first; ``refuse``.
        rule: the one that decides, null where all let it pass.
        sentence: the whole for people.
        wait_ms: how long it would wait; null: until a call in flight ends, or not at all.
        passes_at: when it would pass; null: not foreseeable.
        model: the one that would be billed.
        degraded_from: the one asked for, where a budget puts another in its place.
        tokens: the bound that limits count; *cost_usd*: the worst case, null for an unpriced call.
        price: the version of the price used, or ``unpriced``.
        rules: every rule, in the order of asking: price, limits, breaker, budgets.
    """

    verdict: Literal["pass", "wait", "refuse"]
    rule: str | None
    sentence: str
    wait_ms: float | None
    passes_at: dt.datetime | None
    at: dt.datetime
    service: str
    model: str | None
    degraded_from: str | None
    tokens: int
    cost_usd: Decimal | None
    price: str
    refusal: dict[str, Any] | None
    rules: tuple[RuleItem, ...]

    @classmethod
    def of(
        cls, call: Call, told: Explanation, *, cost: int | None, price_version: str | None, refusal: Refusal | None
    ) -> ExplainedItem:
        """Return *told* of *call* as it is shown; *refusal* is the gate's own, *cost* its worst case in nano-USD."""
        verdict = told.verdict if refusal is None else "refuse"
        rule = told.rule if refusal is None else refusal.rule
        passes_at = told.go_at if refusal is None or refusal is told.refusal else None
        free = not call.billable
        version = price_version or ("free" if free else "unpriced")
        return cls(
            verdict=verdict,
            rule=rule,
            sentence=_sentence(told, verdict, refusal),
            wait_ms=(told.go_at - told.at) / 1000 if verdict == "wait" and told.go_at is not None else None,
            passes_at=_instant(passes_at),
            at=from_micros(told.at),
            service=call.service,
            model=call.model,
            degraded_from=call.degraded_from,
            tokens=call.bound.tokens,
            cost_usd=None if cost is None else to_usd(cost),
            price=version,
            refusal=None if refusal is None else _shown(refusal),
            rules=tuple(_rules(told, cost, version, rule, refusal)),
        )


def _rules(
    told: Explanation, cost: int | None, version: str, decider: str | None, refusal: Refusal | None
) -> Iterator[RuleItem]:
    reason = None if refusal is None else refusal.reason
    yield _price(cost, version, refusal)
    limited = reason == "rate_limit" or (refusal is None and told.verdict == "wait")
    named = {one.view.rule for one in told.limits if not one.view.shadow}
    if limited and decider is not None and decider not in named:
        yield _provider(told, decider, refusal)
    for limit in told.limits:
        yield _limit(limit, told, decides=limited and limit.view.rule == decider and not limit.view.shadow)
    yield _breaker(told.breaker, told.at, decides=reason == "breaker")
    for budget in told.budgets:
        decides = refusal is not None and budget.refusal is refusal and not budget.view.shadow
        yield _budget(budget, decides=decides)


def _price(cost: int | None, version: str, refusal: Refusal | None) -> RuleItem:
    refuses = refusal is not None and refusal.reason == "unpriced"
    if cost is None:
        text = refusal.message if refusal is not None and refuses else "no price is known; unpriced calls are allowed"
    else:
        text = f"worst case {format_usd(cost)} by {version}"
    return RuleItem(
        kind="price",
        rule="price",
        verdict="refuse" if refuses else "pass",
        decides=refuses,
        unit="usd",
        needed=None if cost is None else to_usd(cost),
        text=text,
    )


def _provider(told: Explanation, rule: str, refusal: Refusal | None) -> RuleItem:
    """Return the row of a pause or quota that the provider itself has asked for."""
    return RuleItem(
        kind="limit",
        rule=rule,
        verdict="wait" if refusal is None else "refuse",
        decides=True,
        unit=None if refusal is None else refusal.unit,
        limit=None if refusal is None else refusal.limit,
        used=None if refusal is None else refusal.used,
        needed=None if refusal is None else refusal.needed,
        passes_at=_instant(told.go_at),
        text=f"the provider asks to wait{_in(told.go_at, told.at)}",
    )


def _limit(limit: LimitAsked, told: Explanation, *, decides: bool) -> RuleItem:
    view = limit.view
    label = view.rule.replace("_", " ")
    text = f"{view.used:,} of {view.limit:,} {label}, this call needs {limit.needed:,}"
    if limit.needed > view.limit:
        text += ", more than will ever fit"
    elif not limit.fits:
        text += f", room{_in(limit.ready_at, told.at)}" if limit.ready_at else ", room when a call in flight ends"
    elif decides or view.waiting:
        text += f", {view.waiting:,} waiting before it"
    verdict = told.verdict if decides else _alone(limit, told)
    return RuleItem(
        kind="limit",
        rule=view.rule,
        verdict=verdict,
        decides=decides,
        shadow=view.shadow,
        unit=view.unit,
        limit=view.limit,
        used=view.used,
        reserved=0,
        needed=limit.needed,
        remaining=max(0, view.limit - view.used),
        window_seconds=view.window / MICROS,
        passes_at=_instant(told.go_at if decides else limit.ready_at),
        text=text,
    )


def _alone(limit: LimitAsked, told: Explanation) -> RuleVerdict:
    """Return what *limit* says by itself: it waits for room as long as the caller would."""
    if limit.fits:
        return "pass"
    ready = told.at if limit.ready_at is None else limit.ready_at
    patient = told.max_wait > 0 and ready - told.at <= told.max_wait
    return "wait" if patient and limit.needed <= limit.view.limit else "refuse"


def _breaker(breaker: BreakerAsked, at: int, *, decides: bool) -> RuleItem:
    view = breaker.view
    return RuleItem(
        kind="breaker",
        rule="breaker",
        verdict="pass" if breaker.passes else "refuse",
        decides=decides,
        unit="calls",
        limit=view.failure_threshold,
        used=view.failures,
        passes_at=_instant(view.next_probe_at),
        state=view.state,
        next_probe_at=_instant(view.next_probe_at),
        text=_circuit(view, at),
    )


def _circuit(view: BreakerView, at: int) -> str:
    if view.state == "open":
        return f"open: {view.reason}; next trial call{_in(view.next_probe_at, at)}"
    if view.state == "half_open":
        return f"probing: {view.probes} of {view.max_probes} trial calls under way"
    text = _CIRCUITS.get(view.state, view.state)
    return f"{text}; {view.failures:,} of {view.failure_threshold:,} failures in a row" if view.failures else text


def _budget(budget: BudgetAsked, *, decides: bool) -> RuleItem:
    view = budget.view

    def show(number: int) -> str:
        return format_usd(number) if view.unit == "usd" else f"{number:,} tokens"

    holds = "would hold its worst case" if view.reserve == "worst_case" else "would hold what is expected of it"
    text = (
        f"{show(view.spent)} spent and {show(view.reserved)} reserved of {show(view.limit)}; this call {holds}, "
        f"{show(budget.needed)}"
    )
    if view.kind == "warn" and budget.needed > view.remaining:
        text += "; over the limit, which is watched and not held"
    passes_at = None if budget.refusal is None else budget.refusal.retry_at
    return RuleItem(
        kind="budget",
        rule=view.budget,
        value=view.value,
        verdict="pass" if budget.refusal is None else "refuse",
        decides=decides,
        shadow=view.shadow,
        unit=view.unit,
        limit=_amount(view.unit, view.limit),
        used=_amount(view.unit, view.spent),
        reserved=_amount(view.unit, view.reserved),
        needed=_amount(view.unit, budget.needed),
        remaining=_amount(view.unit, view.remaining),
        period=view.period,
        resets_at=_instant(view.period_end),
        passes_at=None if passes_at is None else _instant(round(passes_at * MICROS)),
        text=text,
    )


def _sentence(told: Explanation, verdict: str, refusal: Refusal | None) -> str:
    if refusal is not None:
        when = ""
        if refusal.retry_after is not None:
            when = f" It would pass{_in(told.go_at, told.at)}, if nothing else changes."
        return f"Refused: {refusal.message}.{when}"
    if verdict == "wait":
        rule = (told.rule or "").replace("_", " ")
        if told.go_at is None:
            return "It would wait until a call in flight ends, then go."
        return f"It would wait for {rule} and go{_in(told.go_at, told.at)}."
    return "It would go now."


def _in(instant: int | None, at: int) -> str:
    return " at a time that is not foreseeable" if instant is None else f" in {spoken(max(0, instant - at) / MICROS)}"


def _shown(refusal: Refusal) -> dict[str, Any]:
    numbers = {name: refusal.amount(getattr(refusal, name)) for name in ("limit", "used", "reserved", "needed")}
    retry_at = None if refusal.retry_at is None else _instant(round(refusal.retry_at * MICROS))
    return {
        "reason": refusal.reason,
        "rule": refusal.rule,
        "message": refusal.message,
        "unit": refusal.unit,
        **numbers,
        "retry_after": refusal.retry_after,
        "retry_at": retry_at,
    }


def _amount(unit: Unit, number: int) -> Decimal | int:
    return to_usd(number) if unit == "usd" else number


def _instant(instant: int | None) -> dt.datetime | None:
    return None if instant is None else from_micros(instant)
