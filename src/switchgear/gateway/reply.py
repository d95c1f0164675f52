"""The answer of an upstream, as it comes over its connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.gateway.faults import ReadError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from switchgear.gateway.connection import Connection
    from switchgear.gateway.faults import UpstreamError
    from switchgear.governor.headers import Headers

__all__ = ["AHEAD", "Reply"]

AHEAD: Final = 64 * 1024
"""Bytes that are read ahead of a slower reader; then the sender is held back."""


class Reply:
    """The answer to one request, as it comes. Read it to its end, or *aclose* it.

    Attributes:
        status: 0 until the head is here.
        begun: something of it has come.
        error: why no more of it comes.
        size: bytes of it that nobody has read yet.
    """

    __slots__ = (
        "_connection",
        "_done",
        "_pieces",
        "_told",
        "_waiter",
        "begun",
        "bodiless",
        "error",
        "headers",
        "size",
        "status",
    )

    def __init__(self, connection: Connection, *, bodiless: bool) -> None:
        self.status = 0
        self.headers: Headers = []
        self.begun = False
        self.bodiless: Final = bodiless
        self._connection: Connection | None = connection
        self._pieces: list[bytes] = []
        self.size = 0
        self._done = False
        self.error: UpstreamError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._told: Callable[[], None] | None = None

    @property
    def over(self) -> bool:
        """Whether it has come to its end, good or bad."""
        return self._done or self.error is not None

    async def head(self) -> None:
        """Wait until *status* and *headers* are here."""
        while not self.status:
            if self.error is not None:
                raise self.error
            await self._more()

    async def read(self) -> bytes:
        """Return what has come since; nothing at the end."""
        while True:
            if self._pieces:
                return self.take()
            if self._done:
                return b""
            if self.error is not None:
                raise self.error
            await self._more()

    def take(self) -> bytes:
        """Return what has come since; nothing if nothing has."""
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        if self.size > AHEAD and self._connection is not None:
            self._connection.resume()
        self.size = 0
        return data

    def tell(self, told: Callable[[], None]) -> None:
        """Have *told* called once something has come of it, be it the end, good or bad: instead of awaiting."""
        self._told = told

    def look(self) -> None:
        """Let who wants to be told have a look; not while the parser is at it."""
        told, self._told = self._told, None
        if told is not None:
            told()

    async def aclose(self) -> None:
        """Let go of the connection: see *release*."""
        self.release()

    def release(self) -> None:
        """Let go of the connection: for the next request if the answer is whole, else close it at once."""
        self._told = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.let_go(whole=self._done)

    def add(self, piece: bytes) -> bool:
        """Take the next bytes; return whether they are too many ahead of the reader."""
        before = self.size
        self._pieces.append(piece)
        self.size = before + len(piece)
        self.wake()
        return before <= AHEAD < self.size

    def end(self) -> None:
        """Take note that the answer is whole."""
        self._done = self.error is None
        self.wake()

    def fail(self, error: UpstreamError) -> None:
        """Take note that no more will come, for the reason of *error*."""
        if not self._done and self.error is None:
            self.error = error
            self.wake()

    def wake(self) -> None:
        """Let who waits look again."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _more(self) -> None:
        connection = self._connection
        if connection is None:
            msg = "the answer was closed"
            raise ReadError(msg)
        self._waiter = connection.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
