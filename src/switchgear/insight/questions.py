"""What people may ask of reports, read from text: dates, months, time zones, groups. A mistake names what is valid."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from typing import TYPE_CHECKING, Final, NamedTuple, get_args

from switchgear.insight.buckets import QUARTER, Bucket, month_end
from switchgear.insight.days import next_day_start, to_micros

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "GROUPS",
    "BadQuestion",
    "Span",
    "day_of",
    "month_of",
    "read_bucket",
    "read_groups",
    "read_span",
    "read_zone",
]

GROUPS: Final = ("service", "provider", "model", "layer", "key", "status", "job", "run")
"""What can be grouped by; beside them ``tag.<name>``."""

_DATES: Final = ("2026-11-24", "2026-11", "2026-11-24T13:00:00Z")


class BadQuestion(ValueError):
    """A question that can't be answered.

    Attributes:
        key: which part of it is wrong: ``from``, ``to``, ``by``, ...
        detail: why, as a clause.
        valid: what may stand there.
    """

    def __init__(self, detail: str, *, key: str, valid: Sequence[str] = ()) -> None:
        super().__init__(f"{key}: {detail}")
        self.key = key
        self.detail = detail
        self.valid = tuple(valid)


class Span(NamedTuple):
    """From *since* to before *until*, epoch microseconds on whole quarters of an hour; None: open."""

    since: int | None
    until: int | None


def read_zone(name: str) -> zoneinfo.ZoneInfo:
    """Return the time zone called *name*.

    Raises:
        BadQuestion: there is none.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        detail = f"{name!r} is no time zone; name one such as UTC, Europe/Vienna, Asia/Kathmandu"
        raise BadQuestion(detail, key="tz", valid=("UTC", "Europe/Vienna", "Asia/Kathmandu")) from None


def read_span(since: str | None, until: str | None, zone: zoneinfo.ZoneInfo) -> Span:
    """Return the time from *since* to *until*, both inclusive where they are a date or a month in *zone*.

    An instant (RFC 3339) is inclusive as *since* and exclusive as *until*; it is taken down, as
    *until* up, to the quarter of an hour.

    Raises:
        BadQuestion: no date, month or instant; or the end is not after the start.
    """
    start = None if since is None else _edge("from", since, zone)[0]
    end = None if until is None else _edge("to", until, zone)[1]
    if start is not None and end is not None and end <= start:
        detail = f"{until!r} is not after from={since!r}"
        raise BadQuestion(detail, key="to")
    return Span(
        None if start is None else start - start % QUARTER,
        None if end is None else end + -end % QUARTER,
    )


def month_of(text: str, zone: zoneinfo.ZoneInfo) -> tuple[int, int]:
    """Return from when to when the month *text* is in *zone*, such as ``2026-11``.

    Raises:
        BadQuestion: no month.
    """
    try:
        found = dt.datetime.strptime(text, "%Y-%m").replace(tzinfo=zone)
        return to_micros(found), month_end(to_micros(found), zone)
    except (ValueError, OverflowError):
        detail = f"{text!r} is no month such as 2026-11"
        raise BadQuestion(detail, key="month", valid=("2026-11",)) from None


def day_of(text: str, zone: zoneinfo.ZoneInfo) -> tuple[int, int]:
    """Return from when to when the day *text* is in *zone*, such as ``2026-11-24``.

    Raises:
        BadQuestion: no day.
    """
    try:
        found = to_micros(dt.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=zone))
        return found, next_day_start(found, zone)
    except (ValueError, OverflowError):
        detail = f"{text!r} is no day such as 2026-11-24"
        raise BadQuestion(detail, key="day", valid=("2026-11-24",)) from None


def read_groups(text: str) -> tuple[str, ...]:
    """Return the groups in *text*, such as ``model,layer``; ``none`` for one group.

    Raises:
        BadQuestion: one that there is not, or one twice.
    """
    if text == "none":
        return ()
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    valid = (*GROUPS, "tag.<name>", "none")
    for at, name in enumerate(names):
        if name not in GROUPS and not (name.startswith("tag.") and len(name) > len("tag.")):
            detail = f"{name!r} can't be grouped by; valid are {', '.join(valid)}"
            raise BadQuestion(detail, key="by", valid=valid)
        if name in names[:at]:
            detail = f"{name!r} is given twice"
            raise BadQuestion(detail, key="by", valid=valid)
    return names


def read_bucket(text: str) -> Bucket:
    """Return the bucket *text*.

    Raises:
        BadQuestion: there is none of that name.
    """
    found: dict[str, Bucket] = {name: name for name in get_args(Bucket)}
    if text not in found:
        detail = f"{text!r} is no bucket; valid are {', '.join(found)}"
        raise BadQuestion(detail, key="bucket", valid=tuple(found))
    return found[text]


def _edge(key: str, text: str, zone: zoneinfo.ZoneInfo) -> tuple[int, int]:
    """Return the first instant of *text*, and the one that is after all of it."""
    whole = {len("2026-11"): month_of, len("2026-11-24"): day_of}.get(len(text))
    try:
        if whole is not None:
            return whole(text, zone)
        # In an address a plus sign may have become a space.
        moment = dt.datetime.fromisoformat(text.replace(" ", "+"))
        at = to_micros(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        detail = f"{text!r} is not a date, a month or an instant, such as {', '.join(_DATES)}"
        raise BadQuestion(detail, key=key, valid=_DATES) from None
    return at, at
