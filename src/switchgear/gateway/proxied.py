"""The other *Upstream*: httpx2, for what the gateway's own client does not do, such as going through a proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx2

from switchgear.clients.journey import Arrival
from switchgear.clients.requests import coded, raw_headers
from switchgear.gateway import faults

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from switchgear.clients.async_stream import AsyncSource
    from switchgear.gateway.pool import Outgoing

__all__ = ["ProxiedUpstream"]

_KEPT: Final = 256


class ProxiedUpstream:
    """Sends to *origin* with httpx2.

    Args:
        origin: scheme, host and port.
        proxy: the URL of the proxy in between; None: there is none.
        inner: what sends; default: httpx2's own transport.
    """

    def __init__(self, origin: str, proxy: str | None, *, inner: httpx2.AsyncBaseTransport | None = None) -> None:
        self._origin: Final = httpx2.URL(origin)
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=_KEPT, keepalive_expiry=60)
        self._inner: Final = inner if inner is not None else httpx2.AsyncHTTPTransport(limits=limits, proxy=proxy)

    async def send(self, request: Outgoing) -> Arrival:
        target = request.target.encode("ascii")
        body = request.body
        one = httpx2.Request(
            request.method,
            self._origin.copy_with(raw_path=target),
            headers=coded([("host", self._origin.netloc.decode("ascii")), *request.headers]),
            content=body if isinstance(body, bytes) else _pieces(body),
            extensions={
                "target": target,
                "timeout": {
                    "connect": request.connect,
                    "read": request.read,
                    "write": request.read,
                    "pool": request.connect,
                },
            },
        )
        try:
            response = await self._inner.handle_async_request(one)
        except httpx2.TransportError as error:
            raise _translated(error) from error
        return Arrival(response.status_code, raw_headers(response), _Source(response))

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Source:
    """The bytes of a response."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response: Final = response
        stream = response.stream
        if not isinstance(stream, httpx2.AsyncByteStream):
            msg = "an async transport answered with a sync stream"
            raise TypeError(msg)
        self._chunks: Final = aiter(stream)

    async def read(self) -> bytes:
        try:
            async for chunk in self._chunks:
                if chunk:
                    return chunk
        except httpx2.TransportError as error:
            raise _translated(error) from error
        return b""

    async def aclose(self) -> None:
        await self._response.aclose()


async def _pieces(body: AsyncSource) -> AsyncIterator[bytes]:
    while piece := await body.read():
        yield piece


def _translated(error: httpx2.TransportError) -> faults.UpstreamError:
    """Return *error* in the gateway's words, which are the same."""
    kind = getattr(faults, type(error).__name__, None)
    if kind is None:
        kind = faults.UpstreamTimeout if isinstance(error, httpx2.TimeoutException) else faults.UpstreamError
    made: faults.UpstreamError = kind(str(error))
    return made
