"""What happened, as typed events, and the bus that carries them.

Rules return events; they never call listeners. The governor publishes them after every lock
is released, so a listener can be slow, can raise or can call back in without harm.
"""

from __future__ import annotations

import enum
import logging
from typing import TYPE_CHECKING, Literal

import msgspec

from switchgear.calls import Call, CallStatus, Outcome, Refusal, Unit, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "BreakerChanged",
    "BudgetChanged",
    "BudgetCrossed",
    "Bus",
    "CallRefused",
    "CallRetried",
    "CallSettled",
    "CircuitName",
    "CircuitState",
    "ConfigChanged",
    "Event",
    "ShadowExceeded",
]

CircuitName = Literal["closed", "open", "half_open", "forced_open", "disabled", "metrics_only"]


class CircuitState(enum.StrEnum):
    """The states of a circuit: each is equal to its *CircuitName*."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"
    DISABLED = "disabled"
    METRICS_ONLY = "metrics_only"


_log = logging.getLogger("switchgear.events")


class BreakerChanged(msgspec.Struct, frozen=True, kw_only=True, tag="breaker_changed"):
    """A breaker went from one state to another; from *metrics_only* to itself: it would have opened.

    Attributes:
        at: epoch microseconds.
        reason: a sentence with the numbers, e.g. ``5 failures in a row (threshold 5)``.
        opened_times: how often it has opened since it was last closed.
        until: epoch microseconds when an open breaker lets a probe pass; None in other states.
    """

    service: str
    old: CircuitName
    new: CircuitName
    reason: str
    at: int
    opened_times: int = 0
    until: int | None = None


class BudgetCrossed(msgspec.Struct, frozen=True, kw_only=True, tag="budget_crossed"):
    """What a budget has spent passed a threshold, once a crossing.

    Attributes:
        value: the job (or other value) that it is about, for a budget with ``each``.
        threshold: share of the limit, e.g. 0.75.
        used: what is spent, in *unit*.
        at: epoch microseconds.
        shadow: the budget is evaluated and not enforced.
    """

    budget: str
    value: str | None
    threshold: float
    used: int
    limit: int
    unit: Unit
    at: int
    shadow: bool = False


class BudgetChanged(msgspec.Struct, frozen=True, kw_only=True, tag="budget_changed"):
    """Somebody gave a budget another limit while it was in force.

    Attributes:
        old: the limit until then, in *unit*; *new*: the one from then on.
        configured: the limit of the configuration at that time. As long as that stays the same,
            *new* outlives a restart.
        by: who did it; *note*: why, in their words.
        at: epoch microseconds.
    """

    budget: str
    old: int
    new: int
    configured: int
    unit: Unit
    by: str
    note: str
    at: int


class ShadowExceeded(msgspec.Struct, frozen=True, kw_only=True, tag="shadow_exceeded"):
    """A shadow limit or budget would have held a call up that went; told of the first, the 10th, the 100th, ...

    Attributes:
        service: of the call.
        rule: the limit's name, or the budget's; *value*: that of its ``each``.
        verdict: ``wait``: it would have queued for the limit; ``refuse``.
        count: how many such calls there are by now.
        at: epoch microseconds.
    """

    service: str
    rule: str
    value: str | None = None
    verdict: Literal["wait", "refuse"]
    count: int
    unit: Unit
    limit: int
    used: int
    needed: int
    at: int


class ConfigChanged(msgspec.Struct, frozen=True, kw_only=True, tag="config_changed"):
    """The configuration was read again, and holds from *at* on (epoch microseconds).

    Attributes:
        changes: each key that has another value, with the old and the new one as TOML has them, and
            no password in them; None: there was, or is, no such key.
        source: the file, as it was named.
        by: who had it read again.
    """

    changes: tuple[tuple[str, object, object], ...]
    source: str
    by: str
    at: int


class CallSettled(msgspec.Struct, frozen=True, kw_only=True, tag="call_settled"):
    """An attempt is over and in the ledger. *cost* is nano-USD; None means unpriced.

    Attributes:
        outcome: how it ended, as the gate was told.
        reserved: what was held for it, in nano-USD; None: unpriced.
    """

    call: Call
    status: CallStatus
    usage: Usage
    cost: int | None
    waited_us: int
    duration_us: int
    at: int
    outcome: Outcome | None = None
    reserved: int | None = None

    @property
    def estimated(self) -> bool:
        """Whether *usage* is our estimate."""
        return self.outcome is not None and (self.outcome.estimated or self.outcome.usage is None)


class CallRefused(msgspec.Struct, frozen=True, kw_only=True, tag="call_refused"):
    """The gate refused a call, *waited_us* after it was asked."""

    call: Call
    refusal: Refusal
    at: int
    waited_us: int = 0


class CallRetried(msgspec.Struct, frozen=True, kw_only=True, tag="call_retried"):
    """An attempt that failed or was refused is followed by another one.

    Attributes:
        call: the attempt that is over.
        service: where the next one goes.
        pause_us: the pause before it.
    """

    call: Call
    service: str
    pause_us: int
    at: int


Event = (
    BreakerChanged
    | BudgetChanged
    | BudgetCrossed
    | CallRefused
    | CallRetried
    | CallSettled
    | ConfigChanged
    | ShadowExceeded
)


class Bus:
    """Delivers events to listeners, in order, outside every lock.

    A listener that raises is logged and stays subscribed: telemetry never fails a call.
    """

    def __init__(self) -> None:
        self._listeners: tuple[Callable[[Event], None], ...] = ()

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Add *listener*; return a function that removes it again."""
        self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            self._listeners = tuple(one for one in self._listeners if one is not listener)

        return unsubscribe

    def publish(self, events: Iterable[Event]) -> None:
        """Hand each of *events* to each listener."""
        for event in events:
            for listener in self._listeners:
                try:
                    listener(event)
                except Exception:  # noqa: BLE001 - a listener is somebody else's code; it is logged
                    _log.exception("a listener failed on %s", type(event).__name__)
