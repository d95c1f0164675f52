"""From a rule's no to a *Refusal* that names the rule, its numbers and when to retry.

Every backend of the state says it in the same words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.calls import Refusal
from switchgear.clock import MICROS
from switchgear.money import format_usd

if TYPE_CHECKING:
    from switchgear.calls import Reason
    from switchgear.clock import Moment
    from switchgear.policies.breaker import Breaker, Rejection
    from switchgear.policies.budget import Pot
    from switchgear.policies.limiter import LimitDenial
    from switchgear.state.base import Account

__all__ = ["breaker_open", "over_budget", "rate_limited"]


def _after(mono: int, now: Moment) -> tuple[float, float]:
    wait = max(0, mono - now.mono)
    return wait / MICROS, (now.wall + wait) / MICROS


def _span(seconds: float) -> str:
    for size, name in ((3600, "h"), (60, "min")):
        if seconds > 1.5 * size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.1f} s"


def rate_limited(service: str, denial: LimitDenial, now: Moment) -> Refusal:
    """Return the refusal of a limit."""
    rule = denial.rule
    label = rule.name.replace("_", " ")
    retry_after = retry_at = None
    if denial.never:
        story = f"this call needs {denial.needed:,}, more than {rule.limit:,} {label} will ever allow"
    elif denial.ready_at is None:
        story = f"{denial.used:,} of {rule.limit:,} {label} in flight"
    else:
        retry_after, retry_at = _after(denial.ready_at, now)
        story = f"{denial.used:,} of {rule.limit:,} {label} used, room in {_span(retry_after)}"
    return Refusal(
        reason="rate_limit",
        rule=rule.name,
        service=service,
        message=f"{service} is rate limited: {story}",
        unit=rule.unit,
        limit=rule.limit,
        used=denial.used,
        needed=denial.needed,
        retry_after=retry_after,
        retry_at=retry_at,
    )


def breaker_open(service: str, rejection: Rejection, breaker: Breaker, now: Moment) -> Refusal:
    """Return the refusal of an open (or fully probed half-open) circuit."""
    if rejection.ready_at is None:
        return Refusal(
            reason="breaker",
            rule="breaker",
            service=service,
            message=f"the circuit of {service} is being probed: {rejection.reason}",
            limit=breaker.rule.probes,
        )
    retry_after, retry_at = _after(rejection.ready_at, now)
    return Refusal(
        reason="breaker",
        rule="breaker",
        service=service,
        message=f"the circuit of {service} is open: {rejection.reason}; next probe in {_span(retry_after)}",
        limit=breaker.rule.failure_threshold,
        used=breaker.failures,
        retry_after=retry_after,
        retry_at=retry_at,
    )


def over_budget(service: str, account: Account, pot: Pot, need: int, now: Moment) -> Refusal:
    """Return the refusal of a budget."""
    rule = pot.rule
    spent = pot.spent(now.mono)
    retry_after = retry_at = None
    if need <= rule.limit:
        if pot.period.end is not None and spent + need > rule.limit:
            retry_at = pot.period.end / MICROS
            retry_after = (pot.period.end - now.wall) / MICROS
        elif (ready := pot.ready_at(need, now.mono)) is not None:
            retry_after, retry_at = _after(ready, now)

    def show(number: int) -> str:
        return format_usd(number) if rule.unit == "usd" else f"{number:,} tokens"

    name = account.budget if account.value is None else f"{account.budget} ({rule.each} {account.value})"
    reason: Reason = "skip" if rule.action == "skip" else "budget"
    return Refusal(
        reason=reason,
        rule=account.budget,
        service=service,
        message=(
            f"budget {name} has no room for this call: worst case {show(need)}, "
            f"{show(spent)} spent and {show(pot.reserved)} reserved of {show(rule.limit)}"
        ),
        unit=rule.unit,
        limit=rule.limit,
        used=spent,
        reserved=pot.reserved,
        needed=need,
        retry_after=retry_after,
        retry_at=retry_at,
    )
