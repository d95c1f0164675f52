"""A request as its caller made it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from switchgear.governor.callers import ANYBODY, Caller

if TYPE_CHECKING:
    from switchgear.governor.prepared import Prepared

__all__ = ["Asked", "Recall"]


class Recall:
    """Kept beside a head by whoever knows when it comes again: the same request, but for its body."""

    __slots__ = ("prepared",)

    def __init__(self) -> None:
        self.prepared: Prepared | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request as the caller made it.

    Attributes:
        method: HTTP method.
        path: path and query below the service's base URL, e.g. ``/v1/chat/completions``.
        headers: as received.
        body: the whole request body.
        unread: the body is none of our business: it goes on as it comes, once, and is not in *body*.
        caller: who makes it, as the gateway knows.
        recall: what is remembered of its head from the time before; None: nobody looks whether it comes again.
        span: trace and span id of what it was made in, as far as the process knows.
    """

    method: str
    path: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    unread: bool = False
    caller: Caller = ANYBODY
    recall: Recall | None = None
    span: tuple[str | None, str | None] = (None, None)
