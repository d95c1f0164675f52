"""Keeps the gate's idea of its keys that of the ledger: who may call, and which limits and budgets that brings."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.errors import LedgerError, StateError
from switchgear.governor.key_rules import key_budget, key_limits, scope_of
from switchgear.governor.past import past_spend
from switchgear.policies.budget import BudgetRule
from switchgear.policies.limiter import LimitRule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchgear.clock import Moment
    from switchgear.governor.callers import Callers
    from switchgear.ledger import Ledger
    from switchgear.ledger.key_rows import Key
    from switchgear.state.base import State

__all__ = ["KeyRing"]

_log = logging.getLogger("switchgear.keys")


class _Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What calls of one key fall under."""

    limits: tuple[LimitRule, ...]
    budget: BudgetRule | None
    scopes: tuple[str, ...]
    most_tokens: int | None


_NONE: Final = _Terms(limits=(), budget=None, scopes=(), most_tokens=None)


class KeyRing:
    """The keys in force. Reads them when it is made, and again whenever *refresh* finds that they have changed.

    Args:
        ledger: where they are kept.
        callers: who is told of them.
        timezone: in which their budgets' periods are cut.

    Raises:
        LedgerError: they can't be read.
    """

    def __init__(self, ledger: Ledger, *, callers: Callers, timezone: str) -> None:
        self.callers: Final = callers
        self._ledger: Final = ledger
        self._timezone: Final = timezone
        self._trouble: str | None = None
        # The revision first: a change in between is then seen at the next look, not missed.
        self._revision = ledger.keys.revision()
        keys = ledger.keys.all()
        self._terms = self._terms_of(keys)
        callers.know(keys)

    @property
    def budgets(self) -> tuple[BudgetRule, ...]:
        """The budgets of all keys, revoked ones too: what they have spent stays to be seen."""
        return tuple(terms.budget for terms in self._terms.values() if terms.budget is not None)

    @property
    def limited(self) -> tuple[str, ...]:
        """The keys that have limits of their own."""
        return tuple(name for name, terms in self._terms.items() if terms.limits)

    def budget_of(self, key: str | None) -> BudgetRule | None:
        """Return the budget of *key*; None: it has none."""
        return None if key is None else self._terms.get(key, _NONE).budget

    def scopes_of(self, key: str | None) -> tuple[str, ...]:
        """Return the scopes that calls of *key* fall under."""
        return () if key is None else self._terms.get(key, _NONE).scopes

    def most_tokens(self, key: str | None) -> int | None:
        """Return how many tokens one call of *key* can have at all; None: any number."""
        return None if key is None else self._terms.get(key, _NONE).most_tokens

    def tell(self, state: State, now: Moment) -> None:
        """Tell *state* the limits of all keys."""
        for name, terms in self._terms.items():
            if terms.limits:
                state.set_scope(scope_of(name), terms.limits, now)

    def refresh(self, state: State, now: Moment) -> bool:
        """Look whether keys have changed, and take it over: *state* knows of it before anybody can call by it.

        While the ledger can't be read, what was known holds.
        """
        book = self._ledger.keys
        try:
            revision = book.revision()
            if revision == self._revision:
                self._trouble = None
                return False
            keys = book.all()
            terms = self._terms_of(keys)
            known = {rule.name for rule in self.budgets}
            for one in terms.values():
                if one.budget is not None and one.budget.name not in known:
                    past = next(iter(past_spend(self._ledger, (one.budget,), now)), None)
                    state.add_budget(one.budget, past, now)
        except (LedgerError, StateError) as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                _log.error("the keys can't be read again, so those known until now hold: %s", error)
            return False
        self._trouble = None
        self._revision, self._terms = revision, terms
        self.tell(state, now)
        self.callers.know(keys)
        return True

    async def arefresh(self, state: State, now: Moment) -> bool:
        """The same for a task: the loop is not kept waiting for the ledger."""
        return await asyncio.to_thread(self.refresh, state, now)

    def _terms_of(self, keys: Sequence[Key]) -> dict[str, _Terms]:
        found: dict[str, _Terms] = {}
        for key in keys:
            limits = key_limits(key.terms)
            caps = [rule.limit for rule in limits if rule.unit == "tokens"]
            found[key.name] = _Terms(
                limits=limits,
                budget=key_budget(key, self._timezone),
                scopes=(scope_of(key.name),) if limits else (),
                most_tokens=min(caps, default=None),
            )
        return found
