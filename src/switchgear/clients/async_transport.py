"""The governed httpx2 transport for tasks; see *switchgear.clients.transport*."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

import httpx2

from switchgear.clients.async_stream import AsyncStream, drive
from switchgear.clients.in_time import Until, seconds_of
from switchgear.clients.journey import Refusals, journey
from switchgear.clients.requests import FAULTS, answered, arrived, attempts_of, onward
from switchgear.clients.wires import AsyncWire
from switchgear.errors import StallError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from switchgear.clients.journey import Arrival
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
        inner: what really sends; default: httpx2.
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
        self._inner: Final = inner if inner is not None else AsyncWire(gate.service(service))
        self._draw: Final = draw

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        async def send(passage: Passage, left_us: int | None) -> Arrival:
            one = onward(passage.exchange, request, asked=self._service, left_us=left_us)
            until = Until(seconds_of(passage.exchange, left_us))
            response = await until.wait(self._inner.handle_async_request(one))
            return arrived(response, _Source(response, until))

        attempts = attempts_of(self._gate, self._service, request, await request.aread(), self._draw)
        try:
            answer = await drive(self._gate, journey(attempts, FAULTS, refusals=self._refusals), send)
        except StallError as error:
            raise httpx2.ReadTimeout(str(error)) from error
        if isinstance(answer.body, AsyncStream):
            return answered(answer, _Body(answer.body))
        return answered(answer, httpx2.ByteStream(answer.body))

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Source:
    """The bytes of a response."""

    def __init__(self, response: httpx2.Response, until: Until) -> None:
        self._response: Final = response
        self._until: Final = until
        self._chunks: AsyncIterator[bytes] | None = None

    @property
    def extensions(self) -> dict[str, object]:
        return self._response.extensions

    async def read(self) -> bytes:
        if self._chunks is None:
            stream = self._response.stream
            if not isinstance(stream, httpx2.AsyncByteStream):
                msg = "an async transport answered with a sync stream"
                raise TypeError(msg)
            self._chunks = aiter(stream)
        return await self._until.wait(_next(self._chunks))

    async def aclose(self) -> None:
        await self._response.aclose()


async def _next(chunks: AsyncIterator[bytes]) -> bytes:
    async for chunk in chunks:
        if chunk:
            return chunk
    return b""


class _Body(httpx2.AsyncByteStream):
    """What the caller reads."""

    def __init__(self, stream: AsyncStream) -> None:
        self._stream: Final = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while chunk := await self._stream.read():
                yield chunk
        except StallError as error:
            raise httpx2.ReadTimeout(str(error)) from error

    async def aclose(self) -> None:
        await self._stream.aclose()
