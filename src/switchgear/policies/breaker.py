"""The circuit breaker: closed, open, half-open, with leased probes and generations.

The machine::

    CLOSED ──failures in a row, failure rate, slow-call rate──> OPEN
    OPEN ──recovery time-out, or what the service asked for by Retry-After──> HALF_OPEN
    HALF_OPEN ──enough probes succeed──> CLOSED
    HALF_OPEN ──one probe fails or is slow──> OPEN, for longer if there is a backoff
    any ──by hand──> FORCED_OPEN, DISABLED, METRICS_ONLY, CLOSED

Every change starts a new generation; a result that belongs to an older one says nothing. Probes
are leases: a cancelled or neutral probe gives its place back, a lost one loses it in time.
Not thread-safe: its owner locks. Times are monotonic microseconds.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from switchgear.calls import Verdict
from switchgear.events import CircuitName
from switchgear.policies.breaker_window import CountWindow, TimeWindow

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Breaker", "BreakerOrder", "BreakerRule", "Change", "Judgement", "Permit", "Rejection", "RetryAfter", "told"]

Judgement = Verdict | Literal["throttled"]
"""What a result says. ``throttled``: the service is well and asks to be left alone for a while."""

RetryAfter = Literal["honor", "extend", "ignore"]
"""What a service's Retry-After does: opens the circuit, only lengthens an opening, or nothing."""


BreakerOrder = Literal["open", "close", "reset"]
"""What an operator may say: reject every call; guard again, with nothing held against the service; be as when new."""

_ORDERS: Final[dict[BreakerOrder, tuple[CircuitName, str]]] = {
    "open": ("forced_open", "forced open by hand"),
    "close": ("closed", "closed by hand"),
    "reset": ("closed", "reset by hand"),
}


def told(order: BreakerOrder, note: str = "") -> tuple[CircuitName, str]:
    """Return the state that *order* leads to, and why, as a sentence; *note*: what the operator says to it."""
    new, words = _ORDERS[order]
    return new, f"{words}: {note}" if note else words


