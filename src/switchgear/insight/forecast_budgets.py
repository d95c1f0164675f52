"""The forecast of each budget account: its history from the ledger, its numbers from the live state."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from switchgear.calls import Unit
from switchgear.insight.buckets import QUARTER, Bucket, bucket_end, bucket_start
from switchgear.insight.days import from_micros, to_micros
from switchgear.insight.forecast import (
    TOO_LITTLE,
    TOO_LITTLE_FOR_AN_INTERVAL,
    Horizon,
    Outlook,
    Series,
    crossing,
    forecast,
)
from switchgear.insight.forecast_backtest import COVERAGE
from switchgear.ledger.usage_views import Steps
from switchgear.money import to_nano, to_usd

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from switchgear.insight.metrics import BudgetMetrics
    from switchgear.insight.sources import Histories

__all__ = [
    "BudgetForecast",
    "BudgetOutlook",
    "Exhaustion",
    "ExhaustionBand",
    "Interval",
    "forecasts",
    "foreseeable",
    "outlooks",
]

Exhaustion = Literal["exhausted", "in this period", "not this period"]

_HOUR: Final = 4 * QUARTER
_DAY: Final = 24 * _HOUR
_WEEK: Final = 7
_HISTORY_DAYS: Final[dict[str, int]] = {"hour": 28, "day": 56, "week": 182, "month": 273}
_ROW_DAYS: Final = 93
_ROLLED_UP: Final = frozenset({"service", "layer", "key", None})


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """Where the use at the end of the period will be, *share* of the time; in USD or in tokens, as the budget is."""

    share: float = COVERAGE
    low_usd: Decimal | None = None
    high_usd: Decimal | None = None
    low_tokens: int | None = None
    high_tokens: int | None = None


class ExhaustionBand(msgspec.Struct, frozen=True, kw_only=True):
    """When the limit is reached at the upper and at the lower end of the band; None: not this period."""

    early: dt.datetime | None
    late: dt.datetime | None


class BudgetForecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a budget account will have used by the end of its period, if calls go on as they did.

    It is of what will be asked for: a hard limit is not counted in, so *expected* can be above it.

    Attributes:
        expected_usd: at the end of the period, what is spent already included; None: no number.
        interval: None where there is too little history for one; *note* says so.
        exhaustion: None: not known.
        exhausted_at: when the limit is reached; None unless in this period.
        method: which was chosen, in words; None: none.
        errors: of each method in the back-test: mean absolute error at the end of the period, in
            steps of an average hour for each hour ahead.
        origins: how many forecasts of the past that is from.
        history_days: how long the history is that was looked at.
        unpriced_calls: calls of the period that have no price: they are in no number.
    """

    budget: str
    value: str | None
    unit: Unit
    period: str
    period_start: dt.datetime
    period_end: dt.datetime
    generated_at: dt.datetime
    limit_usd: Decimal | None
    limit_tokens: int | None
    spent_usd: Decimal | None
    spent_tokens: int | None
    expected_usd: Decimal | None = None
    expected_tokens: int | None = None
    interval: Interval | None = None
    exhaustion: Exhaustion | None = None
    exhausted_at: dt.datetime | None = None
    exhausted_interval: ExhaustionBand | None = None
    method: str | None = None
    note: str | None = None
    errors: dict[str, float] = {}
    origins: int = 0
    history_days: float = 0.0
    unpriced_calls: int

    @property
    def expected_share(self) -> float | None:
        """What is expected at the end as a share of the limit; None: no number."""
        if self.expected_usd is not None and self.limit_usd:
            return float(self.expected_usd / self.limit_usd)
        if self.expected_tokens is not None and self.limit_tokens:
            return self.expected_tokens / self.limit_tokens
        return None


class BudgetOutlook(msgspec.Struct, frozen=True, kw_only=True):
    """A forecast and the lines that it comes from, in nano-USD or tokens.

    Attributes:
        used: what was used in each step, by its start, as far back as the forecast looked.
        outlook: None where there is too little history for any number.
        steps: how time was cut.
        now: epoch microseconds.
    """

    forecast: BudgetForecast
    used: Mapping[int, int]
    outlook: Outlook | None
    steps: Steps
    now: int


def foreseeable(budget: BudgetMetrics) -> bool:
    """Tell whether *budget* has a period of the calendar: only that has an end."""
    return budget.period in _HISTORY_DAYS and budget.resets_at is not None


def forecasts(
    reader: Histories, budgets: Sequence[BudgetMetrics], *, now: int, zone: ZoneInfo
) -> tuple[BudgetForecast, ...]:
    """Return the forecast of each of *budgets* that is *foreseeable*, at epoch microsecond *now*.

    Raises:
        LedgerError: the ledger can't be read.
    """
    return tuple(each.forecast for each in outlooks(reader, budgets, now=now, zone=zone))


def outlooks(
    reader: Histories, budgets: Sequence[BudgetMetrics], *, now: int, zone: ZoneInfo
) -> tuple[BudgetOutlook, ...]:
    """Return the same with the lines behind it.

    Raises:
        LedgerError: the ledger can't be read.
    """
    histories: dict[str, dict[str | None, dict[int, int]]] = {}
    found = []
    for budget in filter(foreseeable, budgets):
        steps = _steps(budget, now, zone)
        if budget.name not in histories:
            tokens = budget.unit == "tokens"
            histories[budget.name] = reader.history(steps, tokens=tokens, match=budget.match, each=budget.each)
        found.append(_forecast(budget, histories[budget.name].get(budget.value, {}), steps, now, zone))
    return tuple(found)


