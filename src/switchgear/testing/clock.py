"""Time that moves only when told to."""

from __future__ import annotations

import asyncio
import threading
from typing import Final

from switchgear.clock import MICROS, Moment, micros

__all__ = ["ManualClock"]


class ManualClock:
    """A clock that stands still until it is advanced.

    Sleeping on it returns at once and moves the time on, so a test never waits; a sleep that can
    be woken moves the time only when nobody has woken it.

    Args:
        start: the first reading, both of *monotonic* and (as an epoch second) of *now*.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._lock: Final = threading.Lock()
        self._mono = micros(start)
        self._wall = micros(start)

    def now(self) -> float:
        return self._wall / MICROS

    def monotonic(self) -> float:
        return self._mono / MICROS

    def moment(self) -> Moment:
        with self._lock:
            return Moment(self._mono, self._wall)

    def advance(self, seconds: float) -> None:
        """Move both readings on by *seconds*.

        Raises:
            ValueError: *seconds* is negative; use *set_wall* to make the wall clock jump back.
        """
        if seconds < 0:
            msg = f"monotonic time does not go back: {seconds}"
            raise ValueError(msg)
        with self._lock:
            self._mono += micros(seconds)
            self._wall += micros(seconds)

    def set_wall(self, epoch_second: float) -> None:
        """Make the wall clock jump, as NTP or an operator would; the monotonic reading stays."""
        with self._lock:
            self._wall = micros(epoch_second)

    def sleep(self, seconds: float, wake: threading.Event | None = None) -> None:
        if wake is None or not wake.is_set():
            self.advance(max(0.0, seconds))

    async def asleep(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        await asyncio.sleep(0)
        if wake is None or not wake.is_set():
            self.advance(max(0.0, seconds))
