"""What reports ask the ledger, and what it answers. Instants are epoch microseconds, money is nano-USD."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from switchgear.ledger.views import Totals

__all__ = ["ROLLED_UP", "Asked", "Cut", "Steps", "UnitSum", "UsageFilter", "UsageSum"]

ROLLED_UP: Final = ("service", "model", "layer", "key", "status")
"""What roll-ups can be grouped by; attempts can also by ``job``, ``run`` and ``tag.<name>``."""


class UsageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which attempts are wanted; None: any. *since* is inclusive, *until* is not; whole quarters of an hour.

    *job* and *run* are known of attempts one by one, not of roll-ups.
    """

    service: str | None = None
    model: str | None = None
    layer: str | None = None
    key: str | None = None
    job: str | None = None
    run: str | None = None
    since: int | None = None
    until: int | None = None


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """How time is cut: in pieces of *size_us*, after the clock was put forward by a shift.

    Attributes:
        size_us: the length of a piece in microseconds.
        shifts: ``(before, shift)`` in order of time: instants before *before* are put forward by
            *shift* microseconds; the last one holds for the rest.
    """

    size_us: int
    shifts: tuple[tuple[int, int], ...] = ((0, 0),)

    def within(self, start: int, end: int) -> Cut:
        """Return the same cut for the time from *start* to before *end* alone, told in one way only."""
        held: list[tuple[int, int]] = []
        for before, shift in (*self.shifts[:-1], (end, self.shifts[-1][1])):
            if before <= start:
                continue
            if held and held[-1][1] == shift:
                held.pop()
            held.append((min(before, end), shift))
            if before >= end:
                break
        return Cut(size_us=self.size_us, shifts=tuple(held))


class Asked(NamedTuple):
    """What is asked of every piece; the times in *where* are not looked at."""

    where: UsageFilter
    by: tuple[str, ...]
    cut: Cut


class UsageSum(msgspec.Struct, frozen=True, gc=False):
    """Sums of one group in one piece of time; *at* is an instant in that piece, None without a cut."""

    at: int | None
    group: tuple[str | None, ...]
    totals: Totals


class UnitSum(msgspec.Struct, frozen=True):
    """How much of each unit that is no token one group used."""

    group: tuple[str | None, ...]
    units: dict[str, int]


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """How time is cut: steps of *size_us* from *since* to before *until*, the clock put forward by *shift_us*."""

    since: int
    until: int
    size_us: int
    shift_us: int = 0
