"""One HTTP/1.1 connection to an upstream: a request, its answer, and again."""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING, Final, cast

import httptools

from switchgear.gateway.deadline import Deadline
from switchgear.gateway.faults import ReadError, ReadTimeout, RemoteProtocolError, UpstreamError
from switchgear.gateway.heads import MAX_HEAD, header_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.governor.headers import Headers

__all__ = ["AHEAD", "Connection", "Reply"]

AHEAD: Final = 64 * 1024
"""Bytes that are read ahead of a slower reader; then the sender is held back."""

_SWITCHING: Final = 101
_FINAL: Final = 200
_BODILESS: Final = frozenset({204, 304})


class Reply:
    """The answer to one request, as it comes. Read it to its end, or *aclose* it.

    Attributes:
        status: 0 until the head is here.
        begun: something of it has come.
    """

    __slots__ = (
        "_connection",
        "_done",
        "_error",
        "_pieces",
        "_size",
        "_waiter",
        "begun",
        "bodiless",
        "headers",
        "status",
    )

    def __init__(self, connection: Connection, *, bodiless: bool) -> None:
        self.status = 0
        self.headers: Headers = []
        self.begun = False
        self.bodiless: Final = bodiless
        self._connection: Connection | None = connection
        self._pieces: list[bytes] = []
        self._size = 0
        self._done = False
        self._error: UpstreamError | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def over(self) -> bool:
        """Whether it has come to its end, good or bad."""
        return self._done or self._error is not None

    async def head(self) -> None:
        """Wait until *status* and *headers* are here."""
        while not self.status:
            if self._error is not None:
                raise self._error
            await self._more()

    async def read(self) -> bytes:
        """Return what has come since; nothing at the end."""
        while True:
            if self._pieces:
                pieces = self._pieces
                data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
                pieces.clear()
                if self._size > AHEAD and self._connection is not None:
                    self._connection.resume()
                self._size = 0
                return data
            if self._done:
                return b""
            if self._error is not None:
                raise self._error
            await self._more()

    async def aclose(self) -> None:
        """Let go of the connection: for the next request if the answer is whole, else close it at once."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.let_go(whole=self._done)

    def add(self, piece: bytes) -> bool:
        """Take the next bytes; return whether they are too many ahead of the reader."""
        before = self._size
        self._pieces.append(piece)
        self._size = before + len(piece)
        self.wake()
        return before <= AHEAD < self._size

    def end(self) -> None:
        """Take note that the answer is whole."""
        self._done = self._error is None
        self.wake()

    def fail(self, error: UpstreamError) -> None:
        """Take note that no more will come, for the reason of *error*."""
        if not self._done and self._error is None:
            self._error = error
            self.wake()

    def wake(self) -> None:
        """Let who waits look again."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _more(self) -> None:
        connection = self._connection
        if connection is None:
            msg = "the answer was closed"
            raise ReadError(msg)
        self._waiter = connection.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None


