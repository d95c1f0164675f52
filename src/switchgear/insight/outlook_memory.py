"""Outlooks that were just made: a page that is looked at every few seconds need not make them again."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from switchgear.clock import MICROS
from switchgear.insight.forecast_budgets import foreseeable, outlooks
from switchgear.insight.history_memory import HistoryMemory, UnderWay

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from switchgear.insight.forecast_budgets import BudgetForecast, BudgetOutlook
    from switchgear.insight.metrics import BudgetMetrics
    from switchgear.insight.sources import UsageLedger

__all__ = ["ForecastMemory"]

_FRESH: Final = 60 * MICROS
_USABLE: Final = 600 * MICROS
_MOST: Final = 20
"""Accounts that one answer has forecasts of: the fullest."""

_AT_ONCE: Final = 2
"""Outlooks that are made anew for one answer, where older ones can still be used: each takes some 30 ms."""

_Account = tuple[str, str | None]


class ForecastMemory:
    """Makes the outlook of each account at most once a minute. Safe to use from several threads.

    Two threads that find one too old may both make it; both come to the same.
    """

    def __init__(self, reader: UsageLedger, zone: ZoneInfo) -> None:
        self._histories: Final = HistoryMemory(reader)
        self._zone: Final = zone
        self._made: dict[_Account, tuple[int, BudgetOutlook]] = {}

    def of(self, budgets: Sequence[BudgetMetrics], *, now: int) -> dict[_Account, BudgetForecast]:
        """Return the forecasts of the fullest 20 of *budgets* that have a period of the calendar.

        Those whose history is being read come later. They are a minute old at most, or ten where more
        than a few would have to be made anew.

        Raises:
            LedgerError: the ledger can't be read.
        """
        wanted = sorted(filter(foreseeable, budgets), key=lambda budget: -budget.used_percent)[:_MOST]
        needed = [budget for budget in wanted if self._age(budget, now) is None]
        ages = {_account(budget): self._age(budget, now) or 0 for budget in wanted}
        aged = [budget for budget in wanted if ages[_account(budget)] >= _FRESH]
        aged.sort(key=lambda budget: -ages[_account(budget)])
        self._make([*needed, *aged[:_AT_ONCE]], now, keep=set(ages))
        made = self._made
        return {account: made[account][1].forecast for account in ages if account in made}

    def one(self, budget: BudgetMetrics, *, now: int) -> BudgetOutlook | None:
        """Return the outlook of *budget*, which is *foreseeable*; None: its history is being read.

        Raises:
            LedgerError: the ledger can't be read.
        """
        age = self._age(budget, now)
        if age is None or age >= _FRESH:
            self._make([budget], now, keep=None)
        made = self._made.get(_account(budget))
        return None if made is None else made[1]

    def _make(self, budgets: Sequence[BudgetMetrics], now: int, *, keep: set[_Account] | None) -> None:
        fresh: dict[_Account, tuple[int, BudgetOutlook]] = {}
        for name in dict.fromkeys(budget.name for budget in budgets):
            accounts = [budget for budget in budgets if budget.name == name]
            with suppress(UnderWay):
                for each in outlooks(self._histories, accounts, now=now, zone=self._zone):
                    fresh[each.forecast.budget, each.forecast.value] = (now, each)
        young = {
            account: made
            for account, made in self._made.items()
            if now - made[0] < _USABLE and (keep is None or account in keep or now - made[0] < _FRESH)
        }
        self._made = young | fresh

    def _age(self, budget: BudgetMetrics, now: int) -> int | None:
        """Return how old the outlook of *budget* is, None if it is of no use any more."""
        known = self._made.get(_account(budget))
        if known is None:
            return None
        at, forecast = known[0], known[1].forecast
        same = (forecast.limit_usd, forecast.limit_tokens, forecast.period_end) == (
            budget.limit_usd,
            budget.limit_tokens,
            budget.resets_at,
        )
        return now - at if same and at <= now < at + _USABLE else None


def _account(budget: BudgetMetrics) -> _Account:
    return budget.name, budget.value
