"""The reverse proxy: ``/<service>/...`` goes to the service's base URL + rest, through the gate.

Bytes pass as they are in both directions. This is the plain ASGI path over httpx2, and the
reference for any faster one (docs/decisions/0004).
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import httpx2

from switchgear.clients.async_transport import AsyncGovernedTransport
from switchgear.clients.requests import CALLER
from switchgear.clients.wires import AsyncWire
from switchgear.clock import MICROS
from switchgear.errors import ConfigError, LedgerError, StateError
from switchgear.gateway.bounds import bounds_of
from switchgear.gateway.problems import send_problem
from switchgear.gateway.targets import leads_astray
from switchgear.gateway.unrecorded import send_unrecorded
from switchgear.governor.callers import Denied, DeniedError
from switchgear.wire.denials import denial

if TYPE_CHECKING:
    from switchgear.config.model import ServiceConfig
    from switchgear.gateway.asgi import Receive, Scope, Send
    from switchgear.governor.callers import Caller
    from switchgear.governor.gate import Gate

__all__ = ["Proxy"]

_KEPT_CONNECTIONS: Final = 256

_log = logging.getLogger("switchgear.gateway")


class _ClientGoneError(Exception):
    """The client closed its connection before its request was complete."""


class _TooLargeError(Exception):
    """The request body is larger than is taken."""


class Proxy:
    """An ASGI app for the data path. Make it inside a running loop; *aclose* it there.

    Args:
        gate: the gate that every request goes through.
        inner: what really sends; default: one keep-alive pool for all services.
    """

    def __init__(self, gate: Gate, *, inner: httpx2.AsyncBaseTransport | None = None) -> None:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=_KEPT_CONNECTIONS, keepalive_expiry=60)
        self._inner: Final = inner if inner is not None else AsyncWire(limits=limits)
        self._bounds: Final = bounds_of(gate.config.server)
        self._gate: Final = gate
        self._transports: Final[dict[str, AsyncGovernedTransport]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; a client that goes away takes the upstream call with it."""
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        _, name, rest = raw_path.split(b"/", 2) if raw_path.count(b"/") > 1 else (b"", raw_path.strip(b"/"), b"")
        service = name.decode("latin-1")
        if leads_astray(raw_path):
            await send_problem(send, 400, "Bad request", "the request target has dot segments or a fragment")
            return
        config = self._gate.config.services.get(service)
        caller = self._identified(scope, service)
        if isinstance(caller, Denied):
            await _deny(send, config, caller)
            return
        if config is None:
            known = sorted(self._gate.config.services)
            detail = f"there is no service {service!r}; the configured ones are: {', '.join(known)}"
            await send_problem(send, 404, "Unknown service", detail, services=known)
            return
        if config.base_url is None:
            detail = f"service {service!r} has no base_url: use it from Python, with gov.call or gov.protect"
            await send_problem(send, 404, "No such upstream", detail)
            return
        try:
            request = _request(scope, config, b"/" + rest, await _body(receive, self._bounds.body), caller)
        except _ClientGoneError:
            return
        except _TooLargeError:
            long = self._bounds.long_body
            await send_problem(send, long.status, long.title, long.detail)
            return
        work = asyncio.create_task(self._serve(service, request, send))
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not work.done():
                work.cancel()
            await asyncio.wait({work, gone})
        if not work.cancelled() and (error := work.exception()) is not None:
            raise error

    async def aclose(self) -> None:
        """Close the connections to the upstreams."""
        await self._inner.aclose()

    def _identified(self, scope: Scope, service: str) -> Caller | Denied:
        """Return who is calling, before anything of the body is read."""
        callers = self._gate.callers
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        caller = callers.identify(headers, self._gate.clock.moment().wall)
        denied = None if isinstance(caller, Denied) else caller.denied_service(service)
        return caller if denied is None else callers.count(denied)

    async def _serve(self, service: str, request: httpx2.Request, send: Send) -> None:
        try:
            response = await self._transport(service).handle_async_request(request)
        except httpx2.TimeoutException as error:
            await send_problem(
                send, 504, "Gateway timeout", f"{service} did not answer in time ({type(error).__name__})"
            )
            return
        except httpx2.TransportError as error:
            await send_problem(send, 502, "Bad gateway", f"{service} can't be reached ({type(error).__name__})")
            return
        except DeniedError as error:
            await _deny(send, self._gate.config.services[service], self._gate.callers.count(error.denied))
            return
        except ConfigError as error:
            await send_problem(send, 503, "No provider key", str(error))
            return
        except (LedgerError, StateError) as error:
            _log.error("a call to %s was not let go: %s", service, error)
            await send_unrecorded(send, self._gate.config.services[service].kind, request.url.path, error)
            return
        try:
            await _answer(response, send)
        except httpx2.TransportError as error:
            # The head is out: all that can be done is to break off, as the upstream did.
            _log.warning("%s broke off its answer (%s)", service, type(error).__name__)
            raise
        finally:
            await response.aclose()

    def _transport(self, service: str) -> AsyncGovernedTransport:
        """Return the way to *service*: one for all its requests, made with the first, as services come and go."""
        transport = self._transports.get(service)
        if transport is None:
            transport = self._transports[service] = AsyncGovernedTransport(self._gate, service, inner=self._inner)
        return transport


async def _answer(response: httpx2.Response, send: Send) -> None:
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.headers.raw})
    stream = response.stream
    if not isinstance(stream, httpx2.AsyncByteStream):
        msg = "an async transport answered with a sync stream"
        raise TypeError(msg)
    async for chunk in stream:
        if chunk:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _deny(send: Send, config: ServiceConfig | None, denied: Denied) -> None:
    wire = denial("http" if config is None else config.kind, denied.status, denied.why, denied.message)
    headers = [(name.encode(), value.encode()) for name, value in wire.headers]
    headers.append((b"content-length", str(len(wire.body)).encode()))
    await send({"type": "http.response.start", "status": wire.status, "headers": headers})
    await send({"type": "http.response.body", "body": wire.body})


def _request(scope: Scope, config: ServiceConfig, rest: bytes, body: bytes, caller: Caller) -> httpx2.Request:
    query: bytes = scope.get("query_string", b"")
    base = httpx2.URL((config.base_url or "").rstrip("/"))
    target = base.raw_path.rstrip(b"/") + rest + (b"?" + query if query else b"")
    seconds = config.timeout / MICROS
    connect = min(config.connect_timeout / MICROS, seconds)
    timeout = {"connect": connect, "read": seconds, "write": seconds, "pool": seconds}
    return httpx2.Request(
        scope["method"],
        # The URL tells where to connect; the target goes on the wire as the client wrote it.
        base.copy_with(raw_path=target),
        headers=list(scope["headers"]),
        content=body,
        extensions={"target": target, "timeout": timeout, CALLER: caller},
    )


async def _body(receive: Receive, most: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGoneError
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > most:
            raise _TooLargeError
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
