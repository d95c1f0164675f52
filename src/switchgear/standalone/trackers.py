"""``TokenTrackerRegistry``: a tracker for each name, and what they come to together."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from switchgear.standalone.registry import Registry
from switchgear.standalone.tracker import TokenTracker
from switchgear.standalone.usage import TrackerSummary

__all__ = ["RegistryTotals", "TokenTrackerRegistry"]


class RegistryTotals(msgspec.Struct, frozen=True, kw_only=True):
    """All trackers together.

    A tracker without a limit is in the sums of calls and not in those of budgets, which it would hide.

    Attributes:
        unlimited: trackers without a budget.
        budget_usd: the sum of all limits; None: there is none. *spent_usd*, *reserved_usd* and
            *remaining_usd* are sums over the same trackers, and *used_percent* is spent of budget.
    """

    trackers: int
    unlimited: int
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: Decimal
    unpriced_calls: int
    budget_usd: Decimal | None
    spent_usd: Decimal | None
    reserved_usd: Decimal | None
    remaining_usd: Decimal | None
    used_percent: float | None


class TokenTrackerRegistry(Registry[TokenTracker, TrackerSummary]):
    """Trackers by name; the settings are those of *TokenTracker*."""

    noun = "tracker"

    def _make(self, name: str, settings: dict[str, Any]) -> TokenTracker:
        return TokenTracker(name=name, **settings)

    def totals(self) -> RegistryTotals:
        """Return the sums over all trackers."""
        found = list(self.stats().values())
        budgets = [one.budget for one in found if one.budget is not None]

        def money(name: str) -> Decimal | None:
            return sum((Decimal(getattr(one, name)) for one in budgets), Decimal(0)) if budgets else None

        limit, spent = money("limit"), money("spent")
        return RegistryTotals(
            trackers=len(found),
            unlimited=len(found) - len(budgets),
            calls=sum(one.total.calls for one in found),
            input_tokens=sum(one.total.input_tokens for one in found),
            output_tokens=sum(one.total.output_tokens for one in found),
            cost_usd=sum((one.total.cost_usd for one in found), Decimal(0)),
            unpriced_calls=sum(one.total.unpriced_calls for one in found),
            budget_usd=limit,
            spent_usd=spent,
            reserved_usd=money("reserved"),
            remaining_usd=money("remaining"),
            used_percent=float(spent * 1000 // limit) / 10 if limit and spent is not None else None,
        )
