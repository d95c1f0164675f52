"""All pots of one budget: one, or one for each value of its ``each``.

What is kept is bounded by what is needed. A pot that holds nothing and has counted nothing is
dropped at once; all pots of a calendar period go with it. Of values that were quiet for long only
the sum is kept: one integer in a dictionary instead of a pot, in the periods that may still ask for it.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.policies.budget import BudgetRule, Pot, period_of

if TYPE_CHECKING:
    from switchgear.clock import Moment

__all__ = ["KEPT", "Pots"]

KEPT: Final = 1024
"""Values whose whole pot is kept although nothing is in flight for them."""

_UNPRICED_BITS: Final = 32
"""A quiet value is one integer: what it spent, and in these low bits its unpriced calls."""


class Pots:
    """The pots of *rule* in the period that is running. Not thread-safe: its owner locks.

    A pot of a period that is over lives on for those who hold something in it.
    """

    __slots__ = ("_order", "_pots", "_quiet", "period", "rule")

    def __init__(self, rule: BudgetRule, now: Moment) -> None:
        self.rule = rule
        self.period = period_of(rule, now.wall)
        self._pots: dict[str | None, Pot] = {}
        self._quiet: dict[str | None, int] = {}
        self._order: deque[str | None] = deque()  # values in the order their pots were made

    def __len__(self) -> int:
        return len(self._pots) + len(self._quiet)

    def at(self, value: str | None, now: Moment) -> Pot:
        """Return the pot of *value* in the period of *now*.

        What is held in it must be held before the next *at*; whoever holds nothing says *leave*.
        """
        end = self.period.end
        if end is not None and now.wall >= end:
            self._begin(now)
        pot = self._pots.get(value)
        return self._make(value, now.mono) if pot is None else pot

    def peek(self, value: str | None, now: Moment) -> Pot:
        """Return the pot that *at* would give, to look at: one that is not there is not made."""
        end = self.period.end
        if end is not None and now.wall >= end:
            self._begin(now)
        pot = self._pots.get(value)
        return self._revived(self._quiet.get(value, 0), now.mono) if pot is None else pot

    def leave(self, value: str | None, pot: Pot, now: Moment) -> None:
        """Take note that nobody looks at *pot* any more, which *at* gave for *value*."""
        if value is not None and not pot.holders and pot.idle(now.mono) and self._pots.get(value) is pot:
            del self._pots[value]

    def remember(self, value: str | None, amount: int, unpriced: int, now: Moment) -> None:
        """Count what *value* had spent before this process, without crossing anything."""
        pot = self.at(value, now)
        pot.add(amount, now.mono)
        pot.unpriced += unpriced
        pot.arm(now.mono)
        self.leave(value, pot, now)

    def change(self, limit: int, now: Moment) -> list[tuple[str | None, Pot, tuple[float, ...]]]:
        """Set the limit of every value; return the thresholds that it has fallen below, by value."""
        return self.adopt(msgspec.structs.replace(self.rule, limit=limit), now)

    def adopt(self, rule: BudgetRule, now: Moment) -> list[tuple[str | None, Pot, tuple[float, ...]]]:
        """Hold to *rule*, which counts the same calls over the same period; return what *change* returns.

        Of other thresholds those that are passed already count as reported.
        """
        found = self._each(now)
        told = rule.thresholds != self.rule.thresholds
        self.rule = rule
        if told:
            for _, pot in found:
                pot.rearm(rule, now.mono)
        changed = [(value, pot, pot.change(self.rule, now.mono)) for value, pot in found]
        return [(value, pot, shares) for value, pot, shares in changed if shares]

    def pots(self, now: Moment) -> list[tuple[str | None, Pot]]:
        """Return every value with its pot; the one pot of a budget without ``each`` is always there."""
        if self.rule.each is None:
            self.at(None, now)
        return self._each(now)

    def _each(self, now: Moment) -> list[tuple[str | None, Pot]]:
        end = self.period.end
        if end is not None and now.wall >= end:
            self._begin(now)
        return [*self._pots.items(), *((value, self._revived(kept, now.mono)) for value, kept in self._quiet.items())]

    def _begin(self, now: Moment) -> None:
        """Begin the period of *now*: whatever was spent before counts no more."""
        self.period = period_of(self.rule, now.wall)
        self._pots = {}
        self._quiet = {}
        self._order.clear()

    def _make(self, value: str | None, now: int) -> Pot:
        if value is not None:
            if len(self._order) >= KEPT:
                # Two for each that comes, so that there are never many more than are in use.
                self._retire(now)
                self._retire(now)
            self._order.append(value)
        kept = self._quiet.pop(value, 0)
        pot = self._pots[value] = self._revived(kept, now) if kept else Pot(self.rule, self.period)
        return pot

    def _revived(self, kept: int, now: int) -> Pot:
        pot = Pot(self.rule, self.period)
        pot.add(kept >> _UNPRICED_BITS, now)
        pot.unpriced = kept & (1 << _UNPRICED_BITS) - 1
        pot.arm(now)
        return pot

    def _retire(self, now: int) -> None:
        """Keep only the sums of the pot that was made longest ago, unless it is in use; its refusals are forgotten."""
        value = self._order.popleft()
        pot = self._pots.get(value)
        if pot is None:
            return
        if pot.holders or (self.rule.rolling_us is not None and not pot.idle(now)):
            self._order.append(value)
            return
        del self._pots[value]
        if not pot.idle(now):
            self._quiet[value] = pot.spent(now) << _UNPRICED_BITS | pot.unpriced
