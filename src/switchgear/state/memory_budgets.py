"""What commands the budgets of a state in memory: other limits, more of them, fewer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from switchgear.clock import Moment
    from switchgear.events import BudgetCrossed
    from switchgear.locks import Inside
    from switchgear.policies.budget import BudgetRule
    from switchgear.state.accounts import Accounts
    from switchgear.state.base import PastSpend

__all__ = ["MemoryBudgets"]


class MemoryBudgets:
    """The verbs of *MemoryState* that change which budgets there are."""

    if TYPE_CHECKING:

        @property
        def _inside(self) -> Inside: ...

        @property
        def _accounts(self) -> Accounts: ...

    def set_limit(self, budget: str, limit: int, now: Moment) -> tuple[int, tuple[BudgetCrossed, ...]]:
        with self._inside:
            old, events = self._accounts.set_limit(budget, limit, now)
            return old, tuple(events)

    def add_budget(self, rule: BudgetRule, past: PastSpend | None, now: Moment) -> None:
        with self._inside:
            self._accounts.add(rule, past, now)

    def drop_budget(self, name: str) -> None:
        with self._inside:
            self._accounts.drop(name)
