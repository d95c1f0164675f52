"""What a breaker remembers of recent calls: over a stretch of time, or over a number of calls.

Both keep running sums, so that a rate costs the same whatever the traffic. Times are monotonic
microseconds. Not thread-safe: the breaker's owner locks.
"""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["CountWindow", "TimeWindow"]

_CELLS: Final = 200
_FAILED: Final = 1
_SLOW: Final = 2


class TimeWindow:
    """Calls of the last *window_us*, in at most 201 cells that expire with their newest call."""

    __slots__ = ("_cell", "_cell_us", "_cells", "_steady_until", "_window_us", "calls", "failed", "slow")

    def __init__(self, window_us: int) -> None:
        self._window_us: Final = window_us
        self._cell_us: Final = max(1, window_us // _CELLS)
        self._cells: deque[list[int]] = deque()  # [newest, calls, failed, slow]
        self._cell: list[int] = []  # the newest of them
        self._steady_until = 0  # until then nothing expires, and the newest cell is not over
        self.calls = 0
        self.failed = 0
        self.slow = 0

    def add(self, now: int, failed: bool, slow: bool) -> None:  # noqa: FBT001 - the hot path, called by position
        """Count one call that ended at *now*."""
        if now >= self._steady_until:
            self._step(now)
        cell = self._cell
        if now > cell[0]:  # noqa: PLR1730 - max() costs twice as much
            cell[0] = now
        cell[1] += 1
        self.calls += 1
        if failed:
            cell[2] += 1
            self.failed += 1
        if slow:
            cell[3] += 1
            self.slow += 1

    def add_good(self, count: int, newest: int) -> bool:
        """Count calls that were neither failed nor slow, the last of which ended at *newest*.

        False: they may belong to several cells, so that they are to be added one by one.
        """
        if newest >= self._steady_until:
            return False
        cell = self._cell
        cell[0] = max(cell[0], newest)
        cell[1] += count
        self.calls += count
        return True

    def expire(self, now: int) -> None:
        """Forget the cells whose newest call is *window_us* ago."""
        edge = now - self._window_us
        cells = self._cells
        while cells and cells[0][0] <= edge:
            _, calls, failed, slow = cells.popleft()
            self._steady_until = 0
            self.calls -= calls
            self.failed -= failed
            self.slow -= slow

    def clear(self) -> None:
        """Forget everything."""
        self._cells.clear()
        self._steady_until = self.calls = self.failed = self.slow = 0

    def _step(self, now: int) -> None:
        self.expire(now)
        cells = self._cells
        if not cells or cells[-1][0] // self._cell_us < now // self._cell_us:
            self._cell = [now, 0, 0, 0]
            cells.append(self._cell)
        cell_ends = now - now % self._cell_us + self._cell_us
        self._steady_until = min(cell_ends, cells[0][0] + self._window_us)


class CountWindow:
    """The last *size* calls, one byte each."""

    __slots__ = ("_marks", "_next", "_size", "calls", "failed", "slow")

    def __init__(self, size: int) -> None:
        self._size: Final = size
        self._marks = bytearray()
        self._next = 0
        self.calls = 0
        self.failed = 0
        self.slow = 0

    def add(self, _now: int, failed: bool, slow: bool) -> None:  # noqa: FBT001 - the hot path, called by position
        """Count one call; the oldest of a full window gives way to it."""
        mark = (_FAILED if failed else 0) | (_SLOW if slow else 0)
        if self.calls < self._size:
            self._marks.append(mark)
            self.calls += 1
        else:
            old = self._marks[self._next]
            self.failed -= old & _FAILED
            self.slow -= old >> 1
            self._marks[self._next] = mark
            self._next = (self._next + 1) % self._size
        self.failed += failed
        self.slow += slow

    def add_good(self, count: int, newest: int) -> bool:
        """Count calls that were neither failed nor slow; True."""
        if self.failed or self.slow:
            for _ in range(count):
                self.add(newest, False, False)  # noqa: FBT003 - as above
        else:
            more = min(count, self._size - self.calls)  # of a window of good calls none looks older than another
            self._marks.extend(bytes(more))
            self.calls += more
        return True

    def expire(self, _now: int) -> None:
        """Time takes nothing from this window."""

    def clear(self) -> None:
        """Forget everything."""
        self._marks.clear()
        self._next = self.calls = self.failed = self.slow = 0
