"""Exact sliding windows in bounded memory.

A *Window* holds what was used in the last *window_us* microseconds: an event at ``t`` counts until
before ``t + window_us``. Events are kept in cells that begin at least ``window_us / 3000`` apart; a
cell expires as a whole, with its newest event. So the coalescing errs only on the strict side: a
unit comes free late by less than one cell (20 ms of a minute, 28.8 s of a day), never early, and a
window takes less than 64 KB whatever the traffic.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from typing import Final

__all__ = ["CELLS", "NEVER", "NOWHERE", "Outlook", "Window"]

CELLS: Final = 3000
"""Cells a window is cut into."""

NEVER: Final = sys.maxsize
"""An instant that does not come."""

NOWHERE: Final = -1
"""The cell of an event of no units."""

_MOST: Final = 2**62
"""No cell holds more: far beyond any limit that can be meant, and within 64 bits."""

_CLOSED: Final = -NEVER
"""Where the newest cell ends when there is none."""

_SPENT: Final = 256
"""Expired cells that are kept before their memory is given back."""


class Window:
    """An exact sliding window over *window_us* microseconds. Not thread-safe: its owner locks.

    Attributes:
        limit: what it may hold; may be changed at any time.
        total: what it holds, as of the last *expire*.
        edge: the instant at which the next cell expires; until then *expire* has nothing to do.
    """

    __slots__ = (
        "_at",
        "_base",
        "_cell_end",
        "_cell_us",
        "_head",
        "_last",
        "_open_at",
        "_open_units",
        "_units",
        "edge",
        "limit",
        "total",
        "window_us",
    )

    def __init__(self, limit: int, window_us: int) -> None:
        self.limit = limit
        self.window_us: Final = window_us
        self.total = 0
        self.edge = NEVER
        self._cell_us: Final = -(-window_us // CELLS)
        # The newest cell, which still takes events: that is where nearly all of them go.
        self._last = -1  # its number
        self._open_at = 0
        self._open_units = 0
        self._cell_end = _CLOSED
        # The cells before it, in order; the first one in the arrays has the number *_base*.
        self._at = array("q")
        self._units = array("q")
        self._base = 0
        self._head = 0  # the first one that still counts

    def __len__(self) -> int:
        return len(self._at) - self._head + (self._cell_end != _CLOSED)

    @property
    def cell_us(self) -> int:
        """A unit may come free late by less than this many microseconds."""
        return self._cell_us

    def clear(self) -> None:
        """Forget everything."""
        self.total = 0
        self.edge = NEVER
        self._cell_end = _CLOSED
        self._at = array("q")
        self._units = array("q")
        self._base = self._last + 1
        self._head = 0

    def expire(self, now: int) -> None:
        """Forget what lies at or before ``now - window_us``."""
        if now < self.edge:
            return
        old = now - self.window_us
        if self._open_at <= old:
            self.clear()
            return
        at, head = self._at, self._head
        gone = bisect_right(at, old, head)
        self.total -= sum(self._units[head:gone])
        self.edge = (at[gone] if gone < len(at) else self._open_at) + self.window_us
        if gone > _SPENT:
            del at[:gone]
            del self._units[:gone]
            self._base += gone
            gone = 0
        self._head = gone

    def used(self, now: int) -> int:
        """Return the units that count at *now*."""
        self.expire(now)
        return self.total

    def earliest(self, units: int, not_before: int) -> int:
        """Return the first instant from *not_before* on at which *units* fit; *NEVER*: more than the limit."""
        return Outlook(self, not_before).ready(units, not_before)

    def take(self, units: int, at: int) -> int:
        """Count *units* at *at*, or with the newest event if that is later; return their cell for *give*."""
        if units <= 0:
            return NOWHERE
        self.total += units
        if at < self._cell_end:
            if at > self._open_at:  # noqa: PLR1730 - every call comes here, and max() takes three times as long
                self._open_at = at
            self._open_units += units
        else:
            self._begin(units, at)
        return self._last

    def give(self, cell: int, units: int) -> None:
        """Take *units* off *cell* (negative: add them); a cell that has expired is left alone."""
        index = cell - self._base
        if index < self._head:
            return
        if cell == self._last:
            self._open_units -= units
            self.total -= units
            return
        left = min(_MOST, self._units[index] - units)
        self.total += left - self._units[index]
        self._units[index] = left

    def cells(self) -> tuple[array[int], array[int]]:
        """Return copies of the instants and of the units of the cells that count."""
        at, units = self._at[self._head :], self._units[self._head :]
        if self._cell_end != _CLOSED:
            at.append(self._open_at)
            units.append(min(_MOST, self._open_units))
        return at, units

    def _begin(self, units: int, at: int) -> None:
        if self._cell_end == _CLOSED:
            self.edge = at + self.window_us
        else:
            kept = min(_MOST, self._open_units)
            self.total += kept - self._open_units
            self._at.append(self._open_at)
            self._units.append(kept)
        self._last += 1
        self._open_at = at
        self._open_units = units
        self._cell_end = at + self._cell_us


class Outlook:
    """What a window will hold when those in line have gone, one after the other.

    Instants are asked for and added in rising order.
    """

    __slots__ = ("_at", "_first", "_live", "_units", "_window")

    def __init__(self, window: Window, now: int) -> None:
        window.expire(now)
        self._window: Final = window
        self._at, self._units = window.cells()
        self._first = 0
        self._live = window.total

    def ready(self, units: int, not_before: int) -> int:
        """Return the first instant from *not_before* on at which *units* more fit; *NEVER*: they never do."""
        window = self._window
        if units > window.limit:
            return NEVER
        missing = self._live + units - window.limit
        index, instants, amounts = self._first, self._at, self._units
        ready = not_before
        while missing > 0:
            missing -= amounts[index]
            ready = instants[index] + window.window_us
            index += 1
        return max(ready, not_before)

    def add(self, units: int, at: int) -> None:
        """Plan *units* at *at*."""
        if units <= 0:
            return
        edge = at - self._window.window_us
        while self._first < len(self._at) and self._at[self._first] <= edge:
            self._live -= self._units[self._first]
            self._first += 1
        self._at.append(at)
        self._units.append(units)
        self._live += units
