"""Kept connections to one upstream, and one request over one of them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from switchgear.clients.journey import Arrival
from switchgear.gateway.connection import Connection
from switchgear.gateway.faults import ConnectError, ConnectTimeout, PoolTimeout, UpstreamError
from switchgear.gateway.heads import head_bytes

if TYPE_CHECKING:
    import ssl

    from switchgear.clients.async_stream import AsyncSource
    from switchgear.gateway.reply import Reply
    from switchgear.governor.headers import Headers

__all__ = ["Outgoing", "Pool"]

_KEPT: Final = 60.0
"""Seconds that a connection is kept for the next request."""

_DOUBTFUL: Final = 0.5
"""Seconds after which it is looked at whether the upstream has closed a kept connection meanwhile."""


class Outgoing(NamedTuple):
    """A request as it goes to an upstream.

    Attributes:
        target: path and query.
        headers: all but ``host``.
        body: the whole of it, or where it is read from while it is sent.
        idempotent: sent twice it does the same as once.
        connect, total: seconds for a connection, and until the answer is whole.
        lines: headers that come before the others, as a *Pool* sends them.
    """

    method: str
    target: str
    headers: Headers
    body: bytes | AsyncSource
    idempotent: bool
    connect: float
    total: float
    lines: bytes = b""


class Pool:
    """An *Upstream* at one host and port: HTTP/1.1, connections kept, the last one used first.

    A kept connection that turns out to be closed is replaced, once, without anybody noticing: if
    nothing of the request was sent, or if it may be sent twice.

    Args:
        host: name or address.
        port: TCP port.
        netloc: what the ``host`` header says.
        context: for TLS; None: plain TCP.
        most: connections at a time.
    """

    def __init__(
        self, host: str, port: int, *, netloc: str, context: ssl.SSLContext | None = None, most: int = 1024
    ) -> None:
        self._host: Final = host
        self._port: Final = port
        self._host_line: Final = f" HTTP/1.1\r\nhost: {netloc}\r\n"
        self._context: Final = context
        self._most: Final = most
        self._idle: Final[list[Connection]] = []
        self._open: Final[set[Connection]] = set()
        self._connecting = 0
        self._waiters: Final[deque[asyncio.Future[None]]] = deque()

    async def send(self, request: Outgoing) -> Arrival:
        """Send *request* and return the head of its answer; ``source`` is its *Reply*.

        Raises:
            UpstreamError: one of its kinds.
        """
        connection = self.kept()
        if connection is not None:
            reply = await self._sent(connection, request, kept=True)
            if reply is not None:
                return Arrival(reply.status, reply.headers, reply)
        connection = await self._new(request.connect)
        reply = await self._sent(connection, request, kept=False)
        if reply is None:
            msg = "the connection was closed"
            raise ConnectError(msg)
        return Arrival(reply.status, reply.headers, reply)

    async def aclose(self) -> None:
        """Close every connection, also those in use."""
        for connection in list(self._open):
            connection.close()
        self._idle.clear()

    async def _sent(self, connection: Connection, request: Outgoing, *, kept: bool) -> Reply | None:
        """Send *request*; None: it must go over another connection."""
        body = request.body
        chunked = not isinstance(body, bytes) and not any(
            name.lower() == "content-length" for name, _ in request.headers
        )
        if chunked:
            request = request._replace(headers=[*request.headers, ("transfer-encoding", "chunked")])
        reply = self.ask(connection, request)
        try:
            if not isinstance(body, bytes):
                await _pump(connection, reply, body, chunked=chunked)
            await reply.head()
        except UpstreamError:
            await reply.aclose()
            if kept and request.idempotent and isinstance(body, bytes) and not reply.begun:
                return None
            raise
        except BaseException:
            await reply.aclose()
            raise
        return reply

    def ask(self, connection: Connection, request: Outgoing) -> Reply:
        """Send *request* over *connection*, of its body what is here; return the answer that will come."""
        body = request.body
        first = f"{request.method} {request.target}{self._host_line}".encode("latin-1")
        head = b"%b%b%b" % (first, request.lines, head_bytes("", request.headers))
        whole = body if isinstance(body, bytes) else b""
        return connection.ask(head, whole, bodiless=request.method == "HEAD", seconds=request.total)

    def kept(self) -> Connection | None:
        """Return a connection that is open and not in use; None: there is none."""
        while self._idle:
            connection = self._idle.pop()
            idle = connection.loop.time() - connection.idle_since
            if idle < _DOUBTFUL and connection.usable:
                return connection
            if connection.usable and idle < _KEPT and not connection.has_news():
                return connection
            connection.close()
        return None

    async def _new(self, seconds: float) -> Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                while len(self._open) + self._connecting >= self._most:
                    waiter = loop.create_future()
                    self._waiters.append(waiter)
                    try:
                        await waiter
                    finally:
                        if waiter in self._waiters:
                            self._waiters.remove(waiter)
                    kept = self.kept()
                    if kept is not None:
                        return kept
        except TimeoutError:
            msg = f"all {self._most} connections to {self._host} were in use for {seconds:g} s"
            raise PoolTimeout(msg) from None
        return await self._connect(loop, seconds)

    async def _connect(self, loop: asyncio.AbstractEventLoop, seconds: float) -> Connection:
        options: dict[str, Any] = {}
        if self._context is not None:
            options = {"ssl": self._context, "server_hostname": self._host}
        self._connecting += 1
        try:
            async with asyncio.timeout(seconds):
                _, connection = await loop.create_connection(
                    lambda: Connection(loop, free=self._free, lost=self._lost), self._host, self._port, **options
                )
        except TimeoutError:
            msg = f"no connection to {self._host} within {seconds:g} s"
            raise ConnectTimeout(msg) from None
        except OSError as error:  # ssl.SSLError is one
            raise ConnectError(str(error)) from error
        finally:
            self._connecting -= 1
        self._open.add(connection)
        return connection

    def _free(self, connection: Connection) -> None:
        self._idle.append(connection)
        self._call_next()

    def _lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._call_next()

    def _call_next(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


async def _pump(connection: Connection, reply: Reply, body: AsyncSource, *, chunked: bool) -> None:
    """Send *body* as it comes, unless the answer is there before its end."""
    connection.spoil(spoiled=True)
    while not reply.over:
        piece = await body.read()
        if not piece:
            if chunked:
                await connection.write(b"0\r\n\r\n")
            connection.spoil(spoiled=False)
            return
        await connection.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
