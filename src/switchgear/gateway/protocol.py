"""The hot path: requests for services served straight from the parser, all others handed to uvicorn.

A connection begins here. As long as its requests are for services they are read, kept in order and
answered here; the first that is not takes the connection along to uvicorn's own protocol, where the
pages and the API live, and where services answer too, over ASGI (docs/decisions/0011).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from switchgear.gateway.deadline import Deadline
from switchgear.gateway.familiar import Familiar
from switchgear.gateway.heads import header_name
from switchgear.gateway.inbound import Feed, Inbound, Problem
from switchgear.gateway.intake import inspect
from switchgear.gateway.outlet import BrokenOffError, Outlet
from switchgear.gateway.reply import AHEAD
from switchgear.gateway.ride import Ride
from switchgear.gateway.serving import told
from switchgear.gateway.targets import place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from switchgear.clients.journey import Answer
    from switchgear.gateway.serving import Counter

__all__ = ["GatewayProtocol", "protocol_for"]

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
        self._tasks: Final = cast("set[Ride | None]", server_state.tasks)  # a ride can be cancelled as a task can
        self._loop: Final = loop
        self._deadline: Final = Deadline(loop, self._too_late)
        self._parser: Final = httptools.HttpRequestParser(self)
        self._queue: Final[deque[Inbound]] = deque()
        self._familiar: Familiar | None = None
        self._incoming: Inbound | None = None
        self._active: Inbound | None = None
        self._ride: Ride | None = None  # the request that is being served
        self._starting = False
        self._partial = b""
        self._head_size = 0
        self._reading_head = False
        self._closing = False
        self._discarding = False
        self._paused = False

    # What the loop and uvicorn call

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=AHEAD)
        self._outlet = Outlet(self._transport, self._loop)
        self._state.connections.add(cast("Any", self))
        self._deadline.set(self._bounds.seconds)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._state.connections.discard(cast("Any", self))
        self._deadline.close()
        self._closing = True
        self._queue.clear()
        self.resume_writing()
        if self._ride is not None:
            self._ride.cancel()  # the client has gone, and takes its upstream call with it

    def eof_received(self) -> None:
        pass

    def pause_writing(self) -> None:
        self._outlet.pause()

    def resume_writing(self) -> None:
        self._outlet.resume()

    def shutdown(self) -> None:
        """Close as soon as nothing is under way."""
        self._closing = True
        if self._ride is None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._discarding:
            return
        if self._incoming is None:
            if self._is_familiar(data):
                return
            if self._ride is not None:
                self._partial += data  # the next request, before this one is answered: its sender waits
                self._pause()
                return
            if not self._is_ours(data):
                return
            if self._partial:
                data, self._partial = self._partial, b""
            self._feed(data)
            if len(self._queue) == 1 and self._queue[0].complete:
                self._familiar = Familiar.of(self._queue[0], data)
        else:
            self._feed(data)
        if self._ride is None:
            self._next()
        if len(self._queue) > (self._ride is None):
            self._pause()  # as above

    def _is_familiar(self, data: bytes) -> bool:
        """Return whether *data* is a request that only its body tells from the last; it is begun if so."""
        familiar = self._familiar
        if familiar is None or self._ride is not None or self._queue or self._partial or self._closing:
            return False
        request = familiar.again(data, self._counter)
        if request is None:
            return False
        self._deadline.clear()
        self._queue.append(request)
        self._next()
        return True

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
        request.add(piece, self._bounds)

    def on_message_complete(self) -> None:
        request, self._incoming = self._incoming, None
        self._deadline.clear()
        if request is None:
            return
        request.end()

    # One request after the other

    def _is_ours(self, data: bytes) -> bool:
        """Return whether the request that begins with *data* is for a service; hand it over if not."""
        whole = self._partial + data
        place = place_of(whole, self._counter.routes)
        if place == "service":
            self._partial = whole if whole is not data else b""
            return True
        if place == "unknown":
            self._partial = whole  # the rest of the line is on its way
        elif place == "nowhere":
            self._reject(Problem(400, "Bad request", "the request target is not a path"))
            self._next()
        else:
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
        if self._starting:
            return  # the loop below goes on
        self._starting = True
        while self._queue and self._queue[0].ready and self._ride is None and not self._transport.is_closing():
            self._active = self._queue.popleft()
            self._ride = Ride(self._counter, self._active, self)
            self._tasks.add(self._ride)
            self._ride.start()
        self._starting = False

    def _served(self) -> None:
        self._tasks.discard(self._ride)
        self._state.total_requests += 1
        request, self._active, self._ride = self._active, None, None
        if self._transport.is_closing() or request is None:
            return
        if not request.complete:
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

    def arrived(self, answer: Answer) -> None:
        request = self._active
        if request is not None and not self._transport.is_closing():
            try:
                self._outlet.send(request, answer, closing=self._closing)
            except ValueError as error:  # a name that no header can hold
                self.broke_down(error)
                return
        self._served()

    def go_on(self, rest: Coroutine[Any, Any, Answer]) -> asyncio.Task[None]:
        task = self._loop.create_task(self._answer(rest))
        task.add_done_callback(self._answered)
        return task

    def broke_down(self, error: Exception) -> None:
        _log.error("a request could not be served", exc_info=error)
        self._transport.abort()
        self._served()

    def called_off(self) -> None:
        if self._closing and not self._transport.is_closing():
            self.arrived(told(_ENDS))
        else:
            self._transport.abort()
            self._served()

    async def _answer(self, rest: Coroutine[Any, Any, Answer]) -> None:
        request = self._active
        if request is None:
            return
        try:
            answer = await rest
        except asyncio.CancelledError:
            if not self._closing or self._transport.is_closing():
                raise
            answer = told(_ENDS)
        if isinstance(answer.body, bytes):
            self._outlet.send(request, answer, closing=self._closing)
            return
        try:
            await self._outlet.stream(request, answer, closing=self._closing)
        finally:
            await answer.body.aclose()

    def _answered(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, BrokenOffError):
            _log.error("a request could not be served", exc_info=error)
        if task.cancelled() or error is not None:
            self._transport.abort()
        self._served()
