"""A gateway under steady traffic for minutes or hours: memory, files, latency and ledger must not creep.

    python benchmarks/soak.py [--minutes 1] [--rate 100] [--json FILE]

Of ten calls two stream, one fails, one is cut and one is refused by a budget. What is compared is the last quarter of
the time with the second: what a server fills once is full by then.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from switchgear.clock import SystemClock
from switchgear.drills.asking import Client, chat
from switchgear.drills.ground import Ground
from switchgear.drills.measures import percentile
from switchgear.drills.verdict import Check

if TYPE_CHECKING:
    from switchgear.drills.process import ServerProcess

CALLERS = 4
SAMPLES = 20
CONFIG = """
[services.llm]
kind = "openai"
base_url = "{url}"
limits = {{ requests_per_minute = 10000000 }}
breaker = {{ failure_threshold = 1000000, minimum_calls = 1000000 }}
prices = {{ "drill" = {{ input = "1", output = "2" }} }}

[[budgets]]
name = "small"
match = {{ job = "small" }}
limit_usd = "0.001"

[[budgets]]
name = "each-job"
each = "job"
limit_usd = "1000"
period = "hour"
"""


class Sample(NamedTuple):
    """How the server was at one moment, and its calls since the one before."""

    seconds: float
    memory_mb: float
    files: int
    ledger_mb: float
    calls: int
    p50_ms: float
    p95_ms: float


class Load:
    """Callers at a steady rate, whatever the answers."""

    def __init__(self, client: Client, rate: float) -> None:
        self._client = client
        self._pause = CALLERS / rate
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._took: list[float] = []
        self.calls = 0
        self._threads = [threading.Thread(target=self._press, args=(number,)) for number in range(CALLERS)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Let each caller finish its call."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def taken(self) -> list[float]:
        """Return how long the calls took since this was asked last, in milliseconds."""
        with self._lock:
            taken, self._took = self._took, []
        return taken

    def _press(self, caller: int) -> None:
        due = time.monotonic()
        for number in range(10**9):
            due += self._pause
            if self._over.wait(max(0.0, due - time.monotonic())):
                return
            fault = {3: "status=503", 7: "cut=2"}.get(number % 10, "")
            job = "small" if number % 10 == 5 else f"job-{caller}-{number % 50}"
            answer = self._client.ask(body=chat(stream=number % 10 in {1, 7}), fault=fault, job=job)
            with self._lock:
                self.calls += 1
                self._took.append(answer.seconds * 1000)


def sampled(server: ServerProcess, ground: Ground, load: Load, began: float) -> Sample:
    """Look at *server*."""
    taken = load.taken()
    size = sum(file.stat().st_size for file in ground.folder.glob("ledger.db*"))
    return Sample(
        seconds=round(time.monotonic() - began, 1),
        memory_mb=round(server.memory_mb() or 0.0, 1),
        files=sum(1 for _ in Path(f"/proc/{server.pid}/fd").iterdir()),
        ledger_mb=round(size / 1e6, 2),
        calls=load.calls,
        p50_ms=round(percentile(taken, 0.5) or 0.0, 2),
        p95_ms=round(percentile(taken, 0.95) or 0.0, 2),
    )


def verdict(samples: list[Sample], *, rows: int, received: int, reserved: int) -> list[Check]:
    """Return what the *samples* come to: the last quarter beside the second."""
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]

    def ratio(name: str) -> float:
        before, after = (statistics.median(getattr(one, name) for one in part) for part in (early, late))
        return round(100 * (after / before - 1), 1) if before else 0.0

    grown = late[-1].ledger_mb - early[0].ledger_mb
    calls = late[-1].calls - early[0].calls
    return [
        _check("memory, last quarter over the second", ratio("memory_mb"), 10, "%"),
        _check(
            "open files, most in the last quarter over most in the second",
            max(one.files for one in late) - max(one.files for one in early),
            4,
        ),
        _check("median latency, last quarter over the second", ratio("p50_ms"), 50, "%"),
        _check("ledger, bytes a call", round(1e6 * grown / max(1, calls)), 4000),
        _check("rows of calls that went out, over and under the provider's count", abs(rows - received), 0),
        _check("calls left open", reserved, 0),
    ]


def _check(what: str, measured: float, wanted: float, unit: str = "") -> Check:
    return Check(what=what, measured=measured, bound="at most", wanted=wanted, unit=unit)


def run(minutes: float, rate: float) -> dict[str, Any]:
    """Soak a gateway and return samples and verdict."""
    samples: list[Sample] = []
    with (
        tempfile.TemporaryDirectory() as name,
        Ground(folder=Path(name), clock=SystemClock(), quick=False, say=print) as ground,
    ):
        sandbox = ground.sandbox()
        server = ground.serve(ground.write(CONFIG.format(url=sandbox.url)))
        load = Load(ground.client(server.url), rate)
        began = time.monotonic()
        load.start()
        try:
            for number in range(SAMPLES):
                time.sleep(max(0.0, began + (number + 1) * minutes * 60 / SAMPLES - time.monotonic()))
                samples.append(sampled(server, ground, load, began))
                print(f"{number + 1}/{SAMPLES}", *samples[-1], file=sys.stderr, flush=True)
        finally:
            load.end()
        sandbox.wait_until(lambda stats: stats.under_way == 0)
        rows = ground.rows()
        checks = verdict(
            samples,
            rows=sum(row.status != "refused" for row in rows),
            received=sandbox.stats().received,
            reserved=sum(row.status == "reserved" for row in rows),
        )
    return {
        "minutes": minutes,
        "calls": load.calls,
        "passed": all(check.passed for check in checks),
        "checks": [check.to_dict() for check in checks],
        "samples": [sample._asdict() for sample in samples],
    }


def main() -> None:
    """Run, print, and fail if something crept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long (default 1)")
    parser.add_argument("--rate", type=float, default=100.0, help="calls a second (default 100)")
    parser.add_argument("--json", type=Path, help="write everything to this file, too")
    options = parser.parse_args()
    result = run(options.minutes, options.rate)
    for check in result["checks"]:
        print(
            f"{'ok  ' if check['passed'] else 'BAD '} {check['what']}: {check['measured']} {check['unit']}"
            f" ({check['bound']} {check['wanted']})"
        )
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if not result["passed"]:
        sys.exit(3)


if __name__ == "__main__":
    main()