def _steps(budget: BudgetMetrics, now: int, zone: ZoneInfo) -> Steps:
    """Return how the history of *budget* is cut: in hours of the clock, an hour's budget in quarters."""
    size = QUARTER if budget.period == "hour" else _HOUR
    shift = ((from_micros(now).astimezone(zone).utcoffset() or dt.timedelta()) // dt.timedelta(microseconds=1)) % size
    until = now - (now + shift) % size
    days = _HISTORY_DAYS[budget.period]
    if not {*budget.match, budget.each} <= _ROLLED_UP:
        days = min(days, _ROW_DAYS)
    return Steps(since=until - days * _DAY, until=until, size_us=size, shift_us=shift)


class _Amounts(NamedTuple):
    limit: int
    spent: int


def _forecast(
    budget: BudgetMetrics, history: Mapping[int, int], steps: Steps, now: int, zone: ZoneInfo
) -> BudgetOutlook:
    assert budget.period_start is not None  # noqa: S101 - foreseeable
    assert budget.resets_at is not None  # noqa: S101
    end = to_micros(budget.resets_at)
    first = min(history, default=steps.until)
    amounts = _amounts(budget)
    plain = BudgetForecast(
        budget=budget.name,
        value=budget.value,
        unit=budget.unit,
        period=budget.period,
        period_start=budget.period_start,
        period_end=budget.resets_at,
        generated_at=from_micros(now),
        limit_usd=budget.limit_usd,
        limit_tokens=budget.limit_tokens,
        spent_usd=budget.spent_usd,
        spent_tokens=budget.spent_tokens,
        exhaustion="exhausted" if amounts.spent >= amounts.limit else None,
        note=TOO_LITTLE,
        history_days=round((steps.until - first) / _DAY, 1),
        unpriced_calls=budget.unpriced_calls,
    )
    starts = range(first, steps.until, steps.size_us)
    coming = range(steps.until, max(end, steps.until + 1), steps.size_us)
    day = _DAY // steps.size_us
    series = Series(
        values=[float(history.get(start, 0)) for start in starts],
        positions=[_position(start, zone, steps.size_us) for start in (*starts, *coming)],
        day=day,
    )
    left = 1 - (now - steps.until) / steps.size_us
    horizon = Horizon(
        steps=len(coming),
        left=left,
        window=min(max(1, (end - to_micros(budget.period_start)) // steps.size_us), _WEEK * day),
        full_periods=_full_periods(budget.period, first, to_micros(budget.period_start), zone),
    )
    outlook = forecast(series, horizon)
    told = plain if outlook is None else _told(plain, outlook, amounts, left, steps.size_us)
    return BudgetOutlook(forecast=told, used=history, outlook=outlook, steps=steps, now=now)


def _told(plain: BudgetForecast, outlook: Outlook, amounts: _Amounts, left: float, size_us: int) -> BudgetForecast:
    now = to_micros(plain.generated_at)

    def when(path: Sequence[float]) -> dt.datetime | None:
        after = crossing(path, amounts.limit - amounts.spent, left)
        at = None if after is None else from_micros(now + round(after * size_us))
        return None if at is None or at >= plain.period_end else at

    found = msgspec.structs.replace(
        plain, method=outlook.method, errors=outlook.errors, origins=outlook.origins, note=None
    )
    expected = amounts.spent + round(outlook.expected[-1])
    if plain.unit == "usd":
        found = msgspec.structs.replace(found, expected_usd=to_usd(expected))
    else:
        found = msgspec.structs.replace(found, expected_tokens=expected)
    if plain.exhaustion is None:
        at = when(outlook.expected)
        found = msgspec.structs.replace(
            found, exhausted_at=at, exhaustion="not this period" if at is None else "in this period"
        )
    if outlook.low is None or outlook.high is None:
        return msgspec.structs.replace(found, note=TOO_LITTLE_FOR_AN_INTERVAL)
    low, high = (amounts.spent + round(path[-1]) for path in (outlook.low, outlook.high))
    money = plain.unit == "usd"
    interval = (
        Interval(low_usd=to_usd(low), high_usd=to_usd(high)) if money else Interval(low_tokens=low, high_tokens=high)
    )
    band = ExhaustionBand(early=when(outlook.high), late=when(outlook.low)) if plain.exhaustion is None else None
    return msgspec.structs.replace(found, interval=interval, exhausted_interval=band)


def _amounts(budget: BudgetMetrics) -> _Amounts:
    if budget.limit_usd is not None and budget.spent_usd is not None:
        return _Amounts(to_nano(budget.limit_usd), to_nano(budget.spent_usd))
    return _Amounts(budget.limit_tokens or 0, budget.spent_tokens or 0)


def _full_periods(period: str, first: int, until: int, zone: ZoneInfo) -> int:
    """Return how many whole periods lie between *first* and *until*, the start of the running one."""
    bucket = _BUCKETS[period]
    start = bucket_start(first, bucket, zone)
    if start < first:
        start = bucket_end(start, bucket, zone)
    count = 0
    while (end := bucket_end(start, bucket, zone)) <= until:
        count, start = count + 1, end
    return count


_BUCKETS: Final[dict[str, Bucket]] = {"hour": "hour", "day": "day", "week": "week", "month": "month"}


def _position(start: int, zone: ZoneInfo, size_us: int) -> int:
    """Return the place of a step in its week, by the clock on the wall."""
    local = from_micros(start).astimezone(zone)
    since_monday = (local.weekday() * 24 + local.hour) * _HOUR + local.minute * 60 * 1_000_000
    return since_monday // size_us
