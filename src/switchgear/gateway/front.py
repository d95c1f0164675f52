"""The first fork in the road: services to the data path, pages and API to the control app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.config.checks import RESERVED_NAMES
from switchgear.gateway.loopback import is_address, is_loopback
from switchgear.gateway.problems import send_problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from switchgear.gateway.asgi import ASGIApp, Receive, Scope, Send

__all__ = ["Front"]


_NOT_OURS: Final = (
    "this server does not answer to that name, only to loopback ones (127.0.0.1, ::1, localhost) and those in "
    "server.hosts: a page elsewhere must not reach it under a name of its own"
)


def _is_ours(scope: Scope, hosts: frozenset[str], *, anywhere: bool) -> bool:
    """Whether the Host header is one of ours. Another name is how DNS rebinding gets a browser to read our pages.

    An address is no such name: whoever asks by one means the machine that has it.
    """
    host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return is_loopback(name) or name.lower().rstrip(".") in hosts or (anywhere and is_address(name))


class Front:
    """An ASGI app that sends a request where its first path segment belongs.

    Args:
        proxy: the data path; also answers for services that don't exist.
        control: pages, partials and API.
        start: called once inside the running loop, before the first request.
        stop: called once when the server shuts down, after the last request.
        hosts: names that it answers to besides loopback ones, in lower case.
        anywhere: it listens beyond loopback, so it answers to the addresses of the machine too.
    """

    def __init__(
        self,
        *,
        proxy: ASGIApp,
        control: ASGIApp,
        start: Callable[[], Awaitable[None]],
        stop: Callable[[], Awaitable[None]],
        hosts: Iterable[str] = (),
        anywhere: bool = False,
    ) -> None:
        self._proxy: Final = proxy
        self._control: Final = control
        self._start: Final = start
        self._stop: Final = stop
        self._hosts: Final = frozenset(hosts)
        self._anywhere: Final = anywhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1003})
        else:
            if not _is_ours(scope, self._hosts, anywhere=self._anywhere):
                await send_problem(send, 421, "Misdirected request", _NOT_OURS)
                return
            first = scope["path"].split("/", 2)[1] if scope["path"].startswith("/") else ""
            app = self._control if not first or first in RESERVED_NAMES else self._proxy
            await app(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self._start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self._stop()
                await send({"type": "lifespan.shutdown.complete"})
                return
