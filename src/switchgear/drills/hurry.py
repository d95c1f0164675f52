"""Time that runs faster than the machine's, so that a drill need not last as long as the minutes it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from switchgear.clock import Moment

if TYPE_CHECKING:
    import asyncio
    import threading

    from switchgear.clock import Clock

__all__ = ["HurriedClock"]


class HurriedClock:
    """*clock*, *pace* times as fast from now on; sleeping takes *pace* times less of the machine's time."""

    def __init__(self, clock: Clock, pace: int) -> None:
        self._clock: Final = clock
        self._pace: Final = pace
        self._start: Final = clock.moment()

    def now(self) -> float:
        return self.moment().wall / 1e6

    def monotonic(self) -> float:
        return self.moment().mono / 1e6

    def moment(self) -> Moment:
        passed = (self._clock.moment().mono - self._start.mono) * self._pace
        return Moment(self._start.mono + passed, self._start.wall + passed)

    def sleep(self, seconds: float, wake: threading.Event | None = None) -> None:
        self._clock.sleep(seconds / self._pace, wake)

    async def asleep(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        await self._clock.asleep(seconds / self._pace, wake)
