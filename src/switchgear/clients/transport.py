"""The governed httpx2 transport: every request of an SDK goes through the gate.

A refusal is answered as an HTTP response in the provider's own error shape, with
``x-should-retry: false``: the OpenAI and Anthropic SDKs retry, and hide, whatever a transport
raises (docs/decisions/0005).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx2

from switchgear.clients.passage import Passage, Refusals, exchange_of, onward, raw_headers, refused_response
from switchgear.errors import Refused
from switchgear.governor.exchange import COLLECTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.calls import Outcome
    from switchgear.governor.exchange import Headers
    from switchgear.governor.gate import Gate

__all__ = ["GovernedTransport"]


class _SyncStream(httpx2.SyncByteStream):
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
                    self.settle(exchange.ended(passage.admitted))
                    yield exchange.flush()
        except httpx2.TransportError as error:
            self.settle(passage.failed(error))
            raise
        exchange.end()
        self.settle(exchange.ended(passage.admitted))
        if rest := exchange.flush():
            yield rest

    def close(self) -> None:
        self._upstream.close()
        self.settle(self._passage.exchange.left(self._passage.admitted))

    def settle(self, outcome: Outcome) -> None:
        """Settle the call, unless it has been."""
        if self._passage.close():
            self._passage.settlement = self._gate.settle(self._passage.admitted, outcome)


def _sync(response: httpx2.Response) -> httpx2.SyncByteStream:
    if isinstance(response.stream, httpx2.SyncByteStream):
        return response.stream
    msg = "a sync transport answered with an async stream"
    raise TypeError(msg)


class GovernedTransport(httpx2.BaseTransport):
    """Sends the requests of one service through the gate.

    Args:
        gate: the gate.
        service: a configured service's name.
        refusals: ``response`` (default) answers a refusal in the provider's error shape,
            ``raise`` raises the *Refused* itself.
        inner: what really sends; default: ``httpx2.HTTPTransport()``.
    """

    def __init__(
        self, gate: Gate, service: str, *, refusals: Refusals = "response", inner: httpx2.BaseTransport | None = None
    ) -> None:
        self._gate: Final = gate
        self._service: Final = service
        self._refusals: Final = refusals
        self._inner: Final = inner if inner is not None else httpx2.HTTPTransport()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = exchange_of(self._gate, self._service, request, request.read())
        sent = onward(exchange, request)
        try:
            admitted = self._gate.admit(exchange.call)
        except Refused as error:
            if self._refusals == "raise":
                raise
            return refused_response(exchange, error)
        passage = Passage(exchange, admitted)
        try:
            upstream = self._inner.handle_request(sent)
        except BaseException as error:
            self._gate.settle(admitted, passage.failed(error))
            raise
        headers = exchange.begin(upstream.status_code, raw_headers(upstream))
        stream = _SyncStream(self._gate, passage, upstream)
        if exchange.streaming:
            return passage.response(upstream, headers, stream)
        return self._collected(passage, upstream, headers, stream)

    def _collected(
        self, passage: Passage, upstream: httpx2.Response, headers: Headers, stream: _SyncStream
    ) -> httpx2.Response:
        """Read the answer up to a bound, so that its head can say what it cost."""
        pieces: list[bytes] = []
        size = 0
        chunks = iter(stream)
        try:
            for chunk in chunks:
                pieces.append(chunk)
                size += len(chunk)
                if size > COLLECTED:
                    return passage.response(upstream, headers, _SyncRest(pieces, chunks, stream))
        except BaseException as error:
            stream.settle(passage.failed(error))
            upstream.close()
            raise
        upstream.close()
        return passage.response(upstream, headers, httpx2.ByteStream(b"".join(pieces)))

    def close(self) -> None:
        self._inner.close()


class _SyncRest(httpx2.SyncByteStream):
    """What was collected already, then the rest as it comes."""

    def __init__(self, pieces: list[bytes], rest: Iterator[bytes], stream: _SyncStream) -> None:
        self._pieces: Final = pieces
        self._rest: Final = rest
        self._stream: Final = stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces
        yield from self._rest

    def close(self) -> None:
        self._stream.close()
