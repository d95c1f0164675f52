"""The sandbox as a plain ASGI application: routes, and answers that fail as asked."""

from __future__ import annotations

import contextlib
import itertools
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from switchgear.drills.sandbox import anthropic, openai, responses
from switchgear.drills.sandbox.controls import Controls
from switchgear.drills.sandbox.exchange import Broken, Exchange, Headers, Receive, Scope, Send
from switchgear.drills.sandbox.faults import Fault, FaultQueue
from switchgear.drills.sandbox.generation import Event, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from switchgear.clock import Clock
    from switchgear.drills.sandbox.counts import Book, ReceivedRequest

__all__ = ["SandboxApp"]

_PIECE: Final = 32
_ENDPOINTS: Final[Mapping[str, Callable[[Mapping[str, Any], Fault], Reply]]] = {
    "/v1/chat/completions": openai.chat,
    "/v1/embeddings": openai.embeddings,
    "/v1/messages": anthropic.messages,
    "/v1/messages/count_tokens": anthropic.count_tokens,
    "/v1/responses": responses.responses,
}
_NO_FAULT: Final = Fault()


class SandboxApp:
    """Answers as OpenAI and Anthropic do, or as a fault says; any other path is a plain HTTP service.

    It needs *SandboxProtocol* below it, which puts the connection into the scope.
    """

    def __init__(self, *, book: Book, faults: FaultQueue, clock: Clock, require_key: str | None = None) -> None:
        self._book: Final = book
        self._faults: Final = faults
        self._controls: Final = Controls(book=book, faults=faults)
        self._clock: Final = clock
        self._require_key: Final = require_key

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
            fault, reply = _NO_FAULT, _error(request.path, 400, f"x-sandbox-fault: {problem}")
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
        events = _spoiled(reply.events, fault, path=request.path)
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
        written = request.header("x-sandbox-fault")
        if written is not None:
            return Fault.parse(written)
        return self._faults.take(request.path) or _NO_FAULT

    def _reply(self, request: ReceivedRequest, fault: Fault) -> Reply:
        if self._require_key is not None and self._require_key not in _keys(request):
            return _error(request.path, 401, "The key is missing or wrong.")
        if fault.status is not None:
            return _error(request.path, fault.status, f"The sandbox answers {fault.status}, as asked.")
        if request.path == "/v1/models":
            return openai.models()
        if request.path in _ENDPOINTS:
            return _provider(request, fault)
        return _plain(request)


def _keys(request: ReceivedRequest) -> set[str]:
    bearer = request.header("authorization") or ""
    return {bearer.removeprefix("Bearer "), request.header("x-api-key") or ""}


def _error(path: str, status: int, message: str) -> Reply:
    if path.startswith("/v1/messages"):
        return anthropic.error(status, message)
    if path.startswith("/v1/"):
        return openai.error(status, message)
    return Reply.json({"error": message}, status=status)


def _provider(request: ReceivedRequest, fault: Fault) -> Reply:
    if request.method != "POST":
        return _error(request.path, 405, f"Method {request.method} not allowed.")
    try:
        body = json.loads(request.body)
    except ValueError:
        return _error(request.path, 400, "The body is no JSON.")
    if not isinstance(body, dict):
        return _error(request.path, 400, "The body is no JSON object.")
    return _ENDPOINTS[request.path](body, fault)


def _plain(request: ReceivedRequest) -> Reply:
    if request.path == "/missing":
        return _error(request.path, 404, "There is nothing here.")
    pages = parse_qs(request.query).get("pages", ["1"])[-1]
    if not pages.isdecimal():
        return _error(request.path, 400, "pages needs a whole number.")
    return Reply.json({"ok": True, "pages": int(pages)})


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


def _spoiled(events: Iterator[Event], fault: Fault, *, path: str) -> Iterator[Event]:
    if fault.malformed:
        events = (_halved(event) if number == 1 else event for number, event in enumerate(events))
    if fault.error_event is None:
        return events
    message = "The model failed, as asked."
    if path == "/v1/messages":
        failure = anthropic.error_event(message)
    elif path == "/v1/responses":
        failure = responses.error_event(message)
    else:
        failure = openai.error_event(message)
    return itertools.chain(itertools.islice(events, fault.error_event), [Event(failure)])


def _halved(event: Event) -> Event:
    start = event.data.index(b"data: ") + len(b"data: ")
    return Event(event.data[: (start + len(event.data)) // 2] + b"\n\n")
