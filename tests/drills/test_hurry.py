from __future__ import annotations

from switchgear.drills.hurry import HurriedClock
from switchgear.testing import ManualClock


def test_a_hurried_minute_takes_two_seconds() -> None:
    """At a pace of 30 both readings run 30 times as fast, from where the clock stood."""
    machine = ManualClock(1000.0)
    clock = HurriedClock(machine, 30)
    assert (clock.monotonic(), clock.now()) == (1000.0, 1000.0)

    machine.advance(2)

    assert (clock.monotonic(), clock.now()) == (1060.0, 1060.0)


async def test_sleeping_takes_as_much_less_of_the_machines_time() -> None:
    """Who sleeps a hurried minute, in a thread or in a task, is back after two seconds of the machine."""
    machine = ManualClock(0.0)
    clock = HurriedClock(machine, 30)

    clock.sleep(60)
    await clock.asleep(60)

    assert (machine.monotonic(), clock.monotonic()) == (4.0, 120.0)


def test_a_jump_of_the_wall_clock_is_not_followed() -> None:
    """The drill's wall time goes on with its monotonic one, whatever is done to the machine's."""
    machine = ManualClock(0.0)
    clock = HurriedClock(machine, 10)
    machine.set_wall(5_000.0)
    machine.advance(1)

    assert clock.now() == 10.0
