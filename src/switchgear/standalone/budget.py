"""``Budget``: one limit on money or tokens, for any program, without a governor."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from switchgear.clock import SystemClock
from switchgear.errors import refused
from switchgear.events import BudgetCrossed
from switchgear.money import to_nano, to_usd
from switchgear.policies.budget import Pot, period_of
from switchgear.policies.budget_refusal import denial_of, over_budget
from switchgear.standalone.budget_rule import Amount, budget_rule
from switchgear.standalone.delivery import Delivery

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    from switchgear.clock import Clock, Moment
    from switchgear.policies.budget import BudgetRule

__all__ = ["Budget", "BudgetStats", "BudgetStatus", "Reservation"]

BudgetStatus = Literal["ok", "warning", "critical", "exceeded"]


class BudgetStats(msgspec.Struct, frozen=True, kw_only=True):
    """A budget at one instant. Amounts are Decimal USD, or int for tokens.

    Attributes:
        reserved: what reservations hold that are not settled yet.
        remaining: what is neither spent nor reserved; never below 0.
        used_percent: spent (not reserved) of the limit, rounded down to a tenth.
        status: ``exceeded`` from 100 % on; below, ``warning`` from the first threshold and
            ``critical`` from the last one that is below 100 %, if there are two.
        refused: reservations that were turned away; *unpriced*: settlements without a price.
        period_start, resets_at: epoch seconds; None for a total or a rolling budget.
    """

    name: str
    unit: Literal["usd", "tokens"]
    limit: Decimal | int
    spent: Decimal | int
    reserved: Decimal | int
    remaining: Decimal | int
    used_percent: float
    status: BudgetStatus
    action: str
    period: str
    period_start: float | None
    resets_at: float | None
    thresholds: tuple[float, ...]
    refused: int
    unpriced: int


class Reservation:
    """What a call holds in a budget until it is settled or released: once, what comes later does nothing.

    As a ``with`` block it settles itself at its end, unless that was done inside: nobody knows
    then what was used, so all that was reserved counts as spent.
    """

    __slots__ = ("_amount", "_budget", "_open", "_pot")

    def __init__(self, budget: Budget, pot: Pot, amount: int) -> None:
        self._budget: Final = budget
        self._pot: Final = pot
        self._amount: Final = amount
        self._open = True

    @property
    def amount(self) -> Decimal | int:
        """What it holds, or held."""
        return self._budget._shown(self._amount)  # noqa: SLF001 - two halves of one thing

    def settle(self, actual: Amount | None) -> None:
        """Replace the reservation by what was used; None: nobody knows its price, so it is counted as unpriced.

        It may be more than was reserved: what is spent is spent.

        Raises:
            ValueError, TypeError: see *Budget.reserve*; the reservation still stands.
        """
        self._budget._settle(self, None if actual is None else self._budget._amount(actual))  # noqa: SLF001 - as above

    def release(self) -> None:
        """Give the reservation back: nothing was used."""
        self._budget._release(self)  # noqa: SLF001 - as above

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._budget._settle(self, self._amount)  # noqa: SLF001 - as above


class Budget:
    """A limit that holds: what could be spent is reserved before, and replaced by what was spent after.

    ``spent + reserved <= limit`` at every instant, for any number of threads and tasks, as long as
    nothing costs more than was reserved for it. Nothing here blocks or waits.

    Args:
        name: in refusals and events.
        limit_usd: the most that may be spent, as Decimal, int or decimal string of USD.
        limit_tokens: the most tokens. Exactly one of the two limits is given.
        period: ``total``, a calendar ``hour``, ``day``, ``week`` or ``month``, or a rolling duration
            (``"24h"``, seconds, a timedelta).
        action: what happens to a reservation that does not fit: ``fail`` raises *BudgetExceeded*,
            ``skip`` raises *Skipped*, ``warn`` lets it pass.
        thresholds: shares of the limit, above 0 and up to 1, whose crossing listeners are told of.
        timezone: where calendar periods are cut, e.g. ``Europe/Vienna``; None: UTC.
        clock: time.

    Raises:
        ValueError: a setting is not usable; the message says what is wanted.
        TypeError: money is a float or a bool.
    """

    def __init__(
        self,
        name: str,
        *,
        limit_usd: Amount | None = None,
        limit_tokens: int | None = None,
        period: str | float | dt.timedelta = "total",
        action: Literal["fail", "warn", "skip"] = "fail",
        thresholds: Sequence[float] = (0.75, 0.9, 1.0),
        timezone: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._rule: Final = budget_rule(
            name=name,
            limit_usd=limit_usd,
            limit_tokens=limit_tokens,
            period=period,
            action=action,
            thresholds=thresholds,
            timezone=timezone,
        )
        self.name: Final = name
        self._clock: Final = SystemClock() if clock is None else clock
        self._lock: Final = threading.Lock()
        self._delivery: Final[Delivery[BudgetCrossed]] = Delivery()
        self._pot = self._pot_at(self._clock.moment().wall)

    def reserve(self, amount: Amount) -> Reservation:
        """Hold *amount*: USD for a budget of money, tokens for one of tokens.

        Raises:
            BudgetExceeded: it does not fit; *Skipped* for a budget that skips. Nothing is held.
            ValueError: *amount* is negative, not a number, or finer than a nano-USD.
            TypeError: *amount* is a float, a bool, or (for tokens) not an int.
        """
        need = self._amount(amount)
        now = self._clock.moment()
        with self._lock:
            pot = self._current(now.wall)
            if pot.fits(need, now.mono):
                pot.reserve(need)
                return Reservation(self, pot, need)
            pot.refused += 1
            denial = denial_of(pot, None, need, now)
        raise refused(over_budget(self.name, self._rule, denial, now))

    def add(self, amount: Amount | None) -> None:
        """Count *amount* as spent without having reserved it: what is spent is spent. None: nobody knows its price.

        Raises:
            BudgetExceeded: it is counted, and with it more is spent than the limit; *Skipped* for a
                budget that skips.
            ValueError, TypeError: see *reserve*; nothing is counted.
        """
        spent = None if amount is None else self._amount(amount)
        now = self._clock.moment()
        with self._lock:
            pot = self._current(now.wall)
            pot.reserve(0)
            self._note(pot, pot.settle(0, spent, now.mono), now)
            exceeded = self._rule.hard and bool(spent) and pot.spent(now.mono) > self._rule.limit
            denial = denial_of(pot, None, 0, now) if exceeded else None
        self._delivery.send()
        if denial is not None:
            raise refused(over_budget(self.name, self._rule, denial, now))

    @property
    def limit(self) -> Decimal | int:
        """The most that may be spent in a period."""
        return self._shown(self._rule.limit)

    @property
    def spent(self) -> Decimal | int:
        """What is settled in the period that is running."""
        return self.stats().spent

    @property
    def reserved(self) -> Decimal | int:
        """What reservations hold."""
        return self.stats().reserved

    @property
    def remaining(self) -> Decimal | int:
        """What is neither spent nor reserved; never below 0."""
        return self.stats().remaining

    @property
    def used_percent(self) -> float:
        """Spent of the limit, in per cent, rounded down to a tenth."""
        return self.stats().used_percent

    @property
    def status(self) -> BudgetStatus:
        """``ok``, ``warning``, ``critical`` or ``exceeded``; see *BudgetStats*."""
        return self.stats().status

    @property
    def settings(self) -> dict[str, object]:
        """Every setting that is in force, in one notation."""
        rule = self._rule
        return {
            f"limit_{rule.unit}": self.limit,
            "period": rule.period,
            "action": rule.action,
            "thresholds": rule.thresholds,
            "timezone": rule.timezone,
        }

    def stats(self) -> BudgetStats:
        """Return all its numbers, of one instant."""
        rule = self._rule
        now = self._clock.moment()
        with self._lock:
            pot = self._current(now.wall)
            spent, reserved, denied, unpriced = pot.spent(now.mono), pot.reserved, pot.refused, pot.unpriced
        end = pot.period.end
        return BudgetStats(
            name=self.name,
            unit=rule.unit,
            limit=self._shown(rule.limit),
            spent=self._shown(spent),
            reserved=self._shown(reserved),
            remaining=self._shown(max(0, rule.limit - spent - reserved)),
            used_percent=spent * 1000 // rule.limit / 10,
            status=_status(rule, spent),
            action=rule.action,
            period=rule.period,
            period_start=None if end is None else pot.period.start / 1e6,
            resets_at=None if end is None else end / 1e6,
            thresholds=rule.thresholds,
            refused=denied,
            unpriced=unpriced,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return *stats* for JSON: money as decimal strings."""
        found: dict[str, Any] = msgspec.to_builtins(self.stats())
        return found

    def reset(self) -> None:
        """Forget what was spent; what is reserved stays so, and counts when it is settled."""
        now = self._clock.moment()
        with self._lock:
            self._current(now.wall).clear()

    def subscribe(self, listener: Callable[[BudgetCrossed], None]) -> Callable[[], None]:
        """Tell *listener* of every threshold crossed, once a crossing, outside the lock; return how to stop it."""
        return self._delivery.subscribe(listener)

    def _settle(self, reservation: Reservation, actual: int | None) -> None:
        now = self._clock.moment()
        with self._lock:
            if not reservation._open:  # noqa: SLF001 - two halves of one thing
                return
            reservation._open = False  # noqa: SLF001 - as above
            pot = reservation._pot  # noqa: SLF001 - as above
            shares = pot.settle(reservation._amount, actual, now.mono)  # noqa: SLF001 - as above
            self._note(pot, shares, now)
        self._delivery.send()

    def _release(self, reservation: Reservation) -> None:
        with self._lock:
            if reservation._open:  # noqa: SLF001 - as above
                reservation._open = False  # noqa: SLF001 - as above
                reservation._pot.release(reservation._amount)  # noqa: SLF001 - as above

    def _note(self, pot: Pot, shares: tuple[float, ...], now: Moment) -> None:
        for one in shares:
            self._delivery.put(
                BudgetCrossed(
                    budget=self.name,
                    value=None,
                    threshold=one,
                    used=pot.spent(now.mono),
                    limit=self._rule.limit,
                    unit=self._rule.unit,
                    at=now.wall,
                )
            )

    def _current(self, wall: int) -> Pot:
        """Return the pot of the running period; one that is over stays with those who hold something in it."""
        end = self._pot.period.end
        if end is not None and wall >= end:
            self._pot = self._pot_at(wall)
        return self._pot

    def _pot_at(self, wall: int) -> Pot:
        return Pot(self._rule, period_of(self._rule, wall))

    def _amount(self, value: Amount) -> int:
        """Return *value* in nano-USD or tokens."""
        if self._rule.unit == "tokens":
            if isinstance(value, bool) or not isinstance(value, int):
                msg = f"budget {self.name!r} counts tokens: a whole number, not {value!r}"
                raise TypeError(msg)
            amount = value
        else:
            amount = to_nano(value)
        if amount < 0:
            msg = f"an amount is not negative: {value!r}"
            raise ValueError(msg)
        return amount

    def _shown(self, amount: int) -> Decimal | int:
        return to_usd(amount) if self._rule.unit == "usd" else amount


def _status(rule: BudgetRule, spent: int) -> BudgetStatus:
    if spent >= rule.limit:
        return "exceeded"
    below = [mark for one, mark in zip(rule.thresholds, rule.marks, strict=True) if one < 1]
    passed = sum(spent >= mark for mark in below)
    if not passed:
        return "ok"
    return "critical" if passed == len(below) > 1 else "warning"
