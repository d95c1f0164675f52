"""What a request may be and take, as ``[server]`` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from switchgear.clock import MICROS
from switchgear.gateway.inbound import Problem

if TYPE_CHECKING:
    from switchgear.config.model import ServerConfig

__all__ = ["Bounds", "bounds_of"]


class Bounds(NamedTuple):
    """How much of a request is taken, and how long its client may take.

    Attributes:
        head, body: bytes.
        seconds: for a head, and the longest pause in a body.
    """

    head: int
    body: int
    seconds: float

    @property
    def long_head(self) -> Problem:
        """What a client with a longer head is told."""
        return Problem(431, "Request head too large", f"a request head has at most {self.head:,} bytes")

    @property
    def long_body(self) -> Problem:
        """What a client with a longer body is told."""
        return Problem(413, "Content too large", f"a request body has at most {self.body:,} bytes")

    @property
    def slow_head(self) -> Problem:
        """What a client is told whose head has not come in time."""
        return Problem(408, "Request timeout", f"a request head takes at most {self.seconds:g} s")


def bounds_of(server: ServerConfig) -> Bounds:
    """Return the bounds that *server* sets."""
    return Bounds(server.max_head_bytes, server.max_body_bytes, server.client_timeout / MICROS)
