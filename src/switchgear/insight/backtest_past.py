"""What had happened before a back-test begins: it fills windows and budgets as the gate's own start would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.policies.budget import period_of
from switchgear.state.base import Account, History, PastCalls, PastSpend

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchgear.ledger.recorded import Recorded
    from switchgear.policies.budget import BudgetRule

__all__ = ["Past", "past_needed"]

_DAY: Final = 86_400_000_000
_LONGEST_DAY: Final = 90_000_000_000  # a calendar day on which clocks are set back
_CELL: Final = _DAY // 3000


def _start(rule: BudgetRule, at: int) -> int:
    return period_of(rule, at).start if rule.rolling_us is None else at - rule.rolling_us


def past_needed(budgets: Iterable[BudgetRule], since: int) -> int:
    """Return the epoch microsecond from which on attempts still count at *since*."""
    return min([since - _LONGEST_DAY, *(_start(rule, since) for rule in budgets)])


class Past:
    """Takes in what happened before *since*, in order of time."""

    def __init__(self, budgets: Iterable[BudgetRule], since: int) -> None:
        self._starts: Final = {rule.name: _start(rule, since) for rule in budgets}
        self._since: Final = since
        self._spend: Final[dict[Account, list[int]]] = {}
        self._calls: Final[dict[tuple[str, int], list[int]]] = {}

    def add(self, call: Recorded, accounts: Iterable[Account]) -> None:
        """Count *call*, which falls under *accounts*."""
        if call.refused_by is not None:
            return
        at = call.asked_at + call.waited_us
        for account in accounts:
            if at >= self._starts[account.budget]:
                sums = self._spend.setdefault(account, [0, 0, 0])
                sums[0] += call.cost or 0
                sums[1] += call.tokens
                sums[2] += call.cost is None
        if at >= self._since - _LONGEST_DAY:
            cell = self._calls.setdefault((call.service, at // _CELL), [at, 0, 0])
            cell[0] = max(cell[0], at)
            cell[1] += 1
            cell[2] += call.tokens

    def history(self) -> History:
        """Return it as a state takes it over."""
        calls = [
            PastCalls(service=service, at=at, requests=requests, tokens=tokens)
            for (service, _), (at, requests, tokens) in self._calls.items()
        ]
        return History(
            calls=tuple(sorted(calls, key=lambda one: one.at)),
            spend=tuple(
                PastSpend(account=account, cost=cost, tokens=tokens, unpriced=unpriced)
                for account, (cost, tokens, unpriced) in self._spend.items()
            ),
        )
