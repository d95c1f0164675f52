"""What the rate limiter costs: time per acquire, memory of an exact window, and a loop with a thousand waiters.

    python benchmarks/limiter.py [--json FILE]

Beside ``limits`` where that is installed (in a throw-away environment: it is no dependency), with
its moving window, the only exact one it has, for each of four limits.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import json
import statistics
import sys
import threading
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import switchgear as sg
from switchgear.clock import Moment
from switchgear.policies.limiter import Limiter, LimitRule

if TYPE_CHECKING:
    from collections.abc import Callable

VAST = 10**12
FOUR = dict.fromkeys(("requests_per_minute", "requests_per_day", "tokens_per_minute", "tokens_per_day"), VAST)
MINUTE = 60_000_000


def nanoseconds(work: Callable[[], object], *, count: int = 20_000, rounds: int = 9) -> float:
    """Return what one *work* takes: the median of *rounds*."""
    found = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        for _ in range(count):
            work()
        found.append((time.perf_counter_ns() - start) / count)
    return statistics.median(found)


def threads_factor(work: Callable[[], object], *, threads: int = 8, count: int = 5_000) -> float:
    """Return how much longer one *work* takes when *threads* threads do it at once."""

    def run() -> None:
        for _ in range(count):
            work()

    alone = nanoseconds(work, count=count)
    crew = [threading.Thread(target=run) for _ in range(threads)]
    start = time.perf_counter_ns()
    for one in crew:
        one.start()
    for one in crew:
        one.join()
    return (time.perf_counter_ns() - start) / (threads * count) / alone


def acquire_times() -> dict[str, float]:
    """Return nanoseconds for requests + tokens x minute + day in one acquire, and with its settlement."""
    limiter = sg.RateLimiter("bench", **FOUR)

    def settled() -> None:
        if grant := limiter.try_acquire(1000):
            grant.settle(400)

    return {
        "try_acquire_ns": nanoseconds(lambda: limiter.try_acquire(1000)),
        "try_acquire_and_settle_ns": nanoseconds(settled),
        "factor_8_threads": threads_factor(lambda: limiter.try_acquire(1000)),
    }


def window_memory(admissions: int = 1_000_000) -> dict[str, float]:
    """Return KB of an exact minute window after many admissions in it, and the 99th percentile of one acquire."""
    rule = LimitRule(name="requests_per_minute", unit="requests", limit=VAST, window_us=MINUTE)
    gc.collect()
    tracemalloc.start()
    limiter = Limiter([rule])
    for step in range(admissions // 10):
        limiter.ask(0, Moment(step * 600, step * 600), 0)
    kilobytes = tracemalloc.get_traced_memory()[0] / 1024
    tracemalloc.stop()
    limiter = Limiter([rule])
    times = []
    for step in range(admissions):
        now = Moment(step * 60, step * 60)
        start = time.perf_counter_ns()
        limiter.ask(0, now, 0)
        times.append(time.perf_counter_ns() - start)
    times.sort()
    assert limiter.usage(now)[0][1] >= admissions
    return {"window_kb": kilobytes, "p99_us": times[len(times) * 99 // 100] / 1000}


def registry_memory(keys: int = 20_000) -> dict[str, float]:
    """Return how many of *keys* names that were used once are left one window later."""
    from switchgear.testing import ManualClock

    clock = ManualClock(0)
    registry = sg.RateLimiterRegistry(requests_per_minute=1, clock=clock)
    for number in range(keys):
        registry.get_or_create(f"key-{number}").try_acquire()
    held = registry.sweep()
    clock.advance(60)
    return {"keys": held, "keys_a_window_later": registry.sweep()}


async def worst_heartbeat(waiters: int = 1000) -> float:
    """Return the longest lag, in milliseconds, of a 10 ms heartbeat while *waiters* tasks wait and are served."""
    limiter = sg.RateLimiter("bench", requests_per_minute=waiters, tokens_per_minute=waiters * 10, max_wait=120)
    holder = [limiter.acquire(10) for _ in range(waiters)]
    worst = 0.0
    done = asyncio.Event()

    async def beat() -> None:
        nonlocal worst
        while not done.is_set():
            start = time.perf_counter()
            await asyncio.sleep(0.01)
            worst = max(worst, time.perf_counter() - start - 0.01)

    pulse = asyncio.create_task(beat())
    tasks = [asyncio.create_task(limiter.acquire_async(10)) for _ in range(waiters)]
    await asyncio.sleep(0.5)
    for grant in holder[: waiters // 2]:
        grant.release()
        await asyncio.sleep(0)
    await asyncio.sleep(0.5)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    done.set()
    await pulse
    return worst * 1000


def peer_times() -> dict[str, float] | None:
    """Return nanoseconds for the same four limits with ``limits``; None: it is not installed."""
    if importlib.util.find_spec("limits") is None:
        return None
    import limits

    strategy = limits.strategies.MovingWindowRateLimiter(limits.storage.MemoryStorage())
    four = [limits.RateLimitItemPerMinute(VAST), limits.RateLimitItemPerDay(VAST)] * 2

    def four_hits() -> None:
        for number, item in enumerate(four):
            strategy.hit(item, str(number))

    return {"four_hits_ns": nanoseconds(four_hits, count=2_000)}


def main() -> int:
    """Measure, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    path: Path | None = parser.parse_args().json
    ours: dict[str, Any] = {**acquire_times(), **window_memory(), **registry_memory()}
    ours["worst_heartbeat_ms"] = asyncio.run(worst_heartbeat())
    peer = peer_times()
    print(f"requests + tokens x minute + day, one acquire   {ours['try_acquire_ns']:9,.0f} ns   (goal 2,500)")
    print(f"the same, settled                               {ours['try_acquire_and_settle_ns']:9,.0f} ns")
    print(f"8 threads, factor                               {ours['factor_8_threads']:9.2f}      (goal 1.3)")
    print(f"memory of an exact minute window                {ours['window_kb']:9.1f} KB   (goal 64)")
    print(f"99th percentile of an acquire on it             {ours['p99_us']:9.1f} us   (goal 20)")
    print(f"one-shot keys, and those left a window later    {ours['keys']:,} -> {ours['keys_a_window_later']:,}")
    print(f"worst lag of a 10 ms heartbeat, 1,000 waiters   {ours['worst_heartbeat_ms']:9.1f} ms   (goal 20)")
    if peer is None:
        print("limits is not installed: no comparison (install it in a throw-away environment to have one)")
    else:
        ratio = peer["four_hits_ns"] / ours["try_acquire_ns"]
        print(f"limits, moving window, four hits                {peer['four_hits_ns']:9,.0f} ns   {ratio:.1f} x ours")
    if path is not None:
        path.write_text(json.dumps({"switchgear": ours, "limits": peer}, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
