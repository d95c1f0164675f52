"""The dashboard as a process of its own: it reads what others write, and changes nothing."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, cast

from switchgear.clock import MICROS
from switchgear.config.effective import effective
from switchgear.errors import LedgerError
from switchgear.gateway.bounds import bounds_of
from switchgear.gateway.front import Front
from switchgear.governor.opening import ring_of, state_of
from switchgear.governor.sharing import shared_state
from switchgear.insight.metrics import HealthReason
from switchgear.insight.snapshot import MetricsCollector
from switchgear.ledger import Ledger
from switchgear.server.applications import plug_applications
from switchgear.server.halves import no_gateway
from switchgear.server.parts import Parts
from switchgear.state.base import History
from switchgear.version import __version__
from switchgear.web.app import create_app
from switchgear.web.auth.opening import open_sign_in
from switchgear.web.deps import ProcessFacts, WebDeps

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from switchgear.clock import Clock, Moment
    from switchgear.config.model import Config
    from switchgear.gateway.hosts import Hosts
    from switchgear.insight.sources import LiveNumbers
    from switchgear.server.parts import Origin
    from switchgear.state.base import AsyncState, BreakerView, BudgetView, LimitView
    from switchgear.state.memory import MemoryState

__all__ = ["Remembered", "watch"]

_FRESH_US: Final = 5 * MICROS
_NOT_LIVE: Final = HealthReason(
    status="healthy",
    text=(
        "Not live: breakers, limits and budgets are as the ledger tells them, without calls in flight. "
        'The live numbers are in the process that serves the gateway, since state.url is "memory://".'
    ),
    subject="process",
)


def watch(config: Config, *, clock: Clock, origin: Origin | None, ending: Callable[[], bool], hosts: Hosts) -> Parts:
    """Open the ledger of *config* for reading, and the shared state if there is one, and put pages on them.

    Raises:
        LedgerError, StateError, ConfigError: something can't be opened, and nothing is left open.
    """
    with ExitStack() as undo:
        ledger = Ledger.open(config.ledger.url, clock=clock, writable=False)
        undo.callback(ledger.close)
        shared = None
        if config.state.url != "memory://":
            shared = shared_state(config, recall=History, clock=clock, ring=ring_of(config, ledger), join=False)
            undo.callback(shared.close)
        deps = _deps(config, ledger, clock, shared)
        applications = plug_applications(config, clock)
        undo.callback(applications.close)
        deps.applications = applications
        deps.ending = ending
        deps.sign_in = open_sign_in(config.server, clock)
        if origin is not None:
            settings = effective(origin.current)
            deps.settings = lambda: settings
        control = cast("Any", create_app(deps))
        close = undo.pop_all().close

    async def nothing() -> None:
        """Nobody else is told anything."""

    return Parts(
        governor=None,
        front=lambda start, stop: Front(
            proxy=no_gateway,
            control=control,
            start=start,
            stop=stop,
            hosts=hosts,
            bounds=bounds_of(config.server),
        ),
        admin=None,
        config=lambda: config,
        reload=None,
        tick=nothing,
        http="httptools",
        aclose=nothing if shared is None else shared.aclose,
        close=close,
    )


class Remembered:
    """The numbers that a server would start with now, read anew when they are older than five seconds."""

    def __init__(self, config: Config, ledger: Ledger, clock: Clock) -> None:
        self._config: Final = config
        self._ledger: Final = ledger
        self._clock: Final = clock
        self._lock: Final = threading.Lock()
        self._found: tuple[int, MemoryState] | None = None

    def breakers(self, now: Moment) -> Sequence[BreakerView]:
        """Return one view for each service."""
        return self._state(now).breakers(now)

    def limits(self, now: Moment) -> Sequence[LimitView]:
        """Return one view for each configured limit."""
        return self._state(now).limits(now)

    def budgets(self, now: Moment) -> Sequence[BudgetView]:
        """Return one view for each account that is known."""
        return self._state(now).budgets(now)

    def _state(self, now: Moment) -> MemoryState:
        found = self._found
        if found is None or now.mono - found[0] >= _FRESH_US:
            made = state_of(self._config, self._ledger, self._clock)
            with self._lock:
                self._found = found = (now.mono, made)
        return found[1]


def _deps(config: Config, ledger: Ledger, clock: Clock, shared: AsyncState | None) -> WebDeps:
    numbers: LiveNumbers = Remembered(config, ledger, clock) if shared is None else shared

    def problem() -> str | None:
        try:
            ledger.reader.events(limit=1)
        except LedgerError as error:
            return str(error)
        return None

    collector = MetricsCollector(
        ledger.reader,
        numbers,
        clock,
        config=config,
        ledger_problem=problem,
        notes=lambda: () if shared is not None else (_NOT_LIVE,),
    )
    return WebDeps(
        collector=collector,
        reader=ledger.reader,
        config=config,
        clock=clock,
        version=__version__,
        started_at=clock.moment().wall,
        process=ProcessFacts(pid=os.getpid(), workers=1, live=shared is not None),
    )
