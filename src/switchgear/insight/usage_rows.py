"""Rows of a usage report: sums of one group in one piece of time, ready to be shown."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from switchgear.insight.buckets import Bucket, bucket_end, bucket_label, bucket_start
from switchgear.insight.days import from_micros
from switchgear.ledger.views import Totals
from switchgear.money import to_usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchgear.ledger.usage_views import UsageSum

__all__ = ["METRICS", "Form", "Metric", "UsageRow", "UsageSums", "added", "as_rows", "as_sums", "summed"]

Metric = Literal["cost", "tokens_in", "tokens_out", "cached", "reasoning", "calls"]
"""What rows are sorted by, and what their *value* is; ``cached`` is input read from a provider's cache."""

_ADDED: Final = Totals.__struct_fields__[2:]
METRICS: Final[dict[Metric, str]] = {
    "cost": "cost_usd",
    "tokens_in": "input_tokens",
    "tokens_out": "output_tokens",
    "cached": "cache_read_tokens",
    "reasoning": "reasoning_tokens",
    "calls": "calls",
}


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


_SAME: Final = tuple(name for name in UsageSums.__struct_fields__ if name != "cost_usd")
_Place = tuple[int | None, tuple[str | None, ...]]


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """How sums become rows.

    Attributes:
        by: the names that were asked for.
        places: for each of them, which value of a sum's group it is, and whether it is the provider of it.
        bucket: how time is cut, days in *zone*.
        providers: the provider of each service; a service without one is its own.
    """

    by: tuple[str, ...]
    places: tuple[tuple[int, bool], ...]
    bucket: Bucket
    zone: ZoneInfo
    metric: Metric
    providers: tuple[tuple[str, str], ...] = ()


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


def as_sums(totals: Totals) -> UsageSums:
    """Return *totals* as they are shown."""
    return UsageSums(**_shown(totals))


def as_rows(sums: Iterable[UsageSum], form: Form) -> tuple[UsageRow, ...]:
    """Return the rows of *sums* by bucket, then by group; sums of one place are added up."""
    found = _merged(sums, form)
    made = _Maker(form)
    return tuple(made.row(*place, found[place]) for place in sorted(found, key=_order))


class _Maker:
    """Makes rows; what rows of one bucket or one group share is made once."""

    def __init__(self, form: Form) -> None:
        self._form: Final = form
        self._value: Final = METRICS[form.metric]
        self._buckets: Final[dict[int | None, dict[str, Any]]] = {
            None: dict.fromkeys(("start", "end", "label")),
        }
        self._groups: Final[dict[tuple[str | None, ...], dict[str, str | None]]] = {}

    def row(self, start: int | None, group: tuple[str | None, ...], totals: Totals) -> UsageRow:
        """Return the row of *totals*."""
        if (time := self._buckets.get(start)) is None and start is not None:
            bucket, zone = self._form.bucket, self._form.zone
            time = self._buckets[start] = {
                "start": from_micros(start),
                "end": from_micros(bucket_end(start, bucket, zone)),
                "label": bucket_label(start, bucket, zone),
            }
        if (named := self._groups.get(group)) is None:
            named = self._groups[group] = dict(zip(self._form.by, group, strict=True))
        sums = _shown(totals)
        return UsageRow(**time or {}, group=named, value=sums[self._value], **sums)


def _merged(sums: Iterable[UsageSum], form: Form) -> dict[_Place, Totals]:
    starts: dict[int, int] = {}
    found: dict[_Place, list[Totals]] = {}
    providers = dict(form.providers)
    for one in sums:
        start: int | None = None
        if one.at is not None and form.bucket != "none":
            if (known := starts.get(one.at)) is None:
                known = starts[one.at] = bucket_start(one.at, form.bucket, form.zone)
            start = known
        found.setdefault((start, _group(one.group, form, providers)), []).append(one.totals)
    return {place: rows[0] if len(rows) == 1 else added(rows) for place, rows in found.items()}


def _group(values: tuple[str | None, ...], form: Form, providers: Mapping[str, str]) -> tuple[str | None, ...]:
    return tuple(
        providers.get(value, value) if provider and (value := values[at]) is not None else values[at]
        for at, provider in form.places
    )


def _order(place: _Place) -> tuple[int, tuple[str, ...]]:
    return place[0] or 0, tuple("" if value is None else value for value in place[1])


def _shown(totals: Totals) -> dict[str, Any]:
    return {**{name: getattr(totals, name) for name in _SAME}, "cost_usd": to_usd(totals.cost)}
