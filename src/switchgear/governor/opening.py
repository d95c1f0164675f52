"""From a configuration to a gate that remembers: ledger opened, orphans settled, live numbers rebuilt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

from switchgear.events import Bus
from switchgear.governor.keys import provider_keys
from switchgear.governor.rules import budget_rules, service_rules
from switchgear.governor.sharing import shared_state
from switchgear.ledger import Ledger
from switchgear.policies.budget import period_of
from switchgear.policies.pricing import PriceBook, PriceSource
from switchgear.state.base import Account, History, PastBreaker, PastCalls, PastLimit, PastSpend
from switchgear.state.memory import MemoryState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchgear.clock import Clock, Moment
    from switchgear.config.model import Config
    from switchgear.policies.budget import BudgetRule
    from switchgear.state.base import AsyncState

__all__ = ["Parts", "history_of", "open_parts", "price_book", "state_of"]

_MINUTE: Final = 60_000_000
_DAY: Final = 86_400_000_000
_LONGEST_DAY: Final = 90_000_000_000  # a calendar day on which clocks are set back
_CELLS: Final = 3000
"""How finely a window is remembered: as finely as the limiter keeps it."""


class Parts(TypedDict):
    """What a gate is made of."""

    config: Config
    state: AsyncState
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
        StateError: the shared state can't be reached, or will not let us.
        ConfigError: a key file can't be read, or the server of a shared state drops keys.
    """
    keys = provider_keys(config, environ)
    ledger = Ledger.open(
        config.ledger.url, clock=clock, durability=config.ledger.durability, on_error=config.ledger.on_error
    )
    try:
        state = _state(config, ledger, clock)
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


def _state(config: Config, ledger: Ledger, clock: Clock) -> AsyncState:
    if config.state.url == "memory://":
        return state_of(config, ledger, clock)
    rules = budget_rules(config)
    return shared_state(config, recall=lambda: history_of(ledger, rules, clock.moment()), clock=clock)


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


def _limits(ledger: Ledger, rules: Iterable[BudgetRule]) -> Iterable[PastLimit]:
    """A limit that was set at run time stands until the configuration says another than it said then."""
    configured = {(rule.name, rule.unit, rule.limit) for rule in rules}
    for one in ledger.budget_limits():
        if (one.budget, one.unit, one.configured) in configured:
            yield PastLimit(budget=one.budget, limit=one.limit)


def _spend(ledger: Ledger, rules: Iterable[BudgetRule], now: Moment) -> Iterable[PastSpend]:
    for rule in rules:
        since = period_of(rule, now.wall).start if rule.rolling_us is None else now.wall - rule.rolling_us
        for value, one in ledger.spend(since_us=since, match=dict(rule.match), each=rule.each).items():
            if rule.each is None or value is not None:
                account = Account(rule.name, value)
                yield PastSpend(account=account, cost=one.cost, tokens=one.tokens, unpriced=one.unpriced)
