"""From a configuration to what a server serves: the gate with its pages, the gate alone, or pages on a ledger."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from switchgear.clients.governor import Governor
from switchgear.config.effective import effective
from switchgear.gateway.front import Front
from switchgear.gateway.proxy import Proxy
from switchgear.governor.reload import Reloader
from switchgear.insight.metrics import HealthReason
from switchgear.insight.snapshot import MetricsCollector
from switchgear.version import __version__
from switchgear.web.app import create_app
from switchgear.web.deps import ProcessFacts, WebDeps

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from switchgear.clock import Clock
    from switchgear.config.load import Sourced
    from switchgear.config.model import Config
    from switchgear.events import ConfigChanged
    from switchgear.gateway.asgi import ASGIApp

__all__ = ["Origin", "Parts", "Side", "compose"]

Side = Literal["gateway", "dashboard"]


class Origin(NamedTuple):
    """Where a configuration is from.

    Attributes:
        current: it, with where each value comes from.
        read: returns the same as it is now; raises ConfigError.
        told: called when it has been read again because somebody asked this process over its API.
    """

    current: Sourced
    read: Callable[[], Sourced]
    told: Callable[[], None] = lambda: None


class Parts(NamedTuple):
    """What a server serves.

    Attributes:
        governor: the gate; None: there is none.
        front: returns the app, given what is to be done when it begins and ends.
        config: returns the configuration in force.
        reload: has it read again; None: it can't be.
        tick: to be called once a second or so.
        aclose: lets go of what the running loop holds.
        close: lets go of everything else; the second time does nothing.
    """

    governor: Governor | None
    front: Callable[[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]], ASGIApp]
    config: Callable[[], Config]
    reload: Callable[[str], ConfigChanged | None] | None
    tick: Callable[[], Awaitable[None]]
    aclose: Callable[[], Awaitable[None]]
    close: Callable[[], None]


def compose(
    config: Config, *, clock: Clock, origin: Origin | None, only: Side | None, ending: Callable[[], bool]
) -> Parts:
    """Open what *config* names and wire it; see *Server* for the arguments.

    Raises:
        LedgerError, StateError, ConfigError: something can't be opened, and nothing is left open.
    """
    with ExitStack() as undo:
        governor = Governor(config, clock=clock)
        undo.callback(governor.close)
        proxy = Proxy(governor)
        deps = _deps(governor, origin, ending)
        control = cast("Any", create_app(deps))
        undo.pop_all()

    async def aclose() -> None:
        await proxy.aclose()
        await governor.state.aclose()

    return Parts(
        governor=governor,
        front=lambda start, stop: Front(proxy=proxy, control=control, start=start, stop=stop),
        config=lambda: governor.config,
        reload=deps.reload,
        tick=governor.atick,
        aclose=aclose,
        close=governor.close,
    )


def _deps(governor: Governor, origin: Origin | None, ending: Callable[[], bool]) -> WebDeps:
    ledger = governor.ledger
    collector = MetricsCollector(
        ledger.reader,
        governor.state,
        governor.clock,
        config=governor.config,
        ledger_problem=lambda: None if ledger.healthy else ledger.last_error or "it can't be written",
        notes=lambda: _notes(reloader),
    )
    deps = WebDeps(
        collector=collector,
        reader=ledger.reader,
        config=governor.config,
        clock=governor.clock,
        version=__version__,
        started_at=governor.clock.moment().wall,
        ending=ending,
        process=ProcessFacts(pid=os.getpid(), workers=governor.config.server.workers),
    )

    def adopt(config: Config) -> None:
        collector.adopt(config)
        deps.config = config

    reloader = None
    if origin is not None:
        reloader = Reloader(governor, origin.current, read=origin.read, environ=os.environ, then=adopt)
        deps.reload = _reload(reloader, origin)
        deps.settings = lambda: effective(reloader.current)
    return deps


def _reload(reloader: Reloader, origin: Origin) -> Callable[[str], ConfigChanged | None]:
    def reload(by: str) -> ConfigChanged | None:
        change = reloader.reload(by)
        if not by.startswith("SIGHUP"):
            origin.told()
        return change

    return reload


def _notes(reloader: Reloader | None) -> tuple[HealthReason, ...]:
    if reloader is None or reloader.problem is None:
        return ()
    text = f"The configuration on disk is not valid: {reloader.problem}. The one until now stays in force."
    return (HealthReason(status="degraded", text=text, subject="configuration"),)
