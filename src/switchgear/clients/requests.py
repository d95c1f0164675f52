"""Between httpx2 and the gate: what a request asks, what the upstream gets, what the caller gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx2

from switchgear.clients.journey import Arrival
from switchgear.clients.passage import Faults
from switchgear.clients.wires import CA_FILE
from switchgear.clock import MICROS
from switchgear.governor.asked import Asked
from switchgear.governor.attempts import Attempts
from switchgear.governor.callers import ANYBODY
from switchgear.governor.exchange import Exchange
from switchgear.tracing import running

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchgear.clients.journey import Answer
    from switchgear.governor.callers import Caller
    from switchgear.governor.gate import Gate
    from switchgear.governor.headers import Headers

__all__ = ["CALLER", "FAULTS", "answered", "arrived", "attempts_of", "coded", "onward", "raw_headers"]

CALLER: Final = "switchgear.caller"
"""The extension of a request that says who makes it, a *Caller*; without it, nobody that we know."""

FAULTS: Final = Faults(
    httpx2.TransportError,
    (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol),
)


def attempts_of(gate: Gate, service: str, request: httpx2.Request, body: bytes, draw: Callable[[], float]) -> Attempts:
    """Return the attempts of *request*, with *body* read; *draw* gives the jitter between them."""
    path = request.url.raw_path.decode("ascii")
    base = gate.service(service).base_url
    if base is not None:
        url = httpx2.URL(base)
        if _same_origin(request.url, url):
            path = path.removeprefix(url.raw_path.decode("ascii").rstrip("/"))
    caller: Caller = request.extensions.get(CALLER, ANYBODY)
    headers, span = raw_headers(request), running()
    asked = Asked(method=request.method, path=path, headers=headers, body=body, caller=caller, span=span)
    return Attempts(gate, Exchange(gate, service, asked), draw)


def onward(exchange: Exchange, request: httpx2.Request, *, asked: str, left_us: int | None) -> httpx2.Request:
    """Return the request as it goes to the upstream.

    Args:
        exchange: the attempt.
        request: as the caller made it.
        asked: the service that it was for; the attempt may be at another one.
        left_us: microseconds that no time-out of this attempt is longer than; None: as the caller said.
    """
    extensions = {name: value for name, value in request.extensions.items() if name != CALLER}
    extensions[CA_FILE] = exchange.config.ca_file
    url = _target(exchange, request.url)
    if exchange.call.service != asked:
        target = (httpx2.URL(exchange.url).raw_path.rstrip(b"/").decode("ascii") + exchange.path).encode("ascii")
        url = httpx2.URL(exchange.url).copy_with(raw_path=target)
        if "target" in extensions:
            extensions["target"] = target
    if left_us is not None and "timeout" in extensions:
        extensions["timeout"] = _within(extensions["timeout"], max(0, left_us) / MICROS)
    headers = [("host", url.netloc.decode("ascii")), *exchange.headers]
    return httpx2.Request(request.method, url, headers=coded(headers), content=exchange.body, extensions=extensions)


def arrived(response: httpx2.Response, source: object) -> Arrival:
    """Return the head of *response*, whose bytes come from *source*."""
    return Arrival(response.status_code, raw_headers(response), source)


def answered(answer: Answer, stream: httpx2.SyncByteStream | httpx2.AsyncByteStream) -> httpx2.Response:
    """Return *answer*, with *stream* as its body, as a response."""
    extensions = {} if answer.source is None else answer.source.extensions
    return httpx2.Response(answer.status, headers=coded(answer.headers), stream=stream, extensions=extensions)


def coded(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Return *headers* as they go over the wire: values may have any byte, and httpx2 takes text for ASCII."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def raw_headers(message: httpx2.Request | httpx2.Response) -> Headers:
    """Return the headers of *message* as received, in order."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in message.headers.raw]


def _same_origin(one: httpx2.URL, other: httpx2.URL) -> bool:
    return (one.scheme, one.host, one.port) == (other.scheme, other.host, other.port)


def _target(exchange: Exchange, url: httpx2.URL) -> httpx2.URL:
    """Return where a request to *url* really goes: the service lives where the configuration says.

    A URL below the configured base is left alone; of any other the path is appended to the base.
    """
    if _same_origin(url, httpx2.URL(exchange.url)):
        return url
    return httpx2.URL(exchange.url + url.raw_path.decode("ascii"))


def _within(timeout: dict[str, Any], seconds: float) -> dict[str, Any]:
    return {part: seconds if value is None else min(value, seconds) for part, value in timeout.items()}
