"""Waiting for a slot in time, once for threads and once for tasks.

Who waits sleeps until its instant, or until it is woken because that has changed, and then asks
again. Whoever is interrupted or cancelled gives its slot back.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from switchgear.clock import MICROS

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from switchgear.clock import Clock

__all__ = ["Turn", "async_turn", "threadsafe_waker", "turn"]


class Turn(Protocol):
    """A slot in time: *go_at* in monotonic microseconds."""

    @property
    def slot(self) -> int: ...

    @property
    def go_at(self) -> int: ...


def turn(slot: Turn, wake: threading.Event, clock: Clock, withdraw: Callable[[int], None]) -> None:
    """Block until it is time to ask again with *slot*; *withdraw* it if that is interrupted."""
    try:
        clock.sleep((slot.go_at - clock.moment().mono) / MICROS, wake)
    except BaseException:
        withdraw(slot.slot)
        raise
    wake.clear()


async def async_turn(slot: Turn, wake: asyncio.Event, clock: Clock, withdraw: Callable[[int], None]) -> None:
    """The same for tasks, without blocking the loop."""
    try:
        await clock.asleep((slot.go_at - clock.moment().mono) / MICROS, wake)
    except BaseException:
        withdraw(slot.slot)
        raise
    wake.clear()


def threadsafe_waker(wake: asyncio.Event) -> Callable[[], None]:
    """Return a function that sets *wake* from any thread; a loop that is gone needs no waking."""
    loop = asyncio.get_running_loop()

    def waker() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(wake.set)

    return waker
