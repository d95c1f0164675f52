"""The one thing that plain ASGI does not give an application: its connection, to break it."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

__all__ = ["Connection", "SandboxProtocol"]

_NO_LINGER: Final = struct.pack("ii", 1, 0)


class Connection:
    """A client's connection, in the ASGI scope as ``scope["state"]["connection"]``.

    Attributes:
        lost: it is closed, whoever closed it.
    """

    __slots__ = ("_transport", "lost")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport: Final = transport
        self.lost = False

    def cut(self) -> None:
        """Close it once what was written is sent: the client sees an answer without its end."""
        self._transport.close()

    def reset(self) -> None:
        """Close it with an RST: the client sees ``connection reset by peer``."""
        raw: socket.socket = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()


class SandboxProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP/1.1, with the connection in the scope and without an access log."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self.access_log = False
        self._connection = Connection(transport)
        self.app_state = {**self.app_state, "connection": self._connection}

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.lost = True
        super().connection_lost(exc)
