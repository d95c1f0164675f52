"""One budget account in full: how it got where it is, where it goes, and what it went on."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.insight.buckets import QUARTER, Bucket, bucket_start
from switchgear.insight.days import to_micros
from switchgear.insight.forecast import crossing
from switchgear.insight.usage import from_rows
from switchgear.ledger.usage_views import UsageFilter
from switchgear.money import to_nano

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from switchgear.insight.forecast_budgets import BudgetOutlook
    from switchgear.insight.metrics import BudgetMetrics
    from switchgear.insight.sources import UsageLedger
    from switchgear.ledger.usage_views import UsageSum

__all__ = [
    "Line",
    "Part",
    "PastPeriod",
    "Point",
    "breakdown",
    "burn_rate",
    "lasts_until",
    "limit_in",
    "line_of",
    "past_periods",
    "spent_in",
]

_DAY: Final = 24 * 4 * QUARTER
_PARTS: Final = 8
_PERIODS: Final = 6
_ADDED: Final = ("cost", "input_tokens", "output_tokens", "calls", "unpriced")


class Point(msgspec.Struct, frozen=True):
    """*used* in all at *at* (epoch microseconds), in nano-USD or tokens."""

    at: int
    used: int


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The period from its start to its end: what was used, and what is expected with its band (empty: none)."""

    used: tuple[Point, ...]
    expected: tuple[Point, ...]
    low: tuple[Point, ...]
    high: tuple[Point, ...]


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one layer, model or job used of a budget; *name* None: not said, or (*rest*) all the others."""

    name: str | None
    used: int
    calls: int
    unpriced: int
    rest: bool = False


class PastPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """A period that is over: from *start* (epoch microseconds), and what was used in it."""

    start: int
    used: int


def limit_in(budget: BudgetMetrics) -> int:
    """Return the limit in nano-USD or tokens."""
    return to_nano(budget.limit_usd) if budget.limit_usd is not None else budget.limit_tokens or 0


def spent_in(budget: BudgetMetrics) -> int:
    """Return what is spent in nano-USD or tokens."""
    return to_nano(budget.spent_usd) if budget.spent_usd is not None else budget.spent_tokens or 0


def line_of(found: BudgetOutlook, budget: BudgetMetrics) -> Line:
    """Return the lines of the running period, ending now at what the live number says is spent."""
    start = to_micros(found.forecast.period_start)
    spent = spent_in(budget)
    steps = sorted(at for at in found.used if at >= start)
    sums = list(accumulate(found.used[at] for at in steps))
    size = found.steps.size_us
    past = [Point(at + size, min(used, spent)) for at, used in zip(steps, sums, strict=True) if at + size <= found.now]
    used = (Point(start, 0), *past, Point(found.now, spent))
    ahead = [
        found.steps.until + size * (step + 1) for step in range(len(found.outlook.expected if found.outlook else ()))
    ]

    def path(values: Sequence[float] | None) -> tuple[Point, ...]:
        if values is None:
            return ()
        points = (Point(at, spent + round(value)) for at, value in zip(ahead, values, strict=True))
        return (Point(found.now, spent), *points)

    outlook = found.outlook
    if outlook is None:
        return Line(used=used, expected=(), low=(), high=())
    return Line(used=used, expected=path(outlook.expected), low=path(outlook.low), high=path(outlook.high))


def burn_rate(found: BudgetOutlook) -> int | None:
    """Return what was used an hour over the last 24 whole hours, or over the history if that is shorter; None: none."""
    until = found.steps.until
    first = min(found.used, default=until)
    since = max(until - _DAY, first)
    hours = (until - since) / (4 * QUARTER)
    if hours < 1:
        return None
    return round(sum(used for at, used in found.used.items() if at >= since) / hours)


def lasts_until(found: BudgetOutlook, limit: int, spent: int) -> int | None:
    """Return when a limit of *limit* would be reached, in epoch microseconds; None: not in this period."""
    if found.outlook is None:
        return None
    size = found.steps.size_us
    left = 1 - (found.now - found.steps.until) / size
    steps = crossing(found.outlook.expected, limit - spent, left)
    at = None if steps is None else found.now + round(steps * size)
    return None if at is None or at >= to_micros(found.forecast.period_end) else at


def past_periods(found: BudgetOutlook, zone: ZoneInfo) -> tuple[PastPeriod, ...]:
    """Return the periods before the running one that the history reaches, newest first, at most 6."""
    period: Bucket = found.forecast.period  # type: ignore[assignment]  # foreseeable: a period of the calendar
    running = to_micros(found.forecast.period_start)
    sums: dict[int, int] = {}
    for at, used in found.used.items():
        if at < running:
            start = bucket_start(at, period, zone)
            sums[start] = sums.get(start, 0) + used
    return tuple(PastPeriod(start=start, used=sums[start]) for start in sorted(sums, reverse=True)[:_PERIODS])


def breakdown(reader: UsageLedger, budget: BudgetMetrics, by: str, *, until: int) -> tuple[Part, ...]:
    """Return what each value of *by* used of the account since its period began, the largest first, then the rest.

    Raises:
        LedgerError: the ledger can't be read.
    """
    facts = dict(budget.match)
    if budget.each is not None and budget.value is not None:
        facts[budget.each] = budget.value
    names = list(dict.fromkeys([by, *facts]))
    since = None if budget.period_start is None else to_micros(budget.period_start)
    where = UsageFilter(
        service=facts.get("service"),
        layer=facts.get("layer"),
        key=facts.get("key"),
        job=facts.get("job"),
        run=facts.get("run"),
        since=since,
        until=until,
    )
    ask = reader.row_sums if from_rows(names) else reader.rollup_sums
    sums: dict[str | None, dict[str, int]] = {}
    for one in ask(where, by=names):
        group = dict(zip(names, one.group, strict=True))
        if all(group[name] == wanted for name, wanted in facts.items()):
            _add(sums.setdefault(group[by], dict.fromkeys(_ADDED, 0)), one)
    parts = sorted(
        (_part(name, values, money=budget.unit == "usd") for name, values in sums.items()),
        key=lambda part: (-part.used, part.name or ""),
    )
    rest = parts[_PARTS:]
    return (*parts[:_PARTS], *([_rest(rest)] if rest else []))


def _add(values: dict[str, int], one: UsageSum) -> None:
    for name in _ADDED:
        values[name] += getattr(one.totals, name)


def _part(name: str | None, values: Mapping[str, int], *, money: bool) -> Part:
    used = values["cost"] if money else values["input_tokens"] + values["output_tokens"]
    return Part(name=name, used=used, calls=values["calls"], unpriced=values["unpriced"])


def _rest(parts: Sequence[Part]) -> Part:
    return Part(
        name=None,
        used=sum(part.used for part in parts),
        calls=sum(part.calls for part in parts),
        unpriced=sum(part.unpriced for part in parts),
        rest=True,
    )
