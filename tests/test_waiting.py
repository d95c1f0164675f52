from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import NamedTuple

import pytest

from switchgear.testing import ManualClock
from switchgear.waiting import async_turn, threadsafe_waker, turn


class Slot(NamedTuple):
    slot: int
    go_at: int


class BrokenClock(ManualClock):
    """A clock whose sleepers never come to their end."""

    def sleep(self, seconds: float, wake: threading.Event | None = None) -> None:
        raise KeyboardInterrupt

    async def asleep(self, seconds: float, wake: asyncio.Event | None = None) -> None:
        raise asyncio.CancelledError


async def test_a_turn_lasts_until_its_instant_or_until_woken() -> None:
    """Threads and tasks sleep until their slot; who is woken before asks again at once, and can be woken anew."""
    clock = ManualClock(0)
    given_back: list[int] = []
    turn(Slot(1, 5_000_000), threading.Event(), clock, given_back.append)
    await async_turn(Slot(1, 8_000_000), asyncio.Event(), clock, given_back.append)
    assert clock.monotonic() == 8.0
    woken, awoken = threading.Event(), asyncio.Event()
    woken.set()
    awoken.set()
    turn(Slot(1, 20_000_000), woken, clock, given_back.append)
    await async_turn(Slot(1, 20_000_000), awoken, clock, given_back.append)
    assert (clock.monotonic(), woken.is_set(), awoken.is_set(), given_back) == (8.0, False, False, [])


async def test_whoever_is_interrupted_gives_the_slot_back() -> None:
    """KeyboardInterrupt and cancellation pass through, after the slot is withdrawn."""
    given_back: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        turn(Slot(1, 5), threading.Event(), BrokenClock(0), given_back.append)
    with pytest.raises(asyncio.CancelledError):
        await async_turn(Slot(2, 5), asyncio.Event(), BrokenClock(0), given_back.append)
    assert given_back == [1, 2]


def test_a_loop_that_is_gone_needs_no_waking() -> None:
    """A waker outlives its loop without an error, and works from another thread while it lives."""

    async def main() -> None:
        wake = asyncio.Event()
        waker = threadsafe_waker(wake)
        await asyncio.to_thread(waker)
        await asyncio.wait_for(wake.wait(), 10)
        wakers.append(waker)

    wakers: list[Callable[[], None]] = []
    asyncio.run(main())
    wakers[0]()
