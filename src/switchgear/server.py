"""The composition root: one configuration becomes one running server. Nothing else wires."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import socket
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Final, cast

import uvicorn

from switchgear.clients.governor import Governor
from switchgear.clock import SystemClock
from switchgear.errors import ConfigError
from switchgear.gateway.front import Front
from switchgear.gateway.loopback import is_loopback
from switchgear.gateway.proxy import Proxy
from switchgear.governor.opening import housekeeping
from switchgear.insight.snapshot import MetricsCollector
from switchgear.version import __version__
from switchgear.web.app import create_app
from switchgear.web.auth.opening import open_sign_in
from switchgear.web.deps import WebDeps

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from switchgear.clock import Clock
    from switchgear.config.model import Config

__all__ = ["Server", "serve"]

_BACKLOG: Final = 2048
_TICK: Final = 1.0
_DRAIN: Final = 30

_log = logging.getLogger("switchgear.server")


def serve(config: Config, *, host: str | None, port: int | None, announce: Callable[[str], None]) -> None:
    """Run until SIGINT or SIGTERM; then let calls in flight end and settle them.

    The signal is raised once more when all is done, so the caller's own handler decides how to end.

    Args:
        config: everything else.
        host: overrides ``server.host``.
        port: overrides ``server.port``; 0 takes a free one.
        announce: called with the server's URL once it answers.

    Raises:
        ConfigError: the port is in use, or the address is not a loopback one.
        LedgerError: the ledger can't be opened.
    """
    server = Server(config, host=host, port=port)
    try:
        server.run(announce)
    finally:
        server.close()


class Server:
    """A governor with its gateway, pages and API on one port. ``with`` runs it in a thread.

    The port is bound when it is made, so that an error comes before anything is opened.

    Args:
        config: everything else.
        host: overrides ``server.host``.
        port: overrides ``server.port``; 0 takes a free one.
        clock: time.

    Raises:
        ConfigError: the port is in use, or the address is not a loopback one.
        LedgerError: the ledger can't be opened.
    """

    def __init__(
        self, config: Config, *, host: str | None = None, port: int | None = None, clock: Clock | None = None
    ) -> None:
        clock = clock if clock is not None else SystemClock()
        address = host if host is not None else config.server.host
        with ExitStack() as undo:
            self._listener: Final = _listen(address, config.server.port if port is None else port)
            undo.callback(self._listener.close)
            self.governor: Final = Governor(config, clock=clock)
            undo.callback(self.governor.close)
            self._housekeeping: Final = housekeeping(self.governor)
            proxy = Proxy(self.governor)
            control = create_app(_web_deps(self.governor, stopping=self._stopping))
            undo.pop_all()
        self._front: Final = Front(
            proxy=proxy, control=cast("Any", control), start=self._keep_time, stop=lambda: self._stop_all(proxy)
        )
        self._ticker: asyncio.Task[None] | None = None
        self._uvicorn: _Announcing | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it answers, e.g. ``http://127.0.0.1:8400``."""
        host, port = self._listener.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def run(self, announce: Callable[[str], None]) -> None:
        """Serve until told to stop."""
        config = uvicorn.Config(
            cast("Any", self._front),
            lifespan="on",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,  # the upstream's own headers pass unchanged
            date_header=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=_DRAIN,
        )
        self._uvicorn = _Announcing(config, lambda: announce(self.url))
        self._uvicorn.run(sockets=[self._listener])

    def close(self) -> None:
        """Let go of ledger and port; the second time does nothing."""
        self._listener.close()
        self._housekeeping.close()
        self.governor.close()

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self.run, args=(lambda _: ready.set(),), name="switchgear", daemon=True)
        self._thread.start()
        while not ready.wait(0.1):
            if not self._thread.is_alive():
                msg = "the server ended before it answered"
                raise RuntimeError(msg)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._uvicorn is not None and self._thread is not None:
            self._uvicorn.should_exit = True
            self._thread.join()
        self.close()

    def _stopping(self) -> bool:
        return self._uvicorn is not None and self._uvicorn.should_exit

    async def _keep_time(self) -> None:
        async def tick() -> None:
            while True:
                await asyncio.sleep(_TICK)
                await self.governor.atick()
                self._housekeeping.tick()

        self._ticker = asyncio.create_task(tick())
        # What was made at start stays: the collector need not look at it on every round.
        gc.collect()
        gc.freeze()

    async def _stop_all(self, proxy: Proxy) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticker
        await proxy.aclose()
        await self.governor.state.aclose()


class _Announcing(uvicorn.Server):
    """Says when it answers, and not before."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce: Final = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


def _web_deps(governor: Governor, *, stopping: Callable[[], bool]) -> WebDeps:
    ledger = governor.ledger
    collector = MetricsCollector(
        ledger.reader,
        governor.state,
        governor.clock,
        config=governor.config,
        ledger_problem=lambda: ledger.problem,
        ledger_warning=lambda: ledger.warning,
        denials=lambda: dict(governor.callers.denials),
    )
    return WebDeps(
        collector=collector,
        reader=ledger.reader,
        config=governor.config,
        clock=governor.clock,
        version=__version__,
        started_at=governor.clock.moment().wall,
        gate=governor,
        commands=governor,
        sign_in=open_sign_in(governor.config.server, governor.clock),
        stopping=stopping,
    )


def _listen(host: str, port: int) -> socket.socket:
    if not is_loopback(host):
        msg = (
            f"server.host {host}: this version listens on loopback addresses only (127.0.0.1, ::1, localhost), "
            "since it has no sign-in yet"
        )
        raise ConfigError(msg)
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            msg = (
                f"port {port} of {host} is in use; `ss -ltnp 'sport = :{port}'` shows by whom "
                "(another switchgear?), `--port` chooses another"
            )
        else:
            msg = f"can't listen on {host} port {port}: {error.strerror}"
        raise ConfigError(msg) from None
