"""One request and its answer on an ASGI connection, with the ways in which the answer can fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any, Final

from switchgear.clock import MICROS
from switchgear.drills.sandbox.counts import ReceivedRequest

if TYPE_CHECKING:
    from switchgear.clock import Clock
    from switchgear.drills.sandbox.connection import Connection


__all__ = ["Broken", "Exchange", "Headers", "Message", "Receive", "Scope", "Send"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[str, str]]


class Broken(Exception):
    """The exchange is over before its answer's end.

    Attributes:
        by_client: the client went; False: a fault broke the connection.
    """

    def __init__(self, *, by_client: bool) -> None:
        super().__init__("the client went" if by_client else "broken on demand")
        self.by_client = by_client


class Exchange:
    """Reads a request and writes its answer; every wait ends when the client goes."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, clock: Clock) -> None:
        self.scope: Final = scope
        self._receive: Final = receive
        self._send: Final = send
        self._clock: Final = clock
        self._connection: Connection = scope["state"]["connection"]

    async def read(self, request_id: str) -> ReceivedRequest:
        """Return the whole request.

        Raises:
            Broken: the client went before it had sent it.
        """
        parts: list[bytes] = []
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Broken(by_client=True)
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        return ReceivedRequest(
            id=request_id,
            method=self.scope["method"],
            path=self.scope["path"],
            query=self.scope["query_string"].decode("latin-1"),
            headers=tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in self.scope["headers"]),
            body=b"".join(parts),
        )

    async def pause(self, micros: int) -> None:
        """Wait.

        Raises:
            Broken: the client went meanwhile.
        """
        gone = asyncio.Event()
        watch = asyncio.create_task(self._watch(gone))
        try:
            await self._clock.asleep(micros / MICROS, gone)
        finally:
            watch.cancel()
        self.check()

    async def hang(self) -> None:
        """Do nothing until the client goes, then raise *Broken*."""
        await self._gone()
        raise Broken(by_client=True)

    async def reset(self) -> None:
        """Reset the connection and raise *Broken*."""
        self._connection.reset()
        await self._gone()
        raise Broken(by_client=False)

    async def cut(self) -> None:
        """Close the connection behind what was sent and raise *Broken*."""
        self._connection.cut()
        await self._gone()
        raise Broken(by_client=False)

    def check(self) -> None:
        """Raise *Broken* if the client is gone."""
        if self._connection.lost:
            raise Broken(by_client=True)

    async def begin(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """Send the status line and the headers."""
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def chunk(self, data: bytes) -> None:
        """Send a part of the body and let the connection take it.

        Raises:
            Broken: the client is gone.
        """
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        await asyncio.sleep(0)
        self.check()

    async def end(self, data: bytes = b"") -> None:
        """Send the last part of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def _gone(self) -> None:
        while not self._connection.lost:
            await self._receive()

    async def _watch(self, gone: asyncio.Event) -> None:
        await self._gone()
        gone.set()
