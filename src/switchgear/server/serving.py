"""``switchgear serve``: one process or several, until a signal says that it is enough."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from switchgear.clock import MICROS, SystemClock
from switchgear.errors import ConfigError
from switchgear.server.listening import open_sockets, url_of
from switchgear.server.running import Server
from switchgear.server.supervisor import Supervisor

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.config.model import Config
    from switchgear.server.listening import Sockets
    from switchgear.server.parts import Origin, Side
    from switchgear.server.supervisor import Place

__all__ = ["require_sharing", "serve"]

_INTERRUPTED: Final = 130


def serve(
    origin: Origin,
    *,
    host: str | None,
    port: int | None,
    only: Side | None,
    workers: int | None,
    announce: Callable[[str], None],
) -> int:
    """Run until SIGINT or SIGTERM; then let calls in flight end, settle them, and return the exit code.

    SIGHUP has the configuration read again. 0 after SIGTERM, 130 after SIGINT.

    Args:
        origin: the configuration.
        host: overrides ``server.host``.
        port: overrides ``server.port``; 0 takes a free one.
        only: see *Server*.
        workers: overrides ``server.workers``.
        announce: called with the server's URL once it answers; all of its processes, that is.

    Raises:
        ConfigError: the port is in use, the address is not a loopback one, or several processes
            have nothing to share their numbers by.
        LedgerError: the ledger can't be opened.
    """
    config = origin.current.config
    count = config.server.workers if workers is None else workers
    if count == 1:
        return _serve(Server(config, host=host, port=port, origin=origin, only=only), announce)
    require_sharing(config, count)
    with closing(open_sockets(config.server, host=host, port=port, only=only)) as sockets:
        return _Fleet(origin, only, sockets).run(count, lambda: announce(url_of(sockets.main)))


def require_sharing(config: Config, count: int) -> None:
    """Refuse *count* processes unless they share what they count and where they record.

    Raises:
        ConfigError: names the keys, and what to set.
    """
    if count > 1:
        missing = []
        if config.state.url == "memory://":
            missing.append('state.url (now "memory://") such as "redis://127.0.0.1:6379/0"')
        if config.ledger.url.startswith("sqlite"):
            missing.append('ledger.url (now SQLite, which one process writes) such as "postgresql+psycopg://host/db"')
        if missing:
            msg = f"server.workers {count}: several processes need {' and '.join(missing)}"
            raise ConfigError(msg)


def _serve(server: Server, announce: Callable[[str], None]) -> int:
    try:
        ended_by = server.run(announce)
    finally:
        # Nothing interrupts what is left: it takes moments, and each of them settles calls.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        server.close()
    return _INTERRUPTED if ended_by == signal.SIGINT else 0


class _Fleet:
    """Several processes of one configuration, on the same sockets."""

    def __init__(self, origin: Origin, only: Side | None, sockets: Sockets) -> None:
        self._origin = origin
        self._only: Final[Side | None] = only
        self._sockets: Final = sockets
        self._parent: Final = os.getpid()

    def run(self, count: int, announce: Callable[[], None]) -> int:
        supervisor = Supervisor(
            count,
            self._work,
            reload=self._read_again,
            patience=lambda: self._origin.current.config.server.shutdown_timeout / MICROS,
            clock=SystemClock(),
        )
        return supervisor.run(announce)

    def _work(self, place: Place) -> int:
        """Serve in one of the processes."""
        origin = self._origin._replace(told=lambda: os.kill(self._parent, signal.SIGHUP))
        config = origin.current.config
        if place.number > 1:
            # One of the processes looks after alerts, or everybody would be told as often as there are processes.
            config = config.model_copy(update={"alerts": config.alerts.model_copy(update={"enabled": False})})
        server = Server(config, origin=origin, only=self._only, sockets=self._sockets)
        threading.Thread(target=_outlive, args=(place.parent, server), name="switchgear-parent", daemon=True).start()
        return _serve(server, lambda _: place.ready())

    def _read_again(self) -> None:
        """Let processes that begin from now on begin with what is on disk; what is wrong the others tell."""
        with suppress(ConfigError):
            self._origin = self._origin._replace(current=self._origin.read())


def _outlive(parent: int, server: Server) -> None:
    """End when the parent has ended, however it did: nobody else would."""
    os.read(parent, 1)
    server.end()
