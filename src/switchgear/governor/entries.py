"""What a call cost, and its settlement as the ledger takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.calls import NO_USAGE
from switchgear.ledger.rows import AttemptSettled
from switchgear.policies.pricing import BILLED, version_of

if TYPE_CHECKING:
    from switchgear.calls import Outcome, Usage
    from switchgear.clock import Moment
    from switchgear.governor.admitted import Admitted

__all__ = ["cost_of", "settled_row"]


def cost_of(admitted: Admitted, outcome: Outcome, now: Moment) -> tuple[int | None, str | None]:
    """Return what the call cost, and the version of the price that says so."""
    call, price = admitted.call, admitted.price
    # A look at a batch is free, and tells what the batch came to, which is not.
    if outcome.usage is None or not (call.billable or outcome.tier == "batch"):
        return admitted.cost, version_of(price)
    if outcome.usage == NO_USAGE and outcome.status != "ok":
        return 0, version_of(price)  # nothing was delivered, and providers bill by what they deliver
    model = outcome.model or call.model
    tier = outcome.tier or call.tier
    if (model, tier) != (call.model, call.tier):
        # What is billed counts, not what was asked for; a name nobody knows is priced as asked.
        price = admitted.book.price(call.service, model, now.wall, tier=tier) or price
    if outcome.cost is not None and (price is None or not price.is_own):
        return outcome.cost, BILLED
    return None if price is None else admitted.book.cost(price, outcome.usage), version_of(price)


def settled_row(
    admitted: Admitted, outcome: Outcome, *, usage: Usage, cost: int | None, version: str | None, now: Moment
) -> AttemptSettled:
    """Return how the attempt ended at *now*."""
    return AttemptSettled(
        call_id=admitted.call.id,
        attempt=admitted.call.attempt,
        status=outcome.status,
        usage=usage,
        cost=cost,
        price_version=version,
        estimated=outcome.estimated or outcome.usage is None,
        http_status=outcome.http_status,
        error=outcome.error,
        model=outcome.model,
        ttft_us=outcome.ttft_us,
        duration_us=now.mono - admitted.started.mono,
    )
