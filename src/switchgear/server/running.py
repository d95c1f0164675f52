"""One process that serves: a listening socket, an app behind it, and how both begin and end."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Final, Literal

import uvicorn

from switchgear.clock import MICROS, SystemClock
from switchgear.errors import SwitchgearError
from switchgear.gateway.hosts import Hosts
from switchgear.gateway.loopback import is_loopback
from switchgear.server.composing import compose
from switchgear.server.lifecycle import Lifecycle, answering_the_cancelled
from switchgear.server.listening import open_sockets, url_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from switchgear.clients.governor import Governor
    from switchgear.clock import Clock
    from switchgear.config.model import Config
    from switchgear.gateway.asgi import ASGIApp
    from switchgear.server.listening import Sockets
    from switchgear.server.parts import DataPath, Origin, Side

__all__ = ["Server"]

_BACKLOG: Final = 2048
_TICK: Final = 1.0
_YOUNG: Final = 20_000
"""Objects made between two rounds of the collector: a call leaves no cycles, so nearly every round finds nothing."""

_log = logging.getLogger("switchgear.server")


class Server:
    """A governor with its gateway, pages and API, on one port or two. ``with`` runs it in a thread.

    The port is bound when it is made, so that an error comes before anything is opened.

    Args:
        config: everything else.
        host: overrides ``server.host``.
        port: overrides ``server.port``; 0 takes a free one.
        clock: time.
        origin: where *config* is from, so that it can be read again; None: it can't.
        only: serve the ``gateway`` without pages, or the ``dashboard`` of a ledger that another
            process writes to.
        sockets: what listens already, and other processes may share.
        data_path: how requests for services are served (docs/decisions/0011).

    Raises:
        ConfigError: the port is in use, or the address is not a loopback one.
        LedgerError: the ledger can't be opened.
    """

    def __init__(
        self,
        config: Config,
        *,
        host: str | None = None,
        port: int | None = None,
        clock: Clock | None = None,
        origin: Origin | None = None,
        only: Side | None = None,
        sockets: Sockets | None = None,
        data_path: DataPath = "hot",
    ) -> None:
        clock = clock if clock is not None else SystemClock()
        with ExitStack() as undo:
            if sockets is None:
                sockets = open_sockets(config.server, host=host, port=port, only=only)
            undo.callback(sockets.close)
            self._sockets: Final = sockets
            self._parts: Final = compose(
                config,
                clock=clock,
                origin=origin,
                only=only,
                data_path=data_path,
                ending=lambda: self.is_ending,
                hosts=_hosts_of(config, sockets.main),
                admin_hosts=None if sockets.admin is None else _hosts_of(config, sockets.admin),
            )
            undo.pop_all()
        self.url: Final = url_of(sockets.main)
        self.admin_url: Final = self.url if sockets.admin is None else url_of(sockets.admin)
        self._ticker: asyncio.Task[None] | None = None
        self._reload: asyncio.Future[None] | None = None
        self._uvicorn: Lifecycle | None = None
        self._thread: threading.Thread | None = None

    @property
    def governor(self) -> Governor:
        """The gate; not for a server of the dashboard alone."""
        governor = self._parts.governor
        if governor is None:
            msg = "a server of the dashboard alone has no gate"
            raise AttributeError(msg)
        return governor

    @property
    def is_ending(self) -> bool:
        """Whether it has been told to end."""
        return self._uvicorn is not None and self._uvicorn.should_exit

    def run(self, announce: Callable[[str], None]) -> int | None:
        """Serve until told to end, then let calls in flight end; return the signal that said so, None: none."""
        config = self._uvicorn_config(self._parts.front(self._start, self._stop), http=self._parts.http, lifespan="on")
        self._uvicorn = Lifecycle(
            config,
            ready=lambda: announce(self.url),
            patience=lambda: self._parts.config().server.shutdown_timeout / MICROS,
            beside=self._beside(),
        )
        self._uvicorn.run(sockets=[self._sockets.main])
        return self._uvicorn.ended_by

    def _uvicorn_config(self, app: ASGIApp, *, http: Any, lifespan: Literal["on", "off"]) -> uvicorn.Config:  # noqa: ANN401 - what uvicorn takes
        return uvicorn.Config(
            answering_the_cancelled(app, lambda: self.is_ending),
            http=http,
            lifespan=lifespan,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,  # the upstream's own headers pass unchanged
            date_header=False,
            backlog=_BACKLOG,
        )

    def _beside(self) -> tuple[uvicorn.Config, socket.socket] | None:
        """Return what serves dashboard and API at their own address, and where."""
        if self._parts.admin is None or self._sockets.admin is None:
            return None
        return self._uvicorn_config(self._parts.admin, http="httptools", lifespan="off"), self._sockets.admin

    def end(self) -> None:
        """Begin to end, as a signal would have it."""
        if self._uvicorn is not None:
            self._uvicorn.should_exit = True

    def close(self) -> None:
        """Let go of ledger and port; the second time does nothing."""
        self._sockets.close()
        self._parts.close()

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
        self.end()
        if self._thread is not None:
            self._thread.join()
        self.close()

    async def _start(self) -> None:
        async def tick() -> None:
            while True:
                await asyncio.sleep(_TICK)
                await self._parts.tick()

        self._ticker = asyncio.create_task(tick())
        if threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._read_again)
        # What was made at start stays: the collector need not look at it on every round.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG, 20, 50)

    async def _stop(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticker
        if self._reload is not None:
            await asyncio.wait({self._reload})
        await self._parts.aclose()

    def _read_again(self) -> None:
        """Have the configuration read again, beside the loop; what comes of it is logged where it is done."""
        if self._reload is not None and not self._reload.done():
            self._reload.add_done_callback(lambda _: self._read_again())
            return
        self._reload = asyncio.get_running_loop().run_in_executor(None, self._take_over)

    def _take_over(self) -> None:
        if self._parts.reload is None:
            _log.warning("SIGHUP: this process can't take over another configuration")
            return
        with suppress(SwitchgearError):  # told by the reloader
            self._parts.reload(f"SIGHUP, process {os.getpid()}")


def _hosts_of(config: Config, listener: socket.socket) -> Hosts:
    return Hosts(config.server.hosts, anywhere=not is_loopback(listener.getsockname()[0]))
