"""Budgets of runs under way, and of their layers: held by the same gate as those of the configuration."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from switchgear.policies.budget import BudgetRule
from switchgear.state.base import Account, PastSpend

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from switchgear.calls import Attribution
    from switchgear.clock import Moment
    from switchgear.ledger import Ledger
    from switchgear.state.base import State

__all__ = ["RunBudgets", "run_budget_name"]


def run_budget_name(run: str, layer: str | None = None) -> str:
    """Return what the budget of *run*, or of one layer of it, goes by."""
    return f"run:{run}" if layer is None else f"run:{run}/{layer}"


class RunBudgets:
    """The budgets that last as long as a run is under way here. What a run has spent before counts.

    Args:
        ledger: remembers what runs have spent.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger: Final = ledger
        self._lock: Final = threading.Lock()
        self._rules: dict[str, dict[str | None, BudgetRule]] = {}

    @property
    def budgets(self) -> tuple[BudgetRule, ...]:
        """All of them."""
        return tuple(rule for rules in self._rules.values() for rule in rules.values())

    def of(self, said: Attribution) -> Iterator[BudgetRule]:
        """Yield those that a call of *said* falls under."""
        rules = self._rules.get(said.run) if said.run is not None else None
        if rules is not None:
            if None in rules:
                yield rules[None]
            if said.layer is not None and said.layer in rules:
                yield rules[said.layer]

    def hold(self, run: str, limits: Mapping[str | None, int], state: State, now: Moment) -> None:
        """Hold the calls of *run* to *limits* in nano-USD: those of each layer, and at None those of all.

        Raises:
            LedgerError: it is not known what they have spent already.
        """
        rules = {layer: _rule(run, layer, limit) for layer, limit in limits.items()}
        spent = {past.account.budget: past for past in self._past(run, rules)}
        for rule in rules.values():
            state.add_budget(rule, spent.get(rule.name), now)
        with self._lock:
            self._rules = {**self._rules, run: {**self._rules.get(run, {}), **rules}}

    def drop(self, run: str, state: State) -> None:
        """The run is over, or goes on elsewhere: hold nobody to its budgets here any more."""
        with self._lock:
            rules = self._rules.get(run, {})
            self._rules = {name: held for name, held in self._rules.items() if name != run}
        for rule in rules.values():
            state.drop_budget(rule.name)

    def past(self) -> Iterator[PastSpend]:
        """Yield what each of the budgets has spent, for a state that has lost it."""
        for run, rules in self._rules.items():
            yield from self._past(run, rules)

    def _past(self, run: str, rules: Mapping[str | None, BudgetRule]) -> Iterator[PastSpend]:
        if not rules:
            return
        sums = self._ledger.reader.run_sums(run)
        for layer, rule in rules.items():
            mine = [one for one in sums if layer is None or one.layer == layer]
            cost, tokens, unpriced = (
                sum(getattr(one, name) for one in mine) for name in ("cost", "tokens", "unpriced")
            )
            if cost or tokens or unpriced:
                account = Account(rule.name)
                yield PastSpend(account=account, cost=cost, tokens=tokens, unpriced=unpriced)


def _rule(run: str, layer: str | None, limit: int) -> BudgetRule:
    match = (("run", run),) if layer is None else (("layer", layer), ("run", run))
    return BudgetRule(name=run_budget_name(run, layer), unit="usd", limit=limit, match=match)
