"""The other *Upstream*: httpx2, for what the gateway's own client does not do, such as going through a proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import httpx2

from switchgear.clients.in_time import Until
from switchgear.clients.journey import Arrival
from switchgear.clients.requests import coded, raw_headers
from switchgear.gateway import faults

if TYPE_CHECKING:
    import ssl
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
        context: for TLS; None: trusts the usual authorities.
        most: connections at a time; None: any number.
        inner: what sends; default: httpx2's own transport.
    """

    def __init__(
        self,
        origin: str,
        proxy: str | None,
        *,
        context: ssl.SSLContext | None = None,
        most: int | None = None,
        inner: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._origin: Final = httpx2.URL(origin)
        limits = httpx2.Limits(max_connections=most, max_keepalive_connections=_KEPT, keepalive_expiry=60)
        if inner is None:
            inner = httpx2.AsyncHTTPTransport(limits=limits, proxy=proxy, verify=True if context is None else context)
        self._inner: Final = inner

    async def send(self, request: Outgoing) -> Arrival:
        target = request.target.encode("ascii")
        body = request.body
        until = Until(request.total)
        one = httpx2.Request(
            request.method,
            self._origin.copy_with(raw_path=target),
            headers=coded([("host", self._origin.netloc.decode("ascii")), *request.headers]),
            content=body if isinstance(body, bytes) else _pieces(body),
            extensions={
                "target": target,
                "timeout": {
                    "connect": request.connect,
                    "read": request.total,
                    "write": request.total,
                    "pool": request.connect,
                },
            },
        )
        try:
            response = await until.wait(self._inner.handle_async_request(one))
        except httpx2.TransportError as error:
            raise _translated(error) from error
        return Arrival(response.status_code, raw_headers(response), _Source(response, until))

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Source:
    """The bytes of a response."""

    def __init__(self, response: httpx2.Response, until: Until) -> None:
        self._response: Final = response
        self._until: Final = until
        stream = response.stream
        if not isinstance(stream, httpx2.AsyncByteStream):
            msg = "an async transport answered with a sync stream"
            raise TypeError(msg)
        self._chunks: Final = aiter(stream)

    async def read(self) -> bytes:
        try:
            return await self._until.wait(_next(self._chunks))
        except httpx2.TransportError as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        await self._response.aclose()


async def _next(chunks: AsyncIterator[bytes]) -> bytes:
    async for chunk in chunks:
        if chunk:
            return chunk
    return b""


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
