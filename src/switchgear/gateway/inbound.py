"""One request as it comes in over a connection of the gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.gateway.reply import AHEAD
from switchgear.governor.callers import ANYBODY

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from switchgear.gateway.bounds import Bounds
    from switchgear.governor.asked import Recall
    from switchgear.governor.callers import Caller, Denied
    from switchgear.governor.headers import Headers

__all__ = ["Feed", "Inbound", "Problem"]


class Problem:
    """Why a request is answered by us, and goes nowhere.

    Args:
        status: HTTP status.
        title: the problem's title.
        detail: one sentence.
        extra: members to add.
    """

    def __init__(self, status: int, title: str, detail: str, **extra: object) -> None:
        self.status: Final = status
        self.title: Final = title
        self.detail: Final = detail
        self.extra: Final = extra


class Feed:
    """A request body that is passed on while it comes: an *AsyncSource*.

    Args:
        loop: the running loop.
        resume: called when more may come, after *add* has said that it is too much.
    """

    __slots__ = ("_done", "_loop", "_pieces", "_resume", "_size", "_waiter")

    def __init__(self, loop: asyncio.AbstractEventLoop, resume: Callable[[], None]) -> None:
        self._loop: Final = loop
        self._resume: Final = resume
        self._pieces: list[bytes] = []
        self._size = 0
        self._done = False
        self._waiter: asyncio.Future[None] | None = None

    def add(self, piece: bytes) -> bool:
        """Take the next bytes; return whether the sender should be held back."""
        self._pieces.append(piece)
        self._size += len(piece)
        self._wake()
        return self._size > AHEAD

    def end(self) -> None:
        """Take note that the body is whole."""
        self._done = True
        self._wake()

    async def read(self) -> bytes:
        while not self._pieces:
            if self._done:
                return b""
            self._waiter = self._loop.create_future()
            await self._waiter
        data = b"".join(self._pieces)
        self._pieces.clear()
        if self._size > AHEAD:
            self._resume()
        self._size = 0
        return data

    async def aclose(self) -> None:
        """Nothing is held."""

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Inbound:
    """A request, from its first byte on.

    Attributes:
        method, target: of its first line.
        service, rest: the first path segment, and what follows it, query and all.
        headers: as received, in order.
        caller: who has sent it.
        body: the whole body, once *ready*; or the *Feed* that it comes from.
        ready: it may be served.
        complete: its last byte is here.
        keep: the connection may serve another one after it.
        old: it is HTTP/1.0.
        problem: why it goes nowhere.
        recall: what is remembered of the time before, of a head that the connection keeps.
    """

    __slots__ = (
        "body",
        "caller",
        "complete",
        "headers",
        "keep",
        "method",
        "old",
        "pieces",
        "problem",
        "ready",
        "recall",
        "rest",
        "service",
        "size",
        "target",
    )

    def __init__(self) -> None:
        self.method = ""
        self.target = b""
        self.service = ""
        self.rest = ""
        self.headers: Headers = []
        self.caller: Caller = ANYBODY
        self.body: bytes | Feed = b""
        self.pieces: list[bytes] = []
        self.size = 0
        self.ready = False
        self.complete = False
        self.keep = False
        self.old = False
        self.problem: Problem | Denied | None = None
        self.recall: Recall | None = None

    def add(self, piece: bytes, bounds: Bounds) -> None:
        """Take the next bytes of a body that is read whole."""
        self.size += len(piece)
        if self.size > bounds.body:
            self.pieces.clear()
            self.problem = bounds.long_body
            self.keep = False
            self.ready = True
        else:
            self.pieces.append(piece)

    def end(self) -> None:
        """Take note that its last byte is here."""
        self.complete = True
        self.ready = True
        if isinstance(self.body, Feed):
            self.body.end()
        elif self.pieces:
            pieces, self.pieces = self.pieces, []
            self.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
