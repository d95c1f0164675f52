"""The day, the week and the month that it is: cut in a time zone, or so many hours back. Pure."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

__all__ = ["Frame", "Mode", "Period", "Window", "frame", "from_micros", "instant_of", "to_micros"]

Mode = Literal["calendar", "rolling"]
Period = Literal["day", "week", "month"]

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_DAY_US: Final = 86_400_000_000
_ROLLING: Final[dict[Period, dt.timedelta]] = {
    "day": dt.timedelta(hours=24),
    "week": dt.timedelta(days=7),
    "month": dt.timedelta(days=30),
}


def from_micros(instant: int) -> dt.datetime:
    """Return epoch microseconds as an exact datetime in UTC."""
    return _EPOCH + dt.timedelta(microseconds=instant)


def to_micros(instant: dt.datetime) -> int:
    """Return an aware datetime as epoch microseconds."""
    return (instant - _EPOCH) // _MICROSECOND


def instant_of(text: str, zone: ZoneInfo) -> int:
    """Return a date (its beginning in *zone*) or an instant of RFC 3339 in epoch microseconds.

    Raises:
        ValueError: it is neither.
    """
    moment = dt.datetime.fromisoformat(text.strip())
    return to_micros(moment if moment.tzinfo else moment.replace(tzinfo=zone))


class Window(NamedTuple):
    """From *since* on and before *until*, in epoch microseconds."""

    since: int
    until: int

    def __contains__(self, instant: object) -> bool:
        return isinstance(instant, int) and self.since <= instant < self.until


class Frame(NamedTuple):
    """What applications are counted in.

    Attributes:
        day, week, month: the periods that are running.
        recent: the last 30 calendar days, today with them: what the daily average is of.
    """

    day: Window
    week: Window
    month: Window
    recent: Window
    today: dt.date
    zone: ZoneInfo

    def days(self, count: int) -> Iterator[Window]:
        """Yield the last *count* days that there were, today first. Most have 24 hours, some 23 or 25."""
        day, until = self.today, _midnight(self.today + dt.timedelta(days=1), self.zone)
        while count and day > dt.date.min:
            since = _midnight(day, self.zone)
            if since < until:  # Samoa had no 30 December 2011
                yield Window(since, until)
                count -= 1
            until = since
            day -= dt.timedelta(days=1)

    def offset(self, instant: int) -> int:
        """Return how far clocks in the zone are ahead of UTC at *instant*, in microseconds."""
        found = from_micros(instant).astimezone(self.zone).utcoffset() or dt.timedelta()
        return found // _MICROSECOND

    def changes(self, window: Window) -> Iterator[int]:
        """Yield the instants of *window* at which clocks in the zone are put forward or back."""
        at = window.since
        while at < window.until:
            # No zone has changed its clocks twice within a day.
            then = min(at + _DAY_US, window.until)
            old = self.offset(at)
            if self.offset(then) != old:
                low, high = at, then
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (middle, high) if self.offset(middle) == old else (low, middle)
                yield high
            at = then


def frame(now: int, zone: ZoneInfo, *, mode: Mode = "calendar", week_start: int = 0) -> Frame:
    """Return the periods of *now*.

    Args:
        now: epoch microseconds.
        zone: where days are cut.
        mode: ``rolling``: the last 24 hours, 7 days and 30 days, to *now* with it.
        week_start: which day a calendar week begins with; 0: Monday.
    """
    today = from_micros(now).astimezone(zone).date()
    tomorrow = today + dt.timedelta(days=1)
    end = _midnight(tomorrow, zone)
    recent = Window(_midnight(today - dt.timedelta(days=29), zone), end)
    if mode == "rolling":
        # To the next whole millisecond: MongoDB knows no finer ones.
        until = (now // 1000 + 1) * 1000
        day, week, month = (Window(until - span // _MICROSECOND, until) for span in _ROLLING.values())
    else:
        monday = today - dt.timedelta(days=(today.weekday() - week_start) % 7)
        first = today.replace(day=1)
        day = Window(_midnight(today, zone), end)
        week = Window(_midnight(monday, zone), _midnight(monday + dt.timedelta(days=7), zone))
        month = Window(_midnight(first, zone), _midnight((first + dt.timedelta(days=32)).replace(day=1), zone))
    return Frame(day=day, week=week, month=month, recent=recent, today=today, zone=zone)


def _midnight(day: dt.date, zone: ZoneInfo) -> int:
    return to_micros(dt.datetime.combine(day, dt.time(), tzinfo=zone))
