"""How an upstream can fail, in the words that httpx2 has for it: they are the errors of the ledger's rows."""

from __future__ import annotations

from typing import Final

from switchgear.clients.passage import Faults

__all__ = [
    "FAULTS",
    "ConnectError",
    "ConnectTimeout",
    "PoolTimeout",
    "ReadError",
    "ReadTimeout",
    "RemoteProtocolError",
    "UpstreamError",
    "UpstreamTimeout",
]


class UpstreamError(Exception):
    """The upstream gave no whole answer."""


class UpstreamTimeout(UpstreamError):
    """It did not do so in time."""


class ConnectError(UpstreamError):
    """No connection could be made."""


class ConnectTimeout(UpstreamTimeout):
    """No connection could be made in time."""


class PoolTimeout(UpstreamTimeout):
    """All connections that may be open were in use for too long."""


class ReadError(UpstreamError):
    """The connection broke."""


class ReadTimeout(UpstreamTimeout):
    """Nothing came for too long."""


class RemoteProtocolError(UpstreamError):
    """What came is no HTTP/1.1, or ended before its end."""


FAULTS: Final = Faults(UpstreamError, (ConnectError, ConnectTimeout, PoolTimeout))
