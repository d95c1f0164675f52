"""Where budgets are changed while they are in force: checked, applied at once, on record."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from switchgear.errors import ConfigError, LedgerError
from switchgear.events import BudgetChanged
from switchgear.money import to_nano

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from switchgear.clock import Clock
    from switchgear.events import Bus
    from switchgear.governor.keyring import KeyRing
    from switchgear.ledger import Ledger
    from switchgear.policies.budget import BudgetRule
    from switchgear.state.base import State

__all__ = ["BudgetDesk"]


class BudgetDesk:
    """Changes the limits of *budgets*, one change at a time.

    Args:
        budgets: the rules of the configuration.
        ring: the keys, for their budgets.
        state: the live numbers.
        ledger: the audit log.
        bus: where the change is published.
        clock: time.
    """

    def __init__(
        self, *, budgets: Iterable[BudgetRule], ring: KeyRing, state: State, ledger: Ledger, bus: Bus, clock: Clock
    ) -> None:
        self._budgets = tuple(budgets)
        self._ring: Final = ring
        self._state: Final = state
        self._ledger: Final = ledger
        self._bus: Final = bus
        self._clock: Final = clock
        self._lock: Final = threading.Lock()

    def adopt(self, budgets: Iterable[BudgetRule]) -> None:
        """Know *budgets* from now on."""
        with self._lock:
            self._budgets = tuple(budgets)

    def set_budget(
        self,
        name: str,
        *,
        limit_usd: Decimal | int | str | None = None,
        limit_tokens: int | None = None,
        by: str,
        note: str = "",
    ) -> BudgetChanged:
        """Give budget *name* another limit, for every value of its ``each``; return what is on record of it.

        It holds from now on, for calls in flight too: they settle as they are, and what does not
        fit any more is refused. It outlives a restart until the limit in the configuration changes.

        Args:
            name: a configured budget.
            limit_usd: the new limit of a budget of money.
            limit_tokens: the new limit of a budget of tokens.
            by: who does it.
            note: why, for the audit log.

        Raises:
            ConfigError: there is no such budget; the known ones are listed.
            ValueError: the limit is not above 0, not in the budget's unit, or *by* is empty.
            TypeError: the limit is a float or a bool.
            LedgerError: the change can't be recorded, so it is not made.
        """
        rule = self._rule(name)
        limit = _limit(rule, limit_usd, limit_tokens)
        if not by.strip():
            msg = "by says who changes the budget; it can't be empty"
            raise ValueError(msg)
        now = self._clock.moment()
        # Changes are in the ledger in the order in which the state has seen them.
        with self._lock:
            old, crossings = self._state.set_limit(name, limit, now)
            change = BudgetChanged(
                budget=name,
                old=old,
                new=limit,
                configured=rule.limit,
                unit=rule.unit,
                by=by.strip(),
                note=note,
                at=now.wall,
            )
            try:
                commits = [self._ledger.record(change), *(self._ledger.record(one) for one in crossings)]
            except LedgerError:
                self._state.set_limit(name, old, now)
                raise
        try:
            for commit in commits:
                commit.wait()
        except LedgerError:
            with self._lock:
                self._state.set_limit(name, old, self._clock.moment())
            raise
        self._bus.publish((change, *crossings))
        return change

    def _rule(self, name: str) -> BudgetRule:
        rules = {rule.name: rule for rule in (*self._budgets, *self._ring.budgets)}
        rule = rules.get(name)
        if rule is None:
            known = ", ".join(sorted(rules)) or "none"
            msg = f"there is no budget {name!r}; the configured ones are: {known}"
            raise ConfigError(msg)
        return rule


def _limit(rule: BudgetRule, usd: Decimal | int | str | None, tokens: int | None) -> int:
    """Return the one limit that is given, in the unit of *rule*."""
    wanted, given, other = ("limit_usd", usd, tokens) if rule.unit == "usd" else ("limit_tokens", tokens, usd)
    if given is None or other is not None:
        msg = f"budget {rule.name!r} counts {rule.unit}: give it {wanted}, and nothing else"
        raise ValueError(msg)
    limit = to_nano(given) if rule.unit == "usd" else given
    if isinstance(limit, bool) or not isinstance(limit, int):
        msg = f"{wanted} is a whole number, not {limit!r}"
        raise TypeError(msg)
    if limit <= 0:
        msg = f"{wanted} must be greater than 0, not {given}"
        raise ValueError(msg)
    return limit
