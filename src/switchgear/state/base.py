"""The contract of a state: where the numbers that admission needs are kept, atomically.

Two verbs carry a whole call, ``admit`` and ``settle``; a third, ``withdraw``, gives back the
place of somebody who waits. A state knows nothing of wires, files or people: time comes in,
a decision goes out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec

from switchgear.calls import Refusal, Unit
from switchgear.events import BudgetCrossed, CircuitName, Event

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from switchgear.calls import Outcome
    from switchgear.clock import Moment
    from switchgear.policies.breaker import BreakerOrder
    from switchgear.policies.budget import BudgetRule
    from switchgear.policies.limit_rule import LimitRule
    from switchgear.state.explanation import Explanation
    from switchgear.state.memory import ServiceRules

__all__ = [
    "Account",
    "Admission",
    "AdmissionRequest",
    "AsyncState",
    "BreakerView",
    "BudgetView",
    "History",
    "LimitView",
    "PastBreaker",
    "PastCalls",
    "PastLimit",
    "PastSpend",
    "State",
    "Waiting",
]


class Account(msgspec.Struct, frozen=True, gc=False):
    """One budget for one value of its ``each`` (None for a budget without)."""

    budget: str
    value: str | None = None


class AdmissionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a decision needs, as numbers.

    Attributes:
        service: whose limits and breaker apply.
        tokens: upper bound of all tokens, in and out.
        cost: worst-case cost in nano-USD; None: unpriced, and allowed to be.
        accounts: every budget that matches the call, each at most once.
        max_wait_us: the longest that the caller will wait for a limit.
        waker: called (outside every lock) when a waiting caller should ask again early.
        expected_tokens: what budgets that reserve what is expected hold instead of *tokens*;
            None: nothing is known, so they hold the worst case too.
        expected_cost: likewise, instead of *cost*.
        scopes: what it falls under besides the service, such as ``key:ci``; each has limits of its
            own, or none (see *State.set_scope*), and they hold along with the service's.
        can_degrade: the caller will try a cheaper model if a ``degrade`` budget says no, so that
            no is not counted as a call turned away.
    """

    service: str
    tokens: int
    cost: int | None
    accounts: tuple[Account, ...]
    max_wait_us: int
    waker: Callable[[], None] | None = None
    expected_tokens: int | None = None
    expected_cost: int | None = None
    can_degrade: bool = False
    scopes: tuple[str, ...] = ()


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """A yes. It holds a breaker permit, limit units and reservations until it is settled.

    Attributes:
        number: unique in its state; settling is by number, exactly once.
        events: what the admission itself caused (a budget crossed by the reservation, a breaker
            gone half-open), for the bus.
    """

    number: int
    service: str
    events: tuple[Event, ...] = ()


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A place in the queue of a limit.

    Attributes:
        slot: hand it back to *admit* when the time has come, or to *withdraw*.
        go_at: monotonic microseconds when to ask again.
        rule: the limit that is waited for.
    """

    slot: int
    go_at: int
    rule: str


class BreakerView(msgspec.Struct, frozen=True, kw_only=True):
    """A breaker as people see it.

    Attributes:
        since: epoch microseconds of the last change of state.
        failures: failures in a row, against *failure_threshold*.
        calls: calls in the window, of which *failed* failed; ``failed / calls`` counts against
            *failure_rate* from *minimum_calls* on.
        opened_times: openings since it was last closed.
        rejected: calls turned away since the start of the process.
        next_probe_at: epoch microseconds when an open breaker lets a probe pass.
        probes: probes under way, of at most *max_probes*.
        reason: why it last changed, as a sentence.
    """

    service: str
    state: CircuitName
    since: int
    failures: int
    failure_threshold: int
    calls: int
    failed: int
    failure_rate: float
    minimum_calls: int
    opened_times: int
    rejected: int
    next_probe_at: int | None
    probes: int
    max_probes: int
    reason: str | None


class LimitView(msgspec.Struct, frozen=True, kw_only=True):
    """One limit of a service: *used* of *limit*, in *unit*; *window* in microseconds (0: in flight now).

    *waiting* counts callers queued for the service; *free_at* is the epoch microsecond when one
    unit is free again, None when it is now. *shadow*: it is evaluated and not enforced; it would
    have made *would_wait* calls wait, and refused *would_refuse*, since the start.
    """

    service: str
    rule: str
    unit: Unit
    limit: int
    used: int
    window: int
    waiting: int
    free_at: int | None
    shadow: bool = False
    would_wait: int = 0
    would_refuse: int = 0


class BudgetView(msgspec.Struct, frozen=True, kw_only=True):
    """One budget for one value of its ``each``; numbers in *unit* (nano-USD for ``usd``).

    Attributes:
        kind: ``fail``, ``warn``, ``skip`` or ``degrade``.
        limit: the one in force, which may be another than the configured one: see *State.set_limit*.
        period_start: epoch microseconds; 0 for a total budget. *period_end*: None for a total one.
        unpriced: calls without a price in this period; their cost is in no number.
        refused: calls turned away, or stopped under way, since the start of the process; of a value
            of ``each`` since it was last heard of.
        reserve: what *reserved* holds for a call: its ``worst_case``, or what is ``expected`` of it,
            which can turn out to be too little.
        shadow: it is evaluated and not enforced; *refused* are the calls that it would have turned away.
    """

    budget: str
    value: str | None
    kind: str
    unit: Unit
    limit: int
    spent: int
    reserved: int
    period: str
    period_start: int
    period_end: int | None
    thresholds: tuple[float, ...]
    unpriced: int
    refused: int
    reserve: str = "worst_case"
    shadow: bool = False

    @property
    def remaining(self) -> int:
        """What is neither spent nor reserved; never below 0."""
        return max(0, self.limit - self.spent - self.reserved)

    @property
    def used_share(self) -> float:
        """Spent as a share of the limit."""
        return self.spent / self.limit


class PastCalls(msgspec.Struct, frozen=True, kw_only=True):
    """Calls of one service, or of one scope, that still count in its windows.

    *requests* and *tokens* at *at* (epoch microseconds).
    """

    service: str
    at: int
    requests: int
    tokens: int


class PastSpend(msgspec.Struct, frozen=True, kw_only=True):
    """What one account had spent in the period that is running."""

    account: Account
    cost: int
    tokens: int
    unpriced: int


class PastLimit(msgspec.Struct, frozen=True, kw_only=True):
    """The limit that a budget was given at run time, and that is still in force."""

    budget: str
    limit: int


class PastBreaker(msgspec.Struct, frozen=True, kw_only=True):
    """The last recorded change of a breaker."""

    service: str
    state: CircuitName
    at: int
    until: int | None
    opened_times: int
    reason: str


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger remembers and a new state is told. *calls* in order of time."""

    calls: tuple[PastCalls, ...] = ()
    spend: tuple[PastSpend, ...] = ()
    breakers: tuple[PastBreaker, ...] = ()
    limits: tuple[PastLimit, ...] = ()


