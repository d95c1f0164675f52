"""A whole admission and settlement in memory, beside the stack that users glue together; and a soak.

    python benchmarks/admission.py [--json FILE]

Ours: requests and tokens per minute, requests per day, breaker, two budgets, worst case before and
cost after, in one process. Peers, where installed (in a throw-away environment: they are no
dependency): ``limits`` (two sliding counters), ``pybreaker``, and ``tokencost`` or ``genai-prices``
for the cost; they reserve nothing and know no budget. Rounds are interleaved; the median counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
import time
import tracemalloc
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from switchgear.calls import Outcome, Usage
from switchgear.clock import SystemClock
from switchgear.policies.breaker import BreakerRule
from switchgear.policies.budget import BudgetRule
from switchgear.policies.limiter import LimitRule
from switchgear.policies.pricing import PriceBook, PriceSource
from switchgear.state.base import Account, Admission, AdmissionRequest
from switchgear.state.memory import MemoryState, ServiceRules

if TYPE_CHECKING:
    from collections.abc import Callable

MINUTE = 60_000_000
VAST = 10**12
THREADS = 8


def ours() -> tuple[MemoryState, Callable[[], object]]:
    """Return a state, and one admission with its settlement on it."""
    limits = (
        LimitRule(name="requests_per_minute", unit="requests", limit=VAST, window_us=MINUTE),
        LimitRule(name="tokens_per_minute", unit="tokens", limit=VAST, window_us=MINUTE),
        LimitRule(name="requests_per_day", unit="requests", limit=VAST, window_us=1440 * MINUTE),
    )
    clock = SystemClock()
    state = MemoryState(
        services={"openai": ServiceRules(limits=limits, breaker=BreakerRule())},
        budgets=[BudgetRule(name="a", unit="usd", limit=10**17), BudgetRule(name="b", unit="usd", limit=10**17)],
        started=clock.moment(),
    )
    book = PriceBook({"openai": PriceSource(kind="openai")})
    accounts = (Account("a"), Account("b"))
    bound, usage = Usage(input_tokens=1200, output_tokens=500), Usage(input_tokens=900, output_tokens=120)
    outcome = Outcome(status="ok", verdict="success", usage=usage)

    def call() -> None:
        now = clock.moment()
        price = book.price("openai", "gpt-4o-mini", now.wall)
        assert price is not None
        request = AdmissionRequest(
            service="openai", tokens=1700, cost=book.worst_case(price, bound), accounts=accounts, max_wait_us=0
        )
        admission = state.admit(request, now)
        assert isinstance(admission, Admission)
        state.settle(admission, outcome, book.cost(price, usage), clock.moment())

    return state, call


def glued() -> dict[str, Callable[[], object]]:
    """Return the peers' stacks that can be run here."""
    if find_spec("limits") is None or find_spec("pybreaker") is None:
        return {}
    import limits
    import limits.storage
    import limits.strategies
    import pybreaker

    strategy = limits.strategies.SlidingWindowCounterRateLimiter(limits.storage.MemoryStorage())
    minute, day = limits.parse("1000000000/minute"), limits.parse("1000000000/day")
    breaker = pybreaker.CircuitBreaker()
    stacks: dict[str, Callable[[], object]] = {}

    def with_cost(cost: Callable[[], object]) -> Callable[[], object]:
        def call() -> None:
            if strategy.hit(minute, "openai") and strategy.hit(day, "openai"):
                breaker.call(cost)

        return call

    stacks["limits + pybreaker"] = with_cost(lambda: None)
    if find_spec("tokencost") is not None:
        from tokencost import calculate_cost_by_tokens

        stacks["limits + pybreaker + tokencost"] = with_cost(
            lambda: (
                calculate_cost_by_tokens(900, "gpt-4o-mini", "input"),
                calculate_cost_by_tokens(120, "gpt-4o-mini", "output"),
            )
        )
    from genai_prices import Usage as ListedUsage
    from genai_prices import calc_price

    listed = ListedUsage(input_tokens=900, output_tokens=120)
    stacks["limits + pybreaker + genai-prices"] = with_cost(
        lambda: calc_price(listed, "gpt-4o-mini", provider_id="openai")
    )
    return stacks


def microseconds(call: Callable[[], object], count: int) -> float:
    """Return what one *call* takes."""
    start = time.perf_counter_ns()
    for _ in range(count):
        call()
    return (time.perf_counter_ns() - start) / count / 1000


def on_threads(call: Callable[[], object], count: int) -> float:
    """Return microseconds a call of *count* shared by eight threads."""
    crew = [threading.Thread(target=microseconds, args=(call, count // THREADS)) for _ in range(THREADS)]
    start = time.perf_counter_ns()
    for one in crew:
        one.start()
    for one in crew:
        one.join()
    return (time.perf_counter_ns() - start) / count / 1000


def measure(rounds: int = 7, count: int = 10_000) -> dict[str, Any]:
    """Return the median of interleaved rounds, in microseconds, and each peer as a multiple of ours."""
    _, call = ours()
    stacks = {"switchgear": call, **glued()}
    found: dict[str, list[float]] = {name: [] for name in stacks}
    threaded = []
    for _ in range(rounds):
        for name, one in stacks.items():
            found[name].append(microseconds(one, count))
        threaded.append(on_threads(call, count) / found["switchgear"][-1])
    medians = {name: round(statistics.median(times), 2) for name, times in found.items()}
    mine = medians["switchgear"]
    return {
        "us": medians,
        "times_ours": {name: round(value / mine, 2) for name, value in medians.items() if name != "switchgear"},
        "factor_8_threads": round(statistics.median(threaded), 2),
    }


def soak(admissions: int = 1_000_000) -> dict[str, Any]:
    """Return how much the state grows between the first and the last tenth of *admissions*."""
    _, call = ours()
    for _ in range(admissions // 10):
        call()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(admissions // 10 * 9):
        call()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return {"admissions": admissions, "grown_kb": round(grown / 1024, 1)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    arguments = parser.parse_args()
    result = measure()
    print("admit + settle, microseconds (median of interleaved rounds)")
    for name, value in result["us"].items():
        times = "" if name == "switchgear" else f"   {result['times_ours'][name]} x ours"
        print(f"  {name:36} {value:8.2f}{times}")
    print(f"  switchgear on {THREADS} threads, factor    {result['factor_8_threads']:8.2f}")
    if len(result["us"]) == 1:
        print("  peers are not installed: pip install limits pybreaker tokencost, in an environment of their own")
    result["soak"] = soak()
    print(f"  900,000 admissions after 100,000 grew the state by {result['soak']['grown_kb']} KB")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
