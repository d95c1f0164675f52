"""Waiting for a slot in time, once for threads and once for tasks.

Who waits sleeps until its instant, or until it is woken because that has changed, and then asks
again. Whoever is interrupted or cancelled gives its slot back.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from switchgear.clock import MICROS

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from switchgear.clock import Clock

__all__ = ["Turn", "Wake", "async_turn", "threadsafe_waker", "turn"]


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


class Wake:
    """Sets *event* when it is called, from any thread; a loop that is gone needs no waking.

    Made for every call, but few have to wait: until one does, there is no event.
    """

    __slots__ = ("_event", "_loop", "_woken")

    def __init__(self) -> None:
        self._loop: Final = asyncio.get_running_loop()
        self._event: asyncio.Event | None = None
        self._woken = False

    @property
    def event(self) -> asyncio.Event:
        """What who waits on the loop waits for."""
        if self._event is None:
            self._event = asyncio.Event()
            if self._woken:
                self._event.set()
        return self._event

    def __call__(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._set)

    def _set(self) -> None:
        self._woken = True
        if self._event is not None:
            self._event.set()