class State(Protocol):
    """A place for live numbers. Every method is atomic and never blocks on I/O for long."""

    def admit(self, request: AdmissionRequest, now: Moment, slot: int | None = None) -> Admission | Waiting | Refusal:
        """Ask limits, breaker and budgets, in this order: all or nothing.

        *slot* is the place that an earlier *Waiting* gave; breaker and budgets are asked again.
        A refusal with a *slot* gives the place back.
        """

    def withdraw(self, slot: int, now: Moment) -> None:
        """Give a place in the queue back; unknown places are ignored."""

    def cancel(self, admission: Admission, now: Moment) -> None:
        """Undo an admission whose call never left: everything it held comes back."""

    def settle(self, admission: Admission, outcome: Outcome, cost: int | None, now: Moment) -> tuple[Event, ...]:
        """Replace the reservation by what was used; the second time does nothing.

        *cost* in nano-USD, None for unpriced. With ``outcome.usage`` None the reserved tokens count.
        Tokens that have left a window are neither credited to it nor charged.

        ``outcome.retry_after`` of a failure pauses the whole service for that long, an hour at
        most; so does a quota of which nothing remains, until it is reset. One of which less
        remains than the service's own limits would let go until then, is kept: each call takes
        from it, the last unit lets one more call through, and a refused or waiting call goes at
        the reset. After either, waiting calls go one by one, at the rate of the service's shortest
        window, until nobody waits. Each quota replaces what was said of its unit before.
        """

    def extend(self, admission: Admission, cost: int | None, tokens: int, now: Moment) -> Refusal | None:
        """Hold more for a call in flight that turns out larger than its reservation: all or nothing.

        *cost* and *tokens* are what it will have used in all. Each budget that it falls under,
        that holds less than that, and that holds the worst case (not what is expected), is asked;
        the first without room for the difference is the refusal. A ``warn`` budget has always
        room. None: the call may go on; so too when it is settled already.
        """

    def explain(self, request: AdmissionRequest, now: Moment) -> Explanation:
        """Return what *admit* would answer to *request*, with all the numbers that it would look at.

        Nothing is consumed, counted or told: no number of any view changes by it.
        """

    def set_limit(self, budget: str, limit: int, now: Moment) -> tuple[int, tuple[BudgetCrossed, ...]]:
        """Give *budget*, for every value of its ``each``, another *limit* in its unit, at once.

        Return the limit until now, and a *BudgetCrossed* for each threshold that the new limit has
        fallen below. Those that it has risen above are armed again. Reservations stay; a call
        that does not fit any more is refused from now on.

        Raises:
            KeyError: there is no such budget.
        """

    def set_breaker(self, service: str, order: BreakerOrder, note: str, now: Moment) -> CircuitName:
        """Do what an operator says about the breaker of *service*; *note* is why. Return the state until now.

        Results of calls under way say nothing. *poll* returns the event of it. KeyError: no such service.
        """

    def set_scope(self, scope: str, rules: Sequence[LimitRule], now: Moment) -> None:
        """Hold calls that fall under *scope* to *rules* from now on; none: it limits nothing.

        What a limit of the same name and span has counted stays counted. A denial names scope and
        rule. Who waits for a scope has no place in the service's line, so he is in nobody's way.
        """

    def add_budget(self, rule: BudgetRule, past: PastSpend | None, now: Moment) -> None:
        """Keep one more budget from now on, of which *past* is spent; one that is kept already stays as it is."""

    def drop_budget(self, name: str) -> None:
        """Keep budget *name* no longer; calls in flight settle all the same. One that is not kept is nothing to do."""

    def restore(self, history: History, now: Moment) -> None:
        """Take over what the ledger remembers; before the first *admit*."""

    def reconfigure(
        self, services: Mapping[str, ServiceRules], budgets: Iterable[BudgetRule], history: History, now: Moment
    ) -> tuple[Event, ...]:
        """Hold to other rules from the next admission on; calls in flight settle in what they hold.

        What is counted stays counted where a limit, a window or a budget goes on as it was: windows
        of the same name and span, breakers with their state, budgets that count the same calls over
        the same period. What is new begins with what *history* tells of it. A service that is
        configured no more is shown no more; its calls in flight settle all the same.

        Return the events of it: budgets whose limit has fallen below a threshold.

        Raises:
            ConfigError: a state of this kind can't hold to one of the rules; nothing has changed.
            StateError: it can't be reached; nothing has changed.
        """

    def poll(self, now: Moment) -> tuple[Event, ...]:
        """Let time take its effect (an open breaker goes half-open); return events not yet returned by a verb."""

    def breakers(self, now: Moment) -> Sequence[BreakerView]:
        """Return one view for each service, sorted by name."""

    def limits(self, now: Moment) -> Sequence[LimitView]:
        """Return one view for each configured limit, sorted by service and rule."""

    def scopes(self, now: Moment) -> Sequence[LimitView]:
        """Return one view for each limit of a scope, whose name stands in the place of the service's."""

    def budgets(self, now: Moment) -> Sequence[BudgetView]:
        """Return one view for each account that is known, sorted; at least one for a budget without ``each``."""

    def close(self) -> None:
        """Let go of what is held outside this process; the second time does nothing."""


