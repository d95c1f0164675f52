"""Budgets: what may be spent, by whom, until when; and the arithmetic of holding and settling.

A *BudgetRule* is one budget of the configuration; a *Pot* keeps the numbers of one rule, for one
value of its ``each``, in one period. Where the worst case is reserved, and no call uses more than
that, ``spent + reserved <= limit`` holds at every instant in a pot that is not only watched.
Not thread-safe: its owner locks.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from switchgear.policies.calendar import Period, period_at
from switchgear.policies.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchgear.calls import Call

__all__ = ["Action", "BudgetRule", "Period", "Pot", "Reserve", "matching", "period_of"]

Action = Literal["fail", "warn", "skip", "degrade"]
Reserve = Literal["worst_case", "expected"]

_PPM: Final = 1_000_000
"""Thresholds are told apart to a millionth of the limit."""

_NEVER: Final = 1 << 200
"""More than anybody will spend."""

_CLEARLY: Final = 20
"""A rolling budget re-arms a threshold when its spending is a twentieth of the limit below it."""


class BudgetRule(msgspec.Struct, frozen=True, kw_only=True):
    """One budget of the configuration.

    Attributes:
        match: what a call must have: ``(("job", "acme-42"), ("service", "openai"))``; empty: every call.
        each: the attribute for whose every value there is one such budget; None: one for all.
        unit: ``usd`` (*limit* in nano-USD) or ``tokens``.
        period: ``total``, ``hour``, ``day``, ``week`` or ``month``; ignored with *rolling_us*.
        rolling_us: a rolling period in microseconds, None for a calendar one.
        timezone: where calendar periods are cut.
        action: what happens to a call that does not fit.
        degrade_to: the cheaper model that such a call is tried with, for the action ``degrade``.
        reserve: what a call holds before it goes out; ``expected`` makes the limit a soft one.
        shadow: what it would do is counted, and not done.
        thresholds: shares of the limit whose crossing is reported.
        marks: the least spending that passes each threshold, rising; worked out here.
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
    degrade_to: str | None = None
    reserve: Reserve = "worst_case"
    shadow: bool = False
    thresholds: tuple[float, ...] = (0.75, 0.9, 1.0)
    marks: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        shares = sorted(set(self.thresholds))
        msgspec.structs.force_setattr(self, "thresholds", tuple(shares))
        marks = tuple(-(-round(share * _PPM) * self.limit // _PPM) for share in shares)
        msgspec.structs.force_setattr(self, "marks", marks)

    @property
    def counted(self) -> tuple[object, ...]:
        """What decides which calls it counts, in what, over which period: two rules of equal ones share a count."""
        return self.name, self.unit, self.match, self.each, self.period, self.rolling_us, self.timezone

    @property
    def hard(self) -> bool:
        """Whether the limit is held, rather than only watched."""
        return self.action != "warn"


def _value(call: Call, name: str) -> str | None:
    if name == "service":
        return call.service
    if name == "model":
        return call.model
    return call.attribution.value(name)


def _fits(rule: BudgetRule, call: Call) -> bool:
    for name, wanted in rule.match:  # noqa: SIM110 - a loop costs half of a generator, on every call's way
        if _value(call, name) != wanted:
            return False
    return True


def matching(rules: Iterable[BudgetRule], call: Call) -> tuple[tuple[BudgetRule, str | None], ...]:
    """Return every rule that applies to *call*, with the value of its ``each``.

    A rule with ``each`` does not apply to a call that lacks the attribute.
    """
    found: list[tuple[BudgetRule, str | None]] = []
    for rule in rules:
        each = rule.each
        value = None if each is None else _value(call, each)
        if (each is None or value is not None) and _fits(rule, call):
            found.append((rule, value))
    return tuple(found)


def period_of(rule: BudgetRule, wall: int) -> Period:
    """Return the period of *rule* that epoch microsecond *wall* lies in; a rolling one has no end."""
    if rule.rolling_us is not None or rule.period == "total":
        return Period(0, None)
    return Period(*period_at(rule.period, rule.timezone, wall))


class Pot:
    """What one account has spent and holds in one period.

    Attributes:
        reserved: what calls in flight hold.
        holders: how many calls those are.
        unpriced: calls that were settled without a price.
        refused: calls that were turned away.
    """

    __slots__ = (
        "_next",
        "_passed",
        "_rolling",
        "_spent",
        "holders",
        "period",
        "refused",
        "reserved",
        "rule",
        "unpriced",
    )

    def __init__(self, rule: BudgetRule, period: Period) -> None:
        self.rule = rule
        self.period: Final = period
        self.reserved = 0
        self.holders = 0
        self.unpriced = 0
        self.refused = 0
        self._spent = 0
        self._rolling = Window(rule.limit, rule.rolling_us) if rule.rolling_us is not None else None
        self._pass(0)

    def spent(self, now: int) -> int:
        """Return what is settled in the period that holds at monotonic *now*."""
        return self._spent if self._rolling is None else self._rolling.used(now)

    def fits(self, need: int, now: int) -> bool:
        """Tell whether *need* may be reserved."""
        spent = self._spent if self._rolling is None else self._rolling.used(now)
        return spent + self.reserved + need <= self.rule.limit or not self.rule.hard

    def reserve(self, need: int) -> None:
        """Hold *need* for one more call, until it is settled or released."""
        self.reserved += need
        self.holders += 1

    def extend(self, more: int) -> None:
        """Hold *more* for a call that holds something already."""
        self.reserved += more

    def settle(self, held: int, actual: int | None, now: int) -> tuple[float, ...]:
        """Replace *held* by *actual* (None: unpriced); return the thresholds crossed by it, rising."""
        self.reserved -= held
        self.holders -= 1
        if actual is None:
            self.unpriced += 1
            return ()
        if self._rolling is None:
            self._spent += actual
            if self._spent < self._next:  # nearly every call crosses nothing
                return ()
        else:
            self.add(actual, now)
        return self._crossings(now)

    def release(self, held: int) -> None:
        """Give *held* back: nothing was spent."""
        self.reserved -= held
        self.holders -= 1

    def add(self, amount: int, now: int) -> None:
        """Count *amount* as spent, without crossing anything: for what is remembered from before."""
        if self._rolling is None:
            self._spent += amount
        elif amount:
            self._rolling.take(amount, now)

    def arm(self, now: int) -> None:
        """Take thresholds that are passed already as reported: a restart repeats no crossing."""
        self._crossings(now)

    def rearm(self, rule: BudgetRule, now: int) -> None:
        """Hold to the thresholds of *rule*, and take those that are passed already as reported."""
        self.rule = msgspec.structs.replace(rule, limit=self.rule.limit)
        self._pass(bisect_right(self.rule.marks, self.spent(now)))

    def change(self, rule: BudgetRule, now: int) -> tuple[float, ...]:
        """Hold to *rule* from *now* on; return the thresholds that its limit has fallen below.

        Those that it has risen above are armed again.
        """
        raised = rule.limit > self.rule.limit
        self.rule = rule
        if self._rolling is not None:
            self._rolling.limit = rule.limit
        if raised:
            self._pass(bisect_right(rule.marks, self.spent(now)))
        else:
            self._pass(self._passed)
        return self._crossings(now)

    def clear(self) -> None:
        """Forget what was spent; what is held stays held, and counts when it is settled."""
        self.unpriced = self.refused = self._spent = 0
        self._pass(0)
        if self._rolling is not None:
            self._rolling.clear()

    def idle(self, now: int) -> bool:
        """Tell whether nothing would be lost without this pot: it holds nothing and has counted nothing."""
        return not self.holders and not self.unpriced and not self.spent(now)

    def ready_at(self, need: int, now: int) -> int | None:
        """Return the monotonic instant when *need* would fit into a rolling budget; None: not foreseeable."""
        if self._rolling is None or need > self.rule.limit:
            return None
        return self._rolling.earliest(need + self.reserved, now) if need + self.reserved <= self.rule.limit else None

    def _pass(self, passed: int) -> None:
        """Take the first *passed* thresholds as reported, and note where the next one lies."""
        self._passed = passed
        marks = self.rule.marks
        self._next = marks[passed] if passed < len(marks) else _NEVER

    def _crossings(self, now: int) -> tuple[float, ...]:
        before = self._passed
        spent = self._spent if self._rolling is None else self._rolling.used(now)
        passed = bisect_right(self.rule.marks, spent)
        if passed == before:
            return ()
        if passed < before and self._rolling is not None:
            # What expires bit by bit would cross again with every call: first it has to fall clearly below.
            passed = min(before, bisect_right(self.rule.marks, spent + self.rule.limit // _CLEARLY))
        self._pass(passed)
        return self.rule.thresholds[before:passed] if passed > before else ()
