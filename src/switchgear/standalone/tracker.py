"""``TokenTracker``: what calls used and cost, by provider, model, layer and job, held inside a budget."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from switchgear import context
from switchgear.calls import Attribution, Refusal, Usage
from switchgear.clock import SystemClock
from switchgear.errors import Unpriced
from switchgear.money import to_nano, to_usd
from switchgear.policies.pricing import Price, PriceBook, PriceSource
from switchgear.standalone.arguments import whole
from switchgear.standalone.budget import Budget
from switchgear.standalone.usage import TrackedUsage, TrackerSummary, UsageSums, UsageTotals

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from switchgear.clock import Clock
    from switchgear.events import BudgetCrossed
    from switchgear.standalone.budget import Reservation
    from switchgear.standalone.budget_rule import Amount

__all__ = ["TokenTracker", "TrackedReservation"]


class TrackedReservation:
    """What a call may cost, held in the tracker's budget until it is settled or released: once.

    As a ``with`` block it settles itself at its end, unless that was done inside, at all that was reserved.
    """

    def __init__(self, tracker: TokenTracker, call: _Call, held: Reservation | None) -> None:
        self._tracker: Final = tracker
        self._call: Final = call
        self._held: Final = held
        self._lock: Final = threading.Lock()
        self._open = True
        self.usage: TrackedUsage | None = None

    def settle(
        self,
        input_tokens: int,
        output_tokens: int,
        *,
        cache_read_tokens: int = 0,
        cache_write_tokens: int = 0,
        reasoning_tokens: int = 0,
    ) -> TrackedUsage | None:
        """Replace the reservation by what was used, and return it; the second time nothing changes.

        None: it was released before.

        Raises:
            ValueError: a count is negative or no whole number; the reservation still stands.
        """
        usage = _usage(input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens)
        return self._settle(usage)

    def release(self) -> None:
        """Give the reservation back: nothing was used, and nothing is counted."""
        if self._close() and self._held is not None:
            self._held.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._settle(self._call.bound, estimated=True)

    def _settle(self, usage: Usage, *, estimated: bool = False) -> TrackedUsage | None:
        if self._close():
            self.usage = tracked = self._tracker._counted(self._call, usage, estimated)  # noqa: SLF001 - two halves of one thing
            if self._held is not None:
                self._held.settle(tracked.cost_usd)
        return self.usage

    def _close(self) -> bool:
        """Return True the first time: who closes it settles it."""
        with self._lock:
            was_open, self._open = self._open, False
        return was_open


class _Call(msgspec.Struct, frozen=True):
    """A call with its price."""

    provider: str
    model: str
    bound: Usage
    price: Price | None
    behalf: Attribution


class TokenTracker:
    """Counts tokens and cost of calls that it is told of. Safe to be used from many threads and tasks.

    *reserve* before a call and *settle* after it hold the budget. *record* after a call counts it in
    any case, since it is spent, and raises if the budget is exceeded by then. Calls of a
    model without a known price are counted as unpriced: they are in no sum of money.

    Sums are kept for every provider, model, layer, job and run that was ever named.

    Args:
        budget_usd: the most that all calls together may cost; None: no limit.
        name: in refusals and events.
        action: what happens beyond the budget: ``fail`` raises *BudgetExceeded*, ``skip`` *Skipped*,
            ``warn`` nothing.
        period: what the budget is for; see *Budget*. The sums are those since the last *reset*.
        thresholds: shares of the budget whose crossing listeners are told of.
        timezone: where calendar periods are cut; None: UTC.
        unpriced: ``allow`` counts calls without a price; ``refuse`` raises *Unpriced* as well.
        prices: own prices, by provider and model, as USD per million tokens: ``{"local":
            {"m": {"input": "0.10", "output": "0.40"}}}``; before those of the price list.
        clock: time; prices depend on the day.

    Raises:
        ValueError: a setting is not usable; the message says what is wanted.
        TypeError: money is a float or a bool.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own, by name
        self,
        budget_usd: Amount | None = None,
        *,
        name: str = "tracker",
        action: Literal["fail", "warn", "skip"] = "fail",
        period: str = "total",
        thresholds: Sequence[float] = (0.75, 0.9, 1.0),
        timezone: str | None = None,
        unpriced: Literal["allow", "refuse"] = "allow",
        prices: Mapping[str, Mapping[str, Mapping[str, Amount]]] | None = None,
        clock: Clock | None = None,
    ) -> None:
        if unpriced not in {"allow", "refuse"}:
            msg = f"unpriced is one of allow, refuse, not {unpriced!r}"
            raise ValueError(msg)
        self.name: Final = name
        self._clock: Final = SystemClock() if clock is None else clock
        # A tracker without a limit has one that is never asked, so that its other settings are checked all the same.
        budget = Budget(
            name,
            limit_usd=1 if budget_usd is None else budget_usd,
            period=period,
            action=action,
            thresholds=thresholds,
            timezone=timezone,
            clock=self._clock,
        )
        self._budget: Final = None if budget_usd is None else budget
        self._refuses: Final = unpriced == "refuse"
        self._own: Final = {
            provider: {model: {unit: _price(one) for unit, one in entry.items()} for model, entry in models.items()}
            for provider, models in (prices or {}).items()
        }
        self._settings: Final = {
            **{key: value for key, value in budget.settings.items() if key != "limit_usd"},
            "budget_usd": None if budget_usd is None else budget.limit,
            "unpriced": unpriced,
            "prices": self._own,
        }
        self._lock: Final = threading.Lock()
        self._books: dict[str, PriceBook] = {}
        self._sums = UsageSums()

    def record(  # noqa: PLR0913 - what a call used and for whom, all by name but the four that every call has
        self,
        provider: str,
        model: str,
        input_tokens: int,
        output_tokens: int,
        *,
        cache_read_tokens: int = 0,
        cache_write_tokens: int = 0,
        reasoning_tokens: int = 0,
        layer: str | None = None,
        job: str | None = None,
        run: str | None = None,
    ) -> TrackedUsage:
        """Count a call that was made; return it with its cost.

        *input_tokens* counts all input, cached included, *output_tokens* all output, reasoning
        included. What *layer*, *job* and *run* leave out comes from *switchgear.attribution*.

        Raises:
            BudgetExceeded: the call is counted, and with it the budget is exceeded; *Skipped* for
                a tracker that skips.
            Unpriced: the call is counted, its price is not known, and unpriced calls are refused.
            ValueError: a count is negative or no whole number; nothing is counted.
        """
        usage = _usage(input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens)
        call = self._call(provider, model, usage, Attribution(job=job, run=run, layer=layer))
        tracked = self._counted(call, usage, estimated=False)
        if self._budget is not None:
            self._budget.add(tracked.cost_usd)
        if tracked.cost_usd is None and self._refuses:
            raise _unpriced(call)
        return tracked

    def reserve(
        self,
        provider: str,
        model: str,
        input_tokens: int,
        max_output_tokens: int,
        *,
        layer: str | None = None,
        job: str | None = None,
        run: str | None = None,
    ) -> TrackedReservation:
        """Hold what a call may cost at most, before it is made.

        Raises:
            BudgetExceeded: it does not fit; *Skipped* for a tracker that skips. Nothing is held.
            Unpriced: its price is not known, and unpriced calls are refused.
            ValueError: a count is negative or no whole number.
        """
        bound = _usage(input_tokens, max_output_tokens)
        call = self._call(provider, model, bound, Attribution(job=job, run=run, layer=layer))
        if call.price is None and self._refuses:
            raise _unpriced(call)
        if self._budget is None:
            return TrackedReservation(self, call, None)
        worst = 0 if call.price is None else self._book(provider).worst_case(call.price, bound)
        return TrackedReservation(self, call, self._budget.reserve(to_usd(worst)))

    @property
    def remaining(self) -> Decimal | None:
        """What is left of the budget, neither spent nor reserved; None: no limit."""
        return None if self._budget is None else Decimal(self._budget.remaining)

    @property
    def by_provider(self) -> dict[str, UsageTotals]:
        """The sums of each provider."""
        return self._totals("provider")

    @property
    def by_model(self) -> dict[str, UsageTotals]:
        """The sums of each model, as ``provider/model``."""
        return self._totals("model")

    @property
    def by_layer(self) -> dict[str, UsageTotals]:
        """The sums of each layer; under the empty name those of calls without one."""
        return self._totals("layer")

    @property
    def by_job(self) -> dict[str, UsageTotals]:
        """The sums of each job; under the empty name those of calls without one."""
        return self._totals("job")

    @property
    def by_run(self) -> dict[str, UsageTotals]:
        """The sums of each run; under the empty name those of calls without one."""
        return self._totals("run")

    @property
    def settings(self) -> Mapping[str, object]:
        """Every setting that is in force, in one notation."""
        return self._settings

    def summary(self) -> TrackerSummary:
        """Return the sums over all calls, and how the budget stands."""
        with self._lock:
            total = self._sums.total()
        return TrackerSummary(
            name=self.name, total=total, budget=None if self._budget is None else self._budget.stats()
        )

    stats = summary

    def to_dict(self) -> dict[str, Any]:
        """Return everything for JSON: money as decimal strings."""
        found: dict[str, Any] = msgspec.to_builtins(self.summary())
        with self._lock:
            totals = {f"by_{what}": self._sums.by(what) for what in UsageSums.KINDS}
        return {**found, **msgspec.to_builtins(totals)}

    def reset(self) -> None:
        """Forget all sums and what the budget has spent; what is reserved stays so."""
        with self._lock:
            self._sums = UsageSums()
        if self._budget is not None:
            self._budget.reset()

    def subscribe(self, listener: Callable[[BudgetCrossed], None]) -> Callable[[], None]:
        """Tell *listener* of every threshold of the budget that is crossed; see *Budget.subscribe*."""
        if self._budget is None:
            return lambda: None
        return self._budget.subscribe(listener)

    def _totals(self, what: str) -> dict[str, UsageTotals]:
        with self._lock:
            return self._sums.by(what)

    def _call(self, provider: str, model: str, bound: Usage, behalf: Attribution) -> _Call:
        names: tuple[tuple[str, object], ...] = (("provider", provider), ("model", model))
        for what, name in names:
            if not isinstance(name, str) or not name:
                msg = f"{what} is a name, not {name!r}"
                raise ValueError(msg)
        price = self._book(provider).price(provider, model, self._clock.moment().wall)
        return _Call(provider, model, bound, price, context.merged(context.current(), behalf))

    def _book(self, provider: str) -> PriceBook:
        book = self._books.get(provider)
        if book is None:
            source = PriceSource(provider=provider, own=self._own.get(provider, {}))
            book = self._books.setdefault(provider, PriceBook({provider: source}))
        return book

    def _counted(self, call: _Call, usage: Usage, estimated: bool) -> TrackedUsage:  # noqa: FBT001 - private
        cost = None if call.price is None else self._book(call.provider).cost(call.price, usage)
        with self._lock:
            self._sums.add(call.provider, call.model, call.behalf, usage, cost)
        return TrackedUsage(
            provider=call.provider,
            model=call.model,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cost_usd=None if cost is None else to_usd(cost),
            price_version=None if call.price is None else call.price.version,
            estimated=estimated,
            layer=call.behalf.layer,
            job=call.behalf.job,
            run=call.behalf.run,
        )


def _usage(input_tokens: int, output_tokens: int, read: int = 0, written: int = 0, reasoning: int = 0) -> Usage:
    return Usage(
        input_tokens=whole("input_tokens", input_tokens, least=0),
        output_tokens=whole("output_tokens", output_tokens, least=0),
        cache_read_tokens=whole("cache_read_tokens", read, least=0),
        cache_write_tokens=whole("cache_write_tokens", written, least=0),
        reasoning_tokens=whole("reasoning_tokens", reasoning, least=0),
    )


def _price(usd: Amount) -> int:
    nano = to_nano(usd)
    if nano < 0:
        msg = f"a price is not negative: {usd!r}"
        raise ValueError(msg)
    return nano


def _unpriced(call: _Call) -> Unpriced:
    return Unpriced(
        Refusal(
            reason="unpriced",
            rule="unpriced",
            service=call.provider,
            message=f"no price is known for model {call.model!r} of {call.provider}, and unpriced calls are refused",
        )
    )
