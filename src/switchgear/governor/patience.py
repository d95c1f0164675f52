"""How long a streamed answer may keep its caller waiting: for the first token, and between tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.durations import format_duration
from switchgear.errors import StallError

if TYPE_CHECKING:
    from switchgear.config.model import ServiceConfig

__all__ = ["Patience"]


class Patience:
    """The instant by which something must have come. All instants are monotonic microseconds.

    Comments and pings keep a connection alive, not an answer: they do not count as progress. Between
    the first token and the end holds *stall_timeout*, before it *first_token_timeout*, which tells a
    model that thinks from one that is stuck.

    Args:
        config: the service's.
        sent: when the attempt was let go.

    Attributes:
        first_by: when the first token must be here; None: whenever.
    """

    __slots__ = ("_first", "_heard", "_last", "_stall", "first_by")

    def __init__(self, config: ServiceConfig, sent: int) -> None:
        self._first: Final = config.first_token_timeout
        self._stall: Final = config.stall_timeout
        self._heard = 0
        self._last: int | None = None
        self.first_by: Final = None if self._first is None else sent + self._first

    @property
    def due(self) -> int | None:
        """When something must have come at the latest; None: whenever."""
        if self._last is None:
            return self.first_by
        return None if self._stall is None else self._last + self._stall

    @property
    def allowed(self) -> int:
        """The microseconds that are over when *due* has come."""
        return (self._first if self._last is None else self._stall) or 0

    @property
    def complaint(self) -> str:
        """What to say then."""
        waited = format_duration(self.allowed)
        return f"no first token within {waited}" if self._last is None else f"nothing came for {waited}"

    def told(self, error: BaseException) -> str:
        """Return *error*'s type, of a stall with what was waited for."""
        name = type(error).__name__
        return f"{name}: {self.complaint}" if isinstance(error, StallError) else name

    def heard(self, heard: int, now: int, *, started: bool) -> None:
        """Take note that so far something has come *heard* times; *started*: a token among it."""
        if started and (heard > self._heard or self._last is None):
            self._last = now
        self._heard = heard
