from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from msgspec.structs import replace

from switchgear.calls import Outcome, Quota, Refusal, Usage, Verdict
from switchgear.clock import MICROS, Moment
from switchgear.policies.breaker import BreakerOrder, BreakerRule
from switchgear.policies.budget import BudgetRule
from switchgear.policies.limiter import LimitRule
from switchgear.state.base import Account, Admission, AdmissionRequest, BudgetView, Waiting
from switchgear.state.explanation import Explanation
from switchgear.state.memory import MemoryState, ServiceRules
from switchgear.state.redis import RedisState
from switchgear.testing import ManualClock

SERVICES = {
    "openai": ServiceRules(
        limits=(
            LimitRule(name="requests_per_minute", unit="requests", limit=6, window_us=60 * MICROS),
            LimitRule(name="tokens_per_minute", unit="tokens", limit=900, window_us=60 * MICROS),
            LimitRule(name="requests_per_day", unit="requests", limit=40, window_us=86_400 * MICROS),
            LimitRule(name="concurrent", unit="calls", limit=3, window_us=0),
        ),
        breaker=BreakerRule(
            failure_threshold=3,
            recovery_us=20 * MICROS,
            minimum_calls=4,
            window_us=30 * MICROS,
            probes=2,
            success_threshold=2,
            probe_lease_us=10 * MICROS,
            backoff=2.0,
            max_recovery_us=60 * MICROS,
            slow_us=25 * MICROS,
        ),
        shadow=(
            LimitRule(name="requests_per_minute", unit="requests", limit=3, window_us=60 * MICROS),
            LimitRule(name="tokens_per_minute", unit="tokens", limit=600, window_us=60 * MICROS),
            LimitRule(name="concurrent", unit="calls", limit=2, window_us=0),
        ),
    ),
    "http": ServiceRules(
        limits=(LimitRule(name="tokens_per_minute", unit="tokens", limit=500, window_us=60 * MICROS),),
        breaker=BreakerRule(
            failure_threshold=50, window_calls=5, minimum_calls=3, recovery_us=5 * MICROS, retry_after="honor"
        ),
    ),
}
BUDGETS = (
    BudgetRule(name="all", unit="usd", limit=40, period="hour", timezone="Europe/Vienna"),
    BudgetRule(name="tokens", unit="tokens", limit=5000, action="degrade", thresholds=(0.2, 0.4)),
    BudgetRule(name="job", unit="usd", limit=25, each="job", rolling_us=90 * MICROS, period="90s", action="skip"),
    BudgetRule(name="watch", unit="usd", limit=10, each="job", action="warn", thresholds=(0.5, 1.0, 1.0)),
    BudgetRule(name="soft", unit="usd", limit=60, reserve="expected"),
    BudgetRule(name="shade", unit="usd", limit=18, period="hour", shadow=True),
    BudgetRule(name="shade-job", unit="tokens", limit=700, each="job", shadow=True, rolling_us=40 * MICROS),
)


def _counted(views: Sequence[BudgetView]) -> list[BudgetView]:
    """Leave out values that hold and have counted nothing: when they are forgotten is each state's own business."""
    kept = (view for view in views if view.value is None or view.spent or view.reserved or view.unpriced)
    return [view if view.value is None else replace(view, refused=0) for view in kept]


def _comparable(told: Explanation) -> Explanation:
    """Leave out how many calls of a value were refused: when that is forgotten is each state's own business."""
    budgets = tuple(replace(one, view=replace(one.view, refused=0)) for one in told.budgets)
    return replace(told, budgets=budgets)


def assert_foretold(told: Explanation, answer: Admission | Waiting | Refusal, now: Moment) -> None:
    """Check that *answer* is what was *told* before."""
    if isinstance(answer, Refusal):
        assert (told.verdict, told.refusal, told.rule) == ("refuse", answer, answer.rule)
    elif isinstance(answer, Waiting):
        foreseen = None if answer.rule == "concurrent" else answer.go_at - now.mono + now.wall
        assert (told.verdict, told.rule, told.go_at) == ("wait", answer.rule, foreseen)
    else:
        assert (told.verdict, told.rule, told.go_at) == ("pass", None, now.wall)


