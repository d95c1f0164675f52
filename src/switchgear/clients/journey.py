"""One call from request to answer, over all its attempts: what to do next, without doing it.

*journey* is a generator. It yields a step; the transport, sync or async, performs it and sends
back what came of it, or throws in what was raised. So there is one flow for both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import httpx2

from switchgear.clients.passage import Passage
from switchgear.clients.requests import exchange_of, onward, raw_headers
from switchgear.errors import Refused
from switchgear.governor.attempts import Attempts
from switchgear.governor.exchange import COLLECTED
from switchgear.governor.headers import OURS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from switchgear.calls import Call
    from switchgear.governor.exchange import Exchange
    from switchgear.governor.gate import Admitted, Gate
    from switchgear.governor.headers import Headers
    from switchgear.governor.planning import Cheaper

__all__ = ["Admit", "Body", "Cut", "Pause", "Read", "Refusals", "Send", "Step", "journey"]

Refusals = Literal["response", "raise"]

Body = httpx2.SyncByteStream | httpx2.AsyncByteStream
"""The bytes of an answer, as far as they are read and as they come."""


class Admit(NamedTuple):
    """Ask the gate; back comes the *Admitted*, or *Refused* is thrown in."""

    call: Call
    max_wait_us: int | None
    cheaper: Cheaper


class Send(NamedTuple):
    """Send the request; back comes the response. Who can't settles the passage and throws in what was raised."""

    passage: Passage
    request: httpx2.Request


class Read(NamedTuple):
    """Read more than *limit* bytes of the answer, or all of it; back comes its *Body*. None: read nothing yet."""

    passage: Passage
    upstream: httpx2.Response
    limit: int | None


class Cut(NamedTuple):
    """Let go of the upstream; back comes a *Body* of what was read."""

    body: Body


class Pause(NamedTuple):
    """Wait for so many seconds on the gate's clock."""

    seconds: float


Step = Admit | Send | Read | Cut | Pause


class _Refusal(NamedTuple):
    exchange: Exchange
    error: Refused


class _Answer(NamedTuple):
    passage: Passage
    upstream: httpx2.Response
    headers: Headers
    body: Body


def journey(
    gate: Gate,
    service: str,
    request: httpx2.Request,
    body: bytes,
    *,
    refusals: Refusals,
    draw: Callable[[], float],
) -> Generator[Step, Any, httpx2.Response]:
    """Yield the steps of *request*, whose whole body is *body*; return what the caller gets.

    What an attempt came to stands until a later attempt has come to something itself: a refusal of
    the second attempt does not hide the answer, or the error, of the first.

    Raises:
        Refused: the first attempt was refused, and *refusals* is ``raise``.
        httpx2.TransportError: the last attempt that went out got no answer.
    """
    attempts = Attempts(gate, exchange_of(gate, service, request, body), draw)
    result: _Answer | _Refusal | httpx2.TransportError | None = None
    while True:
        exchange = attempts.exchange
        onwards = onward(exchange, request, asked=service, left_us=attempts.left_us)
        try:
            admitted = yield Admit(exchange.call, attempts.max_wait_us, exchange.cheaper)
        except Refused as error:
            result = _Refusal(exchange, error) if result is None else result
            if attempts.after_refusal(error.refusal):
                continue
            break
        onwards = _granted(attempts, admitted, onwards, request, service)
        exchange = attempts.exchange
        attempts.sent()
        passage = Passage(exchange, admitted)
        try:
            upstream = yield Send(passage, onwards)
            headers = exchange.begin(upstream.status_code, raw_headers(upstream))
            limit = COLLECTED if not exchange.streaming else 0 if attempts.may_go_on else None
            result = _Answer(passage, upstream, headers, (yield Read(passage, upstream, limit)))
        except httpx2.TransportError as error:
            result = error
        pause = None if passage.failure is None else attempts.after_failure(passage.failure)
        if pause is None:
            break
        if isinstance(result, _Answer):
            result = result._replace(body=(yield Cut(result.body)))
        if pause > 0:
            yield Pause(pause)
    if isinstance(result, httpx2.TransportError):
        raise result
    if isinstance(result, _Refusal):
        return _refused(result, refusals)
    return _answered(result, attempts, service)


def _granted(
    attempts: Attempts, admitted: Admitted, onwards: httpx2.Request, request: httpx2.Request, asked: str
) -> httpx2.Request:
    """Return the request that may go: *onwards*, or that for the model which a budget has put in its place."""
    granted = attempts.exchange.granted(admitted)
    if granted is attempts.exchange:
        return onwards
    attempts.exchange = granted
    return onward(granted, request, asked=asked, left_us=attempts.left_us)


def _refused(refusal: _Refusal, refusals: Refusals) -> httpx2.Response:
    if refusals == "raise":
        raise refusal.error
    wire = refusal.exchange.refusal(refusal.error.refusal)
    return httpx2.Response(wire.status, headers=list(wire.headers), content=wire.body)


def _answered(answer: _Answer, attempts: Attempts, asked: str) -> httpx2.Response:
    passage, headers = answer.passage, answer.headers
    headers = headers + passage.exchange.success_headers(passage.admitted, passage.settlement)
    if attempts.made > 1:
        headers.append((f"{OURS}attempts", str(attempts.made)))
        if passage.failure is not None and not any(name.lower() == "x-should-retry" for name, _ in headers):
            headers.append(("x-should-retry", "false"))  # an SDK that tries again would multiply our attempts
    if (service := passage.exchange.call.service) != asked:
        headers.append((f"{OURS}service", service))
    return httpx2.Response(
        answer.upstream.status_code, headers=headers, stream=answer.body, extensions=answer.upstream.extensions
    )
