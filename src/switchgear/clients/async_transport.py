"""The governed httpx2 transport for tasks; see *switchgear.clients.transport*."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx2

from switchgear.clients.passage import Passage, Refusals, exchange_of, onward, raw_headers, refused_response
from switchgear.errors import Refused
from switchgear.governor.exchange import COLLECTED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from switchgear.calls import Outcome
    from switchgear.governor.exchange import Headers
    from switchgear.governor.gate import Gate

__all__ = ["AsyncGovernedTransport"]


class _AsyncStream(httpx2.AsyncByteStream):
    """The upstream's bytes on their way to the caller; settled before the last of them."""

    def __init__(self, gate: Gate, passage: Passage, upstream: httpx2.Response) -> None:
        self._gate: Final = gate
        self._passage: Final = passage
        self._upstream: Final = upstream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        passage, exchange = self._passage, self._passage.exchange
        try:
            async for chunk in _async(self._upstream):
                if passed := exchange.feed(chunk):
                    yield passed
                if exchange.complete:
                    await self.settle(exchange.ended(passage.admitted))
                    yield exchange.flush()
        except httpx2.TransportError as error:
            await self.settle(passage.failed(error))
            raise
        exchange.end()
        await self.settle(exchange.ended(passage.admitted))
        if rest := exchange.flush():
            yield rest

    async def aclose(self) -> None:
        await self._upstream.aclose()
        await self.settle(self._passage.exchange.left(self._passage.admitted))

    async def settle(self, outcome: Outcome) -> None:
        """Settle the call, unless it has been."""
        if self._passage.close():
            self._passage.settlement = await self._gate.asettle(self._passage.admitted, outcome)


def _async(response: httpx2.Response) -> httpx2.AsyncByteStream:
    if isinstance(response.stream, httpx2.AsyncByteStream):
        return response.stream
    msg = "an async transport answered with a sync stream"
    raise TypeError(msg)


class AsyncGovernedTransport(httpx2.AsyncBaseTransport):
    """Sends the requests of one service through the gate.

    Args:
        gate: the gate.
        service: a configured service's name.
        refusals: ``response`` (default) answers a refusal in the provider's error shape,
            ``raise`` raises the *Refused* itself.
        inner: what really sends; default: ``httpx2.AsyncHTTPTransport()``.
    """

    def __init__(
        self,
        gate: Gate,
        service: str,
        *,
        refusals: Refusals = "response",
        inner: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._gate: Final = gate
        self._service: Final = service
        self._refusals: Final = refusals
        self._inner: Final = inner if inner is not None else httpx2.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = exchange_of(self._gate, self._service, request, await request.aread())
        sent = onward(exchange, request)
        try:
            admitted = await self._gate.aadmit(exchange.call)
        except Refused as error:
            if self._refusals == "raise":
                raise
            return refused_response(exchange, error)
        passage = Passage(exchange, admitted)
        try:
            upstream = await self._inner.handle_async_request(sent)
        except BaseException as error:
            await self._gate.asettle(admitted, passage.failed(error))
            raise
        headers = exchange.begin(upstream.status_code, raw_headers(upstream))
        stream = _AsyncStream(self._gate, passage, upstream)
        if exchange.streaming:
            return passage.response(upstream, headers, stream)
        return await self._collected(passage, upstream, headers, stream)

    async def _collected(
        self, passage: Passage, upstream: httpx2.Response, headers: Headers, stream: _AsyncStream
    ) -> httpx2.Response:
        """Read the answer up to a bound, so that its head can say what it cost."""
        pieces: list[bytes] = []
        size = 0
        chunks = aiter(stream)
        try:
            async for chunk in chunks:
                pieces.append(chunk)
                size += len(chunk)
                if size > COLLECTED:
                    return passage.response(upstream, headers, _AsyncRest(pieces, chunks, stream))
        except BaseException as error:
            await stream.settle(passage.failed(error))
            await upstream.aclose()
            raise
        await upstream.aclose()
        return passage.response(upstream, headers, httpx2.ByteStream(b"".join(pieces)))

    async def aclose(self) -> None:
        await self._inner.aclose()


class _AsyncRest(httpx2.AsyncByteStream):
    """What was collected already, then the rest as it comes."""

    def __init__(self, pieces: list[bytes], rest: AsyncIterator[bytes], stream: _AsyncStream) -> None:
        self._pieces: Final = pieces
        self._rest: Final = rest
        self._stream: Final = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        async for piece in self._rest:
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()
