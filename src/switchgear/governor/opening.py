"""From a configuration to a gate that remembers: ledger opened, orphans settled, live numbers rebuilt."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict
from zoneinfo import ZoneInfo

import msgspec

from switchgear.events import Bus
from switchgear.governor.callers import Callers
from switchgear.governor.keyring import KeyRing
from switchgear.governor.keys import provider_keys
from switchgear.governor.past import counted_by, history_of
from switchgear.governor.rules import budget_rules, service_rules
from switchgear.governor.run_budgets import RunBudgets
from switchgear.governor.sharing import shared_state
from switchgear.ledger import Ledger
from switchgear.ledger.housekeeping import Housekeeping
from switchgear.policies.pricing import PriceBook, PriceSource
from switchgear.state.memory import MemoryState
from switchgear.wire.dialects import dialect_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from switchgear.clock import Clock
    from switchgear.config.model import Config
    from switchgear.governor.gate import Gate
    from switchgear.policies.budget import BudgetRule
    from switchgear.state.base import AsyncState, History

__all__ = ["Parts", "housekeeping", "open_parts", "price_book", "ring_of", "state_of"]


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
    ring: KeyRing
    runs: RunBudgets


def open_parts(config: Config, clock: Clock, environ: Mapping[str, str]) -> Parts:
    """Open everything that *config* names, and let the state take over what the ledger remembers.

    Raises:
        LedgerError: the ledger can't be opened.
        StateError: the shared state can't be reached, or will not let us.
        ConfigError: a key file can't be read, a plugin can't be imported, or the server of a shared state drops keys.
    """
    keys = provider_keys(config, environ)
    for service in config.services.values():
        dialect_for(service.kind, "/")  # a plugin that is broken is told now, not at the first call
    ledger = Ledger.open(
        config.ledger.url, clock=clock, durability=config.ledger.durability, on_error=config.ledger.on_error
    )
    try:
        ring, runs = ring_of(config, ledger), RunBudgets(ledger)
        state = _state(config, ledger, clock, ring, runs)
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
        ring=ring,
        runs=runs,
    )


def ring_of(config: Config, ledger: Ledger) -> KeyRing:
    """Return the Switchgear keys that are in *ledger*."""
    server = config.server
    return KeyRing(ledger, callers=Callers(required=server.require_keys), timezone=server.reporting_timezone)


def _state(config: Config, ledger: Ledger, clock: Clock, ring: KeyRing, runs: RunBudgets) -> AsyncState:
    if config.state.url == "memory://":
        return state_of(config, ledger, clock, ring)
    rules = budget_rules(config)

    def recall() -> History:
        history = history_of(ledger, (*rules, *ring.budgets), clock.moment(), keys=ring.limited)
        return msgspec.structs.replace(history, spend=(*history.spend, *runs.past()))

    return shared_state(config, recall=recall, clock=clock, ring=ring)


def price_book(config: Config) -> PriceBook:
    """Return the prices of every service in *config*."""
    return PriceBook(
        {
            name: PriceSource(kind=service.kind, provider=service.provider, own=service.prices)
            for name, service in config.services.items()
        }
    )


def state_of(config: Config, ledger: Ledger, clock: Clock, ring: KeyRing | None = None) -> MemoryState:
    """Return live numbers that know what *ledger* remembers; *ring*: the keys of it, read here if not given."""
    now = clock.moment()
    ring = ring if ring is not None else ring_of(config, ledger)
    rules = (*budget_rules(config), *ring.budgets)
    state = MemoryState(services=service_rules(config), budgets=rules, started=now)
    ring.tell(state, now)
    state.restore(history_of(ledger, rules, now, keys=ring.limited), now)
    return state


def housekeeping(gate: Gate) -> Housekeeping:
    """Return who cares for the ledger of *gate* while it is in use."""
    config = gate.config
    return Housekeeping(
        gate.ledger,
        budgets=lambda: [counted_by(rule) for rule in (*budget_rules(gate.config), *gate.ring.budgets)],
        retention_days=lambda: gate.config.ledger.retention_days,
        zone=ZoneInfo(config.server.reporting_timezone),
        clock=gate.clock,
    )
