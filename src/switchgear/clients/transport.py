"""The governed httpx2 transport: every request of an SDK goes through the gate.

A refusal is answered as an HTTP response in the provider's own error shape, with
``x-should-retry: false``: the OpenAI and Anthropic SDKs retry, and hide, whatever a transport
raises (docs/decisions/0005).
"""

from __future__ import annotations

import contextlib
import random
import socket
from typing import TYPE_CHECKING, Final

import httpx2

from switchgear.clients.in_time import seconds_of, too_late
from switchgear.clients.journey import Admit, Cut, Pause, Read, Refusals, Send, Step, journey
from switchgear.clients.requests import FAULTS, answered, arrived, attempts_of, onward
from switchgear.clients.stream import Stream
from switchgear.clients.watch import Watch
from switchgear.clients.wires import Wire
from switchgear.clock import MICROS
from switchgear.errors import StallError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from switchgear.clients.journey import Answer, Arrival
    from switchgear.governor.exchange import Exchange
    from switchgear.governor.gate import Gate

__all__ = ["GovernedTransport"]


class GovernedTransport(httpx2.BaseTransport):
    """Sends the requests of one service through the gate.

    Args:
        gate: the gate.
        service: a configured service's name.
        refusals: ``response`` (default) answers a refusal in the provider's error shape,
            ``raise`` raises the *Refused* itself.
        inner: what really sends; default: httpx2.
        draw: returns a random number from 0 up to but not including 1, for the jitter between attempts.
    """

    def __init__(
        self,
        gate: Gate,
        service: str,
        *,
        refusals: Refusals = "response",
        inner: httpx2.BaseTransport | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._gate: Final = gate
        self._service: Final = service
        self._refusals: Final[Refusals] = refusals
        self._inner: Final = inner if inner is not None else Wire(gate.service(service))
        self._watch: Final = Watch(gate.clock)
        self._draw: Final = draw

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        attempts = attempts_of(self._gate, self._service, request, request.read(), self._draw)
        steps = journey(attempts, FAULTS, refusals=self._refusals)
        try:
            step = next(steps)
            while True:
                try:
                    came = self._perform(step, request)
                except BaseException as error:  # noqa: BLE001 - the journey decides, and raises it again if it is no answer
                    step = steps.throw(error)
                else:
                    step = steps.send(came)
        except StopIteration as end:
            answer: Answer = end.value
        except StallError as error:
            raise httpx2.ReadTimeout(str(error)) from error
        body = answer.body
        return answered(answer, _Body(body) if isinstance(body, Stream) else httpx2.ByteStream(body))

    def _perform(self, step: Step, request: httpx2.Request) -> object:
        match step:
            case Admit(call, max_wait_us, cheaper):
                return self._gate.admit(call, max_wait_us=max_wait_us, cheaper=cheaper)
            case Send(passage, left_us):
                try:
                    one = onward(passage.exchange, request, asked=self._service, left_us=left_us)
                    return self._send(passage.exchange, one, seconds_of(passage.exchange, left_us))
                except BaseException as error:
                    self._gate.settle(passage.admitted, passage.failed(error))
                    raise
            case Read(passage, arrival, limit):
                stream = Stream(self._gate, passage, arrival.source, self._watch)
                stream.begun = limit is None
                return stream if limit is None else stream.collect(limit)
            case Cut(body):
                return body.cut() if isinstance(body, Stream) else body
            case Pause(seconds):
                self._gate.clock.sleep(seconds)
                return None

    def _send(self, exchange: Exchange, request: httpx2.Request, seconds: float) -> Arrival:
        until = self._gate.clock.monotonic() + seconds

        def begun(response: httpx2.Response) -> Arrival:
            left = max(0.0, until - self._gate.clock.monotonic())
            return arrived(response, _Source(response, self._watch, seconds, left))

        left = exchange.left_us
        if left is None:
            return begun(self._inner.handle_request(request))
        usual = request.extensions.get("timeout", {})
        limits = request.extensions["timeout"] = {**usual, "read": min(left / MICROS, usual.get("read") or left)}
        try:
            response = self._inner.handle_request(request)
        except httpx2.ReadTimeout:
            if exchange.left_us:
                raise
            raise exchange.stall() from None
        finally:
            limits["read"] = usual.get("read")  # the body has its own patience
        return begun(response)

    def close(self) -> None:
        self._inner.close()


class _Source:
    """The bytes of a response."""

    def __init__(self, response: httpx2.Response, watch: Watch, seconds: float, left: float) -> None:
        self._response: Final = response
        self._seconds: Final = seconds
        self._watched: Final = watch.over(left, self.interrupt)
        self._chunks: Iterator[bytes] | None = None

    @property
    def extensions(self) -> dict[str, object]:
        return self._response.extensions

    def read(self) -> bytes:
        if self._chunks is None:
            stream = self._response.stream
            if not isinstance(stream, httpx2.SyncByteStream):
                msg = "a sync transport answered with an async stream"
                raise TypeError(msg)
            self._chunks = iter(stream)
        try:
            chunk = next(filter(None, self._chunks), b"")
        except Exception:
            if self._watched.struck:
                too_late(self._seconds)
            raise
        if self._watched.struck:
            too_late(self._seconds)
        return chunk

    def close(self) -> None:
        self._watched.end()
        self._response.close()

    def interrupt(self) -> None:
        stream = self._response.extensions.get("network_stream")
        link = None if stream is None else stream.get_extra_info("socket")
        if link is not None:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)


class _Body(httpx2.SyncByteStream):
    """What the caller reads."""

    def __init__(self, stream: Stream) -> None:
        self._stream: Final = stream

    def __iter__(self) -> Iterator[bytes]:
        try:
            while chunk := self._stream.read():
                yield chunk
        except StallError as error:
            raise httpx2.ReadTimeout(str(error)) from error

    def close(self) -> None:
        self._stream.close()
