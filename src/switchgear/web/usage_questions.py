"""The usage page's address: a metric, one group, a bucket and a time, each with a default; what is wrong is a 400."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from pydantic import Field

from switchgear.insight.buckets import QUARTER, Bucket, month_end
from switchgear.insight.days import day_start, from_micros, hour_start, month_start, next_day_start, to_micros
from switchgear.insight.questions import GROUPS, BadQuestion, Span, read_groups, read_span, read_zone
from switchgear.insight.usage import Metric, UsageQuestion
from switchgear.insight.usage_series import before
from switchgear.ledger.usage_views import UsageFilter
from switchgear.web.queries import NoQuery

__all__ = [
    "BUCKETS",
    "METRICS",
    "RANGES",
    "PageBucket",
    "Range",
    "UsagePageQuery",
    "UsageTime",
    "question_of",
    "time_of",
]

Range = Literal["1h", "24h", "7d", "30d", "90d", "month"]
PageBucket = Literal["15min", "hour", "day", "week", "month"]

RANGES: Final[dict[Range, str]] = {
    "1h": "last hour",
    "24h": "last 24 hours",
    "7d": "last 7 days",
    "30d": "last 30 days",
    "90d": "last 90 days",
    "month": "this month",
}
METRICS: Final[dict[Metric, str]] = {
    "cost": "Cost",
    "tokens_in": "Tokens in",
    "tokens_out": "Tokens out",
    "cached": "Tokens from cache",
    "reasoning": "Reasoning tokens",
    "calls": "Calls",
}
BUCKETS: Final[dict[PageBucket, str]] = {
    "15min": "15 minutes",
    "hour": "hour",
    "day": "day",
    "week": "week",
    "month": "month",
}

_DAYS: Final[dict[Range, int]] = {"7d": 7, "30d": 30, "90d": 90}
_HOUR: Final = 4 * QUARTER
_DAY: Final = 24 * _HOUR
_FEW_HOURS: Final = 6 * _HOUR
_FEW_DAYS: Final = 3 * _DAY
_MANY_DAYS: Final = 120 * _DAY


class UsagePageQuery(NoQuery):
    """Of ``/usage``."""

    metric: Annotated[Metric, Field(description="what the columns show")] = "cost"
    by: Annotated[
        str, Field(description="one of service, provider, model, layer, key, status, job, run, tag.<name>")
    ] = "service"
    bucket: Annotated[PageBucket | None, Field(description="how time is cut; default: by the range")] = None
    range: Annotated[Range | None, Field(description="up to now; default 7d, if no dates are given")] = None
    since: Annotated[str | None, Field(alias="from", description="date or month (whole), or instant; inclusive")] = None
    until: Annotated[str | None, Field(alias="to", description="date or month (whole), or instant")] = None
    tz: Annotated[str | None, Field(description="IANA time zone; default: reporting_timezone")] = None
    compare: Annotated[Literal["0", "1"], Field(description="0: without the period before")] = "1"
    service: Annotated[str | None, Field(description="only this service")] = None
    model: Annotated[str | None, Field(description="only this model, as billed")] = None
    layer: Annotated[str | None, Field(description="only this layer")] = None
    key: Annotated[str | None, Field(description="only calls with this key")] = None

    def given(self) -> dict[str, str]:
        """Return what was asked for, by the names in the address, without what is default."""
        found = self.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)
        return {key: str(value) for key, value in found.items()}


class UsageTime(msgspec.Struct, frozen=True, kw_only=True):
    """The time that is looked at.

    Attributes:
        compare: the period before it; None: not asked for.
        words: what it is, for people.
    """

    span: Span
    bucket: PageBucket
    compare: Span | None
    zone: ZoneInfo
    words: str


def time_of(query: UsagePageQuery, *, now: int, zone: ZoneInfo) -> UsageTime:
    """Return the time that *query* asks for.

    Raises:
        BadQuestion: no time zone, no dates, a range beside dates, or the end before the start.
    """
    zone = zone if query.tz is None else read_zone(query.tz)
    dated = query.since is not None or query.until is not None
    if dated and query.range is not None:
        detail = "goes without from and to"
        raise BadQuestion(detail, key="range", valid=tuple(RANGES))
    days: int | None = None
    if dated:
        span = _between(read_span(query.since, query.until, zone), now, zone)
        words = f"{query.since or 'the day'} to {query.until or 'now'}"
    else:
        chosen: Range = query.range or "7d"
        span, days, words = *_last(chosen, now, zone), RANGES[chosen]
    assert span.since is not None  # noqa: S101 - both ways give both ends
    assert span.until is not None  # noqa: S101
    compare = before(span, now=now, days=days, zone=zone) if query.compare == "1" else None
    return UsageTime(
        span=span, bucket=query.bucket or _bucket(span.until - span.since), compare=compare, zone=zone, words=words
    )


def question_of(query: UsagePageQuery, time: UsageTime) -> UsageQuestion:
    """Return what the ledger is asked.

    Raises:
        BadQuestion: more or less than one known group.
    """
    by = read_groups(query.by)
    if len(by) != 1:
        detail = f"{query.by!r} is not one group; /api/usage takes several"
        raise BadQuestion(detail, key="by", valid=GROUPS)
    bucket: Bucket = time.bucket
    where = UsageFilter(service=query.service, model=query.model, layer=query.layer, key=query.key)
    return UsageQuestion(by=by, bucket=bucket, span=time.span, metric=query.metric, where=where)


def _between(span: Span, now: int, zone: ZoneInfo) -> Span:
    until = span.until if span.until is not None else next_day_start(now, zone)
    since = span.since if span.since is not None else day_start(until - 1, zone)
    if until <= since:
        detail = "is not before now"
        raise BadQuestion(detail, key="from")
    return Span(since, until)


def _last(chosen: Range, now: int, zone: ZoneInfo) -> tuple[Span, int | None]:
    """Return the range that ends with the running bucket, and its days where it is cut in days."""
    if chosen == "1h":
        end = now + -now % QUARTER
        return Span(end - _HOUR, end), None
    if chosen == "24h":
        end = hour_start(now, zone) + _HOUR
        return Span(end - _DAY, end), 1
    if chosen == "month":
        start = month_start(now, zone)
        length = from_micros(start - 1).astimezone(zone).day
        return Span(start, month_end(start, zone)), length
    days = _DAYS[chosen]
    today = from_micros(now).astimezone(zone).date()
    first = dt.datetime.combine(today - dt.timedelta(days=days - 1), dt.time(), tzinfo=zone)
    return Span(to_micros(first), next_day_start(now, zone)), days


def _bucket(length: int) -> PageBucket:
    if length <= _FEW_HOURS:
        return "15min"
    if length <= _FEW_DAYS:
        return "hour"
    return "day" if length <= _MANY_DAYS else "week"