class Connection(asyncio.Protocol):
    """A connection, and the answer that comes over it.

    Args:
        loop: the running loop.
        free: called with it when it may take the next request.
        lost: called with it once it is closed.

    Attributes:
        idle_since: when it was let go, in the loop's time.
    """

    __slots__ = (
        "_can_write",
        "_deadline",
        "_framed",
        "_free",
        "_head_size",
        "_headers",
        "_headers_done",
        "_interim",
        "_keeps",
        "_lost",
        "_parser",
        "_reply",
        "_room",
        "_seconds",
        "_spoiled",
        "_transport",
        "idle_since",
        "loop",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        free: Callable[[Connection], None],
        lost: Callable[[Connection], None],
    ) -> None:
        self.loop: Final = loop
        self.idle_since = 0.0
        self._free: Final = free
        self._lost: Final = lost
        self._deadline: Final = Deadline(loop, self._too_late)
        self._parser: Final = httptools.HttpResponseParser(self)
        self._reply: Reply | None = None
        self._seconds = 0.0
        self._spoiled = False
        self._can_write = True
        self._room: asyncio.Future[None] | None = None
        self._fresh_head()

    # What a user of the connection calls

    @property
    def usable(self) -> bool:
        """Whether it is open."""
        return not self._transport.is_closing()

    def ask(self, head: bytes, body: bytes, *, bodiless: bool, seconds: float) -> Reply:
        """Send a request; *bodiless*: its answer has no body (HEAD). *seconds*: until the answer is whole."""
        reply = self._reply = Reply(self, bodiless=bodiless)
        self._seconds = seconds
        self._deadline.set(seconds)
        self._fresh_head()
        self._transport.write(head + body if len(body) < AHEAD else head)
        if len(body) >= AHEAD:
            self._transport.write(body)
        return reply

    async def write(self, piece: bytes) -> None:
        """Send more of a request, once there is room for it."""
        self._transport.write(piece)
        if not self._can_write and not self._transport.is_closing():
            self._room = self.loop.create_future()
            try:
                await self._room
            finally:
                self._room = None

    def spoil(self, *, spoiled: bool) -> None:
        """Take no further request as long as this one is not sent to its end."""
        self._spoiled = spoiled

    def has_news(self) -> bool:
        """Whether something lies in the socket unread: the end, most likely."""
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN | select.POLLHUP)
        return bool(poll.poll(0))

    def let_go(self, *, whole: bool) -> None:
        """Take the next request if the answer to this one is *whole*; else close, at once."""
        self._reply = None
        self._deadline.clear()
        if whole and self._keeps and not self._spoiled and not self._transport.is_closing():
            self.idle_since = self.loop.time()
            self._free(self)
        else:
            self._transport.abort()

    def close(self) -> None:
        """Close it, and whatever is under way."""
        self._transport.abort()

    def resume(self) -> None:
        """Read on."""
        self._transport.resume_reading()

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        reply = self._reply
        if reply is None:
            self._transport.abort()  # nobody has asked for anything
            return
        reply.begun = True
        if not self._headers_done:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._break(RemoteProtocolError(str(error)))
            return
        if not self._headers_done and self._head_size > MAX_HEAD:
            self._break(RemoteProtocolError(f"a head of more than {MAX_HEAD} bytes"))

    def eof_received(self) -> None:
        pass

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.close()
        self._lost(self)
        self.resume_writing()
        reply, self._reply = self._reply, None
        if reply is None:
            return
        if self._headers_done and not self._framed and exc is None:
            reply.end()
        elif exc is not None:
            reply.fail(ReadError(str(exc)))
        else:
            reply.fail(RemoteProtocolError("the upstream closed the connection before the end of its answer"))

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    # What the parser calls

    def on_message_begin(self) -> None:
        self._fresh_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._headers_done:
            self._headers.append((header_name(name), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        reply = self._reply
        if reply is None or reply.over:
            return
        if status < _FINAL:
            self._interim = True
            if status == _SWITCHING:
                self._break(RemoteProtocolError("the upstream wants to speak another protocol"))
            return
        self._headers_done = True
        self._framed = not reply.bodiless and (
            status in _BODILESS
            or any(name.lower() in {"content-length", "transfer-encoding"} for name, _ in self._headers)
        )
        self._keeps = self._framed and self._parser.should_keep_alive()
        reply.headers = self._headers
        reply.status = status
        if reply.bodiless:
            reply.end()  # the parser can't know, so this connection is used no more
        else:
            reply.wake()

    def on_body(self, piece: bytes) -> None:
        reply = self._reply
        if reply is not None and reply.add(piece):
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._interim:
            self._fresh_head()
        elif self._reply is not None:
            self._reply.end()

    def _fresh_head(self) -> None:
        self._headers: Headers = []
        self._headers_done = False
        self._head_size = 0
        self._interim = False
        self._framed = False
        self._keeps = False

    def _too_late(self) -> None:
        self._break(ReadTimeout(f"no whole answer within {self._seconds:g} s"))

    def _break(self, error: UpstreamError) -> None:
        if self._reply is not None:
            self._reply.fail(error)
        self.resume_writing()
        self._transport.abort()
