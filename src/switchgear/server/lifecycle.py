"""How a serving process ends: no new calls, those in flight to their end, the rest cancelled; all of them settled."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from switchgear.gateway.problems import send_problem

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from types import FrameType

    from switchgear.gateway.asgi import ASGIApp, Receive, Scope, Send

__all__ = ["Lifecycle", "answering_the_cancelled"]

_LOOK: Final = 0.02
_SETTLE: Final = 5.0
"""Seconds that cancelled calls get to be settled in."""

_log = logging.getLogger("switchgear.server")


class Lifecycle(uvicorn.Server):
    """Says when it answers, and ends as the module says; the second signal ends it at once.

    Args:
        config: uvicorn's.
        ready: called once it answers.
        patience: returns the seconds that calls in flight get to end in.
        beside: what is served at a second socket, by uvicorn's own protocol, and the socket.

    Attributes:
        ended_by: the signal that ended it; None: none did.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        ready: Callable[[], None],
        patience: Callable[[], float],
        beside: tuple[uvicorn.Config, socket.socket] | None = None,
    ) -> None:
        super().__init__(config)
        self.ended_by: int | None = None
        self._ready: Final = ready
        self._patience: Final = patience
        self._beside: Final = beside

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._beside is not None:
            await self._serve_beside(*self._beside)
        if self.started:
            self._ready()

    async def _serve_beside(self, config: uvicorn.Config, listener: socket.socket) -> None:
        config.load()

        def protocol() -> HttpToolsProtocol:
            return HttpToolsProtocol(config, self.server_state, self.lifespan.state)

        loop = asyncio.get_running_loop()
        self.servers.append(await loop.create_server(protocol, sock=listener, backlog=config.backlog))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        self.ended_by = self.ended_by or sig
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals that end a process. They are not raised again: *ended_by* tells."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        deadline = asyncio.get_running_loop().time() + self._patience()
        while (state.tasks or state.connections) and not self.force_exit:
            if asyncio.get_running_loop().time() >= deadline:
                break
            await asyncio.sleep(_LOOK)
        await self._cancel(state.tasks)
        await self.lifespan.shutdown()

    @staticmethod
    async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
        if tasks:
            _log.warning("the server ends: %d requests in flight are cancelled", len(tasks))
            for task in tuple(tasks):
                task.cancel()
            deadline = asyncio.get_running_loop().time() + _SETTLE
            while tasks:  # they take themselves out once they are settled
                if asyncio.get_running_loop().time() >= deadline:
                    break
                await asyncio.sleep(_LOOK)


def answering_the_cancelled(app: ASGIApp, ending: Callable[[], bool]) -> Any:  # noqa: ANN401 - what uvicorn takes
    """Return *app*, whose requests that are cancelled because the server ends get an answer where they can."""

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            if not ending() or scope["type"] != "http":
                raise
            try:
                await send_problem(send, 503, "Server ends", "the server ended before this request had its answer")
            except RuntimeError:
                _log.info("an answer was broken off")  # its head was out: the connection is closed

    return answering
