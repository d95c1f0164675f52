"""Usage and cost over time and by group: the same sums for the API, the command line, CSV and pages."""

from __future__ import annotations

import datetime as dt
from itertools import chain
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.insight.buckets import DAY, QUARTER, Bucket, cut_of, days_cut, edges_of
from switchgear.insight.days import from_micros
from switchgear.insight.questions import BadQuestion, Span
from switchgear.insight.usage_rows import METRICS, Form, Metric, UsageRow, UsageSums, added, as_rows, as_sums, summed
from switchgear.ledger.usage_views import ROLLED_UP, Asked, UsageFilter
from switchgear.ledger.views import Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal
    from zoneinfo import ZoneInfo

    from switchgear.insight.sources import UsageLedger, UsagePiece
    from switchgear.ledger.usage_views import UsageSum

__all__ = ["Metric", "UsageQuestion", "UsageReport", "UsageRow", "UsageSums", "added", "from_rows", "summed", "usage"]

_MOST_BUCKETS: Final = 10_000
_LONGEST_RAW: Final = 93 * DAY


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
        found: Decimal | int = getattr(sums, METRICS[self.metric])
        return found


_Found = tuple[tuple[UsageRow, ...], Totals]
"""Rows, and the sum of them."""

_NOTHING: Final[_Found] = ((), Totals(group={}))


def usage(reader: UsageLedger, question: UsageQuestion, *, zone: ZoneInfo, providers: Mapping[str, str]) -> UsageReport:
    """Return the answer to *question*, days cut in *zone*; *providers* names the provider of each service.

    Raises:
        BadQuestion: too many buckets, or too long a time for what only rows can tell.
        LedgerError: the ledger can't be read.
    """
    names = list(dict.fromkeys("service" if name == "provider" else name for name in question.by))
    form = Form(
        by=question.by,
        places=tuple(
            (names.index("service" if name == "provider" else name), name == "provider") for name in question.by
        ),
        bucket=question.bucket,
        zone=zone,
        metric=question.metric,
        providers=tuple(sorted(providers.items())),
    )
    items, kept = _found(reader, question, names, form)
    whole = _whole(reader, question) if from_rows(question.by) else kept
    return UsageReport(
        metric=question.metric,
        by=question.by,
        bucket=question.bucket,
        timezone=zone.key,
        since=None if question.span.since is None else from_micros(question.span.since),
        until=None if question.span.until is None else from_micros(question.span.until),
        items=items,
        total=as_sums(whole),
        not_kept=max(0, whole.calls - kept.calls),
    )


def from_rows(by: Sequence[str]) -> bool:
    """Tell whether *by* needs the rows of attempts: roll-ups have neither jobs nor runs nor tags."""
    return any(name not in ROLLED_UP and name != "provider" for name in by)


def _found(reader: UsageLedger, question: UsageQuestion, names: Sequence[str], form: Form) -> _Found:
    by, bucket = question.by, question.bucket
    if by == ("job",) and bucket == "none" and question.span == (None, None) and question.where == UsageFilter():
        # The one question about jobs that sums are kept for; they outlive the rows.
        return _rows(reader.job_sums(), form)
    extent = reader.extent()
    if extent is None:
        return _NOTHING
    since = max(extent[0], question.span.since if question.span.since is not None else extent[0])
    until = min(extent[1], question.span.until if question.span.until is not None else extent[1])
    if until <= since:
        return _NOTHING
    _check_buckets(bucket, until - since)
    cut = cut_of(bucket, since, until, form.zone)
    if not from_rows(by):
        # Without buckets, too, what is over is remembered day by day.
        cut = cut or days_cut(since, until, form.zone)
        where = msgspec.structs.replace(question.where, since=None, until=None)
        pieces = reader.rollup_pieces(Asked(where, tuple(names), cut), edges_of(bucket, since, until, form.zone))
        return _joined(pieces, form)
    if until - since > _LONGEST_RAW:
        detail = f"more than 93 days; by {','.join(by)} is read row by row, so ask for less at a time"
        raise BadQuestion(detail, key="from")
    where = msgspec.structs.replace(question.where, since=since, until=until)
    return _rows(reader.row_sums(where, by=names, cut=cut), form)


def _rows(sums: Iterable[UsageSum], form: Form) -> _Found:
    found = tuple(sums)
    return as_rows(found, form), added(one.totals for one in found)


def _joined(pieces: Sequence[UsagePiece], form: Form) -> _Found:
    """Return the rows of *pieces*; those of a piece that is unchanged are still there."""
    if form.bucket in {"15min", "hour", "day"}:
        made = [piece.made(form, lambda each: _rows(each.sums, form)) for piece in pieces]
        return tuple(chain.from_iterable(rows for rows, _ in made)), added(totals for _, totals in made)
    return _rows((one for piece in pieces for one in piece.sums), form)


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
