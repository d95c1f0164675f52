"""Days and months as people mean them: cut in a time zone, at read time."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from switchgear.clock import MICROS

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["clock_text", "day_start", "from_micros", "hour_start", "month_start", "next_day_start", "to_micros"]

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)


def from_micros(instant: int) -> dt.datetime:
    """Return epoch microseconds as an exact datetime in UTC."""
    return _EPOCH + dt.timedelta(microseconds=instant)


def to_micros(instant: dt.datetime) -> int:
    """Return an aware datetime as epoch microseconds."""
    return (instant - _EPOCH) // _MICROSECOND


def day_start(instant: int, zone: ZoneInfo) -> int:
    """Return when the day of *instant* began in *zone*, both in epoch microseconds."""
    return _midnight(from_micros(instant).astimezone(zone).date(), zone)


def next_day_start(instant: int, zone: ZoneInfo) -> int:
    """Return when the day of *instant* ends in *zone*; a day has 23 to 25 hours."""
    return _midnight(from_micros(instant).astimezone(zone).date() + dt.timedelta(days=1), zone)


def month_start(instant: int, zone: ZoneInfo) -> int:
    """Return when the month of *instant* began in *zone*, both in epoch microseconds."""
    return _midnight(from_micros(instant).astimezone(zone).date().replace(day=1), zone)


def hour_start(instant: int, zone: ZoneInfo) -> int:
    """Return when the hour of *instant* began on a clock in *zone*, both in epoch microseconds."""
    offset = from_micros(instant).astimezone(zone).utcoffset() or dt.timedelta()
    shift = offset // _MICROSECOND
    return (instant + shift) // (3600 * MICROS) * (3600 * MICROS) - shift


def _midnight(day: dt.date, zone: ZoneInfo) -> int:
    return to_micros(dt.datetime.combine(day, dt.time(), tzinfo=zone))


def clock_text(instant: dt.datetime, now: dt.datetime, zone: ZoneInfo) -> str:
    """Return *instant* as ``13:58``, with the day before it when that is not today in *zone*."""
    local = instant.astimezone(zone)
    if local.date() == now.astimezone(zone).date():
        return f"{local:%H:%M}"
    return f"{local.day} {local:%b %H:%M}"
