"""The sandbox as a plain ASGI application: routes, and answers that fail as asked."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from switchgear.drills.sandbox.answers import error_reply, reply_to, spoiled
from switchgear.drills.sandbox.controls import Controls
from switchgear.drills.sandbox.exchange import Broken, Exchange, Headers, Receive, Scope, Send
from switchgear.drills.sandbox.faults import Fault, FaultQueue

if TYPE_CHECKING:
    from switchgear.clock import Clock
    from switchgear.drills.sandbox.counts import Book, ReceivedRequest
    from switchgear.drills.sandbox.generation import Reply
    from switchgear.drills.sandbox.quota import Quota

__all__ = ["SandboxApp"]

_PIECE: Final = 32
_NO_FAULT: Final = Fault()


class SandboxApp:
    """Answers as OpenAI and Anthropic do, or as a fault says; any other path is a plain HTTP service.

    It needs *SandboxProtocol* below it, which puts the connection into the scope.
    """

    def __init__(
        self,
        *,
        book: Book,
        faults: FaultQueue,
        clock: Clock,
        require_key: str | None = None,
        quota: Quota | None = None,
        token: str | None = None,
    ) -> None:
        self._book: Final = book
        self._faults: Final = faults
        self._controls: Final = Controls(book=book, faults=faults)
        self._clock: Final = clock
        self._require_key: Final = require_key
        self._quota: Final = quota
        self._token: Final = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send, clock=self._clock)
        with contextlib.suppress(Broken):
            request = await exchange.read(self._book.next_id())
            if request.path.startswith("/-/"):
                await _deliver_body(exchange, self._controls.answer(request), headers=[])
            else:
                await self._noted(exchange, request)

    async def _noted(self, exchange: Exchange, request: ReceivedRequest) -> None:
        aborted = False
        self._book.received(request)
        try:
            await self._serve(exchange, request)
        except Broken as end:
            aborted = end.by_client
        finally:
            self._book.ended(aborted=aborted)

    async def _serve(self, exchange: Exchange, request: ReceivedRequest) -> None:
        try:
            fault = self._fault(request)
        except ValueError as problem:
            fault, reply = _NO_FAULT, error_reply(request.path, 400, f"x-sandbox-fault: {problem}")
        else:
            await _before(exchange, fault)
            reply = self._reply(request, fault)
        headers = [("x-request-id", request.id), ("request-id", request.id)]
        if fault.retry_after is not None:
            headers.append(("retry-after", fault.retry_after))
        exchange.check()
        self._book.served(
            reply.status,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            stream=reply.events is not None,
        )
        if reply.events is None:
            await _deliver_body(exchange, reply, headers=headers, fault=fault)
            return
        events = spoiled(reply.events, fault, path=request.path)
        try:
            await exchange.begin(200, [*headers, ("content-type", "text/event-stream; charset=utf-8")])
            for number, event in enumerate(events):
                await _between(exchange, fault, number)
                self._book.sent(event.tokens)
                await exchange.chunk(event.data)
            await _after(exchange, fault)
        finally:
            self._book.stream_ended()
        await exchange.end()

    def _fault(self, request: ReceivedRequest) -> Fault:
        if self._token is not None and request.header("x-sandbox-token") != self._token:
            return _NO_FAULT
        written = request.header("x-sandbox-fault")
        if written is not None:
            return Fault.parse(written)
        fault = self._faults.take(request.path)
        if fault is None and self._quota is not None:
            wait = self._quota.take(self._clock.moment().mono)
            if wait is not None:
                return Fault(status=429, retry_after=str(wait))
        return fault or _NO_FAULT

    def _reply(self, request: ReceivedRequest, fault: Fault) -> Reply:
        if self._require_key is not None and self._require_key not in _keys(request):
            return error_reply(request.path, 401, "The key is missing or wrong.")
        return reply_to(request, fault)


def _keys(request: ReceivedRequest) -> set[str]:
    bearer = request.header("authorization") or ""
    return {bearer.removeprefix("Bearer "), request.header("x-api-key") or ""}


async def _before(exchange: Exchange, fault: Fault) -> None:
    if fault.latency:
        await exchange.pause(fault.latency)
    if fault.hang == 0:
        await exchange.hang()
    if fault.reset:
        await exchange.reset()


async def _between(exchange: Exchange, fault: Fault, number: int) -> None:
    if number == fault.cut:
        await exchange.cut()
    if number == fault.hang:
        await exchange.hang()
    if fault.chunk_delay and number:
        await exchange.pause(fault.chunk_delay)


async def _after(exchange: Exchange, fault: Fault) -> None:
    if fault.cut is not None:
        await exchange.cut()
    if fault.hang is not None:
        await exchange.hang()


async def _deliver_body(exchange: Exchange, reply: Reply, *, headers: Headers, fault: Fault = _NO_FAULT) -> None:
    body = reply.body[: len(reply.body) // 2] if fault.malformed else reply.body
    described = [*headers, ("content-type", "application/json"), ("content-length", str(len(body)))]
    await exchange.begin(reply.status, described)
    if not fault.piecewise:
        await exchange.end(body)
        return
    for number, start in enumerate(range(0, len(body), _PIECE)):
        await _between(exchange, fault, number)
        await exchange.chunk(body[start : start + _PIECE])
    await _after(exchange, fault)
    await exchange.end()
