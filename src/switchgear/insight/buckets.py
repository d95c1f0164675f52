"""Pieces of time as people mean them, cut from quarters of an hour: exact in every time zone, over DST too."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final, Literal

from switchgear.clock import MICROS
from switchgear.insight.days import day_start, from_micros, hour_start, month_start, next_day_start, to_micros
from switchgear.ledger.usage_views import Cut

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = [
    "DAY",
    "QUARTER",
    "Bucket",
    "bucket_end",
    "bucket_label",
    "bucket_start",
    "cut_of",
    "days_cut",
    "edges_of",
    "month_end",
]

Bucket = Literal["15min", "hour", "day", "week", "month", "none"]
"""``none``: the whole time at once. Weeks begin on Monday."""

QUARTER: Final = 15 * 60 * MICROS
_HOUR: Final = 4 * QUARTER
DAY: Final = 24 * _HOUR
_PIECE: Final = 6 * _HOUR


def bucket_start(instant: int, bucket: Bucket, zone: ZoneInfo) -> int:
    """Return when the *bucket* of *instant* began in *zone*, both in epoch microseconds."""
    if bucket == "15min":
        return instant - instant % QUARTER
    if bucket == "hour":
        return hour_start(instant, zone)
    if bucket == "day":
        return day_start(instant, zone)
    if bucket == "week":
        local = from_micros(instant).astimezone(zone).date()
        return _midnight(local - dt.timedelta(days=local.weekday()), zone)
    return month_start(instant, zone)


def bucket_end(start: int, bucket: Bucket, zone: ZoneInfo) -> int:
    """Return when the *bucket* that began at *start* ends: a day has 23 to 25 hours."""
    if bucket in {"15min", "hour"}:
        return start + (QUARTER if bucket == "15min" else _HOUR)
    if bucket == "day":
        return next_day_start(start, zone)
    if bucket == "week":
        return _midnight(from_micros(start).astimezone(zone).date() + dt.timedelta(days=7), zone)
    return month_end(start, zone)


def month_end(start: int, zone: ZoneInfo) -> int:
    """Return when the month of *start* ends in *zone*, both in epoch microseconds."""
    first = from_micros(start).astimezone(zone).date().replace(day=1)
    return _midnight((first + dt.timedelta(days=31)).replace(day=1), zone)


def bucket_label(start: int, bucket: Bucket, zone: ZoneInfo) -> str:
    """Return ``2026-11``, ``2026-11-24`` or ``2026-11-24 13:00+01:00``: the hour that is repeated is two."""
    local = from_micros(start).astimezone(zone)
    if bucket == "month":
        return f"{local:%Y-%m}"
    if bucket in {"day", "week"}:
        return f"{local:%Y-%m-%d}"
    return local.isoformat(sep=" ", timespec="minutes")


def cut_of(bucket: Bucket, since: int, until: int, zone: ZoneInfo) -> Cut | None:
    """Return how the ledger is to cut the time from *since* to *until*; None: not at all.

    Weeks and months come as days.
    """
    if bucket == "none":
        return None
    if bucket == "15min":
        return Cut(size_us=QUARTER)
    if bucket != "hour":
        return days_cut(since, until, zone)
    # Hours are cut in absolute time, else the hour that is repeated in autumn would be one.
    shifts = [(before, offset % _HOUR) for before, offset in _offsets(since, until, zone)]
    return Cut(size_us=_HOUR, shifts=tuple(shifts))


def days_cut(since: int, until: int, zone: ZoneInfo) -> Cut:
    """Return how the ledger is to cut the time from *since* to *until* into days in *zone*."""
    return Cut(size_us=DAY, shifts=tuple(_offsets(since, until, zone)))


def edges_of(bucket: Bucket, since: int, until: int, zone: ZoneInfo) -> list[int]:
    """Return where the time from *since* to *until* may be taken apart, both included, days cut in *zone*.

    Between two edges lie whole pieces of *cut_of*; edges inside are the same wherever time begins.
    """
    edges = [since]
    day = day_start(since, zone)
    while day < until:
        following = next_day_start(day, zone)
        inner = range(day, following, _PIECE) if bucket in {"15min", "hour"} else (day,)
        edges += [edge for at in inner if edges[-1] < (edge := hour_start(at, zone)) < until]
        day = following
    return [*edges, until]


def _offsets(since: int, until: int, zone: ZoneInfo) -> list[tuple[int, int]]:
    """Return the offsets of *zone* from UTC in microseconds, each with the instant before which it holds."""
    found: list[tuple[int, int]] = []
    at, offset = since, _offset(since, zone)
    while at < until:
        following = min(at + DAY, until)
        if (new := _offset(following, zone)) != offset:
            found.append((_change(at, following, zone), offset))
            offset = new
        at = following
    return [*found, (until, offset)]


def _change(before: int, after: int, zone: ZoneInfo) -> int:
    """Return the first instant with the offset of *after*, which is less than two changes from *before*."""
    offset = _offset(after, zone)
    while after - before > MICROS:
        middle = (before + after) // 2
        if _offset(middle, zone) == offset:
            after = middle
        else:
            before = middle
    return after - after % MICROS


def _offset(instant: int, zone: ZoneInfo) -> int:
    found = from_micros(instant).astimezone(zone).utcoffset() or dt.timedelta()
    return found // dt.timedelta(microseconds=1)


def _midnight(day: dt.date, zone: ZoneInfo) -> int:
    return to_micros(dt.datetime.combine(day, dt.time(), tzinfo=zone))
