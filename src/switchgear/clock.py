"""Time is injected: nothing in Switchgear reads a clock except through a ``Clock``.

Rules get a *Moment* (two integers in microseconds): the monotonic one for windows, leases
and time-outs, the wall one for calendar days and for what people read.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    import threading

__all__ = ["MICROS", "Clock", "Moment", "SystemClock", "micros"]

MICROS: Final = 1_000_000
"""Microseconds in a second."""


class Moment(NamedTuple):
    """One reading of a clock.

    Attributes:
        mono: monotonic microseconds; never goes back, its zero means nothing.
        wall: microseconds since the Unix epoch; may jump.
    """

    mono: int
    wall: int


_tuple: Final = tuple.__new__


def micros(seconds: float) -> int:
    """Return *seconds* as whole microseconds, rounded to the nearest."""
    return round(seconds * MICROS)


class Clock(Protocol):
    """What the library asks of a clock; ``switchgear.testing.ManualClock`` is the other one."""

    def now(self) -> float:
        """Return seconds since the Unix epoch."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    def moment(self) -> Moment:
        """Return both as one reading, in microseconds."""

    def sleep(self, seconds: float, wake: threading.Event | None = None) -> None:
        """Block for *seconds*, or until *wake* is set."""

    async def asleep(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        """Wait for *seconds* without blocking the loop, or until *wake* is set."""


class SystemClock:
    """The machine's clock."""

    __slots__ = ()

    # The functions themselves: a method around them would cost as much as they do.
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    def moment(self) -> Moment:
        # As Moment(...), in half the time: every call reads the clock several times.
        return _tuple(Moment, (time.monotonic_ns() // 1000, time.time_ns() // 1000))

    def sleep(self, seconds: float, wake: threading.Event | None = None) -> None:
        if wake is None:
            time.sleep(max(0.0, seconds))
        else:
            wake.wait(max(0.0, seconds))

    async def asleep(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        if wake is None:
            await asyncio.sleep(max(0.0, seconds))
            return
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await wake.wait()
        except TimeoutError:
            return
