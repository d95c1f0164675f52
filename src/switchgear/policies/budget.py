"""Budgets: what may be spent, by whom, until when; and the arithmetic of holding and settling.

A *BudgetRule* is one budget of the configuration; a *Pot* keeps the numbers of one rule, for one
value of its ``each``, in one period. ``spent + reserved <= limit`` holds at every instant in a
pot whose action is ``fail`` or ``skip``. Not thread-safe: its owner locks.
"""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from switchgear.policies.limiter import Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchgear.calls import Call

__all__ = ["BudgetRule", "Period", "Pot", "matching", "period_of"]

Action = Literal["fail", "warn", "skip"]


class BudgetRule(msgspec.Struct, frozen=True, kw_only=True):
    """One budget of the configuration.

    Attributes:
        match: what a call must have: ``(("job", "acme-42"), ("service", "openai"))``; empty: every call.
        each: the attribute for whose every value there is one such budget; None: one for all.
        unit: ``usd`` (*limit* in nano-USD) or ``tokens``.
        period: ``total``, ``hour``, ``day``, ``week`` or ``month``; ignored with *rolling_us*.
        rolling_us: a rolling period in microseconds, None for a calendar one.
        timezone: where calendar periods are cut.
    """

    name: str
    unit: Literal["usd", "tokens"]
    limit: int
    match: tuple[tuple[str, str], ...] = ()
    each: str | None = None
    period: str = "total"
    rolling_us: int | None = None
    timezone: str = "UTC"
    action: Action = "fail"
    thresholds: tuple[float, ...] = (0.75, 0.9, 1.0)

    @property
    def hard(self) -> bool:
        """Whether the limit is held, rather than only watched."""
        return self.action != "warn"


class Period(msgspec.Struct, frozen=True, gc=False):
    """From *start* to before *end*, epoch microseconds; a total period has no end."""

    start: int
    end: int | None


def _value(call: Call, name: str) -> str | None:
    if name == "service":
        return call.service
    if name == "model":
        return call.model
    return call.attribution.value(name)


def matching(rules: Iterable[BudgetRule], call: Call) -> tuple[tuple[BudgetRule, str | None], ...]:
    """Return every rule that applies to *call*, with the value of its ``each``.

    A rule with ``each`` does not apply to a call that lacks the attribute.
    """
    found: list[tuple[BudgetRule, str | None]] = []
    for rule in rules:
        if any(_value(call, name) != wanted for name, wanted in rule.match):
            continue
        value = _value(call, rule.each) if rule.each is not None else None
        if rule.each is None or value is not None:
            found.append((rule, value))
    return tuple(found)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def period_of(rule: BudgetRule, wall: int) -> Period:
    """Return the period of *rule* that epoch microsecond *wall* lies in.

    Calendar periods start at local midnight (or the local full hour), so a day lasts 23 or 25
    hours where clocks are changed. Weeks start on Monday.
    """
    if rule.rolling_us is not None or rule.period == "total":
        return Period(0, None)
    zone = ZoneInfo(rule.timezone)
    local = (_EPOCH + timedelta(microseconds=wall)).astimezone(zone)
    if rule.period == "hour":
        # Hours are cut in absolute time: an hour that is repeated in autumn is two hours.
        begin = local.replace(minute=0, second=0, microsecond=0)
        start = _micros(begin)
        return Period(start, start + 3_600_000_000)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if rule.period == "day":
        first, days = midnight, 1
    elif rule.period == "week":
        first, days = midnight - timedelta(days=midnight.weekday()), 7
    else:
        first = midnight.replace(day=1)
        days = calendar.monthrange(first.year, first.month)[1]
    # Adding days to a local datetime keeps the wall reading; the conversion then finds the offset.
    return Period(_micros(first), _micros(first + timedelta(days=days)))


class Pot:
    """What one account has spent and holds in one period."""

    __slots__ = ("_crossed", "_rolling", "_spent", "period", "refused", "reserved", "rule", "unpriced")

    def __init__(self, rule: BudgetRule, period: Period) -> None:
        self.rule: Final = rule
        self.period: Final = period
        self.reserved = 0
        self.unpriced = 0
        self.refused = 0
        self._spent = 0
        self._rolling = Window(rule.limit, rule.rolling_us) if rule.rolling_us is not None else None
        self._crossed: set[float] = set()

    def spent(self, now: int) -> int:
        """Return what is settled in the period that holds at monotonic *now*."""
        return self._spent if self._rolling is None else self._rolling.used(now)

    def fits(self, need: int, now: int) -> bool:
        """Tell whether *need* may be reserved."""
        return not self.rule.hard or self.spent(now) + self.reserved + need <= self.rule.limit

    def reserve(self, need: int) -> None:
        """Hold *need* until it is settled or released."""
        self.reserved += need

    def settle(self, held: int, actual: int | None, now: int) -> tuple[float, ...]:
        """Replace *held* by *actual* (None: unpriced); return the thresholds crossed by it, rising."""
        self.reserved -= held
        if actual is None:
            self.unpriced += 1
            return ()
        self.add(actual, now)
        return self._crossings(now)

    def release(self, held: int) -> None:
        """Give *held* back: nothing was spent."""
        self.reserved -= held

    def add(self, amount: int, now: int) -> None:
        """Count *amount* as spent, without crossing anything: for what is remembered from before."""
        if self._rolling is None:
            self._spent += amount
        elif amount:
            self._rolling.take(amount, now)

    def arm(self, now: int) -> None:
        """Take thresholds that are passed already as reported: a restart repeats no crossing."""
        self._crossings(now)

    def ready_at(self, need: int, now: int) -> int | None:
        """Return the monotonic instant when *need* would fit into a rolling budget; None: not foreseeable."""
        if self._rolling is None or need > self.rule.limit:
            return None
        return self._rolling.earliest(need + self.reserved, now) if need + self.reserved <= self.rule.limit else None

    def _crossings(self, now: int) -> tuple[float, ...]:
        spent = self.spent(now)
        passed = {share for share in self.rule.thresholds if spent * 1000 >= round(share * 1000) * self.rule.limit}
        new = tuple(sorted(passed - self._crossed))
        self._crossed = passed
        return new
