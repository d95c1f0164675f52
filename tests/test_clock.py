from __future__ import annotations

import asyncio
import threading

import pytest

from switchgear.clock import Moment, SystemClock, micros
from switchgear.testing import ManualClock


def test_manual_time_moves_only_when_told() -> None:
    """Both readings start where asked and move together; the wall one may jump back alone."""
    clock = ManualClock(10.0)
    clock.advance(0.000_001)
    clock.sleep(2.5)
    assert clock.moment() == Moment(12_500_001, 12_500_001)
    assert (clock.monotonic(), clock.now()) == (12.500001, 12.500001)
    clock.set_wall(1.0)
    assert clock.moment() == Moment(12_500_001, 1_000_000)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1)


def test_a_woken_sleeper_does_not_move_time() -> None:
    """Who is woken has not slept."""
    clock = ManualClock()
    wake = threading.Event()
    wake.set()
    clock.sleep(5, wake)
    assert clock.monotonic() == 0.0


async def test_tasks_sleep_on_manual_time_too() -> None:
    """The asynchronous sleep moves time and lets others run; a woken one does not move it."""
    clock = ManualClock()
    await clock.asleep(5)
    wake = asyncio.Event()
    wake.set()
    await clock.asleep(5, wake)
    assert clock.monotonic() == 5.0


def test_system_time_reads_both_clocks_in_microseconds() -> None:
    """A moment agrees with the readings in seconds around it."""
    clock = SystemClock()
    before = (clock.monotonic(), clock.now())
    moment = clock.moment()
    after = (clock.monotonic(), clock.now())
    assert before[0] <= moment.mono / 1e6 + 1e-6 <= after[0] + 2e-6
    assert before[1] - 1 <= moment.wall / 1e6 <= after[1] + 1


async def test_system_sleep_ends_when_woken() -> None:
    """A sleep that is woken, or is for no time, ends at once."""
    clock = SystemClock()
    clock.sleep(-1)
    await clock.asleep(-1)
    wake = threading.Event()
    wake.set()
    clock.sleep(60, wake)
    task_wake = asyncio.Event()
    task_wake.set()
    await clock.asleep(60, task_wake)
    await clock.asleep(0.001, asyncio.Event())


@pytest.mark.parametrize(("seconds", "expected"), [(0.1, 100_000), (59.999, 59_999_000), (1e-6, 1), (0, 0)])
def test_seconds_become_whole_microseconds(seconds: float, expected: int) -> None:
    """Rounded to the nearest, so that decimal fractions come out exact."""
    assert micros(seconds) == expected
