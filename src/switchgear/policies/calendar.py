"""Calendar periods in a time zone, and limits that are counted by the day there."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

import msgspec

from switchgear.policies.window import NEVER, NOWHERE

if TYPE_CHECKING:
    from switchgear.clock import Moment

__all__ = ["DayOutlook", "DayWindow", "Period", "period_at"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Period(msgspec.Struct, frozen=True, gc=False):
    """From *start* to before *end*, epoch microseconds; a total period has no end."""

    start: int
    end: int | None


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def period_at(period: str, timezone: str, wall: int) -> tuple[int, int]:
    """Return start and end of the ``hour``, ``day``, ``week`` or ``month`` that epoch microsecond *wall* lies in.

    Periods start at local midnight (or the local full hour), so a day lasts 23 or 25 hours where
    clocks are changed. Weeks start on Monday.
    """
    zone = ZoneInfo(timezone)
    local = (_EPOCH + timedelta(microseconds=wall)).astimezone(zone)
    if period == "hour":
        # Hours are cut in absolute time: an hour that is repeated in autumn is two hours.
        start = _micros(local.replace(minute=0, second=0, microsecond=0))
        return start, start + 3_600_000_000
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if period == "day":
        first, days = midnight, 1
    elif period == "week":
        first, days = midnight - timedelta(days=midnight.weekday()), 7
    else:
        first = midnight.replace(day=1)
        days = calendar.monthrange(first.year, first.month)[1]
    # Adding days to a local datetime keeps the wall reading; the conversion then finds the offset.
    return _micros(first), _micros(first + timedelta(days=days))


class DayWindow:
    """A limit that is counted anew from every local midnight. Not thread-safe: its owner locks.

    A wall clock that is set back does not give a day a second time.

    Attributes:
        limit: what a day may hold; may be changed at any time.
        total: what today holds, as of the last *expire*.
        start: the midnight that began today, in epoch microseconds; *end*: the one that ends it.
    """

    __slots__ = ("_day", "end", "limit", "start", "timezone", "total")

    cell_us: Final = 0

    def __init__(self, limit: int, timezone: str) -> None:
        self.limit = limit
        self.timezone: Final = timezone
        self.total = 0
        self.start = self.end = -NEVER
        self._day = 0

    def clear(self) -> None:
        """Forget what today holds."""
        self.total = 0
        self._day += 1

    def expire(self, wall: int) -> None:
        """Begin a new day if the old one is over at *wall*."""
        if wall >= self.end:
            self.start, self.end = period_at("day", self.timezone, wall)
            self.total = 0
            self._day += 1

    def used(self, wall: int) -> int:
        """Return the units that count at *wall*."""
        self.expire(wall)
        return self.total

    def take(self, units: int, at: int) -> int:  # noqa: ARG002 - the signature of Window
        """Count *units* today; return their day for *give*."""
        self.total += units
        return self._day if units else NOWHERE

    def remember(self, units: int, wall: int) -> None:
        """Count *units* of epoch microsecond *wall* if that is today, as of the last *expire*."""
        if wall >= self.start:
            self.total += units

    def give(self, day: int, units: int) -> None:
        """Take *units* off *day* (negative: add them); a day that is over is left alone."""
        if day == self._day:
            self.total -= units


class DayOutlook:
    """What a day will hold when those in line have gone, one after the other."""

    __slots__ = ("_end", "_limit", "_live", "_offset", "_timezone")

    def __init__(self, window: DayWindow, now: Moment) -> None:
        window.expire(now.wall)
        self._limit: Final = window.limit
        self._timezone: Final = window.timezone
        self._offset: Final = now.wall - now.mono
        self._live = window.total
        self._end = window.end

    def ready(self, units: int, not_before: int) -> int:
        """Return the first monotonic instant from *not_before* on at which *units* more fit; *NEVER*: they never do."""
        if units > self._limit:
            return NEVER
        if not_before + self._offset >= self._end or self._live + units <= self._limit:
            return not_before
        return self._end - self._offset

    def add(self, units: int, at: int) -> None:
        """Plan *units* at monotonic *at*."""
        wall = at + self._offset
        if wall >= self._end:
            self._live = 0
            while wall >= self._end:
                self._end = period_at("day", self._timezone, self._end)[1]
        self._live += units
