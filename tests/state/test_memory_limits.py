from __future__ import annotations

import pytest

from switchgear.calls import Outcome, Quota, Refusal, Usage
from switchgear.clock import MICROS, Moment
from switchgear.policies.breaker import BreakerRule
from switchgear.policies.limiter import LimitRule
from switchgear.state.base import Admission, AdmissionRequest, History, PastCalls, Waiting
from switchgear.state.memory import MemoryState, ServiceRules
from switchgear.testing import ManualClock

RPM = LimitRule(name="requests_per_minute", unit="requests", limit=60, window_us=60 * MICROS)
BY_DAY = LimitRule(
    name="requests_per_day", unit="requests", limit=2, window_us=86_400 * MICROS, timezone="Europe/Vienna"
)


@pytest.fixture
def clock() -> ManualClock:
    """2027-01-15, 22:30 in Vienna."""
    return ManualClock(1_800_048_600.0)


def _state(*limits: LimitRule) -> MemoryState:
    rules = ServiceRules(limits=limits, breaker=BreakerRule(failure_threshold=9, recovery_us=30 * MICROS))
    return MemoryState(services={"openai": rules}, budgets=(), started=Moment(0, 0))


def _request(max_wait: float = 0.0) -> AdmissionRequest:
    return AdmissionRequest(
        service="openai", tokens=0, cost=0, accounts=(), max_wait_us=round(max_wait * MICROS), waker=None
    )


def _call(state: MemoryState, clock: ManualClock, outcome: Outcome) -> None:
    admission = state.admit(_request(), clock.moment())
    assert isinstance(admission, Admission)
    state.settle(admission, outcome, 0, clock.moment())


def _refusal(answer: object) -> Refusal:
    assert isinstance(answer, Refusal)
    return answer


def test_limiter_28_a_settled_quota_pauses_the_service_and_it_resumes_one_by_one(clock: ManualClock) -> None:
    """What a provider says with an answer holds for every call to come, until its reset."""
    state = _state(RPM)
    quota = Quota(unit="requests", remaining=0, resets_in=12.0, limit=60)
    _call(state, clock, Outcome(status="ok", verdict="success", usage=Usage(), quotas=(quota,)))
    refusal = _refusal(state.admit(_request(), clock.moment()))
    assert (refusal.reason, refusal.rule, refusal.retry_after) == ("rate_limit", "provider_pause", 12.0)
    slots = [state.admit(_request(60), clock.moment()) for _ in range(3)]
    start = clock.moment().mono
    assert [(slot.go_at - start) // MICROS for slot in slots if isinstance(slot, Waiting)] == [12, 13, 14]


@pytest.mark.parametrize(("verdict", "paused"), [("failure", True), ("neutral", False), ("success", False)])
def test_limiter_28_retry_after_of_a_failure_pauses_the_service(
    clock: ManualClock, verdict: str, *, paused: bool
) -> None:
    """A failure's Retry-After is kept by everybody; on any other answer it says nothing to the limiter."""
    state = _state(RPM)
    status = "failed" if paused else "ok"
    _call(state, clock, Outcome(status=status, verdict=verdict, usage=Usage(), retry_after=7.0))  # type: ignore[arg-type]  # by name
    answer = state.admit(_request(), clock.moment())
    assert isinstance(answer, Refusal) == paused
    clock.advance(7)
    assert isinstance(state.admit(_request(), clock.moment()), Admission)


def test_limiter_24_a_calendar_day_remembers_today_and_ends_at_midnight(clock: ManualClock) -> None:
    """After a restart today's calls count, yesterday's don't, and midnight makes room."""
    state = _state(BY_DAY)
    now = clock.moment()
    calls = tuple(
        PastCalls(service="openai", at=now.wall - hours * 3600 * MICROS, requests=1, tokens=0) for hours in (23, 22)
    )
    state.restore(History(calls=calls), now)
    (view,) = state.limits(now)
    assert (view.used, view.limit) == (1, 2)
    assert isinstance(state.admit(_request(), now), Admission)
    refusal = _refusal(state.admit(_request(), now))
    assert (refusal.rule, refusal.retry_after) == ("requests_per_day", 5400.0)
    clock.advance(5400)
    assert isinstance(state.admit(_request(), clock.moment()), Admission)
