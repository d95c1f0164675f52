"""How many were sent, against what was aimed at. What was counted comes in; nothing is read here."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import msgspec

from jobsmith.applications.periods import Frame, Mode, Period, from_micros

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

__all__ = ["ApplicationStats", "Counting", "Counts", "Goal", "stats_of"]

_FIRST_LOOK: Final = 100
"""Days of a streak that the first query knows of; a longer one is asked for again."""

_DAYS: Final = 30


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """So many in a ``day``, ``week`` or ``month``. *percent* is rounded down, so 100 means reached."""

    period: Period
    goal: int
    count: int
    percent: int
    reached: bool


class ApplicationStats(msgspec.Struct, frozen=True, kw_only=True):
    """How many applications were sent, by when they were sent.

    Attributes:
        today, week, month: in the periods that are running.
        total: all that were sent, those without a date among them.
        without_date: those of *total* that nobody knows the date of, so they are in no period.
        goals: what is aimed at, in the order of their periods.
        streak_days: how many days in a row had one at least, up to today, or to yesterday if today has none yet.
        daily_average: of the last 30 days, or of the days since the first one; None: there is none.
        periods: ``calendar``, cut in *timezone*, or ``rolling``: the last 24 hours, 7 days and 30 days.
        day_since, week_since, month_since: when the periods began.
        source: where they were counted: ``sqlite``, ``postgresql`` or ``mongodb``.
    """

    today: int
    week: int
    month: int
    total: int
    without_date: int
    goals: tuple[Goal, ...]
    streak_days: int
    daily_average: Decimal | None
    periods: Mode
    timezone: str
    day_since: dt.datetime
    week_since: dt.datetime
    month_since: dt.datetime
    source: str
    generated_at: dt.datetime


class Counts(NamedTuple):
    """What one query counts.

    Attributes:
        dated: all that have a date.
        first: the earliest date, in epoch microseconds; None: there is none.
        busy: for each day that was asked for, today first, whether it has one.
    """

    day: int
    week: int
    month: int
    recent: int
    dated: int
    without_date: int
    first: int | None
    busy: tuple[bool, ...]


class Counting(Protocol):
    """Where applications are counted."""

    @property
    def source(self) -> str:
        """``sqlite``, ``postgresql`` or ``mongodb``."""

    def count(self, frame: Frame, *, days: int) -> Counts:
        """Count in one query, and say of the last *days* days which had any."""

    def close(self) -> None:
        """Let go of what it holds by itself."""


def stats_of(
    counting: Counting, frame: Frame, *, now: int, mode: Mode, goals: Mapping[Period, int | None]
) -> ApplicationStats:
    """Return the numbers of *now* (epoch microseconds)."""
    counts = counting.count(frame, days=_FIRST_LOOK)
    streak, every = _streak(counts.busy), _oldest_day(counts, frame.zone, frame.today)
    if streak >= len(counts.busy) - 1 and every > len(counts.busy):
        streak = _streak(counting.count(frame, days=every).busy)
    in_period: dict[Period, int] = {"day": counts.day, "week": counts.week, "month": counts.month}
    return ApplicationStats(
        today=counts.day,
        week=counts.week,
        month=counts.month,
        total=counts.dated + counts.without_date,
        without_date=counts.without_date,
        goals=tuple(_goal(period, goal, in_period[period]) for period in in_period if (goal := goals.get(period))),
        streak_days=streak,
        daily_average=_average(counts, frame),
        periods=mode,
        timezone=frame.zone.key,
        day_since=from_micros(frame.day.since),
        week_since=from_micros(frame.week.since),
        month_since=from_micros(frame.month.since),
        source=counting.source,
        generated_at=from_micros(now),
    )


def _streak(busy: tuple[bool, ...]) -> int:
    # Today still has time.
    days = busy if busy and busy[0] else busy[1:]
    return next((at for at, day in enumerate(days) if not day), len(days))


def _oldest_day(counts: Counts, zone: ZoneInfo, today: dt.date) -> int:
    """Return how many days there are from that of the first one to today, both with them."""
    if counts.first is None:
        return 0
    return (today - from_micros(counts.first).astimezone(zone).date()).days + 1


def _goal(period: Period, goal: int, count: int) -> Goal:
    return Goal(period=period, goal=goal, count=count, percent=count * 100 // goal, reached=count >= goal)


def _average(counts: Counts, frame: Frame) -> Decimal | None:
    days = min(_DAYS, _oldest_day(counts, frame.zone, frame.today))
    if days <= 0 or counts.first is None or counts.first >= frame.recent.until:
        return None
    return (Decimal(counts.recent) / days).quantize(Decimal("0.01"), ROUND_HALF_UP)
