"""What a tracker has seen: one call, sums of calls, and how a budget stands beside them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.money import to_usd
from switchgear.standalone.budget import BudgetStats

if TYPE_CHECKING:
    from switchgear.calls import Attribution, Usage

__all__ = ["TrackedUsage", "TrackerSummary", "UsageSums", "UsageTotals"]


class TrackedUsage(msgspec.Struct, frozen=True, kw_only=True):
    """One call that was counted.

    Attributes:
        input_tokens: all input, cached included; *output_tokens*: all output, reasoning included.
        cost_usd: None: no price is known.
        price_version: where the price comes from.
        estimated: nobody said what was used, so it is what was reserved.
    """

    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: Decimal | None
    price_version: str | None
    estimated: bool = False
    layer: str | None = None
    job: str | None = None
    run: str | None = None


class UsageTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over calls. *cost_usd* is that of priced calls; *unpriced_calls* are not in it."""

    calls: int
    input_tokens: int
    output_tokens: int
    tokens: int
    cost_usd: Decimal
    unpriced_calls: int


class TrackerSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A tracker at one instant. *budget* is None where there is no limit."""

    name: str
    total: UsageTotals
    budget: BudgetStats | None


class _Sum:
    __slots__ = ("calls", "cost", "input_tokens", "output_tokens", "unpriced")

    def __init__(self) -> None:
        self.calls = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.cost = 0
        self.unpriced = 0

    def add(self, usage: Usage, cost: int | None) -> None:
        self.calls += 1
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        if cost is None:
            self.unpriced += 1
        else:
            self.cost += cost

    def shown(self) -> UsageTotals:
        return UsageTotals(
            calls=self.calls,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            tokens=self.input_tokens + self.output_tokens,
            cost_usd=to_usd(self.cost),
            unpriced_calls=self.unpriced,
        )


class UsageSums:
    """Sums of calls, of all and by what they were for. Not thread-safe: its owner locks."""

    KINDS: Final = ("provider", "model", "layer", "job", "run")

    def __init__(self) -> None:
        self._total: Final = _Sum()
        self._by: Final[dict[str, dict[str, _Sum]]] = {kind: {} for kind in self.KINDS}

    def add(self, provider: str, model: str, behalf: Attribution, usage: Usage, cost: int | None) -> None:
        """Count one call of *cost* nano-USD (None: unpriced)."""
        self._total.add(usage, cost)
        names = (provider, f"{provider}/{model}", behalf.layer or "", behalf.job or "", behalf.run or "")
        for sums, name in zip(self._by.values(), names, strict=True):
            if name not in sums:
                sums[name] = _Sum()
            sums[name].add(usage, cost)

    def total(self) -> UsageTotals:
        """Return the sums over all calls."""
        return self._total.shown()

    def by(self, kind: str) -> dict[str, UsageTotals]:
        """Return the sums for each name of *kind*, sorted; the empty name is that of calls without one."""
        return {name: one.shown() for name, one in sorted(self._by[kind].items())}
