"""The rule, and the breaker around it, step by step against a reference that remembers everything."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from switchgear import BreakerOpen, CircuitBreaker
from switchgear.clock import micros
from switchgear.policies.breaker import Breaker, BreakerRule, Permit, Rejection
from switchgear.standalone.breaker import Permit as Standing
from switchgear.testing import ManualClock

PASSING = {"closed", "disabled", "metrics_only"}


class Asks(Exception):
    """A failure that may carry a Retry-After."""

    def __init__(self, retry_after: float | None) -> None:
        super().__init__()
        self.retry_after = retry_after


@dataclass
class Reference:
    """A breaker that is slow and plain: every result is kept, every question looks at all of them."""

    rule: BreakerRule
    state: str = "closed"
    epoch: int = 0
    results: list[tuple[int, bool, bool]] = field(default_factory=list)
    row: int = 0
    opened: int = 0
    until: int = 0
    good_probes: int = 0
    leases: dict[int, int] = field(default_factory=dict)
    probes: int = 0

    def go(self, state: str) -> None:
        self.state, self.leases, self.good_probes = state, {}, 0
        self.epoch += 1
        if state not in {"open", "half_open"}:
            self.results, self.row, self.opened = [], 0, 0

    def look(self, now: int) -> None:
        if self.state == "open" and now >= self.until:
            self.go("half_open")

    def enter(self, now: int) -> tuple[int, int | None] | None:
        self.look(now)
        if self.state in PASSING:
            return self.epoch, None
        if self.state != "half_open":
            return None
        self.leases = {probe: end for probe, end in self.leases.items() if end > now}
        if len(self.leases) >= self.rule.probes:
            return None
        self.probes += 1
        self.leases[self.probes] = now + self.rule.probe_lease_us
        return self.epoch, self.probes

    def leave(self, permit: tuple[int, int | None], verdict: str, now: int, asked: int, took: int) -> None:
        epoch, probe = permit
        if epoch != self.epoch or self.state == "disabled":
            return
        if probe is not None and self.leases.pop(probe, None) is None:
            return
        if verdict == "neutral":
            return
        failed, slow = verdict == "failure", self.rule.slow_us is not None and took > self.rule.slow_us
        asked = min(asked, self.rule.max_recovery_us) if failed else 0
        if probe is not None:
            self.leave_probe(now, asked, bad=failed or slow)
            return
        self.results.append((now, failed, slow))
        self.row = self.row + 1 if failed else 0
        if self.state == "closed" and (self.is_bad(now) or asked):
            self.open(now, asked)

    def leave_probe(self, now: int, asked: int, *, bad: bool) -> None:
        self.good_probes += 1
        if bad:
            self.open(now, asked)
        elif self.good_probes == self.rule.success_threshold:
            self.go("closed")

    def open(self, now: int, asked: int) -> None:
        wait = self.rule.recovery_us
        for _ in range(self.opened):
            wait = min(round(wait * self.rule.backoff), self.rule.max_recovery_us)
        self.until = now + max(wait, asked)
        self.opened += 1
        self.go("open")

    def window(self, now: int) -> list[tuple[int, bool, bool]]:
        if self.rule.window_calls is not None:
            return self.results[-self.rule.window_calls :]
        cell = self.rule.window_us // 200
        newest = {at // cell: at for at, _, _ in self.results}
        return [one for one in self.results if newest[one[0] // cell] > now - self.rule.window_us]

    def is_bad(self, now: int) -> bool:
        if self.row >= self.rule.failure_threshold:
            return True
        window = self.window(now)
        if len(window) < min(self.rule.minimum_calls, self.rule.window_calls or 10**9):
            return False
        slow = sum(one[2] for one in window) / len(window)
        return sum(one[1] for one in window) / len(window) >= self.rule.failure_rate or (
            self.rule.slow_us is not None and slow >= self.rule.slow_rate
        )


class BreakerMachine(RuleBasedStateMachine):
    """Lets the three live through the same."""

    @initialize(
        threshold=st.integers(2, 4),
        window=st.sampled_from([6, 20.0]),
        slow=st.sampled_from([None, 5.0]),
        probes=st.integers(1, 2),
        successes=st.integers(1, 2),
        backoff=st.sampled_from([1.0, 2.0]),
    )
    def make(
        self, threshold: int, window: float, slow: float | None, probes: int, successes: int, backoff: float
    ) -> None:
        self.clock = ManualClock()
        self.breaker = CircuitBreaker(
            "svc",
            failure_threshold=threshold,
            recovery_timeout=10,
            success_threshold=successes,
            failure_rate=0.6,
            minimum_calls=5,
            window=window,
            slow_call=slow,
            slow_rate=0.5,
            probes=probes,
            probe_lease=15,
            backoff=backoff,
            max_recovery_timeout=35,
            clock=self.clock,
        )
        rules = self.breaker._circuit.breaker.rule  # noqa: SLF001 - the same numbers for all three
        self.policy = Breaker(rules)
        self.reference = Reference(rules)
        self.open: list[tuple[int, Permit, Standing, tuple[int, int | None]]] = []

    @property
    def now(self) -> int:
        return self.clock.moment().mono

    @rule(seconds=st.sampled_from([0.05, 0.1, 1.0, 3.0, 8.0, 10.0, 19.95]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def enter(self) -> None:
        self.policy.poll(self.now)
        answer = self.policy.check(self.now) or self.policy.take(self.now)
        expected = self.reference.enter(self.now)
        if expected is not None:
            assert isinstance(answer, Permit)
            self.open.append((self.now, answer, self.breaker.acquire(), expected))
            return
        with pytest.raises(BreakerOpen) as caught:
            self.breaker.acquire()
        assert isinstance(answer, Rejection)
        ends = self.reference.until if self.reference.state == "open" else None
        assert answer.ready_at == ends
        assert caught.value.retry_after == (None if ends is None else (ends - self.now) / 1e6)

    @precondition(lambda self: self.open)
    @rule(
        which=st.integers(0, 1000),
        verdict=st.sampled_from(["success", "failure", "success", "failure", "neutral"]),
        asked=st.sampled_from([0, 0, 0, 0, 20, 50]),
    )
    def leave(self, which: int, verdict: str, asked: int) -> None:
        since, permit, standing, expected = self.open.pop(which % len(self.open))
        took = self.now - since
        said = {"success": "success", "failure": "failure"}.get(verdict, "neutral")
        self.policy.record(permit, said, self.now, micros(asked) or None, took)  # type: ignore[arg-type]  # one of the words
        self.reference.leave(expected, verdict, self.now, micros(asked), took)
        if verdict == "failure":
            standing.failure(Asks(asked or None))
        elif verdict == "success":
            standing.success()
        else:
            standing.cancel()

    @rule(calls=st.integers(1, 5))
    def succeed(self, calls: int) -> None:
        for _ in range(calls):
            self.enter()
            if self.open:
                self.leave(len(self.open) - 1, "success", 0)

    @rule(command=st.sampled_from(["force_open", "force_closed", "disable", "reset", "metrics_only"]))
    def command(self, command: str) -> None:
        names = {"force_open": "forced_open", "disable": "disabled", "metrics_only": "metrics_only"}
        new = names.get(command, "closed")
        self.reference.look(self.now)
        self.policy.poll(self.now)
        getattr(self.policy, "only_measure" if command == "metrics_only" else command)()
        getattr(self.breaker, command)()
        if new == "closed" or new != self.reference.state:
            self.reference.go(new)

    @invariant()
    def all_agree(self) -> None:
        if not hasattr(self, "reference"):
            return
        self.reference.look(self.now)
        self.policy.poll(self.now)
        window = self.reference.window(self.now)
        expected = (
            self.reference.state,
            self.reference.row,
            self.reference.opened,
            len(window),
            sum(one[1] for one in window),
            sum(one[2] for one in window),
            sum(end > self.now for end in self.reference.leases.values()),
        )
        calls, failed, probes = self.policy.counts(self.now)
        slow = self.policy.slow_calls(self.now)
        assert (
            self.policy.state,
            self.policy.failures,
            self.policy.opened_times,
            calls,
            failed,
            slow,
            probes,
        ) == expected
        stats = self.breaker.stats()
        assert (
            stats.state,
            stats.failures,
            stats.opened_times,
            stats.calls,
            stats.failed,
            stats.slow,
            stats.probes,
        ) == expected


BreakerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestBreakerMachine = BreakerMachine.TestCase
