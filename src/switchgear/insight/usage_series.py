"""A usage report as a picture wants it: every bucket, the largest groups by name, beside the time before."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from switchgear.insight.buckets import QUARTER, Bucket, bucket_end, bucket_label, bucket_start
from switchgear.insight.days import from_micros, to_micros
from switchgear.insight.questions import BadQuestion, Span
from switchgear.insight.usage import UsageReport, UsageSums, summed, usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from switchgear.insight.sources import UsageLedger
    from switchgear.insight.usage import UsageQuestion, UsageRow

__all__ = [
    "OTHER",
    "TREND_RULE",
    "Column",
    "Group",
    "Trend",
    "UsageSeries",
    "before",
    "usage_series",
]

NAMED: Final = 5
"""Groups that a picture tells apart; the others are one."""

OTHER: Final = "other"

MOST_COLUMNS: Final = 800
"""Buckets that a picture has room for."""

_AVERAGED: Final[dict[Bucket, int]] = {"15min": 4, "hour": 24, "day": 7, "week": 4, "month": 3}

_STEADY: Final = Decimal("0.1")
_NANO: Final = Decimal("1e-9")

Trend = Literal["rising", "falling", "steady", "new", "none"]

TREND_RULE: Final = "rising or falling: 10 % or more from the same stretch of the period before"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table.

    Attributes:
        name: what the calls have in common; None: not said.
        slot: its place among the colours from 1 on; 0: among the others.
        value: the metric that was asked for, as *share* of the whole (None: the whole is 0).
        change: against the period before, as a share of it; None: nothing was there.
    """

    name: str | None
    slot: int
    sums: UsageSums
    value: Decimal
    share: Decimal | None
    change: Decimal | None
    usd_per_call: Decimal | None
    usd_per_1k_tokens: Decimal | None


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One bucket: the value of each slot that has any, and their trailing average over *average_of* buckets."""

    start: dt.datetime
    end: dt.datetime
    label: str
    values: dict[int, Decimal]
    total: Decimal
    average: Decimal | None
    sums: UsageSums
    running: bool


class UsageSeries(msgspec.Struct, frozen=True, kw_only=True):
    """The picture.

    Attributes:
        slots: the name of each slot, 0 (the others) where there are any.
        before: the sums of the period before; None: not compared.
        average_of: buckets in the moving average.
    """

    report: UsageReport
    slots: dict[int, str | None]
    columns: tuple[Column, ...]
    groups: tuple[Group, ...]
    whole: Group
    before: UsageSums | None
    before_span: tuple[dt.datetime, dt.datetime] | None
    trend: Trend
    average_of: int


def before(span: Span, *, now: int, days: int | None, zone: ZoneInfo) -> Span:
    """Return the period before *span*, only as far as *span* has come: a running day is compared with part of one.

    Args:
        span: the period, both ends given.
        now: epoch microseconds.
        days: how many days of the calendar it is (of DST one has 23 or 25 hours); None: it is a length.
        zone: whose days.
    """
    assert span.since is not None  # noqa: S101 - as documented
    assert span.until is not None  # noqa: S101
    end = min(span.until, now + -now % QUARTER)
    if days is None:
        length = span.until - span.since
        return Span(span.since - length, max(span.since - length, end - length))
    return Span(_days_back(span.since, days, zone), _days_back(end, days, zone))


def usage_series(
    reader: UsageLedger,
    question: UsageQuestion,
    *,
    compare: Span | None,
    now: int,
    zone: ZoneInfo,
    providers: Mapping[str, str],
    first: Sequence[str] = (),
) -> UsageSeries:
    """Return the picture of *question*, which has one group, a bucket and both ends of its time.

    Args:
        reader: the ledger's.
        question: what is asked.
        compare: the period before; None: not compared.
        now: epoch microseconds.
        zone: whose days.
        providers: the provider of each service.
        first: groups that have their place whatever they used, so that a name keeps its colour; the
            largest of the others get the places that are left.

    Raises:
        BadQuestion: more buckets than a picture has room for, or what *usage* can't answer.
        LedgerError: the ledger can't be read.
    """
    starts = _starts(question.span, question.bucket, zone)
    report = usage(reader, question, zone=zone, providers=providers)
    by_group = _by_group(report.items)
    earlier: dict[str | None, UsageSums] | None = None
    whole_before: UsageSums | None = None
    if compare is not None:
        flat = msgspec.structs.replace(question, bucket="none", span=compare)
        report_before = usage(reader, flat, zone=zone, providers=providers)
        earlier, whole_before = _by_group(report_before.items), report_before.total
    ranked = sorted(by_group, key=lambda name: (-_value(by_group[name], report), name is None, name or ""))
    placed: list[str | None] = [*first, *(name for name in ranked if name not in first)]
    slots = {name: place for place, name in enumerate(placed[:NAMED], start=1) if name in by_group}
    total = _value(report.total, report)
    whole = _group(None, 0, report.total, report, total, whole_before)
    return UsageSeries(
        report=report,
        slots={slot: name for name, slot in slots.items()} | ({0: OTHER} if len(by_group) > len(slots) else {}),
        columns=_columns(report, starts, slots, zone, now),
        groups=tuple(
            _group(
                name, slots.get(name, 0), by_group[name], report, total, None if earlier is None else earlier.get(name)
            )
            for name in ranked
        ),
        whole=whole,
        before=whole_before,
        before_span=None
        if compare is None or compare.since is None or compare.until is None
        else (from_micros(compare.since), from_micros(compare.until)),
        trend=_trend(total, None if whole_before is None else _value(whole_before, report)),
        average_of=_AVERAGED.get(question.bucket, 1),
    )


def _days_back(instant: int, days: int, zone: ZoneInfo) -> int:
    local = from_micros(instant).astimezone(zone)
    return to_micros((local.replace(tzinfo=None) - dt.timedelta(days=days)).replace(tzinfo=zone)) // QUARTER * QUARTER


def _starts(span: Span, bucket: Bucket, zone: ZoneInfo) -> list[int]:
    assert span.since is not None  # noqa: S101 - as documented
    assert span.until is not None  # noqa: S101
    found: list[int] = []
    start = bucket_start(span.since, bucket, zone)
    while start < span.until:
        found.append(start)
        if len(found) > MOST_COLUMNS:
            detail = f"{bucket!r} would be more than {MOST_COLUMNS} buckets; ask for less time, or for larger ones"
            raise BadQuestion(detail, key="bucket", valid=("hour", "day", "week", "month"))
        start = bucket_end(start, bucket, zone)
    return found


def _by_group(rows: Iterable[UsageRow]) -> dict[str | None, UsageSums]:
    found: dict[str | None, list[UsageSums]] = {}
    for row in rows:
        found.setdefault(next(iter(row.group.values()), None), []).append(row)
    return {name: summed(rows_of) for name, rows_of in found.items()}


def _value(sums: UsageSums, report: UsageReport) -> Decimal:
    return Decimal(report.value_of(sums))


def _group(
    name: str | None,
    slot: int,
    sums: UsageSums,
    report: UsageReport,
    total: Decimal,
    earlier: UsageSums | None,
) -> Group:
    value = _value(sums, report)
    went_before = None if earlier is None else _value(earlier, report)
    tokens = sums.input_tokens + sums.output_tokens
    went_out = sums.calls - sums.refused - sums.unpriced
    return Group(
        name=name,
        slot=slot,
        sums=sums,
        value=value,
        share=value / total if total else None,
        change=(value - went_before) / went_before if went_before else None,
        usd_per_call=_exact(sums.cost_usd / went_out) if went_out > 0 else None,
        usd_per_1k_tokens=_exact(sums.cost_usd * 1000 / tokens) if tokens and not sums.unpriced else None,
    )


def _columns(
    report: UsageReport, starts: Sequence[int], slots: Mapping[str | None, int], zone: ZoneInfo, now: int
) -> tuple[Column, ...]:
    rows: dict[int, list[UsageRow]] = {}
    for item in report.items:
        if item.start is not None:
            rows.setdefault(to_micros(item.start), []).append(item)
    size = _AVERAGED.get(report.bucket, 1)
    totals: list[Decimal] = []
    found: list[Column] = []
    for start in starts:
        end = bucket_end(start, report.bucket, zone)
        values: dict[int, Decimal] = {}
        for row in rows.get(start, ()):
            slot = slots.get(next(iter(row.group.values()), None), 0)
            values[slot] = values.get(slot, Decimal(0)) + _value(row, report)
        total = sum(values.values(), Decimal(0))
        totals.append(total)
        running = end > now
        # The running bucket is not whole: it would pull the average down.
        whole = len(totals) >= size and not running
        found.append(
            Column(
                start=from_micros(start),
                end=from_micros(end),
                label=bucket_label(start, report.bucket, zone),
                values=values,
                total=total,
                average=_exact(sum(totals[-size:], Decimal(0)) / size) if whole else None,
                sums=summed(rows.get(start, ())),
                running=running,
            )
        )
    return tuple(found)


def _exact(value: Decimal) -> Decimal:
    """Return *value* in whole billionths: a nano-dollar is the least there is."""
    return value.quantize(_NANO)


def _trend(value: Decimal, earlier: Decimal | None) -> Trend:
    if earlier is None:
        return "none"
    if earlier == 0:
        return "new" if value else "steady"
    change = (value - earlier) / earlier
    if abs(change) < _STEADY:
        return "steady"
    return "rising" if change > 0 else "falling"
