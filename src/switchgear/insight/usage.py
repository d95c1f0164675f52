"""Usage and cost over time and by group: the same sums for the API, the command line, CSV and pages."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from switchgear.insight.buckets import QUARTER, Bucket, bucket_end, bucket_label, bucket_start, cut_of
from switchgear.insight.days import from_micros
from switchgear.insight.questions import BadQuestion, Span
from switchgear.ledger.usage_views import ROLLED_UP, UsageFilter
from switchgear.ledger.views import Totals
from switchgear.money import to_usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from switchgear.insight.sources import UsageLedger
    from switchgear.ledger.usage_views import UsageSum

__all__ = ["Metric", "UsageQuestion", "UsageReport", "UsageRow", "UsageSums", "added", "from_rows", "summed", "usage"]

Metric = Literal["cost", "tokens_in", "tokens_out", "cached", "reasoning", "calls"]
"""What rows are sorted by, and what their *value* is; ``cached`` is input read from a provider's cache."""

_MOST_BUCKETS: Final = 10_000
_LONGEST_RAW: Final = 93 * 24 * 4 * QUARTER
_ADDED: Final = Totals.__struct_fields__[2:]
_METRICS: Final[dict[Metric, str]] = {
    "cost": "cost_usd",
    "tokens_in": "input_tokens",
    "tokens_out": "output_tokens",
    "cached": "cache_read_tokens",
    "reasoning": "reasoning_tokens",
    "calls": "calls",
}


class UsageQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked.

    Attributes:
        by: what to group by, as *read_groups* gives it; empty: one group.
        bucket: how time is cut.
        span: which time; roll-ups are of whole quarters of an hour, and so is it.
        metric: what each row's *value* is.
        where: which calls; its times are not looked at.
    """

    by: tuple[str, ...] = ()
    bucket: Bucket = "none"
    span: Span = Span(None, None)
    metric: Metric = "cost"
    where: UsageFilter = UsageFilter()


class UsageSums(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of calls.

    Attributes:
        calls: attempts of every outcome; *ok*, *failed*, *refused*, *cancelled* and *orphaned* add up to it.
        cost_usd: of priced calls; the *unpriced* ones are in no sum.
        estimated: calls whose usage is our estimate, not the provider's word.
    """

    calls: int = 0
    ok: int = 0
    failed: int = 0
    refused: int = 0
    cancelled: int = 0
    orphaned: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0
    estimated: int = 0


class UsageRow(UsageSums, frozen=True, kw_only=True):
    """The sums of one group in one bucket.

    Attributes:
        start: of the bucket; None where time is not cut, as *end* and *label*.
        label: the bucket for people, in the time zone of the report.
        group: the value of each name that was asked for; None: not said.
        value: the metric that was asked for.
    """

    start: dt.datetime | None
    end: dt.datetime | None
    label: str | None
    group: dict[str, str | None]
    value: Decimal | int


class UsageReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer.

    Attributes:
        since: inclusive, as *until* is exclusive; None: from the first call, to the last.
        items: by bucket, then by group; buckets without calls are left out.
        total: of all items, on other pages too: what the ledger has for the time and the filters.
        not_kept: calls of this time whose rows are no longer kept. They are in *total* but in no
            item; always 0 unless by job, run or tag, which roll-ups do not have.
        next: goes into `after` to read on.
    """

    metric: Metric
    by: tuple[str, ...]
    bucket: Bucket
    timezone: str
    since: dt.datetime | None
    until: dt.datetime | None
    items: tuple[UsageRow, ...]
    total: UsageSums
    not_kept: int
    next: str | None = None

    def value_of(self, sums: UsageSums) -> Decimal | int:
        """Return the metric that was asked for, of *sums*."""
        found: Decimal | int = getattr(sums, _METRICS[self.metric])
        return found


_SAME: Final = tuple(name for name in UsageSums.__struct_fields__ if name != "cost_usd")


def usage(reader: UsageLedger, question: UsageQuestion, *, zone: ZoneInfo, providers: Mapping[str, str]) -> UsageReport:
    """Return the answer to *question*, days cut in *zone*; *providers* names the provider of each service.

    Raises:
        BadQuestion: too many buckets, or too long a time for what only rows can tell.
        LedgerError: the ledger can't be read.
    """
    found = _found(reader, question, zone, providers)
    whole = _whole(reader, question) if from_rows(question.by) else added(found.values())
    kept = added(found.values()).calls
    return UsageReport(
        metric=question.metric,
        by=question.by,
        bucket=question.bucket,
        timezone=zone.key,
        since=None if question.span.since is None else from_micros(question.span.since),
        until=None if question.span.until is None else from_micros(question.span.until),
        items=tuple(
            _row(question, zone, start, group, totals)
            for (start, group), totals in sorted(found.items(), key=lambda item: _order(*item[0]))
        ),
        total=UsageSums(**_sums(whole)),
        not_kept=max(0, whole.calls - kept),
    )


def from_rows(by: Sequence[str]) -> bool:
    """Tell whether *by* needs the rows of attempts: roll-ups have neither jobs nor runs nor tags."""
    return any(name not in ROLLED_UP and name != "provider" for name in by)


def added(rows: Iterable[Totals]) -> Totals:
    """Return the sum of *rows*."""
    sums = dict.fromkeys(_ADDED, 0)
    for row in rows:
        for name in _ADDED:
            sums[name] += getattr(row, name)
    return Totals(group={}, **sums)


def summed(sums: Iterable[UsageSums]) -> UsageSums:
    """Return the sum of *sums*."""
    numbers: dict[str, Any] = dict.fromkeys(_SAME, 0) | {"cost_usd": Decimal(0)}
    for one in sums:
        for name in numbers:
            numbers[name] += getattr(one, name)
    return UsageSums(**numbers)


_Place = tuple[int | None, tuple[str | None, ...]]


def _found(
    reader: UsageLedger, question: UsageQuestion, zone: ZoneInfo, providers: Mapping[str, str]
) -> dict[_Place, Totals]:
    by, bucket = question.by, question.bucket
    raw = from_rows(by)
    if by == ("job",) and bucket == "none" and question.span == (None, None) and question.where == UsageFilter():
        # The one question about jobs that sums are kept for; they outlive the rows.
        return _merged(reader.job_sums(), [(0, False)], bucket, zone, providers)
    extent = reader.extent()
    if extent is None:
        return {}
    since = max(extent[0], question.span.since if question.span.since is not None else extent[0])
    until = min(extent[1], question.span.until if question.span.until is not None else extent[1])
    if until <= since:
        return {}
    _check_buckets(bucket, until - since)
    if raw and until - since > _LONGEST_RAW:
        detail = f"more than 93 days; by {','.join(by)} is read row by row, so ask for less at a time"
        raise BadQuestion(detail, key="from")
    where = msgspec.structs.replace(question.where, since=since, until=until)
    asked = ["service" if name == "provider" else name for name in by]
    names = list(dict.fromkeys(asked))
    cut = cut_of(bucket, since, until, zone)
    sums = reader.row_sums(where, by=names, cut=cut) if raw else reader.rollup_sums(where, by=names, cut=cut)
    places = [(names.index(name), given == "provider") for name, given in zip(asked, by, strict=True)]
    return _merged(sums, places, question.bucket, zone, providers)


def _merged(
    sums: Iterable[UsageSum],
    places: Sequence[tuple[int, bool]],
    bucket: Bucket,
    zone: ZoneInfo,
    providers: Mapping[str, str],
) -> dict[_Place, Totals]:
    starts: dict[int, int] = {}
    found: dict[_Place, list[Totals]] = {}
    for one in sums:
        start: int | None = None
        if one.at is not None:
            if (known := starts.get(one.at)) is None:
                known = starts[one.at] = bucket_start(one.at, bucket, zone)
            start = known
        group = tuple(
            providers.get(value, value) if provider and (value := one.group[at]) is not None else one.group[at]
            for at, provider in places
        )
        found.setdefault((start, group), []).append(one.totals)
    return {place: rows[0] if len(rows) == 1 else added(rows) for place, rows in found.items()}


def _whole(reader: UsageLedger, question: UsageQuestion) -> Totals:
    span = question.span
    where = msgspec.structs.replace(question.where, since=span.since, until=span.until)
    return added(one.totals for one in reader.rollup_sums(where))


def _check_buckets(bucket: Bucket, length: int) -> None:
    sizes: dict[Bucket, int] = {"15min": QUARTER, "hour": 4 * QUARTER}
    if length > _MOST_BUCKETS * sizes.get(bucket, length):
        detail = (
            f"{bucket!r} would be more than {_MOST_BUCKETS:,} buckets; ask for less time, or for day, week or month"
        )
        raise BadQuestion(detail, key="bucket", valid=("day", "week", "month"))


def _order(start: int | None, group: tuple[str | None, ...]) -> tuple[int, tuple[str, ...]]:
    return start or 0, tuple("" if value is None else value for value in group)


def _row(
    question: UsageQuestion, zone: ZoneInfo, start: int | None, group: tuple[str | None, ...], totals: Totals
) -> UsageRow:
    bucket, sums = question.bucket, _sums(totals)
    return UsageRow(
        start=None if start is None else from_micros(start),
        end=None if start is None else from_micros(bucket_end(start, bucket, zone)),
        label=None if start is None else bucket_label(start, bucket, zone),
        group=dict(zip(question.by, group, strict=True)),
        value=sums[_METRICS[question.metric]],
        **sums,
    )


def _sums(totals: Totals) -> dict[str, Any]:
    return {**{name: getattr(totals, name) for name in _SAME}, "cost_usd": to_usd(totals.cost)}
