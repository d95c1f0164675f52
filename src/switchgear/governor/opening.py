"""From a configuration to a gate that remembers: ledger opened, orphans settled, live numbers rebuilt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

from switchgear.events import Bus
from switchgear.governor.keys import provider_keys
from switchgear.governor.rules import budget_rules, service_rules
from switchgear.ledger import Ledger
from switchgear.policies.budget import period_of
from switchgear.policies.pricing import PriceBook, PriceSource
from switchgear.state.base import Account, History, PastBreaker, PastCalls, PastSpend
from switchgear.state.memory import MemoryState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchgear.clock import Clock, Moment
    from switchgear.config.model import Config
    from switchgear.policies.budget import BudgetRule

__all__ = ["Parts", "history_of", "open_parts", "price_book", "state_of"]

_MINUTE: Final = 60_000_000
_DAY: Final = 86_400_000_000
_CELLS: Final = 3000
"""How finely a window is remembered: as finely as the limiter keeps it."""


class Parts(TypedDict):
    """What a gate is made of."""

    config: Config
    state: MemoryState
    ledger: Ledger
    book: PriceBook
    bus: Bus
    clock: Clock
    budgets: tuple[BudgetRule, ...]
    keys: Mapping[str, str]


def open_parts(config: Config, clock: Clock, environ: Mapping[str, str]) -> Parts:
    """Open everything that *config* names, and let the state take over what the ledger remembers.

    Raises:
        LedgerError: the ledger can't be opened.
        ConfigError: a key file can't be read.
    """
    keys = provider_keys(config, environ)
    ledger = Ledger.open(config.ledger.url, clock=clock, durability=config.ledger.durability)
    try:
        state = state_of(config, ledger, clock)
    except BaseException:
        ledger.close()
        raise
    return Parts(
        config=config,
        state=state,
        ledger=ledger,
        book=price_book(config),
        bus=Bus(),
        clock=clock,
        budgets=budget_rules(config),
        keys=keys,
    )


def price_book(config: Config) -> PriceBook:
    """Return the prices of every service in *config*."""
    return PriceBook(
        {
            name: PriceSource(kind=service.kind, provider=service.provider, own=service.prices)
            for name, service in config.services.items()
        }
    )


def state_of(config: Config, ledger: Ledger, clock: Clock) -> MemoryState:
    """Return live numbers that know what *ledger* remembers."""
    now = clock.moment()
    rules = budget_rules(config)
    state = MemoryState(services=service_rules(config), budgets=rules, started=now)
    state.restore(history_of(ledger, rules, now), now)
    return state


def history_of(ledger: Ledger, rules: Iterable[BudgetRule], now: Moment) -> History:
    """Return what *ledger* remembers of windows, budgets and breakers that still count at *now*."""
    return History(
        calls=tuple(_calls(ledger, now)),
        spend=tuple(_spend(ledger, rules, now)),
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
    )


def _calls(ledger: Ledger, now: Moment) -> Iterable[PastCalls]:
    """The last day in cells of a day's window, its last minute as finely as a minute's."""
    edge = now.wall - _MINUTE
    older = ledger.recent_calls(since_us=now.wall - _DAY, until_us=edge, cell_us=_DAY // _CELLS)
    recent = ledger.recent_calls(since_us=edge, cell_us=_MINUTE // _CELLS)
    for one in (*older, *recent):
        yield PastCalls(service=one.service, at=one.at, requests=one.requests, tokens=one.tokens)


def _spend(ledger: Ledger, rules: Iterable[BudgetRule], now: Moment) -> Iterable[PastSpend]:
    for rule in rules:
        since = period_of(rule, now.wall).start if rule.rolling_us is None else now.wall - rule.rolling_us
        for value, one in ledger.spend(since_us=since, match=dict(rule.match), each=rule.each).items():
            if rule.each is None or value is not None:
                account = Account(rule.name, value)
                yield PastSpend(account=account, cost=one.cost, tokens=one.tokens, unpriced=one.unpriced)
