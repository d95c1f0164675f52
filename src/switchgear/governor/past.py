"""What a ledger remembers that a new state must know: windows, budgets and breakers as they stood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.governor.key_rules import scope_of
from switchgear.ledger.counted import Counted
from switchgear.state.base import Account, History, PastBreaker, PastCalls, PastLimit, PastSpend

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from switchgear.clock import Moment
    from switchgear.ledger import Ledger
    from switchgear.policies.budget import BudgetRule

__all__ = ["counted_by", "history_of", "past_spend"]

_MINUTE: Final = 60_000_000
_DAY: Final = 86_400_000_000
_LONGEST_DAY: Final = 90_000_000_000  # a calendar day on which clocks are set back
_CELLS: Final = 3000
"""How finely a window is remembered: as finely as the limiter keeps it."""
_AT_START: Final = 50_000
"""Attempts that are added up in one transaction while nobody waits for another."""


def history_of(ledger: Ledger, rules: Iterable[BudgetRule], now: Moment, *, keys: Collection[str] = ()) -> History:
    """Return what *ledger* remembers of windows, budgets and breakers that still count at *now*.

    *keys* are those that have limits of their own.
    """
    rules = tuple(rules)
    return History(
        calls=(*_calls(ledger, now), *_key_calls(ledger, keys, now)),
        spend=tuple(past_spend(ledger, rules, now)),
        breakers=tuple(
            PastBreaker(
                service=one.service,
                state=one.state,
                at=one.at,
                until=one.until,
                opened_times=one.opened_times,
                reason=one.reason,
            )
            for one in ledger.breakers()
        ),
        limits=tuple(_limits(ledger, rules)),
    )


def _calls(ledger: Ledger, now: Moment) -> Iterable[PastCalls]:
    """The last day in cells of a day's window, its last minute as finely as a minute's.

    A limit by the calendar day may look back on 25 hours; older calls are in no rolling window.
    """
    edge = now.wall - _MINUTE
    older = ledger.recent_calls(since_us=now.wall - _LONGEST_DAY, until_us=edge, cell_us=_DAY // _CELLS)
    recent = ledger.recent_calls(since_us=edge, cell_us=_MINUTE // _CELLS)
    for one in (*older, *recent):
        yield PastCalls(service=one.service, at=one.at, requests=one.requests, tokens=one.tokens)


def _key_calls(ledger: Ledger, keys: Collection[str], now: Moment) -> Iterable[PastCalls]:
    """The same of keys, by their scopes; of all keys only if there is one that has limits."""
    if not keys:
        return
    edge = now.wall - _MINUTE
    older = ledger.recent_calls(since_us=now.wall - _DAY, until_us=edge, cell_us=_DAY // _CELLS, by="key")
    recent = ledger.recent_calls(since_us=edge, cell_us=_MINUTE // _CELLS, by="key")
    for one in (*older, *recent):
        if one.service in keys:
            yield PastCalls(service=scope_of(one.service), at=one.at, requests=one.requests, tokens=one.tokens)


def _limits(ledger: Ledger, rules: Iterable[BudgetRule]) -> Iterable[PastLimit]:
    """A limit that was set at run time stands until the configuration says another than it said then."""
    configured = {(rule.name, rule.unit, rule.limit) for rule in rules}
    for one in ledger.budget_limits():
        if (one.budget, one.unit, one.configured) in configured:
            yield PastLimit(budget=one.budget, limit=one.limit)


def counted_by(rule: BudgetRule) -> Counted:
    """Return what *rule* counts, as the ledger is asked for it."""
    return Counted(
        match=rule.match,
        each=rule.each,
        period=rule.period if rule.rolling_us is None else "total",
        timezone=rule.timezone,
        rolling_us=rule.rolling_us,
    )


def past_spend(ledger: Ledger, rules: Iterable[BudgetRule], now: Moment) -> Iterable[PastSpend]:
    """Yield what was spent of each of *rules* in the period that is running at *now*."""
    every = [(rule, counted_by(rule)) for rule in rules]
    # Once, and all together: afterwards each budget is a look at its sums.
    ledger.carry_forward([counted for _, counted in every], now_us=now.wall, step=_AT_START)
    for rule, counted in every:
        for value, one in ledger.spend(counted, now_us=now.wall).items():
            account = Account(rule.name, value)
            yield PastSpend(account=account, cost=one.cost, tokens=one.tokens, unpriced=one.unpriced)
