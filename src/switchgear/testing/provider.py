"""A provider that answers without a network, as OpenAI and Anthropic do, and fails on demand."""

from __future__ import annotations

import contextlib
import itertools
import threading
from typing import TYPE_CHECKING, Final

import httpx2

from switchgear.clients.upstream import Upstream
from switchgear.clock import MICROS
from switchgear.drills.sandbox.answers import reply_to, spoiled
from switchgear.drills.sandbox.counts import ReceivedRequest
from switchgear.drills.sandbox.faults import Fault, FaultQueue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from switchgear.clients.governor import Governor
    from switchgear.clock import Clock

__all__ = ["FakeProvider", "fake_provider"]

_PIECE: Final = 32
_NO_FAULT: Final = Fault()


class FakeProvider(Upstream):
    """An httpx2 transport, sync and async, with the answers, token counts and faults of the sandbox.

    Without a word from you it answers ``/v1/chat/completions``, ``/v1/responses``,
    ``/v1/embeddings``, ``/v1/messages`` and any other path with made-up text and exact usage.

    Args:
        clock: what latencies move on; None: they take no time.

    Attributes:
        requests: what has reached it, oldest first.
    """

    def __init__(self, *, clock: Clock | None = None) -> None:
        self.requests: Final[list[httpx2.Request]] = []
        self._clock: Final = clock
        self._faults: Final = FaultQueue()
        self._lock: Final = threading.Lock()
        self._replies: Final[list[Callable[[httpx2.Request], httpx2.Response]]] = []

    def fault(self, text: str, *, times: int | None = 1, path: str | None = None) -> None:
        """Let the next *times* requests (None: all from now on) to *path* (None: any) fail as *text* says.

        *text* is written as for the sandbox: ``status=503;retry_after=2``, ``reset``, ``cut=3``,
        ``hang``, ``malformed``, ``error_event=0``, ``latency=2s``, ``usage=none`` and so on. What
        a socket would show becomes what httpx2 raises: ``reset`` *ReadError*, ``hang``
        *ReadTimeout*, ``cut`` *RemoteProtocolError*, and ``refuse`` a *ConnectError*.

        Raises:
            ValueError: *text* is no fault, or *times* is less than 1.
        """
        if text == "refuse":
            for _ in range(times or 1):
                self.reply(raises=httpx2.ConnectError("refused, as asked"))
            return
        self._faults.add(text, times=times, path=path)

    def clear_faults(self) -> None:
        """Forget every fault that waits."""
        self._faults.clear()

    def reply(
        self,
        *,
        json: object = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        raises: Exception | None = None,
    ) -> None:
        """Let the next request that has none yet get exactly this, before any fault; call it again for more."""

        def make(_: httpx2.Request) -> httpx2.Response:
            if raises is not None:
                raise raises
            if content is not None:
                return httpx2.Response(status, headers=headers, stream=httpx2.ByteStream(content))
            return httpx2.Response(status, headers=headers, json=json)

        with self._lock:
            self._replies.append(make)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        answer, wait = self._answer(request)
        if self._clock is not None and wait:
            self._clock.sleep(wait)
        return answer()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        answer, wait = self._answer(request)
        if self._clock is not None and wait:
            await self._clock.asleep(wait)
        return answer()

    def _answer(self, request: httpx2.Request) -> tuple[Callable[[], httpx2.Response], float]:
        """Return what makes the answer to *request*, and the seconds to wait before it."""
        with self._lock:
            self.requests.append(request)
            made = self._replies.pop(0) if self._replies else None
        if made is not None:
            return lambda: made(request), 0.0
        fault = self._faults.take(_path(request)) or _NO_FAULT
        return lambda: _respond(request, fault), fault.latency / MICROS


@contextlib.contextmanager
def fake_provider(governor: Governor) -> Iterator[FakeProvider]:
    """Let every HTTP client that *governor* makes inside the block talk to one fake provider, and yield it.

    Each request still goes through the gate: limits, breakers, budgets and ledger are the real ones.
    """
    provider = FakeProvider(clock=governor.clock)
    before, governor.upstream = governor.upstream, provider
    try:
        yield provider
    finally:
        governor.upstream = before


class _Pieces(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body in pieces that may break off."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces: Final = pieces

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def _respond(request: httpx2.Request, fault: Fault) -> httpx2.Response:
    if fault.reset:
        msg = "connection reset, as asked"
        raise httpx2.ReadError(msg)
    if fault.hang == 0:
        msg = "no answer, as asked"
        raise httpx2.ReadTimeout(msg)
    asked = _received(request)
    reply = reply_to(asked, fault)
    headers = {"x-request-id": asked.id}
    if fault.retry_after is not None:
        headers["retry-after"] = fault.retry_after
    if reply.events is not None:
        events = spoiled(reply.events, fault, path=asked.path)
        headers["content-type"] = "text/event-stream; charset=utf-8"
        return httpx2.Response(reply.status, headers=headers, stream=_Pieces(_broken((e.data for e in events), fault)))
    headers["content-type"] = "application/json"
    body = reply.body[: len(reply.body) // 2] if fault.malformed else reply.body
    pieces = (
        (body[start : start + _PIECE] for start in range(0, len(body), _PIECE)) if fault.piecewise else iter((body,))
    )
    return httpx2.Response(reply.status, headers=headers, stream=_Pieces(_broken(pieces, fault)))


def _broken(pieces: Iterator[bytes], fault: Fault) -> Iterator[bytes]:
    stop = fault.cut if fault.cut is not None else fault.hang
    yield from itertools.islice(pieces, stop)
    if fault.cut is not None:
        msg = "the answer was cut off, as asked"
        raise httpx2.RemoteProtocolError(msg)
    if fault.hang is not None:
        msg = "the answer stopped, as asked"
        raise httpx2.ReadTimeout(msg)


def _received(request: httpx2.Request) -> ReceivedRequest:
    return ReceivedRequest(
        id="req_fake",
        method=request.method,
        path=_path(request),
        query=request.url.query.decode("ascii"),
        headers=tuple((name.lower(), value) for name, value in request.headers.items()),
        body=request.content,
    )


def _path(request: httpx2.Request) -> str:
    """Return the path that the sandbox knows: what a service's base URL has before ``/v1/`` is no part of it."""
    path = request.url.path
    return path[max(0, path.find("/v1/")) :]