class Machine(RuleBasedStateMachine):
    """Does the same to a state in memory and to one on Redis, and compares every answer."""

    def __init__(self, share: Callable[..., RedisState]) -> None:
        super().__init__()
        self.clock = ManualClock(1_000_000.0)
        self.memory = MemoryState(services=SERVICES, budgets=BUDGETS, started=self.clock.moment())
        self.redis = share(services=SERVICES, budgets=BUDGETS, clock=self.clock, lease_us=10**15)
        self.held: list[tuple[Admission, Admission]] = []
        self.lines: list[tuple[AdmissionRequest, Waiting, Waiting]] = []

    def teardown(self) -> None:
        self.redis.close()

    def compare(self, request: AdmissionRequest, mine: object, theirs: object) -> None:
        assert type(mine) is type(theirs), (mine, theirs)
        if isinstance(mine, Admission) and isinstance(theirs, Admission):
            assert mine.events == theirs.events
            self.held.append((mine, theirs))
        elif isinstance(mine, Waiting) and isinstance(theirs, Waiting):
            assert mine.rule == theirs.rule, (mine, theirs)
            if mine.rule != "concurrent":
                assert mine.go_at == theirs.go_at, (mine, theirs)
            self.lines.append((request, mine, theirs))
        else:
            assert isinstance(mine, Refusal)
            assert mine == theirs

    @rule(
        service=st.sampled_from(["openai", "http"]),
        tokens=st.sampled_from([0, 1, 100, 300, 600, 901]),
        cost=st.sampled_from([None, 0, 1, 5, 9, 26]),
        expected=st.sampled_from([None, 2]),
        job=st.sampled_from([None, "a", "b"]),
        max_wait=st.sampled_from([0, 1, 30, 120]),
        can_degrade=st.booleans(),
    )
    def admit(
        self,
        service: str,
        tokens: int,
        cost: int | None,
        expected: int | None,
        job: str | None,
        max_wait: int,
        can_degrade: bool,  # noqa: FBT001 - hypothesis passes it by name
    ) -> None:
        accounts = [Account("all"), Account("tokens"), Account("shade"), Account("soft")]
        if job is not None:
            accounts += [Account("job", job), Account("watch", job), Account("shade-job", job)]
        request = AdmissionRequest(
            service=service,
            tokens=tokens,
            cost=cost,
            accounts=tuple(accounts),
            max_wait_us=max_wait * MICROS,
            can_degrade=can_degrade,
            expected_cost=expected,
        )
        now = self.clock.moment()
        told = self.explain(request)
        mine = self.memory.admit(request, now)
        assert_foretold(told, mine, now)
        self.compare(request, mine, self.redis.admit(request, now))

    def explain(self, request: AdmissionRequest) -> Explanation:
        now = self.clock.moment()
        before = self.seen()
        mine, theirs = self.memory.explain(request, now), self.redis.explain(request, now)
        assert self.seen() == before
        assert _comparable(mine) == _comparable(theirs)
        return mine

    def seen(self) -> list[object]:
        now = self.clock.moment()
        return [view(now) for one in (self.memory, self.redis) for view in (one.breakers, one.limits, one.budgets)]

    @precondition(lambda self: self.lines)
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        request, mine, theirs = self.lines.pop(data.draw(st.integers(0, len(self.lines) - 1)))
        now = self.clock.moment()
        self.compare(request, self.memory.admit(request, now, mine.slot), self.redis.admit(request, now, theirs.slot))

    @precondition(lambda self: self.lines)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        _, mine, theirs = self.lines.pop(data.draw(st.integers(0, len(self.lines) - 1)))
        self.memory.withdraw(mine.slot, self.clock.moment())
        self.redis.withdraw(theirs.slot, self.clock.moment())

    @precondition(lambda self: self.held)
    @rule(
        data=st.data(),
        verdict=st.sampled_from(["success", "failure", "failure", "neutral"]),
        tokens=st.sampled_from([None, 0, 50, 700]),
        cost=st.sampled_from([None, 0, 4, 11]),
        retry_after=st.sampled_from([None, None, 12.0]),
        quota=st.sampled_from([None, None, None, 0, 2]),
    )
    def settle(
        self,
        data: st.DataObject,
        verdict: Verdict,
        tokens: int | None,
        cost: int | None,
        retry_after: float | None,
        quota: int | None,
    ) -> None:
        mine, theirs = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        outcome = Outcome(
            status="ok",
            verdict=verdict,
            usage=None if tokens is None else Usage(input_tokens=tokens),
            retry_after=retry_after,
            quotas=() if quota is None else (Quota(unit="requests", remaining=quota, resets_in=20.0),),
        )
        now = self.clock.moment()
        one, other = self.memory.settle(mine, outcome, cost, now), self.redis.settle(theirs, outcome, cost, now)
        assert one == other, (one, other)
        assert self.memory.settle(mine, outcome, cost, now) == self.redis.settle(theirs, outcome, cost, now) == ()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        mine, theirs = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        self.memory.cancel(mine, self.clock.moment())
        self.redis.cancel(theirs, self.clock.moment())

    @precondition(lambda self: self.held)
    @rule(data=st.data(), cost=st.sampled_from([None, 3, 8, 30]), tokens=st.sampled_from([0, 200, 6000]))
    def extend(self, data: st.DataObject, cost: int | None, tokens: int) -> None:
        mine, theirs = data.draw(st.sampled_from(self.held))
        now = self.clock.moment()
        assert self.memory.extend(mine, cost, tokens, now) == self.redis.extend(theirs, cost, tokens, now)

    @rule(budget=st.sampled_from(["all", "job", "watch"]), limit=st.sampled_from([5, 20, 60]))
    def set_limit(self, budget: str, limit: int) -> None:
        now = self.clock.moment()
        old, mine = self.memory.set_limit(budget, limit, now)
        before, theirs = self.redis.set_limit(budget, limit, now)
        assert old == before
        assert sorted(mine, key=str) == sorted(theirs, key=str), (mine, theirs)

    @rule(service=st.sampled_from(["openai", "http"]), order=st.sampled_from(["open", "close", "close", "reset"]))
    def order(self, service: str, order: BreakerOrder) -> None:
        now = self.clock.moment()
        mine, theirs = (state.set_breaker(service, order, "why", now) for state in (self.memory, self.redis))
        assert mine == theirs

    @rule(seconds=st.sampled_from([0.001, 0.5, 5.0, 12.5, 59.999999, 60.0, 3700.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def look(self) -> None:
        now = self.clock.moment()
        assert self.memory.poll(now) == self.redis.poll(now)
        for mine, theirs in (
            (self.memory.breakers(now), self.redis.breakers(now)),
            (self.memory.limits(now), self.redis.limits(now)),
            (_counted(self.memory.budgets(now)), _counted(self.redis.budgets(now))),
        ):
            differ = [view for view in mine if view not in theirs], [view for view in theirs if view not in mine]
            assert differ == ([], []), differ


@pytest.mark.timeout(120)
def test_limiter_breaker_budget_are_the_same_on_both(share: Callable[..., RedisState]) -> None:
    """Step by step, whatever is done to them, a state in memory and one on Redis answer the same."""
    run_state_machine_as_test(
        lambda: Machine(share),  # type: ignore[arg-type]  # a factory is as good as a class, its docstring says
        settings=settings(
            max_examples=15,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
