from __future__ import annotations

import sys
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from switchgear.policies.window import CELLS, NEVER, NOWHERE, Outlook, Window

SECOND = 1_000_000
MINUTE = 60 * SECOND


def _bytes(window: Window) -> int:
    parts = [window, window._at, window._units]  # noqa: SLF001 - what it is made of
    return sum(sys.getsizeof(part) for part in parts)


def test_limiter_27_an_exact_window_takes_less_than_64_kb() -> None:
    """However many events and however irregular, a window stays under 64 KB and counts all of them."""
    window = Window(10**12, MINUTE)
    now, largest = 0, 0
    live: deque[tuple[int, int]] = deque()
    total = 0
    for step in range(100_000):
        now += 137 + step % 2100
        window.expire(now)
        window.take(1 + step % 3, now)
        live.append((now, 1 + step % 3))
        total += 1 + step % 3
        while live[0][0] <= now - MINUTE:
            total -= live.popleft()[1]
        if step % 1000 == 0:
            largest = max(largest, _bytes(window))
            assert total <= window.used(now) <= total + 3 * window.cell_us // 137
    assert len(window) <= CELLS + 1
    assert largest <= 64 * 1024


def test_limiter_05_a_unit_comes_free_late_by_less_than_a_cell() -> None:
    """What is coalesced errs on the strict side only, and by less than the window says."""
    window = Window(10, MINUTE)
    assert window.cell_us == 20_000
    window.take(5, 0)
    window.take(5, 19_999)
    assert window.earliest(1, 0) == MINUTE + 19_999
    other = Window(10, MINUTE)
    other.take(5, 0)
    other.take(5, 20_000)
    assert other.earliest(1, 0) == MINUTE


def test_an_event_that_comes_late_to_the_lock_counts_with_the_newest() -> None:
    """Threads may arrive out of order by microseconds: time does not go back in a window."""
    window = Window(10, MINUTE)
    window.take(1, 5)
    window.take(1, 3)
    window.take(1, SECOND)
    window.take(1, SECOND - 1)
    assert [len(window), window.used(SECOND)] == [2, 4]
    assert window.used(MINUTE + 4) == 4
    assert window.used(MINUTE + 5) == 2


def test_more_than_the_limit_never_fits() -> None:
    """The instant for more than the limit does not come."""
    assert Window(10, MINUTE).earliest(11, 0) == NEVER


def test_no_units_leave_no_trace() -> None:
    """An event of nothing takes no cell, and giving it back changes nothing."""
    window = Window(10, MINUTE)
    assert window.take(0, 0) == NOWHERE
    window.give(NOWHERE, 5)
    assert [len(window), window.used(0)] == [0, 0]


def test_units_beyond_any_limit_stay_within_64_bits() -> None:
    """Absurd weights and debts are cut off, and what is counted still adds up to nothing in the end."""
    window = Window(10, MINUTE)
    cell = window.take(2**80, 0)
    window.give(cell, -(2**80))
    window.take(2**62, 1)
    window.take(1, 2)
    assert window.used(3) > 2**62
    assert window.used(2 * MINUTE) == 0


def test_clearing_forgets_and_old_cells_are_gone() -> None:
    """A cleared window is empty, and a grant from before credits nothing."""
    window = Window(10, MINUTE)
    cell = window.take(10, 0)
    window.clear()
    window.take(4, 1)
    window.give(cell, 10)
    assert window.used(1) == 4


class WindowMachine(RuleBasedStateMachine):
    """A window against a plain list of events."""

    def __init__(self) -> None:
        super().__init__()
        self.window = Window(50, MINUTE)
        self.now = 0
        self.events: list[list[int]] = []  # instant, units, cell

    @rule(gap=st.integers(0, 30 * SECOND))
    def pass_time(self, gap: int) -> None:
        self.now += gap

    @rule(units=st.integers(0, 9))
    def take(self, units: int) -> None:
        self.events.append([self.now, units, self.window.take(units, self.now)])

    @precondition(lambda self: self.events)
    @rule(data=st.data(), more=st.integers(-3, 9))
    def give(self, data: st.DataObject, more: int) -> None:
        event = data.draw(st.sampled_from(self.events))
        if event[2] != NOWHERE and self.now < event[0] + MINUTE:
            units = min(more, event[1])
            event[1] -= units
            self.window.give(event[2], units)

    @invariant()
    def counts_what_is_live_and_no_more_than_a_cell_beyond(self) -> None:
        live = sum(units for at, units, _ in self.events if at > self.now - MINUTE)
        late = sum(units for at, units, _ in self.events if at > self.now - MINUTE - self.window.cell_us)
        assert live <= self.window.used(self.now) <= late

    @invariant()
    def foresees_when_units_fit(self) -> None:
        outlook = Outlook(self.window, self.now)
        at = outlook.ready(10, self.now)
        outlook.add(10, at)
        later = outlook.ready(45, at)
        live = sum(units for when, units, _ in self.events if when > at - MINUTE)
        assert live + 10 <= 50
        assert later >= at + MINUTE


TestWindowMachine = pytest.mark.timeout(60)(WindowMachine.TestCase)
WindowMachine.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


@given(st.lists(st.tuples(st.integers(0, 5 * SECOND), st.integers(1, 5)), max_size=40))
def test_an_outlook_keeps_the_limit(asked: list[tuple[int, int]]) -> None:
    """Whatever is planned, no window ever holds more than the limit."""
    window = Window(5, 10 * SECOND)
    window.take(3, 0)
    outlook = Outlook(window, 0)
    planned: list[tuple[int, int]] = []
    at = 0
    for gap, units in asked:
        at = outlook.ready(units, at + gap)
        outlook.add(units, at)
        planned.append((at, units))
    events = [(0, 3), *planned]
    for at, _ in planned:
        assert sum(units for when, units in events if at - 10 * SECOND < when <= at) <= 5
