"""How an attempt ended, from what its answer has said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.calls import NO_USAGE, Outcome
from switchgear.wire.outcomes import verdict_of

if TYPE_CHECKING:
    from switchgear.calls import Quota, Refusal, Usage
    from switchgear.wire.base import Observation

__all__ = ["concluded", "stopped"]

_ERROR: Final = 400


def stopped(seen: Observation, refusal: Refusal, *, status: int, ttft_us: int | None) -> Outcome:
    """Return the outcome of a stream that a budget has ended with *refusal*."""
    return Outcome(
        status="cancelled",
        verdict="neutral",
        usage=seen.usage,
        estimated=True,
        http_status=status,
        error=f"stopped by budget {refusal.rule}",
        ttft_us=ttft_us,
        model=seen.model,
        tier=seen.tier,
        content=seen.content,
    )


def concluded(
    seen: Observation,
    usage: Usage | None,
    *,
    billable: bool,
    status: int,
    retry_after: float | None,
    quotas: tuple[Quota, ...],
    ttft_us: int | None,
) -> Outcome:
    """Return the outcome of an answer that came to its end; *usage* is what *seen* says that counts for this call."""
    failed = status >= _ERROR
    if (failed or not billable) and (usage is None or not usage.tokens):
        usage = NO_USAGE  # errors and free requests use nothing, not nobody-knows-what
    ok = not failed and seen.error is None and seen.verdict == "success"
    error = None
    if not ok:
        said = f"HTTP {status}" if failed else "the answer broke off" if seen.error is None else ""
        error = " ".join(filter(None, (said, seen.error)))
    return Outcome(
        status="ok" if ok else "failed",
        verdict=verdict_of(status) if failed else seen.verdict,
        usage=usage,
        estimated=seen.estimated,
        http_status=status,
        error=error,
        retry_after=retry_after,
        quotas=quotas,
        ttft_us=ttft_us,
        model=seen.model,
        tier=seen.tier,
        cost=seen.cost,
        content=seen.content,
    )
