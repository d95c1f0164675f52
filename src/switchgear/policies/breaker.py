"""The circuit breaker: closed, open, half-open, with leased probes and generations.

The machine::

    CLOSED ──N failures in a row, or a failure rate over a time window──> OPEN
    OPEN ──recovery time-out, or what the service asked for by Retry-After──> HALF_OPEN
    HALF_OPEN ──enough probes succeed──> CLOSED
    HALF_OPEN ──one probe fails──> OPEN

Every change starts a new generation; a result that belongs to an older one says nothing. Probes
are leases: a cancelled or neutral probe gives its place back, a lost one loses it in time.
Not thread-safe: its owner locks. Times are monotonic microseconds.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from switchgear.events import CircuitName

if TYPE_CHECKING:
    from switchgear.calls import Verdict

__all__ = ["Breaker", "BreakerRule", "Change", "Permit", "Rejection"]

_CELLS: Final = 200


class BreakerRule(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """When a circuit opens, for how long, and how it is probed. Durations in microseconds."""

    failure_threshold: int = 5
    recovery_us: int = 120_000_000
    failure_rate: float = 0.5
    minimum_calls: int = 10
    window_us: int = 60_000_000
    probes: int = 1
    success_threshold: int = 1
    probe_lease_us: int = 60_000_000
    max_recovery_us: int = 3_600_000_000


class Permit(msgspec.Struct, frozen=True, gc=False):
    """Leave to make one call, tied to the generation that gave it."""

    generation: int
    probe: int | None = None


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """No leave. *ready_at*: when the next probe may go; None: when a probe under way has ended."""

    ready_at: int | None
    reason: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of state; *until*: when an open breaker lets a probe pass."""

    old: CircuitName
    new: CircuitName
    reason: str
    opened_times: int
    until: int | None


class _Outcomes:
    """Calls and failures of the last *window_us*, in cells that expire with their newest call."""

    __slots__ = ("_cell_us", "_cells", "_window_us", "calls", "failed")

    def __init__(self, window_us: int) -> None:
        self._window_us: Final = window_us
        self._cell_us: Final = max(1, window_us // _CELLS)
        self._cells: deque[list[int]] = deque()  # [newest, calls, failed]
        self.calls = 0
        self.failed = 0

    def expire(self, now: int) -> None:
        edge = now - self._window_us
        while self._cells and self._cells[0][0] <= edge:
            _, calls, failed = self._cells.popleft()
            self.calls -= calls
            self.failed -= failed

    def add(self, now: int, *, failed: bool) -> None:
        self.expire(now)
        cells = self._cells
        if not cells or cells[-1][0] // self._cell_us != now // self._cell_us:
            cells.append([now, 0, 0])
        cell = cells[-1]
        cell[0] = max(cell[0], now)
        cell[1] += 1
        cell[2] += failed
        self.calls += 1
        self.failed += failed

    def clear(self) -> None:
        self._cells.clear()
        self.calls = self.failed = 0


class Breaker:
    """One circuit. Every verb returns the change it caused, if any, for its owner to publish."""

    def __init__(self, rule: BreakerRule) -> None:
        self.rule: Final = rule
        self.state: CircuitName = "closed"
        self.reason: str | None = None
        self.failures = 0
        self.opened_times = 0
        self.rejected = 0
        self.until = 0
        self._generation = 0
        self._outcomes: Final = _Outcomes(rule.window_us)
        self._probes: dict[int, int] = {}  # probe -> end of its lease
        self._next_probe = 1
        self._successes = 0

    def poll(self, now: int) -> Change | None:
        """Go half-open if the time has come: reading the state is enough to see it."""
        if self.state == "open" and now >= self.until:
            return self._go("half_open", "the recovery time is over: probing", now)
        return None

    def check(self, now: int) -> Rejection | None:
        """Return why a call may not go now, None if it may. Call *poll* first."""
        if self.state == "closed":
            return None
        if self.state == "open":
            self.rejected += 1
            return Rejection(ready_at=self.until, reason=self.reason or "no reason is known")
        for probe, lease in list(self._probes.items()):
            if lease <= now:
                del self._probes[probe]
        if len(self._probes) < self.rule.probes:
            return None
        self.rejected += 1
        return Rejection(ready_at=None, reason=f"{len(self._probes)} of {self.rule.probes} trial calls under way")

    def take(self, now: int) -> Permit:
        """Return leave for one call, after *check* found nothing against it."""
        if self.state == "closed":
            return Permit(self._generation)
        probe = self._next_probe
        self._next_probe += 1
        self._probes[probe] = now + self.rule.probe_lease_us
        return Permit(self._generation, probe)

    def record(self, permit: Permit, verdict: Verdict, now: int, retry_after_us: int | None = None) -> Change | None:
        """Take a result in; one of an older generation, or of a probe that lost its lease, says nothing."""
        if permit.generation != self._generation:
            return None
        if permit.probe is not None and self._probes.pop(permit.probe, None) is None:
            return None
        if verdict == "neutral":
            return None
        if self.state == "half_open":
            return self._record_probe(verdict, now, retry_after_us)
        self._outcomes.add(now, failed=verdict == "failure")
        self.failures = self.failures + 1 if verdict == "failure" else 0
        return self._judge(now, retry_after_us)

    def counts(self, now: int) -> tuple[int, int, int]:
        """Return calls and failures in the window, and probes under way."""
        self._outcomes.expire(now)
        return self._outcomes.calls, self._outcomes.failed, len(self._probes)

    def remember(self, *, until: int, opened_times: int, reason: str) -> None:
        """Start open: the circuit was open when the last process ended. An *until* that has passed goes half-open."""
        self.state = "open"
        self.until = until
        self.opened_times = opened_times
        self.reason = reason
        self._generation += 1

    def _record_probe(self, verdict: Verdict, now: int, retry_after_us: int | None) -> Change | None:
        if verdict == "failure":
            return self._open("a trial call failed", now, retry_after_us)
        self._successes += 1
        if self._successes < self.rule.success_threshold:
            return None
        count = self._successes
        return self._go("closed", f"{count} trial call{'s' if count > 1 else ''} succeeded", now)

    def _judge(self, now: int, retry_after_us: int | None) -> Change | None:
        rule = self.rule
        if self.failures >= rule.failure_threshold:
            return self._open(
                f"{self.failures} failures in a row (threshold {rule.failure_threshold})", now, retry_after_us
            )
        calls, failed = self._outcomes.calls, self._outcomes.failed
        if calls >= rule.minimum_calls and failed / calls >= rule.failure_rate:
            return self._open(
                f"{failed} of {calls} calls failed within {rule.window_us / 1e6:g} s "
                f"(threshold {rule.failure_rate:.0%} from {rule.minimum_calls} calls)",
                now,
                retry_after_us,
            )
        return None

    def _open(self, reason: str, now: int, retry_after_us: int | None) -> Change:
        wait = max(self.rule.recovery_us, min(retry_after_us or 0, self.rule.max_recovery_us))
        self.until = now + wait
        self.opened_times += 1
        return self._go("open", reason, now)

    def _go(self, new: CircuitName, reason: str, now: int) -> Change:
        old, self.state, self.reason = self.state, new, reason
        self._generation += 1
        self._probes.clear()
        self._successes = 0
        if new == "closed":
            self.opened_times = 0
            self.failures = 0
            self._outcomes.clear()
        until = self.until if new == "open" else None
        self._outcomes.expire(now)
        return Change(old=old, new=new, reason=reason, opened_times=self.opened_times, until=until)
