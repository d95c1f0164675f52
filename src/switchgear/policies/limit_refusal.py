"""From a limiter's no to a *Refusal* that names the limit, its numbers and when to retry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.calls import Refusal
from switchgear.clock import MICROS
from switchgear.durations import spoken

if TYPE_CHECKING:
    from switchgear.clock import Moment
    from switchgear.policies.limit_rule import LimitDenial

__all__ = ["rate_limited"]


def rate_limited(service: str, denial: LimitDenial, now: Moment, scope: str | None = None) -> Refusal:
    """Return the refusal of a limit: of *service*, or of the *scope* that a call of it fell under."""
    rule = denial.rule
    label = rule.name.replace("_", " ")
    retry_after = retry_at = None
    if denial.never:
        story = f"this call needs {denial.needed:,}, more than {rule.limit:,} {label} will ever allow"
    elif denial.ready_at is None:
        story = f"{denial.used:,} of {rule.limit:,} {label} in flight"
    else:
        wait = max(0, denial.ready_at - now.mono)
        retry_after, retry_at = wait / MICROS, (now.wall + wait) / MICROS
        if rule.name.startswith("provider_"):
            story = f"the provider asks to wait, for {spoken(retry_after)}"
        else:
            story = f"{denial.used:,} of {rule.limit:,} {label} used, room in {spoken(retry_after)}"
    return Refusal(
        reason="rate_limit",
        rule=rule.name if scope is None else f"{scope} {rule.name}",
        service=service,
        message=f"{scope or service} is rate limited: {story}",
        unit=rule.unit,
        limit=rule.limit,
        used=denial.used,
        needed=denial.needed,
        retry_after=retry_after,
        retry_at=retry_at,
    )
