"""Forecasts that were just made: a page that is looked at every few seconds need not make them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.clock import MICROS
from switchgear.insight.forecast_budgets import forecasts, foreseeable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from switchgear.insight.forecast_budgets import BudgetForecast
    from switchgear.insight.metrics import BudgetMetrics
    from switchgear.insight.sources import UsageLedger

__all__ = ["ForecastMemory"]

_FRESH: Final = 60 * MICROS
_MOST: Final = 20
"""Accounts that one answer has forecasts of: the fullest."""

_Account = tuple[str, str | None]


class ForecastMemory:
    """Makes the forecast of each account at most once a minute. Safe to use from several threads.

    Two threads that find one too old may both make it; both come to the same.
    """

    def __init__(self, reader: UsageLedger, zone: ZoneInfo) -> None:
        self._reader: Final = reader
        self._zone: Final = zone
        self._made: dict[_Account, tuple[int, BudgetForecast]] = {}

    def of(self, budgets: Sequence[BudgetMetrics], *, now: int) -> dict[_Account, BudgetForecast]:
        """Return the forecasts of the fullest 20 of *budgets* that have a period of the calendar, at most a minute old.

        Raises:
            LedgerError: the ledger can't be read.
        """
        wanted = sorted(filter(foreseeable, budgets), key=lambda budget: -budget.used_percent)[:_MOST]
        made = self._made
        old = [budget for budget in wanted if self._is_old(made.get((budget.name, budget.value)), budget, now)]
        fresh = forecasts(self._reader, old, now=now, zone=self._zone)
        found = {each: made[each][1] for each in ((budget.name, budget.value) for budget in wanted) if each in made}
        found |= {(each.budget, each.value): each for each in fresh}
        self._made = {each: (to_at, one) for each, (to_at, one) in made.items() if each in found} | {
            (each.budget, each.value): (now, each) for each in fresh
        }
        return found

    @staticmethod
    def _is_old(known: tuple[int, BudgetForecast] | None, budget: BudgetMetrics, now: int) -> bool:
        if known is None:
            return True
        at, made = known
        return not at <= now < at + _FRESH or (made.limit_usd, made.limit_tokens, made.period_end) != (
            budget.limit_usd,
            budget.limit_tokens,
            budget.resets_at,
        )
