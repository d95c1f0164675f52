"""One HTTP/1.1 connection to an upstream: a request, its answer, and again."""

from __future__ import annotations

import asyncio
import select
from typing import TYPE_CHECKING, Final, cast

import httptools

from switchgear.gateway.deadline import Deadline
from switchgear.gateway.faults import ReadError, ReadTimeout, RemoteProtocolError
from switchgear.gateway.heads import MAX_HEAD, header_name
from switchgear.gateway.lines import plain_head
from switchgear.gateway.reply import AHEAD, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.gateway.faults import UpstreamError
    from switchgear.governor.headers import Headers

__all__ = ["Connection"]

_SWITCHING: Final = 101
_FINAL: Final = 200
_BODILESS: Final = frozenset({204, 304})


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
        "_left",
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
        if not reply.begun:
            reply.begun = True
            if self._begin_plainly(reply, data):
                reply.look()
                return
        elif self._left:
            self._body(reply, data)
            reply.look()
            return
        if not self._headers_done:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._break(RemoteProtocolError(str(error)))
        else:
            if not self._headers_done and self._head_size > MAX_HEAD:
                self._break(RemoteProtocolError(f"a head of more than {MAX_HEAD} bytes"))
        reply.look()

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
        reply.look()

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def _begin_plainly(self, reply: Reply, data: bytes) -> bool:
        """Take *data*, an answer's beginning, if there is nothing in it that it takes the parser to understand."""
        head = None if reply.bodiless else plain_head(data)
        if head is None or len(data) > head.end + head.length or head.end > MAX_HEAD:
            return False
        self._headers_done = self._framed = self._keeps = True
        reply.headers, reply.status = head.headers, head.status
        self._left = head.length
        body = data[head.end :]
        if body or not head.length:
            self._body(reply, body)
        else:
            reply.wake()
        return True

    def _body(self, reply: Reply, data: bytes) -> None:
        """Take *data* of a body whose length is known."""
        left = self._left - len(data)
        self._left = max(0, left)
        if left < 0:
            data, self._keeps = data[:left], False  # nobody has asked for what follows
        if data and reply.add(data):
            self._transport.pause_reading()
        if left <= 0:
            reply.end()

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
        self._left = 0

    def _too_late(self) -> None:
        reply = self._reply
        self._break(ReadTimeout(f"no whole answer within {self._seconds:g} s"))
        if reply is not None:
            reply.look()

    def _break(self, error: UpstreamError) -> None:
        if self._reply is not None:
            self._reply.fail(error)
        self.resume_writing()
        self._transport.abort()
