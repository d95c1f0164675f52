"""The governed httpx2 transport: every request of an SDK goes through the gate.

A refusal is answered as an HTTP response in the provider's own error shape, with
``x-should-retry: false``: the OpenAI and Anthropic SDKs retry, and hide, whatever a transport
raises (docs/decisions/0005).
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import httpx2

from switchgear.clients.journey import Admit, Cut, Pause, Read, Refusals, Send, Step, journey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from switchgear.calls import Outcome
    from switchgear.clients.passage import Passage
    from switchgear.governor.gate import Gate

__all__ = ["GovernedTransport"]


class GovernedTransport(httpx2.BaseTransport):
    """Sends the requests of one service through the gate.

    Args:
        gate: the gate.
        service: a configured service's name.
        refusals: ``response`` (default) answers a refusal in the provider's error shape,
            ``raise`` raises the *Refused* itself.
        inner: what really sends; default: ``httpx2.HTTPTransport()``.
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
        self._inner: Final = inner if inner is not None else httpx2.HTTPTransport()
        self._draw: Final = draw

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        steps = journey(self._gate, self._service, request, request.read(), refusals=self._refusals, draw=self._draw)
        try:
            step = next(steps)
            while True:
                try:
                    came = self._perform(step)
                except BaseException as error:  # noqa: BLE001 - the journey decides, and raises it again if it is no answer
                    step = steps.throw(error)
                else:
                    step = steps.send(came)
        except StopIteration as end:
            response: httpx2.Response = end.value
            return response

    def _perform(self, step: Step) -> object:
        match step:
            case Admit(call, max_wait_us, cheaper):
                return self._gate.admit(call, max_wait_us=max_wait_us, cheaper=cheaper)
            case Send(passage, request):
                try:
                    return self._inner.handle_request(request)
                except BaseException as error:
                    self._gate.settle(passage.admitted, passage.failed(error))
                    raise
            case Read(passage, upstream, limit):
                stream = _Stream(self._gate, passage, upstream)
                return stream if limit is None else _read(stream, limit)
            case Cut(body):
                return body.cut() if isinstance(body, _Begun) else body
            case Pause(seconds):
                self._gate.clock.sleep(seconds)
                return None

    def close(self) -> None:
        self._inner.close()


class _Stream(httpx2.SyncByteStream):
    """The upstream's bytes on their way to the caller; settled before the last of them."""

    def __init__(self, gate: Gate, passage: Passage, upstream: httpx2.Response) -> None:
        self._gate: Final = gate
        self._passage: Final = passage
        self._upstream: Final = upstream

    def __iter__(self) -> Iterator[bytes]:
        passage, exchange = self._passage, self._passage.exchange
        try:
            for chunk in _sync(self._upstream):
                if passed := exchange.feed(chunk):
                    yield passed
                if exchange.complete:
                    self._settle(passage.ended)
                    yield exchange.flush()
                if exchange.stopped:
                    return
        except httpx2.TransportError as error:
            self.fail(error)
            raise
        exchange.end()
        self._settle(passage.ended)
        if rest := exchange.flush():
            yield rest

    def close(self) -> None:
        self._upstream.close()
        self._settle(self._passage.left)

    def fail(self, error: BaseException) -> None:
        """Settle the call as one whose answer could not be read to its end, unless it is settled."""
        self._settle(lambda: self._passage.failed(error))

    def _settle(self, outcome: Callable[[], Outcome]) -> None:
        if self._passage.close():
            self._passage.settlement = self._gate.settle(self._passage.admitted, outcome())


class _Begun(httpx2.SyncByteStream):
    """What was read already, then the rest as it comes."""

    def __init__(self, pieces: list[bytes], rest: Iterator[bytes], stream: _Stream) -> None:
        self._pieces: Final = pieces
        self._rest: Final = rest
        self._stream: Final = stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        yield from self._rest

    def close(self) -> None:
        self._stream.close()

    def cut(self) -> httpx2.ByteStream:
        self._stream.close()
        return httpx2.ByteStream(b"".join(self._pieces))


def _sync(response: httpx2.Response) -> httpx2.SyncByteStream:
    if isinstance(response.stream, httpx2.SyncByteStream):
        return response.stream
    msg = "a sync transport answered with an async stream"
    raise TypeError(msg)


def _read(stream: _Stream, limit: int) -> httpx2.SyncByteStream:
    pieces: list[bytes] = []
    size = 0
    chunks = iter(stream)
    try:
        for chunk in chunks:
            pieces.append(chunk)
            size += len(chunk)
            if size > limit:
                return _Begun(pieces, chunks, stream)
    except BaseException as error:
        stream.fail(error)
        stream.close()
        raise
    stream.close()
    return httpx2.ByteStream(b"".join(pieces))
