"""The governed httpx2 transport for tasks; see *switchgear.clients.transport*."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import httpx2

from switchgear.clients.journey import Admit, Cut, Pause, Read, Refusals, Send, Step, journey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from switchgear.calls import Outcome
    from switchgear.clients.passage import Passage
    from switchgear.governor.gate import Gate

__all__ = ["AsyncGovernedTransport"]


class AsyncGovernedTransport(httpx2.AsyncBaseTransport):
    """Sends the requests of one service through the gate.

    Args:
        gate: the gate.
        service: a configured service's name.
        refusals: ``response`` (default) answers a refusal in the provider's error shape,
            ``raise`` raises the *Refused* itself.
        inner: what really sends; default: ``httpx2.AsyncHTTPTransport()``.
        draw: returns a random number from 0 up to but not including 1, for the jitter between attempts.
    """

    def __init__(
        self,
        gate: Gate,
        service: str,
        *,
        refusals: Refusals = "response",
        inner: httpx2.AsyncBaseTransport | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._gate: Final = gate
        self._service: Final = service
        self._refusals: Final[Refusals] = refusals
        self._inner: Final = inner if inner is not None else httpx2.AsyncHTTPTransport()
        self._draw: Final = draw

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        steps = journey(
            self._gate, self._service, request, await request.aread(), refusals=self._refusals, draw=self._draw
        )
        try:
            step = next(steps)
            while True:
                try:
                    came = await self._perform(step)
                except BaseException as error:  # noqa: BLE001 - the journey decides, and raises it again if it is no answer
                    step = steps.throw(error)
                else:
                    step = steps.send(came)
        except StopIteration as end:
            response: httpx2.Response = end.value
            return response

    async def _perform(self, step: Step) -> object:
        match step:
            case Admit(call, max_wait_us, cheaper):
                return await self._gate.aadmit(call, max_wait_us=max_wait_us, cheaper=cheaper)
            case Send(passage, request):
                try:
                    return await self._inner.handle_async_request(request)
                except BaseException as error:
                    await self._gate.asettle(passage.admitted, passage.failed(error))
                    raise
            case Read(passage, upstream, limit):
                stream = _Stream(self._gate, passage, upstream)
                return stream if limit is None else await _read(stream, limit)
            case Cut(body):
                return await body.cut() if isinstance(body, _Begun) else body
            case Pause(seconds):
                await self._gate.clock.asleep(seconds)
                return None

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Stream(httpx2.AsyncByteStream):
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
                    await self._settle(passage.ended)
                    yield exchange.flush()
                if exchange.stopped:
                    return
        except httpx2.TransportError as error:
            await self.fail(error)
            raise
        exchange.end()
        await self._settle(passage.ended)
        if rest := exchange.flush():
            yield rest

    async def aclose(self) -> None:
        await self._upstream.aclose()
        await self._settle(self._passage.left)

    async def fail(self, error: BaseException) -> None:
        """Settle the call as one whose answer could not be read to its end, unless it is settled."""
        await self._settle(lambda: self._passage.failed(error))

    async def _settle(self, outcome: Callable[[], Outcome]) -> None:
        if self._passage.close():
            self._passage.settlement = await self._gate.asettle(self._passage.admitted, outcome())


class _Begun(httpx2.AsyncByteStream):
    """What was read already, then the rest as it comes."""

    def __init__(self, pieces: list[bytes], rest: AsyncIterator[bytes], stream: _Stream) -> None:
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

    async def cut(self) -> httpx2.ByteStream:
        await self._stream.aclose()
        return httpx2.ByteStream(b"".join(self._pieces))


def _async(response: httpx2.Response) -> httpx2.AsyncByteStream:
    if isinstance(response.stream, httpx2.AsyncByteStream):
        return response.stream
    msg = "an async transport answered with a sync stream"
    raise TypeError(msg)


async def _read(stream: _Stream, limit: int) -> httpx2.AsyncByteStream:
    pieces: list[bytes] = []
    size = 0
    chunks = aiter(stream)
    try:
        async for chunk in chunks:
            pieces.append(chunk)
            size += len(chunk)
            if size > limit:
                return _Begun(pieces, chunks, stream)
    except BaseException as error:
        await stream.fail(error)
        await stream.aclose()
        raise
    await stream.aclose()
    return httpx2.ByteStream(b"".join(pieces))