class BreakerRule(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """When a circuit opens, for how long, and how it is probed. Durations in microseconds.

    Attributes:
        failure_threshold: failures in a row that open it.
        recovery_us: how long it stays open the first time; then each time *backoff* times longer,
            up to *max_recovery_us*; spread by *jitter*, a share to either side.
        failure_rate: share of failures in the window that opens it, from *minimum_calls* on.
        window_us: how far back the rates look, unless *window_calls* says how many calls.
        slow_us: a call that takes longer is slow; None: none is.
        slow_rate: share of slow calls in the window that opens it, from *minimum_calls* on.
        probes: trial calls at the same time; each gives its place back after *probe_lease_us*.
        success_threshold: trial calls that must succeed to close it.
    """

    failure_threshold: int = 5
    recovery_us: int = 120_000_000
    failure_rate: float = 0.5
    minimum_calls: int = 10
    window_us: int = 60_000_000
    window_calls: int | None = None
    slow_us: int | None = None
    slow_rate: float = 0.8
    probes: int = 1
    success_threshold: int = 1
    probe_lease_us: int = 60_000_000
    backoff: float = 1.0
    max_recovery_us: int = 3_600_000_000
    jitter: float = 0.0
    retry_after: RetryAfter = "extend"


class Permit(msgspec.Struct, frozen=True, gc=False):
    """Leave to make one call, tied to the generation that gave it."""

    generation: int
    probe: int | None = None


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """No leave. *ready_at*: when the next probe may go; None: nobody knows (forced open, or being probed)."""

    ready_at: int | None
    reason: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of state; *until*: when an open breaker lets a probe pass.

    From ``metrics_only`` to itself: the circuit would have opened.
    """

    old: CircuitName
    new: CircuitName
    reason: str
    opened_times: int
    until: int | None


class Breaker:
    """One circuit. Every verb returns the change it caused, if any, for its owner to publish.

    Args:
        rule: its settings.
        draw: returns a number from 0 to 1 for the jitter; a seeded one makes it reproducible.
    """

    def __init__(self, rule: BreakerRule, draw: Callable[[], float] = random.random) -> None:
        self.rule = rule
        self.state: CircuitName = "closed"
        self.reason: str | None = None
        self.failures = 0
        self.opened_times = 0
        self.rejected = 0
        self.until = 0
        self.leave: Permit | None = Permit(0)
        """The permit of every call while nothing needs to be asked; None: *check*, then *take*."""
        self._draw: Final = draw
        self._generation = 0
        self._window = _window(rule)
        self._minimum = min(rule.minimum_calls, rule.window_calls or rule.minimum_calls)
        self._probes: dict[int, int] = {}  # probe -> end of its lease
        self._next_probe = 1
        self._successes = 0
        self._told = False  # metrics_only: the opening that would have been is told already

    def poll(self, now: int) -> Change | None:
        """Go half-open if the time has come: reading the state is enough to see it."""
        if self.state == "open" and now >= self.until:
            return self._go("half_open", "the recovery time is over: probing")
        return None

    def check(self, now: int) -> Rejection | None:
        """Return why a call may not go now, None if it may. Call *poll* first."""
        if self.leave is not None:
            return None
        if self.state == "half_open":
            for probe, lease in list(self._probes.items()):
                if lease <= now:
                    del self._probes[probe]
            if len(self._probes) < self.rule.probes:
                return None
            self.rejected += 1
            return Rejection(ready_at=None, reason=f"{len(self._probes)} of {self.rule.probes} trial calls under way")
        self.rejected += 1
        ready_at = self.until if self.state == "open" else None
        return Rejection(ready_at=ready_at, reason=self.reason or "no reason is known")

    def take(self, now: int) -> Permit:
        """Return leave for one call, after *check* found nothing against it."""
        if self.leave is not None:
            return self.leave
        probe = self._next_probe
        self._next_probe += 1
        self._probes[probe] = now + self.rule.probe_lease_us
        return Permit(self._generation, probe)

    def record(
        self, permit: Permit, verdict: Judgement, now: int, retry_after_us: int | None = None, took_us: int = 0
    ) -> Change | None:
        """Take a result in; one of an older generation, or of a probe that lost its lease, says nothing.

        *retry_after_us* is what the service asked for; *took_us* how long the call took.
        """
        if permit.generation != self._generation or self.state == "disabled":
            return None
        is_lost = permit.probe is not None and self._probes.pop(permit.probe, None) is None
        if is_lost or verdict == "neutral":
            return None
        if verdict == "throttled":
            return self._throttle(now, self._asked(retry_after_us))
        slow_us = self.rule.slow_us
        slow = slow_us is not None and took_us > slow_us
        failed = verdict == "failure"
        if permit.probe is not None:
            return self._record_probe(now, retry_after_us, failed=failed, slow=slow)
        self._window.add(now, failed, slow)
        self.failures = self.failures + 1 if failed else 0
        return self._judge(now, self._asked(retry_after_us) if failed else 0)

    @property
    def calm(self) -> bool:
        """Closed, and so few calls failed or were slow that no success, though it completes the minimum, can open."""
        if self.state != "closed":
            return False
        rule, window, minimum = self.rule, self._window, self._minimum
        return window.failed / minimum < rule.failure_rate and window.slow / minimum < rule.slow_rate

    def record_good(self, permit: Permit, count: int, newest: int) -> bool:
        """Take in *count* successes at once, the last of which ended at *newest*; none was slow.

        False: it makes a difference when each of them ended, so that they are to be recorded one by one.
        """
        if permit is not self.leave or not self.calm or not self._window.add_good(count, newest):
            return False
        self.failures = 0
        return True

    def counts(self, now: int) -> tuple[int, int, int]:
        """Return calls and failures in the window, and probes under way."""
        self._window.expire(now)
        return self._window.calls, self._window.failed, sum(lease > now for lease in self._probes.values())

    def slow_calls(self, now: int) -> int:
        """Return the slow calls in the window."""
        self._window.expire(now)
        return self._window.slow

    def remember(self, *, until: int, opened_times: int, reason: str) -> None:
        """Start open: the circuit was open when the last process ended. An *until* that has passed goes half-open."""
        self._go("open", reason)
        self.until = until
        self.opened_times = opened_times

    def remember_forced(self, reason: str) -> None:
        """Start forced open: that is how an operator left it when the last process ended."""
        self._go("forced_open", reason)

    def reconfigure(self, rule: BreakerRule) -> None:
        """Hold to *rule* from the next result on. The state, when it ends, and trial calls stay as they are.

        What the window has counted stays counted as long as the window is the same stretch.
        """
        if (rule.window_us, rule.window_calls) != (self.rule.window_us, self.rule.window_calls):
            self._window = _window(rule)
        self.rule = rule
        self._minimum = min(rule.minimum_calls, rule.window_calls or rule.minimum_calls)

    def force_open(self) -> Change | None:
        """Reject every call until somebody says otherwise."""
        return self.obey("open")

    def force_closed(self) -> Change | None:
        """Close now, with nothing held against the service; from then on it is guarded as ever."""
        return self.obey("close")

    def disable(self) -> Change | None:
        """Let every call through and record nothing."""
        return self._set("disabled", "disabled by hand")

    def only_measure(self) -> Change | None:
        """Let every call through, record it, and tell when the circuit would have opened."""
        return self._set("metrics_only", "set to metrics only by hand")

    def reset(self) -> Change | None:
        """Be as when new: closed, nothing counted."""
        return self.obey("reset")

    def obey(self, order: BreakerOrder, note: str = "") -> Change | None:
        """Do what an operator says; *note* is why."""
        if order == "reset":
            self.rejected = 0
        return self._set(*told(order, note))

    def _set(self, new: CircuitName, reason: str) -> Change | None:
        change = None
        if self.state != new:
            change = self._go(new, reason)
        elif new == "closed":
            self._start(new)
        return change

    def _asked(self, retry_after_us: int | None) -> int:
        if retry_after_us is None or retry_after_us <= 0 or self.rule.retry_after == "ignore":
            return 0
        return min(retry_after_us, self.rule.max_recovery_us)

    def _throttle(self, now: int, asked: int) -> Change | None:
        if not asked or self.rule.retry_after != "honor" or self.state == "metrics_only":
            return None
        self.until = now + asked
        self.opened_times += 1
        return self._go("open", f"the service asked to be left alone for {asked / 1e6:g} s")

    def _record_probe(self, now: int, retry_after_us: int | None, *, failed: bool, slow: bool) -> Change | None:
        if failed:
            return self._open("a trial call failed", now, self._asked(retry_after_us))
        if slow:
            return self._open("a trial call was slow", now, 0)
        self._successes += 1
        if self._successes < self.rule.success_threshold:
            return None
        count = self._successes
        return self._go("closed", f"{count} trial call{'s' if count > 1 else ''} succeeded")

    def _judge(self, now: int, asked: int) -> Change | None:
        reason = self._objection(asked)
        if self.state != "metrics_only":
            return None if reason is None else self._open(reason, now, asked)
        told, self._told = self._told, reason is not None
        if reason is None or told:
            return None
        return Change(old=self.state, new=self.state, reason=f"would open: {reason}", opened_times=0, until=None)

    def _objection(self, asked: int) -> str | None:
        """Return what speaks for opening, None if nothing does."""
        rule = self.rule
        if self.failures >= rule.failure_threshold:
            return f"{self.failures} failures in a row (threshold {rule.failure_threshold})"
        window = self._window
        calls = window.calls
        if calls >= self._minimum:
            if window.failed / calls >= rule.failure_rate:
                return f"{window.failed} of {calls} calls failed {self._span(rule.failure_rate)}"
            if rule.slow_us is not None and window.slow / calls >= rule.slow_rate:
                over = f"over {rule.slow_us / 1e6:g} s"
                return f"{window.slow} of {calls} calls were slow ({over}) {self._span(rule.slow_rate)}"
        if asked and rule.retry_after == "honor":
            return f"a call failed, and the service asked to be left alone for {asked / 1e6:g} s"
        return None

    def _span(self, threshold: float) -> str:
        rule = self.rule
        span = f"within {rule.window_us / 1e6:g} s" if rule.window_calls is None else f"of the last {rule.window_calls}"
        return f"{span} (threshold {threshold:.0%} from {self._minimum} calls)"

    def _open(self, reason: str, now: int, asked: int) -> Change:
        self.until = now + max(self._wait(), asked)
        self.opened_times += 1
        return self._go("open", reason)

    def _wait(self) -> int:
        """Return how long the circuit stays open this time."""
        rule = self.rule
        wait: float = rule.recovery_us
        if rule.backoff > 1:
            try:
                wait = min(wait * rule.backoff**self.opened_times, rule.max_recovery_us)
            except OverflowError:
                wait = rule.max_recovery_us
        if rule.jitter:
            wait *= 1 + rule.jitter * (2 * self._draw() - 1)
            wait = min(wait, max(rule.max_recovery_us, rule.recovery_us))
        return max(1, round(wait))

    def _go(self, new: CircuitName, reason: str) -> Change:
        old, self.state, self.reason = self.state, new, reason
        self._start(new)
        until = self.until if new == "open" else None
        return Change(old=old, new=new, reason=reason, opened_times=self.opened_times, until=until)

    def _start(self, state: CircuitName) -> None:
        """Begin a new generation: results of calls that are under way will say nothing."""
        self._generation += 1
        self._probes.clear()
        self._successes = 0
        self._told = False
        self.leave = None if state in {"open", "half_open", "forced_open"} else Permit(self._generation)
        if state not in {"open", "half_open"}:
            self.opened_times = 0
            self.failures = 0
            self._window.clear()


def _window(rule: BreakerRule) -> TimeWindow | CountWindow:
    return TimeWindow(rule.window_us) if rule.window_calls is None else CountWindow(rule.window_calls)
