"""Which time a cost report is about: a month, a day, or from one instant to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchgear.insight.buckets import QUARTER
from switchgear.insight.days import from_micros
from switchgear.insight.questions import BadQuestion, Span, day_of, month_of, read_span

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["read_period"]


def read_period(
    *, month: str | None, day: str | None, since: str | None, until: str | None, zone: ZoneInfo, now: int
) -> tuple[str, Span]:
    """Return what the period is called and which time it is; the running month where nothing is said.

    Raises:
        BadQuestion: a month and a day, or either beside *since* and *until*; or one that can't be read.
    """
    given = [name for name, text in (("month", month), ("day", day), ("from", since or until)) if text is not None]
    if len(given) > 1:
        detail = f"{' and '.join(given)} are given; one of month, day, or from with to is enough"
        raise BadQuestion(detail, key=given[1], valid=("month", "day", "from"))
    if day is not None:
        return day, Span(*day_of(day, zone))
    if since is None and until is None:
        name = month or f"{from_micros(now).astimezone(zone):%Y-%m}"
        return name, Span(*month_of(name, zone))
    if since is None:
        detail = "needed with to: a report has a beginning"
        raise BadQuestion(detail, key="from")
    start, end = read_span(since, until, zone)
    if end is None:
        end = now - now % QUARTER + QUARTER
        if start is not None and start >= end:
            detail = f"{since!r} is in the future"
            raise BadQuestion(detail, key="from")
    return f"{since} to {until or 'now'}", Span(start, end)
