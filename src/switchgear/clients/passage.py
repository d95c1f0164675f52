"""What the sync and the async transport share: one admitted request on its way, without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import httpx2

from switchgear.governor.exchange import Exchange

if TYPE_CHECKING:
    from switchgear.calls import Outcome
    from switchgear.errors import Refused
    from switchgear.governor.exchange import Headers
    from switchgear.governor.gate import Admitted, Gate, Settlement

__all__ = ["Passage", "Refusals", "exchange_of", "onward", "raw_headers", "refused_response"]

Refusals = Literal["response", "raise"]

_NOT_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
"""Failures before the upstream can have seen the request."""


def _same_origin(one: httpx2.URL, other: httpx2.URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def _target(exchange: Exchange, url: httpx2.URL) -> httpx2.URL:
    """Return where a request to *url* really goes: the service lives where the configuration says.

    A URL below the configured base is left alone; of any other the path is appended to the base.
    """
    base = httpx2.URL(exchange.url)
    if _same_origin(url, base):
        return url
    return httpx2.URL(exchange.url + url.raw_path.decode("ascii"))


def exchange_of(gate: Gate, service: str, request: httpx2.Request, body: bytes) -> Exchange:
    """Return what *request*, with *body* read, asks of the gate."""
    path = request.url.raw_path.decode("ascii")
    base = gate.service(service).base_url
    if base is not None:
        url = httpx2.URL(base)
        if _same_origin(request.url, url):
            path = path.removeprefix(url.raw_path.decode("ascii").rstrip("/"))
    return Exchange(
        gate,
        service,
        method=request.method,
        path=path,
        headers=[(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw],
        body=body,
    )


def onward(exchange: Exchange, request: httpx2.Request) -> httpx2.Request:
    """Return the request as it goes to the upstream."""
    url = _target(exchange, request.url)
    headers = [("host", url.netloc.decode("ascii")), *exchange.headers]
    return httpx2.Request(request.method, url, headers=headers, content=exchange.body, extensions=request.extensions)


def raw_headers(response: httpx2.Response) -> Headers:
    """Return the headers of *response* as received, in order."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw]


def refused_response(exchange: Exchange, error: Refused) -> httpx2.Response:
    """Return the answer to a refused request, in the provider's own error shape."""
    wire = exchange.refusal(error.refusal)
    return httpx2.Response(wire.status, headers=list(wire.headers), content=wire.body)


class Passage:
    """One admitted request on its way: what sync and async share. Settles at most once."""

    def __init__(self, exchange: Exchange, admitted: Admitted) -> None:
        self.exchange: Final = exchange
        self.admitted: Final = admitted
        self.settlement: Settlement | None = None
        self._open = True

    def close(self) -> bool:
        """Return True the first time: who closes it settles it."""
        was_open, self._open = self._open, False
        return was_open

    def failed(self, error: BaseException) -> Outcome:
        """Return the outcome of sending or reading having raised *error*."""
        if not isinstance(error, Exception):  # cancelled or interrupted: nobody waits any more
            return self.exchange.left(self.admitted)
        return self.exchange.broke(self.admitted, error, sent=not isinstance(error, _NOT_SENT))

    def response(
        self,
        upstream: httpx2.Response,
        headers: Headers,
        stream: httpx2.SyncByteStream | httpx2.AsyncByteStream,
    ) -> httpx2.Response:
        """Return what the caller gets for *upstream*."""
        ours = self.exchange.success_headers(self.admitted, self.settlement)
        return httpx2.Response(
            upstream.status_code, headers=headers + ours, stream=stream, extensions=upstream.extensions
        )
