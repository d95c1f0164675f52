"""One call's answer and journey for tasks; see *switchgear.clients.stream*, which is the same for threads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from switchgear.clients.journey import Admit, Cut, Pause, Read, Send
from switchgear.clock import MICROS
from switchgear.errors import StallError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from switchgear.calls import Outcome
    from switchgear.clients.journey import Answer, Arrival, Step
    from switchgear.clients.passage import Passage
    from switchgear.governor.exchange import Exchange
    from switchgear.governor.gate import Gate

T = TypeVar("T")

__all__ = ["AsyncSource", "AsyncStream", "drive", "perform"]


class AsyncSource(Protocol):
    """Where the bytes of one answer come from."""

    async def read(self) -> bytes:
        """Return the next bytes; none at the end.

        Raises:
            Exception: one of the transport's faults.
        """

    async def aclose(self) -> None:
        """Let go of the upstream, at the end or before it."""


class AsyncStream:
    """One answer. Read it to its end, or *aclose* it.

    Attributes:
        ahead: what was read already and comes first.
        begun: the caller has the head of the answer: a stall is told in its stream, not raised.
    """

    __slots__ = ("_at_last", "_gate", "_over", "_passage", "_source", "ahead", "begun")

    def __init__(self, gate: Gate, passage: Passage, source: AsyncSource) -> None:
        self.ahead: list[bytes] = []
        self.begun = False
        self._gate: Final = gate
        self._passage: Final = passage
        self._source: Final = source
        self._at_last = False  # the end of the stream is held back
        self._over = False

    async def read(self) -> bytes:
        """Return the next bytes for the caller; none at the end.

        Raises:
            Exception: the answer broke off; the call is settled.
        """
        if self.ahead:
            return self.ahead.pop(0)
        exchange = self._passage.exchange
        while not self._over:
            if self._at_last:
                self._at_last = False
                await self._settle(self._passage.ended)
                self._over = exchange.stopped
                if rest := exchange.flush():
                    return rest
                continue
            try:
                chunk = await self._in_time()
            except BaseException as error:
                await self.fail(error)
                if words := await self._last_words(error):
                    return words
                raise
            if not chunk:
                self._over = True
                exchange.end()
                await self._settle(self._passage.ended)
                return exchange.flush()
            ended = exchange.complete
            passed = exchange.feed(chunk)
            self._at_last = exchange.complete and not ended
            if passed:
                return passed
        return b""

    async def collect(self, limit: int) -> bytes | AsyncStream:
        """Return the whole answer, closed, if it is no longer than *limit* bytes; else this stream, at its start."""
        pieces: list[bytes] = []
        size = 0
        try:
            while piece := await self.read():
                pieces.append(piece)
                size += len(piece)
                if size > limit:
                    self.ahead = pieces
                    self.begun = True
                    return self
        finally:
            if not self.ahead:
                await self.aclose()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _in_time(self) -> bytes:
        left = self._passage.exchange.left_us
        if left is None:
            return await self._source.read()
        return await in_time(left, self._source.read(), self._passage.exchange)

    async def aclose(self) -> None:
        """Let go of the upstream; a call that is not settled yet is one whose caller went away."""
        self._over = True
        await self._source.aclose()
        await self._settle(self._passage.left)

    async def cut(self) -> bytes:
        """Let go of the upstream; return what was read ahead."""
        await self.aclose()
        return b"".join(self.ahead)

    async def fail(self, error: BaseException) -> None:
        """Settle the call as one whose answer could not be read to its end, unless it is settled."""
        if self._passage.close():
            self._passage.settlement = await self._gate.asettle(self._passage.admitted, self._passage.failed(error))

    async def _last_words(self, error: BaseException) -> bytes:
        """Let go of an upstream that has stalled; return the event that tells it to a caller who has the head."""
        if not (self.begun and isinstance(error, StallError)):
            return b""
        self._over = True
        await self._source.aclose()
        return self._passage.exchange.last_words()

    async def _settle(self, outcome: Callable[[], Outcome]) -> None:
        if self._passage.close():
            self._passage.settlement = await self._gate.asettle(self._passage.admitted, outcome())


async def in_time(left_us: int, work: Awaitable[T], exchange: Exchange) -> T:
    """Return what *work* comes to.

    Raises:
        StallError: that takes longer than *left_us* microseconds.
    """
    try:
        async with asyncio.timeout(left_us / MICROS) as limit:
            return await work
    except TimeoutError:
        if limit.expired():
            raise exchange.stall() from None
        raise


async def drive(
    gate: Gate,
    steps: Generator[Step, Any, Answer],
    send: Callable[[Passage, int | None], Awaitable[Arrival]],
    begun: Awaitable[object] | None = None,
) -> Answer:
    """Perform *steps*, from their start or with what has *begun* of the one they are at.

    *send* sends a passage's request and returns the head of the answer. The body of what is returned
    is bytes, or an *AsyncStream* to be read or closed.
    """
    try:
        doing = perform(gate, next(steps), send) if begun is None else begun
        while True:
            try:
                came = await doing
            except BaseException as error:  # noqa: BLE001 - the journey decides, and raises it again if it is no answer
                step = steps.throw(error)
            else:
                step = steps.send(came)
            doing = perform(gate, step, send)
    except StopIteration as end:
        answer: Answer = end.value
        return answer


async def perform(gate: Gate, step: Step, send: Callable[[Passage, int | None], Awaitable[Arrival]]) -> object:
    """Perform one *step* of a journey; return what came of it, or raise it."""
    if isinstance(step, Admit):
        return await gate.aadmit(step.call, max_wait_us=step.max_wait_us, cheaper=step.cheaper)
    if isinstance(step, Send):
        exchange = step.passage.exchange
        left = exchange.left_us
        try:
            sending = send(step.passage, step.left_us)
            return await (sending if left is None else in_time(left, sending, exchange))
        except BaseException as error:
            await gate.asettle(step.passage.admitted, step.passage.failed(error))
            raise
    if isinstance(step, Read):
        stream = AsyncStream(gate, step.passage, step.arrival.source)
        stream.begun = step.limit is None
        return stream if stream.begun else await stream.collect(step.limit or 0)
    if isinstance(step, Cut):
        return await step.body.cut() if isinstance(step.body, AsyncStream) else step.body
    if isinstance(step, Pause):
        await gate.clock.asleep(step.seconds)
    return None
