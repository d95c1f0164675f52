"""A time-out that costs next to nothing as long as it does not strike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["Deadline"]


class Deadline:
    """Calls *strike* when the time that was set last is over, unless it is cleared before.

    One timer of the loop serves many settings: it is made anew only for an earlier instant, and
    moves itself on when it goes off too early.
    """

    __slots__ = ("_armed", "_at", "_loop", "_strike", "_timer")

    def __init__(self, loop: asyncio.AbstractEventLoop, strike: Callable[[], None]) -> None:
        self._loop: Final = loop
        self._strike: Final = strike
        self._at: float | None = None
        self._armed = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """Strike in *seconds*, and not at the instant set before."""
        at = self._at = self._loop.time() + seconds
        if self._timer is None:
            self._arm(at)
        elif at < self._armed:
            self._timer.cancel()
            self._arm(at)

    def clear(self) -> None:
        """Strike no more."""
        self._at = None

    def close(self) -> None:
        """Let go of the timer."""
        self._at = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, at: float) -> None:
        self._armed = at
        self._timer = self._loop.call_at(at, self._over)

    def _over(self) -> None:
        self._timer = None
        if self._at is None:
            return
        # uvloop's timers count whole milliseconds, so they may go off a little early.
        if self._at - self._loop.time() > 0.001:  # noqa: PLR2004 - see above
            self._arm(self._at)
            return
        self._at = None
        self._strike()