class AsyncState(State, Protocol):
    """A state whose verbs also come for tasks: each promises what its twin does, and never blocks the loop.

    A verb that is cancelled has happened or not, and leaves nothing held that nobody knows of.
    """

    async def aadmit(
        self, request: AdmissionRequest, now: Moment, slot: int | None = None
    ) -> Admission | Waiting | Refusal:
        """Ask limits, breaker and budgets; see *State.admit*."""

    async def awithdraw(self, slot: int, now: Moment) -> None:
        """Give a place in the queue back; see *State.withdraw*."""

    async def acancel(self, admission: Admission, now: Moment) -> None:
        """Undo an admission whose call never left; see *State.cancel*."""

    async def asettle(self, admission: Admission, outcome: Outcome, cost: int | None, now: Moment) -> tuple[Event, ...]:
        """Replace the reservation by what was used; see *State.settle*."""

    async def aextend(self, admission: Admission, cost: int | None, tokens: int, now: Moment) -> Refusal | None:
        """Hold more for a call in flight; see *State.extend*."""

    async def aexplain(self, request: AdmissionRequest, now: Moment) -> Explanation:
        """Return what *admit* would answer; see *State.explain*."""

    async def apoll(self, now: Moment) -> tuple[Event, ...]:
        """Let time take its effect; see *State.poll*."""

    async def aclose(self) -> None:
        """Let go of what the running loop holds outside this process."""
