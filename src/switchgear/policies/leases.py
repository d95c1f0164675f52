"""Grants that are taken back when nobody settles them in time: their holder may have crashed."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import msgspec

from switchgear.policies.window import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchgear.policies.limit_rule import Grant

__all__ = ["Lease", "Leases"]

_KEPT = 64


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """For how long a grant may stay unsettled: after *us* its place in flight is free again.

    Its units stay charged, since the call may have been made, unless *returned*.
    """

    us: int
    returned: bool = False


class Leases:
    """The grants that have one. Not thread-safe: its owner locks.

    Attributes:
        heap: the entries, the one that ends first in front; empty: nothing to watch.
    """

    __slots__ = ("_number", "heap")

    def __init__(self) -> None:
        self.heap: list[tuple[int, int, Grant, bool]] = []
        self._number = 0

    def add(self, grant: Grant, at: int, lease: Lease, in_flight: int) -> None:
        """Watch *grant*, given at *at*; *in_flight* grants are open, so many more entries are settled ones."""
        if len(self.heap) > 2 * in_flight + _KEPT:
            self.heap = [one for one in self.heap if one[2].open]
            heapq.heapify(self.heap)
        self._number += 1
        heapq.heappush(self.heap, (at + lease.us, self._number, grant, lease.returned))

    def over(self, now: int) -> Iterator[tuple[Grant, bool]]:
        """Yield each open grant whose lease is over, and whether its units come back."""
        while self.heap and self.heap[0][0] <= now:
            _, _, grant, returned = heapq.heappop(self.heap)
            if grant.open:
                yield grant, returned

    def next_at(self) -> int:
        """Return when the next lease of an open grant ends; *NEVER*: there is none."""
        while self.heap and not self.heap[0][2].open:
            heapq.heappop(self.heap)
        return self.heap[0][0] if self.heap else NEVER
