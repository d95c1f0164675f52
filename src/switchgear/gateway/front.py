"""The first fork in the road: services to the data path, pages and API to the control app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.config.checks import RESERVED_NAMES
from switchgear.gateway.hosts import NOT_OURS, Hosts
from switchgear.gateway.problems import send_problem
from switchgear.gateway.targets import is_readable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from switchgear.gateway.asgi import ASGIApp, Receive, Scope, Send
    from switchgear.gateway.bounds import Bounds

__all__ = ["Front"]


def _head_size(scope: Scope) -> int:
    lines = sum(len(name) + len(value) for name, value in scope["headers"])
    return lines + len(scope["path"]) + len(scope.get("query_string", b""))


def _is_ours(first: str) -> bool:
    """Return whether the path segment *first* is that of a page, of one as a file (``calls.csv``), or of the API."""
    return not first or first in RESERVED_NAMES or first.partition(".")[0] in RESERVED_NAMES


class Front:
    """An ASGI app that sends a request where its first path segment belongs.

    Args:
        proxy: the data path; also answers for services that don't exist.
        control: pages, partials and API.
        start: called once inside the running loop, before the first request.
        stop: called once when the server shuts down, after the last request.
        hosts: the names that it answers to.
        bounds: how long a head may be.
    """

    def __init__(
        self,
        *,
        proxy: ASGIApp,
        control: ASGIApp,
        start: Callable[[], Awaitable[None]],
        stop: Callable[[], Awaitable[None]],
        hosts: Hosts,
        bounds: Bounds,
    ) -> None:
        self._proxy: Final = proxy
        self._control: Final = control
        self._start: Final = start
        self._stop: Final = stop
        self._hosts: Final = hosts
        self._bounds: Final = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1003})
        else:
            if not self._hosts.include(next((value for name, value in scope["headers"] if name == b"host"), b"")):
                await send_problem(send, 421, "Misdirected request", NOT_OURS)
                return
            if not is_readable((scope.get("raw_path") or b"") + scope.get("query_string", b"")):
                detail = "the request target has bytes that must be percent-encoded"
                await send_problem(send, 400, "Bad request", detail)
                return
            if _head_size(scope) > self._bounds.head:
                long = self._bounds.long_head
                await send_problem(send, long.status, long.title, long.detail)
                return
            first = scope["path"].split("/", 2)[1] if scope["path"].startswith("/") else ""
            await (self._control if _is_ours(first) else self._proxy)(scope, receive, send)

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
