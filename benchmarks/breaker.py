"""What a closed breaker costs over the bare call: sync, async, on eight threads; beside its peers where installed."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

from switchgear import BreakerOpen, CircuitBreaker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

THREADS = 8


def work(number: int) -> int:
    """Do next to nothing."""
    return number


async def awork(number: int) -> int:
    """Do next to nothing."""
    return number


def sync_ns(function: Callable[[int], int], calls: int) -> float:
    """Return nanoseconds a call."""
    started = time.perf_counter_ns()
    for _ in range(calls):
        function(1)
    return (time.perf_counter_ns() - started) / calls


def async_ns(function: Callable[[int], Awaitable[int]], calls: int) -> float:
    """Return nanoseconds an awaited call."""

    async def main() -> float:
        started = time.perf_counter_ns()
        for _ in range(calls):
            await function(1)
        return (time.perf_counter_ns() - started) / calls

    return asyncio.run(main())


def threads_ns(function: Callable[[int], int], calls: int) -> float:
    """Return nanoseconds a call, of *calls* shared by eight threads that begin together."""
    barrier = threading.Barrier(THREADS + 1)

    def share() -> None:
        barrier.wait()
        for _ in range(calls // THREADS):
            function(1)

    threads = [threading.Thread(target=share) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    barrier.wait()
    started = time.perf_counter_ns()
    for thread in threads:
        thread.join()
    return (time.perf_counter_ns() - started) / calls


def ours() -> dict[str, Callable[..., Any]]:
    """Return the ways of this library: everyday, then what costs more."""
    return {
        "switchgear @protect": CircuitBreaker("bench").protect(work),
        "switchgear @protect async": CircuitBreaker("bench").protect(awork),
        "switchgear .call": _called(CircuitBreaker("bench")),
        "switchgear with": _block(CircuitBreaker("bench")),
        "switchgear slow_call": CircuitBreaker("bench", slow_call=60).protect(work),
        "switchgear count window": CircuitBreaker("bench", window=100).protect(work),
        "switchgear is_failure": CircuitBreaker("bench", is_failure=lambda _: False).protect(work),
        "switchgear with failures": _troubled(CircuitBreaker("bench", window="1h")),
        "switchgear rejecting": _rejecting(CircuitBreaker("bench")),
    }


def _called(breaker: CircuitBreaker) -> Callable[[int], int]:
    return lambda number: breaker.call(work, number)


def _block(breaker: CircuitBreaker) -> Callable[[int], int]:
    def block(number: int) -> int:
        with breaker:
            return number

    return block


def _troubled(breaker: CircuitBreaker) -> Callable[[int], int]:
    for _ in range(20):
        breaker.call(work, 1)
    breaker.acquire().failure()
    return breaker.protect(work)


def _rejecting(breaker: CircuitBreaker) -> Callable[[int], int]:
    breaker.force_open()

    def rejected(number: int) -> int:
        try:
            return breaker.call(work, number)
        except BreakerOpen:
            return 0

    return rejected


def peers() -> dict[str, Callable[..., Any]]:
    """Return the same call through every peer that is installed."""
    makers: dict[str, Callable[[Any], dict[str, Callable[..., Any]]]] = {
        "circuitbreaker": lambda module: {"@": module.circuit()(work), "@ async": module.circuit()(awork)},
        "pybreaker": lambda module: {"@": module.CircuitBreaker()(work)},
        "purgatory": lambda module: {
            "@": module.SyncCircuitBreakerFactory()("bench")(work),
            "@ async": module.AsyncCircuitBreakerFactory()("bench")(awork),
        },
    }
    found: dict[str, Callable[..., Any]] = {}
    for name, make in makers.items():
        try:
            module = import_module(name)
        except ImportError:
            print(f"{name} is not installed and left out")
            continue
        found.update({f"{name} {way}": function for way, function in make(module).items()})
    return found


def measured(functions: dict[str, Callable[..., Any]], calls: int, rounds: int) -> dict[str, dict[str, float]]:
    """Return nanoseconds over the bare call by name, the median of interleaved rounds."""
    samples: dict[str, list[float]] = {name: [] for name in functions}
    shared: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        bare, abare = sync_ns(work, calls), async_ns(awork, calls)
        for name, function in functions.items():
            if name.endswith("async"):
                samples[name].append(async_ns(function, calls) - abare)
            else:
                alone = sync_ns(function, calls)
                samples[name].append(alone - bare)
                shared[name].append(threads_ns(function, calls) / alone)
    return {
        name: {"over_bare_ns": round(statistics.median(samples[name]))}
        | ({"threads_factor": round(statistics.median(shared[name]), 2)} if shared[name] else {})
        for name in functions
    }


def main() -> None:
    """Measure, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", help="write the numbers to this file")
    options = parser.parse_args()
    rows = measured({**ours(), **peers()}, options.calls, options.rounds)
    print(f"{'closed breaker':<28}{'ns over the bare call':>22}{'8 threads, factor':>20}")
    for name, row in rows.items():
        print(f"{name:<28}{row['over_bare_ns']:>22}{row.get('threads_factor', ''):>20}")
    best, abest = rows["switchgear @protect"]["over_bare_ns"], rows["switchgear @protect async"]["over_bare_ns"]
    print(f"goals: sync {best} of 500 ns, async {abest} of 600 ns")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:  # noqa: PTH123 - one line of a script
            json.dump(rows, file, indent=2)


if __name__ == "__main__":
    main()
