"""What shadow rules would have done to calls that go: counted, and told now and then by an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.events import ShadowExceeded
from switchgear.policies.shadow import is_told, would_wait

if TYPE_CHECKING:
    from switchgear.clock import Moment
    from switchgear.policies.budget import Pot
    from switchgear.policies.limit_rule import Grant
    from switchgear.policies.shadow import ShadowLimits
    from switchgear.state.base import Account, AdmissionRequest

__all__ = ["meet", "turned_away"]


def meet(limits: ShadowLimits, request: AdmissionRequest, now: Moment) -> tuple[Grant | None, list[ShadowExceeded]]:
    """Ask *limits* about a call that goes; return what it takes of them, or nothing, and what is to be told."""
    grant, denial, count = limits.meet(request.tokens, now, request.max_wait_us)
    if denial is None or not is_told(count):
        return grant, []
    told = ShadowExceeded(
        service=request.service,
        rule=denial.rule.name,
        verdict="wait" if would_wait(denial, now.mono, request.max_wait_us) else "refuse",
        count=count,
        unit=denial.rule.unit,
        limit=denial.rule.limit,
        used=denial.used,
        needed=denial.needed,
        at=now.wall,
    )
    return grant, [told]


def turned_away(service: str, account: Account, pot: Pot, needed: int, now: Moment) -> list[ShadowExceeded]:
    """Count a call of *service* that the shadow budget *account* would have turned away; return what is to be told."""
    pot.refused += 1
    if not is_told(pot.refused):
        return []
    told = ShadowExceeded(
        service=service,
        rule=account.budget,
        value=account.value,
        verdict="refuse",
        count=pot.refused,
        unit=pot.rule.unit,
        limit=pot.rule.limit,
        used=pot.spent(now.mono) + pot.reserved,
        needed=needed,
        at=now.wall,
    )
    return [told]
