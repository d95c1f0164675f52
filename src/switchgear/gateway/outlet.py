"""Answers on their way to a client, at its pace."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from switchgear.gateway.answers import begun, whole
from switchgear.gateway.faults import UpstreamError

if TYPE_CHECKING:
    import asyncio

    from switchgear.clients.journey import Answer
    from switchgear.gateway.inbound import Inbound

__all__ = ["BrokenOffError", "Outlet"]

_log = logging.getLogger("switchgear.gateway")


class BrokenOffError(Exception):
    """The answer can't be brought to its end: its beginning is with the client already."""


class Outlet:
    """Writes answers to *transport*, and holds them back while the client does not keep up."""

    __slots__ = ("_can_write", "_loop", "_room", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport: Final = transport
        self._loop: Final = loop
        self._can_write = True
        self._room: asyncio.Future[None] | None = None

    def pause(self) -> None:
        """Hold back from now on."""
        self._can_write = False

    def resume(self) -> None:
        """Go on."""
        self._can_write = True
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def send(self, request: Inbound, answer: Answer, *, closing: bool) -> None:
        """Write *answer*, whose body is bytes; *closing*: nothing more is served after it."""
        self._transport.write(whole(request, answer, answer.body, closing=closing))

    async def stream(self, request: Inbound, answer: Answer, *, closing: bool) -> None:
        """Write *answer* while its body comes.

        Raises:
            BrokenOffError: that ended before its end.
        """
        write = self._transport.write
        head, framing = begun(request, answer, closing=closing)
        write(head)
        try:
            while chunk := await answer.body.read():
                if framing == "none":
                    continue
                write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if framing == "chunks" else chunk)
                if not self._can_write:
                    await self._drained()
        except UpstreamError as error:
            # The head is out: all that can be done is to break off, as the upstream did.
            _log.warning("%s broke off its answer (%s)", request.service, type(error).__name__)
            raise BrokenOffError from error
        if framing == "chunks":
            write(b"0\r\n\r\n")

    async def _drained(self) -> None:
        self._room = self._loop.create_future()
        try:
            await self._room
        finally:
            self._room = None
