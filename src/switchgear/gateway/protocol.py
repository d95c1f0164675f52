"""The hot path: requests for services served straight from the parser, all others handed to uvicorn.

A connection begins here. As long as its requests are for services they are read, kept in order and
answered here; the first that is not takes the connection along to uvicorn's own protocol, where the
pages and the API live, and where services answer too, over ASGI (docs/decisions/0011).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from typing import TYPE_CHECKING, Any, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from switchgear.gateway.answers import begun, whole
from switchgear.gateway.connection import AHEAD
from switchgear.gateway.deadline import Deadline
from switchgear.gateway.faults import UpstreamError
from switchgear.gateway.heads import header_name
from switchgear.gateway.inbound import Feed, Inbound, Problem
from switchgear.gateway.intake import inspect
from switchgear.gateway.serving import told

if TYPE_CHECKING:
    from collections.abc import Callable

    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from switchgear.clients.journey import Answer
    from switchgear.gateway.serving import Counter

__all__ = ["GatewayProtocol", "protocol_for"]

_FIRST_LINE: Final = re.compile(rb"(?:\r\n)*[A-Z]+ /([^/ ?#\r\n]+)[/ ?#]")
_LINE: Final = re.compile(rb"(?:\r\n)*[^\r\n]+\r\n")
_NO_PATH: Final = re.compile(rb"(?:\r\n)*[A-Z]+ [^/*]")
_MAX_LINE: Final = 16 * 1024
_LINGER_SECONDS: Final = 5.0

_ENDS: Final = Problem(503, "Server ends", "the server ended before this request had its answer")

_log = logging.getLogger("switchgear.gateway")


def protocol_for(counter: Counter) -> Callable[..., GatewayProtocol]:
    """Return what uvicorn takes for its ``http``: makes the protocol of a new connection."""

    def make(
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> GatewayProtocol:
        loop = _loop if _loop is not None else asyncio.get_running_loop()
        return GatewayProtocol(counter, config=config, server_state=server_state, app_state=app_state, loop=loop)

    return make


class BrokenOffError(Exception):
    """The answer can't be brought to its end: its beginning is with the client already."""


