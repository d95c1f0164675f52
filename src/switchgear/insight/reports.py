"""The cost report of a day, a month or any time: what was spent, on what, by whom, and what a call cost."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from switchgear.insight.days import from_micros
from switchgear.insight.usage import UsageQuestion, UsageRow, UsageSums, usage
from switchgear.ledger.usage_views import UsageFilter
from switchgear.money import to_nano, to_usd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from switchgear.insight.buckets import Bucket
    from switchgear.insight.questions import Span
    from switchgear.insight.sources import UsageLedger
    from switchgear.insight.usage import UsageReport

__all__ = ["CostPart", "CostReport", "CostRow", "Parts", "cost_report"]

_PARTS: Final = ("service", "provider", "model", "layer", "job", "key")

_SUMS: Final = UsageSums.__struct_fields__
_DAY: Final = 26 * 3600 * 1_000_000
"""Longer than any day."""


class Parts(NamedTuple):
    """What to cut the whole by, each one name or several; and how many groups a part has at most, None: all."""

    by: tuple[tuple[str, ...], ...]
    most: int | None

    @classmethod
    def of(cls, by: tuple[str, ...] | None, *, most: int | None) -> Parts:
        """Return the one part *by* or, for None, one by each of service, provider, model, layer, job and key."""
        return cls(tuple((name,) for name in _PARTS) if by is None else (by,), most)


class CostRow(UsageSums, frozen=True, kw_only=True):
    """What one group cost.

    Attributes:
        group: the value of each name; None: not said. Empty for totals and for the rest.
        cost_per_call_usd: the cost of an average call that went out and has a price, in whole
            nano-USD; None without such calls.
        cost_percent: the share of the whole cost, rounded to a tenth; None where nothing was spent.
        units: what was used that is no token (pages, requests), of the calls that are kept.
    """

    group: dict[str, str | None]
    cost_per_call_usd: Decimal | None = None
    cost_percent: float | None = None
    units: dict[str, int]


class CostPart(msgspec.Struct, frozen=True, kw_only=True):
    """The whole, cut by *by*: the dearest groups, and the sum of the others as *rest*."""

    by: tuple[str, ...]
    rows: tuple[CostRow, ...]
    rest: CostRow | None = None


class CostReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was spent from *since* to before *until*.

    Attributes:
        period: ``2026-11``, ``2026-11-24``, or what was asked for in words.
        total: what the ledger has for this time; every part adds up to it, but for *not_kept*.
        series: the same over time, by day, or by hour for a day.
        not_kept: calls whose rows are no longer kept: in *total*, but in no part by job, run or tag.
    """

    period: str
    timezone: str
    since: dt.datetime
    until: dt.datetime
    generated_at: dt.datetime
    total: CostRow
    parts: tuple[CostPart, ...]
    series: tuple[UsageRow, ...]
    not_kept: int


def cost_report(
    reader: UsageLedger,
    span: Span,
    *,
    period: str,
    parts: Parts,
    zone: ZoneInfo,
    providers: Mapping[str, str],
    now: int,
) -> CostReport:
    """Return the report of *span*, both of whose ends are known.

    Args:
        reader: the ledger.
        span: which time.
        period: how it is called.
        parts: what to cut the whole by.
        zone: in which days are cut.
        providers: the provider of each service.
        now: the epoch microsecond of making it.

    Raises:
        BadQuestion: too long a time for what only rows can tell.
        LedgerError: the ledger can't be read.
    """
    since, until = span
    assert since is not None  # noqa: S101 - promised above
    assert until is not None  # noqa: S101
    bucket: Bucket = "hour" if until - since < _DAY else "day"
    series = usage(reader, UsageQuestion(bucket=bucket, span=span), zone=zone, providers=providers)
    found = [usage(reader, UsageQuestion(by=by, span=span), zone=zone, providers=providers) for by in parts.by]
    used = _units(reader, span, tuple(dict.fromkeys(name for by in parts.by for name in by)), providers)
    cost = series.total.cost_usd
    total = _row([series.total], group={}, whole=cost, units=_units_by(used, ()))
    return CostReport(
        period=period,
        timezone=zone.key,
        since=from_micros(since),
        until=from_micros(until),
        generated_at=from_micros(now),
        total=total,
        parts=tuple(_part(one, used, cost, parts.most) for one in found),
        series=series.items,
        not_kept=max((one.not_kept for one in found), default=0),
    )


_Used = list[tuple[dict[str, str | None], dict[str, int]]]


def _units(reader: UsageLedger, span: Span, names: Sequence[str], providers: Mapping[str, str]) -> _Used:
    asked = tuple(dict.fromkeys("service" if name == "provider" else name for name in names))
    found: _Used = []
    for one in reader.units(UsageFilter(since=span.since, until=span.until), by=asked):
        group = dict(zip(asked, one.group, strict=True))
        service = group.get("service")
        found.append(({**group, "provider": providers.get(service, service) if service else None}, one.units))
    return found


def _units_by(used: _Used, by: Sequence[str]) -> dict[tuple[str | None, ...], dict[str, int]]:
    found: dict[tuple[str | None, ...], dict[str, int]] = {}
    for names, units in used:
        sums = found.setdefault(tuple(names[name] for name in by), {})
        for unit, number in units.items():
            sums[unit] = sums.get(unit, 0) + number
    return found


def _part(report: UsageReport, used: _Used, whole: Decimal, most: int | None) -> CostPart:
    by, units = report.by, _units_by(used, report.by)
    items = sorted(report.items, key=lambda item: (-item.cost_usd, -item.calls, *map(str, item.group.values())))
    listed = items if most is None or len(items) <= most + 1 else items[:most]
    rows = tuple(_row([item], group=item.group, whole=whole, units=units) for item in listed)
    if len(listed) == len(items):
        return CostPart(by=by, rows=rows)
    others = items[len(listed) :]
    names = {tuple(item.group.values()) for item in others}
    rest = _units_by([({}, one) for name, one in units.items() if name in names], ())
    return CostPart(by=by, rows=rows, rest=_row(others, group={}, whole=whole, units=rest))


def _row(
    items: Sequence[UsageSums],
    *,
    group: dict[str, str | None],
    whole: Decimal,
    units: Mapping[tuple[str | None, ...], dict[str, int]],
) -> CostRow:
    sums = {name: sum(getattr(item, name) for item in items) for name in _SUMS}
    cost = Decimal(sums["cost_usd"])
    priced = sums["calls"] - sums["refused"] - sums["unpriced"]
    return CostRow(
        **{**sums, "cost_usd": cost},
        group=group,
        cost_per_call_usd=_per_call(cost, priced),
        cost_percent=round(float(cost / whole * 100), 1) if whole else None,
        units=dict(sorted(units.get(tuple(group.values()), {}).items())),
    )


def _per_call(cost: Decimal, calls: int) -> Decimal | None:
    if calls <= 0:
        return None
    nano = (Decimal(to_nano(cost)) / calls).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
    return to_usd(int(nano))
