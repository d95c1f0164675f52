"""Live numbers that processes share: opened, and told what this process's ledger remembers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from switchgear import plugins
from switchgear.errors import ConfigError
from switchgear.governor.rules import budget_rules, service_rules
from switchgear.ledger.home import home_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.clock import Clock
    from switchgear.config.model import Config
    from switchgear.governor.keyring import KeyRing
    from switchgear.state.base import AsyncState, History

__all__ = ["shared_state"]


def shared_state(
    config: Config, *, recall: Callable[[], History], clock: Clock, ring: KeyRing, join: bool = True
) -> AsyncState:
    """Return the live numbers at ``state.url``, which have been told what *recall* returns.

    They hold to the limits and budgets of the keys in *ring* too, and ask *recall* again whenever
    their server has lost its data. *join* False: only to look at.

    Raises:
        StateError: they can't be reached, and ``state.when_down`` is ``closed``.
        ConfigError: the package that speaks to the server is missing, or the server drops keys.
    """
    state: AsyncState = _engine(config.state.url.partition("://")[0])(
        config.state.url,
        services=service_rules(config),
        budgets=(*budget_rules(config), *ring.budgets),
        recall=recall,
        ledger=_name_of(config.ledger.url),
        clock=clock,
        timeout_us=config.state.timeout,
        lease_us=config.state.lease,
        when_down=config.state.when_down,
    )
    ring.tell(state, clock.moment())
    if not join:
        return state
    try:
        state.restore(recall(), clock.moment())
    except BaseException:
        state.close()
        raise
    return state


def _engine(scheme: str) -> Callable[..., AsyncState]:
    """Return what makes the state of addresses with *scheme*: it takes what *RedisState* takes."""
    if scheme not in {"redis", "rediss"}:
        made: Callable[..., AsyncState] = plugins.load("switchgear.states", scheme)
        return made
    try:
        from switchgear.state.redis import RedisState
    except ModuleNotFoundError as error:
        msg = 'state.url: a shared state needs the extra "redis": pip install "switchgear[redis]"'
        raise ConfigError(msg) from error
    return RedisState


def _name_of(url: str) -> str:
    """Return what tells the ledger at *url* from every other, so that each is told once; without giving *url* away."""
    return hashlib.sha256(home_of(url).identity.encode()).hexdigest()[:32]