class GatewayProtocol(asyncio.Protocol):
    """One connection of a client.

    Args:
        counter: where requests are served.
        config, server_state, app_state: uvicorn's, for what is handed over.
        loop: the running loop.
    """

    def __init__(
        self,
        counter: Counter,
        *,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._counter: Final = counter
        self._bounds: Final = counter.bounds
        self._config: Final = config
        self._state: Final = server_state
        self._app_state: Final = app_state
        self._loop: Final = loop
        self._deadline: Final = Deadline(loop, self._too_late)
        self._parser: Final = httptools.HttpRequestParser(self)
        self._queue: Final[deque[Inbound]] = deque()
        self._incoming: Inbound | None = None
        self._active: Inbound | None = None
        self._task: asyncio.Task[None] | None = None
        self._partial = b""
        self._head_size = 0
        self._reading_head = False
        self._closing = False
        self._discarding = False
        self._paused = False
        self._can_write = True
        self._room: asyncio.Future[None] | None = None

    # What the loop and uvicorn call

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=AHEAD)
        self._state.connections.add(cast("Any", self))
        self._deadline.set(self._bounds.seconds)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._state.connections.discard(cast("Any", self))
        self._deadline.close()
        self._closing = True
        self._queue.clear()
        self.resume_writing()
        if self._task is not None:
            self._task.cancel()  # the client has gone, and takes its upstream call with it

    def eof_received(self) -> None:
        pass

    def pause_writing(self) -> None:
        self._can_write = False

    def resume_writing(self) -> None:
        self._can_write = True
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def shutdown(self) -> None:
        """Close as soon as nothing is under way."""
        self._closing = True
        if self._task is None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._discarding:
            return
        if self._incoming is None:
            if self._task is not None:
                self._partial += data  # the next request, before this one is answered: its sender waits
                self._pause()
                return
            if not self._is_ours(data):
                return
            if self._partial:
                data, self._partial = self._partial, b""
        self._feed(data)
        if self._task is None:
            self._next()
        if len(self._queue) > (self._task is None):
            self._pause()  # as above

    def _feed(self, data: bytes) -> None:
        if self._reading_head or self._incoming is None:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._closing = True  # served as if it had not asked for another protocol, and then no more
        except httptools.HttpParserError as error:
            self._reject(Problem(400, "Bad request", f"that is no HTTP/1.1 request: {error}"))
        if self._reading_head and self._head_size > self._bounds.head:
            self._reject(self._bounds.long_head)

    # What the parser calls

    def on_message_begin(self) -> None:
        self._incoming = Inbound()
        self._reading_head = True
        self._deadline.set(self._bounds.seconds)

    def on_url(self, piece: bytes) -> None:
        if self._incoming is not None:
            self._incoming.target += piece

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reading_head and self._incoming is not None:
            self._incoming.headers.append((header_name(name), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        request = self._incoming
        if request is None:
            return
        self._reading_head = False
        long, self._head_size = self._head_size > self._bounds.head, 0
        parser = self._parser
        request.method = parser.get_method().decode("ascii")
        version = parser.get_http_version()
        request.old = version == "1.0"
        request.keep = version == "1.1" and parser.should_keep_alive() and not parser.should_upgrade()
        found = inspect(request, version, self._counter)
        if long and sum(len(name) + len(value) + 4 for name, value in request.headers) > self._bounds.head:
            request.problem = self._bounds.long_head
        elif request.service and request.service not in self._counter.routes:
            # Pipelined behind requests for services: after them, who has sent it finds the connection closed.
            self._closing = self._discarding = True
            self._incoming = None
            return
        if request.problem is None:
            if found.streams:
                request.body = Feed(self._loop, self._resume)
                request.ready = True
            if found.expects:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        else:
            request.keep = request.keep and not found.has_body
            request.ready = True
        self._queue.append(request)

    def on_body(self, piece: bytes) -> None:
        request = self._incoming
        if request is None or request.problem is not None:
            return
        self._deadline.set(self._bounds.seconds)
        if isinstance(request.body, Feed):
            if request.body.add(piece):
                self._pause()
            return
        request.size += len(piece)
        if request.size > self._bounds.body:
            request.pieces.clear()
            request.problem = self._bounds.long_body
            request.keep = False
            request.ready = True
            return
        request.pieces.append(piece)

    def on_message_complete(self) -> None:
        request, self._incoming = self._incoming, None
        self._deadline.clear()
        if request is None:
            return
        request.complete = True
        request.ready = True
        if isinstance(request.body, Feed):
            request.body.end()
        elif request.pieces:
            pieces = request.pieces
            request.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            request.pieces = []

    # One request after the other

    def _is_ours(self, data: bytes) -> bool:
        """Return whether the request that begins with *data* is for a service; hand it over if not."""
        whole = self._partial + data if self._partial else data
        line = _FIRST_LINE.match(whole)
        if line is not None and line[1].decode("latin-1") in self._counter.routes:
            self._partial = whole if whole is not data else b""
            return True
        if line is None and _LINE.match(whole) is None and len(whole) < _MAX_LINE:
            self._partial = whole  # the rest of the line is on its way
            return False
        if _NO_PATH.match(whole):
            self._reject(Problem(400, "Bad request", "the request target is not a path"))
            self._next()
            return False
        self._hand_over(whole)
        return False

    def _hand_over(self, data: bytes) -> None:
        self._deadline.close()
        self._state.connections.discard(cast("Any", self))
        other = HttpToolsProtocol(self._config, self._state, self._app_state, self._loop)
        other.connection_made(self._transport)
        self._transport.set_protocol(other)
        other.data_received(data)

    def _next(self) -> None:
        """Serve the request whose turn it is, as soon as it is ready."""
        if self._queue and self._queue[0].ready and self._task is None and not self._transport.is_closing():
            self._active = self._queue.popleft()
            task = self._task = self._loop.create_task(self._serve(self._active))
            self._state.tasks.add(task)
            task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        self._state.tasks.discard(task)
        self._state.total_requests += 1
        request, self._active, self._task = self._active, None, None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            if not isinstance(error, BrokenOffError):
                _log.error("a request could not be served", exc_info=error)
            self._transport.abort()
        if self._transport.is_closing() or request is None:
            return
        if task.cancelled():
            self._transport.abort()
        elif not request.complete:
            self._linger()
        elif not request.keep or self._closing:
            self._transport.close()
        elif self._queue:
            self._next()
            self._resume()
        else:
            self._resume()
            if self._incoming is None:
                self._deadline.set(self._config.timeout_keep_alive)
                held, self._partial = self._partial, b""
                if held:
                    self.data_received(held)

    def _reject(self, told: Problem) -> None:
        """Answer what can't be read, after what is under way, and close."""
        request = self._incoming if self._incoming is not None else Inbound()
        self._incoming = None
        request.problem, request.ready, request.complete, request.keep = told, True, False, False
        if isinstance(request.body, Feed):
            self._transport.abort()  # its beginning is at the upstream already
        elif request not in self._queue and request is not self._active:
            self._queue.append(request)
        self._reading_head = False
        self._discarding = True
        self._pause()

    def _linger(self) -> None:
        """Close, but let the client read the answer first, although it has not sent everything."""
        self._discarding = True
        self._resume()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._deadline.set(_LINGER_SECONDS)

    def _pause(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._deadline.clear()
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()
            if self._incoming is not None:
                self._deadline.set(self._bounds.seconds)

    def _too_late(self) -> None:
        if self._reading_head or self._partial:
            self._reject(self._bounds.slow_head)
            self._next()
        else:
            self._transport.abort()

    # The answer

    async def _serve(self, request: Inbound) -> None:
        try:
            answer = await self._counter.answer(request)
        except asyncio.CancelledError:
            if not self._closing or self._transport.is_closing():
                raise
            answer = told(_ENDS)
        body = answer.body
        if isinstance(body, bytes):
            self._transport.write(whole(request, answer, body, closing=self._closing))
            return
        try:
            await self._write_stream(request, answer)
        finally:
            await body.aclose()

    async def _write_stream(self, request: Inbound, answer: Answer) -> None:
        write = self._transport.write
        head, framing = begun(request, answer, closing=self._closing)
        write(head)
        try:
            while chunk := await answer.body.read():
                if framing == "none":
                    continue
                write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if framing == "chunks" else chunk)
                if not self._can_write:
                    await self._drained()
        except UpstreamError as error:
            # The head is out: all that can be done is to break off, as the upstream did.
            _log.warning("%s broke off its answer (%s)", request.service, type(error).__name__)
            raise BrokenOffError from error
        if framing == "chunks":
            write(b"0\r\n\r\n")

    async def _drained(self) -> None:
        self._room = self._loop.create_future()
        try:
            await self._room
        finally:
            self._room = None
